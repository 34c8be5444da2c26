//! How receipts go in: in order, with what they add to their passes.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use rusqlite::{OptionalExtension, Transaction, params};

use crate::capture::Cursor;
use crate::capture::entry::WHY_BYTES_MAX;
use crate::ledger::error::LedgerError;
use crate::ledger::pass::{LEFT_OUT_MAX, LeftOut, Receipt};
use crate::ledger::rows::{self, Count, Json};
use crate::model::text::bounded;
use crate::model::{PassNumber, RunNumber, Tally, Timestamp, WorkloadId};

/// What is added to a pass while its receipts go in.
struct Sum {
    run: RunNumber,
    tally: Tally,
    left_out: u64,
}

/// Writes `receipts` and what they add to their passes.
pub(super) fn commit(
    tx: &Transaction<'_>,
    receipts: &[Receipt],
    at: Timestamp,
) -> Result<(), LedgerError> {
    let mut sums: BTreeMap<(&WorkloadId, PassNumber), Sum> = BTreeMap::new();
    for receipt in receipts {
        let key = (&receipt.workload, receipt.pass);
        let sum = match sums.entry(key) {
            Entry::Occupied(sum) => sum.into_mut(),
            Entry::Vacant(place) => place.insert(sum_of(tx, key)?),
        };
        insert(tx, receipt, sum.run, at)?;
        sum.run = receipt.run;
        sum.tally.add(&receipt.tally);
        sum.left_out += list_left_out(tx, receipt, sum.left_out)?;
    }
    for ((workload, pass), sum) in sums {
        tx.prepare_cached(
            "UPDATE pass SET run = ?3, tally = ?4, left_out = ?5
             WHERE workload = ?1 AND number = ?2",
        )?
        .execute(params![
            workload.as_str(),
            pass.0,
            sum.run.0,
            Json(sum.tally),
            Count(sum.left_out)
        ])?;
    }
    Ok(())
}

fn sum_of(
    tx: &Transaction<'_>,
    (workload, pass): (&WorkloadId, PassNumber),
) -> Result<Sum, LedgerError> {
    let sum = tx
        .prepare_cached(
            "SELECT run, tally, left_out FROM pass
             WHERE workload = ?1 AND number = ?2 AND sealed_at IS NULL",
        )?
        .query_row(params![workload.as_str(), pass.0], |row| {
            let tally = row.get::<_, Json<Tally>>(1)?.0;
            Ok(Sum { run: RunNumber(row.get(0)?), tally, left_out: row.get::<_, Count>(2)?.0 })
        })
        .optional()?;
    sum.ok_or_else(|| LedgerError::NotOpen { workload: workload.clone(), pass })
}

fn insert(
    tx: &Transaction<'_>,
    receipt: &Receipt,
    run: RunNumber,
    at: Timestamp,
) -> Result<(), LedgerError> {
    let refuse =
        |why| LedgerError::Receipt { workload: receipt.workload.clone(), pass: receipt.pass, why };
    if receipt.run < run {
        return Err(refuse(format!("run {} is over, run {run} was begun", receipt.run)));
    }
    let end = run_end(tx, &receipt.workload, receipt.pass, receipt.run)?;
    if receipt.segment != end.segments || receipt.manifest_end < end.manifest_end {
        return Err(refuse(format!(
            "segment {} up to byte {} of run {} does not follow {} segments up to byte {}",
            receipt.segment, receipt.manifest_end, receipt.run, end.segments, end.manifest_end
        )));
    }
    let cursor = postcard::to_stdvec(&receipt.cursor)
        .map_err(|error| refuse(format!("its cursor cannot be written: {error}")))?;
    tx.prepare_cached(
        "INSERT INTO receipt (workload, pass, run, segment, manifest_end, cursor, tally, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        receipt.workload.as_str(),
        receipt.pass.0,
        receipt.run.0,
        Count(receipt.segment),
        Count(receipt.manifest_end),
        cursor,
        Json(receipt.tally),
        rows::millisecond(at)
    ])?;
    Ok(())
}

fn list_left_out(
    tx: &Transaction<'_>,
    receipt: &Receipt,
    already: u64,
) -> Result<u64, LedgerError> {
    let room = LEFT_OUT_MAX.saturating_sub(already) as usize;
    let mut insert = tx.prepare_cached(
        "INSERT INTO left_out (workload, pass, path, why) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET why = ?4",
    )?;
    for LeftOut { path, why } in receipt.left_out.iter().take(room) {
        let why = bounded(why, WHY_BYTES_MAX);
        insert.execute(params![receipt.workload.as_str(), receipt.pass.0, path.as_bytes(), why])?;
    }
    Ok(receipt.left_out.len() as u64)
}

/// Where the receipts of a run end.
pub(super) struct RunEnd {
    pub segments: u64,
    pub manifest_end: u64,
    pub cursor: Option<Cursor>,
}

pub(super) fn run_end(
    tx: &Transaction<'_>,
    workload: &WorkloadId,
    pass: PassNumber,
    run: RunNumber,
) -> Result<RunEnd, LedgerError> {
    let mut statement = tx.prepare_cached(
        "SELECT segment, manifest_end, cursor FROM receipt
         WHERE workload = ?1 AND pass = ?2 AND run = ?3 ORDER BY segment DESC LIMIT 1",
    )?;
    let mut found = statement.query(params![workload.as_str(), pass.0, run.0])?;
    let Some(row) = found.next()? else {
        return Ok(RunEnd { segments: 0, manifest_end: 0, cursor: None });
    };
    let cursor = row.get::<_, Option<Vec<u8>>>(2)?;
    let cursor = cursor.map(|bytes| postcard::from_bytes(&bytes)).transpose();
    Ok(RunEnd {
        segments: row.get::<_, Count>(0)?.0 + 1,
        manifest_end: row.get::<_, Count>(1)?.0,
        cursor: cursor
            .map_err(|error| LedgerError::damaged(format!("a cursor of {workload}: {error}")))?,
    })
}
