//! A slip in a target keeps nothing from being captured; only a restore there is refused.

use std::fs;

use crate::site::fleet::{Fleet, Source};

#[test]
fn a_target_that_is_not_written_down_is_told_and_the_run_goes_on() {
    let fleet = Fleet::new(vec![Source { host: "one", id: "one-tree", class: "web" }]);
    fs::write(fleet.tree("one-tree").join("index"), "hello").unwrap();
    let inventory = fs::read_to_string(fleet.site.path("inventory.toml")).unwrap();
    let slip = inventory.replace("id = \"one\"\n", "id = \"one\"\ntarget = \"rak-07\"\n");
    let line = 1 + slip.lines().position(|line| line.contains("rak-07")).unwrap();
    let mistake = format!("inventory.toml:{line}: `target` names `rak-07`");
    fleet.site.write("inventory.toml", &slip);
    assert!(fleet.evac(&["check"]).exits(2).stdout().contains(&mistake));
    let told = format!("warning: host/one goes without a target: {mistake}");
    for command in ["plan", "run"] {
        let stderr = fleet.evac(&[command]).exits(0).stderr();
        assert!(stderr.contains(&told), "{command}: {stderr}");
    }
    let captured = &fleet.evac(&["--json", "status"]).exits(0).json()[0]["totals"]["by_state"];
    assert_eq!(*captured, serde_json::json!({ "copied": 1 }), "{captured}");
    let refused = fleet.evac(&["restore", "one-tree"]).exits(2).stderr();
    assert!(refused.contains(&mistake), "{refused}");
    let place = tempfile::tempdir().unwrap();
    fleet.restore(place.path(), &[]).exits(0);
}
