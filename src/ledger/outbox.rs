//! What is said in public, and what each destination has been told of it.
//!
//! A [`Post`] is one update. The outbox has one row for each destination and subject: what shall
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

use rusqlite::{OptionalExtension as _, Row, Transaction, params};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::ledger::Ledger;
use crate::ledger::error::LedgerError;
use crate::ledger::rows::{self, Count, Json};
use crate::model::Timestamp;

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

CREATE TABLE published (
    name  TEXT PRIMARY KEY,
    json  TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Where a post stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PostState {
    /// A second person has to read it first.
    Draft,
    /// It is public.
    Posted,
    /// It never will be.
    Dropped,
}

/// Title and body of a post in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostText {
    /// One line.
    pub title: String,
    /// One paragraph or several.
    pub body: String,
}

/// Something said in public.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Post {
    /// Random, the same everywhere.
    pub id: String,
    /// When it was written; when it became public, once it is.
    pub at: Timestamp,
    /// Who wrote it.
    pub by: String,
    /// A stable word: `investigating`, `identified`, `monitoring`, `resolved`.
    pub kind: String,
    /// Where it stands.
    pub state: PostState,
    /// Who read it before it became public.
    pub reviewed_by: Option<String>,
    /// Why nobody did, or why it was dropped.
    pub why: Option<String>,
    /// The promise in it.
    pub next_by: Option<Timestamp>,
    /// By language.
    pub texts: BTreeMap<String, PostText>,
}

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
    /// Writes a post, a draft or not.
    pub fn add_post(&self, post: &Post) -> Result<(), LedgerError> {
        self.write(|tx| insert_post(tx, post))
    }

    /// Writes a post made of a fact, and what is remembered from then on; `false` when somebody
    /// else said something since `before` was read.
    pub fn add_fact<M: Serialize + DeserializeOwned + PartialEq + Default>(
        &self,
        post: &Post,
        name: &str,
        before: &M,
        memory: &M,
    ) -> Result<bool, LedgerError> {
        self.write(|tx| {
            if kept::<M>(tx, name)?.unwrap_or_default() != *before {
                return Ok(false);
            }
            insert_post(tx, post)?;
            tx.execute(
                "INSERT INTO published (name, json) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET json = ?2",
                params![name, Json(memory)],
            )?;
            Ok(true)
        })
    }

    /// Moves a draft; `false` when it is none any more. It becomes public now, after all others.
    pub fn settle_post(
        &self,
        id: &str,
        state: PostState,
        by: &str,
        why: Option<&str>,
    ) -> Result<bool, LedgerError> {
        let now = rows::millisecond(self.now());
        self.write(|tx| {
            let changed = tx.execute(
                "UPDATE post SET state = ?2, reviewed_by = ?3, why = coalesce(?4, why), at = ?5,
                     number = (SELECT max(number) + 1 FROM post)
                 WHERE id = ?1 AND state = 'draft'",
                params![id, rows::Word(state), by, why, now],
            )?;
            Ok(changed > 0)
        })
    }

    /// All posts, drafts too, in the order in which they became public.
    pub fn posts(&self) -> Result<Vec<Post>, LedgerError> {
        self.read(|tx| {
            let mut statement = tx.prepare_cached("SELECT * FROM post ORDER BY number")?;
            let mut found = statement.query([])?;
            let mut posts = Vec::new();
            while let Some(row) = found.next()? {
                posts.push(post_of(row)?);
            }
            Ok(posts)
        })
    }

    /// What is remembered under `name`.
    pub fn published<M: DeserializeOwned>(&self, name: &str) -> Result<Option<M>, LedgerError> {
        self.read(|tx| kept(tx, name))
    }

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

fn insert_post(tx: &Transaction<'_>, post: &Post) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO post (id, number, at, by, kind, state, reviewed_by, why, next_by, texts)
         VALUES (?1, (SELECT coalesce(max(number), 0) + 1 FROM post), ?2, ?3, ?4, ?5, ?6, ?7, ?8,
             ?9)",
        params![
            post.id,
            rows::millisecond(post.at),
            post.by,
            post.kind,
            rows::Word(post.state),
            post.reviewed_by,
            post.why,
            post.next_by.map(rows::millisecond),
            Json(&post.texts),
        ],
    )?;
    Ok(())
}

fn kept<M: DeserializeOwned>(tx: &Transaction<'_>, name: &str) -> Result<Option<M>, LedgerError> {
    let kept = tx
        .prepare_cached("SELECT json FROM published WHERE name = ?1")?
        .query_row([name], |row| Ok(row.get::<_, Json<M>>(0)?.0))
        .optional()?;
    Ok(kept)
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

fn post_of(row: &Row<'_>) -> Result<Post, LedgerError> {
    Ok(Post {
        id: row.get("id")?,
        at: rows::time(row.get("at")?),
        by: row.get("by")?,
        kind: row.get("kind")?,
        state: rows::word(row, "state")?,
        reviewed_by: row.get("reviewed_by")?,
        why: row.get("why")?,
        next_by: rows::time_or_none(row, "next_by")?,
        texts: row.get::<_, Json<_>>("texts")?.0,
    })
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
