//! A run is steered from another terminal: what may be sent, and how gently it is read.

use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use evac::ledger::Ledger;
use evac::model::Event;
use rustix::thread::sched_getaffinity;
use serde_json::Value;

use crate::resume::agent_of;
use crate::site::Outcome;
use crate::site::fleet::{Fleet, Running, Source, noise, received};

const FILES: u64 = 12;

/// One host that may send nothing, and is to be read gently.
fn fleet() -> Fleet {
    let fleet = Fleet::new(vec![Source { host: "one", id: "site", class: "web" }]);
    let held = "[[host]]\nid = \"one\"\nrate = \"0B/s\"\nimpact = \"gentle\"\n";
    fleet.site.write("inventory.d/held.toml", held);
    for file in 0..FILES {
        fs::write(fleet.tree("site").join(format!("{file:02}")), noise(file, 1 << 20)).unwrap();
    }
    fleet
}

/// Asks for the status until it says that this is what limits the run.
fn until_limited_by(fleet: &Fleet, words: &str) {
    for _ in 0..300 {
        let status = fleet.evac(&["--json", "status"]).exits(0).json().remove(0);
        if status["bottleneck"] == words {
            return;
        }
        sleep(Duration::from_millis(100));
    }
    panic!("the status never says that the run is limited by {words}");
}

#[test]
fn a_limit_from_another_terminal_holds_at_once_until_the_run_ends() {
    let fleet = fleet();
    let mut running = Running::start(&fleet);
    running.until(|event| event["event"] == "capture_started");
    check_gentle(&fleet);
    until_limited_by(&fleet, "limit on host/one");
    let unknown = fleet.evac(&["limit", "host/onr", "none"]).exits(2).stderr();
    assert!(unknown.contains("did you mean `host/one`?"), "{unknown}");
    let limited = fleet.evac(&["--as", "jo", "--json", "limit", "one", "40MB/s"]).exits(0).json();
    let expected = serde_json::json!({
        "schema": 1, "id": "host/one", "was": 0, "now": 40_000_000
    });
    assert_eq!(limited, [expected]);
    let (code, events) = running.end();
    assert_eq!(code, Some(0), "{:?}", events.last());
    let is_limit = |event: &Value| event["event"] == "limit_set";
    let at = events.iter().position(is_limit).expect("it is told");
    assert_eq!(received(&events[..at]), 0, "nothing was asked for before");
    assert!(received(&events) >= FILES << 20);
    check_recorded(&fleet);
    // What was said holds no longer than the run.
    let late = fleet.evac(&["limit", "one", "none"]).exits(2).stderr();
    assert!(late.contains("no run is going on"), "{late}");
    assert!(!fleet.site.path("state/control.sock").exists());
}

fn check_recorded(fleet: &Fleet) {
    let ledger = Ledger::open_read_only(&fleet.site.path("state/ledger.db")).unwrap();
    let events = ledger.events(0, 10_000).unwrap();
    let set = events.iter().find(|stored| matches!(stored.event, Event::LimitSet { .. }));
    assert_eq!(set.map(|stored| stored.by.as_str()), Some("jo"));
}

/// The agent has the lowest priority, on half of the processors, with disks when they are idle.
fn check_gentle(fleet: &Fleet) {
    let agent = agent_of(fleet).as_raw_nonzero();
    let stat = fs::read_to_string(format!("/proc/{agent}/stat")).unwrap();
    let behind_name = &stat[stat.rfind(')').unwrap() + 2..];
    assert_eq!(behind_name.split(' ').nth(16), Some("19"), "{stat}");
    let ours = sched_getaffinity(None).unwrap().count();
    let its = sched_getaffinity(Some(agent_of(fleet))).unwrap().count();
    assert_eq!(its, (ours / 2).max(1));
    let disks = Outcome::of(Command::new("ionice").args(["-p", &agent.to_string()])).exits(0);
    assert_eq!(disks.stdout().trim(), "idle");
}
