//! Who tells what: a worker for each destination, and one for mails, each at a pace of its own.
//!
//! **Promise.** One process tells a destination at a time, by a lock of that destination alone;
//! what several want told is told by whoever has it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::FlockOperation;

use super::dns::Resolver;
use super::mailing::{self, Known, Mailed};
use super::{Made, page};
use crate::cli::failure::Failure;
use crate::cli::site::Global;
use crate::ledger::Ledger;
use crate::model::Clock;
use crate::publish::crew::Crew;
use crate::publish::desk::{Desk, Place, Told};
use crate::publish::drift::Drift;
use crate::publish::mail::DESTINATION;
use crate::publish::pulse::Pulse;

/// A folder of the state; who holds the lock on a file in it tells that destination.
const TURNS_FOLDER: &str = "publish.turns";
const NAP: Duration = Duration::from_millis(50);
/// A watch waits so long for answers, to tell of them; what takes longer is told in the next beat.
const NOTICE: Duration = Duration::from_secs(2);

/// What a shift came to.
enum Came {
    Told(Told),
    Mailed(Option<Mailed>),
    Drift(Vec<Drift>),
    /// Another process has the turn.
    Elsewhere,
}

/// How long is waited for what was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Until it is done or patience is over.
    Done,
    /// As long as most take to answer.
    Notice,
}

/// How everything stands after some waiting.
pub struct Stand {
    pub told: Vec<Told>,
    pub mailed: Option<Mailed>,
}

/// Work under way, and what is known of it.
pub struct Shifts<'a> {
    global: &'a Global,
    resolver: Arc<Resolver>,
    crew: Crew<Result<Came, Failure>>,
    told: BTreeMap<String, Told>,
    elsewhere: BTreeSet<String>,
    mailed: Option<Mailed>,
    drift: BTreeMap<String, Vec<Drift>>,
}

impl<'a> Shifts<'a> {
    /// Nobody works yet.
    pub fn new(global: &'a Global) -> Self {
        Self {
            global,
            resolver: Arc::new(Resolver::new(&global.clock)),
            crew: Crew::new(Arc::clone(&global.clock)),
            told: BTreeMap::new(),
            elsewhere: BTreeSet::new(),
            mailed: None,
            drift: BTreeMap::new(),
        }
    }

    /// Says what is new, and makes the page.
    pub fn make(&self) -> Result<Arc<Made>, Failure> {
        page::make_asking(self.global, &self.resolver)
    }

    /// Tells what is wanted: everybody who is not at it already.
    pub fn tell(
        &mut self,
        (desk, made): (&Arc<Desk>, &Arc<Made>),
        places: &[Arc<Place>],
        patience: Duration,
        wait: Wait,
    ) -> Result<Stand, Failure> {
        let folder = self.turns()?;
        let came = self.crew.ended();
        self.keep(came)?;
        let mut begun = Vec::new();
        for place in places {
            if self.crew.is_busy(&place.written.id) {
                continue;
            }
            let (desk, place) = (Arc::clone(desk), Arc::clone(place));
            let (folder, id) = (folder.clone(), place.written.id.clone());
            begun.push(id.clone());
            self.crew.begin(&id, move |pulse| {
                let turn = turn(&folder, &place.written.id, patience, &*desk.clock)?;
                let Some(_turn) = turn else { return Ok(Came::Elsewhere) };
                Ok(Came::Told(desk.tell(&place, patience, pulse)?))
            });
        }
        if made.loaded.settings.mail.is_some() && !self.crew.is_busy(DESTINATION) {
            begun.push(DESTINATION.to_owned());
            self.begin_mails(desk, made, patience, folder);
        }
        for id in &begun {
            self.told.remove(id);
            self.elsewhere.remove(id);
        }
        let came = match wait {
            Wait::Done => self.crew.wait_for_all(patience),
            Wait::Notice => self.crew.wait(&begun, patience.min(NOTICE)),
        };
        self.keep(came)?;
        self.stand(desk, places)
    }

    fn begin_mails(
        &mut self,
        desk: &Arc<Desk>,
        made: &Arc<Made>,
        patience: Duration,
        folder: PathBuf,
    ) {
        let (global, ledger, made) = (self.global.clone(), Arc::clone(&desk.ledger), made.clone());
        let resolver = Arc::clone(&self.resolver);
        self.crew.begin(DESTINATION, move |pulse| {
            let turn = turn(&folder, DESTINATION, patience, &*global.clock)?;
            let Some(_turn) = turn else { return Ok(Came::Elsewhere) };
            let (known, pace) = (Known::of(&made), (patience, &**pulse));
            Ok(Came::Mailed(mailing::tell(&global, &ledger, &known, &resolver, pace)?))
        });
    }

    /// Looks where destinations show something else than they were told.
    pub fn look(
        &mut self,
        desk: &Arc<Desk>,
        places: &[Arc<Place>],
        patience: Duration,
        wait: Wait,
    ) -> Result<(), Failure> {
        let folder = self.turns()?;
        for place in places {
            let (desk, place) = (Arc::clone(desk), Arc::clone(place));
            let (folder, id) = (folder.clone(), place.written.id.clone());
            self.crew.begin(&id, move |pulse: &Arc<Pulse>| {
                let turn = turn(&folder, &place.written.id, Duration::ZERO, &*desk.clock)?;
                let Some(_turn) = turn else { return Ok(Came::Drift(Vec::new())) };
                Ok(Came::Drift(desk.drift(&place, pulse)?))
            });
        }
        if wait == Wait::Done {
            let came = self.crew.wait_for_all(patience);
            self.keep(came)?;
        }
        Ok(())
    }

    /// What was found since the last time, in the order of `places`.
    pub fn take_drift(&mut self, places: &[Arc<Place>]) -> Vec<Drift> {
        let taken = places.iter().filter_map(|place| self.drift.remove(&place.written.id));
        taken.flatten().collect()
    }

    fn keep(&mut self, came: Vec<(String, Result<Came, Failure>)>) -> Result<(), Failure> {
        let mut failed = None;
        for (id, came) in came {
            match came {
                Ok(Came::Told(told)) => drop(self.told.insert(id, told)),
                Ok(Came::Mailed(mailed)) => self.mailed = mailed,
                Ok(Came::Drift(found)) => drop(self.drift.insert(id, found)),
                Ok(Came::Elsewhere) => drop(self.elsewhere.insert(id)),
                Err(failure) => failed = Some(failure),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    fn stand(&self, desk: &Desk, places: &[Arc<Place>]) -> Result<Stand, Failure> {
        let mut told = Vec::new();
        for place in places {
            let id = &place.written.id;
            told.push(match self.told.get(id) {
                Some(told) => told.clone(),
                None if self.elsewhere.contains(id) => {
                    desk.standing(place, Some("another-evac"))?
                }
                None if self.crew.is_busy(id) => desk.standing(place, Some("answer"))?,
                None => desk.standing(place, None)?,
            });
        }
        Ok(Stand { told, mailed: self.mailed.clone() })
    }

    fn turns(&self) -> Result<PathBuf, Failure> {
        let folder = self.global.make_state()?.join(TURNS_FOLDER);
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(|error| Failure::io("create", &folder, &error))?;
        Ok(folder)
    }
}

/// The right to tell that one; `None` while somebody else has it.
fn turn(
    folder: &Path,
    id: &str,
    patience: Duration,
    clock: &dyn Clock,
) -> Result<Option<File>, Failure> {
    let path = folder.join(id);
    let mut options = OpenOptions::new();
    let opened = options.write(true).create(true).truncate(false).open(&path);
    let file = opened.map_err(|error| Failure::io("open", &path, &error))?;
    let began = clock.elapsed();
    // Whoever waits gives up before it is given up.
    while rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        if clock.elapsed().saturating_sub(began) >= patience * 3 / 4 {
            return Ok(None);
        }
        std::thread::sleep(NAP);
    }
    Ok(Some(file))
}

/// What a worker for destinations takes along.
pub fn desk(global: &Global, ledger: &Arc<Ledger>, made: &Made) -> Result<Arc<Desk>, Failure> {
    let settings = &made.loaded.settings;
    let logins = global.state().join(crate::cli::engine::LOGINS_FILE);
    let clock = Arc::clone(&global.clock);
    let carrier = crate::publish::to::carry::Carrier::new(
        &global.site,
        &settings.ssh,
        logins,
        Arc::clone(&clock),
    );
    Ok(Arc::new(Desk {
        ledger: Arc::clone(ledger),
        clock,
        carrier,
        page: Arc::clone(&made.rendered),
        page_hash: made.hash.clone(),
        site: ledger.site()?,
        name: settings.site.name.clone(),
    }))
}
