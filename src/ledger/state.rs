//! Where a workload stands, as a pure fold of events.
//!
//! ```text
//! capture:  planned → capturing → captured → verified        side exits: partial, failed, skipped
//! restore:  none → restoring → restored → gated → active
//! ```
//!
//! **Invariants.** `captured` is reached only from `capturing` by a seal, `verified` only from a
//! sealed pass that was read back, `restored` only by a restore that misses nothing, `gated` only
//! by checks that passed, `active` only from there (promise 6).
//! Going back is legal and leaves its reason in [`WorkloadState::capture_trouble`] or
//! [`WorkloadState::restore_trouble`]; only a new attempt that began takes it away. Every other
//! move is [`Illegal`], and changes nothing.
//!
//! **Left out** is an operator's word, and may meet a pass that is under way: it stays left out
//! whatever that pass still says of itself, until somebody wants it again; only a seal, which
//! makes it whole, is stronger.

use serde::{Deserialize, Serialize};

use crate::ledger::place::Place;
use crate::ledger::snapshot::{CaptureState, Health, RestoreState};
use crate::model::{Event, PassNumber, Reason, Steer, Timestamp, WorkloadId};

/// An event that does not fit where the workload stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{workload} is {capture:?} and {restore:?} (pass {pass}): {why}")]
pub struct Illegal {
    /// Which.
    pub workload: WorkloadId,
    /// Where it stands on the first axis.
    pub capture: CaptureState,
    /// And on the second.
    pub restore: RestoreState,
    /// Its newest pass, 0 for none.
    pub pass: PassNumber,
    /// What does not fit.
    pub why: &'static str,
}

/// Why something went back, or does not go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Stable word.
    pub reason: Reason,
    /// What was seen, bounded and printable.
    pub detail: String,
}

/// Where one workload stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadState {
    /// First axis.
    pub capture: CaptureState,
    /// Second axis.
    pub restore: RestoreState,
    /// The newest pass that was begun.
    pub pass: Option<PassNumber>,
    /// The newest pass that was sealed.
    pub sealed: Option<PassNumber>,
    /// The pass that was, or is being, restored.
    pub of_pass: Option<PassNumber>,
    /// Where to.
    pub place: Option<String>,
    /// When one of the axes last changed.
    pub since: Option<Timestamp>,
    /// Why the capture does not go on.
    pub capture_trouble: Option<Trouble>,
    /// Why the restore does not go on.
    pub restore_trouble: Option<Trouble>,
}

impl Default for WorkloadState {
    fn default() -> Self {
        Self {
            capture: CaptureState::Planned,
            restore: RestoreState::None,
            pass: None,
            sealed: None,
            of_pass: None,
            place: None,
            since: None,
            capture_trouble: None,
            restore_trouble: None,
        }
    }
}

type Refusal = &'static str;

impl WorkloadState {
    /// The state after `event`, which happened `at`. Events that are not about a state change
    /// nothing.
    pub fn next(&self, event: &Event, at: Timestamp) -> Result<Self, Illegal> {
        let mut next = self.clone();
        let Some(workload) = event.workload() else {
            if let Event::Steered { steer, .. } = event {
                next.steered(*steer);
                next.since = if next.capture == self.capture { self.since } else { Some(at) };
            }
            return Ok(next);
        };
        next.take(event).map_err(|why| Illegal {
            workload: workload.clone(),
            capture: self.capture,
            restore: self.restore,
            pass: self.pass.unwrap_or_default(),
            why,
        })?;
        if (next.capture, next.restore) != (self.capture, self.restore) {
            next.since = Some(at);
        }
        Ok(next)
    }

    fn take(&mut self, event: &Event) -> Result<(), Refusal> {
        match event {
            Event::CaptureStarted { pass, resumed, .. } => self.started(*pass, *resumed),
            Event::CaptureSealed { pass, .. } => self.sealed(*pass),
            Event::CaptureStopped { reason, detail, .. } => {
                self.stopped(*reason, detail);
                Ok(())
            }
            Event::CaptureFailed { reason, detail, .. } => {
                self.failed(*reason, detail);
                Ok(())
            }
            Event::Verified { pass, .. } => self.verified(*pass),
            Event::VerifyFailed { pass, bad_chunks, .. } => self.damaged(*pass, *bad_chunks),
            Event::Healed { pass, .. } => self.healed(*pass),
            Event::RestoreStarted { pass, place, .. } => self.restore_started(*pass, place),
            Event::RestoreDone { pass, place, missing, .. } => {
                self.restore_done(*pass, place, *missing)
            }
            Event::RestoreFailed { place, reason, detail, .. } => {
                self.restore_failed(place, *reason, detail)
            }
            Event::GatePassed { pass, .. } => self.gate_passed(*pass),
            Event::GateFailed { detail, .. } => self.gate_failed(detail),
            Event::Activated { pass, .. } => self.activated(*pass),
            Event::Deactivated { .. } => self.deactivated(),
            _ => Ok(()),
        }
    }

    fn started(&mut self, pass: PassNumber, resumed: bool) -> Result<(), Refusal> {
        if resumed && (self.pass != Some(pass) || self.sealed == Some(pass)) {
            return Err("only the newest pass goes on, and only while it is not sealed");
        }
        if !resumed && Some(pass) <= self.pass {
            return Err("a new pass has a number of its own");
        }
        self.pass = Some(pass);
        if self.capture != CaptureState::Skipped {
            self.capture = CaptureState::Capturing;
        }
        self.capture_trouble = None;
        Ok(())
    }

    /// What is whole is not left out by a word: the copy is there.
    fn steered(&mut self, steer: Steer) {
        match (steer, self.capture) {
            (Steer::Skip, _) if self.sealed.is_none() => {
                self.capture = CaptureState::Skipped;
                self.capture_trouble = None;
            }
            (Steer::Retry, CaptureState::Skipped) => {
                let is_begun = self.pass.is_some();
                self.capture = if is_begun { CaptureState::Partial } else { CaptureState::Planned };
            }
            _ => {}
        }
    }

    fn sealed(&mut self, pass: PassNumber) -> Result<(), Refusal> {
        let may_be = matches!(self.capture, CaptureState::Capturing | CaptureState::Skipped);
        if !may_be || self.pass != Some(pass) {
            return Err("only a pass under way is sealed");
        }
        self.sealed = Some(pass);
        self.capture = CaptureState::Captured;
        self.capture_trouble = None;
        Ok(())
    }

    /// Nothing that is whole becomes partial: what was not begun stays planned, what is sealed
    /// stays captured, what failed keeps its reason.
    fn stopped(&mut self, reason: Reason, detail: &str) {
        match self.capture {
            CaptureState::Skipped
            | CaptureState::Failed
            | CaptureState::Captured
            | CaptureState::Verified => return,
            CaptureState::Capturing => self.capture = CaptureState::Partial,
            CaptureState::Planned | CaptureState::Partial => {}
        }
        self.capture_trouble = Some(Trouble { reason, detail: detail.to_owned() });
    }

    fn failed(&mut self, reason: Reason, detail: &str) {
        if self.capture != CaptureState::Skipped {
            self.capture = CaptureState::Failed;
            self.capture_trouble = Some(Trouble { reason, detail: detail.to_owned() });
        }
    }

    /// A former pass, and one that is not sealed, may be read back as well: that says nothing
    /// about where the workload stands.
    fn verified(&mut self, pass: PassNumber) -> Result<(), Refusal> {
        if Some(pass) > self.pass {
            return Err("there is no such pass");
        }
        if self.sealed == Some(pass) && self.pass == Some(pass) {
            self.capture = CaptureState::Verified;
            self.capture_trouble = None;
        }
        Ok(())
    }

    fn damaged(&mut self, pass: PassNumber, bad_chunks: u64) -> Result<(), Refusal> {
        if Some(pass) > self.pass {
            return Err("there is no such pass");
        }
        let counts = Some(pass) == self.pass || Some(pass) == self.sealed;
        if counts && self.capture != CaptureState::Capturing {
            let detail = format!("{bad_chunks} chunks of pass {pass} are damaged in the store");
            self.capture = CaptureState::Failed;
            self.capture_trouble = Some(Trouble { reason: Reason::LandingError, detail });
        }
        Ok(())
    }

    /// What fell back for damage is as far as it was; but nobody has read it back since.
    fn healed(&mut self, pass: PassNumber) -> Result<(), Refusal> {
        if Some(pass) > self.pass {
            return Err("there is no such pass");
        }
        let is_damaged = self.capture == CaptureState::Failed
            && self.capture_trouble.as_ref().is_some_and(|it| it.reason == Reason::LandingError);
        let counts = Some(pass) == self.pass || Some(pass) == self.sealed;
        if is_damaged && counts {
            let is_whole = self.pass == self.sealed;
            self.capture = if is_whole { CaptureState::Captured } else { CaptureState::Partial };
            self.capture_trouble = None;
        }
        Ok(())
    }

    fn restore_started(&mut self, pass: PassNumber, place: &str) -> Result<(), Refusal> {
        if self.pass < Some(pass) {
            return Err("there is no such pass");
        }
        if !Place::is_home(place) {
            return Ok(());
        }
        if self.restore == RestoreState::Active {
            return Err("it is switched on: nothing may write beneath it before `activate --undo`");
        }
        self.restore = RestoreState::Restoring;
        self.of_pass = Some(pass);
        self.place = Some(place.to_owned());
        self.restore_trouble = None;
        Ok(())
    }

    fn restore_done(&mut self, pass: PassNumber, place: &str, missing: u64) -> Result<(), Refusal> {
        if !Place::is_home(place) {
            return Ok(());
        }
        let fits = self.of_pass == Some(pass) && self.place.as_deref() == Some(place);
        if self.restore != RestoreState::Restoring || !fits {
            return Err("no such restore is under way");
        }
        if missing == 0 {
            self.restore = RestoreState::Restored;
            self.restore_trouble = None;
        } else {
            let detail = format!("{missing} entries could not be restored");
            self.restore = RestoreState::None;
            self.restore_trouble = Some(Trouble { reason: Reason::TargetError, detail });
        }
        Ok(())
    }

    fn restore_failed(&mut self, place: &str, reason: Reason, detail: &str) -> Result<(), Refusal> {
        if !Place::is_home(place) {
            return Ok(());
        }
        if self.restore == RestoreState::Active {
            return Err("it is switched on: no restore of it can be under way");
        }
        self.restore = RestoreState::None;
        self.restore_trouble = Some(Trouble { reason, detail: detail.to_owned() });
        Ok(())
    }

    /// What is switched on stays so; only what was said of it comes back.
    fn gate_passed(&mut self, pass: PassNumber) -> Result<(), Refusal> {
        self.at_its_new_place()?;
        if self.of_pass != Some(pass) {
            return Err("another pass was restored");
        }
        if self.restore == RestoreState::Restored {
            self.restore = RestoreState::Gated;
        }
        self.restore_trouble = None;
        Ok(())
    }

    /// What is switched on stays so, for that is a fact; but the word "online" is taken back.
    fn gate_failed(&mut self, detail: &str) -> Result<(), Refusal> {
        self.at_its_new_place()?;
        if self.restore == RestoreState::Gated {
            self.restore = RestoreState::Restored;
        }
        let detail = detail.to_owned();
        self.restore_trouble = Some(Trouble { reason: Reason::CheckFailed, detail });
        Ok(())
    }

    fn at_its_new_place(&self) -> Result<(), Refusal> {
        match self.restore {
            RestoreState::None | RestoreState::Restoring => Err("nothing is restored there"),
            RestoreState::Restored | RestoreState::Gated | RestoreState::Active => Ok(()),
        }
    }

    fn activated(&mut self, pass: PassNumber) -> Result<(), Refusal> {
        if self.restore != RestoreState::Gated || self.of_pass != Some(pass) {
            return Err("only what passed its gate is switched on");
        }
        self.restore = RestoreState::Active;
        Ok(())
    }

    fn deactivated(&mut self) -> Result<(), Refusal> {
        if self.restore != RestoreState::Active {
            return Err("it is not switched on");
        }
        self.restore = RestoreState::Restored;
        Ok(())
    }

    /// Does a check say that what stands there does not work?
    pub fn fails_its_checks(&self) -> bool {
        self.restore_trouble.as_ref().is_some_and(|it| it.reason == Reason::CheckFailed)
    }

    /// How well it does, apart from where it stands.
    pub fn health(&self) -> Health {
        if self.capture == CaptureState::Failed {
            return Health::Error;
        }
        let trouble = self.capture_trouble.iter().chain(&self.restore_trouble);
        trouble.map(|trouble| health_of(trouble.reason)).max().unwrap_or(Health::Ok)
    }
}

/// What passes by itself, or with the same command, is late; the rest needs somebody.
pub(super) fn health_of(reason: Reason) -> Health {
    if reason.is_temporary() || reason == Reason::Stopped { Health::Lagging } else { Health::Error }
}

#[cfg(test)]
mod tests;
