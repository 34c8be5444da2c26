//! Who works, and on what.

use super::*;

fn host(name: &str) -> HostId {
    HostId::new(name).unwrap()
}

fn schedule(order: &[(&str, &str)], hosts_max: usize) -> Schedule {
    let order = order.iter().map(|(h, w)| (host(h), WorkloadId::new(*w).unwrap()));
    Schedule::new(order, hosts_max)
}

#[test]
fn the_plan_decides_who_works() {
    let mut schedule = schedule(&[("a", "a1"), ("b", "b1"), ("a", "a2"), ("c", "c1")], 2);
    assert_eq!(schedule.admit(), Some(host("a")));
    assert_eq!(schedule.admit(), Some(host("b")));
    assert_eq!(schedule.admit(), None);
    let next = |s: &mut Schedule, h: &str| s.next(&host(h)).map(|w| w.to_string());
    assert_eq!(next(&mut schedule, "a"), Some("a1".into()));
    assert_eq!(next(&mut schedule, "b"), Some("b1".into()));
    assert_eq!(next(&mut schedule, "b"), None);
    schedule.release(&host("b"));
    assert_eq!(schedule.admit(), Some(host("c")));
    assert_eq!(next(&mut schedule, "a"), Some("a2".into()));
    assert_eq!(next(&mut schedule, "c"), Some("c1".into()));
    schedule.release(&host("a"));
    schedule.release(&host("c"));
    assert!(schedule.is_over());
}

#[test]
fn a_host_makes_room_for_work_that_stands_before_its_own() {
    let mut schedule = schedule(&[("a", "a1"), ("b", "b1"), ("a", "a2")], 1);
    assert_eq!(schedule.admit(), Some(host("a")));
    assert!(schedule.next(&host("a")).is_some());
    assert_eq!(schedule.next(&host("a")), None);
    assert!(!schedule.is_over());
    schedule.release(&host("a"));
    assert_eq!(schedule.admit(), Some(host("b")));
}

#[test]
fn what_is_given_back_comes_first_again() {
    let mut schedule = schedule(&[("a", "a1"), ("a", "a2")], 1);
    schedule.admit();
    let first = schedule.next(&host("a")).unwrap();
    schedule.give_back(&host("a"), first.clone());
    assert_eq!(schedule.next(&host("a")), Some(first));
    assert_eq!(schedule.abandon(&host("a")).len(), 1);
}
