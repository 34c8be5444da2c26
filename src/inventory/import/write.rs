//! The text of an import: every value quoted by the TOML library, comments on one line each.

use std::fmt::Write as _;

use crate::inventory::import::join::{Customer, Host, Joined, Workload};
use crate::model::Bytes;
use crate::model::text::bounded;

/// Notes repeated in the file; `evac import` prints all of them.
const NOTES_MAX: usize = 50;

/// A text as TOML has it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn list<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> String {
    let texts: Vec<_> = texts.into_iter().map(|text| quoted(text.as_ref())).collect();
    format!("[{}]", texts.join(", "))
}

fn comment(text: &str, out: &mut String) {
    let _ = writeln!(out, "# {}", bounded(text, 300));
}

/// The whole file.
pub(super) fn inventory(
    joined: &Joined,
    (kind, name): (&str, &str),
    (dropped, ignored): (&[String], &[String]),
) -> String {
    let mut out = String::new();
    comment(
        &format!("Imported by `evac import {kind} {name}`: importing it again replaces this file."),
        &mut out,
    );
    comment(
        "Write what shall be different into a file that is read later; it overlays single keys.",
        &mut out,
    );
    if !dropped.is_empty() {
        comment(&format!("Dropped, may hold secrets: {}", dropped.join(", ")), &mut out);
    }
    if !ignored.is_empty() {
        comment(&format!("Not understood: {}", ignored.join(", ")), &mut out);
    }
    for note in joined.notes.iter().take(NOTES_MAX) {
        comment(&format!("Look at {note}"), &mut out);
    }
    joined.customers.iter().for_each(|entry| customer(entry, &mut out));
    joined.hosts.iter().for_each(|entry| host(entry, &mut out));
    out
}

fn customer(customer: &Customer, out: &mut String) {
    let _ = writeln!(out, "\n[[customer]]\nid = {}", quoted(&customer.id));
    let _ = writeln!(out, "name = {}", quoted(&customer.name));
    let scalars = [
        ("tier", &customer.tier),
        ("language", &customer.language),
        ("group", &customer.group),
        ("hold", &customer.hold),
    ];
    for (key, value) in scalars {
        if let Some(value) = value {
            let _ = writeln!(out, "{key} = {}", quoted(value));
        }
    }
    for (key, values) in [("contacts", &customer.contacts), ("domains", &customer.domains)] {
        if !values.is_empty() {
            let _ = writeln!(out, "{key} = {}", list(values));
        }
    }
    if customer.suspended {
        out.push_str("suspended = true\n");
    }
}

fn host(host: &Host, out: &mut String) {
    let _ = writeln!(out, "\n[[host]]\nid = {}", quoted(&host.id));
    let _ = writeln!(out, "address = {}", quoted(&host.address));
    if let Some(port) = host.port {
        let _ = writeln!(out, "port = {port}");
    }
    if let Some(user) = &host.user {
        let _ = writeln!(out, "user = {}", quoted(user));
    }
    if !host.identity.is_empty() {
        let identity = host.identity.iter().map(|path| path.to_string_lossy());
        let _ = writeln!(out, "identity = {}", list(identity));
    }
    if let Some(jump) = &host.jump {
        let _ = writeln!(out, "jump = {}", quoted(jump));
    }
    if host.untrusted == Some(true) {
        out.push_str("untrusted = true\n");
    }
    if host.capture {
        let _ = writeln!(out, "customer = {}", quoted(&host.customer));
    } else {
        out.push_str("capture = false\n");
    }
    if let Some(bytes) = host.bytes {
        comment(&format!("said to hold {}; a survey measures it", Bytes(bytes)), out);
    }
    host.workloads.iter().for_each(|entry| workload(entry, out));
}

fn workload(workload: &Workload, out: &mut String) {
    let _ = writeln!(out, "\n[[host.workload]]\nid = {}", quoted(&workload.id));
    let _ = writeln!(out, "customer = {}", quoted(&workload.customer));
    if let Some(label) = &workload.label {
        let _ = writeln!(out, "label = {}", quoted(label));
    }
    if let Some(class) = workload.class {
        let _ = writeln!(out, "class = \"{class}\"");
    }
    if let Some(bytes) = workload.bytes {
        let _ = writeln!(out, "bytes = \"{bytes}B\"");
    }
    let text =
        |path: &crate::model::TreePath| String::from_utf8_lossy(path.as_bytes()).into_owned();
    let _ = writeln!(out, "paths = {}", list(workload.paths.iter().map(text)));
    if !workload.exclude.is_empty() {
        let _ = writeln!(out, "exclude = {}", list(&workload.exclude));
    }
}
