//! What is damaged at the landing site is made whole: from the source while it lives, and only what
//! is missing.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::site::fleet::{Fleet, Source, files_beneath, noise};
use crate::site::tree::differences;

const MIB: usize = 1 << 20;
/// In the pack of `alpha`: a place in what only `alpha` has, and one in what `beta` has too.
const IN_ONE: u64 = 1 << 20;
const IN_TWO: u64 = (5 << 20) + (1 << 19);

/// Two hosts: what `alpha` calls `two`, `beta` calls `copy`, and it lies in the pack of `alpha`,
/// which is captured first.
fn captured() -> Fleet {
    let source = |host, id, class| Source { host, id, class };
    let fleet =
        Fleet::new(vec![source("one", "alpha", "identity"), source("two", "beta", "web")]);
    let plant = |workload: &str, name: &str, content: &[u8]| {
        fs::write(fleet.tree(workload).join(name), content).unwrap();
    };
    plant("alpha", "one", &noise(1, 3 * MIB));
    plant("alpha", "two", &noise(2, 3 * MIB));
    fleet.evac(&["run"]).exits(0);
    plant("beta", "copy", &noise(2, 3 * MIB));
    plant("beta", "own", &noise(3, MIB));
    fleet.evac(&["run", "--again", "beta"]).exits(0);
    fleet
}

/// The packs of a workload, the largest first.
fn packs(fleet: &Fleet, workload: &str) -> Vec<PathBuf> {
    let mut packs = files_beneath(&fleet.site.path("state/store/packs").join(workload));
    packs.sort_by_key(|pack| std::cmp::Reverse(fs::metadata(pack).unwrap().len()));
    packs
}

fn flip(path: &Path, at: u64) {
    let file = fs::File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at).unwrap();
}

fn truncate(path: &Path, length: u64) {
    fs::File::options().write(true).open(path).unwrap().set_len(length).unwrap();
}

/// What `evac run` reported.
#[track_caller]
fn run(fleet: &Fleet, code: i32) -> Value {
    fleet.evac(&["--json", "run"]).exits(code).json().pop().unwrap()
}

#[track_caller]
fn assert_green(fleet: &Fleet) {
    let verified = fleet.evac(&["--json", "verify", "--deep"]).exits(0).json().remove(0);
    assert_eq!(verified["bad"], Value::Array(Vec::new()));
    let place = tempfile::tempdir().unwrap();
    fleet.restore(place.path(), &[]).exits(0);
    for workload in ["alpha", "beta"] {
        let restored = fleet.restored(place.path(), workload);
        assert_eq!(differences(&fleet.tree(workload), &restored), "", "{workload}");
    }
}

/// Number of the newest pass, and in how many copies it is there.
fn pass_and_copies(fleet: &Fleet, workload: &str) -> (u64, u64) {
    let status = fleet.evac(&["--json", "status"]).exits(0).json().remove(0);
    let workloads = status["customers"][0]["workloads"].as_array().unwrap().clone();
    let of_it = workloads.iter().find(|it| it["id"] == workload).unwrap();
    (of_it["capture"]["pass"].as_u64().unwrap(), of_it["copies"].as_u64().unwrap())
}

#[test]
fn what_is_bad_is_fetched_again_and_nothing_else() {
    let fleet = captured();
    let before = [pass_and_copies(&fleet, "alpha"), pass_and_copies(&fleet, "beta")];
    let damages: [(&str, &dyn Fn(&[PathBuf]), u64, u64); 3] = [
        ("flipped", &|packs| [IN_ONE, IN_TWO].iter().for_each(|at| flip(&packs[0], *at)), 1, 3),
        ("truncated", &|packs| truncate(&packs[0], 2 << 20), 2, 5),
        ("removed", &|packs| packs.iter().for_each(|pack| fs::remove_file(pack).unwrap()), 2, 7),
    ];
    for (name, harm, least, most) in damages {
        harm(&packs(&fleet, "alpha"));
        fleet.evac(&["verify", "--deep"]).exits(1);
        assert_eq!(pass_and_copies(&fleet, "alpha").1, 0, "{name}");
        let report = run(&fleet, 0);
        let sent = report["sent_bytes"].as_u64().unwrap();
        let (least, most) = (least * MIB as u64, most * MIB as u64);
        assert!((least..most).contains(&sent) && sent > 0, "{name}: {report}");
        assert_eq!((&report["captured"], &report["failed"]), (&2.into(), &0.into()), "{name}");
        let after = [pass_and_copies(&fleet, "alpha"), pass_and_copies(&fleet, "beta")];
        assert_eq!(after, before, "{name}: no new pass");
        assert_green(&fleet);
        assert_eq!(run(&fleet, 0)["sent_bytes"], 0, "{name}");
    }
}
