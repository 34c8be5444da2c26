//! Bells: people are called when something happens that nobody should sleep through, and a beat
//! goes out for as long as the run lives, so that somebody else rings when it does not any more.
//!
//! ```text
//! events ──> watch (pure: when, and how often) ──> ringer (thread) ──> program, webhook
//!              ^ every second: time, disk               └──> event log
//! ```
//!
//! **Promises.** A run is neither held up nor failed by its bells: what rings waits in a bounded
//! queue, and at the end of the run for [`LINGER`] at most. Every ring is in the event log, with
//! the ways on which nobody could be called.

mod limit;
mod watch;
mod ways;

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::ledger::Ledger;
use crate::model::{Bell, Bytes, Clock, Event, EventSink};
use crate::store::Disks;

pub use limit::Ring;
pub use watch::Usage;
use watch::Watch;
use ways::PAUSES;
pub use ways::{Tried, Ways};

/// Between two looks at the time and at the disk.
const LOOK: Duration = Duration::from_secs(1);
/// Rings that wait for a slow way; more are dropped, for the limit lets no more through an hour.
const WAITING_MAX: usize = 16;
/// The end of a run waits so long for what still rings.
const LINGER: Duration = Duration::from_secs(20);

/// What is watched.
pub struct Watched {
    /// Does the run wait for hosts?
    pub waits: bool,
    /// Workloads that come too late, by the plan.
    pub too_late: u64,
    /// The store's disks, which may become more; `None`: what it fills is not looked at.
    pub disks: Option<Arc<Disks>>,
    /// Where rings are written down.
    pub ledger: Arc<Ledger>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// The bells of one run. An [`EventSink`] that passes every event on.
pub struct Bells {
    watch: Arc<Mutex<Watch>>,
    readers: Arc<Readers>,
    clock: Arc<dyn Clock>,
    /// Ends the threads when dropped.
    ends: Mutex<Option<[Sender<()>; 2]>>,
    /// Disconnected when the last ring is through.
    rung: Mutex<Receiver<()>>,
}

/// Whoever reads the events; nothing follows the report.
struct Readers {
    told: Arc<dyn EventSink>,
    is_over: Mutex<bool>,
}

impl Readers {
    fn tell(&self, event: &Event) {
        let mut is_over = self.is_over.lock().unwrap_or_else(PoisonError::into_inner);
        if !*is_over {
            *is_over = matches!(event, Event::Report(_));
            self.told.emit(event);
        }
    }
}

impl Bells {
    /// Begins to watch, and to beat.
    pub fn start(
        ways: Ways,
        watched: Watched,
        told: Arc<dyn EventSink>,
    ) -> std::io::Result<Arc<Self>> {
        let Watched { waits, too_late, disks, ledger, clock } = watched;
        let watch = Watch::new(waits, too_late, clock.elapsed());
        let watch = Arc::new(Mutex::new(watch));
        let readers = Arc::new(Readers { told, is_over: Mutex::new(false) });
        let ways = Arc::new(ways);
        let (queue, rings) = sync_channel(WAITING_MAX);
        let (ends_watching, watching_ends) = channel();
        let (ends_beating, beating_ends) = channel();
        let (through, rung) = channel();
        let named = |name: &str| thread::Builder::new().name(name.into());
        let (watching, time) = (watch.clone(), clock.clone());
        named("bells").spawn(move || {
            keep_watch(&watching, &*time, disks.as_deref(), &queue, &watching_ends);
        })?;
        let ringer = Ringer { ways: ways.clone(), ledger, clock: clock.clone() };
        let heard = readers.clone();
        named("ringer").spawn(move || {
            ringer.work(&rings, &heard);
            drop(through);
        })?;
        let heard = readers.clone();
        named("beat").spawn(move || beat(&ways, &heard, &beating_ends))?;
        let ends = Mutex::new(Some([ends_watching, ends_beating]));
        Ok(Arc::new(Self { watch, readers, clock, ends, rung: Mutex::new(rung) }))
    }

    /// The run is over: waits for what still rings, but not for long.
    pub fn finish(&self) {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).take();
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        // Nothing is ever sent: it is over when the ringer is.
        let _ = rung.recv_timeout(LINGER);
    }
}

impl EventSink for Bells {
    fn emit(&self, event: &Event) {
        self.readers.tell(event);
        lock(&self.watch).hear(event, self.clock.elapsed());
    }
}

fn lock(watch: &Mutex<Watch>) -> MutexGuard<'_, Watch> {
    watch.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keep_watch(
    watch: &Mutex<Watch>,
    clock: &dyn Clock,
    disks: Option<&Disks>,
    queue: &SyncSender<Ring>,
    ends: &Receiver<()>,
) {
    loop {
        let is_over = ends.recv_timeout(LOOK) == Err(RecvTimeoutError::Disconnected);
        let rings = lock(watch).tick(clock.elapsed(), disks.and_then(usage));
        for ring in rings {
            // Nobody can be called while so many wait.
            let _ = queue.try_send(ring);
        }
        if is_over {
            return;
        }
    }
}

/// Of all disks together: packs go where there is room.
fn usage(disks: &Disks) -> Option<Usage> {
    let (mut free, mut total) = (0_u64, 0_u64);
    for path in disks.paths() {
        let found = rustix::fs::statvfs(&path).ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
        // What root keeps for itself is nobody's to fill.
        let blocks = found.f_blocks.saturating_sub(found.f_bfree).saturating_add(found.f_bavail);
        free = free.saturating_add(bytes(found.f_bavail));
        total = total.saturating_add(bytes(blocks));
    }
    Some(Usage { free: Bytes(free), total: Bytes(total) })
}

struct Ringer {
    ways: Arc<Ways>,
    ledger: Arc<Ledger>,
    clock: Arc<dyn Clock>,
}

impl Ringer {
    fn work(&self, rings: &Receiver<Ring>, readers: &Readers) {
        for ring in rings {
            let tried = self.ways.call(&ring, &*self.clock, &PAUSES);
            let failed = tried.into_iter().filter_map(|tried| {
                let why = tried.outcome.err()?;
                Some(format!("{}: {why}", tried.way))
            });
            let Ring { bell, text, held_back } = ring;
            let rang = Event::Rang { bell, text, held_back, failed: failed.collect() };
            readers.tell(&rang);
            // A ledger that fails now fails the run by itself.
            let _ = self.ledger.append(&rang, "evac");
        }
    }
}

/// Beats until the run ends. That nobody hears it is told once each time.
fn beat(ways: &Ways, readers: &Readers, ends: &Receiver<()>) {
    let Some(link) = &ways.alert.beat else { return };
    let mut is_heard = true;
    loop {
        let beaten = ways.beat(link);
        if let Err(why) = &beaten
            && is_heard
        {
            let text = format!("the beat of [alert] is not heard: {why}");
            readers.tell(&Event::Noted { what: "evac".into(), text, by: "evac".into() });
        }
        is_heard = beaten.is_ok();
        if ends.recv_timeout(ways.alert.beat_every) == Err(RecvTimeoutError::Disconnected) {
            return;
        }
    }
}

/// Rings once for a try.
pub fn ring_once(ways: &Ways, clock: &dyn Clock) -> Vec<Tried> {
    let text = "this is a test: evac can call you this way".to_owned();
    let ring = Ring { bell: Bell::Test, text, held_back: 0 };
    let mut tried = ways.call(&ring, clock, &[]);
    if let Some(link) = &ways.alert.beat {
        tried.push(Tried { way: "beat", outcome: ways.beat(link) });
    }
    tried
}
