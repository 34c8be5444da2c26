//! What is brought to heal keeps to the rates that everything else keeps to.

use tokio::sync::oneshot;

use crate::run::coordinator::CapacityId;
use crate::run::engine::Engine;

/// Asked of whoever knows the rates.
#[derive(Debug)]
pub enum Passage {
    /// May so many bytes come over all of these? If so they are booked.
    May { passes: Vec<CapacityId>, level: u32, bytes: u64, answer: oneshot::Sender<bool> },
    /// What was booked came as so many bytes.
    Came { passes: Vec<CapacityId>, asked_bytes: u64, arrived_bytes: u64 },
}

impl Engine {
    /// Answers, or takes note.
    pub(in crate::run) fn passage(&mut self, passage: Passage) {
        match passage {
            Passage::May { passes, level, bytes, answer } => {
                let may = self.coordinator.may_pass(&passes, level, bytes, self.clock.elapsed());
                // Whoever asked may have gone: then nothing will come.
                if answer.send(may).is_err() && may {
                    self.coordinator.has_passed(&passes, bytes, 0);
                }
            }
            Passage::Came { passes, asked_bytes, arrived_bytes } => {
                self.coordinator.has_passed(&passes, asked_bytes, arrived_bytes);
            }
        }
    }
}
