//! One consistent look at the rows that a snapshot is folded from.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::{Transaction, params};

use crate::ledger::error::LedgerError;
use crate::ledger::pace::{PACE_WINDOW, Pace, Sample};
use crate::ledger::pass::{self, Pass};
use crate::ledger::rows::{self, Json};
use crate::ledger::snapshot::{HostError, HostState, Snapshot};
use crate::ledger::state::WorkloadState;
use crate::ledger::view::FleetView;
use crate::ledger::{Ledger, Steering, event, evidence, fold, mirror, steering};
use crate::model::{HostId, PassNumber, Tally, Timestamp, WorkloadId};

/// A pulse older than this is not what happens now.
const PULSE_FRESH: Duration = Duration::from_secs(60);

/// What the rows said.
#[derive(Debug, Default)]
pub(super) struct Look {
    pub workloads: BTreeMap<WorkloadId, WorkloadLook>,
    pub hosts: BTreeMap<HostId, HostLook>,
    /// Hosts that committed something of late.
    pub paces: BTreeMap<HostId, Pace>,
    pub steering: BTreeMap<WorkloadId, Steering>,
    /// When a check last asked the new place of a workload.
    pub checked: BTreeMap<WorkloadId, Timestamp>,
    /// Second copies.
    pub copies: mirror::Copies,
    pub bottleneck: Option<String>,
    /// Are `lanes`, `level` and `bottleneck` what happens now?
    pub is_fresh: bool,
}

/// A workload that something happened to.
#[derive(Debug)]
pub(super) struct WorkloadLook {
    pub state: WorkloadState,
    pub newest: Option<Pass>,
    pub sealed: Option<Pass>,
}

/// A host that something happened to.
#[derive(Debug)]
pub(super) struct HostLook {
    pub state: HostState,
    pub rtt_ms: Option<f64>,
    pub lanes: u32,
    pub level: Option<i32>,
    pub error: Option<HostError>,
}

impl Ledger {
    /// Everything, as of `now`, in the order of `view`.
    pub fn snapshot(&self, view: &FleetView, now: Timestamp) -> Result<Snapshot, LedgerError> {
        let look = self.read(|tx| look(tx, now))?;
        Ok(fold::snapshot(view, &look, now))
    }
}

fn look(tx: &Transaction<'_>, now: Timestamp) -> Result<Look, LedgerError> {
    let (bottleneck, pulse_at) =
        tx.query_row("SELECT bottleneck, pulse_at FROM meta", [], |row| {
            Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?.map(rows::time)))
        })?;
    Ok(Look {
        workloads: workloads(tx)?,
        hosts: hosts(tx)?,
        paces: paces(tx, now)?,
        steering: steering::steering(tx)?,
        checked: evidence::last_asked(tx)?,
        copies: mirror::copies(tx)?,
        bottleneck,
        is_fresh: pulse_at.is_some_and(|at| now.since(at) <= PULSE_FRESH),
    })
}

fn workloads(tx: &Transaction<'_>) -> Result<BTreeMap<WorkloadId, WorkloadLook>, LedgerError> {
    let mut passes: BTreeMap<(WorkloadId, PassNumber), Pass> = BTreeMap::new();
    let mut statement = tx.prepare_cached(
        "SELECT pass.* FROM pass JOIN workload ON workload.id = pass.workload
         WHERE pass.number = workload.pass OR pass.number = workload.sealed",
    )?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let pass = pass::pass_of(row)?;
        passes.insert((rows::word(row, "workload")?, pass.number), pass);
    }
    let mut statement = tx.prepare_cached("SELECT * FROM workload")?;
    let mut found = statement.query([])?;
    let mut workloads = BTreeMap::new();
    while let Some(row) = found.next()? {
        let id: WorkloadId = rows::word(row, "id")?;
        let state = event::from_row(row)?;
        let pass = |number: Option<PassNumber>| passes.get(&(id.clone(), number?)).cloned();
        let (newest, sealed) = (pass(state.pass), pass(state.sealed));
        workloads.insert(id, WorkloadLook { state, newest, sealed });
    }
    Ok(workloads)
}

fn hosts(tx: &Transaction<'_>) -> Result<BTreeMap<HostId, HostLook>, LedgerError> {
    let mut statement = tx.prepare_cached("SELECT * FROM host")?;
    let mut found = statement.query([])?;
    let mut hosts = BTreeMap::new();
    while let Some(row) = found.next()? {
        let detail: Option<String> = row.get("detail")?;
        let since = rows::time_or_none(row, "since")?;
        let error = rows::word_or_none(row, "reason")?
            .zip(since)
            .map(|(reason, since)| HostError { reason, detail: detail.unwrap_or_default(), since });
        let host = HostLook {
            state: rows::word(row, "state")?,
            rtt_ms: row.get("rtt_ms")?,
            lanes: row.get("lanes")?,
            level: row.get("level")?,
            error,
        };
        hosts.insert(rows::word(row, "id")?, host);
    }
    Ok(hosts)
}

fn paces(tx: &Transaction<'_>, now: Timestamp) -> Result<BTreeMap<HostId, Pace>, LedgerError> {
    let end = rows::millisecond(now);
    let start = end.saturating_sub(PACE_WINDOW.as_millis() as i64);
    let mut statement = tx.prepare_cached(
        "SELECT workload.host AS host, receipt.at AS at, receipt.tally AS tally
         FROM receipt JOIN workload ON workload.id = receipt.workload
         WHERE receipt.at > ?1 AND receipt.at <= ?2 AND workload.host IS NOT NULL
         ORDER BY receipt.at",
    )?;
    let mut found = statement.query(params![start, end])?;
    let mut samples: BTreeMap<HostId, Vec<Sample>> = BTreeMap::new();
    while let Some(row) = found.next()? {
        let Tally { sent_bytes, raw_bytes, .. } = row.get::<_, Json<Tally>>("tally")?.0;
        let sample = Sample { age_ms: end.abs_diff(row.get("at")?), sent_bytes, raw_bytes };
        samples.entry(rows::word(row, "host")?).or_default().push(sample);
    }
    Ok(samples
        .into_iter()
        .filter_map(|(host, samples)| Some((host, Pace::of(&samples)?)))
        .collect())
}
