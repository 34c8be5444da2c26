//! Who gets how much when many want at once, and what an input costs then.

use super::*;

/// `count` hosts with a file of their own each, all of them in the middle of their walk.
fn crowd(count: u64, limits: Limits) -> World {
    let mut world = World::new(limits);
    for number in 0..count {
        let host = world.host(number, &[("/own", number as u8)]);
        world.offer(host, 0, &records(&[("/own", number as u8)]));
    }
    world
}

/// How many hosts an input makes the coordinator look at.
fn looks(world: &mut World, act: impl FnOnce(&mut World)) -> u64 {
    let before = world.coordinator.looks();
    act(world);
    world.coordinator.looks() - before
}

#[test]
fn what_arrives_costs_the_same_however_many_hosts_there_are() {
    let cost = |count| {
        let mut world = crowd(count, Limits::default());
        let frame = looks(&mut world, |world| assert!(world.deliver_one()));
        let offer = looks(&mut world, |world| world.offer(SessionId(3), 1, &[]));
        let end = looks(&mut world, |world| world.input(Input::Ended(SessionId(2))));
        (frame, offer, end)
    };
    assert_eq!(cost(8), cost(200));
    let (frame, offer, end) = cost(200);
    assert!(frame + offer + end <= 12, "{frame} {offer} {end}");
}

#[test]
fn those_who_wait_for_the_budget_are_looked_at_when_it_is_their_turn() {
    let cost = |count: u64| {
        let limits = Limits { budget_bytes: 8 << 20, ..Limits::default() };
        let mut world = World::new(limits);
        for number in 0..count {
            let first = 2 * number as u8;
            let host = world.host(number, &[("/a", first), ("/b", first + 1)]);
            world.walk(host);
        }
        // One piece of each is always asked for, so the second waits.
        let before = world.coordinator.looks();
        let mut frames = 0;
        while world.deliver_one() {
            frames += 1;
        }
        assert!(world.all_finished());
        assert_eq!(frames, 2 * count);
        (world.coordinator.looks() - before) / frames
    };
    assert_eq!(cost(12), cost(120));
}

#[test]
fn a_small_budget_is_shared_alike() {
    let limits = Limits { budget_bytes: 20 << 20, ..Limits::default() };
    let mut world = World::new(limits);
    // The first takes its whole window before the last has said a word.
    let hosts: Vec<_> = (0..5).map(|n| world.host(n, &many(n as u8 * 30))).collect();
    for host in &hosts {
        world.walk(*host);
    }
    for _ in 0..100 {
        assert!(world.deliver_one());
    }
    let sent: Vec<usize> = hosts.iter().map(|host| world.hosts[host].sent.len()).collect();
    assert!(sent.iter().all(|count| (16..=25).contains(count)), "{sent:?}");
    world.deliver();
    assert!(world.all_finished());
    assert_eq!(world.coordinator.wanted_bytes(), 0);
}

#[test]
fn hosts_that_stand_still_keep_nobody_from_moving() {
    let limits = Limits { budget_bytes: 8 << 20, ..Limits::default() };
    let mut world = World::new(limits);
    let (stopped, moving) = (world.host(1, &many(0)), world.host(2, &many(30)));
    world.walk(stopped);
    world.walk(moving);
    world.hosts.get_mut(&stopped).unwrap().is_stopped = true;
    world.deliver();
    assert!(world.hosts[&moving].is_finished);
    assert_eq!(world.hosts[&moving].sent.len(), 30);
    // What the other held is free again when it goes.
    world.input(Input::Ended(stopped));
    assert_eq!(world.coordinator.wanted_bytes(), 0);
    assert_eq!(world.coordinator.claims.len(), 0);
}

#[test]
fn a_lost_piece_moves_its_offer_on_at_once() {
    let mut world = World::new(Limits::default());
    let (holder, waiter) = (world.host(1, &FILES), world.host(2, &FILES));
    world.walk(holder);
    world.walk(waiter);
    world.hosts.get_mut(&holder).unwrap().is_stopped = true;
    world.hosts.get_mut(&waiter).unwrap().has_changed = true;
    // No time passes: the last file's loss is what ends the run.
    world.input(Input::Ended(holder));
    assert_eq!(world.segments.len(), 1);
}
