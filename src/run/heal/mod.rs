//! Healing: what is lost of the store is read again at its source, piece by piece.
//!
//! Before a workload is captured again because its copy is damaged, the pieces that are missing
//! are asked of the agent by path, offset, length and name. What comes is checked against its name
//! like everything else, appended and made durable; then the damaged passes are looked at again,
//! and those of which nothing is missing any more are said to be healed. Only when the newest
//! sealed pass is not among them, because the source changed meanwhile, a new pass follows.
//!
//! **Promises.** Nothing is asked of a source that the store has, and nothing of two at the same
//! time. Killed at any moment, what was appended counts and the rest is asked again. No walk, no
//! file opened that has nothing to give.

mod passage;
mod ward;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use crate::chunk::{Cutting, DomainKey, FrameHeader};
use crate::inventory::{Host, Impact, Workload};
use crate::model::{Bytes, ChunkId, Event, Reason, RunNumber, WorkloadId};
use crate::run::Shared;
use crate::run::coordinator::{CapacityId, Frame, SessionId};
use crate::run::engine::ToEngine;
use crate::run::host::{self, Ended};
use crate::run::shelf::ToShelf;
use crate::run::stop::Phase;
use crate::run::talk::{Outbox, TalkError};
use crate::run::trunk::{self, Trunk};
use crate::store::ManifestError;
use crate::store::verify::missing;
use crate::wire::{CaptureOrder, ToAgent, ToLanding, encode};

pub use passage::Passage;
pub use ward::{DamagedPass, Job, Ward};

/// Asked for and not here yet: less than an agent holds, so it never waits for itself.
const WINDOW_BYTES: u64 = 16 << 20;
/// The same in pieces.
const WINDOW_PIECES: usize = 4_096;
/// Between two looks whether something may pass.
const PAUSE: Duration = Duration::from_millis(50);

/// Heals what can be healed of `workload`, then captures it unless that was all.
pub(super) async fn then_capture(
    shared: &Arc<Shared>,
    host: &Host,
    workload: &Workload,
    link: &mut Trunk,
) -> Result<Ended, TalkError> {
    if !shared.ward.damaged_of(&workload.id).is_empty() {
        let healing = heal(shared, host, workload, link);
        let healed = shared.hands.unless_unwanted(&workload.id, healing).await;
        shared.ward.give_back(&workload.id);
        if healed? && shared.ward.is_content(&workload.id) {
            return Ok(Ended::Sealed);
        }
        if shared.phase() != Phase::Running {
            return Err(TalkError::new(Reason::Stopped, "the run was stopped"));
        }
    }
    host::capture(shared, host, workload, link).await
}

/// What was brought.
#[derive(Debug, Clone, Copy, Default)]
struct Brought {
    chunks: u64,
    bytes: u64,
}

/// Says whether the newest sealed pass is whole.
async fn heal(
    shared: &Arc<Shared>,
    host: &Host,
    workload: &Workload,
    link: &mut Trunk,
) -> Result<bool, TalkError> {
    let mut changes = shared.ward.listen();
    let mut brought = Brought::default();
    loop {
        changes.borrow_and_update();
        let jobs = shared.ward.take(&workload.id);
        if !jobs.is_empty() {
            let ward = Healing::begin(shared, host, workload, link)?;
            let came = ward.bring(jobs, link).await?;
            brought.chunks += came.chunks;
            brought.bytes += came.bytes;
        } else if shared.phase() == Phase::Running && shared.ward.waits_for_others(&workload.id) {
            // Another host has it; the sender lives as long as the run.
            let _ = tokio::time::timeout(Duration::from_secs(1), changes.changed()).await;
        } else {
            break;
        }
    }
    settle(shared, &workload.id, brought).await
}

/// Makes what came durable, and says which passes are whole by that.
async fn settle(
    shared: &Arc<Shared>,
    workload: &WorkloadId,
    mut brought: Brought,
) -> Result<bool, TalkError> {
    let (answer, synced) = oneshot::channel();
    shared.order(ToShelf::Sync(workload.clone(), answer));
    let failed = |_| TalkError::new(Reason::LandingError, "what was brought is not durable");
    synced.await.map_err(failed)?;
    let (store, damaged) = (shared.store.clone(), shared.ward.damaged_of(workload).to_vec());
    let look = tokio::task::spawn_blocking(move || {
        let is_whole = |damaged: &DamagedPass| {
            let mut is_missing = false;
            let read = missing(&store, &damaged.pass, &mut |_| is_missing = true);
            read.map(|is_read| is_read && !is_missing)
        };
        let looked = damaged.into_iter().map(|damaged| Ok((is_whole(&damaged)?, damaged)));
        looked.collect::<Result<Vec<_>, ManifestError>>()
    });
    let looked = look.await.map_err(|error| TalkError::new(Reason::Internal, error.to_string()))?;
    let landing = |error| TalkError::new(Reason::LandingError, crate::run::explain(&error));
    let looked = looked.map_err(landing)?;
    // They stand in that order.
    let newest = looked.iter().find(|(is_whole, _)| *is_whole);
    let newest = newest.map(|(_, damaged)| damaged.pass.name.pass);
    let mut is_captured = false;
    for (_, damaged) in looked.into_iter().filter(|(is_whole, _)| *is_whole) {
        is_captured |= damaged.is_current;
        let (workload, pass) = (workload.clone(), damaged.pass.name.pass);
        // What was brought is told once.
        let told =
            if newest == Some(pass) { std::mem::take(&mut brought) } else { Brought::default() };
        let (chunks, bytes) = (told.chunks, Bytes(told.bytes));
        shared.emit(Event::Healed { workload, pass, chunks, bytes });
    }
    Ok(is_captured)
}

/// One agent being asked for pieces.
struct Healing<'a> {
    shared: &'a Arc<Shared>,
    host: &'a Host,
    workload: &'a WorkloadId,
    session: SessionId,
    key: Arc<DomainKey>,
    passes: Vec<CapacityId>,
    /// By ticket.
    asked: HashMap<u64, Job>,
    /// Tickets by piece.
    tickets: HashMap<ChunkId, u64>,
    asked_bytes: u64,
    next_ticket: u64,
    brought: Brought,
}

impl<'a> Healing<'a> {
    fn begin(
        shared: &'a Arc<Shared>,
        host: &'a Host,
        workload: &'a Workload,
        link: &mut Trunk,
    ) -> Result<Self, TalkError> {
        let key = shared.domain_key(workload)?;
        let order = CaptureOrder {
            paths: workload.paths.clone(),
            exclude: workload.exclude.clone(),
            cutting: Cutting::TREE,
            key: key.clone(),
            levels: shared.levels(&host.id),
            // Later than a walk, which would begin by itself.
            run: RunNumber(1),
            cursor: None,
            disk: host.disk,
            skip: shared.own_folders(),
            is_gentle: host.impact == Impact::Gentle,
            patience: shared.patience,
        };
        link.line.talk.send(&ToAgent::Capture(Box::new(order)));
        let session = shared.new_session();
        link.lanes.begin(session);
        Ok(Self {
            shared,
            host,
            workload: &workload.id,
            session,
            key: Arc::new(key),
            passes: shared.passes(&host.id),
            asked: HashMap::new(),
            tickets: HashMap::new(),
            asked_bytes: 0,
            next_ticket: 0,
            brought: Brought::default(),
        })
    }

    /// Asks for `jobs` and takes what comes, until all are answered.
    async fn bring(mut self, jobs: Vec<Job>, link: &mut Trunk) -> Result<Brought, TalkError> {
        let mut jobs = VecDeque::from(jobs);
        let done = self.converse(&mut jobs, link).await;
        // What was booked and did not come makes room for others.
        self.came(self.asked_bytes, 0);
        done?;
        link.line.talk.send(&ToAgent::Finish);
        Ok(self.brought)
    }

    async fn converse(
        &mut self,
        jobs: &mut VecDeque<Job>,
        link: &mut Trunk,
    ) -> Result<(), TalkError> {
        let patience = link.line.talk.patience().progress;
        // It is always listened to: what it owes is bounded.
        let (_listens, mut listen) = watch::channel(true);
        loop {
            let is_held_up = !self.ask(jobs, &link.line.talk.outbox()).await;
            if self.asked.is_empty() {
                if jobs.is_empty() || self.shared.phase() != Phase::Running {
                    return Ok(());
                }
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            let heard = trunk::next(&mut link.line, &mut link.lanes, &mut listen);
            let limit = if is_held_up { PAUSE } else { patience };
            match tokio::time::timeout(limit, heard).await {
                Ok(message) => self.take(message?, link).await?,
                Err(_) if is_held_up => {}
                Err(_) => {
                    let detail = format!("it gives nothing for {} s", patience.as_secs());
                    return Err(TalkError::new(Reason::Timeout, detail));
                }
            }
        }
    }

    /// Asks for what fits; says whether no rate is in the way.
    async fn ask(&mut self, jobs: &mut VecDeque<Job>, outbox: &Outbox) -> bool {
        while let Some(job) = jobs.front() {
            let length = u64::from(job.length);
            let is_full = self.asked_bytes + length > WINDOW_BYTES && !self.asked.is_empty();
            if is_full || self.asked.len() >= WINDOW_PIECES || self.shared.phase() != Phase::Running
            {
                return true;
            }
            if !self.may_pass(length).await {
                return false;
            }
            let Some(job) = jobs.pop_front() else { return true };
            self.next_ticket += 1;
            let Job { id, length, place } = &job;
            let reread = ToAgent::Reread {
                ticket: self.next_ticket,
                path: place.path.clone(),
                offset: place.offset,
                length: *length,
                id: *id,
            };
            // A connection that is gone shows at the next read.
            let _ = outbox.send(encode(&reread));
            self.asked_bytes += u64::from(*length);
            self.tickets.insert(*id, self.next_ticket);
            self.asked.insert(self.next_ticket, job);
        }
        true
    }

    async fn may_pass(&self, bytes: u64) -> bool {
        if self.passes.is_empty() {
            return true;
        }
        let (answer, heard) = oneshot::channel();
        let level = self.shared.priority(self.workload);
        let passes = self.passes.clone();
        self.shared.tell(ToEngine::Passage(Passage::May { passes, level, bytes, answer }));
        heard.await.unwrap_or(false)
    }

    fn came(&self, asked_bytes: u64, arrived_bytes: u64) {
        if !self.passes.is_empty() {
            let passes = self.passes.clone();
            let came = Passage::Came { passes, asked_bytes, arrived_bytes };
            self.shared.tell(ToEngine::Passage(came));
        }
    }

    async fn take(&mut self, message: ToLanding, link: &mut Trunk) -> Result<(), TalkError> {
        match message {
            ToLanding::Frame(bytes) => self.frame(bytes.into_vec()).await,
            ToLanding::RereadGone { ticket } => {
                let Some(job) = self.asked.remove(&ticket) else {
                    return Err(lie("it misses a piece that it was not asked for"));
                };
                self.tickets.remove(&job.id);
                self.asked_bytes -= u64::from(job.length);
                self.came(job.length.into(), 0);
                self.shared.ward.gone(&job);
                Ok(())
            }
            ToLanding::Waits(waits) => {
                link.lanes.waits(waits);
                Ok(())
            }
            ToLanding::Pace(_) => Ok(()),
            ToLanding::Failed { reason, detail } => {
                let its_own = [Reason::SourceError, Reason::SourceFull];
                Err(crate::run::talk::failed(reason, &detail, &its_own))
            }
            _ => Err(lie("it answered what it was not asked")),
        }
    }

    /// Every piece is checked against its name, and must have been asked for.
    async fn frame(&mut self, bytes: Vec<u8>) -> Result<(), TalkError> {
        let (key, wire_bytes) = (self.key.clone(), bytes.len() as u64);
        let (answer, checked) = oneshot::channel();
        let check = move || {
            crate::chunk::frame::open(&bytes, &key)?;
            Ok(Frame { header: FrameHeader::parse(&bytes)?, bytes })
        };
        let then = |frame: Result<Frame, crate::chunk::FrameError>| drop(answer.send(frame));
        self.shared.checkers.run(check, then).await;
        let gone = |_| TalkError::new(Reason::Internal, "a frame was not checked");
        let frame = checked.await.map_err(gone)?;
        let frame = frame.map_err(|error| lie(&crate::run::explain(&error)))?;
        let mut raw_bytes = 0;
        for (id, length) in frame.pieces() {
            let asked = self.tickets.remove(&id).and_then(|ticket| self.asked.remove(&ticket));
            if asked.is_none_or(|job| job.length != length) {
                return Err(lie("it sent a piece that it was not asked for"));
            }
            raw_bytes += u64::from(length);
            self.brought.chunks += 1;
        }
        let found: Vec<ChunkId> = frame.pieces().map(|(id, _)| id).collect();
        self.asked_bytes -= raw_bytes;
        self.brought.bytes += raw_bytes;
        self.came(raw_bytes, wire_bytes);
        self.shared.order(ToShelf::Append(self.session, self.workload.clone(), frame));
        // Only now: whoever waits for it looks at the store when the shelf has done what it was
        // told before.
        for id in &found {
            self.shared.ward.found(id);
        }
        let (host, workload) = (self.host.id.clone(), self.workload.clone());
        let (sent_bytes, raw_bytes) = (Bytes(wire_bytes), Bytes(raw_bytes));
        self.shared.emit(Event::Received { host, workload, sent_bytes, raw_bytes });
        Ok(())
    }
}

fn lie(what: &str) -> TalkError {
    TalkError::new(Reason::Protocol, what)
}
