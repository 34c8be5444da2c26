//! Reading files into named pieces.

use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::capture::content::{Finished, OpenError, Reading, go_on_reading, open_for_reading};
use crate::capture::{Beneath, Entry};
use crate::chunk::{Cutter, DomainKey};
use crate::model::ChunkId;
use crate::wire::content::Spare;
use crate::wire::source::Piece;

/// Files up to here are read whole, ahead of their turn.
pub const SMALL_BYTES_MAX: u64 = 1 << 20;
/// What one read asks for; a chunk's maximum always fits twice.
const BUFFER_BYTES: usize = 4 << 20;

/// How to cut and name.
#[derive(Debug, Clone)]
pub struct Naming {
    /// How to cut.
    pub cutter: Cutter,
    /// How to name.
    pub key: DomainKey,
    /// Where pieces have their memory from.
    pub spare: Arc<Spare>,
}

/// A small file, read.
#[derive(Debug)]
pub struct Small {
    /// Its pieces with their offsets.
    pub pieces: Vec<(u64, Piece)>,
    /// How it went.
    pub finished: Finished,
}

/// Where files are read to before they are cut; kept from file to file, because fresh memory of
/// this size costs page faults.
#[derive(Debug, Default)]
pub struct Buffer(Vec<u8>);

impl Buffer {
    /// At least `size` bytes, or as many as one read asks for.
    fn for_file(&mut self, size: u64) -> &mut [u8] {
        let wanted = size.clamp(1, BUFFER_BYTES as u64) as usize;
        if self.0.len() < wanted {
            self.0.resize(wanted, 0);
        }
        &mut self.0[..wanted]
    }
}

/// Reads a small file whole; `open`: it is open since it was looked at.
pub fn read_small(
    tree: &Beneath,
    (entry, open): (&Entry, Option<OwnedFd>),
    naming: &Naming,
    buffer: &mut Buffer,
) -> Result<Small, OpenError> {
    let mut pieces = Vec::new();
    let reading = match open {
        Some(file) => go_on_reading(file, entry)?,
        None => open_for_reading(tree, entry)?,
    };
    let finished = read_through(reading, 0, naming, buffer, &mut |offset, piece| {
        pieces.push((offset, piece));
        ControlFlow::Continue(())
    });
    Ok(Small { pieces, finished })
}

/// Reads the data of a file from `from` on, cut and named; `take` may end it early. Every bit that
/// the disk gives is counted in `progress`, for whoever wants to know whether it still goes on.
pub fn read_file(
    tree: &Beneath,
    (entry, from): (&Entry, u64),
    naming: &Naming,
    (buffer, progress): (&mut Buffer, &Arc<AtomicU64>),
    take: &mut dyn FnMut(u64, Piece) -> ControlFlow<()>,
) -> Result<Finished, OpenError> {
    let mut reading = open_for_reading(tree, entry)?;
    reading.count_into(progress);
    Ok(read_through(reading, from, naming, buffer, take))
}

fn read_through(
    mut reading: Reading,
    from: u64,
    naming: &Naming,
    buffer: &mut Buffer,
    take: &mut dyn FnMut(u64, Piece) -> ControlFlow<()>,
) -> Finished {
    let buffer = buffer.for_file(reading.size());
    let mut at = from;
    'file: while let Some((start, end)) = reading.next_data(at) {
        // `buffer[..filled]` holds the file's bytes from `offset` on, not yet cut.
        let (mut offset, mut filled) = (start.max(at), 0);
        at = end;
        while offset < end {
            let room = (buffer.len() - filled).min((end - offset) as usize - filled);
            let got = reading.read_at(&mut buffer[filled..filled + room], offset + filled as u64);
            filled += got;
            let is_end = got < room || offset + filled as u64 == end;
            let mut cut_to = 0;
            while let Some(length) = naming.cutter.cut(&buffer[cut_to..filled], is_end) {
                let bytes = naming.spare.copy(&buffer[cut_to..cut_to + length]);
                let piece = Piece { id: naming.key.name(&bytes), bytes };
                if take(offset, piece).is_break() {
                    break 'file;
                }
                offset += length as u64;
                cut_to += length;
            }
            buffer.copy_within(cut_to..filled, 0);
            filled -= cut_to;
            if got < room {
                break 'file;
            }
        }
    }
    reading.finish()
}

/// Reads one range again and names it; `None` when it is not what it was.
pub fn read_again(
    tree: &Beneath,
    entry: &Entry,
    offset: u64,
    length: u32,
    id: ChunkId,
    naming: &Naming,
) -> Option<Piece> {
    let mut reading = open_for_reading(tree, entry).ok()?;
    reading.wants_only_to(offset + u64::from(length));
    let mut bytes = vec![0_u8; length as usize];
    let got = reading.read_at(&mut bytes, offset);
    // What it brought into the cache goes again.
    let _ = reading.finish();
    (got == bytes.len() && naming.key.name(&bytes) == id)
        .then_some(Piece { id, bytes: bytes.into() })
}
