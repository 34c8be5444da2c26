//! One consistent look at the rows that a snapshot is folded from.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::{Transaction, params};

use crate::ledger::error::LedgerError;
use crate::ledger::lookup::Size;
use crate::ledger::pace::{PACE_WINDOW, Pace, Sample};
use crate::ledger::pass::{self, Pass};
use crate::ledger::rows::{self, Json};
use crate::ledger::snapshot::{HostError, HostState, Snapshot};
use crate::ledger::state::WorkloadState;
use crate::ledger::view::FleetView;
use crate::ledger::{Ledger, Steering, event, evidence, fold, left, mirror, steering};
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
        let look = self.read(|tx| look(tx, now, &Scope::all()))?;
        Ok(fold::snapshot(view, &look, now, None))
    }

    /// The same of a few customers of many, without reading the rows of the others. While a run
    /// goes on, `fleet` says how large everything is, since an estimate depends on all of it.
    pub fn snapshot_of(
        &self,
        view: &FleetView,
        fleet: &[Size],
        now: Timestamp,
    ) -> Result<Snapshot, LedgerError> {
        self.read(|tx| {
            let look = look(tx, now, &Scope::of(view)?)?;
            let fleet =
                if view.running { left::of_fleet(tx, fleet)? } else { left::Fleet::default() };
            Ok(fold::snapshot(view, &look, now, Some(fleet)))
        })
    }
}

/// Of whom rows are read: lists of ids as JSON, which SQLite takes as a table.
pub(super) struct Scope {
    workloads: Option<String>,
    hosts: Option<String>,
    /// Does nothing run? Then nobody goes at any pace.
    is_at_rest: bool,
}

impl Scope {
    /// Everybody.
    fn all() -> Self {
        Self { workloads: None, hosts: None, is_at_rest: false }
    }

    fn of(view: &FleetView) -> Result<Self, LedgerError> {
        let workloads = view.hosts.iter().flat_map(|host| &host.workloads);
        let workloads: Vec<_> = workloads.map(|workload| &workload.id).collect();
        let hosts: Vec<_> = view.hosts.iter().map(|host| &host.id).collect();
        let list = |ids: Result<String, _>| ids.map(Some).map_err(LedgerError::damaged);
        Ok(Self {
            workloads: list(serde_json::to_string(&workloads).map_err(|error| error.to_string()))?,
            hosts: list(serde_json::to_string(&hosts).map_err(|error| error.to_string()))?,
            is_at_rest: !view.running,
        })
    }
}

/// The condition that `column` is in the list that is parameter 1; always true without one.
pub(super) fn among(column: &str, list: Option<&str>) -> String {
    match list {
        Some(_) => format!("{column} IN (SELECT value FROM json_each(?1))"),
        None => "?1 IS NULL".to_owned(),
    }
}

fn look(tx: &Transaction<'_>, now: Timestamp, scope: &Scope) -> Result<Look, LedgerError> {
    let list = scope.workloads.as_deref();
    let (bottleneck, pulse_at) =
        tx.query_row("SELECT bottleneck, pulse_at FROM meta", [], |row| {
            Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?.map(rows::time)))
        })?;
    Ok(Look {
        workloads: workloads(tx, list)?,
        hosts: hosts(tx, scope.hosts.as_deref())?,
        paces: if scope.is_at_rest { BTreeMap::new() } else { paces(tx, now)? },
        steering: steering::steering(tx, list)?,
        checked: evidence::last_asked(tx, list)?,
        copies: mirror::copies(tx, list)?,
        bottleneck,
        is_fresh: pulse_at.is_some_and(|at| now.since(at) <= PULSE_FRESH),
    })
}

pub(super) fn workloads(
    tx: &Transaction<'_>,
    list: Option<&str>,
) -> Result<BTreeMap<WorkloadId, WorkloadLook>, LedgerError> {
    let mut passes: BTreeMap<(WorkloadId, PassNumber), Pass> = BTreeMap::new();
    let mut statement = tx.prepare_cached(&format!(
        "SELECT pass.* FROM pass JOIN workload ON workload.id = pass.workload
         WHERE (pass.number = workload.pass OR pass.number = workload.sealed) AND {}",
        among("workload.id", list)
    ))?;
    let mut found = statement.query([list])?;
    while let Some(row) = found.next()? {
        let pass = pass::pass_of(row)?;
        passes.insert((rows::word(row, "workload")?, pass.number), pass);
    }
    let mut statement =
        tx.prepare_cached(&format!("SELECT * FROM workload WHERE {}", among("id", list)))?;
    let mut found = statement.query([list])?;
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

fn hosts(
    tx: &Transaction<'_>,
    list: Option<&str>,
) -> Result<BTreeMap<HostId, HostLook>, LedgerError> {
    let mut statement =
        tx.prepare_cached(&format!("SELECT * FROM host WHERE {}", among("id", list)))?;
    let mut found = statement.query([list])?;
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
