//! What records take in memory, and the bounds of a list of them.

use crate::capture::Record;
use crate::capture::entry::{Entry, Kind, Xattr};
use crate::wire::message::{OFFER_RAW_BYTES_MAX, RECORDS_MAX, ToLanding};

/// Fixed fields of a record: 110 bytes encoded at most, and about twice that in memory.
pub(super) const RECORD_BYTES: usize = 224;

/// About what a record takes in memory; never less than it takes encoded.
pub fn held_bytes(record: &Record) -> usize {
    let path = record.path().map_or(0, |path| path.as_bytes().len());
    let attributes = |entry: &Entry| {
        let target = if let Kind::Symlink { target } = &entry.kind { target.len() } else { 0 };
        let xattr = |x: &Xattr| size_of::<Xattr>() + x.name.len() + x.value.len();
        target + entry.metadata.xattrs.iter().map(xattr).sum::<usize>()
    };
    let more = match record {
        Record::Node(entry) => attributes(entry),
        Record::HardLink { entry, of } => attributes(entry) + of.as_bytes().len(),
        Record::LeftOut { why, .. } => why.len(),
        _ => 0,
    };
    RECORD_BYTES + path + more
}

impl ToLanding {
    /// About what it takes in memory while it waits; never less than it takes encoded.
    pub fn held_bytes(&self) -> usize {
        match self {
            Self::Frame(bytes) => bytes.len(),
            Self::Offer { records, .. } => records.iter().map(held_bytes).sum(),
            Self::Sketch { sketch, .. } => sketch.nameless().iter().map(held_bytes).sum(),
            Self::Names { names, .. } => RECORD_BYTES + size_of_val(names.as_slice()),
            Self::LinkAsks(asks) => {
                asks.iter().map(|ask| RECORD_BYTES + ask.path.as_bytes().len()).sum()
            }
            Self::Owners(owners) => owners.held_bytes(),
            Self::WalkBegan { roots, .. } => {
                roots.iter().map(|root| RECORD_BYTES + root.as_bytes().len()).sum()
            }
            _ => RECORD_BYTES,
        }
    }
}

/// Bounds and form of a list of records that a peer states; of the pieces named by `kept`, numbers
/// that rise, no content comes.
pub(super) fn check_records(records: &[Record], kept: &[u32]) -> Result<(), &'static str> {
    if records.len() > RECORDS_MAX {
        return Err("too many records");
    }
    let mut raw_bytes: u64 = 0;
    let mut kept = kept.iter().peekable();
    for (number, record) in (0_u32..).zip(records) {
        record.check()?;
        if kept.next_if_eq(&&number).is_some() {
            continue;
        }
        if let Record::Data { length, .. } = record {
            raw_bytes += u64::from(*length);
        }
    }
    if raw_bytes > OFFER_RAW_BYTES_MAX { Err("too much content at once") } else { Ok(()) }
}
