//! How a run is asked to end: once to drain, twice to stop. A hang-up is survived.

use tokio::sync::watch;

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
    pub async fn listen(self) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        loop {
            tokio::select! {
                _ = interrupt.recv() => self.press(),
                _ = terminate.recv() => self.press(),
                _ = hang_up.recv() => {}
            }
        }
    }
}
