//! Records made by somebody who wants out of the root, and links planted meanwhile.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use super::tests::{Memory, creating, place};
use super::*;
use crate::capture::sample_tree::Scratch;
use crate::capture::{Content, Metadata};

fn path(text: &str) -> TreePath {
    text.parse().unwrap()
}

fn entry(at: &str, kind: Kind) -> Entry {
    // Owned by whoever runs the test, so that privilege plays no part.
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    let (uid, gid) = (uid.as_raw(), gid.as_raw());
    let metadata = Metadata { mode: 0o755, uid, gid, nlink: 1, ..Metadata::default() };
    Entry { path: path(at), kind, metadata }
}

fn directory(at: &str) -> Record {
    Record::Node(entry(at, Kind::Directory))
}

fn link(at: &str, target: &str) -> Record {
    Record::Node(entry(at, Kind::Symlink { target: target.into() }))
}

fn file(at: &str, content: &str, memory: &mut Memory) -> Vec<Record> {
    let (size, length) = (content.len() as u64, u32::try_from(content.len()).unwrap());
    let id = memory.put(content.into());
    vec![
        Record::Node(entry(at, Kind::File { size })),
        Record::Data { offset: 0, length, id },
        Record::End { size, content: Content::Steady },
    ]
}

/// A folder with `outside/secret` and a root beside it. After `attack`, on both ways of resolving,
/// nothing outside has changed.
fn check(attack: impl Fn(&Path, PlaceOptions)) {
    for without_openat2 in [false, true] {
        let scratch = Scratch::new();
        let outside = scratch.path().join("outside");
        fs::create_dir_all(outside.join("deep")).unwrap();
        fs::write(outside.join("secret"), "secret").unwrap();
        fs::write(outside.join("deep/secret"), "secret").unwrap();
        let before = state(&outside);
        let root = scratch.path().join("root");
        fs::create_dir(&root).unwrap();
        attack(&root, PlaceOptions { without_openat2, ..creating() });
        assert_eq!(state(&outside), before);
        assert_eq!(fs::read(outside.join("secret")).unwrap(), b"secret");
        assert_eq!(fs::metadata(outside.join("deep/secret")).unwrap().nlink(), 1);
    }
}

/// Everything a change outside would show: names, modes, owners, links, all times but atime.
fn state(folder: &Path) -> Vec<(PathBuf, u32, u32, u64, i64, i64)> {
    let one = |at: PathBuf| {
        let m = at.symlink_metadata().unwrap();
        (at, m.mode(), m.uid(), m.nlink(), m.mtime_nsec(), m.ctime_nsec())
    };
    let inside = fs::read_dir(folder).unwrap().map(|found| one(found.unwrap().path()));
    let mut all: Vec<_> = inside.chain([one(folder.to_path_buf())]).collect();
    all.sort();
    all
}

#[test]
fn a_link_in_the_records_is_not_a_way_out() {
    check(|root, options| {
        let mut memory = Memory::default();
        let mut records = vec![directory("/"), link("/a", "../outside")];
        records.extend(file("/a/planted", "x", &mut memory));
        records.push(directory("/a/z"));
        records.push(link("/b", "/etc/passwd"));
        let placed = place(root, options, &records, &mut memory).unwrap();
        assert_eq!(placed.problem_count, 2);
        assert_eq!(placed.problems[0].why, "the directory that holds it is missing");
        assert_eq!(fs::read_link(root.join("b")).unwrap(), Path::new("/etc/passwd"));
    });
}

#[test]
fn a_link_that_stands_there_is_refused_or_replaced() {
    check(|root, options| {
        symlink("../outside", root.join("a")).unwrap();
        let mut memory = Memory::default();
        let mut records = vec![directory("/"), directory("/a")];
        records.extend(file("/a/secret", "x", &mut memory));
        let refused = place(root, options.clone(), &records, &mut memory).unwrap_err();
        assert!(matches!(refused, PlaceError::Exists { .. }), "{refused}");
        let options = PlaceOptions { overwrite: true, ..options };
        let placed = place(root, options, &records, &mut memory).unwrap();
        assert_eq!(placed.problems, []);
        assert_eq!(fs::read(root.join("a/secret")).unwrap(), b"x");
        assert!(!root.join("a").symlink_metadata().unwrap().is_symlink());
    });
}

#[test]
fn a_link_planted_meanwhile_leads_nowhere() {
    check(|root, options| {
        let mut memory = Memory::default();
        let mut placer = Placer::open(root, options).unwrap();
        let deep: Vec<String> =
            (1..=OPEN_DIRECTORIES_MAX + 5).map(|depth| "/d".repeat(depth)).collect();
        for at in ["/"].into_iter().chain(deep.iter().map(String::as_str)) {
            placer.place(&directory(at), &mut memory).unwrap();
        }
        // The outer levels are closed by now: their names are put to the test.
        fs::rename(root.join("d"), root.join("moved")).unwrap();
        symlink("../outside", root.join("d")).unwrap();
        for record in file("/d/secret", "x", &mut memory) {
            placer.place(&record, &mut memory).unwrap();
        }
        for record in file("/e", "still fine", &mut memory) {
            placer.place(&record, &mut memory).unwrap();
        }
        let placed = placer.finish().unwrap();
        assert!(placed.problems.iter().any(|problem| problem.path == path("/d/secret")));
        assert_eq!(fs::read(root.join("e")).unwrap(), b"still fine");
    });
}

#[test]
fn a_path_through_a_file_fails_alone() {
    check(|root, options| {
        let mut memory = Memory::default();
        let mut records = file("/a", "x", &mut memory);
        records.extend(file("/a/b", "y", &mut memory));
        records.extend(file("/c", "z", &mut memory));
        let placed = place(root, options, &records, &mut memory).unwrap();
        assert_eq!(placed.problem_count, 1);
        assert_eq!(placed.files, 2);
        assert_eq!(fs::read(root.join("c")).unwrap(), b"z");
    });
}

#[test]
fn a_hard_link_cannot_reach_outside() {
    check(|root, options| {
        symlink("../outside", root.join("way")).unwrap();
        let hard = |at: &str, of: &str| Record::HardLink {
            entry: entry(at, Kind::File { size: 6 }),
            of: path(of),
        };
        let records = [
            hard("/a", "/way/secret"),
            hard("/b", "/outside/secret"),
            hard("/b-deep", "/way/deep/secret"),
            hard("/c", "/way"),
            hard("/d", "/none"),
            hard("/e", "/"),
            directory("/f"),
        ];
        let placed = place(root, options, &records, &mut Memory::default()).unwrap();
        let failed: Vec<_> = placed.problems.iter().map(|p| p.path.to_string()).collect();
        assert_eq!(failed, ["/a", "/b", "/b-deep", "/d", "/e"]);
        // A link to a link is a second name of the link itself.
        assert!(root.join("c").symlink_metadata().unwrap().is_symlink());
        assert!(root.join("f").is_dir());
    });
}

#[test]
fn a_file_with_a_second_name_outside_is_not_written_into() {
    check(|root, options| {
        // What the check looks at must not change by this preparation.
        let second = root.parent().unwrap().join("second");
        fs::write(&second, "precious").unwrap();
        fs::hard_link(&second, root.join("a")).unwrap();
        let mut memory = Memory::default();
        let options = PlaceOptions { overwrite: true, ..options };
        place(root, options, &file("/a", "new", &mut memory), &mut memory).unwrap();
        assert_eq!(fs::read(&second).unwrap(), b"precious");
        assert_eq!(fs::read(root.join("a")).unwrap(), b"new");
    });
}

#[test]
fn nonsense_fails_its_entry() {
    check(|root, options| {
        let mut memory = Memory::default();
        let mut records = file("/b", "x", &mut memory);
        records.extend(file("/a", "behind", &mut memory));
        let mut far = file("/c", "x", &mut memory);
        far[2] = Record::End { size: u64::MAX, content: Content::Steady };
        records.extend(far);
        let mut twice = file("/d", "xy", &mut memory);
        twice.insert(2, twice[1].clone());
        records.extend(twice);
        let mut long = file("/e", "xyz", &mut memory);
        long[1] = Record::Data { offset: 0, length: 2, id: memory.put(b"xyz".to_vec()) };
        records.extend(long);
        records.push(Record::Node(entry("/f", Kind::File { size: 1 })));
        records.push(Record::Node(entry("/g", Kind::Symlink { target: vec![] })));
        records.push(Record::End { size: 3, content: Content::Steady });
        records.extend(file("/h", "fine", &mut memory));
        let placed = place(root, options, &records, &mut memory).unwrap();
        let failed: Vec<_> = placed.problems.iter().map(|p| p.path.to_string()).collect();
        assert_eq!(failed, ["/a", "/c", "/d", "/e", "/f", "/g"]);
        assert_eq!(fs::read(root.join("h")).unwrap(), b"fine");
        assert!(!root.join("a").exists());
    });
}

#[test]
fn a_directory_with_content_is_never_replaced() {
    check(|root, options| {
        fs::create_dir(root.join("a")).unwrap();
        fs::write(root.join("a/mine"), "mine").unwrap();
        let mut memory = Memory::default();
        let records = file("/a", "x", &mut memory);
        for overwrite in [false, true] {
            let options = PlaceOptions { overwrite, ..options.clone() };
            let error = place(root, options.clone(), &records, &mut memory).unwrap_err();
            assert!(matches!(error, PlaceError::Exists { .. }), "{error}");
            let options = PlaceOptions { resume_from: Some(path("/")), ..options };
            let placed = place(root, options, &records, &mut memory).unwrap();
            assert_eq!((placed.files, placed.problem_count), (0, 1));
        }
        assert_eq!(fs::read(root.join("a/mine")).unwrap(), b"mine");
    });
}

#[test]
fn without_privilege_foreign_owners_are_one_problem_and_no_set_user_id() {
    if crate::capture::sample_tree::is_root() {
        eprintln!("skipped: root may set every owner");
        return;
    }
    check(|root, options| {
        let mut memory = Memory::default();
        let mut records: Vec<Record> = Vec::new();
        for at in ["/a", "/b", "/c"] {
            records.extend(file(at, "x", &mut memory));
        }
        for record in &mut records {
            if let Record::Node(entry) = record {
                (entry.metadata.uid, entry.metadata.mode) = (0, 0o6755);
            }
        }
        let placed = place(root, options.clone(), &records, &mut memory).unwrap();
        assert_eq!((placed.files, placed.owners_left, placed.problem_count), (3, 3, 1));
        assert_eq!(fs::metadata(root.join("c")).unwrap().mode() & 0o7777, 0o755);
        // What could not be set before is no difference now.
        assert_eq!(place(root, options, &records, &mut memory).unwrap().kept, 3);
    });
}

/// Between the look at a file and its opening somebody puts a pipe in its place.
#[test]
fn only_a_file_is_written_into() {
    let scratch = Scratch::new();
    let pipe = scratch.path().join("pipe");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let mut placer = Placer::open(&scratch.path(), creating()).unwrap();
    let folder: OwnedFd = fs::File::open(scratch.path()).unwrap().into();
    let stat = crate::capture::metadata::stat(folder.as_fd(), b"pipe").unwrap();
    let stood = super::draft::identity(&stat);
    let opened = placer.open_to_patch(folder, &entry("/pipe", Kind::File { size: 1 }), stood, true);
    assert!(matches!(opened, Err(Fault::Entry(_))), "{opened:?}");
}

#[test]
fn a_file_that_was_begun_again_is_what_came_the_second_time() {
    let (scratch, mut memory) = (Scratch::new(), Memory::default());
    let mut records = file("/a", "begun and broken off", &mut memory);
    records.truncate(2);
    records.extend(file("/a", "whole", &mut memory));
    records.extend(file("/b", "next", &mut memory));
    let root = scratch.path().join("root");
    let placed = place(&root, creating(), &records, &mut memory).unwrap();
    assert_eq!((placed.problem_count, placed.entries), (0, 2), "{placed:?}");
    assert_eq!(fs::read(root.join("a")).unwrap(), b"whole");
    // Once it has its end, a second one of the same name is out of order.
    records.extend(file("/b", "again", &mut memory));
    let other = scratch.path().join("other");
    assert_eq!(place(&other, creating(), &records, &mut memory).unwrap().problem_count, 1);
}
