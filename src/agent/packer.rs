//! Wanted pieces to frames, on as many cores as there are.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use crate::agent::governor::{Governor, ProcessorTime, SPELL, Spell};
use crate::agent::outbox::{Disconnected, Outbox};
use crate::agent::session::Budget;
use crate::chunk::FrameBuilder;
use crate::model::{Clock, Domain, SystemClock};
use crate::wire::source::Piece;
use crate::wire::{HEAD_BYTES, Hindrance, Levels, Pace as Told, ToLanding};

/// A frame is full with this much content: measured, larger ones gain nothing.
const FRAME_RAW_BYTES: usize = 1 << 20;
/// A frame that is not full leaves after this long: what is wanted must never wait for company.
const PATIENCE: Duration = Duration::from_millis(20);
/// With less than this held, whoever has nothing to compress waits for a disk, not for credit.
const UNCREDITED_BYTES: u64 = 4 << 20;

/// Where wanted pieces go.
#[derive(Debug, Clone)]
pub struct Packer {
    sender: Sender<Piece>,
}

/// What the threads that compress share.
struct Compressors {
    workers: u32,
    outbox: Outbox,
    held: Arc<Budget>,
    turns: Turns,
    groups: Mutex<(u64, Receiver<Vec<Piece>>)>,
    clock: SystemClock,
    pace: Mutex<Pace>,
}

/// The level, and what speaks for another.
struct Pace {
    governor: Governor,
    /// Does what is sent wait for the way?
    waits: Option<bool>,
    /// What the landing site was told last.
    told: (Option<Told>, Option<bool>),
    hindrance: Option<Hindrance>,
    spell: Spell,
    since: Duration,
    processors: Option<ProcessorTime>,
}

impl Packer {
    /// Starts the threads: one that groups, `workers` that compress. They end when the last
    /// `Packer` is dropped or the connection is gone.
    pub fn start(
        domain: Domain,
        levels: Levels,
        workers: usize,
        outbox: &Outbox,
        held: &Arc<Budget>,
    ) -> Self {
        // Every piece in here is counted in `held`, which bounds it. Whoever hears the landing site
        // queues pieces, and must never wait for a slow line: it would miss the signs of life.
        let (sender, pieces) = channel::<Piece>();
        let (group_sender, groups) = sync_channel::<Vec<Piece>>(1);
        std::thread::spawn(move || group(&pieces, &group_sender));
        let workers = workers.max(1) as u32;
        let clock = SystemClock::default();
        let pace = Pace {
            governor: Governor::new(levels),
            waits: None,
            told: (None, None),
            hindrance: None,
            spell: Spell::default(),
            since: clock.elapsed(),
            processors: ProcessorTime::now(),
        };
        let compressors = Arc::new(Compressors {
            workers,
            outbox: outbox.clone(),
            held: held.clone(),
            turns: Turns::default(),
            groups: Mutex::new((0, groups)),
            clock,
            pace: Mutex::new(pace),
        });
        for _ in 0..workers {
            let compressors = compressors.clone();
            std::thread::spawn(move || compressors.work(FrameBuilder::new(domain)));
        }
        Self { sender }
    }

    /// Queues a piece.
    pub fn push(&self, piece: Piece) -> Result<(), Disconnected> {
        self.sender.send(piece).map_err(|_| Disconnected)
    }
}

impl Compressors {
    fn work(&self, mut builder: FrameBuilder) {
        let mut began = self.clock.elapsed();
        while let Some((number, group)) = self.next() {
            let taken = self.clock.elapsed();
            let frame = self.pack(&mut builder, group);
            let packed = self.clock.elapsed();
            let mut wire = Duration::ZERO;
            let sent = self.turns.take(number, || {
                let turn = self.clock.elapsed();
                for news in self.news() {
                    self.outbox.send(&news)?;
                }
                self.outbox.send_frame(frame)?;
                wire = self.clock.elapsed().saturating_sub(turn);
                Ok(())
            });
            if sent.is_err() {
                // Whoever waits for room must not wait for ever on a dead connection.
                self.held.close();
                return;
            }
            let (idle, busy) = (taken.saturating_sub(began), packed.saturating_sub(taken));
            began = self.clock.elapsed();
            self.note(began, (idle, busy, wire));
        }
    }

    fn next(&self) -> Option<(u64, Vec<Piece>)> {
        let mut groups = self.groups.lock().ok()?;
        let group = groups.1.recv().ok()?;
        groups.0 += 1;
        Some((groups.0 - 1, group))
    }

    fn pack(&self, builder: &mut FrameBuilder, group: Vec<Piece>) -> Vec<u8> {
        let level = self.pace().governor.level();
        let bytes: u64 = group.iter().map(|piece| piece.bytes.len() as u64).sum();
        for piece in group {
            builder.push(piece.id, &piece.bytes);
        }
        let frame = builder.finish_behind(level, HEAD_BYTES);
        self.held.release(bytes);
        frame
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().expect("no holder of this lock panics")
    }

    /// What the landing site does not know yet.
    fn news(&self) -> Vec<ToLanding> {
        let mut pace = self.pace();
        let now = Told { level: pace.governor.level(), hindrance: pace.hindrance };
        let waits = pace.waits;
        let told = std::mem::replace(&mut pace.told, (Some(now), waits));
        let now = (told.0 != Some(now)).then_some(ToLanding::Pace(now));
        let waits = waits.filter(|_| told.1 != waits).map(ToLanding::Waits);
        now.into_iter().chain(waits).collect()
    }

    /// Adds to the spell, and ends it when it is time.
    fn note(&self, now: Duration, (idle, busy, wire): (Duration, Duration, Duration)) {
        let mut pace = self.pace();
        pace.spell.idle += idle;
        pace.spell.busy += busy;
        pace.spell.wire += wire;
        let span = now.saturating_sub(pace.since);
        if span < SPELL {
            return;
        }
        let processors = ProcessorTime::now();
        let spare = processors.zip(pace.processors).and_then(|(now, then)| now.spare_since(then));
        let is_uncredited = self.held.used() > UNCREDITED_BYTES;
        let measured = std::mem::take(&mut pace.spell);
        let spell = Spell { span, workers: self.workers, is_uncredited, spare, ..measured };
        pace.governor.judge(&spell);
        pace.waits = Some(spell.waits_for_way());
        pace.hindrance = spell.hindrance();
        pace.since = now;
        pace.processors = processors;
    }
}

/// Collects pieces to about a frame's worth.
fn group(pieces: &Receiver<Piece>, groups: &SyncSender<Vec<Piece>>) {
    let mut group = Vec::new();
    let mut bytes = 0;
    loop {
        let received = if group.is_empty() {
            pieces.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            pieces.recv_timeout(PATIENCE)
        };
        let is_last = matches!(received, Err(RecvTimeoutError::Disconnected));
        let is_over = match received {
            Ok(piece) => {
                bytes += piece.bytes.len();
                group.push(piece);
                bytes >= FRAME_RAW_BYTES || group.len() >= crate::chunk::frame::CHUNKS_MAX
            }
            Err(_) => true,
        };
        if is_over && !group.is_empty() {
            bytes = 0;
            if groups.send(std::mem::take(&mut group)).is_err() {
                return;
            }
        }
        if is_last {
            return;
        }
    }
}

/// Frames leave in the order of their pieces, whichever core was faster: what lies together in the
/// tree lies together in a pack.
#[derive(Debug, Default)]
struct Turns {
    next: Mutex<u64>,
    changed: Condvar,
}

impl Turns {
    fn take(
        &self,
        number: u64,
        act: impl FnOnce() -> Result<(), Disconnected>,
    ) -> Result<(), Disconnected> {
        let next = self.next.lock().expect("no holder of this lock panics");
        let mut next = self
            .changed
            .wait_while(next, |next| *next != number)
            .expect("no holder of this lock panics");
        // The turn passes on even when the connection is gone, so that nobody waits for it.
        let done = act();
        *next += 1;
        drop(next);
        self.changed.notify_all();
        done
    }
}
