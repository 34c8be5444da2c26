//! A landing disk that is slower than what a host finds.

use super::*;

#[test]
fn while_the_disk_lags_no_more_is_asked_of_a_host_and_then_all_of_it() {
    let limits = Limits { held_bytes: 8_000, segment_held_bytes: 2_000, ..Limits::default() };
    let mut world = World::new(limits);
    let host = world.host(1, &many(1));
    world.lagging = Some(Vec::new());
    world.walk(host);
    world.deliver();
    let sent = world.sent();
    assert!((1..NAMES.len()).contains(&sent), "{sent}");
    assert_eq!(world.coordinator.wanted_bytes(), 0, "what was asked for came");
    // Each segment that is durable lets it go on; nothing else is needed for that.
    while let Some(session) = world.lagging.as_mut().and_then(Vec::pop) {
        world.input(Input::Committed(session));
        world.deliver();
    }
    assert_eq!(world.sent(), NAMES.len());
    assert!(world.all_finished());
}
