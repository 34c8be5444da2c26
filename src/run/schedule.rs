//! Which workload a host takes next, and which host may work now; and what operators do to that
//! while it goes on. Pure.
//!
//! **Invariants.**
//! - Workloads are handed out in the order of the plan among those whose host may work; a host
//!   works on one workload at a time; at most `hosts` hosts work at once.
//! - What somebody put first comes before everything else, the latest such word before earlier
//!   ones. Nothing that runs is ended for it.
//! - What is paused or left out is not handed out. What runs of it is unwanted: whoever works on
//!   it lets go of it and gives it back.
//! - Every workload is in one place: it waits, runs, is left out, or has ended.
//! - A host that is away has no work and takes no place until it is back.
//! - While it is shut nothing is handed out, and what runs is unwanted.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{HostId, Reason, WorkloadId};

/// Between the ranks of two neighbours of the plan.
const STEP: i64 = 1 << 20;

/// How a workload ended in this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Sealed.
    Captured,
    /// Stopped on the way.
    Partial(Reason),
    /// Not begun, or not readable.
    Failed(Reason),
}

/// What became of a word about one workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It took effect.
    Done,
    /// It was so before, as these words say.
    Already(&'static str),
    /// It cannot be, as these words say.
    Refused(&'static str),
    /// This run has nothing to do with it.
    NotHere,
}

/// What was decided before the run began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decided {
    /// They are part of the run, and nothing of them is begun.
    pub paused: BTreeSet<WorkloadId>,
    /// They go before everything else.
    pub firsts: BTreeSet<WorkloadId>,
    /// Left out of the run, until somebody wants them again.
    pub skipped: BTreeMap<WorkloadId, HostId>,
}

/// What is left to do, in the order of the plan.
#[derive(Debug)]
pub struct Schedule {
    /// Work of each host, best last, with its rank: the lower goes first.
    waiting: BTreeMap<HostId, Vec<(i64, WorkloadId)>>,
    /// With the rank that it had.
    running: BTreeMap<WorkloadId, (HostId, i64)>,
    active: BTreeSet<HostId>,
    /// They do not answer, and are waited for.
    away: BTreeSet<HostId>,
    hosts_max: usize,
    /// Whether waiting or running. Those paused while the run goes on are waited for.
    paused: BTreeMap<WorkloadId, Paused>,
    skipped: BTreeMap<WorkloadId, HostId>,
    firsts: BTreeSet<WorkloadId>,
    ended: BTreeMap<WorkloadId, (HostId, Outcome)>,
    /// Given back after a failure: somebody waits before it is tried again.
    failing: BTreeSet<WorkloadId>,
    lowest: i64,
    levels: BTreeMap<WorkloadId, u32>,
    /// Nothing is begun, and what runs is unwanted.
    is_shut: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Paused {
    Before,
    Meanwhile,
}

impl Schedule {
    /// Takes the plan's order.
    pub fn new(order: impl IntoIterator<Item = (HostId, WorkloadId)>, hosts_max: usize) -> Self {
        let mut waiting: BTreeMap<HostId, Vec<(i64, WorkloadId)>> = BTreeMap::new();
        let mut rank = 0;
        for (host, workload) in order {
            waiting.entry(host).or_default().push((rank, workload));
            rank += STEP;
        }
        for work in waiting.values_mut() {
            // The best is taken from the end.
            work.reverse();
        }
        Self {
            waiting,
            running: BTreeMap::new(),
            active: BTreeSet::new(),
            away: BTreeSet::new(),
            hosts_max: hosts_max.max(1),
            paused: BTreeMap::new(),
            skipped: BTreeMap::new(),
            firsts: BTreeSet::new(),
            ended: BTreeMap::new(),
            failing: BTreeSet::new(),
            lowest: 0,
            levels: BTreeMap::new(),
            is_shut: false,
        }
    }

    /// The same, as decided before it began.
    #[must_use]
    pub fn with(mut self, decided: &Decided) -> Self {
        self.paused = decided.paused.iter().map(|id| (id.clone(), Paused::Before)).collect();
        self.skipped.clone_from(&decided.skipped);
        self.firsts.clone_from(&decided.firsts);
        self
    }

    /// The same, where neighbours of one level in the plan share what there is.
    #[must_use]
    pub fn with_levels(self, levels: BTreeMap<WorkloadId, u32>) -> Self {
        Self { levels, ..self }
    }

    /// The same, where nobody was seen to answer yet.
    #[must_use]
    pub fn with_all_away(mut self) -> Self {
        self.away = self.waiting.keys().cloned().collect();
        self
    }

    /// Hosts that are away and have work.
    pub fn away(&self) -> Vec<HostId> {
        let has_work = |id: &&HostId| self.waiting.get(*id).is_some_and(|w| self.best(w).is_some());
        self.away.iter().filter(has_work).cloned().collect()
    }

    /// A host does not answer: it is waited for.
    pub fn send_away(&mut self, host: &HostId) {
        self.away.insert(host.clone());
    }

    /// These answer again.
    pub fn back(&mut self, hosts: &[HostId]) {
        for host in hosts {
            self.away.remove(host);
        }
    }

    /// How many hosts are worked on.
    pub fn at_work(&self) -> usize {
        self.active.len()
    }

    /// The level of a workload: the lower goes first, and 0 is what somebody put before all others.
    pub fn level(&self, workload: &WorkloadId) -> u32 {
        if self.firsts.contains(workload) {
            return 0;
        }
        self.levels.get(workload).copied().unwrap_or(0).saturating_add(1)
    }

    /// The rank of the best work that may be begun, and where it stands.
    fn best(&self, work: &[(i64, WorkloadId)]) -> Option<(i64, usize)> {
        if self.is_shut {
            return None;
        }
        let at = work.iter().rposition(|(_, id)| !self.paused.contains_key(id))?;
        Some((work[at].0, at))
    }

    /// A host that may begin now: the one whose best workload stands first in the plan.
    pub fn admit(&mut self) -> Option<HostId> {
        if self.active.len() >= self.hosts_max {
            return None;
        }
        let host = self
            .waiting
            .iter()
            .filter(|(host, _)| !self.active.contains(host) && !self.away.contains(host))
            .filter_map(|(host, work)| Some((self.best(work)?.0, host)))
            .min_by_key(|(rank, _)| *rank)
            .map(|(_, host)| host.clone())?;
        self.active.insert(host.clone());
        Some(host)
    }

    /// The next workload of an active host; `None`: it has no more, or another host's work stands
    /// before it and there is no room for both.
    pub fn next(&mut self, host: &HostId) -> Option<WorkloadId> {
        let (mine, at) = self.best(self.waiting.get(host)?)?;
        let is_full = self.active.len() >= self.hosts_max;
        let better = |(other, work): (&HostId, &Vec<(i64, WorkloadId)>)| {
            let is_ready = !self.active.contains(other) && !self.away.contains(other);
            is_ready && self.best(work).is_some_and(|(rank, _)| rank < mine)
        };
        if is_full && self.waiting.iter().any(better) {
            return None;
        }
        let (rank, workload) = self.waiting.get_mut(host)?.remove(at);
        self.failing.remove(&workload);
        self.running.insert(workload.clone(), (host.clone(), rank));
        Some(workload)
    }

    /// A workload goes back to the front of its host's work, or to where it was left out.
    pub fn give_back(&mut self, host: &HostId, workload: WorkloadId) {
        let own = self.running.remove(&workload).map(|(_, rank)| rank);
        if self.skipped.contains_key(&workload) {
            return;
        }
        let work = self.waiting.get(host);
        let front = work.and_then(|work| work.last()).map(|(rank, _)| rank.saturating_sub(1));
        let rank = own.into_iter().chain(front).min().unwrap_or(0);
        self.insert(host, workload, rank);
    }

    /// The same after a failure: it is tried again by itself, after a while.
    pub fn give_back_failed(&mut self, host: &HostId, workload: WorkloadId) {
        if !self.skipped.contains_key(&workload) {
            self.failing.insert(workload.clone());
        }
        self.give_back(host, workload);
    }

    /// Does that workload still wait to be tried again by itself?
    pub fn is_failing(&self, workload: &WorkloadId) -> bool {
        self.failing.contains(workload)
    }

    /// A workload ended.
    pub fn done(&mut self, host: &HostId, workload: &WorkloadId, outcome: Outcome) {
        self.running.remove(workload);
        if outcome == Outcome::Captured {
            self.paused.remove(workload);
            self.skipped.remove(workload);
        }
        if !self.skipped.contains_key(workload) {
            self.ended.insert(workload.clone(), (host.clone(), outcome));
        }
    }

    /// How the workloads ended that ended.
    pub fn outcomes(&self) -> impl Iterator<Item = Outcome> {
        self.ended.values().map(|(_, outcome)| *outcome)
    }

    /// How many are left out on purpose.
    pub fn skipped_count(&self) -> u64 {
        self.skipped.len() as u64
    }

    /// How many wait because they are paused.
    pub fn paused_count(&self) -> usize {
        let waiting = self.waiting.values().flatten();
        waiting.filter(|(_, id)| self.paused.contains_key(id)).count()
    }

    /// A host does not work any more for now.
    pub fn release(&mut self, host: &HostId) {
        self.active.remove(host);
    }

    /// Drops what is left of a host and returns it; what is paused stays.
    pub fn abandon(&mut self, host: &HostId) -> Vec<WorkloadId> {
        let left = self.waiting.remove(host).unwrap_or_default();
        let (stays, left): (Vec<_>, Vec<_>) =
            left.into_iter().partition(|(_, id)| self.paused.contains_key(id));
        if !stays.is_empty() {
            self.waiting.insert(host.clone(), stays);
        }
        left.into_iter().rev().map(|(_, workload)| workload).collect()
    }

    /// Is there neither work nor a worker?
    pub fn is_over(&self) -> bool {
        self.active.is_empty() && self.waiting.values().all(Vec::is_empty)
    }

    /// Is there work that somebody paused while the run went on, and may want again?
    pub fn waits_for_somebody(&self) -> bool {
        let mut waiting = self.waiting.values().flatten();
        waiting.any(|(_, id)| self.paused.get(id) == Some(&Paused::Meanwhile))
    }

    /// Should whoever works on it let go of it?
    pub fn is_unwanted(&self, workload: &WorkloadId) -> bool {
        let is_put_off = self.paused.contains_key(workload) || self.skipped.contains_key(workload);
        self.is_shut || is_put_off
    }

    /// Is it to go before everything else?
    pub fn is_first(&self, workload: &WorkloadId) -> bool {
        self.firsts.contains(workload)
    }

    /// Work that was not known before; it stands before waiting work of a later level.
    pub fn add(&mut self, host: &HostId, workload: WorkloadId, level: u32) {
        let waiting = || self.waiting.values().flatten();
        let is_behind = |id| !self.firsts.contains(id) && self.levels.get(id) > Some(&level);
        let before = waiting().filter(|(_, id)| is_behind(id)).map(|(rank, _)| rank - 1).min();
        let last = waiting().map(|(rank, _)| rank + STEP).max().unwrap_or(0);
        self.levels.insert(workload.clone(), level);
        self.insert(host, workload, before.unwrap_or(last));
    }

    /// Takes work out that is not to be done any more; says whether it waited.
    pub fn remove(&mut self, workload: &WorkloadId) -> bool {
        self.take(workload).is_some()
    }

    /// Is it being worked on, or did this run end it?
    pub fn is_touched(&self, workload: &WorkloadId) -> bool {
        self.running.contains_key(workload) || self.ended.contains_key(workload)
    }

    fn insert(&mut self, host: &HostId, workload: WorkloadId, rank: i64) {
        self.lowest = self.lowest.min(rank);
        let work = self.waiting.entry(host.clone()).or_default();
        let at = work.partition_point(|(other, _)| *other > rank);
        work.insert(at, (rank, workload));
    }

    fn take(&mut self, workload: &WorkloadId) -> Option<(HostId, i64)> {
        for (host, work) in &mut self.waiting {
            if let Some(at) = work.iter().position(|(_, id)| id == workload) {
                return Some((host.clone(), work.remove(at).0));
            }
        }
        None
    }

    fn is_waiting(&self, workload: &WorkloadId) -> bool {
        self.waiting.values().flatten().any(|(_, id)| id == workload)
    }
}

pub mod absent;
mod doors;
#[cfg(test)]
mod doors_tests;
mod left;
mod steer;
#[cfg(test)]
mod steer_tests;
#[cfg(test)]
mod tests;
