//! Tells one destination what is wanted: takes the next step of the outbox, carries its call, keeps
//! what came of it, until nothing is left to do for now. Each has a worker ([`super::crew`]).
//!
//! A page is put only by whoever has the one that is wanted: another process may have made a newer
//! one meanwhile, and puts that itself.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::inventory::settings_publish as settings;
use crate::ledger::outbox::{OutboxRow, RowKind, RowState};
use crate::ledger::{Ledger, LedgerError};
use crate::model::{Clock, SiteId, Timestamp};
use crate::publish::Rendered;
use crate::publish::outbox::{self, Answer, Step};
use crate::publish::pulse::Pulse;
use crate::publish::to::{Content, Destination, Job, Seen, Words, carry::Carrier, refusal};

/// Between two looks at the clock.
const NAP: Duration = Duration::from_millis(200);

/// One place, as written and as it works.
pub struct Place {
    pub written: settings::Destination,
    pub works: Box<dyn Destination>,
}

/// Everything that calls need.
pub struct Desk {
    pub ledger: Arc<Ledger>,
    pub clock: Arc<dyn Clock>,
    pub carrier: Carrier,
    pub page: Arc<Rendered>,
    /// Of the page without its times, as it is wanted.
    pub page_hash: String,
    pub site: SiteId,
    pub name: String,
}

/// How a destination stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    pub id: String,
    pub kind: &'static str,
    /// Calls made now.
    pub calls: u32,
    /// What stands there.
    pub sent: usize,
    /// What is still to be told.
    pub waiting: usize,
    /// What it does not take.
    pub refused: usize,
    /// What it answered last, where something is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
    /// When it is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
    /// What keeps it from being told now: `answer`, or `another-evac` that tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<&'static str>,
}

/// What a look found, for the step after it.
type Found = Option<(String, Seen)>;

impl Desk {
    /// Tells `place` what it can be told within `patience`.
    pub fn tell(
        &self,
        place: &Place,
        patience: Duration,
        pulse: &Arc<Pulse>,
    ) -> Result<Told, LedgerError> {
        let began = self.clock.elapsed();
        let id = &place.written.id;
        let (mut calls, mut found): (u32, Found) = (0, None);
        loop {
            pulse.beats();
            let mut rows = self.rows(id)?;
            let known = rows.clone();
            rows.retain(|row| row.kind != RowKind::Page || self.has_page(row));
            let now = self.clock.now();
            let recent = self.ledger.recent_calls()?.remove(id).unwrap_or_default();
            let is_over = self.clock.elapsed().saturating_sub(began) >= patience;
            match outbox::next(&rows, &place.works.does(), &recent, now) {
                // A look is worth nothing without the call after it, however slow both are.
                Step::Send { rows: due, look_first }
                    if !is_over || calls == 0 || found.is_some() =>
                {
                    calls += 1;
                    found = self.step(place, &rows, (due, look_first), found, pulse)?;
                }
                Step::WaitUntil(_) if !is_over => std::thread::sleep(NAP),
                _ => return Ok(told(place, calls, &known)),
            }
        }
    }

    /// How `place` stands, which waits for something.
    pub fn standing(
        &self,
        place: &Place,
        waits_for: Option<&'static str>,
    ) -> Result<Told, LedgerError> {
        let told = told(place, 0, &self.rows(&place.written.id)?);
        Ok(Told { next_at: None, waits_for, ..told })
    }

    /// Is our page the one that is wanted?
    fn has_page(&self, row: &OutboxRow) -> bool {
        let hash = |it: &Content| matches!(it, Content::Page { hash } if *hash == self.page_hash);
        content(&row.wanted).as_ref().is_some_and(hash)
    }

    pub(super) fn rows(&self, id: &str) -> Result<Vec<OutboxRow>, LedgerError> {
        self.ledger.outbox_of(id)
    }

    /// One call: a look, or what it found to be missing.
    fn step(
        &self,
        place: &Place,
        all: &[OutboxRow],
        (due, look_first): (Vec<OutboxRow>, bool),
        found: Found,
        pulse: &Arc<Pulse>,
    ) -> Result<Found, LedgerError> {
        let subject = due[0].subject.clone();
        let seen = found.filter(|(of, _)| *of == subject).map(|(_, seen)| seen);
        let told = Earlier::of(all);
        let thread = match &seen {
            Some(Seen::Thread { remote }) => Some(remote.clone()),
            // It was taken away over there, or never was.
            Some(_) => None,
            None => told.thread.clone(),
        };
        let begun = || outbox::begun(due.clone(), self.clock.now());
        let rows = if look_first && seen.is_none() { due.clone() } else { begun() };
        let contents = contents(&rows);
        let job = Job {
            key: key(self.site, &rows),
            contents: &contents,
            thread: thread.as_deref(),
            earlier: &told.words,
            site: &self.site.to_string(),
            name: &self.name,
        };
        if look_first && seen.is_none() {
            if let Some(call) = place.works.look(&job) {
                let seen = self.look(place, &job, (&call, pulse), rows)?;
                return Ok(seen.map(|it| (subject, it)));
            }
            return Ok(Some((subject, Seen::Missing)));
        }
        // Whoever leaves a chat before its answer says the same again.
        if place.works.does().doubles && !pulse.holds() {
            return Ok(None);
        }
        self.ledger.call_begins(&place.written.id, &rows)?;
        let answer = match place.works.call(&job) {
            Err(said) => Answer::Refused { said },
            Ok(call) => match self.carrier.carry(&place.written, &call, &self.page, pulse) {
                Err(answer) => answer,
                Ok(reply) => refusal(&reply).unwrap_or_else(|| place.works.read(&job, &reply)),
            },
        };
        self.settle(rows, &answer)?;
        pulse.eases();
        Ok(None)
    }

    fn look(
        &self,
        place: &Place,
        job: &Job<'_>,
        (call, pulse): (&crate::publish::to::Call, &Arc<Pulse>),
        rows: Vec<OutboxRow>,
    ) -> Result<Option<Seen>, LedgerError> {
        self.ledger.call_begins(&place.written.id, &[])?;
        let reply = match self.carrier.carry(&place.written, call, &self.page, pulse) {
            Err(answer) => return self.settle(rows, &answer).map(|()| None),
            Ok(reply) => reply,
        };
        // What posts belonged to was taken away over there: a new one is begun.
        if reply.status == 404 && job.thread.is_some() {
            return Ok(Some(Seen::Missing));
        }
        if let Some(answer) = refusal(&reply) {
            return self.settle(rows, &answer).map(|()| None);
        }
        match place.works.seen(job, &reply) {
            Seen::There { remote } => {
                let rows = rows.into_iter().map(|row| OutboxRow {
                    calling: row.calling.clone().or_else(|| Some(row.wanted.clone())),
                    ..row
                });
                self.settle(rows.collect(), &Answer::Accepted { remote: Some(remote) })?;
                Ok(None)
            }
            seen => Ok(Some(seen)),
        }
    }

    fn settle(&self, rows: Vec<OutboxRow>, answer: &Answer) -> Result<(), LedgerError> {
        let mut dice = [0_u8; 8];
        // Without chance pauses are only more alike.
        let _ = getrandom::fill(&mut dice);
        let rows = outbox::answered(rows, answer, self.clock.now(), u64::from_le_bytes(dice));
        self.ledger.call_ended(&rows)
    }
}

/// What was accepted there before.
pub(super) struct Earlier {
    pub(super) words: Vec<Words>,
    thread: Option<String>,
}

impl Earlier {
    pub(super) fn of(rows: &[OutboxRow]) -> Self {
        let mut posts: Vec<_> = rows.iter().filter(|row| row.kind == RowKind::Post).collect();
        posts.sort_by_key(|row| row.number);
        let words = posts.iter().filter_map(|row| match content(row.shown.as_deref()?)? {
            Content::Post(words) => Some(words),
            _ => None,
        });
        let thread = posts.iter().rev().find_map(|row| row.remote.clone());
        Self { words: words.collect(), thread }
    }
}

pub(super) fn content(text: &str) -> Option<Content> {
    serde_json::from_str(text).ok()
}

fn contents(rows: &[OutboxRow]) -> Vec<Content> {
    let said = |row: &OutboxRow| content(row.calling.as_deref().unwrap_or(&row.wanted));
    rows.iter().filter_map(said).collect()
}

/// The same for the same thing, however often it is tried, by whichever process.
pub fn key(site: SiteId, rows: &[OutboxRow]) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("evac outbox 1 idempotency key");
    hasher.update(site.as_bytes());
    for row in rows {
        for part in [row.destination.as_str(), row.subject.as_str()] {
            hasher.update(part.as_bytes());
            hasher.update(&[0]);
        }
        hasher.update(&row.version.to_le_bytes());
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

fn told(place: &Place, calls: u32, rows: &[OutboxRow]) -> Told {
    let count =
        |wanted: &dyn Fn(RowState) -> bool| rows.iter().filter(|row| wanted(row.state)).count();
    let open = || rows.iter().filter(|row| row.state != RowState::Sent);
    Told {
        id: place.written.id.clone(),
        kind: place.written.kind.word(),
        calls,
        sent: count(&|state| state == RowState::Sent),
        waiting: count(&|state| matches!(state, RowState::Waiting | RowState::Calling)),
        refused: count(&|state| state == RowState::Refused),
        said: open().find_map(|row| row.answer.clone()),
        next_at: open().map(|row| row.next_at).min(),
        waits_for: None,
    }
}
