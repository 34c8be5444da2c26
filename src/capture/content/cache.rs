//! Reading a file and leaving in the page cache what was there before, no more and no less.
//!
//! A database or web server lives by what the cache holds of its files. Whoever reads a whole disk
//! through it pushes that out; whoever drops all he has read takes it away too.
//!
//! **How it is told apart, without a call more for what is there.** Files are read in windows of
//! [`WINDOW_BYTES`], with `RWF_NOWAIT` (Linux 4.14): what is in the cache comes at once. Where the
//! kernel says `EAGAIN`, all of the window from there on is asked of the disk, and before it can
//! answer a byte in every [`PROBE_BYTES`] is tried, the last one first: what comes at once was
//! there before. If none does, the range is dropped (`FADV_DONTNEED`) when reading has passed it.
//! The kernel's own readahead would run into windows that were not looked at yet; it is switched
//! off (`FADV_RANDOM`), and the next window is asked for while this one is waited for.
//!
//! **Invariant: in doubt it stays.** A window with anything in it is kept. A file of which somebody
//! uses pages here and there, as databases do, is kept from the first such page on, for a probe may
//! miss the next one. So is one that is being written: a lock that its writer holds looks like a
//! page that is not there. A file system that does not know the question (NFS) is read as by
//! anybody.
//!
//! **Cost**, counted in system calls: none for what is in the cache. A file of up to 64 KiB that
//! is not takes three more (asked in vain, one probe, dropped), a cold MiB of a large one about
//! 24, some microseconds of the milliseconds that the disk takes.
//!
//! `RWF_DONTCACHE` (Linux 6.14) would do all this in the kernel, but no source has it yet, and its
//! first versions could drop pages that were just being written.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::IoSliceMut;
use std::num::NonZeroU64;
use std::time::Duration;

use rustix::fs::{self, Advice};
use rustix::io::{Errno, ReadWriteFlags, pread, preadv2};

use super::Listed;
use crate::model::{Clock, SystemClock};

/// What is looked at, asked for and dropped at once.
const WINDOW_BYTES: u64 = 1 << 20;
/// Files up to here are asked for whole by their first reading, whatever readahead does.
const AT_ONCE_BYTES: u64 = 128 << 10;
/// A kernel may ignore what is asked of it at once beyond about this.
const ASK_BYTES: u64 = 256 << 10;
/// One byte in so many is tried.
const PROBE_BYTES: u64 = 64 << 10;
/// Less than any disk takes for the first page of a window: what is there so soon was there.
const PROBED_WITHIN: Duration = Duration::from_micros(100);
const PAGE_BYTES: u64 = 4_096;

/// What is known of one open file.
#[derive(Debug)]
pub(super) struct Cache {
    listed: Listed,
    /// Nothing beyond is wanted.
    until: u64,
    /// The file system does not tell.
    is_blind: bool,
    /// Somebody has pages of it here and there: nothing more is dropped.
    is_used: bool,
    /// What the disk was asked for, as far as reading is in it…
    current: Option<Missed>,
    /// …and what comes next.
    ahead: Option<Missed>,
}

/// A range of which at least the first page was not in the cache.
#[derive(Debug, Clone, Copy)]
struct Missed {
    begin: u64,
    end: u64,
    /// Nothing of it was.
    is_cold: bool,
}

impl Missed {
    fn holds(&self, at: u64) -> bool {
        (self.begin..self.end).contains(&at)
    }
}

impl Cache {
    /// Of `file`, which will be read up to `until`.
    pub fn new(file: &File, listed: Listed, until: u64) -> Self {
        if until > AT_ONCE_BYTES {
            // Advice only; a file system may not know it.
            let _ = fs::fadvise(file, 0, None, Advice::Random);
        }
        Self { listed, until, is_blind: false, is_used: false, current: None, ahead: None }
    }

    /// Nothing beyond `until` will be read after all.
    pub fn end_at(&mut self, until: u64) {
        self.until = self.until.min(until);
    }

    /// Reads what stands at `at`, at most to the end of its window; 0 at the end of the file.
    pub fn read(&mut self, file: &File, buffer: &mut [u8], at: u64) -> Result<usize, Errno> {
        if self.is_blind {
            return pread(file, buffer, at);
        }
        let window_end = (at / WINDOW_BYTES + 1).saturating_mul(WINDOW_BYTES);
        let room = (window_end - at).min(buffer.len() as u64) as usize;
        let buffer = &mut buffer[..room];
        if self.is_missed(file, at) {
            return pread(file, buffer, at);
        }
        match preadv2(file, &mut [IoSliceMut::new(buffer)], at, ReadWriteFlags::NOWAIT) {
            Err(Errno::AGAIN) => {
                let end = window_end.min(self.until).max(at + room as u64);
                let is_asked = end == at + room as u64;
                let missed = self.ask(file, (at, end), is_asked);
                self.enter(file, missed);
                pread(file, buffer, at)
            }
            Ok(count) => Ok(count),
            Err(Errno::INTR) => Err(Errno::INTR),
            // Whatever it does not like about the question, plain reading decides.
            Err(_) => {
                self.is_blind = true;
                let _ = fs::fadvise(file, 0, None, Advice::Sequential);
                pread(file, buffer, at)
            }
        }
    }

    /// Reading has ended; `is_steady`: the file is what was listed.
    pub fn finish(&mut self, file: &File, is_steady: bool) {
        let passed = [self.current.take(), self.ahead.take()];
        for missed in passed.into_iter().flatten().filter(|_| is_steady) {
            self.drop_range(file, missed);
        }
    }

    /// Was the disk asked for what stands at `at`?
    fn is_missed(&mut self, file: &File, at: u64) -> bool {
        if self.current.is_some_and(|missed| missed.holds(at)) {
            return true;
        }
        let Some(missed) = self.ahead.take_if(|missed| missed.holds(at)) else { return false };
        self.enter(file, missed);
        true
    }

    /// Reading comes into a range: the one before is passed, the one behind is asked for.
    fn enter(&mut self, file: &File, missed: Missed) {
        let passed = self.current.replace(missed);
        if let Some(passed) = passed.filter(|_| self.listed.is_still(file)) {
            self.drop_range(file, passed);
        }
        let next = missed.end;
        self.ahead = (next < self.until && !is_there(file, next)).then(|| {
            let end = (next + WINDOW_BYTES).min(self.until);
            self.ask(file, (next, end), false)
        });
    }

    /// Asks the disk for a range whose first page is not there, and looks if anything else is.
    fn ask(&mut self, file: &File, (begin, end): (u64, u64), is_asked: bool) -> Missed {
        let clock = SystemClock::default();
        if !is_asked {
            for at in (begin..end).step_by(ASK_BYTES as usize) {
                let _ =
                    fs::fadvise(file, at, length(at, end.min(at + ASK_BYTES)), Advice::WillNeed);
            }
        }
        if self.is_used || end - begin <= PAGE_BYTES {
            return Missed { begin, end, is_cold: !self.is_used };
        }
        let probes = (end - begin).div_ceil(PROBE_BYTES);
        let place = |number: u64| begin + (end - begin) * number / probes - 1;
        let is_cold = !(1..=probes).rev().any(|number| is_there(file, place(number)));
        self.is_used |= !is_cold && clock.elapsed() < PROBED_WITHIN;
        Missed { begin, end, is_cold }
    }

    fn drop_range(&self, file: &File, Missed { begin, end, is_cold }: Missed) {
        if is_cold && !self.is_used {
            // Up to the end of its last page: kernels keep pages that are named in part.
            let end = end.next_multiple_of(PAGE_BYTES);
            let _ = fs::fadvise(file, begin, length(begin, end), Advice::DontNeed);
        }
    }
}

fn length(begin: u64, end: u64) -> Option<NonZeroU64> {
    NonZeroU64::new(end.saturating_sub(begin))
}

/// Is the page at `at` in the cache?
fn is_there(file: &File, at: u64) -> bool {
    let mut byte = [0];
    let read = preadv2(file, &mut [IoSliceMut::new(&mut byte)], at, ReadWriteFlags::NOWAIT);
    matches!(read, Ok(1))
}
