//! A store without room.

use super::*;

#[test]
fn without_room_nothing_is_asked_for_and_with_room_everything_is() {
    let mut world = World::new(Limits::default());
    let piece = u64::from(PIECE);
    world.input(Input::Room(3 * piece));
    let hosts = [world.host(1, &many(1)), world.host(2, &many(101))];
    for host in hosts {
        world.walk(host);
    }
    assert!(world.coordinator.wanted_bytes() <= 3 * piece, "what is wanted may all need room");
    world.input(Input::Room(0));
    world.deliver();
    let sent = world.sent();
    assert_eq!((sent, world.coordinator.wanted_bytes()), (3, 0));
    // However long it lasts, nobody is ended for it, and not even a first piece is asked for.
    for _ in 0..100 {
        world.pass(60);
        world.deliver();
    }
    assert!(world.sent() == sent && world.hosts.values().all(|host| host.ended.is_none()));
    // What the store takes in uses room up.
    world.input(Input::Room(piece));
    world.deliver();
    assert_eq!(world.sent(), sent + 1, "a byte of that piece's room is gone");
    world.input(Input::Room(u64::MAX));
    world.deliver();
    assert!(world.all_finished());
}

#[test]
fn a_piece_whose_holder_ends_waits_for_room_as_well() {
    let mut world = World::new(Limits::default());
    let (first, second) = (world.host(1, &FILES), world.host(2, &FILES));
    world.hosts.get_mut(&first).unwrap().is_stopped = true;
    world.walk(first);
    world.walk(second);
    world.input(Input::Room(0));
    world.input(Input::Ended(first));
    world.pass(100);
    world.deliver();
    assert_eq!(world.coordinator.wanted_bytes(), 0, "nobody is asked in its stead yet");
    world.input(Input::Room(1 << 30));
    world.pass(1);
    world.deliver();
    assert!(world.hosts[&second].is_finished);
}
