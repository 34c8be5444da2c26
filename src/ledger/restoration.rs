//! How far restores are, and where they go on.

use rusqlite::{OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};

use crate::ledger::error::LedgerError;
use crate::ledger::rows::{self, Count, Word};
use crate::ledger::{Ledger, event};
use crate::model::{Bytes, Event, PassNumber, Timestamp, WorkloadId};

/// How a restore of a pass to a place stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestorationState {
    /// Under way, or cut off.
    Writing,
    /// Over; `missing` says whether it is whole.
    Done,
}

/// A restore of a pass to a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restoration {
    /// Whose.
    pub workload: WorkloadId,
    /// Of which pass.
    pub pass: PassNumber,
    /// Where to.
    pub place: String,
    /// How it stands.
    pub state: RestorationState,
    /// Where it goes on, in the restore's own form; `None` at the beginning.
    pub position: Option<Vec<u8>>,
    /// Entries that are durable there.
    pub entries: u64,
    /// Bytes of content that are durable there.
    pub bytes: Bytes,
    /// Entries that could not be restored.
    pub missing: u64,
    /// When it was first begun.
    pub started_at: Timestamp,
    /// When it last moved.
    pub at: Timestamp,
}

impl Ledger {
    /// Begins a restore of `pass` to `place`, or goes on with the one that was cut off: then the
    /// position it reached comes back, if no other pass was begun there since. One that was done
    /// begins anew. For a
    /// [home](crate::ledger::Place::is_home) the workload is `restoring`.
    pub fn restore_begin(
        &self,
        workload: &WorkloadId,
        pass: PassNumber,
        place: &str,
        by: &str,
    ) -> Result<Restoration, LedgerError> {
        let now = self.now();
        self.write(|tx| {
            let started =
                Event::RestoreStarted { workload: workload.clone(), pass, place: place.into() };
            event::record(tx, &started, by, now)?;
            // What is written there now is of this pass: another that was cut off cannot skip it.
            tx.execute(
                "UPDATE restoration SET position = ?4
                 WHERE workload = ?1 AND place = ?3 AND pass <> ?2 AND state = 'writing'
                     AND position IS NOT NULL",
                params![workload.as_str(), pass.0, place, b"/"],
            )?;
            tx.execute(
                "INSERT INTO restoration (workload, pass, place, state, started_at, at)
                 VALUES (?1, ?2, ?3, 'writing', ?4, ?4)
                 ON CONFLICT (workload, pass, place) DO UPDATE SET
                     state = 'writing', missing = 0, whole = 0, at = ?4,
                     position = CASE state WHEN 'done' THEN NULL ELSE position END,
                     entries = CASE state WHEN 'done' THEN 0 ELSE entries END,
                     bytes = CASE state WHEN 'done' THEN 0 ELSE bytes END,
                     started_at = CASE state WHEN 'done' THEN ?4 ELSE started_at END",
                params![workload.as_str(), pass.0, place, rows::millisecond(now)],
            )?;
            load(tx, workload, pass, place)?.ok_or_else(|| missing(workload, pass, place))
        })
    }

    /// Keeps how far a restore is: everything before `position` is durable at its place.
    pub fn restore_progress(
        &self,
        workload: &WorkloadId,
        pass: PassNumber,
        place: &str,
        position: &[u8],
        entries: u64,
        bytes: Bytes,
    ) -> Result<(), LedgerError> {
        let changed = self.write(|tx| {
            let changed = tx
                .prepare_cached(
                    "UPDATE restoration SET position = ?4, entries = ?5, bytes = ?6, at = ?7
                     WHERE workload = ?1 AND pass = ?2 AND place = ?3 AND state = 'writing'",
                )?
                .execute(params![
                    workload.as_str(),
                    pass.0,
                    place,
                    position,
                    Count(entries),
                    Count(bytes.0),
                    rows::millisecond(self.now())
                ])?;
            Ok(changed)
        })?;
        if changed == 0 { Err(missing(workload, pass, place)) } else { Ok(()) }
    }

    /// Ends a restore; `missing_entries` could not be restored. With none missing, and for a home,
    /// the workload is `restored`.
    pub fn restore_done(
        &self,
        workload: &WorkloadId,
        pass: PassNumber,
        place: &str,
        missing_entries: u64,
        by: &str,
    ) -> Result<(), LedgerError> {
        let now = self.now();
        self.write(|tx| {
            let changed = tx.execute(
                "UPDATE restoration SET state = 'done', missing = ?4, at = ?5
                 WHERE workload = ?1 AND pass = ?2 AND place = ?3 AND state = 'writing'",
                params![
                    workload.as_str(),
                    pass.0,
                    place,
                    Count(missing_entries),
                    rows::millisecond(now)
                ],
            )?;
            if changed == 0 {
                return Err(missing(workload, pass, place));
            }
            let done = Event::RestoreDone {
                workload: workload.clone(),
                pass,
                place: place.into(),
                missing: missing_entries,
            };
            event::record(tx, &done, by, now)
        })
    }

    /// Says of a restore that is done that it was of everything, not of some paths.
    pub fn restored_whole(
        &self,
        workload: &WorkloadId,
        pass: PassNumber,
        place: &str,
    ) -> Result<(), LedgerError> {
        self.write(|tx| {
            tx.execute(
                "UPDATE restoration SET whole = 1
                 WHERE workload = ?1 AND pass = ?2 AND place = ?3 AND state = 'done'",
                params![workload.as_str(), pass.0, place],
            )?;
            Ok(())
        })
    }

    /// The pass that stands at `place`, if all of another than `pass` was restored there and
    /// nothing since.
    pub fn restored_before(
        &self,
        workload: &WorkloadId,
        pass: PassNumber,
        place: &str,
    ) -> Result<Option<PassNumber>, LedgerError> {
        self.read(|tx| {
            let latest = tx
                .prepare_cached(
                    "SELECT pass, state = 'done' AND whole, at FROM restoration
                     WHERE workload = ?1 AND pass <> ?2 AND place = ?3 ORDER BY at DESC LIMIT 1",
                )?
                .query_row(params![workload.as_str(), pass.0, place], |row| {
                    let at = rows::time(row.get(2)?);
                    Ok((PassNumber(row.get(0)?), row.get::<_, bool>(1)?, at))
                })
                .optional()?;
            // If this very pass was finished there later, it stands there, and not the other.
            let own = load(tx, workload, pass, place)?;
            let own_at = own.filter(|own| own.state == RestorationState::Done).map(|own| own.at);
            let stands = latest.filter(|(_, is_whole, at)| *is_whole && own_at < Some(*at));
            Ok(stands.map(|(pass, ..)| pass))
        })
    }

    /// How the restore of `pass` to `place` stands, if one was ever begun.
    pub fn restoration(
        &self,
        workload: &WorkloadId,
        pass: PassNumber,
        place: &str,
    ) -> Result<Option<Restoration>, LedgerError> {
        self.read(|tx| load(tx, workload, pass, place))
    }
}

fn missing(workload: &WorkloadId, pass: PassNumber, place: &str) -> LedgerError {
    LedgerError::NoRestoration { workload: workload.clone(), pass, place: place.to_owned() }
}

fn load(
    tx: &Transaction<'_>,
    workload: &WorkloadId,
    pass: PassNumber,
    place: &str,
) -> Result<Option<Restoration>, LedgerError> {
    let found = tx
        .prepare_cached(
            "SELECT * FROM restoration WHERE workload = ?1 AND pass = ?2 AND place = ?3",
        )?
        .query_row(params![workload.as_str(), pass.0, place], |row| {
            Ok(Restoration {
                workload: workload.clone(),
                pass,
                place: place.to_owned(),
                state: row.get::<_, Word<RestorationState>>("state")?.0,
                position: row.get("position")?,
                entries: row.get::<_, Count>("entries")?.0,
                bytes: Bytes(row.get::<_, Count>("bytes")?.0),
                missing: row.get::<_, Count>("missing")?.0,
                started_at: rows::time(row.get("started_at")?),
                at: rows::time(row.get("at")?),
            })
        })
        .optional()?;
    Ok(found)
}
