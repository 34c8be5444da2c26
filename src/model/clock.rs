//! The only place where time is read.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::model::Timestamp;

/// Wall time for people, monotonic time for waits. They are never mixed: a clock that jumps must
/// not end a wait or a lease.
pub trait Clock: Send + Sync {
    /// Wall time; may jump.
    fn now(&self) -> Timestamp;
    /// Time since an arbitrary start; never goes back.
    fn elapsed(&self) -> Duration;
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::new(jiff::Timestamp::now())
    }
    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

/// A clock that moves only when told; for tests.
#[derive(Debug)]
pub struct FixedClock {
    state: Mutex<(Timestamp, Duration)>,
}

impl FixedClock {
    /// Stands at `now`.
    pub fn at(now: Timestamp) -> Self {
        Self { state: Mutex::new((now, Duration::ZERO)) }
    }
    /// Moves both clocks on.
    pub fn advance(&self, span: Duration) {
        let mut state = self.state.lock().expect("no holder of this lock panics");
        state.0 = state.0.plus(span);
        state.1 += span;
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.state.lock().expect("no holder of this lock panics").0
    }
    fn elapsed(&self) -> Duration {
        self.state.lock().expect("no holder of this lock panics").1
    }
}
