//! What a word of an operator does to one workload.

use crate::model::{HostId, Steer, WorkloadId};
use crate::run::schedule::{Effect, Outcome, Paused, Schedule};

impl Schedule {
    /// Takes a word about workloads, in the order they stand in; says what became of each.
    pub fn steer(&mut self, steer: Steer, workloads: &[WorkloadId]) -> Vec<Effect> {
        let each = |it: &mut Self, id: &WorkloadId| match steer {
            Steer::Pause => it.pause(id),
            Steer::Resume => it.resume(id),
            Steer::First => it.first(id),
            Steer::Skip => it.skip(id),
            Steer::Retry => it.retry(id),
        };
        if steer != Steer::First {
            return workloads.iter().map(|id| each(self, id)).collect();
        }
        // Each is put before all others: the last goes first, so that they keep their order.
        let mut ranked: Vec<_> = workloads.iter().enumerate().collect();
        ranked.sort_by_key(|(_, id)| std::cmp::Reverse(self.rank(id)));
        let mut effects = vec![Effect::NotHere; workloads.len()];
        if self.are_head(workloads) {
            effects.fill(Effect::Already("it is first already"));
            return effects;
        }
        for (at, id) in ranked {
            effects[at] = each(self, id);
        }
        effects
    }

    fn rank(&self, workload: &WorkloadId) -> Option<i64> {
        let mut waiting = self.waiting.values().flatten();
        waiting.find(|(_, id)| id == workload).map(|(rank, _)| *rank)
    }

    /// Are these the ones that come first, whether they run or wait?
    fn are_head(&self, workloads: &[WorkloadId]) -> bool {
        let all = workloads.iter().all(|id| self.firsts.contains(id));
        let waiting = self.waiting.values().flatten();
        let (inside, outside): (Vec<_>, Vec<_>) =
            waiting.partition(|(_, id)| workloads.contains(id));
        let last = inside.iter().map(|(rank, _)| *rank).max();
        all && outside.iter().all(|(rank, _)| last.is_none_or(|last| last < *rank))
    }

    fn pause(&mut self, id: &WorkloadId) -> Effect {
        if self.skipped.contains_key(id) {
            return Effect::Refused("it is left out");
        }
        if !self.is_waiting(id) && !self.running.contains_key(id) {
            return Effect::NotHere;
        }
        match self.paused.insert(id.clone(), Paused::Meanwhile) {
            None => Effect::Done,
            Some(_) => Effect::Already("it is paused already"),
        }
    }

    fn resume(&mut self, id: &WorkloadId) -> Effect {
        if self.paused.remove(id).is_some() {
            return Effect::Done;
        }
        if self.skipped.contains_key(id) {
            return Effect::Refused("it is left out; `evac retry` takes that back");
        }
        if self.is_waiting(id) || self.running.contains_key(id) {
            return Effect::Already("it is not paused");
        }
        Effect::NotHere
    }

    fn first(&mut self, id: &WorkloadId) -> Effect {
        if self.skipped.contains_key(id) {
            return Effect::Refused("it is left out; `evac retry` takes that back");
        }
        if self.running.contains_key(id) {
            let is_new = self.firsts.insert(id.clone());
            return if is_new { Effect::Done } else { Effect::Already("it is first already") };
        }
        let Some((host, _)) = self.take(id) else {
            return Effect::NotHere;
        };
        self.firsts.insert(id.clone());
        let rank = self.lowest - 1;
        self.insert(&host, id.clone(), rank);
        Effect::Done
    }

    fn skip(&mut self, id: &WorkloadId) -> Effect {
        if self.skipped.contains_key(id) {
            return Effect::Already("it is left out already");
        }
        let host: HostId = match (self.running.get(id), self.ended.get(id)) {
            (Some((host, _)), _) => host.clone(),
            (None, Some((_, Outcome::Captured))) => {
                return Effect::Refused("a whole copy is here; there is nothing to leave out");
            }
            (None, Some((host, _))) => host.clone(),
            (None, None) => match self.take(id) {
                Some((host, _)) => host,
                None => return Effect::NotHere,
            },
        };
        self.ended.remove(id);
        self.paused.remove(id);
        self.failing.remove(id);
        self.skipped.insert(id.clone(), host);
        Effect::Done
    }

    /// Its host was waited for, and is dialled now whether it answers or not.
    fn comes_back(&mut self, id: &WorkloadId) -> bool {
        let has_it = |work: &[(i64, WorkloadId)]| work.iter().any(|(_, other)| other == id);
        let host = self.waiting.iter().find(|(_, work)| has_it(work)).map(|(host, _)| host);
        host.is_some_and(|host| self.away.remove(host))
    }

    fn retry(&mut self, id: &WorkloadId) -> Effect {
        if let Some(host) = self.skipped.remove(id) {
            // One that still runs is simply not let go of, or given back.
            if !self.running.contains_key(id) {
                let rank = self.lowest - 1;
                self.insert(&host, id.clone(), rank);
            }
            return Effect::Done;
        }
        if self.running.contains_key(id) {
            return Effect::Already("it is being copied now");
        }
        if self.paused.contains_key(id) {
            return Effect::Refused("it is paused; `evac resume` goes on with it");
        }
        // Both: a host that was lost is waited for, and its work waits to be tried again.
        let comes_back = self.comes_back(id);
        if self.failing.remove(id) || comes_back {
            return Effect::Done;
        }
        match self.ended.get(id).cloned() {
            Some((_, Outcome::Captured)) => Effect::Already("it is captured"),
            Some((host, _)) => {
                self.ended.remove(id);
                let rank = self.lowest - 1;
                self.insert(&host, id.clone(), rank);
                Effect::Done
            }
            None if self.is_waiting(id) => Effect::Already("it waits for its turn"),
            None => Effect::NotHere,
        }
    }
}
