//! Trees written beneath a root and compared, by rsync and by our own walk.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::capture::sample_tree::{self, Scratch, tool};
use crate::capture::{Content, Step, Walk, WalkOptions, open_for_reading};

/// Contents by their names, as a store has them.
#[derive(Default)]
pub(super) struct Memory {
    pub chunks: HashMap<ChunkId, bytes::Bytes>,
    pub asked: usize,
    /// Stops when so many were asked.
    pub stop_at: Option<usize>,
}

impl Memory {
    pub(super) fn put(&mut self, content: Vec<u8>) -> ChunkId {
        let id = ChunkId(*blake3::hash(&content).as_bytes());
        self.chunks.insert(id, content.into());
        id
    }
}

impl Chunks for Memory {
    fn get(&mut self, id: &ChunkId) -> Result<bytes::Bytes, ChunkFault> {
        self.asked += 1;
        if self.stop_at.is_some_and(|limit| self.asked > limit) {
            return Err(ChunkFault::Stopped("enough".into()));
        }
        self.chunks.get(id).cloned().ok_or_else(|| ChunkFault::Damaged("pack is gone".into()))
    }
}

/// Walks and reads a whole tree into records.
pub(super) fn capture(folder: &Path, memory: &mut Memory) -> Vec<Record> {
    let tree = Beneath::open(folder).unwrap();
    let options =
        WalkOptions { folder: folder.to_path_buf(), ..WalkOptions::new(vec![TreePath::root()]) };
    let mut first_names: HashMap<(u64, u64), TreePath> = HashMap::new();
    let mut records = Vec::new();
    for step in Walk::new(options).unwrap() {
        let Step::Entry(found) = step else { panic!("{step:?}") };
        let entry = found.entry;
        let key = (entry.metadata.dev, entry.metadata.ino);
        if entry.kind != Kind::Directory && entry.metadata.nlink > 1 {
            if let Some(of) = first_names.get(&key) {
                records.push(Record::HardLink { entry, of: of.clone() });
                continue;
            }
            first_names.insert(key, entry.path.clone());
        }
        records.push(Record::Node(entry.clone()));
        if matches!(entry.kind, Kind::File { .. }) {
            read(&tree, &entry, memory, &mut records);
        }
    }
    records
}

fn read(tree: &Beneath, entry: &Entry, memory: &mut Memory, records: &mut Vec<Record>) {
    let mut reading = open_for_reading(tree, entry).unwrap();
    let mut at = 0;
    while let Some((begin, end)) = reading.next_data(at) {
        let mut buffer = vec![0; usize::try_from((end - begin).min(1 << 20)).unwrap()];
        let count = reading.read_at(&mut buffer, begin);
        assert!(count > 0);
        buffer.truncate(count);
        let length = u32::try_from(count).unwrap();
        records.push(Record::Data { offset: begin, length, id: memory.put(buffer) });
        at = begin + u64::from(length);
    }
    let finished = reading.finish();
    assert_eq!(finished.content, Content::Steady, "{}", entry.path);
    records.push(Record::End { size: finished.size, content: finished.content });
}

pub(super) fn place(
    root: &Path,
    options: PlaceOptions,
    records: &[Record],
    memory: &mut Memory,
) -> Result<Placed, PlaceError> {
    let mut placer = Placer::open(root, options)?;
    for record in records {
        placer.place(record, memory)?;
    }
    placer.finish()
}

pub(super) fn creating() -> PlaceOptions {
    PlaceOptions { create_root: true, ..PlaceOptions::default() }
}

/// What `rsync` would still change; nothing, if both are the same.
fn differences(source: &Path, target: &Path) -> String {
    let slash = |path: &Path| {
        let mut path = path.as_os_str().to_owned();
        path.push("/");
        path
    };
    let options = if sample_tree::is_root() { "-aHAXnci" } else { "-aHAnci" };
    let (source, target) = (slash(source), slash(target));
    tool("rsync", &[OsStr::new(options), OsStr::new("--delete"), &source, &target])
}

/// What must be the same on both sides: all but inode, device, ctime and the nlink of directories.
fn comparable(folder: &Path) -> Vec<Record> {
    let mut records = capture(folder, &mut Memory::default());
    for record in &mut records {
        if let Record::Node(entry) | Record::HardLink { entry, .. } = record {
            let metadata = &mut entry.metadata;
            (metadata.ino, metadata.dev) = (0, 0);
            metadata.ctime = crate::capture::FileTime::default();
            if entry.kind == Kind::Directory {
                metadata.nlink = 0;
            }
        }
    }
    records
}

pub(super) fn assert_same(source: &Path, target: &Path) {
    for (one, other) in comparable(source).iter().zip(&comparable(target)) {
        assert_eq!(one, other);
    }
    assert_eq!(comparable(source).len(), comparable(target).len());
}

/// `rsync` takes no path beyond `PATH_MAX`, and would read all of 1 TB of hole: these two are
/// compared by our walk alone.
fn remove_what_rsync_cannot(folder: &Path) {
    tool("rm", &[OsStr::new("-rf"), folder.join("d".repeat(200)).as_os_str()]);
    fs::remove_file(folder.join("sparse")).unwrap();
    sample_tree::set_time(folder, 1, 1);
}

fn round_trip(without_openat2: bool) {
    let (source, target) = (Scratch::new(), Scratch::new());
    sample_tree::build(&source.path());
    let mut memory = Memory::default();
    let records = capture(&source.path(), &mut memory);
    let root = target.path().join("made/here");
    let options = PlaceOptions { without_openat2, ..creating() };
    let placed = place(&root, options, &records, &mut memory).unwrap();
    assert_eq!(placed.problems, []);
    assert_eq!(placed.kept, 0);
    assert!(placed.bytes < Bytes(10 << 20), "holes were written");
    assert_same(&source.path(), &root);
    remove_what_rsync_cannot(&source.path());
    remove_what_rsync_cannot(&root);
    assert_eq!(differences(&source.path(), &root), "");
}

#[test]
fn a_nasty_tree_comes_back_as_it_was() {
    round_trip(false);
}

#[test]
fn a_nasty_tree_comes_back_without_openat2() {
    round_trip(true);
}

#[test]
fn placing_again_changes_and_asks_nothing() {
    let (source, target) = (Scratch::new(), Scratch::new());
    sample_tree::build(&source.path());
    let mut memory = Memory::default();
    let records = capture(&source.path(), &mut memory);
    place(&target.path(), creating(), &records, &mut memory).unwrap();
    memory.asked = 0;
    let placed = place(&target.path(), creating(), &records, &mut memory).unwrap();
    assert_eq!((placed.files, memory.asked), (0, 0));
    assert_eq!(placed.problems, []);
    assert_same(&source.path(), &target.path());
    let overwrite = PlaceOptions { overwrite: true, ..PlaceOptions::default() };
    let placed = place(&target.path(), overwrite, &records, &mut memory).unwrap();
    assert_eq!(placed.problems, []);
    assert!(placed.files > 20, "all files are written anew");
    assert_same(&source.path(), &target.path());
}

#[test]
fn a_stop_anywhere_is_resumed() {
    let source = Scratch::new();
    sample_tree::build(&source.path());
    let mut memory = Memory::default();
    let records = capture(&source.path(), &mut memory);
    for stop in [0, 1, 2, 5, 9, 14, 20] {
        let target = Scratch::new();
        (memory.asked, memory.stop_at) = (0, Some(stop));
        let error = place(&target.path(), creating(), &records, &mut memory).unwrap_err();
        let PlaceError::Stopped { path, .. } = error else { panic!("{error}") };
        memory.stop_at = None;
        memory.asked = 0;
        let options = PlaceOptions { resume_from: Some(path), ..PlaceOptions::default() };
        let placed = place(&target.path(), options, &records, &mut memory).unwrap();
        assert_eq!(placed.problems, []);
        assert_same(&source.path(), &target.path());
        let pieces = records.iter().filter(|r| matches!(r, Record::Data { .. })).count();
        assert!(memory.asked <= pieces - stop + 3, "stopped at {stop}, asked {}", memory.asked);
    }
}

type Change = fn(&Path);

#[test]
fn what_differs_is_refused_unless_overwritten() {
    let source = Scratch::new();
    fs::create_dir(source.path().join("d")).unwrap();
    fs::write(source.path().join("d/file"), "new").unwrap();
    std::os::unix::fs::symlink("a", source.path().join("d/link")).unwrap();
    let mut memory = Memory::default();
    let records = capture(&source.path(), &mut memory);
    let changes: [(&str, Change); 5] = [
        ("/d/file", |dir| fs::write(dir.join("d/file"), "mine").unwrap()),
        ("/d/file", |dir| {
            fs::remove_file(dir.join("d/file")).unwrap();
            std::os::unix::fs::symlink("/etc/passwd", dir.join("d/file")).unwrap();
        }),
        ("/d/link", |dir| {
            fs::remove_file(dir.join("d/link")).unwrap();
            fs::create_dir(dir.join("d/link")).unwrap();
        }),
        ("/d", |dir| {
            fs::remove_dir_all(dir.join("d")).unwrap();
            fs::write(dir.join("d"), "a file").unwrap();
        }),
        ("/d/link", |dir| {
            fs::remove_file(dir.join("d/link")).unwrap();
            std::os::unix::fs::symlink("b", dir.join("d/link")).unwrap();
        }),
    ];
    for (expected, change) in changes {
        let target = Scratch::new();
        place(&target.path(), creating(), &records, &mut memory).unwrap();
        change(&target.path());
        let ahead = Placer::open(&target.path(), PlaceOptions::default()).unwrap();
        let refused = records.iter().filter_map(|record| match record {
            Record::Node(entry) => ahead.refusal(entry),
            _ => None,
        });
        let paths: Vec<_> = refused.map(|error| refused_path(&error)).collect();
        assert_eq!(paths, [expected]);
        let error = place(&target.path(), PlaceOptions::default(), &records, &mut memory);
        assert_eq!(refused_path(&error.unwrap_err()), expected);
        let overwrite = PlaceOptions { overwrite: true, ..PlaceOptions::default() };
        let placed = place(&target.path(), overwrite, &records, &mut memory).unwrap();
        assert_eq!(placed.problems, []);
        assert_same(&source.path(), &target.path());
    }
}

fn refused_path(error: &PlaceError) -> String {
    let PlaceError::Exists { path, .. } = error else { panic!("{error}") };
    path.to_string()
}

#[test]
fn a_missing_chunk_spoils_its_file_alone() {
    let (source, target) = (Scratch::new(), Scratch::new());
    for name in ["a", "b", "c"] {
        fs::write(source.path().join(name), name.repeat(100)).unwrap();
    }
    let mut memory = Memory::default();
    let records = capture(&source.path(), &mut memory);
    memory.chunks.remove(&ChunkId(*blake3::hash("b".repeat(100).as_bytes()).as_bytes()));
    let placed = place(&target.path(), creating(), &records, &mut memory).unwrap();
    assert_eq!(placed.problem_count, 1);
    assert_eq!(placed.problems[0].path.to_string(), "/b");
    assert_eq!(placed.problems[0].why, "100 bytes at 0 are missing: pack is gone");
    assert_eq!(fs::read(target.path().join("a")).unwrap(), "a".repeat(100).as_bytes());
    assert_eq!(fs::read(target.path().join("b")).unwrap(), [0; 100]);
    // The spoilt file is not taken for done by the next try.
    let again = place(&target.path(), PlaceOptions::default(), &records, &mut memory);
    assert_eq!(refused_path(&again.unwrap_err()), "/b");
}

#[derive(Debug, Clone)]
enum Thing {
    File(Vec<u8>, u32),
    Directory(Vec<(Vec<u8>, Thing)>, u32),
    Link(Vec<u8>),
    Fifo,
}

fn things() -> impl Strategy<Value = Vec<(Vec<u8>, Thing)>> {
    let name = || {
        prop::collection::vec(any::<u8>().prop_filter("slash", |b| *b != b'/' && *b != 0), 1..6)
            .prop_filter("dots", |n| n != b"." && n != b"..")
    };
    let leaf = prop_oneof![
        (prop::collection::vec(any::<u8>(), 0..50), 0..0o10000_u32)
            .prop_map(|(content, mode)| Thing::File(content, mode)),
        name().prop_map(Thing::Link),
        Just(Thing::Fifo),
    ];
    let thing = leaf.prop_recursive(4, 20, 4, move |inner| {
        (prop::collection::vec((name(), inner), 0..4), 0..0o10000_u32)
            .prop_map(|(inside, mode)| Thing::Directory(inside, mode))
    });
    prop::collection::vec((name(), thing), 0..5)
}

fn grow(dir: &Path, things: &[(Vec<u8>, Thing)]) {
    use std::os::unix::fs::PermissionsExt;
    for (name, thing) in things {
        let at = dir.join(OsStr::from_bytes(name));
        if at.symlink_metadata().is_ok() {
            continue;
        }
        // Nobody but root reads what is mode 000.
        let least = if sample_tree::is_root() { 0 } else { 0o700 };
        let mode = |mode: u32| fs::Permissions::from_mode(mode | least);
        match thing {
            Thing::File(content, bits) => {
                fs::write(&at, content).unwrap();
                fs::set_permissions(&at, mode(*bits)).unwrap();
            }
            Thing::Directory(inside, bits) => {
                fs::create_dir(&at).unwrap();
                grow(&at, inside);
                fs::set_permissions(&at, mode(*bits)).unwrap();
            }
            Thing::Link(target) => {
                std::os::unix::fs::symlink(OsStr::from_bytes(target), &at).unwrap();
            }
            Thing::Fifo => tool("mkfifo", &[OsStr::new("--"), at.as_os_str()]).clear(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_small_tree_comes_back(things in things(), without_openat2: bool) {
        let (source, target) = (Scratch::new(), Scratch::new());
        grow(&source.path(), &things);
        let mut memory = Memory::default();
        let records = capture(&source.path(), &mut memory);
        let options = PlaceOptions { without_openat2, ..creating() };
        let placed = place(&target.path(), options, &records, &mut memory).unwrap();
        prop_assert_eq!(placed.problems, vec![]);
        assert_same(&source.path(), &target.path());
    }
}

#[test]
fn a_full_disk_ends_all_and_is_resumed() {
    let target = Scratch::new();
    let small = target.path();
    let mount = ["-t", "tmpfs", "-o", "size=256k", "none"].map(OsStr::new);
    let mounted = sample_tree::is_root()
        && std::process::Command::new("mount")
            .args(mount)
            .arg(&small)
            .status()
            .is_ok_and(|status| status.success());
    if !mounted {
        eprintln!("skipped: a small file system cannot be mounted here");
        return;
    }
    let source = Scratch::new();
    fs::write(source.path().join("a"), vec![1; 100_000]).unwrap();
    fs::write(source.path().join("b"), vec![2; 300_000]).unwrap();
    let mut memory = Memory::default();
    let records = capture(&source.path(), &mut memory);
    let full = place(&small, creating(), &records, &mut memory);
    tool(
        "mount",
        &["-o", "remount,size=1m"]
            .map(OsStr::new)
            .into_iter()
            .chain([small.as_os_str()])
            .collect::<Vec<_>>(),
    );
    let path = match &full {
        Err(PlaceError::DiskFull { path }) => Some(path.clone()),
        _ => None,
    };
    let options = PlaceOptions { resume_from: path.clone(), ..PlaceOptions::default() };
    let resumed = place(&small, options, &records, &mut memory);
    let length = fs::metadata(small.join("b")).map(|m| m.len());
    tool("umount", &[small.as_os_str()]);
    assert_eq!(path.unwrap().to_string(), "/b");
    assert_eq!(resumed.unwrap().problems, []);
    assert_eq!(length.unwrap(), 300_000);
}
