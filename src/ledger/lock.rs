//! One writer at a time: `state/lock`.
//!
//! The lock is flock(2): the kernel releases it when the process dies, however it dies, so a file
//! that was left behind never blocks. Its content only says who holds it:
//! `{"pid":…,"host":"…","operator":"…","since":"…"}`.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use crate::model::Timestamp;
use crate::model::text::bounded;

/// Name of the file in the state folder.
pub const LOCK_NAME: &str = "lock";
/// More than any holder writes.
const HOLDER_BYTES_MAX: u64 = 4_096;

/// Whoever asks for the holder has the file for some microseconds: tried again so often …
const LOOKS_MAX: u32 = 5;
/// … and so long after.
const LOOK_PAUSE: Duration = Duration::from_millis(20);

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its process.
    pub pid: u32,
    /// On which machine.
    pub host: String,
    /// Who gave the command.
    pub operator: String,
    /// Since when.
    pub since: Timestamp,
}

/// Why the lock was not had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody has it. Its holder may not have written down yet who it is.
    #[error("{} is held{}", path.display(), .holder.as_ref().map(held_by).unwrap_or_default())]
    Held {
        /// Which file.
        path: PathBuf,
        /// Who has it.
        holder: Option<Holder>,
    },
    /// The file cannot be used.
    #[error("cannot lock {}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

fn held_by(holder: &Holder) -> String {
    let Holder { pid, host, operator, since } = holder;
    format!(" by process {pid} on {host} ({operator}) since {since}")
}

/// The right to write a site's state; ends when dropped.
#[derive(Debug)]
pub struct StateLock {
    file: File,
    path: PathBuf,
}

impl StateLock {
    /// Takes the lock of the state folder `dir`, or says who has it. Waits no longer than
    /// somebody who only asks for the [holder](Self::holder) may be in the way.
    pub fn acquire(dir: &Path, operator: &str, now: Timestamp) -> Result<Self, LockError> {
        let path = dir.join(LOCK_NAME);
        let fail = |source| LockError::Io { path: path.clone(), source };
        // Not truncated before it is ours: its content is the holder's.
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(fail)?;
        let mut looks = 0;
        while !try_lock(&file, FlockOperation::NonBlockingLockExclusive).map_err(fail)? {
            if looks == LOOKS_MAX {
                let holder = read_holder(&mut file);
                return Err(LockError::Held { path, holder });
            }
            looks += 1;
            std::thread::sleep(LOOK_PAUSE);
        }
        let holder = Holder {
            pid: std::process::id(),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            operator: bounded(operator, 80),
            since: now,
        };
        let text = serde_json::to_string(&holder).map_err(std::io::Error::other).map_err(fail)?;
        file.set_len(0).map_err(fail)?;
        file.write_all(text.as_bytes()).map_err(fail)?;
        Ok(Self { file, path })
    }

    /// Who holds the lock of the state folder `dir`, if anybody does: is a run going on?
    pub fn holder(dir: &Path) -> Result<Option<Holder>, LockError> {
        let path = dir.join(LOCK_NAME);
        let fail = |source| LockError::Io { path: path.clone(), source };
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(fail)?,
        };
        if try_lock(&file, FlockOperation::NonBlockingLockShared).map_err(fail)? {
            return Ok(None);
        }
        Ok(Some(read_holder(&mut file).unwrap_or_else(|| Holder {
            pid: 0,
            host: "unknown".into(),
            operator: "unknown".into(),
            since: Timestamp::from_second(0),
        })))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for StateLock {
    fn drop(&mut self) {
        // The name of the file stays: to remove it is to race with whoever opens it next.
        let _ = self.file.set_len(0);
    }
}

fn try_lock(file: &File, operation: FlockOperation) -> std::io::Result<bool> {
    match rustix::fs::flock(file, operation) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn read_holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.take(HOLDER_BYTES_MAX).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_second(1_900_000_000)
    }

    #[test]
    fn a_second_holder_is_told_who_the_first_is() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(StateLock::holder(dir.path()).unwrap(), None);
        let lock = StateLock::acquire(dir.path(), "jo", now()).unwrap();
        let second = StateLock::acquire(dir.path(), "kim", now());
        let Err(LockError::Held { holder: Some(holder), .. }) = second else {
            panic!("{second:?}");
        };
        assert_eq!((holder.pid, holder.operator.as_str()), (std::process::id(), "jo"));
        assert_eq!(StateLock::holder(dir.path()).unwrap(), Some(holder));
        drop(lock);
        assert_eq!(StateLock::holder(dir.path()).unwrap(), None);
        StateLock::acquire(dir.path(), "kim", now()).unwrap();
    }

    #[test]
    fn whoever_only_asks_is_in_nobodys_way() {
        let dir = tempfile::tempdir().unwrap();
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    StateLock::holder(dir.path()).unwrap();
                    std::thread::yield_now();
                }
            });
            let taken: Vec<_> = (0..50)
                .map(|_| StateLock::acquire(dir.path(), "jo", now()).map(drop).is_ok())
                .collect();
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            assert_eq!(taken, [true; 50]);
        });
    }

    #[test]
    fn a_file_left_behind_never_blocks() {
        let dir = tempfile::tempdir().unwrap();
        let left = r#"{"pid":1,"host":"gone","operator":"x","since":"2030-01-01T00:00:00Z"}"#;
        for text in [left.as_bytes(), b"\xff\xfe", &[b'x'; 9_000]] {
            std::fs::write(dir.path().join(LOCK_NAME), text).unwrap();
            assert_eq!(StateLock::holder(dir.path()).unwrap(), None);
            drop(StateLock::acquire(dir.path(), "jo", now()).unwrap());
        }
    }
}
