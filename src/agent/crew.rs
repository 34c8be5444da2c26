//! How many read small files at once: as many as the disk rewards. Pure.
//!
//! What a disk says of itself is not believed, for virtual disks say anything. Whoever reads begins
//! with [`READERS`] and looks every [`SPELL`] at the goodput, while reading is what everybody waits
//! for. One reader more stays if it brings a tenth more; one less if it costs next to nothing. So
//! flash and networks, which answer many at once, get many; heads that move get one, and processors
//! that are busy are not given more to switch between. A trial that fails costs one spell, and the
//! next one waits [`REST`] of them.

use std::time::Duration;

use crate::model::DiskKind;

/// Most readers.
pub const READERS_MAX: usize = 8;
/// Where nobody says what the disk is.
const READERS: usize = 2;
/// How long is looked before the number changes.
pub const SPELL: Duration = Duration::from_millis(500);
/// Spells without a trial after trials in both directions failed.
const REST: u32 = 16;
/// What a further reader has to bring, and what may be lost by one less, in per cent.
const GAIN_PERCENT: u64 = 110;
const LOSS_PERCENT: u64 = 97;
/// Opening a file costs about as much as reading this.
const FILE_BYTES: u64 = 32 << 10;

/// What was read in a spell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spell {
    /// How long it was.
    pub span: Duration,
    /// Files.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Was reading what the others waited for, most of the time?
    pub is_waited_for: bool,
}

impl Spell {
    /// Bytes a second, with what files cost besides.
    fn goodput(&self) -> u64 {
        let work = self.bytes + self.files * FILE_BYTES;
        work.saturating_mul(1_000) / (self.span.as_millis() as u64).max(1)
    }
}

/// A number that is tried.
#[derive(Debug, Clone, Copy)]
struct Trial {
    from: usize,
    before: u64,
}

/// The number of readers, as it is found.
#[derive(Debug)]
pub struct Crew {
    count: usize,
    trial: Option<Trial>,
    goes_up: bool,
    failures: u32,
    rest: u32,
}

impl Crew {
    /// Before anything is known but what somebody says.
    pub fn new(disk: Option<DiskKind>) -> Self {
        let count = match disk {
            None => READERS,
            Some(DiskKind::Hdd) => 1,
            Some(DiskKind::Ssd) => 4,
            Some(DiskKind::Nvme | DiskKind::Network) => READERS_MAX,
        };
        Self { count, trial: None, goes_up: count < READERS_MAX, failures: 0, rest: 0 }
    }

    /// How many are to read.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Does what is read show heads that move, so that the order of reading matters?
    pub fn is_alone(&self) -> bool {
        self.trial.map_or(self.count, |trial| trial.from) == 1
    }

    /// A spell is over: how many read from now on.
    pub fn judge(&mut self, spell: &Spell) -> usize {
        let goodput = spell.goodput();
        match self.trial.take() {
            // It says nothing of the disk.
            Some(trial) if !spell.is_waited_for => self.count = trial.from,
            None if !spell.is_waited_for => {}
            Some(trial) if self.is_better(goodput, trial.before) => {
                self.failures = 0;
                self.attempt(goodput);
            }
            Some(trial) => {
                self.count = trial.from;
                self.failures += 1;
                self.goes_up = !self.goes_up;
                self.rest = if self.failures.is_multiple_of(2) { REST } else { 0 };
            }
            None if self.rest > 0 => self.rest -= 1,
            None => self.attempt(goodput),
        }
        self.count
    }

    fn is_better(&self, now: u64, before: u64) -> bool {
        let percent = if self.goes_up { GAIN_PERCENT } else { LOSS_PERCENT };
        now.saturating_mul(100) >= before.saturating_mul(percent)
    }

    fn attempt(&mut self, before: u64) {
        let from = self.count;
        match (self.goes_up, from) {
            (true, READERS_MAX) | (false, 1) => {
                // Nothing is left to try in this direction.
                self.goes_up = !self.goes_up;
                self.rest = REST;
                return;
            }
            (true, _) => self.count += 1,
            (false, _) => self.count -= 1,
        }
        self.trial = Some(Trial { from, before });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Megabytes a second that a disk gives to so many readers.
    type Disk = fn(usize) -> f64;
    const FLASH: Disk = |readers| 100.0 * readers.min(7) as f64;
    const HEADS: Disk = |readers| 60.0 / (1.0 + 0.25 * (readers - 1) as f64);
    const TWO_PROCESSORS: Disk = |readers| 150.0 * readers.min(2) as f64;
    const SINGLE_QUEUE: Disk = |_| 80.0;

    /// The numbers after each of so many spells; what is measured varies by up to 4 %.
    fn follow(crew: &mut Crew, disk: Disk, spells: usize) -> Vec<usize> {
        let mut noise = 1_u64;
        let mut spell = || {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let factor = 0.98 + 0.04 * (noise >> 40) as f64 / f64::from(1 << 24);
            let bytes = disk(crew.count()) * factor * 500_000.0;
            let spell = Spell { span: SPELL, files: 0, bytes: bytes as u64, is_waited_for: true };
            crew.judge(&spell)
        };
        (0..spells).map(|_| spell()).collect()
    }

    #[test]
    fn flash_gets_many_and_heads_get_one() {
        for begin in [None, Some(DiskKind::Hdd), Some(DiskKind::Nvme)] {
            let mut crew = Crew::new(begin);
            let counts = follow(&mut crew, FLASH, 100);
            let many = counts[40..].iter().filter(|count| **count >= 6).count();
            assert!(many >= 58, "{begin:?}: {counts:?}");
            let counts = follow(&mut crew, HEADS, 200);
            let one = counts[100..].iter().filter(|count| **count == 1).count();
            assert!(one >= 88, "{begin:?}: {counts:?}");
            assert!(crew.is_alone());
        }
    }

    #[test]
    fn busy_processors_and_disks_that_answer_one_at_a_time_get_few() {
        for disk in [TWO_PROCESSORS, SINGLE_QUEUE] {
            let counts = follow(&mut Crew::new(None), disk, 200);
            let few = counts[20..].iter().filter(|count| **count <= 2).count();
            assert!(few >= 160, "{counts:?}");
        }
        // What trials cost: a twentieth at most.
        let counts = follow(&mut Crew::new(None), TWO_PROCESSORS, 200);
        let got: f64 = counts.iter().map(|count| TWO_PROCESSORS(*count)).sum();
        assert!(got >= 0.95 * 200.0 * TWO_PROCESSORS(2), "{counts:?}");
    }

    #[test]
    fn who_is_not_waited_for_learns_nothing() {
        let mut crew = Crew::new(Some(DiskKind::Ssd));
        let spell = Spell { span: SPELL, files: 10, bytes: 1 << 20, is_waited_for: false };
        for _ in 0..50 {
            assert_eq!(crew.judge(&spell), 4);
        }
        // Nor from a trial during which something else came in the way.
        assert_eq!(crew.judge(&Spell { is_waited_for: true, ..spell }), 5);
        assert_eq!(crew.judge(&Spell { bytes: 1 << 30, ..spell }), 4);
    }
}
