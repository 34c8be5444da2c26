//! What pages are made of, and how seldom it is looked up anew.
//!
//! **Promise.** However many people watch, everything is read by one of them at a time, at most
//! once a second, and never for more than a tenth of the time. A look-up reads only what is known
//! of those who may be meant, one look-up at a time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::ledger::snapshot::CustomerStatus;
use crate::ledger::{Fit, Snapshot};
use crate::model::{Bytes, CustomerId, HostId, Timestamp, WorkloadId};
use crate::publish::Language;

/// Where it comes from.
pub trait Desk: Send + Sync + 'static {
    /// Everything as of now.
    fn look(&self) -> Result<Seen, Unavailable>;
    /// Whoever may be meant, as he stands now; `most` of them at most, the best fit first.
    fn look_up(&self, whom: Whom<'_>, most: usize) -> Result<LookedUp, Unavailable>;
    /// What the live view shows beyond that.
    fn night(&self, seen: &Seen) -> Result<Night, Unavailable>;
    /// What people wrote down about a customer, the oldest first.
    fn told(&self, customer: &CustomerStatus) -> Result<Vec<Told>, Unavailable>;
    /// Writes something down about a customer, durably.
    fn note(&self, by: &str, customer: &CustomerStatus, text: &str) -> Result<(), Unavailable>;
    /// Somebody has to know what is wrong; the one who asked need not.
    fn complain(&self, what: &dyn std::error::Error);
}

/// It cannot be had now; why is told to whoever started evac.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unavailable;

/// Everything as of one moment.
pub struct Seen {
    /// What the company is called.
    pub name: String,
    /// In which people are told times.
    pub zone: TimeZone,
    /// Where everything stands.
    pub snapshot: Snapshot,
}

/// Whom somebody looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom<'a> {
    /// Nobody yet.
    Nobody,
    /// Whoever the text may mean.
    Text(&'a str),
    /// The customer of this id.
    Id(&'a CustomerId),
}

/// Who may be meant, as of one moment, and what there is to say to anybody.
pub struct LookedUp {
    /// When that was so.
    pub as_of: Timestamp,
    /// What the company is called.
    pub name: String,
    /// Whom callers are put through to who need more than support can say.
    pub colleague: Option<String>,
    /// Of the site, the first is the default.
    pub languages: Vec<Language>,
    /// In which people are told times: by its name, and as it is.
    pub timezone: String,
    pub zone: TimeZone,
    /// How many may be meant.
    pub total: usize,
    /// The best of them.
    pub callers: Vec<Caller>,
}

/// A customer who may be meant.
pub struct Caller {
    /// Where he stands.
    pub status: CustomerStatus,
    /// His language.
    pub spoken: Option<Language>,
    /// How well it fits him.
    pub fit: Fit,
    /// The kind of what it fits.
    pub matched_by: &'static str,
    /// How that is written; `None` where whom to call back is part of it, which is his secret.
    pub matched: Option<String>,
}

/// What somebody wrote down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// What.
    pub text: String,
}

/// From when to when a workload was, is, or will be on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Which.
    pub workload: WorkloadId,
    /// Where it is.
    pub host: HostId,
    /// When it begins.
    pub from: Timestamp,
    /// When it ends; `None`: it goes on.
    pub to: Option<Timestamp>,
    /// Is that before the window shuts?
    pub fits: bool,
}

/// Something that is blocked, and the command that unblocks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocked {
    /// A word.
    pub cause: String,
    /// How many workloads.
    pub workloads: usize,
    /// In words.
    pub why: String,
    /// To be typed.
    pub command: String,
}

/// A landing disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LandingDisk {
    /// Its folder.
    pub path: String,
    /// What is free on it; `None`: it is not there.
    pub free: Option<Bytes>,
    /// Of that, what stays free.
    pub reserve: Bytes,
}

/// What the live view shows beyond a snapshot.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Night {
    /// Who runs it, since when, if anybody does.
    pub running: Option<(String, Timestamp)>,
    /// What is blocked, the most valuable first.
    pub blocked: Vec<Blocked>,
    /// What people were called for, the newest first.
    pub rung: Vec<(Timestamp, String)>,
    /// What has been done.
    pub done: Vec<Span>,
    /// What was planned, and when.
    pub planned: Option<(Timestamp, Vec<Span>)>,
    /// What is expected of the rest now.
    pub expected: Vec<Span>,
    /// How many workloads never come at these rates.
    pub never: usize,
    /// Beyond all reserves of the landing disks; `None`: there is no store yet.
    pub room: Option<Bytes>,
    /// Each of them.
    pub disks: Vec<LandingDisk>,
}

/// Something that is made seldom and shown often.
pub(super) struct Cached<T> {
    made: Mutex<Option<Made<T>>>,
    least: Duration,
}

struct Made<T> {
    value: Arc<T>,
    until: Duration,
}

/// Rest after work, in parts of it.
const REST: u32 = 9;

impl<T> Cached<T> {
    /// Good for at least so long.
    pub(super) fn new(least: Duration) -> Self {
        Self { made: Mutex::new(None), least }
    }

    /// What there is, or what `make` makes; whoever comes meanwhile waits for that.
    pub(super) fn get<E>(
        &self,
        elapsed: impl Fn() -> Duration,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        // What panicked while it was made left the older one.
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let began = elapsed();
        if let Some(made) = &*made
            && began < made.until
        {
            return Ok(Arc::clone(&made.value));
        }
        let value = Arc::new(make()?);
        let ended = elapsed();
        let rest = (ended.saturating_sub(began) * REST).max(self.least);
        *made = Some(Made { value: Arc::clone(&value), until: ended + rest });
        Ok(value)
    }

    /// It is not so any more.
    pub(super) fn forget(&self) {
        *self.made.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn many_who_look_are_one_reader_with_pauses() {
        let cached = Cached::new(Duration::from_secs(1));
        let (time, reads) = (Cell::new(Duration::from_secs(50)), Cell::new(0));
        let get = |cost: u64| {
            let read = || {
                reads.set(reads.get() + 1);
                time.set(time.get() + Duration::from_millis(cost));
                Ok::<_, ()>(reads.get())
            };
            *cached.get(|| time.get(), read).unwrap()
        };
        assert_eq!((get(0), get(0), get(0)), (1, 1, 1));
        time.set(time.get() + Duration::from_secs(1));
        assert_eq!((get(2_000), get(0)), (2, 2));
        time.set(time.get() + Duration::from_secs(17));
        assert_eq!(get(0), 2, "a slow one rests longer");
        time.set(time.get() + Duration::from_secs(1));
        assert_eq!(get(0), 3);
        cached.forget();
        assert_eq!(get(0), 4);
    }
}
