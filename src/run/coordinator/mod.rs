//! The landing site's mind: which piece to ask of whom, when a segment is whole, when a pass is
//! done. Pure: inputs and the time in, commands out; threads and sockets are elsewhere.
//!
//! **Invariants.**
//! - A piece is wanted of a host only if the store has it not and no other host is sending it; of
//!   a host where a customer has root also if others alone sent it ([`crate::store::tenants`]).
//! - What is wanted of a host and not yet in the store never exceeds its window, and for all hosts
//!   together never the budget. The wants are the credit.
//! - A segment is committed only when every piece it names was appended to the store, and segments
//!   of a run are committed in order.
//! - A host that ends or lies changes nothing but itself: its claims pass to those who wait.
//! - Entries are bounded by the disk alone, but not in memory: while more than
//!   [`Limits::held_bytes`] of a host's records wait to be durable, it is not listened to.
//! - A host that owes something and says nothing but that it lives is ended after
//!   [`Limits::progress_patience`].
//! - What is wanted never exceeds what the store has room for: at none, nothing is asked for, not a
//!   first piece either, and sessions wait with their agents alive.
//! - Hosts that the budget holds up get as much as each other, in turn.
//! - What is asked for stays within every rate that it passes, and of what is scarce the better
//!   level takes what it can use before another gets any ([`rates`]).
//! - An input costs what it concerns; only the passing of time looks at every host.
//!
//! **Names.** Hosts may name pieces briefly; such an offer waits until its whole names are found
//! and its digest is right, before anything else is done with it ([`naming`]).
//!
//! **Claims.** The first host that offers a piece which nobody has is asked for it and holds the
//! claim; later offerers wait. A waiter is asked as well after max(2 s, 4 × the holder's expected
//! time), and both may send: the store drops the second copy. When the holder ends, the oldest
//! waiter inherits the claim and reads its bytes again; if they changed, its file is left to the
//! sweep (`Record::Lost`). One of which a customer is root waits only for pieces that it may rely
//! on then; else it is asked as well, and what came from others alone is not enough for it.

mod claims;
mod decide;
mod limits;
mod naming;
mod offers;
mod open;
mod passage;
mod rates;
mod segment;
mod session;
mod settle;
mod waits;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::capture::{Cursor, Record};
use crate::chunk::FrameHeader;
use crate::model::{
    Bytes, ChunkId, Event, HostId, PassNumber, Rate, Reason, RunNumber, ShortId, Tally, TreePath,
    WorkloadId,
};
use crate::wire::{ToAgent, ToLanding};

use crate::store::Tenant;

use claims::Claims;
use decide::Queued;
pub use limits::Limits;
use naming::Names;
pub use rates::CapacityId;
use rates::Rates;
pub use segment::ClosedSegment;
use session::Session;
pub use waits::{Spent, Wait};

/// One connection's work on one workload; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// What the coordinator asks of the store: does it have this piece, durable or on its way there?
pub trait Known {
    /// Is the piece in a pack, and may this tenant rely on it?
    fn serves(&self, id: &ChunkId, tenant: Tenant) -> bool;

    /// The only piece there with this short name, where that can be told.
    fn find(&self, _short: ShortId) -> Option<ChunkId> {
        None
    }
}

impl<F: Fn(&ChunkId) -> bool> Known for F {
    fn serves(&self, id: &ChunkId, _tenant: Tenant) -> bool {
        self(id)
    }
}

/// A workload that a connected agent was told to capture.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// Which connection.
    pub session: SessionId,
    /// Whose.
    pub host: HostId,
    /// What.
    pub workload: WorkloadId,
    /// On whose word: what others alone have sent is no secret from the house only.
    pub tenant: Tenant,
    /// Its pass.
    pub pass: PassNumber,
    /// Was the pass begun by an earlier session, with or without a receipt?
    pub is_resumed: bool,
    /// The run that was ordered.
    pub run: RunNumber,
    /// Does the pass build on a former one? Then the ordered run takes what changed since, and a
    /// closing sweep follows it.
    pub is_delta: bool,
    /// Number of the run's next segment.
    pub segment: u64,
    /// The roots, for checking what is offered.
    pub paths: Vec<TreePath>,
    /// Where it goes on, if a former session got that far.
    pub cursor: Option<Cursor>,
    /// Round-trip time, for the window.
    pub rtt: Duration,
    /// What its content passes on its way here.
    pub passes: Vec<CapacityId>,
    /// Its level in the plan: where something is scarce, the lower number goes first.
    pub level: u32,
}

/// What happens to the coordinator.
#[derive(Debug)]
pub enum Input {
    /// An agent was told to capture.
    Begin(Assignment),
    /// An agent said something that concerns the capture.
    Said(SessionId, ToLanding),
    /// A frame arrived and every piece in it matched its name.
    Frame(SessionId, Frame),
    /// The store has appended a frame's pieces; they count from now on.
    Appended(SessionId, Vec<ChunkId>, Bytes),
    /// A segment is durable.
    Committed(SessionId),
    /// An agent has compared a further block of a base.
    Compared(SessionId),
    /// A pass was sealed.
    Sealed(SessionId, Tally),
    /// A session has so many lanes now.
    Lanes(SessionId, u32),
    /// A connection ended, or was ended.
    Ended(SessionId),
    /// So much may pass from now on; `None`: as much as can.
    Limit(CapacityId, Option<Rate>),
    /// Take what was asked for of it, ask for nothing more of it, end it: somebody put it off.
    Rest(SessionId),
    /// Its level is another from now on.
    Level(SessionId, u32),
    /// So much may still be stored: no more is wanted than that.
    Room(u64),
    /// Take what was asked for, ask for nothing more, end.
    Drain,
    /// Time passed.
    Tick,
}

impl Input {
    /// Whom it concerns, if it is one host.
    fn session(&self) -> Option<SessionId> {
        match self {
            Self::Begin(assignment) => Some(assignment.session),
            Self::Said(id, _)
            | Self::Frame(id, _)
            | Self::Appended(id, ..)
            | Self::Committed(id)
            | Self::Compared(id)
            | Self::Sealed(id, _)
            | Self::Lanes(id, _)
            | Self::Rest(id)
            | Self::Level(id, _)
            | Self::Ended(id) => Some(*id),
            Self::Limit(..) | Self::Room(_) | Self::Drain | Self::Tick => None,
        }
    }
}

/// A checked frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What it says of itself, its pieces among it.
    pub header: FrameHeader,
    /// As it goes into a pack.
    pub bytes: Vec<u8>,
}

impl Frame {
    /// Its pieces and their lengths.
    pub fn pieces(&self) -> impl Iterator<Item = (ChunkId, u32)> {
        self.header.chunks.iter().map(|chunk| (chunk.id, chunk.length))
    }
}

/// What an agent could not see of its source; it may look as if it were gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SourceDoubts {
    /// Names and listings that a failing disk or file system did not give.
    pub failing: u64,
    /// Roots that are not there.
    pub missing_roots: u64,
}

/// What the coordinator wants done.
#[derive(Debug)]
pub enum Command {
    /// Say this to the agent.
    Send(SessionId, ToAgent),
    /// Append to the pack of the workload, then tell [`Input::Appended`].
    Append(SessionId, WorkloadId, Frame),
    /// Make durable, then tell [`Input::Committed`].
    Commit(SessionId, ClosedSegment),
    /// All segments so far are durable: tell the agent to sweep and stream it what they hold.
    Sweep { session: SessionId, run: RunNumber, keep_gone: bool },
    /// All runs are durable and nothing moved: seal the pass, then tell [`Input::Sealed`].
    Seal(SessionId, SourceDoubts),
    /// The workload is sealed; the session can take the next.
    Finished(SessionId),
    /// Listen to the agent, or stop listening until told otherwise.
    Listen(SessionId, bool),
    /// The far side lied or failed: end the session.
    End(SessionId, Reason, String),
    /// Tell the readers.
    Emit(Event),
}

/// The landing site's mind.
#[derive(Debug)]
pub struct Coordinator {
    limits: Limits,
    sessions: BTreeMap<SessionId, Session>,
    claims: Claims,
    names: Names,
    rates: Rates,
    /// Pieces that somebody waits for and nobody may be asked for.
    orphans: BTreeSet<ChunkId>,
    /// Raw bytes wanted of all hosts and not yet in the store.
    wanted_bytes: u64,
    /// What may still be stored, as far as is known; what is wanted may all need it.
    room_bytes: u64,
    /// Since when no new work is begun.
    draining: Option<Duration>,
    /// Hosts that wait for room in the budget, the longest waiting first.
    queue: VecDeque<Queued>,
    /// Hosts about whom something changed by this input.
    touched: Vec<SessionId>,
    /// Hosts that lost pieces by this input.
    losers: BTreeSet<SessionId>,
    looks: u64,
    now: Duration,
    out: Vec<Command>,
}

impl Coordinator {
    /// Nothing under way, nothing limited.
    pub fn new(limits: Limits) -> Self {
        Self::with_rates(limits, &[])
    }

    /// Nothing under way; a [`CapacityId`] is a place in `rates`.
    pub fn with_rates(limits: Limits, rates: &[Option<Rate>]) -> Self {
        Self {
            limits,
            sessions: BTreeMap::new(),
            claims: Claims::default(),
            names: Names::default(),
            rates: Rates::new(rates),
            orphans: BTreeSet::new(),
            wanted_bytes: 0,
            room_bytes: u64::MAX,
            draining: None,
            queue: VecDeque::new(),
            touched: Vec::new(),
            losers: BTreeSet::new(),
            looks: 0,
            now: Duration::ZERO,
            out: Vec::new(),
        }
    }

    /// Takes one input; `now` never goes back.
    pub fn handle(&mut self, input: Input, now: Duration, known: &dyn Known) -> Vec<Command> {
        self.now = now;
        let concerned = input.session();
        match input {
            Input::Begin(assignment) => self.begin(assignment),
            Input::Said(id, message) => self.said(id, message, known),
            Input::Frame(id, frame) => self.frame(id, frame, known),
            Input::Appended(id, pieces, stored) => self.appended(id, &pieces, stored, known),
            Input::Committed(id) => self.committed(id, known),
            Input::Compared(id) => {
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.progress_at = now;
                }
            }
            Input::Sealed(id, tally) => self.sealed(id, tally),
            Input::Lanes(id, lanes) => {
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.lanes = lanes;
                    self.decide(id, known);
                }
            }
            Input::Ended(id) => self.ended(id, known),
            Input::Limit(capacity, rate) => {
                self.rates.set(capacity, rate, now);
                self.serve_rate(capacity, u32::MAX, known);
            }
            Input::Room(bytes) => {
                self.room_bytes = bytes;
                self.serve_queue(known);
            }
            Input::Rest(id) => self.rest(id, known),
            Input::Level(id, level) => self.set_level(id, level, known),
            Input::Drain => {
                self.draining.get_or_insert(now);
                self.decide_each(known);
            }
            Input::Tick => self.tick(known),
        }
        while let Some(id) = self.losers.pop_first() {
            self.decide(id, known);
        }
        if let Some(id) = concerned {
            self.serve_rates_of(id, known);
        }
        self.listen_or_not();
        std::mem::take(&mut self.out)
    }

    /// What may pass.
    pub fn rate(&self, capacity: CapacityId) -> Option<Rate> {
        self.rates.rate(capacity)
    }

    /// Raw bytes wanted and not yet in the store.
    pub fn wanted_bytes(&self) -> u64 {
        self.wanted_bytes
    }

    /// Connections of a session beside its first.
    pub fn lanes(&self, id: SessionId) -> u32 {
        self.sessions.get(&id).map_or(0, |session| session.lanes)
    }

    /// How often a host was looked at: what inputs cost, whoever they concern.
    pub fn looks(&self) -> u64 {
        self.looks
    }

    fn begin(&mut self, assignment: Assignment) {
        let event = Event::CaptureStarted {
            host: assignment.host.clone(),
            workload: assignment.workload.clone(),
            pass: assignment.pass,
            resumed: assignment.is_resumed,
        };
        self.out.push(Command::Emit(event));
        let (id, run, is_delta) = (assignment.session, assignment.run, assignment.is_delta);
        let (workload, pass) = (assignment.workload.clone(), assignment.pass);
        self.sessions.insert(id, Session::new(assignment, self.now));
        if run > RunNumber(0) {
            self.out.push(Command::Emit(Event::RunBegan { workload, pass, run }));
            self.out.push(Command::Sweep { session: id, run, keep_gone: !is_delta });
        }
    }

    /// Ends a session and passes its claims on.
    fn end(&mut self, id: SessionId, reason: Reason, detail: String, known: &dyn Known) {
        self.out.push(Command::End(id, reason, detail));
        self.ended(id, known);
    }

    fn sealed(&mut self, id: SessionId, tally: Tally) {
        if let Some(session) = self.sessions.remove(&id) {
            let (workload, pass) = (session.workload().clone(), session.pass());
            self.out.push(Command::Emit(Event::CaptureSealed { workload, pass, tally }));
            self.out.push(Command::Send(id, ToAgent::Finish));
            self.out.push(Command::Finished(id));
        }
    }
}

/// Is a record about content whose bytes are named here?
fn piece_of(record: &Record) -> Option<(ChunkId, u32)> {
    if let Record::Data { id, length, .. } = record { Some((*id, *length)) } else { None }
}
