//! A state that is lost, moved, full, read-only, or of another day.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::Command;

use evac::ledger::Ledger;
use evac::model::Event;
use rusqlite::Connection;
use rustix::process::geteuid;
use serde_json::Value;

use super::Mistake;
use crate::site::fleet::{Fleet, Source, noise};
use crate::site::mount::Mount;
use crate::site::tree::differences;
use crate::site::{Outcome, copy, folder};

/// One workload, copied.
fn captured() -> Fleet {
    let fleet = Fleet::new(vec![Source { host: "one", id: "tree", class: "web" }]);
    for file in 0..12 {
        let content = noise(file, 200_000);
        fs::write(folder(&fleet.tree("tree").join("sub")).join(file.to_string()), content).unwrap();
    }
    fleet.evac(&["run"]).exits(0);
    fleet
}

/// Everything is there, and nothing is taken again.
#[track_caller]
fn check_whole(fleet: &Fleet) {
    let report: Value = fleet.evac(&["--json", "run"]).exits(0).json().pop().unwrap();
    assert_eq!((&report["captured"], &report["sent_bytes"]), (&1.into(), &0.into()), "{report}");
    fleet.evac(&["verify", "--deep"]).exits(0);
}

fn move_away(fleet: &Fleet, name: &str) -> impl FnOnce() {
    let (there, away) = (fleet.site.path(name), fleet.site.path("away"));
    fs::rename(&there, &away).unwrap();
    move || {
        // What a command may have begun there is not what was.
        let _ = fs::remove_dir_all(&there);
        let _ = fs::remove_file(&there);
        fs::rename(&away, &there).unwrap();
    }
}

#[test]
fn what_is_missing_of_the_state_is_no_beginning() {
    let fleet = captured();
    let refused = |what: &str, exits: i32, typed: &[&str], told: &[&str]| {
        Mistake { what, typed, exits, told }.check(&fleet.site);
    };
    let back = move_away(&fleet, "state/store");
    for typed in [&["run"][..], &["run", "--again"], &["verify"], &["restore", "--to", "out"]] {
        let told = ["nothing is stored in", "state/store", "hint: Mount its disk"];
        refused("the store's disk is not mounted", 4, typed, &told);
    }
    back();
    check_whole(&fleet);
    let back = move_away(&fleet, "state/ledger.db");
    let rebuild = "hint: Put a backup of it there, or `evac ledger rebuild`";
    refused("the ledger is gone", 4, &["run"], &["ledger.db is missing, and the store", rebuild]);
    fs::write(fleet.site.path("state/ledger.db"), "").unwrap();
    for typed in [&["run"][..], &["status"], &["find", "acme"]] {
        refused("the ledger is empty", 4, typed, &["ledger.db is empty, and the store", rebuild]);
    }
    fs::write(fleet.site.path("state/ledger.db"), noise(1, 9_000)).unwrap();
    for typed in [&["run"][..], &["status"]] {
        refused("the ledger is rubbish", 1, typed, &["ledger.db failed", "hint: ", "a backup, or"]);
    }
    fs::write(fleet.site.path("state/ledger.db"), "").unwrap();
    fleet.evac(&["ledger", "rebuild"]).exits(0);
    check_whole(&fleet);
    back();
    let back = move_away(&fleet, "state/keys");
    let told = ["is missing, and packs are named with it", "hint: Put the file back from a copy"];
    refused("the keys are gone", 1, &["run", "--again"], &told);
    back();
    check_whole(&fleet);
}

#[test]
fn a_ledger_of_another_day_another_evac_or_another_place_loses_nothing() {
    let fleet = captured();
    let change = |sql: &str| {
        let ledger = Connection::open(fleet.site.path("state/ledger.db")).unwrap();
        ledger.execute_batch(sql).unwrap();
    };
    // The machine's clock was a day ahead while it copied, and is right now.
    change("UPDATE pass SET started_at = started_at + 86400000, sealed_at = sealed_at + 86400000");
    let place = tempfile::tempdir().unwrap();
    fleet.restore(place.path(), &[]).exits(0);
    assert_eq!(differences(&fleet.tree("tree"), &fleet.restored(place.path(), "tree")), "");
    check_whole(&fleet);
    change("PRAGMA user_version = 999");
    let told = &["was written by a newer evac (schema 999", "hint: Use the evac that wrote it"];
    for typed in [&["run"][..], &["status"], &["verify"]] {
        let what = "yesterday's evac over today's ledger";
        Mistake { what, typed, exits: 4, told }.check(&fleet.site);
    }
    change(&format!("PRAGMA user_version = {}", schema()));
    // A folder with a space, a quote, a newline and a byte that is no text in its name.
    let parent = tempfile::tempdir().unwrap();
    let odd = parent.path().join(std::ffi::OsStr::from_bytes(b"sp ace \"\n\xff"));
    copy(&fleet.site.path(""), &odd);
    for arguments in [&["run"][..], &["verify", "--deep"], &["restore", "--to", "out"], &["status"]]
    {
        let mut command = Command::new(env!("CARGO_BIN_EXE_evac"));
        command.arg("--site").arg(&odd).args(arguments).current_dir(&odd);
        Outcome::of(&mut command).exits(0);
    }
    assert_eq!(differences(&fleet.tree("tree"), &fleet.restored(&odd.join("out"), "tree")), "");
}

/// The schema of a ledger made now.
fn schema() -> u32 {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    drop(Ledger::open(&path).unwrap());
    let ledger = Connection::open(&path).unwrap();
    ledger.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

#[test]
fn a_disk_that_is_full_or_read_only_is_named_and_the_same_command_goes_on() {
    if !geteuid().is_root() {
        eprintln!("left out: only root may mount");
        return;
    }
    let fleet = captured();
    let place = tempfile::tempdir().unwrap();
    let to = place.path().to_str().unwrap();
    let small = Mount::new(place.path(), &["-t", "tmpfs", "-o", "size=1m", "none"]);
    let full = Mistake {
        what: "no room where it is restored to",
        typed: &["restore", "--to", to],
        exits: 1,
        told: &["no space left for", "hint: See to space and permissions", "the same command"],
    };
    full.check(&fleet.site);
    let archive = format!("{to}/x.tar");
    fs::remove_dir_all(place.path().join("tree")).unwrap();
    let tar = Mistake {
        what: "no room for an archive",
        typed: &["restore", "--tar", &archive],
        exits: 1,
        told: &["the archive is not complete", "No space left", "hint: Nothing is kept of it"],
    };
    tar.check(&fleet.site);
    assert!(!Path::new(&archive).exists());
    full.check(&fleet.site);
    small.again("remount,size=64m");
    fleet.evac(full.typed).exits(0);
    assert_eq!(differences(&fleet.tree("tree"), &fleet.restored(place.path(), "tree")), "");
    drop(small);
    read_only(&fleet);
    check_whole(&fleet);
}

/// As a disk becomes that failed, with something in the log beside the ledger.
fn read_only(fleet: &Fleet) {
    let state = fleet.site.path("state");
    let ledger = Ledger::open(&state.join("ledger.db")).unwrap();
    let (what, text) = ("customer/acme".to_owned(), "called at five".to_owned());
    ledger.append(&Event::Noted { what, text, by: "kim".to_owned() }, "kim").unwrap();
    let state_text = state.to_str().unwrap();
    let mount = Mount::new(&state, &["--bind", state_text]);
    mount.again("remount,ro,bind");
    for (typed, told) in [
        (&["status"][..], "1 of 1 customers copied"),
        (&["find", "acme"], "called at five"),
        (&["next"], "nothing is blocked"),
        (&["handover"], "called at five"),
    ] {
        let said = fleet.evac(typed).exits(0);
        assert!(said.stdout().contains(told), "{typed:?}: {said:?}");
    }
    for typed in [&["run"][..], &["pause", "tree"], &["restore", "--to", "out"], &["verify"]] {
        let told = &["state/lock", "Read-only file system", "hint: The state folder must be"];
        Mistake { what: "a state that is read-only", typed, exits: 1, told }.check(&fleet.site);
    }
    drop(mount);
    drop(ledger);
}
