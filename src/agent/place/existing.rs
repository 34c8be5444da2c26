//! What stands there already: keep it, replace it, or refuse.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{self, AtFlags, FileType, IFlags, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::attributes::set_flags;
use super::{Fault, HINDERING, PlaceError, Placer};
use crate::capture::{Entry, FileTime, Kind, metadata};
use crate::model::TreePath;

/// To look at a directory without reading it.
pub(super) const LOOK_THERE: OFlags = OFlags::PATH.union(OFlags::DIRECTORY);

/// What to do with what stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing stands there.
    Free,
    /// It is what was to be placed.
    Keep,
    /// It is a directory, as was to be placed: used as it is.
    Merge,
    /// It goes.
    Replace,
}

impl Placer {
    /// Decides by the rules of the module, without changing anything.
    pub(super) fn judge(
        &self,
        folder: impl AsFd,
        name: &[u8],
        entry: &Entry,
    ) -> Result<Verdict, PlaceError> {
        let folder = folder.as_fd();
        let Ok(stat) = metadata::stat(folder, name) else { return Ok(Verdict::Free) };
        let refuse = |what| PlaceError::Exists { path: entry.path.clone(), what };
        let unfinished = self.is_unfinished(&entry.path);
        let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        let same = self.is_same(folder, name, &stat, entry);
        // What an earlier restore wrote is ours to replace.
        let is_ours =
            self.former.as_ref().is_some_and(|former| self.is_same(folder, name, &stat, former));
        if is_directory && entry.kind == Kind::Directory {
            let may = same || self.options.overwrite || unfinished || is_ours;
            return if may { Ok(Verdict::Merge) } else { Err(refuse("a different directory")) };
        }
        if is_directory && !is_empty(folder, name) {
            return Err(refuse("a directory that is not empty"));
        }
        // Done by an earlier try, or put there by somebody who had the same file.
        let done = self.options.resume_from.is_some() && !unfinished;
        if same && !unfinished && (done || !self.options.overwrite) {
            return Ok(Verdict::Keep);
        }
        if self.options.overwrite || unfinished || is_ours {
            return Ok(Verdict::Replace);
        }
        Err(refuse("different"))
    }

    /// May an earlier try of ours have left it half-written?
    pub(super) fn is_unfinished(&self, path: &TreePath) -> bool {
        self.options.resume_from.as_ref().is_some_and(|from| path >= from || from.is_within(path))
    }

    pub(super) fn is_same(
        &self,
        folder: BorrowedFd<'_>,
        name: &[u8],
        stat: &Stat,
        entry: &Entry,
    ) -> bool {
        let Ok(kind) = metadata::kind(folder, name, stat) else { return false };
        let found = metadata::from_stat(stat);
        let wanted = &entry.metadata;
        // Without privilege, owners and set-user-id bits could not have been set.
        let owners = !self.privileged || (found.uid, found.gid) == (wanted.uid, wanted.gid);
        let bits = if self.privileged { 0o7777 } else { 0o777 };
        let mode = matches!(kind, Kind::Symlink { .. }) || (found.mode ^ wanted.mode) & bits == 0;
        let time: fn(&crate::capture::Metadata) -> Option<FileTime> = match kind {
            Kind::File { .. } => |m| Some(m.mtime),
            _ => |_| None,
        };
        kind == entry.kind && owners && mode && time(&found) == time(wanted)
    }
}

/// Removes what stands at `name`; a directory only if it is empty.
pub(super) fn remove(folder: BorrowedFd<'_>, name: &[u8], path: &TreePath) -> Result<(), Fault> {
    let failed = |error| match error {
        Errno::NOTEMPTY | Errno::EXIST => {
            let what = "a directory that is not empty";
            Fault::Stop(PlaceError::Exists { path: path.clone(), what })
        }
        error => Fault::of(path, "cannot replace what stands there", error),
    };
    match unlink(folder, name) {
        Err(Errno::PERM) => {
            loosen(folder, name);
            unlink(folder, name).map_err(failed)
        }
        Err(Errno::NOENT) => Ok(()),
        done => done.map_err(failed),
    }
}

fn unlink(folder: BorrowedFd<'_>, name: &[u8]) -> Result<(), Errno> {
    let text = OsStr::from_bytes(name);
    match fs::unlinkat(folder, text, AtFlags::empty()) {
        Err(Errno::ISDIR) => fs::unlinkat(folder, text, AtFlags::REMOVEDIR),
        done => done,
    }
}

/// Takes the flags away that forbid removing `name`, from it and from the directory it is in.
pub(super) fn loosen(folder: BorrowedFd<'_>, name: &[u8]) {
    let clear = |open: BorrowedFd<'_>| {
        if let Ok(flags) = fs::ioctl_getflags(open)
            && flags.intersects(HINDERING)
        {
            let kept: IFlags = flags & metadata::FLAGS_KEPT & !HINDERING;
            // If it fails, so does what was tried, and that is told.
            let _ = set_flags(open, kept);
        }
    };
    clear(folder);
    let Ok(stat) = metadata::stat(folder, name) else { return };
    let kind = FileType::from_raw_mode(stat.st_mode);
    if matches!(kind, FileType::RegularFile | FileType::Directory) {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        if let Ok(open) = fs::openat(folder, OsStr::from_bytes(name), flags, Mode::empty()) {
            clear(open.as_fd());
        }
    }
}

fn is_empty(folder: BorrowedFd<'_>, name: &[u8]) -> bool {
    let Ok(open) = metadata::open_quietly(folder, name, OFlags::DIRECTORY) else { return false };
    let Ok(mut names) = fs::Dir::read_from(&open) else { return false };
    names.all(|entry| entry.is_ok_and(|e| matches!(e.file_name().to_bytes(), b"." | b"..")))
}
