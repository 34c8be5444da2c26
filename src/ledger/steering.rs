//! What operators said that counts until somebody says otherwise: what is paused, goes first, is
//! left out, and when the window closes. All of it is a cached fold of stored events.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};

use crate::ledger::error::LedgerError;
use crate::ledger::look::among;
use crate::ledger::rows::{self, Count, Json, Word};
use crate::ledger::snapshot::Decision;
use crate::ledger::{Ledger, StoredEvent};
use crate::model::{Event, Steer, Timestamp, WorkloadId};

/// Events that people bring about, and where runs begin and end.
const OF_PEOPLE: &str = "kind IN ('noted', 'limit_set', 'steered', 'window_set', 'reloaded', \
                         'run_started', 'report')";

/// The tables, and an index that says the same as [`OF_PEOPLE`].
pub(super) const TABLES: &str = "
CREATE TABLE steering (
    workload    TEXT PRIMARY KEY,
    paused_at   INTEGER,
    paused_by   TEXT,
    first       INTEGER,
    skipped_at  INTEGER,
    skipped_by  TEXT,
    why         TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE told (
    name  TEXT PRIMARY KEY,
    at    INTEGER NOT NULL,
    by    TEXT NOT NULL,
    json  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX event_of_people ON event (id)
WHERE kind IN ('noted', 'limit_set', 'steered', 'window_set', 'reloaded', 'run_started', 'report');
";

/// What was said of a workload, as far as it still counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Steering {
    /// Nothing of it is begun.
    pub paused: Option<Decision>,
    /// It goes before everything that has a lower number, or none.
    pub first: Option<u64>,
    /// It is left out.
    pub skipped: Option<Decision>,
}

/// What somebody said about the end of the window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldWindow {
    /// When it closes.
    pub closes: Timestamp,
    /// Does evac stop then?
    pub hard: bool,
}

impl Ledger {
    /// What was said of workloads; those of whom nothing counts are left out.
    pub fn steering(&self) -> Result<BTreeMap<WorkloadId, Steering>, LedgerError> {
        self.read(|tx| steering(tx, None))
    }

    /// What was said last about the end of the window.
    pub fn told_window(&self) -> Result<Option<ToldWindow>, LedgerError> {
        self.read(|tx| {
            let told = tx
                .prepare_cached("SELECT json FROM told WHERE name = 'window'")?
                .query_row([], |row| Ok(row.get::<_, Json<ToldWindow>>(0)?.0))
                .optional()?;
            Ok(told)
        })
    }

    /// What people did and said since then, and where runs began and ended; oldest first, the
    /// newest `limit`.
    pub fn said(&self, since: Timestamp, limit: u32) -> Result<Vec<StoredEvent>, LedgerError> {
        self.read(|tx| {
            let mut statement = tx.prepare_cached(&format!(
                "SELECT id, at, by, json FROM event WHERE {OF_PEOPLE} AND at >= ?1
                 ORDER BY id DESC LIMIT ?2"
            ))?;
            let stored = statement.query_map(params![rows::millisecond(since), limit], |row| {
                Ok(StoredEvent {
                    id: row.get::<_, Count>(0)?.0,
                    at: rows::time(row.get(1)?),
                    by: row.get(2)?,
                    event: row.get::<_, Json<Event>>(3)?.0,
                })
            })?;
            let mut stored: Vec<_> = stored.collect::<Result<_, _>>()?;
            stored.reverse();
            Ok(stored)
        })
    }
}

pub(super) fn steering(
    tx: &Transaction<'_>,
    list: Option<&str>,
) -> Result<BTreeMap<WorkloadId, Steering>, LedgerError> {
    let mut statement =
        tx.prepare_cached(&format!("SELECT * FROM steering WHERE {}", among("workload", list)))?;
    let mut found = statement.query([list])?;
    let mut all = BTreeMap::new();
    while let Some(row) = found.next()? {
        let decision = |at, by, why| -> Result<Option<Decision>, LedgerError> {
            let (at, by) = (rows::time_or_none(row, at)?, row.get::<_, Option<String>>(by)?);
            Ok(at.zip(by).map(|(at, by)| Decision { by, at, why }))
        };
        let why = row.get::<_, Option<String>>("why")?.filter(|why| !why.is_empty());
        let steering = Steering {
            paused: decision("paused_at", "paused_by", None)?,
            first: row.get::<_, Option<Count>>("first")?.map(|first| first.0),
            skipped: decision("skipped_at", "skipped_by", why)?,
        };
        if steering != Steering::default() {
            all.insert(rows::word(row, "workload")?, steering);
        }
    }
    Ok(all)
}

/// Keeps what an event says that counts from now on.
pub(super) fn apply(tx: &Transaction<'_>, event: &Event, at: Timestamp) -> Result<(), LedgerError> {
    match event {
        Event::Steered { steer, workloads, text, by, .. } => {
            let first: i64 = tx
                .prepare_cached("SELECT coalesce(max(first), 0) + 1 FROM steering")?
                .query_row([], |row| row.get(0))?;
            for workload in workloads {
                steer_one(tx, *steer, workload, (text, by, first), at)?;
            }
        }
        Event::CaptureSealed { workload, .. } => {
            // It is whole: nobody has to wait for it any more, and it is not left out.
            tx.prepare_cached(
                "UPDATE steering SET first = NULL, skipped_at = NULL WHERE workload = ?1",
            )?
            .execute([workload.as_str()])?;
        }
        Event::WindowSet { closes, hard, by, .. } => {
            let told = ToldWindow { closes: *closes, hard: *hard };
            tx.execute(
                "INSERT INTO told (name, at, by, json) VALUES ('window', ?1, ?2, ?3)
                 ON CONFLICT (name) DO UPDATE SET at = ?1, by = ?2, json = ?3",
                params![rows::millisecond(at), by, Json(told)],
            )?;
        }
        _ => {}
    }
    Ok(())
}

fn steer_one(
    tx: &Transaction<'_>,
    steer: Steer,
    workload: &WorkloadId,
    (text, by, first): (&str, &str, i64),
    at: Timestamp,
) -> Result<(), LedgerError> {
    let (id, at) = (Word(workload), rows::millisecond(at));
    tx.prepare_cached("INSERT INTO steering (workload) VALUES (?1) ON CONFLICT DO NOTHING")?
        .execute([&id])?;
    match steer {
        Steer::Pause => tx
            .prepare_cached(
                "UPDATE steering SET paused_at = ?2, paused_by = ?3 WHERE workload = ?1",
            )?
            .execute(params![id, at, by])?,
        Steer::Resume => tx
            .prepare_cached("UPDATE steering SET paused_at = NULL WHERE workload = ?1")?
            .execute([&id])?,
        Steer::First => tx
            .prepare_cached("UPDATE steering SET first = ?2 WHERE workload = ?1")?
            .execute(params![id, first])?,
        Steer::Skip => tx
            .prepare_cached(
                "UPDATE steering SET skipped_at = ?2, skipped_by = ?3, why = ?4, paused_at = NULL
                 WHERE workload = ?1",
            )?
            .execute(params![id, at, by, text])?,
        Steer::Retry => tx
            .prepare_cached("UPDATE steering SET skipped_at = NULL WHERE workload = ?1")?
            .execute([&id])?,
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::HostId;

    fn steered(steer: Steer, ids: &[&str], by: &str) -> Event {
        Event::Steered {
            steer,
            what: "group/x".into(),
            workloads: ids.iter().map(|id| id.parse().unwrap()).collect(),
            text: "no longer a customer".into(),
            by: by.into(),
        }
    }

    fn of(ledger: &Ledger, id: &str) -> Steering {
        ledger.steering().unwrap().remove(&id.parse().unwrap()).unwrap_or_default()
    }

    #[test]
    fn what_is_said_counts_until_somebody_says_otherwise() {
        let ledger = Ledger::in_memory().unwrap();
        let say = |steer, ids: &[&str], by| {
            ledger.append(&steered(steer, ids, by), "the run").unwrap();
        };
        say(Steer::Pause, &["a", "b"], "jo");
        say(Steer::Resume, &["b"], "kim");
        assert_eq!(of(&ledger, "a").paused.map(|paused| paused.by), Some("jo".to_owned()));
        assert_eq!(of(&ledger, "b"), Steering::default());
        say(Steer::First, &["b", "c"], "jo");
        say(Steer::First, &["a"], "jo");
        assert!(of(&ledger, "a").first > of(&ledger, "b").first);
        assert_eq!(of(&ledger, "b").first, of(&ledger, "c").first);
        say(Steer::Skip, &["c"], "kim");
        let skipped = of(&ledger, "c").skipped.unwrap();
        assert_eq!(skipped.by, "kim");
        assert_eq!(skipped.why.as_deref(), Some("no longer a customer"));
        say(Steer::Retry, &["c"], "kim");
        assert_eq!(of(&ledger, "c").skipped, None);
        let names: Vec<_> = ledger.events(0, 9).unwrap().into_iter().map(|it| it.by).collect();
        assert_eq!(names, ["jo", "kim", "jo", "jo", "kim", "kim"], "never the run's");
        ledger.check().unwrap();
    }

    #[test]
    fn the_end_of_the_window_and_what_people_said_is_found_again() {
        let ledger = Ledger::in_memory().unwrap();
        assert_eq!(ledger.told_window().unwrap(), None);
        let closes = Timestamp::from_second(1_900_000_000);
        let host: HostId = "h".parse().unwrap();
        ledger.append(&Event::HostDone { host }, "run").unwrap();
        for hard in [false, true] {
            let (was, by) = (None, "jo".to_owned());
            ledger.append(&Event::WindowSet { was, closes, hard, by }, "run").unwrap();
        }
        assert_eq!(ledger.told_window().unwrap(), Some(ToldWindow { closes, hard: true }));
        let said = ledger.said(Timestamp::from_second(0), 10).unwrap();
        assert_eq!(said.iter().map(|it| it.by.as_str()).collect::<Vec<_>>(), ["jo", "jo"]);
        assert_eq!(ledger.said(Timestamp::from_second(0), 1).unwrap()[0].id, said[1].id);
        assert_eq!(ledger.said(Timestamp::from_second(4_000_000_000), 9).unwrap(), []);
    }
}
