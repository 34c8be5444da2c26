//! Where a chunk ends.
//!
//! [`Cutting`] is part of the format: it is stored with every pass, so that a later pass cuts the
//! same content at the same places. Content-defined cutting is FastCDC as described by Wen Xia et
//! al. (IEEE TPDS 2020), as the `fastcdc` crate's `v2020` does with normalisation level 1 and no
//! seed; that crate is pinned, and `scan` finds the same cuts faster. Measured on OS trees,
//! 64/256/1024 KiB deduplicates as well as smaller chunks do and leaves a third fewer of them.
//!
//! **Invariant.** A cut depends only on the bytes from the chunk's start up to the maximum, never
//! on how they were fed: cutting piecewise equals cutting whole.

use serde::{Deserialize, Serialize};

use crate::capture::entry::CHUNK_BYTES_MAX;
use crate::chunk::scan::Scan;

/// Smallest minimum, or fixed length, that a peer may state: bounds the number of chunks.
const MINIMUM_BYTES_MIN: u32 = 4 << 10;

/// How content is cut into chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Cutting {
    /// FastCDC v2020, normalisation level 1. What is no longer than `minimum_bytes` is one chunk.
    FastCdc2020 {
        /// No cut before this length, except at the end.
        minimum_bytes: u32,
        /// What lengths are drawn to; a power of two.
        average_bytes: u32,
        /// A cut here at the latest.
        maximum_bytes: u32,
    },
    /// Every so many bytes, aligned to the start.
    Fixed {
        /// Length of every chunk but the last.
        length_bytes: u32,
    },
}

impl Cutting {
    /// For trees and streams.
    pub const TREE: Self = Self::FastCdc2020 {
        minimum_bytes: 64 << 10,
        average_bytes: 256 << 10,
        maximum_bytes: 1 << 20,
    };
    /// For block images: their blocks stay where they are.
    pub const IMAGE: Self = Self::Fixed { length_bytes: 1 << 20 };

    /// May a peer state this? Says what is wrong.
    pub fn check(&self) -> Result<(), &'static str> {
        match *self {
            Self::FastCdc2020 { minimum_bytes, average_bytes, maximum_bytes } => {
                if minimum_bytes < MINIMUM_BYTES_MIN {
                    Err("a minimum chunk too short")
                } else if minimum_bytes > average_bytes || average_bytes > maximum_bytes {
                    Err("chunk lengths out of order")
                } else if maximum_bytes > CHUNK_BYTES_MAX {
                    Err("a maximum chunk too long")
                } else if !average_bytes.is_power_of_two() {
                    Err("an average chunk that is no power of two")
                } else if minimum_bytes % 2 == 1 || maximum_bytes % 2 == 1 {
                    Err("an odd chunk length")
                } else {
                    Ok(())
                }
            }
            Self::Fixed { length_bytes } => {
                if (MINIMUM_BYTES_MIN..=CHUNK_BYTES_MAX).contains(&length_bytes) {
                    Ok(())
                } else {
                    Err("an impossible fixed chunk length")
                }
            }
        }
    }

    /// No chunk is longer.
    pub fn maximum_bytes(&self) -> usize {
        let (Self::FastCdc2020 { maximum_bytes: longest, .. }
        | Self::Fixed { length_bytes: longest }) = *self;
        longest as usize
    }
}

/// Finds cuts; holds no state between chunks.
#[derive(Debug, Clone, Copy)]
pub struct Cutter {
    cutting: Cutting,
}

impl Cutter {
    /// For a cutting that [`Cutting::check`] accepts; says what is wrong otherwise.
    pub fn new(cutting: &Cutting) -> Result<Self, &'static str> {
        cutting.check()?;
        Ok(Self { cutting: *cutting })
    }

    /// Length of the next chunk at the start of `buffer`. `is_end` says that nothing follows
    /// `buffer`. `None` asks for more bytes; at the end it means that nothing is left.
    ///
    /// A buffer as long as [`Cutting::maximum_bytes`] always gets an answer.
    pub fn cut(&self, buffer: &[u8], is_end: bool) -> Option<usize> {
        let maximum = self.cutting.maximum_bytes();
        if buffer.is_empty() || (!is_end && buffer.len() < maximum) {
            return None;
        }
        match self.cutting {
            Cutting::Fixed { .. } => Some(buffer.len().min(maximum)),
            Cutting::FastCdc2020 { minimum_bytes, average_bytes, .. } => {
                let lengths = [minimum_bytes, average_bytes].map(|length| length as usize);
                Some(Scan::new(lengths[0], lengths[1], maximum).cut(buffer))
            }
        }
    }
}
