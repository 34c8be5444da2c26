//! How much of a workload there is, and how much is left to take: of one, and of a whole fleet.

use std::collections::{HashMap, HashSet};

use rusqlite::Transaction;

use crate::ledger::error::LedgerError;
use crate::ledger::fold::health;
use crate::ledger::look::{self, WorkloadLook};
use crate::ledger::lookup::Size;
use crate::ledger::pace::Left;
use crate::ledger::rows;
use crate::ledger::snapshot::{CaptureState, Health};
use crate::ledger::state::WorkloadState;
use crate::model::{Bytes, HostId, Reason};

/// How much of a workload there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Amount {
    /// All of it, as far as anybody knows.
    pub bytes: Bytes,
    /// Of that, under receipts.
    pub bytes_done: Bytes,
    /// `None`: nobody knows how much is left, or it cannot go on.
    pub left: Option<Bytes>,
}

impl Amount {
    pub fn of(seen: &WorkloadLook, estimate: Option<Bytes>, health: Health) -> Self {
        let measured = seen.sealed.as_ref().map(|pass| pass.tally.raw_bytes);
        // While a further pass is under way, what the sealed one holds is still there.
        let newest = seen.newest.as_ref().map_or(Bytes::ZERO, |pass| pass.tally.raw_bytes);
        let bytes_done = newest.max(measured.unwrap_or_default());
        let bytes = measured.or(estimate).unwrap_or_default().max(bytes_done);
        let is_known = measured.is_some() || estimate.is_some();
        let left = match seen.state.capture {
            capture if is_settled(capture) => Some(Bytes::ZERO),
            _ if health == Health::Error || !is_known => None,
            _ => Some(bytes.saturating_sub(bytes_done)),
        };
        Self { bytes, bytes_done, left }
    }
}

/// How a whole fleet does: an estimate for one customer depends on it.
#[derive(Debug, Default)]
pub(super) struct Fleet {
    /// What is left, by host.
    pub left: Left,
    /// Is an agent at work anywhere?
    pub is_at_work: bool,
}

/// Is nothing more to be taken?
pub(super) fn is_settled(capture: CaptureState) -> bool {
    matches!(capture, CaptureState::Captured | CaptureState::Verified | CaptureState::Skipped)
}

/// How everything in `sizes` does while a run goes on. Only rows of what was begun
/// and is not whole are read in full: all others are as large as was thought, or done.
pub(super) fn of_fleet(tx: &Transaction<'_>, sizes: &[Size]) -> Result<Fleet, LedgerError> {
    let ids = |condition: &str| -> Result<HashSet<String>, LedgerError> {
        let mut statement = tx.prepare_cached(&format!(
            "SELECT id FROM workload WHERE capture {condition} ('captured', 'verified', 'skipped')"
        ))?;
        let found = statement.query_map([], |row| row.get(0))?;
        Ok(found.collect::<Result<_, _>>()?)
    };
    let (settled, open) = (ids("IN")?, ids("NOT IN")?);
    let open = serde_json::to_string(&open)
        .map_err(|error| LedgerError::damaged(format!("ids that are no text: {error}")))?;
    let open = look::workloads(tx, Some(&open))?;
    let failing = failing(tx)?;
    let nothing = WorkloadLook { state: WorkloadState::default(), newest: None, sealed: None };
    let mut left = Left::new();
    for Size { workload, host, bytes } in sizes {
        if settled.contains(workload.as_str()) {
            continue;
        }
        let seen = open.get(workload).unwrap_or(&nothing);
        let health = health(&seen.state, failing.get(host).copied(), true);
        let amount = Amount::of(seen, *bytes, health);
        *left.entry(host.clone()).or_default() += amount.left.unwrap_or_default();
    }
    let is_at_work =
        tx.query_row("SELECT EXISTS (SELECT 1 FROM host WHERE state = 'active')", [], |row| {
            row.get(0)
        })?;
    Ok(Fleet { left, is_at_work })
}

fn failing(tx: &Transaction<'_>) -> Result<HashMap<HostId, Reason>, LedgerError> {
    let mut statement = tx.prepare_cached(
        "SELECT id, reason FROM host WHERE reason IS NOT NULL AND since IS NOT NULL",
    )?;
    let mut found = statement.query([])?;
    let mut failing = HashMap::new();
    while let Some(row) = found.next()? {
        failing.insert(rows::word(row, "id")?, rows::word(row, "reason")?);
    }
    Ok(failing)
}
