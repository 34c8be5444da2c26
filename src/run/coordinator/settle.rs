//! When pieces arrive, when they do not, and when a host ends.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::capture::Record;
use crate::model::{Bytes, ChunkId, Reason, TreePath};
use crate::run::coordinator::claims::Waiter;
use crate::run::coordinator::session::Session;
use crate::run::coordinator::{Command, Coordinator, Known, SessionId};
use crate::store::Tenant;
use crate::wire::ToAgent;

/// The longest piece there is.
const CHUNK_BYTES_MAX: u64 = 1 << 20;

impl Coordinator {
    /// The store has appended pieces that `id` sent.
    pub(super) fn appended(
        &mut self,
        id: SessionId,
        pieces: &[ChunkId],
        stored: Bytes,
        known: &dyn Known,
    ) {
        let mut touched = BTreeSet::from([id]);
        for chunk in pieces {
            let arrived = self.sessions.get_mut(&id).and_then(|s| s.arriving.remove(chunk));
            if let Some(length) = arrived {
                self.release(id, length);
            }
            for waiter in self.settle(id, chunk, known) {
                let session = self.sessions.get_mut(&waiter.session);
                if session.is_some_and(|session| session.offers.satisfy(waiter.offer)) {
                    touched.insert(waiter.session);
                }
            }
        }
        if self.room_bytes != u64::MAX {
            self.room_bytes = self.room_bytes.saturating_sub(stored.0);
        }
        if let Some(session) = self.sessions.get_mut(&id) {
            session.tally_mut().stored_bytes += stored;
            session.progress_at = self.now;
        }
        // Those who waited longer than the sender take what it gives back.
        self.serve_queue(known);
        for session in touched {
            self.decide(session, known);
        }
    }

    /// A piece that `sender` sent is in the store: whom does that serve? For the others it stays
    /// claimed.
    fn settle(&mut self, sender: SessionId, chunk: &ChunkId, known: &dyn Known) -> Vec<Waiter> {
        let Some(claim) = self.claims.get_mut(chunk) else {
            return Vec::new();
        };
        let waiters = std::mem::take(&mut claim.waiters);
        let tenant_of = |id: &SessionId| self.sessions.get(id).map(Session::tenant);
        let from = tenant_of(&sender);
        let is_served = |waiter: &Waiter| match tenant_of(&waiter.session) {
            None | Some(Tenant::HOUSE) => true,
            of => of == from || from == Some(Tenant::HOUSE),
        };
        let serves = |waiter: &Waiter| {
            let of = tenant_of(&waiter.session);
            is_served(waiter) || of.is_some_and(|tenant| known.serves(chunk, tenant))
        };
        let (served, left): (Vec<_>, Vec<_>) = waiters.into_iter().partition(serves);
        if left.is_empty() {
            self.claims.remove(chunk);
            return served;
        }
        let of = |waiter: &Waiter| Some((waiter.session, self.sessions.get(&waiter.session)?));
        let sending = left.iter().filter_map(of).find(|(_, session)| session.sends(chunk));
        let holder = sending.map(|(id, _)| id);
        claim.has_arrived =
            sending.is_some_and(|(_, session)| session.arriving.contains_key(chunk));
        (claim.holder, claim.waiters) = (holder, left);
        if holder.is_none() {
            self.inherit(*chunk);
        } else {
            self.claims.watch(*chunk, self.limits.claim_patience);
        }
        served
    }

    /// Gives credit back.
    fn release(&mut self, id: SessionId, length: u32) {
        let length = u64::from(length);
        if let Some(session) = self.sessions.get_mut(&id) {
            let freed = length.min(session.wanted_bytes);
            session.wanted_bytes -= freed;
            self.wanted_bytes = self.wanted_bytes.saturating_sub(freed);
        }
    }

    /// Asks a waiter to read its bytes again and send them.
    fn ask_again(&mut self, chunk: ChunkId, waiter: Waiter) -> bool {
        let Some((path, offset, length)) = self.place_of(waiter) else {
            return false;
        };
        let Some(session) = self.sessions.get_mut(&waiter.session) else {
            return false;
        };
        let ticket = session.next_ticket;
        session.next_ticket += 1;
        session.rereads.insert(ticket, chunk);
        let message = ToAgent::Reread { ticket, path, offset, length, id: chunk };
        self.want(waiter.session, chunk, length);
        self.out.push(Command::Send(waiter.session, message));
        true
    }

    /// Which file, where in it and how long: what a waiter has to read.
    fn place_of(&self, waiter: Waiter) -> Option<(TreePath, u64, u32)> {
        let session = self.sessions.get(&waiter.session)?;
        let Record::Data { offset, length, .. } =
            session.offers.record(waiter.offer, waiter.record)?
        else {
            return None;
        };
        // The file's node stands before it, in this offer or an earlier one.
        let mut before = session.offers.before(waiter.offer, waiter.record);
        let open = session.segment.latest_path();
        let path = before.find_map(Record::path).or(open).cloned();
        let resumed = || session.assignment.cursor.as_ref().map(|cursor| cursor.path.clone());
        Some((path.or_else(resumed)?, *offset, *length))
    }

    /// A host ended: whoever waited for its pieces is asked itself.
    pub(super) fn ended(&mut self, id: SessionId, known: &dyn Known) {
        if self.drop_session(id) {
            self.serve_queue(known);
        }
    }

    /// Forgets a session; its claims pass to those who wait.
    pub(super) fn drop_session(&mut self, id: SessionId) -> bool {
        let Some(session) = self.sessions.remove(&id) else {
            return false;
        };
        self.wanted_bytes = self.wanted_bytes.saturating_sub(session.wanted_bytes);
        let concerns = session.concerns();
        let mut asked = session.asked;
        let booked = asked.end(asked.raw_bytes(), 0);
        self.rates.settle(&session.assignment.passes, booked, 0.0);
        for chunk in self.claims.forget_session(id, concerns) {
            self.inherit(chunk);
        }
        true
    }

    /// Finds a new holder for a piece that lost its own, or gives the piece up.
    fn inherit(&mut self, chunk: ChunkId) {
        loop {
            let Some(claim) = self.claims.get(&chunk) else {
                return;
            };
            if claim.waiters.is_empty() {
                self.claims.remove(&chunk);
                return;
            }
            // One that was asked already costs nothing more.
            let sends = |waiter: &&Waiter| self.is_asked(waiter.session, &chunk);
            let may = |waiter: &&Waiter| self.may_be_asked(waiter);
            let waiters = &claim.waiters;
            let heir = waiters.iter().find(sends).or_else(|| waiters.iter().find(may)).copied();
            let Some(claim) = self.claims.get_mut(&chunk) else {
                return;
            };
            claim.holder = heir.map(|heir| heir.session);
            let Some(heir) = heir else {
                self.orphans.insert(chunk);
                return;
            };
            claim.asked_at = self.now;
            let is_asked = self.is_asked(heir.session, &chunk);
            if is_asked || self.ask_again(chunk, heir) {
                self.claims.watch(chunk, self.limits.claim_patience);
                return;
            }
            self.give_up(chunk, heir);
        }
    }

    /// May anything at all be asked of it, or does a rate of zero or a full store stand in the way?
    fn may_be_asked(&self, waiter: &Waiter) -> bool {
        if !self.has_store_room(CHUNK_BYTES_MAX) {
            return false;
        }
        let session = self.sessions.get(&waiter.session);
        session.is_none_or(|session| !self.rates.is_closed(&session.assignment.passes))
    }

    fn is_asked(&self, id: SessionId, chunk: &ChunkId) -> bool {
        self.sessions.get(&id).is_some_and(|session| session.wanted.contains_key(chunk))
    }

    /// A piece cannot be had for this record: its file is left to the sweep.
    fn give_up(&mut self, chunk: ChunkId, waiter: Waiter) {
        if let Some(claim) = self.claims.get_mut(&chunk) {
            claim.waiters.retain(|other| *other != waiter);
        }
        let Some(session) = self.sessions.get_mut(&waiter.session) else {
            return;
        };
        session.lost_pieces += 1;
        session.offers.lose(waiter.offer, waiter.record);
        self.losers.insert(waiter.session);
    }

    /// The bytes changed before they could be read again.
    pub(super) fn reread_gone(&mut self, id: SessionId, ticket: u64, known: &dyn Known) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let Some(chunk) = session.rereads.remove(&ticket) else {
            let detail = "it answered what was not asked".to_owned();
            self.end(id, Reason::Protocol, detail, known);
            return;
        };
        if let Some(length) = session.wanted.remove(&chunk) {
            let booked = session.asked.end(u64::from(length), 0);
            self.rates.settle(&session.assignment.passes, booked, 0.0);
            self.release(id, length);
        }
        if let Some(claim) = self.claims.get_mut(&chunk) {
            let of = |waiter: &&Waiter| waiter.session == id;
            let mine: Vec<Waiter> = claim.waiters.iter().filter(of).copied().collect();
            let holds = claim.holder == Some(id);
            for waiter in mine {
                self.give_up(chunk, waiter);
            }
            if holds {
                self.inherit(chunk);
            }
        }
        self.serve_queue(known);
        self.decide(id, known);
    }

    /// Time passed: old segments close, slow holders get company.
    ///
    /// The only input that looks at every host: its cost is bounded by the clock, not by what
    /// arrives.
    pub(super) fn tick(&mut self, known: &dyn Known) {
        let now = self.now;
        for session in self.sessions.values_mut() {
            session.measure(now);
        }
        let floor = self.limits.claim_patience;
        let sessions = &self.sessions;
        let patience = |holder: SessionId| {
            let expected =
                sessions.get(&holder).map_or(Duration::ZERO, super::session::Session::expected);
            floor.max(expected.saturating_mul(4).min(Duration::from_secs(8)))
        };
        for chunk in self.claims.overdue(now, patience) {
            self.ask_somebody_else(chunk);
        }
        for chunk in std::mem::take(&mut self.orphans) {
            if self.claims.get(&chunk).is_some_and(|claim| claim.holder.is_none()) {
                self.inherit(chunk);
            }
        }
        self.names.forget_asked(now, floor);
        self.end_idle(known);
        self.serve_queue(known);
        for capacity in self.rates.ids() {
            self.serve_rate(capacity, u32::MAX, known);
        }
        self.decide_each(known);
    }

    /// Looks at every host, for what is new by the time or by the end of the run.
    pub(super) fn decide_each(&mut self, known: &dyn Known) {
        let ids: Vec<SessionId> = self.sessions.keys().copied().collect();
        for id in ids {
            self.decide(id, known);
        }
    }

    /// Ends hosts that owe something and only say that they live.
    fn end_idle(&mut self, known: &dyn Known) {
        let (now, patience) = (self.now, self.limits.progress_patience);
        for session in self.sessions.values_mut().filter(|session| !session.owes()) {
            session.progress_at = now;
        }
        let is_idle = |session: &Session| now.saturating_sub(session.progress_at) > patience;
        let idle: Vec<SessionId> =
            self.sessions.iter().filter(|(_, s)| is_idle(s)).map(|(id, _)| *id).collect();
        for id in idle {
            let detail = format!("the agent lives but got nowhere for {} s", patience.as_secs());
            self.end(id, Reason::Timeout, detail, known);
        }
    }

    /// A host with too many records under way is not listened to until some are durable, and none
    /// is while the run drains. One that owes content must be, or the records in front of that
    /// content would wait for ever.
    pub(super) fn listen_or_not(&mut self) {
        let mut touched = std::mem::take(&mut self.touched);
        touched.sort_unstable();
        touched.dedup();
        for id in touched {
            self.looks += 1;
            let Some(session) = self.sessions.get_mut(&id) else {
                continue;
            };
            let is_ending = self.draining.is_some() || session.resting.is_some();
            let is_full = session.held_bytes() > self.limits.held_bytes || is_ending;
            let owes_names = !is_ending && session.offers.owes_names();
            let is_heard = !is_full || !session.wanted.is_empty() || owes_names;
            session.note_wait(self.now);
            if is_heard != session.is_heard {
                session.is_heard = is_heard;
                self.out.push(Command::Listen(id, is_heard));
            }
        }
    }

    /// The holder is slow: the oldest waiter of another host that was not asked yet sends as well.
    fn ask_somebody_else(&mut self, chunk: ChunkId) {
        let Some(claim) = self.claims.get_mut(&chunk) else {
            return;
        };
        claim.asked_at = self.now;
        let holder = claim.holder;
        let others: Vec<Waiter> =
            claim.waiters.iter().filter(|w| Some(w.session) != holder).copied().collect();
        let may_send =
            |waiter: &Waiter| !self.is_asked(waiter.session, &chunk) && self.may_be_asked(waiter);
        let next = others.into_iter().find(may_send);
        if let Some(waiter) = next {
            self.ask_again(chunk, waiter);
        }
    }
}
