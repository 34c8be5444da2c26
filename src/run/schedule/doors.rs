//! Between two windows: work stops, and goes on in the next by a plan of its own.

use std::collections::BTreeMap;

use crate::model::{Reason, WorkloadId};
use crate::run::schedule::{Outcome, STEP, Schedule};

impl Schedule {
    /// Nothing is begun any more, and whoever works on something lets go of it.
    pub fn shut(&mut self) {
        self.is_shut = true;
    }

    /// The same from the beginning on.
    #[must_use]
    pub fn shut_at_first(self) -> Self {
        Self { is_shut: true, ..self }
    }

    /// Is it the time between two windows?
    pub fn is_shut(&self) -> bool {
        self.is_shut
    }

    /// Are there hosts that work waits for: until they answer, or until the next window?
    pub fn waits_for_hosts(&self) -> bool {
        let mut waiting = self.waiting.values().flatten();
        let is_between = self.is_shut && waiting.any(|(_, id)| !self.paused.contains_key(id));
        is_between || !self.away().is_empty()
    }

    /// The next window begins: what failed in the last one is tried again, and no host was seen to
    /// answer. `order`: how a new plan arranges the work, with the level of each; what it does not
    /// name comes after that, and what somebody put first before.
    pub fn begin_again(&mut self, order: Option<&[(WorkloadId, u32)]>) {
        self.is_shut = false;
        self.try_again();
        if let Some(order) = order {
            self.arrange(order);
        }
        self.away = self.waiting.keys().cloned().collect();
    }

    fn try_again(&mut self) {
        self.failing.clear();
        let is_left = |outcome: &Outcome| match outcome {
            Outcome::Captured => false,
            Outcome::Partial(reason) | Outcome::Failed(reason) => *reason != Reason::Inventory,
        };
        let left = self.ended.extract_if(.., |_, (_, outcome)| is_left(outcome));
        let left: Vec<_> = left.map(|(id, (host, _))| (host, id)).collect();
        for (host, id) in left {
            let last = self.waiting.values().flatten().map(|(rank, _)| rank + STEP).max();
            self.insert(&host, id, last.unwrap_or(0));
        }
    }

    fn arrange(&mut self, order: &[(WorkloadId, u32)]) {
        let places: BTreeMap<&WorkloadId, usize> =
            order.iter().enumerate().map(|(place, (id, _))| (id, place)).collect();
        let mut all: Vec<_> = std::mem::take(&mut self.waiting)
            .into_iter()
            .flat_map(|(host, work)| work.into_iter().map(move |it| (host.clone(), it)))
            .collect();
        all.sort_by_key(|(_, (rank, id))| {
            let is_first = self.firsts.contains(id);
            let place = places.get(id).copied().unwrap_or(usize::MAX);
            (!is_first, if is_first { 0 } else { place }, *rank)
        });
        self.lowest = 0;
        for (rank, (host, (_, id))) in (0..).step_by(STEP as usize).zip(all) {
            self.insert(&host, id, rank);
        }
        self.levels.extend(order.iter().cloned());
    }
}
