//! What was captured comes out of the store without evac, by packs, manifests, Python and zstd; and
//! out of an archive by the real tar.

use std::fs;
use std::process::{Command, Output};

use super::delta::{again, captured, read_later};
use super::*;
use crate::capture::sample_tree::{self, Scratch};
use crate::restore::TarWriter;
use crate::store::{Disk, LocalDisk, keep_unpacker};

const HOST: &str = HOSTS[0];

/// Lets a folder be removed that has something immutable in it.
struct Thaw(PathBuf);

impl Drop for Thaw {
    fn drop(&mut self) {
        let _ = Command::new("chattr").args(["-R", "-f", "-i", "-a"]).arg(&self.0).status();
    }
}

/// The store of a landing site as a folder, beside its keys.
fn store_of(landing: &Landing) -> PathBuf {
    let root = landing.state().join("store");
    let _ = fs::remove_dir_all(&root);
    let disk = LocalDisk::open(&root).unwrap();
    for file in landing.disk.list("").unwrap() {
        let bytes = landing.disk.read(&file.name, 0, file.length as usize).unwrap();
        let path = root.join(&file.name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    keep_unpacker(&disk).unwrap();
    root
}

fn unpack(store: &Path, to: &Path, pass: &str) -> Output {
    let mut command = Command::new("python3");
    command.arg(store.join("unpack.py")).arg(store).args(["unpack", workload(HOST).as_str()]);
    command.arg("--to").arg(to).args(["--pass", pass]);
    command.output().expect("python3 is needed by this test")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// By the lab's script, which shares no code with evac.
fn differences(source: &Path, copy: &Path, without: &[&str]) -> String {
    let same = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/lab/same");
    let output =
        Command::new("python3").arg(same).arg(source).arg(copy).args(without).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.success(), text.is_empty(), "{text}");
    text.into_owned()
}

#[test]
fn every_pass_unpacks_as_its_source_was_and_a_damaged_pack_is_named() {
    let sources = Sources::new();
    let _thaw = Thaw(sources.path(HOST));
    let odd = sources.path(HOST).join("odd");
    fs::create_dir(&odd).unwrap();
    sample_tree::build(&odd);
    let landing = captured(&sources);
    let before = Scratch::new();
    let live = sources.path(HOST).join("live");
    let copied = Command::new("cp").arg("-a").arg(&live).arg(before.path().join("live")).status();
    assert!(copied.unwrap().success());
    sources.evolve(HOST, true);
    let ran = landing.run_what(Agents::default(), unwatched(), again);
    assert!(ran.is_whole(), "{:?} {:?}", ran.end, ran.events);
    read_later(&landing);

    let store = store_of(&landing);
    let (first, second) = (Scratch::new(), Scratch::new());
    for (to, pass) in [(&first, "1"), (&second, "2")] {
        let output = unpack(&store, &to.path(), pass);
        assert_eq!(output.status.code(), Some(0), "pass {pass}: {}", said(&output));
    }
    let now = second.path().join(sources.path(HOST).strip_prefix("/").unwrap());
    assert_eq!(differences(&sources.path(HOST), &now, &[]), "");
    let then = first.path().join(live.strip_prefix("/").unwrap());
    assert_eq!(differences(&before.path().join("live"), &then, &[]), "");
    archived(&landing, &sources, &odd);
    damaged(&store);
}

/// The newest pass as an archive, unpacked by tar.
fn archived(landing: &Landing, sources: &Sources, odd: &Path) {
    let place = Scratch::new();
    let (store, _) = landing.open().unwrap();
    let name = PassName { workload: workload(HOST), pass: PassNumber(2) };
    let pass = Pass::open(store.disk(), &name).unwrap();
    let frames = FrameCache::new(store.clone(), 1 << 20);
    let file = place.path().join("archive.tar");
    let mut archive = TarWriter::new(std::io::BufWriter::new(fs::File::create(&file).unwrap()));
    let report = archive.add(&frames, &pass, &Selection::default(), "below").unwrap();
    archive.finish().unwrap();
    assert_eq!(report.problems, []);
    let left_out = |what: &str| report.left_out.iter().filter(|(_, w)| w.contains(what)).count();
    assert_eq!(left_out("socket"), 1, "{:?}", report.left_out);
    // Python reads it too, and as many members.
    let count = "import sys, tarfile; print(len(tarfile.open(sys.argv[1]).getmembers()))";
    let counted = sample_tree::tool("python3", &["-c".as_ref(), count.as_ref(), file.as_ref()]);
    assert_eq!(counted.trim(), report.entries.to_string());

    // The real tar takes no paths beyond PATH_MAX.
    let deep = "d".repeat(200);
    let mut tar = Command::new("tar");
    // Times before 1970 and after today are meant.
    tar.args([
        "--warning=no-timestamp",
        "--xattrs",
        "--xattrs-include=*",
        "--acls",
        "--numeric-owner",
        "-xpf",
    ])
    .arg(&file);
    tar.arg(format!("--exclude=*{deep}*")).arg("-C").arg(place.path());
    let output = tar.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(said(&output), "");
    let removed = Command::new("rm").arg("-rf").arg(odd.join(deep)).status().unwrap();
    assert!(removed.success());
    sample_tree::set_time(odd, 1_234_567_890, 123_456_789);
    let source = sources.path(HOST);
    let copy = place.path().join("below").join(source.strip_prefix("/").unwrap());
    assert_eq!(differences(&source, &copy, &["--without", "sockets,flags"]), "");
}

/// Every beginning of a frame in the largest pack is spoilt.
fn damaged(store: &Path) {
    let packs = store.join("packs").join(workload(HOST).as_str());
    let largest = fs::read_dir(packs).unwrap().map(|entry| entry.unwrap().path());
    let largest = largest.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    let mut bytes = fs::read(&largest).unwrap();
    while let Some(at) = bytes.windows(4).position(|window| window == b"EVfr") {
        bytes[at..at + 4].fill(0);
    }
    fs::write(&largest, bytes).unwrap();
    let to = Scratch::new();
    let output = unpack(store, &to.path(), "2");
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let pack = format!("problem: {}: damaged at", largest.display());
    assert!(said(&output).contains(&pack), "{pack} not in {}", said(&output));
    assert!(said(&output).contains("are missing, zeros stand there"), "{}", said(&output));
}
