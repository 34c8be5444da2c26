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
    /// Names and listings that a failing disk or file system did not give.
    pub failing: u64,
    /// Roots that are not there.
    pub missing_roots: u64,
}

impl WalkTally {
    /// Adds what `other` counts; offers and records are counted where they are sent.
    pub fn count(&mut self, other: &Self) {
        self.opened_files += other.opened_files;
        self.read_bytes += other.read_bytes;
        self.vanished += other.vanished;
        self.gone += other.gone;
        self.failing += other.failing;
        self.missing_roots += other.missing_roots;
    }

    /// No tree has so many of anything that their sums could overflow.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let counts =
            [self.opened_files, self.vanished, self.gone, self.failing, self.missing_roots];
        let most = counts.into_iter().max().unwrap_or(0);
        if most > u64::from(u32::MAX) { Err("impossible counts") } else { Ok(()) }
    }
}
