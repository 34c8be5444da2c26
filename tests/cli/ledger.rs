//! `evac ledger`.

use std::fs;

use evac::ledger::{Ledger, StateLock};
use evac::model::{Clock as _, SystemClock};

use super::{fleet, has_fields};
use crate::site::Site;

/// A site on which something was done once.
fn used() -> Site {
    let site = fleet();
    site.evac(&["publish"]).exits(0);
    Ledger::open(&site.path("state/ledger.db")).unwrap();
    site
}

#[test]
fn a_backup_is_a_ledger_and_is_made_while_somebody_writes() {
    let site = used();
    let _held =
        StateLock::acquire(&site.path("state"), "jo", SystemClock::default().now()).unwrap();
    let outcome = site.evac(&["--json", "ledger", "backup", "copy.db"]).exits(0);
    has_fields(&outcome.json()[0], "schema file");
    Ledger::open_read_only(&site.path("copy.db")).unwrap().check().unwrap();
    site.evac(&["ledger", "backup", "copy.db"]).exits(0);
}

#[test]
fn a_slip_of_the_hand_costs_no_file() {
    let site = used();
    site.write("thesis.txt", "years of work");
    let stderr = site.evac(&["ledger", "backup", "thesis.txt"]).exits(4).stderr();
    assert!(stderr.contains("is no copy of a ledger"), "{stderr}");
    assert_eq!(fs::read_to_string(site.path("thesis.txt")).unwrap(), "years of work");
    let stderr = site.evac(&["ledger", "backup", "state/../state/ledger.db"]).exits(4).stderr();
    assert!(stderr.contains("is the ledger itself"), "{stderr}");
}

#[test]
fn there_is_nothing_to_copy_before_the_first_run() {
    let site = fleet();
    for command in [&["ledger", "backup", "x"][..], &["ledger", "confirm"]] {
        assert!(site.evac(command).exits(2).stderr().contains("there is no ledger"));
    }
    assert!(!site.path("state").exists());
}

#[test]
fn a_rebuilt_ledger_is_confirmed_by_name() {
    let site = used();
    let path = site.path("state/ledger.db");
    Ledger::open(&path).unwrap().rebuild_from(None, []).unwrap();
    let stderr = site.evac(&["--as", "kim", "ledger", "confirm"]).exits(0).stderr();
    assert_eq!(stderr, "kim stands by the rebuilt ledger.\n");
    assert!(Ledger::open_read_only(&path).unwrap().is_confirmed().unwrap());
    let outcome = site.evac(&["ledger", "confirm", "--json"]).exits(0);
    assert_eq!(outcome.json()[0]["was_confirmed"], true);
}
