//! Frames, opened once and kept for a while.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::chunk::OpenFrame;
use crate::model::ChunkId;
use crate::store::{Place, Store, StoreError};

/// A frame as stored and as opened.
#[derive(Debug)]
pub struct CachedFrame {
    /// As it stands in its pack; can be sent as it is.
    pub stored: Vec<u8>,
    /// Its chunks, checked.
    pub open: OpenFrame,
}

impl CachedFrame {
    fn bytes(&self) -> usize {
        self.stored.len() + self.open.raw.len()
    }
}

/// Keeps the frames used last.
#[derive(Debug)]
pub struct FrameCache {
    store: Store,
    frames: HashMap<Place, Arc<CachedFrame>>,
    order: VecDeque<Place>,
    bytes: usize,
    bytes_max: usize,
}

impl FrameCache {
    /// Nothing opened yet.
    pub fn new(store: Store, bytes_max: usize) -> Self {
        Self { store, frames: HashMap::new(), order: VecDeque::new(), bytes: 0, bytes_max }
    }

    /// Where a chunk lies.
    pub fn locate(&self, id: &ChunkId) -> Option<Place> {
        self.store.locate(id)
    }

    /// The frame at `place`, opened and checked.
    pub fn get(&mut self, place: Place) -> Result<Arc<CachedFrame>, StoreError> {
        if let Some(frame) = self.frames.get(&place) {
            return Ok(frame.clone());
        }
        let frame = Arc::new(CachedFrame {
            open: self.store.open_frame(place)?,
            stored: self.store.read_frame(place)?,
        });
        self.bytes += frame.bytes();
        self.frames.insert(place, frame.clone());
        self.order.push_back(place);
        while self.bytes > self.bytes_max && self.order.len() > 1 {
            let oldest = self.order.pop_front();
            if let Some(frame) = oldest.and_then(|place| self.frames.remove(&place)) {
                self.bytes -= frame.bytes();
            }
        }
        Ok(frame)
    }
}
