//! What can go wrong with the ledger.

use std::path::{Path, PathBuf};

use crate::ledger::state::Illegal;
use crate::model::{HostId, PassNumber, WorkloadId};

/// What the database said. Opaque: nobody outside this module knows which database it is.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct DatabaseError(rusqlite::Error);

/// Why the ledger did not do it. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The database failed.
    #[error("the ledger {} failed", path.display())]
    Database {
        /// Which; empty for one in memory.
        path: PathBuf,
        /// What it said.
        #[source]
        source: DatabaseError,
    },
    /// A file or folder beside the database failed.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is something else.
    #[error("{} is not a ledger of evac", path.display())]
    Foreign {
        /// Which.
        path: PathBuf,
    },
    /// A newer evac wrote it.
    #[error(
        "the ledger {} was written by a newer evac (schema {found}; this one knows up to {known})",
        path.display()
    )]
    Newer {
        /// Which.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// An older schema, opened for reading only.
    #[error(
        "the ledger {} has the older schema {found}; any command that writes brings it up to date",
        path.display()
    )]
    Older {
        /// Which.
        path: PathBuf,
        /// Its schema.
        found: u32,
    },
    /// Locks and shared memory do not work on network file systems.
    #[error(
        "{} lies on {file_system}, a network file system; the state needs a local disk",
        path.display()
    )]
    NetworkFileSystem {
        /// Which folder.
        path: PathBuf,
        /// Its kind.
        file_system: String,
    },
    /// Opened for reading only.
    #[error("the ledger {} was opened for reading only", path.display())]
    ReadOnly {
        /// Which.
        path: PathBuf,
    },
    /// An event that does not fit where the workload stands.
    #[error(transparent)]
    Illegal(#[from] Illegal),
    /// A receipt that is not the next one.
    #[error("receipt of {workload}, pass {pass}: {why}")]
    Receipt {
        /// Whose.
        workload: WorkloadId,
        /// Of which pass.
        pass: PassNumber,
        /// What does not fit.
        why: String,
    },
    /// There is no such pass, or it is sealed.
    #[error("pass {pass} of {workload} is not open")]
    NotOpen {
        /// Whose.
        workload: WorkloadId,
        /// Which.
        pass: PassNumber,
    },
    /// No restore of this kind was begun.
    #[error("no restore of pass {pass} of {workload} to {place} was begun")]
    NoRestoration {
        /// Whose.
        workload: WorkloadId,
        /// Of which pass.
        pass: PassNumber,
        /// Where to.
        place: String,
    },
    /// Facts about a host beyond their bound.
    #[error("{bytes} bytes of facts about {host} are too many")]
    TooLong {
        /// Whose.
        host: HostId,
        /// How many.
        bytes: usize,
    },
    /// A rebuild needs an empty ledger.
    #[error("the ledger {} already holds something", path.display())]
    NotEmpty {
        /// Which.
        path: PathBuf,
    },
    /// It holds what evac never writes.
    #[error("the ledger {} is damaged: {what}", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

impl LedgerError {
    /// Has its disk no space left?
    pub fn is_full(&self) -> bool {
        match self {
            Self::Database { source, .. } => {
                source.0.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
            }
            Self::Io { source, .. } => source.kind() == std::io::ErrorKind::StorageFull,
            _ => false,
        }
    }

    pub(super) fn database(path: &Path, source: rusqlite::Error) -> Self {
        Self::Database { path: path.to_owned(), source: DatabaseError(source) }
    }

    pub(super) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { path: PathBuf::new(), what: what.into() }
    }

    pub(super) fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }

    /// Fills in which ledger it was, where the place of the fault could not know.
    pub(super) fn at(mut self, ledger: &Path) -> Self {
        if let Self::Database { path, .. }
        | Self::Foreign { path }
        | Self::Newer { path, .. }
        | Self::Older { path, .. }
        | Self::NotEmpty { path }
        | Self::Damaged { path, .. } = &mut self
            && path.as_os_str().is_empty()
        {
            ledger.clone_into(path);
        }
        self
    }
}

impl From<rusqlite::Error> for LedgerError {
    fn from(source: rusqlite::Error) -> Self {
        Self::Database { path: PathBuf::new(), source: DatabaseError(source) }
    }
}
