//! Segments: what gets one receipt.

use std::sync::Arc;
use std::time::Duration;

use crate::capture::{Cursor, Kind, Owners, Record};
use crate::model::{Bytes, PassNumber, RunNumber, Tally, TreePath, WorkloadId};
use crate::run::coordinator::open::Offer;
use crate::wire::WireError;

/// A segment that is being filled.
#[derive(Debug)]
pub(super) struct OpenSegment {
    run: RunNumber,
    number: u64,
    records: Vec<Record>,
    cursor: Option<Cursor>,
    tally: Tally,
    began: Option<Duration>,
    held_bytes: u64,
    /// What the source's clock showed when the run, or this session of it, began.
    read_from_s: Option<i64>,
    /// Names at the source.
    owners: Option<Arc<Owners>>,
    /// Survives the close: a file may go on in the next segment.
    latest_path: Option<TreePath>,
}

/// A segment all of whose pieces are in the store.
#[derive(Debug, Clone, PartialEq)]
pub struct ClosedSegment {
    /// Of which workload.
    pub workload: WorkloadId,
    /// Of which pass.
    pub pass: PassNumber,
    /// Of which run.
    pub run: RunNumber,
    /// Its place in the run, from 0.
    pub number: u64,
    /// What it holds.
    pub records: Vec<Record>,
    /// Where a resume goes on.
    pub cursor: Option<Cursor>,
    /// What it counts.
    pub tally: Tally,
    /// What the source's clock showed before any of it was read, if that is known.
    pub read_from_s: Option<i64>,
    /// Names of owners at the source, if they are known.
    pub owners: Option<Arc<Owners>>,
}

impl OpenSegment {
    pub(super) fn new(run: RunNumber, number: u64) -> Self {
        Self {
            run,
            number,
            records: Vec::new(),
            cursor: None,
            tally: Tally::default(),
            began: None,
            held_bytes: 0,
            read_from_s: None,
            owners: None,
            latest_path: None,
        }
    }

    /// The source's clock before anything of the run is read.
    pub(super) fn read_from(&mut self, clock_s: i64) {
        self.read_from_s.get_or_insert(clock_s);
    }

    /// Names of owners, once, before anything of the run is read.
    pub(super) fn owned_by(&mut self, owners: Owners) -> Result<(), WireError> {
        match self.owners.replace(Arc::new(owners)) {
            None => Ok(()),
            Some(_) => Err(WireError::Unexpected("names of owners in the middle of a run")),
        }
    }

    pub(super) fn run(&self) -> RunNumber {
        self.run
    }

    pub(super) fn tally_mut(&mut self) -> &mut Tally {
        &mut self.tally
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub(super) fn raw_bytes(&self) -> u64 {
        self.tally.raw_bytes.0
    }

    /// What its records take in memory.
    pub(super) fn held_bytes(&self) -> u64 {
        self.held_bytes
    }

    pub(super) fn age(&self, now: Duration) -> Duration {
        self.began.map_or(Duration::ZERO, |began| now.saturating_sub(began))
    }

    /// The latest path in it; pieces that follow belong to it.
    pub(super) fn latest_path(&self) -> Option<&TreePath> {
        self.latest_path.as_ref()
    }

    /// Takes an offer all of whose pieces are in the store. Its age counts from its first offer.
    pub(super) fn take(&mut self, offer: Offer, now: Duration) {
        self.began.get_or_insert(now);
        if let Some(path) = offer.records.iter().rev().find_map(Record::path) {
            self.latest_path = Some(path.clone());
        }
        for record in &offer.records {
            match record {
                Record::Node(entry) => {
                    self.tally.entries += 1;
                    self.tally.files += u64::from(matches!(entry.kind, Kind::File { .. }));
                }
                Record::HardLink { .. } => self.tally.entries += 1,
                Record::Data { length, .. } => self.tally.raw_bytes += Bytes(u64::from(*length)),
                Record::LeftOut { .. } => self.tally.unreadable += 1,
                Record::Lost { .. } | Record::End { .. } | Record::Gone { .. } => {}
            }
        }
        self.held_bytes += offer.held_bytes;
        self.tally.reused_bytes += Bytes(offer.reused_bytes);
        self.records.extend(offer.records);
        self.cursor = offer.cursor.or(self.cursor.take());
    }

    /// Hands the content over and begins the next segment.
    pub(super) fn close(&mut self, workload: WorkloadId, pass: PassNumber) -> ClosedSegment {
        let mut next = Self::new(self.run, self.number + 1);
        next.latest_path.clone_from(&self.latest_path);
        next.read_from_s = self.read_from_s;
        next.owners.clone_from(&self.owners);
        let closed = std::mem::replace(self, next);
        ClosedSegment {
            workload,
            pass,
            run: closed.run,
            number: closed.number,
            records: closed.records,
            cursor: closed.cursor,
            tally: closed.tally,
            read_from_s: closed.read_from_s,
            owners: closed.owners,
        }
    }
}
