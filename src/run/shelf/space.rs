//! What the shelf does about space.
//!
//! The coordinator asks for no more than there is room for, so as a rule frames that arrive fit. If
//! somebody else filled the disk, they are kept here in the order in which they came, as many as
//! were asked for, and stored when there is space. What fails later than that, a sync or a receipt,
//! costs the sessions what has no receipt yet.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::{Event, Reason, WorkloadId};
use crate::run::coordinator::{Frame, SessionId};
use crate::run::engine::ToEngine;
use crate::run::landing::{Landing, Room};
use crate::run::shelf::{Shelf, ShelfError};
use crate::store::disks::FULL_BELOW_BYTES;

/// Between two looks at what is free.
const LOOK: Duration = Duration::from_millis(500);
/// A full store goes on with this much room: with less it would stop again at once.
const ENOUGH_BYTES: u64 = 16 << 20;

/// What is known of space.
#[derive(Default)]
pub(super) struct Space {
    /// Is a full store waited for, and not the end of the run?
    waits: bool,
    landing: Option<Landing>,
    is_full: bool,
    looked_at: Option<Duration>,
    /// Frames that did not fit.
    held: VecDeque<(SessionId, WorkloadId, Frame)>,
}

impl Space {
    pub(super) fn is_waited_for(&self) -> bool {
        self.waits
    }
}

impl Shelf {
    /// Waits for space instead of ending.
    pub fn waiting_for_space(mut self, waits: bool, landing: Option<Landing>) -> Self {
        self.space.waits = waits;
        self.space.landing = landing;
        self
    }

    /// How long until space is looked at.
    pub(super) fn until_look(&self) -> Option<Duration> {
        if !self.space.waits {
            return None;
        }
        let since = self.space.looked_at.map(|at| self.clock.elapsed().saturating_sub(at));
        Some(LOOK.saturating_sub(since.unwrap_or(LOOK)))
    }

    /// Looks at what is free, when it is time; tells what changed, and stores what waits for it.
    pub(super) fn look_for_space(&mut self) {
        if self.failed.is_none() && self.until_look().is_some_and(|left| left.is_zero()) {
            self.space.looked_at = Some(self.clock.elapsed());
            self.look();
        }
    }

    fn look(&mut self) {
        let bytes = self.store.free_bytes().map_or(0, |free| free.0);
        let needed = if self.space.is_full { ENOUGH_BYTES } else { FULL_BELOW_BYTES };
        let is_full = bytes < needed;
        if is_full != self.space.is_full {
            self.space.is_full = is_full;
            let disks = || self.space.landing.as_ref().map(Landing::lines).unwrap_or_default();
            let event = if is_full {
                Event::LandingFull { disks: disks() }
            } else {
                Event::LandingHasRoom { room: crate::model::Bytes(bytes) }
            };
            let _ = self.engine.send(ToEngine::Emit(event));
        }
        if !is_full {
            self.store_held();
        }
        let is_stuck = !self.space.held.is_empty();
        let room = Room { bytes, is_full: is_full || is_stuck };
        let _ = self.engine.send(ToEngine::Room(room));
    }

    /// Stores a frame, or keeps it until there is space.
    pub(super) fn take_in(
        &mut self,
        session: SessionId,
        workload: WorkloadId,
        frame: Frame,
    ) -> Result<(), ShelfError> {
        if !self.space.held.is_empty() {
            self.space.held.push_back((session, workload, frame));
            return Ok(());
        }
        match self.append(session, &workload, &frame) {
            Err(error) if self.space.waits && error.reason() == Reason::LandingFull => {
                self.space.held.push_back((session, workload, frame));
                self.space.looked_at = None;
                Ok(())
            }
            other => other,
        }
    }

    fn store_held(&mut self) {
        while let Some((session, workload, frame)) = self.space.held.pop_front() {
            match self.append(session, &workload, &frame) {
                Ok(()) => {}
                Err(error) if error.reason() == Reason::LandingFull => {
                    self.space.held.push_front((session, workload, frame));
                    return;
                }
                Err(error) => return self.fail(&error),
            }
        }
    }

    /// The run ends: what cannot be stored now never will be.
    pub(super) fn give_up(&mut self) -> Result<(), ShelfError> {
        self.space.waits = false;
        self.store_held();
        let Some((session, workload, frame)) = self.space.held.pop_front() else { return Ok(()) };
        self.space.held.clear();
        match self.append(session, &workload, &frame) {
            // What is told of it can still be written down: this is not the end of the ledger.
            Err(error) if error.reason() == Reason::LandingFull => self.interrupt(&error),
            done => return done,
        }
        Ok(())
    }

    /// Something could not be made durable for want of space: nobody's words since the last
    /// receipts are believed, and all sessions begin again from there.
    pub(super) fn interrupt(&mut self, error: &ShelfError) {
        self.pending.clear();
        self.manifests.clear();
        self.since = None;
        let over = SessionId(u64::MAX);
        let writers = self.writers.values_mut();
        let sessions = writers.map(|writer| std::mem::replace(writer, over));
        let sessions = sessions.filter(|session| *session != over).collect();
        let detail = crate::run::explain(error);
        let _ = self.engine.send(ToEngine::Interrupted(sessions, detail));
        self.space.looked_at = None;
    }
}
