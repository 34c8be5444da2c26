//! A judge that lets things pass is worse than none: everything it promises to see is planted.

use std::fs::{FileTimes, Permissions};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _, symlink};
use std::time::{Duration, UNIX_EPOCH};

use rustix::fs::{XattrFlags, setxattr};

use super::*;

fn plant(root: &Path) {
    fs::create_dir_all(root.join("folder")).unwrap();
    fs::write(root.join("folder/file"), vec![7; 3 << 20]).unwrap();
    fs::hard_link(root.join("folder/file"), root.join("linked")).unwrap();
    fs::write(root.join("alone"), "alone").unwrap();
    symlink("alone", root.join("to")).unwrap();
    let sparse = File::create(root.join("sparse")).unwrap();
    sparse.set_len(8 << 20).unwrap();
    let times = FileTimes::new().set_modified(UNIX_EPOCH + Duration::new(1_000_000_000, 5));
    for name in ["folder/file", "alone", "sparse", "folder", ""] {
        File::open(root.join(name)).unwrap().set_times(times).unwrap();
    }
    let time = rustix::fs::Timespec { tv_sec: 1, tv_nsec: 0 };
    let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
    let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
    rustix::fs::utimensat(rustix::fs::CWD, root.join("to"), &times, flags).unwrap();
}

/// Differences after `change` was made to one of two equal trees, their paths cut to the last name.
fn differences(change: impl Fn(&Path)) -> Vec<String> {
    let place = tempfile::tempdir().unwrap();
    let (source, restored) = (place.path().join("source"), place.path().join("restored"));
    plant(&source);
    plant(&restored);
    change(&restored);
    let mut comparison = Comparison::default();
    comparison.add(&source, &restored);
    assert_eq!(comparison.difference_count, comparison.differences.len() as u64);
    let last = |text: String| text.rsplit('/').next().unwrap_or_default().to_owned();
    comparison.differences.into_iter().map(last).collect()
}

/// The same as the tree that [`plant`] makes, whatever the change did to the times of folders.
fn check(expected: &str, change: impl Fn(&Path)) {
    let found = differences(change);
    let told = found.iter().any(|line| line.starts_with(expected));
    assert!(told, "{expected} is not in {found:?}");
}

#[test]
fn equal_trees_have_no_difference() {
    assert_eq!(differences(|_| {}), [""; 0]);
}

#[test]
fn every_change_is_seen() {
    check("file: has other content", |root| {
        let path = root.join("folder/file");
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        file.write_all_at(b"x", (3 << 20) - 1).unwrap();
        file.set_modified(modified).unwrap();
    });
    check("alone: size 5, restored 4", |root| fs::write(root.join("alone"), "alon").unwrap());
    check("alone: modified 1000000000.000000005", |root| {
        let file = File::open(root.join("alone")).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::new(1_000_000_000, 6)).unwrap();
    });
    check("alone: mode", |root| {
        fs::set_permissions(root.join("alone"), Permissions::from_mode(0o4711)).unwrap();
    });
    check("linked: is missing", |root| fs::remove_file(root.join("linked")).unwrap());
    check("more: was not there before", |root| fs::write(root.join("more"), "").unwrap());
    check("to: leads elsewhere", |root| {
        fs::remove_file(root.join("to")).unwrap();
        symlink("nowhere", root.join("to")).unwrap();
    });
    check("linked: is a link of another file", |root| {
        fs::remove_file(root.join("linked")).unwrap();
        fs::copy(root.join("folder/file"), root.join("linked")).unwrap();
    });
    check("sparse: has holes that were filled", |root| {
        let file = File::options().write(true).open(root.join("sparse")).unwrap();
        file.write_all_at(&vec![0; 8 << 20], 0).unwrap();
    });
    check("folder: mode", |root| {
        fs::remove_dir_all(root.join("folder")).unwrap();
        fs::write(root.join("folder"), "").unwrap();
    });
}

#[test]
fn an_attribute_counts_where_there_are_any() {
    let set = |root: &Path| {
        let name = root.join("alone");
        if let Err(error) = setxattr(&name, "user.evac", b"x", XattrFlags::empty()) {
            eprintln!("skipped: no extended attributes here: {error}");
        }
    };
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("alone"), "").unwrap();
    set(place.path());
    if !attributes(&place.path().join("alone")).unwrap().is_empty() {
        check("alone: another user.evac", set);
    }
}

#[test]
fn a_written_file_has_another_fingerprint_and_a_read_one_has_not() {
    let place = tempfile::tempdir().unwrap();
    plant(place.path());
    let before = fingerprint(place.path()).unwrap();
    fs::read(place.path().join("alone")).unwrap();
    assert_eq!(fingerprint(place.path()).unwrap(), before);
    fs::write(place.path().join("alone"), "alone").unwrap();
    assert_ne!(fingerprint(place.path()).unwrap(), before);
}
