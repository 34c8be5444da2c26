//! A restore by an ordinary user: what leads to his files need not become its owner's.

use std::fs;
use std::os::unix::fs::{chown, lchown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use crate::site::Outcome;
use crate::site::fleet::{Fleet, Source};

/// Whoever has nothing else.
const NOBODY: u32 = 65_534;

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Gives everything beneath `path`, and itself, to [`NOBODY`].
fn give_away(path: &Path) {
    lchown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if path.is_dir() && !path.is_symlink() {
        for entry in fs::read_dir(path).unwrap() {
            give_away(&entry.unwrap().path());
        }
    }
}

/// `evac restore ID --to PLACE`, never as root.
fn restore(fleet: &Fleet, id: &str, place: &Path) -> Outcome {
    if !is_root() {
        return fleet.restore(place, &[id]);
    }
    // The folder of the build may be closed to others.
    let evac = place.join("evac");
    fs::copy(env!("CARGO_BIN_EXE_evac"), &evac).unwrap();
    give_away(place);
    give_away(&fleet.site.path(""));
    let mut command = Command::new(evac);
    command.arg("--site").arg(fleet.site.path("")).args(["--json", "restore", id, "--to"]);
    command.arg(place.join("to")).current_dir(place).uid(NOBODY).gid(NOBODY);
    Outcome::of(&mut command)
}

#[test]
fn his_own_files_come_back_without_a_problem_and_others_are_one() {
    let source = |id| Source { host: "one", id, class: "web" };
    let fleet = Fleet::new(vec![source("own"), source("mixed")]);
    for id in ["own", "mixed"] {
        for name in ["a", "b", "c"] {
            fs::write(fleet.tree(id).join(name), name).unwrap();
        }
        if is_root() {
            give_away(&fleet.tree(id));
        }
    }
    if is_root() {
        for name in ["a", "b"] {
            chown(fleet.tree("mixed").join(name), Some(0), Some(0)).unwrap();
        }
    }
    fleet.evac(&["run"]).exits(0);
    let place = tempfile::tempdir().unwrap();
    let own = &restore(&fleet, "own", place.path()).exits(0).json()[0];
    assert_eq!((&own["problem_count"], &own["done"]), (&0.into(), &true.into()), "{own}");
    if is_root() {
        let place = tempfile::tempdir().unwrap();
        let mixed = &restore(&fleet, "mixed", place.path()).exits(1).json()[0];
        assert_eq!(mixed["problem_count"], 1, "{mixed}");
        let named = mixed["problems"][0][0].as_str().unwrap();
        assert_eq!(Path::new(named), fleet.tree("mixed").join("a"), "{mixed}");
    }
}
