//! A segment that is whole, on its way into the manifest.

use crate::capture::{Cursor, Record};
use crate::ledger::{LeftOut, Receipt};
use crate::model::TreePath;
use crate::run::coordinator::ClosedSegment;
use crate::run::shelf::{OpenManifest, Shelf, ShelfError};
use crate::store::{ManifestWriter, PassName, SegmentHead, put_clock, put_owners};

impl Shelf {
    pub(super) fn write_segment(&mut self, segment: &ClosedSegment) -> Result<Receipt, ShelfError> {
        let name = name_of(segment);
        let is_right = self.manifests.get(&name).is_some_and(|open| open.run == segment.run);
        if !is_right {
            let disk = self.store.disk();
            // Only the walk is ever gone on with, and then it was reopened; a sweep is a new run,
            // and what an earlier try left under its number has no receipt.
            let (writer, _) = ManifestWriter::reopen(disk, &name, segment.run, Some(0))?;
            let open = OpenManifest { writer, run: segment.run, has_clock: false };
            self.manifests.insert(name.clone(), open);
        }
        let manifest = self.manifests.get_mut(&name).expect("it was just made sure of");
        if let Some(seconds) = segment.read_from_s.filter(|_| !manifest.has_clock) {
            put_clock(&**self.store.disk(), &name, segment.run, seconds)?;
            manifest.has_clock = true;
            if let Some(owners) = &segment.owners {
                put_owners(&**self.store.disk(), &name, &(&**owners).into())?;
            }
        }
        let cursor = segment
            .cursor
            .clone()
            .unwrap_or_else(|| Cursor { path: TreePath::root(), within: None });
        let mut paths = segment.records.iter().filter_map(Record::path);
        let first = paths.next().cloned();
        let head = SegmentHead {
            number: segment.number as u32,
            cursor: Some(cursor.clone()),
            last: paths.next_back().or(first.as_ref()).cloned(),
            first,
            tally: segment.tally,
        };
        let manifest_end = manifest.writer.append(&head, &segment.records)?;
        Ok(Receipt {
            workload: segment.workload.clone(),
            pass: segment.pass,
            run: segment.run,
            segment: segment.number,
            manifest_end,
            cursor,
            tally: segment.tally,
            left_out: left_out(&segment.records),
        })
    }
}

fn left_out(records: &[Record]) -> Vec<LeftOut> {
    let listed = |record: &Record| match record {
        Record::LeftOut { path, why } => Some(LeftOut { path: path.clone(), why: why.clone() }),
        _ => None,
    };
    records.iter().filter_map(listed).collect()
}

pub(super) fn name_of(segment: &ClosedSegment) -> PassName {
    PassName { workload: segment.workload.clone(), pass: segment.pass }
}
