//! When services were down, as a pure fold of the ledger's events.
//!
//! **Promises.** A service is down from the moment that the outage began until it is switched on,
//! which only what passed its gate can be. What is taken back counts again from then on. Nothing
//! else ends an outage: neither a copy, nor a restore, nor a post.

use std::collections::{BTreeMap, BTreeSet};

use crate::inventory::Hold;
use crate::ledger::snapshot::{CaptureState, RestoreState, Snapshot};
use crate::ledger::{StoredEvent, WorkloadState};
use crate::model::{CustomerId, Event, Timestamp, WorkloadId};
use crate::publish::report::interval::{self, Interval};

/// When each service was down.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outages {
    /// By workload; sets of spans.
    pub down: BTreeMap<WorkloadId, Vec<Interval>>,
    /// Those that still are; their last span ends when this was made.
    pub open: BTreeSet<WorkloadId>,
}

/// Is this service switched on, and does it pass its checks?
pub fn is_online(state: &WorkloadState) -> bool {
    state.restore == RestoreState::Active && !state.fails_its_checks()
}

impl Outages {
    /// From `events`, oldest first. `counted` are the services that there are.
    pub fn of(
        events: &[StoredEvent],
        counted: impl IntoIterator<Item = WorkloadId>,
        began: Timestamp,
        now: Timestamp,
    ) -> Self {
        let mut states: BTreeMap<WorkloadId, Down> = counted
            .into_iter()
            .map(|id| (id, Down { since: Some(began), ..Down::default() }))
            .collect();
        for stored in events.iter().filter(|stored| stored.at <= now) {
            for id in stored.event.workloads() {
                if let Some(down) = states.get_mut(id) {
                    down.take(&stored.event, stored.at, began);
                }
            }
        }
        let mut outages = Self::default();
        for (id, mut down) in states {
            if let Some(since) = down.since {
                down.spans.push(Interval::new(since, now));
                outages.open.insert(id.clone());
            }
            outages.down.insert(id, interval::union(down.spans));
        }
        outages
    }

    /// When any of `services` was down.
    pub fn of_any<'a>(&self, services: impl IntoIterator<Item = &'a WorkloadId>) -> Vec<Interval> {
        let all = services.into_iter().filter_map(|id| self.down.get(id));
        interval::union(all.flatten().copied())
    }
}

#[derive(Default)]
struct Down {
    state: WorkloadState,
    since: Option<Timestamp>,
    spans: Vec<Interval>,
}

impl Down {
    fn take(&mut self, event: &Event, at: Timestamp, began: Timestamp) {
        // What does not fit, after the ledger was rebuilt, changes nothing.
        let Ok(next) = self.state.next(event, at) else { return };
        let (was, is) = (is_online(&self.state), is_online(&next));
        self.state = next;
        match (was, is) {
            (false, true) => {
                if let Some(since) = self.since.take() {
                    self.spans.push(Interval::new(since, at));
                }
            }
            (true, false) => self.since = Some(at.max(began)),
            _ => {}
        }
    }
}

/// The services of everybody who may be counted: not held back, not left out on purpose.
pub fn counted(snapshot: &Snapshot) -> BTreeMap<WorkloadId, CustomerId> {
    let customers = snapshot.customers.iter().filter(|customer| customer.hold == Hold::None);
    let services = customers.flat_map(|customer| {
        let kept = |it: &&crate::ledger::snapshot::WorkloadStatus| {
            it.capture.state != CaptureState::Skipped
        };
        let own = customer.workloads.iter().filter(kept);
        own.map(|workload| (workload.id.clone(), customer.id.clone()))
    });
    services.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::PassNumber;
    use crate::publish::report::interval::tests::span;

    #[test]
    fn an_outage_ends_by_the_gate_and_begins_anew_when_the_word_is_taken_back() {
        let (id, pass) = (WorkloadId::new("w").unwrap(), PassNumber(1));
        let host = "h".parse().unwrap();
        let workload = || id.clone();
        let place = "target:rack:/srv".to_owned();
        let story = [
            (5, Event::CaptureStarted { host, workload: workload(), pass, resumed: false }),
            (10, Event::CaptureSealed { workload: workload(), pass, tally: <_>::default() }),
            (20, Event::RestoreStarted { workload: workload(), pass, place: place.clone() }),
            (30, Event::RestoreDone { workload: workload(), pass, place, missing: 0 }),
            (40, Event::GatePassed { workload: workload(), pass }),
            (50, Event::Activated { workload: workload(), pass }),
            (60, Event::GateFailed { workload: workload(), detail: "500".into() }),
            (65, Event::GatePassed { workload: workload(), pass }),
            (80, Event::Deactivated { workload: workload() }),
        ];
        let events: Vec<_> = (1..)
            .zip(story)
            .map(|(number, (at, event))| StoredEvent {
                id: number,
                at: Timestamp::from_second(at),
                by: "jo".into(),
                event,
            })
            .collect();
        let outages = |count, now| {
            let (began, now) = (Timestamp::from_second(3), Timestamp::from_second(now));
            Outages::of(&events[..count], [id.clone()], began, now)
        };
        let whole = outages(9, 100);
        assert_eq!(whole.down[&id], [span(3, 50), span(60, 65), span(80, 100)]);
        assert!(whole.open.contains(&id));
        let before = outages(8, 70);
        assert_eq!(before.down[&id], [span(3, 50), span(60, 65)]);
        assert!(before.open.is_empty());
        assert_eq!(outages(5, 45).down[&id], [span(3, 45)], "a gate alone switches nothing on");
        assert_eq!(outages(9, 55).down[&id], [span(3, 50)], "what came later is not known yet");
    }
}
