//! Many hands on one run: what operators say reaches the work here.
//!
//! **Promises.**
//! - Each word is taken as a whole, one after the other: what it does to the order of work and
//!   that it is written down happen under one lock, so the ledger tells them in the order in which
//!   they took effect.
//! - Nobody is told "done" before it is durable.
//! - Whoever works on something learns at once that it is not wanted, and finishes its segment.

use std::collections::BTreeSet;
use std::future::Future;
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{oneshot, watch};

use crate::inventory::{Host, Inventory};
use crate::ledger::Ledger;
use crate::model::{Event, HostId, Reason, Steer, Timestamp, WorkloadId};
use crate::run::Shared;
use crate::run::control::{Said, Turned};
use crate::run::coordinator::{Input, SessionId};
use crate::run::door::Door;
use crate::run::engine::ToEngine;
use crate::run::schedule::{Effect, Schedule, absent};
use crate::run::talk::TalkError;

/// The work of a run, and everything that is said about it while it goes on.
pub(super) struct Hands {
    schedule: Mutex<Schedule>,
    /// Work that was let go of because somebody said so, until whoever had it knows.
    rested: Mutex<BTreeSet<WorkloadId>>,
    /// Hosts whose refused logins may be tried again.
    forgiven: Mutex<BTreeSet<HostId>>,
    /// Counts words.
    words: watch::Sender<u64>,
    /// When work has to stop, and goes on.
    pub(super) door: Door,
    inventory: Mutex<Arc<Inventory>>,
    /// Where it lies.
    pub(super) folder: PathBuf,
    engine: Sender<ToEngine>,
    pub(super) ledger: Arc<Ledger>,
    /// One word after the other: the next is held against what the last one left in the ledger.
    pub(super) turn: tokio::sync::Mutex<()>,
}

/// What was asked for some workloads.
#[derive(Debug, Clone)]
pub(super) struct Word {
    pub(super) steer: Steer,
    /// As typed.
    pub(super) what: String,
    pub(super) workloads: Vec<WorkloadId>,
    pub(super) text: String,
    pub(super) by: String,
}

impl Hands {
    pub(super) fn new(
        schedule: Schedule,
        (folder, inventory): (PathBuf, Arc<Inventory>),
        door: Door,
        ledger: Arc<Ledger>,
        engine: Sender<ToEngine>,
    ) -> Self {
        Self {
            schedule: Mutex::new(schedule),
            rested: Mutex::default(),
            forgiven: Mutex::default(),
            words: watch::Sender::new(0),
            door,
            inventory: Mutex::new(inventory),
            folder,
            engine,
            ledger,
            turn: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().expect("no holder of this lock panics")
    }

    /// The inventory as it was read last.
    pub(super) fn inventory(&self) -> Arc<Inventory> {
        self.inventory.lock().expect("no holder of this lock panics").clone()
    }

    pub(super) fn set_inventory(&self, inventory: Inventory) {
        *self.inventory.lock().expect("no holder of this lock panics") = Arc::new(inventory);
    }

    /// Everybody looks at what changed.
    pub(super) fn spread(&self) {
        self.words.send_modify(|count| *count += 1);
    }

    /// One of its hosts.
    pub(super) fn host(&self, id: &HostId) -> Option<Host> {
        self.inventory().host(id).cloned()
    }

    /// Hears of words from now on.
    pub(super) fn listen(&self) -> watch::Receiver<u64> {
        self.words.subscribe()
    }

    /// Waits until the work is such.
    pub(super) async fn until(&self, is_it: impl Fn(&Schedule) -> bool) {
        let mut words = self.words.subscribe();
        while !is_it(&self.schedule()) {
            // The sender lives as long as `self`.
            let _ = words.changed().await;
        }
    }

    /// Does `work` for a workload, unless that is not wanted any more before it is through.
    pub(super) async fn unless_unwanted<T>(
        &self,
        workload: &WorkloadId,
        work: impl Future<Output = Result<T, TalkError>>,
    ) -> Result<T, TalkError> {
        tokio::select! {
            biased;
            () = self.until(|schedule| schedule.is_unwanted(workload)) => {
                self.rest(workload);
                Err(TalkError::new(Reason::Stopped, "somebody put it off"))
            }
            done = work => done,
        }
    }

    fn rest(&self, workload: &WorkloadId) {
        let mut rested = self.rested.lock().expect("no holder of this lock panics");
        rested.insert(workload.clone());
    }

    /// Did somebody say that refused logins may be tried again? Asked once for each word.
    pub(super) fn is_forgiven(&self, host: &HostId) -> bool {
        self.forgiven.lock().expect("no holder of this lock panics").remove(host)
    }

    /// Did it end because somebody put it off? Asked once for each end.
    pub(super) fn let_go(&self, workload: &WorkloadId, error: &TalkError) -> bool {
        let mut rested = self.rested.lock().expect("no holder of this lock panics");
        rested.remove(workload) && error.reason == Reason::Stopped
    }

    /// Takes a word; tells everybody whom it concerns, and waits until it is durable.
    pub(super) async fn steer(self: Arc<Self>, word: Word) -> Said {
        let _turn = self.turn.lock().await;
        let (workloads, hands) = (word.workloads.clone(), self.clone());
        let decided = tokio::task::spawn_blocking(move || hands.decide(word)).await;
        let Ok(Ok((effects, durable))) = decided else {
            return Said::Refused { why: "the ledger cannot be read".to_owned() };
        };
        if let Some(durable) = durable
            && durable.await.is_err()
        {
            return at_its_end();
        }
        Said::Steered(Turned::of(&workloads, &effects))
    }

    /// What became of each, and when it is durable.
    fn decide(
        &self,
        word: Word,
    ) -> Result<(Vec<Effect>, Option<oneshot::Receiver<()>>), crate::ledger::LedgerError> {
        let known = self.ledger.steering()?;
        let head = known.values().filter_map(|it| it.first).max();
        let inventory = self.inventory();
        let mut schedule = self.schedule();
        let mut effects = schedule.steer(word.steer, &word.workloads);
        for (id, effect) in word.workloads.iter().zip(&mut effects) {
            if *effect != Effect::NotHere {
                continue;
            }
            if !inventory.workloads().any(|workload| workload.id == *id) {
                *effect = Effect::Refused("this run does not know it; `evac reload` reads it");
                continue;
            }
            let (state, known) = (self.ledger.state(id)?, known.get(id));
            let known = known.cloned().unwrap_or_default();
            let apart = absent::steer(word.steer, &state, &known, head);
            *effect = absent::steer_beside(word.steer, apart, &state);
        }
        let is_done = |(_, effect): &(WorkloadId, &Effect)| **effect == Effect::Done;
        let done: Vec<_> =
            word.workloads.into_iter().zip(&effects).filter(is_done).map(|(id, _)| id).collect();
        if done.is_empty() {
            return Ok((effects, None));
        }
        if word.steer == Steer::Retry {
            let hosts = inventory.workloads().filter(|workload| done.contains(&workload.id));
            let mut forgiven = self.forgiven.lock().expect("no holder of this lock panics");
            forgiven.extend(hosts.map(|workload| workload.host.clone()));
        }
        let Word { steer, what, text, by, .. } = word;
        let durable = self.record(Event::Steered { steer, what, workloads: done, text, by });
        drop(schedule);
        self.spread();
        Ok((effects, Some(durable)))
    }

    /// Tells and writes down what somebody said; the answer comes when it is durable.
    pub(super) fn record(&self, event: Event) -> oneshot::Receiver<()> {
        let (answer, durable) = oneshot::channel();
        // An engine that ended answers nothing.
        let _ = self.engine.send(ToEngine::Keep(event, answer));
        durable
    }

    /// Writes down what somebody said about something.
    pub(super) async fn note(&self, what: String, text: String, by: String) -> Said {
        match self.record(Event::Noted { what, text, by }).await {
            Ok(()) => Said::Noted,
            Err(_) => at_its_end(),
        }
    }

    /// The window closes then, as far as anybody knows now.
    pub(super) async fn window(
        &self,
        (closes, hard): (Timestamp, bool),
        (by, now): (String, Timestamp),
    ) -> Said {
        let was = match self.ledger.told_window() {
            Ok(told) => told.map(|told| told.closes),
            Err(error) => return Said::Refused { why: crate::run::explain(&error) },
        };
        let durable = self.record(Event::WindowSet { was, closes, hard, by });
        self.door.told(closes, hard, now);
        match durable.await {
            Ok(()) => Said::Window { was, closes, hard },
            Err(_) => at_its_end(),
        }
    }
}

pub(super) fn at_its_end() -> Said {
    Said::Over
}

/// What is said of one workload while a session works on it.
pub(super) struct Hand<'a> {
    shared: &'a Shared,
    workload: &'a WorkloadId,
    pub(super) session: SessionId,
    level: u32,
    words: watch::Receiver<u64>,
    is_resting: bool,
}

impl<'a> Hand<'a> {
    pub(super) fn new(
        shared: &'a Shared,
        workload: &'a WorkloadId,
        session: SessionId,
        level: u32,
    ) -> Self {
        let mut words = shared.hands.listen();
        // What was said since it was taken is looked at as well.
        words.mark_changed();
        Self { shared, workload, session, level, words, is_resting: false }
    }

    /// Waits for the next word, and tells the coordinator what it means for this session.
    pub(super) async fn moves(&mut self) {
        // The sender lives as long as the run.
        let _ = self.words.changed().await;
        let level = self.shared.priority(self.workload);
        if level != self.level {
            self.level = level;
            self.shared.tell(ToEngine::Input(Input::Level(self.session, level)));
        }
        if !self.is_resting && self.shared.hands.schedule().is_unwanted(self.workload) {
            self.is_resting = true;
            self.shared.hands.rest(self.workload);
            self.shared.tell(ToEngine::Input(Input::Rest(self.session)));
        }
    }
}

/// What is left to be said of a run in which only paused work is left.
pub(super) fn only_paused(count: usize) -> String {
    format!(
        "only paused work is left ({count}): the run waits for `evac resume`, or for Ctrl-C to end"
    )
}
