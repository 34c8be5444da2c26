//! Where an agent in a rescue system has the machine's file systems: mounted for itself alone, and
//! never written to.
//!
//! **Promises.**
//! - Mounts are made in a mount namespace of the agent's own: however it ends, none stays.
//! - A device is set read-only in the kernel before it is mounted or made a part of something, and
//!   not used where that fails. `ro` alone is not enough: ext4 mounted `ro,noload` still clears its
//!   list of orphaned inodes on a device that may be written to (`ext4_orphan_cleanup`).
//! - No journal is replayed.
//! - What evac set read-only can be written to again when the agent has gone, so that the machine
//!   can be mended from the same rescue system; the list of it outlives a killed agent. A device
//!   that is still in use then stays read-only, until that system is started anew.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount,
};
use rustix::thread::UnshareFlags;

use crate::agent::lair::{DISKS, READ_ONLY};
use crate::agent::rescue::devices::{Device, in_the_way};
use crate::agent::rescue::superblock::Kind;
use crate::model::text::bounded;

/// Where programs may be, whatever the login says.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// How often, and how long apart, a file system that is still in use is asked to go.
const PATIENCE: (u32, Duration) = (20, Duration::from_millis(50));
/// Longest word of a program that is repeated.
const SAID_CHARS_MAX: usize = 300;

/// The place, and what has to be undone.
#[derive(Debug)]
pub struct Hideout {
    folder: PathBuf,
    list: PathBuf,
    fault: Option<String>,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    mounted: Vec<PathBuf>,
    /// Commands that undo what was assembled.
    assembled: Vec<Vec<String>>,
}

impl Hideout {
    /// Leaves the mount namespace of the rescue system; before the first thread, for a thread keeps
    /// the one that it began in. A failure is kept for [`Self::fault`].
    pub fn enter(home: &Path) -> Self {
        let (folder, list) = (home.join(DISKS), home.join(READ_ONLY));
        let fault = open(&folder).err();
        Self { folder, list, fault, held: Mutex::default() }
    }

    /// Why nothing can be mounted for the agent alone.
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new folder for a file system.
    pub fn place(&self, name: &str) -> Result<PathBuf, String> {
        let place = self.folder.join(name);
        match fs::create_dir(&place) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                Err(format!("cannot make a mount point: {error}"))
            }
            _ => Ok(place),
        }
    }

    /// Makes the kernel refuse writes to `device`.
    pub fn protect(&self, device: &Device) -> Result<(), String> {
        if is_read_only(&device.name) {
            return Ok(());
        }
        if let Some(why) = in_the_way(device) {
            return Err(why);
        }
        self.note(&device.name).map_err(|error| format!("cannot keep a note of it: {error}"))?;
        let path = device.path();
        let said = run("blockdev", ["--setro".as_ref(), path.as_os_str()]);
        match said {
            Ok(_) if is_read_only(&device.name) => Ok(()),
            Ok(_) => Err("blockdev does not make it read-only".to_owned()),
            Err(why) => Err(format!("it cannot be made read-only: {why}")),
        }
    }

    /// One line for each device that was set read-only, durable enough for a killed agent.
    fn note(&self, name: &str) -> std::io::Result<()> {
        let mut list = fs::File::options().append(true).create(true).open(&self.list)?;
        writeln!(list, "{name}")
    }

    /// Mounts `device` at `place`; what `more` says is added. Tells the options.
    pub fn mount(&self, device: &Device, more: &str, place: &Path) -> Result<String, String> {
        let kind = device.own().map(|own| own.kind).ok_or("nothing is known to be on it")?;
        self.protect(device)?;
        let (mut last, named) = (String::new(), lasting(place));
        for options in options(kind) {
            let options = [options, more].into_iter().filter(|part| !part.is_empty());
            let options = options.collect::<Vec<_>>().join(",");
            match mount_read_only(&device.path(), place, driver(kind), &options) {
                Ok(()) => {
                    self.held().mounted.push(named);
                    return Ok(if options.is_empty() {
                        "ro".into()
                    } else {
                        format!("ro,{options}")
                    });
                }
                Err(error) => last = said_of_mount(kind, error),
            }
        }
        Err(last)
    }

    /// Shows the directory `from` at `place` once more.
    pub fn bind(&self, from: &Path, place: &Path) -> Result<(), String> {
        let failed = |error: rustix::io::Errno| format!("it cannot be mounted: {error}");
        let named = lasting(place);
        rustix::mount::mount_bind(from, place).map_err(failed)?;
        self.held().mounted.push(named);
        Ok(())
    }

    /// An empty file system in memory: what would be there is lost.
    pub fn cover(&self, place: &Path) -> Result<(), String> {
        let failed = |error: rustix::io::Errno| format!("it cannot be mounted: {error}");
        let named = lasting(place);
        mount("lost", place, "tmpfs", MountFlags::RDONLY, Some(c"size=4k")).map_err(failed)?;
        self.held().mounted.push(named);
        Ok(())
    }

    /// Takes one file system away again.
    pub fn unmount(&self, place: &Path) {
        if unmount(place, UnmountFlags::empty()).is_ok() {
            self.held().mounted.retain(|mounted| mounted != place);
        }
    }

    /// This undoes something that was assembled.
    pub fn undo_by(&self, command: &[&str]) {
        self.held().assembled.push(command.iter().map(ToString::to_string).collect());
    }

    /// Leaves everything as it was found, as far as nothing is in use any more.
    pub fn leave(&self) {
        let held = std::mem::take(&mut *self.held());
        for place in held.mounted.iter().rev() {
            for _ in 0..PATIENCE.0 {
                match unmount(place, UnmountFlags::empty()) {
                    Err(rustix::io::Errno::BUSY) => std::thread::sleep(PATIENCE.1),
                    _ => break,
                }
            }
        }
        let is_free = unmount(&self.folder, UnmountFlags::empty()).is_ok();
        if is_free {
            for command in held.assembled.iter().rev() {
                // An array that somebody else uses by now stays.
                let _ = run(&command[0], &command[1..]);
            }
            for name in fs::read_to_string(&self.list).unwrap_or_default().lines() {
                let _ = run("blockdev", ["--setrw", &format!("/dev/{}", name.replace('!', "/"))]);
            }
        } else {
            let _ = unmount(&self.folder, UnmountFlags::DETACH);
        }
    }
}

/// A namespace of our own, and an empty file system in it for mount points.
fn open(folder: &Path) -> Result<(), String> {
    let failed = |what: &str, error: rustix::io::Errno| {
        let as_root = if rustix::process::geteuid().is_root() { "" } else { " (not as root)" };
        format!("cannot {what}{as_root}: {error}")
    };
    // It is called unsafe for the sake of descriptor tables, which stay as they are.
    #[expect(deprecated, reason = "the replacement is unsafe for flags that are not used here")]
    rustix::thread::unshare(UnshareFlags::NEWNS)
        .map_err(|error| failed("get a mount namespace", error))?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).map_err(|error| failed("make mounts private", error))?;
    match fs::create_dir(folder) {
        // A killed agent leaves it behind, empty.
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(format!("cannot make a folder for mounts: {error}"));
        }
        _ => {}
    }
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("evac", folder, "tmpfs", flags, Some(c"mode=0700,size=1m"))
        .map_err(|error| failed("mount a file system in memory", error))
}

/// Ways to mount without a replay, the newest kernels' first; ext4's driver takes all three.
fn options(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Ext2 | Kind::Ext3 | Kind::Ext4 => &["noload"],
        Kind::Xfs => &["norecovery,nouuid"],
        Kind::Btrfs => &["rescue=nologreplay", "nologreplay", "norecovery"],
        _ => &[""],
    }
}

fn driver(kind: Kind) -> &'static str {
    match kind {
        Kind::Ext2 | Kind::Ext3 => "ext4",
        kind => kind.word(),
    }
}

fn mount_read_only(
    device: &Path,
    place: &Path,
    fs_type: &str,
    options: &str,
) -> Result<(), rustix::io::Errno> {
    let flags = MountFlags::RDONLY
        | MountFlags::NOSUID
        | MountFlags::NODEV
        | MountFlags::NOEXEC
        | MountFlags::NOATIME;
    let options = std::ffi::CString::new(options).map_err(|_| rustix::io::Errno::INVAL)?;
    mount(device, place, fs_type, flags, Some(options.as_c_str()))
}

fn said_of_mount(kind: Kind, error: rustix::io::Errno) -> String {
    let word = kind.word();
    match error {
        rustix::io::Errno::NODEV => {
            format!("the rescue system's kernel has no {word}; start one that has")
        }
        rustix::io::Errno::BUSY => "it is in use over there".to_owned(),
        error => format!("it cannot be mounted ({word}): {error}; the last lines of dmesg say why"),
    }
}

/// The path of a place that may be given by a descriptor, which is closed before it is left.
fn lasting(place: &Path) -> PathBuf {
    fs::canonicalize(place).unwrap_or_else(|_| place.to_owned())
}

fn is_read_only(name: &str) -> bool {
    let read = fs::read_to_string(format!("/sys/class/block/{name}/ro"));
    read.is_ok_and(|text| text.trim() == "1")
}

/// Runs a program of the rescue system; what it said, or why that is nothing.
pub fn run<S: AsRef<std::ffi::OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = S>,
) -> Result<String, String> {
    let mut command = Command::new(program);
    command.args(arguments).env("PATH", PATH).env("LC_ALL", "C").stdin(std::process::Stdio::null());
    match command.output() {
        Ok(output) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = bounded(said.trim().replace('\n', "; ").as_str(), SAID_CHARS_MAX);
            Err(format!("{program}: {}: {said}", output.status))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(format!("`{program}` is missing there"))
        }
        Err(error) => Err(format!("{program}: {error}")),
    }
}
