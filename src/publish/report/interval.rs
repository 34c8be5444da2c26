//! Spans between two moments, and sets of them. Whole seconds; the end is not part of it.
//!
//! **Promise.** A set is sorted, its spans are not empty and do not touch: no second is counted
//! twice, whoever put it in.

use serde::Serialize;

use crate::model::Timestamp;

/// From one moment until another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Interval {
    /// The first second of it.
    pub from: Timestamp,
    /// The first second after it.
    pub to: Timestamp,
}

impl Interval {
    /// Between two moments, cut to whole seconds.
    pub fn new(from: Timestamp, to: Timestamp) -> Self {
        Self { from: whole(from), to: whole(to) }
    }

    fn is_empty(&self) -> bool {
        self.to <= self.from
    }

    /// Its length.
    pub fn seconds(&self) -> u64 {
        self.to.since(self.from).as_secs()
    }
}

fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second())
}

/// Everything that is in any of them.
pub fn union(intervals: impl IntoIterator<Item = Interval>) -> Vec<Interval> {
    let mut all: Vec<_> = intervals.into_iter().filter(|one| !one.is_empty()).collect();
    all.sort_unstable();
    let mut union: Vec<Interval> = Vec::with_capacity(all.len());
    for next in all {
        match union.last_mut() {
            Some(last) if next.from <= last.to => last.to = last.to.max(next.to),
            _ => union.push(next),
        }
    }
    union
}

/// What of a set lies in `bounds`.
pub fn within(set: &[Interval], bounds: Interval) -> Vec<Interval> {
    let cut =
        |one: &Interval| Interval { from: one.from.max(bounds.from), to: one.to.min(bounds.to) };
    set.iter().map(cut).filter(|one| !one.is_empty()).collect()
}

/// What of a set lies in none of `others`, which are a set too.
pub fn without(set: &[Interval], others: &[Interval]) -> Vec<Interval> {
    let mut left = Vec::new();
    for one in set {
        let mut from = one.from;
        for other in others.iter().filter(|other| other.to > one.from && other.from < one.to) {
            left.push(Interval { from, to: other.from });
            from = from.max(other.to);
        }
        left.push(Interval { from, to: one.to });
    }
    left.retain(|one| !one.is_empty());
    left
}

/// How long a set is altogether.
pub fn seconds(set: &[Interval]) -> u64 {
    set.iter().map(Interval::seconds).sum()
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    pub(in crate::publish::report) fn span(from: i64, to: i64) -> Interval {
        Interval::new(Timestamp::from_second(from), Timestamp::from_second(to))
    }

    fn spans() -> impl Strategy<Value = Vec<Interval>> {
        let one = (0_i64..60, 0_i64..20).prop_map(|(from, length)| span(from, from + length));
        proptest::collection::vec(one, 0..8)
    }

    fn covered(set: &[Interval]) -> BTreeSet<i64> {
        set.iter().flat_map(|one| one.from.as_second()..one.to.as_second()).collect()
    }

    proptest! {
        #[test]
        fn sets_hold_each_second_once(one in spans(), other in spans(), from in 0_i64..60) {
            let (one, other) = (union(one.clone()), union(other));
            let (has, lacks) = (covered(&one), covered(&other));
            prop_assert_eq!(seconds(&one), has.len() as u64);
            prop_assert!(one.windows(2).all(|two| two[0].to < two[1].from));
            let left = without(&one, &other);
            prop_assert_eq!(covered(&left), has.difference(&lacks).copied().collect());
            prop_assert_eq!(seconds(&left), covered(&left).len() as u64);
            let inside = within(&one, span(from, from + 9));
            let bounds: BTreeSet<i64> = (from..from + 9).collect();
            prop_assert_eq!(covered(&inside), has.intersection(&bounds).copied().collect());
        }
    }

    #[test]
    fn spans_that_touch_are_one() {
        assert_eq!(union([span(5, 9), span(1, 5), span(3, 3)]), [span(1, 9)]);
    }
}
