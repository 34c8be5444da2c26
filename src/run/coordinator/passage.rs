//! What comes from a source without a session that asks for it: it keeps to the same rates.

use std::time::Duration;

use crate::run::coordinator::{CapacityId, Coordinator};

impl Coordinator {
    /// May so much come now that no session asks for? If so it is booked.
    pub fn may_pass(
        &mut self,
        passes: &[CapacityId],
        level: u32,
        bytes: u64,
        now: Duration,
    ) -> bool {
        self.rates.refill(passes, now);
        let may = self.rates.in_the_way(passes, level, None).is_none();
        if may {
            self.rates.take(passes, bytes as f64);
        }
        may
    }

    /// What was booked so came as so many bytes.
    pub fn has_passed(&mut self, passes: &[CapacityId], asked_bytes: u64, arrived_bytes: u64) {
        self.rates.settle(passes, asked_bytes as f64, arrived_bytes as f64);
    }
}
