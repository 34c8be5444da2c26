//! The segment: what one receipt vouches for of a run, compressed and checked by itself.
//!
//! # Layout, version 1
//!
//! | offset | bytes | field | bounds |
//! |---|---|---|---|
//! | 0 | 4 | magic `EVsg` | |
//! | 4 | 1 | version | 1 |
//! | 5 | 3 | reserved | 0 |
//! | 8 | 4 | head length | 1 MiB at most |
//! | 12 | 4 | payload length | zstd's bound of the raw length |
//! | 16 | 4 | raw length | 32 MiB at most |
//! | 20 | 4 | record count | 1,048,576 at most |
//! | 24 | 16 | checksum over the payload | |
//! | 40 | 16 | checksum over all before it, then the head | |
//! | 56 | | head: [`SegmentHead`] in postcard | |
//! | | | payload: zstd of [`Record`]s in postcard, one after the other | |
//!
//! The payload is decompressed into a buffer of the raw length, which is bounded: that is the
//! bound of the expansion ratio too. The head has a checksum of its own, so a damaged payload still
//! tells from which path to which path something is missing. Every record is checked
//! ([`Record::check`]) when it is written and when it is read.

use crate::capture::entry::{Cursor, Record};
use crate::chunk::fields::Fields;
use crate::chunk::{CHECKSUM_BYTES, checksum};
use crate::model::{Tally, TreePath};
use serde::{Deserialize, Serialize};

/// First bytes of every segment.
pub const MAGIC: [u8; 4] = *b"EVsg";
/// Bytes before the head.
pub const PREFIX_BYTES: usize = 56;
/// Most bytes of records a segment may hold, uncompressed.
pub const RAW_BYTES_MAX: usize = 32 << 20;
/// Most records a segment may hold.
pub const RECORDS_MAX: usize = 1 << 20;
/// Longest head: three paths and some numbers.
pub const HEAD_BYTES_MAX: usize = 1 << 20;

const VERSION: u8 = 1;
/// Manifests are a thousandth of the data: size matters more than speed.
const ZSTD_LEVEL: i32 = 3;

/// What a segment says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentHead {
    /// Its number in the run, from 0 without gaps.
    pub number: u32,
    /// Where the run goes on; `None` when it is complete.
    pub cursor: Option<Cursor>,
    /// The first path it is about; `None` when it has no records.
    pub first: Option<TreePath>,
    /// The last path it is about.
    pub last: Option<TreePath>,
    /// What it counted.
    pub tally: Tally,
}

/// A segment's fixed fields, within bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prefix {
    pub head_bytes: usize,
    pub payload_bytes: usize,
    raw_bytes: usize,
    pub records: usize,
    payload_sum: [u8; CHECKSUM_BYTES],
    head_sum: [u8; CHECKSUM_BYTES],
}

impl Prefix {
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        if fields.array()? != MAGIC || fields.array()? != [VERSION, 0, 0, 0] {
            return None;
        }
        let prefix = Self {
            head_bytes: fields.length()?,
            payload_bytes: fields.length()?,
            raw_bytes: fields.length()?,
            records: fields.length()?,
            payload_sum: fields.array()?,
            head_sum: fields.array()?,
        };
        let is_bounded = prefix.head_bytes <= HEAD_BYTES_MAX
            && prefix.raw_bytes <= RAW_BYTES_MAX
            && prefix.payload_bytes <= zstd::zstd_safe::compress_bound(prefix.raw_bytes)
            && prefix.records <= RECORDS_MAX.min(prefix.raw_bytes);
        is_bounded.then_some(prefix)
    }

    pub fn total_bytes(&self) -> u64 {
        (PREFIX_BYTES + self.head_bytes + self.payload_bytes) as u64
    }

    /// The head, if `prefix` and `head` are undamaged.
    pub fn head(&self, prefix: &[u8], head: &[u8]) -> Option<SegmentHead> {
        let summed = prefix.get(..PREFIX_BYTES - CHECKSUM_BYTES)?;
        let is_whole = head.len() == self.head_bytes && checksum(&[summed, head]) == self.head_sum;
        is_whole.then(|| postcard::from_bytes(head).ok())?
    }

    /// The records, if `payload` is undamaged.
    pub fn records(&self, payload: &[u8]) -> Option<Records> {
        if payload.len() != self.payload_bytes || checksum(&[payload]) != self.payload_sum {
            return None;
        }
        let mut raw = vec![0; self.raw_bytes];
        let length = zstd::bulk::decompress_to_buffer(payload, &mut raw[..]).ok()?;
        (length == raw.len()).then_some(Records { raw, at: 0, left: self.records })
    }
}

/// The records of one segment; decoded one by one, so only their encoding is in memory.
#[derive(Debug)]
pub(super) struct Records {
    raw: Vec<u8>,
    at: usize,
    left: usize,
}

impl Records {
    pub fn empty() -> Self {
        Self { raw: Vec::new(), at: 0, left: 0 }
    }

    /// The next record; an error ends them.
    pub fn next(&mut self) -> Option<Result<Record, &'static str>> {
        if self.left == 0 {
            let is_done = self.at == self.raw.len();
            self.at = self.raw.len();
            return if is_done { None } else { Some(Err("more bytes than records")) };
        }
        let record = match postcard::take_from_bytes::<Record>(&self.raw[self.at..]) {
            Ok((record, rest)) => {
                self.at = self.raw.len() - rest.len();
                self.left -= 1;
                record.check().map(|()| record)
            }
            Err(_) => Err("a record that makes no sense"),
        };
        if record.is_err() {
            *self = Self::empty();
        }
        Some(record)
    }
}

/// The bytes of a segment. `Err` says what does not fit.
pub(super) fn encode(head: &SegmentHead, records: &[Record]) -> Result<Vec<u8>, &'static str> {
    let mut raw = Vec::new();
    for record in records {
        record.check()?;
        raw = postcard::to_extend(record, raw).map_err(|_| "a record without an encoding")?;
        if raw.len() > RAW_BYTES_MAX {
            return Err("a segment so long");
        }
    }
    if records.len() > RECORDS_MAX {
        return Err("so many records");
    }
    let payload = zstd::bulk::compress(&raw, ZSTD_LEVEL).map_err(|_| "what zstd refuses")?;
    let encoded = postcard::to_stdvec(head).map_err(|_| "a head without an encoding")?;
    if encoded.len() > HEAD_BYTES_MAX {
        return Err("a head so long");
    }
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&[VERSION, 0, 0, 0]);
    for number in [encoded.len(), payload.len(), raw.len(), records.len()] {
        bytes.extend_from_slice(&(number as u32).to_le_bytes());
    }
    bytes.extend_from_slice(&checksum(&[&payload]));
    let sum = checksum(&[&bytes, &encoded]);
    bytes.extend_from_slice(&sum);
    bytes.extend_from_slice(&encoded);
    bytes.extend_from_slice(&payload);
    Ok(bytes)
}
