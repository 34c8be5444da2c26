//! A ledger on a file system that turned read-only, as a disk's does that failed: nobody can write
//! it any more, and the log beside it cannot be read in place. People still have to look up where
//! everything stands, so it is read from a copy that is gone again at once.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::StatVfsMountFlags;

use crate::ledger::error::LedgerError;
use crate::ledger::{Ledger, StateLock};

/// Can nobody write to the file system of `ledger`, nor does somebody by another mount of it?
pub(super) fn is_stranded(ledger: &Path) -> bool {
    let Some(folder) = ledger.parent() else { return false };
    let flags = rustix::fs::statvfs(folder).map(|system| system.f_flag);
    flags.is_ok_and(|flags| flags.contains(StatVfsMountFlags::RDONLY))
        && StateLock::holder(folder).is_ok_and(|holder| holder.is_none())
}

/// Opens a copy.
pub(super) fn open(ledger: &Path) -> Result<Ledger, LedgerError> {
    let folder = private_folder()?;
    let opened = copy_to(ledger, &folder).and_then(|copy| Ledger::open_in_place(&copy));
    // What is open stays readable without its name.
    let _ = fs::remove_dir_all(&folder);
    opened
}

fn private_folder() -> Result<PathBuf, LedgerError> {
    let mut name = [0; 8];
    // Without randomness the name may be taken, which is an error like any other.
    let _ = getrandom::fill(&mut name);
    let name = format!("evac-ledger-{:016x}", u64::from_ne_bytes(name));
    let folder = std::env::temp_dir().join(name);
    let made = DirBuilder::new().mode(0o700).create(&folder);
    made.map_err(|error| LedgerError::io("make the folder", &folder, error))?;
    Ok(folder)
}

/// The ledger, and the log of what is not in it yet.
fn copy_to(ledger: &Path, folder: &Path) -> Result<PathBuf, LedgerError> {
    let copy = folder.join("ledger.db");
    for suffix in ["", "-wal"] {
        let [from, to] = [ledger, &copy].map(|path| {
            let mut path = path.as_os_str().to_owned();
            path.push(suffix);
            PathBuf::from(path)
        });
        if from.exists() {
            fs::copy(&from, &to).map_err(|error| LedgerError::io("copy", &from, error))?;
        }
    }
    Ok(copy)
}
