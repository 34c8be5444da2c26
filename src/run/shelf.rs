//! The one thread that writes: packs, index, manifests, receipts, in that order.
//!
//! **Invariants.**
//! - Everything that must be durable before a receipt is durable before that receipt is begun.
//! - One group commit serves all hosts: at most every [`Pace::commit_age`](crate::run::Pace) or
//!   [`COMMIT_BYTES`], and only when something waits for it.
//! - One session at a time writes to the passes of a workload. What an earlier one said before the
//!   next was opened counts, and what comes of it later does not: a host that lost its line is
//!   dialled again while the engine may still work on what it had sent.
//! - A pass that cannot be read back is noted and never gone on with: its workload begins another.
//! - When the landing disk fails, nothing is believed and everybody is told once; what has a
//!   receipt stands. When it is full, that is waited for ([`space`]).

mod count;
mod fault;
mod passes;
mod segments;
mod space;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::capture::Cursor;
use crate::chunk::Cutting;
use crate::inventory::Workload;
use crate::ledger::{Ledger, LedgerError, Pulse};
use crate::model::Reason;
use crate::model::{Clock, Domain, Event, PassNumber, RunNumber, WorkloadId};
use crate::run::coordinator::{ClosedSegment, Frame, Input, SessionId, SourceDoubts};
use crate::run::engine::ToEngine;
use crate::store::{ManifestError, ManifestWriter, PassName, Store, Writer};

pub use count::{Counted, Counting};
pub use fault::ShelfError;
use segments::name_of;
use space::Space;

/// A group commit waits for at most this much.
const COMMIT_BYTES: u64 = 32 << 20;
/// What nobody waits for is made durable after this long all the same: a resume then finds it.
const IDLE_AGE: Duration = Duration::from_secs(2);

/// What the shelf is told.
pub enum ToShelf {
    /// Begin or go on with a pass.
    Open(Box<PassRequest>, oneshot::Sender<Result<OpenedPass, ShelfError>>),
    /// Put a frame into the workload's pack.
    Append(SessionId, WorkloadId, Frame),
    /// Make a segment durable.
    Commit(SessionId, Box<ClosedSegment>),
    /// All segments are durable: seal, unless too much is gone. With what was counted for the last
    /// sweep, if that was read to its end.
    Seal(SessionId, PassName, SourceDoubts, Option<Counted>),
    /// The counting for a seal is done.
    Counted(SessionId, PassName, SourceDoubts, Result<Counted, ShelfError>),
    /// What receipts vouch for of a pass could not be read while it was swept.
    Unread(SessionId, PassName, ShelfError),
    /// Remember.
    Record(Event),
    /// The same, and tell this one when it is durable.
    Keep(Event, oneshot::Sender<()>),
    /// Show, while it lasts.
    Pulse(Pulse),
    /// Nobody waits for space any more.
    GiveUp,
    /// Nothing more comes of this workload for now: make what came durable, and answer.
    Sync(WorkloadId, oneshot::Sender<()>),
    /// Make everything durable, answer and end.
    Flush(oneshot::Sender<()>),
}

/// A workload whose capture begins or goes on.
#[derive(Debug, Clone)]
pub struct PassRequest {
    /// For whom; from now on nobody else writes to the workload's passes.
    pub session: SessionId,
    /// Which, with its paths and excludes.
    pub workload: Workload,
    /// Who may share its chunks.
    pub domain: Domain,
    /// What is gone is meant to be.
    pub accept_losses: bool,
}

/// Where a pass stands.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenedPass {
    /// Its number.
    pub pass: PassNumber,
    /// Was it begun before?
    pub is_resumed: bool,
    /// The run to order: 0 goes on with the walk, others begin a sweep.
    pub run: RunNumber,
    /// Does it build on a former pass? It has no run 0 then: its first run is compared already.
    pub is_delta: bool,
    /// The next segment of that run.
    pub segment: u64,
    /// Where the walk goes on.
    pub cursor: Option<Cursor>,
    /// How it is cut.
    pub cutting: Cutting,
}

/// What the shelf works with.
pub struct Shelf {
    pub store: Store,
    pub writer: Writer,
    pub ledger: Arc<Ledger>,
    pub clock: Arc<dyn Clock>,
    pub engine: Sender<ToEngine>,
    pub itself: Sender<ToShelf>,
    /// Who runs this, written on every event.
    pub by: String,
    manifests: BTreeMap<PassName, OpenManifest>,
    /// Who writes to the passes of a workload: the session that opened one last.
    writers: BTreeMap<WorkloadId, SessionId>,
    /// Passes that turned out damaged in this run: none of them goes on.
    damaged: BTreeSet<PassName>,
    /// Passes that may lose what they like.
    accepting: BTreeSet<PassName>,
    /// Passes whose paths somebody wrote down: all of them are to be there.
    written_down: BTreeSet<PassName>,
    pending: Vec<(SessionId, Box<ClosedSegment>)>,
    unsynced_bytes: u64,
    since: Option<Duration>,
    failed: Option<(Reason, String)>,
    commit_age: Duration,
    space: Space,
}

struct OpenManifest {
    writer: ManifestWriter,
    run: RunNumber,
    /// Is the source's clock at the beginning of the run known to be kept?
    has_clock: bool,
}

impl Shelf {
    /// A shelf over an open store and ledger.
    pub fn new(
        store: Store,
        writer: Writer,
        ledger: Arc<Ledger>,
        clock: Arc<dyn Clock>,
        channels: (Sender<ToEngine>, Sender<ToShelf>),
        by: String,
        commit_age: Duration,
    ) -> Self {
        Self {
            store,
            writer,
            ledger,
            clock,
            engine: channels.0,
            itself: channels.1,
            by,
            manifests: BTreeMap::new(),
            writers: BTreeMap::new(),
            damaged: BTreeSet::new(),
            accepting: BTreeSet::new(),
            written_down: BTreeSet::new(),
            pending: Vec::new(),
            unsynced_bytes: 0,
            since: None,
            failed: None,
            commit_age,
            space: Space::default(),
        }
    }

    /// Works until a flush says that it was the last, or everybody is gone.
    pub fn work(mut self, orders: &Receiver<ToShelf>) {
        loop {
            let order = match self.patience() {
                None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(patience) => orders.recv_timeout(patience),
            };
            match order {
                Ok(ToShelf::Flush(answer)) => {
                    self.flush_or_fail();
                    // Whoever asked may have gone.
                    let _ = answer.send(());
                    return;
                }
                Ok(order) => self.take(order),
                Err(RecvTimeoutError::Timeout) if self.is_due() || !self.space.is_waited_for() => {
                    self.flush_or_fail();
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.flush_or_fail(),
            }
            self.look_for_space();
            if self.unsynced_bytes >= COMMIT_BYTES {
                self.flush_or_fail();
            }
        }
    }

    /// How long nothing has to be done.
    fn patience(&self) -> Option<Duration> {
        let flush = self.until_flush();
        match self.until_look() {
            Some(look) => Some(flush.map_or(look, |flush| flush.min(look))),
            None => flush,
        }
    }

    /// How long what waits may go on waiting.
    fn until_flush(&self) -> Option<Duration> {
        let age = if self.pending.is_empty() { IDLE_AGE } else { self.commit_age };
        let since = self.since?;
        Some(age.saturating_sub(self.clock.elapsed().saturating_sub(since)))
    }

    fn is_due(&self) -> bool {
        self.until_flush().is_some_and(|left| left.is_zero())
    }

    fn take(&mut self, order: ToShelf) {
        let outcome = match order {
            ToShelf::Open(request, answer) => {
                self.hand_over(&request);
                let opened = match &self.failed {
                    Some((_, detail)) => Err(ShelfError::Failed(detail.clone())),
                    None => self.open(&request),
                };
                let _ = answer.send(opened);
                Ok(())
            }
            _ if self.failed.is_some() => Ok(()),
            order if self.is_late(&order) => Ok(()),
            ToShelf::Append(session, workload, frame) => self.take_in(session, workload, frame),
            ToShelf::Commit(session, segment) => {
                self.pending.push((session, segment));
                self.since.get_or_insert(self.clock.elapsed());
                Ok(())
            }
            ToShelf::Seal(session, name, doubts, counted) => {
                self.count(session, name, doubts, counted)
            }
            ToShelf::Counted(session, name, doubts, counted) => match counted {
                Ok(counted) => self.end_pass(session, &name, &counted, doubts),
                Err(error) => self.unread(session, name, error),
            },
            ToShelf::Unread(session, pass, error) => self.unread(session, pass, error),
            ToShelf::Record(event) => self.record(&event),
            ToShelf::Keep(event, answer) => self.record(&event).map(|()| {
                // Whoever asked may have gone.
                let _ = answer.send(());
            }),
            ToShelf::Sync(workload, answer) => self.sync(&workload, answer),
            ToShelf::Pulse(pulse) => self.ledger.record_pulse(&pulse).map_err(Into::into),
            ToShelf::GiveUp => self.give_up(),
            ToShelf::Flush(_) => Ok(()),
        };
        if let Err(error) = outcome {
            self.fail(&error);
        }
    }

    /// The landing side cannot go on: everybody is told, nothing more is written. Where it is full
    /// and somebody waits, it goes on later.
    fn fail(&mut self, error: &ShelfError) {
        if error.reason() == Reason::LandingFull && self.space.is_waited_for() {
            return self.interrupt(error);
        }
        let detail = crate::run::explain(error);
        let reason = error.reason();
        self.failed = Some((reason, detail.clone()));
        self.pending.clear();
        self.since = None;
        let _ = self.engine.send(ToEngine::LandingFailed(reason, detail));
    }

    fn append(
        &mut self,
        session: SessionId,
        workload: &WorkloadId,
        frame: &Frame,
    ) -> Result<(), ShelfError> {
        let appended = self.writer.append(workload, &frame.bytes, &frame.header)?;
        self.unsynced_bytes += appended.stored_bytes.0;
        self.since.get_or_insert(self.clock.elapsed());
        let pieces = frame.pieces().map(|(id, _)| id).collect();
        let input = Input::Appended(session, pieces, appended.stored_bytes);
        let _ = self.engine.send(ToEngine::Input(input));
        Ok(())
    }

    fn flush_or_fail(&mut self) {
        if self.failed.is_none()
            && let Err(error) = self.flush()
        {
            self.fail(&error);
        }
    }

    /// The group commit: packs and index, then manifests, then one transaction of receipts.
    fn flush(&mut self) -> Result<(), ShelfError> {
        self.since = None;
        self.unsynced_bytes = 0;
        self.writer.commit()?;
        let pending = std::mem::take(&mut self.pending);
        if pending.is_empty() {
            return Ok(());
        }
        let mut receipts = Vec::with_capacity(pending.len());
        let mut written = Vec::with_capacity(pending.len());
        for (session, segment) in pending {
            match self.write_segment(&segment) {
                Ok(receipt) => {
                    receipts.push(receipt);
                    written.push((session, segment));
                }
                // What no manifest holds is its sender's fault, and nobody else's.
                Err(ShelfError::Manifest(error @ ManifestError::Refused { .. })) => {
                    let _ = self.engine.send(ToEngine::Lied(session, crate::run::explain(&error)));
                }
                Err(error) => return Err(error),
            }
        }
        let pending = written;
        let mut names: Vec<PassName> = pending.iter().map(|(_, s)| name_of(s)).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            if let Some(manifest) = self.manifests.get_mut(&name) {
                manifest.writer.sync()?;
            }
        }
        self.ledger.commit_receipts(&receipts)?;
        for (session, segment) in pending {
            let event = Event::SegmentCommitted {
                workload: segment.workload,
                pass: segment.pass,
                run: segment.run,
                segment: segment.number,
                tally: segment.tally,
            };
            let _ = self.engine.send(ToEngine::Emit(event));
            let _ = self.engine.send(ToEngine::Input(Input::Committed(session)));
        }
        Ok(())
    }

    fn record(&mut self, event: &Event) -> Result<(), ShelfError> {
        match self.ledger.append(event, &self.by) {
            // An event that does not fit the state is a fault of ours in telling, not of the data.
            Err(LedgerError::Illegal(illegal)) => {
                let text = format!("an event did not fit: {illegal}");
                let what = "evac".to_owned();
                let by = self.by.clone();
                Ok(self.ledger.append(&Event::Noted { what, text, by }, &self.by)?)
            }
            other => Ok(other?),
        }
    }
}
