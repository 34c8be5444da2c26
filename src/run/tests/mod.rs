//! A whole run over two hosts, in this process: real agents, engine, ledger and store; only SSH is
//! left out, and the landing disk does what the test wants.

mod agents;
mod crash;
mod cut;
mod damage;
mod delta;
mod hands;
mod incremental;
mod lanes;
mod late;
mod lies;
mod owners;
mod tree;
mod unpack;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::agent::place::PlaceOptions;
use crate::capture::{Content, Record};
use crate::inventory::SourceFile;
use crate::model::{PassNumber, RunNumber, SystemClock};
use crate::restore::{Feed, FrameCache, Selection, restore_to_folder};
use crate::store;
use crate::store::{FaultyDisk, KeyRing, Pass, PassName, PassRef, Step, verify};
use agents::{Agents, Near};
use tree::{HOSTS, Sources};

/// A folder in memory where there is one: many tests sync, none tests the machine's disk.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn pace() -> Pace {
    let limits = Limits {
        segment_bytes: 1,
        segment_age: Duration::ZERO,
        window_bytes_min: 1 << 20,
        window_bytes_max: 1 << 20,
        ..Limits::default()
    };
    Pace {
        limits,
        commit_age: Duration::from_millis(2),
        retry: Duration::from_millis(1),
        lanes: LaneRules::default(),
        knocks: Duration::from_millis(50),
    }
}

/// A landing site that outlives what happens to it.
struct Landing {
    folder: tempfile::TempDir,
    disk: FaultyDisk,
    inventory: Inventory,
    settings: Settings,
    pace: Pace,
}

/// What a run leaves to look at.
struct Ran {
    /// Why it did not even begin, or how it ended.
    end: Result<RunEnd, String>,
    agents: Arc<Agents>,
    events: Vec<Event>,
}

impl Ran {
    fn is_whole(&self) -> bool {
        let captured = |end: &RunEnd| end.report.captured == 2 && !end.has_work_left;
        self.end.as_ref().is_ok_and(captured)
    }
}

/// Called at every event of a run, with how many there were before.
type OnEvent = Box<dyn Fn(&Ledger, usize, &Event) + Send + Sync>;

struct Watch {
    ledger: Arc<Ledger>,
    events: Mutex<Vec<Event>>,
    on_event: OnEvent,
}

impl EventSink for Watch {
    fn emit(&self, event: &Event) {
        let mut events = self.events.lock().unwrap();
        (self.on_event)(&self.ledger, events.len(), event);
        events.push(event.clone());
    }
}

fn unwatched() -> OnEvent {
    Box::new(|_, _, _| {})
}

fn workload(host: &str) -> WorkloadId {
    WorkloadId::new(format!("{host}-tree")).unwrap()
}

fn inventory(sources: &Sources) -> Inventory {
    let host = |host: &str| {
        let (id, path) = (workload(host), sources.path(host));
        format!(
            "[[host]]\nid = \"{host}\"\naddress = \"{host}.example\"\ncustomer = \"acme\"\n\
             [[host.workload]]\nid = \"{id}\"\nkind = \"files\"\npaths = [{path:?}]\n"
        )
    };
    let text = format!(
        "[[customer]]\nid = \"acme\"\ncontacts = [\"a@b.example\"]\n{}",
        HOSTS.map(host).concat()
    );
    let files = [SourceFile::new("inventory.toml", text)];
    let reading = crate::inventory::read_files(
        &SourceFile::new("evac.toml", "[site]\nname = \"Example\"\n"),
        &files,
    );
    assert_eq!(reading.problems, []);
    reading.inventory
}

impl Landing {
    fn new(sources: &Sources) -> Self {
        let folder = scratch();
        std::fs::create_dir(folder.path().join("state")).unwrap();
        Self {
            folder,
            disk: FaultyDisk::new(),
            inventory: inventory(sources),
            settings: Settings::named("Example"),
            pace: pace(),
        }
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn ledger_file(&self) -> PathBuf {
        self.state().join("ledger.db")
    }

    fn ledger(&self) -> Ledger {
        Ledger::open(&self.ledger_file()).unwrap()
    }

    /// The ledger as it was when `copy` was made.
    fn go_back_to(&self, copy: &Path) {
        // Another file takes its place, as after `evac ledger backup`: a thread of the former run
        // that closes its ledger this moment still writes into the file that it has open.
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(self.state().join(format!("ledger.db{suffix}")));
        }
        std::fs::copy(copy, self.ledger_file()).unwrap();
    }

    fn keys(&self) -> Arc<KeyRing> {
        Arc::new(KeyRing::open(&self.state().join("keys")).unwrap())
    }

    fn open(&self) -> Result<(Store, Writer), String> {
        let opened = Store::open(Arc::new(self.disk.clone()), self.keys());
        opened.map(|(store, writer, _)| (store, writer)).map_err(|error| explain(&error))
    }

    /// `evac run`, once, over whatever is there.
    fn run(&self, agents: Agents, on_event: OnEvent) -> Ran {
        self.run_with(Arc::new(agents), on_event)
    }

    /// The same over agents that the watcher meddles with.
    fn run_with(&self, agents: Arc<Agents>, on_event: OnEvent) -> Ran {
        self.run_all(agents, on_event, options)
    }

    /// The same, over what `what` says.
    fn run_what(
        &self,
        agents: Agents,
        on_event: OnEvent,
        what: impl Fn(&Ledger) -> Options,
    ) -> Ran {
        self.run_all(Arc::new(agents), on_event, what)
    }

    fn run_all(
        &self,
        agents: Arc<Agents>,
        on_event: OnEvent,
        what: impl Fn(&Ledger) -> Options,
    ) -> Ran {
        let (store, writer) = match self.open() {
            Ok(opened) => opened,
            Err(error) => return Ran { end: Err(error), agents, events: Vec::new() },
        };
        let ledger = Arc::new(self.ledger());
        let options = what(&ledger);
        let events = Mutex::default();
        let watch = Arc::new(Watch { ledger: ledger.clone(), events, on_event });
        let site = Site {
            disks: None,
            folder: self.folder.path().to_owned(),
            state: self.state(),
            id: ledger.site().unwrap(),
            settings: self.settings.clone(),
            inventory: self.inventory.clone(),
            ledger,
            store,
            clock: Arc::new(SystemClock::default()),
            by: "test".into(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let near = Near(agents.clone());
        let stop = Stop::default();
        let run = run_at(self.pace, &site, writer, near, options, &stop, watch.clone());
        let ended =
            runtime.block_on(async { tokio::time::timeout(Duration::from_secs(120), run).await });
        let events = watch.events.lock().unwrap().clone();
        let end = ended.unwrap_or_else(|_| panic!("the run hangs: {events:?}"));
        drop(runtime);
        agents.join();
        Ran { end: end.map_err(|error| explain(&error)), agents, events }
    }

    /// Restores the newest pass of every host and compares it with its source.
    fn assert_restores(&self, sources: &Sources) {
        for host in HOSTS {
            let newest = self.ledger().passes(&workload(host)).unwrap().pop().unwrap();
            assert!(newest.sealed_at.is_some());
            let target = scratch();
            sources.assert_equal(host, &self.restore(host, newest.number, &target));
        }
    }

    /// Restores a pass into an empty folder; gives the folder's real path.
    fn restore(&self, host: &str, pass: PassNumber, target: &tempfile::TempDir) -> PathBuf {
        let (store, _) = Store::open_read_only(Arc::new(self.disk.clone()), self.keys()).unwrap();
        let name = PassName { workload: workload(host), pass };
        let pass = Pass::open(store.disk(), &name).unwrap();
        let frames = FrameCache::new(store.clone(), 1 << 20);
        let mut feed = Feed::new(&frames, &pass, Selection::default());
        let options = PlaceOptions { overwrite: true, ..PlaceOptions::default() };
        let mut durable = |_: &_, _, _| Ok(());
        let root = target.path().canonicalize().unwrap();
        let report = restore_to_folder(&mut feed, &root, options, &mut durable).unwrap();
        assert_eq!(report.damaged, []);
        assert_eq!(report.placed.problems, []);
        root
    }
}

/// What the command would still do: everything that is not sealed.
fn options(ledger: &Ledger) -> Options {
    let is_open = |host: &&str| {
        let passes = ledger.passes(&workload(host)).unwrap();
        passes.last().is_none_or(|pass| pass.sealed_at.is_none())
    };
    let order: Vec<_> =
        HOSTS.into_iter().filter(is_open).map(|h| (HostId::new(h).unwrap(), workload(h))).collect();
    Options { captured_before: (HOSTS.len() - order.len()) as u64, order, ..Options::default() }
}

/// What a receipt promises and is not so.
fn broken(store: &Store, ledger: &Ledger) -> Option<String> {
    check(store, ledger).err()
}

fn check(store: &Store, ledger: &Ledger) -> Result<(), String> {
    ledger.check().map_err(|error| explain(&error))?;
    let mut refs = Vec::new();
    for host in HOSTS {
        for known in ledger.passes(&workload(host)).map_err(|error| explain(&error))? {
            let Some(pass) = receipted(store, ledger, host, known.number)? else { continue };
            let whole = Pass::open(store.disk(), pass.name()).map_err(|e| explain(&e))?;
            if known.sealed_at.is_some() && whole.seal().is_none() {
                return Err(format!("{host}: sealed in the ledger alone"));
            }
            for step in pass.merged() {
                match step {
                    Step::Damaged(fault) => return Err(format!("{host}: {fault:?}")),
                    Step::Record(Record::Data { id, .. }) if !store.is_durable(&id) => {
                        return Err(format!("{host}: chunk {id} is not durable"));
                    }
                    _ => {}
                }
            }
            refs.push(PassRef { name: pass.name().clone(), ends: pass.runs().collect() });
        }
    }
    let report = verify(store, &refs, true, &mut |_| {}).map_err(|error| explain(&error))?;
    if report.bad.is_empty() { Ok(()) } else { Err(format!("{:?}", report.bad)) }
}

/// A pass as far as receipts vouch for it; `None` without any.
fn receipted(
    store: &Store,
    ledger: &Ledger,
    host: &str,
    pass: PassNumber,
) -> Result<Option<Pass>, String> {
    let name = PassName { workload: workload(host), pass };
    let ends = ledger.run_ends(&name.workload, pass).map_err(|error| explain(&error))?;
    if ends.is_empty() {
        return Ok(None);
    }
    let end = |(run, end_bytes): (RunNumber, u64)| store::RunEnd { run, end_bytes };
    let ends: Vec<_> = ends.into_iter().map(end).collect();
    let mut pass = Pass::open(store.disk(), &name).map_err(|error| explain(&error))?;
    pass.limit(&ends);
    Ok(Some(pass))
}

/// Files of a host with something in them that are whole under receipts.
fn files_done(store: &Store, ledger: &Ledger, host: &str) -> u64 {
    let Some(newest) = ledger.passes(&workload(host)).unwrap().pop() else { return 0 };
    let Some(pass) = receipted(store, ledger, host, newest.number).unwrap() else { return 0 };
    let is_end = |step: &Step| {
        matches!(step, Step::Record(Record::End { size: 1.., content: Content::Steady }))
    };
    pass.merged().filter(is_end).count() as u64
}

#[test]
fn two_hosts_arrive_whole_and_shared_content_crosses_once() {
    let sources = Sources::new();
    let landing = Landing::new(&sources);
    let ran = landing.run(Agents::default(), unwatched());
    assert!(ran.is_whole(), "{:?} {:?}", ran.end, ran.events);
    let mut sent = BTreeSet::new();
    for host in HOSTS {
        let count = ran.agents.count(host);
        assert_eq!(count.opened_files, sources.files(host), "{host}");
        assert!(count.sent.iter().all(|(id, _)| sent.insert(*id)), "{host}: sent twice");
    }
    let segments = |event: &&Event| matches!(event, Event::SegmentCommitted { .. });
    assert!(ran.events.iter().filter(segments).count() > HOSTS.len(), "several receipts a host");
    landing.assert_restores(&sources);
}
