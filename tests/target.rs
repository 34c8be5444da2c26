//! What stands on a target already, and what a restore that was cut off left there.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::geteuid;

use crate::site::Outcome;
use crate::site::fleet::{Fleet, Source, files_beneath, noise};
use crate::site::mount::Mount;
use crate::site::tree::differences;

/// One workload of a few files, copied, whose target's root is `root` on this machine.
fn aimed_at(root: &Path) -> Fleet {
    let fleet = Fleet::new(vec![Source { host: "one", id: "tree", class: "web" }]);
    for file in 0..12 {
        fs::write(fleet.tree("tree").join(file.to_string()), noise(file, 200_000)).unwrap();
    }
    let inventory = fs::read_to_string(fleet.site.path("inventory.toml")).unwrap();
    let user = inventory.lines().find(|line| line.starts_with("user = ")).unwrap();
    let port = fleet.sshd.port();
    let target =
        format!("[[target]]\nid = \"rack\"\naddress = \"127.0.0.1\"\nport = {port}\n{user}\n");
    let settings = fs::read_to_string(fleet.site.path("evac.toml")).unwrap();
    fleet.site.write("evac.toml", &(settings + &target));
    let root = root.display();
    let aimed = format!("target = \"rack\"\nrestore = {{ root = \"{root}\" }}\n");
    fleet.site.write("inventory.toml", &(inventory + &aimed));
    fleet.evac(&["run"]).exits(0);
    fleet
}

#[test]
fn a_restore_onto_a_target_knows_what_it_wrote_and_what_others_did() {
    let place = tempfile::tempdir().unwrap();
    let is_root = geteuid().is_root();
    let arguments = ["-t", "tmpfs", "-o", "size=1m", "none"];
    let small = is_root.then(|| Mount::new(place.path(), &arguments));
    let root = place.path().join("root");
    let fleet = aimed_at(&root);
    let tree = fleet.tree("tree");
    let restored = root.join(tree.strip_prefix("/").unwrap());
    // The folders on the way are as they were captured; one file is somebody else's.
    fs::create_dir(&root).unwrap();
    let mut copy = Command::new("cp");
    copy.args(["-a", "--parents", "--attributes-only"]);
    copy.arg(tree.strip_prefix("/").unwrap()).arg(&root);
    Outcome::of(copy.current_dir("/")).exits(0);
    for file in files_beneath(&root) {
        fs::remove_file(file).unwrap();
    }
    let theirs = restored.join("9");
    fs::write(&theirs, "somebody's own").unwrap();
    for _ in 0..2 {
        let refused = fleet.evac(&["restore"]).exits(4);
        let said = refused.stdout() + &refused.stderr();
        assert!(said.contains("/9` exists beneath the root"), "{said}");
        assert_eq!(files_beneath(&root), std::slice::from_ref(&theirs), "nothing was written");
    }
    assert_eq!(fs::read_to_string(&theirs).unwrap(), "somebody's own");
    fs::remove_file(&theirs).unwrap();
    if let Some(small) = &small {
        let full = fleet.evac(&["restore"]).exits(1);
        let said = full.stdout() + &full.stderr();
        assert!(said.contains("no space left for"), "{said}");
        small.again("remount,size=64m");
    } else {
        eprintln!("left out: only root may mount a disk that is too small");
    }
    fleet.evac(&["restore"]).exits(0);
    assert_eq!(differences(&tree, &restored), "");
}
