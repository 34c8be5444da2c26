//! How a run is asked to end: once to drain, twice to stop. A hang-up is survived.
//!
//! **One wish may arrive twice.** `timeout 3600 evac run` sends its signal to the command and then
//! to its process group, so the command has it twice within a millisecond; so does a service
//! manager that signals every process of a group. Signals within [`ONE_PRESS`] of one that counted
//! are its echo: else the end of an allotted hour would break off what a drain would have saved.
//! Nobody presses Ctrl-C a second time so soon for another reason.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::model::Clock;

/// Signals so close together are one wish.
pub const ONE_PRESS: Duration = Duration::from_millis(300);

/// Tells wishes from their echoes.
#[derive(Debug, Default)]
struct Presses {
    counted: Option<Duration>,
}

impl Presses {
    /// Does a signal that arrives `now` count? Held against the latest that did, so that somebody
    /// who keeps pressing is heard.
    fn counts(&mut self, now: Duration) -> bool {
        let is_echo = self.counted.is_some_and(|at| now.saturating_sub(at) < ONE_PRESS);
        if !is_echo {
            self.counted = Some(now);
        }
        !is_echo
    }
}

/// How far ending has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Work goes on.
    Running,
    /// What was asked for is finished; nothing new is begun.
    Draining,
    /// Everything ends now.
    Stopping,
}

/// Asks a run to end.
#[derive(Debug, Clone)]
pub struct Stop {
    sender: watch::Sender<Phase>,
}

impl Default for Stop {
    fn default() -> Self {
        Self { sender: watch::Sender::new(Phase::Running) }
    }
}

impl Stop {
    /// One step further towards the end.
    pub fn press(&self) {
        self.sender.send_modify(|phase| {
            *phase = match phase {
                Phase::Running => Phase::Draining,
                _ => Phase::Stopping,
            };
        });
    }

    /// How far it is.
    pub fn phase(&self) -> Phase {
        *self.sender.borrow()
    }

    /// Waits until it is at least `phase`.
    pub async fn reached(&self, phase: Phase) {
        let mut receiver = self.sender.subscribe();
        // The sender lives as long as `self`.
        let _ = receiver.wait_for(|now| *now >= phase).await;
    }

    /// Presses at every interrupt or termination; takes no notice of a hang-up, so that a closed
    /// laptop does not end a run.
    pub async fn listen(self, clock: Arc<dyn Clock>) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        let mut presses = Presses::default();
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => continue,
            }
            if presses.counts(clock.elapsed()) {
                self.press();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_close_together_are_one_wish() {
        let mut presses = Presses::default();
        let mut counts = |milliseconds| presses.counts(Duration::from_millis(milliseconds));
        assert!(counts(5_000), "the first");
        assert!(!counts(5_000) && !counts(5_001), "`timeout` to the group as well");
        assert!(!counts(5_299));
        assert!(counts(5_300), "the second time");
        assert!(!counts(5_450));
        // Held down: one in each stretch counts.
        assert!(counts(5_600) && !counts(5_750) && counts(5_900));
    }
}
