//! `publish --dry-run`: every call that would be made, as it would be made, without its secret.
//! Answers are taken to be yes.

use serde::Serialize;

use super::mailing::{self, Known};
use super::{Made, page, tell};
use crate::cli::failure::{Exit, Failure};
use crate::cli::print;
use crate::cli::site::Global;
use crate::ledger::outbox::{OutboxRow, RowState};
use crate::ledger::snapshot::SCHEMA;
use crate::model::{SiteId, Timestamp};
use crate::publish::desk::{self, Place};
use crate::publish::mail::DESTINATION;
use crate::publish::outbox::{self, Answer, Step};
use crate::publish::to::{Content, Job};
use crate::publish::update::Update;
use crate::publish::wanted::wanted;

/// Stands for what a destination would have answered.
const REMOTE: &str = "ID";
/// More is not read by anybody.
const CALLS_MAX: usize = 2_000;

#[derive(Serialize)]
struct Shown<'a> {
    schema: u32,
    destination: &'a str,
    call: String,
}

/// Shows the calls, `extra` being said as well.
pub fn run(global: &Global, extra: Option<Update>) -> Result<Exit, Failure> {
    let made = page::make_without_saying(global)?;
    let mut updates = made.updates.clone();
    updates.extend(extra);
    let ledger = global.open_read_only()?.ledger;
    let (all, site) = (ledger.outbox()?, ledger.site()?);
    for place in tell::places(global, &made) {
        let rows = rows(&all, &place, &made, &updates);
        for call in calls(&place, rows, (&made, site), global.now()) {
            if global.json {
                let destination = &place.written.id;
                print::document(&Shown { schema: SCHEMA, destination, call })?;
            } else {
                print::result(&format!("{}: {call}\n", place.written.id))?;
            }
        }
    }
    for call in mailing::dry(global, &Known::of(&made))? {
        if global.json {
            print::document(&Shown { schema: SCHEMA, destination: DESTINATION, call })?;
        } else {
            print::result(&format!("{DESTINATION} {call}\n"))?;
        }
    }
    if made.loaded.settings.publish.to.is_empty() && made.loaded.settings.mail.is_none() {
        print::tell("Nobody would be told: evac.toml has no [[publish.to]].");
    }
    Ok(Exit::Done)
}

/// The rows as they would be.
fn rows(all: &[OutboxRow], place: &Place, made: &Made, updates: &[Update]) -> Vec<OutboxRow> {
    let id = &place.written.id;
    let mut rows: Vec<_> = all.iter().filter(|row| row.destination == *id).cloned().collect();
    let public = tell::public(made, updates);
    let does = place.works.does();
    let wanted = wanted(&place.written, &does, place.works.beat(), &rows, &public);
    let now = made.snapshot.as_of;
    for (number, want) in (0..).zip(wanted) {
        match rows.iter_mut().find(|row| row.subject == want.subject) {
            Some(row) if row.wanted == want.content && !want.again => {}
            Some(row) => {
                let state = RowState::Waiting;
                *row = OutboxRow { wanted: want.content, state, next_at: now, ..row.clone() };
            }
            None => rows.push(OutboxRow {
                destination: want.destination,
                subject: want.subject,
                kind: want.kind,
                number,
                version: 1,
                wanted: want.content,
                calling: None,
                shown: None,
                state: RowState::Waiting,
                attempts: 0,
                wanted_at: now,
                next_at: now,
                sent_at: None,
                answer: None,
                remote: None,
            }),
        }
    }
    for row in &mut rows {
        row.next_at = now;
    }
    rows
}

fn calls(
    place: &Place,
    mut rows: Vec<OutboxRow>,
    (made, site): (&Made, SiteId),
    now: Timestamp,
) -> Vec<String> {
    let mut shown = Vec::new();
    while let Step::Send { rows: due, .. } = outbox::next(&rows, &place.works.does(), &[], now) {
        let begun = outbox::begun(due, now);
        let contents: Vec<Content> =
            begun.iter().filter_map(|row| serde_json::from_str(&row.wanted).ok()).collect();
        let thread = rows.iter().rev().find_map(|row| row.remote.clone());
        let job = Job {
            key: desk::key(site, &begun),
            contents: &contents,
            thread: thread.as_deref(),
            earlier: &[],
            site: &site.to_string(),
            name: &made.loaded.settings.site.name,
        };
        let call = place.works.call(&job);
        shown.push(call.map_or_else(|why| format!("cannot: {why}"), |call| call.to_string()));
        let answer = Answer::Accepted { remote: Some(REMOTE.to_owned()) };
        for done in outbox::answered(begun, &answer, now, 0) {
            if let Some(row) = rows.iter_mut().find(|row| row.subject == done.subject) {
                *row = done;
            }
        }
        if shown.len() >= CALLS_MAX {
            break;
        }
    }
    shown
}
