//! What the pages are made of: this site's files, ledger and running run.
//!
//! **Promises.** Files are read again when they change. A slip in one of them at 3 am leaves what
//! was read before, and is told on stderr; holds are heeded all the same, as they stand now.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use jiff::tz::TimeZone;

use crate::cli::failure::Kind;
use crate::cli::lookup::Looked;
use crate::cli::serve::night;
use crate::cli::site::{Loaded, Reading};
use crate::cli::{Failure, Global, lookup, note, print};
use crate::inventory::{Customer, SETTINGS_FILE};
use crate::ledger::find::names::known_by;
use crate::ledger::find::{Hit, Hits};
use crate::ledger::lookup::{Refused, Source};
use crate::ledger::snapshot::CustomerStatus;
use crate::ledger::{Fit, Lookup};
use crate::model::Timestamp;
use crate::web::{Caller, Desk, LookedUp, Night, Seen, Told, Unavailable, Views, Whom};

/// What inventories are called.
const INVENTORY_FILE: &str = "inventory.toml";
const INVENTORY_FOLDER: &str = "inventory.d";
/// What is said where files cannot be read any more.
const AS_BEFORE: &str = "What was read before counts until it is mended.";
/// Reading everybody takes seconds, and callers wait: what cannot be read, and what was surveyed
/// since, is read once a minute.
const AGAIN: Duration = Duration::from_secs(60);

/// This site.
pub(super) struct LocalDesk {
    global: Global,
    colleague: Option<String>,
    read: Mutex<Option<(Stamps, Arc<Loaded>)>>,
    lookup: Mutex<Kept>,
    /// What was told last: what stays wrong is told once.
    told: Mutex<String>,
}

/// What customers are looked up in.
#[derive(Default)]
struct Kept {
    desk: Option<lookup::Desk>,
    /// The files that it could not be made of, and when: they are not read again at once.
    failed: Option<(Vec<Source>, Timestamp)>,
}

/// Which files were read, and how they looked.
type Stamps = Vec<(PathBuf, Option<(SystemTime, u64)>)>;

impl LocalDesk {
    pub(super) fn new(global: &Global, colleague: Option<String>) -> Self {
        let (read, lookup, told) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { global: global.clone(), colleague, read, lookup, told }
    }

    /// Reads what the pages of `views` are made of, so that whoever starts them hears what is wrong
    /// with it, and not the first who asks.
    pub(super) fn begin(&self, views: Views) -> Result<(), Failure> {
        if views.live {
            self.loaded()?;
        }
        if views.support {
            self.find(Whom::Nobody, 0)?;
        }
        Ok(())
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
                print::tell(&format!("{failure}{AS_BEFORE}"));
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
        let (_, snapshot) = reading.look(&loaded, self.global.now())?;
        let site = &loaded.settings.site;
        Ok(Seen { name: site.name.clone(), zone: zone(&site.timezone), snapshot })
    }

    /// One look-up after the other: each needs both the memory and the processors for itself.
    fn find(&self, whom: Whom<'_>, most: usize) -> Result<LookedUp, Failure> {
        let mut kept = self.lookup.lock().unwrap_or_else(PoisonError::into_inner);
        let (reading, now) = (self.global.open_read_only()?, self.global.now());
        self.renew(&mut kept, &reading)?;
        let Some(desk) = &mut kept.desk else {
            return Err(Failure::internal("no look-up file"));
        };
        let meant = desk.whom(&self.global, &reading, |lookup| hits(lookup, whom, most))?;
        let total = meant.hits.total;
        let (as_of, callers) = if total == 0 {
            (now, Vec::new())
        } else {
            let looked = desk.look(&self.global, &reading, meant, now)?;
            (looked.snapshot.as_of, callers(looked))
        };
        let site = &desk.settings.site;
        Ok(LookedUp {
            as_of,
            name: site.name.clone(),
            colleague: self.colleague.clone().or_else(|| desk.settings.colleague.clone()),
            languages: site.languages.iter().filter_map(|code| code.parse().ok()).collect(),
            timezone: site.timezone.clone(),
            zone: zone(&site.timezone),
            total,
            callers,
        })
    }

    /// Makes the look-up file anew where another would be made now.
    fn renew(&self, kept: &mut Kept, reading: &Reading) -> Result<(), Failure> {
        let (sources, now) = (lookup::sources(&self.global), self.global.now());
        if let Some(desk) = &kept.desk {
            let is_late = |at: Timestamp| now.since(at) >= AGAIN;
            let is_outgrown = is_late(desk.lookup.about().made_at) && desk.is_outgrown(reading)?;
            let is_good = !desk.is_of_others(&sources) && !is_outgrown;
            let failed = kept.failed.as_ref();
            if is_good || failed.is_some_and(|(of, at)| *of == sources && !is_late(*at)) {
                return Ok(());
            }
        }
        match (lookup::Desk::open(&self.global, reading), &kept.desk) {
            (Ok(desk), _) => *kept = Kept { desk: Some(desk), failed: None },
            (Err(failure), None) => return Err(failure),
            (Err(failure), Some(_)) => {
                self.tell(format!("{failure}{AS_BEFORE}"));
                kept.failed = Some((sources, now));
            }
        }
        Ok(())
    }

    /// Only what is about himself: what is about his host or group may name others.
    fn notes_on(&self, customer: &CustomerStatus) -> Result<Vec<Told>, Failure> {
        let notes = note::all(&self.global.open_read_only()?.ledger)?.into_iter();
        let his = notes.filter(|it| it.what == exact(customer));
        Ok(his.map(|it| Told { at: it.at, by: it.by, text: it.text }).collect())
    }
}

/// Whoever may be meant, `most` of them at most.
fn hits(lookup: &Lookup, whom: Whom<'_>, most: usize) -> Result<Hits, Refused> {
    let mut hits = match whom {
        Whom::Nobody => Hits::default(),
        Whom::Text(text) => lookup.search(text),
        Whom::Id(id) => {
            let hit = |customer| Hit { customer, fit: Fit::Exact, names: vec![0] };
            let best: Vec<Hit> = lookup.place(id)?.into_iter().map(hit).collect();
            Hits { total: best.len(), best, ..Hits::default() }
        }
    };
    hits.best.truncate(most);
    Ok(hits)
}

/// Who was found, with where he stands.
fn callers(looked: Looked) -> Vec<Caller> {
    let Looked { hits, inventory, view, snapshot } = looked;
    let known = known_by(&view);
    let found = hits.best.iter().zip(snapshot.customers).zip(&known).zip(&inventory.customers);
    let caller = |(((hit, status), known), customer): (((&Hit, _), &Vec<_>), &Customer)| {
        let (matched_by, matched) = hit.matched(known);
        let matched = Some(matched).filter(|_| !hit.is_by_contact(known));
        let spoken = customer.language.as_ref().and_then(|code| code.parse().ok());
        Caller { status, spoken, fit: hit.fit, matched_by, matched }
    };
    found.map(caller).collect()
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

impl Desk for LocalDesk {
    fn look_up(&self, whom: Whom<'_>, most: usize) -> Result<LookedUp, Unavailable> {
        self.find(whom, most).map_err(|failure| self.unavailable(&failure))
    }

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

#[cfg(test)]
mod tests;
