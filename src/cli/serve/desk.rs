//! What the pages are made of: this site's files, ledger and running run.
//!
//! **Promises.** Files are read again when they change. A slip in one of them at 3 am leaves what
//! was read before, and is told on stderr; holds are heeded all the same, as they stand now.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use jiff::tz::TimeZone;

use crate::cli::failure::Kind;
use crate::cli::serve::night;
use crate::cli::site::Loaded;
use crate::cli::{Failure, Global, note, print};
use crate::inventory::SETTINGS_FILE;
use crate::ledger::snapshot::CustomerStatus;
use crate::publish::Language;
use crate::web::{Desk, Night, Seen, Told, Unavailable};

/// What inventories are called.
const INVENTORY_FILE: &str = "inventory.toml";
const INVENTORY_FOLDER: &str = "inventory.d";

/// This site.
pub(super) struct LocalDesk {
    global: Global,
    colleague: Option<String>,
    read: Mutex<Option<(Stamps, Arc<Loaded>)>>,
    /// What was told last: what stays wrong is told once.
    told: Mutex<String>,
}

/// Which files were read, and how they looked.
type Stamps = Vec<(PathBuf, Option<(SystemTime, u64)>)>;

impl LocalDesk {
    pub(super) fn new(global: &Global, colleague: Option<String>) -> Self {
        let (read, told) = (Mutex::default(), Mutex::default());
        Self { global: global.clone(), colleague, read, told }
    }

    /// What the site's files say now.
    pub(super) fn loaded(&self) -> Result<Arc<Loaded>, Failure> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.stamps();
        if let Some((stamps, loaded)) = &*read
            && *stamps == now
        {
            return Ok(Arc::clone(loaded));
        }
        let loaded = match (self.global.load(), &*read) {
            (Ok(loaded), _) => loaded,
            (Err(failure), None) => return Err(failure),
            (Err(failure), Some((_, before))) => {
                print::tell(&format!("{failure}What was read before counts until it is mended."));
                let mut before = Loaded::clone(before);
                self.global.holds_log().read()?.lay_over(&mut before.inventory);
                before
            }
        };
        let loaded = Arc::new(loaded);
        // Reading may have written a hold down.
        *read = Some((self.stamps(), Arc::clone(&loaded)));
        Ok(loaded)
    }

    fn stamps(&self) -> Stamps {
        let site = &self.global.site;
        let folder = site.join(INVENTORY_FOLDER);
        let mut files = vec![site.join(SETTINGS_FILE), site.join(INVENTORY_FILE), folder.clone()];
        files.push(self.global.holds_log().path().to_owned());
        let inside = fs::read_dir(&folder).into_iter().flatten().flatten();
        files.extend(inside.map(|entry| entry.path()));
        files.sort();
        files.into_iter().map(|path| (stamp(&path), path)).map(|(s, path)| (path, s)).collect()
    }

    fn unavailable(&self, failure: &Failure) -> Unavailable {
        self.tell(failure.to_string());
        Unavailable
    }

    fn tell(&self, text: String) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if *told != text {
            print::tell(&text);
            *told = text;
        }
    }

    fn see(&self) -> Result<Seen, Failure> {
        let loaded = self.loaded()?;
        let reading = self.global.open_read_only()?;
        let (view, snapshot) = reading.look(&loaded, self.global.now())?;
        let site = &loaded.settings.site;
        let language = |code: &String| code.parse::<Language>().ok();
        let customers = loaded.inventory.customers.iter();
        Ok(Seen {
            name: site.name.clone(),
            colleague: self.colleague.clone().or_else(|| loaded.settings.colleague.clone()),
            languages: site.languages.iter().filter_map(language).collect(),
            spoken: customers.map(|it| it.language.as_ref().and_then(language)).collect(),
            zone: TimeZone::get(&site.timezone).unwrap_or(TimeZone::UTC),
            view,
            snapshot,
        })
    }

    /// Only what is about himself: what is about his host or group may name others.
    fn notes_on(&self, customer: &CustomerStatus) -> Result<Vec<Told>, Failure> {
        let notes = note::all(&self.global.open_read_only()?.ledger)?.into_iter();
        let his = notes.filter(|it| it.what == exact(customer));
        Ok(his.map(|it| Told { at: it.at, by: it.by, text: it.text }).collect())
    }
}

impl Desk for LocalDesk {
    fn look(&self) -> Result<Seen, Unavailable> {
        self.see().map_err(|failure| self.unavailable(&failure))
    }

    fn night(&self, seen: &Seen) -> Result<Night, Unavailable> {
        let night = self.loaded().and_then(|loaded| night::night(&self.global, &loaded, seen));
        night.map_err(|failure| self.unavailable(&failure))
    }

    fn told(&self, customer: &CustomerStatus) -> Result<Vec<Told>, Unavailable> {
        self.notes_on(customer).map_err(|failure| self.unavailable(&failure))
    }

    fn note(&self, by: &str, customer: &CustomerStatus, text: &str) -> Result<(), Unavailable> {
        let global = Global { by: by.to_owned(), ..self.global.clone() };
        let written = note::write(&global, &exact(customer), text).map(drop);
        written.map_err(|failure| self.unavailable(&failure))
    }

    fn complain(&self, what: &dyn std::error::Error) {
        self.tell(Failure::of(Kind::Failed, what).to_string());
    }
}

/// As notes name him.
fn exact(customer: &CustomerStatus) -> String {
    format!("customer/{}", customer.id)
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
