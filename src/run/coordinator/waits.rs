//! What each host waited for, and how long: the evidence for what limits a run.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::run::coordinator::decide::Halt;
use crate::run::coordinator::rates::CapacityId;
use crate::run::coordinator::session::Session;
use crate::run::coordinator::{Coordinator, SessionId};

/// What a host's work waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wait {
    /// Its agent: it offers nothing that could be asked for.
    Offers,
    /// Content that was asked for, on its way here.
    Content,
    /// This machine: content is here and not in the store yet, or segments are not durable.
    Store,
    /// Room in the budget that all hosts share.
    Budget,
    /// A rate.
    Rate(CapacityId),
}

/// How long a host waited for what.
pub type Spent = BTreeMap<Wait, Duration>;

/// Adds it up.
#[derive(Debug)]
pub(super) struct Waits {
    wait: Wait,
    since: Duration,
    spent: Spent,
}

impl Waits {
    pub(super) fn new(now: Duration) -> Self {
        Self { wait: Wait::Offers, since: now, spent: Spent::new() }
    }

    fn turn_to(&mut self, wait: Wait, now: Duration) {
        let span = now.saturating_sub(self.since);
        if !span.is_zero() {
            *self.spent.entry(self.wait).or_default() += span;
        }
        (self.wait, self.since) = (wait, now);
    }

    fn take(&mut self, now: Duration) -> Spent {
        self.turn_to(self.wait, now);
        std::mem::take(&mut self.spent)
    }
}

impl Session {
    /// Notes what it waits for from now on.
    pub(super) fn note_wait(&mut self, now: Duration) {
        let coming = self.asked.raw_bytes();
        // What is wanted and not coming any more is here.
        let here = self.wanted_bytes.saturating_sub(coming);
        let wait = match self.halt {
            Halt::Rate(id) => Wait::Rate(id),
            Halt::Budget => Wait::Budget,
            _ if here > coming => Wait::Store,
            _ if coming > 0 => Wait::Content,
            _ if self.walk_done.is_some() || self.is_sealing => Wait::Store,
            _ => Wait::Offers,
        };
        self.waits.turn_to(wait, now);
    }
}

impl Coordinator {
    /// What each host waited for since this was last asked, and which share of what is wanted of
    /// all of them is here and not in the store. Looks at every host.
    pub fn waits(&mut self, now: Duration) -> (Vec<(SessionId, Spent)>, f64) {
        let coming: u64 = self.sessions.values().map(|session| session.asked.raw_bytes()).sum();
        let here = self.wanted_bytes.saturating_sub(coming) as f64;
        let share = here / (self.wanted_bytes.max(1)) as f64;
        let spent = self.sessions.iter_mut().map(|(id, session)| (*id, session.waits.take(now)));
        (spent.collect(), share)
    }
}
