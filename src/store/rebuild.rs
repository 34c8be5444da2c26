//! Receipts without a ledger (promise 10): how much of a pass is proven by what is on the disk.
//!
//! **Invariants.** A segment is proven only if it and all before it in its run are whole. Where
//! capture would go on right behind it, every chunk it names must be in the store as well: the same
//! that a receipt vouches for. That is the walk of a pass without a sweep; behind a sweep nothing
//! goes on, so there a lost chunk is damage for `verify` to name, and no reason to forget a run.

use crate::capture::entry::Record;
use crate::model::{RunNumber, Tally, TreePath};
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
    /// The proven segments, in order.
    pub segments: Vec<ProvenSegment>,
}

/// A segment that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenSegment {
    /// What it says about itself, with the cursor where the run goes on.
    pub head: SegmentHead,
    /// Where it ends in its run.
    pub end_bytes: u64,
    /// What it says was not taken, and why.
    pub left_out: Vec<(TreePath, String)>,
}

impl ProvenRun {
    /// What its segments counted together.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        self.segments.iter().for_each(|segment| tally.add(&segment.head.tally));
        tally
    }
}

impl Pass {
    /// How much of each run is proven by what `store` holds.
    pub fn proven(&self, store: &Store) -> Result<Vec<ProvenRun>, ManifestError> {
        let goes_on = self.seal().is_none() && self.runs().all(|end| end.run == RunNumber(0));
        let chunks_in = goes_on.then_some(store);
        self.runs().map(|end| self.proven_run(chunks_in, end.run, end.end_bytes)).collect()
    }

    fn proven_run(
        &self,
        chunks_in: Option<&Store>,
        run: RunNumber,
        limit: u64,
    ) -> Result<ProvenRun, ManifestError> {
        let name = self.name().run_file(run);
        let mut walk = Walk { disk: &**self.disk(), name: &name, at: 0, limit };
        let mut proven = ProvenRun { run, end_bytes: 0, segments: Vec::new() };
        while let Some((head, records)) = walk.step(true)? {
            let is_next = head.number as usize == proven.segments.len();
            let Some(left_out) = left_out(records, chunks_in).filter(|_| is_next) else {
                break;
            };
            proven.end_bytes = walk.at;
            proven.segments.push(ProvenSegment { head, end_bytes: walk.at, left_out });
        }
        Ok(proven)
    }
}

/// What the records say was not taken; `None` if one of them makes no sense, or names a chunk that
/// is not where it is looked for.
fn left_out(mut records: Records, chunks_in: Option<&Store>) -> Option<Vec<(TreePath, String)>> {
    let mut found = Vec::new();
    while let Some(record) = records.next() {
        match record.ok()? {
            Record::Data { id, .. } if chunks_in.is_some_and(|store| !store.contains(&id)) => {
                return None;
            }
            Record::LeftOut { path, why } => found.push((path, why)),
            _ => {}
        }
    }
    Some(found)
}
