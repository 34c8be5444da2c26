//! A ledger without its store, or a store without its ledger: the rest of a loss, or a disk that is
//! not mounted. Neither is a beginning, so nothing is begun in the place of what is missing.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::failure::{Failure, shown};
use crate::ledger::Ledger;

use super::is_there;

/// Is there a ledger? A file of no bytes is what a full disk or a slip of the hand left of one.
pub(in crate::cli) fn has_ledger(ledger: &Path) -> Result<bool, Failure> {
    let is_empty = || fs::metadata(ledger).is_ok_and(|found| found.is_file() && found.len() == 0);
    Ok(is_there(ledger)? && !is_empty())
}

/// Packs without a ledger: a new one would claim that nothing was ever done.
pub(super) fn refuse_lost_ledger(ledger: &Path, store: &Path) -> Result<(), Failure> {
    if has_ledger(ledger)? || is_bare(&store.join("packs")) {
        return Ok(());
    }
    let found = if is_there(ledger)? { "empty" } else { "missing" };
    let what = format!("{} is {found}, and the store holds data", shown(ledger));
    let hint = "Put a backup of it there, or `evac ledger rebuild` makes one from the store.";
    Err(Failure::refused(what).hint(hint))
}

/// Receipts without a store: a new one would fill whatever disk lies under the mount point, and
/// everything would be fetched once more.
pub(super) fn refuse_lost_store(ledger: &Ledger, store: &Path) -> Result<(), Failure> {
    let traces = ["site", "packs", "manifests"].map(|name| store.join(name));
    if traces.iter().any(|trace| !is_bare(trace)) || !ledger.has_receipts()? {
        return Ok(());
    }
    let what = format!("nothing is stored in {}, and the ledger has receipts", shown(store));
    Err(Failure::refused(what).hint(format!(
        "Mount its disk or put it back; if it is lost for good, move {} away and everything is \
         taken anew.",
        shown(&ledger_beside(store))
    )))
}

fn ledger_beside(store: &Path) -> PathBuf {
    store.with_file_name(super::LEDGER_FILE)
}

/// Is there nothing, or a folder with nothing in it?
fn is_bare(path: &Path) -> bool {
    match fs::read_dir(path) {
        Ok(mut names) => names.next().is_none(),
        Err(_) => !path.exists(),
    }
}
