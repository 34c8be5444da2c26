//! The pack: a file of frames, at most 64 MiB, of one workload and one dedup domain.
//!
//! # Layout, version 1: `packs/WORKLOAD/HEX-OF-PACK-ID`
//!
//! | part | bytes | field | bounds |
//! |---|---|---|---|
//! | header | 8 | magic `EVACPACK` | |
//! | | 1 | version | 1 |
//! | | 1 | cipher | 0 = none |
//! | | 8 | dedup domain | |
//! | | 16 | pack id | that of the file's name |
//! | | 1 | length of the workload's id | 1 to 63 |
//! | | n | the workload's id | that of the folder |
//! | | 16 | checksum over the header before it | |
//! | frames | | as they came, see [`crate::chunk::frame`] | |
//! | footer | 4 | magic `EVft` | |
//! | | 1 | version | 1 |
//! | | 3 | reserved | 0 |
//! | | 16 | pack id | |
//! | | 4 | frame count | |
//! | | 12 + 32 *n* each | offset 4, length 4, chunk count *n* 4, ids 32 *n* | rising, no overlap |
//! | | 16 | checksum over the footer before it | |
//! | trailer | 4 | length of the footer | |
//! | | 8 | magic `EVACSEAL` | |
//!
//! Footer and trailer are there when the pack is sealed; it never changes afterwards. The footer
//! says which chunks a pack has without reading 64 MiB, so a lost index costs little. Offsets and
//! lengths are four bytes, little-endian. A frame is bounded by its own format.

use crate::chunk::fields::Fields;
use crate::chunk::{CHECKSUM_BYTES, checksum, frame};
use crate::model::{ChunkId, Domain, PackId, WorkloadId};

/// No pack is longer.
pub const PACK_BYTES_MAX: u32 = 64 << 20;
/// Nor does evac write more chunks into one: their names are in memory while it is open, and there
/// may be a pack for every host. Content of a few bytes would fill a pack with a million; as it is,
/// the names of an open pack take less than a MiB. At least a frame's fit.
pub const PACK_CHUNKS_MAX: usize = 30_000;
/// Bytes of the trailer.
pub const TRAILER_BYTES: usize = 12;

const HEADER_MAGIC: [u8; 8] = *b"EVACPACK";
const FOOTER_MAGIC: [u8; 4] = *b"EVft";
const TRAILER_MAGIC: [u8; 8] = *b"EVACSEAL";
const VERSION: u8 = 1;
const CIPHER_NONE: u8 = 0;
const FOOTER_FIXED_BYTES: usize = 28;
const FOLDER: &str = "packs/";

/// Which pack a file is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PackName {
    /// Its id.
    pub id: PackId,
    /// Whose data it holds.
    pub workload: WorkloadId,
}

impl PackName {
    /// Every pack's name begins with this.
    pub const PREFIX: &'static str = FOLDER;

    /// The file's name on the disk.
    pub fn file(&self) -> String {
        format!("{FOLDER}{}/{}", self.workload, self.id)
    }

    /// Reads what [`Self::file`] writes.
    pub fn of_file(file: &str) -> Option<Self> {
        let (workload, id) = file.strip_prefix(FOLDER)?.split_once('/')?;
        Some(Self { id: PackId::from_hex(id)?, workload: WorkloadId::new(workload).ok()? })
    }

    /// Where the first frame begins.
    pub fn header_bytes(&self) -> u32 {
        (35 + self.workload.as_str().len() + CHECKSUM_BYTES) as u32
    }

    /// The header of this pack.
    pub fn header(&self, domain: Domain) -> Vec<u8> {
        let mut bytes = HEADER_MAGIC.to_vec();
        bytes.extend_from_slice(&[VERSION, CIPHER_NONE]);
        bytes.extend_from_slice(domain.as_bytes());
        bytes.extend_from_slice(self.id.as_bytes());
        bytes.push(self.workload.as_str().len() as u8);
        bytes.extend_from_slice(self.workload.as_str().as_bytes());
        let sum = checksum(&[&bytes]);
        bytes.extend_from_slice(&sum);
        bytes
    }

    /// The domain that `header` states, if it is this pack's header, undamaged.
    pub fn read_header(&self, header: &[u8]) -> Option<Domain> {
        let domain = Domain(header.get(10..18)?.try_into().ok()?);
        (self.header(domain) == header).then_some(domain)
    }
}

/// A frame's place in a pack, and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackFrame {
    /// Where it begins.
    pub offset: u32,
    /// How long it is.
    pub length: u32,
    /// The chunks in it, in order.
    pub chunks: Vec<ChunkId>,
}

impl PackFrame {
    /// Where it ends.
    pub fn end(&self) -> u32 {
        self.offset.saturating_add(self.length)
    }
}

/// Grows with the pack; written when it is sealed.
#[derive(Debug, Clone, Default)]
pub struct Footer {
    entries: Vec<u8>,
    count: u32,
    chunks: usize,
}

impl Footer {
    /// Adds the next frame.
    pub fn push(
        &mut self,
        offset: u32,
        length: u32,
        chunks: impl ExactSizeIterator<Item = ChunkId>,
    ) {
        self.chunks += chunks.len();
        for number in [offset, length, chunks.len() as u32] {
            self.entries.extend_from_slice(&number.to_le_bytes());
        }
        chunks.for_each(|id| self.entries.extend_from_slice(id.as_bytes()));
        self.count += 1;
    }

    /// Chunks of all frames.
    pub fn chunks(&self) -> usize {
        self.chunks
    }

    /// Length of footer and trailer after one more frame of `chunks`.
    pub fn bytes_with(&self, chunks: usize) -> usize {
        let entry = 12 + 32 * chunks;
        FOOTER_FIXED_BYTES + self.entries.len() + entry + CHECKSUM_BYTES + TRAILER_BYTES
    }

    /// Footer and trailer of the pack `id`.
    pub fn encode(&self, id: PackId) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.bytes_with(0));
        bytes.extend_from_slice(&FOOTER_MAGIC);
        bytes.extend_from_slice(&[VERSION, 0, 0, 0]);
        bytes.extend_from_slice(id.as_bytes());
        bytes.extend_from_slice(&self.count.to_le_bytes());
        bytes.extend_from_slice(&self.entries);
        let sum = checksum(&[&bytes]);
        bytes.extend_from_slice(&sum);
        let length = (bytes.len() as u32).to_le_bytes();
        bytes.extend_from_slice(&length);
        bytes.extend_from_slice(&TRAILER_MAGIC);
        bytes
    }
}

/// The footer's length from a file's last [`TRAILER_BYTES`].
pub fn footer_bytes(trailer: &[u8]) -> Option<u32> {
    let mut fields = Fields(trailer);
    let length = fields.u32()?;
    (fields.array()? == TRAILER_MAGIC && fields.0.is_empty()).then_some(length)
}

/// The frames that an undamaged footer of `name` lists, provided they lie one after the
/// other between its header and `start`, where the footer begins.
pub fn read_footer(name: &PackName, footer: &[u8], start: u32) -> Option<Vec<PackFrame>> {
    let (body, stated) = footer.split_at_checked(footer.len().checked_sub(CHECKSUM_BYTES)?)?;
    let mut fields = Fields(body);
    let is_ours = fields.array()? == FOOTER_MAGIC
        && fields.array()? == [VERSION, 0, 0, 0]
        && PackId(fields.array()?) == name.id
        && checksum(&[body]) == stated;
    if !is_ours {
        return None;
    }
    let count = fields.u32()?;
    let mut frames = Vec::new();
    let mut end = name.header_bytes();
    for _ in 0..count {
        let (offset, length) = (fields.u32()?, fields.u32()?);
        let chunks = fields.length()?;
        if offset < end || length as usize > frame::FRAME_BYTES_MAX || chunks > frame::CHUNKS_MAX {
            return None;
        }
        let ids = fields.bytes(chunks * ChunkId::LEN)?;
        let chunks = ids.as_chunks().0.iter().map(|id| ChunkId(*id)).collect();
        end = offset.checked_add(length)?;
        frames.push(PackFrame { offset, length, chunks });
    }
    (fields.0.is_empty() && end == start).then_some(frames)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name() -> PackName {
        PackName { id: PackId([3; 16]), workload: WorkloadId::new("acme-site").unwrap() }
    }

    fn footer() -> (Vec<u8>, Vec<PackFrame>) {
        let mut footer = Footer::default();
        let mut frames = Vec::new();
        let mut offset = name().header_bytes();
        for count in 1..4_u8 {
            let chunks: Vec<_> = (0..count).map(|i| ChunkId([i; 32])).collect();
            let frame = PackFrame { offset, length: 100 * u32::from(count), chunks };
            offset = frame.end();
            footer.push(frame.offset, frame.length, frame.chunks.iter().copied());
            frames.push(frame);
        }
        assert_eq!(footer.encode(name().id).len() + 12 + 32 * 5, footer.bytes_with(5));
        (footer.encode(name().id), frames)
    }

    fn read(bytes: &[u8]) -> Option<Vec<PackFrame>> {
        let (footer, trailer) = bytes.split_at_checked(bytes.len().checked_sub(TRAILER_BYTES)?)?;
        (footer_bytes(trailer)? as usize == footer.len())
            .then(|| read_footer(&name(), footer, name().header_bytes() + 600))?
    }

    #[test]
    fn names_and_headers_read_what_they_write() {
        assert_eq!(PackName::of_file(&name().file()), Some(name()));
        for bad in ["packs/x", "packs/acme/zz", "packs/A/00", "index/1"] {
            assert_eq!(PackName::of_file(bad), None);
        }
        let header = name().header(Domain([5; 8]));
        assert_eq!(header.len(), name().header_bytes() as usize);
        assert_eq!(name().read_header(&header), Some(Domain([5; 8])));
        let other = PackName { id: PackId([4; 16]), ..name() };
        assert_eq!(other.read_header(&header), None);
    }

    #[test]
    fn a_footer_reads_what_it_wrote() {
        let (bytes, frames) = footer();
        assert_eq!(read(&bytes), Some(frames));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_damaged_footer_is_not_believed(at in any::<prop::sample::Index>(), bit in 0..8) {
            let (mut bytes, _) = footer();
            let at = at.index(bytes.len());
            bytes[at] ^= 1_u8 << bit;
            prop_assert_eq!(read(&bytes), None);
            prop_assert_eq!(read(&bytes[..at]), None);
        }
    }
}
