//! Single values of a row as the inventory writes them.

use std::net::IpAddr;

use crate::inventory::Hold;
use crate::inventory::import::join::Customer;
use crate::inventory::import::slug;
use crate::inventory::import::table::Column;
use crate::inventory::parse::is_address;

/// The first address of a value: `192.0.2.1/24` and lists are common in exports.
pub(super) fn bare_address(text: &str) -> Option<&str> {
    let first = text.split([',', ';', '\n']).next().unwrap_or("").trim();
    let first = first.split_once('/').map_or(first, |(address, _)| address);
    let word = first.split_whitespace().next().filter(|word| word.parse::<IpAddr>().is_ok());
    Some(word.unwrap_or(first)).filter(|address| is_address(address))
}

/// A value a customer has one of.
pub(super) type Slot = fn(&mut Customer) -> &mut Option<String>;

pub(super) const SCALARS: [(Column, &str, Slot); 4] = [
    (Column::Tier, "tier", |customer| &mut customer.tier),
    (Column::Language, "language", |customer| &mut customer.language),
    (Column::Group, "group", |customer| &mut customer.group),
    (Column::Hold, "hold", |customer| &mut customer.hold),
];

/// `text` as the inventory writes it, if it can be.
pub(super) fn scalar(column: Column, text: &str) -> Option<String> {
    match column {
        Column::Language => {
            let tag = text.replace('_', "-");
            tag.parse::<unic_langid::LanguageIdentifier>().is_ok().then_some(tag)
        }
        Column::Hold => {
            let word = text.to_lowercase();
            let quoted = serde_json::Value::String(word.clone());
            serde_json::from_value::<Hold>(quoted).is_ok().then_some(word)
        }
        _ => slug(text),
    }
}

/// What people write for yes and no.
pub(super) fn answer(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "yes" | "y" | "true" | "1" => Some(true),
        "no" | "n" | "false" | "0" => Some(false),
        _ => None,
    }
}

/// Several paths or patterns in one value.
pub(super) fn list(text: &str) -> Vec<String> {
    let clean = |part: &str| {
        let part = part.trim();
        if part.len() > 1 && part.starts_with('/') { part.trim_end_matches('/') } else { part }
            .to_owned()
    };
    text.split(['|', ';', ',', '\n']).map(clean).filter(|part| !part.is_empty()).collect()
}
