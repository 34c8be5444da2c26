//! The gate without sockets: what opens it, what holds keep shut, what a line of the log does.

use std::fs;
use std::time::Duration;

use super::holds::{Action, Belongings, Line};
use super::{Blocks, Holds, HoldsLog, Release, Standing, Why, of_new_place, of_source};
use crate::gate::decide::{Beat, beat, decide};
use crate::gate::question::{asks_source, old_addresses};
use crate::inventory::{Hold, Inventory, SourceFile, Workload, read_files};
use crate::ledger::snapshot::{CaptureState, RestoreState};
use crate::ledger::{Answered, Evidence, Outcome, Unchecked, WorkloadState};
use crate::model::{CustomerId, PassNumber, Timestamp};

/// A shared box with three accounts, a machine of `dora`'s, and where they go.
const INVENTORY: &str = r#"
[[customer]]
id = "anna"
[[customer]]
id = "bert"
[[customer]]
id = "cleo"
[[customer]]
id = "dora"
[[host]]
id = "box"
address = "192.0.2.1"
customer = "cleo"
[[host.workload]]
id = "anna-web"
customer = "anna"
paths = ["/home/anna"]
addresses = [{ old = "192.0.2.1", new = "198.51.100.1" }]
checks = [{ http = "http://anna.example/" }, { tcp = "198.51.100.1:25" }]
[[host.workload]]
id = "bert-web"
customer = "bert"
paths = ["/home/bert"]
target = "rack-1"
[[host.workload]]
id = "cleo-etc"
paths = ["/etc"]
[[host]]
id = "single"
address = "192.0.2.4"
customer = "dora"
[[host.workload]]
id = "dora-web"
paths = ["/srv"]
target = "rack-2"
"#;

fn inventory_of(text: &str) -> Inventory {
    let settings = "[site]\nname = \"x\"\n[[target]]\nid = \"rack-1\"\naddress = \"198.51.100.7\"\n\
                    [[target]]\nid = \"rack-2\"\naddress = \"198.51.100.8\"\n";
    let settings = SourceFile::new("evac.toml", settings);
    let reading = read_files(&settings, &[SourceFile::new("inventory.toml", text)]);
    assert!(reading.is_ok(), "{:?}", reading.problems);
    reading.inventory
}

fn workload<'a>(inventory: &'a Inventory, id: &str) -> &'a Workload {
    inventory.workload(&id.parse().unwrap()).unwrap()
}

fn customer(id: &str) -> CustomerId {
    id.parse().unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_900_000_000 + second)
}

fn restored(pass: u32) -> WorkloadState {
    WorkloadState {
        capture: CaptureState::Captured,
        restore: RestoreState::Restored,
        pass: Some(PassNumber(2)),
        sealed: Some(PassNumber(2)),
        of_pass: Some(PassNumber(pass)),
        ..WorkloadState::default()
    }
}

fn standing<'a>(state: &'a WorkloadState, workload: &'a Workload) -> Standing<'a> {
    Standing {
        state,
        bad_chunks: 0,
        verified: false,
        checks: &workload.checks,
        asks_source: None,
        unchecked: None,
    }
}

/// The answers to all questions of `workload`, with one of them other than passed.
fn answers(workload: &Workload, odd: Option<Outcome>) -> Vec<Answered> {
    let answer = |(number, question): (usize, super::Question)| Answered {
        asked: question.asked,
        outcome: odd.filter(|_| number == 0).unwrap_or(Outcome::Passed),
        said: "status 500".into(),
        at: at(0),
        took_ms: 3,
    };
    of_new_place(workload, &[]).into_iter().enumerate().map(answer).collect()
}

fn evidence(answer: &Answered, misses: u64, ever_passed: bool) -> Evidence {
    Evidence { answer: answer.clone(), since: at(0), times: 1, misses, ever_passed }
}

#[test]
fn only_the_answer_as_asked_for_passes() {
    let inventory = inventory_of(INVENTORY);
    let anna = workload(&inventory, "anna-web");
    let state = restored(2);
    let words = |odd| -> Vec<&str> {
        let verdict = decide(&standing(&state, anna), &answers(anna, odd), &[]);
        verdict.whys.iter().map(Why::word).collect()
    };
    assert_eq!(words(None), [""; 0]);
    assert_eq!(words(Some(Outcome::Failed)), ["check-failed"]);
    assert_eq!(words(Some(Outcome::TimedOut)), ["check-timed-out"]);
    assert_eq!(words(Some(Outcome::Unknown)), ["check-unknown"]);
    let silent = decide(&standing(&state, anna), &[], &[]);
    assert_eq!(silent.whys.len(), 2, "what was not asked did not pass");
}

#[test]
fn what_stands_there_must_be_the_newest_whole_copy() {
    let inventory = inventory_of(INVENTORY);
    let anna = workload(&inventory, "anna-web");
    let words = |state: &WorkloadState, change: &dyn Fn(&mut Standing<'_>)| -> Vec<&str> {
        let mut standing = standing(state, anna);
        change(&mut standing);
        decide(&standing, &answers(anna, None), &[]).whys.iter().map(Why::word).collect()
    };
    let same = |_: &mut Standing<'_>| {};
    assert_eq!(words(&restored(1), &same), ["older-pass"]);
    assert_eq!(words(&WorkloadState::default(), &same), ["not-restored"]);
    let writing = WorkloadState { restore: RestoreState::Restoring, ..restored(2) };
    assert_eq!(words(&writing, &same), ["not-restored"]);
    let unsealed = WorkloadState { sealed: None, ..restored(2) };
    assert_eq!(words(&unsealed, &same), ["not-restored"]);
    assert_eq!(words(&restored(2), &|standing| standing.bad_chunks = 3), ["damaged"]);
    assert_eq!(words(&restored(2), &|s| s.asks_source = Some("192.0.2.1")), ["asks-source"]);
}

#[test]
fn without_checks_somebody_must_say_so_and_the_copy_must_be_read_back() {
    let inventory = inventory_of(INVENTORY);
    let (bert, state) = (workload(&inventory, "bert-web"), restored(2));
    let unchecked = Unchecked { at: at(0), by: "kim".into(), reason: "by hand".into() };
    let words = |unchecked, verified| -> Vec<&str> {
        let standing = Standing { verified, unchecked, ..standing(&state, bert) };
        decide(&standing, &[], &[]).whys.iter().map(Why::word).collect()
    };
    assert_eq!(words(None, true), ["no-checks"]);
    assert_eq!(words(Some(&unchecked), false), ["not-verified"]);
    assert_eq!(words(Some(&unchecked), true), [""; 0]);
}

#[test]
fn what_failed_at_the_source_is_said_and_keeps_nothing_back() {
    let inventory = inventory_of(INVENTORY);
    let (anna, state) = (workload(&inventory, "anna-web"), restored(2));
    let failing = answers(anna, Some(Outcome::Failed));
    let with = |source: Evidence| decide(&standing(&state, anna), &failing, &[source]);
    let before = with(evidence(&failing[0], 1, false));
    assert!(before.passes());
    assert_eq!(before.excused, [failing[0].asked.clone()]);
    // Stopped there for the move: it did pass once.
    assert!(!with(evidence(&failing[0], 1, true)).passes());
    let silent = Answered { outcome: Outcome::TimedOut, ..failing[0].clone() };
    assert!(!with(evidence(&silent, 1, false)).passes());
}

#[test]
fn a_beat_takes_the_word_back_at_the_second_miss_and_gives_it_back_by_a_pass() {
    let inventory = inventory_of(INVENTORY);
    let anna = workload(&inventory, "anna-web");
    let on = WorkloadState { restore: RestoreState::Active, ..restored(2) };
    let verdict_of = |odd| decide(&standing(&on, anna), &answers(anna, odd), &[]);
    let failing = answers(anna, Some(Outcome::TimedOut));
    let missed = |misses| [evidence(&failing[0], misses, true)];
    let verdict = verdict_of(Some(Outcome::TimedOut));
    assert_eq!(beat(&on, &verdict, &missed(1)), Beat::Stays);
    assert!(matches!(beat(&on, &verdict, &missed(2)), Beat::TakenBack(_)));
    let lost = crate::model::Event::GateFailed { workload: anna.id.clone(), detail: "x".into() };
    let lost = on.next(&lost, at(1)).unwrap();
    assert_eq!(beat(&lost, &verdict, &missed(3)), Beat::Stays);
    assert_eq!(beat(&lost, &verdict_of(None), &missed(0)), Beat::GivenBack);
    // A newer copy that is not restored yet is no fault of what is on.
    let newer = WorkloadState { sealed: Some(PassNumber(3)), pass: Some(PassNumber(3)), ..on };
    let verdict = decide(&standing(&newer, anna), &answers(anna, None), &[]);
    assert_eq!(beat(&newer, &verdict, &[]), Beat::Stays);
}

#[test]
fn the_new_place_and_the_source_are_asked_the_same_at_their_own_addresses() {
    let inventory = inventory_of(INVENTORY);
    let anna = workload(&inventory, "anna-web");
    let host = inventory.host(&anna.host).unwrap();
    let connects = |questions: Vec<super::Question>| -> Vec<Option<String>> {
        questions.iter().map(|it| it.connect.map(|address| address.to_string())).collect()
    };
    let old = old_addresses(anna, host, None);
    let new = || of_new_place(anna, &old);
    assert_eq!(connects(new()), [Some("198.51.100.1".into()), None]);
    let there = Some("192.0.2.1".to_owned());
    assert_eq!(connects(of_source(anna, host)), [there.clone(), there.clone()]);
    assert!(new().iter().all(|question| question.old == old) && old.len() == 2);
    let asked = |questions: Vec<super::Question>| -> Vec<String> {
        questions.into_iter().map(|question| question.asked).collect()
    };
    assert_eq!(asked(new()), asked(of_source(anna, host)));
    assert_eq!(asks_source(anna, &old), None);
    let mut moved = anna.clone();
    moved.addresses[0].new = "192.0.2.1".parse().ok();
    assert!(old_addresses(&moved, host, None).is_empty(), "the address moves along");
    moved.addresses.clear();
    moved.checks = workload(&inventory, "anna-web").checks.clone();
    let old = old_addresses(&moved, host, None);
    assert_eq!(asks_source(&moved, &old), None, "where a name leads is seen when it is asked");
    assert_eq!(old_addresses(&moved, host, Some("192.0.2.1")).len(), 0, "it goes where it was");
    let new: std::net::IpAddr = "198.51.100.1".parse().unwrap();
    assert_eq!(asks_source(&moved, &[new]), Some(new));
}

fn line(second: i64, action: Action, by: &str, kind: Hold) -> Line {
    let belongings = Belongings::of(&customer("anna"), &inventory_of(INVENTORY));
    let (customer, reason) = (customer("anna"), "x".to_owned());
    Line { schema: 1, at: at(second), action, customer, kind, by: by.into(), reason, belongings }
}

fn is_held(lines: &[Line]) -> bool {
    let lines: Vec<_> = lines.iter().cloned().map(Some).collect();
    Holds::of(&lines).open(&customer("anna")).is_some()
}

#[test]
fn a_hold_ends_by_two_people_within_a_day() {
    let hold = |second| line(second, Action::Hold, "jo", Hold::Abuse);
    let ask = |second, by| line(second, Action::Ask, by, Hold::None);
    let release = |second, by| line(second, Action::Release, by, Hold::None);
    assert!(is_held(&[hold(0)]));
    assert!(is_held(&[hold(0), release(1, "kim")]), "nobody asked");
    assert!(is_held(&[hold(0), ask(1, "kim"), release(2, "Kim ")]), "the same person");
    assert!(is_held(&[hold(0), ask(1, "kim"), release(86_402, "jo")]), "a day later");
    assert!(is_held(&[hold(0), ask(9_999, "kim"), release(2, "jo")]), "asked in the future");
    assert!(is_held(&[hold(0), ask(1, "kim"), hold(2), release(3, "jo")]), "held anew");
    let found = line(2, Action::Found, "inventory", Hold::Legal);
    assert!(is_held(&[hold(0), ask(1, "kim"), found, release(3, "jo")]), "another matter");
    assert!(!is_held(&[hold(0), ask(1, "kim"), release(86_401, "jo")]));
    assert!(is_held(&[hold(0), ask(1, "kim"), release(2, "jo"), hold(3)]));
    let lines = [Some(hold(0)), Some(ask(1, "kim"))];
    let open = Holds::of(&lines).open(&customer("anna")).unwrap().clone();
    assert_eq!(open.release("KIM", at(5)), Release::AskedAlready { since: at(1) });
}

#[test]
fn a_hold_keeps_its_customer_and_every_machine_with_it_shut() {
    let inventory = inventory_of(INVENTORY);
    let holds = Holds::of(&[Some(line(0, Action::Hold, "jo", Hold::Abuse))]);
    let words = |inventory: &Inventory, places: &[_], confirmed| -> Vec<(String, &str)> {
        let blocks = Blocks::of(inventory, &holds, places, confirmed);
        let mut found = Vec::new();
        for workload in inventory.workloads() {
            let of = blocks.of_workload(workload, inventory);
            found.extend(of.iter().map(|block| (workload.id.to_string(), block.word())));
        }
        found
    };
    let own = |id: &str| (id.to_owned(), "held");
    let shared = |id: &str| (id.to_owned(), "held-in-same-machine");
    let box_is_shut = [own("anna-web"), shared("bert-web"), shared("cleo-etc")];
    assert_eq!(words(&inventory, &[], true), box_is_shut);
    // Restored onto dora's machine once, wherever it goes now: that one is shut, too.
    let place = ("anna-web".parse().unwrap(), "target:rack-2:/srv/x".to_owned());
    let with_dora = [box_is_shut.to_vec(), vec![shared("dora-web")]].concat();
    assert_eq!(words(&inventory, &[place], true), with_dora);
    // Another name in the inventory, or none at all, ends nothing.
    let other = inventory_of(&INVENTORY.replace("customer = \"anna\"", "customer = \"dora\""));
    let and_dora = [box_is_shut.to_vec(), vec![own("dora-web")]].concat();
    assert_eq!(words(&other, &[], true), and_dora);
    let gone = INVENTORY.replace("[[customer]]\nid = \"anna\"\n", "");
    let gone = inventory_of(&gone.replace("customer = \"anna\"", "customer = \"bert\""));
    let and_bert = [own("anna-web"), own("bert-web"), shared("cleo-etc")];
    assert_eq!(words(&gone, &[], true), and_bert);
    let unconfirmed = words(&inventory, &[], false);
    assert_eq!(unconfirmed.iter().filter(|(_, word)| *word == "ledger-unconfirmed").count(), 4);
}

#[test]
fn what_the_log_says_is_laid_over_the_inventory() {
    let held = |text: &str| -> Vec<(String, Hold)> {
        let mut inventory = inventory_of(text);
        let holds = Holds::of(&[Some(line(0, Action::Hold, "jo", Hold::Legal))]);
        holds.lay_over(&mut inventory);
        let customers = inventory.customers.into_iter();
        let held = customers.filter(|customer| customer.hold != Hold::None);
        held.map(|customer| (customer.id.to_string(), customer.hold)).collect()
    };
    assert_eq!(held(INVENTORY), [("anna".to_owned(), Hold::Legal)]);
    let other = INVENTORY.replace("customer = \"anna\"", "customer = \"dora\"");
    let both = [("anna".to_owned(), Hold::Legal), ("dora".to_owned(), Hold::Legal)];
    assert_eq!(held(&other), both, "whoever is said to own what was hers");
}

#[test]
fn the_log_keeps_every_line_and_believes_no_torn_one() {
    let folder = tempfile::tempdir().unwrap();
    let log = HoldsLog::of(folder.path());
    assert_eq!(log.read().unwrap(), Holds::default());
    let add = |line: Line| log.append(|_| (vec![line], ())).unwrap().1;
    let after = add(line(0, Action::Hold, "jo", Hold::Abuse));
    assert!(after.open(&customer("anna")).is_some());
    let whole = fs::read(log.path()).unwrap();
    fs::write(log.path(), [&whole[..], b"{\"schema\":1,\"at\":"].concat()).unwrap();
    assert_eq!(log.read().unwrap().unreadable, [2]);
    let after = add(line(1, Action::Ask, "kim", Hold::None));
    assert_eq!(after.unreadable, [2]);
    assert_eq!(log.read().unwrap(), after, "what was torn stands alone in its line");
    assert!(after.open(&customer("anna")).unwrap().asked.is_some());
    // A newer evac may know more than we do: what it says is not passed over.
    fs::write(log.path(), b"{\"schema\":1,\"action\":\"freeze\",\"customer\":\"anna\"}\n").unwrap();
    assert_eq!(log.read().unwrap().unreadable, [1]);
}

#[test]
fn a_hold_in_the_inventory_is_kept_and_grows_with_it() {
    let held =
        INVENTORY.replace("id = \"dora\"\n[[host]]", "id = \"dora\"\nhold = \"legal\"\n[[host]]");
    let inventory = inventory_of(&held);
    let found = Holds::default().found_in(&inventory, at(0));
    assert_eq!(found.len(), 1);
    let holds = Holds::of(&found.into_iter().map(Some).collect::<Vec<_>>());
    assert_eq!(holds.open(&customer("dora")).unwrap().kind(), Hold::Legal);
    assert_eq!(holds.found_in(&inventory, at(1)), []);
    assert_eq!(holds.found_in(&inventory_of(INVENTORY), at(1)), [], "taken out: still held");
    let more = held.replace("customer = \"bert\"", "customer = \"dora\"");
    let found = holds.found_in(&inventory_of(&more), at(2));
    assert_eq!(found.len(), 1);
    assert!(found[0].belongings.hosts.contains(&"box".parse().unwrap()));
    assert!(at(2).since(at(0)) < Duration::from_secs(10));
}
