//! The live view: what an operator wants on the wall while a night goes on. Read-only, in English.

use axum::http::StatusCode;
use serde::Serialize;

use crate::ledger::Snapshot;
use crate::ledger::snapshot::{HostState, HostStatus, Window};
use crate::model::text::bounded;
use crate::model::{PublicWord, Rate, Timestamp};
use crate::publish::dates::{Form, moment};
use crate::publish::page::WORDS;
use crate::publish::render::word_key;
use crate::publish::{Language, PublishError};
use crate::web::answer::Answer;
use crate::web::app::{App, Trouble, Visit};
use crate::web::desk::{LandingDisk, Night, Seen};
use crate::web::pages::Frame;
use crate::web::routes::Asked;
use crate::web::support::broken;
use crate::web::timeline::{Timeline, distance, timeline};

/// A browser asks again after so many seconds.
const AGAIN_S: u32 = 5;
/// And after so many when it could not be shown.
const AGAIN_LATER_S: u32 = 15;
/// Hosts listed; those that need somebody come first.
const HOSTS_MAX: usize = 150;
/// Causes listed.
const BLOCKED_MAX: usize = 12;
/// Longest text of elsewhere.
const TEXT_CHARS_MAX: usize = 300;

#[derive(Serialize)]
struct View<'a> {
    frame: Frame<'a>,
    still: bool,
    again_s: u32,
    as_of: String,
    running: Option<String>,
    headline: String,
    stretches: Vec<Stretch>,
    words: Vec<(&'static str, u64)>,
    facts: Vec<Fact>,
    blocked: Vec<Block<'a>>,
    more_blocked: usize,
    rung: Vec<(String, String)>,
    timeline: Timeline,
    planned: Option<String>,
    never: usize,
    hosts: Vec<Host>,
    more_hosts: usize,
    disks: Vec<DiskRow<'a>>,
}

/// One stretch of the bar.
#[derive(Serialize)]
struct Stretch {
    kind: &'static str,
    legend: &'static str,
    customers: u64,
    x: String,
    width: String,
}

/// A figure, and what it says.
#[derive(Serialize)]
struct Fact {
    name: &'static str,
    text: String,
    more: Option<String>,
}

#[derive(Serialize)]
struct Block<'a> {
    cause: &'a str,
    workloads: usize,
    why: String,
    command: &'a str,
}

#[derive(Serialize)]
struct Host {
    id: String,
    sign: &'static str,
    state: &'static str,
    rate: Option<String>,
    rtt: Option<String>,
    lanes: Option<u32>,
    level: Option<i32>,
    error: Option<String>,
}

/// A landing disk.
#[derive(Serialize)]
struct DiskRow<'a> {
    path: &'a str,
    free: Option<String>,
    reserve: String,
    /// Nothing more goes onto it.
    is_full: bool,
}

/// The live view.
pub(super) fn page(app: &App, visit: &Visit, asked: &Asked) -> Result<Answer, Trouble> {
    if !app.views.live || !visit.is_operator() {
        return Err(Trouble::Missing);
    }
    let seen = app.seen()?;
    let night = app.night(&seen)?;
    let english = Visit { language: Language::En, ..visit.clone() };
    let still = asked.still.is_some();
    let html = view(app, &english, (&seen, &night), still)
        .and_then(|view| app.pages.print(Language::En, "live.html", &view))
        .map_err(|error| broken(app, error))?;
    let again_s = (!still).then_some(AGAIN_S);
    Ok(Answer { again_s, ..Answer::page(StatusCode::OK, html) })
}

/// What is broken now may be mended soon: a screen that nobody touches asks again.
pub(super) fn later(app: &App, visit: &Visit, trouble: Trouble) -> Result<Answer, Trouble> {
    if trouble != Trouble::Broken {
        return Err(trouble);
    }
    Ok(Answer { again_s: Some(AGAIN_LATER_S), ..app.trouble(trouble, visit.language) })
}

fn view<'a>(
    app: &'a App,
    visit: &'a Visit,
    (seen, night): (&'a Seen, &'a Night),
    still: bool,
) -> Result<View<'a>, PublishError> {
    let snapshot = &seen.snapshot;
    let now = snapshot.as_of;
    let texts = app.pages.texts(Language::En);
    let say = |at: Timestamp| Ok(moment(texts, &seen.zone, at, Form::Near(now))?.text);
    // Short, for the picture; another day has its name.
    let clock = |at: Timestamp| {
        let local = at.as_jiff().to_zoned(seen.zone.clone());
        let is_today = local.date() == now.as_jiff().to_zoned(seen.zone.clone()).date();
        local.strftime(if is_today { "%H:%M" } else { "%a %H:%M" }).to_string()
    };
    let other = app.views.support.then_some("/");
    let running = night.running.as_ref();
    let running = running.map(|(by, since)| Ok(format!("{by}, since {}", say(*since)?)));
    let rung = night.rung.iter().map(|(at, text)| Ok((say(*at)?, bounded(text, TEXT_CHARS_MAX))));
    let closes = snapshot.window.as_ref().and_then(|window| window.closes);
    let (hosts, more_hosts) = hosts(snapshot, &say)?;
    let planned = night.planned.as_ref().map(|(at, _)| say(*at)).transpose()?;
    let block = |it: &'a crate::web::desk::Blocked| Block {
        cause: &it.cause,
        workloads: it.workloads,
        why: bounded(&it.why, TEXT_CHARS_MAX),
        command: &it.command,
    };
    Ok(View {
        frame: app.pages.frame(&seen.name, visit, (other, true))?,
        still,
        again_s: AGAIN_S,
        as_of: clock_with_seconds(seen, now),
        running: running.transpose()?,
        headline: headline(snapshot),
        stretches: stretches(snapshot),
        words: WORDS.map(|word| (word_key(word), count(snapshot, word))).to_vec(),
        facts: facts(snapshot, night, &say)?,
        blocked: night.blocked.iter().take(BLOCKED_MAX).map(block).collect(),
        more_blocked: night.blocked.len().saturating_sub(BLOCKED_MAX),
        rung: rung.collect::<Result<_, PublishError>>()?,
        timeline: timeline(night, (now, closes), (&seen.zone, &clock)),
        planned,
        never: night.never,
        hosts,
        more_hosts,
        disks: night.disks.iter().map(disk).collect(),
    })
}

fn disk(disk: &LandingDisk) -> DiskRow<'_> {
    let LandingDisk { path, free, reserve } = disk;
    let is_full = free.is_some_and(|free| free <= *reserve);
    DiskRow { path, free: free.map(|it| it.to_string()), reserve: reserve.to_string(), is_full }
}

fn clock_with_seconds(seen: &Seen, at: Timestamp) -> String {
    at.as_jiff().to_zoned(seen.zone.clone()).strftime("%H:%M:%S %Z").to_string()
}

fn count(snapshot: &Snapshot, word: PublicWord) -> u64 {
    snapshot.totals.by_state.get(&word).copied().unwrap_or_default()
}

fn counts(snapshot: &Snapshot, words: &[PublicWord]) -> u64 {
    words.iter().map(|word| count(snapshot, *word)).sum()
}

const OUT: [PublicWord; 3] = [PublicWord::Copied, PublicWord::Restoring, PublicWord::Testing];
const APART: [PublicWord; 2] = [PublicWord::WaitingForYou, PublicWord::NeedsAttention];
const OPEN: [PublicWord; 2] = [PublicWord::Queued, PublicWord::Copying];

fn headline(snapshot: &Snapshot) -> String {
    let (all, online) = (snapshot.totals.customers, count(snapshot, PublicWord::Online));
    let out = counts(snapshot, &OUT) + online;
    match (out, online) {
        (_, online) if online == all && all > 0 => format!("All {all} customers online"),
        (out, 0) => format!("{out} of {all} customers copied"),
        (out, online) => format!("{out} of {all} customers copied, {online} online"),
    }
}

fn stretches(snapshot: &Snapshot) -> Vec<Stretch> {
    let all = snapshot.totals.customers.max(1) as f64;
    let mut x = 0.0;
    let kinds: [(&'static str, &'static str, &[PublicWord]); 4] = [
        ("online", "online", &[PublicWord::Online]),
        ("copied", "copied, not online yet", &OUT),
        ("open", "not copied yet", &OPEN),
        ("apart", "waiting for somebody", &APART),
    ];
    let stretch = |(kind, legend, words): (&'static str, &'static str, &[PublicWord])| {
        let customers = counts(snapshot, words);
        let width = customers as f64 / all * 100.0;
        let start = x;
        x += width;
        let (x, width) = (format!("{start:.2}%"), format!("{width:.2}%"));
        Stretch { kind, legend, customers, x, width }
    };
    kinds.into_iter().map(stretch).collect()
}

fn facts(
    snapshot: &Snapshot,
    night: &Night,
    say: &dyn Fn(Timestamp) -> Result<String, PublishError>,
) -> Result<Vec<Fact>, PublishError> {
    let at = |states: &[HostState]| {
        snapshot.hosts.iter().filter(|host| states.contains(&host.state)).count()
    };
    let rate = Rate(snapshot.hosts.iter().filter_map(|host| host.rate).map(|rate| rate.0).sum());
    let at_work = at(&[HostState::Active, HostState::Dialling]);
    let bottleneck = snapshot.bottleneck.as_ref().map(|text| bounded(text, TEXT_CHARS_MAX));
    let room = night.room.map_or_else(|| "no store yet".to_owned(), |room| room.to_string());
    let failing = at(&[HostState::Failed]);
    let fact = |name, text: String, more: Option<String>| Fact { name, text, more };
    Ok(vec![
        window(snapshot.window.as_ref(), snapshot.as_of, say)?,
        fact("Bottleneck now", bottleneck.unwrap_or_else(|| "not known".to_owned()), None),
        fact("Arriving", rate.to_string(), Some(format!("{} so far", snapshot.totals.bytes))),
        fact(
            "Hosts at work",
            format!("{at_work} of {}", snapshot.hosts.len()),
            Some(format!("{failing} failing, {} done", at(&[HostState::Done]))),
        ),
        fact("Room on landing disks", room, Some("beyond the reserve".to_owned())),
    ])
}

fn window(
    window: Option<&Window>,
    now: Timestamp,
    say: &dyn Fn(Timestamp) -> Result<String, PublishError>,
) -> Result<Fact, PublishError> {
    let fact = |text: String, more: Option<String>| Fact { name: "Window", text, more };
    let (opens, closes) = window.map_or((None, None), |window| (window.opens, window.closes));
    Ok(match (opens, closes) {
        (Some(opens), _) if opens > now => {
            fact(format!("opens {}", distance(now, opens)), Some(say(opens)?))
        }
        (_, Some(closes)) => {
            let verb = if closes > now { "closes" } else { "closed" };
            let hard = window.is_some_and(|window| window.hard);
            let hard = if hard { ", and the run ends then" } else { "" };
            let more = format!("{}{hard}", say(closes)?);
            fact(format!("{verb} {}", distance(now, closes)), Some(more))
        }
        (Some(opens), None) => fact("open, end not known".to_owned(), Some(say(opens)?)),
        (None, None) => fact("not known".to_owned(), None),
    })
}

/// Hosts that need somebody, then those at work, then the rest; and how many are not listed.
fn hosts(
    snapshot: &Snapshot,
    say: &dyn Fn(Timestamp) -> Result<String, PublishError>,
) -> Result<(Vec<Host>, usize), PublishError> {
    let rank = |host: &&HostStatus| match (host.state, &host.error) {
        (HostState::Failed, _) | (_, Some(_)) => 0,
        (HostState::Active, _) => 1,
        (HostState::Dialling, _) => 2,
        (HostState::Idle, _) => 3,
        (HostState::Done, _) => 4,
    };
    let mut all: Vec<&HostStatus> = snapshot.hosts.iter().collect();
    all.sort_by_key(rank);
    let host = |host: &&HostStatus| {
        let (sign, state) = match host.state {
            HostState::Idle => ("queued", "idle"),
            HostState::Dialling => ("testing", "dialling"),
            HostState::Active => ("copying", "at work"),
            HostState::Done => ("online", "done"),
            HostState::Failed => ("needs-attention", "failed"),
        };
        let error = host.error.as_ref().map(|error| {
            let detail = bounded(&error.detail, TEXT_CHARS_MAX);
            let detail = if detail.is_empty() { detail } else { format!(": {detail}") };
            Ok(format!("{}{detail}, since {}", error.reason.word(), say(error.since)?))
        });
        Ok(Host {
            id: host.id.to_string(),
            sign,
            state,
            rate: host.rate.filter(|rate| rate.0 > 0).map(|rate| rate.to_string()),
            rtt: host.rtt_ms.map(|rtt| format!("{rtt:.0} ms")),
            lanes: (host.lanes > 0).then_some(host.lanes),
            level: host.level,
            error: error.transpose()?,
        })
    };
    let shown = all.iter().take(HOSTS_MAX).map(host).collect::<Result<_, PublishError>>()?;
    Ok((shown, all.len().saturating_sub(HOSTS_MAX)))
}
