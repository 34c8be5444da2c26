//! A tree with everything in it that file systems allow and backup tools get wrong; for tests.
//!
//! **Invariant.** What only root may make is left out, with a printed reason, for anybody else.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Timespec, Timestamps};

/// A temporary directory that is removed even if something in it is immutable.
pub struct Scratch(tempfile::TempDir);

impl Scratch {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> PathBuf {
        self.0.path().canonicalize().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = Command::new("chattr").args(["-R", "-f", "-i", "-a"]).arg(self.0.path()).status();
    }
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Runs a tool that a test needs; a missing one is a failure that names it.
pub fn tool(name: &str, arguments: &[&OsStr]) -> String {
    let output = Command::new(name).args(arguments).output().unwrap_or_else(|error| {
        panic!("{name} is needed by this test: {error}");
    });
    assert!(output.status.success(), "{name} {arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn set(name: &str, options: &[&str], path: &Path) {
    let mut arguments: Vec<&OsStr> = options.iter().map(OsStr::new).collect();
    arguments.push(path.as_os_str());
    tool(name, &arguments);
}

/// Sets both times of `path` itself.
pub fn set_time(path: &Path, seconds: i64, nanoseconds: u32) {
    let time = Timespec { tv_sec: seconds, tv_nsec: i64::from(nanoseconds) };
    let times = Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

/// Fills `dir`, which exists and is empty.
pub fn build(dir: &Path) {
    files(dir);
    links(dir);
    deep(dir);
    let listener = UnixListener::bind(dir.join("socket")).unwrap();
    drop(listener);
    rustix::fs::mknodat(CWD, dir.join("fifo"), FileType::Fifo, Mode::from(0o640), 0).unwrap();
    fs::create_dir(dir.join("empty")).unwrap();
    attributes(dir);
    if is_root() {
        privileged(dir);
    } else {
        eprintln!("skipped: devices, owners, capabilities, flags need root");
    }
    locked(dir);
    set_time(&dir.join("empty"), -86_400 * 365 * 20, 1);
    set_time(&dir.join("links"), 1_000_000_000, 999_999_999);
    set_time(dir, 1_234_567_890, 123_456_789);
}

fn files(dir: &Path) {
    let names = dir.join("names");
    fs::create_dir(&names).unwrap();
    let long = [b'n'; 255];
    let odd: [&[u8]; 7] = [b"caf\xe9", b"line\nfeed", b"\x01\x1b[31m", b" ", b"-rf", b"a.b", &long];
    for name in odd {
        fs::write(names.join(OsStr::from_bytes(name)), name).unwrap();
    }
    fs::create_dir(names.join("a")).unwrap();
    fs::write(names.join("a/z"), "z").unwrap();
    fs::write(names.join("a-"), "").unwrap();

    let sparse = File::create(dir.join("sparse")).unwrap();
    sparse.set_len(1 << 40).unwrap();
    sparse.write_all_at(b"begin", 0).unwrap();
    sparse.write_all_at(&vec![7; 100_000], 1 << 39).unwrap();
    fs::write(dir.join("big"), (0..3_000_000_u32).map(|n| (n / 7) as u8).collect::<Vec<_>>())
        .unwrap();
    for (name, seconds, nanoseconds) in
        [("before-1970", -1, 1), ("after-2038", 4_102_444_800, 999_999_999)]
    {
        fs::write(dir.join(name), name).unwrap();
        set_time(&dir.join(name), seconds, nanoseconds);
    }
    fs::write(dir.join("setuid"), "#!").unwrap();
    fs::set_permissions(dir.join("setuid"), fs::Permissions::from_mode(0o6755)).unwrap();
}

fn links(dir: &Path) {
    let links = dir.join("links");
    fs::create_dir(&links).unwrap();
    fs::write(links.join("b-first"), "hard").unwrap();
    fs::hard_link(links.join("b-first"), links.join("c-second")).unwrap();
    fs::hard_link(links.join("b-first"), links.join("a-early")).unwrap();
    symlink("nowhere", links.join("dangling")).unwrap();
    symlink("loop", links.join("loop")).unwrap();
    symlink("/etc/passwd", links.join("absolute")).unwrap();
    symlink("../..", links.join("up")).unwrap();
    symlink("t".repeat(4_000), links.join("long")).unwrap();
    fs::hard_link(links.join("dangling"), links.join("dangling-too")).unwrap();
    set_time(&links.join("dangling"), 1_500_000_000, 5);
}

/// A path beyond `PATH_MAX`, made name by name.
fn deep(dir: &Path) {
    let name = "d".repeat(200);
    let mut at = open_directory(dir);
    for _ in 0..30 {
        rustix::fs::mkdirat(&at, &name, Mode::from(0o755)).unwrap();
        at = rustix::fs::openat(&at, &name, OFlags::DIRECTORY, Mode::empty()).unwrap();
    }
    let flags = OFlags::CREATE | OFlags::WRONLY;
    let file = rustix::fs::openat(&at, "bottom", flags, Mode::from(0o600)).unwrap();
    File::from(file).write_all_at(b"far down", 0).unwrap();
    rustix::fs::symlinkat("bottom", &at, "link").unwrap();
    rustix::fs::linkat(&at, "bottom", &at, "twin", AtFlags::empty()).unwrap();
}

fn open_directory(dir: &Path) -> OwnedFd {
    rustix::fs::openat(CWD, dir, OFlags::DIRECTORY, Mode::empty()).unwrap()
}

fn attributes(dir: &Path) {
    let acl = dir.join("acl");
    fs::create_dir(&acl).unwrap();
    fs::write(acl.join("file"), "acl").unwrap();
    set("setfacl", &["-m", "u:1234:rwx,g:4321:r,m::r"], &acl.join("file"));
    set("setfacl", &["-m", "u:1234:rx"], &acl);
    // What is made in there later inherits; what stands there already does not.
    set("setfacl", &["-d", "-m", "u:77:rwx"], &acl);
    fs::write(acl.join("inherits"), "").unwrap();
    fs::create_dir(acl.join("inherits-too")).unwrap();
    fs::write(acl.join("plain"), "").unwrap();
    set("setfacl", &["-b"], &acl.join("plain"));
    set("setfattr", &["-n", "user.note", "-v", "0s/wAB"], &acl.join("file"));
    set("setfattr", &["-n", "user.empty"], &acl);
}

fn privileged(dir: &Path) {
    set("setcap", &["cap_net_raw+ep"], &dir.join("setuid"));
    set("setfattr", &["-n", "trusted.note", "-v", "t"], &dir.join("big"));
    set("setfattr", &["-h", "-n", "trusted.link", "-v", "l"], &dir.join("links/absolute"));
    set("setfattr", &["-n", "security.evac", "-v", "s"], &dir.join("fifo"));
    for (name, kind, device) in [
        ("char", FileType::CharacterDevice, rustix::fs::makedev(1, 3)),
        ("block", FileType::BlockDevice, rustix::fs::makedev(259, 70_000)),
    ] {
        rustix::fs::mknodat(CWD, dir.join(name), kind, Mode::from(0o604), device).unwrap();
        set("setfattr", &["-n", "trusted.device", "-v", "d"], &dir.join(name));
    }
    fs::write(dir.join("owned"), "").unwrap();
    for name in ["owned", "fifo", "socket", "links/loop"] {
        std::os::unix::fs::lchown(dir.join(name), Some(4_294_967_294), Some(65_534)).unwrap();
    }
    flagged(dir);
}

/// Immutable and append-only; `tmpfs` and others have no such flags.
fn flagged(dir: &Path) {
    let flags = dir.join("flags");
    fs::create_dir_all(flags.join("frozen")).unwrap();
    fs::write(flags.join("frozen/inside"), "i").unwrap();
    fs::write(flags.join("a-linked"), "l").unwrap();
    fs::hard_link(flags.join("a-linked"), flags.join("z-linked")).unwrap();
    fs::write(flags.join("log"), "l").unwrap();
    fs::write(flags.join("nodump"), "n").unwrap();
    let can = Command::new("chattr").arg("+d").arg(flags.join("nodump")).output().unwrap();
    if can.status.success() {
        set("chattr", &["+i"], &flags.join("a-linked"));
        set("chattr", &["+a"], &flags.join("log"));
        set("chattr", &["+A"], &flags.join("frozen/inside"));
        set("chattr", &["+i"], &flags.join("frozen"));
    }
}

fn locked(dir: &Path) {
    fs::create_dir(dir.join("locked")).unwrap();
    fs::write(dir.join("locked/inside"), "in").unwrap();
    fs::write(dir.join("secret"), "s").unwrap();
    if is_root() {
        for name in ["locked", "secret"] {
            fs::set_permissions(dir.join(name), fs::Permissions::from_mode(0o0)).unwrap();
        }
    }
}
