//! From manifests and packs back to trees: what to send, in which order, in how much memory.
//!
//! A restore reads the merged records of a pass in the order of the tree and cuts them into
//! [`Batch`]es of bounded size. A batch carries every frame its records need, each read once, in
//! the order of the packs; what is written on the target is `agent::place`'s, whether the target is
//! a folder here or a machine behind SSH.
//!
//! **Invariants.**
//! - Memory does not grow with the tree: a batch names at most [`BATCH_BYTES`] of content, and
//!   frames are kept in one cache of [`CACHE_BYTES`].
//! - Onto a place where another pass was restored whole, and nothing since, only the difference is
//!   written: of a changed file the pieces that are new; names that the new pass has not are
//!   removed. The target does so only where what stands there is still what evac wrote, by kind,
//!   size and time. What a person changed, added or removed stays as it is and is listed.
//! - Every chunk is checked against its name when its frame is opened here, and again where it is
//!   written. One that is missing or damaged leaves a hole, listed with its path; the rest goes on.

mod difference;
mod feed;
mod frames;
mod local;
pub mod position;
mod tar;

pub use feed::{Batch, Feed, Selection};
pub use frames::FrameCache;
pub use local::{LocalReport, entries, refuse_in_the_way, restore_to_folder};
pub use tar::{TarReport, TarWriter};

use std::sync::Arc;

use crate::ledger::Ledger;
use crate::store::{Disk, Pass, PassName};

/// Content named by one batch.
pub const BATCH_BYTES: u64 = 8 << 20;
/// Records of one batch.
pub const BATCH_RECORDS: usize = 2_048;
/// Opened frames kept for later batches, of all restores together: neighbours in the tree are
/// neighbours in packs, and hosts share what they have in common.
pub const CACHE_BYTES: usize = 96 << 20;

/// The pass that an earlier restore wrote to `place`, if only the difference to it need be written.
/// To be asked before the restore begins in the ledger.
pub fn former_at(
    (ledger, disk): (&Ledger, &Arc<dyn Disk>),
    name: &PassName,
    place: &str,
) -> Result<Option<Pass>, RestoreError> {
    let Some(pass) = ledger.restored_before(&name.workload, name.pass, place)? else {
        return Ok(None);
    };
    let former = PassName { workload: name.workload.clone(), pass };
    Ok(Some(Pass::open(disk, &former)?))
}

/// Why a restore cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The store.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// A manifest.
    #[error(transparent)]
    Manifest(#[from] crate::store::ManifestError),
    /// The target.
    #[error(transparent)]
    Place(#[from] crate::agent::place::PlaceError),
    /// The archive could not be written.
    #[error("cannot write the archive")]
    Tar(#[source] std::io::Error),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] crate::ledger::LedgerError),
}
