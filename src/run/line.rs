//! An agent on the line, however it got there.

use std::sync::Arc;
use std::time::Duration;

use crate::model::Reason;
use crate::run::invite::Guest;
use crate::run::reach::Entry;
use crate::run::talk::Talk;

/// An agent on the line, and the connection it is on.
pub struct Line {
    /// The agent.
    pub talk: Talk,
    /// Its connection, kept open as long as it is used; `None`: the talk is all there is.
    pub connection: Option<crate::ssh::Connection>,
    /// Round-trip time.
    pub rtt: Duration,
    /// How lanes get to it; `None`: they cannot.
    pub entry: Option<Arc<Entry>>,
    /// It called by itself.
    pub guest: Option<Guest>,
}

impl Line {
    /// Who called stays for as long as its host has something to be done: nobody could bring it
    /// back.
    pub(super) async fn bye(self) {
        match &self.guest {
            Some(guest) if guest.is_needed() => return,
            Some(guest) => guest.done(),
            None => {}
        }
        self.talk.bye().await;
        if let Some(connection) = self.connection {
            connection.close().await;
        }
    }

    /// After a failure: an agent that can still hear is told to go.
    pub(super) async fn hang_up(self, reason: Reason) {
        if self.guest.is_some() {
            return;
        }
        if matches!(reason, Reason::Lost | Reason::Timeout) {
            if let Some(connection) = self.connection {
                connection.kill();
            }
        } else {
            self.bye().await;
        }
    }
}
