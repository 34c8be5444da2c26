//! What the tasks of a run share.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::chunk::DomainKey;
use crate::inventory::{Dedup, Host, Workload};
use crate::ledger::Ledger;
use crate::model::{Clock, Event, Generation, HostId, Reason, ResourceId, SiteId, WorkloadId};
use crate::run::capacities::Capacities;
use crate::run::coordinator::{CapacityId, SessionId};
use crate::run::engine::ToEngine;
use crate::run::hands::Hands;
use crate::run::heal::Ward;
use crate::run::invite::Lobby;
use crate::run::lanes::Arrived;
use crate::run::lanes::ladder::{Ladder, LaneRules};
use crate::run::reach::Way;
use crate::run::schedule::{Outcome, Schedule};
use crate::run::shelf::ToShelf;
use crate::run::stop::{Phase, Stop};
use crate::run::survey::{MachineFacts, facts_of};
use crate::run::talk::{Checkers, TalkError};
use crate::run::tries::Reached;
use crate::run::{Options, Pace, Site};
use crate::store::keys::DomainName;
use crate::store::{Disks, Store};
use crate::wire::Levels;

/// What the tasks of a run share.
pub struct Shared {
    /// The way to hosts.
    pub reach: Box<dyn Way>,
    /// What is stored.
    pub store: Store,
    /// Frames are checked here.
    pub checkers: Checkers,
    /// A folder for what may be lost.
    pub scratch: PathBuf,
    /// Of `state/`.
    own_folders: Vec<(u64, u64)>,
    /// Where the store is.
    disks: Option<Arc<Disks>>,
    /// Which site this is.
    pub site: SiteId,
    /// What happened.
    pub ledger: Arc<Ledger>,
    /// What is gone from sources is meant to be.
    pub accept_losses: bool,
    /// A store that is full is waited for.
    pub waits_for_space: bool,
    /// What of the store is lost, and who may still have it.
    pub ward: Arc<Ward>,
    /// Hosts that do not answer are waited for; so long between two knocks.
    pub waits: Option<Duration>,
    dedup: Dedup,
    stop: Stop,
    engine: Sender<ToEngine>,
    shelf: Sender<ToShelf>,
    /// The work, and the people who steer it.
    pub(super) hands: Arc<Hands>,
    /// Hosts that call.
    pub(super) lobby: Arc<Lobby>,
    hosts: BTreeSet<HostId>,
    next_session: AtomicU64,
    retry: Duration,
    levels: BTreeMap<HostId, Levels>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Lanes of all hosts that are dialled at once: a few of what the dialler lets be under way, so
    /// that hosts without any connection come first.
    pub(super) lane_dials: Semaphore,
    lane_rules: LaneRules,
    lines_max: u32,
    /// How long a read at a source may give nothing.
    pub patience: Duration,
    /// What arrives from all hosts on an uplink.
    arrived: BTreeMap<Option<ResourceId>, Arc<AtomicU64>>,
    capacities: Arc<Capacities>,
}

/// See [`Shared::lane_dials`].
const LANE_DIALS_MAX: usize = 8;

/// Between which levels each host with work may compress.
fn levels(site: &Site, hosts: &BTreeSet<HostId>) -> BTreeMap<HostId, Levels> {
    let at_work: Vec<_> =
        site.inventory.hosts.iter().filter(|host| hosts.contains(&host.id)).collect();
    let at_once = site.settings.limits.hosts as usize;
    let levels_of = |host: &&Host| {
        let on_uplink = at_work.iter().filter(|other| other.uplink == host.uplink).count();
        let (on_uplink, everywhere) = (on_uplink.min(at_once), at_work.len().min(at_once));
        super::levels::levels(host, &site.settings, on_uplink, everywhere)
    };
    at_work.iter().map(|host| (host.id.clone(), levels_of(host))).collect()
}

impl Shared {
    /// For one run over `site`.
    pub(super) fn new(
        site: &Site,
        reach: impl Way + 'static,
        options: &Options,
        stop: Stop,
        (pace, capacities): (&Pace, Arc<Capacities>),
        (hands, lobby): (Arc<Hands>, Arc<Lobby>),
        channels: (Sender<ToEngine>, Sender<ToShelf>),
    ) -> std::io::Result<Self> {
        let scratch = site.state.join("scratch");
        std::fs::create_dir_all(&scratch)?;
        let own = [&site.state].into_iter().filter_map(|folder| std::fs::metadata(folder).ok());
        let hosts = options.order.iter().map(|(host, _)| host.clone()).collect();
        Ok(Self {
            reach: Box::new(reach),
            store: site.store.clone(),
            checkers: Checkers::default(),
            scratch,
            own_folders: own.map(|meta| (meta.dev(), meta.ino())).collect(),
            disks: site.disks.clone(),
            site: site.id,
            dedup: site.settings.dedup,
            ledger: site.ledger.clone(),
            accept_losses: options.accept_losses,
            waits_for_space: options.waits_for_space,
            ward: options.ward.clone(),
            waits: options.waits.then_some(pace.knocks),
            stop,
            engine: channels.0,
            shelf: channels.1,
            hands,
            lobby,
            levels: levels(site, &hosts),
            capacities,
            hosts,
            next_session: AtomicU64::new(1),
            retry: pace.retry,
            clock: site.clock.clone(),
            lane_dials: Semaphore::new(LANE_DIALS_MAX),
            lane_rules: pace.lanes,
            lines_max: site.settings.limits.lanes,
            patience: site.settings.limits.patience.0,
            arrived: site
                .inventory
                .hosts
                .iter()
                .map(|h| (h.uplink.clone(), Arc::default()))
                .collect(),
        })
    }

    /// Folders of ours that no capture may contain, by device and inode; disks are added meanwhile.
    pub fn own_folders(&self) -> Vec<(u64, u64)> {
        let disks = self.disks.iter().flat_map(|disks| disks.paths());
        let disks = disks.filter_map(|path| std::fs::metadata(path).ok());
        let disks = disks.map(|meta| (meta.dev(), meta.ino()));
        self.own_folders.iter().copied().chain(disks).collect()
    }

    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.hands.schedule()
    }

    /// Between which levels the agent of `host` may compress.
    pub fn levels(&self, host: &HostId) -> Levels {
        self.levels.get(host).copied().unwrap_or(super::levels::DEFAULT)
    }

    /// What decides over a host's lanes.
    pub(super) fn ladder(&self) -> Ladder {
        Ladder::new(self.lane_rules, self.lines_max)
    }

    /// Where what arrives from a host is counted.
    pub(super) fn arrived(&self, host: &Host) -> Arrived {
        Arrived::on(self.arrived.get(&host.uplink).cloned().unwrap_or_default())
    }

    /// What the content of `host` passes on its way here.
    pub fn passes(&self, host: &HostId) -> Vec<CapacityId> {
        let known = self.capacities.of_host(host);
        match self.hands.host(host).filter(|_| known.is_empty()) {
            Some(host) => self.capacities.of_new_host(&host),
            None => known,
        }
    }

    /// The level of a workload in the plan; the lower goes first, and 0 is what somebody put
    /// before all others.
    pub fn priority(&self, workload: &WorkloadId) -> u32 {
        self.schedule().level(workload)
    }

    /// Hosts with work in this run.
    pub fn host_count(&self) -> u64 {
        self.hosts.len() as u64
    }

    /// A host that may begin; none once the run drains.
    pub fn admit(&self) -> Option<HostId> {
        if self.phase() == Phase::Running { self.schedule().admit() } else { None }
    }

    /// The next workload of an admitted host.
    pub fn next_workload(&self, host: &HostId) -> Option<WorkloadId> {
        if self.phase() == Phase::Running { self.schedule().next(host) } else { None }
    }

    /// A workload is to be tried again by this host.
    pub fn give_back(&self, host: &HostId, workload: WorkloadId) {
        self.schedule().give_back(host, workload);
    }

    /// The same, after a while.
    pub fn give_back_failed(&self, host: &HostId, workload: WorkloadId) {
        self.schedule().give_back_failed(host, workload);
    }

    /// A host does not answer: it is waited for.
    pub fn send_away(&self, host: &HostId) {
        self.lobby.wait_for(host);
    }

    /// What is left of a host that cannot be worked on.
    pub fn abandon(&self, host: &HostId) -> Vec<WorkloadId> {
        self.schedule().abandon(host)
    }

    /// A host does not work any more.
    pub fn release(&self, host: &HostId) {
        self.schedule().release(host);
        if self.hands.door.is_shut() {
            self.hands.spread();
        }
    }

    /// Notes how a workload ended.
    pub fn done(&self, host: &HostId, workload: &WorkloadId, outcome: Outcome) {
        self.schedule().done(host, workload, outcome);
    }

    /// How the workloads ended that ended.
    pub fn outcomes(&self) -> Vec<Outcome> {
        self.schedule().outcomes().collect()
    }

    /// How many workloads are left out on purpose.
    pub fn skipped_count(&self) -> u64 {
        self.schedule().skipped_count()
    }

    /// Is something left that the same command would go on with?
    pub fn has_work_left(&self) -> bool {
        let is_put_off = |outcome: &Outcome| {
            matches!(
                outcome,
                Outcome::Partial(Reason::Stopped | Reason::LandingFull | Reason::LandingError)
            )
        };
        !self.schedule().is_over() || self.outcomes().iter().any(is_put_off)
    }

    /// Does the ledger know a pass of it that is not sealed?
    pub fn is_begun(&self, workload: &WorkloadId) -> bool {
        self.ledger.open_pass(workload).is_ok_and(|open| open.is_some())
    }

    /// How far the receipts of its open pass reach; `None` without one.
    pub fn reached(&self, workload: &WorkloadId) -> Option<Reached> {
        let pass = self.ledger.open_pass(workload).ok()??.number;
        Some((pass, self.ledger.run_ends(workload, pass).ok()?))
    }

    /// The landing disk cannot go on: nobody begins anything new.
    pub fn landing_failed(&self, _reason: Reason) {
        if self.phase() == Phase::Running {
            self.stop.press();
        }
    }

    /// How far ending has got.
    pub fn phase(&self) -> Phase {
        self.stop.phase()
    }

    /// Waits to try a workload again, but not longer than the run goes on, nor than somebody wants.
    pub async fn sleep(&self, pause: Duration, workload: &WorkloadId) {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = self.stop.reached(Phase::Draining) => {}
            () = self.hands.until(|it| !it.is_failing(workload) || it.is_shut()) => {}
        }
    }

    /// How long to wait before a host is dialled again. Full jitter is the dialler's; between
    /// sessions a plain doubling does.
    pub fn pause(&self, tries: u32) -> Duration {
        self.retry * (1 << tries.min(5))
    }

    /// A new session's number.
    pub fn new_session(&self) -> SessionId {
        SessionId(self.next_session.fetch_add(1, Ordering::Relaxed))
    }

    /// A number for the next agent on a host, greater than any before.
    pub fn generation(&self, host: &HostId) -> Result<Generation, TalkError> {
        let failed = |error: crate::ledger::LedgerError| {
            TalkError::new(Reason::LandingError, crate::run::explain(&error))
        };
        self.ledger.generation(host).map_err(failed)
    }

    /// The machine that a survey found at a host's address.
    pub fn known_machine(&self, host: &HostId) -> Result<Option<MachineFacts>, TalkError> {
        let failed = |error: crate::run::survey::FactsError| {
            TalkError::new(Reason::LandingError, crate::run::explain(&error))
        };
        Ok(facts_of(&self.ledger, host).map_err(failed)?.map(|found| found.facts))
    }

    /// The key that names the chunks of `workload`.
    pub fn domain_key(&self, workload: &Workload) -> Result<DomainKey, TalkError> {
        let name = match self.dedup {
            Dedup::Fleet => DomainName::Fleet,
            Dedup::Customer => DomainName::Customer(workload.customer.clone()),
            Dedup::Host => DomainName::Host(workload.host.clone()),
        };
        let failed = |error: crate::store::StoreError| {
            TalkError::new(Reason::LandingError, crate::run::explain(&error))
        };
        self.store.domain_key(&name).map_err(failed)
    }

    /// Tells the engine something; an engine that ended needs nothing more.
    pub(super) fn tell(&self, message: ToEngine) {
        let _ = self.engine.send(message);
    }

    /// Tells the shelf something.
    pub(super) fn order(&self, order: ToShelf) {
        let _ = self.shelf.send(order);
    }

    /// Tells the readers and the ledger.
    pub fn emit(&self, event: Event) {
        self.tell(ToEngine::Emit(event));
    }
}
