//! What is damaged at the landing site is made whole: from the source while it lives, and only what
//! is missing.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::site::fleet::{Fleet, Running, Source, files_beneath, noise, received};
use crate::site::tree::differences;
use crate::site::{Outcome, copy as copy_tree};

const MIB: usize = 1 << 20;
/// In the pack of `alpha`: a place in what only `alpha` has, and one in what `beta` has too.
const IN_ONE: u64 = 1 << 20;
const IN_TWO: u64 = (5 << 20) + (1 << 19);

/// Two hosts: what `alpha` calls `two`, `beta` calls `copy`, and it lies in the pack of `alpha`,
/// which is captured first.
fn captured() -> Fleet {
    let source = |host, id, class| Source { host, id, class };
    let fleet = Fleet::new(vec![source("one", "alpha", "identity"), source("two", "beta", "web")]);
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

fn remove(packs: &[PathBuf]) {
    for pack in packs {
        fs::remove_file(pack).unwrap();
    }
}

fn flip_both(packs: &[PathBuf]) {
    for at in [IN_ONE, IN_TWO] {
        flip(&packs[0], at);
    }
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

/// Does something to the packs of a workload.
type Harm<'a> = &'a dyn Fn(&[PathBuf]);

#[test]
fn what_is_bad_is_fetched_again_and_nothing_else() {
    let fleet = captured();
    let before = [pass_and_copies(&fleet, "alpha"), pass_and_copies(&fleet, "beta")];
    let damages: [(&str, Harm<'_>, u64, u64); 3] = [
        ("flipped", &flip_both, 1, 3),
        ("truncated", &|packs| truncate(&packs[0], 2 << 20), 1, 5),
        ("removed", &remove, 1, 7),
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

/// Kills the command as soon as something is at `place`.
fn kill_when_begun(fleet: &Fleet, arguments: &[&str], place: &Path) {
    let mut command = fleet.site.bare_command(arguments);
    let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = quiet.spawn().expect("evac starts");
    while files_beneath(place).is_empty() && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    // One that was through already is killed in vain.
    let _ = child.kill();
    child.wait().unwrap();
}

#[test]
fn what_the_source_has_no_more_is_named_and_the_next_pass_has_the_truth() {
    let fleet = captured();
    remove(&packs(&fleet, "alpha"));
    let verified = fleet.evac(&["--json", "verify"]).exits(1).json().remove(0);
    let named = verified["bad"].to_string();
    assert!(named.contains("alpha/one") && named.contains("beta/copy"), "{named}");
    // One file is another by now, one is gone; but the other host has what that one held.
    fs::write(fleet.tree("alpha").join("one"), noise(7, 2 * MIB)).unwrap();
    fs::remove_file(fleet.tree("alpha").join("two")).unwrap();
    let before = pass_and_copies(&fleet, "beta").0;
    let report = run(&fleet, 0);
    let sent = report["sent_bytes"].as_u64().unwrap();
    assert!((5..6).contains(&(sent / MIB as u64)), "{report}");
    assert_eq!(pass_and_copies(&fleet, "alpha"), (2, 1));
    assert_eq!(pass_and_copies(&fleet, "beta"), (before, 1));
    assert_green(&fleet);
    let verified = fleet.evac(&["--json", "verify"]).exits(0).json().remove(0);
    let former = verified["former"].to_string();
    assert!(former.contains("alpha/one") && !former.contains("alpha/two"), "{former}");
    assert_eq!(run(&fleet, 0)["sent_bytes"], 0);
}

#[test]
fn healing_goes_on_after_a_kill() {
    let fleet = captured();
    remove(&packs(&fleet, "alpha"));
    fleet.evac(&["verify"]).exits(1);
    let mut running = Running::start(&fleet);
    running.until_received(MIB as u64);
    let before = received(&running.kill());
    let after = run(&fleet, 0)["sent_bytes"].as_u64().unwrap();
    assert!(before > 0 && after <= 7 * MIB as u64, "{before} {after}");
    assert_eq!(pass_and_copies(&fleet, "alpha"), (1, 1));
    assert_green(&fleet);
}

#[test]
fn a_mirror_is_a_store_by_itself_and_heals_when_the_source_is_gone() {
    let fleet = captured();
    let (place, look) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let dest = place.path().join("second");
    let mirror = ["--json", "store", "mirror", dest.to_str().unwrap()];
    kill_when_begun(&fleet, &mirror, &dest.join("packs"));
    let first = fleet.evac(&mirror).exits(0).json().remove(0);
    assert_eq!((&first["passes"], &first["incomplete"]), (&3.into(), &Value::Array(Vec::new())));
    let again = fleet.evac(&mirror).exits(0).json().remove(0);
    assert_eq!((&again["packs"], &again["bytes"]), (&0.into(), &0.into()), "{again}");
    assert_eq!([pass_and_copies(&fleet, "alpha").1, pass_and_copies(&fleet, "beta").1], [2, 2]);
    let status = fleet.evac(&["status"]).exits(0).stdout();
    assert!(status.contains("2 workloads captured ×2"), "{status}");

    // Neither evac nor the site is needed to read it.
    let unpack = dest.join("unpack.py");
    let (tree, to) = (fleet.tree("beta"), look.path().join("unpacked"));
    let mut python = Command::new("python3");
    let (dest, to_text) = (dest.to_str().unwrap(), to.to_str().unwrap());
    python.arg(&unpack).args([dest, "unpack", "beta", "--to", to_text]);
    Outcome::of(&mut python).exits(0);
    assert_eq!(differences(&tree, &to.join(tree.strip_prefix("/").unwrap())), "");

    // What rots over there is found, and copied again.
    let copy = files_beneath(&Path::new(dest).join("packs/alpha")).remove(0);
    flip(&copy, IN_ONE);
    fleet.evac(&["verify", "--deep", "--mirror", dest]).exits(1);
    assert_eq!(pass_and_copies(&fleet, "alpha").1, 1);
    assert_eq!(fleet.evac(&mirror).exits(0).json()[0]["packs"], 1);
    fleet.evac(&["verify", "--deep", "--mirror", dest]).exits(0);

    // The sources are gone, and so is half of the store.
    let kept = look.path().join("kept");
    fs::create_dir(&kept).unwrap();
    for workload in ["alpha", "beta"] {
        copy_tree(&fleet.tree(workload), &kept.join(workload));
        fs::remove_dir_all(fleet.tree(workload)).unwrap();
    }
    let all = [packs(&fleet, "alpha"), packs(&fleet, "beta")].concat();
    flip(&all[0], IN_ONE);
    fs::remove_file(all.last().unwrap()).unwrap();
    let manifest = "state/store/manifests/alpha/00000001/run-00000";
    flip(&fleet.site.path(manifest), 300);
    fleet.evac(&["verify", "--deep"]).exits(1);
    // A round of the mirror meanwhile does not carry the damage over.
    fleet.evac(&mirror).exits(1);
    let report = run(&fleet, 0);
    assert_eq!((&report["captured"], &report["sent_bytes"]), (&2.into(), &0.into()));
    fleet.evac(&["verify", "--deep"]).exits(0);

    // And with nothing left but the mirror.
    let state = fleet.site.path("state");
    fs::remove_dir_all(&state).unwrap();
    fs::create_dir(&state).unwrap();
    copy_tree(Path::new(dest), &state.join("store"));
    copy_tree(&Path::new(dest).join("keys"), &state.join("keys"));
    fleet.evac(&["ledger", "rebuild"]).exits(0);
    let restored = tempfile::tempdir().unwrap();
    fleet.restore(restored.path(), &[]).exits(0);
    for workload in ["alpha", "beta"] {
        let restored = fleet.restored(restored.path(), workload);
        assert_eq!(differences(&kept.join(workload), &restored), "", "{workload}");
    }
}

#[test]
fn living_sources_say_what_changed_since() {
    let fleet = captured();
    let verify = ["--json", "verify", "--source", "100%", "--seed", "7"];
    let same = fleet.evac(&verify).exits(0).json().remove(0);
    assert_eq!((&same["files"], &same["same"], &same["seed"]), (&4.into(), &4.into(), &7.into()));
    assert_eq!(same["checked_bytes"], 10 * MIB as u64);
    fs::write(fleet.tree("alpha").join("one"), "another").unwrap();
    fs::remove_file(fleet.tree("beta").join("own")).unwrap();
    let told = fleet.evac(&verify).exits(0).json().remove(0);
    let counts = ["same", "changed", "gone", "wrong_count"].map(|kind| told[kind].as_u64());
    assert_eq!(counts, [2, 1, 1, 0].map(Some), "{told}");
}
