//! Waiting for the landing site's word on files with several names.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use crate::agent::outbox::Disconnected;
use crate::wire::LinkAnswer;

/// Answers that came and were not yet asked for.
#[derive(Debug, Default)]
pub struct LinkDesk {
    state: Mutex<Desk>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Desk {
    answers: HashMap<u64, LinkAnswer>,
    /// Tickets below this were asked; an answer to another is a lie.
    asked: u64,
    is_closed: bool,
}

impl LinkDesk {
    /// A new ticket.
    pub fn ticket(&self) -> u64 {
        let mut desk = self.state.lock().expect("no holder of this lock panics");
        desk.asked += 1;
        desk.asked - 1
    }

    /// An answer came; says whether it was asked for.
    pub fn answer(&self, ticket: u64, answer: LinkAnswer) -> bool {
        let mut desk = self.state.lock().expect("no holder of this lock panics");
        let is_asked = ticket < desk.asked && desk.answers.insert(ticket, answer).is_none();
        drop(desk);
        self.changed.notify_all();
        is_asked
    }

    /// The answer if it is here, or comes within `patience`.
    pub fn wait(
        &self,
        ticket: u64,
        patience: Duration,
    ) -> Result<Option<LinkAnswer>, Disconnected> {
        let desk = self.state.lock().expect("no holder of this lock panics");
        let (mut desk, _) = self
            .changed
            .wait_timeout_while(desk, patience, |desk| {
                !desk.is_closed && !desk.answers.contains_key(&ticket)
            })
            .expect("no holder of this lock panics");
        if desk.is_closed { Err(Disconnected) } else { Ok(desk.answers.remove(&ticket)) }
    }

    /// The session is over: nobody waits any more.
    pub fn close(&self) {
        self.state.lock().expect("no holder of this lock panics").is_closed = true;
        self.changed.notify_all();
    }
}
