//! What a stage can report. Terminal, ledger, web and publisher read the same events.
//!
//! The enum is closed and carries only ids, sizes, counts and bounded text. Serialised with
//! `"event": "snake_case_name"` it is also what `run --json` prints, a line each; of those lines
//! only [`Event::Report`] is contract.

use serde::{Deserialize, Serialize};

use crate::model::{
    Bell, Bytes, HostId, PassNumber, Rate, Reason, RunNumber, Steer, Timestamp, WorkloadId,
};

/// Receives events; must be cheap and must never block for long.
pub trait EventSink: Send + Sync {
    /// Takes one event.
    fn emit(&self, event: &Event);
}

impl<F: Fn(&Event) + Send + Sync> EventSink for F {
    fn emit(&self, event: &Event) {
        self(event);
    }
}

/// What one capture pass counted; they add up over segments and workloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Entries of any kind.
    pub entries: u64,
    /// Regular files.
    pub files: u64,
    /// Bytes of file content named by the manifest.
    pub raw_bytes: Bytes,
    /// Payload that crossed the wire.
    pub sent_bytes: Bytes,
    /// Bytes of content that did not have to cross, because they were here already.
    pub reused_bytes: Bytes,
    /// Bytes appended to packs.
    pub stored_bytes: Bytes,
    /// Files opened at the source.
    pub opened_files: u64,
    /// Bytes read at the source.
    pub read_bytes: Bytes,
    /// Entries that were gone when read.
    pub vanished: u64,
    /// Files that changed while read.
    pub fuzzy: u64,
    /// Entries that could not be read.
    pub unreadable: u64,
}

impl Tally {
    /// Adds `other` to `self`.
    pub fn add(&mut self, other: &Self) {
        self.entries += other.entries;
        self.files += other.files;
        self.raw_bytes += other.raw_bytes;
        self.sent_bytes += other.sent_bytes;
        self.reused_bytes += other.reused_bytes;
        self.stored_bytes += other.stored_bytes;
        self.opened_files += other.opened_files;
        self.read_bytes += other.read_bytes;
        self.vanished += other.vanished;
        self.fuzzy += other.fuzzy;
        self.unreadable += other.unreadable;
    }
}

/// Totals of one run; the last line of `run --json`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct RunReport {
    /// Workloads sealed by this run or before it.
    pub captured: u64,
    /// Workloads that failed.
    pub failed: u64,
    /// Workloads stopped on the way; what is committed is restorable.
    pub partial: u64,
    /// Workloads left out on purpose.
    pub skipped: u64,
    /// See [`Tally::vanished`].
    pub vanished: u64,
    /// See [`Tally::fuzzy`].
    pub fuzzy: u64,
    /// Workloads or hosts refused by a guard rail.
    pub refused: u64,
    /// See [`Tally::opened_files`].
    pub opened_files: u64,
    /// See [`Tally::read_bytes`].
    pub read_bytes: Bytes,
    /// See [`Tally::sent_bytes`].
    pub sent_bytes: Bytes,
    /// See [`Tally::stored_bytes`].
    pub stored_bytes: Bytes,
    /// See [`Tally::reused_bytes`].
    pub reused_bytes: Bytes,
    /// Bytes of agent uploaded to sources.
    pub agent_bytes: Bytes,
    /// Wall time, seconds.
    pub elapsed_s: f64,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A run began; sizes are estimates of what is left.
    RunStarted { workloads: u64, hosts: u64, customers: u64, bytes: Bytes },
    /// A host is being dialled.
    HostDialled { host: HostId },
    /// An agent answers on a host.
    HostReady { host: HostId, rtt_ms: f64, agent_bytes: Bytes },
    /// A host cannot be worked on; `retry_s` when evac tries again by itself.
    HostFailed { host: HostId, reason: Reason, detail: String, retry_s: Option<u64> },
    /// All work on a host is done, or put off.
    HostDone { host: HostId },
    /// A pass over a workload began or goes on.
    CaptureStarted { host: HostId, workload: WorkloadId, pass: PassNumber, resumed: bool },
    /// A sorted run inside a pass began; 0 is the walk, later ones are sweeps.
    RunBegan { workload: WorkloadId, pass: PassNumber, run: RunNumber },
    /// Payload arrived; for progress only, nothing is promised yet.
    Received { host: HostId, workload: WorkloadId, sent_bytes: Bytes, raw_bytes: Bytes },
    /// A segment is durable: this is the receipt.
    SegmentCommitted {
        workload: WorkloadId,
        pass: PassNumber,
        run: RunNumber,
        segment: u64,
        tally: Tally,
    },
    /// Something of a workload could not be taken, or was left out; listed, counted, not fatal.
    LeftOut { workload: WorkloadId, path: String, why: String },
    /// Sweep done and tallies agree: this pass is captured.
    CaptureSealed { workload: WorkloadId, pass: PassNumber, tally: Tally },
    /// A pass stopped on the way; what is committed is restorable.
    CaptureStopped { workload: WorkloadId, reason: Reason, detail: String },
    /// A workload failed for good until somebody acts.
    CaptureFailed { workload: WorkloadId, reason: Reason, detail: String },
    /// Every chunk of the newest sealed pass was read back and matched.
    Verified { workload: WorkloadId, pass: PassNumber, checked_bytes: Bytes },
    /// Verification found damage.
    VerifyFailed { workload: WorkloadId, pass: PassNumber, bad_chunks: u64 },
    /// All that a damaged pass names is there again; so much was brought for that.
    Healed { workload: WorkloadId, pass: PassNumber, chunks: u64, bytes: Bytes },
    /// A restore began or goes on. Its `place` tells a copy in a folder from the customer's new
    /// home: only the latter moves the public word.
    RestoreStarted { workload: WorkloadId, pass: PassNumber, place: String },
    /// So much of a restore is durable on the target.
    RestoreProgress { workload: WorkloadId, place: String, entries: u64, bytes: Bytes },
    /// A restore ended; `missing` entries could not be restored.
    RestoreDone { workload: WorkloadId, pass: PassNumber, place: String, missing: u64 },
    /// A restore failed.
    RestoreFailed { workload: WorkloadId, place: String, reason: Reason, detail: String },
    /// Every check of a restored workload passed, or was failing at the source already.
    GatePassed { workload: WorkloadId, pass: PassNumber },
    /// A check did not pass; of what is switched on, twice.
    GateFailed { workload: WorkloadId, detail: String },
    /// A workload that passed its gate is switched on.
    Activated { workload: WorkloadId, pass: PassNumber },
    /// Somebody took that back.
    Deactivated { workload: WorkloadId },
    /// An operator said something about something.
    Noted { what: String, text: String, by: String },
    /// While a run goes on, `what` may carry so much from now on; `None`: as much as it can.
    LimitSet { what: String, was: Option<Rate>, now: Option<Rate>, by: String },
    /// An operator steers; `workloads` are those on which it took effect, `what` was typed.
    Steered { steer: Steer, what: String, workloads: Vec<WorkloadId>, text: String, by: String },
    /// As far as anybody knows now, the window closes then; where it is `hard`, the run ends.
    WindowSet { was: Option<Timestamp>, closes: Timestamp, hard: bool, by: String },
    /// A hard window is over: work stopped, and the run waits for the next. `opens`: when that
    /// begins, where that is known.
    WindowOver { closed: Timestamp, opens: Option<Timestamp> },
    /// The run waits no longer for a window: hosts are knocked at. `late`: workloads that a new
    /// plan does not see done by its end.
    WindowBegins { opens: Option<Timestamp>, closes: Option<Timestamp>, hard: bool, late: u64 },
    /// A run read the inventory again; `kept` are entries that stay as they were.
    Reloaded { added: u64, changed: u64, removed: u64, kept: Vec<String>, by: String },
    /// The landing disks, each as a line, have no room beyond their reserve: nothing more is asked
    /// for until they have.
    LandingFull { disks: Vec<String> },
    /// There is room again: the run goes on.
    LandingHasRoom { room: Bytes },
    /// An operator gave the store a further disk.
    DiskAdded { path: String, free: Bytes, reserve: Bytes, by: String },
    /// Somebody was called, or on the ways in `failed` could not be.
    Rang { bell: Bell, text: String, held_back: u64, failed: Vec<String> },
    /// The run stops: no new work, what is under way is finished.
    Draining,
    /// Totals; always the last.
    Report(RunReport),
}

impl Event {
    /// The workload an event is about.
    pub fn workload(&self) -> Option<&WorkloadId> {
        match self {
            Self::CaptureStarted { workload, .. }
            | Self::RunBegan { workload, .. }
            | Self::Received { workload, .. }
            | Self::SegmentCommitted { workload, .. }
            | Self::LeftOut { workload, .. }
            | Self::CaptureSealed { workload, .. }
            | Self::CaptureStopped { workload, .. }
            | Self::CaptureFailed { workload, .. }
            | Self::Verified { workload, .. }
            | Self::VerifyFailed { workload, .. }
            | Self::Healed { workload, .. }
            | Self::RestoreStarted { workload, .. }
            | Self::RestoreProgress { workload, .. }
            | Self::RestoreDone { workload, .. }
            | Self::RestoreFailed { workload, .. }
            | Self::GatePassed { workload, .. }
            | Self::GateFailed { workload, .. }
            | Self::Activated { workload, .. }
            | Self::Deactivated { workload } => Some(workload),
            _ => None,
        }
    }

    /// The workloads an event is about.
    pub fn workloads(&self) -> &[WorkloadId] {
        match self {
            Self::Steered { workloads, .. } => workloads,
            _ => self.workload().map_or(&[], std::slice::from_ref),
        }
    }

    /// Who said so, of events that came from a person and not from the run.
    pub fn said_by(&self) -> Option<&str> {
        match self {
            Self::Noted { by, .. }
            | Self::LimitSet { by, .. }
            | Self::Steered { by, .. }
            | Self::WindowSet { by, .. }
            | Self::DiskAdded { by, .. }
            | Self::Reloaded { by, .. } => Some(by),
            _ => None,
        }
    }
}

/// A customer's public word, folded from the states of its workloads (design, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PublicWord {
    /// Nothing was begun.
    Queued,
    /// Being captured.
    Copying,
    /// Captured and sealed.
    Copied,
    /// Being written to its new place.
    Restoring,
    /// Restored, checks are running.
    Testing,
    /// Switched on, checks passed.
    Online,
    /// The customer must act.
    WaitingForYou,
    /// Something needs a colleague.
    NeedsAttention,
}
