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

#[test]
fn who_is_put_first_is_asked_before_those_who_stand_in_line() {
    let mut world = World::new(Limits::default());
    world.coordinator = Coordinator::with_rates(Limits::default(), &[Some(Rate(2 << 20))]);
    let (one, other) = (
        world.host_behind(1, &many(0), &[CapacityId(0)]),
        world.host_behind(2, &many(100), &[CapacityId(0)]),
    );
    for (host, level) in [(one, 1), (other, 2)] {
        world.input(Input::Level(host, level));
        world.walk(host);
    }
    let sent = |world: &World, host| world.hosts[&host].sent.len();
    let second = |world: &mut World| {
        world.pass(1);
        world.deliver();
    };
    (0..5).for_each(|_| second(&mut world));
    let numbers = (sent(&world, one), sent(&world, other));
    assert!(numbers.0 > 1 && numbers.1 == 0, "the better level takes it all: {numbers:?}");
    let before = sent(&world, one);
    world.input(Input::Level(other, 0));
    world.deliver();
    let under_way = sent(&world, one);
    assert!(under_way <= before + 1);
    (0..5).for_each(|_| second(&mut world));
    assert_eq!(sent(&world, one), under_way, "nobody else is asked now");
    assert!(sent(&world, other) > 1);
}
