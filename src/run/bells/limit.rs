//! How often a bell may ring. Pure.
//!
//! **Promises.** The same bell rings at most every [`AGAIN`], all together at most [`AN_HOUR`]
//! times an hour. What does not ring is counted, and told with the next ring of that bell, which
//! comes as soon as it may; the end of the run always rings, and tells what is still untold.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::model::Bell;

/// Between two rings of one bell.
pub const AGAIN: Duration = Duration::from_secs(600);
/// Rings an hour.
pub const AN_HOUR: usize = 10;
const HOUR: Duration = Duration::from_secs(3_600);

/// A call to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ring {
    /// Why.
    pub bell: Bell,
    /// One sentence.
    pub text: String,
    /// So often it did not ring since the last time.
    pub held_back: u64,
}

/// Lets rings through, or holds them back.
#[derive(Debug, Default)]
pub struct Limiter {
    last: BTreeMap<Bell, Duration>,
    recent: VecDeque<Duration>,
    held: BTreeMap<Bell, (u64, String)>,
}

impl Limiter {
    /// A bell wants to ring.
    pub fn ring(&mut self, bell: Bell, text: String, now: Duration) -> Option<Ring> {
        if bell == Bell::RunEnded {
            return Some(self.last_ring(text));
        }
        if !self.may(bell, now) {
            let held = self.held.entry(bell).or_default();
            *held = (held.0 + 1, text);
            return None;
        }
        Some(self.let_through(bell, text, 0, now))
    }

    /// What was held back and may ring by now.
    pub fn due(&mut self, now: Duration) -> Vec<Ring> {
        let waiting: Vec<Bell> = self.held.keys().copied().collect();
        let mut due = Vec::new();
        for bell in waiting {
            if self.may(bell, now)
                && let Some((count, text)) = self.held.remove(&bell)
            {
                // It rings now: one less that did not.
                due.push(self.let_through(bell, text, count - 1, now));
            }
        }
        due
    }

    fn may(&mut self, bell: Bell, now: Duration) -> bool {
        while self.recent.front().is_some_and(|at| now.saturating_sub(*at) >= HOUR) {
            self.recent.pop_front();
        }
        let rang = self.last.get(&bell);
        self.recent.len() < AN_HOUR && rang.is_none_or(|at| now.saturating_sub(*at) >= AGAIN)
    }

    fn let_through(&mut self, bell: Bell, text: String, more: u64, now: Duration) -> Ring {
        self.last.insert(bell, now);
        self.recent.push_back(now);
        let held = self.held.remove(&bell).map_or(0, |(count, _)| count);
        Ring { bell, text, held_back: held + more }
    }

    fn last_ring(&mut self, mut text: String) -> Ring {
        let held = std::mem::take(&mut self.held);
        let held_back = held.values().map(|(count, _)| count).sum();
        let names: Vec<String> =
            held.iter().map(|(bell, (count, _))| format!("{} {count}×", bell.word())).collect();
        if !names.is_empty() {
            text = format!("{text}; not rung before: {}", names.join(", "));
        }
        Ring { bell: Bell::RunEnded, text, held_back }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_same_bell_rings_every_ten_minutes_and_says_how_often_it_did_not() {
        let mut limiter = Limiter::default();
        let mut rings = Vec::new();
        for second in 0..1_801 {
            rings.extend(limiter.due(s(second)).into_iter().map(|ring| (second, ring)));
            let text = second.to_string();
            rings.extend(limiter.ring(Bell::Failing, text, s(second)).map(|ring| (second, ring)));
        }
        let seen: Vec<_> =
            rings.iter().map(|(at, ring)| (*at, ring.text.as_str(), ring.held_back)).collect();
        // What was held back rings by itself as soon as it may, with the latest words.
        assert_eq!(
            seen,
            [(0, "0", 0), (600, "599", 598), (1_200, "1199", 599), (1_800, "1799", 599)]
        );
    }

    #[test]
    fn ten_an_hour_and_the_end_all_the_same() {
        let mut limiter = Limiter::default();
        let bells = [Bell::WindowOpened, Bell::WindowShut, Bell::Standstill, Bell::Failing];
        let mut count = 0;
        for second in (0..3_600).step_by(10) {
            count += limiter.due(s(second)).len();
            for bell in bells {
                count += usize::from(limiter.ring(bell, "x".into(), s(second)).is_some());
            }
        }
        assert_eq!(count, AN_HOUR);
        let end = limiter.ring(Bell::RunEnded, "the run ended".into(), s(3_599)).unwrap();
        assert!(end.text.starts_with("the run ended; not rung before: window-opened "), "{end:?}");
        assert!(end.held_back > 1_000, "{end:?}");
        assert_eq!(limiter.due(s(9_999)), []);
    }
}
