//! One suite that every [`Disk`] has to pass, and what only the faulty one does.

use super::disk::{Disk, DiskErrorKind};
use super::faulty::{Fault, FaultyDisk};
use super::local::LocalDisk;
use super::memory::MemoryDisk;

fn names(disk: &dyn Disk, prefix: &str) -> Vec<String> {
    disk.list(prefix).unwrap().into_iter().map(|file| file.name).collect()
}

fn kind<T>(result: Result<T, super::disk::DiskError>) -> Option<DiskErrorKind> {
    result.err().map(|error| error.kind)
}

fn conforms(disk: &dyn Disk) {
    assert!(names(disk, "").is_empty());
    let mut file = disk.create("a/b/one").unwrap();
    assert_eq!(kind(disk.create("a/b/one")), Some(DiskErrorKind::Exists));
    file.append(b"hello ").unwrap();
    file.append(b"world").unwrap();
    assert_eq!(disk.read("a/b/one", 0, 100).unwrap(), b"hello world");
    file.sync().unwrap();
    file.append(b"!").unwrap();
    file.sync().unwrap();
    assert_eq!(disk.read("a/b/one", 6, 5).unwrap(), b"world");
    assert_eq!(disk.read("a/b/one", 12, 5).unwrap(), b"");
    assert_eq!(disk.read("a/b/one", 99, 5).unwrap(), b"");
    assert_eq!(disk.length("a/b/one").unwrap(), 12);
    drop(file);

    let mut file = disk.reopen("a/b/one", 5).unwrap();
    file.append(b", you").unwrap();
    file.sync().unwrap();
    assert_eq!(disk.read("a/b/one", 0, 100).unwrap(), b"hello, you");
    assert_eq!(kind(disk.reopen("a/b/one", 11)), Some(DiskErrorKind::Failed));
    assert_eq!(disk.length("a/b/one").unwrap(), 10);
    assert_eq!(kind(disk.reopen("a/none", 0)), Some(DiskErrorKind::NotFound));

    disk.put("a/two", b"first").unwrap();
    disk.put("a/two", b"2nd").unwrap();
    assert_eq!(disk.read("a/two", 0, 100).unwrap(), b"2nd");
    disk.put("three", b"").unwrap();
    assert_eq!(names(disk, ""), ["a/b/one", "a/two", "three"]);
    assert_eq!(names(disk, "a/"), ["a/b/one", "a/two"]);
    assert_eq!(names(disk, "a/t"), ["a/two"]);
    assert_eq!(names(disk, "none/"), [""; 0]);
    assert_eq!(disk.list("a/t").unwrap()[0].length, 3);

    let mut handles: Vec<_> = (0..20).map(|i| disk.create(&format!("many/{i}")).unwrap()).collect();
    for handle in &mut handles {
        handle.append(b"x").unwrap();
    }
    let answers = disk.sync_all(&mut handles.iter_mut().collect::<Vec<_>>());
    assert_eq!(answers.len(), 20);
    assert!(answers.iter().all(Result::is_ok));

    disk.remove("a/two").unwrap();
    assert_eq!(kind(disk.remove("a/two")), Some(DiskErrorKind::NotFound));
    assert_eq!(kind(disk.read("a/two", 0, 1)), Some(DiskErrorKind::NotFound));
    assert_eq!(kind(disk.length("a/two")), Some(DiskErrorKind::NotFound));
    assert!(disk.free_bytes().unwrap().0 > 0);

    for bad in ["", "/etc", "a/../b", "a//b", ".hidden", "a/.b", "a b", "é", &"a".repeat(256)] {
        assert!(disk.create(bad).is_err(), "{bad}");
        assert!(disk.put(bad, b"").is_err(), "{bad}");
        assert!(disk.read(bad, 0, 1).is_err(), "{bad}");
    }
}

#[test]
fn every_disk_conforms() {
    conforms(&MemoryDisk::new());
    conforms(&FaultyDisk::new());
    let folder = tempfile::tempdir().unwrap();
    conforms(&LocalDisk::open(&folder.path().join("state/store")).unwrap());
}

#[test]
fn a_local_disk_keeps_others_out_and_follows_no_link() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let folder = tempfile::tempdir().unwrap();
    let disk = LocalDisk::open(&folder.path().join("store")).unwrap();
    disk.put("a/b", b"x").unwrap();
    let mode = |path: &str| {
        let metadata = std::fs::metadata(disk.root().join(path)).unwrap();
        metadata.permissions().mode() & 0o777
    };
    assert_eq!((mode(""), mode("a"), mode("a/b")), (0o700, 0o700, 0o600));
    let elsewhere = folder.path().join("elsewhere");
    std::fs::write(&elsewhere, b"secret").unwrap();
    symlink(&elsewhere, disk.root().join("a/link")).unwrap();
    assert!(disk.read("a/link", 0, 10).is_err());
    assert!(disk.reopen("a/link", 0).is_err());
    assert!(disk.create("a/link").is_err());
    assert_eq!(names(&disk, "a/"), ["a/b"]);
    assert_eq!(std::fs::read(&elsewhere).unwrap(), b"secret");
}

#[test]
fn a_power_loss_keeps_what_was_synced_and_at_most_a_torn_tail() {
    let mut tails = std::collections::BTreeSet::new();
    for seed in 0..40 {
        let disk = FaultyDisk::new();
        let mut file = disk.create("one").unwrap();
        file.append(b"durable").unwrap();
        file.sync().unwrap();
        file.append(b"-in-doubt").unwrap();
        disk.create("two").unwrap().append(b"never synced").unwrap();
        disk.power_cycle(seed);
        let left = disk.read("one", 0, 100).unwrap();
        let tail = left.strip_prefix(b"durable").unwrap();
        let is_zero = |b: &u8| *b == 0;
        let torn = tail.len() - tail.iter().rev().take_while(|b| is_zero(b)).count();
        assert!(b"-in-doubt".starts_with(&tail[..torn]));
        tails.insert(tail.to_vec());
        assert!(file.append(b"x").is_err(), "a handle outlived the power");
    }
    assert!(tails.len() > 5, "{tails:?}");
}

#[test]
fn a_failed_sync_is_never_made_good_by_a_second_one() {
    let disk = FaultyDisk::new();
    let mut file = disk.create("one").unwrap();
    file.append(b"good").unwrap();
    file.sync().unwrap();
    file.append(b"doubt").unwrap();
    disk.arm(Some(Fault::Fail(1)));
    assert!(file.sync().is_err());
    file.sync().unwrap();
    let mut cut = disk.reopen("one", 4).unwrap();
    cut.append(b"again").unwrap();
    cut.sync().unwrap();
    disk.power_cycle(0);
    assert_eq!(disk.read("one", 0, 100).unwrap(), b"goodagain");
}

#[test]
fn faults_strike_where_they_are_told() {
    let disk = FaultyDisk::new();
    disk.arm(Some(Fault::Full(2)));
    let mut file = disk.create("one").unwrap();
    assert_eq!(kind(file.append(b"1234")), Some(DiskErrorKind::Full));
    assert_eq!(disk.read("one", 0, 9).unwrap(), b"12");
    assert_eq!(disk.operations(), 3);
    disk.arm(Some(Fault::LieAboutSync(1)));
    file.sync().unwrap();
    assert_eq!(disk.syncs(), 1);
    disk.arm(Some(Fault::Crash(1)));
    assert!(disk.put("two", b"x").is_err());
    assert!(disk.list("").is_err());
    disk.power_cycle(3);
    assert!(disk.list("").is_ok());
}
