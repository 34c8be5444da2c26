//! What an earlier restore wrote in place of what is written now.

use serde::{Deserialize, Serialize};

use crate::capture::{Entry, Record};

/// What an earlier restore wrote in place of one record of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Former {
    /// Which record, by its number in the batch.
    pub record: u32,
    /// The entry as it was written; `None`: as the record has it.
    entry: Option<Entry>,
}

impl Former {
    /// `entry` was written in place of `record`, which is the batch's with that `number`.
    pub fn new(number: u32, entry: Entry, record: &Record) -> Self {
        let is_same = matches!(record, Record::Node(new) if *new == entry);
        Self { record: number, entry: (!is_same).then_some(entry) }
    }

    /// The entry as it was written, `record` being the one it belongs to.
    pub fn entry<'a>(&'a self, record: &'a Record) -> Option<&'a Entry> {
        match record {
            _ if self.entry.is_some() => self.entry.as_ref(),
            Record::Node(entry) => Some(entry),
            _ => None,
        }
    }
}

/// Do the numbers rise, and name records of a batch of so many?
pub(super) fn check(
    records: &[Record],
    formers: &[Former],
    kept: &[u32],
) -> Result<(), &'static str> {
    let is_data = |number: &u32| matches!(records.get(*number as usize), Some(Record::Data { .. }));
    let rises = formers.is_sorted_by(|a, b| a.record < b.record)
        && kept.is_sorted_by(|a, b| a < b)
        && formers.last().is_none_or(|last| (last.record as usize) < records.len())
        && kept.iter().all(is_data);
    if !rises {
        return Err("numbers of records that are not there");
    }
    let entries = formers.iter().filter_map(|former| former.entry.clone());
    entries.map(Record::Node).try_for_each(|record| record.check())
}
