//! The solid frame: a run of chunks compressed together, on the wire and at rest alike.
//!
//! # Layout, version 1
//!
//! | offset | bytes | field | bounds |
//! |---|---|---|---|
//! | 0 | 4 | magic `EVfr` | |
//! | 4 | 1 | version | 1 |
//! | 5 | 1 | cipher | 0 = none |
//! | 6 | 1 | codec | 0 = stored, 1 = zstd |
//! | 7 | 1 | reserved | 0 |
//! | 8 | 8 | dedup domain | |
//! | 16 | 4 | raw length | 1 to 4 MiB, sum of the chunks' lengths |
//! | 20 | 4 | payload length | 1 to zstd's bound of the raw length; stored: the raw length |
//! | 24 | 4 | chunk count *n* | 1 to 16,384 |
//! | 28 | 36 *n* | chunk table: id 32, length 4 | each length 1 to 1 MiB |
//! | 28 + 36 *n* | 16 | checksum: [`checksum`] over all before it, then the payload | |
//! | 44 + 36 *n* | payload length | payload | |
//!
//! Numbers are little-endian. Unknown versions, ciphers and codecs are refused. The payload is
//! decompressed into a buffer of exactly the raw length, so it cannot expand beyond what was
//! stated and bounded. A chunk may stand in a frame more than once; each place counts.
//!
//! The checksum finds damage without the key; [`open`] also hashes every chunk against its name,
//! because whoever sent the frame could compute the checksum too.

use std::ops::Range;

use crate::capture::entry::CHUNK_BYTES_MAX;
use crate::chunk::fields::Fields;
use crate::chunk::{CHECKSUM_BYTES, DomainKey, checksum};
use crate::model::{ChunkId, Domain};

/// First bytes of every frame.
pub const MAGIC: [u8; 4] = *b"EVfr";
/// The version this code writes, and the only one it reads.
pub const VERSION: u8 = 1;
/// Bytes before the chunk table.
pub const PREFIX_BYTES: usize = 28;
/// Most raw bytes a frame may hold.
pub const RAW_BYTES_MAX: usize = 4 << 20;
/// Most chunks a frame may hold.
pub const CHUNKS_MAX: usize = 16_384;
/// No frame is longer than this.
pub const FRAME_BYTES_MAX: usize =
    PREFIX_BYTES + CHUNKS_MAX * ENTRY_BYTES + CHECKSUM_BYTES + payload_bytes_max(RAW_BYTES_MAX);

pub(super) const ENTRY_BYTES: usize = 36;
pub(super) const CIPHER_NONE: u8 = 0;

/// How the payload is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// As it is.
    Stored = 0,
    /// One or more zstd frames.
    Zstd = 1,
}

/// Why bytes are not a frame, or not the frame they claim to be.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The bytes end early.
    #[error("frame is cut short: {needed} bytes needed, {have} there")]
    Short {
        /// How many are needed at least.
        needed: usize,
        /// How many there are.
        have: usize,
    },
    /// Not a frame at all.
    #[error("no frame begins here")]
    Magic,
    /// From another time.
    #[error("unknown frame {what} {value}")]
    Unknown {
        /// Which field.
        what: &'static str,
        /// What it says.
        value: u8,
    },
    /// A stated number is out of bounds.
    #[error("frame states {0}")]
    Bounds(&'static str),
    /// Header, table or payload was damaged.
    #[error("frame is damaged: its checksum differs")]
    Checksum,
    /// The payload does not give the bytes that were stated.
    #[error("frame payload does not decompress to the stated length")]
    Payload,
    /// The key of another domain was given.
    #[error("frame belongs to domain {found}, not {expected}")]
    Domain {
        /// What the frame says.
        found: Domain,
        /// Whose key was given.
        expected: Domain,
    },
    /// A chunk is not what its name says.
    #[error("chunk {id} is not what its name says")]
    Name {
        /// The name it was stated under.
        id: ChunkId,
    },
}

/// One chunk in a frame's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameChunk {
    /// Its name.
    pub id: ChunkId,
    /// Its raw length.
    pub length: u32,
}

/// What a frame says about itself, within bounds, not yet checked against its checksum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameHeader {
    /// In which domain the chunks are named.
    pub domain: Domain,
    /// How the payload is written.
    pub codec: Codec,
    /// Length of all chunks together.
    pub raw_bytes: usize,
    /// Length of the payload.
    pub payload_bytes: usize,
    /// The chunks in order.
    pub chunks: Vec<FrameChunk>,
}

/// A frame whose checksum and chunks were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenFrame {
    /// Each chunk and where it lies in `raw`.
    pub chunks: Vec<(ChunkId, Range<usize>)>,
    /// All chunks, one after the other.
    pub raw: Vec<u8>,
}

impl OpenFrame {
    /// The content of `id`, if it is in here.
    pub fn chunk(&self, id: &ChunkId) -> Option<&[u8]> {
        let (_, range) = self.chunks.iter().find(|(other, _)| other == id)?;
        self.raw.get(range.clone())
    }
}

/// zstd's own bound (`ZSTD_COMPRESSBOUND`) for one frame.
pub(super) const fn payload_bytes_max(raw_bytes: usize) -> usize {
    let small = 128 << 10;
    raw_bytes + (raw_bytes >> 8) + if raw_bytes < small { (small - raw_bytes) >> 11 } else { 0 }
}

/// Total length of header, table and checksum, and of the whole frame, from its first
/// [`PREFIX_BYTES`]. Lets a scan read a frame in two steps.
pub fn lengths(prefix: &[u8]) -> Result<(usize, usize), FrameError> {
    let fixed = Fixed::parse(prefix)?;
    Ok((fixed.header_bytes(), fixed.header_bytes() + fixed.payload_bytes))
}

/// The domain that a frame's first [`PREFIX_BYTES`] state.
pub fn domain(prefix: &[u8]) -> Option<Domain> {
    Fixed::parse(prefix).ok().map(|fixed| fixed.domain)
}

struct Fixed {
    codec: Codec,
    domain: Domain,
    raw_bytes: usize,
    payload_bytes: usize,
    count: usize,
}

impl Fixed {
    fn parse(bytes: &[u8]) -> Result<Self, FrameError> {
        let mut fields = Fields(bytes);
        let fixed = Self::take(&mut fields);
        fixed.unwrap_or(Err(FrameError::Short { needed: PREFIX_BYTES, have: bytes.len() }))
    }

    fn take(fields: &mut Fields<'_>) -> Option<Result<Self, FrameError>> {
        if fields.array()? != MAGIC {
            return Some(Err(FrameError::Magic));
        }
        let [version, cipher, codec, reserved] = fields.array()?;
        let unknown = |what, value| Some(Err(FrameError::Unknown { what, value }));
        if version != VERSION {
            return unknown("version", version);
        }
        if cipher != CIPHER_NONE {
            return unknown("cipher", cipher);
        }
        let codec = match codec {
            0 => Codec::Stored,
            1 => Codec::Zstd,
            other => return unknown("codec", other),
        };
        if reserved != 0 {
            return unknown("flags", reserved);
        }
        let fixed = Self {
            codec,
            domain: Domain(fields.array()?),
            raw_bytes: fields.length()?,
            payload_bytes: fields.length()?,
            count: fields.length()?,
        };
        Some(fixed.bounded())
    }

    fn bounded(self) -> Result<Self, FrameError> {
        if self.raw_bytes == 0 || self.raw_bytes > RAW_BYTES_MAX {
            return Err(FrameError::Bounds("an impossible raw length"));
        }
        if self.payload_bytes == 0 || self.payload_bytes > payload_bytes_max(self.raw_bytes) {
            return Err(FrameError::Bounds("an impossible payload length"));
        }
        if self.codec == Codec::Stored && self.payload_bytes != self.raw_bytes {
            return Err(FrameError::Bounds("a stored payload of another length"));
        }
        if self.count == 0 || self.count > CHUNKS_MAX {
            return Err(FrameError::Bounds("an impossible number of chunks"));
        }
        Ok(self)
    }

    fn header_bytes(&self) -> usize {
        PREFIX_BYTES + self.count * ENTRY_BYTES + CHECKSUM_BYTES
    }
}

impl FrameHeader {
    /// Reads header and table; the payload need not be there.
    pub fn parse(bytes: &[u8]) -> Result<Self, FrameError> {
        let fixed = Fixed::parse(bytes)?;
        let needed = fixed.header_bytes();
        let short = FrameError::Short { needed, have: bytes.len() };
        if bytes.len() < needed {
            return Err(short);
        }
        let mut fields = Fields(&bytes[PREFIX_BYTES..]);
        let mut chunks = Vec::with_capacity(fixed.count);
        let mut sum_bytes = 0_usize;
        for _ in 0..fixed.count {
            let (Some(id), Some(length)) = (fields.array(), fields.u32()) else {
                return Err(short);
            };
            if length == 0 || length > CHUNK_BYTES_MAX {
                return Err(FrameError::Bounds("a chunk of impossible length"));
            }
            sum_bytes += length as usize;
            chunks.push(FrameChunk { id: ChunkId(id), length });
        }
        if sum_bytes != fixed.raw_bytes {
            return Err(FrameError::Bounds("chunks that do not add up to the raw length"));
        }
        let Fixed { codec, domain, raw_bytes, payload_bytes, .. } = fixed;
        Ok(Self { domain, codec, raw_bytes, payload_bytes, chunks })
    }

    /// Length of header, table and checksum.
    pub fn header_bytes(&self) -> usize {
        PREFIX_BYTES + self.chunks.len() * ENTRY_BYTES + CHECKSUM_BYTES
    }

    /// Length of the whole frame.
    pub fn total_bytes(&self) -> usize {
        self.header_bytes() + self.payload_bytes
    }
}

/// Checks one whole frame against its checksum, without the key. `bytes` must be the frame and
/// nothing else.
pub fn check(bytes: &[u8]) -> Result<FrameHeader, FrameError> {
    let header = FrameHeader::parse(bytes)?;
    let needed = header.total_bytes();
    if bytes.len() < needed {
        return Err(FrameError::Short { needed, have: bytes.len() });
    }
    if bytes.len() > needed {
        return Err(FrameError::Bounds("less than was sent"));
    }
    let (head, payload) = bytes.split_at(header.header_bytes());
    let (head, stated) = head.split_at(head.len() - CHECKSUM_BYTES);
    if checksum(&[head, payload]) != stated {
        return Err(FrameError::Checksum);
    }
    Ok(header)
}

/// Checks one whole frame and every chunk in it against its name (promise 3).
pub fn open(bytes: &[u8], key: &DomainKey) -> Result<OpenFrame, FrameError> {
    let header = check(bytes)?;
    if header.domain != key.domain() {
        return Err(FrameError::Domain { found: header.domain, expected: key.domain() });
    }
    let raw = expand(&header, &bytes[header.header_bytes()..])?;
    let mut chunks = Vec::with_capacity(header.chunks.len());
    let mut start = 0;
    for FrameChunk { id, length } in header.chunks {
        let range = start..start + length as usize;
        start = range.end;
        if key.name(&raw[range.clone()]) != id {
            return Err(FrameError::Name { id });
        }
        chunks.push((id, range));
    }
    Ok(OpenFrame { chunks, raw })
}

fn expand(header: &FrameHeader, payload: &[u8]) -> Result<Vec<u8>, FrameError> {
    match header.codec {
        Codec::Stored => Ok(payload.to_vec()),
        Codec::Zstd => {
            let mut raw = Vec::with_capacity(header.raw_bytes);
            let expanded = DECOMPRESSOR.with_borrow_mut(|decompressor| {
                if decompressor.is_none() {
                    *decompressor = Some(zstd::bulk::Decompressor::new()?);
                }
                let decompressor = decompressor.as_mut().expect("it was just made");
                decompressor.decompress_to_buffer(payload, &mut raw)
            });
            match expanded {
                Ok(length) if length == header.raw_bytes => Ok(raw),
                _ => Err(FrameError::Payload),
            }
        }
    }
}

thread_local! {
    /// Setting zstd's tables up costs a tenth of expanding a frame.
    static DECOMPRESSOR: std::cell::RefCell<Option<zstd::bulk::Decompressor<'static>>> =
        const { std::cell::RefCell::new(None) };
}
