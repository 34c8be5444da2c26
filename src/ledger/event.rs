//! What happened, in order, and what it made of every workload and host.
//!
//! Not stored are events that only show progress (`received`, `restore_progress`, `host_dialled`)
//! and those that a method of the ledger writes together with more than they say; see
//! [`crate::ledger`].

use rusqlite::{OptionalExtension, Transaction, params};

use crate::ledger::error::LedgerError;
use crate::ledger::rows::{self, Count, Json, Word};
use crate::ledger::state::{Trouble, WorkloadState};
use crate::ledger::{Ledger, host, steering};
use crate::model::text::bounded;
use crate::model::{Event, HostId, PassNumber, RunReport, Timestamp, WorkloadId};

/// Longest free text of an event that is kept.
const TEXT_CHARS_MAX: usize = 500;
/// Calls older than so many events are not looked for: a look must stay cheap.
const RUNG_AMONG: i64 = 50_000;
/// Longest name of an operator that is kept.
const BY_CHARS_MAX: usize = 80;

/// An event as it was stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    /// Rises with every event.
    pub id: u64,
    /// When.
    pub at: Timestamp,
    /// Who gave the command, or which part of evac it was.
    pub by: String,
    /// What.
    pub event: Event,
}

impl Ledger {
    /// Takes an event of a run and moves the states it is about. An event that does not fit is an
    /// error and leaves everything as it was.
    pub fn append(&self, event: &Event, by: &str) -> Result<(), LedgerError> {
        match event {
            Event::Received { .. }
            | Event::RestoreProgress { .. }
            | Event::SegmentCommitted { .. }
            | Event::LeftOut { .. }
            | Event::CaptureStarted { resumed: false, .. }
            | Event::CaptureSealed { .. }
            | Event::RestoreStarted { .. }
            | Event::RestoreDone { .. } => Ok(()),
            Event::HostDialled { .. } => self.write(|tx| host::apply(tx, event, self.now())),
            _ => self.write(|tx| record(tx, event, by, self.now())),
        }
    }

    /// Stored events after the one with id `after`, oldest first, at most `limit`.
    pub fn events(&self, after: u64, limit: u32) -> Result<Vec<StoredEvent>, LedgerError> {
        self.read(|tx| {
            let mut statement = tx.prepare_cached(
                "SELECT id, at, by, json FROM event WHERE id > ?1 ORDER BY id LIMIT ?2",
            )?;
            let stored = statement.query_map(params![Count(after), limit], stored)?;
            Ok(stored.collect::<Result<_, _>>()?)
        })
    }

    /// What people were called for, the newest first, among the newest events.
    pub fn rung(&self, limit: u32) -> Result<Vec<StoredEvent>, LedgerError> {
        self.read(|tx| {
            let mut statement = tx.prepare_cached(
                "SELECT id, at, by, json FROM event
                 WHERE kind = 'rang' AND id > (SELECT max(id) FROM event) - ?1
                 ORDER BY id DESC LIMIT ?2",
            )?;
            let stored = statement.query_map(params![RUNG_AMONG, limit], stored)?;
            Ok(stored.collect::<Result<_, _>>()?)
        })
    }

    /// Where `workload` stands; the default when nothing ever happened to it.
    pub fn state(&self, workload: &WorkloadId) -> Result<WorkloadState, LedgerError> {
        self.read(|tx| load(tx, workload))
    }
}

/// A row of id, time, name and event.
fn stored(row: &rusqlite::Row<'_>) -> rusqlite::Result<StoredEvent> {
    Ok(StoredEvent {
        id: row.get::<_, Count>(0)?.0,
        at: rows::time(row.get(1)?),
        by: row.get(2)?,
        event: row.get::<_, Json<Event>>(3)?.0,
    })
}

/// Stores an event and applies it, in the caller's transaction.
pub(super) fn record(
    tx: &Transaction<'_>,
    event: &Event,
    by: &str,
    at: Timestamp,
) -> Result<(), LedgerError> {
    let event = &storable(event);
    let json = serde_json::to_value(event)
        .map_err(|error| LedgerError::damaged(format!("an event that is no JSON: {error}")))?;
    let kind = json["event"].as_str().unwrap_or_default();
    // Whoever steers a run from elsewhere is not whoever started it.
    let by = event.said_by().unwrap_or(by);
    tx.prepare_cached(
        "INSERT INTO event (at, by, host, workload, kind, json) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        rows::millisecond(at),
        bounded(by, BY_CHARS_MAX),
        host_of(event).map(HostId::as_str),
        event.workload().map(WorkloadId::as_str),
        kind,
        json.to_string(),
    ])?;
    apply(tx, event, at)
}

/// Moves what `event` is about.
pub(super) fn apply(tx: &Transaction<'_>, event: &Event, at: Timestamp) -> Result<(), LedgerError> {
    host::apply(tx, event, at)?;
    for workload in event.workloads() {
        let before = load(tx, workload)?;
        let after = before.next(event, at)?;
        if let Event::CaptureStarted { host, .. } = event {
            host::ensure(tx, host)?;
            save(tx, workload, &after)?;
            tx.execute(
                "UPDATE workload SET host = ?2 WHERE id = ?1",
                params![workload.as_str(), host.as_str()],
            )?;
        } else {
            save(tx, workload, &after)?;
        }
    }
    steering::apply(tx, event, at)?;
    apply_to_pass(tx, event, at)
}

fn apply_to_pass(tx: &Transaction<'_>, event: &Event, at: Timestamp) -> Result<(), LedgerError> {
    match event {
        Event::RunBegan { workload, pass, run } => {
            let changed = tx.execute(
                "UPDATE pass SET run = max(run, ?3)
                 WHERE workload = ?1 AND number = ?2 AND sealed_at IS NULL",
                params![workload.as_str(), pass.0, run.0],
            )?;
            if changed == 0 {
                return Err(LedgerError::NotOpen { workload: workload.clone(), pass: *pass });
            }
        }
        Event::Verified { workload, pass, .. } => set_checked(tx, workload, *pass, Some(at), 0)?,
        Event::VerifyFailed { workload, pass, bad_chunks } => {
            set_checked(tx, workload, *pass, None, *bad_chunks)?;
        }
        Event::Healed { workload, pass, .. } => set_checked(tx, workload, *pass, None, 0)?,
        _ => {}
    }
    Ok(())
}

fn set_checked(
    tx: &Transaction<'_>,
    workload: &WorkloadId,
    pass: PassNumber,
    verified_at: Option<Timestamp>,
    bad_chunks: u64,
) -> Result<(), LedgerError> {
    tx.execute(
        "UPDATE pass SET verified_at = ?3, bad_chunks = ?4 WHERE workload = ?1 AND number = ?2",
        params![workload.as_str(), pass.0, verified_at.map(rows::millisecond), Count(bad_chunks)],
    )?;
    Ok(())
}

fn host_of(event: &Event) -> Option<&HostId> {
    match event {
        Event::HostDialled { host }
        | Event::HostReady { host, .. }
        | Event::HostFailed { host, .. }
        | Event::HostDone { host }
        | Event::CaptureStarted { host, .. }
        | Event::Received { host, .. } => Some(host),
        _ => None,
    }
}

/// Free text may have come from a host: bounded before it is kept. JSON has no NaN.
fn storable(event: &Event) -> Event {
    let mut event = event.clone();
    match &mut event {
        Event::HostReady { rtt_ms: number, .. }
        | Event::Report(RunReport { elapsed_s: number, .. })
            if !number.is_finite() =>
        {
            *number = 0.0;
        }
        Event::HostFailed { detail, .. }
        | Event::CaptureStopped { detail, .. }
        | Event::CaptureFailed { detail, .. }
        | Event::RestoreFailed { detail, .. }
        | Event::GateFailed { detail, .. } => *detail = bounded(detail, TEXT_CHARS_MAX),
        Event::Noted { what, text, by } => {
            for text in [what, text, by] {
                *text = bounded(text, TEXT_CHARS_MAX);
            }
        }
        Event::LimitSet { what, by, .. } => {
            for text in [what, by] {
                *text = bounded(text, TEXT_CHARS_MAX);
            }
        }
        Event::DiskAdded { path, by, .. } => {
            for text in [path, by] {
                *text = bounded(text, TEXT_CHARS_MAX);
            }
        }
        Event::Steered { what, text, by, .. } => {
            for text in [what, text, by] {
                *text = bounded(text, TEXT_CHARS_MAX);
            }
        }
        _ => {}
    }
    event
}

/// Where `workload` stands.
pub(super) fn load(
    tx: &Transaction<'_>,
    workload: &WorkloadId,
) -> Result<WorkloadState, LedgerError> {
    let state = tx
        .prepare_cached("SELECT * FROM workload WHERE id = ?1")?
        .query_row([workload.as_str()], |row| Ok(from_row(row)))
        .optional()?;
    state.unwrap_or_else(|| Ok(WorkloadState::default()))
}

pub(super) fn from_row(row: &rusqlite::Row<'_>) -> Result<WorkloadState, LedgerError> {
    let pass = |column| -> Result<Option<PassNumber>, LedgerError> {
        Ok(row.get::<_, Option<u32>>(column)?.map(PassNumber))
    };
    let trouble = |reason, detail| -> Result<Option<Trouble>, LedgerError> {
        let detail: Option<String> = row.get(detail)?;
        let reason = rows::word_or_none(row, reason)?;
        Ok(reason.map(|reason| Trouble { reason, detail: detail.unwrap_or_default() }))
    };
    Ok(WorkloadState {
        capture: rows::word(row, "capture")?,
        restore: rows::word(row, "restore")?,
        pass: pass("pass")?,
        sealed: pass("sealed")?,
        of_pass: pass("of_pass")?,
        place: row.get("place")?,
        since: rows::time_or_none(row, "since")?,
        capture_trouble: trouble("reason", "detail")?,
        restore_trouble: trouble("restore_reason", "restore_detail")?,
    })
}

fn save(
    tx: &Transaction<'_>,
    workload: &WorkloadId,
    state: &WorkloadState,
) -> Result<(), LedgerError> {
    let (capture, restore) = (state.capture_trouble.as_ref(), state.restore_trouble.as_ref());
    tx.prepare_cached(
        "INSERT INTO workload (id, capture, restore, pass, sealed, of_pass, place, since, reason,
                               detail, restore_reason, restore_detail, health)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
         ON CONFLICT (id) DO UPDATE SET capture = ?2, restore = ?3, pass = ?4, sealed = ?5,
             of_pass = ?6, place = ?7, since = ?8, reason = ?9, detail = ?10,
             restore_reason = ?11, restore_detail = ?12, health = ?13",
    )?
    .execute(params![
        workload.as_str(),
        Word(state.capture),
        Word(state.restore),
        state.pass.map(|pass| pass.0),
        state.sealed.map(|pass| pass.0),
        state.of_pass.map(|pass| pass.0),
        state.place,
        state.since.map(rows::millisecond),
        capture.map(|trouble| Word(trouble.reason)),
        capture.map(|trouble| &trouble.detail),
        restore.map(|trouble| Word(trouble.reason)),
        restore.map(|trouble| &trouble.detail),
        Word(state.health()),
    ])?;
    Ok(())
}
