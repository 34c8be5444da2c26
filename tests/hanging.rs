//! A disk on which some reads never come back, not even for kill -9: files are left behind, said
//! so, and everything else is captured meanwhile.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::geteuid;
use serde_json::Value;

use crate::site::fleet::{Fleet, Running, Source, files_beneath};

/// The file system of `dead_disk.py`, mounted.
struct DeadDisk {
    server: Child,
    folder: PathBuf,
}

impl DeadDisk {
    /// `unanswered`: names that nobody gets an answer for who looks at them.
    fn mount(folder: &Path, unanswered: &[&str]) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/site/dead_disk.py");
        let mut command = Command::new("python3");
        command.arg(script).arg(folder).args(unanswered).stdout(Stdio::piped());
        let mut server = command.spawn().unwrap();
        let mut said = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "mounted\n");
        Self { server, folder: folder.to_owned() }
    }
}

impl Drop for DeadDisk {
    fn drop(&mut self) {
        // Whoever hangs in a read gets an error when nobody serves it any more.
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = Command::new("umount").arg("--lazy").arg(&self.folder).status();
    }
}

/// A host with the dead disk as `a`, another disk as `b` on the host `other`; nothing where nobody
/// can mount it.
fn dying(other: &'static str, unanswered: &[&str]) -> Option<(Fleet, DeadDisk)> {
    if !geteuid().is_root() || !Path::new("/dev/fuse").exists() {
        eprintln!("NOT TESTED: reads that hang: only root mounts a file system, by /dev/fuse");
        return None;
    }
    let fleet = Fleet::new(vec![
        Source { host: "one", id: "a", class: "web" },
        Source { host: other, id: "b", class: "bulk" },
    ]);
    let settings = fs::read_to_string(fleet.site.path("evac.toml")).unwrap();
    fleet.site.write("evac.toml", &format!("{settings}\n[limits]\npatience = \"1s\"\n"));
    fs::write(fleet.tree("b").join("well"), "on another disk").unwrap();
    let disk = DeadDisk::mount(&fleet.tree("a"), unanswered);
    Some((fleet, disk))
}

#[test]
fn a_walk_that_hangs_fails_its_workload_and_no_other_of_its_host() {
    let Some((fleet, _disk)) = dying("one", &["aa-unanswered"]) else { return };
    // The landing site dies while the walk hangs: nobody can end that agent any more.
    let mut running = Running::start(&fleet);
    running.until(|event| event["event"] == "capture_started");
    std::thread::sleep(std::time::Duration::from_millis(300));
    running.kill();
    let events = fleet.evac(&["--json", "run"]).exits(1).json();
    let report = events.last().unwrap();
    assert_eq!((&report["captured"], &report["failed"]), (&1.into(), &1.into()), "{report}");
    let is_told = |event: &Value| {
        let text = event["text"].as_str().unwrap_or_default();
        event["what"] == "host/one" && text.contains("was killed and left behind")
    };
    assert_eq!(events.iter().filter(|event| is_told(event)).count(), 1, "{events:?}");
    let failed = events.iter().find(|event| event["event"] == "capture_failed").unwrap();
    assert_eq!((&failed["workload"], &failed["reason"]), (&"a".into(), &"source-error".into()));
    let detail = failed["detail"].as_str().unwrap();
    assert!(detail.contains("gave nothing for 1 s after"), "{detail}");
    let place = fleet.site.path("restored");
    fleet.restore(&place, &["b"]).exits(0);
    assert_eq!(fs::read(fleet.restored(&place, "b").join("well")).unwrap(), b"on another disk");
}

#[test]
fn reads_that_hang_are_left_behind_and_all_else_is_captured() {
    let Some((fleet, disk)) = dying("one", &[]) else { return };
    let events = fleet.evac(&["--json", "run"]).exits(0).json();

    let report = events.last().unwrap();
    assert_eq!((&report["captured"], &report["failed"]), (&2.into(), &0.into()), "{report}");
    let mut left: Vec<_> = events.iter().filter(|event| event["event"] == "left_out").collect();
    left.sort_by_key(|event| event["path"].to_string());
    let hangs = ["c-small-hangs", "d-large-hangs", "f-large-hangs-at-once"];
    let names = left.iter().map(|event| event["path"].as_str().unwrap());
    let names: Vec<_> = names.map(|path| path.rsplit('/').next().unwrap()).collect();
    assert!(hangs.iter().all(|name| names.contains(name)), "{names:?}");
    assert!(names.iter().all(|name| hangs.contains(name)), "{names:?}");
    let why = left[0]["why"].as_str().unwrap();
    assert!(why.contains("its disk gave nothing for 1 s"), "{why}");

    let place = fleet.site.path("restored");
    fleet.restore(&place, &[]).exits(0);
    let restored = fleet.restored(&place, "a");
    for file in files_beneath(&restored) {
        let name = file.strip_prefix(&restored).unwrap();
        let source = disk.folder.join(name);
        let is_cut = name.to_str() == Some("d-large-hangs");
        assert!(is_cut || fs::read(&file).unwrap() == fs::read(source).unwrap(), "{name:?}");
    }
    for name in ["a-small", "b-large", "e-small", "g-small"] {
        assert!(restored.join(name).is_file(), "{name}");
    }
    assert_eq!(fs::read(fleet.restored(&place, "b").join("well")).unwrap(), b"on another disk");
}
