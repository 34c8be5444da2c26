//! Nobody who is held back is named: each outgoing text is searched for everything that could tell.
//!
//! Compared are letters and digits only, in lower case, whole words: invisible characters, other
//! kinds of blanks, hyphens and quotes do not hide a name. The company's own name hints at nobody,
//! and is taken out first.

use crate::gate::Holds;
use crate::inventory::{Customer, Hold, Inventory};
use crate::model::CustomerId;

/// A name of one character is in every text.
const NAME_CHARS_MIN: usize = 2;

/// Everything that names somebody who is held back.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    own: String,
    /// Folded, with a blank at both ends.
    names: Vec<(String, CustomerId)>,
}

impl Guard {
    /// From the inventory, over which holds are laid, and from the log, which knows those who
    /// were taken out of it. `own`: the company's name.
    pub fn of(inventory: &Inventory, holds: &Holds, own: &str) -> Self {
        let mut guard = Self { own: folded(own), names: Vec::new() };
        for (customer, open) in holds.all() {
            guard.name(customer.as_str(), customer);
            let belongings = &open.belongings;
            belongings.workloads.iter().for_each(|it| guard.name(it.as_str(), customer));
            for host in &belongings.hosts {
                guard.host(host, customer, inventory);
            }
        }
        for customer in inventory.customers.iter().filter(|it| it.hold != Hold::None) {
            guard.customer(customer, inventory);
        }
        guard
    }

    fn customer(&mut self, customer: &Customer, inventory: &Inventory) {
        let id = &customer.id;
        let texts = [id.as_str(), customer.name.as_str()].into_iter();
        let texts = texts.chain(customer.domains.iter().map(String::as_str));
        let texts = texts.chain(customer.contacts.iter().map(String::as_str));
        let texts = texts.chain(customer.labels.values().map(String::as_str));
        texts.for_each(|text| self.name(text.trim_start_matches("tel:"), id));
        for workload in inventory.workloads().filter(|it| it.customer == *id) {
            self.name(workload.id.as_str(), id);
            workload.label.iter().for_each(|label| self.name(label, id));
            for change in &workload.addresses {
                let both = change.old.iter().chain(&change.new);
                both.for_each(|address| self.name(&address.to_string(), id));
            }
            self.host(&workload.host, id, inventory);
        }
    }

    /// A machine with others on it does not name one of them.
    fn host(&mut self, id: &crate::model::HostId, customer: &CustomerId, inventory: &Inventory) {
        let Some(host) = inventory.host(id) else { return };
        if host.workloads.iter().all(|workload| workload.customer == *customer) {
            self.name(host.id.as_str(), customer);
            self.name(&host.address, customer);
        }
    }

    fn name(&mut self, text: &str, customer: &CustomerId) {
        let name = folded(text);
        if name.trim().chars().count() >= NAME_CHARS_MIN {
            self.names.push((name, customer.clone()));
        }
    }

    /// Whom `text` names.
    pub fn named_in(&self, text: &str) -> Option<&CustomerId> {
        // What stands for a character that was taken out may have been a blank or nothing.
        let read = [folded(text), folded(&text.replace('\u{fffd}', " "))];
        let has_own = !self.own.trim().is_empty();
        let read = read.map(|text| if has_own { text.replace(&self.own, " \u{1} ") } else { text });
        let is_in = |name: &str| read.iter().any(|text| text.contains(name));
        self.names.iter().find(|(name, _)| is_in(name)).map(|(_, customer)| customer)
    }
}

/// Words of letters and digits in lower case, one blank around each.
fn folded(text: &str) -> String {
    let mut out = String::from(" ");
    for c in text.chars().filter(|c| !is_invisible(*c)).flat_map(char::to_lowercase) {
        if c.is_alphanumeric() {
            out.push(c);
        } else if !out.ends_with(' ') {
            out.push(' ');
        }
    }
    if !out.ends_with(' ') {
        out.push(' ');
    }
    out
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}')
        || matches!(c, '\u{2066}'..='\u{2069}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fffd}')
}
