//! `progress.json`: the figures of the page for programs, with how they came about.
//!
//! The page that was published last is the memory of the one that is made now: a point is added
//! where a figure changed. Losing it loses the curve, nothing else.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{PublicWord, Timestamp};

/// Its name in the folder of the page.
pub const PROGRESS_FILE: &str = "progress.json";
/// Version of the document.
const SCHEMA: u32 = 1;
/// More points are thinned out; the oldest stays.
const POINTS_MAX: usize = 400;
/// The pace of this long counts as the pace of late.
const RECENT: Duration = Duration::from_secs(60 * 60);
/// Fewer customers, or a shorter time, say nothing about a pace.
const PACED_CUSTOMERS_MIN: u64 = 5;
const PACED_TIME_MIN: Duration = Duration::from_secs(15 * 60);

/// The whole of `progress.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    pub schema: u32,
    pub as_of: Timestamp,
    pub next_update: Timestamp,
    pub customers: u64,
    pub copied: u64,
    pub online: u64,
    pub by_state: BTreeMap<PublicWord, u64>,
    pub groups: Vec<Group>,
    /// Oldest first.
    pub history: Vec<Point>,
}

/// A group that may be named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Empty: all others.
    pub name: String,
    pub customers: u64,
    pub copied: u64,
    pub online: u64,
}

/// What a page said at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    pub at: Timestamp,
    pub customers: u64,
    pub copied: u64,
    pub online: u64,
}

/// Between when and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub low: Timestamp,
    pub high: Timestamp,
}

/// The points of a document published before; none of one that cannot be read.
pub fn history_of(document: &[u8]) -> Vec<Point> {
    let read: Option<Progress> = serde_json::from_slice(document).ok();
    let mut points = read.map(|progress| progress.history).unwrap_or_default();
    points.sort_by_key(|point| point.at);
    points
}

/// `past` with `now` at its end, where that says something new.
pub fn extended(past: &[Point], now: Point) -> Vec<Point> {
    let mut points: Vec<Point> =
        past.iter().copied().filter(|point| point.at <= now.at && point.customers > 0).collect();
    let figures = |point: &Point| (point.customers, point.copied, point.online);
    if now.customers > 0 && points.last().map(figures) != Some(figures(&now)) {
        points.push(now);
    }
    if points.len() > POINTS_MAX {
        let last = points.len() - 1;
        let mut index = 0;
        points.retain(|_| {
            index += 1;
            index == 1 || index == last + 1 || index % 2 == 0
        });
    }
    points
}

/// When the total last changed, and what it was before.
pub fn changed_total(history: &[Point]) -> Option<(Point, Point)> {
    history
        .windows(2)
        .rev()
        .find(|two| two[0].customers != two[1].customers)
        .map(|two| (two[0], two[1]))
}

/// When everybody is online if it goes on as it did: from the faster to the slower of two paces,
/// that of the last hour and that since the first customer came back, and no narrower than from
/// three quarters to five quarters of that. `None` where nobody can honestly say.
pub fn everybody_online(history: &[Point], now: Point) -> Option<Range> {
    let left = now.customers.checked_sub(now.online).filter(|left| *left > 0)?;
    let seconds = |took: Duration, done: u64| took.as_secs_f64() * left as f64 / done as f64;
    let first = history.iter().rfind(|point| point.online == 0).or(history.first())?;
    let (done, took) = (now.online.checked_sub(first.online)?, now.at.since(first.at));
    if done < PACED_CUSTOMERS_MIN || took < PACED_TIME_MIN {
        return None;
    }
    let overall = seconds(took, done);
    // A point holds until the next one: this is how it stood an hour ago.
    let hour_ago = Timestamp::from_second(now.at.as_second() - RECENT.as_secs() as i64);
    let of_late = match history.iter().rfind(|point| point.at <= hour_ago) {
        Some(then) => {
            let done = now.online.checked_sub(then.online).filter(|done| *done > 0)?;
            seconds(RECENT, done)
        }
        None => overall,
    };
    let after = |seconds: f64| now.at.plus(Duration::from_secs(seconds.min(1e8) as u64));
    Some(Range {
        low: after(overall.min(of_late) * 0.75),
        high: after(overall.max(of_late) * 1.25),
    })
}

impl Progress {
    /// The document of a page.
    pub(super) fn of(page: &crate::publish::StatusPage) -> Self {
        let groups = page.groups.iter().map(|group| Group {
            name: group.id.as_ref().map(ToString::to_string).unwrap_or_default(),
            customers: group.customers,
            copied: group.copied,
            online: group.online,
        });
        Self {
            schema: SCHEMA,
            as_of: page.as_of,
            next_update: page.next_update,
            customers: page.customers,
            copied: page.copied(),
            online: page.online(),
            by_state: page.counts.iter().map(|count| (count.word, count.customers)).collect(),
            groups: groups.collect(),
            history: page.history.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(at: &str, online: u64) -> Point {
        Point { at: at.parse().unwrap(), customers: 100, copied: 100, online }
    }

    #[test]
    fn an_estimate_spans_both_paces_and_there_is_none_without_a_pace() {
        let now = point("2030-03-04T04:00:00Z", 40);
        let range = |history: &[Point]| {
            everybody_online(history, now)
                .map(|range| (range.low.to_string(), range.high.to_string()))
        };
        let beginning = point("2030-03-04T00:00:00Z", 0);
        // 40 in four hours, 20 in the last: 60 more take 6 h, or 3 h.
        let expected = ("2030-03-04T06:15:00Z".to_owned(), "2030-03-04T11:30:00Z".to_owned());
        assert_eq!(range(&[beginning, point("2030-03-04T02:30:00Z", 20)]), Some(expected));
        assert_eq!(range(&[]), None);
        // Nothing came back in the last hour: nobody can say.
        assert_eq!(range(&[beginning, point("2030-03-04T02:30:00Z", 40)]), None);
        // Too few, too short.
        assert_eq!(everybody_online(&[beginning], point("2030-03-04T04:00:00Z", 4)), None);
        assert_eq!(range(&[point("2030-03-04T03:50:00Z", 0)]), None);
        assert_eq!(everybody_online(&[beginning], point("2030-03-04T04:00:00Z", 100)), None);
    }

    #[test]
    fn a_point_is_kept_for_each_change_and_the_oldest_stays() {
        let mut points = Vec::new();
        for second in 0..3_000_u64 {
            let at = Timestamp::from_second(1_900_000_000 + second as i64);
            let now = Point { at, customers: 5_000, copied: second / 2, online: 0 };
            points = extended(&points, now);
        }
        assert!((200..=400).contains(&points.len()), "{}", points.len());
        assert_eq!(points[0].copied, 0);
        assert_eq!(points.last().unwrap().copied, 1_499);
        assert!(points.is_sorted_by_key(|point| point.at));
    }
}
