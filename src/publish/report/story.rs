//! The timeline: what happened when, in the words of one language.
//!
//! **Promise.** The public edition has figures, windows, what was said in public, and notes that
//! somebody marked by beginning them with `public:`; never a name of somebody on hold, nor who
//! wrote it. All else is for the internal edition.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::ledger::StoredEvent;
use crate::ledger::outbox::PostText;
use crate::model::{Bell, Event, HostId, Reason, Timestamp};
use crate::publish::PublishError;
use crate::publish::dates::{Form, moment};
use crate::publish::locale::{Arg, Texts};
use crate::publish::report::curve::Curve;
use crate::publish::report::figures::Case;
use crate::publish::report::interval::{Interval, union};
use crate::publish::say::guard::Guard;

/// How a note begins that everybody may read.
pub const PUBLIC_NOTE: &str = "public:";
/// Figures that are worth a row, in hundredths of all customers online.
const MILESTONES: [u64; 4] = [25, 50, 75, 100];
/// Failures for one reason that are no further apart are one row.
const STREAK_GAP: Duration = Duration::from_mins(15);
/// Hosts named in such a row.
const HOSTS_MAX: usize = 5;

/// Who reads it.
#[derive(Clone, Copy)]
pub enum Edition<'a> {
    /// Everybody.
    Public,
    /// Colleagues; `words` says an event in words.
    Internal { by: &'a str, words: &'a dyn Fn(&Event) -> Option<String> },
}

/// A row of the timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub at: Timestamp,
    pub what: String,
    /// Who did it; of no interest in public.
    pub by: String,
}

/// Everything worth a row, in the order of time.
pub fn rows(
    case: &Case<'_>,
    curve: &Curve,
    texts: &Texts,
    (edition, guard): (Edition<'_>, &Guard),
) -> Result<Vec<Row>, PublishError> {
    let mut rows = Vec::new();
    let mut row = |at, what: String, by: &str| rows.push(Row { at, what, by: by.to_owned() });
    row(case.began, texts.say("report-began", &[])?, "");
    if let Some(run) = case.events.iter().find(|it| matches!(it.event, Event::RunStarted { .. })) {
        row(run.at, texts.say("report-run", &[])?, &run.by);
    }
    for stored in case.events {
        if let Some(what) = of_event(case, stored, texts)? {
            row(stored.at, what, &stored.by);
        }
    }
    for (number, post) in (1_u64..).zip(case.said()) {
        let title = title(&post.texts, texts);
        if guard.named_in(&title).is_none() {
            let args = [("number", Arg::Count(number)), ("title", Arg::Text(title))];
            row(post.at, texts.say("report-update", &args)?, &post.by);
        }
    }
    for (at, what) in figures(curve, texts)? {
        row(at, what, "");
    }
    for stored in case.events {
        match (&stored.event, edition) {
            (Event::Noted { text, .. }, Edition::Public) => {
                let text = public_note(text).filter(|text| guard.named_in(text).is_none());
                if let Some(text) = text {
                    row(stored.at, text.to_owned(), "");
                }
            }
            (event, Edition::Internal { words, .. }) if is_internal(event) => {
                if let Some(what) = words(event) {
                    row(stored.at, what, &stored.by);
                }
            }
            _ => {}
        }
    }
    if matches!(edition, Edition::Internal { .. }) {
        rows.extend(failures(case.events));
    }
    rows.sort_by_key(|row| row.at);
    Ok(rows)
}

/// The rest of a note that everybody may read.
fn public_note(text: &str) -> Option<&str> {
    let start = text.get(..PUBLIC_NOTE.len())?;
    start.eq_ignore_ascii_case(PUBLIC_NOTE).then(|| text[PUBLIC_NOTE.len()..].trim())
}

fn is_internal(event: &Event) -> bool {
    matches!(
        event,
        Event::Noted { .. }
            | Event::Steered { .. }
            | Event::LimitSet { .. }
            | Event::Reloaded { .. }
            | Event::DiskAdded { .. }
            | Event::LandingFull { .. }
            | Event::LandingHasRoom { .. }
            | Event::VerifyFailed { .. }
            | Event::CaptureFailed { .. }
            | Event::Report(_)
    )
}

/// Access: nobody's name is in it.
fn of_event(
    case: &Case<'_>,
    stored: &StoredEvent,
    texts: &Texts,
) -> Result<Option<String>, PublishError> {
    let key = match &stored.event {
        Event::Rang { bell: Bell::WindowOpened, .. } => "report-access-opens",
        Event::Rang { bell: Bell::WindowShut, .. } => "report-access-closes",
        Event::WindowSet { closes, .. } => {
            let time = moment(texts, case.zone, *closes, Form::Near(stored.at))?.text;
            return texts.say("report-window-until", &[("time", Arg::Text(time))]).map(Some);
        }
        _ => return Ok(None),
    };
    texts.say(key, &[]).map(Some)
}

fn figures(curve: &Curve, texts: &Texts) -> Result<Vec<(Timestamp, String)>, PublishError> {
    let mut found = Vec::new();
    let total = ("total", Arg::Count(curve.customers));
    let online =
        |key: &str, done: u64| texts.say(key, &[("done", Arg::Count(done)), total.clone()]);
    let mut last = None;
    for percent in MILESTONES {
        if let Some(point) = curve.reached(percent).filter(|point| last != Some(point.at)) {
            last = Some(point.at);
            found.push((point.at, online("report-online-at", point.online)?));
        }
    }
    if let Some(point) = curve.all_copied() {
        found.push((point.at, texts.say("report-all-copied", std::slice::from_ref(&total))?));
    }
    for (at, lowest) in dips(curve) {
        found.push((at, online("report-back-at", lowest)?));
    }
    Ok(found)
}

/// When it went back, and how far: one for each way down, however many steps it had.
fn dips(curve: &Curve) -> Vec<(Timestamp, u64)> {
    let mut dips: Vec<(Timestamp, u64)> = Vec::new();
    let mut is_falling = false;
    for two in curve.points.windows(2) {
        match (two[1].online.cmp(&two[0].online), dips.last_mut()) {
            (Ordering::Less, Some(last)) if is_falling => last.1 = two[1].online,
            (Ordering::Less, _) => dips.push((two[1].at, two[1].online)),
            _ => {}
        }
        // What stays as it is goes on falling later, or does not.
        if two[1].online != two[0].online {
            is_falling = two[1].online < two[0].online;
        }
    }
    dips
}

/// Hosts that failed for one reason, without a pause of a quarter of an hour: one row, not one
/// for each try.
fn failures(events: &[StoredEvent]) -> Vec<Row> {
    struct Streak<'a> {
        from: Timestamp,
        to: Timestamp,
        times: u64,
        hosts: BTreeSet<&'a HostId>,
        reason: Reason,
    }
    let mut streaks: Vec<Streak<'_>> = Vec::new();
    let mut open: BTreeMap<Reason, usize> = BTreeMap::new();
    for stored in events {
        let Event::HostFailed { host, reason, .. } = &stored.event else { continue };
        let at = stored.at;
        let known = open.get(reason).copied().filter(|it| at.since(streaks[*it].to) <= STREAK_GAP);
        let index = known.unwrap_or(streaks.len());
        if known.is_none() {
            let hosts = BTreeSet::new();
            streaks.push(Streak { from: at, to: at, times: 0, hosts, reason: *reason });
            open.insert(*reason, index);
        }
        let streak = &mut streaks[index];
        streak.to = at;
        streak.times += 1;
        streak.hosts.insert(host);
    }
    let row = |streak: &Streak<'_>| {
        let named: Vec<_> = streak.hosts.iter().take(HOSTS_MAX).map(|it| it.as_str()).collect();
        let more = streak.hosts.len().saturating_sub(HOSTS_MAX);
        let more = if more > 0 { format!(" +{more}") } else { String::new() };
        let (word, times, to) = (streak.reason.word(), streak.times, streak.to);
        let what = format!("{word} ×{times}: {}{more} (– {to})", named.join(", "));
        Row { at: streak.from, what, by: String::new() }
    };
    streaks.iter().map(row).collect()
}

/// A title in the language of `texts`, else in any.
fn title(said: &BTreeMap<String, PostText>, texts: &Texts) -> String {
    let own = said.get(texts.language().code()).or_else(|| said.values().next());
    own.map(|text| text.title.clone()).unwrap_or_default()
}

/// When there was access: as bells rang, else as the settings have it.
pub fn windows(case: &Case<'_>) -> Vec<Interval> {
    let mut spans = Vec::new();
    let mut open = None;
    for stored in case.events {
        match stored.event {
            Event::Rang { bell: Bell::WindowOpened, .. } => {
                open.get_or_insert(stored.at);
            }
            Event::Rang { bell: Bell::WindowShut, .. } => {
                spans.extend(open.take().map(|from| Interval::new(from, stored.at)));
            }
            _ => {}
        }
    }
    spans.extend(open.map(|from| Interval::new(from, case.snapshot.as_of)));
    if spans.is_empty()
        && let Some(window) = &case.snapshot.window
        && let Some(from) = window.opens
    {
        let to = window.closes.unwrap_or(case.snapshot.as_of);
        spans.push(Interval::new(from, to.min(case.snapshot.as_of)));
    }
    crate::publish::report::interval::within(&union(spans), case.span())
}
