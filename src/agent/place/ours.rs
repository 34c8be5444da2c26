//! What an earlier try of this restore may have left, and how that is told from somebody's work.
//!
//! A file has its name only when it is whole (see `draft`). So, from where the try was cut off on:
//!
//! - Where nothing stands, it is made. A file that was being changed waits under its hidden name,
//!   and is gone on with.
//! - Kind, size, time of change, owner and mode as wanted: ours. Its content is compared, for power
//!   may have failed before it reached the disk.
//! - A file of another size, but with the time of change as wanted to the nanosecond, or a second
//!   less, and owner and mode too: ours. Power failed, it grew while it was read, or lacks a piece.
//! - A directory, link, pipe, socket or device of that kind, with owner and mode as they are while
//!   it is made: ours. It gets its attributes.
//! - A changed file of the same size, each of whose attributes is the old or the new one: ours.
//!   Only its attributes were being changed.
//! - Anything else is somebody's: it stays as it is and is listed, and the rest goes on.
//!
//! Whoever edits a file gives it another time of change; whoever puts one there, too.

use std::os::fd::BorrowedFd;

use rustix::fs::Stat;

use super::Placer;
use crate::capture::{Entry, FileTime, Kind, Metadata, metadata};

/// Bits that stand while something is made, whatever else it will get.
const OWNER_BITS: u32 = 0o700;

impl Placer {
    /// Is it of our making, though not (or not yet) as it was to be?
    pub(super) fn is_left_by_us(
        &self,
        folder: BorrowedFd<'_>,
        name: &[u8],
        stat: &Stat,
        wanted: &Entry,
    ) -> bool {
        let Ok(kind) = metadata::kind(folder, name, stat) else { return false };
        let found = metadata::from_stat(stat);
        let former = self.former.as_ref().map(|former| &former.metadata);
        let either = [Some(&wanted.metadata), former];
        let either = || either.into_iter().flatten();
        match (&kind, &wanted.kind) {
            (Kind::File { size }, Kind::File { size: new }) => {
                let old = self.former.as_ref().map(|former| &former.kind);
                let only_attributes = size == new && old == Some(&kind);
                self.is_ours_but_for_size(&found, &wanted.metadata)
                    || only_attributes && self.is_between(&found, either())
            }
            (Kind::Directory, Kind::Directory) => {
                let is_open = |mode: u32| mode & !0o7000 | OWNER_BITS;
                self.is_owner(&found, either())
                    && either()
                        .map(|m| m.mode & 0o777)
                        .flat_map(|mode| [mode, is_open(mode), OWNER_BITS])
                        .any(|mode| mode == found.mode & 0o777)
            }
            _ if kind == wanted.kind => {
                let mode = found.mode & 0o777;
                let is_made = mode == 0o600 || either().any(|m| m.mode & 0o777 == mode);
                self.is_owner(&found, either()) && (is_made || matches!(kind, Kind::Symlink { .. }))
            }
            _ => false,
        }
    }

    fn is_ours_but_for_size(&self, found: &Metadata, wanted: &Metadata) -> bool {
        let spoilt = spoilt_time(wanted.mtime);
        self.is_owner(found, [wanted])
            && found.mode & 0o777 == wanted.mode & 0o777
            && (is_time(found.mtime, wanted.mtime) || is_time(found.mtime, spoilt))
    }

    fn is_between<'a>(
        &self,
        found: &Metadata,
        either: impl Iterator<Item = &'a Metadata> + Clone,
    ) -> bool {
        let mode = found.mode & 0o777;
        self.is_owner(found, either.clone())
            && (mode == 0o600 || either.clone().any(|m| m.mode & 0o777 == mode))
            && either.clone().any(|m| is_time(found.mtime, m.mtime))
    }

    /// Of one of those owners, or still ours.
    fn is_owner<'a>(
        &self,
        found: &Metadata,
        wanted: impl IntoIterator<Item = &'a Metadata>,
    ) -> bool {
        found.uid == rustix::process::geteuid().as_raw()
            || !self.privileged
            || wanted.into_iter().any(|m| (m.uid, m.gid) == (found.uid, found.gid))
    }
}

/// The time that a file gets of which something is missing: not that of now, which may be the
/// recorded one. The next try must not take it for done.
pub(super) fn spoilt_time(time: FileTime) -> FileTime {
    FileTime { seconds: time.seconds.saturating_sub(1), ..time }
}

/// The same time, as far as the file system keeps it.
pub(super) fn is_time(found: FileTime, wanted: FileTime) -> bool {
    let is_cut = found.nanoseconds == 0;
    found.seconds == wanted.seconds && (is_cut || found.nanoseconds == wanted.nanoseconds)
}
