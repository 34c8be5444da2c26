//! What people are called for: events and the time go in, rings come out. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::limit::{Limiter, Ring};
use crate::model::{Bell, Bytes, Event, HostId, Reason, RunReport};

/// Nothing arrives for so long: standstill.
const STANDSTILL: Duration = Duration::from_secs(120);
/// No host answers for so long: shut. Hosts are dialled again meanwhile.
const SHUT: Duration = Duration::from_secs(30);
/// A disk so full rings; after it was emptied to this, it may again.
const FILLING_PERCENT: u64 = 80;
const EMPTIED_PERCENT: u64 = 75;
/// So many hosts that fail for one reason within [`TOGETHER`] are no coincidence.
const FAILING_HOSTS: usize = 3;
const TOGETHER: Duration = Duration::from_secs(600);

/// How full the store's disk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// What is left.
    pub free: Bytes,
    /// All of it.
    pub total: Bytes,
}

/// Follows a run.
#[derive(Debug)]
pub struct Watch {
    limiter: Limiter,
    rings: Vec<Ring>,
    /// Workloads without an end.
    left: u64,
    /// Are hosts waited for that did not answer yet, or do not any more?
    awaits: bool,
    at_work: BTreeSet<HostId>,
    /// Since when nobody is at work, because no host answers.
    silent_since: Option<Duration>,
    arrived_at: Duration,
    stands: bool,
    filling: bool,
    failing: BTreeMap<Reason, BTreeMap<HostId, Duration>>,
}

impl Watch {
    /// Of a run that waits for hosts, or not; by its plan so many workloads come too late.
    pub fn new(waits: bool, too_late: u64, now: Duration) -> Self {
        let mut watch = Self {
            limiter: Limiter::default(),
            rings: Vec::new(),
            left: 0,
            awaits: waits,
            at_work: BTreeSet::new(),
            silent_since: None,
            arrived_at: now,
            stands: false,
            filling: false,
            failing: BTreeMap::new(),
        };
        if too_late > 0 {
            watch.is_late(too_late, now);
        }
        watch
    }

    /// Something happened.
    pub fn hear(&mut self, event: &Event, now: Duration) {
        match event {
            Event::RunStarted { workloads, .. } => self.left = *workloads,
            Event::HostReady { host, .. } => self.answers(host, now),
            Event::HostFailed { host, reason, .. } => self.fails(host, *reason, now),
            Event::HostDone { host } => drop(self.at_work.remove(host)),
            Event::Received { .. } | Event::SegmentCommitted { .. } => self.arrives(now),
            Event::CaptureSealed { .. } => {
                self.left = self.left.saturating_sub(1);
                self.arrives(now);
            }
            Event::CaptureFailed { .. } => self.left = self.left.saturating_sub(1),
            Event::LandingFull { .. }
            | Event::CaptureStopped { reason: Reason::LandingFull, .. } => {
                let text = format!("the store's disks are full; {} are left", workloads(self.left));
                self.ring(Bell::StoreFull, text, now);
            }
            Event::WindowOver { .. } => self.is_over(event, now),
            Event::WindowBegins { late, .. } if *late > 0 => self.is_late(*late, now),
            Event::Report(report) => self.ring(Bell::RunEnded, ended(report), now),
            _ => {}
        }
    }

    /// Time passed; gives what is to ring.
    pub fn tick(&mut self, now: Duration, usage: Option<Usage>) -> Vec<Ring> {
        if let Some(since) = self.silent_since
            && self.left > 0
            && !self.awaits
            && now.saturating_sub(since) >= SHUT
        {
            self.awaits = true;
            let text = format!("no host answers any more; {} are left", workloads(self.left));
            self.ring(Bell::WindowShut, text, now);
        }
        let is_still = now.saturating_sub(self.arrived_at) >= STANDSTILL;
        if self.at_work.is_empty() || self.left == 0 {
            // Nobody is there whom anything could come from.
            self.arrived_at = now;
        } else if is_still && !self.stands {
            self.stands = true;
            let text =
                format!("nothing has arrived for two minutes; {} are left", workloads(self.left));
            self.ring(Bell::Standstill, text, now);
        }
        if let Some(usage) = usage {
            self.look_at(usage, now);
        }
        let due = self.limiter.due(now);
        self.rings.extend(due);
        std::mem::take(&mut self.rings)
    }

    /// Work stopped at the end of a window: until the next begins, nobody is missed.
    fn is_over(&mut self, event: &Event, now: Duration) {
        let Event::WindowOver { closed, opens } = event else { return };
        (self.awaits, self.silent_since) = (true, None);
        let then = opens.map_or_else(String::new, |opens| format!(", which opens {opens}"));
        let left = workloads(self.left);
        let text = format!("the window closed {closed}; {left} are left for the next{then}");
        self.ring(Bell::WindowShut, text, now);
    }

    fn is_late(&mut self, late: u64, now: Duration) {
        self.ring(Bell::AtRisk, format!("by the plan, {} will not make it", workloads(late)), now);
    }

    fn answers(&mut self, host: &HostId, now: Duration) {
        if std::mem::take(&mut self.awaits) {
            let text = format!("access is open: {host} answers");
            self.ring(Bell::WindowOpened, text, now);
        }
        self.silent_since = None;
        if self.at_work.is_empty() {
            self.arrives(now);
        }
        self.at_work.insert(host.clone());
        for hosts in self.failing.values_mut() {
            hosts.remove(host);
        }
    }

    fn fails(&mut self, host: &HostId, reason: Reason, now: Duration) {
        let was_at_work = self.at_work.remove(host);
        if self.at_work.is_empty() && was_at_work && reason.is_temporary() {
            self.silent_since.get_or_insert(now);
        }
        // What is shut is told as that.
        if self.awaits && reason.is_temporary() {
            return;
        }
        let hosts = self.failing.entry(reason).or_default();
        hosts.insert(host.clone(), now);
        hosts.retain(|_, at| now.saturating_sub(*at) < TOGETHER);
        if hosts.len() >= FAILING_HOSTS {
            let text = format!(
                "{} hosts fail for one reason, {}: {}",
                hosts.len(),
                reason.word(),
                reason.hint()
            );
            hosts.clear();
            self.ring(Bell::Failing, text, now);
        }
    }

    fn arrives(&mut self, now: Duration) {
        self.arrived_at = now;
        self.stands = false;
    }

    fn look_at(&mut self, Usage { free, total }: Usage, now: Duration) {
        let percent = (total.0.saturating_sub(free.0)) * 100 / total.0.max(1);
        if percent >= FILLING_PERCENT && !self.filling {
            self.filling = true;
            let text = format!("the store's disk is {percent} % full, {free} are free");
            self.ring(Bell::StoreFilling, text, now);
        } else if percent < EMPTIED_PERCENT {
            self.filling = false;
        }
    }

    fn ring(&mut self, bell: Bell, text: String, now: Duration) {
        let ring = self.limiter.ring(bell, text, now);
        self.rings.extend(ring);
    }
}

fn workloads(count: u64) -> String {
    if count == 1 { "1 workload".to_owned() } else { format!("{count} workloads") }
}

fn ended(report: &RunReport) -> String {
    format!(
        "the run ended: {} captured, {} failed, {} partial, {} skipped, {} refused; {} sent",
        report.captured,
        report.failed,
        report.partial,
        report.skipped,
        report.refused,
        report.sent_bytes,
    )
}

#[cfg(test)]
mod tests;
