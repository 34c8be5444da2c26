//! All connections to one agent, and what comes over any of them.

use std::sync::Arc;

use tokio::sync::watch;

use crate::inventory::Host;
use crate::model::Reason;
use crate::run::Shared;
use crate::run::lanes::Lanes;
use crate::run::lanes::ladder::Ladder;
use crate::run::line::Line;
use crate::run::talk::TalkError;
use crate::wire::ToLanding;

/// An agent on its first line, and the lanes beside it.
pub(super) struct Trunk {
    pub(super) line: Line,
    pub(super) lanes: Lanes,
}

impl Trunk {
    /// No lanes yet beside `line`, which leads to `host`.
    pub(super) fn new(shared: &Arc<Shared>, host: &Host, mut line: Line, ladder: Ladder) -> Self {
        let arrived = shared.arrived(host);
        line.talk.count(arrived.clone());
        let first = (line.talk.outbox(), line.entry.clone(), line.rtt);
        let of = (shared.clone(), Arc::new(host.clone()));
        Self { lanes: Lanes::new(of, first, arrived, ladder), line }
    }

    pub(super) async fn bye(self) -> Ladder {
        let (ladder, lanes) = self.lanes.leave();
        self.line.bye().await;
        lanes.close().await;
        ladder
    }

    pub(super) async fn hang_up(self, reason: Reason) -> Ladder {
        let (ladder, lanes) = self.lanes.leave();
        self.line.hang_up(reason).await;
        lanes.kill();
        ladder
    }
}

/// What comes next over any line.
pub(super) async fn next(
    line: &mut Line,
    lanes: &mut Lanes,
    listen: &mut watch::Receiver<bool>,
) -> Result<ToLanding, TalkError> {
    tokio::select! {
        frame = lanes.next() => Ok(ToLanding::Frame(frame?.into())),
        message = over_first(line, listen) => {
            let message = message?;
            if let ToLanding::Frame(bytes) = &message {
                lanes.first_took(bytes.len());
            }
            Ok(message)
        }
    }
}

/// What the agent says next, once it is to be listened to.
async fn over_first(
    line: &mut Line,
    listen: &mut watch::Receiver<bool>,
) -> Result<ToLanding, TalkError> {
    // When nobody decides that any more, the session is over: its end comes by another way.
    let _ = listen.wait_for(|listen| *listen).await;
    line.talk.next().await
}
