//! What happens to a run, and to what it takes, while it goes on.

use std::fs;

use serde_json::Value;

use super::Mistake;
use crate::resume::agent_folders;
use crate::site::fleet::{Fleet, Running, Source, noise};
use crate::site::tree::differences;

#[test]
fn a_path_that_is_not_there_is_never_called_copied() {
    let fleet = Fleet::new(vec![Source { host: "one", id: "tree", class: "web" }]);
    fs::write(fleet.tree("tree").join("index"), "hello").unwrap();
    let inventory = fs::read_to_string(fleet.site.path("inventory.toml")).unwrap();
    let slip = inventory.replace("paths = [", "paths = [\"/srv/acme-tree\", ");
    fleet.site.write("inventory.toml", &slip);
    let told = &["tree: failed", "`/srv/acme-tree` of its `paths` is not there", "spelt right?"];
    let what = "a path that the host does not have";
    Mistake { what, typed: &["run"], exits: 1, told }.check(&fleet.site);
    let status = fleet.evac(&["--json", "status"]).exits(0).json().remove(0);
    assert_eq!(status["totals"]["by_state"], serde_json::json!({ "needs_attention": 1 }));
    let place = tempfile::tempdir().unwrap();
    fleet.restore(place.path(), &[]).exits(0);
    assert_eq!(differences(&fleet.tree("tree"), &fleet.restored(place.path(), "tree")), "");
    // Who meant it says so, and nothing is sent again.
    let again = fleet.evac(&["--json", "run", "--again", "--accept-losses"]).exits(0);
    let report: Value = again.json().pop().unwrap();
    assert_eq!((&report["captured"], &report["sent_bytes"]), (&1.into(), &0.into()), "{report}");
}

#[test]
fn an_entry_with_a_mistake_is_left_alone_and_the_run_says_so_at_its_end() {
    let sources = ["one", "two"].map(|id| Source { host: id, id, class: "web" });
    let fleet = Fleet::new(sources.into());
    let inventory = fs::read_to_string(fleet.site.path("inventory.toml")).unwrap();
    let mistaken =
        inventory.replace("id = \"two\"\naddress", "id = \"two\"\njump = \"x\"\naddress");
    fleet.site.write("inventory.toml", &mistaken);
    let told =
        &["host/two is set aside", "captured 1, failed 0", "left alone", "host/two", "hint:"];
    let what = "one host of two with a mistake";
    Mistake { what, typed: &["run"], exits: 1, told }.check(&fleet.site);
    fleet.site.write("inventory.toml", &inventory);
    assert_eq!(fleet.evac(&["--json", "run"]).exits(0).json().last().unwrap()["captured"], 2);
}

#[test]
fn tidying_up_over_there_and_writing_here_ends_no_run() {
    let fleet = Fleet::new(vec![Source { host: "one", id: "tree", class: "web" }]);
    for file in 0..24 {
        fs::write(fleet.tree("tree").join(file.to_string()), noise(file, 500_000)).unwrap();
    }
    fleet.site.write("inventory.d/slow.toml", "[[host]]\nid = \"one\"\nrate = \"6MB/s\"\n");
    let mut running = Running::start(&fleet);
    running.until_received(1_000_000);
    for folder in agent_folders(&fleet) {
        fs::remove_dir_all(folder).unwrap();
    }
    fleet.site.write("evac.toml", "[site\n").write("inventory.toml", "[[[");
    let told = fleet.evac(&["reload"]).exits(2).stderr();
    assert!(told.contains("evac.toml:1: not TOML") && told.contains("hint: "), "{told}");
    let (code, events) = running.end();
    assert_eq!(code, Some(0), "{:?}", events.last());
    assert_eq!(events.last().unwrap()["captured"], 1);
}
