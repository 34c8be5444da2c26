//! Why the shelf cannot do what it should, and whom that concerns.

use crate::ledger::LedgerError;
use crate::model::{PassNumber, Reason, WorkloadId};
use crate::store::{CommitError, DiskErrorKind, ManifestError, SegmentFault, StoreError};

/// Why the shelf cannot do what it should.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// What the pass says of itself cannot be read.
    #[error("pass {1} of workload {0} is described in a way this evac cannot read")]
    Description(WorkloadId, PassNumber),
    /// A manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A group commit.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// What was just written cannot be read back.
    #[error("manifest `{}` cannot be read back at {}: {}", .0.file, .0.offset, .0.why)]
    Unreadable(SegmentFault),
    /// The landing disk failed earlier in this run.
    #[error("the landing disk failed: {0}")]
    Failed(String),
}

impl ShelfError {
    /// Is it one pass that is not what it was? Any other error is everybody's.
    pub fn is_damage(&self) -> bool {
        let is_lost = |kind| kind == DiskErrorKind::NotFound;
        match self {
            Self::Unreadable(fault) => fault.failure.is_none_or(is_lost),
            Self::Manifest(error) => error.is_damage(),
            _ => false,
        }
    }

    /// Full or broken?
    pub fn reason(&self) -> Reason {
        match self {
            Self::Store(error) if error.disk_kind() == Some(DiskErrorKind::Full) => {
                Reason::LandingFull
            }
            Self::Manifest(ManifestError::Disk(error)) if error.kind == DiskErrorKind::Full => {
                Reason::LandingFull
            }
            Self::Ledger(error) if error.is_full() => Reason::LandingFull,
            Self::Commit(error) if error.source.kind == DiskErrorKind::Full => Reason::LandingFull,
            _ => Reason::LandingError,
        }
    }
}
