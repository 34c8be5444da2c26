//! A site with an honest host and a lying one, inside this process: SSH is real, what runs behind
//! it is a real process, and the run is the one that `evac run` carries out.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use crate::site::access;
use evac::inventory;
use evac::ledger::Ledger;
use evac::model::{Event, EventSink, PassNumber, Reason, SystemClock, WorkloadId};
use evac::run::reach::Reach;
use evac::run::stop::Stop;
use evac::run::talk::Patience;
use evac::run::{Options, Pace, RunEnd, Site};
use evac::ssh::deploy::Agent;
use evac::ssh::embedded::{EmbeddedHost, EmbeddedOptions};
use evac::ssh::{DialLimits, Dialler, Keyring, NobodyThere};
use evac::store::verify::{PassRef, verify};
use evac::store::{KeyRing, LocalDisk, Store, Writer};
use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey};

/// Panics outside of tests' own threads.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Everything around one run.
pub struct Ground {
    folder: tempfile::TempDir,
    pub site: Site,
    writer: Option<Writer>,
    hosts: Vec<EmbeddedHost>,
}

/// How a run went.
pub struct Told {
    pub end: RunEnd,
    pub events: Vec<Event>,
}

pub fn honest() -> WorkloadId {
    WorkloadId::new("honest-files").unwrap()
}

pub fn liar() -> WorkloadId {
    WorkloadId::new("liar-files").unwrap()
}

fn watch_panics() {
    static WATCH: Once = Once::new();
    WATCH.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            // A test that fails panics in a thread of its own name.
            if !std::thread::current().name().is_some_and(|name| name.contains("::")) {
                PANICS.lock().unwrap().push(panic.to_string());
            }
            usual(panic);
        }));
    });
}

impl Ground {
    /// With a host `honest`, a host `liar` and a target of each name in `targets`; each lies as it
    /// is told, and `None` is the real agent.
    pub async fn new(lie: Option<&str>, targets: &[&str]) -> Self {
        watch_panics();
        let folder = tempfile::Builder::new().prefix("evac-lies-").tempdir().unwrap();
        let root = folder.path();
        let key = PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519);
        let key = key.unwrap();
        key.write_openssh_file(root.join("id"), LineEnding::LF).unwrap();
        let mut hosts = Vec::new();
        let mut inventory = Vec::new();
        let mut settings = vec!["[site]\nname = \"t\"\n[ssh]\nidentity = [\"id\"]\n".to_owned()];
        let mut known_hosts = Vec::new();
        for (name, lie) in [("honest", None), ("liar", lie)] {
            plant(&root.join(name));
            let host = start(root, &key, lie).await;
            inventory.push(entry(name, &host, root));
            hosts.push(host);
        }
        for (number, lie) in targets.iter().enumerate() {
            let host = start(root, &key, Some(lie)).await;
            let port = host.port();
            let target = format!("id = \"t{number}\"\naddress = \"127.0.0.1\"\nport = {port}\n");
            settings.push(format!("[[target]]\n{target}"));
            let public = host.key().to_openssh().unwrap();
            known_hosts.push(format!("[127.0.0.1]:{port} {public}\n"));
            hosts.push(host);
        }
        fs::write(root.join("evac.toml"), settings.concat()).unwrap();
        fs::write(root.join("inventory.toml"), inventory.concat()).unwrap();
        fs::write(root.join("known_hosts"), known_hosts.concat()).unwrap();
        let (site, writer) = open(root);
        Self { folder, site, writer: Some(writer), hosts }
    }

    /// The way to its machines; the agent it puts there lies where `LIE` says how.
    pub fn reach(&self, patience: Patience) -> Reach {
        let keyring = Arc::new(Keyring::new(Arc::new(NobodyThere)));
        let clock = self.site.clock.clone();
        let dialler = Dialler::new(DialLimits::default(), keyring, clock.clone());
        let evac = Path::new(env!("CARGO_BIN_EXE_evac"));
        let liar = evac.with_file_name("examples").join("liar");
        assert!(liar.exists(), "build it first: cargo build --example liar");
        let (evac, liar) = (evac.display(), liar.display());
        let script =
            format!("#!/bin/sh\n[ -z \"$LIE\" ] && exec '{evac}' \"$@\"\nexec '{liar}' \"$@\"\n");
        let site = (self.site.id, self.site.folder.as_path());
        let agent = Agent::new(script.into());
        let (settings, inventory) = (&self.site.settings, &self.site.inventory);
        Reach::new(site, settings, inventory, dialler, agent, clock).with_patience(patience)
    }

    /// Captures `order` to the end, whatever that is. `watch` sees every event.
    pub async fn run(
        &mut self,
        order: &[WorkloadId],
        patience: Patience,
        pace: Pace,
        watch: impl Fn(&Event, &Stop) + Send + Sync + 'static,
    ) -> Told {
        let host_of = |id: &WorkloadId| self.site.inventory.workload(id).unwrap().host.clone();
        let options = Options {
            order: order.iter().map(|id| (host_of(id), id.clone())).collect(),
            ..Options::default()
        };
        let stop = Stop::default();
        let events = Arc::new(Mutex::new(Vec::new()));
        let (sink, pressed) = (events.clone(), stop.clone());
        let sink: Arc<dyn EventSink> = Arc::new(move |event: &Event| {
            watch(event, &pressed);
            if !matches!(event, Event::LeftOut { .. }) {
                sink.lock().unwrap().push(event.clone());
            }
        });
        let writer = self.writer.take().expect("a ground is run on once");
        let reach = self.reach(patience);
        let run = evac::run::run_at(pace, &self.site, writer, reach, options, &stop, sink);
        let end = tokio::time::timeout(Duration::from_secs(60), run).await;
        let end = end.expect("the run ends by itself").unwrap();
        let events = std::mem::take(&mut *events.lock().unwrap());
        assert_eq!(*PANICS.lock().unwrap(), Vec::<String>::new());
        Told { end, events }
    }

    /// Fails unless the honest workload is sealed and every byte of it can be had.
    #[track_caller]
    pub fn check_honest(&self) -> PassNumber {
        let passes = self.site.ledger.passes(&honest()).unwrap();
        assert_eq!(passes.len(), 1);
        assert!(passes[0].sealed_at.is_some(), "the honest host was harmed");
        assert_eq!(passes[0].tally.files, FILES);
        let number = passes[0].number;
        let name = evac::store::PassName { workload: honest(), pass: number };
        let ends = self.site.ledger.run_ends(&honest(), number).unwrap();
        let ends = ends.into_iter().map(|(run, end_bytes)| evac::store::RunEnd { run, end_bytes });
        let pass = PassRef { name, ends: ends.collect() };
        let report = verify(&self.site.store, &[pass], true, &mut |_| {}).unwrap();
        assert_eq!(report.bad, []);
        assert!(report.checked_bytes.0 > 0);
        number
    }

    /// Fails if the liar's workload counts as captured, or if anything stands in the store that
    /// belongs to neither.
    #[track_caller]
    pub fn check_liar(&self) {
        let passes = self.site.ledger.passes(&liar()).unwrap();
        assert!(passes.iter().all(|pass| pass.sealed_at.is_none()), "a lie was sealed");
        for workload in fs::read_dir(self.folder.path().join("state/store/manifests")).unwrap() {
            let name = workload.unwrap().file_name().into_string().unwrap();
            assert!(["honest-files", "liar-files"].contains(&name.as_str()), "{name}");
        }
    }

    /// Stops its hosts and waits until nothing of them runs. An honest agent removed its folder.
    pub async fn end(mut self) {
        for host in std::mem::take(&mut self.hosts) {
            host.stop().await;
        }
        for folder in self.agent_folders() {
            assert!(!folder.ends_with("-honest"), "{folder} was left behind");
        }
    }

    /// Folders of agents that are still there.
    fn agent_folders(&self) -> Vec<String> {
        let mine = format!(".evac-{}-", self.site.id);
        let roots = ["/dev/shm", "/run", "/var/tmp", "/tmp"].into_iter();
        let entries = roots.filter_map(|root| fs::read_dir(root).ok()).flatten().flatten();
        let names = entries.filter(|e| e.file_name().to_string_lossy().starts_with(&mine));
        names.map(|entry| entry.path().to_string_lossy().into_owned()).collect()
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // A liar that was killed has left its folder.
        for folder in self.agent_folders() {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// Why a workload was not captured.
pub fn failure(told: &Told, id: &WorkloadId) -> Option<(Reason, String)> {
    told.events.iter().rev().find_map(|event| match event {
        Event::CaptureFailed { workload, reason, detail }
        | Event::CaptureStopped { workload, reason, detail }
            if workload == id =>
        {
            Some((*reason, detail.clone()))
        }
        _ => None,
    })
}

/// Files of the honest tree.
const FILES: u64 = 12;

fn plant(root: &Path) {
    fs::create_dir_all(root.join("data/deep")).unwrap();
    for number in 0..FILES {
        let mut content = vec![0; 9_000 * (number as usize + 1)];
        blake3::Hasher::new().update(&number.to_le_bytes()).finalize_xof().fill(&mut content);
        fs::write(root.join(format!("data/deep/{number}")), content).unwrap();
    }
    std::os::unix::fs::symlink("deep", root.join("data/link")).unwrap();
}

async fn start(root: &Path, key: &PrivateKey, lie: Option<&str>) -> EmbeddedHost {
    let mut environment = vec![("XDG_RUNTIME_DIR".to_owned(), String::new())];
    environment.push(("LIE".to_owned(), lie.unwrap_or_default().to_owned()));
    let authorized = key.public_key().clone();
    let folder = root.to_owned();
    EmbeddedHost::start(EmbeddedOptions { authorized, environment, folder }).await.unwrap()
}

fn entry(name: &str, host: &EmbeddedHost, root: &Path) -> String {
    let key = host.key().to_openssh().unwrap();
    let (port, data, access) = (host.port(), root.join(name).join("data"), access());
    format!(
        "[[customer]]\nid = \"{name}\"\n[[host]]\nid = \"{name}\"\naddress = \"127.0.0.1\"\n\
         port = {port}\nhost_key = \"{key}\"\ncustomer = \"{name}\"\n{access}[[host.workload]]\n\
         id = \"{name}-files\"\nkind = \"files\"\npaths = [{data:?}]\n"
    )
}

fn open(root: &Path) -> (Site, Writer) {
    let reading = inventory::read(root);
    assert!(reading.problems.iter().all(|problem| !problem.is_error()), "{:?}", reading.problems);
    let state = root.join("state");
    fs::create_dir(&state).unwrap();
    let clock = Arc::new(SystemClock::default());
    let ledger = Ledger::open(&state.join("ledger.db")).unwrap().with_clock(clock.clone());
    let keys = Arc::new(KeyRing::open(&state.join("keys")).unwrap());
    let disk = Arc::new(LocalDisk::open(&state.join("store")).unwrap());
    let (store, writer, _) = Store::open(disk, keys).unwrap();
    let site = Site {
        disks: None,
        folder: root.to_owned(),
        state,
        id: ledger.site().unwrap(),
        settings: reading.settings,
        inventory: reading.inventory,
        ledger: Arc::new(ledger),
        store,
        clock,
        by: "test".to_owned(),
    };
    (site, writer)
}
