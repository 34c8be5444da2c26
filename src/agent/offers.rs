//! Records and pieces, gathered into offers and held until they are answered.

use std::sync::{Arc, Mutex};

use crate::agent::outbox::{Disconnected, Outbox};
use crate::agent::session::Budget;
use crate::capture::{Cursor, Fingerprint, Record};
use crate::model::TreePath;
use crate::wire::source::{Piece, Source};
use crate::wire::{Sketch, ToLanding, WalkTally};

/// An offer leaves with this many records…
const RECORDS_MAX: usize = 2_048;
/// …or this much content…
const RAW_BYTES_MAX: u64 = 4 << 20;
/// …or this much encoded, roughly: attributes can be large…
const WEIGHT_MAX: usize = 2 << 20;

/// The offer that is being filled.
#[derive(Debug)]
pub struct Offers {
    outbox: Outbox,
    held: Arc<Budget>,
    source: Arc<Mutex<Source>>,
    records: Vec<Record>,
    pieces: Vec<Piece>,
    raw_bytes: u64,
    weight: usize,
    cursor: Option<Cursor>,
    /// Counted since the last offer.
    pub tally: WalkTally,
    /// Counted over the whole run.
    pub total: WalkTally,
}

impl Offers {
    /// Nothing offered yet.
    pub fn new(outbox: Outbox, held: Arc<Budget>, source: Arc<Mutex<Source>>) -> Self {
        Self {
            outbox,
            held,
            source,
            records: Vec::new(),
            pieces: Vec::new(),
            raw_bytes: 0,
            weight: 0,
            cursor: None,
            tally: WalkTally::default(),
            total: WalkTally::default(),
        }
    }

    /// Adds a record that needs no piece. It leaves when the cursor has come as far: else a resume
    /// would begin before it and say it twice.
    pub fn push(&mut self, record: Record) {
        self.weight += weight(&record);
        self.records.push(record);
    }

    /// Adds a piece of the current file; waits while too much is held.
    pub fn push_piece(&mut self, offset: u64, piece: Piece) -> Result<(), Disconnected> {
        let bytes = piece.bytes.len() as u64;
        if !self.held.try_acquire(bytes) {
            // What waits here is part of what is held: it must leave before anybody waits for room.
            self.flush()?;
            self.held.acquire(bytes)?;
        }
        let record = Record::Data { offset, length: bytes as u32, id: piece.id };
        self.weight += weight(&record);
        self.records.push(record);
        self.raw_bytes += bytes;
        self.pieces.push(piece);
        Ok(())
    }

    /// How far what was pushed reaches.
    pub fn furthest(&self) -> Option<&TreePath> {
        self.cursor.as_ref().map(|cursor| &cursor.path)
    }

    /// Everything up to and including `path` is in what was pushed.
    pub fn done_with(&mut self, path: &TreePath) -> Result<(), Disconnected> {
        self.cursor = Some(Cursor { path: path.clone(), within: None });
        self.flush_if_full()
    }

    /// Of the file at `path` everything before `offset` is in what was pushed.
    pub fn inside(
        &mut self,
        path: &TreePath,
        offset: u64,
        fingerprint: Fingerprint,
    ) -> Result<(), Disconnected> {
        self.cursor = Some(Cursor { path: path.clone(), within: Some((offset, fingerprint)) });
        self.flush_if_full()
    }

    fn flush_if_full(&mut self) -> Result<(), Disconnected> {
        let is_full = self.records.len() >= RECORDS_MAX
            || self.raw_bytes >= RAW_BYTES_MAX
            || self.weight >= WEIGHT_MAX;
        if is_full { self.flush() } else { Ok(()) }
    }

    /// Sends what is there.
    pub fn flush(&mut self) -> Result<(), Disconnected> {
        if self.records.is_empty() {
            return Ok(());
        }
        let records = std::mem::take(&mut self.records);
        let pieces = std::mem::take(&mut self.pieces);
        self.raw_bytes = 0;
        self.weight = 0;
        self.total.offers += 1;
        self.total.records += records.len() as u64;
        let tally = std::mem::take(&mut self.tally);
        self.total.count(&tally);
        let has_pieces = !pieces.is_empty();
        let mut source = self.source.lock().expect("no holder of this lock panics");
        let is_brief = has_pieces && source.is_partly_known();
        let number = source.offer(pieces);
        drop(source);
        let cursor = self.cursor.clone();
        self.outbox.send(&if is_brief {
            let sketch = Box::new(Sketch::new(records));
            ToLanding::Sketch { number, sketch, cursor, tally }
        } else {
            ToLanding::Offer { number, records, cursor, tally }
        })
    }

    /// Sends what is there and says that the run is complete.
    pub fn finish(mut self) -> Result<(), Disconnected> {
        self.flush()?;
        // Counts since the last offer belong to no offer: the end carries them.
        self.total.count(&self.tally);
        self.outbox.send(&ToLanding::WalkDone { tally: self.total })
    }
}

/// About what a record takes on the wire.
fn weight(record: &Record) -> usize {
    let path = record.path().map_or(0, |path| path.as_bytes().len());
    let xattrs = match record {
        Record::Node(entry) | Record::HardLink { entry, .. } => {
            entry.metadata.xattrs.iter().map(|x| x.name.len() + x.value.len()).sum()
        }
        _ => 0,
    };
    64 + path + xattrs
}
