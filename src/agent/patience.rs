//! Reads that never come back: a dying disk, or a server that is gone, keeps whoever asks in the
//! kernel for minutes or for ever, and nobody can take a system call back.
//!
//! So a read has a thread of its own and whoever waits for it has a clock. What gives nothing for
//! the order's patience is left behind: the file is listed, another thread takes the work over,
//! and the one that hangs ends when the kernel lets it go, or with the machine. The walk itself
//! asks the disk as well; when that hangs, only the workload can be given up ([`Walking`]).
//!
//! **Promise.** At most [`HANGING_MAX`] reads of one device hang at a time: while so many do,
//! nothing more of it is tried, and its files are listed at once. When one comes back, by an error
//! or by data, the device is tried again.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use crate::capture::content::OpenError;
use crate::model::{Clock, SystemClock, TreePath};

/// Reads of one device that may hang at a time; each holds a thread and what it reads to.
const HANGING_MAX: usize = 4;

/// How long reads are waited for, and those that nobody waits for any more.
#[derive(Debug)]
pub struct Patience {
    within: Duration,
    clock: SystemClock,
    hanging: Mutex<Hanging>,
}

#[derive(Debug, Default)]
struct Hanging {
    /// How many reads, by device.
    reads: BTreeMap<u64, usize>,
    /// What was left behind, by device and inode; it is not touched again.
    files: HashSet<(u64, u64)>,
}

/// Since when the walk has been asking the disk, in milliseconds; 0: it is not.
#[derive(Debug, Default)]
pub struct Walking(AtomicU64);

impl Patience {
    /// A read may give nothing for so long.
    pub fn new(within: Duration) -> Self {
        Self { within, clock: SystemClock::default(), hanging: Mutex::default() }
    }

    /// For so long.
    pub fn within(&self) -> Duration {
        self.within
    }

    /// Since some moment.
    pub fn now(&self) -> Duration {
        self.clock.elapsed()
    }

    /// How often it is looked whether a read still goes on.
    pub fn beat(&self) -> Duration {
        (self.within / 4).min(Duration::from_secs(1))
    }

    /// Has what gave something at `since` given nothing for too long, `now`?
    pub fn is_over(&self, since: Duration, now: Duration) -> bool {
        now.saturating_sub(since) > self.within
    }

    fn hanging(&self) -> MutexGuard<'_, Hanging> {
        self.hanging.lock().expect("no holder of this lock panics")
    }

    /// A read of the file `inode` of `device` is left behind.
    pub fn leave(&self, (device, inode): (u64, u64)) {
        let mut hanging = self.hanging();
        *hanging.reads.entry(device).or_default() += 1;
        hanging.files.insert((device, inode));
    }

    /// Was that file left behind before?
    pub fn has_left(&self, file: (u64, u64)) -> bool {
        self.hanging().files.contains(&file)
    }

    /// One that was left behind has come back.
    pub fn came_back(&self, device: u64) {
        if let Some(count) = self.hanging().reads.get_mut(&device) {
            *count = count.saturating_sub(1);
        }
    }

    /// Is nothing more of `device` to be tried for now?
    pub fn is_dead(&self, device: u64) -> bool {
        self.hanging().reads.get(&device).is_some_and(|count| *count >= HANGING_MAX)
    }

    /// What is said of a read that is left behind.
    pub fn fault(&self) -> io::Error {
        let text = format!("its disk gave nothing for {} s, so it is left behind", self.seconds());
        io::Error::new(io::ErrorKind::TimedOut, text)
    }

    /// The same of a file that is not even tried.
    pub fn untried(&self, path: &TreePath) -> OpenError {
        let text = format!(
            "it is not tried, for {HANGING_MAX} reads of its disk have given nothing for {} s",
            self.seconds()
        );
        let source = io::Error::new(io::ErrorKind::TimedOut, text);
        OpenError::Unreadable { path: path.clone(), source }
    }

    /// Of a file of which nothing came.
    pub fn unreadable(&self, path: &TreePath) -> OpenError {
        OpenError::Unreadable { path: path.clone(), source: self.fault() }
    }

    /// Asks the disk by `ask`, and lets `walking` tell others since when.
    pub fn asking<T>(&self, walking: &Walking, ask: impl FnOnce() -> T) -> T {
        walking.0.store((self.now().as_millis() as u64).max(1), Ordering::Relaxed);
        let answer = ask();
        walking.0.store(0, Ordering::Relaxed);
        answer
    }

    /// Has the walk been asking for too long?
    pub fn is_over_for(&self, walking: &Walking) -> bool {
        let since = walking.0.load(Ordering::Relaxed);
        since > 0 && self.is_over(Duration::from_millis(since), self.now())
    }

    fn seconds(&self) -> u64 {
        self.within.as_secs().max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_of_which_too_much_hangs_is_tried_again_when_something_comes_back() {
        let patience = Patience::new(Duration::from_secs(60));
        for number in 0..HANGING_MAX as u64 {
            assert!(!patience.is_dead(7));
            patience.leave((7, number));
        }
        assert!(patience.is_dead(7) && !patience.is_dead(8));
        patience.came_back(7);
        assert!(!patience.is_dead(7));
        assert!(patience.has_left((7, 0)) && !patience.has_left((8, 0)), "it is left for good");
    }
}
