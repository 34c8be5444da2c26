//! Records as columns: how an offer crosses the uplink.
//!
//! With hundreds of hosts that hold much the same, what each of them says about its files is what
//! is left to send. Field by field beside its like and as the difference to the one before, a
//! record takes a third of what it takes one by one: 20 bytes with the short name of its piece,
//! 57 before, measured on systems of 10,000 entries.
//!
//! Two blocks are compressed apart, text and numbers, for they share no statistics; names of
//! pieces are not compressed at all, for hashes do not shrink and would only spoil the rest.
//!
//! **Promises.** What is decoded takes at most twice [`PLAIN_BYTES_MAX`], whatever a peer states:
//! text and numbers together, and as much for what is built of them. Every column is read to its
//! end. Bounds of records are [`check_records`](super::records)' business, as for every list.

mod read;
#[cfg(test)]
mod tests;
mod write;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_bytes::ByteBuf;

use crate::capture::Record;
use crate::capture::entry::Metadata;
use crate::model::ChunkId;
use crate::wire::codec::{squeeze, unsqueeze};
use read::Reader;
use write::Writer;

/// Most that one list is uncompressed.
pub const PLAIN_BYTES_MAX: usize = 16 << 20;

/// What decoding says of bytes that no encoder wrote.
const MALFORMED: &str = "columns that do not fit each other";

/// A list of records without the names of its pieces, as it crosses.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Columns {
    text: Squeezed,
    numbers: Squeezed,
}

/// Bytes and how long they were before they were compressed.
#[derive(Debug, Serialize, Deserialize)]
struct Squeezed {
    plain_bytes: u32,
    bytes: ByteBuf,
}

impl Squeezed {
    fn of(plain: &[u8]) -> Self {
        Self { plain_bytes: plain.len() as u32, bytes: ByteBuf::from(squeeze(plain)) }
    }

    fn open(&self) -> Result<Vec<u8>, &'static str> {
        unsqueeze(&self.bytes, self.plain_bytes as usize).ok_or(MALFORMED)
    }
}

/// For `#[serde(with)]`: records and, behind the columns, the whole names of their pieces.
pub(super) mod named {
    use super::{
        ByteBuf, ChunkId, Columns, Deserialize as _, Deserializer, MALFORMED, Record,
        Serialize as _, Serializer, name_of, set_names,
    };
    use serde::de::Error as _;

    pub fn serialize<S: Serializer>(records: &[Record], to: S) -> Result<S::Ok, S::Error> {
        let names: Vec<u8> = records.iter().filter_map(name_of).flat_map(|id| id.0).collect();
        (Columns::of(records), ByteBuf::from(names)).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Record>, D::Error> {
        let (columns, names) = <(Columns, ByteBuf)>::deserialize(from)?;
        let mut records = columns.records().map_err(D::Error::custom)?;
        let (names, rest) = names.as_chunks::<{ ChunkId::LEN }>();
        if !rest.is_empty() || !set_names(&mut records, names.iter().map(|id| ChunkId(*id))) {
            return Err(D::Error::custom(MALFORMED));
        }
        Ok(records)
    }
}

/// The name of the piece that a record is about.
pub(super) fn name_of(record: &Record) -> Option<ChunkId> {
    if let Record::Data { id, .. } = record { Some(*id) } else { None }
}

/// Names the pieces of `records`, in order; false if there are not as many names as pieces.
pub(super) fn set_names(records: &mut [Record], mut names: impl Iterator<Item = ChunkId>) -> bool {
    for record in records {
        if let Record::Data { id, .. } = record {
            let Some(name) = names.next() else { return false };
            *id = name;
        }
    }
    names.next().is_none()
}

/// Columns of text come first. What is text has its length among the numbers, but for names of
/// paths, which end with a NUL.
#[derive(Debug, Clone, Copy)]
enum Column {
    Names,
    Text,
    Tags,
    Climbs,
    Lengths,
    Sizes,
    Devices,
    Modes,
    Users,
    Groups,
    ModifiedSeconds,
    ModifiedNanoseconds,
    ChangedSeconds,
    ChangedNanoseconds,
    Inodes,
    FileSystems,
    Links,
    Flags,
    Attributes,
    Offsets,
    Pieces,
    Ends,
}
const TEXT_COLUMNS: usize = 2;
const COLUMNS: usize = Column::Ends as usize + 1;

/// What a record is; nodes and hard links add what kind of entry.
mod tag {
    pub const NODE: u8 = 0;
    pub const HARD_LINK: u8 = 8;
    /// A piece that reaches to the size which the file's node states.
    pub const LAST_PIECE: u8 = 16;
    pub const PIECE: u8 = 17;
    pub const LOST: u8 = 18;
    pub const STEADY: u8 = 19;
    pub const CHANGED: u8 = 20;
    pub const CUT: u8 = 21;
    pub const GONE: u8 = 22;
    pub const LEFT_OUT: u8 = 23;
}

/// What the next record is told as a difference from. Both ends keep the same.
#[derive(Debug, Default)]
struct Before {
    path: Vec<u8>,
    metadata: Metadata,
    /// Of the latest node.
    size: u64,
    /// Where the file's latest piece ends.
    end: u64,
}

/// Numbers take seven bits a byte, the lowest first.
fn put_number(column: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        column.push(number as u8 | 0x80);
        number >>= 7;
    }
    column.push(number as u8);
}

fn take_number(column: &mut &[u8]) -> Result<u64, &'static str> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = column.split_first().ok_or(MALFORMED)?;
        *column = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Ok(number);
        }
    }
    Err(MALFORMED)
}

/// Small differences become small numbers, whatever their sign.
fn difference(now: u64, before: u64) -> u64 {
    let signed = now.wrapping_sub(before) as i64;
    (signed << 1 ^ signed >> 63) as u64
}

fn with_difference(before: u64, told: u64) -> u64 {
    before.wrapping_add(told >> 1 ^ (told & 1).wrapping_neg())
}

impl Columns {
    /// All that `records` say but the names of pieces.
    pub(super) fn of(records: &[Record]) -> Self {
        let columns = Writer::columns_of(records);
        let join = |columns: &[Vec<u8>]| {
            let mut joined = Vec::new();
            for column in columns {
                put_number(&mut joined, column.len() as u64);
                joined.extend_from_slice(column);
            }
            Squeezed::of(&joined)
        };
        let (text, numbers) = columns.split_at(TEXT_COLUMNS);
        Self { text: join(text), numbers: join(numbers) }
    }

    /// The records; their pieces have the name of all zeros.
    pub(super) fn records(&self) -> Result<Vec<Record>, &'static str> {
        let plain_bytes = u64::from(self.text.plain_bytes) + u64::from(self.numbers.plain_bytes);
        if plain_bytes > PLAIN_BYTES_MAX as u64 {
            return Err("lists too long");
        }
        let (text, numbers) = (self.text.open()?, self.numbers.open()?);
        let (text, numbers) = (&mut &text[..], &mut &numbers[..]);
        let mut columns = [&[][..]; COLUMNS];
        for (number, column) in columns.iter_mut().enumerate() {
            let from = if number < TEXT_COLUMNS { &mut *text } else { &mut *numbers };
            let length = take_number(from)?;
            *column = take(from, length)?;
        }
        let mut reader = Reader::new(&columns);
        let mut records = Vec::new();
        while let Some(record) = reader.record()? {
            records.push(record);
        }
        if reader.is_used_up() && text.is_empty() && numbers.is_empty() {
            Ok(records)
        } else {
            Err(MALFORMED)
        }
    }
}

fn take<'a>(from: &mut &'a [u8], length: u64) -> Result<&'a [u8], &'static str> {
    let length = usize::try_from(length).map_err(|_| MALFORMED)?;
    let (taken, rest) = from.split_at_checked(length).ok_or(MALFORMED)?;
    *from = rest;
    Ok(taken)
}
