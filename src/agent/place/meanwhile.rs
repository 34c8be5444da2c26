//! A try that is cut off, what people do meanwhile, and the try that goes on.

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::path::Path;

use super::tests::{Memory, assert_same, capture, creating, place};
use super::*;
use crate::capture::sample_tree::{self, Scratch};
use crate::wire::Former;

const MINE: &[u8] = b"somebody's own, and nowhere else";

fn path(text: &str) -> TreePath {
    text.parse().unwrap()
}

fn resuming(from: &str, without_nameless: bool) -> PlaceOptions {
    PlaceOptions { resume_from: Some(path(from)), without_nameless, ..PlaceOptions::default() }
}

/// Of every kind something; the files in pieces of which each is asked for by itself.
fn source() -> Scratch {
    let source = Scratch::new();
    let root = source.path();
    for folder in ["a", "b", "b/deep", "c"] {
        fs::create_dir(root.join(folder)).unwrap();
        for file in ["one", "two", "two-more"] {
            let content = format!("{folder}/{file} ").repeat(300);
            fs::write(root.join(folder).join(file), content).unwrap();
        }
        symlink("one", root.join(folder).join("way")).unwrap();
        fs::hard_link(root.join(folder).join("one"), root.join(folder).join("zweit")).unwrap();
    }
    source
}

fn stop(root: &Path, at: usize, options: PlaceOptions, records: &[Record], memory: &mut Memory) {
    (memory.asked, memory.stop_at) = (0, Some(at));
    let error = place(root, options, records, memory).unwrap_err();
    assert!(matches!(error, PlaceError::Stopped { .. }), "{error}");
    memory.stop_at = None;
}

fn hidden(root: &Path) -> Vec<String> {
    let found = sample_tree::tool("find", &[root.as_os_str(), "-name".as_ref(), ".evac*".as_ref()]);
    found.lines().map(str::to_owned).collect()
}

fn listed(placed: &Placed) -> Vec<String> {
    placed.problems.iter().map(|problem| problem.path.to_string()).collect()
}

/// Takes away what stands there, whatever it is, and puts `MINE` in its place.
fn put(at: &Path) {
    if fs::symlink_metadata(at).is_ok_and(|found| found.is_dir()) {
        fs::remove_dir_all(at).unwrap();
    } else if at.symlink_metadata().is_ok() {
        fs::remove_file(at).unwrap();
    }
    fs::write(at, MINE).unwrap();
}

#[test]
fn what_somebody_wrote_meanwhile_stays_wherever_the_try_was_cut_off() {
    let (source, mut memory) = (source(), Memory::default());
    let records = capture(&source.path(), &mut memory);
    for without_nameless in [false, true] {
        for at in 0..=11 {
            let target = Scratch::new();
            let root = target.path();
            let options = PlaceOptions { without_nameless, ..creating() };
            stop(&root, at, options, &records, &mut memory);
            let whole: Vec<_> = ["a", "b", "b/deep", "c"]
                .iter()
                .flat_map(|folder| ["one", "two", "way"].map(|name| format!("{folder}/{name}")))
                .filter(|name| root.join(name).symlink_metadata().is_ok())
                .collect();
            for name in &whole {
                let (one, other) = (source.path().join(name), root.join(name));
                assert_eq!(fs::read(one).unwrap(), fs::read(other).unwrap(), "{name} at {at}");
            }
            // Edited, put where nothing was yet, in place of a link, and of a second name.
            let mut theirs = Vec::new();
            for name in ["a/two", "b/deep/two", "b/way", "b/zweit", "c/one", "c/two-more"] {
                if root.join(name).parent().unwrap().is_dir() {
                    put(&root.join(name));
                    theirs.push(format!("/{name}"));
                }
            }
            // What was to be a second name of what is somebody's now is no name of it.
            let mut expected = theirs.clone();
            if root.join("c").is_dir() {
                expected.push("/c/zweit".to_owned());
            }
            expected.sort();
            for try_number in 0..2 {
                let options = resuming("/", without_nameless);
                let placed = place(&root, options, &records, &mut memory).unwrap();
                for name in &theirs {
                    let found = fs::read(root.join(&name[1..])).unwrap();
                    assert_eq!(found, MINE, "{name} at {at}, {try_number}");
                }
                let mut told = listed(&placed);
                told.sort();
                assert_eq!(told, expected, "at {at}, try {try_number}");
                assert!(!root.join("c/zweit").exists() || at < 9);
                assert_eq!(hidden(&root), [""; 0]);
            }
        }
    }
}

#[test]
fn a_folder_and_a_file_that_took_each_others_place_stay() {
    let (source, mut memory) = (source(), Memory::default());
    let records = capture(&source.path(), &mut memory);
    let target = Scratch::new();
    let root = target.path();
    stop(&root, 3, creating(), &records, &mut memory);
    fs::create_dir_all(root.join("b/one")).unwrap();
    fs::write(root.join("b/one/mine"), MINE).unwrap();
    fs::create_dir(root.join("b/two")).unwrap();
    fs::write(root.join("c"), MINE).unwrap();
    let placed = place(&root, resuming("/", false), &records, &mut memory).unwrap();
    assert_eq!(fs::read(root.join("b/one/mine")).unwrap(), MINE);
    assert_eq!(fs::read(root.join("c")).unwrap(), MINE);
    assert!(root.join("b/two").is_dir(), "an empty folder is somebody's, too");
    assert!(root.join("b/deep/zweit").is_file(), "the rest is written");
    let (told, count) = (listed(&placed), placed.problem_count);
    for name in ["/b/one", "/b/two", "/b/zweit", "/c", "/c/one"] {
        assert!(told.iter().any(|path| path == name), "{name}: {told:?}");
    }
    assert_eq!(count, 3 + 1 + 5, "{told:?}");
}

#[test]
fn what_a_lost_power_left_is_ours() {
    let (source, mut memory) = (source(), Memory::default());
    let records = capture(&source.path(), &mut memory);
    let target = Scratch::new();
    let root = target.path();
    place(&root, creating(), &records, &mut memory).unwrap();
    let keep_time = |name: &str, change: &dyn Fn(&fs::File)| {
        let file = fs::File::options().write(true).open(root.join(name)).unwrap();
        let time = file.metadata().unwrap().modified().unwrap();
        change(&file);
        file.set_modified(time).unwrap();
    };
    keep_time("a/one", &|file| file.set_len(0).unwrap());
    keep_time("a/two", &|file| file.set_len(1_000).unwrap());
    keep_time("b/deep/two", &|file| file.write_all_at(&[0; 100], 500).unwrap());
    let nothing = |options| PlaceOptions { create_root: false, ..options };
    let before = fs::metadata(root.join("c/two")).unwrap();
    let options = nothing(resuming("/", false));
    let placed = place(&root, options, &records, &mut memory).unwrap();
    assert_eq!(placed.problems, []);
    assert_same(&source.path(), &root);
    let after = fs::metadata(root.join("c/two")).unwrap();
    let state = |m: &fs::Metadata| (m.ino(), m.mtime(), m.mtime_nsec());
    assert_eq!(state(&before), state(&after), "what is right is not written again");
}

/// A pass onto an earlier one: a file of three pieces, of which two change.
struct Pass {
    root: Scratch,
    memory: Memory,
    old: Vec<Record>,
    new: Vec<Record>,
}

fn pass_over_another() -> Pass {
    let (source, root, mut memory) = (Scratch::new(), Scratch::new(), Memory::default());
    let large = source.path().join("large");
    let piece = |letter: u8| vec![letter; 1 << 20];
    fs::write(&large, [piece(1), piece(2), piece(3)].concat()).unwrap();
    fs::write(source.path().join("small"), "old").unwrap();
    let old = capture(&source.path(), &mut memory);
    place(&root.path(), creating(), &old, &mut memory).unwrap();
    fs::write(&large, [piece(4), piece(2), piece(5)].concat()).unwrap();
    fs::write(source.path().join("small"), "newer").unwrap();
    let new = capture(&source.path(), &mut memory);
    Pass { root, memory, old, new }
}

impl Pass {
    fn place(&mut self, resume: bool) -> Result<Placed, PlaceError> {
        let former = |record: &Record| match record {
            Record::Node(entry) => self.old.iter().find_map(|old| match old {
                Record::Node(old) if old.path == entry.path => Some(old.clone()),
                _ => None,
            }),
            _ => None,
        };
        let formers: Vec<_> = (0_u32..)
            .zip(&self.new)
            .filter_map(|(at, record)| Some(Former::new(at, former(record)?, record)))
            .collect();
        let resume_from = resume.then(|| path("/"));
        let options = PlaceOptions { incremental: true, resume_from, ..PlaceOptions::default() };
        let mut placer = Placer::open(&self.root.path(), options)?;
        placer.place_batch(&self.new, &formers, &[], &mut self.memory)?;
        placer.finish()
    }

    fn stop(&mut self, at: usize) {
        (self.memory.asked, self.memory.stop_at) = (0, Some(at));
        self.place(false).unwrap_err();
        self.memory.stop_at = None;
    }

    fn content(&self, name: &str) -> Vec<u8> {
        fs::read(self.root.path().join(name)).unwrap()
    }
}

#[test]
fn half_of_a_change_is_never_under_its_name_and_is_gone_on_with() {
    for at in 0..=5 {
        let mut pass = pass_over_another();
        let large = pass.root.path().join("large");
        let inode = fs::metadata(&large).unwrap().ino();
        pass.stop(at);
        if let Ok(found) = fs::read(&large) {
            let first = found[0];
            assert!(found[..1 << 20].iter().all(|byte| *byte == first));
            assert!(matches!((first, found[2 << 20]), (1, 3) | (4, 5)), "stopped at {at}");
        }
        let placed = pass.place(true).unwrap();
        assert_eq!(placed.problems, [], "stopped at {at}");
        assert_eq!(fs::metadata(&large).unwrap().ino(), inode, "changed in place");
        assert_eq!((pass.content("large")[0], pass.content("large")[2 << 20]), (4, 5));
        assert_eq!(pass.content("small"), b"newer");
        assert_eq!(hidden(&pass.root.path()), [""; 0]);
    }
}

#[test]
fn what_somebody_wrote_onto_an_earlier_pass_meanwhile_stays() {
    for at in 0..=5 {
        let mut pass = pass_over_another();
        pass.stop(at);
        for name in ["large", "small"] {
            put(&pass.root.path().join(name));
        }
        let placed = pass.place(true).unwrap();
        assert_eq!((pass.content("large"), pass.content("small")), (MINE.into(), MINE.into()));
        assert_eq!(listed(&placed), ["/large", "/small"], "stopped at {at}");
        assert_eq!(hidden(&pass.root.path()), [""; 0]);
    }
}

/// Of half a change nobody knows to which pass a piece belongs: it is no draft of a third one.
#[test]
fn a_third_pass_says_that_another_restore_was_cut_off_there() {
    let mut pass = pass_over_another();
    pass.stop(1);
    assert!(!pass.root.path().join("large").exists(), "it waits under its hidden name");
    let placed = pass.place(false).unwrap();
    assert_eq!(listed(&placed), ["/large"]);
    let why = &placed.problems[0].why;
    assert!(why.contains("another restore") && why.contains("--overwrite"), "{why}");
    assert_eq!(hidden(&pass.root.path()).len(), 1, "it stays");
}

/// Whoever goes on behind a file that lacks something would not tell of it any more.
#[test]
fn nobody_goes_on_behind_what_is_listed() {
    let (source, mut memory) = (source(), Memory::default());
    let records = capture(&source.path(), &mut memory);
    let lost = ChunkId(*blake3::hash("b/one ".repeat(300).as_bytes()).as_bytes());
    memory.chunks.remove(&lost).unwrap();
    let target = Scratch::new();
    let mut placer = Placer::open(&target.path(), creating()).unwrap();
    let is_of = |record: &&Record| matches!(record, Record::Node(e) if e.path == path("/b/one"));
    let begins = records.iter().position(|record| is_of(&record)).unwrap();
    for (at, record) in records.iter().enumerate() {
        placer.place(record, &mut memory).unwrap();
        if at == begins - 1 || at == records.len() - 1 {
            assert_eq!(placer.reach().unwrap(), at < begins, "at {at} of {begins}");
        }
    }
    // Going on before it lists it again, until it can be had.
    drop(placer);
    let placed = place(&target.path(), resuming("/", false), &records, &mut memory).unwrap();
    assert_eq!(listed(&placed), ["/b/one"]);
    memory.put("b/one ".repeat(300).into_bytes());
    let placed = place(&target.path(), resuming("/", false), &records, &mut memory).unwrap();
    assert_eq!(placed.problems, []);
    assert_same(&source.path(), &target.path());
}
