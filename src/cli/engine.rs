//! What the commands that dial have in common: the runtime, the way to machines, who is told.

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes as Buffer;

use crate::cli::site::{Loaded, Writing};
use crate::cli::{Failure, Global};
use crate::ledger::snapshot::Snapshot;
use crate::model::{Event, EventSink, SiteId};
use crate::run::Site;
use crate::run::reach::Reach;
use crate::ssh::deploy::Agent;
use crate::ssh::{Ask, DialLimits, Dialler, Keyring};
use crate::term::{self, Output, Roster};

/// Refused logins of the last minutes, in the state folder.
pub const LOGINS_FILE: &str = "logins";

/// A runtime for the async shell.
pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    raise_file_limit();
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::internal("cannot start the runtime").because(&error))
}

/// Hundreds of hosts are a socket, a pack, a manifest and a table of links each, and the usual soft
/// limit is 1024 files; the hard one is there to be used.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Where it is forbidden all the same, fewer hosts at once go well.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// Asks for a key's passphrase on the terminal, if there is one.
struct Terminal;

impl Ask for Terminal {
    fn passphrase(&self, identity: &Path, attempt: u32) -> Option<String> {
        if !std::io::stdin().is_terminal() {
            return None;
        }
        let again = if attempt > 1 { " (that was not it)" } else { "" };
        let question = format!("Passphrase of {}{again}: ", identity.display());
        rpassword::prompt_password(question).ok()
    }
}

/// The way to every machine of the site; this very binary is the agent.
pub fn reach(global: &Global, loaded: &Loaded, writing: &Writing) -> Result<Reach, Failure> {
    reach_as(writing.ledger.site()?, global, loaded)
}

/// The same for a command that needs no store.
pub fn reach_as(site: SiteId, global: &Global, loaded: &Loaded) -> Result<Reach, Failure> {
    let itself = Path::new("/proc/self/exe");
    let binary = std::fs::read(itself)
        .map_err(|error| Failure::io("read the running program", itself, &error))?;
    let keyring = Arc::new(Keyring::new(Arc::new(Terminal)));
    let dialler = Dialler::new(DialLimits::default(), keyring, global.clock.clone());
    let dialler = dialler.remembering(global.state().join(LOGINS_FILE));
    Ok(Reach::new(
        (site, &global.site),
        &loaded.settings,
        &loaded.inventory,
        dialler,
        Agent::new(Buffer::from(binary)),
        global.clock.clone(),
    ))
}

/// What a run works on.
pub fn site(global: &Global, loaded: &Loaded, writing: &Writing) -> Result<Site, Failure> {
    Ok(Site {
        folder: global.site.clone(),
        state: global.state(),
        id: writing.ledger.site()?,
        settings: loaded.settings.clone(),
        inventory: loaded.inventory.clone(),
        ledger: writing.ledger.clone(),
        store: writing.store.clone(),
        disks: Some(writing.disks.clone()),
        clock: global.clock.clone(),
        by: global.by.clone(),
    })
}

/// Who is told: programs on stdout, people on stderr.
pub fn output(global: &Global, snapshot: &Snapshot) -> Result<Arc<Told>, Failure> {
    let roster = Roster::new(snapshot);
    let output = if global.json {
        term::json(std::io::stdout())
    } else if std::io::stderr().is_terminal() {
        term::bars(roster, global.clock.clone())
    } else {
        term::plain(std::io::stderr(), roster, global.clock.clone())
    };
    let output =
        output.map_err(|error| Failure::internal("cannot show progress").because(&error))?;
    Ok(Arc::new(Told { output: std::sync::Mutex::new(Some(output)) }))
}

/// Nobody is told.
pub fn quiet() -> Arc<Told> {
    Arc::new(Told { output: std::sync::Mutex::new(None) })
}

/// Output that many may write to and one ends.
pub struct Told {
    output: std::sync::Mutex<Option<Output>>,
}

impl Told {
    /// Writes what still waits.
    pub fn finish(&self) {
        if let Some(output) = self.output.lock().expect("no holder of this lock panics").take() {
            output.finish();
        }
    }
}

impl EventSink for Told {
    fn emit(&self, event: &Event) {
        if let Some(output) = &*self.output.lock().expect("no holder of this lock panics") {
            output.emit(event);
        }
    }
}
