//! What the codec must know of messages, and how long their bodies may be.

use serde::{Deserialize, Serialize};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// A frame's raw bytes, its table and its header, with room.
pub const FRAME_BYTES_MAX: usize = 6 * MIB;

/// What the codec must know of a direction's messages.
pub trait Message: Serialize + for<'de> Deserialize<'de> {
    /// The kind byte of frames.
    const FRAME_KIND: u8;
    /// The kind byte.
    fn kind(&self) -> u8;
    /// Longest body of a kind, and whether it is compressed; `None`: no such kind.
    fn bound(kind: u8) -> Option<Bound>;
    /// The bytes, if this is a frame.
    fn as_frame(&self) -> Option<&[u8]>;
    /// Makes a frame message.
    fn from_frame(bytes: Vec<u8>) -> Self;
    /// Are all counts and lengths inside within bounds?
    fn check(&self) -> Result<(), &'static str>;
}

/// How long a body may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// On the wire.
    pub wire_bytes: usize,
    /// After decompression; `None`: not compressed.
    pub plain_bytes: Option<usize>,
    /// The body is a frame, not postcard.
    pub is_frame: bool,
}

pub(super) const fn plain(wire_bytes: usize) -> Bound {
    Bound { wire_bytes, plain_bytes: None, is_frame: false }
}
/// The body is a frame.
pub(super) const FRAME: Bound =
    Bound { wire_bytes: FRAME_BYTES_MAX, plain_bytes: None, is_frame: true };
/// Lists of records: one entry may carry 256 KiB of attributes and a long path.
pub(super) const LIST: Bound =
    Bound { wire_bytes: 17 * MIB, plain_bytes: Some(16 * MIB), is_frame: false };
