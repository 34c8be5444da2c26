//! A run that waits for access: it begins when somebody answers, and goes on when he does again.

use std::fs;

use serde_json::json;

use crate::site::fleet::{Fleet, Running, Source, noise};

#[test]
fn a_run_waits_for_a_provider_that_lets_nobody_in_and_goes_on_after_he_shut_again() {
    let source = |host, id| Source { host, id, class: "web" };
    let mut fleet = Fleet::new(vec![source("one", "a"), source("two", "b")]);
    fleet.site.write("inventory.d/slow.toml", "[[host]]\nid = \"one\"\nrate = \"1MB/s\"\n");
    fs::write(fleet.tree("a").join("slow"), noise(1, 3_000_000)).unwrap();
    fs::write(fleet.tree("b").join("quick"), noise(2, 100_000)).unwrap();
    fleet.sshd.shut();
    let mut running = Running::start_with(&fleet, &["--wait", "--beat-ms", "200"]);
    let refusing = |event: &serde_json::Value| {
        let text = event["text"].as_str().unwrap_or_default();
        event["event"] == "noted" && text.contains("machines answer and refuse")
    };
    running.until(refusing);
    fleet.sshd.open();
    running.until_received(500_000);
    fleet.sshd.shut();
    running.until(refusing);
    fleet.sshd.open();
    let (code, events) = running.end();
    assert_eq!(code, Some(0), "{:?}", events.last());
    let report = events.last().unwrap();
    assert_eq!((&report["captured"], &report["failed"]), (&json!(2), &json!(0)), "{report}");
    // Both hosts have one entrance: it was knocked at once for each time that it opened, and what
    // had been sent before it shut was not sent again.
    let log = fleet.sshd.log();
    let bare = log.lines().filter(|line| line.starts_with("kex_exchange_identification")).count();
    // Three are of this test, to see that the server is up.
    assert!(bare <= 3 + 2, "{log}");
    let sent = report["sent_bytes"].as_u64().unwrap();
    assert!(sent < 5_000_000, "{report}");
}
