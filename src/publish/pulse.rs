//! Signs of life of work that calls somebody, for whoever decides whether to wait for it.
//!
//! **Promise.** What is firm is not left: a mail whose last byte leaves now, and that would be sent
//! again by whoever does not know its answer. What was left never becomes firm.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::Clock;

/// What is known of one piece of work.
pub struct Pulse {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    last: Duration,
    is_firm: bool,
    is_left: bool,
}

impl Pulse {
    /// It begins now.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let state = State { last: clock.elapsed(), is_firm: false, is_left: false };
        Self { clock, state: Mutex::new(state) }
    }

    /// It gets on.
    pub fn beats(&self) {
        let last = self.clock.elapsed();
        self.state().last = last;
    }

    /// From now on it must be waited for; `false`: nobody does any more.
    pub fn holds(&self) -> bool {
        let mut state = self.state();
        state.is_firm = !state.is_left;
        state.is_firm
    }

    /// It need not be waited for any more.
    pub fn eases(&self) {
        self.beats();
        self.state().is_firm = false;
    }

    /// Leaves it, where it may be left and was silent for so long.
    pub fn leave(&self, silence: Duration) -> bool {
        let now = self.clock.elapsed();
        let mut state = self.state();
        let is_silent = now.saturating_sub(state.last) >= silence;
        state.is_left |= is_silent && !state.is_firm;
        state.is_left
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FixedClock, Timestamp};

    #[test]
    fn what_gets_on_or_is_firm_is_not_left() {
        let clock = Arc::new(FixedClock::at(Timestamp::from_second(0)));
        let clocked: Arc<dyn Clock> = Arc::<FixedClock>::clone(&clock);
        let (pulse, eight) = (Pulse::new(clocked), Duration::from_secs(8));
        clock.advance(Duration::from_secs(7));
        assert!(!pulse.leave(eight));
        pulse.beats();
        clock.advance(Duration::from_secs(7));
        assert!(!pulse.leave(eight) && pulse.holds());
        clock.advance(eight);
        assert!(!pulse.leave(eight), "it must be waited for");
        pulse.eases();
        clock.advance(eight);
        assert!(pulse.leave(eight) && !pulse.holds(), "nobody would learn what came of it");
    }
}
