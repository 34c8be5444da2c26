//! `evac handover`: what the next shift has to know, from the ledger: what was decided by whom,
//! what is blocked, what runs, what waits, and what people wrote down.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::cli::args::{HandoverArgs, Since};
use crate::cli::next::{self, Blocked};
use crate::cli::note::{LOOKED_AT_MAX, Note, notes};
use crate::cli::print::{self, counted};
use crate::cli::{Exit, Failure, Global};
use crate::ledger::StoredEvent;
use crate::ledger::lock::Holder;
use crate::ledger::snapshot::{Decision, HostState, SCHEMA, Snapshot, Window};
use crate::model::{Event, HostId, PublicWord, Span, Timestamp, WorkloadId};
use crate::term;

/// A shift.
const SHIFT: std::time::Duration = std::time::Duration::from_secs(12 * 3_600);
/// More lines of one kind than this are counted, not shown to people.
const SHOWN_MAX: usize = 20;

#[derive(Serialize)]
struct Handover {
    schema: u32,
    as_of: Timestamp,
    since: Timestamp,
    running: Option<Holder>,
    window: Option<Window>,
    customers: BTreeMap<PublicWord, u64>,
    decided: Vec<Decided>,
    notes: Vec<Note>,
    blocked: Vec<Blocked>,
    at_work: Vec<HostId>,
    paused: Vec<PutOff>,
    skipped: Vec<PutOff>,
}

/// Something that somebody did.
#[derive(Serialize)]
struct Decided {
    at: Timestamp,
    by: String,
    /// In words.
    text: String,
    event: Event,
}

/// A workload that somebody put off.
#[derive(Serialize)]
struct PutOff {
    id: WorkloadId,
    #[serde(flatten)]
    decision: Decision,
}

/// Shows what the next shift has to know.
pub fn run(global: &Global, args: &HandoverArgs) -> Result<Exit, Failure> {
    let mut loaded = global.load()?;
    let reading = global.open_read_only()?;
    let now = global.now();
    let since = match args.since {
        Some(Since::At(at)) => at,
        Some(Since::Ago(Span(span))) => before(now, span),
        None => before(now, SHIFT),
    };
    let (_, snapshot) = reading.look(&loaded, now)?;
    let said = reading.ledger.said(since, LOOKED_AT_MAX)?;
    let blocked = next::blocked(&mut loaded, &reading, &snapshot)?;
    let handover = handover(&snapshot, (since, reading.running), &said, blocked);
    if global.json {
        print::document(&handover)?;
    } else {
        print::result(&text(&handover))?;
    }
    Ok(Exit::Done)
}

fn before(now: Timestamp, span: std::time::Duration) -> Timestamp {
    let seconds = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(now.as_second().saturating_sub(seconds))
}

fn handover(
    snapshot: &Snapshot,
    (since, running): (Timestamp, Option<Holder>),
    said: &[StoredEvent],
    blocked: Vec<Blocked>,
) -> Handover {
    let workloads = || snapshot.customers.iter().flat_map(|customer| &customer.workloads);
    let put_off = |id: &WorkloadId, decision: &Option<Decision>| {
        Some(PutOff { id: id.clone(), decision: decision.clone()? })
    };
    let is_at_work = |state| matches!(state, HostState::Active | HostState::Dialling);
    let at_work = snapshot.hosts.iter().filter(|host| is_at_work(host.state));
    Handover {
        schema: SCHEMA,
        as_of: snapshot.as_of,
        since,
        window: snapshot.window,
        customers: snapshot.totals.by_state.clone(),
        decided: said.iter().filter_map(decided).collect(),
        notes: notes(said),
        blocked,
        at_work: at_work.filter(|_| running.is_some()).map(|host| host.id.clone()).collect(),
        paused: workloads().filter_map(|it| put_off(&it.id, &it.paused)).collect(),
        skipped: workloads().filter_map(|it| put_off(&it.id, &it.skipped)).collect(),
        running,
    }
}

fn decided(stored: &StoredEvent) -> Option<Decided> {
    let StoredEvent { at, by, event, .. } = stored;
    if matches!(event, Event::Noted { .. }) {
        return None;
    }
    let (at, by, event, text) = (*at, by.clone(), event.clone(), term::told(event)?);
    Some(Decided { at, by, text, event })
}

fn text(handover: &Handover) -> String {
    let Handover { since, as_of, .. } = handover;
    let mut text = format!("From {since} to {as_of}\n");
    let _ = match &handover.running {
        Some(it) => {
            writeln!(text, "At work: process {} ({}) since {}", it.pid, it.operator, it.since)
        }
        None => writeln!(text, "No run goes on."),
    };
    if let Some(closes) = handover.window.as_ref().and_then(|window| window.closes) {
        let _ = writeln!(text, "The window closes {closes}.");
    }
    let decided = handover.decided.iter().map(|it| format!("{} {}: {}", it.at, it.by, it.text));
    list(&mut text, "Decided and done", decided.collect());
    let notes = handover.notes.iter();
    let notes = notes.map(|it| format!("{} {} on {}: {}", it.at, it.by, it.what, it.text));
    list(&mut text, "Notes", notes.collect());
    let at_work = handover.at_work.iter().map(ToString::to_string);
    list(&mut text, "Hosts at work", at_work.collect());
    for (title, all) in [("Paused", &handover.paused), ("Left out", &handover.skipped)] {
        let line = |PutOff { id, decision: Decision { by, at, why } }: &PutOff| {
            let why = why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
            format!("{id}, by {by} at {at}{why}")
        };
        list(&mut text, title, all.iter().map(line).collect());
    }
    if !handover.blocked.is_empty() {
        let _ = writeln!(text, "\nBlocked:");
        text.push_str(&next::text(&handover.blocked));
    }
    text
}

/// The newest lines, and how many there are before them.
fn list(text: &mut String, title: &str, lines: Vec<String>) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{title}:");
    let left = lines.len().saturating_sub(SHOWN_MAX);
    if left > 0 {
        let _ = writeln!(text, "  {} before: evac --json handover", counted(left, "line"));
    }
    for line in &lines[left..] {
        let _ = writeln!(text, "  {line}");
    }
}
