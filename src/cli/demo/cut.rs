//! The connection that is cut: when, and what the run's events say came of it.

use super::fleet;
use crate::model::{Bytes, Event, HostId, Tally, WorkloadId};

/// Where to cut: about half of what the host sends.
pub const AFTER: Bytes = Bytes(14_000_000);
/// A cut may cost this much: what was on its way, or waited to be written.
const IN_FLIGHT: Bytes = Bytes(3 << 20);

/// How the one connection that was cut ended, and what came of its workload.
#[derive(Default)]
pub struct Cut {
    /// Times that the connection was lost.
    lost: u64,
    /// Sent by the host, on the wire, when it was cut.
    sent_before: Bytes,
    /// The workload that the host works on.
    workload: Option<WorkloadId>,
    /// Content of that workload that had arrived when it was cut.
    arrived: Bytes,
    /// What was counted when that workload was captured after all.
    tally: Option<Tally>,
    /// Uploads of an agent to the host.
    uploads: u64,
}

impl Cut {
    /// Notes an event; `sent_bytes` is what the host has sent by now.
    pub fn note(&mut self, event: &Event, sent_bytes: u64) {
        let is_ours = |host: &HostId| host.as_str() == fleet::CUT;
        let is_it = |workload: &WorkloadId| self.workload.as_ref() == Some(workload);
        match event {
            Event::CaptureStarted { host, workload, .. } if is_ours(host) && self.lost == 0 => {
                self.workload = Some(workload.clone());
                self.arrived = Bytes::ZERO;
            }
            Event::Received { workload, raw_bytes, .. } if is_it(workload) && self.lost == 0 => {
                self.arrived += *raw_bytes;
            }
            Event::HostFailed { host, .. } if is_ours(host) => {
                self.lost += 1;
                self.sent_before = Bytes(sent_bytes);
            }
            Event::CaptureSealed { workload, tally, .. } if is_it(workload) => {
                self.tally = Some(*tally);
            }
            Event::HostReady { host, agent_bytes, .. } if is_ours(host) => {
                self.uploads += u64::from(agent_bytes.0 > 0);
            }
            _ => {}
        }
    }

    /// The story of it, or what did not hold.
    pub fn judge(&self) -> Result<Vec<String>, String> {
        let Self { lost, sent_before, arrived, uploads, .. } = self;
        if *lost != 1 {
            return Err(format!("the connection to {} was lost {lost} times", fleet::CUT));
        }
        if *uploads != 1 {
            return Err(format!("the agent was uploaded {uploads} times to {}", fleet::CUT));
        }
        let Some((workload, tally)) = self.workload.as_ref().zip(self.tally) else {
            return Err("what the cut interrupted was not captured afterwards".into());
        };
        let Tally { raw_bytes, reused_bytes, sent_bytes, .. } = tally;
        if reused_bytes.0 + IN_FLIGHT.0 < arrived.0 {
            return Err(format!("{arrived} had arrived before the cut, {reused_bytes} was kept"));
        }
        Ok(vec![
            format!("After {sent_before} the connection to {} was cut, within", fleet::CUT),
            format!("{workload}. evac dialled again by itself and went on:"),
            format!("of its {raw_bytes}, {reused_bytes} had arrived and was not sent again,"),
            format!("{sent_bytes} followed. The agent was still there."),
        ])
    }
}
