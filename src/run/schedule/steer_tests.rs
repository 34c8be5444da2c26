//! Every word meets work that waits, runs, failed and is done.

use super::*;
use crate::model::Steer;

fn host(name: &str) -> HostId {
    HostId::new(name).unwrap()
}

fn id(name: &str) -> WorkloadId {
    WorkloadId::new(name).unwrap()
}

/// Hosts a, b and c with two workloads each, in turn; two hosts at once.
fn schedule() -> Schedule {
    let order = ["a1", "b1", "c1", "a2", "b2", "c2"];
    Schedule::new(order.map(|work| (host(&work[..1]), id(work))), 2)
}

fn say(schedule: &mut Schedule, steer: Steer, work: &str) -> Effect {
    schedule.steer(steer, &[id(work)]).remove(0)
}

fn next(schedule: &mut Schedule, name: &str) -> Option<String> {
    schedule.next(&host(name)).map(|work| work.to_string())
}

/// In which order everything that may be begun is begun, one host at a time.
fn order(mut schedule: Schedule) -> String {
    let mut all = Vec::new();
    schedule.hosts_max = 1;
    while let Some(at) = schedule.admit() {
        while let Some(work) = schedule.next(&at) {
            schedule.done(&at, &work, Outcome::Captured);
            all.push(work.to_string());
        }
        schedule.release(&at);
    }
    all.join(" ")
}

#[test]
fn what_is_paused_waits_for_its_word() {
    let mut it = schedule();
    assert_eq!(say(&mut it, Steer::Pause, "a1"), Effect::Done);
    assert!(matches!(say(&mut it, Steer::Pause, "a1"), Effect::Already(_)));
    assert_eq!(say(&mut it, Steer::Pause, "nobody"), Effect::NotHere);
    assert!(it.waits_for_somebody());
    assert_eq!(it.admit(), Some(host("b")));
    assert_eq!((next(&mut it, "b"), it.admit()), (Some("b1".into()), Some(host("c"))));
    assert_eq!(say(&mut it, Steer::Resume, "a1"), Effect::Done);
    assert!(matches!(say(&mut it, Steer::Resume, "a1"), Effect::Already(_)));
    assert!(!it.waits_for_somebody());
    // Now it stands before what else b has.
    it.done(&host("b"), &id("b1"), Outcome::Captured);
    assert_eq!(next(&mut it, "b"), None);
    it.release(&host("b"));
    assert_eq!((it.admit(), next(&mut it, "a")), (Some(host("a")), Some("a1".into())));
}

#[test]
fn what_runs_is_unwanted_once_it_is_paused_and_comes_back() {
    let mut it = schedule();
    it.admit();
    assert_eq!(next(&mut it, "a"), Some("a1".into()));
    assert_eq!(say(&mut it, Steer::Pause, "a1"), Effect::Done);
    assert!(it.is_unwanted(&id("a1")));
    it.give_back(&host("a"), id("a1"));
    assert_eq!(next(&mut it, "a"), Some("a2".into()), "its host goes on with what is wanted");
    assert_eq!(it.paused_count(), 1);
    it.done(&host("a"), &id("a2"), Outcome::Captured);
    assert_eq!(next(&mut it, "a"), None);
    it.release(&host("a"));
    say(&mut it, Steer::Resume, "a1");
    assert_eq!((it.admit(), next(&mut it, "a")), (Some(host("a")), Some("a1".into())));
}

#[test]
fn the_latest_word_goes_first_and_keeps_its_own_order() {
    let mut it = schedule();
    let words = [id("c2"), id("b2")];
    assert_eq!(it.steer(Steer::First, &words), [Effect::Done, Effect::Done]);
    assert!(it.steer(Steer::First, &words).iter().all(|it| matches!(it, Effect::Already(_))));
    assert_eq!(say(&mut it, Steer::First, "a2"), Effect::Done);
    assert!(it.is_first(&id("a2")) && !it.is_first(&id("a1")));
    assert_eq!(order(it), "a2 b2 c2 a1 b1 c1");
    let mut again = schedule();
    say(&mut again, Steer::First, "c1");
    say(&mut again, Steer::First, "b1");
    assert_eq!(say(&mut again, Steer::First, "c1"), Effect::Done, "b1 went before it meanwhile");
    assert_eq!(order(again), "c1 b1 a1 a2 b2 c2");
}

#[test]
fn putting_first_ends_nothing_that_runs() {
    let mut it = schedule();
    it.admit();
    next(&mut it, "a");
    assert_eq!(say(&mut it, Steer::First, "a1"), Effect::Done);
    assert!(matches!(say(&mut it, Steer::First, "a1"), Effect::Already(_)));
    assert_eq!(say(&mut it, Steer::First, "c2"), Effect::Done);
    assert!(!it.is_unwanted(&id("a1")));
    assert_eq!(it.admit(), Some(host("c")));
}

#[test]
fn what_is_left_out_is_no_failure_until_it_is_wanted_again() {
    let mut it = schedule();
    it.admit();
    next(&mut it, "a");
    for work in ["a1", "b1"] {
        assert_eq!(say(&mut it, Steer::Skip, work), Effect::Done, "{work}");
        assert!(matches!(say(&mut it, Steer::Skip, work), Effect::Already(_)), "{work}");
        assert!(matches!(say(&mut it, Steer::First, work), Effect::Refused(_)), "{work}");
        assert!(matches!(say(&mut it, Steer::Pause, work), Effect::Refused(_)), "{work}");
        assert!(matches!(say(&mut it, Steer::Resume, work), Effect::Refused(_)), "{work}");
    }
    assert!(it.is_unwanted(&id("a1")));
    it.give_back(&host("a"), id("a1"));
    assert_eq!((it.skipped_count(), it.outcomes().count()), (2, 0));
    assert_eq!(next(&mut it, "a"), Some("a2".into()));
    it.done(&host("a"), &id("a2"), Outcome::Captured);
    it.release(&host("a"));
    assert_eq!(say(&mut it, Steer::Retry, "b1"), Effect::Done);
    assert_eq!(order(it), "b1 c1 b2 c2");
}

#[test]
fn a_seal_is_stronger_than_a_word_that_came_too_late() {
    let mut it = schedule();
    it.admit();
    next(&mut it, "a");
    say(&mut it, Steer::Skip, "a1");
    it.done(&host("a"), &id("a1"), Outcome::Captured);
    assert_eq!((it.skipped_count(), it.outcomes().count()), (0, 1));
    assert!(matches!(say(&mut it, Steer::Skip, "a1"), Effect::Refused(_)), "a whole copy is here");
}

#[test]
fn what_failed_is_tried_again_at_once() {
    let mut it = schedule();
    it.admit();
    next(&mut it, "a");
    assert!(matches!(say(&mut it, Steer::Retry, "a1"), Effect::Already(_)), "it is at it");
    it.give_back_failed(&host("a"), id("a1"));
    assert!(it.is_failing(&id("a1")));
    assert_eq!(say(&mut it, Steer::Retry, "a1"), Effect::Done, "no need to wait");
    assert!(!it.is_failing(&id("a1")));
    assert!(matches!(say(&mut it, Steer::Retry, "a1"), Effect::Already(_)));
    next(&mut it, "a");
    // Its tries are used up, and the host with them.
    it.done(&host("a"), &id("a1"), Outcome::Partial(Reason::Lost));
    say(&mut it, Steer::Pause, "a2");
    assert_eq!(it.abandon(&host("a")), [], "what is paused has not failed");
    it.release(&host("a"));
    say(&mut it, Steer::Resume, "a2");
    assert_eq!(say(&mut it, Steer::Retry, "a1"), Effect::Done);
    assert_eq!(it.outcomes().count(), 0);
    assert_eq!((it.admit(), next(&mut it, "a")), (Some(host("a")), Some("a1".into())));
    it.done(&host("a"), &id("a1"), Outcome::Captured);
    assert!(matches!(say(&mut it, Steer::Retry, "a1"), Effect::Already(_)));
}

#[test]
fn what_was_decided_before_counts_and_is_not_waited_for() {
    let decided = Decided {
        paused: [id("a1")].into(),
        firsts: [id("c2")].into(),
        skipped: [(id("d1"), host("d"))].into(),
    };
    let mut it = schedule().with(&decided);
    assert!(!it.waits_for_somebody(), "nobody is at it now");
    assert!(it.is_first(&id("c2")));
    assert_eq!(say(&mut it, Steer::Resume, "a1"), Effect::Done);
    assert_eq!(say(&mut it, Steer::Retry, "d1"), Effect::Done);
    assert_eq!(order(it), "d1 a1 b1 c1 a2 b2 c2");
}

#[test]
fn new_work_stands_before_what_is_behind_it() {
    let levels = [("a1", 0), ("b1", 0), ("c1", 1), ("a2", 1), ("b2", 2), ("c2", 2)];
    let mut it = schedule().with_levels(levels.map(|(work, level)| (id(work), level)).into());
    it.add(&host("d"), id("d1"), 0);
    it.add(&host("d"), id("d2"), 2);
    assert_eq!((it.level(&id("d2")), it.level(&id("a1"))), (3, 1));
    assert!(it.remove(&id("a2")) && !it.remove(&id("a2")));
    assert!(!it.is_touched(&id("d1")));
    let order = order(it);
    let at = |work: &str| order.find(work).unwrap();
    assert!(at("b1") < at("d1") && at("d1") < at("c1"), "{order}");
    assert!(order.ends_with("d2") && !order.contains("a2"), "{order}");
}

#[test]
fn who_is_waited_for_takes_no_place_and_is_dialled_when_somebody_wants_it() {
    let mut schedule = schedule().with_all_away();
    assert_eq!((schedule.admit(), schedule.away().len()), (None, 3));
    schedule.back(&[host("b"), host("c")]);
    assert_eq!((schedule.admit(), schedule.admit()), (Some(host("b")), Some(host("c"))));
    // The work of a stands before theirs, and nobody makes room for it.
    assert_eq!(next(&mut schedule, "b"), Some("b1".into()));
    schedule.give_back_failed(&host("b"), id("b1"));
    schedule.send_away(&host("b"));
    schedule.release(&host("b"));
    assert_eq!((schedule.admit(), schedule.at_work()), (None, 1));
    // It was lost in the middle: its work waits to be tried again, too.
    assert_eq!(say(&mut schedule, Steer::Retry, "b1"), Effect::Done);
    assert_eq!(schedule.admit(), Some(host("b")));
    assert_eq!(say(&mut schedule, Steer::Retry, "a2"), Effect::Done);
    assert!(schedule.away().is_empty());
    assert_eq!(say(&mut schedule, Steer::Retry, "a2"), Effect::Already("it waits for its turn"));
}
