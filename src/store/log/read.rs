//! Reads index logs: a hundred million chunks are in them, so nothing is copied on the way.

use crate::chunk::fields::Fields;
use crate::chunk::{CHECKSUM_BYTES, checksum};
use crate::model::ChunkId;
use crate::store::disk::{Disk, DiskError};
use crate::store::log::{BATCH_BYTES_MAX, HEADER_BYTES, LogRecord, MAGIC, VERSION};

const BATCH_HEAD_BYTES: usize = 4 + CHECKSUM_BYTES;
/// Read at a time: commits leave batches of a few KiB, and each read opens the file.
const WINDOW_BYTES: usize = 4 << 20;
/// The variant of a frame, which is what nearly all records are.
const FRAME: u8 = 1;

/// A record where it stands.
#[derive(Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// [`LogRecord::Frame`], its chunks left where they are.
    Frame {
        /// In which pack.
        pack: u32,
        /// Where it begins.
        offset: u32,
        /// How long it is.
        length: u32,
        /// What it holds.
        chunks: &'a [[u8; ChunkId::LEN]],
    },
    /// Any other.
    Other(LogRecord),
}

impl Entry<'_> {
    /// The record by itself.
    pub fn into_record(self) -> LogRecord {
        match self {
            Entry::Frame { pack, offset, length, chunks } => {
                let chunks = chunks.iter().map(|id| ChunkId(*id)).collect();
                LogRecord::Frame { pack, offset, length, chunks }
            }
            Entry::Other(record) => record,
        }
    }
}

/// The records of a batch, up to what this code cannot read: what its checksum vouches for comes
/// from a later version then.
#[derive(Debug)]
pub struct Entries<'a>(&'a [u8]);

impl Entries<'_> {
    /// Was the batch read to its end?
    pub fn is_done(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let (kind, fields) = self.0.split_first()?;
        let (entry, rest) = if *kind == FRAME {
            take_frame(fields)?
        } else {
            let (record, rest) = postcard::take_from_bytes(self.0).ok()?;
            (Entry::Other(record), rest)
        };
        self.0 = rest;
        Some(entry)
    }
}

fn take_frame(bytes: &[u8]) -> Option<(Entry<'_>, &[u8])> {
    let mut fields = Fields(bytes);
    let mut number = || u32::try_from(varint(&mut fields)?).ok();
    let (pack, offset, length) = (number()?, number()?, number()?);
    let count = usize::try_from(varint(&mut fields)?).ok()?;
    let ids = fields.bytes(count.checked_mul(ChunkId::LEN)?)?;
    let (chunks, _) = ids.as_chunks();
    Some((Entry::Frame { pack, offset, length, chunks }, fields.0))
}

/// A number as postcard writes it: seven bits in each byte, the lowest first.
fn varint(fields: &mut Fields<'_>) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = fields.u8()?;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// The first batch of `bytes`, if it is whole; and what follows it.
pub fn split_batch(bytes: &[u8]) -> Option<(Entries<'_>, &[u8])> {
    let (head, rest) = bytes.split_at_checked(BATCH_HEAD_BYTES)?;
    let (length, stated) = head.split_at(4);
    let (body, rest) = rest.split_at_checked(body_bytes(bytes)?)?;
    (checksum(&[length, body]) == stated).then_some((Entries(body), rest))
}

/// How long the body of the first batch is said to be.
fn body_bytes(bytes: &[u8]) -> Option<usize> {
    Fields(bytes).length().filter(|length| (1..=BATCH_BYTES_MAX).contains(length))
}

/// The batches of a log, front to back, up to the first damage.
pub struct Batches<'a> {
    disk: &'a dyn Disk,
    file: &'a str,
    /// What was read and lies at `offset`; used up to `at`.
    window: Vec<u8>,
    at: usize,
    offset: u64,
}

impl<'a> Batches<'a> {
    /// Of `file`; of none that is not a log of this version.
    pub fn new(disk: &'a dyn Disk, file: &'a str) -> Result<Self, DiskError> {
        let mut batches = Self { disk, file, window: Vec::new(), at: 0, offset: 0 };
        batches.fill(HEADER_BYTES as usize)?;
        // One that power failed in the middle of holds nothing yet.
        let header = batches.window.get(..HEADER_BYTES as usize);
        if header.is_some_and(|it| it.starts_with(&[MAGIC.as_slice(), &[VERSION]].concat())) {
            batches.at = HEADER_BYTES as usize;
        } else {
            batches.window.clear();
        }
        Ok(batches)
    }

    /// Where the next batch begins: everything before was whole.
    pub fn position(&self) -> u64 {
        self.offset + self.at as u64
    }

    /// The next batch.
    pub fn next_batch(&mut self) -> Result<Option<Entries<'_>>, DiskError> {
        if self.window.is_empty() {
            return Ok(None);
        }
        self.fill(BATCH_HEAD_BYTES)?;
        let Some(body_bytes) = body_bytes(&self.window[self.at..]) else {
            return Ok(None);
        };
        self.fill(BATCH_HEAD_BYTES + body_bytes)?;
        let Some((entries, _)) = split_batch(&self.window[self.at..]) else {
            return Ok(None);
        };
        self.at += BATCH_HEAD_BYTES + body_bytes;
        Ok(Some(entries))
    }

    /// Has at least `needed` bytes in the window, unless the file ends.
    fn fill(&mut self, needed: usize) -> Result<(), DiskError> {
        let left = self.window.len() - self.at;
        if left >= needed {
            return Ok(());
        }
        let next = self.offset + self.window.len() as u64;
        let read = self.disk.read(self.file, next, WINDOW_BYTES.max(needed))?;
        self.offset += self.at as u64;
        self.window.drain(..self.at);
        self.at = 0;
        self.window.extend_from_slice(&read);
        Ok(())
    }
}

/// Hands every record of `file` to `take`, up to the first damage; says how many bytes were whole.
pub fn replay(
    disk: &dyn Disk,
    file: &str,
    mut take: impl FnMut(LogRecord),
) -> Result<u64, DiskError> {
    let mut batches = Batches::new(disk, file)?;
    while let Some(mut entries) = batches.next_batch()? {
        entries.by_ref().for_each(|entry| take(entry.into_record()));
        if !entries.is_done() {
            break;
        }
    }
    Ok(batches.position())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Domain, PackId, WorkloadId};

    fn record() -> impl Strategy<Value = LogRecord> {
        let numbers = (any::<u32>(), any::<u32>(), any::<u32>());
        prop_oneof![
            (any::<u32>(), any::<[u8; 16]>(), any::<u32>()).prop_map(
                |(number, id, first_frame)| {
                    let workload = WorkloadId::new("acme").unwrap();
                    let (id, domain) = (PackId(id), Domain([7; 8]));
                    LogRecord::Pack { number, id, workload, domain, first_frame }
                }
            ),
            (numbers, prop::collection::vec(any::<[u8; 32]>(), 0..200)).prop_map(
                |((pack, offset, length), ids)| {
                    let chunks = ids.into_iter().map(ChunkId).collect();
                    LogRecord::Frame { pack, offset, length, chunks }
                }
            ),
            numbers.prop_map(|(pack, length, frames)| LogRecord::Sealed { pack, length, frames }),
            numbers.prop_map(|(pack, length, _)| LogRecord::Condemned { pack, length }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn entries_are_what_postcard_wrote(records in prop::collection::vec(record(), 0..20)) {
            let mut bytes = Vec::new();
            for record in &records {
                bytes = postcard::to_extend(record, bytes).unwrap();
            }
            let mut entries = Entries(&bytes);
            let read: Vec<LogRecord> = entries.by_ref().map(Entry::into_record).collect();
            prop_assert!(entries.is_done());
            prop_assert_eq!(read, records);
        }

        #[test]
        fn nonsense_is_no_record(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let mut entries = Entries(&bytes);
            prop_assert!(entries.by_ref().count() <= bytes.len());
        }
    }
}
