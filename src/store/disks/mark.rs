//! `disk`: by which a folder is known as a disk of this store, so that the empty folder of a disk
//! that is not mounted is not taken for a store from which everything is gone.
//!
//! # Layout, version 1
//!
//! As `head` of a manifest (see [`manifest`]), with magic `EVACDISK`; the body is a [`Mark`].

use serde::{Deserialize, Serialize};

use crate::store::disk::Disk;
use crate::store::manifest::{self, ManifestError};
use crate::store::pack::PackName;

const FILE: &str = "disk";
const MAGIC: [u8; 8] = *b"EVACDISK";

/// What a folder says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Which store, the same on all its disks.
    pub store: [u8; 16],
    /// Which of its disks.
    pub number: u32,
}

/// What was found in a folder that should be a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A mark.
    Marked(Mark),
    /// No legible mark, but packs: it was made by an older evac, or the mark is damaged.
    Unmarked,
    /// Nothing of a store.
    Empty,
}

/// Looks at `disk`.
pub fn look(disk: &dyn Disk) -> Result<Found, ManifestError> {
    match manifest::optional(manifest::read(disk, FILE, MAGIC)) {
        Ok(Some(mark)) => return Ok(Found::Marked(mark)),
        Ok(None) | Err(ManifestError::Damaged { .. }) => {}
        Err(error) => return Err(error),
    }
    let has_packs = !disk.list(PackName::PREFIX)?.is_empty();
    Ok(if has_packs { Found::Unmarked } else { Found::Empty })
}

/// Marks `disk`; durable when it returns.
pub fn put(disk: &dyn Disk, mark: Mark) -> Result<(), ManifestError> {
    Ok(disk.put(FILE, &manifest::encode(FILE, MAGIC, &mark)?)?)
}
