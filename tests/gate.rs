//! What is switched on, and what nothing switches on: the real commands on a ledger in which
//! everything is restored, against a real server.

mod held;
mod world;

use std::fs;
use std::sync::atomic::Ordering;

use evac::ledger::Ledger;
use evac::ledger::snapshot::RestoreState;
use serde_json::Value;

use world::World;

/// The first reason that `activate` gives for each workload, by workload.
fn refusals(documents: &[Value]) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    documents
        .iter()
        .map(|line| (text(&line["workload"]), text(&line["whys"][0]["reason"])))
        .collect()
}

#[test]
fn each_way_that_activate_is_blocked_has_its_own_reason_and_what_helps() {
    let world = World::new();
    let outcome = world.site.evac(&["--json", "--yes", "activate", "group/all"]).exits(4);
    let documents = outcome.json();
    let found = refusals(&documents);
    let expected = [
        ("good-web", ""),
        ("failing-web", "check-failed"),
        ("slow-web", "check-timed-out"),
        ("odd-web", "check-unknown"),
        ("bare-web", "no-checks"),
        ("behind-web", "older-pass"),
        ("nowhere-web", "not-restored"),
        ("mallory-web", "held"),
        ("neighbour-web", "held-in-same-machine"),
    ];
    for (id, reason) in expected {
        assert!(found.contains(&(id.to_owned(), reason.to_owned())), "{id} {reason}: {found:?}");
    }
    assert_eq!(found.len(), expected.len());
    for line in documents.iter().filter(|line| line["active"] == false) {
        for why in line["whys"].as_array().unwrap() {
            let (what, hint) = (why["what"].as_str().unwrap(), why["hint"].as_str().unwrap());
            assert!(!what.is_empty() && hint.len() > 20, "{line}");
        }
    }
    let ledger = world.ledger();
    for (id, reason) in expected {
        let is_on = ledger.state(&id.parse().unwrap()).unwrap().restore == RestoreState::Active;
        assert_eq!(is_on, reason.is_empty(), "{id}");
    }
    let status = world.site.evac(&["--json", "status"]).exits(0).json().remove(0);
    assert_eq!(status["totals"]["by_state"]["online"], 1);
    let text = world.site.evac(&["activate", "bare-web"]).exits(4);
    assert!(text.stdout().contains("refused  bare-web: it has no checks"), "{}", text.stdout());
    assert!(text.stderr().contains("gate workload/bare-web --unchecked REASON"));
}

#[test]
fn after_a_rebuild_nothing_is_activated_until_somebody_stands_by_the_ledger() {
    let world = World::new();
    world.rebuild();
    world.restore_all();
    let outcome = world.site.evac(&["--json", "activate", "good-web"]).exits(4);
    assert_eq!(refusals(&outcome.json())[0].1, "ledger-unconfirmed");
    world.site.evac(&["--as", "kim", "ledger", "confirm"]).exits(0);
    world.site.evac(&["activate", "good-web"]).exits(0);
}

#[test]
fn a_service_that_dies_loses_its_public_word_within_two_beats() {
    let world = World::new();
    world.site.evac(&["activate", "good-web"]).exits(0);
    let word = || {
        let found = world.site.evac(&["--json", "find", "good"]).exits(0).json().remove(0);
        found["customers"][0]["state"].as_str().unwrap().to_owned()
    };
    let page = || {
        world.site.evac(&["publish"]).exits(0);
        fs::read_to_string(world.site.path("state/status/index.html")).unwrap()
    };
    let watch = |beats| {
        let outcome = world.site.evac(&["gate", "--watch", "--beats", beats]).exits(0);
        outcome.stdout()
    };
    assert_eq!(word(), "online");
    assert!(page().contains("1 of 8 customers online"));
    assert_eq!(watch("1"), "");
    world.status.store(500, Ordering::Relaxed);
    assert_eq!(watch("1"), "", "one miss may be a hiccup");
    assert_eq!(word(), "online");
    let said = watch("1");
    assert!(said.contains("good-web: not online any more: http://127.0.0.1:"), "{said}");
    assert!(said.contains("status 500"), "{said}");
    assert_eq!(word(), "needs_attention");
    let text = page();
    assert!(text.contains("<title>7 of 8 customers copied"), "{text}");
    // What is on may not be written beneath, whatever is said of it; and only a pass helps.
    world.site.evac(&["activate", "good-web"]).exits(4);
    assert_eq!(word(), "needs_attention");
    world.status.store(200, Ordering::Relaxed);
    assert!(watch("2").contains("good-web: online again"));
    assert_eq!(word(), "online");
    world.site.evac(&["activate", "good-web", "--undo"]).exits(0);
    assert_eq!(word(), "testing");
    assert_eq!(watch("1"), "");
    assert_eq!(word(), "testing", "what was taken back does not come back by itself");
}

#[test]
fn what_failed_at_the_source_already_is_said_and_a_silent_source_excuses_nothing() {
    let world = World::new();
    let outcome = world.site.evac(&["gate", "--baseline", "failing-web", "slow-web"]).exits(1);
    let said = outcome.stdout();
    assert!(said.contains("failing-web: fails there already"), "{said}");
    assert!(said.contains("slow-web: host/slow takes no connection from here"), "{said}");
    let outcome = world.site.evac(&["gate", "failing-web"]).exits(0);
    let said = outcome.stdout();
    assert!(said.contains("was already failing at the source: http://127.0.0.1:"), "{said}");
    world.site.evac(&["gate", "slow-web"]).exits(1);
}

#[test]
fn without_checks_a_person_answers_by_name_and_only_for_what_was_read_back() {
    let world = World::new();
    let gate = |as_whom: &[&str], code| {
        let words = [as_whom, &["gate", "bare-web", "--unchecked", "seen by hand"]].concat();
        world.site.evac(&words).exits(code)
    };
    assert!(gate(&[], 2).stderr().contains("--as NAME"));
    assert!(gate(&["--as", "kim"], 1).stdout().contains("pass 1 was never read back"));
    world.verify("bare-web");
    let passed = gate(&["--as", "kim"], 0).stdout();
    assert_eq!(passed, "passed  bare-web: no checks, by kim: seen by hand\n");
    world.site.evac(&["activate", "bare-web"]).exits(0);
    let events = world.ledger().events(0, 1000).unwrap();
    let noted = |event: &evac::ledger::StoredEvent| format!("{:?}", event.event);
    assert!(events.iter().map(noted).any(|text| text.contains("seen by hand")));
}

#[test]
fn evidence_is_kept_with_question_answer_time_and_result() {
    let world = World::new();
    let outcome = world.site.evac(&["--json", "gate", "good-web", "failing-web"]).exits(1);
    let documents = outcome.json();
    let of = |id: &str| documents.iter().find(|line| line["workload"] == id).unwrap().clone();
    assert_eq!(of("good-web")["passed"], true);
    assert_eq!(of("good-web")["state"], "gated");
    let check = &of("failing-web")["checks"][0];
    assert_eq!((&check["outcome"], &check["said"]), (&"failed".into(), &"status 500".into()));
    let evidence = Ledger::open_read_only(&world.site.path("state/ledger.db")).unwrap();
    let id = "failing-web".parse().unwrap();
    let kept = evidence.evidence(&id, evac::ledger::Side::New).unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].answer.asked, check["asked"].as_str().unwrap());
    assert!(kept[0].answer.at.as_second() > 1_600_000_000 && kept[0].misses == 1);
}

#[test]
fn one_watcher_is_enough_and_works_while_a_run_goes_on() {
    use evac::model::Clock as _;
    let world = World::new();
    let now = evac::model::SystemClock::default().now();
    let _run = evac::ledger::StateLock::acquire(&world.site.path("state"), "jo", now).unwrap();
    world.site.evac(&["activate", "good-web"]).exits(0);
    world.site.evac(&["hold", "customer/nowhere", "customer", "--reason", "asked for it"]).exits(0);
    let lock = fs::File::create(world.site.path("state/gate.lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let stderr = world.site.evac(&["gate", "--watch", "--beats", "1"]).exits(4).stderr();
    assert!(stderr.contains("somebody watches already"), "{stderr}");
    drop(lock);
    world.site.evac(&["gate", "--watch", "--beats", "1"]).exits(0);
}
