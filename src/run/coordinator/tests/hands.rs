//! Somebody puts a session off, or puts it before the others.

use super::*;

#[test]
fn a_session_that_is_put_off_delivers_what_was_asked_for_and_no_more() {
    let limits = Limits { window_bytes_min: 1 << 20, ..Limits::default() };
    let mut world = World::new(limits);
    let host = world.host(1, &FILES);
    let other = world.host(2, &[("/z", 100), ("/z1", 101)]);
    world.walk(host);
    world.walk(other);
    world.input(Input::Rest(host));
    world.input(Input::Rest(host));
    world.deliver();
    world.pass(1);
    assert_eq!(world.hosts[&host].ended, Some(Reason::Stopped));
    assert_eq!(world.hosts[&host].sent.len(), 1, "what was under way");
    assert_eq!(world.segments.iter().filter(|it| it.workload.as_str() == "w1").count(), 1);
    world.deliver();
    assert!(world.hosts[&other].is_finished, "nobody else notices");
}

#[test]
fn a_session_that_has_nothing_under_way_is_put_off_at_once() {
    let mut world = World::new(Limits::default());
    let host = world.host(1, &FILES);
    world.input(Input::Rest(host));
    assert_eq!(world.hosts[&host].ended, Some(Reason::Stopped));
    // One that is gone is none to put off.
    world.input(Input::Rest(host));
    world.input(Input::Level(host, 0));
}

/// Two hosts wait in line until something may pass. Who is asked first?
fn asked_first(levels: [u32; 2], then: Option<u32>) -> SessionId {
    let mut world = World::new(Limits::default());
    world.coordinator = Coordinator::with_rates(Limits::default(), &[Some(Rate(0))]);
    let one = world.host_behind(1, &many(0), &[CapacityId(0)]);
    let other = world.host_behind(2, &many(100), &[CapacityId(0)]);
    for (host, level) in [one, other].into_iter().zip(levels) {
        world.input(Input::Level(host, level));
        world.walk(host);
    }
    assert!(world.queue.is_empty(), "nothing may pass");
    if let Some(level) = then {
        world.input(Input::Level(other, level));
    }
    world.input(Input::Limit(CapacityId(0), Some(Rate(1 << 20))));
    world.pass(1);
    world.queue.first().expect("something may pass now").0
}

#[test]
fn who_is_put_first_is_asked_before_those_who_stand_in_line() {
    assert_eq!(asked_first([1, 2], None), SessionId(1));
    assert_eq!(asked_first([1, 2], Some(0)), SessionId(2));
    assert_eq!(asked_first([2, 1], Some(3)), SessionId(1));
}
