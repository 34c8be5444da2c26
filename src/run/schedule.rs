//! Which workload a host takes next, and which host may work now. Pure.
//!
//! **Invariant.** Workloads are handed out in the order of the plan among those whose host may
//! work; a host works on one workload at a time; at most `hosts` hosts work at once.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{HostId, WorkloadId};

/// What is left to do, in the order of the plan.
#[derive(Debug)]
pub struct Schedule {
    /// Work of each host, best first, with its rank in the plan.
    waiting: BTreeMap<HostId, Vec<(usize, WorkloadId)>>,
    active: BTreeSet<HostId>,
    hosts_max: usize,
}

impl Schedule {
    /// Takes the plan's order.
    pub fn new(order: impl IntoIterator<Item = (HostId, WorkloadId)>, hosts_max: usize) -> Self {
        let mut waiting: BTreeMap<HostId, Vec<(usize, WorkloadId)>> = BTreeMap::new();
        for (rank, (host, workload)) in order.into_iter().enumerate() {
            waiting.entry(host).or_default().push((rank, workload));
        }
        for work in waiting.values_mut() {
            // The best is taken from the end.
            work.reverse();
        }
        Self { waiting, active: BTreeSet::new(), hosts_max: hosts_max.max(1) }
    }

    /// A host that may begin now: the one whose best workload stands first in the plan.
    pub fn admit(&mut self) -> Option<HostId> {
        if self.active.len() >= self.hosts_max {
            return None;
        }
        let host = self
            .waiting
            .iter()
            .filter(|(host, work)| !work.is_empty() && !self.active.contains(host))
            .min_by_key(|(_, work)| work.last().map(|(rank, _)| *rank))
            .map(|(host, _)| host.clone())?;
        self.active.insert(host.clone());
        Some(host)
    }

    /// The next workload of an active host; `None`: it has no more, or another host's work stands
    /// before it and there is no room for both.
    pub fn next(&mut self, host: &HostId) -> Option<WorkloadId> {
        let mine = self.waiting.get(host)?.last()?.0;
        let is_full = self.active.len() >= self.hosts_max;
        let better = |(other, work): (&HostId, &Vec<(usize, WorkloadId)>)| {
            !self.active.contains(other) && work.last().is_some_and(|(rank, _)| *rank < mine)
        };
        if is_full && self.waiting.iter().any(better) {
            return None;
        }
        self.waiting.get_mut(host)?.pop().map(|(_, workload)| workload)
    }

    /// A workload goes back to the front of its host's work.
    pub fn give_back(&mut self, host: &HostId, workload: WorkloadId) {
        let work = self.waiting.entry(host.clone()).or_default();
        let rank = work.last().map_or(0, |(rank, _)| rank.saturating_sub(1));
        work.push((rank, workload));
    }

    /// A host does not work any more for now.
    pub fn release(&mut self, host: &HostId) {
        self.active.remove(host);
    }

    /// Drops what is left of a host and returns it.
    pub fn abandon(&mut self, host: &HostId) -> Vec<WorkloadId> {
        let left = self.waiting.remove(host).unwrap_or_default();
        left.into_iter().rev().map(|(_, workload)| workload).collect()
    }

    /// Is there neither work nor a worker?
    pub fn is_over(&self) -> bool {
        self.active.is_empty() && self.waiting.values().all(Vec::is_empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str) -> HostId {
        HostId::new(name).unwrap()
    }

    fn schedule(order: &[(&str, &str)], hosts_max: usize) -> Schedule {
        let order = order.iter().map(|(h, w)| (host(h), WorkloadId::new(*w).unwrap()));
        Schedule::new(order, hosts_max)
    }

    #[test]
    fn the_plan_decides_who_works() {
        let mut schedule = schedule(&[("a", "a1"), ("b", "b1"), ("a", "a2"), ("c", "c1")], 2);
        assert_eq!(schedule.admit(), Some(host("a")));
        assert_eq!(schedule.admit(), Some(host("b")));
        assert_eq!(schedule.admit(), None);
        let next = |s: &mut Schedule, h: &str| s.next(&host(h)).map(|w| w.to_string());
        assert_eq!(next(&mut schedule, "a"), Some("a1".into()));
        assert_eq!(next(&mut schedule, "b"), Some("b1".into()));
        assert_eq!(next(&mut schedule, "b"), None);
        schedule.release(&host("b"));
        assert_eq!(schedule.admit(), Some(host("c")));
        assert_eq!(next(&mut schedule, "a"), Some("a2".into()));
        assert_eq!(next(&mut schedule, "c"), Some("c1".into()));
        schedule.release(&host("a"));
        schedule.release(&host("c"));
        assert!(schedule.is_over());
    }

    #[test]
    fn a_host_makes_room_for_work_that_stands_before_its_own() {
        let mut schedule = schedule(&[("a", "a1"), ("b", "b1"), ("a", "a2")], 1);
        assert_eq!(schedule.admit(), Some(host("a")));
        assert!(schedule.next(&host("a")).is_some());
        assert_eq!(schedule.next(&host("a")), None);
        assert!(!schedule.is_over());
        schedule.release(&host("a"));
        assert_eq!(schedule.admit(), Some(host("b")));
    }

    #[test]
    fn what_is_given_back_comes_first_again() {
        let mut schedule = schedule(&[("a", "a1"), ("a", "a2")], 1);
        schedule.admit();
        let first = schedule.next(&host("a")).unwrap();
        schedule.give_back(&host("a"), first.clone());
        assert_eq!(schedule.next(&host("a")), Some(first));
        assert_eq!(schedule.abandon(&host("a")).len(), 1);
    }
}
