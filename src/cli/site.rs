//! Where and as whom: the site's folder, what its files say, and its state.
//!
//! **The state folder** (0700) is made by the first command that writes. Readers work before it
//! exists and while a run holds the lock. What is missing of it is not begun anew in silence:
//! [`lost`].

pub mod lost;
pub mod warnings;

use std::fs::{self, DirBuilder, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::args::GlobalArgs;
use crate::cli::failure::{Failure, shown};
use crate::cli::{invite, print};
use crate::gate::HoldsLog;
use crate::inventory::{self, Inventory, Problem, SETTINGS_FILE, SetAside, Settings};
use crate::ledger::lock::Holder;
use crate::ledger::{Ledger, StateLock};
use crate::model::text::bounded;
use crate::model::{Clock, SiteId, SystemClock, Timestamp};
use crate::run::invite::book::Invitation;
use crate::run::tenants::tenants;
use crate::store::{
    Disk, Disks, KeyError, KeyRing, ManifestError, OpenReport, Store, StoreError, Writer,
    keep_unpacker, put_site, read_site,
};

/// Folder of everything that evac keeps for itself.
pub const STATE_FOLDER: &str = "state";
/// Folder of plans.
pub const PLANS_FOLDER: &str = "plans";
/// The record of what is done, in the state folder.
const LEDGER_FILE: &str = "ledger.db";
/// The keys that name chunks, in the state folder.
const KEYS_FOLDER: &str = "keys";
/// The rendered page, in the state folder.
const STATUS_FOLDER: &str = "status";
/// The copy of the inventory that customers are looked up in, in the state folder.
const LOOKUP_FILE: &str = "lookup";
/// Longest name of an operator.
const OPERATOR_CHARS_MAX: usize = 80;

/// What every command knows.
#[derive(Clone)]
pub struct Global {
    /// The site's folder, absolute.
    pub site: PathBuf,
    /// Who gives the command.
    pub by: String,
    /// Did he say so, by `--as` or `EVAC_OPERATOR`?
    pub is_named: bool,
    /// JSON on stdout?
    pub json: bool,
    /// Do not ask before bulk work?
    pub yes: bool,
    /// The machine's clocks.
    pub clock: Arc<dyn Clock>,
}

/// What the site's files say.
#[derive(Clone)]
pub struct Loaded {
    /// The settings; without mistakes.
    pub settings: Settings,
    /// Whatever is usable.
    pub inventory: Inventory,
    /// Every mistake.
    pub problems: Vec<Problem>,
    /// What the rest runs without.
    pub set_aside: Vec<SetAside>,
}

/// The state, to write; nobody else writes meanwhile. Dropping it lets go of the lock last.
pub struct Writing {
    /// What happened.
    pub ledger: Arc<Ledger>,
    /// The keys that name chunks.
    pub keys: Arc<KeyRing>,
    /// Where packs and manifests lie.
    pub disk: Arc<dyn Disk>,
    /// The folders that make it up.
    pub disks: Arc<Disks>,
    /// What was taken.
    pub store: Store,
    /// Adds to it; `None` for commands that only read it back.
    pub writer: Option<Writer>,
    /// The right to write.
    pub lock: StateLock,
}

/// The state, to read.
pub struct Reading {
    /// What happened; an empty one when nothing did.
    pub ledger: Ledger,
    /// Who writes now, if anybody does.
    pub running: Option<Holder>,
    /// Whose console is waited for.
    pub invited: Vec<Invitation>,
}

impl Global {
    /// Resolves the flags.
    pub fn new(args: &GlobalArgs) -> Result<Self, Failure> {
        let site = std::path::absolute(&args.site)
            .map_err(|error| Failure::io("find the folder", &args.site, &error))?;
        let by = args.by.clone().unwrap_or_else(operator);
        Ok(Self {
            site,
            by: bounded(&by, OPERATOR_CHARS_MAX),
            is_named: args.by.is_some(),
            json: args.json,
            yes: args.yes,
            clock: Arc::new(SystemClock::default()),
        })
    }

    /// Wall time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The folder of everything that evac keeps for itself.
    pub fn state(&self) -> PathBuf {
        self.site.join(STATE_FOLDER)
    }

    /// The record of what is done.
    pub fn ledger_path(&self) -> PathBuf {
        self.state().join(LEDGER_FILE)
    }

    /// The keys that name chunks.
    pub fn keys_path(&self) -> PathBuf {
        self.state().join(KEYS_FOLDER)
    }

    /// The copy of the inventory that customers are looked up in.
    pub fn lookup_path(&self) -> PathBuf {
        self.state().join(LOOKUP_FILE)
    }

    /// The rendered page.
    pub fn status_path(&self) -> PathBuf {
        self.state().join(STATUS_FOLDER)
    }

    /// A file that people name from where they stand, or from the site: `plans/night.toml`.
    pub fn named(&self, path: &Path) -> PathBuf {
        if path.exists() { path.to_owned() } else { self.site.join(path) }
    }

    /// Reads settings and inventory, which must name a host; tells what is set aside, and what
    /// goes without a target.
    pub fn load(&self) -> Result<Loaded, Failure> {
        let reading = self.read_files()?;
        reading.usable()?;
        warnings::tell(&reading);
        self.held_back(loaded(reading))
    }

    /// Reads settings and inventory, which may still be empty.
    pub fn load_settings(&self) -> Result<Loaded, Failure> {
        let reading = self.read_files()?;
        if !reading.settings_ok() {
            reading.usable()?;
        }
        self.held_back(loaded(reading))
    }

    /// The log of holds.
    pub fn holds_log(&self) -> HoldsLog {
        HoldsLog::of(&self.state())
    }

    /// The same with the holds of the log, which are stronger than what the inventory says; what
    /// the inventory holds back is put into the log, so that it does not end by being taken out.
    pub fn held_back(&self, mut loaded: Loaded) -> Result<Loaded, Failure> {
        if !is_there(&self.state())? {
            return Ok(loaded);
        }
        let (log, now) = (self.holds_log(), self.now());
        let mut holds = log.read()?;
        if !holds.found_in(&loaded.inventory, now).is_empty() {
            match log.append(|known| (known.found_in(&loaded.inventory, now), ())) {
                Ok(((), after)) => holds = after,
                // Whoever may only read sees the hold all the same, for it is in the inventory.
                Err(error) => print::tell(&format!("warning: {}", crate::run::explain(&error))),
            }
        }
        for line in &holds.unreadable {
            let file = shown(log.path());
            print::tell(&format!("warning: {file}:{line} cannot be read, and may be a hold"));
        }
        holds.lay_over(&mut loaded.inventory);
        Ok(loaded)
    }

    /// Reads settings and inventory, whatever mistakes they have.
    pub fn read_files(&self) -> Result<inventory::Reading, Failure> {
        let settings = self.site.join(SETTINGS_FILE);
        match fs::metadata(&settings) {
            Ok(_) => Ok(inventory::read(&self.site)),
            Err(error) => {
                let site = shown(&self.site);
                let message = format!("no {SETTINGS_FILE} in {site}");
                let failure = match error.kind() {
                    ErrorKind::NotFound => Failure::usage(message),
                    _ => Failure::usage(message).because(&error),
                };
                Err(failure
                    .hint(format!("`evac init {site}` writes one; --site DIR names another.")))
            }
        }
    }

    /// Makes the state folder where it is missing, closed to others.
    pub fn make_state(&self) -> Result<PathBuf, Failure> {
        let state = self.state();
        let fail = |error: std::io::Error| Failure::io("make the folder", &state, &error);
        match DirBuilder::new().mode(0o700).create(&state) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(fail(error)),
            _ => {}
        }
        let mode = fs::metadata(&state).map_err(fail)?.permissions().mode();
        if mode & 0o077 != 0 {
            fs::set_permissions(&state, Permissions::from_mode(0o700)).map_err(|error| {
                Failure::io("close to others the folder", &state, &error)
                    .hint("It holds keys and customers' data; nobody else may look into it.")
            })?;
        }
        Ok(state)
    }

    /// Takes the right to write the state, or says who has it.
    pub fn lock_state(&self) -> Result<StateLock, Failure> {
        let state = self.make_state()?;
        Ok(StateLock::acquire(&state, &self.by, self.now())?)
    }

    /// Opens the ledger to write; the caller holds the lock.
    pub fn open_ledger(&self, _held: &StateLock) -> Result<Ledger, Failure> {
        self.refuse_lost_ledger()?;
        Ok(Ledger::open(&self.ledger_path())?.with_clock(Arc::clone(&self.clock)))
    }

    /// Opens the ledger to write while a run may go on: for what must not wait until it ends. Each
    /// change stands alone, is ordered by the database, and moves only what no run moves: what
    /// checks say, what is switched on, where second copies are. Without a ledger there is nothing
    /// of that, so none is made.
    pub fn open_ledger_beside(&self) -> Result<Ledger, Failure> {
        self.refuse_lost_ledger()?;
        if !is_there(&self.ledger_path())? {
            let failure = Failure::refused("nothing is restored yet: there is no ledger");
            return Err(failure.hint("`evac run` begins one, and `evac restore` restores."));
        }
        Ok(Ledger::open(&self.ledger_path())?.with_clock(Arc::clone(&self.clock)))
    }

    /// The same for words, which need nothing: makes a ledger where there is none.
    pub fn open_ledger_for_words(&self) -> Result<Ledger, Failure> {
        let is_new = !is_there(&self.ledger_path())?;
        if is_new { self.open_ledger(&self.lock_state()?) } else { self.open_ledger_beside() }
    }

    /// Opens everything to add to the store.
    pub fn open_for_writing(&self, inventory: &Inventory) -> Result<Writing, Failure> {
        let lock = self.lock_state()?;
        let ledger = Arc::new(self.open_ledger(&lock)?);
        lost::refuse_lost_store(&ledger, &self.store_path())?;
        let (keys, disks) = self.store_parts()?;
        let disk: Arc<dyn Disk> = disks.clone();
        if let Err(error) = disks.catch_up() {
            // Home has them; the second copy can wait until that disk is well.
            print::tell(&format!("warning: manifests are not kept twice: {error}"));
        }
        let (store, writer, report) =
            Store::open_for(Arc::clone(&disk), Arc::clone(&keys), tenants(inventory))?;
        if report.away_packs > 0 {
            let packs = report.away_packs;
            print::tell(&format!("warning: {packs} packs are on disks that are not there"));
        }
        keep_site(&store, ledger.site()?)?;
        if let Err(error) = keep_unpacker(&*disk) {
            // The data comes first: a disk that is full now may be so for good reasons.
            print::tell(&format!("warning: the store is without its unpack.py: {error}"));
        }
        Ok(Writing { ledger, keys, disk, disks, store, writer: Some(writer), lock })
    }

    /// Opens the ledger to write, and the store to read back: damage that forbids to add to it, a
    /// lost key, must not keep anybody from seeing what it concerns and from restoring the rest.
    pub fn open_for_reading_back(&self) -> Result<Writing, Failure> {
        let lock = self.lock_state()?;
        let ledger = Arc::new(self.open_ledger(&lock)?);
        lost::refuse_lost_store(&ledger, &self.store_path())?;
        let (keys, disks) = self.store_parts()?;
        let disk: Arc<dyn Disk> = disks.clone();
        let store = open_store(&keys, &disk)?;
        Ok(Writing { ledger, keys, disk, disks, store, writer: None, lock })
    }

    fn store_parts(&self) -> Result<(Arc<KeyRing>, Arc<Disks>), Failure> {
        let keys = Arc::new(KeyRing::open(&self.keys_path())?);
        Ok((keys, self.open_disks(true)?))
    }

    /// Opens the ledger to read, beside whoever writes it; before there is one it is empty.
    pub fn open_read_only(&self) -> Result<Reading, Failure> {
        let path = self.ledger_path();
        let ledger = if lost::has_ledger(&path)? {
            Ledger::open_read_only(&path)?
        } else {
            self.refuse_lost_ledger()?;
            Ledger::in_memory()?
        };
        let running = StateLock::holder(&self.state())?;
        let invited = invite::open(self)?;
        Ok(Reading { ledger: ledger.with_clock(Arc::clone(&self.clock)), running, invited })
    }

    /// Opens the store to read, beside whoever writes it; `None` before anything was stored.
    pub fn open_store_read_only(&self) -> Result<Option<(Store, OpenReport)>, Failure> {
        if !is_there(&self.store_path())? {
            return Ok(None);
        }
        let keys = Arc::new(KeyRing::open(&self.keys_path())?);
        Ok(Some(Store::open_read_only(self.open_disks(false)?, keys)?))
    }

    /// Opens the store to read back, with the lock held. `None` before anything was stored.
    pub fn open_store(&self, _held: &StateLock) -> Result<Option<Store>, Failure> {
        if !is_there(&self.store_path())? {
            return Ok(None);
        }
        let (keys, disks) = self.store_parts()?;
        let disk: Arc<dyn Disk> = disks;
        Ok(Some(open_store(&keys, &disk)?))
    }

    fn refuse_lost_ledger(&self) -> Result<(), Failure> {
        lost::refuse_lost_ledger(&self.ledger_path(), &self.store_path())
    }
}

/// What a crash left is put in order where every key is there; else nothing is changed.
fn open_store(keys: &Arc<KeyRing>, disk: &Arc<dyn Disk>) -> Result<Store, Failure> {
    match Store::open(Arc::clone(disk), Arc::clone(keys)) {
        Err(StoreError::Key(KeyError::Missing { .. })) => {
            Ok(Store::open_read_only(Arc::clone(disk), Arc::clone(keys))?.0)
        }
        opened => Ok(opened?.0),
    }
}

/// The store says to which site it belongs before it holds anything, so that a lost ledger finds
/// its id again; and the wrong ledger is noticed before it is believed.
fn keep_site(store: &Store, site: SiteId) -> Result<(), Failure> {
    let disk = &**store.disk();
    let known = match read_site(disk) {
        Err(ManifestError::Damaged { .. }) => None,
        known => known?,
    };
    match known {
        Some(known) if known == site => Ok(()),
        Some(_) if store.pack_count() > 0 => {
            let failure = Failure::refused("the ledger is of another site than what is stored");
            Err(failure.hint("Put the right one back, or `evac ledger rebuild` makes it anew."))
        }
        _ => Ok(put_site(disk, site)?),
    }
}

/// Whoever is at the keyboard, when nobody was named.
fn operator() -> String {
    let names = ["SUDO_USER", "LOGNAME", "USER"];
    let known = names.iter().find_map(|name| std::env::var(name).ok().filter(|by| !by.is_empty()));
    known.unwrap_or_else(|| "unknown".into())
}

fn loaded(reading: inventory::Reading) -> Loaded {
    let inventory::Reading { settings, inventory, problems, set_aside, .. } = reading;
    Loaded { settings, inventory, problems, set_aside }
}

fn is_there(path: &Path) -> Result<bool, Failure> {
    path.try_exists().map_err(|error| Failure::io("look at", path, &error))
}
