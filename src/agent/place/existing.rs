//! What stands there already: keep it, replace it, or refuse.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{self, AtFlags, FileType, IFlags, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::attributes::set_flags;
use super::folders::Folder;
use super::ours::is_time;
use super::{Fault, HINDERING, PlaceError, Placer};
use crate::capture::{Beneath, Entry, Kind, metadata};
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
    /// It looks like it, and its content is to be compared: the try that wrote it was cut off.
    Check,
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
            self.former.as_ref().is_some_and(|former| self.is_same(folder, name, &stat, former))
                || unfinished && self.is_left_by_us(folder, name, &stat, entry);
        if is_directory && entry.kind == Kind::Directory {
            let may = same || self.options.overwrite || is_ours;
            return if may { Ok(Verdict::Merge) } else { Err(refuse("a different directory")) };
        }
        if is_directory && !is_empty(folder, name) {
            return Err(refuse("a directory that is not empty"));
        }
        // Done by an earlier try, or put there by somebody who had the same file.
        let done = self.options.resume_from.is_some() && !unfinished;
        if same && (done || !self.options.overwrite) {
            return Ok(if unfinished { Verdict::Check } else { Verdict::Keep });
        }
        if self.options.overwrite || is_ours {
            return Ok(Verdict::Replace);
        }
        Err(refuse("different"))
    }

    /// Decides about what stands there, and removes it if it is to go.
    pub(super) fn make_way(
        &mut self,
        folder: BorrowedFd<'_>,
        name: &[u8],
        entry: &Entry,
    ) -> Result<Verdict, Fault> {
        if self.folders.last().is_some_and(Folder::is_new) {
            return Ok(Verdict::Free);
        }
        self.drop_left_draft(folder, entry);
        let verdict = self.judge(folder, name, entry).map_err(Fault::Stop)?;
        if verdict == Verdict::Replace {
            remove(folder, name, &entry.path)?;
        }
        Ok(verdict)
    }

    /// May an earlier try of ours have left it as it stands, without having said so?
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
        let time = !matches!(kind, Kind::File { .. }) || is_time(found.mtime, wanted.mtime);
        kind == entry.kind && owners && mode && time
    }
}

/// Has `root` nothing that a restore, which reached `reached`, can have written? Then it was taken
/// away since.
pub fn has_nothing_of(root: &Path, reached: Option<&TreePath>) -> bool {
    let is_empty = match std::fs::read_dir(root) {
        Ok(mut names) => names.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    let has = |folder: TreePath| Beneath::open(root)?.open_at(&folder, LOOK_THERE);
    let is_missing = |folder| has(folder).err() == Some(Errno::NOENT);
    is_empty || reached.and_then(TreePath::parent).is_some_and(is_missing)
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
