//! What stands on a target already, and what a restore that was cut off left there.

use std::fs;
use std::path::{Path, PathBuf};
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
        let written = |name: &&str| restored.join(name).exists();
        assert!(["0", "1"].iter().all(written) && !["7", "8", "9"].iter().any(written));
        // Until it goes on, one file is edited, and one put where none was yet.
        let edited = ["0", "8"].map(|name| restored.join(name));
        for file in &edited {
            fs::write(file, "somebody's own").unwrap();
        }
        let resumed = fleet.evac(&["restore"]).exits(1);
        let said = resumed.stdout() + &resumed.stderr();
        for (file, name) in edited.iter().zip(["/0", "/8"]) {
            assert_eq!(fs::read_to_string(file).unwrap(), "somebody's own");
            assert!(said.contains(&format!("{name}: what stands here is different")), "{said}");
            fs::remove_file(file).unwrap();
        }
    } else {
        eprintln!("left out: only root may mount a disk that is too small");
    }
    fleet.evac(&["restore"]).exits(0);
    assert_eq!(differences(&tree, &restored), "");
}

/// The disk with half of a restore on it was replaced: nothing is taken for done.
#[test]
fn what_was_written_and_is_gone_is_written_again() {
    if !geteuid().is_root() {
        eprintln!("left out: only root may mount a disk that is too small");
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let fleet = aimed_at(&place.path().join("root"));
    let tree = fleet.tree("tree");
    let arguments = ["-t", "tmpfs", "-o", "size=1m", "none"];
    let onto: [(&[&str], PathBuf); 2] = [
        (&["restore"], place.path().join("root").join(tree.strip_prefix("/").unwrap())),
        (
            &["restore", "--to", place.path().to_str().unwrap()],
            fleet.restored(place.path(), "tree"),
        ),
    ];
    for (command, restored) in onto {
        let small = Mount::new(place.path(), &arguments);
        fleet.evac(command).exits(1);
        // As if much more had been written before: from here on it would go on.
        let ledger = rusqlite::Connection::open(fleet.site.path("state/ledger.db")).unwrap();
        let reached = tree.join("7");
        let position = reached.as_os_str().as_encoded_bytes();
        let set = "UPDATE restoration SET position = ?1 WHERE state = 'writing'";
        assert_eq!(ledger.execute(set, [position]).unwrap(), 1);
        drop((ledger, small));
        let other = Mount::new(place.path(), &["-t", "tmpfs", "-o", "size=64m", "none"]);
        fleet.evac(command).exits(0);
        assert_eq!(differences(&tree, &restored), "", "{command:?}");
        drop(other);
    }
}
