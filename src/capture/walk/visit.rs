//! What a walk does with one name: leave it, give it out, go into it.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, openat};
use rustix::io::Errno;

use super::listing::Names;
use super::{Found, Level, OPEN_DIRECTORIES_MAX, Step, Walk, stat_id};
use crate::capture::entry::{Entry, FileTime, Kind, Metadata};
use crate::capture::metadata::{self, Looked, why};
use crate::capture::mounts::{self, Verdict};
use crate::model::{Bytes, TreePath};

/// A name that is another kind of thing at every look is given up.
const LOOKS_MAX: u32 = 3;
/// `st_blocks` counts these, whatever the file system's blocks are.
const STAT_BLOCK_BYTES: u64 = 512;

/// How a name is to be treated, before it was looked at.
struct Place {
    path: TreePath,
    /// Is it a root, or within one?
    within: bool,
    /// Is it a root itself, or above one? Then no pattern applies.
    named: bool,
}

impl Walk {
    /// `/` of the tree: the way to all roots, or a root itself.
    pub(super) fn visit_top(&mut self) -> Result<(), Errno> {
        let open = self.tree.open_quietly(&TreePath::root(), OFlags::RDONLY | OFlags::DIRECTORY)?;
        let stat = fstat(&open)?;
        let place = Place {
            path: TreePath::root(),
            within: self.is_within(&TreePath::root()),
            named: true,
        };
        self.give_directory(&open, &stat, &place, None);
        self.enter(open, &stat, &place);
        Ok(())
    }

    /// One name of the innermost level.
    pub(super) fn visit(&mut self, name: &[u8]) {
        let Ok(path) = self.here_or_top().join(name) else {
            self.unlistable("it holds a path that is too long".into());
            return;
        };
        let within = self.is_within(&path);
        let named = !within || self.roots.binary_search(&path).is_ok();
        if self.omit.iter().any(|omitted| path.is_within(omitted)) {
            return;
        }
        let place = Place { path, within, named };
        let verdict = self.verdicts.get(&place.path).cloned();
        if let Some(Verdict::LeaveOut { why, look: false }) = verdict {
            self.give_unseen_mount(place.path, why);
            return;
        }
        for _ in 0..LOOKS_MAX {
            match self.look(name, &place, verdict.as_ref()) {
                Ok(()) => return,
                // It was replaced between two looks: look again at what is there now.
                Err(Errno::NOTDIR | Errno::LOOP) => {}
                Err(error) => return self.missing(&place, error),
            }
        }
        self.left_out(place.path, "it keeps changing into something else");
    }

    fn here_or_top(&mut self) -> TreePath {
        if let Some(here) = &self.here {
            return here.clone();
        }
        let here = if self.path.is_empty() { TreePath::root() } else { self.here() };
        self.here.insert(here).clone()
    }

    fn is_within(&self, path: &TreePath) -> bool {
        self.roots.iter().any(|root| path.is_within(root))
    }

    fn look(&mut self, name: &[u8], place: &Place, verdict: Option<&Verdict>) -> Result<(), Errno> {
        let Some(level) = self.levels.last() else { return Ok(()) };
        let Some(directory) = level.open.as_ref().map(OwnedFd::as_fd) else { return Ok(()) };
        let stat = metadata::stat(directory, name)?;
        let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        if self.skip.contains(&stat_id(&stat)) {
            return Ok(());
        }
        if !place.named && self.exclude.matches(&place.path, is_directory) {
            self.counts.excluded += u64::from(self.after.is_none());
            return Ok(());
        }
        if is_directory {
            return self.look_at_directory(name, place, &stat, verdict);
        }
        if self.after.is_some() {
            return Ok(());
        }
        if !place.within {
            self.roots_missing(&place.path, "a path above it is not a directory");
            return Ok(());
        }
        if let Some(Verdict::LeaveOut { why, .. }) = verdict {
            self.left_out(place.path.clone(), why);
            return Ok(());
        }
        let looked = look_at(directory, name, &stat, self.attributes)?;
        self.give_entry(looked, &stat, &place.path, None);
        Ok(())
    }

    fn look_at_directory(
        &mut self,
        name: &[u8],
        place: &Place,
        stat: &Stat,
        verdict: Option<&Verdict>,
    ) -> Result<(), Errno> {
        let Some(level) = self.levels.last() else { return Ok(()) };
        let Some(above) = level.open.as_ref().map(OwnedFd::as_fd) else { return Ok(()) };
        let outer_device = level.id.0;
        let open = match metadata::open_quietly(above, name, OFlags::DIRECTORY) {
            Ok(open) => open,
            Err(error @ (Errno::NOENT | Errno::NOTDIR | Errno::LOOP)) => return Err(error),
            Err(error) => return self.closed_directory(name, place, stat, error),
        };
        // What is open is what counts, whatever the name leads to by now.
        let stat = fstat(&open)?;
        let barred = match verdict {
            Some(Verdict::LeaveOut { why, .. }) => Some(why.clone()),
            Some(Verdict::Enter) => None,
            None if stat_id(&stat).0 == outer_device || place.named => None,
            None if mounts::may_cross(open.as_fd(), self.mounts_known) => None,
            None => Some("another file system, mounted meanwhile or unknown".to_owned()),
        };
        let entered = barred.is_none();
        self.give_directory(&open, &stat, place, barred);
        if entered {
            self.enter(open, &stat, place);
        }
        Ok(())
    }

    /// A directory that may not be read. If it only leads to roots, to pass through is enough.
    fn closed_directory(
        &mut self,
        name: &[u8],
        place: &Place,
        stat: &Stat,
        refused: Errno,
    ) -> Result<(), Errno> {
        let Some(level) = self.levels.last() else { return Ok(()) };
        let Some(above) = level.open.as_ref().map(OwnedFd::as_fd) else { return Ok(()) };
        let looked = look_at(above, name, stat, self.attributes)?;
        self.counts.failing += u64::from(metadata::is_failing(refused));
        let through = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = openat(above, OsStr::from_bytes(name), through, Mode::empty());
        self.give_entry(looked, stat, &place.path, None);
        match open {
            Ok(open) if !place.within => {
                let stat = fstat(&open)?;
                self.enter(open, &stat, place);
            }
            _ if !place.within => self.roots_missing(&place.path, &why(refused)),
            _ => {
                let path = place.path.clone();
                self.give(Step::Unlistable { path, why: super::fit(&why(refused)) });
            }
        }
        Ok(())
    }

    fn give_directory(
        &mut self,
        open: &OwnedFd,
        stat: &Stat,
        place: &Place,
        barred: Option<String>,
    ) {
        let looked = if self.attributes && self.after.is_none() {
            metadata::look_at_directory(open.as_fd(), stat)
        } else {
            let metadata = metadata::from_stat(stat);
            Looked { kind: Kind::Directory, metadata, faults: String::new(), open: None }
        };
        self.give_entry(looked, stat, &place.path, barred);
    }

    fn give_entry(&mut self, looked: Looked, stat: &Stat, path: &TreePath, barred: Option<String>) {
        let Looked { kind, metadata, faults, open } = looked;
        self.open = open.map(|open| (stat_id(stat), open));
        self.give(Step::Entry(Found {
            entry: Entry { path: path.clone(), kind, metadata },
            allocated: Bytes((stat.st_blocks as u64).saturating_mul(STAT_BLOCK_BYTES)),
            not_entered: barred.map(|why| super::fit(&why)),
            faults,
        }));
    }

    /// A mount point that must not even be looked at.
    fn give_unseen_mount(&mut self, path: TreePath, why: String) {
        let epoch = FileTime { seconds: 0, nanoseconds: 0 };
        let metadata =
            Metadata { mode: 0o755, nlink: 2, mtime: epoch, ctime: epoch, ..Metadata::default() };
        self.give(Step::Entry(Found {
            entry: Entry { path, kind: Kind::Directory, metadata },
            allocated: Bytes::ZERO,
            not_entered: Some(super::fit(&why)),
            faults: String::new(),
        }));
    }

    /// One level down; the outermost open directory is closed if there are too many.
    fn enter(&mut self, open: OwnedFd, stat: &Stat, place: &Place) {
        self.path.clear();
        if !place.path.is_root() {
            self.path.extend_from_slice(place.path.as_bytes());
        }
        self.here = Some(place.path.clone());
        let names = if place.within { Names::unlisted() } else { self.ways(&place.path) };
        self.levels.push(Level {
            path_len: self.path.len(),
            id: stat_id(stat),
            open: Some(open),
            names,
        });
        if let Some(far) = self.levels.len().checked_sub(OPEN_DIRECTORIES_MAX + 1) {
            self.levels[far].open = None;
        }
    }

    /// The names in `path` that lead to roots.
    fn ways(&self, path: &TreePath) -> Names {
        let depth = path.components().count();
        let beneath = self.roots.iter().filter(|root| root.is_within(path));
        Names::fixed(beneath.filter_map(|root| root.components().nth(depth)).map(Box::from))
    }

    /// A name that cannot be looked at.
    fn missing(&mut self, place: &Place, error: Errno) {
        self.counts.failing += u64::from(metadata::is_failing(error));
        if place.named {
            let why = match error {
                Errno::NOENT => "it does not exist".to_owned(),
                error => why(error),
            };
            self.roots_missing(&place.path, &why);
        } else if error == Errno::NOENT {
            self.counts.vanished += u64::from(self.after.is_none());
        } else {
            self.left_out(place.path.clone(), &why(error));
        }
    }

    fn roots_missing(&mut self, above: &TreePath, why: &str) {
        let missing: Vec<_> =
            self.roots.iter().filter(|root| root.is_within(above)).cloned().collect();
        self.counts.missing_roots += missing.len() as u64;
        for root in missing {
            self.left_out(root, why);
        }
    }
}

fn look_at(
    directory: BorrowedFd<'_>,
    name: &[u8],
    stat: &Stat,
    attributes: bool,
) -> Result<Looked, Errno> {
    if attributes {
        return metadata::look(directory, name, stat);
    }
    let kind = metadata::kind(directory, name, stat)?;
    Ok(Looked { kind, metadata: metadata::from_stat(stat), faults: String::new(), open: None })
}
