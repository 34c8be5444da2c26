//! Many frames, opened on all cores.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;

use crate::model::Bytes;
use crate::store::{Place, Store, StoreError};

/// Frames that one thread reads in a row.
const NEIGHBOURS: usize = 32;
/// Results that may wait to be told.
const OPENED_WAITING_MAX: usize = 1_024;

/// Opens every frame, on all cores: neighbours in a pack one after the other by one thread. Tells
/// of each how many raw bytes it holds; in no certain order.
pub(super) fn open_all(
    store: &Store,
    frames: &[Place],
    tell: &mut dyn FnMut(Place, Result<Bytes, StoreError>),
) {
    let next = AtomicUsize::new(0);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let (sender, opened) = sync_channel(OPENED_WAITING_MAX);
    std::thread::scope(|scope| {
        for _ in 0..cores.min(frames.len().div_ceil(NEIGHBOURS)) {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                let mut runs = std::iter::from_fn(|| {
                    let from = next.fetch_add(NEIGHBOURS, Ordering::Relaxed);
                    frames.get(from..)?.chunks(NEIGHBOURS).next()
                });
                let open = |place: &Place| {
                    let raw = store.open_frame(*place).map(|open| Bytes(open.raw.len() as u64));
                    sender.send((*place, raw)).is_ok()
                };
                runs.all(|run| run.iter().all(open));
            });
        }
        drop(sender);
        for (place, raw) in opened {
            tell(place, raw);
        }
    });
}
