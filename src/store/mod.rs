//! Chunks at rest: packs, index, manifests.

pub mod disk;
pub mod keys;
pub mod pack;
mod table;
pub mod faulty;
pub mod local;
pub mod memory;
#[cfg(test)]
mod disk_tests;

use crate::model::ChunkId;

/// Where a frame lies. Ordered as it is best read: pack by pack, front to back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pack: u32,
    offset: u32,
    length: u32,
}
