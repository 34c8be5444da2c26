//! `evac store mirror`: a second copy in another folder.

use std::path::Path;
use std::sync::Arc;

use crate::cli::Failure;
use crate::ledger::Ledger;
use crate::store::{Disk, LocalDisk, read_site};

/// Mirrors of this site that are there now.
pub fn twins(ledger: &Ledger) -> Result<Vec<Arc<dyn Disk>>, Failure> {
    let site = ledger.site()?;
    let mut twins: Vec<Arc<dyn Disk>> = Vec::new();
    for place in ledger.mirrors()? {
        // A folder that is gone would be made anew by opening it: its disk may not be mounted.
        if !Path::new(&place).is_dir() {
            continue;
        }
        let Ok(disk) = LocalDisk::open(Path::new(&place)) else { continue };
        if matches!(read_site(&disk), Ok(Some(of)) if of == site) {
            twins.push(Arc::new(disk));
        }
    }
    Ok(twins)
}
