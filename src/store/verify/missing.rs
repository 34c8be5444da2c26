//! What passes name and the store does not have: what healing has to bring.

use crate::model::{ChunkId, TreePath};
use crate::store::Store;
use crate::store::verify::{Named, PassRef, furthest, walk};
use crate::store::{ManifestError, Pass};

/// A chunk that is not there, where a pass names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing<'a> {
    /// Which.
    pub id: ChunkId,
    /// In which file.
    pub path: &'a TreePath,
    /// Where in the file.
    pub offset: u64,
    /// How long it is.
    pub length: u32,
}

/// Tells of every chunk that `pass` names and that lies in no pack. `false`: part of the manifest
/// itself cannot be read, so there may be more.
pub fn missing(
    store: &Store,
    pass: &PassRef,
    tell: &mut dyn FnMut(Missing<'_>),
) -> Result<bool, ManifestError> {
    let mut opened = match Pass::open(store.disk(), &pass.name) {
        Ok(opened) => opened,
        Err(error) if error.is_damage() => return Ok(false),
        Err(error) => return Err(error),
    };
    if !pass.ends.is_empty() {
        opened.limit(&furthest(&pass.ends, opened.seal()));
    }
    let mut is_whole = true;
    walk(&opened, |step| match step {
        Named::Chunk { path, id, offset, length } if !store.contains(id) => {
            tell(Missing { id: *id, path, offset, length });
        }
        Named::Chunk { .. } => {}
        Named::Fault(_) => is_whole = false,
    });
    Ok(is_whole)
}
