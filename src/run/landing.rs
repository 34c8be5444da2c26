//! The landing side while a run goes on: what the store has room for, and what happens without any.
//!
//! **Promises.**
//! - Where there is no room beyond the reserve nothing more is asked for, and nothing fails: agents
//!   wait. It is said once, and for as long as it lasts in `status` and `next`.
//! - Space that appears, by an added disk or by a hand that freed some, is used by itself.
//! - Space that was there and is gone all the same costs what has no receipt: its sessions begin
//!   again where their receipts end.
//! - Only a run that is asked to end, or was told not to wait, ends with a full disk (exit 3).

use std::path::PathBuf;
use std::sync::Arc;

use crate::model::{Bytes, Event, HostId, Reason, Timestamp, WorkloadId};
use crate::run::Shared;
use crate::run::control::Said;
use crate::run::coordinator::{Input, SessionId};
use crate::run::engine::Engine;
use crate::run::hands::{self, Hands};
use crate::store::{DiskView, Disks};

/// What `status` names as limiting a run whose store is full.
pub const FULL: &str = "the landing disks, which are full: `evac store add PATH`";

/// Doublings of the pause before a store is tried again that was full.
const PAUSES_FOR_SPACE: u32 = 3;

/// What the store has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Beyond all reserves.
    pub bytes: u64,
    /// Is that none?
    pub is_full: bool,
}

/// The disks of a run, and where what is added to them is written down.
#[derive(Debug, Clone)]
pub struct Landing {
    /// The disks.
    pub disks: Arc<Disks>,
    /// The state folder.
    pub state: PathBuf,
}

impl Landing {
    /// Each disk as a line for people.
    pub fn lines(&self) -> Vec<String> {
        let line = |disk: DiskView| {
            let path = crate::model::text::bounded(&disk.path.to_string_lossy(), 200);
            match disk.free {
                Some(free) => format!("{path}: {free} free, {} of it reserved", disk.reserve),
                None => format!("{path}: not there"),
            }
        };
        self.disks.views().into_iter().map(line).collect()
    }

    /// Takes in a further disk; it is used at once.
    pub(super) async fn add(
        self,
        hands: &Hands,
        (path, reserve, same_device): (PathBuf, Option<Bytes>, bool),
        (by, now): (String, Timestamp),
    ) -> Said {
        let _turn = hands.turn.lock().await;
        let who = by.clone();
        let adding = tokio::task::spawn_blocking(move || {
            self.disks.add(&self.state, (&path, reserve), same_device, (&who, now))
        });
        let view = match adding.await {
            Ok(Ok(view)) => view,
            Ok(Err(error)) => return Said::Refused { why: crate::run::explain(&error) },
            Err(_) => return Said::Refused { why: "adding it failed".to_owned() },
        };
        let event = added(&view, by);
        match hands.record(event).await {
            Ok(()) => Said::of_disk(&view),
            Err(_) => hands::at_its_end(),
        }
    }
}

/// What is told of a disk that was added.
pub fn added(disk: &DiskView, by: String) -> Event {
    let path = disk.path.display().to_string();
    Event::DiskAdded { path, free: disk.free.unwrap_or_default(), reserve: disk.reserve, by }
}

impl Said {
    /// The answer to whoever added a disk.
    pub fn of_disk(disk: &DiskView) -> Self {
        let path = disk.path.display().to_string();
        Self::DiskAdded { path, free: disk.free.unwrap_or_default(), reserve: disk.reserve }
    }
}

/// The store is full: what is committed stays, and the rest is tried again in a while.
pub(super) async fn wait_for_space(
    shared: &Shared,
    host: &HostId,
    workload: &WorkloadId,
    stopped: Event,
) {
    if shared.is_begun(workload) {
        shared.emit(stopped);
    }
    shared.give_back_failed(host, workload.clone());
    shared.sleep(shared.pause(PAUSES_FOR_SPACE), workload).await;
}

impl Engine {
    /// What may be asked for from now on.
    pub(super) fn has_room(&mut self, room: Room) {
        self.is_full = room.is_full;
        self.input(Input::Room(if room.is_full { 0 } else { room.bytes }));
    }

    /// Why a session may not begin.
    pub(super) fn refuses(&mut self, id: SessionId) -> Option<(Reason, String)> {
        let doomed = self.doomed.remove(&id).map(|detail| (Reason::LandingFull, detail));
        self.failed.clone().or(doomed)
    }

    /// These sessions begin again later.
    pub(super) fn interrupted(&mut self, sessions: Vec<SessionId>, detail: &str) {
        for id in sessions {
            if self.sessions.contains_key(&id) {
                self.end(id, Reason::LandingFull, detail.to_owned());
            } else {
                // One that was over long ago is never heard of again.
                self.doomed.insert(id, detail.to_owned());
            }
        }
    }

    /// Nothing more can be stored in this run.
    pub(super) fn landing_failed(&mut self, reason: Reason, detail: &str) {
        self.failed = Some((reason, detail.to_owned()));
        let ids: Vec<SessionId> = self.sessions.keys().copied().collect();
        for id in ids {
            self.end(id, reason, detail.to_owned());
        }
    }
}
