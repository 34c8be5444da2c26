//! What an agent counts while it walks.

use serde::{Deserialize, Serialize};

/// Counts of one run, as the agent made them; the landing site compares and sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WalkTally {
    /// Offers sent in this run since the session's `Capture` or `Sweep`.
    pub offers: u64,
    /// Records in them.
    pub records: u64,
    /// Files opened.
    pub opened_files: u64,
    /// Bytes read.
    pub read_bytes: u64,
    /// Names that were gone when looked at.
    pub vanished: u64,
    /// Entries of the base that are gone (sweeps only).
    pub gone: u64,
}

impl WalkTally {
    /// No tree has so many of anything that their sums could overflow.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let most = self.opened_files.max(self.vanished).max(self.gone);
        if most > u64::from(u32::MAX) { Err("impossible counts") } else { Ok(()) }
    }
}
