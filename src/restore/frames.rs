//! Frames, opened once and kept for a while, for all restores of a process together: hosts that
//! are restored side by side need the same frames of what they share at about the same time.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes as Buffer;

use crate::model::ChunkId;
use crate::store::{Place, Store, StoreError};

/// A frame as stored and as opened.
#[derive(Debug)]
pub struct CachedFrame {
    /// As it stands in its pack; can be sent as it is.
    pub stored: Vec<u8>,
    /// Each chunk and where it lies in `raw`; all were checked.
    pub chunks: Vec<(ChunkId, Range<usize>)>,
    /// All chunks, one after the other.
    pub raw: Buffer,
}

impl CachedFrame {
    fn read(store: &Store, place: Place) -> Result<Self, StoreError> {
        let (stored, open) = store.read_and_open(place)?;
        Ok(Self { stored, chunks: open.chunks, raw: open.raw.into() })
    }

    fn bytes(&self) -> usize {
        self.stored.len() + self.raw.len()
    }
}

/// Keeps the frames used last. Clones share what is kept.
#[derive(Debug, Clone)]
pub struct FrameCache {
    store: Store,
    kept: Arc<Mutex<Kept>>,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct Kept {
    frames: HashMap<Place, Arc<CachedFrame>>,
    order: VecDeque<Place>,
    bytes: usize,
}

impl FrameCache {
    /// Nothing opened yet.
    pub fn new(store: Store, bytes_max: usize) -> Self {
        Self { store, kept: Arc::default(), bytes_max }
    }

    /// Where a chunk lies.
    pub fn locate(&self, id: &ChunkId) -> Option<Place> {
        self.store.locate(id)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("no holder of this lock panics")
    }

    /// The frame at `place`, opened and checked. Two that ask for it at the same moment may both
    /// open it: nobody waits for another's disk.
    pub fn get(&self, place: Place) -> Result<Arc<CachedFrame>, StoreError> {
        if let Some(frame) = self.kept().frames.get(&place) {
            return Ok(frame.clone());
        }
        let frame = Arc::new(CachedFrame::read(&self.store, place)?);
        let mut kept = self.kept();
        if kept.frames.insert(place, frame.clone()).is_none() {
            kept.bytes += frame.bytes();
            kept.order.push_back(place);
        }
        while kept.bytes > self.bytes_max && kept.order.len() > 1 {
            let oldest = kept.order.pop_front();
            if let Some(frame) = oldest.and_then(|place| kept.frames.remove(&place)) {
                kept.bytes -= frame.bytes();
            }
        }
        Ok(frame)
    }
}
