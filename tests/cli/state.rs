//! The state of a site: who may write it, and what is left of it after a loss.

use std::fs;

use evac::ledger::{Ledger, StateLock};
use evac::model::{Clock as _, SystemClock};

use super::fleet;

#[test]
fn a_second_writer_is_told_who_the_first_is_and_readers_go_on() {
    let site = fleet();
    fs::create_dir(site.path("state")).unwrap();
    Ledger::open(&site.path("state/ledger.db")).unwrap();
    let held = StateLock::acquire(&site.path("state"), "jo", SystemClock::default().now());
    let stderr = site.evac(&["ledger", "confirm"]).exits(4).stderr();
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let holder = format!("held by process {} on {host} (jo) since ", std::process::id());
    assert!(stderr.contains(&holder), "{stderr}");
    let at_work = site.evac(&["status"]).exits(0).stderr();
    assert!(at_work.starts_with(&format!("At work: process {} on ", std::process::id())));
    site.evac(&["find", "acme"]).exits(0);
    site.evac(&["plan"]).exits(0);
    site.evac(&["publish"]).exits(0);
    drop(held);
    site.evac(&["ledger", "confirm"]).exits(0);
}

#[test]
fn packs_without_a_ledger_are_a_loss_and_not_a_beginning() {
    let site = fleet();
    site.write("state/store/packs/acme-site/0011", "");
    for command in [&["status"][..], &["find", "acme"], &["plan"], &["publish"]] {
        let stderr = site.evac(command).exits(4).stderr();
        assert!(stderr.contains("ledger.db is missing, and the store holds data"), "{stderr}");
        assert!(stderr.contains("`evac ledger rebuild`"), "{stderr}");
    }
    assert!(!site.path("state/ledger.db").exists());
}

#[test]
fn a_foreign_ledger_is_not_touched() {
    let site = fleet();
    site.write("state/ledger.db", "not a database, but long enough to be looked at twice");
    site.evac(&["status"]).exits(1);
    let text = fs::read_to_string(site.path("state/ledger.db")).unwrap();
    assert!(text.starts_with("not a database"));
}
