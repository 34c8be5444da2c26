//! The look-up file beside the ledger, and a look at a few customers of many through it.
//!
//! Reading tens of thousands of customers takes seconds, and a caller waits. So the inventory is
//! kept as `state/lookup` ([`crate::ledger::lookup`]), and made anew whenever a file that it was
//! made of is another one: also by this very evac. Where everybody stands, what is held and what
//! was noted is asked of the ledger and the log of holds each time.

use std::collections::BTreeSet;

use crate::cli::site::{Global, Loaded, Reading, warnings};
use crate::cli::{Failure, facts, files, fleet, print, window};
use crate::inventory::{self, Inventory, Settings};
use crate::ledger::find::Hits;
use crate::ledger::lookup::{About, Content, Refused, Size, Source};
use crate::ledger::{FleetView, Lookup, Snapshot};
use crate::model::Timestamp;

/// Who may be meant, with everything that has to be known about them.
pub struct Looked {
    /// How they were found.
    pub hits: Hits,
    /// What the inventory says of them.
    pub inventory: Inventory,
    /// The same, as the ledger wants to know it.
    pub view: FleetView,
    /// Where they stand.
    pub snapshot: Snapshot,
}

/// The same before it is asked where they stand.
pub struct Meant {
    /// How they were found.
    pub hits: Hits,
    inventory: Inventory,
    sizes: Vec<Size>,
}

/// A look-up file and the settings that go with it.
pub struct Desk {
    /// The file.
    pub lookup: Lookup,
    /// The settings.
    pub settings: Settings,
}

impl Desk {
    /// The look-up file as it has to be now.
    pub fn open(global: &Global, reading: &Reading) -> Result<Self, Failure> {
        match fresh(global, reading)? {
            Some(desk) => {
                if let Content::Live { warnings, .. } = &desk.lookup.about().content {
                    for line in warnings {
                        print::tell(line);
                    }
                }
                Ok(desk)
            }
            None => make(global, reading),
        }
    }

    /// Was it made of other files than `found`, or of some that may have changed meanwhile?
    pub fn is_of_others(&self, found: &[Source]) -> bool {
        let Content::Live { sources, looked_at_ms, .. } = &self.lookup.about().content else {
            return true;
        };
        sources != found || !found.iter().all(|source| source.is_settled(*looked_at_ms))
    }

    /// Were sizes surveyed since that count? They do only for how long a run still takes.
    pub fn is_outgrown(&self, reading: &Reading) -> Result<bool, Failure> {
        let Content::Live { surveyed, .. } = &self.lookup.about().content else {
            return Ok(true);
        };
        Ok(reading.running.is_some() && *surveyed != reading.ledger.surveyed_at()?)
    }

    /// Whom `search` finds, with what the inventory says of them. Only then is seen whether what
    /// was kept of them is whole; a file that is damaged there is made anew.
    pub fn whom(
        &mut self,
        global: &Global,
        reading: &Reading,
        search: impl Fn(&Lookup) -> Result<Hits, Refused>,
    ) -> Result<Meant, Failure> {
        let read = |lookup: &Lookup| -> Result<Meant, Refused> {
            let hits = search(lookup)?;
            let inventory = lookup.inventory(hits.best.iter().map(|hit| hit.customer))?;
            let is_estimated = reading.running.is_some() && !hits.best.is_empty();
            let sizes = if is_estimated { lookup.sizes()? } else { Vec::new() };
            Ok(Meant { hits, inventory, sizes })
        };
        match read(&self.lookup) {
            Err(error) => {
                print::tell(&format!("warning: {error}; it is made anew"));
                *self = make(global, reading)?;
                Ok(read(&self.lookup)?)
            }
            Ok(meant) => Ok(meant),
        }
    }

    /// Where those who are `meant` stand as of `now`.
    pub fn look(
        &self,
        global: &Global,
        reading: &Reading,
        meant: Meant,
        now: Timestamp,
    ) -> Result<Looked, Failure> {
        let (ledger, running) = (&reading.ledger, reading.running.is_some());
        let Meant { hits, inventory, sizes } = meant;
        let mut settings = self.settings.clone();
        let loaded = Loaded {
            settings: settings.clone(),
            inventory,
            problems: Vec::new(),
            set_aside: Vec::new(),
        };
        let Loaded { inventory, .. } = global.held_back(loaded)?;
        let surveyed = facts::surveyed(ledger, &inventory)?;
        window::heed(&mut settings, ledger)?;
        let mut view = fleet::fleet_view(&inventory, &settings, &surveyed, running);
        let ids: BTreeSet<_> = inventory.customers.iter().map(|customer| &customer.id).collect();
        for host in &mut view.hosts {
            host.workloads.retain(|workload| ids.contains(&workload.customer));
        }
        let snapshot = ledger.snapshot_of(&view, &sizes, now)?;
        Ok(Looked { hits, inventory, view, snapshot })
    }
}

/// The file that is there, if it is what would be made now.
fn fresh(global: &Global, reading: &Reading) -> Result<Option<Desk>, Failure> {
    let lookup = match Lookup::open(&global.lookup_path()) {
        Ok(Some(lookup)) => lookup,
        Ok(None) => return Ok(None),
        Err(error) => {
            print::tell(&format!("warning: {error}; it is made anew"));
            return Ok(None);
        }
    };
    let Content::Live { sources: known, .. } = &lookup.about().content else {
        return Ok(None);
    };
    let found = sources(global);
    if *known != found {
        print::tell("The inventory has changed: the look-up file is made anew.");
        return Ok(None);
    }
    let Some(settings) = inventory::read_settings(&global.site) else { return Ok(None) };
    let desk = Desk { lookup, settings };
    let is_good = !desk.is_of_others(&found) && !desk.is_outgrown(reading)?;
    Ok(is_good.then_some(desk))
}

/// Reads the whole inventory, and keeps what it says where there is a state folder.
fn make(global: &Global, reading: &Reading) -> Result<Desk, Failure> {
    // What changes from here on makes another file than what is read now.
    let (sources, made_at) = (sources(global), global.now());
    let loaded = global.load()?;
    let ledger = &reading.ledger;
    let surveyed_at = ledger.surveyed_at()?;
    let surveyed = facts::surveyed(ledger, &loaded.inventory)?;
    let view = fleet::fleet_view(&loaded.inventory, &loaded.settings, &surveyed, false);
    let warnings = warnings::lines(&loaded.problems, &loaded.set_aside);
    let looked_at_ms = made_at.as_jiff().as_millisecond();
    let content = Content::Live { sources, looked_at_ms, warnings, surveyed: surveyed_at };
    let about = about(&loaded.settings, made_at, content);
    let (lookup, bytes) = Lookup::of(about, &loaded.inventory, &view)
        .ok_or_else(|| Failure::internal("the inventory does not fit a look-up file"))?;
    if global.state().is_dir() {
        let path = global.lookup_path();
        files::forget_torn(&path);
        if let Err(error) = files::replace_closed(&path, &bytes, false) {
            print::tell(&format!("warning: the look-up file cannot be kept: {error}"));
        }
    }
    Ok(Desk { lookup, settings: loaded.settings })
}

/// What a look-up file of these settings says of itself.
pub fn about(settings: &Settings, made_at: Timestamp, content: Content) -> About {
    About {
        made_at,
        site: settings.site.name.clone(),
        timezone: settings.site.timezone.clone(),
        languages: settings.site.languages.clone(),
        content,
        colleague: settings.colleague.clone(),
    }
}

/// Everything that a look-up file is made of. Another evac may read the same words otherwise.
pub fn sources(global: &Global) -> Vec<Source> {
    let evac = std::env::current_exe().unwrap_or_default();
    let names = inventory::read_from(&global.site).into_iter();
    let files = names.map(|name| Source::of(&name, &global.site.join(&name)));
    std::iter::once(Source::of("evac", &evac)).chain(files).collect()
}

impl From<Refused> for Failure {
    fn from(error: Refused) -> Self {
        let kind = match &error {
            Refused::Io { .. } => crate::cli::failure::Kind::Failed,
            _ => crate::cli::failure::Kind::Usage,
        };
        let failure = Self::of(kind, &error);
        match error {
            Refused::Foreign { .. } => failure.hint("`evac snapshot FILE` writes one."),
            Refused::Newer { .. } => failure.hint("Use that evac, or a newer one, to read it."),
            Refused::Damaged { .. } => {
                failure.hint("Copy it once more, or have another made by `evac snapshot FILE`.")
            }
            Refused::Io { .. } => failure,
        }
    }
}
