//! The thread around the coordinator: it feeds it, carries out what it wants, and keeps what each
//! session needs beside it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};

use crate::agent::ProcessorTime;
use crate::ledger::{Ledger, LinkTable};
use crate::model::{
    ChunkId, Clock, Event, EventSink, HostId, PassNumber, Reason, RunNumber, ShortId, WorkloadId,
};
use crate::run::base::{BaseFeed, Link, More, News};
use crate::run::capacities::Capacities;
use crate::run::coordinator::{Assignment, Command, Coordinator, Input, Known, Limits, SessionId};
use crate::run::heal::Passage;
use crate::run::landing::Room;
use crate::run::pulse::Limited;
use crate::run::shelf::{Counted, ToShelf};
use crate::run::talk::Outbox;
use crate::store::{PassName, Store, Tenant};
use crate::wire::{Pace, ToAgent, ToLanding, encode};

/// How often time passes for the coordinator.
const TICK: Duration = Duration::from_millis(100);

/// How often readers of the ledger are told what every host is doing.
const PULSE: Duration = Duration::from_secs(2);

/// An agent that asks takes its answers too: an honest one has a few blocks of the base and the
/// links of a thousand entries under way.
const OUTBOX_BYTES_MAX: usize = 32 << 20;

/// What the engine is told.
pub enum ToEngine {
    /// A session begins.
    Begin(Box<NewSession>),
    /// Something for the coordinator.
    Input(Input),
    /// An agent said something; its place in the queue is free when it was heard.
    Said(SessionId, ToLanding, OwnedSemaphorePermit),
    /// An agent sent what is not what it says.
    Lied(SessionId, String),
    /// First names of inodes, as an agent's base has them.
    Links(SessionId, Vec<Link>),
    /// What a session's pass held before the sweep under way.
    Counted(SessionId, Counted),
    /// A pass lost too much to be used.
    SetAside(SessionId, String),
    /// Tell the readers.
    Emit(Event),
    /// The pass that a session works on cannot be read: the session ends, another pass begins.
    Damaged(SessionId, String),
    /// The landing disk is full or broken: every session ends.
    LandingFailed(Reason, String),
    /// What the store has room for.
    Room(Room),
    /// What these sessions said last could not be made durable: they end, and begin again where
    /// their receipts end.
    Interrupted(Vec<SessionId>, String),
    /// Keep to another rate from now on.
    Limit(Limited),
    /// What passes outside of a capture.
    Passage(Passage),
    /// Tell the readers, and this one once it is durable.
    Keep(Event, oneshot::Sender<()>),
    /// Take what was asked for, then end every session.
    Drain,
    /// End.
    Stop,
}

/// An agent that was told to capture.
pub struct NewSession {
    /// What it captures.
    pub assignment: Assignment,
    /// Where messages to it go.
    pub outbox: Outbox,
    /// Tells whoever listens to the agent whether to go on.
    pub listens: watch::Sender<bool>,
    /// Told how it ended.
    pub ended: oneshot::Sender<SessionEnd>,
    /// First names of inodes.
    pub links: LinkTable,
    /// Is no file believed to be what it was in a former pass?
    pub rechecks: bool,
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionEnd {
    /// The pass is sealed.
    Sealed,
    /// What is stored of its pass cannot be read; a new pass may begin.
    Damaged(String),
    /// It cannot go on.
    Failed(Reason, String),
}

pub(super) struct Running {
    pub(super) host: HostId,
    workload: WorkloadId,
    pass: PassNumber,
    outbox: Outbox,
    listens: watch::Sender<bool>,
    ended: Option<oneshot::Sender<SessionEnd>>,
    pub(super) links: LinkTable,
    base: Option<BaseFeed>,
    counted: Option<Counted>,
    rechecks: bool,
    /// How it gets on, as it says.
    pub(super) pace: Option<Pace>,
    pub(super) rtt: Duration,
}

impl Known for Store {
    fn serves(&self, id: &ChunkId, tenant: Tenant) -> bool {
        Self::serves(self, id, tenant)
    }

    fn find(&self, short: ShortId) -> Option<ChunkId> {
        Self::find(self, short)
    }
}

/// The coordinator with everything around it.
pub struct Engine {
    pub(super) coordinator: Coordinator,
    pub(super) sessions: HashMap<SessionId, Running>,
    pub(super) capacities: Arc<Capacities>,
    /// As of the last pulse.
    pub(super) processors: Option<ProcessorTime>,
    store: Store,
    ledger: Arc<Ledger>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) shelf: Sender<ToShelf>,
    itself: Sender<ToEngine>,
    pub(super) events: Arc<dyn EventSink>,
    last_tick: Duration,
    last_pulse: Duration,
    pub(super) failed: Option<(Reason, String)>,
    /// Is the store full up to its reserve?
    pub(super) is_full: bool,
    /// Sessions that end before they have begun here.
    pub(super) doomed: HashMap<SessionId, String>,
}

impl Engine {
    /// Nothing under way.
    pub fn new(
        (limits, capacities): (Limits, Arc<Capacities>),
        (store, ledger): (Store, Arc<Ledger>),
        clock: Arc<dyn Clock>,
        (itself, shelf): (Sender<ToEngine>, Sender<ToShelf>),
        events: Arc<dyn EventSink>,
    ) -> Self {
        Self {
            coordinator: Coordinator::with_rates(limits, capacities.rates()),
            sessions: HashMap::new(),
            capacities,
            processors: ProcessorTime::now(),
            store,
            ledger,
            clock,
            shelf,
            itself,
            events,
            last_tick: Duration::ZERO,
            last_pulse: Duration::ZERO,
            failed: None,
            is_full: false,
            doomed: HashMap::new(),
        }
    }

    /// Works until told to stop.
    pub fn work(mut self, orders: &Receiver<ToEngine>) {
        loop {
            match orders.recv_timeout(TICK) {
                Ok(ToEngine::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(order) => self.take(order),
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now = self.clock.elapsed();
            if now.saturating_sub(self.last_tick) >= TICK {
                self.last_tick = now;
                self.input(Input::Tick);
            }
            if now.saturating_sub(self.last_pulse) >= PULSE
                && (self.is_full || !self.sessions.is_empty())
            {
                self.last_pulse = now;
                let pulse = self.pulse(now);
                let _ = self.shelf.send(ToShelf::Pulse(pulse));
            }
        }
    }

    fn take(&mut self, order: ToEngine) {
        match order {
            ToEngine::Begin(new) => self.begin(*new),
            ToEngine::Input(Input::Ended(id)) => {
                self.sessions.remove(&id);
                self.input(Input::Ended(id));
            }
            ToEngine::Input(input) => self.input(input),
            ToEngine::Said(id, message, _place) => self.said(id, message),
            ToEngine::Lied(id, detail) => self.end(id, Reason::Protocol, detail),
            ToEngine::Damaged(id, detail) => {
                self.finish(id, SessionEnd::Damaged(detail));
                self.input(Input::Ended(id));
            }
            ToEngine::Links(id, links) => self.know_links(id, links),
            ToEngine::Counted(id, counted) => {
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.counted = Some(counted);
                }
            }
            ToEngine::SetAside(id, detail) => self.end(id, Reason::SetAside, detail),
            ToEngine::Emit(event) => self.emit(event),
            ToEngine::LandingFailed(reason, detail) => self.landing_failed(reason, &detail),
            ToEngine::Limit(limited) => self.limit(limited),
            ToEngine::Passage(passage) => self.passage(passage),
            ToEngine::Keep(event, answer) => self.keep(event, answer),
            ToEngine::Room(room) => self.has_room(room),
            ToEngine::Interrupted(sessions, detail) => self.interrupted(sessions, &detail),
            ToEngine::Drain => {
                self.input(Input::Drain);
                // What was asked for and cannot be stored now never will be.
                let _ = self.shelf.send(ToShelf::GiveUp);
            }
            ToEngine::Stop => {}
        }
    }

    fn begin(&mut self, new: NewSession) {
        let NewSession { assignment, outbox, listens, ended, links, rechecks } = new;
        if let Some((reason, detail)) = self.refuses(assignment.session) {
            let _ = ended.send(SessionEnd::Failed(reason, detail));
            return;
        }
        let running = Running {
            host: assignment.host.clone(),
            workload: assignment.workload.clone(),
            pass: assignment.pass,
            outbox,
            listens,
            ended: Some(ended),
            links,
            base: None,
            counted: None,
            rechecks,
            pace: None,
            rtt: assignment.rtt,
        };
        self.sessions.insert(assignment.session, running);
        self.input(Input::Begin(assignment));
    }

    /// Links and base blocks are answered here; the rest is the coordinator's.
    fn said(&mut self, id: SessionId, message: ToLanding) {
        let asks = matches!(message, ToLanding::LinkAsks(_) | ToLanding::BaseMore);
        let queued = self.sessions.get(&id).map_or(0, |session| session.outbox.queued_bytes());
        if asks && queued > OUTBOX_BYTES_MAX {
            let detail = "it asks without taking the answers".to_owned();
            return self.end(id, Reason::Protocol, detail);
        }
        match message {
            ToLanding::LinkAsks(asks) => {
                for ask in asks {
                    self.link(id, &ask);
                }
            }
            ToLanding::LinkForget { path } => {
                let failure = self.sessions.get_mut(&id).and_then(|s| s.links.forget(&path).err());
                if let Some(error) = failure {
                    self.end(id, Reason::LandingError, crate::run::explain(&error));
                }
            }
            ToLanding::Pace(pace) => {
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.pace = Some(pace);
                }
            }
            ToLanding::BaseMore => {
                let base = self.sessions.get(&id).and_then(|s| s.base.as_ref());
                let lie = match base.map(BaseFeed::more) {
                    Some(More::Coming) => return self.input(Input::Compared(id)),
                    Some(More::Over) => return,
                    Some(More::TooMany) => "it asked for more of the base than it can hold",
                    None => "it asked for a base outside a sweep",
                };
                self.end(id, Reason::Protocol, lie.to_owned());
            }
            message => self.input(Input::Said(id, message)),
        }
    }

    pub(super) fn send(&self, id: SessionId, message: &ToAgent) {
        if let Some(session) = self.sessions.get(&id) {
            // A connection that is gone says so itself.
            let _ = session.outbox.send(encode(message));
        }
    }

    pub(super) fn emit(&self, event: Event) {
        self.events.emit(&event);
        let _ = self.shelf.send(ToShelf::Record(event));
    }

    pub(super) fn input(&mut self, input: Input) {
        let commands = self.coordinator.handle(input, self.clock.elapsed(), &self.store);
        for command in commands {
            self.perform(command);
        }
    }

    fn perform(&mut self, command: Command) {
        match command {
            Command::Send(id, message) => self.send(id, &message),
            Command::Append(id, workload, frame) => {
                let _ = self.shelf.send(ToShelf::Append(id, workload, frame));
            }
            Command::Commit(id, segment) => {
                let _ = self.shelf.send(ToShelf::Commit(id, Box::new(segment)));
            }
            Command::Sweep { session, run, keep_gone } => {
                self.feed(session, run);
                self.send(session, &ToAgent::Sweep { run, keep_gone });
            }
            Command::Seal(id, doubts) => {
                if let Some(session) = self.sessions.get_mut(&id) {
                    let (workload, pass) = (session.workload.clone(), session.pass);
                    let (name, counted) = (PassName { workload, pass }, session.counted.take());
                    let _ = self.shelf.send(ToShelf::Seal(id, name, doubts, counted));
                }
            }
            Command::Finished(id) => self.finish(id, SessionEnd::Sealed),
            Command::End(id, reason, detail) => {
                self.finish(id, SessionEnd::Failed(reason, detail));
            }
            Command::Listen(id, listens) => {
                if let Some(session) = self.sessions.get(&id) {
                    session.listens.send_replace(listens);
                }
            }
            Command::Emit(event) => self.emit(event),
        }
    }

    fn feed(&mut self, id: SessionId, run: RunNumber) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let (shelf, itself) = (self.shelf.clone(), self.itself.clone());
        let name = PassName { workload: session.workload.clone(), pass: session.pass };
        session.counted = None;
        session.base = Some(BaseFeed::start(
            (self.store.clone(), self.ledger.clone()),
            (name.clone(), run, session.rechecks),
            session.outbox.clone(),
            move |news| match news {
                News::Links(links) => {
                    let _ = itself.send(ToEngine::Links(id, links));
                }
                News::Counted(counted) => {
                    let _ = itself.send(ToEngine::Counted(id, counted));
                }
                News::Failed(error) => {
                    let _ = shelf.send(ToShelf::Unread(id, name.clone(), error));
                }
            },
        ));
    }

    /// Ends a session for a reason found here.
    pub(super) fn end(&mut self, id: SessionId, reason: Reason, detail: String) {
        self.finish(id, SessionEnd::Failed(reason, detail));
        self.input(Input::Ended(id));
    }

    fn finish(&mut self, id: SessionId, end: SessionEnd) {
        if let Some(ended) = self.sessions.remove(&id).and_then(|session| session.ended) {
            let _ = ended.send(end);
        }
    }
}
