//! Which piece to ask of whom.
//!
//! **Who comes next.** A host that has no room in its own window waits for its own releases. Hosts
//! that have no room in the budget all share stand in one queue, and whatever is released goes to
//! the first of it, until it had [`TURN_BYTES`]; then it stands last. So every host that the
//! budget holds up gets as many bytes as any other, however fast it offers; and what an input
//! costs depends on whom it concerns, not on how many hosts there are. Whoever is held up by a
//! rate stands in the line of that ([`super::rates`]); nobody stands in two lines.

use crate::model::{ChunkId, Reason};
use crate::run::coordinator::claims::Waiter;
use crate::run::coordinator::open::NextPiece;
use crate::run::coordinator::rates::CapacityId;
use crate::run::coordinator::session::Session;
use crate::run::coordinator::{Command, Coordinator, Known, SessionId};
use crate::store::Tenant;
use crate::wire::ToAgent;

/// What a host may ask for before it is the next one's turn: the longest piece there is.
const TURN_BYTES: u64 = 1 << 20;

/// Those in a line who turn out to be held up elsewhere are passed over, so many at an input; the
/// rest at the next, or when time passes.
const PASSED_OVER_MAX: u32 = 4;

/// Why no more was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Halt {
    /// Everything is, or what is missing is its own to bring about.
    Own,
    /// The budget is used up.
    Budget,
    /// Nothing more may pass for now.
    Rate(CapacityId),
    /// It had its turn.
    Turn,
}

/// A line that a host is first of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Budget,
    Rate(CapacityId),
}

/// A host that has its turn may use what others wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Turn {
    /// Where it is the first.
    line: Option<Line>,
    /// What it may still ask for: content, or in the line of a rate what crosses the wire.
    left_bytes: u64,
}

impl Turn {
    fn at_rate(self) -> Option<CapacityId> {
        if let Some(Line::Rate(id)) = self.line { Some(id) } else { None }
    }
}

/// A host that waits for room in the budget.
#[derive(Debug)]
pub(super) struct Queued {
    session: SessionId,
    /// What it had of its turn.
    had_bytes: u64,
}

/// What of an offer is answered in one message.
#[derive(Debug, Default)]
struct Answer {
    offer: u64,
    from: usize,
    bits: Vec<bool>,
}

impl Answer {
    fn push(&mut self, piece: &NextPiece, is_wanted: bool) {
        if self.bits.is_empty() {
            (self.offer, self.from) = (piece.offer, piece.place);
        }
        self.bits.push(is_wanted);
    }

    fn message(&mut self) -> Option<ToAgent> {
        let bits = std::mem::take(&mut self.bits);
        (!bits.is_empty()).then(|| ToAgent::Answer {
            offer: self.offer,
            from: self.from as u32,
            count: bits.len() as u32,
            wanted: pack_bits(&bits),
        })
    }
}

impl Coordinator {
    /// Answers as much of what `id` offered as its window and the budget allow, and moves on what
    /// is whole by that.
    pub(super) fn decide(&mut self, id: SessionId, known: &dyn Known) {
        if let Err(error) = self.seek_names(id, known) {
            return self.end(id, Reason::Protocol, error.to_string(), known);
        }
        let turn = Turn { line: None, left_bytes: u64::MAX };
        let (halt, _) = self.answer(id, turn, known);
        if self.sessions.get(&id).is_some_and(|session| !session.is_queued) {
            self.stand(id, halt);
        }
        self.advance(id);
    }

    /// Stands in the line that `halt` says, or nowhere.
    fn stand(&mut self, id: SessionId, halt: Halt) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let level = session.level();
        if !session.is_queued && halt != Halt::Own {
            self.rates.arrive(&session.assignment.passes, level, &mut session.asked);
        }
        session.is_queued = true;
        match halt {
            Halt::Budget => self.queue.push_back(Queued { session: id, had_bytes: 0 }),
            Halt::Rate(capacity) => {
                self.rates.line_up(capacity, level, id, &session.asked);
            }
            Halt::Own | Halt::Turn => session.is_queued = false,
        }
    }

    /// Gives room that became free to those who wait for it.
    pub(super) fn serve_queue(&mut self, known: &dyn Known) {
        while let Some(first) = self.queue.pop_front() {
            let (id, had_bytes) = (first.session, first.had_bytes);
            let left_bytes = TURN_BYTES.saturating_sub(had_bytes);
            let turn = Turn { line: Some(Line::Budget), left_bytes };
            let (halt, took_bytes) = self.answer(id, turn, known);
            match halt {
                Halt::Budget => {
                    let had_bytes = had_bytes + took_bytes;
                    self.queue.push_front(Queued { session: id, had_bytes });
                }
                Halt::Turn => self.queue.push_back(Queued { session: id, had_bytes: 0 }),
                Halt::Own | Halt::Rate(_) => self.stand(id, halt),
            }
            self.advance(id);
            if halt == Halt::Budget {
                return;
            }
        }
    }

    /// Do as many of its records wait to be durable as may, and is a segment on its way there?
    /// What it is asked for now would only add to them: an honest host with many tiny files would
    /// be heard until it had more under way than any may. It is asked again when the segment is
    /// durable.
    fn is_ahead_of_disk(&self, id: SessionId) -> bool {
        self.sessions.get(&id).is_some_and(|session| {
            session.is_committing() && session.held_bytes() > self.limits.held_bytes
        })
    }

    /// Gives what became free of all that a host passes to those who wait for it.
    pub(super) fn serve_rates_of(&mut self, id: SessionId, known: &dyn Known) {
        let passes = |coordinator: &Self, at: usize| {
            coordinator.sessions.get(&id)?.assignment.passes.get(at).copied()
        };
        let mut at = 0;
        while let Some(capacity) = passes(self, at) {
            self.serve_rate(capacity, PASSED_OVER_MAX, known);
            at += 1;
        }
    }

    /// Gives what became free to those who wait for it, in their order.
    pub(super) fn serve_rate(&mut self, capacity: CapacityId, passed_max: u32, known: &dyn Known) {
        self.rates.refill(&[capacity], self.now);
        let turn = Turn { line: Some(Line::Rate(capacity)), left_bytes: TURN_BYTES };
        let mut passed = 0;
        while passed < passed_max
            && let Some(id) = self.rates.next(capacity)
        {
            let (halt, took_bytes) = self.answer(id, turn, known);
            let line = if halt == Halt::Turn { Halt::Rate(capacity) } else { halt };
            self.stand(id, line);
            self.advance(id);
            passed += u32::from(took_bytes == 0);
        }
    }

    /// Answers pieces in their order until something is in the way; says what, and how much was
    /// asked for.
    fn answer(&mut self, id: SessionId, turn: Turn, known: &dyn Known) -> (Halt, u64) {
        self.looks += 1;
        if let Some(session) = self.sessions.get(&id) {
            self.rates.refill(&session.assignment.passes, self.now);
        }
        let mut answer = Answer::default();
        let mut took_bytes = 0;
        let halt = loop {
            if took_bytes >= turn.left_bytes {
                break Halt::Turn;
            }
            let Some(piece) = self.next_piece(id).filter(|_| !self.is_ahead_of_disk(id)) else {
                break Halt::Own;
            };
            if answer.offer != piece.offer {
                self.out.extend(answer.message().map(|message| Command::Send(id, message)));
            }
            match self.answer_piece(id, &piece, turn, known) {
                Ok(is_wanted) => {
                    took_bytes += if is_wanted { self.cost(id, piece.length, turn) } else { 0 };
                    answer.push(&piece, is_wanted);
                }
                Err(halt) => break halt,
            }
        };
        self.out.extend(answer.message().map(|message| Command::Send(id, message)));
        if let Some(session) = self.sessions.get_mut(&id) {
            session.halt = match turn.line.filter(|_| halt == Halt::Turn) {
                Some(Line::Budget) => Halt::Budget,
                Some(Line::Rate(capacity)) => Halt::Rate(capacity),
                None => halt,
            };
        }
        (halt, took_bytes)
    }

    /// What a piece costs of a turn.
    fn cost(&self, id: SessionId, length: u32, turn: Turn) -> u64 {
        let length = u64::from(length);
        match self.sessions.get(&id).filter(|_| turn.at_rate().is_some()) {
            Some(session) => (session.asked.on_wire(length) as u64).max(1),
            None => length,
        }
    }

    /// The next piece of this host that may be answered at all.
    fn next_piece(&self, id: SessionId) -> Option<NextPiece> {
        let session = self.sessions.get(&id)?;
        let (offers, is_ending) = (&session.offers, self.draining.or(session.resting).is_some());
        let may_more = offers.awaiting() <= self.limits.offers_max && !is_ending;
        if may_more { offers.next_piece() } else { None }
    }

    /// Answers one piece: is it wanted of this host? An error says what is in the way.
    fn answer_piece(
        &mut self,
        id: SessionId,
        piece: &NextPiece,
        turn: Turn,
        known: &dyn Known,
    ) -> Result<bool, Halt> {
        let waiter = Waiter { session: id, offer: piece.offer, record: piece.record };
        let tenant = self.sessions.get(&id).map_or(Tenant::HOUSE, Session::tenant);
        let is_awaited = self.may_wait(&piece.id, tenant, known)
            && self.claims.wait(&piece.id, waiter, self.limits.claim_patience);
        let is_wanted = !is_awaited && !known.serves(&piece.id, tenant);
        if is_wanted {
            self.room(id, piece.length, turn)?;
            self.claims.begin(piece.id, waiter, self.now);
            self.want(id, piece.id, piece.length);
        }
        if let Some(session) = self.sessions.get_mut(&id) {
            let reused = if is_wanted { 0 } else { piece.length };
            session.offers.answer(is_awaited || is_wanted, reused);
        }
        Ok(is_wanted)
    }

    /// May a host of `tenant` rely on what is under way of a piece? The house may on anything,
    /// others on what the house sends, or they themselves, or two others do or did.
    fn may_wait(&self, piece: &ChunkId, tenant: Tenant, known: &dyn Known) -> bool {
        if tenant == Tenant::HOUSE {
            return true;
        }
        let waiters = self.claims.get(piece).map_or(&[][..], |claim| &claim.waiters);
        let sessions = waiters.iter().filter_map(|waiter| self.sessions.get(&waiter.session));
        let mut senders = sessions.filter(|session| session.sends(piece)).map(Session::tenant);
        let Some(first) = senders.next() else {
            return false;
        };
        // What one other alone has sent does not serve, and whoever sends it now is not that one.
        let is_second = !known.serves(piece, tenant) && known.serves(piece, Tenant::HOUSE);
        is_second || first == Tenant::HOUSE || first == tenant || {
            senders.any(|sender| sender != first)
        }
    }

    /// May so much more be wanted of this host? As far as window and budget go one piece always
    /// may, or a few hosts that stand still could keep all others from moving.
    fn room(&self, id: SessionId, length: u32, turn: Turn) -> Result<(), Halt> {
        let length = u64::from(length);
        let Some(session) = self.sessions.get(&id) else {
            return Ok(());
        };
        let is_first_piece = session.wanted_bytes == 0;
        let window_bytes = session.window_bytes(&self.limits);
        if !is_first_piece && session.wanted_bytes + length > window_bytes {
            return Err(Halt::Own);
        }
        let passes = &session.assignment.passes;
        if let Some(shut) = self.rates.in_the_way(passes, session.level(), turn.at_rate()) {
            return Err(Halt::Rate(shut));
        }
        if !self.has_store_room(length) {
            return Err(Halt::Budget);
        }
        let is_behind = turn.line != Some(Line::Budget) && !self.queue.is_empty();
        let is_full = is_behind || self.wanted_bytes + length > self.limits.budget_bytes;
        if !is_first_piece && is_full {
            return Err(Halt::Budget);
        }
        Ok(())
    }

    /// Does the store have room for so much more, beside all that is on its way there?
    pub(super) fn has_store_room(&self, length: u64) -> bool {
        self.wanted_bytes.saturating_add(length) <= self.room_bytes
    }

    /// Books a piece that is asked of a host.
    pub(super) fn want(&mut self, id: SessionId, chunk: ChunkId, length: u32) {
        if let Some(session) = self.sessions.get_mut(&id)
            && session.wanted.insert(chunk, length).is_none()
        {
            let length = u64::from(length);
            session.wanted_bytes += length;
            self.wanted_bytes += length;
            let wire_bytes = session.asked.ask(length);
            self.rates.take(&session.assignment.passes, wire_bytes);
            self.touched.push(id);
        }
    }
}

/// As answers and questions carry them: the lowest bit first.
pub(super) fn pack_bits(bits: &[bool]) -> serde_bytes::ByteBuf {
    let mut bytes = vec![0_u8; bits.len().div_ceil(8)];
    for (at, _) in bits.iter().enumerate().filter(|(_, bit)| **bit) {
        bytes[at / 8] |= 1 << (at % 8);
    }
    serde_bytes::ByteBuf::from(bytes)
}
