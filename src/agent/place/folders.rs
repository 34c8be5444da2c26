//! Directories from the root to where the records are: made, kept passable, finished on leaving.

use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{self, AtFlags, CWD, FileType, IFlags, Mode, OFlags};
use rustix::io::Errno;

use super::attributes::{Dresser, Handle, is_late, set_flags};
use super::existing::{LOOK_THERE, Verdict, loosen, remove};
use super::{Fault, OPEN_DIRECTORIES_MAX, PlaceError, Placer};
use crate::capture::{Entry, Metadata, Xattr};
use crate::model::TreePath;

/// Most bytes of ACLs kept for all open levels together.
const LATE_BYTES_MAX: usize = 16 << 20;
/// Most file systems synced by themselves; a tree rarely crosses one.
const FILE_SYSTEMS_MAX: usize = 32;

/// A directory the records are in.
#[derive(Debug)]
pub(super) struct Folder {
    /// Length of its path in [`Placer::path`].
    path_len: usize,
    id: (u64, u64),
    open: Option<OwnedFd>,
    /// Made by us, just now: nothing of anybody's is in it.
    is_new: bool,
    /// What it gets on leaving; `None` for a root that no record describes.
    late: Option<Late>,
}

#[derive(Debug)]
struct Late {
    /// Without xattrs.
    metadata: Metadata,
    acls: Vec<Xattr>,
    owned: bool,
}

impl Folder {
    pub(super) fn inode(&self) -> u64 {
        self.id.1
    }

    pub(super) fn is_new(&self) -> bool {
        self.is_new
    }
}

impl Placer {
    pub(super) fn enter_root(&mut self) -> Result<(), Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let open = self.tree.open_at(&TreePath::root(), flags)?;
        self.enter(open, &TreePath::root(), None)
    }

    fn enter(&mut self, open: OwnedFd, path: &TreePath, late: Option<Late>) -> Result<(), Errno> {
        let stat = fs::fstat(&open)?;
        let id = (stat.st_dev, stat.st_ino);
        let known = self.file_systems.iter().any(|(dev, _)| *dev == id.0);
        if !known && self.file_systems.len() < FILE_SYSTEMS_MAX {
            let copy = open.try_clone().map_err(|_| Errno::MFILE)?;
            self.file_systems.push((id.0, copy));
        }
        self.path.clear();
        if !path.is_root() {
            self.path.extend_from_slice(path.as_bytes());
        }
        let (path_len, open) = (self.path.len(), Some(open));
        self.folders.push(Folder { path_len, id, open, is_new: false, late });
        if let Some(far) = self.folders.len().checked_sub(OPEN_DIRECTORIES_MAX + 1) {
            self.folders[far].open = None;
        }
        Ok(())
    }

    /// Path of the innermost folder.
    fn here(&self) -> TreePath {
        TreePath::new(self.path.clone()).unwrap_or_else(|_| TreePath::root())
    }

    /// The open directory that is to hold `path`, and the name in it.
    pub(super) fn folder_of<'p>(
        &mut self,
        path: &'p TreePath,
    ) -> Result<(OwnedFd, &'p [u8]), Fault> {
        let name = path.name().ok_or_else(|| Fault::Entry("the root itself".into()))?;
        if path.parent().is_none_or(|parent| parent != self.here()) {
            return Err(Fault::Entry("the directory that holds it is missing".into()));
        }
        self.open_innermost().map_err(|error| Fault::of(path, "its directory", error))?;
        let open = self.folders.last().and_then(|folder| folder.open.as_ref());
        let copy = open.and_then(|open| open.try_clone().ok());
        copy.map(|open| (open, name)).ok_or_else(|| Fault::of(path, "its directory", Errno::MFILE))
    }

    /// Finds the innermost folder again if it was closed, and only if it is still the same.
    fn open_innermost(&mut self) -> Result<(), Errno> {
        let path = self.here();
        let Some(folder) = self.folders.last_mut() else { return Err(Errno::NOENT) };
        if folder.open.is_none() {
            let open = self.tree.open_at(&path, OFlags::RDONLY | OFlags::DIRECTORY)?;
            let stat = fs::fstat(&open)?;
            if (stat.st_dev, stat.st_ino) != folder.id {
                return Err(Errno::STALE);
            }
            folder.open = Some(open);
        }
        Ok(())
    }

    pub(super) fn leave_folders_until(&mut self, path: &TreePath) -> Result<(), PlaceError> {
        while self.folders.len() > 1 && (*path == self.here() || !path.is_within(&self.here())) {
            self.leave_folder()?;
        }
        Ok(())
    }

    /// Gives the innermost folder what waited, and goes up.
    pub(super) fn leave_folder(&mut self) -> Result<(), PlaceError> {
        let path = self.here();
        let opened = match self.folders.last() {
            Some(Folder { late: Some(_), .. }) => self.open_innermost(),
            _ => Ok(()),
        };
        let Some(folder) = self.folders.pop() else { return Ok(()) };
        self.path.truncate(self.folders.last().map_or(0, |outer| outer.path_len));
        if let Err(error) = opened {
            return match Fault::of(&path, "cannot finish it", error) {
                Fault::Stop(error) => Err(error),
                Fault::Entry(why) => {
                    self.problems.list(&path, &why);
                    Ok(())
                }
            };
        }
        let (Some(open), Some(late)) = (folder.open, folder.late) else { return Ok(()) };
        self.late_bytes -= acl_bytes(&late.acls);
        let handle = Handle::Open(open.as_fd());
        let mut dresser = Dresser { handle, path: &path, problems: &mut self.problems };
        dresser.mode(&late.metadata, late.owned);
        dresser.xattrs(late.acls.iter());
        dresser.times(&late.metadata);
        dresser.flags(late.metadata.flags);
        Ok(())
    }

    pub(super) fn place_directory(&mut self, entry: &Entry) -> Result<(), Fault> {
        let path = &entry.path;
        if path.is_root() {
            return self.describe_root(entry);
        }
        let (folder, name) = self.folder_of(path)?;
        let failed = |error| Fault::of(path, "cannot make it", error);
        let merged = match make_directory(folder.as_fd(), name) {
            Ok(()) => false,
            Err(Errno::EXIST) => {
                let verdict = match self.judge(&folder, name, entry) {
                    Err(_) if self.leaves_what_stands() && is_folder(folder.as_fd(), name) => {
                        return self.enter_as_it_is(folder.as_fd(), name, path);
                    }
                    verdict => verdict.map_err(Fault::Stop)?,
                };
                if verdict == Verdict::Replace {
                    remove(folder.as_fd(), name, path)?;
                    make_directory(folder.as_fd(), name).map_err(failed)?;
                }
                verdict != Verdict::Replace
            }
            Err(error) => return Err(failed(error)),
        };
        let open = open_directory(folder.as_fd(), name).map_err(failed)?;
        if merged {
            self.placed.kept += 1;
            make_usable(open.as_fd());
        }
        let late = self.dress_directory(&open, entry);
        self.enter(open, path, Some(late)).map_err(failed)?;
        if let Some(folder) = self.folders.last_mut() {
            folder.is_new = !merged;
        }
        Ok(())
    }

    /// A person changed this directory: it stays so, and what changed in it is written.
    fn enter_as_it_is(
        &mut self,
        folder: BorrowedFd<'_>,
        name: &[u8],
        path: &TreePath,
    ) -> Result<(), Fault> {
        let failed = |error| Fault::of(path, "cannot open it", error);
        let open = open_directory(folder, name).map_err(failed)?;
        let why = if self.options.incremental {
            "changed here since it was restored: left as it is"
        } else {
            "what stands here is a different directory: left as it is"
        };
        self.problems.list(path, why);
        self.enter(open, path, None).map_err(failed)
    }

    /// The record of `/` describes the root, which is there already.
    fn describe_root(&mut self, entry: &Entry) -> Result<(), Fault> {
        let failed = |error| Fault::of(&entry.path, "the root", error);
        let open = self.folders.first().and_then(|folder| folder.open.as_ref());
        let open = open.and_then(|open| open.try_clone().ok());
        let open = open.ok_or_else(|| failed(Errno::MFILE))?;
        make_usable(open.as_fd());
        let late = self.dress_directory(&open, entry);
        if let Some(root) = self.folders.first_mut() {
            root.late = Some(late);
        }
        Ok(())
    }

    /// Owner and plain attributes at once; the rest waits, or it would be inherited or lock us out.
    fn dress_directory(&mut self, open: &OwnedFd, entry: &Entry) -> Late {
        let Entry { path, metadata, .. } = entry;
        let handle = Handle::Open(open.as_fd());
        let mut dresser = Dresser { handle, path, problems: &mut self.problems };
        let owned = if self.options.leads(path) {
            dresser.owner_if_we_may(metadata)
        } else {
            dresser.owner(metadata)
        };
        let plain = || metadata.xattrs.iter().filter(|xattr| !is_late(xattr));
        dresser.strip(|name| plain().any(|xattr| xattr.name == name));
        dresser.xattrs(plain());
        let mut acls: Vec<Xattr> = metadata.xattrs.iter().filter(|x| is_late(x)).cloned().collect();
        if self.late_bytes + acl_bytes(&acls) > LATE_BYTES_MAX {
            self.problems.list(path, "its ACL: too many are waiting");
            acls = Vec::new();
        }
        self.late_bytes += acl_bytes(&acls);
        let metadata = Metadata { xattrs: Vec::new(), ..metadata.clone() };
        Late { metadata, acls, owned }
    }
}

fn is_folder(folder: BorrowedFd<'_>, name: &[u8]) -> bool {
    let stat = crate::capture::metadata::stat(folder, name);
    stat.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
}

fn acl_bytes(acls: &[Xattr]) -> usize {
    acls.iter().map(|acl| acl.name.len() + acl.value.len() + 64).sum()
}

/// Ours alone until it is finished.
fn make_directory(folder: BorrowedFd<'_>, name: &[u8]) -> Result<(), Errno> {
    let make = || fs::mkdirat(folder, OsStr::from_bytes(name), Mode::RWXU);
    match make() {
        Err(Errno::PERM) => {
            loosen(folder, name);
            make()
        }
        made => made,
    }
}

fn open_directory(folder: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
    let name = OsStr::from_bytes(name);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match fs::openat(folder, name, flags, Mode::empty()) {
        Err(Errno::ACCESS) => {
            // An earlier try had finished it already: our own directory that forbids us.
            let place = LOOK_THERE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let place = fs::openat(folder, name, place, Mode::empty())?;
            let magic = format!("/proc/self/fd/{}", place.as_raw_fd());
            fs::chmodat(CWD, magic, Mode::RWXU, AtFlags::empty())?;
            fs::openat(folder, name, flags, Mode::empty())
        }
        opened => opened,
    }
}

/// A directory that stood there must let us write: its flags come back on leaving.
fn make_usable(open: BorrowedFd<'_>) {
    // Where that fails, so does the first thing made inside, and that is told.
    let _ = set_flags(open, IFlags::empty());
    if let Ok(stat) = fs::fstat(open) {
        let mode = Mode::from_raw_mode(stat.st_mode);
        if !mode.contains(Mode::RWXU) {
            let _ = fs::fchmod(open, mode | Mode::RWXU);
        }
    }
}
