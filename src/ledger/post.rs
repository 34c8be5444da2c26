//! What was said in public, and what waits for a second person; and which facts were said.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension as _, Row, Transaction, params};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::ledger::Ledger;
use crate::ledger::error::LedgerError;
use crate::ledger::rows::{self, Json};
use crate::model::Timestamp;

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
