//! Several landing disks under a real run: they fill, come, go, and nothing is lost or taken twice.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Signal, geteuid};
use serde_json::{Value, json};

use crate::site::fleet::{Fleet, Running, Source, files_beneath, noise, received};
use crate::site::{Outcome, folder, tree};

/// Of one piece each.
const FILES: u64 = 640;
const FILE_BYTES: u64 = 64 << 10;
const ALL_BYTES: u64 = FILES * FILE_BYTES;

/// A file system in memory of its own, unmounted when dropped.
struct Mounted {
    path: PathBuf,
    /// Where it is now.
    at: PathBuf,
}

impl Mounted {
    fn new(fleet: &Fleet, name: &str, megabytes: u64) -> Self {
        let path = folder(&fleet.site.path(name)).to_owned();
        let size = format!("size={megabytes}m,mode=0700");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&path);
        Outcome::of(&mut mount).exits(0);
        Self { at: path.clone(), path }
    }

    fn packs(&self) -> usize {
        files_beneath(&self.path.join("packs")).len()
    }

    fn free_bytes(&self) -> u64 {
        let found = rustix::fs::statvfs(&self.path).unwrap();
        found.f_bavail * found.f_frsize
    }

    fn resize(&self, megabytes: u64) {
        let size = format!("remount,size={megabytes}m");
        Outcome::of(Command::new("mount").args(["-o", &size]).arg(&self.path)).exits(0);
    }

    /// Moves the mount: where it was, the folder is there and its disk is not.
    fn move_to(&mut self, to: &Path) {
        let mut mount = Command::new("mount");
        Outcome::of(mount.arg("--move").arg(&self.at).arg(folder(to))).exits(0);
        self.at = to.to_owned();
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: a process that is just being killed may hold it.
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}

fn may_mount() -> bool {
    if !geteuid().is_root() {
        eprintln!("skipped: mounting needs root");
    }
    geteuid().is_root()
}

/// One workload of 40 MB in files that do not shrink; the store's first disk is `a`.
fn fleet(disks: &str) -> Fleet {
    let fleet = Fleet::new(vec![Source { host: "one", id: "site", class: "web" }]);
    for file in 0..FILES {
        let path = fleet.tree("site").join(format!("{file:03}"));
        fs::write(path, noise(file, FILE_BYTES as usize)).unwrap();
    }
    let settings = fs::read_to_string(fleet.site.path("evac.toml")).unwrap();
    fleet.site.write("evac.toml", &format!("{settings}{disks}"));
    fleet
}

const DISK_A: &str = "[[store.disk]]\npath = \"a\"\nreserve = \"8MiB\"\n";

fn is(name: &'static str) -> impl Fn(&Value) -> bool {
    move |event| event["event"] == name
}

fn status(fleet: &Fleet) -> Value {
    fleet.evac(&["--json", "status"]).exits(0).json().remove(0)
}

/// Restored by evac and by the reader that is not evac, it is what it was.
fn check_restored(fleet: &Fleet, folders: &[&Path]) {
    let verified = fleet.evac(&["--json", "verify", "--deep"]).exits(0).json();
    assert_eq!(verified[0]["bad"], json!([]));
    let place = fleet.site.path("back");
    fleet.restore(&place, &["site"]).exits(0);
    assert_eq!(tree::differences(&fleet.tree("site"), &fleet.restored(&place, "site")), "");
    let by_script = fleet.site.path("unpacked");
    let mut unpack = Command::new("python3");
    unpack.arg(folders[0].join("unpack.py")).args(folders);
    unpack.args(["unpack", "site", "--to"]).arg(&by_script);
    Outcome::of(&mut unpack).exits(0);
    let source = fleet.tree("site");
    let unpacked = by_script.join(source.strip_prefix("/").unwrap());
    assert_eq!(tree::differences(&source, &unpacked), "");
}

#[test]
fn a_run_waits_for_space_and_goes_on_by_itself_when_a_disk_is_added() {
    if !may_mount() {
        return;
    }
    let fleet = fleet(DISK_A);
    let (a, b) = (Mounted::new(&fleet, "a", 32), Mounted::new(&fleet, "b", 48));
    let mut running = Running::start(&fleet);
    running.until(is("landing_full"));
    assert!(a.free_bytes() >= 8 << 20, "the reserve is kept: {}", a.free_bytes());
    let blocked = fleet.evac(&["--json", "next"]).exits(0).json().remove(0);
    assert_eq!(blocked["blocked"][0]["cause"], "landing-full", "{blocked}");
    assert_eq!(blocked["blocked"][0]["command"], "evac store add PATH");
    let same = fleet.evac(&["store", "add", "a/inner"]).exits(4).stderr();
    assert!(same.contains("on the same device"), "{same}");
    assert!(!a.path.join("inner").exists());
    let add = ["--as", "jo", "--json", "store", "add", "b", "--reserve", "1MiB"];
    let added = fleet.evac(&add).exits(0).json().remove(0);
    assert_eq!((&added["running"], &added["reserve"]), (&json!(true), &json!(1 << 20)));
    let (code, events) = running.end();
    assert_eq!(code, Some(0), "{:?}", events.last());
    let told: Vec<_> = ["landing_full", "disk_added", "landing_has_room"]
        .iter()
        .map(|name| events.iter().filter(|event| event["event"] == *name).count())
        .collect();
    assert_eq!(told, [1, 1, 1]);
    assert!(!events.iter().any(is("capture_stopped")), "no session had to end");
    let sent = received(&events);
    assert!((ALL_BYTES..ALL_BYTES + (2 << 20)).contains(&sent), "nothing was sent twice: {sent}");
    assert!(a.packs() > 0 && b.packs() > 0);
    // Only what describes content may have used some of the reserve.
    assert!(a.free_bytes() >= 7 << 20, "{}", a.free_bytes());
    check_restored(&fleet, &[&a.path, &b.path]);
    // Who comes later finds it, whatever evac.toml says.
    assert_eq!(fleet.evac(&["--json", "run"]).exits(0).json().last().unwrap()["captured"], 1);
}

#[test]
fn a_run_that_is_asked_to_end_while_it_waits_for_space_has_work_left() {
    if !may_mount() {
        return;
    }
    let fleet = fleet(DISK_A);
    let a = Mounted::new(&fleet, "a", 32);
    let mut running = Running::start(&fleet);
    running.until(is("landing_full"));
    for _ in 0..100 {
        if status(&fleet)["bottleneck"].as_str().is_some_and(|by| by.contains("store add")) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert!(status(&fleet)["bottleneck"].as_str().unwrap().contains("store add"));
    running.signal(Signal::INT);
    assert_eq!(running.end().0, Some(3));
    assert_eq!(status(&fleet)["customers"][0]["workloads"][0]["capture"]["state"], "partial");
    // Killed while it waits, nothing is half believed; somebody frees space, and it goes on.
    let mut running = Running::start(&fleet);
    running.until(is("landing_full"));
    let sent = received(&running.kill());
    assert!(sent < 4 << 20, "what is stored is not sent again: {sent}");
    fleet.evac(&["run", "--stop-when-full"]).exits(3);
    a.resize(80);
    let events = fleet.evac(&["--json", "run"]).exits(0).json();
    assert!(received(&events) < 24 << 20, "{}", received(&events));
    check_restored(&fleet, &[&a.path]);
}

#[test]
fn a_disk_that_is_not_mounted_is_named_and_nothing_is_taken_again() {
    if !may_mount() {
        return;
    }
    let disks = format!("{DISK_A}[[store.disk]]\npath = \"b\"\nreserve = \"1MiB\"\n");
    let fleet = fleet(&disks);
    let (a, mut b) = (Mounted::new(&fleet, "a", 36), Mounted::new(&fleet, "b", 64));
    fleet.evac(&["run"]).exits(0);
    assert!(a.packs() > 0 && b.packs() > 0);
    let aside = fleet.site.path("aside");
    b.move_to(&aside);
    a.resize(80);
    fs::write(fleet.tree("site").join("new"), noise(9_999, 1 << 20)).unwrap();
    let again = fleet.evac(&["--json", "run", "--again"]).exits(0);
    assert!(again.stderr().contains("b is not there"), "{}", again.stderr());
    assert!(received(&again.json()) < 2 << 20, "only what is new");
    assert_eq!(b.packs(), 0, "nothing is put into its empty folder");
    let verified = fleet.evac(&["--json", "verify"]).exits(1).json().remove(0);
    assert_eq!(verified["bad"][0]["kind"], "disk-away", "{verified}");
    assert_eq!(status(&fleet)["customers"][0]["workloads"][0]["capture"]["state"], "captured");
    let place = fleet.site.path("partly");
    let partly = fleet.restore(&place, &["site"]).stderr();
    assert!(partly.contains("not there"), "{partly}");
    b.move_to(&b.path.clone());
    check_restored(&fleet, &[&a.path, &b.path]);
}
