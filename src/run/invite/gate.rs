//! Who is let in, as the book says; and what is told of others.

use std::net::SocketAddr;
use std::time::Duration;

use super::Lobby;
use crate::ssh::invite::front::{Gate, Wanted};
use crate::ssh::invite::guesses::Wrong;
use crate::ssh::invite::{Sum, Visit};

/// Lines about strangers in a minute, all together.
const TOLD_MAX: u32 = 10;
const MINUTE: Duration = Duration::from_secs(60);

/// What was told of strangers lately.
#[derive(Debug, Default)]
pub(super) struct Told {
    count: u32,
    until: Duration,
}

impl Told {
    fn may(&mut self, now: Duration) -> bool {
        if self.until <= now {
            *self = Self { count: 0, until: now + MINUTE };
        }
        self.count += 1;
        self.count <= TOLD_MAX
    }
}

impl Gate for Lobby {
    fn script(&self, wanted: &Wanted) -> Option<Vec<u8>> {
        let (now, book) = (self.clock.now(), self.book());
        let (sum, id) = match wanted {
            Wanted::Code(code) => (Some(code.sum()), None),
            Wanted::Id(id) => (None, Some(id)),
        };
        let is_it = |invited: &Sum| Some(*invited) == sum || Some(&invited.id()) == id;
        let found = book.invitations.iter().find(|it| is_it(&it.sum) && it.is_waiting(now))?;
        let code = if let Wanted::Code(code) = wanted { Some(code) } else { None };
        Some(found.bootstrap().script(code))
    }

    fn is_open(&self, id: &str) -> bool {
        self.book().by_id(id, self.clock.now()).is_some()
    }

    fn knows(&self, id: &str, key: &str) -> bool {
        let (now, book) = (self.clock.now(), self.book());
        book.by_id(id, now).is_some_and(|it| it.agent_key.as_deref() == Some(key))
    }

    fn take_up(&self, id: &str, code: &Sum, key: &str) -> bool {
        let now = self.clock.now();
        let host = {
            let mut book = self.book();
            let waiting =
                book.invitations.iter_mut().find(|it| it.is_waiting(now) && it.sum == *code);
            let Some(invitation) = waiting.filter(|it| it.sum.id() == id) else { return false };
            invitation.agent_key = Some(key.to_owned());
            invitation.host.clone()
        };
        let Err(why) = self.save() else { return true };
        if let Some(it) = self.book().invitations.iter_mut().find(|it| it.host == host) {
            it.agent_key = None;
        }
        self.note_of(&host, format!("its agent is not let in: {why}"));
        false
    }

    fn arrived(&self, id: &str, visit: Visit) {
        let Some(host) = self.book().by_id(id, self.clock.now()).map(|it| it.host.clone()) else {
            return;
        };
        self.note_of(&host, format!("its agent called from {}", visit.peer.ip()));
        // A connection that it has besides is dead, whether that was seen here or not.
        self.hang_up(&host);
        self.here().insert(host.clone(), visit);
        self.calls.notify_waiters();
        self.comes(&host);
    }

    fn wrong(&self, peer: SocketAddr, wrong: Wrong) {
        let text = match wrong {
            Wrong::Answered { is_first: true } => "asked for what is not known here",
            Wrong::Silenced { is_new: true } => "keeps asking: it is not answered for a minute",
            _ => return,
        };
        let mut told = self.told.lock().expect("no holder of this lock panics");
        if told.may(self.clock.elapsed()) {
            self.note(
                "evac".into(),
                format!("at the door for invited hosts, {} {text}", peer.ip()),
            );
        }
    }
}
