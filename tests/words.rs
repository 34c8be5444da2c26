//! What is said in public: once, everywhere, whatever breaks, and never a name that must not be.

mod account;
mod bucket;
mod drift;
mod held;
mod hosted;
mod paces;
mod places;
pub mod world;

use std::time::{Duration, Instant};

use crate::fakes::statuspage::Statuspage;
use crate::fakes::{Fake, Fault, Hook};
use crate::site::Site;
use world::World;

const FIRST: [&str; 3] = ["publish", "say", "first"];

#[test]
fn a_first_statement_needs_a_name_and_one_folder() {
    let site = Site::new();
    site.write(
        "evac.toml",
        "[site]\nname = \"Example\"\n[publish]\n[[publish.to]]\nid = \"web\"\nkind = \"folder\"\n\
         path = \"out\"\n",
    );
    let outcome = site.evac(&["publish", "say", "first", "--next", "20m"]).exits(0);
    let said = outcome.stdout();
    assert!(said.contains("Text message: Example: Our customers' servers cannot be reached. Next"));
    assert!(site.path("out/index.html").is_file());
    let posts = site.evac(&["--json", "publish", "posts"]).exits(0).json();
    assert_eq!(posts[0]["post"]["kind"], "investigating");
    assert!(posts[0]["post"]["next_by"].is_string());
}

#[test]
fn a_post_stands_once_wherever_its_call_breaks() {
    let fake = Fake::start(Statuspage::with([]));
    let world = World::new(0, &world::statuspage(&fake.url, ""));
    world.evac(&FIRST).exits(0);
    assert_eq!(fake.look().service.updates().len(), 1);
    fake.taken();
    let faults = [Fault::DropAfter, Fault::DropBefore, Fault::Status(502), Fault::Busy(1)];
    for (number, fault) in (2..).zip(faults) {
        fake.fails_once(fault);
        world.evac(&["publish", "say", "same"]).exits(0);
        let updates = fake.look().service.updates();
        assert_eq!(updates.len(), number, "{fault:?}: {updates:?}");
        assert_eq!(fake.look().service.incidents.len(), 1);
        let asked = fake.taken();
        if let Fault::Busy(seconds) = fault {
            let waited = asked[1].at.duration_since(asked[0].at);
            assert!(waited >= Duration::from_secs(seconds.into()), "{waited:?}");
        }
    }
    assert_eq!(fake.look().service.mails, 0, "nobody asked for mail");
}

#[test]
fn a_post_stands_once_after_a_kill_and_after_the_ledger_is_lost() {
    let fake = Fake::start(Statuspage::with([]));
    let world = World::new(1, &world::statuspage(&fake.url, ""));
    // The look-up before the first post goes through; the post itself has no answer.
    fake.fails(&[Fault::None, Fault::Hang]);
    let mut said = world.site.bare_command(&FIRST).spawn().unwrap();
    wait_for(|| fake.look().asked.iter().any(|asked| asked.method == "POST"));
    said.kill().unwrap();
    said.wait().unwrap();
    world.evac(&["publish"]).exits(0);
    let updates = fake.look().service.updates();
    let firsts = updates.iter().filter(|it| it.starts_with("investigating We know")).count();
    assert_eq!((firsts, fake.look().service.incidents.len()), (1, 1), "{updates:?}");

    // Words are gone with the ledger; the incident is found again by what it says of itself.
    world.lose_ledger();
    world.evac(&["publish"]).exits(4);
    world.evac(&["--as", "jo", "ledger", "confirm"]).exits(0);
    world.evac(&["publish", "say", "moving"]).exits(0);
    assert_eq!(fake.look().service.incidents.len(), 1);
}

#[test]
fn five_hundred_components_cost_a_few_calls_and_drift_is_told() {
    let ids: Vec<String> = (0..500).map(|number| format!("comp{number:03}")).collect();
    let fake = Fake::start(Statuspage::with(ids));
    let components: Vec<String> =
        (0..500).map(|at| format!("\"customer/c{at}\" = \"comp{at:03}\"\n")).collect();
    let components = components.concat();
    let world = World::new(500, &world::statuspage(&fake.url, &components));
    world.evac(&["publish"]).exits(0);
    let asked = fake.taken();
    assert!(asked.len() <= 12, "{} calls", asked.len());
    let all = |status: &str| fake.look().service.components.values().all(|it| it == status);
    assert!(all("under_maintenance"));
    // Nothing is new: only the look for drift is left.
    world.evac(&["publish"]).exits(0);
    let asked = fake.taken();
    assert!(asked.iter().all(|asked| asked.method == "GET"), "{asked:?}");
    fake.look().service.components.insert("comp007".into(), "operational".into());
    let done = &world.evac(&["--json", "publish"]).exits(0).json()[0];
    assert_eq!(done["drift"][0]["component"], "comp007", "{done}");
    assert_eq!(done["drift"][0]["shows"], "operational");
    assert_eq!(done["drift"].as_array().unwrap().len(), 1);
}

#[test]
fn calls_wait_for_their_minute_also_over_restarts() {
    let fake = Fake::start(Hook::default());
    let world = World::new(0, &world::hook(&fake.url, "calls = 2\n"));
    for _ in 0..2 {
        world.evac(&FIRST).exits(0);
    }
    // A third call in this minute is not made, whoever tries.
    let mut third = world.site.bare_command(&FIRST).spawn().unwrap();
    let mut fourth = world.site.bare_command(&["publish"]).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(2));
    for child in [&mut third, &mut fourth] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert_eq!(fake.taken().len(), 2);
    let dry = world.evac(&["publish", "--dry-run"]).exits(0).stdout();
    assert_eq!(dry.lines().count(), 1, "{dry}");
    assert_eq!(fake.taken().len(), 0, "a dry run calls nobody");
}

#[test]
fn what_is_refused_is_told_and_keeps_nothing_else_back() {
    let page = Fake::start(Statuspage::with([]));
    page.look().service.key = "another".into();
    let hook = Fake::start(Hook::default());
    let settings = world::statuspage(&page.url, "") + &world::hook(&hook.url, "");
    let world = World::new(0, &settings);
    let outcome = world.evac(&FIRST).exits(1);
    let stderr = outcome.stderr();
    assert!(
        stderr.contains("page (statuspage): 1 refused: it does not take the secret"),
        "{stderr}"
    );
    assert!(stderr.contains("hook (webhook): up to date"), "{stderr}");
    assert_eq!(hook.look().service.seen.len(), 1);
    for file in ["state/ledger.db", "state/ledger.db-wal"] {
        let bytes = std::fs::read(world.site.path(file)).unwrap_or_default();
        let has =
            bytes.windows(world::HOOK_SECRET.len()).any(|it| it == world::HOOK_SECRET.as_bytes());
        assert!(!has, "{file} holds a secret");
    }
}

/// Waits for something that happens soon.
#[track_caller]
fn wait_for(mut happened: impl FnMut() -> bool) {
    let began = Instant::now();
    while !happened() {
        assert!(began.elapsed() < Duration::from_secs(20), "it does not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}
