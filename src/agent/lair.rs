//! The agent's folder on a host: one for each site and host, found again, locked, removed.
//!
//! **Invariants.**
//! - One agent at a time holds the folder's lock. A session of a higher generation ends the holder;
//!   one of a lower generation is refused. A holder that was killed and hangs in the kernel, in a
//!   read that never comes back, does nothing any more: it keeps its lock, and the session takes a
//!   new one in its place.
//! - Only files that evac put there are removed, and the folder only if nothing else is in it.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process};

use crate::model::Generation;

/// Name of the lock inside the folder.
const LOCK: &str = "lock";
/// Name of the socket for lanes inside the folder.
pub(super) const SOCKET: &str = "lanes";
/// Name of the folder for the found machine's file systems; nothing of it is seen from outside.
pub(super) const DISKS: &str = "disks";
/// Name of the list of devices that were set read-only.
pub(super) const READ_ONLY: &str = "read-only";
/// How often, and how long apart, a holder is given the chance to go by itself.
const PATIENCE: (u32, Duration) = (50, Duration::from_millis(100));
/// From then on it is killed, and from then on one that hangs is left behind.
const KILLS: (u32, u32) = (20, 30);

/// The folder, held.
#[derive(Debug)]
pub struct Lair {
    folder: PathBuf,
    lock: File,
    left_behind: Option<Pid>,
}

/// Why the folder cannot be held.
#[derive(Debug, thiserror::Error)]
pub enum LairError {
    /// Something is wrong with the folder.
    #[error("cannot use the folder {folder}")]
    Io {
        /// Which.
        folder: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A newer session works here.
    #[error("a newer session (generation {0}) works on this host")]
    Newer(u64),
    /// The former agent does not end.
    #[error("the former agent (process {0}) does not end")]
    Stuck(i32),
}

impl Lair {
    /// Takes the folder over; ends an older agent that still holds it.
    pub fn enter(folder: &Path, generation: Generation) -> Result<Self, LairError> {
        let failed = |source| LairError::Io { folder: folder.to_owned(), source };
        let mut lock = open(folder).map_err(failed)?;
        let mut left_behind = None;
        for attempt in 0..PATIENCE.0 {
            if attempt >= KILLS.1
                && let Some((pid, holder)) = read_holder(&mut lock)
                && holder < generation
                && hangs(pid)
            {
                replace(&folder.join(LOCK), &lock).map_err(failed)?;
                left_behind = Some(pid);
                lock = open(folder).map_err(failed)?;
            }
            if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
                // A lock that somebody took the name from is worth nothing.
                if !is_at(&folder.join(LOCK), &lock).map_err(failed)? {
                    lock = open(folder).map_err(failed)?;
                    continue;
                }
                lock.set_len(0).map_err(failed)?;
                lock.rewind().map_err(failed)?;
                writeln!(lock, "{} {}", std::process::id(), generation.0).map_err(failed)?;
                return Ok(Self { folder: folder.to_owned(), lock, left_behind });
            }
            let Some((pid, holder)) = read_holder(&mut lock) else {
                std::thread::sleep(PATIENCE.1);
                continue;
            };
            if holder >= generation {
                return Err(LairError::Newer(holder.0));
            }
            let signal = if attempt < KILLS.0 { Signal::TERM } else { Signal::KILL };
            // It may have ended meanwhile; the next look tells.
            let _ = kill_process(pid, signal);
            std::thread::sleep(PATIENCE.1);
        }
        let pid = read_holder(&mut lock).map_or(0, |(pid, _)| pid.as_raw_nonzero().get());
        Err(LairError::Stuck(pid))
    }

    /// Device and inode, so that the folder is never captured.
    pub fn inode(&self) -> Option<(u64, u64)> {
        std::fs::metadata(&self.folder).ok().map(|meta| (meta.dev(), meta.ino()))
    }

    /// The former agent, if it hangs in the kernel and stays behind.
    pub fn left_behind(&self) -> Option<u32> {
        self.left_behind.map(|pid| pid.as_raw_nonzero().get().unsigned_abs())
    }

    /// Removes what evac put there. Names that evac does not know stay, and so does the folder
    /// then.
    pub fn leave(self) -> std::io::Result<()> {
        let running = std::env::current_exe().ok();
        for entry in std::fs::read_dir(&self.folder)?.flatten() {
            let path = entry.path();
            let name = entry.file_name();
            if name == DISKS {
                std::fs::remove_dir(path)?;
                continue;
            }
            let is_ours = name == LOCK
                || name == SOCKET
                || name == READ_ONLY
                || running.as_ref() == Some(&path)
                || name.to_str().is_some_and(|name| name.starts_with("evac-agent-"));
            if is_ours {
                std::fs::remove_file(path)?;
            }
        }
        drop(self.lock);
        std::fs::remove_dir(&self.folder)
    }
}

fn open(folder: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
        .open(folder.join(LOCK))
}

/// Takes the name of a lock away from whoever holds it, unless somebody did so before.
fn replace(path: &Path, held: &File) -> std::io::Result<()> {
    if is_at(path, held)? { std::fs::remove_file(path) } else { Ok(()) }
}

/// Is `path` the name of the file that is open?
fn is_at(path: &Path, open: &File) -> std::io::Result<bool> {
    let open = open.metadata()?;
    match std::fs::symlink_metadata(path) {
        Ok(there) => Ok((open.dev(), open.ino()) == (there.dev(), there.ino())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Is nothing left of a process but what waits in the kernel and cannot be ended?
fn hangs(pid: Pid) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero()));
    let states: Option<Vec<char>> =
        threads.ok().map(|all| all.flatten().filter_map(|it| state(&it.path())).collect());
    states
        .is_some_and(|all| all.contains(&'D') && all.iter().all(|it| ['D', 'Z', 'X'].contains(it)))
}

/// The state of a thread, as proc(5) has it.
fn state(thread: &Path) -> Option<char> {
    let text = std::fs::read_to_string(thread.join("stat")).ok()?;
    text.rsplit_once(')')?.1.trim_start().chars().next()
}

/// Process and generation of whoever holds the lock.
fn read_holder(lock: &mut File) -> Option<(Pid, Generation)> {
    let mut text = String::new();
    lock.rewind().ok()?;
    lock.take(64).read_to_string(&mut text).ok()?;
    let mut words = text.split_ascii_whitespace();
    let pid = Pid::from_raw(words.next()?.parse().ok()?)?;
    let generation = Generation(words.next()?.parse().ok()?);
    Some((pid, generation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lair_is_left_clean_but_strangers_files_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("evac-agent-1234"), b"x").unwrap();
        // One that was killed leaves it behind.
        drop(std::os::unix::net::UnixListener::bind(path.join(SOCKET)).unwrap());
        let lair = Lair::enter(&path, Generation(1)).unwrap();
        assert!(lair.inode().is_some());
        lair.leave().unwrap();
        assert!(!path.exists());

        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("diary"), b"x").unwrap();
        let lair = Lair::enter(&path, Generation(1)).unwrap();
        assert!(lair.leave().is_err());
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 1);
    }

    #[test]
    fn a_newer_session_ends_the_older_and_an_older_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        // A child holds the lock as an agent of generation 5 would.
        let lock = folder.path().join(LOCK);
        let mut child = std::process::Command::new("flock")
            .arg("--no-fork")
            .arg(&lock)
            .args(["sleep", "60"])
            .spawn()
            .unwrap();
        let probe = || {
            OpenOptions::new()
                .write(true)
                .open(&lock)
                .is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockExclusive).is_err())
        };
        while !probe() {
            std::thread::yield_now();
        }
        std::fs::write(&lock, format!("{} 5\n", child.id())).unwrap();
        let older = Lair::enter(folder.path(), Generation(4));
        assert!(matches!(older, Err(LairError::Newer(5))), "{older:?}");
        let newer = Lair::enter(folder.path(), Generation(6)).unwrap();
        assert!(!child.wait().unwrap().success());
        newer.leave().unwrap();
    }
}
