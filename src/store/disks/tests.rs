//! Disks as they come, go, fill and move.

use std::path::Path;
use std::sync::Arc;

use super::opening::{DiskWanted, How};
use super::{Disks, DisksError, pick};
use crate::model::{Bytes, PackId, Timestamp, WorkloadId};
use crate::store::disk::{Disk, DiskErrorKind};
use crate::store::pack::PackName;

fn wanted(folder: &Path, names: &[&str]) -> Vec<DiskWanted> {
    let one = |name: &&str| DiskWanted { path: folder.join(name), reserve: Some(Bytes(0)) };
    names.iter().map(one).collect()
}

fn open_as(folder: &Path, names: &[&str], writes: bool) -> Result<Disks, DisksError> {
    std::fs::create_dir_all(folder.join("state")).unwrap();
    let (state, wanted) = (folder.join("state"), wanted(folder, names));
    let at = Timestamp::from_second(0);
    Disks::open(&How { state: &state, wanted: &wanted, writes, by: "jo", at }).map(|it| it.0)
}

fn open(folder: &Path, names: &[&str]) -> Disks {
    open_as(folder, names, true).unwrap()
}

fn pack(number: u8) -> String {
    PackName { id: PackId([number; 16]), workload: WorkloadId::new("w").unwrap() }.file()
}

fn put_packs(disks: &Disks, numbers: std::ops::Range<u8>) {
    for number in numbers {
        let mut file = disks.create(&pack(number)).unwrap();
        file.append(&[number; 100]).unwrap();
        file.sync().unwrap();
    }
}

fn names(disk: &dyn Disk, prefix: &str) -> Vec<String> {
    disk.list(prefix).unwrap().into_iter().map(|file| file.name).collect()
}

fn count(folder: &Path) -> usize {
    std::fs::read_dir(folder.join("packs/w")).map_or(0, Iterator::count)
}

#[test]
fn packs_are_spread_in_proportion_to_the_room() {
    let mut begun = [0, 0, 0];
    for turn in 0..1_000 {
        begun[pick(&[100, 300, 0], turn).unwrap()] += 1;
    }
    assert!((240..=260).contains(&begun[0]) && begun[2] == 0, "{begun:?}");
    let early: usize = (0..8).filter(|turn| pick(&[1, 1], *turn) == Some(0)).count();
    assert!((3..=5).contains(&early), "both work from the first: {early}");
    assert_eq!(pick(&[0, 0], 7), None);
}

#[test]
fn several_folders_are_one_disk() {
    let folder = tempfile::tempdir().unwrap();
    let names_of = ["a", "b", "c"];
    let disks = open(folder.path(), &names_of);
    put_packs(&disks, 0..12);
    disks.put("index/00000001", b"x").unwrap();
    let all: Vec<String> = (0..12).map(pack).collect();
    assert_eq!(names(&disks, "packs/"), all);
    let counts: Vec<_> = names_of.iter().map(|name| count(&folder.path().join(name))).collect();
    assert!(counts.iter().all(|count| *count > 0) && counts.iter().sum::<usize>() == 12);
    drop(disks);
    // In another order they are what they were: each says which it is.
    let again = open_as(folder.path(), &["c", "a", "b"], false).unwrap();
    assert_eq!(again.read("index/00000001", 0, 9).unwrap(), b"x");
    for number in 0..12 {
        assert_eq!(again.read(&pack(number), 99, 9).unwrap(), [number]);
    }
    again.remove(&pack(3)).unwrap();
    assert_eq!(again.length(&pack(3)).unwrap_err().kind, DiskErrorKind::NotFound);
}

#[test]
fn an_empty_mount_point_is_not_an_empty_disk() {
    let folder = tempfile::tempdir().unwrap();
    put_packs(&open(folder.path(), &["a", "b"]), 0..8);
    let (there, aside) = (folder.path().join("b"), folder.path().join("aside"));
    std::fs::rename(&there, &aside).unwrap();
    for is_folder in [false, true] {
        if is_folder {
            std::fs::create_dir(&there).unwrap();
        }
        let disks = open(folder.path(), &["a", "b"]);
        assert_eq!(disks.away_paths(), std::slice::from_ref(&there));
        let gone = (0..8).find(|number| !folder.path().join("a").join(pack(*number)).exists());
        let error = disks.read(&pack(gone.unwrap()), 0, 1).unwrap_err();
        assert_eq!(error.kind, DiskErrorKind::Away);
        put_packs(&disks, 100..104);
        assert_eq!(std::fs::read_dir(&there).map_or(0, Iterator::count), 0, "nothing is put there");
        (100..104).for_each(|number| disks.remove(&pack(number)).unwrap());
    }
    std::fs::remove_dir(&there).unwrap();
    std::fs::rename(&aside, &there).unwrap();
    let back = open(folder.path(), &["a", "b"]);
    assert_eq!((names(&back, "packs/").len(), back.away_paths().len()), (8, 0));
}

#[test]
fn nothing_begins_without_the_first_disk() {
    let folder = tempfile::tempdir().unwrap();
    put_packs(&open(folder.path(), &["a", "b"]), 0..4);
    std::fs::rename(folder.path().join("a"), folder.path().join("aside")).unwrap();
    std::fs::create_dir(folder.path().join("a")).unwrap();
    let refused = |names: &[&str]| {
        let refused = open_as(folder.path(), names, true);
        assert!(matches!(refused, Err(DisksError::HomeAway { .. })), "{refused:?}");
    };
    refused(&["a", "b"]);
    // Not by what the register says, nor without it.
    std::fs::remove_file(folder.path().join("state/disks.json")).unwrap();
    refused(&["b"]);
    // It may be mounted elsewhere.
    assert_eq!(open(folder.path(), &["aside", "b"]).paths()[0], folder.path().join("aside"));
}

#[test]
fn a_disk_is_added_once_and_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let (state, path) = (folder.path().join("state"), folder.path().join("b"));
    let disks = open(folder.path(), &["a"]);
    let who = ("jo", Timestamp::from_second(0));
    let add = |disks: &Disks, path: &Path, may_share| {
        disks.add(&state, (path, Some(Bytes(7))), may_share, who)
    };
    let refused = add(&disks, &path, false);
    assert!(matches!(refused, Err(DisksError::SameDevice { .. })), "{refused:?}");
    let refused = add(&disks, &folder.path().join("x/y"), true);
    assert!(matches!(refused, Err(DisksError::NoFolder { .. })), "{refused:?}");
    assert_eq!(add(&disks, &path, true).unwrap().reserve, Bytes(7));
    for known in ["a", "b"] {
        let refused = add(&disks, &folder.path().join(known), true);
        assert!(matches!(refused, Err(DisksError::Known { .. })), "{refused:?}");
    }
    put_packs(&disks, 0..8);
    assert!(count(&path) > 0, "it is used at once");
    let again = open(folder.path(), &["a"]);
    assert_eq!(names(&again, "packs/").len(), 8);
    // Another store's disk is none of ours.
    let other = tempfile::tempdir().unwrap();
    let refused =
        open(other.path(), &["a"]).add(&other.path().join("state"), (&path, None), true, who);
    assert!(matches!(refused, Err(DisksError::Foreign { .. })), "{refused:?}");
}

#[test]
fn a_disk_that_is_filled_to_its_reserve_takes_no_packs() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("state")).unwrap();
    let mut wanted = wanted(folder.path(), &["a", "b"]);
    wanted[1].reserve = Some(Bytes(u64::MAX));
    let (state, at) = (folder.path().join("state"), Timestamp::from_second(0));
    let open = |wanted: &[DiskWanted]| {
        Disks::open(&How { state: &state, wanted, writes: true, by: "jo", at }).unwrap().0
    };
    let disks = open(&wanted);
    put_packs(&disks, 0..8);
    assert_eq!((count(&folder.path().join("a")), disks.has_room(&pack(0), 1 << 20)), (8, true));
    wanted[0].reserve = Some(Bytes(u64::MAX));
    let full = open(&wanted);
    assert_eq!(full.create(&pack(9)).err().map(|error| error.kind), Some(DiskErrorKind::Full));
    assert_eq!((full.has_room(&pack(0), 1), full.free_bytes().unwrap()), (false, Bytes(0)));
    full.put("manifests/w/1/head", b"x").unwrap();
}

#[test]
fn manifests_are_kept_twice_and_what_was_missed_is_made_good() {
    let folder = tempfile::tempdir().unwrap();
    let copy = |name: &str| std::fs::read(folder.path().join("b/manifests").join(name)).ok();
    let disks = open(folder.path(), &["a", "b"]);
    disks.put("manifests/w/head", b"head").unwrap();
    let mut run = disks.create("manifests/w/run").unwrap();
    run.append(b"one two").unwrap();
    run.sync().unwrap();
    assert_eq!(
        (copy("w/head").unwrap(), copy("w/run").unwrap()),
        (b"head".into(), b"one two".into())
    );
    drop(run);
    let mut run = disks.reopen("manifests/w/run", 3).unwrap();
    run.append(b" three").unwrap();
    run.sync().unwrap();
    assert_eq!(copy("w/run").unwrap(), b"one three");
    disks.remove("manifests/w/head").unwrap();
    assert_eq!(copy("w/head"), None);
    // Behind by a whole file, by an end, and by a removal.
    std::fs::remove_dir_all(folder.path().join("b/manifests")).unwrap();
    std::fs::create_dir_all(folder.path().join("b/manifests/w")).unwrap();
    std::fs::write(folder.path().join("b/manifests/w/run"), b"one zzzzz").unwrap();
    std::fs::write(folder.path().join("b/manifests/w/stale"), b"x").unwrap();
    disks.put("manifests/w/seal", b"sealed").unwrap();
    std::fs::remove_file(folder.path().join("b/manifests/w/seal")).unwrap();
    disks.catch_up().unwrap();
    assert_eq!((copy("w/run").unwrap(), copy("w/stale")), (b"one three".to_vec(), None));
    assert_eq!(copy("w/seal").unwrap(), b"sealed");
    assert_eq!(names(&disks, "manifests/"), ["manifests/w/run", "manifests/w/seal"]);
    // A second disk that fails costs the copy only.
    let second = folder.path().join("b/manifests");
    std::fs::remove_dir_all(&second).unwrap();
    std::fs::write(&second, b"in the way").unwrap();
    disks.put("manifests/w/new", b"x").unwrap();
    assert_eq!(disks.read("manifests/w/new", 0, 9).unwrap(), b"x");
    drop(Arc::new(disks));
}
