//! Losing the ledger loses no data (promise 10): it is made anew from what is stored.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::site::Outcome;
use crate::site::fleet::{Fleet, Running, Source, files_beneath, noise, received};
use crate::site::tree::{differences, plant};

const LEDGER: &str = "state/ledger.db";

fn fleet() -> Fleet {
    let source = |host, id, class| Source { host, id, class };
    let fleet = Fleet::new(vec![source("one", "alpha", "identity"), source("two", "beta", "bulk")]);
    plant(&fleet.tree("alpha"));
    for number in 0..12 {
        let file = fleet.tree("beta").join(format!("{number:02}"));
        fs::write(file, noise(number, 1 << 20)).unwrap();
    }
    fleet
}

fn lose(fleet: &Fleet) {
    for suffix in ["", "-wal", "-shm"] {
        // After a clean end there is only the first.
        let _ = fs::remove_file(fleet.site.path(&format!("{LEDGER}{suffix}")));
    }
}

fn document(outcome: &Outcome) -> Value {
    outcome.json().pop().unwrap()
}

fn report(fleet: &Fleet, exit: i32) -> Value {
    document(&fleet.evac(&["--json", "run"]).exits(exit))
}

fn states(fleet: &Fleet) -> Vec<String> {
    let status = document(&fleet.evac(&["--json", "status"]).exits(0));
    let workloads = status["customers"][0]["workloads"].as_array().unwrap().clone();
    let state = |w: &Value| w["capture"]["state"].as_str().unwrap().to_owned();
    workloads.iter().map(state).collect()
}

fn check_restored(fleet: &Fleet) {
    let place = tempfile::tempdir().unwrap();
    fleet.restore(place.path(), &[]).exits(0);
    for workload in ["alpha", "beta"] {
        let restored = fleet.restored(place.path(), workload);
        assert_eq!(differences(&fleet.tree(workload), &restored), "");
    }
}

#[test]
fn a_lost_ledger_comes_back_and_nothing_is_sent_or_opened_again() {
    let fleet = fleet();
    fleet.evac(&["run"]).exits(0);
    let there = fleet.evac(&["ledger", "rebuild"]).exits(4);
    assert!(there.stderr().contains("hint: Move it away"), "{}", there.stderr());
    let site = fs::read(fleet.site.path("state/store/site")).unwrap();

    lose(&fleet);
    for refused in [&["run"][..], &["verify"], &["status"], &["restore", "--to", "x"]] {
        let refused = fleet.evac(refused).exits(4);
        assert!(refused.stderr().contains("evac ledger rebuild"), "{}", refused.stderr());
        assert!(!fleet.site.path(LEDGER).exists(), "none begins in silence");
    }
    let rebuilt = document(&fleet.evac(&["--json", "ledger", "rebuild"]).exits(0));
    assert_eq!((&rebuilt["sealed"], &rebuilt["partial"]), (&2.into(), &0.into()), "{rebuilt}");
    assert_eq!((&rebuilt["site_kept"], &rebuilt["confirmed"]), (&true.into(), &false.into()));
    assert_eq!(states(&fleet), ["captured", "captured"]);

    let report = report(&fleet, 0);
    let counts = ["captured", "sent_bytes", "opened_files", "agent_bytes"].map(|key| &report[key]);
    assert_eq!(counts, [2, 0, 0, 0], "{report}");
    assert_eq!(fs::read(fleet.site.path("state/store/site")).unwrap(), site);
    fleet.evac(&["verify", "--deep"]).exits(0);
    check_restored(&fleet);
    let confirmed = document(&fleet.evac(&["--json", "ledger", "confirm"]).exits(0));
    assert_eq!(confirmed["was_confirmed"], false);
    let confirmed = document(&fleet.evac(&["--json", "ledger", "confirm"]).exits(0));
    assert_eq!(confirmed["was_confirmed"], true);
}

/// The log beside a lost ledger may hold what nobody else knows.
#[test]
fn a_ledger_is_not_rebuilt_over_the_rest_of_one_nor_out_of_nothing() {
    let fleet = fleet();
    let nothing = fleet.evac(&["ledger", "rebuild"]).exits(2);
    assert!(nothing.stderr().contains("nothing was ever stored"), "{}", nothing.stderr());
    fleet.site.write("state/ledger.db-wal", "left by a crash");
    let rest = fleet.evac(&["ledger", "rebuild"]).exits(4);
    assert!(rest.stderr().contains("ledger.db-wal exists"), "{}", rest.stderr());
}

#[test]
fn a_pass_that_was_stopped_half_way_goes_on_from_what_is_proven() {
    let fleet = fleet();
    let mut running = Running::start(&fleet);
    running.until_received(9 << 20);
    let before = received(&running.kill());
    lose(&fleet);
    let rebuilt = document(&fleet.evac(&["--json", "ledger", "rebuild"]).exits(0));
    assert!(rebuilt["partial"].as_u64() > Some(0), "{rebuilt}");
    let report = report(&fleet, 0);
    let sent = before + report["sent_bytes"].as_u64().unwrap();
    // 12 MiB of one workload, 3 MiB of the other, and what a kill may cost on each host.
    assert!(sent < (15 << 20) * 102 / 100 + 2 * (3 << 20), "{before} and {report}");
    fleet.evac(&["verify", "--deep"]).exits(0);
    check_restored(&fleet);
}

#[test]
fn what_cannot_come_back_is_named_and_taken_again() {
    let fleet = fleet();
    fleet.evac(&["run"]).exits(0);
    let head = fleet.site.path("state/store/manifests/alpha/00000001/head");
    fs::write(&head, "not a head").unwrap();
    let pack = files_beneath(&fleet.site.path("state/store/packs/beta")).remove(0);
    let aside = fleet.site.path("aside");
    fs::rename(&pack, &aside).unwrap();
    lose(&fleet);

    let rebuilt = document(&fleet.evac(&["--json", "ledger", "rebuild"]).exits(1));
    assert_eq!(rebuilt["set_aside"][0]["workload"], "alpha", "{rebuilt}");
    assert!(rebuilt["damaged"].as_u64().unwrap() > 0, "{rebuilt}");
    assert_eq!(states(&fleet), ["planned", "failed"], "nothing damaged is called captured");
    fs::rename(&aside, &pack).unwrap();
    let report = report(&fleet, 0);
    assert_eq!((&report["captured"], &report["sent_bytes"]), (&2.into(), &0.into()), "{report}");
    assert_eq!(fs::read(&head).unwrap(), b"not a head", "evidence stays");
    check_restored(&fleet);
}

#[test]
fn whose_a_workload_is_only_the_inventory_knows() {
    let fleet = fleet();
    fleet.evac(&["run"]).exits(0);
    lose(&fleet);
    let inventory = fleet.site.path("inventory.toml");
    let all = fs::read_to_string(&inventory).unwrap();
    fs::write(&inventory, all.replace("id = \"beta\"", "id = \"renamed\"")).unwrap();
    let outcome = fleet.evac(&["ledger", "rebuild"]).exits(1);
    let said = outcome.stderr();
    assert!(said.contains("set aside: workload/beta, pass 1") && said.contains("hint: Put its"));
    fs::write(&inventory, all).unwrap();
    lose(&fleet);
    fleet.evac(&["ledger", "rebuild"]).exits(0);
    assert!(Path::new(&fleet.site.path(LEDGER)).exists());
    assert_eq!(states(&fleet), ["captured", "captured"]);
}
