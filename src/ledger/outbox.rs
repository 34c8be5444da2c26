//! What each destination has been told of what is public, and shall be.
//!
//! The outbox has one row for each destination and subject: what shall
//! stand there (`wanted`), what was accepted there last (`shown`), and what a call that began was
//! about to say (`calling`). A newer state of the same subject replaces `wanted`, so whatever was
//! never sent is never sent late.
//!
//! **Promises.** A call is durable as begun before it leaves; what was answered is durable before
//! the next begins. After a kill a row whose call has no answer says so. The times of calls are
//! kept for a minute, so a limit a minute also holds over any number of restarts. Several
//! processes may write posts at any time; one carries calls (`publish` sees to that).

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::{Row, Transaction, params};
use serde::{Deserialize, Serialize};

use crate::ledger::Ledger;
use crate::ledger::error::LedgerError;
use crate::ledger::rows::{self, Count};
use crate::model::Timestamp;

pub use crate::ledger::post::{Post, PostState, PostText};

/// So long the time of a call is kept.
const CALLS_KEPT: Duration = Duration::from_secs(120);

pub(super) const TABLES: &str = "
CREATE TABLE post (
    id           TEXT PRIMARY KEY,
    number       INTEGER NOT NULL UNIQUE,
    at           INTEGER NOT NULL,
    by           TEXT NOT NULL,
    kind         TEXT NOT NULL,
    state        TEXT NOT NULL,
    reviewed_by  TEXT,
    why          TEXT,
    next_by      INTEGER,
    texts        TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE published (
    name  TEXT PRIMARY KEY,
    json  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
    destination  TEXT NOT NULL,
    subject      TEXT NOT NULL,
    kind         TEXT NOT NULL,
    number       INTEGER NOT NULL,
    version      INTEGER NOT NULL,
    wanted       TEXT NOT NULL,
    calling      TEXT,
    shown        TEXT,
    state        TEXT NOT NULL,
    attempts     INTEGER NOT NULL DEFAULT 0,
    wanted_at    INTEGER NOT NULL,
    next_at      INTEGER NOT NULL,
    sent_at      INTEGER,
    answer       TEXT,
    remote       TEXT,
    PRIMARY KEY (destination, subject)
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox_call (
    destination  TEXT NOT NULL,
    at           INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_call_at ON outbox_call (destination, at);

";

/// What kind of thing a row tells a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowKind {
    /// A post: said once, in order.
    Post,
    /// A state of a component: only the newest counts.
    State,
    /// The whole page: only the newest counts.
    Page,
    /// A mail to one customer.
    Mail,
}

/// Where a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowState {
    /// To be told, at `next_at`.
    Waiting,
    /// A call began, and its answer is not known.
    Calling,
    /// It stands there.
    Sent,
    /// The destination said no; trying again unchanged is unlikely to help.
    Refused,
}

/// What one destination shall be told of one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    pub destination: String,
    pub subject: String,
    pub kind: RowKind,
    /// Order among posts.
    pub number: u64,
    /// Counts what was wanted; part of the idempotency key.
    pub version: u64,
    pub wanted: String,
    /// What the call under way says.
    pub calling: Option<String>,
    /// What was accepted last.
    pub shown: Option<String>,
    pub state: RowState,
    /// In a row without success.
    pub attempts: u32,
    pub wanted_at: Timestamp,
    pub next_at: Timestamp,
    pub sent_at: Option<Timestamp>,
    /// What was answered last, bounded.
    pub answer: Option<String>,
    /// Its id over there.
    pub remote: Option<String>,
}

/// What somebody wants told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub destination: String,
    pub subject: String,
    pub kind: RowKind,
    pub content: String,
    /// Tell it again although it was accepted.
    pub again: bool,
}

impl Ledger {
    /// Wants all of it told; what stands there already, or is on its way, stays as it is.
    pub fn want(&self, wanted: &[Wanted]) -> Result<(), LedgerError> {
        let now = rows::millisecond(self.now());
        self.write(|tx| {
            for want in wanted {
                want_one(tx, want, now)?;
            }
            Ok(())
        })
    }

    /// Every row, posts in their order before the rest.
    pub fn outbox(&self) -> Result<Vec<OutboxRow>, LedgerError> {
        self.read(|tx| {
            let mut statement =
                tx.prepare_cached("SELECT * FROM outbox ORDER BY destination, number, wanted_at")?;
            let mut found = statement.query([])?;
            let mut rows = Vec::new();
            while let Some(row) = found.next()? {
                rows.push(row_of(row)?);
            }
            Ok(rows)
        })
    }

    /// The rows of one destination, in the same order.
    pub fn outbox_of(&self, destination: &str) -> Result<Vec<OutboxRow>, LedgerError> {
        self.read(|tx| {
            let its = "SELECT * FROM outbox WHERE destination = ?1 ORDER BY number, wanted_at";
            let mut statement = tx.prepare_cached(its)?;
            let mut found = statement.query([destination])?;
            let mut rows = Vec::new();
            while let Some(row) = found.next()? {
                rows.push(row_of(row)?);
            }
            Ok(rows)
        })
    }

    /// When each destination was called of late.
    pub fn recent_calls(&self) -> Result<BTreeMap<String, Vec<Timestamp>>, LedgerError> {
        self.read(|tx| {
            let mut statement =
                tx.prepare_cached("SELECT destination, at FROM outbox_call ORDER BY at")?;
            let mut found = statement.query([])?;
            let mut calls: BTreeMap<String, Vec<Timestamp>> = BTreeMap::new();
            while let Some(row) = found.next()? {
                calls.entry(row.get(0)?).or_default().push(rows::time(row.get(1)?));
            }
            Ok(calls)
        })
    }

    /// A call begins now: about these rows, as they are. Without rows it only counts.
    pub fn call_begins(&self, destination: &str, rows: &[OutboxRow]) -> Result<(), LedgerError> {
        let now = self.now();
        self.write(|tx| {
            let old = rows::millisecond(now) - CALLS_KEPT.as_millis() as i64;
            tx.execute("DELETE FROM outbox_call WHERE at < ?1", [old])?;
            tx.execute(
                "INSERT INTO outbox_call (destination, at) VALUES (?1, ?2)",
                params![destination, rows::millisecond(now)],
            )?;
            for row in rows {
                put_row(tx, row)?;
            }
            Ok(())
        })
    }

    /// Keeps what became of rows; what is wanted meanwhile stays wanted.
    pub fn call_ended(&self, rows: &[OutboxRow]) -> Result<(), LedgerError> {
        self.write(|tx| rows.iter().try_for_each(|row| put_row(tx, row)))
    }

    /// Tells a destination these subjects no more; what may be there already stays on record.
    pub fn drop_unsent(&self, destination: &str, subjects: &[String]) -> Result<(), LedgerError> {
        self.write(|tx| {
            for subject in subjects {
                // What was accepted before stays known; what was never accepted goes.
                tx.execute(
                    "DELETE FROM outbox WHERE destination = ?1 AND subject = ?2
                     AND shown IS NULL AND state IN ('waiting', 'refused')",
                    params![destination, subject],
                )?;
                tx.execute(
                    "UPDATE outbox SET wanted = shown, calling = NULL, state = 'sent'
                     WHERE destination = ?1 AND subject = ?2 AND shown IS NOT NULL
                     AND state IN ('waiting', 'refused')",
                    params![destination, subject],
                )?;
            }
            Ok(())
        })
    }
}

fn want_one(tx: &Transaction<'_>, want: &Wanted, now: i64) -> Result<(), LedgerError> {
    // A call under way keeps its row; what it does not say is told after it.
    tx.prepare_cached(
        "INSERT INTO outbox (destination, subject, kind, number, version, wanted, state, wanted_at,
             next_at)
         VALUES (?1, ?2, ?3, coalesce((SELECT number FROM post WHERE id = ?2), 1 << 60), 1, ?4,
             'waiting', ?5, ?5)
         ON CONFLICT (destination, subject) DO UPDATE SET wanted = ?4, version = version + 1,
             wanted_at = ?5,
             state = iif(state = 'calling', state, iif(shown = ?4 AND NOT ?6, 'sent', 'waiting')),
             next_at = iif(state = 'waiting' OR state = 'calling', next_at, ?5),
             attempts = iif(state = 'waiting' OR state = 'calling', attempts, 0)
         WHERE wanted <> ?4 OR (?6 AND state = 'sent')",
    )?
    .execute(params![
        want.destination,
        want.subject,
        rows::Word(want.kind),
        want.content,
        now,
        want.again
    ])?;
    Ok(())
}

/// Everything that a call changes; `wanted` and `version` are others' to change.
fn put_row(tx: &Transaction<'_>, row: &OutboxRow) -> Result<(), LedgerError> {
    tx.prepare_cached(
        "UPDATE outbox SET calling = ?3, shown = ?4, attempts = ?6, next_at = ?7,
             sent_at = ?8, answer = ?9, remote = ?10,
             state = iif(?5 = 'sent' AND wanted <> ?4, 'waiting', ?5)
         WHERE destination = ?1 AND subject = ?2",
    )?
    .execute(params![
        row.destination,
        row.subject,
        row.calling,
        row.shown,
        rows::Word(row.state),
        row.attempts,
        rows::millisecond(row.next_at),
        row.sent_at.map(rows::millisecond),
        row.answer,
        row.remote,
    ])?;
    Ok(())
}

fn row_of(row: &Row<'_>) -> Result<OutboxRow, LedgerError> {
    Ok(OutboxRow {
        destination: row.get("destination")?,
        subject: row.get("subject")?,
        kind: rows::word(row, "kind")?,
        number: row.get::<_, Count>("number")?.0,
        version: row.get::<_, Count>("version")?.0,
        wanted: row.get("wanted")?,
        calling: row.get("calling")?,
        shown: row.get("shown")?,
        state: rows::word(row, "state")?,
        attempts: row.get("attempts")?,
        wanted_at: rows::time(row.get("wanted_at")?),
        next_at: rows::time(row.get("next_at")?),
        sent_at: rows::time_or_none(row, "sent_at")?,
        answer: row.get("answer")?,
        remote: row.get("remote")?,
    })
}
