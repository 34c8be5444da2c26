//! Takes in what people already have, as text for `inventory.d/KIND-NAME.toml`.
//!
//! **CSV.** A row is a host, or a workload of one where it has `paths`. Columns are found by their
//! headers ([`table`] lists the names). Rows of the same host or customer are joined; where they
//! disagree the first counts and the disagreement is listed. A host all of which is one customer's
//! becomes `untrusted`, unless a column of that name says no.
//!
//! **`~/.ssh/config`.** See [`ssh_config`].
//!
//! **Invariants.** A column that may hold a secret is dropped before anything else looks at it.
//! What is written parses without an error; what only `check` can see stays for it: tiers missing
//! in `[tiers]`, paths of two customers that overlap. Nothing is guessed silently: every value not
//! taken is a [`Note`]. Zero rows is an error.

mod join;
pub mod ssh_config;
mod table;
#[cfg(test)]
mod tests;
mod values;
mod write;

use std::fmt;
use std::path::Path;

use join::same_address;
pub use table::FILE_BYTES_MAX;

/// What an import yields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Text of the inventory file.
    pub toml: String,
    /// How many customers it lists.
    pub customers: usize,
    /// How many hosts.
    pub hosts: usize,
    /// How many workloads; hosts without any are taken whole.
    pub workloads: usize,
    /// Rows that hold data.
    pub rows: usize,
    /// Tiers that `[tiers]` of `evac.toml` must list.
    pub tiers: Vec<String>,
    /// Headers of columns dropped because they may hold secrets.
    pub dropped: Vec<String>,
    /// Headers of columns that mean nothing to evac.
    pub ignored: Vec<String>,
    /// Everything that a human should look at, in order of lines.
    pub notes: Vec<Note>,
}

/// A conflict, or a value that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// Line of the imported file, from 1.
    pub line: u64,
    /// What is the matter.
    pub what: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// Why nothing can be imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// The system would not let it be read.
    #[error("it cannot be read: {why}")]
    Read {
        /// What it said.
        why: String,
    },
    /// Larger than anything that was ever an inventory.
    #[error("the file is larger than {max} bytes")]
    TooLarge {
        /// The most that is read.
        max: usize,
    },
    /// The file's first line names nothing that evac knows.
    #[error("no column names a host or its address; found: {found}")]
    NoHostColumn {
        /// The headers, bounded.
        found: String,
    },
    /// Not CSV.
    #[error("line {line} is not CSV: {why}")]
    Syntax {
        /// From 1.
        line: u64,
        /// What the parser says, bounded.
        why: String,
    },
    /// Zero rows is never "nothing to do".
    #[error("no usable row{}", .first.as_ref().map(|note| format!("; {note}")).unwrap_or_default())]
    NoRows {
        /// The first row's trouble, if there was a row.
        first: Option<Note>,
    },
}

/// Imports a CSV file; `name` is shown in the header comment.
pub fn csv(bytes: &[u8], name: &str) -> Result<Imported, ImportError> {
    let table = table::read(bytes)?;
    let joined = join::join(&table);
    if joined.hosts.is_empty() {
        return Err(ImportError::NoRows { first: joined.notes.into_iter().next() });
    }
    let mut tiers: Vec<_> = joined.customers.iter().filter_map(|c| c.tier.clone()).collect();
    tiers.sort();
    tiers.dedup();
    Ok(Imported {
        toml: write::inventory(&joined, ("csv", name), (&table.dropped, &table.ignored)),
        customers: joined.customers.len(),
        hosts: joined.hosts.len(),
        workloads: joined.hosts.iter().map(|host| host.workloads.len()).sum(),
        rows: table.rows.len(),
        tiers,
        dropped: table.dropped,
        ignored: table.ignored,
        notes: joined.notes,
    })
}

/// Name of the file an import is written to, within `inventory.d`: `csv-customers.toml`.
pub fn file_name(kind: &str, file: &Path) -> String {
    let stem = file.file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
    format!("{kind}-{}.toml", slug(&stem).unwrap_or_else(|| "import".to_owned()))
}

/// An id made of a name; `None` when nothing of it can be in an id.
fn slug(name: &str) -> Option<String> {
    let mut id = String::new();
    for c in name.trim().to_lowercase().chars() {
        match c {
            'a'..='z' | '0'..='9' | '.' | '_' | '-' => id.push(c),
            _ if id.ends_with('-') => {}
            _ => id.push('-'),
        }
    }
    let id = id.trim_start_matches(['-', '.', '_']).trim_end_matches('-');
    let id: String = id.chars().take(63).collect();
    (!id.is_empty()).then_some(id)
}
