//! What checks asked of a workload's new place, and of its source, and what was answered.
//!
//! **Promises.** Every answer is kept: what was asked, what came, when, how long it took. Equal
//! answers in a row are one row with the first time, the last, and how many; so a night of beats
//! stays small, and every change can be found. What was answered is bounded and printable.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};

use crate::ledger::Ledger;
use crate::ledger::error::LedgerError;
use crate::ledger::look::among;
use crate::ledger::rows::{self, Count, Word};
use crate::model::text::bounded;
use crate::model::{Timestamp, WorkloadId};

/// Longest question that is kept.
const ASKED_CHARS_MAX: usize = 400;
/// Longest answer that is kept.
const SAID_CHARS_MAX: usize = 300;

/// Of whom it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The new place.
    New,
    /// The machine it was taken from, while that lives.
    Source,
}

/// What an answer is worth. Only one of them passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it shall be.
    Passed,
    /// An answer, but not that one.
    Failed,
    /// None in time.
    TimedOut,
    /// Nobody can say.
    Unknown,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answered {
    /// The check, in its own words.
    pub asked: String,
    /// What the answer is worth.
    pub outcome: Outcome,
    /// What was answered.
    pub said: String,
    /// When.
    pub at: Timestamp,
    /// How long it took.
    pub took_ms: u64,
}

/// Equal answers in a row, of which this is the newest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The newest.
    pub answer: Answered,
    /// When the first of them came.
    pub since: Timestamp,
    /// How many they are.
    pub times: u64,
    /// How many in a row did not pass, whatever they were.
    pub misses: u64,
    /// Did it pass even once, at any time?
    pub ever_passed: bool,
}

/// Somebody lets a workload without checks pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unchecked {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

impl Ledger {
    /// Keeps the answers to one round of questions.
    pub fn note_answers(
        &self,
        workload: &WorkloadId,
        side: Side,
        answers: &[Answered],
    ) -> Result<(), LedgerError> {
        self.write(|tx| answers.iter().try_for_each(|answer| note(tx, workload, side, answer)))
    }

    /// The newest answer to each question that was ever asked.
    pub fn evidence(
        &self,
        workload: &WorkloadId,
        side: Side,
    ) -> Result<Vec<Evidence>, LedgerError> {
        self.read(|tx| {
            let mut statement = tx.prepare_cached(
                "SELECT *, max(id), sum(outcome = 'passed') > 0 AS ever FROM evidence
                 WHERE workload = ?1 AND side = ?2 GROUP BY asked",
            )?;
            let found = statement.query_map(params![workload.as_str(), Word(side)], of_row)?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }

    /// Lets `workload` pass without checks, by name.
    pub fn let_unchecked(
        &self,
        workload: &WorkloadId,
        reason: &str,
        by: &str,
    ) -> Result<(), LedgerError> {
        let now = self.now();
        self.write(|tx| {
            tx.execute(
                "INSERT INTO unchecked (workload, at, by, reason) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (workload) DO UPDATE SET at = ?2, by = ?3, reason = ?4",
                params![
                    workload.as_str(),
                    rows::millisecond(now),
                    bounded(by, ASKED_CHARS_MAX),
                    bounded(reason, SAID_CHARS_MAX)
                ],
            )?;
            Ok(())
        })
    }

    /// Who lets `workload` pass without checks, if anybody does.
    pub fn unchecked(&self, workload: &WorkloadId) -> Result<Option<Unchecked>, LedgerError> {
        self.read(|tx| {
            let found = tx
                .prepare_cached("SELECT at, by, reason FROM unchecked WHERE workload = ?1")?
                .query_row([workload.as_str()], |row| {
                    let at = rows::time(row.get(0)?);
                    Ok(Unchecked { at, by: row.get(1)?, reason: row.get(2)? })
                })
                .optional()?;
            Ok(found)
        })
    }

    /// Where anything of each workload was ever written, as places are named.
    pub fn places_written(&self) -> Result<Vec<(WorkloadId, String)>, LedgerError> {
        self.read(|tx| {
            let mut statement =
                tx.prepare_cached("SELECT DISTINCT workload, place FROM restoration")?;
            let found = statement
                .query_map([], |row| Ok((row.get::<_, Word<WorkloadId>>(0)?.0, row.get(1)?)))?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }
}

/// When each workload's new place was last asked.
pub(super) fn last_asked(
    tx: &Transaction<'_>,
    list: Option<&str>,
) -> Result<BTreeMap<WorkloadId, Timestamp>, LedgerError> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT workload, max(at) FROM evidence WHERE side = 'new' AND {} GROUP BY workload",
        among("workload", list)
    ))?;
    let found = statement.query_map([list], |row| {
        Ok((row.get::<_, Word<WorkloadId>>(0)?.0, rows::time(row.get(1)?)))
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

fn note(
    tx: &Transaction<'_>,
    workload: &WorkloadId,
    side: Side,
    answer: &Answered,
) -> Result<(), LedgerError> {
    let asked = bounded(&answer.asked, ASKED_CHARS_MAX);
    let said = bounded(&answer.said, SAID_CHARS_MAX);
    let before = tx
        .prepare_cached(
            "SELECT id, outcome, said, misses FROM evidence
             WHERE workload = ?1 AND side = ?2 AND asked = ?3 ORDER BY id DESC LIMIT 1",
        )?
        .query_row(params![workload.as_str(), Word(side), asked], |row| {
            let (id, outcome): (i64, Word<Outcome>) = (row.get(0)?, row.get(1)?);
            Ok((id, outcome.0, row.get::<_, String>(2)?, row.get::<_, Count>(3)?.0))
        })
        .optional()?;
    let missed = before.as_ref().map_or(0, |(.., misses)| *misses);
    let misses = if answer.outcome == Outcome::Passed { 0 } else { missed + 1 };
    let (at, took_ms) = (rows::millisecond(answer.at), Count(answer.took_ms));
    if let Some((id, outcome, before, _)) = before
        && outcome == answer.outcome
        && before == said
    {
        tx.prepare_cached(
            "UPDATE evidence SET at = ?2, took_ms = ?3, times = times + 1, misses = ?4
             WHERE id = ?1",
        )?
        .execute(params![id, at, took_ms, Count(misses)])?;
        return Ok(());
    }
    tx.prepare_cached(
        "INSERT INTO evidence
             (workload, side, asked, outcome, said, since, at, took_ms, times, misses)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, 1, ?8)",
    )?
    .execute(params![
        workload.as_str(),
        Word(side),
        asked,
        Word(answer.outcome),
        said,
        at,
        took_ms,
        Count(misses)
    ])?;
    Ok(())
}

fn of_row(row: &Row<'_>) -> rusqlite::Result<Evidence> {
    Ok(Evidence {
        answer: Answered {
            asked: row.get("asked")?,
            outcome: row.get::<_, Word<Outcome>>("outcome")?.0,
            said: row.get("said")?,
            at: rows::time(row.get("at")?),
            took_ms: row.get::<_, Count>("took_ms")?.0,
        },
        since: rows::time(row.get("since")?),
        times: row.get::<_, Count>("times")?.0,
        misses: row.get::<_, Count>("misses")?.0,
        ever_passed: row.get("ever")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_answers_are_one_row_and_misses_are_counted_across_rows() {
        let (ledger, workload) = (Ledger::in_memory().unwrap(), WorkloadId::new("w").unwrap());
        let ask = |second, outcome, said: &str| {
            let (asked, at) = ("tcp x:25".to_owned(), Timestamp::from_second(second));
            let answer = Answered { asked, outcome, said: said.to_owned(), at, took_ms: 5 };
            ledger.note_answers(&workload, Side::New, &[answer]).unwrap();
            let found = ledger.evidence(&workload, Side::New).unwrap();
            assert_eq!(found.len(), 1);
            (found[0].times, found[0].misses, found[0].since.as_second())
        };
        assert_eq!(ask(1, Outcome::Passed, "open"), (1, 0, 1));
        assert_eq!(ask(2, Outcome::Passed, "open"), (2, 0, 1));
        assert_eq!(ask(3, Outcome::Failed, "refused"), (1, 1, 3));
        assert_eq!(ask(4, Outcome::TimedOut, "nothing"), (1, 2, 4));
        assert_eq!(ask(5, Outcome::Passed, "open\x1b[2J"), (1, 0, 5));
        assert_eq!(ledger.evidence(&workload, Side::Source).unwrap(), []);
        let kept: i64 = ledger
            .read(|tx| Ok(tx.query_row("SELECT count(*) FROM evidence", [], |row| row.get(0))?))
            .unwrap();
        assert_eq!(kept, 4);
        let said = ledger.evidence(&workload, Side::New).unwrap().remove(0).answer.said;
        assert_eq!(said, "open\u{fffd}[2J");
    }
}
