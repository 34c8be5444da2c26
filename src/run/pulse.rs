//! What the engine tells of itself, and is told while it works: every host's pace, what limits the
//! run, and new limits.

use std::time::Duration;

use tokio::sync::oneshot;

use crate::agent::ProcessorTime;
use crate::ledger::{HostPulse, Pulse};
use crate::model::{Event, Rate};
use crate::run::bottleneck::{Evidence, Seen};
use crate::run::coordinator::{CapacityId, Input, SessionId};
use crate::run::engine::{Engine, Running};
use crate::run::landing::FULL;
use crate::run::shelf::ToShelf;

/// Another rate for a choke point.
pub struct Limited {
    /// Which.
    pub capacity: CapacityId,
    /// `None`: not limited.
    pub rate: Option<Rate>,
    /// Its name.
    pub what: String,
    /// Who wants it.
    pub by: String,
    /// Told what it was, once the new one holds.
    pub answer: oneshot::Sender<Option<Rate>>,
}

impl Engine {
    /// What every host is doing and what limits the run, for whoever looks.
    pub(super) fn pulse(&mut self, now: Duration) -> Pulse {
        let evidence = self.evidence(now);
        let host = |(id, session): (&SessionId, &Running)| HostPulse {
            host: session.host.clone(),
            lanes: 1 + self.coordinator.lanes(*id),
            level: session.pace.map(|pace| pace.level),
            rtt_ms: Some(session.rtt.as_secs_f64() * 1e3),
        };
        Pulse {
            bottleneck: if self.is_full {
                Some(FULL.to_owned())
            } else {
                evidence.verdict(&self.capacities)
            },
            hosts: self.sessions.iter().map(host).collect(),
        }
    }

    /// Since the last pulse.
    fn evidence(&mut self, now: Duration) -> Evidence {
        let (waits, here) = self.coordinator.waits(now);
        let hosts = waits.into_iter().filter_map(|(id, spent)| {
            let session = self.sessions.get(&id)?;
            let hindrance = session.pace.and_then(|pace| pace.hindrance);
            Some(Seen { spent, hindrance, uplink: self.capacities.uplink_of(&session.host) })
        });
        let hosts = hosts.collect();
        let processors = ProcessorTime::now();
        let spare = processors.zip(self.processors).and_then(|(now, then)| now.spare_since(then));
        self.processors = processors;
        Evidence { hosts, here, spare }
    }

    /// What somebody said is told at once, and answered when it is durable.
    pub(super) fn keep(&self, event: Event, answer: oneshot::Sender<()>) {
        self.events.emit(&event);
        let _ = self.shelf.send(ToShelf::Keep(event, answer));
    }

    /// Keeps to another rate; it is told and recorded before whoever asked hears of it.
    pub(super) fn limit(&mut self, limited: Limited) {
        let Limited { capacity, rate, what, by, answer } = limited;
        let was = self.coordinator.rate(capacity);
        self.input(Input::Limit(capacity, rate));
        self.emit(Event::LimitSet { what, was, now: rate, by });
        // Whoever asked may have gone.
        let _ = answer.send(was);
    }
}
