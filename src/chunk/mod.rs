//! Bytes to named chunks to solid frames; CPU only, no input or output, no runtime.
//!
//! ```text
//! bytes ──cut──▶ pieces ──name──▶ chunks ──push──▶ frame ──wire, pack──▶ open ──▶ chunks
//! ```
//!
//! - [`cut`] says where a chunk ends; the parameters are stored with every pass.
//! - [`DomainKey`] names a chunk: BLAKE3 keyed with the key of its dedup domain. Who has not the
//!   key can neither name content nor recognise it by its name.
//! - [`frame`] holds a run of chunks, compressed together, and describes itself.
//!
//! **Invariants.** A name is never believed: [`frame::open`] hashes every chunk again. Nothing
//! that a peer or a disk states is allocated before it is bounded. A key is never printed.

pub mod cut;
pub mod fields;
pub mod frame;
mod build;
mod scan;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use build::FrameBuilder;
pub use cut::{Cutter, Cutting};
pub use frame::{FrameError, FrameHeader, OpenFrame};

use crate::model::{ChunkId, Domain};

/// Length of a [`checksum`].
pub const CHECKSUM_BYTES: usize = 16;

/// The key of one dedup domain.
///
/// Serialised it contains the key: that is how an agent gets it, inside SSH. `Debug` does not
/// show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainKey {
    domain: Domain,
    key: [u8; 32],
}

impl DomainKey {
    /// The key of `domain`.
    pub fn new(domain: Domain, key: [u8; 32]) -> Self {
        Self { domain, key }
    }

    /// Whose key this is.
    pub fn domain(&self) -> Domain {
        self.domain
    }

    /// The name of `content` in this domain.
    pub fn name(&self, content: &[u8]) -> ChunkId {
        ChunkId(*blake3::keyed_hash(&self.key, content).as_bytes())
    }

    /// The key itself, for the file that keeps it.
    pub fn secret(&self) -> &[u8; 32] {
        &self.key
    }
}

impl fmt::Debug for DomainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DomainKey({}, ..)", self.domain)
    }
}

/// The first 16 bytes of BLAKE3 over `parts`, one after the other: tells damage from data in
/// every file of the store. It needs no key, so it proves nothing about who wrote the bytes.
pub fn checksum(parts: &[&[u8]]) -> [u8; CHECKSUM_BYTES] {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    let mut first = [0_u8; CHECKSUM_BYTES];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..CHECKSUM_BYTES]);
    first
}
