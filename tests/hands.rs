//! Many hands on one evacuation: words from other terminals while a run goes on and while none
//! does, over real SSH; and what the next shift is told.

use std::fs;

use serde_json::{Value, json};

use crate::site::fleet::{Fleet, Running, Source, noise};

/// Three hosts; the first may send nothing until somebody says so.
fn fleet() -> Fleet {
    let source = |host, id| Source { host, id, class: "web" };
    let fleet = Fleet::new(vec![source("one", "a"), source("two", "b"), source("three", "c")]);
    fleet.site.write("inventory.d/held.toml", "[[host]]\nid = \"one\"\nrate = \"0B/s\"\n");
    for (at, id) in ["a", "b", "c"].into_iter().enumerate() {
        for file in 0..2 {
            let content = noise(at as u64 * 10 + file, 200_000);
            fs::write(fleet.tree(id).join(file.to_string()), content).unwrap();
        }
    }
    fleet
}

fn one(fleet: &Fleet, arguments: &[&str], code: i32) -> Value {
    let arguments = [&["--as", "jo", "--json"], arguments].concat();
    fleet.evac(&arguments).exits(code).json().remove(0)
}

fn ids(document: &Value, key: &str) -> Vec<String> {
    let all = document[key].as_array().unwrap().iter();
    all.map(|it| it.as_str().or(it["id"].as_str()).unwrap().to_owned()).collect()
}

fn workload(fleet: &Fleet, id: &str) -> Value {
    let status = fleet.evac(&["--json", "status"]).exits(0).json().remove(0);
    let all = status["customers"][0]["workloads"].as_array().unwrap();
    all.iter().find(|it| it["id"] == id).unwrap().clone()
}

#[test]
fn words_reach_a_run_at_once_and_the_next_run_goes_by_them() {
    let fleet = fleet();
    // Before any run: it is written down.
    let paused = one(&fleet, &["pause", "host/two"], 0);
    assert_eq!((ids(&paused, "done"), &paused["running"]), (vec!["b".into()], &json!(false)));
    assert_eq!(ids(&one(&fleet, &["pause", "b"], 0), "already"), ["b"]);
    let left = one(&fleet, &["skip", "c", "--reason", "contract ended"], 0);
    assert_eq!(ids(&left, "done"), ["c"]);
    assert_eq!(workload(&fleet, "c")["skipped"]["why"], "contract ended");
    assert_eq!(workload(&fleet, "b")["paused"]["by"], "jo");

    let mut running = Running::start(&fleet);
    running.until(|event| event["event"] == "capture_started" && event["workload"] == "a");
    check_words(&fleet, &mut running);
    // What was paused meanwhile is waited for; this one is let go of, and the run ends.
    let (code, events) = running.end();
    assert_eq!(code, Some(0), "{:?}", events.last());
    let report = events.last().unwrap();
    assert_eq!((&report["captured"], &report["skipped"]), (&json!(2), &json!(1)), "{report}");
    assert_eq!(workload(&fleet, "a")["capture"]["state"], "captured");

    // It is left out until somebody wants it again.
    let again = fleet.evac(&["--json", "run"]).exits(0).json();
    assert_eq!(again.last().unwrap()["skipped"], 1);
    assert_eq!(ids(&one(&fleet, &["skip", "a"], 4), "refused"), ["a"], "a whole copy is here");
    assert_eq!(ids(&one(&fleet, &["retry", "c"], 0), "done"), ["c"]);
    assert_eq!(fleet.evac(&["--json", "run"]).exits(0).json().last().unwrap()["captured"], 3);
    check_handover(&fleet);
}

/// While the run goes on, held up by the host that may send nothing.
fn check_words(fleet: &Fleet, running: &mut Running) {
    let paused = one(fleet, &["pause", "host/one"], 0);
    assert_eq!((ids(&paused, "done"), &paused["running"]), (vec!["a".into()], &json!(true)));
    running.until(|event| event["event"] == "capture_stopped");
    assert_eq!(ids(&one(fleet, &["pause", "a"], 0), "already"), ["a"]);
    let next = workload(fleet, "a")["next"].as_str().unwrap().to_owned();
    assert!(next.contains("`evac resume workload/a`"), "{next}");
    assert_eq!(ids(&one(fleet, &["resume", "host/two"], 0), "done"), ["b"]);
    running.until(|event| event["event"] == "capture_sealed" && event["workload"] == "b");
    let blocked = one(fleet, &["next", "--take", "1"], 0);
    assert_eq!(blocked["blocked"][0]["command"], "evac resume workload/a", "{blocked}");
    assert_eq!(ids(&one(fleet, &["first", "a"], 0), "done"), ["a"]);
    assert_eq!(ids(&one(fleet, &["retry", "a"], 4), "refused"), ["a"], "it is paused");
    let noted = one(fleet, &["note", "acme", "called at five"], 0);
    assert_eq!((&noted["what"], &noted["running"]), (&json!("customer/acme"), &json!(true)));
    let found = fleet.evac(&["--json", "find", "acme"]).exits(0).json().remove(0);
    assert_eq!(found["customers"][0]["notes"][0]["text"], "called at five");
    fleet.evac(&["limit", "host/one", "none"]).exits(0);
    assert_eq!(ids(&one(fleet, &["resume", "a"], 0), "done"), ["a"]);
}

fn check_handover(fleet: &Fleet) {
    let handover = one(fleet, &["handover", "--since", "1h"], 0);
    let decided = handover["decided"].as_array().unwrap();
    let words: Vec<_> = decided
        .iter()
        .filter(|it| it["event"]["event"] == "steered")
        .map(|it| (it["by"].as_str().unwrap(), it["event"]["steer"].as_str().unwrap()))
        .collect();
    let expected = ["pause", "skip", "pause", "resume", "first", "resume", "retry"];
    assert_eq!(words, expected.map(|word| ("jo", word)));
    assert_eq!(handover["notes"][0]["by"], "jo");
    let text = fleet.evac(&["handover"]).exits(0).stdout();
    assert!(text.contains("skipped by jo: c (1 workload): contract ended"), "{text}");
    let brief = fleet.evac(&["--json", "status", "--brief"]).exits(0).json().remove(0);
    let sentences = brief["sentences"].as_array().unwrap();
    assert_eq!(sentences.len(), 5);
    assert!(sentences[0].as_str().unwrap().contains("1 of 1 customer is"), "{brief}");
}

#[test]
fn a_hard_end_of_the_window_ends_the_run_and_what_is_told_is_kept() {
    let fleet = fleet();
    let mut running = Running::start(&fleet);
    running.until(|event| event["event"] == "capture_started" && event["workload"] == "a");
    let far = "2039-03-05T04:00:00Z";
    let told = one(&fleet, &["window", "closes", far], 0);
    assert_eq!((&told["closes"], &told["hard"]), (&json!(far), &json!(false)));
    let status = fleet.evac(&["--json", "status"]).exits(0).json().remove(0);
    assert_eq!(status["window"]["closes"], far);
    // Somebody hears that it is over.
    let now = one(&fleet, &["window", "closes", "2021-03-05T04:00:00Z", "--hard"], 0);
    assert_eq!((&now["was"], &now["running"]), (&json!(far), &json!(true)));
    let (code, events) = running.end();
    assert_eq!(code, Some(3), "{:?}", events.last());
    assert!(events.iter().any(|event| event["event"] == "draining"));
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let fleet = fleet();
    let unknown = fleet.evac(&["pause", "twoo"]).exits(2).stderr();
    assert!(unknown.contains("did you mean `two`?"), "{unknown}");
    let path = fleet.evac(&["first", "workload/a:/etc"]).exits(2).stderr();
    assert!(path.contains("only whole workloads"), "{path}");
    fleet.evac(&["note", "@list", "x"]).exits(2);
    fleet.site.write("inventory.d/hold.toml", "[[customer]]\nid = \"acme\"\nhold = \"legal\"\n");
    let held = one(&fleet, &["skip", "a"], 4);
    assert!(held["refused"][0]["why"].as_str().unwrap().contains("evidence"), "{held}");
}

#[test]
fn a_watcher_sees_everything_again_and_ends_with_its_reader() {
    use std::io::{BufRead as _, BufReader};
    use std::process::Stdio;
    let fleet = fleet();
    let mut command = fleet.site.command(&["--json", "status", "--brief", "--watch"]);
    let mut watch = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    for _ in 0..2 {
        let line = lines.next().unwrap().unwrap();
        assert!(line.contains("\"sentences\":[\"As of "), "{line}");
    }
    drop(lines);
    assert_eq!(watch.wait().unwrap().code(), Some(0));
}
