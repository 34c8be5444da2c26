//! What a survey keeps of a host, and how others read it back.
//!
//! # Format
//!
//! One JSON object a host in the ledger, [`HostFacts`] with `"schema": 1`. Fields are added, never
//! changed; a field that is missing says nothing. At most [`crate::ledger::FACTS_BYTES_MAX`]: the
//! agent's answer is bounded, and [`UNCOVERED_MAX`] areas are kept.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::machine::{DeviceFacts, MachineFacts, shown};
use crate::inventory::{Host, Inventory, Workload};
use crate::ledger::{Ledger, LedgerError};
use crate::model::text::bounded;
use crate::model::{Bytes, HostId, TreePath, WorkloadId};
use crate::wire::SurveyAnswer;
use crate::wire::survey::{AreaKind, Measured};

/// Areas kept; the agent names the largest first.
pub const UNCOVERED_MAX: usize = 256;
/// Version of the format.
const SCHEMA: u32 = 1;
/// Longest reason, in characters.
const WHY_CHARS_MAX: usize = 200;

/// What was found on a host.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HostFacts {
    /// Always 1.
    pub schema: u32,
    /// Round-trip time.
    pub rtt_ms: Option<f64>,
    /// What kind of machine it is.
    pub facts: MachineFacts,
    /// How large each workload is over there.
    pub workloads: BTreeMap<WorkloadId, Bytes>,
    /// Workloads of which not everything was looked at, and why.
    pub incomplete: BTreeMap<WorkloadId, String>,
    /// Data that no workload takes and nobody accepted.
    pub uncovered: Vec<UncoveredPath>,
}

/// Data that no workload takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UncoveredPath {
    /// Where, made printable.
    pub path: String,
    /// How much, as far as was looked.
    pub bytes: Bytes,
    /// What it is.
    pub kind: UncoveredKind,
    /// Was everything looked at?
    #[serde(default = "yes")]
    pub complete: bool,
}

fn yes() -> bool {
    true
}

/// What an uncovered path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UncoveredKind {
    /// A single file.
    File,
    /// A folder.
    Folder,
    /// A mounted file system.
    FileSystem,
    /// A disk of a machine in a rescue system to which nothing of that machine leads.
    Disk,
    /// There may be more beneath it that could not be looked at or is too much to list.
    Unseen,
}

/// Why facts cannot be read back.
#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// They are not of this form.
    #[error("what a survey found on {host} cannot be read")]
    Unreadable {
        /// Whose.
        host: HostId,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
}

impl HostFacts {
    /// Of an answer that has as many workloads as the host.
    pub(super) fn of(
        host: &Host,
        facts: MachineFacts,
        rtt: Duration,
        answer: &SurveyAnswer,
    ) -> Self {
        let left = facts.rescue.iter().flat_map(|rescue| &rescue.devices);
        let left: Vec<_> = left.filter(|device| device.is_left).map(left_device).collect();
        let measured = || host.workloads.iter().map(|w| w.id.clone()).zip(&answer.workloads);
        Self {
            schema: SCHEMA,
            rtt_ms: Some(rtt.as_secs_f64() * 1e3),
            uncovered: uncovered(answer).into_iter().chain(left).collect(),
            facts,
            workloads: measured().map(|(id, measured)| (id, measured.bytes)).collect(),
            incomplete: measured().filter_map(|(id, m)| Some((id, incomplete(m)?))).collect(),
        }
    }

    /// What all workloads take, as far as was looked.
    pub fn bytes(&self) -> Bytes {
        self.workloads.values().copied().sum()
    }

    /// How large `workload` was found to be. Where not everything was looked at, an estimate of
    /// the inventory that is larger stands.
    pub fn bytes_of(&self, workload: &Workload) -> Option<Bytes> {
        let measured = self.workloads.get(&workload.id).copied()?;
        let stated = workload.bytes.filter(|_| self.incomplete.contains_key(&workload.id));
        Some(stated.map_or(measured, |stated| stated.max(measured)))
    }

    /// What `host` as it is written now still does not take.
    pub fn uncovered_now(&self, host: &Host) -> impl Iterator<Item = &UncoveredPath> {
        let covers = |path: &TreePath| {
            host.workloads.iter().any(|workload| {
                let accepted = workload.accept.iter().map(|accept| &accept.path);
                workload.paths.iter().chain(accepted).any(|covered| path.is_within(covered))
            })
        };
        self.uncovered.iter().filter(move |found| {
            // A path that was not printable is not found again; it stays uncovered.
            !TreePath::new(found.path.as_str()).is_ok_and(|path| covers(&path))
        })
    }
}

fn incomplete(measured: &Measured) -> Option<String> {
    if !measured.fault.is_empty() {
        return Some(bounded(&measured.fault, WHY_CHARS_MAX));
    }
    (!measured.complete).then(|| "not everything could be looked at; it is larger".to_owned())
}

/// Its name is no path, so no workload covers it by its paths: it is taken by another workload's
/// host, or left out by naming the others in `rescue_disks`.
fn left_device(device: &DeviceFacts) -> UncoveredPath {
    let holds = if device.holds.is_empty() { "unreadable" } else { &device.holds };
    UncoveredPath {
        path: format!("disk {} ({holds})", device.path),
        bytes: if device.used == Bytes::ZERO { device.size } else { device.used },
        kind: UncoveredKind::Disk,
        complete: true,
    }
}

fn uncovered(answer: &SurveyAnswer) -> Vec<UncoveredPath> {
    let area = |area: &crate::wire::survey::UncoveredArea| UncoveredPath {
        path: shown(area.path.as_bytes()),
        bytes: area.bytes,
        kind: match area.kind {
            AreaKind::File => UncoveredKind::File,
            AreaKind::Folder => UncoveredKind::Folder,
            AreaKind::FileSystem => UncoveredKind::FileSystem,
        },
        complete: area.complete,
    };
    let mut found: Vec<_> = answer.uncovered.iter().take(UNCOVERED_MAX).map(area).collect();
    if !answer.uncovered_complete || answer.uncovered.len() > UNCOVERED_MAX {
        found.push(UncoveredPath {
            path: "/".to_owned(),
            bytes: answer.uncovered.iter().skip(UNCOVERED_MAX).map(|area| area.bytes).sum(),
            kind: UncoveredKind::Unseen,
            complete: false,
        });
    }
    found
}

/// What the newest survey found on `host`.
pub fn facts_of(ledger: &Ledger, host: &HostId) -> Result<Option<HostFacts>, FactsError> {
    let Some(facts) = ledger.facts(host)? else { return Ok(None) };
    let unreadable = |source| FactsError::Unreadable { host: host.clone(), source };
    serde_json::from_value(facts.json).map(Some).map_err(unreadable)
}

/// How large workloads were found to be, see [`HostFacts::bytes_of`].
pub fn measured_bytes(
    ledger: &Ledger,
    inventory: &Inventory,
) -> Result<BTreeMap<WorkloadId, Bytes>, FactsError> {
    let mut measured = BTreeMap::new();
    for host in &inventory.hosts {
        let Some(facts) = facts_of(ledger, &host.id)? else { continue };
        let sizes = host.workloads.iter();
        measured.extend(sizes.filter_map(|w| Some((w.id.clone(), facts.bytes_of(w)?))));
    }
    Ok(measured)
}

/// Is there data on `host` that its workloads, as they are written now, do not take?
pub fn has_uncovered(ledger: &Ledger, host: &Host) -> Result<bool, FactsError> {
    let facts = facts_of(ledger, &host.id)?;
    Ok(facts.is_some_and(|facts| facts.uncovered_now(host).next().is_some()))
}
