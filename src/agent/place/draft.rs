//! What is being written has no name of its own until it is whole.
//!
//! **Invariants.**
//! - A file gets its name when its content and its attributes are complete, and never in place of
//!   something else: whatever stands under a name was finished by us, or is somebody's. A try that
//!   is cut off leaves nothing behind.
//! - Where a file system has no files without a name (`O_TMPFILE`), and for a file that is changed
//!   in place, the draft has a hidden name in its directory, [`HIDDEN`] and a digest of its own
//!   name; the next try finds it there. Nobody edits it meanwhile, for nobody sees it.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{self, AtFlags, CWD, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;

use super::existing::{Verdict, loosen, remove};
use super::write::OpenFile;
use super::{Fault, Placer};
use crate::capture::{Entry, FileTime, metadata};

/// How hidden names begin.
pub(super) const HIDDEN: &str = ".evac-unfinished-";

/// A file that is not finished.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) file: File,
    pub(super) folder: OwnedFd,
    pub(super) name: Name,
    /// What stands under its name and is to go.
    pub(super) replaces: Option<Identity>,
}

/// What a draft is called.
#[derive(Debug)]
pub(super) enum Name {
    /// Nothing.
    None,
    /// This, meanwhile.
    Hidden(String),
    /// As it will be: only its attributes are changed.
    Own,
}

/// Device, inode and time of change: tells one thing from another that took its name.
pub(super) type Identity = (u64, u64, FileTime);

pub(super) fn identity(stat: &Stat) -> Identity {
    (stat.st_dev, stat.st_ino, metadata::from_stat(stat).mtime)
}

impl Placer {
    /// The hidden name of what is to become `name` in the innermost folder.
    pub(super) fn hidden_name(&self, name: &[u8]) -> String {
        let folder = self.folders.last().map_or(0, super::folders::Folder::inode);
        let mut hasher = blake3::Hasher::new();
        hasher.update(&folder.to_le_bytes());
        hasher.update(name);
        format!("{HIDDEN}{}", &hasher.finalize().to_hex()[..16])
    }

    /// A new file for `entry`, which nobody sees.
    pub(super) fn new_draft(&mut self, folder: OwnedFd, entry: &Entry) -> Result<Draft, Fault> {
        let path = &entry.path;
        let name = path.name().ok_or_else(|| Fault::Entry("the root itself".into()))?;
        let failed = |error| Fault::of(path, "cannot make it", error);
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        if !self.options.without_nameless {
            let make = || fs::openat(&folder, ".", flags | OFlags::TMPFILE, mode);
            let made = match make() {
                Err(Errno::PERM) => {
                    loosen(folder.as_fd(), name);
                    make()
                }
                made => made,
            };
            match made {
                // What kernels and file systems say that do not know it.
                Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOSYS | Errno::INVAL) => {
                    self.options.without_nameless = true;
                }
                made => {
                    let file = File::from(made.map_err(failed)?);
                    return Ok(Draft { file, folder, name: Name::None, replaces: None });
                }
            }
        }
        let hidden = self.hidden_name(name);
        let flags = flags | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let make = || fs::openat(&folder, &*hidden, flags, mode);
        let made = match make() {
            Err(Errno::EXIST) => {
                remove(folder.as_fd(), hidden.as_bytes(), path)?;
                make()
            }
            Err(Errno::PERM) => {
                loosen(folder.as_fd(), hidden.as_bytes());
                make()
            }
            made => made,
        };
        let file = File::from(made.map_err(failed)?);
        Ok(Draft { file, folder, name: Name::Hidden(hidden), replaces: None })
    }

    /// What an earlier try left of `name` under its hidden name.
    pub(super) fn left_draft(&self, folder: BorrowedFd<'_>, name: &[u8]) -> Option<(File, String)> {
        let hidden = self.hidden_name(name);
        let stat = metadata::stat(folder, hidden.as_bytes()).ok()?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || stat.st_nlink != 1 {
            return None;
        }
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let open = || fs::openat(folder, &*hidden, flags, Mode::empty());
        let opened = match open() {
            Err(Errno::PERM) => {
                loosen(folder, hidden.as_bytes());
                open()
            }
            opened => opened,
        };
        opened.ok().map(|file| (File::from(file), hidden))
    }

    /// Removes it.
    pub(super) fn drop_left_draft(&self, folder: BorrowedFd<'_>, entry: &Entry) {
        let Some(name) = entry.path.name() else { return };
        let hidden = self.hidden_name(name);
        // Where it cannot be removed, making the file fails as well, and that is told.
        let _ = remove(folder, hidden.as_bytes(), &entry.path);
    }

    /// Gives a finished file its name. What came to stand there meanwhile stays, unless it may go.
    pub(super) fn name_draft(&mut self, open: &OpenFile) -> Result<(), Fault> {
        let OpenFile { entry, draft, .. } = open;
        let path = &entry.path;
        let name = path.name().ok_or_else(|| Fault::Entry("the root itself".into()))?;
        let folder = draft.folder.as_fd();
        let failed = |error| Fault::of(path, "cannot give it its name", error);
        match draft.give_name(name) {
            Err(Errno::EXIST) => {}
            Err(Errno::PERM) => {
                loosen(folder, name);
                return draft.give_name(name).map_err(failed);
            }
            done => return done.map_err(failed),
        }
        let stands = metadata::stat(folder, name).map_err(failed)?;
        if draft.replaces != Some(identity(&stands)) {
            let verdict = self.judge(folder, name, entry);
            if verdict.map_err(Fault::Stop)? == Verdict::Keep {
                self.drop_left_draft(folder, entry);
                return Ok(());
            }
        }
        remove(folder, name, path)?;
        draft.give_name(name).map_err(failed)
    }
}

impl Draft {
    /// `EXIST` if something has that name already.
    fn give_name(&self, name: &[u8]) -> Result<(), Errno> {
        let name = OsStr::from_bytes(name);
        match &self.name {
            Name::None => self.link_as(name),
            Name::Hidden(now) => rename_to_free(self.folder.as_fd(), OsStr::new(now), name),
            Name::Own => Ok(()),
        }
    }

    fn link_as(&self, name: &OsStr) -> Result<(), Errno> {
        match fs::linkat(&self.file, "", &self.folder, name, AtFlags::EMPTY_PATH) {
            // Root within a container may not: a magic link leads to the same file.
            Err(Errno::NOENT | Errno::PERM) => {
                let magic = format!("/proc/self/fd/{}", self.file.as_raw_fd());
                fs::linkat(CWD, magic, &self.folder, name, AtFlags::SYMLINK_FOLLOW)
            }
            done => done,
        }
    }
}

/// Renames within a folder, never onto something.
pub(super) fn rename_to_free(
    folder: BorrowedFd<'_>,
    from: &OsStr,
    to: &OsStr,
) -> Result<(), Errno> {
    let unknown = |error| matches!(error, Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP);
    match fs::renameat_with(folder, from, folder, to, RenameFlags::NOREPLACE) {
        Err(error) if unknown(error) => {}
        done => return done,
    }
    match fs::linkat(folder, from, folder, to, AtFlags::empty()) {
        Ok(()) => fs::unlinkat(folder, from, AtFlags::empty()),
        // A file system with neither: the look is all there is.
        Err(error) if unknown(error) || matches!(error, Errno::PERM | Errno::MLINK) => {
            match metadata::stat(folder, to.as_bytes()) {
                Err(Errno::NOENT) => fs::renameat(folder, from, folder, to),
                Err(error) => Err(error),
                Ok(_) => Err(Errno::EXIST),
            }
        }
        Err(error) => Err(error),
    }
}
