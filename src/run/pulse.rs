//! What the engine tells of itself while it works: every host's pace, and what limits the run.

use std::time::Duration;

use crate::agent::ProcessorTime;
use crate::ledger::{HostPulse, Pulse};
use crate::run::bottleneck::{Evidence, Seen};
use crate::run::coordinator::SessionId;
use crate::run::engine::{Engine, Running};

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
            bottleneck: evidence.verdict(&self.capacities),
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
}
