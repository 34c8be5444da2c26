//! The reader that is not evac: over frozen fixtures, and over stores that mean harm.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::manifests::{data, directory, end, file, pass_head, pass_name, path, segment_head};
use super::*;
use crate::capture::entry::{Entry, Kind, Metadata, Record};
use crate::chunk::checksum;
use crate::model::RunNumber;
use crate::store::segment;

const FORMATS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/formats");
const UNPACK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/store/unpack/unpack.py");

fn unpack(store: &Path, words: &[&str]) -> Output {
    let mut command = Command::new("python3");
    command.arg(UNPACK).arg(store).args(words).env("PYTHONDONTWRITEBYTECODE", "1");
    command.output().expect("python3 is needed by this test")
}

fn said(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    format!("{out}{err}")
}

/// A place for a store and for what is unpacked of it.
struct Place {
    folder: tempfile::TempDir,
    disk: Arc<dyn Disk>,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(LocalDisk::open(&folder.path().join("store")).unwrap());
        Self { folder, disk }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn unpack(&self, to: &str) -> Output {
        let to = self.path(to).to_str().unwrap().to_owned();
        unpack(&self.path("store"), &["unpack", "acme", "--to", &to])
    }

    fn write(&self, segments: &[Vec<u8>]) {
        create_pass(&*self.disk, &pass_head(&pass_name("acme"))).unwrap();
        let mut run = self.disk.create(&pass_name("acme").run_file(RunNumber(0))).unwrap();
        for bytes in segments {
            run.append(bytes).unwrap();
        }
        run.sync().unwrap();
    }
}

#[test]
fn a_frozen_store_unpacks_without_evac() {
    let place = Place::new();
    let [packs, manifests] = ["packs/acme", "manifests/acme/00000001"].map(|folder| {
        let folder = place.path("store").join(folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    });
    for (from, to) in [
        ("v1/pack", packs.join("11".repeat(16))),
        ("v1/head", manifests.join("head")),
        ("v1/run", manifests.join("run-00000")),
    ] {
        fs::copy(Path::new(FORMATS).join(from), to).unwrap();
    }
    // The pass was never sealed: that is said, and all there is of it comes out.
    let output = place.unpack("to");
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("4 entries written"), "{}", said(&output));
    assert!(said(&output).contains("is incomplete"), "{}", said(&output));
    let expected =
        [("a", b"evac, version 1\n".repeat(40)), ("b", noise(1, 600)), ("c", b"x".into())];
    for (name, content) in expected {
        assert_eq!(fs::read(place.path("to").join(name)).unwrap(), content, "{name}");
    }
    let again = place.unpack("to");
    assert_eq!(again.status.code(), Some(1), "what is there is never overwritten");
    assert!(said(&again).contains("is not empty"), "{}", said(&again));

    let later = place.path("store").join("manifests/acme/00000003");
    fs::create_dir(&later).unwrap();
    fs::copy(Path::new(FORMATS).join("v2/head"), later.join("head")).unwrap();
    fs::copy(Path::new(FORMATS).join("v1/aside"), later.join("aside")).unwrap();
    let listed = unpack(&place.path("store"), &["list"]);
    let text = said(&listed);
    assert!(text.contains("acme pass 1 of vps-014: incomplete"), "{text}");
    assert!(
        text.contains("acme pass 3 of vps-014: incomplete, builds on pass 2, set aside"),
        "{text}"
    );
}

fn node(text: &str, kind: Kind) -> Record {
    let metadata = Metadata { mode: 0o700, ..Metadata::default() };
    Record::Node(Entry { path: path(text), kind, metadata })
}

fn segment_of(number: u32, records: &[Record]) -> Vec<u8> {
    segment::encode(&segment_head(number, records), records).unwrap()
}

/// The segment with other bytes in its records, checksums and all.
fn forged(segment: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = |at: usize| u32::from_le_bytes(segment[at..at + 4].try_into().unwrap()) as usize;
    let (head, payload) = segment[segment::PREFIX_BYTES..].split_at(at(8));
    let mut raw = zstd::bulk::decompress(payload, at(16)).unwrap();
    let place = raw.windows(from.len()).position(|window| window == from).unwrap();
    raw[place..place + to.len()].copy_from_slice(to);
    let payload = zstd::bulk::compress(&raw, 3).unwrap();
    let mut bytes = segment[..24].to_vec();
    bytes[12..16].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&checksum(&[&payload]));
    let sum = checksum(&[&bytes, head]);
    [&bytes, &sum[..], head, &payload].concat()
}

#[test]
fn a_hostile_store_cannot_make_it_write_elsewhere() {
    let place = Place::new();
    let outside = place.path("outside");
    fs::create_dir(&outside).unwrap();
    let target = outside.to_str().unwrap().as_bytes().to_vec();
    let good = [directory("/"), file("/zz", 0), end(0)];
    let linked = [
        directory("/"),
        node("/link", Kind::Symlink { target }),
        node("/link/folder", Kind::Directory),
        file("/link/folder/file", 0),
        end(0),
    ];
    let dots = segment_of(1, &[file("/xx/xx/xx/xx/outside/evil", 0), end(0)]);
    place.write(&[
        segment_of(0, &linked),
        forged(&dots, b"/xx/xx/xx/xx/", b"/../../../../"),
        segment_of(2, &good[1..]),
    ]);
    let output = place.unpack("to");
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("a path that is none"), "{}", said(&output));
    assert!(said(&output).contains("problem: /link/folder"), "{}", said(&output));
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    assert!(place.path("to/zz").is_file(), "the rest comes out");
}

#[test]
fn content_that_is_nowhere_leaves_a_hole_that_is_listed() {
    let place = Place::new();
    place.write(&[segment_of(
        0,
        &[
            directory("/"),
            file("/a", 5),
            data(0, ChunkId([9; 32]), 5),
            end(5),
            file("/b", 0),
            end(0),
        ],
    )]);
    let output = place.unpack("to");
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("problem: /a: 5 bytes at 0 are missing"), "{}", said(&output));
    assert_eq!(fs::read(place.path("to/a")).unwrap(), [0; 5]);
    assert!(place.path("to/b").is_file());
}
