//! Joins the entries of several files: a later file overlays an entry of the same id key by key,
//! and a host's workloads by their ids. Twice the same id in one file is a mistake, not an overlay.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::inventory::document::{Field, SourceFile, Table, Value, parse};
use crate::inventory::fields::Fields;
use crate::inventory::{Entry, Origin, Problem};
use crate::model::text::bounded;

/// Entries of all files, in the order they were first written.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    pub(super) customers: Vec<Raw>,
    pub(super) hosts: Vec<Raw>,
    /// Where in its list an entry is.
    index: HashMap<Entry, usize>,
}

/// One entry before its keys are read.
#[derive(Debug)]
pub(super) struct Raw {
    /// As written; not yet checked against the rule for ids.
    pub(super) id: String,
    /// Where it was first written.
    pub(super) origin: Origin,
    pub(super) table: Table,
    /// Of a host: its workloads, taken out of `table`.
    pub(super) workloads: Vec<Raw>,
    /// The file that wrote to it last; a second time from there is a duplicate.
    last_file: Option<Arc<str>>,
}

/// Finds the place of each entry and key, after everything has become types.
#[derive(Debug, Default)]
pub(super) struct Places {
    entries: BTreeMap<Entry, Origin>,
    keys: BTreeMap<(Entry, String), Origin>,
}

impl Places {
    /// Where `key` of `entry` stands; where the entry does, when the key was not written.
    pub(super) fn of_key(&self, entry: &Entry, key: &str) -> Origin {
        let place = self.keys.get(&(entry.clone(), key.to_owned()));
        place.cloned().unwrap_or_else(|| self.of(entry))
    }
    /// Where `entry` was first written.
    pub(super) fn of(&self, entry: &Entry) -> Origin {
        let nowhere = || Origin { file: "inventory.toml".into(), line: 0 };
        self.entries.get(entry).cloned().unwrap_or_else(nowhere)
    }
    /// Was `entry` written, usable or not?
    pub(super) fn has(&self, entry: &Entry) -> bool {
        self.entries.contains_key(entry)
    }
    /// Every entry written.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.keys()
    }

    fn note(&mut self, entry: Entry, raw: &Raw) {
        for field in &raw.table.0 {
            self.keys.insert((entry.clone(), field.key.clone()), field.origin.clone());
        }
        self.entries.entry(entry).or_insert_with(|| raw.origin.clone());
    }
}

impl Overlay {
    /// Reads every file, in the order given.
    pub(super) fn of(files: &[SourceFile], problems: &mut Vec<Problem>) -> Self {
        let mut overlay = Self::default();
        for file in files {
            let Some(table) = parse(file, problems) else { continue };
            let whole = Origin { line: 1, ..file.origin() };
            let mut fields = Fields::new(&table, &whole, "an inventory", problems);
            for (table, at) in fields.tables("customer") {
                overlay.lay(table, at, Entry::Customer, fields.problems());
            }
            for (table, at) in fields.tables("host") {
                overlay.lay(table, at, Entry::Host, fields.problems());
            }
            fields.finish();
        }
        overlay
    }

    /// Lays `table` over the customer or host of its id, or adds it.
    fn lay(
        &mut self,
        table: &Table,
        at: &Origin,
        entry: fn(String) -> Entry,
        problems: &mut Vec<Problem>,
    ) {
        let Some(id) = id_of(table, at, entry, problems) else { return };
        let is_host = matches!(entry(String::new()), Entry::Host(_));
        let entries = if is_host { &mut self.hosts } else { &mut self.customers };
        let index = *self.index.entry(entry(id.clone())).or_insert_with(|| {
            entries.push(Raw::new(&id, at));
            entries.len() - 1
        });
        entries[index].lay(table, at, entry, problems);
    }

    /// The place of every key.
    pub(super) fn places(&self) -> Places {
        let mut places = Places::default();
        for customer in &self.customers {
            places.note(Entry::Customer(customer.id.clone()), customer);
        }
        for host in &self.hosts {
            places.note(Entry::Host(host.id.clone()), host);
            for workload in &host.workloads {
                places.note(Entry::Workload(workload.id.clone()), workload);
            }
        }
        places
    }
}

impl Raw {
    fn new(id: &str, at: &Origin) -> Self {
        let (table, workloads, origin) = (Table::default(), Vec::new(), at.clone());
        Self { id: id.to_owned(), origin, table, workloads, last_file: None }
    }

    fn lay(
        &mut self,
        table: &Table,
        at: &Origin,
        entry: fn(String) -> Entry,
        problems: &mut Vec<Problem>,
    ) {
        if self.last_file.as_ref() == Some(&at.file) {
            let entry = entry(self.id.clone());
            let what = format!("{entry} is written twice, first at {}", self.origin);
            let hint = "Join the two; only another file may overlay an entry.";
            problems.push(Problem::error(at, what).hint(hint).of(entry));
            return;
        }
        self.last_file = Some(Arc::clone(&at.file));
        fill(self, table, entry, problems);
    }
}

fn fill(raw: &mut Raw, table: &Table, entry: fn(String) -> Entry, problems: &mut Vec<Problem>) {
    let of = entry(raw.id.clone());
    for field in &table.0 {
        match (&of, field.key.as_str(), &field.node.value) {
            (Entry::Host(_), "workload", Value::Array(nodes)) => {
                for node in nodes {
                    if let Value::Table(table) = &node.value {
                        workload(&mut raw.workloads, table, &node.origin, problems);
                    } else {
                        problems.push(not_a_table(field, &of));
                    }
                }
            }
            (Entry::Host(_), "workload", _) => problems.push(not_a_table(field, &of)),
            _ => raw.table.set(field.clone()),
        }
    }
}

/// Lays `table` over the workload of its id, or adds it.
fn workload(known: &mut Vec<Raw>, table: &Table, at: &Origin, problems: &mut Vec<Problem>) {
    let Some(id) = id_of(table, at, Entry::Workload, problems) else { return };
    let index = known.iter().position(|raw| raw.id == id).unwrap_or_else(|| {
        known.push(Raw::new(&id, at));
        known.len() - 1
    });
    known[index].lay(table, at, Entry::Workload, problems);
}

fn not_a_table(field: &Field, entry: &Entry) -> Problem {
    let what = format!("`workload` must be a list of tables, not {}", field.node.value.kind());
    Problem::error(&field.origin, what).hint("Write [[host.workload]].").of(entry.clone())
}

fn id_of(
    table: &Table,
    at: &Origin,
    entry: fn(String) -> Entry,
    problems: &mut Vec<Problem>,
) -> Option<String> {
    let Some(field) = table.get("id") else {
        let kind = entry(String::new()).to_string();
        let what = format!("a {} has no `id`", kind.trim_end_matches('/'));
        problems.push(Problem::error(at, what).hint("Give it an id; without one it is left out."));
        return None;
    };
    match &field.node.value {
        Value::Text(id) => Some(bounded(id, 200)),
        other => {
            let what = format!("`id` must be a text in quotes, not {}", other.kind());
            problems.push(Problem::error(&field.node.origin, what));
            None
        }
    }
}
