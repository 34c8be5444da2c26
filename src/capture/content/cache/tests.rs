//! What the page cache holds before and after reading, as the kernel counts it.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::*;
use crate::capture::content::tests::{listed, open_listed, read_all};
use crate::capture::sample_tree::{Scratch, tool};
use crate::capture::{Content, Entry};

const MIB: u64 = 1 << 20;

/// Bytes of `path` in the page cache.
fn resident_bytes(path: &Path) -> u64 {
    let options = ["--bytes", "--noheadings", "--output", "RES"].map(AsRef::as_ref);
    tool("fincore", &[&options[..], &[path.as_os_str()]].concat()).trim().parse().unwrap()
}

/// Takes a file out of the page cache; false where there is no disk beneath.
fn cool(path: &Path) -> bool {
    let file = File::open(path).unwrap();
    file.sync_all().unwrap();
    rustix::fs::fadvise(&file, 0, None, Advice::DontNeed).unwrap();
    let is_cold = resident_bytes(path) == 0;
    if !is_cold {
        eprintln!("skipped: the file system of {} keeps all in memory", path.display());
    }
    is_cold
}

/// Reads a page at each of `places` and nothing else.
fn warm(path: &Path, places: impl Iterator<Item = u64>) {
    let file = File::open(path).unwrap();
    rustix::fs::fadvise(&file, 0, None, Advice::Random).unwrap();
    for place in places {
        file.read_exact_at(&mut [0; 1], place).unwrap();
    }
}

fn write(dir: &Path, bytes: u64) -> (std::path::PathBuf, Entry) {
    let path = dir.join("f");
    let content: Vec<u8> = (0..bytes).map(|at| (at % 251) as u8).collect();
    fs::write(&path, content).unwrap();
    (path, listed(dir, "f"))
}

fn capture(dir: &Path, entry: &Entry, bytes: u64) {
    let mut reading = open_listed(dir, entry).unwrap();
    let read = read_all(&mut reading);
    assert!(read.iter().zip(0..).all(|(byte, at)| *byte == (at % 251_u64) as u8));
    assert_eq!(read.len() as u64, bytes);
    assert_eq!(reading.finish().content, Content::Steady);
}

/// A machine that stops the test between asking and probing lets the disk win, and then evac keeps
/// what it need not: so it has a few tries.
fn assert_leaves(
    expected: u64,
    dir: &Path,
    (path, entry): &(std::path::PathBuf, Entry),
    size: u64,
    prepare: impl Fn(),
) {
    let mut left = Vec::new();
    for _ in 0..20 {
        prepare();
        capture(dir, entry, size);
        left.push(resident_bytes(path));
        if left.last() == Some(&expected) {
            return;
        }
    }
    panic!("{size} bytes: {left:?} stay in the cache, expected {expected}");
}

#[test]
fn a_cold_file_leaves_nothing_in_the_cache_and_a_warm_one_stays_in_it() {
    for size in [1, 4_096, 5_000, 65_536, 300_000, 5 * MIB + 123] {
        let scratch = Scratch::new();
        let dir = scratch.path();
        let file = write(&dir, size);
        if !cool(&file.0) {
            return;
        }
        assert_leaves(0, &dir, &file, size, || assert!(cool(&file.0)));
        fs::read(&file.0).unwrap();
        let whole = resident_bytes(&file.0);
        assert!(whole >= size);
        capture(&dir, &file.1, size);
        assert_eq!(resident_bytes(&file.0), whole, "{size} bytes");
    }
}

#[test]
fn of_a_file_that_is_warm_in_part_the_cold_part_alone_goes() {
    let scratch = Scratch::new();
    let dir = scratch.path();
    let file = write(&dir, 4 * MIB);
    if !cool(&file.0) {
        return;
    }
    assert_leaves(2 * MIB, &dir, &file, 4 * MIB, || {
        assert!(cool(&file.0));
        warm(&file.0, (2 * MIB..4 * MIB).step_by(PAGE_BYTES as usize));
    });
}

#[test]
fn pages_in_use_here_and_there_all_stay() {
    let scratch = Scratch::new();
    let dir = scratch.path();
    let (path, entry) = write(&dir, 8 * MIB);
    if !cool(&path) {
        return;
    }
    // In every window some that are probed, and many that are not.
    let places: Vec<u64> = (60_000..8 * MIB).step_by(20_480).collect();
    warm(&path, places.iter().copied());
    let file = File::open(&path).unwrap();
    let there = || places.iter().filter(|place| is_there(&file, **place)).count();
    assert_eq!(there(), places.len());
    capture(&dir, &entry, 8 * MIB);
    assert_eq!(there(), places.len());
}

#[test]
fn a_file_that_is_being_written_is_left_in_the_cache() {
    let scratch = Scratch::new();
    let dir = scratch.path();
    let (path, entry) = write(&dir, MIB);
    if !cool(&path) {
        return;
    }
    let mut reading = open_listed(&dir, &entry).unwrap();
    File::options().append(true).open(&path).unwrap().write_all_at(b"!", MIB).unwrap();
    assert_eq!(read_all(&mut reading).len() as u64, MIB);
    assert_eq!(reading.finish().content, Content::Changed);
    assert!(resident_bytes(&path) >= MIB);
}

#[test]
fn a_piece_read_again_asks_the_disk_for_no_more_than_itself() {
    let scratch = Scratch::new();
    let dir = scratch.path();
    let (path, entry) = write(&dir, 8 * MIB);
    if !cool(&path) {
        return;
    }
    let mut reading = open_listed(&dir, &entry).unwrap();
    reading.wants_only_to(MIB + 8_192);
    assert_eq!(reading.read_at(&mut [0; 8_192], MIB), 8_192);
    let asked = resident_bytes(&path);
    assert_eq!(reading.finish().content, Content::Steady);
    assert_eq!(asked, 8_192);
}
