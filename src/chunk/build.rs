//! Packs chunks into a frame.
//!
//! Compression costs ten times what cutting and hashing cost, so it is skipped where it gains
//! nothing: a sample spread over the frame is tried first at the fastest level, and a frame that
//! does not shrink by [`GAIN_PERCENT_MIN`] is stored as it is.

use std::fmt;

use crate::capture::entry::CHUNK_BYTES_MAX;
use crate::chunk::frame::{
    CHUNKS_MAX, CIPHER_NONE, Codec, ENTRY_BYTES, MAGIC, PREFIX_BYTES, RAW_BYTES_MAX, VERSION,
    payload_bytes_max,
};
use crate::chunk::{CHECKSUM_BYTES, checksum};
use crate::model::{ChunkId, Domain};

/// A frame is full from here on: measured, solid frames of 1 MiB lose nothing against a stream.
const TARGET_RAW_BYTES: usize = 1 << 20;
/// Less gain than this is not worth decompressing for.
const GAIN_PERCENT_MIN: usize = 3;
/// Up to here a whole try costs no more than the sample.
const SAMPLE_FROM_BYTES: usize = 128 << 10;
const SAMPLE_PIECES: usize = 16;
const SAMPLE_PIECE_BYTES: usize = 4 << 10;
const SAMPLE_LEVEL: i32 = 1;

/// Collects chunks for one frame after another; keeps its buffers and zstd's between them.
pub struct FrameBuilder {
    domain: Domain,
    table: Vec<u8>,
    raw: Vec<u8>,
    /// What compression gives; kept, because fresh memory of this size costs page faults.
    payload: Vec<u8>,
    compressor: Option<zstd::bulk::Compressor<'static>>,
}

impl fmt::Debug for FrameBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FrameBuilder({}, {} raw bytes)", self.domain, self.raw.len())
    }
}

impl FrameBuilder {
    /// For chunks named in `domain`.
    pub fn new(domain: Domain) -> Self {
        let compressor = zstd::bulk::Compressor::new(SAMPLE_LEVEL).ok();
        let (table, raw, payload) = (Vec::new(), Vec::new(), Vec::new());
        Self { domain, table, raw, payload, compressor }
    }

    /// Adds a chunk: 1 byte to 1 MiB, and only while the frame is not full.
    pub fn push(&mut self, id: ChunkId, content: &[u8]) {
        debug_assert!(!content.is_empty() && content.len() <= CHUNK_BYTES_MAX as usize);
        debug_assert!(!self.is_full() && self.raw.len() + content.len() <= RAW_BYTES_MAX);
        self.table.extend_from_slice(id.as_bytes());
        self.table.extend_from_slice(&(content.len() as u32).to_le_bytes());
        self.raw.extend_from_slice(content);
    }

    /// Raw bytes collected so far.
    pub fn raw_bytes(&self) -> usize {
        self.raw.len()
    }

    /// Chunks collected so far.
    pub fn chunk_count(&self) -> usize {
        self.table.len() / ENTRY_BYTES
    }

    /// Was nothing pushed since the latest frame?
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// Should it be finished before the next push?
    pub fn is_full(&self) -> bool {
        self.raw.len() >= TARGET_RAW_BYTES || self.chunk_count() >= CHUNKS_MAX
    }

    /// The frame with everything pushed, compressed at `level`; empty if nothing was. The builder
    /// is empty again afterwards.
    pub fn finish(&mut self, level: i32) -> Vec<u8> {
        self.finish_behind(level, 0)
    }

    /// The same behind so many bytes of room, for whoever sends it and would have to copy it.
    pub fn finish_behind(&mut self, level: i32, room_bytes: usize) -> Vec<u8> {
        if self.is_empty() {
            return Vec::new();
        }
        let (codec, payload) = match self.squeeze(level) {
            Some(()) => (Codec::Zstd, self.payload.as_slice()),
            None => (Codec::Stored, self.raw.as_slice()),
        };
        let head_bytes = PREFIX_BYTES + self.table.len() + CHECKSUM_BYTES;
        let mut frame = Vec::with_capacity(room_bytes + head_bytes + payload.len());
        frame.resize(room_bytes, 0);
        frame.extend_from_slice(&MAGIC);
        frame.extend_from_slice(&[VERSION, CIPHER_NONE, codec as u8, 0]);
        frame.extend_from_slice(self.domain.as_bytes());
        for number in [self.raw.len(), payload.len(), self.chunk_count()] {
            frame.extend_from_slice(&(number as u32).to_le_bytes());
        }
        frame.extend_from_slice(&self.table);
        let sum = checksum(&[&frame[room_bytes..], payload]);
        frame.extend_from_slice(&sum);
        frame.extend_from_slice(payload);
        self.table.clear();
        self.raw.clear();
        frame
    }

    /// Leaves the compressed payload in `payload`, if that is worth it.
    fn squeeze(&mut self, level: i32) -> Option<()> {
        let compressor = self.compressor.as_mut()?;
        if self.raw.len() > SAMPLE_FROM_BYTES {
            let sample = sample(&self.raw);
            compress(compressor, &sample, SAMPLE_LEVEL, &mut self.payload)?;
            gains(self.payload.len(), sample.len()).then_some(())?;
        }
        compress(compressor, &self.raw, level, &mut self.payload)?;
        gains(self.payload.len(), self.raw.len()).then_some(())
    }
}

fn compress(
    compressor: &mut zstd::bulk::Compressor<'static>,
    raw: &[u8],
    level: i32,
    payload: &mut Vec<u8>,
) -> Option<()> {
    compressor.set_compression_level(level).ok()?;
    payload.clear();
    payload.reserve(payload_bytes_max(raw.len()));
    compressor.compress_to_buffer(raw, payload).ok()?;
    Some(())
}

fn gains(squeezed_bytes: usize, raw_bytes: usize) -> bool {
    squeezed_bytes * 100 <= raw_bytes * (100 - GAIN_PERCENT_MIN)
}

/// Pieces spread evenly over `raw`, which is longer than all of them together.
fn sample(raw: &[u8]) -> Vec<u8> {
    let stride = raw.len() / SAMPLE_PIECES;
    raw.chunks(stride)
        .flat_map(|piece| &piece[..piece.len().min(SAMPLE_PIECE_BYTES)])
        .copied()
        .collect()
}
