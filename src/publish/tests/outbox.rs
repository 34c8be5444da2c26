//! The outbox as a pure machine, and which facts are said.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ledger::outbox::{OutboxRow, RowKind, RowState};
use crate::model::Timestamp;
use crate::publish::outbox::{Answer, Does, Step, answered, begun, free_at, next};
use crate::publish::page::Access;
use crate::publish::say::facts::{Fact, Memory, Now, facts};

const DOES: Does = Does {
    posts: true,
    states: true,
    page: false,
    batch: 10,
    looks: true,
    doubles: false,
    post_first: false,
    calls_a_minute: 3,
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_900_000_000 + second)
}

fn row(subject: &str, kind: RowKind, number: u64) -> OutboxRow {
    OutboxRow {
        destination: "d".into(),
        subject: subject.into(),
        kind,
        number,
        version: 1,
        wanted: "{}".into(),
        calling: None,
        shown: None,
        state: RowState::Waiting,
        attempts: 0,
        wanted_at: at(0),
        next_at: at(0),
        sent_at: None,
        answer: None,
        remote: None,
    }
}

fn subjects(step: &Step) -> Vec<&str> {
    match step {
        Step::Send { rows, .. } => rows.iter().map(|row| row.subject.as_str()).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn posts_go_in_order_and_none_passes_one_that_may_be_there() {
    let mut rows = vec![row("b", RowKind::Post, 2), row("a", RowKind::Post, 1)];
    let step = next(&rows, &DOES, &[], at(0));
    assert_eq!(subjects(&step), ["a"]);
    assert!(matches!(step, Step::Send { look_first: true, .. }), "nothing of ours is known there");
    let unsure = Answer::Unsure { said: "time-out".into() };
    rows[1] = answered(begun(vec![rows[1].clone()], at(0)), &unsure, at(0), 7).remove(0);
    assert_eq!(rows[1].state, RowState::Calling);
    assert!(matches!(next(&rows, &DOES, &[], at(0)), Step::WaitUntil(_)));
    let step = next(&rows, &DOES, &[], at(9));
    assert!(matches!(&step, Step::Send { look_first: true, .. }) && subjects(&step) == ["a"]);
    let there = Answer::Accepted { remote: Some("inc".into()) };
    rows[1] = answered(vec![rows[1].clone()], &there, at(9), 7).remove(0);
    let step = next(&rows, &DOES, &[], at(9));
    assert!(matches!(step, Step::Send { look_first: false, .. }) && subjects(&step) == ["b"]);
}

#[test]
fn states_whose_call_broke_travel_together_again() {
    let mut rows: Vec<_> = (0..8).map(|at| row(&at.to_string(), RowKind::State, 9)).collect();
    let lost = Answer::Unsure { said: "time-out".into() };
    let mut sizes = Vec::new();
    for round in 0..9 {
        let now = at(round * 60);
        let Step::Send { rows: due, .. } = next(&rows, &DOES, &[], now) else { panic!("{round}") };
        sizes.push(due.len());
        for done in answered(begun(due, now), &lost, now, 0) {
            let known = rows.iter_mut().find(|row| row.subject == done.subject);
            *known.unwrap() = done;
        }
    }
    // Should one of them be what it breaks on, halves find it; an outage does not part them.
    assert_eq!(sizes, [8, 8, 8, 4, 4, 8, 8, 8, 2]);
}

#[test]
fn a_component_at_fault_is_found_by_halves() {
    let mut rows: Vec<_> = (0..10).map(|at| row(&at.to_string(), RowKind::State, 9)).collect();
    let (mut calls, now) = (0, at(0));
    while let Step::Send { rows: due, .. } = next(&rows, &DOES, &[], now) {
        calls += 1;
        let answer = if due.iter().any(|row| row.subject == "6") {
            Answer::Invalid { said: "unknown".into() }
        } else {
            Answer::Accepted { remote: None }
        };
        for done in answered(begun(due, now), &answer, now, 0) {
            let known = rows.iter_mut().find(|row| row.subject == done.subject);
            *known.unwrap() = done;
        }
    }
    let left: Vec<_> = rows.iter().filter(|row| row.state != RowState::Sent).collect();
    assert_eq!(left.iter().map(|row| row.subject.as_str()).collect::<Vec<_>>(), ["6"]);
    assert!(left[0].next_at > at(500) && calls <= 12, "{calls} calls");
}

#[test]
fn states_that_fill_no_call_wait_for_each_other_and_leave_room_for_posts() {
    let rows = [row("a", RowKind::State, 9)];
    let does = Does { calls_a_minute: 50, ..DOES };
    let waits = next(&rows, &does, &[at(0)], at(1));
    assert!(matches!(waits, Step::WaitUntil(until) if until > at(2) && until < at(3)), "{waits:?}");
    assert_eq!(subjects(&next(&rows, &does, &[at(0)], at(3))), ["a"]);
    let full: Vec<_> = (0..10).map(|at| row(&at.to_string(), RowKind::State, 9)).collect();
    assert_eq!(subjects(&next(&full, &does, &[at(0)], at(1))).len(), 10);
    let post = [row("p", RowKind::Post, 1), row("a", RowKind::State, 9)];
    assert_eq!(subjects(&next(&post, &does, &[at(0)], at(1))), ["p"]);
}

#[test]
fn states_are_batched_and_a_bad_one_keeps_nobody_back() {
    let mut rows: Vec<_> =
        (0..12).map(|number| row(&number.to_string(), RowKind::State, 9)).collect();
    assert_eq!(subjects(&next(&rows, &DOES, &[], at(0))).len(), 10);
    let refused = Answer::Refused { said: "the secret is wrong".into() };
    rows[0] = answered(begun(vec![rows[0].clone()], at(0)), &refused, at(0), 0).remove(0);
    let step = next(&rows, &DOES, &[], at(1));
    assert!(!subjects(&step).contains(&"0") && subjects(&step).len() == 10);
    let waits = Does { post_first: true, ..DOES };
    assert_eq!(next(&rows, &waits, &[], at(1)), Step::Idle, "no post stands there yet");
}

#[test]
fn no_minute_has_more_calls_than_allowed() {
    let calls = [at(0), at(10), at(20)];
    assert!(free_at(&calls[..2], 3, at(20)).is_none());
    let free = free_at(&calls, 3, at(30)).unwrap();
    assert!(free > at(60) && free <= at(61), "{free:?}");
    assert!(free_at(&calls, 3, at(61)).is_none());
    let rows = [row("a", RowKind::Post, 1)];
    assert_eq!(next(&rows, &DOES, &calls, at(30)), Step::WaitUntil(free));
}

#[test]
fn pauses_double_to_twenty_seconds_and_the_destination_may_ask_for_more() {
    let mut rows = begun(vec![row("a", RowKind::State, 9)], at(0));
    let failed = Answer::NotSent { said: "refused".into() };
    for attempt in 1..20_u32 {
        rows = answered(rows, &failed, at(0), u64::from(attempt) * 7_919);
        let pause = rows[0].next_at.as_jiff().as_millisecond() - at(0).as_jiff().as_millisecond();
        let most = (2_000_i64 << (attempt - 1).min(10)).min(20_000);
        assert!((most / 2..=most).contains(&pause), "{attempt}: {pause}");
    }
    let busy = Answer::Busy { after: Some(Duration::from_secs(300)), said: "429".into() };
    let rows = answered(rows, &busy, at(0), 1);
    assert_eq!(rows[0].next_at, at(300));
}

#[test]
fn a_call_that_was_cut_off_by_a_kill_has_time_to_arrive_before_anybody_looks() {
    let both = vec![row("a", RowKind::Post, 1), row("b", RowKind::Post, 2)];
    let rows = begun(both, at(50));
    assert_eq!(next(&rows, &DOES, &[at(50)], at(51)), Step::WaitUntil(at(55)));
    let step = next(&rows, &DOES, &[at(50)], at(55));
    assert!(matches!(step, Step::Send { look_first: true, .. }), "{step:?}");
    assert_eq!(subjects(&step), ["a"]);
}

#[test]
fn a_clock_that_is_turned_back_by_a_day_delays_nothing_and_one_set_ahead_repeats_nothing() {
    const DAY: i64 = 86_400;
    let does = Does { calls_a_minute: 2, ..DOES };
    let failed = Answer::NotSent { said: "away".into() };
    let mut rows = vec![row("a", RowKind::State, 9), row("p", RowKind::Post, 1)];
    rows[0] = answered(begun(vec![rows[0].clone()], at(0)), &failed, at(0), 0).remove(0);
    let calls = [at(-1), at(0)];
    assert!(matches!(next(&rows, &does, &calls, at(0)), Step::WaitUntil(_)));
    // Nothing waits for the day to come round again, and the limit a minute is one of that minute.
    let step = next(&rows, &does, &calls, at(-DAY));
    assert_eq!(subjects(&step), ["p"]);
    let now = [at(-1), at(0), at(-DAY), at(-DAY)];
    let step = next(&rows, &does, &now, at(1 - DAY));
    assert!(matches!(step, Step::WaitUntil(until) if until <= at(62 - DAY)), "{step:?}");
    // Who fails from then on has his pauses, though what he is told was wanted a day ahead.
    rows[0] = answered(begun(vec![rows[0].clone()], at(-DAY)), &failed, at(-DAY), 0).remove(0);
    let step = next(&rows[..1], &does, &calls, at(-DAY));
    assert!(matches!(step, Step::WaitUntil(until) if until > at(-DAY)), "{step:?}");
    assert!(matches!(step, Step::WaitUntil(until) if until < at(21 - DAY)), "{step:?}");
    let done = Answer::Accepted { remote: Some("x".into()) };
    let sent = answered(begun(rows, at(0)), &done, at(0), 0);
    let calls = [at(0)];
    assert_eq!(next(&sent, &does, &calls, at(31 * DAY)), Step::Idle);
    assert_eq!(next(&sent, &does, &calls, at(-DAY)), Step::Idle);
}

#[test]
fn a_post_that_was_cut_off_at_its_second_try_has_time_to_arrive_too() {
    let failed = Answer::NotSent { said: "away".into() };
    let rows = begun(vec![row("a", RowKind::Post, 1)], at(0));
    let rows = begun(answered(rows, &failed, at(0), 0), at(50));
    assert_eq!(next(&rows, &DOES, &[at(50)], at(51)), Step::WaitUntil(at(55)));
    assert!(matches!(next(&rows, &DOES, &[at(50)], at(55)), Step::Send { look_first: true, .. }));
}

fn now(customers: u64, online: u64) -> Now {
    let (copied, groups) = (online, BTreeMap::new());
    Now { customers, online, copied, groups, access: Access::Unknown }
}

/// What is said as figures change, and what is remembered at the end.
fn said(steps: &[Now]) -> Vec<Fact> {
    let (mut memory, mut all) = (Memory::default(), Vec::new());
    for step in steps {
        for (fact, after) in facts(&memory, step) {
            memory = after;
            all.push(fact);
        }
        assert_eq!(facts(&memory, step), [], "nothing is said twice");
    }
    all
}

#[test]
fn a_figure_is_said_by_tenths_and_taken_back_when_it_falls() {
    let steps = [now(100, 0), now(100, 1), now(100, 9), now(100, 25), now(100, 24), now(100, 31)];
    let expected = [
        Fact::Begun { total: 100 },
        Fact::Online { done: 1, total: 100 },
        Fact::Online { done: 25, total: 100 },
        Fact::Back { before: 25, done: 24, total: 100 },
        Fact::Online { done: 31, total: 100 },
    ];
    assert_eq!(said(&steps), expected);
}

#[test]
fn who_is_not_counted_any_more_is_not_said_to_be_offline() {
    let steps = [now(100, 0), now(100, 50), now(99, 49), now(99, 40)];
    let expected = [
        Fact::Begun { total: 100 },
        Fact::Online { done: 50, total: 100 },
        Fact::Total { before: 100, total: 99 },
        Fact::Back { before: 49, done: 40, total: 99 },
    ];
    assert_eq!(said(&steps), expected);
}

#[test]
fn the_window_is_said_once_and_again_when_it_moves() {
    let open = |until| Now { access: Access::Open { since: Some(at(0)), until }, ..now(0, 0) };
    let over = Now { access: Access::Over { at: at(50) }, ..now(0, 0) };
    let steps = [open(None), open(Some(at(90))), open(Some(at(50))), over, open(Some(at(99)))];
    let expected = [
        Fact::Opened { opens: at(0) },
        Fact::Closes { closes: at(90) },
        Fact::Closes { closes: at(50) },
        Fact::Shut { closes: at(50) },
        Fact::Closes { closes: at(99) },
    ];
    assert_eq!(said(&steps), expected);
}
