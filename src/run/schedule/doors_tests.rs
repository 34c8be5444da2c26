//! Work stops at the end of a window, and goes on in the next.

use super::*;
use crate::model::Steer;

fn host(name: &str) -> HostId {
    HostId::new(name).unwrap()
}

fn id(name: &str) -> WorkloadId {
    WorkloadId::new(name).unwrap()
}

fn order(schedule: &mut Schedule) -> String {
    let mut all = Vec::new();
    while let Some(at) = schedule.admit() {
        while let Some(work) = schedule.next(&at) {
            schedule.done(&at, &work, Outcome::Captured);
            all.push(work.to_string());
        }
        schedule.release(&at);
    }
    all.join(" ")
}

/// Hosts a to d with a workload each, of which a's runs.
fn schedule() -> Schedule {
    let order = ["a", "b", "c", "d"].map(|name| (host(name), id(name)));
    let mut schedule = Schedule::new(order, 1);
    assert_eq!((schedule.admit(), schedule.next(&host("a"))), (Some(host("a")), Some(id("a"))));
    schedule
}

#[test]
fn while_it_is_shut_nothing_begins_and_what_runs_is_unwanted() {
    let mut it = schedule();
    it.shut();
    assert!(it.is_unwanted(&id("a")));
    it.give_back(&host("a"), id("a"));
    assert_eq!(it.next(&host("a")), None);
    it.release(&host("a"));
    assert_eq!((it.admit(), it.away()), (None, vec![]));
    assert!(it.waits_for_hosts() && !it.is_over());
    it.begin_again(None);
    assert_eq!((it.admit(), it.away().len()), (None, 4), "nobody was seen to answer");
    it.back(&["a", "b", "c", "d"].map(host));
    assert_eq!(order(&mut it), "a b c d");
    assert!(!it.waits_for_hosts() && it.is_over());
}

#[test]
fn the_next_window_has_a_plan_of_its_own_and_tries_again_what_failed() {
    let mut it = schedule();
    it.done(&host("a"), &id("a"), Outcome::Failed(Reason::Auth));
    it.release(&host("a"));
    it.steer(Steer::First, &[id("d")]);
    it.shut();
    it.begin_again(Some(&[(id("c"), 0), (id("a"), 1)]));
    it.back(&["a", "b", "c", "d"].map(host));
    assert_eq!((it.level(&id("d")), it.level(&id("c")), it.level(&id("a"))), (0, 1, 2));
    assert_eq!(order(&mut it), "d c a b");
}

#[test]
fn what_a_guard_rail_keeps_out_and_what_is_paused_stays_so() {
    let mut it = schedule();
    it.done(&host("a"), &id("a"), Outcome::Failed(Reason::Inventory));
    it.release(&host("a"));
    it.steer(Steer::Pause, &[id("b"), id("c"), id("d")]);
    it.shut();
    assert!(!it.waits_for_hosts());
    it.begin_again(Some(&[]));
    it.back(&["a", "b", "c", "d"].map(host));
    assert_eq!(order(&mut it), "");
    assert_eq!(it.outcomes().count(), 1);
}
