//! A worker for each that is told something: who does not answer keeps nobody else waiting.
//!
//! Each works in a shift of its own: it takes what it needs along, and hands in what came of it
//! when it ends, however late. Whoever waits for shifts leaves those that show no sign of life
//! ([`Pulse`]); the ledger knows what a call that was left was about to say, as after a kill.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::model::Clock;
use crate::publish::pulse::Pulse;

/// Between two looks.
const NAP: Duration = Duration::from_millis(10);
/// Nothing is waited for longer than this beyond its time, whatever it says.
const BEYOND: Duration = Duration::from_secs(120);

/// Shifts under way, by whose they are.
pub struct Crew<R> {
    clock: Arc<dyn Clock>,
    shifts: BTreeMap<String, Shift<R>>,
}

struct Shift<R> {
    pulse: Arc<Pulse>,
    thread: JoinHandle<R>,
}

impl<R: Send + 'static> Crew<R> {
    /// Nobody works yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, shifts: BTreeMap::new() }
    }

    /// Is that one still at it?
    pub fn is_busy(&self, id: &str) -> bool {
        self.shifts.contains_key(id)
    }

    /// Begins a shift; whoever is still at it goes on with that.
    pub fn begin(&mut self, id: &str, work: impl FnOnce(&Arc<Pulse>) -> R + Send + 'static) {
        if self.is_busy(id) {
            return;
        }
        let pulse = Arc::new(Pulse::new(Arc::clone(&self.clock)));
        let own = Arc::clone(&pulse);
        let thread = std::thread::spawn(move || work(&own));
        self.shifts.insert(id.to_owned(), Shift { pulse, thread });
    }

    /// What the shifts that ended handed in.
    pub fn ended(&mut self) -> Vec<(String, R)> {
        let ended = |shift: &Shift<R>| shift.thread.is_finished();
        let ended = self.shifts.iter().filter(|(_, shift)| ended(shift));
        let ids: Vec<String> = ended.map(|(id, _)| id.clone()).collect();
        let mut all = Vec::new();
        for id in ids {
            let Some(shift) = self.shifts.remove(&id) else { continue };
            let came = shift.thread.join();
            all.push((id, came.unwrap_or_else(|panic| std::panic::resume_unwind(panic))));
        }
        all
    }

    /// Waits for those of `ids` for so long, and hands on what all that ended handed in.
    pub fn wait(&mut self, ids: &[String], within: Duration) -> Vec<(String, R)> {
        let (began, mut all) = (self.clock.elapsed(), Vec::new());
        loop {
            all.extend(self.ended());
            let is_over = self.clock.elapsed().saturating_sub(began) >= within;
            if is_over || !ids.iter().any(|id| self.is_busy(id)) {
                return all;
            }
            std::thread::sleep(NAP);
        }
    }

    /// Waits for all for so long, and then for those that get on; leaves the others.
    pub fn wait_for_all(&mut self, within: Duration) -> Vec<(String, R)> {
        let began = self.clock.elapsed();
        let all: Vec<String> = self.shifts.keys().cloned().collect();
        let mut came = self.wait(&all, within);
        let is_left = |shift: &Shift<R>| shift.pulse.leave(within);
        while !self.shifts.values().all(is_left) {
            if self.clock.elapsed().saturating_sub(began) >= within + BEYOND {
                break;
            }
            std::thread::sleep(NAP);
            came.extend(self.ended());
        }
        came
    }
}
