//! Writing a tree beneath a root it cannot leave.
//!
//! **Invariants.**
//! - Nothing outside the root is created, changed or removed, whatever the records say and whoever
//!   plants links meanwhile: every name is used relative to an open directory that was reached
//!   beneath the root without a link ([`Beneath`]), existing files are never written into (they
//!   are removed and made anew, so hard links to elsewhere stay untouched; see `patch` for the one
//!   exception), and attributes go to an open descriptor.
//! - What stands there and differs is a refusal ([`PlaceError::Exists`]) unless `overwrite`; a
//!   directory that is not empty is never replaced.
//! - A file has its name only when it is whole (see `draft`).
//! - One bad entry fails that entry and is listed; a full disk, a refusal and a source of chunks
//!   that stops end the whole.
//!
//! **Order.** Records come in rising order of path. A directory is made passable at once and gets
//! its mode, ACLs, times and flags when the records have left it; what is kept for that is a few
//! numbers a level, its ACLs, and at most [`OPEN_DIRECTORIES_MAX`] descriptors. A file gets size,
//! owner, mode, extended attributes (capabilities after the owner, whose change drops them), times,
//! flags, in this order. Immutable and append-only flags of files with several names wait for
//! [`Placer::finish`], or their links could not be made.
//!
//! **Resuming.** evac keeps no mark inside the tree. The caller knows from its own journal up to
//! where an earlier try surely came; from [`PlaceOptions::resume_from`] on (and for the directories
//! that lead there) things may be of our making, and only what can be nobody else's is replaced
//! (see `ours`). What somebody wrote meanwhile is left as it is and listed, and the rest goes on.
//! Before it, a file of the same kind, size, mtime, mode and owner is kept as it is.
//!
//! **Not root.** Owners that cannot be set are one problem and a count; set-user-id bits are then
//! not set either, for they would name the wrong user. The folders above what was captured are
//! made on the way there and are not what anybody restores: that an ordinary user cannot give them
//! to their owners is no problem.

mod attributes;
#[cfg(test)]
mod attacks;
mod draft;
mod existing;
mod folders;
mod incremental;
mod ours;
mod owners;
mod patch;
mod problems;
#[cfg(test)]
mod meanwhile;
#[cfg(test)]
mod tests;
mod write;

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::IFlags;
use rustix::io::Errno;

pub use self::existing::has_nothing_of;
use self::folders::Folder;
pub use self::owners::OwnerMap;
use self::problems::Problems;
use self::write::Writing;
use crate::capture::metadata::why;
use crate::capture::{Beneath, Entry, Kind, Record};
use crate::model::{Bytes, ChunkId, TreePath};

/// Directories kept open at once.
pub const OPEN_DIRECTORIES_MAX: usize = 64;
/// Problems that are listed; the rest is counted.
pub const PROBLEMS_MAX: usize = 1_000;

/// Flags that would hinder what is still to be done.
const HINDERING: IFlags = IFlags::IMMUTABLE.union(IFlags::APPEND);

/// How to place.
#[derive(Debug, Clone, Default)]
pub struct PlaceOptions {
    /// Replace what stands there and differs.
    pub overwrite: bool,
    /// Make the root if it is missing.
    pub create_root: bool,
    /// What was captured; the folders above only lead there.
    pub captured: Vec<TreePath>,
    /// From this path on, which an earlier try surely reached, it may have written things.
    pub resume_from: Option<TreePath>,
    /// Another pass was restored here before; see `incremental`.
    pub incremental: bool,
    /// Owners go by name; see `owners`.
    pub owners: Option<OwnerMap>,
    /// Resolve paths component by component, as on systems without `openat2`.
    pub without_openat2: bool,
    /// Write under hidden names, as on file systems without `O_TMPFILE`.
    pub without_nameless: bool,
}

impl PlaceOptions {
    /// Is `path` no part of what was captured, but only on the way there?
    fn leads(&self, path: &TreePath) -> bool {
        let is_above = |root: &TreePath| root.is_within(path);
        let holds = |root: &TreePath| path.is_within(root);
        self.captured.iter().any(is_above) && !self.captured.iter().any(holds)
    }
}

/// Where contents come from; whoever implements it checks them against their names.
pub trait Chunks {
    /// The content called `id`.
    fn get(&mut self, id: &ChunkId) -> Result<bytes::Bytes, ChunkFault>;
}

/// Why there is no content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChunkFault {
    /// It is missing or damaged: the file is listed, and zeros stand in its place.
    #[error("{0}")]
    Damaged(String),
    /// There will be no more: placing ends, and can be resumed.
    #[error("{0}")]
    Stopped(String),
}

/// Why placing ended.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The root cannot be used.
    #[error("cannot write beneath `{root}`")]
    Root {
        /// Which.
        root: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Something else stands there; nothing of it was changed.
    #[error("`{path}` exists beneath the root and is {what}")]
    Exists {
        /// Which.
        path: TreePath,
        /// What stands there, compared with what was to be placed.
        what: &'static str,
    },
    /// The disk or a quota is full.
    #[error("no space left for `{path}`")]
    DiskFull {
        /// Which was being written.
        path: TreePath,
    },
    /// The file system takes no writes (any more).
    #[error("the file system of `{path}` is read-only")]
    ReadOnly {
        /// Which was to be written.
        path: TreePath,
    },
    /// The source of chunks ended.
    #[error("stopped at `{path}`: {why}")]
    Stopped {
        /// Which was being written.
        path: TreePath,
        /// What it said.
        why: String,
    },
    /// What was written may not be on the disk.
    #[error("cannot sync what was written beneath `{root}`")]
    Sync {
        /// Which root.
        root: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// An entry that could not be placed, or not wholly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceProblem {
    /// Which.
    pub path: TreePath,
    /// What failed and why, bounded.
    pub why: String,
}

/// What was placed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Placed {
    /// Entries made, merged or kept.
    pub entries: u64,
    /// Files written.
    pub files: u64,
    /// Entries that stood there already.
    pub kept: u64,
    /// Entries removed because the new pass has them not.
    pub removed: u64,
    /// Bytes of content written.
    pub bytes: Bytes,
    /// Entries whose owner could not be set for want of privilege.
    pub owners_left: u64,
    /// Extended attributes the file system or a want of privilege refused.
    pub xattrs_left: u64,
    /// Entries whose inode flags the file system does not have.
    pub flags_left: u64,
    /// The first problems, in the order met; each class above is listed once.
    pub problems: Vec<PlaceProblem>,
    /// All of them.
    pub problem_count: u64,
}

/// What went wrong with one entry.
#[derive(Debug)]
enum Fault {
    /// It is listed; the rest goes on.
    Entry(String),
    /// All ends.
    Stop(PlaceError),
}

impl Fault {
    fn of(path: &TreePath, doing: &str, error: Errno) -> Self {
        let path = path.clone();
        match error {
            Errno::NOSPC | Errno::DQUOT => Self::Stop(PlaceError::DiskFull { path }),
            Errno::ROFS => Self::Stop(PlaceError::ReadOnly { path }),
            Errno::LOOP => Self::Entry(format!("{doing}: a symbolic link is in the way")),
            error => Self::Entry(format!("{doing}: {}", why(error))),
        }
    }
}

/// Writes one tree.
#[derive(Debug)]
pub struct Placer {
    root: PathBuf,
    tree: Beneath,
    options: PlaceOptions,
    privileged: bool,
    /// Directories from the root to where the records are.
    folders: Vec<Folder>,
    /// Path of the innermost folder; empty for the root.
    path: Vec<u8>,
    writing: Writing,
    last: Option<TreePath>,
    /// What an earlier restore wrote in place of the entry at hand.
    former: Option<Entry>,
    /// Directories that go once what was in them is gone.
    going: Vec<TreePath>,
    /// Flags to be set when all links are made.
    frozen: Vec<(TreePath, u32)>,
    frozen_bytes: usize,
    late_bytes: usize,
    file_systems: Vec<(u64, OwnedFd)>,
    problems: Problems,
    placed: Placed,
}

impl Placer {
    /// Opens `root`, whose own path is the caller's and may hold links.
    pub fn open(root: &Path, options: PlaceOptions) -> Result<Self, PlaceError> {
        let refuse = |source| PlaceError::Root { root: root.to_path_buf(), source };
        if options.create_root {
            use std::os::unix::fs::DirBuilderExt;
            let mut builder = std::fs::DirBuilder::new();
            builder.recursive(true).mode(0o700).create(root).map_err(refuse)?;
        }
        let tree = Beneath::open(root).map_err(|error| refuse(error.into()))?;
        if options.without_openat2 {
            tree.without_openat2();
        }
        let mut placer = Self {
            root: root.to_path_buf(),
            tree,
            options,
            privileged: rustix::process::geteuid().is_root(),
            folders: Vec::new(),
            path: Vec::new(),
            writing: Writing::Nothing,
            last: None,
            former: None,
            going: Vec::new(),
            frozen: Vec::new(),
            frozen_bytes: 0,
            late_bytes: 0,
            file_systems: Vec::new(),
            problems: Problems::default(),
            placed: Placed::default(),
        };
        placer.enter_root().map_err(|error| refuse(error.into()))?;
        Ok(placer)
    }

    /// Would placing `entry` be refused? For a look ahead, before anything is written.
    pub fn refusal(&self, entry: &Entry) -> Option<PlaceError> {
        let path = &entry.path;
        let name = path.name()?;
        let folder = self.tree.open_at(&path.parent()?, existing::LOOK_THERE).ok()?;
        let mut entry = entry.clone();
        // A look ahead lists nobody.
        if let Some(mut owners) = self.options.owners.clone() {
            owners.map(&mut entry);
        }
        self.judge(&folder, name, &entry).err()
    }

    /// Places one record; contents are asked of `chunks`.
    pub fn place(&mut self, record: &Record, chunks: &mut impl Chunks) -> Result<(), PlaceError> {
        match record {
            Record::Node(entry) | Record::HardLink { entry, .. } => self.begin_entry(record, entry),
            Record::Data { offset, length, id } => self.write_data(*offset, *length, id, chunks),
            Record::Lost { offset, length } => {
                self.spoil(format!("{length} bytes at {offset} were lost: zeros stand there"));
                Ok(())
            }
            Record::End { size, .. } => self.end_file(*size),
            Record::Gone { path } => self.place_gone(path),
            Record::LeftOut { .. } => Ok(()),
        }
    }

    /// Finishes all directories, sets the flags that waited, and syncs every file system that was
    /// written to, once.
    pub fn finish(mut self) -> Result<Placed, PlaceError> {
        self.abandon_file()?;
        self.remove_going(None)?;
        while !self.folders.is_empty() {
            self.leave_folder()?;
        }
        for (path, flags) in std::mem::take(&mut self.frozen) {
            self.freeze(&path, flags);
        }
        self.sync()?;
        self.problems.close(&mut self.placed);
        Ok(self.placed)
    }

    /// Makes everything written so far survive a power cut.
    pub fn sync(&self) -> Result<(), PlaceError> {
        for (_, folder) in &self.file_systems {
            rustix::fs::syncfs(folder).map_err(|error| PlaceError::Sync {
                root: self.root.clone(),
                source: error.into(),
            })?;
        }
        Ok(())
    }

    fn begin_entry(&mut self, record: &Record, entry: &Entry) -> Result<(), PlaceError> {
        if record.check().is_ok() && self.begins_again(record)? {
            return Ok(());
        }
        self.abandon_file()?;
        let path = &entry.path;
        let faulty = match record.check() {
            Err(why) => Some(why),
            Ok(()) if self.last.as_ref().is_some_and(|last| path <= last) => Some("out of order"),
            Ok(()) => None,
        };
        if let Some(why) = faulty {
            self.writing = Writing::Skipped;
            self.problems.list(path, why);
            return Ok(());
        }
        self.last = Some(path.clone());
        self.remove_going(Some(path))?;
        self.leave_folders_until(path)?;
        let done = match record {
            Record::HardLink { of, .. } => self.place_link(entry, of),
            _ => self.place_node(entry),
        };
        match done {
            Ok(()) => self.placed.entries += 1,
            Err(fault) => {
                self.writing = Writing::Skipped;
                self.list_or_end(path, fault)?;
            }
        }
        self.former = None;
        Ok(())
    }

    /// Is what is in the way listed, and the rest written? Else it is the end.
    fn leaves_what_stands(&self) -> bool {
        self.options.incremental || self.options.resume_from.is_some()
    }

    fn list_or_end(&mut self, path: &TreePath, fault: Fault) -> Result<(), PlaceError> {
        match fault {
            Fault::Entry(why) => self.problems.list(path, &why),
            Fault::Stop(PlaceError::Exists { what, .. }) if self.leaves_what_stands() => {
                self.problems.list(path, &format!("what stands here is {what}: left as it is"));
            }
            Fault::Stop(error) => return Err(error),
        }
        Ok(())
    }

    fn place_node(&mut self, entry: &Entry) -> Result<(), Fault> {
        self.writing = Writing::Nothing;
        match &entry.kind {
            Kind::Directory => self.place_directory(entry),
            Kind::File { .. } => self.begin_file(entry),
            _ => self.place_special(entry),
        }
    }
}
