//! One consistent look at everything: what `status --json` prints, and what the page, the look-up
//! and the terminal read.
//!
//! Field names are contract (design, section 5): fields are added, never changed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use crate::inventory::Hold;
pub use crate::model::Window;
use crate::model::{
    Bytes, CustomerId, GroupId, HostId, PassNumber, PublicWord, Rate, Reason, TargetId, TierName,
    Timestamp, WorkloadId,
};

/// Version of every JSON document evac writes.
pub const SCHEMA: u32 = 1;

/// Everything, as of one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Always [`SCHEMA`].
    pub schema: u32,
    /// When this was true.
    pub as_of: Timestamp,
    /// The current or next access window, if any is known.
    pub window: Option<Window>,
    /// What limits the run now, in words; `None` when nothing runs or nobody knows.
    pub bottleneck: Option<String>,
    /// Counts.
    pub totals: Totals,
    /// Failures grouped by cause.
    pub reasons: Vec<ReasonGroup>,
    /// Hosts in inventory order.
    pub hosts: Vec<HostStatus>,
    /// Customers in inventory order.
    pub customers: Vec<CustomerStatus>,
}

/// Counts over the whole fleet.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Customers with at least one workload.
    pub customers: u64,
    /// Workloads.
    pub workloads: u64,
    /// Customers by public word.
    pub by_state: BTreeMap<PublicWord, u64>,
    /// Bytes of content under receipts.
    pub bytes: Bytes,
}

/// Hosts that fail for the same reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReasonGroup {
    /// Stable word.
    pub reason: Reason,
    /// Which hosts.
    pub hosts: Vec<HostId>,
    /// What to do next, one sentence.
    pub hint: String,
}

/// Where a host's connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostState {
    /// Nothing was tried.
    Idle,
    /// Being dialled.
    Dialling,
    /// An agent is at work.
    Active,
    /// All its work is done.
    Done,
    /// It cannot be worked on; see the error.
    Failed,
}

/// One host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostStatus {
    /// Which.
    pub id: HostId,
    /// Where its connection stands.
    pub state: HostState,
    /// Payload rate of late; `None` when not measured.
    pub rate: Option<Rate>,
    /// Round-trip time; `None` when not measured.
    pub rtt_ms: Option<f64>,
    /// Bulk connections in use.
    pub lanes: u32,
    /// zstd level in use; `None` when nothing is sent.
    pub level: Option<i32>,
    /// The latest failure, if it still stands.
    pub error: Option<HostError>,
    /// Does it hold data that no workload names and nobody accepted? Then no word of what is on it
    /// gets to "copied".
    #[serde(default)]
    pub uncovered: bool,
}

/// Why a host fails.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostError {
    /// Stable word.
    pub reason: Reason,
    /// What was seen, bounded and printable.
    pub detail: String,
    /// Since when.
    pub since: Timestamp,
}

/// How well a thing does, apart from where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// As planned.
    Ok,
    /// Later than planned, or trying again.
    Lagging,
    /// Failed until somebody acts.
    Error,
}

/// One customer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomerStatus {
    /// Which.
    pub id: CustomerId,
    /// Its name, for colleagues; never public.
    pub name: String,
    /// Its tier.
    pub tier: Option<TierName>,
    /// How it may be counted in public.
    pub group: Option<GroupId>,
    /// One public word for all its workloads.
    pub state: PublicWord,
    /// The worst of its workloads.
    pub health: Health,
    /// A hold, if any.
    pub hold: Hold,
    /// Earliest honest estimate of completion of capture.
    pub eta_low: Option<Timestamp>,
    /// Latest honest estimate.
    pub eta_high: Option<Timestamp>,
    /// Its workloads.
    pub workloads: Vec<WorkloadStatus>,
}

/// First axis of a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaptureState {
    /// Not begun.
    Planned,
    /// A pass is under way.
    Capturing,
    /// A pass is sealed.
    Captured,
    /// A sealed pass was read back and matched.
    Verified,
    /// Stopped on the way; what is committed is restorable.
    Partial,
    /// Failed until somebody acts.
    Failed,
    /// Left out on purpose.
    Skipped,
}

/// Second axis of a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestoreState {
    /// Not begun.
    None,
    /// Being written.
    Restoring,
    /// Written and hashed.
    Restored,
    /// Passed its checks.
    Gated,
    /// Switched on.
    Active,
}

/// What can be said of how consistent a capture is; never embellished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consistency {
    /// Files as they were, one after the other.
    Crash,
    /// One instant.
    Frozen,
    /// By the application's own means.
    Application,
    /// Some files changed while they were read.
    Fuzzy,
}

/// What somebody decided about a workload, and counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why, if that was said.
    pub why: Option<String>,
}

/// One workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkloadStatus {
    /// Which.
    pub id: WorkloadId,
    /// The customer's own name for it.
    pub label: Option<String>,
    /// Where it is.
    pub host: HostId,
    /// Where it shall go.
    pub target: Option<TargetId>,
    /// One public word.
    pub state: PublicWord,
    /// How well it does.
    pub health: Health,
    /// Of the newest sealed pass; `None` before one is sealed.
    pub consistency: Option<Consistency>,
    /// First axis.
    pub capture: CaptureStatus,
    /// Second axis.
    pub restore: RestoreStatus,
    /// Estimated or measured size.
    pub bytes: Bytes,
    /// Of that, under receipts.
    pub bytes_done: Bytes,
    /// Whole copies of the newest sealed pass: this store's, unless it is damaged, and mirrors.
    #[serde(default)]
    pub copies: u64,
    /// When the state last changed.
    pub since: Option<Timestamp>,
    /// Why it fails, if it does.
    pub reason: Option<Reason>,
    /// What happens, or must be done, next.
    pub next: String,
    /// Who paused it, if it is.
    #[serde(default)]
    pub paused: Option<Decision>,
    /// Who left it out, if it is.
    #[serde(default)]
    pub skipped: Option<Decision>,
}

impl WorkloadStatus {
    /// Is its word held back, by data on its host that nobody covers?
    pub fn is_held_back(&self) -> bool {
        public_word(self.capture.state, self.restore.state) > self.state
    }
}

impl CustomerStatus {
    /// Is all of it captured, and its word held back all the same?
    pub fn is_held_back(&self) -> bool {
        let is_whole = |workload: &WorkloadStatus| {
            matches!(
                workload.capture.state,
                CaptureState::Captured | CaptureState::Verified | CaptureState::Skipped
            )
        };
        self.workloads.iter().all(is_whole)
            && self.workloads.iter().any(WorkloadStatus::is_held_back)
    }
}

/// First axis of a workload, with its pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaptureStatus {
    /// Where it stands.
    pub state: CaptureState,
    /// Number of the newest pass; `None` before the first.
    pub pass: Option<PassNumber>,
    /// When the newest sealed pass was sealed.
    pub sealed_at: Option<Timestamp>,
    /// Age of the data: seconds since then.
    pub lag_s: Option<u64>,
}

/// Second axis of a workload, with its pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RestoreStatus {
    /// Where it stands.
    pub state: RestoreState,
    /// Which pass was, or is being, restored.
    pub of_pass: Option<PassNumber>,
    /// When a check last asked its new place; `None` before one did.
    #[serde(default)]
    pub checked_at: Option<Timestamp>,
}

/// Folds the two axes into the one word the public reads.
pub fn public_word(capture: CaptureState, restore: RestoreState) -> PublicWord {
    match (restore, capture) {
        (RestoreState::Active, _) => PublicWord::Online,
        (RestoreState::Gated | RestoreState::Restored, _) => PublicWord::Testing,
        (RestoreState::Restoring, _) => PublicWord::Restoring,
        (RestoreState::None, CaptureState::Planned | CaptureState::Skipped) => PublicWord::Queued,
        (RestoreState::None, CaptureState::Capturing | CaptureState::Partial) => {
            PublicWord::Copying
        }
        (RestoreState::None, CaptureState::Captured | CaptureState::Verified) => PublicWord::Copied,
        (RestoreState::None, CaptureState::Failed) => PublicWord::NeedsAttention,
    }
}
