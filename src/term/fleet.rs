//! A run as it stands, folded from its events: the fleet in one line, each host at work in another.
//!
//! Pure; time is passed in. Counts of customers need to know who owns what and what was out before
//! the run: that is the [`Roster`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::ledger::snapshot::{CaptureState, Snapshot};
use crate::model::{Bytes, CustomerId, Event, HostId, RunNumber, WorkloadId};
use crate::term::RateEstimator;
use crate::term::notice::counted;
use crate::term::table::fit;

/// Who owns what, and what of it is not out yet.
#[derive(Debug, Clone, Default)]
pub struct Roster {
    owner: BTreeMap<WorkloadId, CustomerId>,
    open: BTreeMap<CustomerId, BTreeSet<WorkloadId>>,
}

impl Roster {
    /// As a snapshot has it; what is left out on purpose belongs to nobody.
    pub fn new(snapshot: &Snapshot) -> Self {
        let mut roster = Self::default();
        for customer in &snapshot.customers {
            for workload in &customer.workloads {
                let state = workload.capture.state;
                if state == CaptureState::Skipped {
                    continue;
                }
                roster.owner.insert(workload.id.clone(), customer.id.clone());
                let open = roster.open.entry(customer.id.clone()).or_default();
                if !matches!(state, CaptureState::Captured | CaptureState::Verified) {
                    open.insert(workload.id.clone());
                }
            }
        }
        roster
    }

    fn set(&mut self, workload: &WorkloadId, is_out: bool) {
        let Some(open) = self.owner.get(workload).and_then(|owner| self.open.get_mut(owner)) else {
            return;
        };
        if is_out {
            open.remove(workload);
        } else {
            open.insert(workload.clone());
        }
    }

    /// Customers of whom everything is out, and all customers.
    pub(super) fn share(&self) -> (usize, usize) {
        (self.open.values().filter(|open| open.is_empty()).count(), self.open.len())
    }
}

/// What a host does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Dialling,
    Ready,
    Copying,
    Sweeping,
}

impl Phase {
    fn word(self) -> &'static str {
        match self {
            Self::Dialling => "dialling",
            Self::Ready => "ready",
            Self::Copying => "copying",
            Self::Sweeping => "sweeping",
        }
    }
}

#[derive(Debug)]
struct Host {
    phase: Phase,
    workload: Option<WorkloadId>,
    /// Payload over the wire.
    wire: RateEstimator,
}

/// A run as it stands.
pub(super) struct Fleet {
    roster: Roster,
    hosts: BTreeMap<HostId, Host>,
    place: BTreeMap<WorkloadId, HostId>,
    failing: BTreeSet<HostId>,
    /// Payload over the wire.
    wire: RateEstimator,
    /// Content under receipts; what did not have to cross the wire counts as well.
    content: RateEstimator,
    expected: Bytes,
    left_out: u64,
    restoring: BTreeSet<WorkloadId>,
    restored: BTreeSet<WorkloadId>,
}

impl Fleet {
    pub(super) fn new(roster: Roster, now: Duration) -> Self {
        Self {
            roster,
            hosts: BTreeMap::new(),
            place: BTreeMap::new(),
            failing: BTreeSet::new(),
            wire: RateEstimator::new(now),
            content: RateEstimator::new(now),
            expected: Bytes::ZERO,
            left_out: 0,
            restoring: BTreeSet::new(),
            restored: BTreeSet::new(),
        }
    }

    /// Takes an event.
    pub(super) fn take(&mut self, event: &Event, now: Duration) {
        match event {
            Event::RunStarted { bytes, .. } => {
                self.expected = *bytes;
                self.wire = RateEstimator::new(now);
                self.content = RateEstimator::new(now);
            }
            Event::HostDialled { host } => {
                self.host(host, now).phase = Phase::Dialling;
            }
            Event::HostReady { host, .. } => {
                self.failing.remove(host);
                self.host(host, now).phase = Phase::Ready;
            }
            Event::HostFailed { host, .. } => {
                self.hosts.remove(host);
                self.failing.insert(host.clone());
            }
            Event::HostDone { host } => {
                self.hosts.remove(host);
            }
            Event::Received { host, workload, sent_bytes, .. } => {
                self.wire.add(*sent_bytes, now);
                let line = self.host(host, now);
                line.wire.add(*sent_bytes, now);
                if line.workload.as_ref() != Some(workload) {
                    line.workload = Some(workload.clone());
                }
            }
            _ => self.take_workload(event, now),
        }
    }

    fn take_workload(&mut self, event: &Event, now: Duration) {
        match event {
            Event::CaptureStarted { host, workload, .. } => {
                self.place.insert(workload.clone(), host.clone());
                let line = self.host(host, now);
                line.phase = Phase::Copying;
                line.workload = Some(workload.clone());
            }
            Event::RunBegan { workload, run, .. } if *run > RunNumber(0) => {
                if let Some(line) = self.place.get(workload).and_then(|h| self.hosts.get_mut(h)) {
                    line.phase = Phase::Sweeping;
                }
            }
            Event::SegmentCommitted { tally, .. } => self.content.add(tally.raw_bytes, now),
            Event::LeftOut { .. } => self.left_out += 1,
            Event::CaptureSealed { workload, .. } => {
                self.roster.set(workload, true);
                self.leave(workload);
            }
            Event::CaptureStopped { workload, .. } | Event::CaptureFailed { workload, .. } => {
                self.leave(workload);
            }
            Event::VerifyFailed { workload, .. } => self.roster.set(workload, false),
            Event::Healed { workload, .. } => self.roster.set(workload, true),
            Event::RestoreStarted { workload, .. } => {
                self.restored.remove(workload);
                self.restoring.insert(workload.clone());
            }
            Event::RestoreDone { workload, .. } => {
                self.restoring.remove(workload);
                self.restored.insert(workload.clone());
            }
            Event::RestoreFailed { workload, .. } => {
                self.restoring.remove(workload);
            }
            _ => {}
        }
    }

    fn host(&mut self, host: &HostId, now: Duration) -> &mut Host {
        self.hosts.entry(host.clone()).or_insert_with(|| Host {
            phase: Phase::Ready,
            workload: None,
            wire: RateEstimator::new(now),
        })
    }

    /// A host is no longer at this workload.
    fn leave(&mut self, workload: &WorkloadId) {
        let Some(host) = self.place.remove(workload) else { return };
        if let Some(line) = self.hosts.get_mut(&host)
            && line.workload.as_ref() == Some(workload)
        {
            line.phase = Phase::Ready;
            line.workload = None;
        }
    }

    /// Content done and expected, for a bar; customers where no size is known.
    pub(super) fn share(&self) -> (u64, u64) {
        let (out, all) = self.roster.share();
        if self.expected == Bytes::ZERO && all > 0 {
            return (out as u64, all as u64);
        }
        let done = self.content.total();
        (done.0, done.0.max(self.expected.0).max(1))
    }

    /// The whole fleet; what matters most stands first, since a narrow terminal cuts the end.
    pub(super) fn line(&self, now: Duration) -> String {
        let mut parts = Vec::new();
        let (out, all) = self.roster.share();
        if all > 0 {
            parts.push(format!("{out}/{all} customers out"));
        }
        let (done, expected) = (self.content.total(), self.expected);
        let left = expected.saturating_sub(done);
        if left > Bytes::ZERO
            && let Some(eta) = self.content.eta(left, now)
        {
            parts.push(format!("{eta} left"));
        }
        if !self.failing.is_empty() {
            parts.push(format!("{} failing", counted(self.failing.len() as u64, "host")));
        }
        if let Some(rate) = self.wire.recent(now) {
            parts.push(rate.to_string());
        }
        if done < expected {
            parts.push(format!("{done} of ~{expected}"));
        } else {
            parts.push(done.to_string());
        }
        let restores = self.restored.len() + self.restoring.len();
        if restores > 0 {
            parts.push(format!("{}/{restores} restored", self.restored.len()));
        }
        if self.left_out > 0 {
            parts.push(format!("{} left out", self.left_out));
        }
        parts.join(", ")
    }

    /// At most `max` hosts at work, and one line for the rest.
    pub(super) fn host_lines(&self, max: usize, now: Duration) -> Vec<String> {
        let mut active: Vec<_> = self.hosts.iter().collect();
        // Those that copy are seen before those that only wait; then by name, so lines stay put.
        active.sort_by_key(|(_, host)| host.workload.is_none());
        let mut lines: Vec<String> =
            active.iter().take(max).map(|(id, host)| host_line(id, host, now)).collect();
        if active.len() > max {
            lines.push(format!("  and {} more", active.len() - max));
        }
        lines
    }
}

fn host_line(id: &HostId, host: &Host, now: Duration) -> String {
    let name = fit(id.as_str(), 20);
    let workload = host.workload.as_ref().map_or("", |workload| workload.as_str());
    let workload = fit(workload, 24);
    let rate = host.wire.recent(now).map(|rate| rate.to_string()).unwrap_or_default();
    let bytes = host.wire.total().to_string();
    format!("  {name:<20} {workload:<24} {:<9} {bytes:>8} {rate:>10}", host.phase.word())
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests;
