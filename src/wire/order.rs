//! What an agent is told to do.

use serde::{Deserialize, Serialize};

use crate::capture::Cursor;
use crate::chunk::{Cutting, DomainKey};
use crate::model::{RunNumber, TreePath};

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
    /// zstd level of frames.
    pub level: i32,
    /// Number of the run; 0 is the walk.
    pub run: RunNumber,
    /// Where the walk goes on.
    pub cursor: Option<Cursor>,
    /// Folders never captured: those of agents and stores on that machine, as (device, inode).
    pub skip: Vec<(u64, u64)>,
}

/// Most roots or patterns of one workload.
pub const PATHS_MAX: usize = 4_096;

/// Write trees beneath a root.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PlaceOrder {
    /// The folder on the target; it and what it needs is created.
    pub root: TreePath,
    /// Replace what is there and differs.
    pub overwrite: bool,
    /// An earlier try of ours wrote everything before this path, durably; what stands at or after
    /// it may be ours and half-written.
    pub resume: Option<TreePath>,
}
