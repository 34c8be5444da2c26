//! The index log: what lets the store open without reading its packs.
//!
//! # Layout, version 1: `index/NUMBER`, eight digits, one file per opening for writing
//!
//! | part | bytes | field | bounds |
//! |---|---|---|---|
//! | header | 8 | magic `EVACINDX` | |
//! | | 1 | version | 1 |
//! | | 7 | reserved | 0 |
//! | batch | 4 | body length | 1 to 4 MiB |
//! | | 16 | checksum over the body length and the body | |
//! | | | body: [`LogRecord`]s in postcard, one after the other | |
//!
//! Batches follow each other to the end of the file. A batch that is cut short or damaged ends the
//! file: it and what follows is ignored, and the packs that are thereby not known to be sealed are
//! read instead. So the log is a cache; losing it costs time only.
//!
//! A record is written after the pack it speaks of was synced. Pack numbers count within one file.
//! Frames of a pack are logged in order; `first_frame` says how many earlier files have logged,
//! and `Sealed` how many there are in all, so that a gap left by a damaged file is noticed.

mod read;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::chunk::checksum;
use crate::model::{ChunkId, Domain, PackId, WorkloadId};
use crate::store::disk::{Append, Disk, DiskError};
use crate::store::pack::PackFrame;
pub use read::{Batches, Entries, Entry, replay, split_batch};

/// Every log's name begins with this.
pub const PREFIX: &str = "index/";

const MAGIC: [u8; 8] = *b"EVACINDX";
const VERSION: u8 = 1;
const HEADER_BYTES: u64 = 16;
/// A batch is closed at this length; a record is at most half a MiB.
const BATCH_BYTES: usize = 1 << 20;
const BATCH_BYTES_MAX: usize = 4 << 20;

/// One fact about one pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogRecord {
    /// Gives a pack its number in this file.
    Pack {
        /// The number.
        number: u32,
        /// The pack.
        id: PackId,
        /// Whose data it holds.
        workload: WorkloadId,
        /// In which domain its chunks are named.
        domain: Domain,
        /// How many of its frames stand in earlier files.
        first_frame: u32,
    },
    /// A frame that is durable.
    Frame {
        /// In which pack.
        pack: u32,
        /// Where it begins.
        offset: u32,
        /// How long it is.
        length: u32,
        /// What it holds.
        chunks: Vec<ChunkId>,
    },
    /// The pack is complete and durable.
    Sealed {
        /// Which.
        pack: u32,
        /// Its length with footer and trailer.
        length: u32,
        /// How many frames it has.
        frames: u32,
    },
    /// A sync failed: nothing from `length` on may be believed, and nobody writes to it again.
    Condemned {
        /// Which.
        pack: u32,
        /// How much of it had been synced before.
        length: u32,
    },
}

/// What the log has to say about a pack at one commit.
#[derive(Debug)]
pub struct PackNews {
    /// The pack's number in the store; any number that stays the same.
    pub number: u32,
    /// The pack.
    pub id: PackId,
    /// Whose data it holds.
    pub workload: WorkloadId,
    /// Its domain.
    pub domain: Domain,
    /// Frames that the log has already.
    pub first_frame: u32,
    /// Frames it has not.
    pub frames: Vec<PackFrame>,
    /// How it ended, if it did.
    pub end: Option<PackEnd>,
}

/// How a pack ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackEnd {
    /// With a footer; its whole length.
    Sealed(u32),
    /// With a failed sync; how much is durable.
    Condemned(u32),
}

/// Appends to one log file, which it makes when there is something to write.
pub struct LogWriter {
    name: String,
    file: Option<Box<dyn Append>>,
    numbers: HashMap<u32, u32>,
}

impl LogWriter {
    /// For the log `number`.
    pub fn new(number: u32) -> Self {
        Self { name: format!("{PREFIX}{number:08}"), file: None, numbers: HashMap::new() }
    }

    /// Does its file exist?
    pub fn is_begun(&self) -> bool {
        self.file.is_some()
    }

    /// Writes `news` and makes them durable. After an error this file is not written again.
    pub fn write(&mut self, disk: &dyn Disk, news: &[PackNews]) -> Result<(), DiskError> {
        let mut body = Vec::new();
        if self.file.is_none() {
            let mut file = disk.create(&self.name)?;
            let mut header = MAGIC.to_vec();
            header.extend_from_slice(&[VERSION, 0, 0, 0, 0, 0, 0, 0]);
            file.append(&header)?;
            self.file = Some(file);
        }
        for pack in news {
            for record in records(&mut self.numbers, pack) {
                body = postcard::to_extend(&record, body)
                    .map_err(|error| DiskError::new("encode", &self.name, invalid(error)))?;
                if body.len() >= BATCH_BYTES {
                    self.append(&body)?;
                    body.clear();
                }
            }
        }
        if !body.is_empty() {
            self.append(&body)?;
        }
        self.file.as_mut().map_or(Ok(()), |file| file.sync())
    }

    fn append(&mut self, body: &[u8]) -> Result<(), DiskError> {
        let length = (body.len() as u32).to_le_bytes();
        let batch = [&length[..], &checksum(&[&length, body]), body].concat();
        self.file.as_mut().map_or(Ok(()), |file| file.append(&batch))
    }
}

fn invalid(error: postcard::Error) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, error)
}

fn records(numbers: &mut HashMap<u32, u32>, pack: &PackNews) -> Vec<LogRecord> {
    let mut records = Vec::with_capacity(pack.frames.len() + 2);
    let next = numbers.len() as u32;
    let number = *numbers.entry(pack.number).or_insert_with(|| {
        records.push(LogRecord::Pack {
            number: next,
            id: pack.id,
            workload: pack.workload.clone(),
            domain: pack.domain,
            first_frame: pack.first_frame,
        });
        next
    });
    records.extend(pack.frames.iter().map(|frame| LogRecord::Frame {
        pack: number,
        offset: frame.offset,
        length: frame.length,
        chunks: frame.chunks.clone(),
    }));
    let frames = pack.first_frame + pack.frames.len() as u32;
    records.extend(pack.end.map(|end| match end {
        PackEnd::Sealed(length) => LogRecord::Sealed { pack: number, length, frames },
        PackEnd::Condemned(length) => LogRecord::Condemned { pack: number, length },
    }));
    records
}

/// The number of a log file.
pub fn number_of(file: &str) -> Option<u32> {
    let digits = file.strip_prefix(PREFIX)?;
    (digits.len() == 8).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::MemoryDisk;

    fn news(number: u32, first_frame: u32, end: Option<PackEnd>) -> PackNews {
        PackNews {
            number,
            id: PackId([number as u8; 16]),
            workload: WorkloadId::new("acme").unwrap(),
            domain: Domain([1; 8]),
            first_frame,
            frames: vec![PackFrame { offset: 60, length: 9, chunks: vec![ChunkId([2; 32])] }],
            end,
        }
    }

    fn read(disk: &MemoryDisk) -> Vec<LogRecord> {
        let mut records = Vec::new();
        replay(disk, "index/00000007", |record| records.push(record)).unwrap();
        records
    }

    #[test]
    fn a_log_reads_what_it_wrote_and_numbers_a_pack_once() {
        let disk = MemoryDisk::new();
        let mut log = LogWriter::new(7);
        log.write(&disk, &[news(40, 0, None), news(50, 3, Some(PackEnd::Sealed(99)))]).unwrap();
        log.write(&disk, &[news(40, 1, Some(PackEnd::Condemned(69)))]).unwrap();
        let records = read(&disk);
        let packs = records.iter().filter(|record| matches!(record, LogRecord::Pack { .. }));
        assert_eq!((packs.count(), records.len()), (2, 7));
        assert!(records.contains(&LogRecord::Sealed { pack: 1, length: 99, frames: 4 }));
        assert_eq!(records[6], LogRecord::Condemned { pack: 0, length: 69 });
    }

    #[test]
    fn a_torn_or_damaged_batch_ends_the_log() {
        let disk = MemoryDisk::new();
        let mut log = LogWriter::new(7);
        log.write(&disk, &[news(1, 0, None)]).unwrap();
        let whole = disk.length("index/00000007").unwrap() as usize;
        log.write(&disk, &[news(2, 0, None)]).unwrap();
        let bytes = disk.read("index/00000007", 0, 1 << 20).unwrap();
        for at in whole..bytes.len() {
            disk.put("index/00000007", &bytes[..at]).unwrap();
            assert_eq!(read(&disk).len(), 2);
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            disk.put("index/00000007", &damaged).unwrap();
            assert_eq!(read(&disk).len(), 2);
        }
        for at in [0, 8, 17, 25, 40] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            disk.put("index/00000007", &damaged).unwrap();
            assert_eq!(read(&disk).len(), 0);
        }
    }
}
