//! Whatever is typed, and whatever is written into the inventory: who is on hold is neither online
//! nor in a public text, also after the ledger was lost. Only two people end it.

use std::fs;

use evac::ledger::snapshot::RestoreState;
use serde_json::json;

use super::world::World;
use crate::site::fleet::files_beneath;

/// Commands that a tired or clever person may try.
const ATTEMPTS: [&[&str]; 34] = [
    &["activate", "mallory"],
    &["activate", "customer/mallory"],
    &["activate", "workload/mallory-web"],
    &["activate", "mallory-web"],
    &["activate", "host/box"],
    &["activate", "group/all"],
    &["activate", "tier/gold"],
    &["activate", "state/restored"],
    &["activate", "state/gated"],
    &["activate", "state/testing"],
    &["activate", "@list"],
    &["activate", "mallory", "neighbour", "good-web"],
    &["--yes", "activate", "mallory"],
    &["--json", "activate", "mallory"],
    &["--as", "root", "activate", "mallory"],
    &["activate", "mallory", "--undo"],
    &["gate", "mallory"],
    &["gate", "--baseline", "mallory"],
    &["gate", "--watch", "--beats", "1"],
    &["--as", "kim", "gate", "mallory", "--unchecked", "trust me"],
    &["--as", "kim", "hold", "mallory", "customer", "--reason", "a weaker one"],
    &["release", "mallory", "--reason", "nobody says who"],
    &["--as", "kim", "release", "mallory", "--reason", "alone"],
    &["--as", "kim", "release", "mallory", "--reason", "and again"],
    &["--as", "KIM", "release", "customer/mallory", "--reason", "in capitals"],
    &["--as", " kim", "release", "host/box", "--reason", "by the box"],
    &["--as", "kim", "release", "workload/mallory-web", "--reason", "by the workload"],
    &["ledger", "confirm"],
    &["publish"],
    &["--json", "publish"],
    &["publish", "mail", "at-risk", "mallory"],
    &["report", "incident"],
    &["report", "notices"],
    &["snapshot", "dark"],
];

/// What somebody may write into the inventory instead.
const EDITS: [(&str, &str); 5] = [
    ("hold = \"abuse\"\n", ""),
    ("hold = \"abuse\"", "hold = \"none\""),
    ("id = \"mallory-web\"\ncustomer = \"mallory\"", "id = \"mallory-web\"\ncustomer = \"good\""),
    ("\"mallory\"", "\"mallory2\""),
    ("hold = \"abuse\"", "hold = \"abus\""),
];

/// Nothing of it is on, and no public text says its name or counts it.
#[track_caller]
fn is_held(world: &World, what: &str) {
    let state = world.ledger().state(&"mallory-web".parse().unwrap()).unwrap();
    assert_ne!(state.restore, RestoreState::Active, "{what}");
    let outcome = world.site.evac(&["publish"]);
    let folder = world.site.path("state/status");
    for file in files_beneath(&folder) {
        let text = fs::read_to_string(&file).unwrap();
        assert!(!text.to_lowercase().contains("mallory"), "{what}: {}", file.display());
    }
    let page = fs::read_to_string(folder.join("index.html")).unwrap();
    let counted = page.contains(" of 8 customers") || page.contains(" of 7 customers");
    assert!(counted, "{what}: {page} {}", outcome.stderr());
}

fn try_all(world: &World) {
    world.site.write("list", "mallory\n");
    for attempt in ATTEMPTS {
        let outcome = world.site.evac(attempt);
        let text = format!("{attempt:?}\n{}{}", outcome.stdout(), outcome.stderr());
        assert!(!text.contains("online   mallory"), "{text}");
        let state = world.ledger().state(&"mallory-web".parse().unwrap()).unwrap();
        assert_ne!(state.restore, RestoreState::Active, "{text}");
    }
    is_held(world, "all of them");
}

#[test]
fn no_command_brings_a_held_customer_online_or_into_public_also_after_a_rebuild() {
    let world = World::new();
    try_all(&world);
    world.rebuild();
    world.restore_all();
    // The inventory forgets it as well: the log alone holds, and one person in many spellings is
    // one.
    let inventory = fs::read_to_string(world.site.path("inventory.toml")).unwrap();
    world.site.write("inventory.toml", &inventory.replace("hold = \"abuse\"\n", ""));
    try_all(&world);
}

#[test]
fn no_edit_of_the_inventory_ends_a_hold() {
    let world = World::new();
    world.site.evac(&["status"]).exits(0);
    let inventory = fs::read_to_string(world.site.path("inventory.toml")).unwrap();
    for (from, to) in EDITS {
        assert!(inventory.contains(from), "{from}");
        world.site.write("inventory.toml", &inventory.replace(from, to));
        for what in ["mallory-web", "neighbour-web", "host/box"] {
            let outcome = world.site.evac(&["activate", what]);
            assert!(!outcome.stdout().contains("online "), "{to} {what} {}", outcome.stdout());
        }
        is_held(&world, to);
    }
    world.site.write("inventory.toml", &inventory);
    world.site.write("inventory.d/x.toml", "[[customer]]\nid = \"mallory\"\nhold = \"none\"\n");
    world.site.evac(&["activate", "mallory"]).exits(4);
    is_held(&world, "an overlay");
}

#[test]
fn two_people_end_a_hold_and_then_the_gate_decides() {
    let world = World::new();
    world.site.evac(&["status"]).exits(0);
    let release = |by: &str, code| {
        let words = ["--as", by, "release", "mallory", "--reason", "solved, ticket 4711"];
        world.site.evac(&words).exits(code)
    };
    let stderr = release("kim", 4).stderr();
    assert!(stderr.contains("the inventory holds customer/mallory back, at inventory.toml:"));
    let inventory = fs::read_to_string(world.site.path("inventory.toml")).unwrap();
    world.site.write("inventory.toml", &inventory.replace("hold = \"abuse\"\n", ""));
    let asked = release("kim", 0).stderr();
    assert!(asked.contains("kim asks to release customer/mallory, who is still on hold"));
    is_held(&world, "one alone");
    release("kim", 4);
    assert!(release("jo", 0).stderr().contains("is released, by kim and jo"));
    world.site.evac(&["activate", "mallory", "neighbour"]).exits(0);
    let log = fs::read_to_string(world.site.path("state/holds.log")).unwrap();
    assert_eq!(log.lines().count(), 3, "{log}");
    // Held again: what is on stays on, and no word of it is said.
    let held = world.site.evac(&["hold", "mallory", "legal", "--reason", "court order"]).exits(0);
    for why in [
        "customer/mallory is on hold, and this is switched on: mallory-web.",
        "who is on hold, and this is switched on: neighbour-web.",
    ] {
        assert!(held.stderr().contains(why), "{}", held.stderr());
    }
    // Support hears that a colleague takes it; why, only who asks for everything.
    let found = world.site.evac(&["--json", "find", "mallory"]).exits(0).json().remove(0);
    assert_eq!(found["customers"][0]["state"], "needs_attention");
    assert!(!found.to_string().contains("legal"), "{found}");
    let status = world.site.evac(&["--json", "status"]).exits(0).json().remove(0);
    let customers = status["customers"].as_array().unwrap();
    let mallory = customers.iter().find(|customer| customer["id"] == "mallory").unwrap();
    assert_eq!((&mallory["state"], &mallory["hold"]), (&json!("needs_attention"), &json!("legal")));
    world.site.evac(&["publish"]).exits(0);
    let page = fs::read_to_string(world.site.path("state/status/index.html")).unwrap();
    assert!(page.contains("1 of 8 customers online"), "{page}");
}

#[test]
fn a_line_that_may_be_a_hold_stops_switching_on_and_publishing_but_no_look() {
    let world = World::new();
    world.site.evac(&["hold", "customer/odd", "abuse", "--reason", "x"]).exits(0);
    let log = fs::read_to_string(world.site.path("state/holds.log")).unwrap();
    world.site.write("state/holds.log", &log[..log.len() - 9]);
    let stderr = world.site.evac(&["status"]).exits(0).stderr();
    assert!(stderr.contains("holds.log:2 cannot be read, and may be a hold"), "{stderr}");
    for command in [&["activate", "good-web"][..], &["publish"]] {
        let outcome = world.site.evac(command).exits(4);
        assert!(outcome.stderr().contains("`evac hold`"), "{}", outcome.stderr());
    }
}
