//! Reading what is in a file: where its data lies, the data, and whether it held still meanwhile.
//!
//! **Invariants.** Only the regular file that was listed is read (same device and inode, checked on
//! the open file); a pipe or device that took its place neither blocks nor is read. Holes are never
//! read, but for those of a small file that has blocks for all its bytes. A file is `Steady` only
//! if size, mtime and ctime after reading are those of its listing.
//! The page cache is left as it was, as far as that can be told (see [`cache`]).

mod cache;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{self, FileType, OFlags, SeekFrom};
use rustix::io::Errno;

use self::cache::Cache;
use super::entry::{Content, Entry, FileTime, Kind};
use super::{Beneath, metadata};
use crate::model::TreePath;

/// In a longer file what was set aside and never written is worth looking for.
const DENSE_BYTES_MAX: u64 = 1 << 20;

/// Why a listed file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It was listed and is gone: counted, not an error.
    #[error("`{path}` vanished")]
    Vanished {
        /// Which.
        path: TreePath,
    },
    /// Something else stands there now: the sweep looks again.
    #[error("`{path}` was replaced by something else")]
    Replaced {
        /// Which.
        path: TreePath,
    },
    /// The system refuses it.
    #[error("cannot read `{path}`")]
    Unreadable {
        /// Which.
        path: TreePath,
        /// What it said.
        #[source]
        source: std::io::Error,
    },
}

/// What reading has cost so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadCounters {
    /// Files opened to read their content.
    pub opened_files: u64,
    /// Bytes read of them.
    pub read_bytes: u64,
    /// Files whose access time may have moved: the system refused `O_NOATIME`.
    pub touched_files: u64,
}

/// A file being read.
#[derive(Debug)]
pub struct Reading {
    file: File,
    listed: Listed,
    cache: Cache,
    /// What is read ends here: the size at opening, or less where reading met the end or a fault.
    end: u64,
    /// It is small and has all its blocks: nobody need be asked where its holes are.
    is_dense: bool,
    counters: ReadCounters,
    progress: Option<Arc<AtomicU64>>,
    cut: Option<Errno>,
}

/// How it looked when it was listed.
#[derive(Debug, Clone, Copy)]
struct Listed {
    size: u64,
    mtime: FileTime,
    ctime: FileTime,
}

impl Listed {
    /// Does `file` look so now?
    fn is_still(&self, file: &File) -> bool {
        fs::fstat(file.as_fd()).is_ok_and(|stat| {
            let now = metadata::from_stat(&stat);
            (stat.st_size as u64, now.mtime, now.ctime) == (self.size, self.mtime, self.ctime)
        })
    }
}

/// How reading ended.
#[derive(Debug)]
pub struct Finished {
    /// The size as read: for `Record::End`.
    pub size: u64,
    /// Whether it held still.
    pub content: Content,
    /// What this file has cost.
    pub counters: ReadCounters,
    /// Why it is `Cut`.
    pub fault: Option<std::io::Error>,
}

/// Opens the file that `entry` lists beneath `tree`.
pub fn open_for_reading(tree: &Beneath, entry: &Entry) -> Result<Reading, OpenError> {
    read_open(open(tree, &entry.path).map_err(|error| refused(&entry.path, error))?, entry)
}

/// The same for what stood there when it was looked at and is open since, without a touch of its
/// access time.
pub fn go_on_reading(file: OwnedFd, entry: &Entry) -> Result<Reading, OpenError> {
    read_open((file, true), entry)
}

fn read_open((file, quiet): (OwnedFd, bool), entry: &Entry) -> Result<Reading, OpenError> {
    let Kind::File { size } = entry.kind else {
        return Err(OpenError::Replaced { path: entry.path.clone() });
    };
    let stat = fs::fstat(&file).map_err(|error| refused(&entry.path, error))?;
    let found = metadata::from_stat(&stat);
    let same = (found.dev, found.ino) == (entry.metadata.dev, entry.metadata.ino);
    if !same || FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(OpenError::Replaced { path: entry.path.clone() });
    }
    let (file, end) = (File::from(file), stat.st_size as u64);
    let listed = Listed { size, mtime: entry.metadata.mtime, ctime: entry.metadata.ctime };
    Ok(Reading {
        cache: Cache::new(&file, listed, end),
        file,
        listed,
        end,
        is_dense: end <= DENSE_BYTES_MAX && (stat.st_blocks as u64) * 512 >= end,
        counters: ReadCounters { opened_files: 1, read_bytes: 0, touched_files: u64::from(!quiet) },
        progress: None,
        cut: None,
    })
}

fn open(tree: &Beneath, path: &TreePath) -> Result<(OwnedFd, bool), Errno> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
    match tree.open_at(path, flags | OFlags::NOATIME) {
        Err(Errno::PERM) => tree.open_at(path, flags).map(|file| (file, false)),
        Err(Errno::AGAIN) => open_patiently(tree, path).map(|file| (file, false)),
        opened => opened.map(|file| (file, true)),
    }
}

/// Somebody holds a lease on it, as file servers do: opening it asks for the lease back and waits,
/// at most `/proc/sys/fs/lease-break-time`. It is known to be a regular file before.
fn open_patiently(tree: &Beneath, path: &TreePath) -> Result<OwnedFd, Errno> {
    let place = tree.open_at(path, OFlags::PATH)?;
    if FileType::from_raw_mode(fs::fstat(&place)?.st_mode) != FileType::RegularFile {
        return Err(Errno::NODEV);
    }
    let magic = format!("/proc/self/fd/{}", place.as_raw_fd());
    fs::openat(fs::CWD, magic, OFlags::RDONLY | OFlags::CLOEXEC, fs::Mode::empty())
}

fn refused(path: &TreePath, error: Errno) -> OpenError {
    let path = path.clone();
    match error {
        Errno::NOENT => OpenError::Vanished { path },
        // A link, a socket or a device without a driver; a file where a directory was.
        Errno::LOOP | Errno::NXIO | Errno::NODEV | Errno::NOTDIR => OpenError::Replaced { path },
        error => OpenError::Unreadable { path, source: error.into() },
    }
}

impl Reading {
    /// Its size when it was opened; nothing beyond is read.
    pub fn size(&self) -> u64 {
        self.end
    }

    /// From now on every bit that the disk gives is counted in `progress` as well.
    pub fn count_into(&mut self, progress: &Arc<AtomicU64>) {
        self.progress = Some(progress.clone());
    }

    /// Nothing at or behind `end` will be read: it need not be asked of the disk ahead.
    pub fn wants_only_to(&mut self, end: u64) {
        self.cache.end_at(end);
    }

    /// The next run of data at or after `from`, as begin and end; `None`: only a hole is left.
    /// Where holes cannot be told, all is data.
    pub fn next_data(&self, from: u64) -> Option<(u64, u64)> {
        if from >= self.end {
            return None;
        }
        if self.is_dense {
            return Some((from, self.end));
        }
        let begin = match fs::seek(&self.file, SeekFrom::Data(from)) {
            Ok(begin) => begin,
            Err(Errno::NXIO) => return None,
            Err(_) => return Some((from, self.end)),
        };
        let end = fs::seek(&self.file, SeekFrom::Hole(begin)).unwrap_or(self.end);
        (begin < self.end).then(|| (begin, end.clamp(begin + 1, self.end)))
    }

    /// Reads into `buffer` from `offset`; 0 at the end, or where the file cannot be read further
    /// ([`Self::finish`] then says why). Fills `buffer` unless the end is near.
    pub fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> usize {
        let room = self.end.saturating_sub(offset).min(buffer.len() as u64) as usize;
        let mut filled = 0;
        while filled < room {
            let at = offset + filled as u64;
            match self.cache.read(&self.file, &mut buffer[filled..room], at) {
                Ok(0) => {
                    self.end = at;
                    break;
                }
                Ok(count) => {
                    filled += count;
                    if let Some(progress) = &self.progress {
                        progress.fetch_add(count as u64, Ordering::Relaxed);
                    }
                }
                Err(Errno::INTR) => {}
                Err(error) => {
                    self.cut = Some(error);
                    self.end = at;
                    break;
                }
            }
        }
        self.counters.read_bytes += filled as u64;
        filled
    }

    /// Compares with the listing and closes.
    pub fn finish(mut self) -> Finished {
        let is_still = self.listed.is_still(&self.file);
        self.cache.finish(&self.file, is_still);
        let content = match self.cut {
            Some(_) => Content::Cut,
            None if is_still && self.end == self.listed.size => Content::Steady,
            None => Content::Changed,
        };
        Finished {
            size: self.end,
            content,
            counters: self.counters,
            fault: self.cut.map(Into::into),
        }
    }
}
