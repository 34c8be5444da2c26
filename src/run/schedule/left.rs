//! What is left to be done of one host.

use crate::model::{HostId, WorkloadId};
use crate::run::schedule::{Outcome, Schedule};

impl Schedule {
    /// What this run ended of a host without a whole copy.
    pub fn unfinished_of(&self, host: &HostId) -> Vec<WorkloadId> {
        let is_it = |(of, outcome): &(HostId, Outcome)| of == host && *outcome != Outcome::Captured;
        self.ended.iter().filter(|(_, it)| is_it(it)).map(|(id, _)| id.clone()).collect()
    }

    /// Is something of a host left to be done, by this run or another?
    pub fn needs(&self, host: &HostId) -> bool {
        self.waiting.get(host).is_some_and(|work| !work.is_empty())
            || self.running.values().any(|(of, _)| of == host)
            || !self.unfinished_of(host).is_empty()
    }
}
