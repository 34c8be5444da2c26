//! The bulk run: many hosts, one coordinator, one writer.
//!
//! ```text
//! host tasks (async)            engine thread                  shelf thread
//!   messages, checked frames ──>  coordinator (pure)
//!                                 frames, whole segments ───>  packs, index, manifests, receipts
//!   <── answers, links, base     <── appended, committed ────
//! ```
//!
//! `async` only moves bytes; what is decided is decided by [`coordinator`] and [`schedule`], which
//! are pure. A host that fails fails its workloads; a landing disk that fails ends the run with
//! everything that has a receipt intact.

mod base;
mod admit;
pub mod bells;
mod bottleneck;
pub mod capacities;
pub mod compare;
pub mod control;
pub mod coordinator;
pub mod door;
pub mod endpoints;
mod engine;
pub mod gate;
mod hands;
pub mod heal;
mod host;
pub mod invite;
pub mod knocks;
pub mod landing;
pub mod lanes;
mod levels;
pub mod line;
mod links;
mod pulse;
pub mod reach;
mod reload;
mod report;
pub mod rescue;
pub mod restore;
pub mod schedule;
mod shared;
mod shelf;
pub mod stop;
pub mod stream;
pub mod survey;
pub mod talk;
pub mod tenants;
mod tries;
mod trunk;
mod vouched;
mod waiting;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::inventory::{Inventory, Settings};
use crate::ledger::Ledger;
use crate::model::{Bytes, Clock, Event, EventSink, HostId, RunReport, SiteId, WorkloadId};
use crate::store::{Disks, Store, Writer};

use capacities::Capacities;
use control::{Control, Steering};
use coordinator::Limits;
use door::{Door, Planner};
use engine::{Engine, ToEngine};
use hands::Hands;
use heal::Ward;
use invite::Lobby;
use landing::Landing;
use lanes::ladder::LaneRules;
use reach::Way;
use schedule::{Decided, Schedule};
pub use shared::Shared;
use shelf::{Shelf, ToShelf};
use stop::Stop;

/// What a run works on.
pub struct Site {
    /// The folder of settings and state.
    pub folder: PathBuf,
    /// `state/`.
    pub state: PathBuf,
    /// Which site this is.
    pub id: SiteId,
    /// Its settings.
    pub settings: Settings,
    /// What there is to evacuate.
    pub inventory: Inventory,
    /// What happened.
    pub ledger: Arc<Ledger>,
    /// What is stored.
    pub store: Store,
    /// On which disks; `None`: on one that cannot be added to.
    pub disks: Option<Arc<Disks>>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Who runs this.
    pub by: String,
}

impl Site {
    fn landing(&self) -> Option<Landing> {
        let disks = self.disks.clone()?;
        Some(Landing { disks, state: self.state.clone() })
    }

    fn steering(
        &self,
        (hands, lobby): (&Arc<Hands>, &Arc<Lobby>),
        capacities: &Arc<Capacities>,
        engine: &std::sync::mpsc::Sender<ToEngine>,
    ) -> Steering {
        Steering {
            hands: hands.clone(),
            lobby: lobby.clone(),
            capacities: capacities.clone(),
            engine: engine.clone(),
            clock: self.clock.clone(),
            landing: self.landing(),
        }
    }
}

/// What to do.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Work in this order; what is sealed already is left out by the caller.
    pub order: Vec<(HostId, WorkloadId)>,
    /// The level of each in the plan: where something is scarce, the lower goes first.
    pub levels: BTreeMap<WorkloadId, u32>,
    /// Workloads that were captured before this run.
    pub captured_before: u64,
    /// Bytes that are expected to move, for progress.
    pub expected: Bytes,
    /// Customers with work in this run.
    pub customers: u64,
    /// What is gone from sources is meant to be: no pass is set aside for it.
    pub accept_losses: bool,
    /// Hosts that do not answer are waited for, as long as it takes.
    pub waits: bool,
    /// What was decided before about what is to be done, or was left out of it.
    pub decided: Decided,
    /// A store that is full is waited for; else it ends the run.
    pub waits_for_space: bool,
    /// Makes the order of work anew for a further window; `None`: it stays as it is.
    pub planner: Option<Arc<dyn Planner>>,
    /// Hosts that a guard rail keeps out, with what would have been taken from them.
    pub refused: Vec<(Refusal, Vec<WorkloadId>)>,
    /// What of the store is lost, and who may still have it.
    pub ward: Arc<Ward>,
}

/// A host that is not to be taken as it stands in the inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which.
    pub host: HostId,
    /// What was found there.
    pub why: String,
}

impl Options {
    /// Takes the work of refused hosts out; it is told as failed, with the reason.
    pub fn refuse(&mut self, refusals: Vec<Refusal>) {
        for refusal in refusals {
            let (out, order) = std::mem::take(&mut self.order)
                .into_iter()
                .partition(|(host, _)| *host == refusal.host);
            self.order = order;
            let out: Vec<(HostId, WorkloadId)> = out;
            self.refused.push((refusal, out.into_iter().map(|(_, workload)| workload).collect()));
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct RunEnd {
    /// Totals.
    pub report: RunReport,
    /// Was it asked to end before the work was done, or is the landing disk full?
    pub has_work_left: bool,
    /// Was it stopped at once?
    pub was_stopped: bool,
}

/// How much is under way at once, and how long things wait.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Bounds of what is under way.
    pub limits: Limits,
    /// A group commit waits at most this long for company.
    pub commit_age: Duration,
    /// Half the pause before a host that failed is dialled again; it doubles with every failure.
    pub retry: Duration,
    /// Where hosts get further connections.
    pub lanes: LaneRules,
    /// Between two knocks at a port that is shut.
    pub knocks: Duration,
}

impl Default for Pace {
    /// An eighth of this machine's memory for what is under way.
    fn default() -> Self {
        let memory = rustix::system::sysinfo();
        let memory_bytes = memory.totalram as u64 * u64::from(memory.mem_unit);
        let budget_bytes = (memory_bytes / 8).clamp(64 << 20, 4 << 30);
        Self {
            limits: Limits { budget_bytes, ..Limits::default() },
            commit_age: Duration::from_millis(200),
            retry: Duration::from_secs(1),
            lanes: LaneRules::default(),
            knocks: knocks::BEAT,
        }
    }
}

/// Carries out what `options` lists.
pub async fn run(
    site: &Site,
    writer: Writer,
    reach: impl Way + 'static,
    options: Options,
    stop: &Stop,
    events: Arc<dyn EventSink>,
) -> std::io::Result<RunEnd> {
    run_at(Pace::default(), site, writer, reach, options, stop, events).await
}

/// The same at another pace.
pub async fn run_at(
    pace: Pace,
    site: &Site,
    writer: Writer,
    reach: impl Way + 'static,
    options: Options,
    stop: &Stop,
    events: Arc<dyn EventSink>,
) -> std::io::Result<RunEnd> {
    let started = site.clock.elapsed();
    let (to_engine, engine_orders) = channel();
    let (to_shelf, shelf_orders) = channel();
    let tally = Arc::new(report::Tallies::new(events));
    let shelf = Shelf::new(
        site.store.clone(),
        writer,
        site.ledger.clone(),
        site.clock.clone(),
        (to_engine.clone(), to_shelf.clone()),
        site.by.clone(),
        pace.commit_age,
    )
    .waiting_for_space(options.waits_for_space, site.landing());
    let capacities = Arc::new(Capacities::of(&site.settings, &site.inventory));
    let engine = Engine::new(
        (pace.limits, capacities.clone()),
        (site.store.clone(), site.ledger.clone()),
        site.clock.clone(),
        (to_engine.clone(), to_shelf.clone()),
        tally.clone(),
    );
    let threads = begin((shelf, shelf_orders), (engine, engine_orders))?;
    let hands = Arc::new(hands_on(site, &options, to_engine.clone()));
    let (clock, by) = (site.clock.clone(), site.by.clone());
    let lobby = Lobby::new(site.state.clone(), hands.clone(), clock, by);
    let steering = site.steering((&hands, &lobby), &capacities, &to_engine);
    let channels = (to_engine, to_shelf);
    let (limits, people) = ((&pace, capacities), (hands, lobby.clone()));
    let shared = Shared::new(site, reach, &options, stop.clone(), limits, people, channels)?;
    let shared = Arc::new(shared);
    shared.emit(Event::RunStarted {
        workloads: options.order.len() as u64,
        hosts: shared.host_count(),
        customers: options.customers,
        bytes: options.expected,
    });
    let control = Control::listen(&site.state, steering);
    if let Err(error) = &control {
        shared.emit(control::not_steered(error, &site.by));
    }
    for (refusal, workloads) in &options.refused {
        host::refuse(&shared, refusal, workloads);
    }
    lobby.begin().await;
    let was_stopped = tokio::select! {
        was_stopped = admit::drive(&shared, site, &options, stop) => was_stopped,
        never = waiting::knock_on(&shared, &site.settings.outside, (&site.by, pace.knocks)),
            if options.waits => match never {},
        never = lobby.watch() => match never {},
    };
    drop(control);
    lobby.close();
    finish(&shared, threads).await;
    let mut report = tally.report(&shared);
    report.captured += options.captured_before;
    report.elapsed_s = site.clock.elapsed().saturating_sub(started).as_secs_f64();
    tally.tell(&Event::Report(report));
    if let Err(error) = site.ledger.append(&Event::Report(report), &site.by) {
        return Err(std::io::Error::other(error));
    }
    Ok(RunEnd { report, has_work_left: shared.has_work_left(), was_stopped })
}

/// The two threads that write and decide.
fn begin(
    (shelf, shelf_orders): (Shelf, Receiver<ToShelf>),
    (engine, engine_orders): (Engine, Receiver<ToEngine>),
) -> std::io::Result<[JoinHandle<()>; 2]> {
    let thread = |name: &str| std::thread::Builder::new().name(name.into());
    Ok([
        thread("shelf").spawn(move || shelf.work(&shelf_orders))?,
        thread("engine").spawn(move || engine.work(&engine_orders))?,
    ])
}

/// The work of a run, for those who do it and those who steer it.
fn hands_on(site: &Site, options: &Options, engine: std::sync::mpsc::Sender<ToEngine>) -> Hands {
    let hosts_max = site.settings.limits.hosts as usize;
    let schedule = Schedule::new(options.order.clone(), hosts_max)
        .with(&options.decided)
        .with_levels(options.levels.clone());
    let schedule = if options.waits { schedule.with_all_away() } else { schedule };
    let known = (site.folder.clone(), Arc::new(site.inventory.clone()));
    let told = site.ledger.told_window().ok().flatten().map(|told| (told.closes, told.hard));
    let door = Door::new(&site.settings.windows, told, options.waits, site.clock.now());
    let schedule = if door.is_shut() { schedule.shut_at_first() } else { schedule };
    Hands::new(schedule, known, door, site.ledger.clone(), engine)
}

/// Everything that arrived becomes durable, then the threads end.
async fn finish(shared: &Shared, threads: [JoinHandle<()>; 2]) {
    shared.tell(ToEngine::Stop);
    let [shelf, engine] = threads;
    let ended = tokio::task::spawn_blocking(move || engine.join()).await;
    debug_assert!(ended.is_ok());
    let (answer, flushed) = tokio::sync::oneshot::channel();
    shared.order(ToShelf::Flush(answer));
    // A writing thread that is gone has nothing left to flush.
    let _ = flushed.await;
    let _ = tokio::task::spawn_blocking(move || shelf.join()).await;
    shared.reach.close().await;
}

/// An error with its causes, on one line, bounded.
pub fn explain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let said = next.to_string();
        // Transparent errors say the same as their cause.
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        cause = next.source();
    }
    crate::model::text::bounded(&text, crate::wire::message::DETAIL_CHARS_MAX)
}
