//! How much may be under way at once, and how long things wait.

use std::time::Duration;

/// Bounds of what is under way.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Raw bytes wanted and not yet in the store, all hosts together.
    pub budget_bytes: u64,
    /// The same for one host, at least.
    pub window_bytes_min: u64,
    /// And at most.
    pub window_bytes_max: u64,
    /// Offers of one host that wait for pieces; beyond it answers are withheld.
    pub offers_max: usize,
    /// A segment closes at this much content…
    pub segment_bytes: u64,
    /// …or this much of records, which with the largest offer still fits a manifest…
    pub segment_held_bytes: u64,
    /// …or at this age.
    pub segment_age: Duration,
    /// A waiter waits at least this long before it is asked itself.
    pub claim_patience: Duration,
    /// Records of one host that may wait to be durable before it is not listened to for a while…
    pub held_bytes: u64,
    /// …and at most, while it is listened to only because it still owes content.
    pub held_bytes_max: u64,
    /// A host that owes something must say something within this time; its heartbeats do not count.
    /// An honest agent offers what it reads every 16 MiB, so only a disk that hangs takes so long.
    pub progress_patience: Duration,
    /// Closing sweeps at most, while names keep moving.
    pub sweeps_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            budget_bytes: 1 << 30,
            // Wants are counted raw, and a compressor needs a few frames in hand to stay busy.
            window_bytes_min: 8 << 20,
            window_bytes_max: 64 << 20,
            offers_max: 512,
            segment_bytes: 64 << 20,
            segment_held_bytes: 8 << 20,
            segment_age: Duration::from_secs(5),
            held_bytes: 16 << 20,
            held_bytes_max: 256 << 20,
            progress_patience: Duration::from_secs(600),
            claim_patience: Duration::from_secs(2),
            sweeps_max: 6,
        }
    }
}
