//! Everything that reports are made from, read once.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use crate::cli::site::Loaded;
use crate::cli::{Failure, Global, print, publish};
use crate::inventory::Hold;
use crate::ledger::outbox::{Post, PostState};
use crate::ledger::snapshot::Snapshot;
use crate::ledger::{Ledger, Pass, StoredEvent, WorkloadState};
use crate::model::{Event, Timestamp, WorkloadId};
use crate::publish::report::ReportError;
use crate::publish::report::figures::Case;
use crate::publish::say::guard::Guard;
use crate::publish::update::Kind;

/// Events read at once.
const PAGE: u32 = 10_000;

/// What is known.
pub struct Record {
    pub loaded: Loaded,
    pub ledger: Ledger,
    pub snapshot: Snapshot,
    pub events: Vec<StoredEvent>,
    pub posts: Vec<Post>,
    pub passes: BTreeMap<WorkloadId, Vec<Pass>>,
    pub states: BTreeMap<WorkloadId, WorkloadState>,
    /// Services that somebody let pass without a check.
    pub unchecked: BTreeSet<WorkloadId>,
    pub guard: Guard,
    pub zone: TimeZone,
    /// Does somebody stand by this ledger?
    pub is_confirmed: bool,
}

impl Record {
    /// Reads it. `needs_hosts`: is nothing listed a mistake?
    pub fn read(global: &Global, needs_hosts: bool) -> Result<Self, Failure> {
        let loaded = if needs_hosts { global.load()? } else { global.load_settings()? };
        // A line that cannot be read may be a hold: nobody is named while there is one.
        let holds = publish::readable_holds(global)?;
        let reading = global.open_read_only()?;
        let (_, snapshot) = reading.look(&loaded, global.now())?;
        let ledger = reading.ledger;
        let (mut passes, mut states) = (BTreeMap::new(), BTreeMap::new());
        let mut unchecked = BTreeSet::new();
        for workload in loaded.inventory.workloads() {
            passes.insert(workload.id.clone(), ledger.passes(&workload.id)?);
            states.insert(workload.id.clone(), ledger.state(&workload.id)?);
            if ledger.unchecked(&workload.id)?.is_some() {
                unchecked.insert(workload.id.clone());
            }
        }
        Ok(Self {
            guard: Guard::of(&loaded.inventory, &holds, &loaded.settings.site.name),
            zone: publish::site(&loaded.settings, snapshot.as_of)?.timezone,
            events: events(&ledger)?,
            posts: ledger.posts()?,
            is_confirmed: ledger.is_confirmed()?,
            loaded,
            ledger,
            snapshot,
            passes,
            states,
            unchecked,
        })
    }

    /// Since when services are down: as typed, as written, or since the first public message.
    pub fn began(&self, typed: Option<Timestamp>) -> Result<Timestamp, Failure> {
        let of_incident =
            |post: &&Post| post.state == PostState::Posted && Kind::of(&post.kind).is_of_incident();
        let said = self.posts.iter().filter(of_incident).map(|post| post.at).min();
        let written = typed.or(self.loaded.settings.began);
        let began = written.or(said).ok_or(ReportError::NoBeginning)?;
        if written.is_none() {
            print::tell(&format!(
                "warning: nobody wrote since when services are down; taken is the first public \
                 message, {began}. Write `began` under [incident], or --down-since."
            ));
        }
        if began > self.snapshot.as_of {
            return Err(Failure::usage(format!("{began} has not come yet"))
                .hint("Write when services went down, with the zone."));
        }
        Ok(began)
    }

    /// As pure reports want it.
    pub fn case(&self, began: Timestamp) -> Case<'_> {
        Case {
            name: &self.loaded.settings.site.name,
            inventory: &self.loaded.inventory,
            snapshot: &self.snapshot,
            events: &self.events,
            posts: &self.posts,
            passes: &self.passes,
            unchecked: &self.unchecked,
            began,
            zone: &self.zone,
        }
    }

    /// How many customers are held back.
    pub fn held(&self) -> usize {
        self.snapshot.customers.iter().filter(|it| it.hold != Hold::None).count()
    }

    /// What makes figures doubtful; for whoever asked, not for whoever reads.
    pub fn doubts(&self) -> Vec<&'static str> {
        let mut doubts = Vec::new();
        if !self.is_confirmed {
            doubts.push(
                "the ledger was rebuilt and nobody has stood by it: what was online when is lost, \
                 and counts as down",
            );
        }
        if !self.events.iter().any(|it| matches!(it.event, Event::Activated { .. })) {
            doubts.push(
                "nothing was ever switched on by `evac activate`: every service counts as down \
                 until now",
            );
        }
        doubts
    }
}

fn events(ledger: &Ledger) -> Result<Vec<StoredEvent>, Failure> {
    let mut all: Vec<StoredEvent> = Vec::new();
    loop {
        let page = ledger.events(all.last().map_or(0, |last| last.id), PAGE)?;
        let is_last = page.len() < PAGE as usize;
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}
