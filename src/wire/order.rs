//! What an agent is told to do.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::capture::{Cursor, Owners};
use crate::chunk::{Cutting, DomainKey};
use crate::model::{DiskKind, RunNumber, TreePath};

/// Capture one workload's trees.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CaptureOrder {
    /// What to read, at most [`PATHS_MAX`].
    pub paths: Vec<TreePath>,
    /// gitignore patterns over absolute source paths, at most [`PATHS_MAX`].
    pub exclude: Vec<String>,
    /// How to cut.
    pub cutting: Cutting,
    /// How to name chunks.
    pub key: DomainKey,
    /// How strongly frames may be compressed.
    pub levels: Levels,
    /// Number of the run; 0 is the walk.
    pub run: RunNumber,
    /// Where the walk goes on.
    pub cursor: Option<Cursor>,
    /// What its disk is, if somebody says so.
    pub disk: Option<DiskKind>,
    /// Folders never captured: those of agents and stores on that machine, as (device, inode).
    pub skip: Vec<(u64, u64)>,
    /// Read with one reader: others need the disks.
    pub is_gentle: bool,
    /// A read that gives nothing for so long is left behind.
    pub patience: Duration,
}

impl CaptureOrder {
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let many = self.paths.len().max(self.exclude.len()).max(self.skip.len());
        if many > PATHS_MAX {
            return Err("too many paths");
        }
        if self.patience.is_zero() {
            return Err("no patience");
        }
        self.levels.check()
    }
}

/// zstd levels to stay between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Levels {
    /// Where it begins, and goes no faster.
    pub floor: i32,
    /// No stronger.
    pub ceiling: i32,
}

impl Levels {
    /// The fastest that zstd has, and the strongest that an agent's memory allows.
    pub const ALL: Self = Self { floor: -100, ceiling: 15 };

    /// Is `level` one of zstd's that evac uses?
    pub fn holds(self, level: i32) -> bool {
        (self.floor..=self.ceiling).contains(&level)
    }

    pub(super) fn check(self) -> Result<(), &'static str> {
        let is_right = Self::ALL.holds(self.floor) && Self::ALL.holds(self.ceiling);
        if is_right && self.floor <= self.ceiling { Ok(()) } else { Err("impossible levels") }
    }
}

/// Most roots or patterns of one workload.
pub const PATHS_MAX: usize = 4_096;

/// Write trees beneath a root.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PlaceOrder {
    /// The folder on the target; it and what it needs is created.
    pub root: TreePath,
    /// What was captured, at most [`PATHS_MAX`]: the folders above only lead there.
    pub captured: Vec<TreePath>,
    /// Replace what is there and differs.
    pub overwrite: bool,
    /// An earlier try of ours wrote everything before this path, durably; what stands at or after
    /// it may be ours and half-written.
    pub resume: Option<TreePath>,
    /// Another pass was restored there before: only the difference comes, and what a person did
    /// there is left and listed.
    pub incremental: bool,
    /// Names of owners at the source, where owners are to go by name.
    pub owners: Option<Owners>,
}
