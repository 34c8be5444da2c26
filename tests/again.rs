//! A further pass before the switch: only what changed is read, every pass stays restorable, and
//! what only seems gone is no loss.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::site::fleet::{Fleet, Running, Source, noise, received};
use crate::site::tree::{differences, plant};
use crate::site::{Outcome, copy};

const FILES: u64 = 1_000;
const FILE_BYTES: usize = 3_000;

/// One workload with one of everything, one with many files; nothing in them changed of late.
fn fleet() -> Fleet {
    let source = |host, id, class| Source { host, id, class };
    let fleet = Fleet::new(vec![source("one", "odd", "identity"), source("two", "many", "web")]);
    plant(&fleet.tree("odd"));
    for number in 0..FILES {
        let folder = fleet.tree("many").join(format!("{:02}", number % 20));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{number:04}")), noise(number, FILE_BYTES)).unwrap();
    }
    settle();
    fleet
}

/// What changes less than two seconds before it is read is read again.
fn settle() {
    std::thread::sleep(Duration::from_millis(3_100));
}

fn report(fleet: &Fleet, arguments: &[&str], exit: i32) -> Value {
    fleet.evac(&[&["--json", "run"], arguments].concat()).exits(exit).json().pop().unwrap()
}

/// The restore with `arguments` equals what stands at `expected`, a folder for each workload.
#[track_caller]
fn check_restored(
    fleet: &Fleet,
    arguments: &[&str],
    expected: &dyn Fn(&str) -> std::path::PathBuf,
) {
    let place = tempfile::tempdir().unwrap();
    fleet.restore(place.path(), arguments).exits(0);
    for workload in ["odd", "many"] {
        let restored = fleet.restored(place.path(), workload);
        assert_eq!(differences(&expected(workload), &restored), "", "{arguments:?}");
    }
}

fn now() -> String {
    let output = Outcome::of(Command::new("date").args(["-u", "+%FT%TZ"])).exits(0).stdout();
    output.trim().to_owned()
}

fn lose_ledger(fleet: &Fleet) {
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(fleet.site.path(&format!("state/ledger.db{suffix}")));
    }
}

#[test]
fn a_second_pass_reads_only_what_changed_and_both_stay_restorable() {
    let fleet = fleet();
    let first = report(&fleet, &[], 0);
    assert!(first["opened_files"].as_u64().unwrap() >= FILES);
    std::thread::sleep(Duration::from_millis(1_100));
    let between = now();
    let before = tempfile::tempdir().unwrap();
    for workload in ["odd", "many"] {
        copy(&fleet.tree(workload), &before.path().join(workload));
    }
    let many = fleet.tree("many");
    fs::write(many.join("03/0003"), noise(9_999, FILE_BYTES)).unwrap();
    fs::write(many.join("03/new"), noise(9_998, FILE_BYTES)).unwrap();
    fs::remove_file(many.join("04/0004")).unwrap();
    fs::rename(many.join("05"), many.join("05-renamed")).unwrap();
    settle();
    let second = report(&fleet, &["--again"], 0);
    // What got another name is read again, and not sent.
    assert_eq!((&second["captured"], &second["opened_files"]), (&2.into(), &52.into()), "{second}");
    let sent = second["sent_bytes"].as_u64().unwrap();
    assert!(sent < 3 * FILE_BYTES as u64, "{sent} bytes");
    let plain = report(&fleet, &[], 0);
    assert_eq!((&plain["captured"], &plain["agent_bytes"]), (&2.into(), &0.into()), "{plain}");

    let living = |workload: &str| fleet.tree(workload);
    let former = |workload: &str| before.path().join(workload);
    check_restored(&fleet, &[], &living);
    check_restored(&fleet, &["--at", &between], &former);
    fleet.evac(&["verify", "--deep"]).exits(0);
    // Nothing of that needs the ledger.
    lose_ledger(&fleet);
    let rebuilt = fleet.evac(&["--json", "ledger", "rebuild"]).exits(0).json().pop().unwrap();
    assert_eq!((&rebuilt["passes"], &rebuilt["sealed"]), (&4.into(), &4.into()), "{rebuilt}");
    check_restored(&fleet, &[], &living);
    check_restored(&fleet, &["--at", &between], &former);
    fleet.evac(&["verify", "--deep"]).exits(0);
    let third = report(&fleet, &["--again", "many"], 0);
    assert_eq!((&third["captured"], &third["opened_files"]), (&2.into(), &0.into()), "{third}");
}

#[test]
fn a_second_pass_that_is_killed_is_finished_by_the_same_command() {
    const LARGE: usize = 4 << 20;
    let fleet = fleet();
    report(&fleet, &[], 0);
    let before = tempfile::tempdir().unwrap();
    for workload in ["odd", "many"] {
        copy(&fleet.tree(workload), &before.path().join(workload));
    }
    for number in 0..5 {
        let path = fleet.tree("many").join(format!("large-{number}"));
        fs::write(path, noise(50_000 + number, LARGE)).unwrap();
    }
    // So slow that most of what had arrived is durable at any moment, also on a busy machine.
    fleet.site.write("inventory.d/slow.toml", "[[host]]\nid = \"two\"\nrate = \"4MB/s\"\n");
    let mut running = Running::start_with(&fleet, &["--again"]);
    running.until_received(2 * LARGE as u64);
    let killed = received(&running.kill());
    // Until it is whole, the former pass is what is restored.
    check_restored(&fleet, &[], &|workload: &str| before.path().join(workload));
    let (code, events) = Running::start_with(&fleet, &["--again"]).end();
    assert_eq!(code, Some(0), "{:?}", events.last());
    let sent = killed + received(&events);
    assert!(sent < 5 * LARGE as u64 * 102 / 100 + (3 << 20), "{sent} bytes");
    check_restored(&fleet, &[], &|workload: &str| fleet.tree(workload));
    fleet.evac(&["verify", "--deep"]).exits(0);
}

#[test]
fn a_loss_that_may_be_a_mistake_is_said_with_what_to_do() {
    let fleet = fleet();
    report(&fleet, &[], 0);
    let many = fleet.tree("many");
    let before = tempfile::tempdir().unwrap();
    for workload in ["odd", "many"] {
        copy(&fleet.tree(workload), &before.path().join(workload));
    }
    let empty = |path: &Path| {
        for entry in fs::read_dir(path).unwrap().flatten() {
            fs::remove_dir_all(entry.path()).unwrap();
        }
    };
    empty(&many);
    let aside = fleet.evac(&["run", "--again"]).exits(1);
    assert!(aside.stderr().contains("pass 2 is set aside"), "{}", aside.stderr());
    assert!(aside.stderr().contains("--accept-losses"), "{}", aside.stderr());
    let status = fleet.evac(&["--json", "status"]).exits(0).json().pop().unwrap();
    let workloads = status["customers"][0]["workloads"].as_array().unwrap();
    let seen = workloads.iter().find(|workload| workload["id"] == "many").unwrap();
    assert_eq!((&seen["reason"], &seen["state"]), (&"set-aside".into(), &"needs_attention".into()));
    check_restored(&fleet, &[], &|workload: &str| before.path().join(workload));
    // A lost ledger does not make it good.
    lose_ledger(&fleet);
    fleet.evac(&["ledger", "rebuild"]).exits(0);
    report(&fleet, &[], 1);
    check_restored(&fleet, &[], &|workload: &str| before.path().join(workload));
    let meant = report(&fleet, &["--again", "--accept-losses", "workload/many"], 0);
    assert_eq!(meant["captured"], 2, "{meant}");
    check_restored(&fleet, &[], &|workload: &str| fleet.tree(workload));
}

/// The newest copy onto the folder that the older one was restored into.
#[test]
fn a_newer_copy_onto_an_older_one_writes_the_difference_and_leaves_what_people_did() {
    const LARGE: usize = 16 << 20;
    let fleet = fleet();
    let many = fleet.tree("many");
    fs::write(many.join("large"), noise(77, LARGE)).unwrap();
    settle();
    report(&fleet, &[], 0);
    let place = tempfile::tempdir().unwrap();
    let restore = |exit| {
        let lines = fleet.restore(place.path(), &[]).exits(exit).json();
        lines.into_iter().find(|line| line["workload"] == "many").unwrap()
    };
    let bytes = |line: &Value| line["bytes"].as_u64().unwrap();
    assert!(bytes(&restore(0)) >= LARGE as u64);
    let large = fs::OpenOptions::new().write(true).open(many.join("large")).unwrap();
    large.write_all_at(&noise(78, LARGE / 100), LARGE as u64 / 2).unwrap();
    fs::write(many.join("03/0003"), noise(9_999, FILE_BYTES)).unwrap();
    fs::remove_dir_all(many.join("04")).unwrap();
    settle();
    let second = report(&fleet, &["--again"], 0);
    let sent = second["sent_bytes"].as_u64().unwrap();
    let written = bytes(&restore(0));
    let changed = (LARGE / 100 + FILE_BYTES) as u64;
    assert!(written <= changed * 12 / 10, "{written} bytes written, {changed} changed");
    assert!(sent > changed, "whole pieces cross");
    for workload in ["odd", "many"] {
        let restored = fleet.restored(place.path(), workload);
        assert_eq!(differences(&fleet.tree(workload), &restored), "");
    }
    // Somebody looks into it and changes something, and so does its owner over there.
    let there = fleet.restored(place.path(), "many");
    fs::write(there.join("05/note"), "by a colleague").unwrap();
    fs::write(there.join("06/0006"), "by a colleague").unwrap();
    fs::remove_dir_all(many.join("05")).unwrap();
    fs::write(many.join("06/0006"), "by its owner").unwrap();
    settle();
    report(&fleet, &["--again"], 0);
    let line = restore(1);
    let listed = line["problems"].to_string();
    assert_eq!(line["problem_count"], 2, "{listed}");
    assert!(listed.contains("05") && listed.contains("06/0006"), "{listed}");
    assert_eq!(fs::read_to_string(there.join("05/note")).unwrap(), "by a colleague");
    assert_eq!(fs::read_to_string(there.join("06/0006")).unwrap(), "by a colleague");
    // With that said, the copy counts; what was only added stays.
    fleet.restore(place.path(), &["--overwrite"]).exits(0);
    assert_eq!(fs::read_to_string(there.join("06/0006")).unwrap(), "by its owner");
}

/// The same over SSH, with one of everything.
#[test]
fn a_newer_copy_goes_to_the_target_of_the_older_one() {
    let fleet = Fleet::new(vec![Source { host: "one", id: "odd", class: "identity" }]);
    let (tree, place) = (fleet.tree("odd"), tempfile::tempdir().unwrap());
    plant(&tree);
    fs::write(tree.join("large"), noise(5, 20 << 20)).unwrap();
    let inventory = fs::read_to_string(fleet.site.path("inventory.toml")).unwrap();
    let user = inventory.lines().find(|line| line.starts_with("user = ")).unwrap();
    let port = fleet.sshd.port();
    let target =
        format!("[[target]]\nid = \"rack\"\naddress = \"127.0.0.1\"\nport = {port}\n{user}\n");
    let settings = fs::read_to_string(fleet.site.path("evac.toml")).unwrap();
    fleet.site.write("evac.toml", &(settings + &target));
    let root = place.path().display();
    let aimed = format!("target = \"rack\"\nrestore = {{ root = \"{root}\" }}\n");
    fleet.site.write("inventory.toml", &(inventory + &aimed));
    settle();
    report(&fleet, &[], 0);
    let restore = || fleet.evac(&["--json", "restore"]).exits(0).json().pop().unwrap();
    assert!(restore()["bytes"].as_u64().unwrap() > 20 << 20);
    let restored = place.path().join(tree.strip_prefix("/").unwrap());
    assert_eq!(differences(&tree, &restored), "");
    let large = fs::OpenOptions::new().write(true).open(tree.join("large")).unwrap();
    large.write_all_at(b"changed", 9 << 20).unwrap();
    fs::rename(tree.join("large"), tree.join("a-large")).unwrap();
    fs::rename(tree.join("a-large"), tree.join("large")).unwrap();
    fs::create_dir(tree.join("new")).unwrap();
    fs::write(tree.join("new/file"), "new").unwrap();
    settle();
    report(&fleet, &["--again"], 0);
    let written = restore()["bytes"].as_u64().unwrap();
    assert!(written <= 1 << 20, "{written} bytes: one piece is at most that long");
    assert_eq!(differences(&tree, &restored), "");
}

#[test]
fn what_a_further_pass_is_of_is_checked_first() {
    let fleet = fleet();
    fleet.evac(&["run", "--again", "nobody"]).exits(2);
    fleet.evac(&["run", "one", "two"]).exits(2);
    fleet.evac(&["run", "--accept-losses"]).exits(2);
}
