//! Nobody who is held back is named, nothing is called resolved that is not, and what people write
//! is read by a second one.

use super::world::{World, hook, passed, statuspage};
use crate::fakes::statuspage::Statuspage;
use crate::fakes::{Fake, Hook};
use serde_json::Value;

const HELD: &str = r#"
[[customer]]
id = "mallory"
name = "Mallory & Söhne GmbH"
hold = "abuse"
group = "web"
domains = ["mallory.example", "xn--shne-5qa.example"]
contacts = ["boss@mallory-office.example", "tel:+4930123456"]
labels = { whmcs = "88120" }
[[host]]
id = "vps-66"
address = "203.0.113.66"
customer = "mallory"
[[host.workload]]
id = "mallory-shop"
label = "shop.mallory.example"
paths = ["/srv"]
addresses = [{ old = "203.0.113.66", new = "198.51.100.66" }]
"#;

#[test]
fn no_text_names_somebody_who_is_held_back() {
    let fake = Fake::start(Hook::default());
    let world = World::with(2, &hook(&fake.url, ""), HELD);
    let named = [
        "Mallory is still down",
        "MALLORY",
        "mallory's shop",
        "mal\u{200b}lory",
        "mal\u{ad}lory",
        "see mallory.example",
        "see https://mallory.example/shop?x=1",
        "the shop.mallory.example is down",
        "Mallory & Söhne GmbH",
        "mallory  &\nsöhne gmbh",
        "xn--shne-5qa.example",
        "write to boss@mallory-office.example",
        "call +4930123456",
        "case 88120",
        "server vps-66",
        "VPS-66 burnt",
        "203.0.113.66",
        "it moves to 198.51.100.66.",
        "(mallory-shop)",
        "mallory\u{feff}.example",
    ];
    for text in named {
        let outcome = world.evac(&["publish", "say", "same", "--text", text]).exits(4);
        assert!(outcome.stderr().contains("customer/mallory, who is on hold"), "{text}");
        world.evac(&["publish", "say", "--title", text, "--text", "x"]).exits(4);
    }
    assert_eq!(fake.taken().len(), 0);
    assert!(world.titles().is_empty(), "nothing of it was kept");
    // Others may be named, and parts of words are no names.
    world.evac(&["publish", "say", "same", "--text", "Mallorya and 203.0.113.6 are fine"]).exits(0);
    let sent = fake.taken();
    assert!(sent.iter().all(|asked| !asked.body.contains("mallory")), "{sent:?}");
}

#[test]
fn a_hold_reaches_what_was_said_but_not_told_yet() {
    let fake = Fake::start(Statuspage::with(["comp1".into()]));
    let components = "\"customer/c1\" = \"comp1\"\n";
    let world = World::new(2, &statuspage("http://127.0.0.1:9", components));
    world.evac(&["publish", "say", "same", "--text", "c1 is next"]).exits(3);
    world.evac(&["--as", "jo", "hold", "c1", "legal", "--reason", "court"]).exits(0);
    let settings = std::fs::read_to_string(world.site.path("evac.toml")).unwrap();
    world.site.write("evac.toml", &settings.replace("http://127.0.0.1:9", &fake.url));
    let stderr = world.evac(&["publish"]).exits(4).stderr();
    assert!(stderr.contains("names somebody who is on hold"), "{stderr}");
    let service = &fake.look().service;
    // Random ids stand beside the texts, in which a "c1" is nobody's name: texts alone are read.
    let texts = service.updates();
    assert!(!texts.is_empty(), "{:?}", service.incidents);
    let named = |it: &Value| it["name"].as_str().unwrap().contains("c1");
    assert!(!service.incidents.iter().any(named), "{:?}", service.incidents);
    assert!(!texts.iter().any(|it| it.contains("c1")), "{texts:?}");
    assert_eq!(service.components["comp1"], "major_outage", "nothing was said of it");
}

#[test]
fn going_back_is_said_and_resolved_is_not_said_too_early() {
    let fake = Fake::start(Statuspage::with(["all".into(), "web".into()]));
    let components = "all = \"all\"\n\"group/web\" = \"web\"\n";
    let world = World::new(6, &statuspage(&fake.url, components));
    world.evac(&["publish"]).exits(0);
    world.evac(&["publish"]).exits(0);
    assert_eq!(world.titles(), ["We are bringing our customers’ data out"], "said once");
    world.online(0..5);
    world.evac(&["publish"]).exits(0);
    assert_eq!(fake.look().service.components["all"], "partial_outage");
    world.fails(4);
    world.evac(&["publish"]).exits(0);
    let stderr = world.evac(&["publish", "say", "resolved"]).exits(4).stderr();
    assert!(stderr.contains("4 of 6 customers are online: it is not resolved"), "{stderr}");
    world.evac(&["publish", "say", "same", "--kind", "resolved"]).exits(4);
    world.online([5]);
    world.ledger().append(&passed(4), "jo").unwrap();
    world.evac(&["publish"]).exits(0);
    assert_eq!(fake.look().service.components["all"], "operational");
    world.evac(&["publish", "say", "resolved"]).exits(0);
    let titles = world.titles();
    let expected = [
        "We are bringing our customers’ data out",
        "5 of 6 customers online",
        "1 customer is not online any more",
        "All data is out",
        "All customers are online",
        "Every customer is online again",
    ];
    let titles: Vec<_> = titles.iter().filter(|it| *it != "All data is out").collect();
    let expected: Vec<_> = expected.iter().filter(|it| **it != "All data is out").collect();
    assert_eq!(titles, expected);
    let updates = fake.look().service.updates();
    assert!(updates.last().unwrap().starts_with("resolved "), "{updates:?}");
    let promises = updates.iter().filter(|it| it.contains("Next update by")).count();
    assert_eq!(promises, updates.len() - 1, "every one but the last promises the next");
}

#[test]
fn a_second_person_reads_what_people_write_and_nobody_reads_facts() {
    let fake = Fake::start(Hook::default());
    let world = World::new(1, &("review = true\n".to_owned() + &hook(&fake.url, "")));
    let said = &world.evac(&["--as", "jo", "--json", "publish", "say", "first"]).exits(0).json()[0];
    assert_eq!(said["state"], "draft");
    assert!(said["texts"]["nl"]["sms"].as_str().unwrap().chars().count() <= 160);
    let id = said["id"].as_str().unwrap();
    world.evac(&["publish"]).exits(0);
    let sent = fake.taken();
    assert_eq!(sent.len(), 1, "the fact alone: {sent:?}");
    assert!(sent[0].body.contains("data out"), "{sent:?}");
    world.evac(&["publish", "approve", id]).exits(2);
    world.evac(&["--as", "Jo", "publish", "approve", id]).exits(4);
    world.evac(&["--as", "kim", "publish", "approve", id]).exits(0);
    world.evac(&["--as", "kim", "publish", "approve", id]).exits(2);
    assert_eq!(fake.taken().len(), 1);
    world.evac(&["publish", "say", "same", "--break-glass", "alone"]).exits(2);
    world.evac(&["--as", "jo", "publish", "say", "same", "--break-glass", "alone"]).exits(0);
    assert_eq!(fake.taken().len(), 1);
}
