//! Receipts without a ledger (promise 10): how much of a pass is proven by what is on the disk.
//!
//! **Invariant.** A segment is proven only if it and all before it in its run are whole, and every
//! chunk they name is in the store: the same that a receipt vouches for.

use crate::capture::entry::Record;
use crate::model::{RunNumber, Tally};
use crate::store::Store;
use crate::store::manifest::ManifestError;
use crate::store::pass::Pass;
use crate::store::run_file::Walk;
use crate::store::segment::{Records, SegmentHead};

/// How much of a run is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenRun {
    /// Which run.
    pub run: RunNumber,
    /// Where its last proven segment ends.
    pub end_bytes: u64,
    /// How many segments are proven.
    pub segments: u32,
    /// What they counted together.
    pub tally: Tally,
    /// The head of the last one, with the cursor where the run goes on.
    pub last: Option<SegmentHead>,
}

impl Pass {
    /// How much of each run is proven by what `store` holds.
    pub fn proven(&self, store: &Store) -> Result<Vec<ProvenRun>, ManifestError> {
        self.runs().map(|run| self.proven_run(store, run.run, run.end_bytes)).collect()
    }

    fn proven_run(
        &self,
        store: &Store,
        run: RunNumber,
        limit: u64,
    ) -> Result<ProvenRun, ManifestError> {
        let name = self.name().run_file(run);
        let mut walk = Walk { disk: &**self.disk(), name: &name, at: 0, limit };
        let mut proven =
            ProvenRun { run, end_bytes: 0, segments: 0, tally: Tally::default(), last: None };
        while let Some((head, records)) = walk.step(true)? {
            if head.number != proven.segments || !is_here(store, records) {
                break;
            }
            proven.end_bytes = walk.at;
            proven.segments += 1;
            proven.tally.add(&head.tally);
            proven.last = Some(head);
        }
        Ok(proven)
    }
}

fn is_here(store: &Store, mut records: Records) -> bool {
    while let Some(record) = records.next() {
        match record {
            Ok(Record::Data { id, .. }) if !store.contains(&id) => return false,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
    true
}
