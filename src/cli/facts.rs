//! What is known beyond the inventory: the newest survey of every host, and what was captured.
//!
//! [`HostFacts`] is the form in which `survey` hands its findings to the ledger. Fields are added,
//! never changed; a field that is missing says nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cli::failure::Failure;
use crate::cli::site::Reading;
use crate::inventory::{Host, Inventory};
use crate::ledger::snapshot::{CaptureState, Snapshot};
use crate::model::{Bytes, HostId, Tally, TreePath, WorkloadId};
use crate::plan::{self, Uncovered, WorkloadFacts};

/// Less content than this says nothing about how well a fleet shrinks.
const EXPERIENCE_MIN: Bytes = Bytes(1_000_000_000);

/// What a survey found on a host.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HostFacts {
    /// How large each workload is over there.
    pub workloads: BTreeMap<WorkloadId, Bytes>,
    /// Data that no workload named.
    pub uncovered: Vec<UncoveredPath>,
}

/// Data that no workload named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UncoveredPath {
    /// Where, made printable.
    pub path: String,
    /// How much.
    pub bytes: Bytes,
    /// What it is: `folder`, `file_system`, …
    pub kind: String,
}

/// Facts by host.
pub type Surveyed = BTreeMap<HostId, HostFacts>;

impl Reading {
    /// The newest survey of every host of `inventory`. What the inventory has covered since is
    /// no longer uncovered.
    pub fn surveyed(&self, inventory: &Inventory) -> Result<Surveyed, Failure> {
        let mut surveyed = Surveyed::new();
        for host in &inventory.hosts {
            let Some(facts) = self.ledger.facts(&host.id)? else { continue };
            let mut facts: HostFacts = serde_json::from_value(facts.json).map_err(|error| {
                let what = format!("what a survey found on host/{} cannot be read", host.id);
                Failure::failed(what).because(&error).hint("`evac survey` looks again.")
            })?;
            facts.uncovered.retain(|found| !is_covered(host, &found.path));
            surveyed.insert(host.id.clone(), facts);
        }
        Ok(surveyed)
    }

    /// What a plan is made from.
    pub fn plan_facts(
        &self,
        inventory: &Inventory,
        snapshot: &Snapshot,
    ) -> Result<plan::Facts, Failure> {
        let surveyed = self.surveyed(inventory)?;
        let mut facts =
            plan::Facts { sent_share: self.sent_share(inventory)?, ..Default::default() };
        let sizes: BTreeMap<_, _> = surveyed.values().flat_map(|host| &host.workloads).collect();
        for status in snapshot.customers.iter().flat_map(|customer| &customer.workloads) {
            let state = status.capture.state;
            let known = WorkloadFacts {
                bytes: sizes.get(&status.id).map(|bytes| **bytes),
                captured_bytes: status.bytes_done,
                captured: matches!(state, CaptureState::Captured | CaptureState::Verified),
            };
            facts.workloads.insert(status.id.clone(), known);
        }
        for (host, found) in &surveyed {
            facts.uncovered.extend(found.uncovered.iter().map(|found| Uncovered {
                host: host.clone(),
                path: found.path.clone(),
                bytes: found.bytes,
            }));
        }
        Ok(facts)
    }

    /// Share of the content captured so far that crossed the line.
    fn sent_share(&self, inventory: &Inventory) -> Result<Option<f64>, Failure> {
        let (mut sent, mut raw) = (Bytes::ZERO, Bytes::ZERO);
        for workload in inventory.workloads() {
            for pass in self.ledger.passes(&workload.id)? {
                let Tally { sent_bytes, raw_bytes, .. } = pass.tally;
                sent += sent_bytes;
                raw += raw_bytes;
            }
        }
        Ok((raw >= EXPERIENCE_MIN).then(|| (sent.0 as f64 / raw.0 as f64).min(1.0)))
    }
}

fn is_covered(host: &Host, path: &str) -> bool {
    let Ok(path) = TreePath::new(path) else { return false };
    host.workloads.iter().any(|workload| {
        let accepted = workload.accept.iter().map(|accept| &accept.path);
        workload.paths.iter().chain(accepted).any(|covered| path.is_within(covered))
    })
}
