//! Cachet, Uptime Kuma and Vigil, as strict fakes: once each, whatever breaks.

use super::world::World;
use crate::fakes::cachet::Cachet;
use crate::fakes::kuma::Kuma;
use crate::fakes::{Fake, Fault};

fn cachet(url: &str, components: &str) -> String {
    format!(
        "[[publish.to]]\nid = \"cachet\"\nkind = \"cachet3\"\nurl = \"{url}\"\n\
         secret = {{ file = \"keys/page\" }}\n[publish.to.components]\n{components}"
    )
}

#[test]
fn cachet_has_each_post_once_wherever_its_call_breaks() {
    let fake = Fake::start(Cachet::with([7]));
    let world = World::new(1, &cachet(&fake.url, "all = \"7\"\n"));
    // The first post: a look, then the call whose answer is lost, then a look that finds it.
    fake.fails(&[Fault::None, Fault::DropAfter]);
    world.evac(&["publish", "say", "first"]).exits(0);
    {
        let service = &fake.look().service;
        assert_eq!(service.incidents.len(), 1, "one incident");
        let incident = &service.incidents[0];
        assert!(incident.is_visible, "everybody sees it");
        assert_eq!((incident.updates.len(), service.mails, service.components[&7]), (1, 0, 6));
    }
    let faults = [Fault::DropAfter, Fault::DropBefore, Fault::Status(502), Fault::Busy(1)];
    for (number, fault) in (2..).zip(faults) {
        fake.fails_once(fault);
        world.evac(&["publish", "say", "--title", "Same", "--text", "Same words."]).exits(0);
        let service = &fake.look().service;
        let incident = &service.incidents[0];
        assert_eq!((incident.updates.len(), service.incidents.len()), (number, 1), "{fault:?}");
    }
    assert_eq!(fake.look().service.mails, 0, "nobody asked for mail");
    // The ledger is lost; the incident is found by what it says of itself.
    world.lose_ledger();
    world.evac(&["--as", "jo", "ledger", "confirm"]).exits(0);
    world.evac(&["publish", "say", "moving"]).exits(0);
    assert_eq!(fake.look().service.incidents.len(), 1);
    fake.look().service.components.insert(7, 4);
    let done = &world.evac(&["--json", "publish"]).exits(0).json()[0];
    assert_eq!(done["drift"][0]["component"], "7", "{done}");
}

#[test]
fn a_component_that_is_unknown_there_keeps_no_other_back() {
    let fake = Fake::start(Cachet::with((1..=60).filter(|id| *id != 30)));
    let components: Vec<_> =
        (0..60).map(|at| format!("\"customer/c{at}\" = \"{}\"\n", at + 1)).collect();
    let world = World::new(60, &cachet(&fake.url, &components.concat()));
    let said = world.evac(&["publish"]).exits(1).stderr();
    assert!(said.contains("cachet (cachet3): 1 refused: status 404"), "{said}");
    assert!(fake.look().service.components.values().all(|status| *status == 6));
}

#[test]
fn a_push_monitor_hears_up_only_when_everybody_is() {
    let fake = Fake::start(Kuma::default());
    let world = World::new(
        2,
        &format!(
            "[[publish.to]]\nid = \"kuma\"\nkind = \"uptime-kuma\"\nurl = \"{}\"\n\
             secret = {{ command = [\"echo\", \"push\"] }}\ncomponents = {{ all = \"x\" }}\n",
            fake.url
        ),
    );
    world.evac(&["publish"]).exits(0);
    world.online(0..2);
    fake.fails(&[Fault::DropAfter]);
    world.evac(&["publish"]).exits(0);
    let beats = fake.look().service.beats.clone();
    assert!(!beats[0] && beats[1..].iter().all(|is_up| *is_up) && beats.len() == 3, "{beats:?}");
    let dry = world.evac(&["publish", "--dry-run"]).exits(0).stdout();
    assert!(!dry.contains("push?"), "no token is shown: {dry}");
    fake.look().service.is_paused = true;
    world.fails(1);
    let said = world.evac(&["publish"]).exits(1).stderr();
    assert!(said.contains("kuma (uptime-kuma): 1 refused: status 404"), "{said}");
    assert_eq!(fake.look().service.beats.len(), 3);
}
