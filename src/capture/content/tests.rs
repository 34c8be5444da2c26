//! Files that hold still, change, vanish or are swapped while they are read.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use super::*;
use crate::capture::sample_tree::Scratch;

pub(super) fn listed(dir: &Path, name: &str) -> Entry {
    let tree = Beneath::open(dir).unwrap();
    let stat = metadata::stat(tree.folder(), name.as_bytes()).unwrap();
    let kind = metadata::kind(tree.folder(), name.as_bytes(), &stat).unwrap();
    let path = format!("/{name}").parse().unwrap();
    Entry { path, kind, metadata: metadata::from_stat(&stat) }
}

pub(super) fn open_listed(dir: &Path, entry: &Entry) -> Result<Reading, OpenError> {
    open_for_reading(&Beneath::open(dir).unwrap(), entry)
}

pub(super) fn read_all(reading: &mut Reading) -> Vec<u8> {
    let mut buffer = vec![0; 10 << 20];
    let count = reading.read_at(&mut buffer, 0);
    buffer.truncate(count);
    buffer
}

#[test]
fn a_file_that_held_still_is_steady() {
    let scratch = Scratch::new();
    let dir = scratch.path();
    fs::write(dir.join("f"), "content").unwrap();
    let mut reading = open_listed(&dir, &listed(&dir, "f")).unwrap();
    assert_eq!(read_all(&mut reading), b"content");
    let finished = reading.finish();
    assert_eq!((finished.size, finished.content), (7, Content::Steady));
    assert_eq!((finished.counters.opened_files, finished.counters.read_bytes), (1, 7));
}

#[test]
fn every_change_meanwhile_is_told() {
    type Change = fn(&Path);
    let changes: [(Change, u64); 3] = [
        (|f| fs::write(f, "CONTENT").unwrap(), 7),
        (|f| fs::File::options().append(true).open(f).unwrap().write_all_at(b"!", 9).unwrap(), 7),
        (|f| fs::File::options().write(true).open(f).unwrap().set_len(3).unwrap(), 3),
    ];
    for (change, size) in changes {
        let scratch = Scratch::new();
        let dir = scratch.path();
        fs::write(dir.join("f"), "content").unwrap();
        // Far from now, so that no tick of the clock hides a change.
        crate::capture::sample_tree::set_time(&dir.join("f"), 1_000, 0);
        let mut reading = open_listed(&dir, &listed(&dir, "f")).unwrap();
        assert_eq!(reading.size(), 7);
        change(&dir.join("f"));
        let read = read_all(&mut reading);
        assert_eq!(read.len() as u64, size);
        let finished = reading.finish();
        assert_eq!(finished.content, Content::Changed);
        assert_eq!(finished.size, size);
    }
}

#[test]
fn what_took_its_place_is_neither_read_nor_waited_for() {
    type Change = fn(&Path);
    let changes: [Change; 4] = [
        |f| assert!(Command::new("mkfifo").arg(f).status().unwrap().success()),
        |f| std::os::unix::fs::symlink("/etc/passwd", f).unwrap(),
        |f| fs::create_dir(f).unwrap(),
        |f| fs::write(f, "another").unwrap(),
    ];
    for change in changes {
        let scratch = Scratch::new();
        let dir = scratch.path();
        fs::write(dir.join("f"), "content").unwrap();
        let entry = listed(&dir, "f");
        // The old one stays, so that its inode is not given to the new one.
        fs::rename(dir.join("f"), dir.join("old")).unwrap();
        change(&dir.join("f"));
        let error = open_listed(&dir, &entry).unwrap_err();
        assert!(matches!(error, OpenError::Replaced { .. }), "{error}");
        fs::rename(dir.join("f"), dir.join("away")).unwrap();
        let error = open_listed(&dir, &entry).unwrap_err();
        assert!(matches!(error, OpenError::Vanished { .. }), "{error}");
    }
}

#[test]
fn holes_are_passed_over() {
    let scratch = Scratch::new();
    let dir = scratch.path();
    let file = fs::File::create(dir.join("f")).unwrap();
    file.set_len(1 << 40).unwrap();
    file.write_all_at(b"far", 1 << 39).unwrap();
    let reading = open_listed(&dir, &listed(&dir, "f")).unwrap();
    let (begin, end) = reading.next_data(0).unwrap();
    if begin == 0 {
        eprintln!("skipped: this file system does not tell holes");
        return;
    }
    assert!(begin <= 1 << 39 && end > 1 << 39 && end - begin < 1 << 20);
    assert_eq!(reading.next_data(end), None);
    assert_eq!(reading.next_data(1 << 40), None);
    assert_eq!(reading.finish().size, 1 << 40);
}

#[test]
fn a_leased_file_is_waited_for_and_nothing_else_is() {
    let scratch = Scratch::new();
    let dir = scratch.path();
    fs::write(dir.join("f"), "content").unwrap();
    assert!(Command::new("mkfifo").arg(dir.join("pipe")).status().unwrap().success());
    let tree = Beneath::open(&dir).unwrap();
    let file = open_patiently(&tree, &"/f".parse().unwrap()).unwrap();
    assert_eq!(fs::File::from(file).metadata().unwrap().len(), 7);
    assert_eq!(open_patiently(&tree, &"/pipe".parse().unwrap()).unwrap_err(), Errno::NODEV);
}
