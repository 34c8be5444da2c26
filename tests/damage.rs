//! What is damaged at the landing site is named exactly, the rest is restored, and what can be made
//! anew comes back: index and ledger.

mod restore;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::site::fleet::{Fleet, Source, files_beneath, noise};
use crate::site::tree::differences;
use crate::site::{Outcome, copy};

const MIB: usize = 1 << 20;
/// Places in the pack of `alpha`. Frames end where time and credit have it, but none holds 3 MiB: at
/// the first place there is nothing but `one`, from the second on nothing but `two`.
const IN_ONE: u64 = 2 << 20;
const IN_TWO: u64 = 9 << 20;
const WORKLOADS: [&str; 3] = ["alpha", "beta", "gamma"];

type Names = BTreeSet<String>;

/// Three workloads: what `alpha` calls `two`, `beta` calls `copy`, and it lies in the
/// pack of `alpha`, which is captured first.
fn sources() -> Fleet {
    let source = |id, class| Source { host: "box", id, class };
    let sources = [("alpha", "identity"), ("beta", "web"), ("gamma", "bulk")];
    let fleet = Fleet::new(sources.map(|(id, class)| source(id, class)).into());
    let plant = |workload: &str, name: &str, content: &[u8]| {
        fs::write(fleet.tree(workload).join(name), content).unwrap();
    };
    plant("alpha", "one", &noise(1, 6 * MIB));
    plant("alpha", "two", &noise(2, 6 * MIB));
    plant("beta", "copy", &noise(2, 6 * MIB));
    plant("beta", "own", &noise(3, MIB));
    plant("gamma", "own", &noise(4, MIB));
    fleet
}

fn captured() -> Fleet {
    let fleet = sources();
    fleet.evac(&["run"]).exits(0);
    fleet
}

fn only_file(folder: &Path) -> PathBuf {
    let mut files = files_beneath(folder);
    assert_eq!(files.len(), 1, "{files:?}");
    files.pop().unwrap()
}

fn store(fleet: &Fleet, name: &str) -> PathBuf {
    fleet.site.path("state/store").join(name)
}

fn alpha_pack(fleet: &Fleet) -> PathBuf {
    only_file(&store(fleet, "packs/alpha"))
}

fn flip(path: &Path, at: u64) {
    let file = fs::File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at).unwrap();
}

/// What was done to a store, and what has to be said of it.
struct Damage {
    name: &'static str,
    make: fn(&Fleet),
    /// What `verify` names without reading everything.
    shallow: &'static [&'static str],
    /// What `verify --deep` names and `restore` lists: exactly what differs afterwards.
    deep: &'static [&'static str],
    /// What cannot be restored at all.
    lost: &'static [&'static str],
}

const NOTHING: Damage =
    Damage { name: "nothing", make: |_| {}, shallow: &[], deep: &[], lost: &[] };

const DAMAGES: [Damage; 10] = [
    NOTHING,
    Damage {
        name: "a flipped byte in what one workload has",
        make: |fleet| flip(&alpha_pack(fleet), IN_ONE),
        deep: &["alpha/one"],
        ..NOTHING
    },
    Damage {
        name: "a flipped byte in what two workloads share",
        make: |fleet| flip(&alpha_pack(fleet), IN_TWO),
        deep: &["alpha/two", "beta/copy"],
        ..NOTHING
    },
    Damage {
        name: "a truncated pack",
        make: |fleet| {
            let pack = fs::File::options().write(true).open(alpha_pack(fleet)).unwrap();
            pack.set_len(IN_TWO).unwrap();
        },
        shallow: &["alpha/two", "beta/copy"],
        deep: &["alpha/two", "beta/copy"],
        ..NOTHING
    },
    Damage {
        name: "a deleted pack",
        make: |fleet| fs::remove_file(alpha_pack(fleet)).unwrap(),
        shallow: &["alpha/one", "alpha/two", "beta/copy"],
        deep: &["alpha/one", "alpha/two", "beta/copy"],
        ..NOTHING
    },
    Damage {
        name: "a deleted index",
        make: |fleet| fs::remove_dir_all(store(fleet, "index")).unwrap(),
        ..NOTHING
    },
    Damage {
        name: "a deleted pack and a deleted index",
        make: |fleet| {
            fs::remove_file(alpha_pack(fleet)).unwrap();
            fs::remove_dir_all(store(fleet, "index")).unwrap();
        },
        shallow: &["alpha/one", "alpha/two", "beta/copy"],
        deep: &["alpha/one", "alpha/two", "beta/copy"],
        ..NOTHING
    },
    Damage {
        name: "a damaged segment of a manifest",
        make: |fleet| flip(&store(fleet, "manifests/gamma/00000001/run-00000"), 300),
        shallow: &["gamma/own"],
        deep: &["gamma/own"],
        lost: &["gamma"],
    },
    Damage {
        name: "a missing manifest",
        make: |fleet| fs::remove_dir_all(store(fleet, "manifests/beta")).unwrap(),
        shallow: &["beta"],
        deep: &["beta"],
        lost: &["beta"],
    },
    Damage {
        name: "a missing key",
        make: |fleet| fs::remove_file(only_file(&fleet.site.path("state/keys"))).unwrap(),
        deep: &["alpha/one", "alpha/two", "beta/copy", "beta/own", "gamma/own"],
        ..NOTHING
    },
];

#[test]
fn damage_is_named_exactly_and_the_rest_is_restored() {
    let fleet = captured();
    let (state, good) = (fleet.site.path("state"), fleet.site.path("good"));
    copy(&state, &good);
    for damage in DAMAGES {
        fs::remove_dir_all(&state).unwrap();
        copy(&good, &state);
        (damage.make)(&fleet);
        check_verify(&fleet, &damage, &["verify"], damage.shallow);
        check_verify(&fleet, &damage, &["verify", "--deep"], damage.deep);
        check_restore(&fleet, &damage);
        assert!(!files_beneath(&store(&fleet, "index")).is_empty(), "{}", damage.name);
    }
}

#[track_caller]
fn check_verify(fleet: &Fleet, damage: &Damage, arguments: &[&str], expected: &[&str]) {
    let outcome = fleet.evac(&[&["--json"], arguments].concat());
    let outcome = outcome.exits(i32::from(!expected.is_empty()));
    let bad = outcome.json()[0]["bad"].as_array().unwrap().clone();
    let (mut workloads, mut paths) = (Names::new(), Names::new());
    for place in &bad {
        workloads.extend(texts(&place["workloads"]));
        paths.extend(texts(&place["paths"]).iter().map(|path| short(fleet, path)));
    }
    let (owners, files): (Vec<_>, Vec<_>) = expected.iter().partition(|name| !name.contains('/'));
    let owner = |name: &&str| name.split('/').next().unwrap().to_owned();
    let owners: Names = owners.iter().chain(&files).map(owner).collect();
    let shown = format!("{} after {}: {bad:?}", arguments.join(" "), damage.name);
    assert_eq!(workloads, owners, "{shown}");
    assert_eq!(paths, files.into_iter().map(|name| (*name).to_owned()).collect(), "{shown}");
}

#[track_caller]
fn check_restore(fleet: &Fleet, damage: &Damage) {
    let place = tempfile::tempdir().unwrap();
    let is_bad = !damage.deep.is_empty();
    let outcome = fleet.restore(place.path(), &[]).exits(i32::from(is_bad));
    let lines = lines(&outcome);
    let (mut listed, mut differing) = (Names::new(), Names::new());
    for (line, workload) in lines.iter().zip(WORKLOADS) {
        assert_eq!(line["workload"], workload);
        if damage.lost.contains(&workload) {
            continue;
        }
        let problems = line["problems"].as_array().unwrap().iter();
        let path =
            |problem: &Value| format!("workload/{workload}:{}", problem[0].as_str().unwrap());
        listed.extend(problems.map(|problem| short(fleet, &path(problem))));
        let restored = fleet.restored(place.path(), workload);
        let changes = differences(&fleet.tree(workload), &restored);
        // `>fc........ NAME`
        let names = changes.lines().map(|line| line.split_once(' ').unwrap().1);
        differing.extend(names.map(|name| format!("{workload}/{name}")));
    }
    let of_lost = |name: &str| damage.lost.contains(&name.split('/').next().unwrap());
    let expected: Names =
        damage.deep.iter().filter(|name| !of_lost(name)).map(|name| (*name).into()).collect();
    assert_eq!(listed, expected, "after {}: {}", damage.name, outcome.stdout());
    assert_eq!(differing, expected, "after {}: {}", damage.name, outcome.stdout());
}

/// The lines about workloads.
fn lines(outcome: &Outcome) -> Vec<Value> {
    let mut lines = outcome.json();
    lines.retain(|line| line.get("event").is_none());
    lines
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// `alpha/one` for `workload/alpha:/tmp/…/alpha/one`; other paths as they are.
fn short(fleet: &Fleet, path: &str) -> String {
    let (workload, path) = path.strip_prefix("workload/").unwrap().split_once(':').unwrap();
    let tree = fleet.tree(workload);
    let inside = Path::new(path).strip_prefix(&tree).unwrap_or(Path::new(path));
    format!("{workload}/{}", inside.display())
}
