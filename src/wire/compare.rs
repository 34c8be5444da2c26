//! Samples of what was taken, to be hashed again where they came from.
//!
//! **Bounds.** An order names at most [`FILES_MAX`] files of at most [`PIECES_MAX`] pieces each,
//! and its answer has one [`Verdict`] for every file, in the same order.

use serde::{Deserialize, Serialize};

use crate::capture::Fingerprint;
use crate::capture::entry::CHUNK_BYTES_MAX;
use crate::chunk::DomainKey;
use crate::model::{ChunkId, TreePath};

/// Most files of one order.
pub const FILES_MAX: usize = 256;
/// Most pieces of one file; of a larger one, that many are looked at.
pub const PIECES_MAX: usize = 64;

/// Hash these pieces of files.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CompareOrder {
    /// How to name pieces.
    pub key: DomainKey,
    /// Which files.
    pub files: Vec<CompareFile>,
}

/// A file as it was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompareFile {
    /// Which.
    pub path: TreePath,
    /// How it looked.
    pub fingerprint: Fingerprint,
    /// Pieces of it: where, how long, which.
    pub pieces: Vec<(u64, u32, ChunkId)>,
}

/// What became of a file since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// It looks the same, and its pieces are what was taken.
    Same,
    /// It looks different now: it was changed, and so may its content be.
    Changed,
    /// It is not there any more.
    Gone,
    /// It looks the same, and the piece at this offset is not what was taken.
    Wrong(u64),
    /// It cannot be read.
    Unreadable,
}

impl CompareOrder {
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let fits = |file: &CompareFile| {
            let lengths = 1..=CHUNK_BYTES_MAX;
            file.pieces.len() <= PIECES_MAX
                && file.pieces.iter().all(|(_, length, _)| lengths.contains(length))
        };
        let is_fit = self.files.len() <= FILES_MAX && self.files.iter().all(fits);
        if is_fit { Ok(()) } else { Err("too much to compare at once") }
    }
}
