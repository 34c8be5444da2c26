//! Access windows: which one is meant, how long it lasts, which comes next. Pure.
//!
//! **Promise.** Whoever speaks of "the window" asks [`Windows::at`], so all mean the same one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::Timestamp;

/// Hosts are knocked at so long before a window opens: clocks differ.
pub const KNOCKS_BEFORE: Duration = Duration::from_secs(60);
/// A window that had been left is not begun again for less than this: clocks are set back a bit.
const WORTHWHILE: Duration = Duration::from_secs(5);

/// An access window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Start, if known.
    pub opens: Option<Timestamp>,
    /// End, if known.
    pub closes: Option<Timestamp>,
    /// Does evac stop at its end?
    pub hard: bool,
}

impl Window {
    /// Is it over? An unknown end never passes.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.closes.is_some_and(|closes| closes <= now)
    }

    /// Has it begun? An unknown beginning has passed.
    pub fn has_opened(&self, now: Timestamp) -> bool {
        self.opens.is_none_or(|opens| opens <= now)
    }
}

/// All that are known, in order of time, none reaching into the next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Windows(Vec<Window>);

impl Windows {
    /// As they were written, in any order. Windows that overlap are one. One without a beginning
    /// begins when the one written before it ends; one without an end gives way to the next.
    pub fn new(written: impl IntoIterator<Item = Window>) -> Self {
        let mut former = None;
        let mut all: Vec<Window> = written
            .into_iter()
            .map(|mut window| {
                window.opens = window.opens.or(former);
                former = window.closes;
                window
            })
            .collect();
        all.sort_by_key(|window| (window.opens, window.closes.is_none(), window.closes));
        let mut apart: Vec<Window> = Vec::with_capacity(all.len());
        for window in all {
            match apart.last_mut() {
                Some(last) if reaches_into(last, &window) => {
                    let lasts_longer = last
                        .closes
                        .is_some_and(|closes| window.closes.is_none_or(|others| others >= closes));
                    if lasts_longer {
                        (last.closes, last.hard) = (window.closes, window.hard);
                    }
                }
                _ => apart.push(window),
            }
        }
        Self(apart)
    }

    /// The window that is open, or else the next one.
    pub fn at(&self, now: Timestamp) -> Option<Window> {
        let gave_way = |place: usize| {
            self.0
                .get(place + 1)
                .is_some_and(|next| self.0[place].closes.is_none() && next.has_opened(now))
        };
        let mut places = 0..self.0.len();
        let place = places.find(|place| !self.0[*place].is_over(now) && !gave_way(*place))?;
        Some(self.0[place])
    }

    /// When work has to stop, as far as is known at `now`.
    pub fn hard_end(&self, now: Timestamp) -> Option<Timestamp> {
        self.at(now).filter(|window| window.hard)?.closes
    }

    /// Between a hard end and the next window: when that end was.
    pub fn between(&self, now: Timestamp) -> Option<Timestamp> {
        let begun = self.0.iter().rfind(|window| window.has_opened(now));
        let left = begun.filter(|window| window.hard && window.is_over(now))?;
        let waits = self.at(now).is_some() && self.begun_again(now).is_none();
        left.closes.filter(|_| waits)
    }

    /// Of work that had to stop: the window in which it goes on now, if it does.
    pub fn begun_again(&self, now: Timestamp) -> Option<Window> {
        self.at(now).filter(|window| {
            let is_near = window.has_opened(now.plus(KNOCKS_BEFORE));
            let left = window.closes.map(|closes| closes.since(now));
            is_near && left.is_none_or(|left| left >= WORTHWHILE)
        })
    }
}

/// Both in order of their beginnings.
fn reaches_into(former: &Window, next: &Window) -> bool {
    match (former.closes, next.opens) {
        (Some(closes), Some(opens)) => opens < closes,
        // An unknown end gives way, an unknown beginning is before everything.
        (None, Some(opens)) => former.opens == Some(opens),
        (_, None) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(1_900_000_000 + hour * 3_600)
    }

    fn window(opens: impl Into<Option<i64>>, closes: impl Into<Option<i64>>) -> Window {
        Window { opens: opens.into().map(at), closes: closes.into().map(at), hard: true }
    }

    fn soft(opens: impl Into<Option<i64>>, closes: impl Into<Option<i64>>) -> Window {
        Window { hard: false, ..window(opens, closes) }
    }

    #[test]
    fn the_order_in_which_they_are_written_does_not_matter() {
        let (first, second) = (window(0, 3), window(24, 30));
        for written in [[first, second], [second, first]] {
            let windows = Windows::new(written);
            for (hour, meant) in [
                (-1, Some(first)),
                (2, Some(first)),
                (3, Some(second)),
                (29, Some(second)),
                (30, None),
            ] {
                assert_eq!(windows.at(at(hour)), meant, "{hour}");
            }
        }
    }

    #[test]
    fn windows_that_overlap_are_one_that_ends_as_the_later() {
        let end = |written: &[Window], hour| Windows::new(written.to_vec()).hard_end(at(hour));
        assert_eq!(end(&[window(0, 5), window(3, 9)], 1), Some(at(9)));
        assert_eq!(end(&[window(0, 5), soft(3, 9)], 1), None);
        assert_eq!(end(&[window(0, 9), window(3, 5)], 4), Some(at(9)), "one within another");
        assert_eq!(end(&[soft(0, 5), window(0, 9)], 1), Some(at(9)));
        assert_eq!(end(&[window(0, 5), soft(3, None)], 1), None);
        assert_eq!(end(&[window(0, 5), window(5, 9)], 1), Some(at(5)), "they only touch");
    }

    #[test]
    fn what_nobody_knows_follows_from_its_neighbours() {
        // Without a beginning: when the one before it ends.
        let windows = Windows::new([window(0, 3), soft(None, None)]);
        assert_eq!(windows.hard_end(at(1)), Some(at(3)));
        assert_eq!(windows.at(at(3)), Some(soft(3, None)));
        assert_eq!(windows.begun_again(at(3)), Some(soft(3, None)), "at once");
        // Without an end: until the next begins.
        let windows = Windows::new([soft(None, None), window(24, 30)]);
        assert_eq!(windows.at(at(23)), Some(soft(None, None)));
        assert_eq!(windows.at(at(24)), Some(window(24, 30)));
        assert_eq!(windows.at(at(30)), None);
        assert_eq!(Windows::default().at(at(0)), None);
    }

    #[test]
    fn after_a_hard_end_work_goes_on_shortly_before_the_next_window() {
        let windows = Windows::new([window(0, 3), window(24, 30)]);
        let minutes = |minutes: u64| at(3).plus(Duration::from_secs(60 * minutes));
        assert_eq!((windows.between(at(-1)), windows.between(at(2))), (None, None));
        assert_eq!(windows.between(at(4)), Some(at(3)));
        assert_eq!(windows.begun_again(minutes(21 * 60 - 2)), None);
        assert_eq!(windows.begun_again(minutes(21 * 60 - 1)), Some(window(24, 30)));
        assert_eq!(windows.between(at(30)), None, "there is no other");
        assert_eq!(Windows::new([soft(0, 3), window(24, 30)]).between(at(4)), None);
    }

    #[test]
    fn a_clock_that_is_set_back_a_bit_begins_nothing() {
        let windows = Windows::new([window(0, 3), window(24, 30)]);
        let before_end = |seconds: i64| Timestamp::from_second(at(3).as_second() - seconds);
        assert_eq!(windows.begun_again(before_end(2)), None);
        assert_eq!(windows.begun_again(before_end(600)), Some(window(0, 3)), "it was wrong");
    }
}
