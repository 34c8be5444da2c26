//! A ledger made anew from what the store's manifests say (promise 10).
//!
//! The caller reads the manifests; this writes the same rows and events that a run would have
//! written, and marks the ledger as unconfirmed: what was known besides manifests (holds, notes,
//! restores) is gone, so nothing is activated or pushed until somebody has looked.

use crate::ledger::error::LedgerError;
use crate::ledger::pass::{self, PassDescription, Receipt};
use crate::ledger::snapshot::Consistency;
use crate::ledger::{Ledger, event, receipt};
use crate::model::{Event, PassNumber, Reason, RunNumber, SiteId, Tally, Timestamp};

/// Written as the author of events that a rebuild makes up.
const BY: &str = "ledger rebuild";

/// A pass as manifests describe it.
#[derive(Debug, Clone, PartialEq)]
pub struct RebuiltPass {
    /// What it is about.
    pub description: PassDescription,
    /// Which; for one workload they come in rising order.
    pub number: PassNumber,
    /// When it was begun.
    pub started_at: Timestamp,
    /// `None`: it was never sealed, and can be gone on with.
    pub sealed: Option<Sealing>,
    /// Why it is not to be used, if it was set aside.
    pub set_aside: Option<String>,
    /// The newest run of which there is a file, whether or not a segment of it is proven: the next
    /// one must have a number of its own.
    pub run: RunNumber,
    /// Its segments, in order; of a sealed pass, whole runs.
    pub receipts: Vec<Receipt>,
}

/// What sealing wrote.
#[derive(Debug, Clone, PartialEq)]
pub struct Sealing {
    /// When.
    pub at: Timestamp,
    /// What the pass counts.
    pub tally: Tally,
    /// What can be said of it.
    pub consistency: Consistency,
}

impl Ledger {
    /// Fills an empty ledger, all or nothing; says how many passes it took. `site` is the id that
    /// the manifests carry.
    pub fn rebuild_from(
        &self,
        site: Option<SiteId>,
        passes: impl IntoIterator<Item = RebuiltPass>,
    ) -> Result<u64, LedgerError> {
        self.write(|tx| {
            let is_used: bool = tx.query_row(
                "SELECT EXISTS (SELECT 1 FROM event) OR EXISTS (SELECT 1 FROM pass)",
                [],
                |row| row.get(0),
            )?;
            if is_used {
                return Err(LedgerError::NotEmpty { path: std::path::PathBuf::new() });
            }
            tx.execute("UPDATE meta SET unconfirmed = 1", [])?;
            if let Some(site) = site {
                tx.execute("UPDATE meta SET site = ?1", [site.as_bytes()])?;
            }
            let mut count = 0;
            for rebuilt in passes {
                take(tx, &rebuilt)?;
                count += 1;
            }
            Ok(count)
        })
    }

    /// May anything be activated or pushed? Not after a rebuild until somebody confirmed it.
    pub fn is_confirmed(&self) -> Result<bool, LedgerError> {
        self.read(|tx| Ok(tx.query_row("SELECT NOT unconfirmed FROM meta", [], |row| row.get(0))?))
    }

    /// Somebody has looked at a rebuilt ledger and stands by it.
    pub fn confirm(&self, by: &str) -> Result<(), LedgerError> {
        let now = self.now();
        self.write(|tx| {
            if tx.execute("UPDATE meta SET unconfirmed = 0 WHERE unconfirmed", [])? == 0 {
                return Ok(());
            }
            let noted = Event::Noted {
                what: "ledger".into(),
                text: "the rebuilt ledger is confirmed".into(),
                by: by.into(),
            };
            event::record(tx, &noted, by, now)
        })
    }
}

fn take(tx: &rusqlite::Transaction<'_>, rebuilt: &RebuiltPass) -> Result<(), LedgerError> {
    let RebuiltPass { description, number, started_at, sealed, set_aside, run, receipts } = rebuilt;
    pass::begin(tx, description, *number, *started_at, BY)?;
    receipt::commit(tx, receipts, *started_at)?;
    let workload = &description.workload;
    if *run > RunNumber(0) {
        let began = Event::RunBegan { workload: workload.clone(), pass: *number, run: *run };
        event::record(tx, &began, BY, *started_at)?;
    }
    if let Some(Sealing { at, tally, consistency }) = sealed {
        return pass::seal(tx, workload, *number, tally, *consistency, *at, BY);
    }
    if let Some(why) = set_aside {
        let (workload, reason) = (workload.clone(), Reason::SetAside);
        let detail = format!("pass {number} is set aside: {why}");
        let failed = Event::CaptureFailed { workload, reason, detail };
        return event::record(tx, &failed, BY, *started_at);
    }
    let stopped = Event::CaptureStopped {
        workload: workload.clone(),
        reason: Reason::Stopped,
        detail: "read back from manifests".into(),
    };
    event::record(tx, &stopped, BY, *started_at)
}
