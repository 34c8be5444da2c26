//! Who stands at the doors of hosts and is not let in yet, counted over all that share it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts connections that are not logged in.
#[derive(Debug, Default)]
pub struct Doors {
    waiting: AtomicUsize,
    most: AtomicUsize,
    arrivals: AtomicUsize,
}

impl Doors {
    /// Connections that ever came.
    pub fn arrivals(&self) -> usize {
        self.arrivals.load(Ordering::Acquire)
    }

    /// The most that ever waited at the same time.
    pub fn most_waiting(&self) -> usize {
        self.most.load(Ordering::Acquire)
    }

    pub(super) fn arrive(self: &Arc<Self>) -> AtTheDoor {
        self.arrivals.fetch_add(1, Ordering::AcqRel);
        let waiting = self.waiting.fetch_add(1, Ordering::AcqRel) + 1;
        self.most.fetch_max(waiting, Ordering::AcqRel);
        AtTheDoor(Arc::clone(self))
    }
}

/// A connection that waits; dropped when it is let in, or gone.
#[derive(Debug)]
pub(super) struct AtTheDoor(Arc<Doors>);

impl Drop for AtTheDoor {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}
