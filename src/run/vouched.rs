//! A pass as its receipts have it, and what a crash, or an older ledger, leaves beside them.
//!
//! **Invariants.**
//! - A run that goes on reads of a pass what receipts vouch for, and nothing else: a segment that
//!   was written and never confirmed may be gone tomorrow.
//! - A pass that is sealed on the disk and of which the ledger knows less is left alone: the ledger
//!   is a copy from earlier, and the disk may hold what exists nowhere else any more.

use std::sync::Arc;

use crate::ledger::Ledger;
use crate::run::shelf::ShelfError;
use crate::store::{Disk, ManifestError, Pass, PassName, RunEnd, unseal_pass};

/// How far receipts reach in each run of a pass.
pub fn ends(ledger: &Ledger, name: &PassName) -> Result<Vec<RunEnd>, ShelfError> {
    let end = |(run, end_bytes)| RunEnd { run, end_bytes };
    Ok(ledger.run_ends(&name.workload, name.pass)?.into_iter().map(end).collect())
}

/// A pass as far as its receipts reach.
pub fn open(disk: &Arc<dyn Disk>, ledger: &Ledger, name: &PassName) -> Result<Pass, ShelfError> {
    let mut pass = Pass::open(disk, name)?;
    pass.limit(&ends(ledger, name)?);
    Ok(pass)
}

/// Takes the seal off a pass whose sealing did not reach the ledger. `false`: the disk has more of
/// this pass than a crash explains, so it is not to be touched.
pub fn reopen(disk: &Arc<dyn Disk>, ledger: &Ledger, name: &PassName) -> Result<bool, ShelfError> {
    let pass = match Pass::open(disk, name) {
        Ok(pass) => pass,
        Err(ManifestError::Disk(error)) if error.kind == crate::store::DiskErrorKind::NotFound => {
            return Ok(true);
        }
        Err(error) => return Err(error.into()),
    };
    match pass.seal() {
        Some(seal) if seal.runs != ends(ledger, name)? => Ok(false),
        Some(_) => {
            unseal_pass(&**disk, name)?;
            Ok(true)
        }
        // What an unsealed pass has beyond its receipts is not read.
        None => Ok(true),
    }
}
