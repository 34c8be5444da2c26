//! A run that waits for access: it begins when somebody answers, and goes on when he does again.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use evac::model::Timestamp;
use serde_json::json;

use crate::site::Outcome;
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

/// RFC 3339, so many seconds from now.
fn in_seconds(seconds: i64) -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    Timestamp::from_second(now as i64 + seconds)
}

#[test]
fn at_a_hard_end_work_stops_and_goes_on_by_itself_in_the_next_window() {
    let source = |host, id| Source { host, id, class: "web" };
    let mut fleet = Fleet::new(vec![source("one", "a"), source("two", "b")]);
    fleet.site.write("inventory.d/slow.toml", "[[host]]\nid = \"one\"\nrate = \"1MB/s\"\n");
    fs::write(fleet.tree("a").join("slow"), noise(1, 5_000_000)).unwrap();
    fs::write(fleet.tree("b").join("quick"), noise(2, 100_000)).unwrap();
    // Hosts are knocked at from a minute before a window opens. Written in any order.
    let (closed, opens) = (in_seconds(3), in_seconds(65));
    let settings = fs::read_to_string(fleet.site.path("evac.toml")).unwrap();
    let windows = format!(
        "[[window]]\nopens = \"{opens}\"\n[[window]]\ncloses = \"{closed}\"\nhard = true\n"
    );
    fleet.site.write("evac.toml", &(settings + &windows));
    let mut running = Running::start_with(&fleet, &["--wait", "--beat-ms", "200"]);
    running.until(|event| event["event"] == "window_over");
    let over = running.seen.last().unwrap();
    assert_eq!(over["opens"], json!(opens.to_string()), "{over}");
    running.until(|event| event["event"] == "capture_stopped");
    let stopped = running.seen.last().unwrap();
    assert_eq!((&stopped["workload"], &stopped["reason"]), (&json!("a"), &json!("stopped")));
    // The last word to the agents comes after that of the workload.
    let waits = |status: &Outcome| status.stderr().contains("Waiting for access: process");
    let mut looks = (0..100).map(|_| fleet.evac(&["status"]).exits(0));
    let status = looks.find(waits).expect("it waits for access in the end");
    assert!(status.stdout().contains("the window opens in"), "{}", status.stdout());
    let before = running.seen.len();
    fleet.sshd.shut();
    running.until(|event| event["event"] == "window_begins");
    assert!(running.seen[before..].iter().all(|event| event["event"] != "host_dialled"));
    fleet.sshd.open();
    let (code, events) = running.end();
    let report = events.last().unwrap();
    assert_eq!(code, Some(0), "{report}");
    assert_eq!((&report["captured"], &report["failed"]), (&json!(2), &json!(0)), "{report}");
    let sent = report["sent_bytes"].as_u64().unwrap();
    assert!(sent < 6_500_000, "what was committed is not sent again: {report}");
}

#[test]
fn a_run_that_waits_ends_when_no_window_is_left() {
    let source = Source { host: "one", id: "a", class: "web" };
    let fleet = Fleet::new(vec![source]);
    fleet.site.write("inventory.d/slow.toml", "[[host]]\nid = \"one\"\nrate = \"1MB/s\"\n");
    fs::write(fleet.tree("a").join("slow"), noise(1, 9_000_000)).unwrap();
    let mut running = Running::start_with(&fleet, &["--wait", "--beat-ms", "200"]);
    running.until_received(200_000);
    fleet.evac(&["window", "closes", &in_seconds(-1).to_string(), "--hard"]).exits(0);
    let (code, events) = running.end();
    assert_eq!(code, Some(3), "{:?}", events.last());
    let says = |event: &serde_json::Value| {
        event["text"].as_str().is_some_and(|text| text.contains("no further one is listed"))
    };
    assert!(events.iter().any(says), "{events:?}");
}
