//! How often a host that fails in the middle is dialled again.
//!
//! Failures count since the last progress, and progress is what the ledger has a receipt for: a
//! line that is cut every few minutes for hours is a bad line and not a lost cause, as long as
//! something became durable between two cuts. A receipt that comes late counts at the next failure.

use std::time::Duration;

use crate::model::{PassNumber, Reason, RunNumber, WorkloadId};

/// Failures in a row without any progress between them after which a host is left alone.
const TRIES_MAX: u32 = 5;

/// Passes of a workload that may turn out damaged in one run: more, and the landing disk is sick.
const DAMAGED_MAX: u32 = 3;

/// How far the receipts of a workload's open pass reach: its number, and the end of each run.
pub type Reached = (PassNumber, Vec<(RunNumber, u64)>);

/// What is done about a host that was lost or does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It is dialled again, after a pause that grows with so many failures.
    Again(u32),
    /// It is waited for, with so long between two knocks.
    Wait(Duration),
}

/// The failures of one host.
#[derive(Debug, Default)]
pub struct Tries {
    failures: u32,
    damaged: u32,
    at: Option<(WorkloadId, Option<Reached>)>,
}

impl Tries {
    /// A workload is begun, or gone on with; `reached` says how far it is now.
    pub fn begin(&mut self, workload: &WorkloadId, reached: impl FnOnce() -> Option<Reached>) {
        // Asked once: a receipt between a failure and the next try is progress of that failure's.
        if self.at.as_ref().is_none_or(|(known, _)| known != workload) {
            self.at = Some((workload.clone(), reached()));
            self.damaged = 0;
        }
    }

    /// It failed with so much done. The number of failures since the last progress, this one
    /// among them; `None`: that was once too often.
    pub fn failed(&mut self, reached: Option<Reached>) -> Option<u32> {
        // A pass that was begun, and of which nothing is durable, is no progress.
        let has_receipts = reached.as_ref().is_some_and(|(_, ends)| !ends.is_empty());
        if has_receipts && let Some((_, former)) = &mut self.at {
            if *former != reached {
                self.failures = 0;
            }
            *former = reached;
        }
        self.failures += 1;
        (self.failures <= TRIES_MAX).then_some(self.failures)
    }

    /// What follows from a failure that may pass by itself, with so much done; `waits`: hosts are
    /// waited for. `None`: it was tried often enough. Whoever does not answer at all is waited for
    /// at once, so that it takes nobody's place.
    pub fn after(
        &mut self,
        reason: Reason,
        reached: Option<Reached>,
        waits: Option<Duration>,
    ) -> Option<Then> {
        let failures = self.failed(reached).map(Then::Again);
        let is_silent = matches!(
            reason,
            Reason::Unreachable | Reason::Refused | Reason::TurnedAway | Reason::NoAddress
        );
        match waits.map(Then::Wait) {
            Some(wait) if is_silent => Some(wait),
            wait => failures.or(wait),
        }
    }

    /// What is stored of its pass cannot be read. May it begin another?
    pub fn damaged(&mut self) -> bool {
        self.damaged += 1;
        self.damaged < DAMAGED_MAX
    }

    /// It is done.
    pub fn done(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(reached: Option<Reached>) -> Tries {
        let mut tries = Tries::default();
        tries.begin(&WorkloadId::new("a-tree").unwrap(), || reached);
        tries
    }

    fn walked(end: u64) -> Reached {
        (PassNumber(1), vec![(RunNumber(0), end)])
    }

    #[test]
    fn failures_without_progress_are_counted_to_the_end() {
        let mut tries = begun(Some(walked(10)));
        let counts: Vec<_> = (0..=TRIES_MAX).map(|_| tries.failed(Some(walked(10)))).collect();
        assert_eq!(counts[..3], [Some(1), Some(2), Some(3)]);
        assert_eq!(counts[TRIES_MAX as usize], None);
    }

    #[test]
    fn who_does_not_answer_is_waited_for_if_somebody_waits() {
        let wait = Duration::from_secs(10);
        let mut tries = begun(None);
        assert_eq!(tries.after(Reason::Refused, None, Some(wait)), Some(Then::Wait(wait)));
        let mut tries = begun(None);
        for failures in 1..=TRIES_MAX {
            let then = tries.after(Reason::Lost, None, Some(wait));
            assert_eq!(then, Some(Then::Again(failures)));
        }
        assert_eq!(tries.after(Reason::Lost, None, Some(wait)), Some(Then::Wait(wait)));
        assert_eq!(tries.after(Reason::Unreachable, None, None), None);
        assert_eq!(begun(None).after(Reason::Unreachable, None, None), Some(Then::Again(1)));
    }

    #[test]
    fn a_receipt_between_two_failures_begins_the_count_anew() {
        let mut tries = begun(None);
        for end in 1..100 {
            assert_eq!(tries.failed(Some(walked(end))), Some(1));
            assert_eq!(tries.failed(Some(walked(end))), Some(2));
        }
        let swept = |end| Some((PassNumber(1), vec![(RunNumber(0), 99), (RunNumber(1), end)]));
        assert_eq!(tries.failed(swept(5)), Some(1));
        assert_eq!(tries.failed(swept(5)), Some(2));
    }

    #[test]
    fn a_receipt_that_came_while_it_waited_counts_at_the_next_failure() {
        let mut tries = begun(Some(walked(1)));
        assert_eq!(tries.failed(Some(walked(1))), Some(1));
        tries.begin(&WorkloadId::new("a-tree").unwrap(), || Some(walked(2)));
        assert_eq!(tries.failed(Some(walked(2))), Some(1));
    }

    #[test]
    fn a_pass_that_is_only_begun_is_no_progress() {
        let mut tries = begun(Some(walked(1)));
        assert_eq!(tries.failed(Some((PassNumber(2), Vec::new()))), Some(1));
        assert_eq!(tries.failed(None), Some(2));
        assert_eq!(tries.failed(Some(walked(1))), Some(3));
        assert_eq!(tries.failed(Some((PassNumber(2), vec![(RunNumber(0), 1)]))), Some(1));
    }
}
