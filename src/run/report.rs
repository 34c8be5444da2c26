//! What a run adds up to; also passes every event on.

use std::sync::{Arc, Mutex};

use crate::model::{Bytes, Event, EventSink, Reason, RunReport, Tally};
use crate::run::schedule::Outcome;
use crate::run::shared::Shared;

/// Sums what the receipts of this run say.
pub(super) struct Tallies {
    readers: Arc<dyn EventSink>,
    sum: Mutex<Sum>,
}

#[derive(Default)]
struct Sum {
    committed: Tally,
    received_bytes: u64,
    fuzzy: u64,
    agent_bytes: u64,
}

impl Tallies {
    pub(super) fn new(readers: Arc<dyn EventSink>) -> Self {
        Self { readers, sum: Mutex::default() }
    }

    /// Passes an event on.
    pub(super) fn tell(&self, event: &Event) {
        self.readers.emit(event);
    }

    /// Totals, after everything has ended.
    pub(super) fn report(&self, shared: &Shared) -> RunReport {
        let sum = self.sum.lock().expect("no holder of this lock panics");
        let outcomes = shared.outcomes();
        let count = |is_it: fn(&Outcome) -> bool| {
            outcomes.iter().filter(|outcome| is_it(outcome)).count() as u64
        };
        RunReport {
            captured: count(|o| *o == Outcome::Captured),
            failed: count(|o| matches!(o, Outcome::Failed(_))),
            partial: count(|o| matches!(o, Outcome::Partial(_))),
            skipped: shared.skipped_count(),
            vanished: sum.committed.vanished,
            fuzzy: sum.fuzzy,
            refused: count(|o| *o == Outcome::Failed(Reason::Inventory)),
            opened_files: sum.committed.opened_files,
            read_bytes: sum.committed.read_bytes,
            sent_bytes: Bytes(sum.received_bytes),
            stored_bytes: sum.committed.stored_bytes,
            reused_bytes: sum.committed.reused_bytes,
            agent_bytes: Bytes(sum.agent_bytes),
            elapsed_s: 0.0,
        }
    }
}

impl EventSink for Tallies {
    fn emit(&self, event: &Event) {
        let mut sum = self.sum.lock().expect("no holder of this lock panics");
        match event {
            Event::SegmentCommitted { tally, .. } => sum.committed.add(tally),
            // What was sent counts even when no receipt came of it.
            Event::Received { sent_bytes, .. } => sum.received_bytes += sent_bytes.0,
            Event::CaptureSealed { tally, .. } => sum.fuzzy += tally.fuzzy,
            Event::HostReady { agent_bytes, .. } => sum.agent_bytes += agent_bytes.0,
            _ => {}
        }
        drop(sum);
        self.readers.emit(event);
    }
}
