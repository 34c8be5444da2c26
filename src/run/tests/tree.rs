//! Source trees of two hosts that share content, and the judge of whether a restore is equal.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::capture::{Entry, FileTime, Kind, Step, Walk, WalkOptions};
use crate::model::TreePath;

pub(super) const HOSTS: [&str; 2] = ["alpha", "beta"];
/// More than one offer holds, so that a segment ends inside the file.
const SHARED_BYTES: usize = (4 << 20) + (3 << 18);

/// The trees; whoever runs over them may change what [`Sources::evolve`] changes.
pub(super) struct Sources {
    folder: tempfile::TempDir,
}

impl Sources {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (number, host) in HOSTS.into_iter().enumerate() {
            plant(&folder.path().join(host), number as u64);
        }
        let sources = Self { folder };
        sources.begin_anew();
        sources
    }

    pub(super) fn path(&self, host: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(host)
    }

    /// Every source as it was at first.
    pub(super) fn begin_anew(&self) {
        for host in HOSTS {
            self.evolve(host, false);
        }
    }

    /// A source lives on: one file more, one less, one changed; or all is as it was at first.
    pub(super) fn evolve(&self, host: &str, is_later: bool) {
        let live = self.path(host).join("live");
        fs::write(live.join("log"), if is_later { "two lines\n\n" } else { "one line\n" }).unwrap();
        let (made, removed) = if is_later { ("late", "early") } else { ("early", "late") };
        fs::write(live.join(made), format!("{host} {is_later}")).unwrap();
        let _ = fs::remove_file(live.join(removed));
    }

    /// A file that takes at least `offers` offers, each of them a segment.
    pub(super) fn add_large(&self, host: &str, offers: usize) {
        fs::write(self.path(host).join("srv/large"), text(9, offers * (4 << 20))).unwrap();
    }

    /// Files of a host whose content is read: hard links once, empty ones never.
    pub(super) fn files(&self, host: &str) -> u64 {
        let files = entries(Path::new("/"), &self.path(host)).into_iter();
        let read = files.filter(|entry| matches!(entry.kind, Kind::File { size: 1.. }));
        let inodes: std::collections::BTreeSet<u64> =
            read.map(|entry| entry.metadata.ino).collect();
        inodes.len() as u64
    }

    /// Panics where what stands beneath `restored` is not what stands here.
    pub(super) fn assert_equal(&self, host: &str, restored: &Path) {
        let root = self.path(host);
        let (ours, theirs) = (entries(Path::new("/"), &root), entries(restored, &root));
        let names = |list: &[Entry]| list.iter().map(|e| e.path.to_string()).collect::<Vec<_>>();
        assert_eq!(names(&ours), names(&theirs));
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert_eq!(comparable(ours), comparable(theirs));
            if matches!(ours.kind, Kind::File { .. }) {
                let path = ours.path.as_path();
                let copy = restored.join(path.strip_prefix("/").unwrap());
                let is_same = fs::read(path).unwrap() == fs::read(&copy).unwrap();
                assert!(is_same, "content of {} differs", path.display());
            }
        }
        assert_eq!(linked(&ours), linked(&theirs));
    }
}

fn plant(root: &Path, number: u64) {
    for folder in ["etc", "live", "srv/empty", "www"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::write(root.join("etc/hostname"), HOSTS[number as usize]).unwrap();
    fs::write(root.join("etc/empty"), "").unwrap();
    fs::write(root.join("etc/common"), text(7, 30_000)).unwrap();
    fs::set_permissions(root.join("etc/common"), fs::Permissions::from_mode(0o640)).unwrap();
    symlink("../nowhere", root.join("etc/dangling")).unwrap();
    fs::write(root.join("srv/own"), text(100 + number, 300_000)).unwrap();
    fs::hard_link(root.join("srv/own"), root.join("srv/twin")).unwrap();
    // The second host has the beginning of it.
    let shared_bytes = if number == 0 { SHARED_BYTES } else { SHARED_BYTES / 4 };
    fs::write(root.join("srv/shared"), text(8, shared_bytes)).unwrap();
    let sparse = fs::File::create(root.join("www/sparse")).unwrap();
    sparse.set_len(1 << 20).unwrap();
    sparse.write_all_at(b"back", 1 << 19).unwrap();
    for n in 0..4 {
        fs::write(root.join(format!("www/{n}")), text(n, 5_000)).unwrap();
    }
    fs::write(root.join("www/zz"), text(200 + number, 90_000)).unwrap();
}

/// Content that compresses well, so that the tests measure the engine and not the compressor.
fn text(number: u64, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 4096);
    let mut block = 0_u64;
    while bytes.len() < length {
        let mut noise = [0; 64];
        let mut hasher = blake3::Hasher::new();
        hasher.update(&number.to_le_bytes()).update(&block.to_le_bytes());
        hasher.finalize_xof().fill(&mut noise);
        bytes.extend(noise.iter().cycle().take(4096));
        block += 1;
    }
    bytes.truncate(length);
    bytes
}

/// What stands at `root` and beneath it, as seen under `folder`.
fn entries(folder: &Path, root: &Path) -> Vec<Entry> {
    let root = TreePath::new(root.as_os_str().as_bytes()).unwrap();
    let options = WalkOptions { folder: folder.to_owned(), ..WalkOptions::new(vec![root.clone()]) };
    let entry = |step| match step {
        Step::Entry(found) => found.entry,
        other => panic!("{other:?}"),
    };
    let found = Walk::new(options).unwrap().map(entry);
    found.filter(|entry| entry.path.is_within(&root) || entry.path == root).collect()
}

/// What a restore can bring back.
fn comparable(entry: &Entry) -> Entry {
    let mut entry = entry.clone();
    entry.metadata.ctime = FileTime::default();
    (entry.metadata.ino, entry.metadata.dev) = (0, 0);
    if entry.kind == Kind::Directory {
        // File systems count directories' links differently.
        entry.metadata.nlink = 0;
    }
    entry.metadata.flags = 0;
    entry
}

/// Which names are one file.
fn linked(entries: &[Entry]) -> Vec<Vec<String>> {
    let mut by_inode = std::collections::BTreeMap::<u64, Vec<String>>::new();
    for entry in entries.iter().filter(|e| e.kind != Kind::Directory && e.metadata.nlink > 1) {
        by_inode.entry(entry.metadata.ino).or_default().push(entry.path.to_string());
    }
    let mut groups: Vec<_> = by_inode.into_values().collect();
    groups.sort();
    groups
}
