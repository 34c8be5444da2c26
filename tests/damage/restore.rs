//! What `restore` refuses, keeps, replaces and leaves out.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{captured, lines};
use crate::site::Outcome;
use crate::site::fleet::{Fleet, files_beneath};
use crate::site::tree::differences;

fn check_equal(fleet: &Fleet, place: &Path, workload: &str) {
    assert_eq!(differences(&fleet.tree(workload), &fleet.restored(place, workload)), "");
}

fn line(outcome: &Outcome) -> Value {
    lines(outcome).remove(0)
}

#[test]
fn a_restore_keeps_what_is_right_and_refuses_what_is_not() {
    let fleet = captured();
    let place = tempfile::tempdir().unwrap();
    fleet.restore(place.path(), &["alpha"]).exits(0);
    let again = line(&fleet.restore(place.path(), &["alpha"]).exits(0));
    assert_eq!((&again["done"], &again["bytes"]), (&true.into(), &0.into()), "{again}");

    // The second of two files differs, the first is gone: it must not come back half-way.
    let tree = fleet.restored(place.path(), "alpha");
    fs::remove_file(tree.join("one")).unwrap();
    fs::write(tree.join("two"), "the customer's own work").unwrap();
    let refused = line(&fleet.restore(place.path(), &["alpha"]).exits(4));
    assert_eq!((&refused["done"], &refused["reason"]), (&false.into(), &"refused".into()));
    assert!(refused["detail"].as_str().unwrap().contains("/alpha/two"), "{refused}");
    assert!(!tree.join("one").exists(), "nothing is written before a refusal");
    assert_eq!(fs::read(tree.join("two")).unwrap(), b"the customer's own work");
    fleet.restore(place.path(), &["alpha", "--overwrite"]).exits(0);
    check_equal(&fleet, place.path(), "alpha");

    let place = tempfile::tempdir().unwrap();
    let one = fleet.tree("alpha").join("one");
    fleet.restore(place.path(), &["alpha", "--include", one.to_str().unwrap()]).exits(0);
    let only = [fleet.restored(place.path(), "alpha").join("one")];
    assert_eq!(files_beneath(place.path()), only);
    let place = tempfile::tempdir().unwrap();
    fleet.restore(place.path(), &[&format!("workload/alpha:{}", one.display())]).exits(0);
    assert_eq!(files_beneath(place.path()).len(), 1);
}

#[test]
fn a_restore_to_a_target_has_guard_rails() {
    let fleet = captured();
    let without = fleet.evac(&["restore", "alpha"]).exits(2);
    assert!(without.stderr().contains("workload/alpha has no target"), "{}", without.stderr());

    let (inventory, port) = (fleet.site.path("inventory.toml"), fleet.sshd.port());
    let all = fs::read_to_string(&inventory).unwrap();
    let user = all.lines().find(|line| line.starts_with("user = ")).unwrap();
    let target =
        format!("[[target]]\nid = \"rack\"\naddress = \"127.0.0.1\"\nport = {port}\n{user}\n");
    let settings = fs::read_to_string(fleet.site.path("evac.toml")).unwrap();
    fleet.site.write("evac.toml", &(settings + &target));
    let aim = |root: &str| {
        let of_alpha = format!("class = \"identity\"\ntarget = \"rack\"\n{root}");
        fleet.site.write("inventory.toml", &all.replace("class = \"identity\"\n", &of_alpha));
    };
    aim("");
    let over = fleet.evac(&["restore", "alpha"]).exits(4);
    assert!(over.stderr().contains("would be written over /"), "{}", over.stderr());
    let over = fleet.evac(&["restore", "alpha", "--in-place"]).exits(4);
    assert!(over.stderr().contains("is also a source"), "{}", over.stderr());
    aim(&format!("restore = {{ root = \"{}\" }}\n", fleet.tree("beta").join("in").display()));
    let inside = fleet.evac(&["restore", "alpha"]).exits(4);
    assert!(inside.stderr().contains("is also a source"), "{}", inside.stderr());
    assert!(!fleet.tree("beta").join("in").exists());

    let place = tempfile::tempdir().unwrap();
    aim(&format!("restore = {{ root = \"{}\" }}\n", place.path().display()));
    fleet.evac(&["restore", "alpha"]).exits(0);
    let tree = fleet.tree("alpha");
    let restored = place.path().join(tree.strip_prefix("/").unwrap());
    assert_eq!(differences(&tree, &restored), "");
    fleet.evac(&["restore", "alpha"]).exits(0);
    fs::write(restored.join("two"), "the customer's own work").unwrap();
    fleet.evac(&["restore", "alpha"]).exits(4);
    fleet.evac(&["restore", "alpha", "--overwrite"]).exits(0);
    assert_eq!(differences(&tree, &restored), "");
}

#[test]
fn what_was_never_captured_cannot_be_restored() {
    let fleet = super::sources();
    let place = tempfile::tempdir().unwrap();
    let nothing = fleet.restore(place.path(), &[]).exits(1);
    assert!(nothing.stderr().contains("there is nothing to restore"), "{}", nothing.stderr());
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}
