//! Turns the joined entries into types. Every key is looked at, every mistake noted with its line
//! and with the entry that is set aside because of it.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::inventory::checks::checks;
use crate::inventory::document::{Table, Value};
use crate::inventory::exclude::{leaves_out, matcher};
use crate::inventory::fields::Fields;
use crate::inventory::overlay::{Overlay, Raw};
use crate::inventory::rescue;
use crate::inventory::settings::DEFAULT_PORT;
use crate::inventory::ways::ways;
use crate::inventory::{
    Accept, AddressChange, Checks, Class, Customer, Entry, Hold, Host, Impact, Inventory, Origin,
    Problem, Target, Ways, Workload, WorkloadKind, default,
};
use crate::model::{CustomerId, DiskKind, TargetId, TreePath};

const HOLDS: [(&str, Hold); 4] = [
    ("none", Hold::None),
    ("abuse", Hold::Abuse),
    ("legal", Hold::Legal),
    ("customer", Hold::Customer),
];
const IMPACTS: [(&str, Impact); 2] = [("full", Impact::Full), ("gentle", Impact::Gentle)];
const KINDS: [(&str, WorkloadKind); 1] = [("files", WorkloadKind::Files)];
const OWNER_HINT: &str = "Write `customer`; your own machines belong to a customer too: yourself.";

/// The entries as types. Those with mistakes are among them where they could be made at all.
pub(super) fn inventory(
    overlay: &Overlay,
    targets: &[Target],
    problems: &mut Vec<Problem>,
) -> Inventory {
    let mut targets = targets.to_vec();
    let customers = overlay.customers.iter().filter_map(|raw| customer(raw, problems)).collect();
    let mut hosts = Vec::new();
    for raw in &overlay.hosts {
        hosts.extend(host(raw, &mut targets, problems));
    }
    Inventory { customers, hosts, targets }
}

fn customer(raw: &Raw, problems: &mut Vec<Problem>) -> Option<Customer> {
    let mut fields = Fields::new(&raw.table, &raw.origin, "customer", problems)
        .of(Some(Entry::Customer(raw.id.clone())));
    let id: Option<CustomerId> = fields.parse("id");
    let name = fields.text("name").unwrap_or_else(|| raw.id.clone());
    let tier = fields.parse("tier");
    let language = language(&mut fields);
    let contacts = fields.texts("contacts");
    let domains = fields.texts("domains").iter().map(|name| name.to_ascii_lowercase()).collect();
    let group = fields.parse("group");
    let labels = fields.text_map("labels");
    let hold = fields.word("hold", &HOLDS).unwrap_or_default();
    let suspended = fields.boolean("suspended").unwrap_or(false);
    fields.finish();
    let origin = raw.origin.clone();
    let id = id?;
    Some(Customer {
        id,
        name,
        tier,
        language,
        contacts,
        domains,
        group,
        labels,
        hold,
        suspended,
        origin,
    })
}

fn language(fields: &mut Fields<'_>) -> Option<String> {
    let (text, origin) = fields.placed_text("language")?;
    if text.parse::<unic_langid::LanguageIdentifier>().is_ok() {
        return Some(text.to_owned());
    }
    let what = format!("`{text}` is not a language tag");
    fields.error(origin, what, "Write a tag such as \"en\" or \"pt-BR\".");
    None
}

fn host(raw: &Raw, targets: &mut Vec<Target>, problems: &mut Vec<Problem>) -> Option<Host> {
    let entry = Entry::Host(raw.id.clone());
    let mut fields = Fields::new(&raw.table, &raw.origin, "host", problems).of(Some(entry.clone()));
    let id = fields.parse("id");
    let address = address(&mut fields);
    let port = fields.port();
    let user = fields.text("user");
    let identity = fields.texts("identity").into_iter().map(PathBuf::from).collect();
    let host_key = fields.text("host_key");
    let ways = Ways { is_port_written: port.is_some(), ..ways(&mut fields) };
    let jump = fields.parse("jump");
    let uplink = fields.parse("uplink");
    let uses = fields.parse_list("uses");
    let rate = fields.parse("rate");
    let disk = fields.word("disk", &DiskKind::WORDS);
    let customer = fields.parse("customer");
    let untrusted = fields.boolean("untrusted").unwrap_or(false);
    let capture = fields.boolean("capture").unwrap_or(true);
    let impact = fields.word("impact", &IMPACTS).unwrap_or_default();
    let (access, rescue) = rescue::read(&mut fields);
    let target = target(&mut fields, &raw.id, targets);
    let checks = checks(&mut fields, &[]);
    fields.finish();
    let (origin, workloads) = (raw.origin.clone(), Vec::new());
    let mut host = Host {
        id: id?,
        address: address?,
        port: port.unwrap_or(DEFAULT_PORT),
        user,
        identity,
        host_key,
        ways,
        jump,
        uplink,
        uses,
        rate,
        disk,
        customer,
        untrusted,
        capture,
        impact,
        access,
        rescue,
        target,
        workloads,
        origin,
    };
    host.workloads = workloads_of(&host, raw, targets, problems);
    for workload in &mut host.workloads {
        if workload.checks == Checks::default() {
            workload.checks = checks.clone();
        }
    }
    Some(host)
}

fn workloads_of(
    host: &Host,
    raw: &Raw,
    targets: &mut Vec<Target>,
    problems: &mut Vec<Problem>,
) -> Vec<Workload> {
    if !raw.workloads.is_empty() {
        let mut read = |raw| workload(raw, host, targets, problems);
        return raw.workloads.iter().filter_map(&mut read).collect();
    }
    match (&host.customer, host.capture) {
        (_, false) => Vec::new(),
        (Some(customer), true) => default::workloads(host, customer),
        (None, true) => {
            let problem = Problem::error(&raw.origin, format!("host/{} has no owner", raw.id));
            problems.push(problem.hint(OWNER_HINT).of(Entry::Host(raw.id.clone())));
            Vec::new()
        }
    }
}

/// An IP address or a name of the DNS.
fn address(fields: &mut Fields<'_>) -> Option<String> {
    let text = fields.needed_text("address", "Write the address or name to dial.")?;
    if is_address(&text) {
        return Some(text);
    }
    let (_, origin) = fields.placed_text("address")?;
    let hint = match &*text {
        text if text.contains('@') => "Write the part before the `@` as `user`.",
        text if text.contains("://") => "Write the bare name or address.",
        text if text.contains('/') => "Write one address, without a prefix length.",
        text if text.contains(':') => "Write the part behind the `:` as `port`.",
        _ => "",
    };
    fields.error(origin, format!("`{text}` is neither an IP address nor a host name"), hint);
    None
}

/// The syntax of what can be dialled.
pub(super) fn is_address(text: &str) -> bool {
    let bare = text.split_once('%').map_or(text, |(address, _)| address);
    if bare.parse::<IpAddr>().is_ok() {
        return true;
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let numeric = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    text.len() <= 253 && !numeric && text.trim_end_matches('.').split('.').all(label)
}

/// A target by id, or a table that becomes the target of id `own`. A mistake in it costs the target
/// alone, for capture needs none.
fn target(fields: &mut Fields<'_>, own: &str, targets: &mut Vec<Target>) -> Option<TargetId> {
    let before = fields.problems().len();
    let target = written_target(fields, own, targets);
    let found = fields.problems().split_off(before);
    fields.problems().extend(found.into_iter().map(Problem::of_target));
    target
}

fn written_target(
    fields: &mut Fields<'_>,
    own: &str,
    targets: &mut Vec<Target>,
) -> Option<TargetId> {
    let field = fields.raw("target")?;
    let Value::Table(table) = &field.node.value else { return fields.parse("target") };
    let entry = fields.entry();
    let at = &field.origin;
    let mut inner = Fields::new(table, at, "target", fields.problems()).of(entry);
    let address = address(&mut inner);
    let port = inner.port().unwrap_or(DEFAULT_PORT);
    let user = inner.text("user");
    inner.finish();
    let id = TargetId::new(own).ok()?;
    if let Some(other) = targets.iter().find(|target| target.id == id) {
        let what = format!("a target of this id is written at {} already", other.origin);
        fields.error(at, what, "Name a [[target]] of evac.toml instead of a table here.");
        return None;
    }
    let origin = at.clone();
    targets.push(Target { id: id.clone(), address: address?, port, user, capacity: None, origin });
    Some(id)
}

fn workload(
    raw: &Raw,
    host: &Host,
    targets: &mut Vec<Target>,
    problems: &mut Vec<Problem>,
) -> Option<Workload> {
    let entry = Entry::Workload(raw.id.clone());
    let mut fields = Fields::new(&raw.table, &raw.origin, "workload", problems).of(Some(entry));
    let id = fields.parse("id");
    let customer = fields.parse("customer").or_else(|| host.customer.clone());
    if customer.is_none() && raw.table.get("customer").is_none() {
        fields.error(&raw.origin, format!("workload/{} has no owner", raw.id), OWNER_HINT);
    }
    let label = fields.text("label");
    let kind = fields.word("kind", &KINDS).unwrap_or_default();
    let exclude = excludes(&mut fields);
    let paths = paths(&mut fields, &raw.origin, &exclude);
    let class = fields.word("class", &Class::ALL.map(|class| (class.word(), class)));
    let bytes = fields.parse("bytes");
    let addresses = addresses(&mut fields);
    let target = target(&mut fields, &raw.id, targets).or_else(|| host.target.clone());
    let restore_root = restore_root(&mut fields);
    let accept = accept(&mut fields);
    let rechecks = fields.word("recheck", &[("always", true), ("changed", false)]);
    let checks = checks(&mut fields, &addresses);
    fields.finish();
    Some(Workload {
        id: id?,
        host: host.id.clone(),
        customer: customer?,
        label,
        kind,
        paths,
        exclude,
        class: class.unwrap_or(Class::Bulk),
        bytes,
        addresses,
        target,
        restore_root,
        accept,
        rechecks: rechecks.unwrap_or(false),
        checks,
        is_default: false,
        origin: raw.origin.clone(),
    })
}

fn excludes(fields: &mut Fields<'_>) -> Vec<String> {
    let mut excludes = Vec::new();
    for (pattern, origin) in fields.placed_texts("exclude") {
        match matcher(&[pattern.to_owned()]) {
            Ok(_) => excludes.push(pattern.to_owned()),
            Err(error) => fields.error(origin, error.to_string(), "gitignore syntax is meant."),
        }
    }
    excludes
}

/// Clean paths, none within another.
fn paths(fields: &mut Fields<'_>, origin: &Origin, exclude: &[String]) -> Vec<TreePath> {
    let written = fields.placed_texts("paths");
    if written.is_empty() {
        let hint = "List absolute paths; leave the whole [[host.workload]] out to take all of `/`.";
        fields.error(origin, "workload has no `paths`", hint);
    }
    let mut clean: Vec<(TreePath, &Origin)> = Vec::new();
    for (text, at) in written {
        match path(text) {
            Ok(path) => clean.push((path, at)),
            Err(error) => fields.error(at, error.to_string(), "Write an absolute path."),
        }
    }
    let Ok(matcher) = matcher(exclude) else { return Vec::new() };
    let mut kept: Vec<TreePath> = Vec::new();
    clean.sort_by(|a, b| a.0.cmp(&b.0));
    for (path, at) in clean {
        if leaves_out(&matcher, &path) {
            fields.error(at, format!("`exclude` leaves out the path `{path}` itself"), "");
        } else if !kept.iter().any(|above| path.is_within(above)) {
            kept.push(path);
        }
    }
    kept
}

/// A path as people write it: a slash at the end is no mistake.
fn path(text: &str) -> Result<TreePath, crate::model::InvalidPath> {
    let trimmed = text.trim_end_matches('/');
    if trimmed.is_empty() && !text.is_empty() { Ok(TreePath::root()) } else { trimmed.parse() }
}

fn placed_path(fields: &mut Fields<'_>, key: &'static str) -> Option<TreePath> {
    let (text, origin) = fields.placed_text(key)?;
    path(text).map_err(|error| fields.error(origin, format!("`{key}`: {error}"), "")).ok()
}

/// Runs `read` over each table of the list `key`, noting what is wrong on the way.
fn each<T>(
    fields: &mut Fields<'_>,
    key: &'static str,
    mut read: impl FnMut(&mut Fields<'_>) -> Option<T>,
) -> Vec<T> {
    let entry = fields.entry();
    let mut items = Vec::new();
    for (table, at) in fields.tables(key) {
        let mut inner = Fields::new(table, at, key, fields.problems()).of(entry.clone());
        items.extend(read(&mut inner));
        inner.finish();
    }
    items
}

fn addresses(fields: &mut Fields<'_>) -> Vec<AddressChange> {
    each(fields, "addresses", |fields| {
        Some(AddressChange { old: fields.parse("old"), new: fields.parse("new") })
    })
}

fn accept(fields: &mut Fields<'_>) -> Vec<Accept> {
    each(fields, "accept", |fields| {
        let reason = fields.needed_text("reason", "Say why nobody needs it; it is kept.");
        let needed = fields.needed_text("path", "Say what is left behind.");
        let path = needed.and_then(|_| placed_path(fields, "path"));
        Some(Accept { path: path?, reason: reason? })
    })
}

fn restore_root(fields: &mut Fields<'_>) -> Option<TreePath> {
    let entry = fields.entry();
    let (table, at): (&Table, &Origin) = fields.table("restore")?;
    let mut inner = Fields::new(table, at, "restore", fields.problems()).of(entry);
    let root = placed_path(&mut inner, "root");
    inner.finish();
    root
}
