//! The bytes of a look-up file, version 1.
//!
//! ```text
//! offset  bytes
//!      0      8  "evaclook"
//!      8      4  version, little-endian: 1
//!     12      4  reserved, 0
//!     16      8  length of the lines, little-endian
//!     24      8  length of the head, little-endian
//!     32     32  BLAKE3 of lines and head
//!     64         the lines, then the head, then the cards one after the other
//! ```
//!
//! The lines are those of [`Names`], a text in UTF-8 as [`crate::ledger::find::names`] explains it.
//! The head is postcard of, in this order: [`About`]; a block for each customer (where its lines
//! begin, the rank of its tier); and a slot for each card: offset from the first card, length, and
//! the first 8 bytes of its BLAKE3. The cards are, by the order of their slots:
//!
//! - **live**: a [`super::card::CustomerCard`] for each customer, a [`super::card::HostCard`] for
//!   each host that is captured from, and one list of [`super::card::Size`]; all postcard.
//! - **frozen**: a [`super::Frozen`] for each customer, JSON: fields may be added to it.
//!
//! Whatever is read is checked against its sum first, so a file that was cut or changed is refused
//! and never half-believed. Only the head and the cards of those who were found are read. Another
//! meaning of any byte is another version; a file of a version that is not known is refused.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::About;
use crate::ledger::find::names::{Block, CUSTOMERS_MAX, Names};

const MAGIC: &[u8; 8] = b"evaclook";
/// Version of the format.
pub const VERSION: u32 = 1;
/// What stands before the head.
pub(super) const START_BYTES: usize = 64;
/// Longer ones are none: a million customers take about 200 MB.
const PART_BYTES_MAX: u64 = 1 << 30;

/// Why a file is not used.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It failed.
    #[error("cannot read {}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It is something else.
    #[error("{} is no look-up file of evac", path.display())]
    Foreign {
        /// Which.
        path: PathBuf,
    },
    /// A newer evac made it.
    #[error(
        "{} was made by a newer evac (version {found}; this one knows {VERSION})",
        path.display()
    )]
    Newer {
        /// Which.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// It was cut or changed.
    #[error("{} is not used: {why}", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: &'static str,
    },
}

/// Where a card is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Slot {
    pub start: u64,
    pub len: u32,
    pub sum: [u8; 8],
}

/// What the head holds.
#[derive(Debug, Deserialize)]
pub(super) struct Head {
    pub about: About,
    pub blocks: Vec<Block>,
    pub slots: Vec<Slot>,
}

/// What stands before the head.
pub(super) struct Frame {
    pub lines_len: u64,
    pub head_len: u64,
    sum: [u8; 32],
}

/// What is wrong with the first bytes.
pub(super) enum Fault {
    Foreign,
    Newer(u32),
    Damaged,
}

impl Fault {
    pub(super) fn at(self, path: &Path) -> Refused {
        let path = path.to_owned();
        match self {
            Self::Foreign => Refused::Foreign { path },
            Self::Newer(found) => Refused::Newer { path, found },
            Self::Damaged => Refused::Damaged { path, why: super::DAMAGED },
        }
    }
}

pub(super) fn frame(start: &[u8; START_BYTES]) -> Result<Frame, Fault> {
    let (magic, rest) = start.split_at(8);
    let (version, rest) = rest.split_at(4);
    let (_, rest) = rest.split_at(4);
    let (lines_len, rest) = rest.split_at(8);
    let (head_len, sum) = rest.split_at(8);
    let number = |bytes: &[u8]| {
        bytes.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    if magic != MAGIC {
        return Err(Fault::Foreign);
    }
    match number(version) as u32 {
        VERSION => {}
        0 => return Err(Fault::Damaged),
        found => return Err(Fault::Newer(found)),
    }
    let (lines_len, head_len) = (number(lines_len), number(head_len));
    let sum = sum.try_into().map_err(|_| Fault::Damaged)?;
    let fits = lines_len <= PART_BYTES_MAX && head_len <= PART_BYTES_MAX;
    if fits { Ok(Frame { lines_len, head_len, sum }) } else { Err(Fault::Damaged) }
}

/// Checks lines and head, and reads them.
pub(super) fn parts(lines: Vec<u8>, head: &[u8], frame: &Frame) -> Option<(String, Head)> {
    let is_whole = lines.len() as u64 == frame.lines_len
        && head.len() as u64 == frame.head_len
        && sum_of_both(&lines, head) == frame.sum;
    is_whole.then(|| Some((String::from_utf8(lines).ok()?, postcard::from_bytes(head).ok()?)))?
}

fn sum_of_both(lines: &[u8], head: &[u8]) -> [u8; 32] {
    *blake3::Hasher::new().update(lines).update(head).finalize().as_bytes()
}

pub(super) fn sum(bytes: &[u8]) -> [u8; 8] {
    let mut sum = [0; 8];
    sum.copy_from_slice(&blake3::hash(bytes).as_bytes()[..8]);
    sum
}

pub(super) fn slots(cards: &[Vec<u8>]) -> Vec<Slot> {
    let mut start = 0;
    let slot = |card: &Vec<u8>| {
        let slot = Slot { start, len: card.len() as u32, sum: sum(card) };
        start += card.len() as u64;
        slot
    };
    cards.iter().map(slot).collect()
}

/// The whole file; `None` for what no file can hold.
pub(super) fn bytes(about: &About, names: &Names, cards: &[Vec<u8>]) -> Option<Vec<u8>> {
    let (lines, blocks) = names.parts();
    let head = postcard::to_stdvec(&(about, blocks, slots(cards))).ok()?;
    u32::try_from(lines.len()).ok().filter(|_| blocks.len() <= CUSTOMERS_MAX)?;
    let mut bytes = Vec::with_capacity(START_BYTES + lines.len() + head.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&(lines.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&(head.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&sum_of_both(lines.as_bytes(), &head));
    bytes.extend_from_slice(lines.as_bytes());
    bytes.extend_from_slice(&head);
    for card in cards {
        bytes.extend_from_slice(card);
    }
    Some(bytes)
}
