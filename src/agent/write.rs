//! A restore on its target: frames are checked and opened, batches of records written beneath the
//! root of the order.
//!
//! **Invariant.** Every piece is checked against its name before a byte of it is written; a batch
//! may only use pieces of frames sent since the batch before, so memory stays that of two batches.

use std::collections::HashMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use bytes::Bytes;

use crate::agent::outbox::{Disconnected, Outbox};
use crate::agent::place::{
    ChunkFault, Chunks, OwnerMap, PlaceError, PlaceOptions, Placer, has_nothing_of,
};
use crate::agent::session::Stop;
use crate::capture::{Beneath, Owners, Record};
use crate::chunk::DomainKey;
use crate::chunk::frame::{FrameError, OpenFrame, open};
use crate::model::{ChunkId, Reason};
use crate::wire::{PlaceOrder, Problem, ToAgent, ToLanding, WireError};

/// After so many bytes what was written is synced, and a resume can begin there.
const SYNC_BYTES: u64 = 256 << 20;
/// Messages that may wait; the landing site keeps at most two batches under way.
const QUEUE_MAX: usize = 256;
/// Problems told one by one; the rest is a count.
const PROBLEMS_MAX: usize = 1_000;

/// A restore under way.
pub struct PlaceJob {
    messages: SyncSender<ToAgent>,
}

impl PlaceJob {
    /// Opens the root on a thread of its own.
    pub fn start(order: PlaceOrder, outbox: &Outbox) -> Self {
        let (messages, queue) = sync_channel(QUEUE_MAX);
        let outbox = outbox.clone();
        std::thread::spawn(move || {
            if let Err(Failure::Failed(reason, detail)) = place(&order, &queue, &outbox) {
                let _ = outbox.send(&ToLanding::Failed { reason, detail });
            }
        });
        Self { messages }
    }

    /// Takes what belongs to the restore.
    pub fn take(&mut self, message: ToAgent) -> Result<(), Stop> {
        let is_ours = matches!(
            message,
            ToAgent::Key(_)
                | ToAgent::Look { .. }
                | ToAgent::Frame(_)
                | ToAgent::Batch { .. }
                | ToAgent::PlaceEnd
        );
        if !is_ours {
            let what = "an order that does not belong to a restore";
            return Err(WireError::Unexpected(what).into());
        }
        // A restore that failed has said so; what still comes is dropped.
        let _ = self.messages.send(message);
        Ok(())
    }
}

/// Why a restore ends early.
enum Failure {
    Disconnected,
    Failed(Reason, String),
}

impl From<Disconnected> for Failure {
    fn from(_: Disconnected) -> Self {
        Self::Disconnected
    }
}

impl From<PlaceError> for Failure {
    fn from(error: PlaceError) -> Self {
        let reason = match error {
            // A refusal, not a failure: nothing of what stands there was changed.
            PlaceError::Exists { .. } => Reason::Refused,
            _ => Reason::TargetError,
        };
        Self::Failed(reason, explain(&error))
    }
}

impl From<FrameError> for Failure {
    fn from(error: FrameError) -> Self {
        Self::Failed(Reason::Protocol, explain(&error))
    }
}

/// An error with its causes.
fn explain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    crate::model::text::bounded(&text, crate::wire::message::DETAIL_CHARS_MAX)
}

/// Frames of the batch that is being gathered.
#[derive(Default)]
struct Larder {
    frames: Vec<Bytes>,
    places: HashMap<ChunkId, (usize, std::ops::Range<usize>)>,
}

impl Larder {
    fn add(&mut self, frame: OpenFrame) {
        let number = self.frames.len();
        for (id, range) in &frame.chunks {
            self.places.insert(*id, (number, range.clone()));
        }
        self.frames.push(Bytes::from(frame.raw));
    }

    fn clear(&mut self) {
        self.frames.clear();
        self.places.clear();
    }
}

impl Chunks for Larder {
    fn get(&mut self, id: &ChunkId) -> Result<Bytes, ChunkFault> {
        let missing = || ChunkFault::Stopped("a piece was not sent with its batch".to_owned());
        let (frame, range) = self.places.get(id).ok_or_else(missing)?;
        Ok(self.frames[*frame].slice(range.clone()))
    }
}

/// What owners at the source are on this machine.
fn owners_here(source: &Owners) -> OwnerMap {
    let here = Beneath::open(Path::new("/")).map(|tree| Owners::read(&tree));
    OwnerMap::new(source, &here.unwrap_or_default())
}

fn place(order: &PlaceOrder, queue: &Receiver<ToAgent>, outbox: &Outbox) -> Result<(), Failure> {
    let options = PlaceOptions {
        overwrite: order.overwrite,
        captured: order.captured.clone(),
        resume_from: order.resume.clone(),
        incremental: order.incremental,
        owners: order.owners.as_ref().map(owners_here),
        create_root: true,
        ..PlaceOptions::default()
    };
    let is_free = has_nothing_of(order.root.as_path(), order.resume.as_ref());
    let mut placer = Placer::open(order.root.as_path(), options)?;
    outbox.send(&ToLanding::PlaceReady { is_free })?;
    let mut key: Option<DomainKey> = None;
    let mut larder = Larder::default();
    let mut unsynced_bytes = 0;
    while let Ok(message) = queue.recv() {
        match message {
            ToAgent::Key(new) => key = Some(*new),
            ToAgent::Look { number, records } => {
                look(&placer, &records)?;
                outbox.send(&ToLanding::Looked { number })?;
            }
            ToAgent::Frame(bytes) => {
                let what = "a frame without a key".to_owned();
                let key = key.as_ref().ok_or(Failure::Failed(Reason::Protocol, what))?;
                larder.add(open(&bytes, key)?);
            }
            ToAgent::Batch { number, records, formers, kept } => {
                let bytes = placer.written().0;
                placer.place_batch(&records, &formers, &kept, &mut larder)?;
                larder.clear();
                let bytes = placer.written().0 - bytes;
                unsynced_bytes += bytes;
                let mut durable = unsynced_bytes >= SYNC_BYTES;
                if durable {
                    durable = placer.reach()?;
                    unsynced_bytes = 0;
                }
                let entries = records.iter().filter(|record| record.path().is_some()).count();
                let entries = entries as u64;
                outbox.send(&ToLanding::Placed { batch: number, durable, entries, bytes })?;
            }
            ToAgent::PlaceEnd => return finish(placer, outbox),
            _ => {}
        }
    }
    Ok(())
}

/// Refuses what stands in the way, before anything is written.
fn look(placer: &Placer, records: &[Record]) -> Result<(), PlaceError> {
    let entries = records.iter().filter_map(|record| match record {
        Record::Node(entry) => Some(entry),
        _ => None,
    });
    entries.into_iter().find_map(|entry| placer.refusal(entry)).map_or(Ok(()), Err)
}

fn finish(placer: Placer, outbox: &Outbox) -> Result<(), Failure> {
    let done = placer.finish()?;
    let told = done.problems.iter().take(PROBLEMS_MAX);
    let told: Vec<Problem> =
        told.map(|p| Problem { path: p.path.clone(), why: p.why.clone() }).collect();
    if !told.is_empty() {
        outbox.send(&ToLanding::Problems(told))?;
    }
    let (entries, bytes) = (done.entries, done.bytes.0);
    outbox.send(&ToLanding::PlaceDone { entries, bytes, problems: done.problem_count })?;
    Ok(())
}
