//! What happened beside what was planned: a row a host, from the beginning to the end of the night.
//!
//! Left of the line of now stands what happened, right of it what is expected of the rest; a thin
//! line beneath says what the plan had promised. Kinds differ by shape as well as by colour, and
//! each row says the same in words. Places are shares of the width, so that a row is as readable
//! on a phone as on a wall.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::Serialize;

use crate::model::{HostId, Span as Length, Timestamp};
use crate::web::desk::{Night, Span};

/// Rows drawn at most; those that are late come first.
const ROWS_MAX: usize = 60;
/// Bars of one row.
const BARS_MAX: usize = 40;
/// Lengths between ticks, in seconds; the first that gives few is taken.
const TICKS: [i64; 13] = [
    60, 300, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 2_419_200,
];
const TICKS_MAX: i64 = 4;
const DAY: i64 = 86_400;
/// Narrowest bar, so that a workload of seconds is still seen, in percent.
const BAR_MIN: f64 = 0.6;
/// What lies further ahead than so many times the window is cut off.
const AHEAD_MAX: i64 = 3;

/// The picture.
#[derive(Debug, Serialize)]
pub(super) struct Timeline {
    ticks: Vec<Tick>,
    now: String,
    window: Option<String>,
    rows: Vec<Row>,
    more: usize,
    late: usize,
    has_plan: bool,
}

#[derive(Debug, Serialize)]
struct Tick {
    x: String,
    text: String,
    /// Where its label stands to it.
    anchor: &'static str,
}

#[derive(Debug, Serialize)]
struct Row {
    host: HostId,
    bars: Vec<Bar>,
    words: String,
    late: bool,
}

#[derive(Debug, Serialize)]
struct Bar {
    /// `done`, `now`, `expected`, `late` or `planned`.
    kind: &'static str,
    x: String,
    width: String,
    title: String,
}

/// What one host has.
#[derive(Default)]
struct Work<'a> {
    done: Vec<&'a Span>,
    expected: Vec<&'a Span>,
    planned: Vec<&'a Span>,
}

impl Work<'_> {
    fn is_late(&self) -> bool {
        self.expected.iter().any(|span| !span.fits)
    }

    /// Late ones first, then those at work, then those to come, then the rest.
    fn rank(&self) -> (u8, Option<Timestamp>) {
        let is_at_work = self.done.iter().any(|span| span.to.is_none());
        let first = self.expected.iter().map(|span| span.from).min();
        let rank = match (self.is_late(), is_at_work, first) {
            (true, ..) => 0,
            (false, true, _) => 1,
            (false, false, Some(_)) => 2,
            (false, false, None) => 3,
        };
        (rank, first)
    }
}

/// Shares of the width.
struct Axis {
    from: i64,
    to: i64,
}

impl Axis {
    fn of(night: &Night, now: Timestamp, closes: Option<Timestamp>) -> Self {
        let planned = night.planned.iter().flat_map(|(_, spans)| spans);
        let all: Vec<&Span> = night.done.iter().chain(&night.expected).chain(planned).collect();
        let starts = all.iter().map(|span| span.from.as_second());
        let from = starts.chain([now.as_second()]).min().unwrap_or_default();
        let ends = all.iter().filter_map(|span| Some(span.to?.as_second()));
        let last = ends.chain([now.as_second() + 60]).max().unwrap_or_default();
        let to = closes.map(Timestamp::as_second).filter(|closes| *closes > from);
        // A year at these rates would make the night a dot.
        let most = to.map_or(i64::MAX, |to| from.saturating_add((to - from) * AHEAD_MAX));
        let to = last.min(most).max(to.unwrap_or(last)).max(now.as_second());
        // The last label stands within the picture.
        Self { from, to: to + (to - from) / 50 + 1 }
    }

    fn share(&self, at: Timestamp) -> f64 {
        let share = (at.as_second() - self.from) as f64 / (self.to - self.from).max(1) as f64;
        (share * 100.0).clamp(0.0, 100.0)
    }

    fn x(&self, at: Timestamp) -> String {
        percent(self.share(at))
    }

    /// Marks in whole hours or days of `zone`, and what they are called.
    fn ticks(&self, zone: &TimeZone) -> Vec<Tick> {
        let length = self.to - self.from;
        let step =
            TICKS.into_iter().find(|step| length / step < TICKS_MAX).unwrap_or(length.max(1));
        // Of the hours on people's walls, not of those in Greenwich.
        let offset = zone.to_offset(Timestamp::from_second(self.from).as_jiff()).seconds();
        let offset = i64::from(offset);
        let first = (self.from + offset).div_euclid(step) * step + step - offset;
        let form = if length < DAY { "%H:%M" } else { "%a %H:%M" };
        let marks = (first..=self.to).step_by(step.unsigned_abs() as usize);
        let tick = |second: i64| {
            let at = Timestamp::from_second(second);
            let anchor = match self.share(at) {
                share if share < 8.0 => "start",
                share if share > 92.0 => "end",
                _ => "middle",
            };
            let text = at.as_jiff().to_zoned(zone.clone()).strftime(form).to_string();
            Tick { x: self.x(at), text, anchor }
        };
        marks.map(tick).collect()
    }
}

fn percent(share: f64) -> String {
    format!("{share:.2}%")
}

/// The picture of a night; `clock` says a moment.
pub(super) fn timeline(
    night: &Night,
    (now, closes): (Timestamp, Option<Timestamp>),
    (zone, clock): (&TimeZone, &dyn Fn(Timestamp) -> String),
) -> Timeline {
    let mut hosts: BTreeMap<&HostId, Work<'_>> = BTreeMap::new();
    for span in &night.done {
        hosts.entry(&span.host).or_default().done.push(span);
    }
    for span in &night.expected {
        hosts.entry(&span.host).or_default().expected.push(span);
    }
    for span in night.planned.iter().flat_map(|(_, spans)| spans) {
        hosts.entry(&span.host).or_default().planned.push(span);
    }
    let late = hosts.values().filter(|work| work.is_late()).count();
    let mut rows: Vec<_> = hosts.into_iter().collect();
    rows.sort_by_key(|(host, work)| (work.rank(), *host));
    let axis = Axis::of(night, now, closes);
    let shown = rows.iter().take(ROWS_MAX);
    Timeline {
        ticks: axis.ticks(zone),
        now: axis.x(now),
        window: closes.map(|closes| axis.x(closes)),
        rows: shown.map(|(host, work)| row(host, work, (&axis, now), clock)).collect(),
        more: rows.len().saturating_sub(ROWS_MAX),
        late,
        has_plan: night.planned.is_some(),
    }
}

fn row(
    host: &HostId,
    work: &Work<'_>,
    (axis, now): (&Axis, Timestamp),
    clock: &dyn Fn(Timestamp) -> String,
) -> Row {
    let mut bars = Vec::new();
    let mut add = |kind: &'static str, span: &Span| {
        let to = span.to.unwrap_or(now);
        let (x, end) = (axis.share(span.from), axis.share(to));
        let width = (end - x).max(BAR_MIN);
        let length = Length(to.since(span.from));
        let title = format!("{}: {} to {} ({length})", span.workload, clock(span.from), clock(to));
        bars.push(Bar { kind, x: percent(x.min(100.0 - width)), width: percent(width), title });
    };
    for span in work.planned.iter().take(BARS_MAX) {
        add("planned", span);
    }
    for span in work.done.iter().rev().take(BARS_MAX).rev() {
        add(if span.to.is_none() { "now" } else { "done" }, span);
    }
    for span in work.expected.iter().take(BARS_MAX) {
        add(if span.fits { "expected" } else { "late" }, span);
    }
    Row { host: host.clone(), bars, words: words(work, clock), late: work.is_late() }
}

/// What a row shows, in words.
fn words(work: &Work<'_>, clock: &dyn Fn(Timestamp) -> String) -> String {
    let ends = |spans: &[&Span]| spans.iter().filter_map(|span| span.to).max();
    let mut parts = Vec::new();
    let sealed = work.done.iter().filter(|span| span.to.is_some()).count();
    if work.done.iter().any(|span| span.to.is_none()) {
        parts.push("being copied now".to_owned());
    }
    if let Some(last) = ends(&work.done).filter(|_| sealed > 0) {
        parts.push(format!("{sealed} copied by {}", clock(last)));
    }
    if let Some(last) = ends(&work.expected) {
        let count = work.expected.len();
        let late = if work.is_late() { ", after the window" } else { "" };
        parts.push(format!("{count} to come until {}{late}", clock(last)));
    }
    if let Some(last) = ends(&work.planned) {
        parts.push(format!("plan {}", clock(last)));
    }
    parts.join("; ")
}

/// How long until `then`, or since.
pub(super) fn distance(now: Timestamp, then: Timestamp) -> String {
    let (ahead, behind) = (then.since(now), now.since(then));
    let span = |span: Duration| Length(span).to_string();
    if ahead > Duration::ZERO {
        format!("in {}", span(ahead))
    } else {
        format!("{} ago", span(behind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_900_000_000 + minute * 60)
    }

    fn span(host: &str, from: i64, to: Option<i64>, fits: bool) -> Span {
        let workload = format!("{host}-{from}").parse().unwrap();
        Span { workload, host: host.parse().unwrap(), from: at(from), to: to.map(at), fits }
    }

    #[test]
    fn what_is_late_stands_first_and_everything_has_its_place() {
        let night = Night {
            done: vec![span("a", 0, Some(50), true), span("b", 50, None, true)],
            expected: vec![span("b", 110, Some(120), true), span("c", 120, Some(9_000), false)],
            planned: Some((at(0), vec![span("a", 0, Some(40), true)])),
            ..Night::default()
        };
        let clock = |at: Timestamp| format!("{}", (at.as_second() - 1_900_000_000) / 60);
        let drawn = timeline(&night, (at(100), Some(at(200))), (&TimeZone::UTC, &clock));
        let hosts: Vec<_> = drawn.rows.iter().map(|row| row.host.as_str()).collect();
        assert_eq!((hosts.as_slice(), drawn.late), (["c", "b", "a"].as_slice(), 1));
        let kinds = |row: &Row| row.bars.iter().map(|bar| bar.kind).collect::<Vec<_>>();
        assert_eq!(kinds(&drawn.rows[0]), ["late"]);
        assert_eq!(kinds(&drawn.rows[1]), ["now", "expected"]);
        assert_eq!(kinds(&drawn.rows[2]), ["planned", "done"]);
        assert_eq!(drawn.rows[2].words, "1 copied by 50; plan 40");
        assert_eq!(drawn.rows[0].words, "1 to come until 9000, after the window");
        let share = |text: &str| text.trim_end_matches('%').parse::<f64>().unwrap();
        let window = share(drawn.window.as_ref().unwrap());
        assert!(share(&drawn.now) < window && window < 40.0, "cut off at three windows");
        for bar in drawn.rows.iter().flat_map(|row| &row.bars) {
            assert!(share(&bar.x) + share(&bar.width) < 100.01, "{bar:?}");
        }
        assert!((1..=5).contains(&drawn.ticks.len()), "{:?}", drawn.ticks);
    }

    #[test]
    fn nothing_at_all_is_a_picture_too() {
        let drawn =
            timeline(&Night::default(), (at(0), None), (&TimeZone::UTC, &|_| String::new()));
        assert!(drawn.rows.is_empty() && drawn.window.is_none());
    }

    #[test]
    fn distances_have_a_direction() {
        assert_eq!(distance(at(0), at(90)), "in 1h30m");
        assert_eq!(distance(at(5), at(0)), "5m00s ago");
    }
}
