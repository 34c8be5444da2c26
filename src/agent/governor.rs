//! How strongly to compress: as the bottleneck allows.
//!
//! Whoever compresses says where the time went; every [`SPELL`] the level moves one step on
//! [`LADDER`]. **Up** while what is sent waits, for the wire or for the landing site's credit, and
//! this machine has a processor to spare: then bytes are what time is lost with. **Down** when the
//! processors are: all of ours compress, or the machine's own work leaves nothing over. Between
//! them it stays, as when a disk is what everybody waits for. The machine's spare time is that of
//! `/proc/stat`; where it cannot be read only our own threads count.
//!
//! The idea is that of zstd's `--adapt`; the limits are the landing site's, which knows what the
//! uplink carries. Pure but for [`ProcessorTime::now`].

use std::time::Duration;

use crate::wire::{Hindrance, Levels};

/// Levels worth having, fastest first: measured on an OS tree, each step costs about half as much
/// again as the one before it, and below -5 or above 9 little is gained.
const LADDER: [i32; 8] = [-5, -3, -1, 1, 3, 5, 7, 9];
/// How long is looked at before the level moves.
pub const SPELL: Duration = Duration::from_millis(500);
/// A machine is busy with less to spare, and has time to spare with more.
const SPARE: (f64, f64) = (0.10, 0.25);
/// What takes nothing for so much of a spell is slow.
const SLOW: f64 = 0.3;
/// Whoever does a thing so much of a spell does little else.
const MOST: f64 = 0.5;
/// Threads that work so much of a spell are full.
const FULL: f64 = 0.9;

/// Where a spell's time went.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spell {
    /// How long it was.
    pub span: Duration,
    /// Threads that compress.
    pub workers: u32,
    /// Time they compressed, all together.
    pub busy: Duration,
    /// Time they had nothing to compress, all together.
    pub idle: Duration,
    /// Time in which the wire took nothing.
    pub wire: Duration,
    /// Much is offered and the landing site does not ask for it.
    pub is_uncredited: bool,
    /// Share of the machine's processors that nobody used.
    pub spare: Option<f64>,
}

impl Spell {
    /// A share of what all threads could do in it.
    fn of_all(&self, time: Duration) -> f64 {
        let all = self.span.as_secs_f64() * f64::from(self.workers.max(1));
        time.as_secs_f64() / all.max(f64::EPSILON)
    }

    fn spare(&self) -> f64 {
        self.spare.unwrap_or(1.0 - self.of_all(self.busy))
    }

    fn is_wire_slow(&self) -> bool {
        self.wire.as_secs_f64() / self.span.as_secs_f64().max(f64::EPSILON) > SLOW
    }

    /// Are the processors what time is lost with?
    fn are_processors_full(&self) -> bool {
        self.spare() < SPARE.0 || self.of_all(self.busy) > FULL
    }

    /// Does what is sent wait?
    fn is_waiting(&self) -> bool {
        self.is_wire_slow() || (self.of_all(self.idle) > MOST && self.is_uncredited)
    }

    /// Would more of the way help? A machine that is busy with its own work may well send more:
    /// only our own threads speak against it.
    pub fn waits_for_way(&self) -> bool {
        self.is_waiting() && self.of_all(self.busy) < MOST
    }

    /// What kept more from being sent; `None`: nothing stands out.
    pub fn hindrance(&self) -> Option<Hindrance> {
        let is_idle = self.of_all(self.idle) > MOST;
        match () {
            () if self.is_wire_slow() => Some(Hindrance::Wire),
            () if is_idle && self.is_uncredited => Some(Hindrance::Credit),
            () if self.are_processors_full() => Some(Hindrance::Processors),
            () if is_idle => Some(Hindrance::Reading),
            () => None,
        }
    }
}

/// Decides over the level.
#[derive(Debug)]
pub struct Governor {
    limits: Levels,
    level: i32,
}

impl Governor {
    /// Begins as fast as it may.
    pub fn new(limits: Levels) -> Self {
        Self { limits, level: limits.floor }
    }

    /// The level to compress with now.
    pub fn level(&self) -> i32 {
        self.level
    }

    /// Looks at a spell; gives the level if it changed.
    pub fn judge(&mut self, spell: &Spell) -> Option<i32> {
        let next = if spell.are_processors_full() {
            LADDER.iter().rev().find(|step| **step < self.level)
        } else if spell.spare() > SPARE.1 && spell.is_waiting() {
            LADDER.iter().find(|step| **step > self.level)
        } else {
            None
        };
        let next = (*next?).clamp(self.limits.floor, self.limits.ceiling);
        (next != self.level).then(|| {
            self.level = next;
            next
        })
    }
}

/// Processor time since boot: unused, and all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessorTime {
    unused: u64,
    all: u64,
}

impl ProcessorTime {
    /// As of now.
    pub fn now() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/stat").ok()?)
    }

    /// The first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal.
    fn parse(text: &str) -> Option<Self> {
        let line = text.lines().next()?.strip_prefix("cpu ")?;
        let mut ticks = line.split_whitespace().map_while(|word| word.parse::<u64>().ok());
        let busy: u64 = ticks.by_ref().take(3).sum();
        let unused: u64 = ticks.by_ref().take(2).sum();
        let all = busy + unused + ticks.take(3).sum::<u64>();
        (all > 0).then_some(Self { unused, all })
    }

    /// Which share nobody used since `before`.
    pub fn spare_since(self, before: Self) -> Option<f64> {
        let all = self.all.checked_sub(before.all).filter(|all| *all > 0)?;
        Some(self.unused.saturating_sub(before.unused) as f64 / all as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: Levels = Levels { floor: -5, ceiling: 9 };

    /// A second of two workers, by shares of what they could do.
    fn spell(busy: f64, idle: f64, wire: f64, spare: f64) -> Spell {
        let of_both = |share: f64| Duration::from_secs_f64(2.0 * share);
        Spell {
            span: Duration::from_secs(1),
            workers: 2,
            busy: of_both(busy),
            idle: of_both(idle),
            wire: Duration::from_secs_f64(wire),
            is_uncredited: false,
            spare: Some(spare),
        }
    }

    fn settle(limits: Levels, spell: &Spell) -> Vec<i32> {
        let mut governor = Governor::new(limits);
        std::iter::from_fn(|| governor.judge(spell)).collect()
    }

    #[test]
    fn a_slow_wire_is_given_ever_fewer_bytes() {
        let slow = spell(0.1, 0.0, 0.8, 0.9);
        assert_eq!(settle(ANY, &slow), [-3, -1, 1, 3, 5, 7, 9]);
        assert_eq!(settle(Levels { floor: 1, ceiling: 3 }, &slow), [3]);
    }

    #[test]
    fn missing_credit_is_a_slow_wire_only_while_something_is_offered() {
        let starved = spell(0.1, 0.9, 0.0, 0.9);
        assert_eq!(settle(ANY, &starved), Vec::<i32>::new(), "a disk is what it waits for");
        let uncredited = Spell { is_uncredited: true, ..starved };
        assert_eq!(settle(ANY, &uncredited).last(), Some(&9));
        assert!(uncredited.waits_for_way() && !starved.waits_for_way());
        assert!(spell(0.1, 0.0, 0.9, 0.02).waits_for_way(), "others keep the machine busy");
        assert!(!spell(0.8, 0.0, 0.9, 0.5).waits_for_way(), "it could hardly send more");
    }

    #[test]
    fn processors_that_are_full_are_relieved_whoever_fills_them() {
        let mut governor = Governor { limits: ANY, level: 9 };
        let ours = spell(0.95, 0.0, 0.0, 0.5);
        let others = spell(0.1, 0.2, 0.9, 0.02);
        assert_eq!(governor.judge(&ours), Some(7));
        assert_eq!(governor.judge(&others), Some(5));
        let unknown = Spell { spare: None, ..spell(0.95, 0.0, 0.0, 0.0) };
        assert_eq!(governor.judge(&unknown), Some(3));
        assert_eq!(governor.judge(&spell(0.5, 0.5, 0.0, 0.5)), None, "nothing is in the way");
    }

    #[test]
    fn what_is_waited_for_is_said_where_something_stands_out() {
        let uncredited = |spell| Spell { is_uncredited: true, ..spell };
        assert_eq!(spell(0.3, 0.0, 0.6, 0.5).hindrance(), Some(Hindrance::Wire));
        assert_eq!(spell(0.95, 0.0, 0.1, 0.5).hindrance(), Some(Hindrance::Processors));
        let idle = spell(0.1, 0.8, 0.0, 0.9);
        assert_eq!(idle.hindrance(), Some(Hindrance::Reading));
        assert_eq!(uncredited(idle).hindrance(), Some(Hindrance::Credit));
        assert_eq!(spell(0.6, 0.3, 0.1, 0.4).hindrance(), None);
    }

    #[test]
    fn a_level_between_two_steps_finds_back_to_them() {
        let mut governor = Governor { limits: ANY, level: 2 };
        assert_eq!(governor.judge(&spell(0.0, 0.0, 0.9, 0.9)), Some(3));
        governor.level = 2;
        assert_eq!(governor.judge(&spell(0.0, 0.0, 0.0, 0.0)), Some(1));
    }

    #[test]
    fn spare_time_is_idle_and_waiting_for_disks() {
        let stat = |text| ProcessorTime::parse(text).unwrap();
        let before = stat("cpu  100 0 100 700 100 0 0 0 50 0\ncpu0 1 2 3\n");
        let after = stat("cpu  140 0 110 740 110 0 0 0 50 0\n");
        assert_eq!(after.spare_since(before), Some(0.5));
        assert_eq!(before.spare_since(before), None);
        assert_eq!(before.spare_since(after), None, "a counter that went back says nothing");
        assert_eq!(ProcessorTime::parse("intr 1"), None);
        assert!(ProcessorTime::now().is_some());
    }
}
