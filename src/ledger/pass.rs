//! Passes and their receipts.
//!
//! **Receipts.** Segments of a run are numbered from 0 without a gap, and each ends further into
//! the run's manifest than the one before. A receipt that does not follow is refused: it would
//! hide that one was lost. Runs only rise; a pass that is sealed takes none.

use rusqlite::{OptionalExtension, Row, Transaction, params};

use crate::capture::Cursor;
use crate::ledger::error::LedgerError;
use crate::ledger::rows::{self, Count, Json, Word};
use crate::ledger::snapshot::Consistency;
use crate::ledger::{Ledger, event, host, receipt};
use crate::model::{
    CustomerId, Domain, Event, HostId, PassNumber, RunNumber, Tally, Timestamp, TreePath,
    WorkloadId,
};

/// Most paths listed as left out for one pass; the rest is counted.
pub const LEFT_OUT_MAX: u64 = 1_000;

/// What a new pass is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassDescription {
    /// Which workload.
    pub workload: WorkloadId,
    /// Whose.
    pub customer: CustomerId,
    /// Where from.
    pub host: HostId,
    /// Who may share its chunks.
    pub domain: Domain,
    /// Parameters of the chunker, as it writes them.
    pub cutting: Vec<u8>,
}

/// A durable segment: packs, index and manifest are on disk when this is made.
#[derive(Debug, Clone, PartialEq)]
pub struct Receipt {
    /// Whose.
    pub workload: WorkloadId,
    /// Of which pass.
    pub pass: PassNumber,
    /// Of which run of the pass.
    pub run: RunNumber,
    /// From 0 within the run, without a gap.
    pub segment: u64,
    /// Where the segment ends in the run's manifest, bytes.
    pub manifest_end: u64,
    /// Where capture goes on after it.
    pub cursor: Cursor,
    /// What this segment counts.
    pub tally: Tally,
    /// What this segment says was not taken.
    pub left_out: Vec<LeftOut>,
}

/// Something that was not taken, or not whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Which.
    pub path: TreePath,
    /// Why.
    pub why: String,
}

/// What was left out of a pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeftOutList {
    /// In the order of paths; at most [`LEFT_OUT_MAX`].
    pub listed: Vec<LeftOut>,
    /// How many there are altogether.
    pub count: u64,
}

/// A pass that is not sealed: where it goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenPass {
    /// Which.
    pub number: PassNumber,
    /// Who may share its chunks.
    pub domain: Domain,
    /// Parameters of the chunker; it goes on with the same.
    pub cutting: Vec<u8>,
    /// The run that is under way.
    pub run: RunNumber,
    /// Where that run goes on; `None` at its beginning.
    pub cursor: Option<Cursor>,
    /// Segments of that run that are durable: the number of the next one.
    pub segments: u64,
    /// Where that run's manifest ends; what lies behind it was never confirmed.
    pub manifest_end: u64,
    /// What all its receipts count.
    pub tally: Tally,
}

/// A pass.
#[derive(Debug, Clone, PartialEq)]
pub struct Pass {
    /// Which.
    pub number: PassNumber,
    /// Who may share its chunks.
    pub domain: Domain,
    /// Parameters of the chunker.
    pub cutting: Vec<u8>,
    /// When it was begun.
    pub started_at: Timestamp,
    /// The newest run that was begun.
    pub run: RunNumber,
    /// What it counts.
    pub tally: Tally,
    /// When it was sealed.
    pub sealed_at: Option<Timestamp>,
    /// What can be said of it, once sealed.
    pub consistency: Option<Consistency>,
    /// When all of it was last read back and matched; empty after damage was found.
    pub verified_at: Option<Timestamp>,
    /// Damaged chunks that the latest verification found.
    pub bad_chunks: u64,
    /// Entries left out.
    pub left_out: u64,
}

/// From when to when a pass was under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassSpan {
    /// Of which workload.
    pub workload: WorkloadId,
    /// Where it is.
    pub host: HostId,
    /// When it was begun.
    pub started_at: Timestamp,
    /// When it was sealed; `None`: it is not.
    pub sealed_at: Option<Timestamp>,
}

impl Ledger {
    /// Begins a new pass: it has the next number, and the workload is `capturing`. `stored` is the
    /// newest of which there is a file, if any: a rebuilt ledger may not know it.
    pub fn begin_pass(
        &self,
        description: &PassDescription,
        stored: Option<PassNumber>,
        by: &str,
    ) -> Result<PassNumber, LedgerError> {
        let now = self.now();
        self.write(|tx| {
            let newest =
                event::load(tx, &description.workload)?.pass.max(stored).unwrap_or_default();
            let number = PassNumber(newest.0 + 1);
            begin(tx, description, number, now, by)?;
            Ok(number)
        })
    }

    /// The newest pass of `workload`, if it is not sealed: what a resumed run goes on with.
    pub fn open_pass(&self, workload: &WorkloadId) -> Result<Option<OpenPass>, LedgerError> {
        self.read(|tx| {
            let Some(pass) = passes(tx, workload)?.pop().filter(|pass| pass.sealed_at.is_none())
            else {
                return Ok(None);
            };
            let end = receipt::run_end(tx, workload, pass.number, pass.run)?;
            Ok(Some(OpenPass {
                number: pass.number,
                domain: pass.domain,
                cutting: pass.cutting,
                run: pass.run,
                cursor: end.cursor,
                segments: end.segments,
                manifest_end: end.manifest_end,
                tally: pass.tally,
            }))
        })
    }

    /// Writes all receipts of one group commit, or none of them. Durable when it returns.
    pub fn commit_receipts(&self, receipts: &[Receipt]) -> Result<(), LedgerError> {
        let now = self.now();
        self.write(|tx| receipt::commit(tx, receipts, now))
    }

    /// Seals a pass: the closing sweep is done and both sides count the same. The workload is
    /// `captured`.
    pub fn seal(
        &self,
        workload: &WorkloadId,
        pass: PassNumber,
        tally: &Tally,
        consistency: Consistency,
        by: &str,
    ) -> Result<(), LedgerError> {
        let now = self.now();
        self.write(|tx| seal(tx, workload, pass, tally, consistency, now, by))
    }

    /// All passes of `workload`, oldest first.
    pub fn passes(&self, workload: &WorkloadId) -> Result<Vec<Pass>, LedgerError> {
        self.read(|tx| passes(tx, workload))
    }

    /// How far each run of a pass reaches in its manifest, as its latest receipt has it.
    pub fn run_ends(
        &self,
        workload: &WorkloadId,
        pass: PassNumber,
    ) -> Result<Vec<(RunNumber, u64)>, LedgerError> {
        self.read(|tx| {
            let mut statement = tx.prepare_cached(
                "SELECT run, max(manifest_end) FROM receipt WHERE workload = ?1 AND pass = ?2
                 GROUP BY run ORDER BY run",
            )?;
            let ends = statement.query_map(params![workload.as_str(), pass.0], |row| {
                Ok((RunNumber(row.get(0)?), row.get::<_, Count>(1)?.0))
            })?;
            Ok(ends.collect::<Result<_, _>>()?)
        })
    }

    /// When each pass was begun and sealed, and where from, in the order they were begun.
    pub fn pass_spans(&self) -> Result<Vec<PassSpan>, LedgerError> {
        self.read(|tx| {
            let mut statement = tx.prepare_cached(
                "SELECT pass.workload, workload.host, pass.started_at, pass.sealed_at
                 FROM pass JOIN workload ON workload.id = pass.workload
                 WHERE workload.host IS NOT NULL ORDER BY pass.started_at",
            )?;
            let spans = statement.query_map([], |row| {
                Ok(PassSpan {
                    workload: row.get::<_, Word<_>>(0)?.0,
                    host: row.get::<_, Word<_>>(1)?.0,
                    started_at: rows::time(row.get(2)?),
                    sealed_at: row.get::<_, Option<i64>>(3)?.map(rows::time),
                })
            })?;
            Ok(spans.collect::<Result<_, _>>()?)
        })
    }

    /// Does it say of anything at all that it is stored?
    pub fn has_receipts(&self) -> Result<bool, LedgerError> {
        self.read(|tx| {
            Ok(tx.query_row("SELECT EXISTS (SELECT 1 FROM receipt)", [], |row| row.get(0))?)
        })
    }

    /// What was left out of a pass.
    pub fn left_out(
        &self,
        workload: &WorkloadId,
        pass: PassNumber,
    ) -> Result<LeftOutList, LedgerError> {
        self.read(|tx| {
            let key = params![workload.as_str(), pass.0];
            let count = tx
                .prepare_cached("SELECT left_out FROM pass WHERE workload = ?1 AND number = ?2")?
                .query_row(key, |row| Ok(row.get::<_, Count>(0)?.0))
                .optional()?;
            let mut statement = tx.prepare_cached(
                "SELECT path, why FROM left_out WHERE workload = ?1 AND pass = ?2",
            )?;
            let mut found = statement.query(key)?;
            let mut listed = Vec::new();
            while let Some(row) = found.next()? {
                let path = TreePath::new(row.get::<_, Vec<u8>>(0)?)
                    .map_err(|error| LedgerError::damaged(error.to_string()))?;
                listed.push(LeftOut { path, why: row.get(1)? });
            }
            listed.sort_by(|a, b| a.path.cmp(&b.path));
            Ok(LeftOutList { listed, count: count.unwrap_or(0) })
        })
    }
}

pub(super) fn begin(
    tx: &Transaction<'_>,
    description: &PassDescription,
    number: PassNumber,
    at: Timestamp,
    by: &str,
) -> Result<(), LedgerError> {
    let PassDescription { workload, customer, host, domain, cutting } = description;
    host::ensure(tx, host)?;
    let started = Event::CaptureStarted {
        host: host.clone(),
        workload: workload.clone(),
        pass: number,
        resumed: false,
    };
    event::record(tx, &started, by, at)?;
    tx.execute(
        "UPDATE workload SET customer = ?2 WHERE id = ?1",
        params![workload.as_str(), customer.as_str()],
    )?;
    tx.execute(
        "INSERT INTO pass (workload, number, domain, cutting, started_at, tally)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            workload.as_str(),
            number.0,
            domain.as_bytes(),
            cutting,
            rows::millisecond(at),
            Json(Tally::default())
        ],
    )?;
    Ok(())
}

pub(super) fn seal(
    tx: &Transaction<'_>,
    workload: &WorkloadId,
    pass: PassNumber,
    tally: &Tally,
    consistency: Consistency,
    at: Timestamp,
    by: &str,
) -> Result<(), LedgerError> {
    let changed = tx.execute(
        "UPDATE pass SET sealed_at = ?3, tally = ?4, consistency = ?5
         WHERE workload = ?1 AND number = ?2 AND sealed_at IS NULL",
        params![workload.as_str(), pass.0, rows::millisecond(at), Json(tally), Word(consistency)],
    )?;
    if changed == 0 {
        return Err(LedgerError::NotOpen { workload: workload.clone(), pass });
    }
    // Cursors are long and only serve resume.
    tx.execute(
        "UPDATE receipt SET cursor = NULL WHERE workload = ?1 AND pass = ?2",
        params![workload.as_str(), pass.0],
    )?;
    let sealed = Event::CaptureSealed { workload: workload.clone(), pass, tally: *tally };
    event::record(tx, &sealed, by, at)
}

fn passes(tx: &Transaction<'_>, workload: &WorkloadId) -> Result<Vec<Pass>, LedgerError> {
    let mut statement =
        tx.prepare_cached("SELECT * FROM pass WHERE workload = ?1 ORDER BY number")?;
    let mut found = statement.query([workload.as_str()])?;
    let mut passes = Vec::new();
    while let Some(row) = found.next()? {
        passes.push(pass_of(row)?);
    }
    Ok(passes)
}

pub(super) fn pass_of(row: &Row<'_>) -> Result<Pass, LedgerError> {
    Ok(Pass {
        number: PassNumber(row.get("number")?),
        domain: Domain(row.get("domain")?),
        cutting: row.get("cutting")?,
        started_at: rows::time(row.get("started_at")?),
        run: RunNumber(row.get("run")?),
        tally: row.get::<_, Json<Tally>>("tally")?.0,
        sealed_at: rows::time_or_none(row, "sealed_at")?,
        consistency: rows::word_or_none(row, "consistency")?,
        verified_at: rows::time_or_none(row, "verified_at")?,
        bad_chunks: row.get::<_, Count>("bad_chunks")?.0,
        left_out: row.get::<_, Count>("left_out")?.0,
    })
}
