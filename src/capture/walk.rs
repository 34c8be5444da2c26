//! Walking the trees of a source in one total order, in bounded memory.
//!
//! **Invariants.**
//! - `Entry` and `LeftOut` steps come in strictly rising order of [`TreePath`]; an `Unlistable` is
//!   about a directory whose entry stands earlier.
//! - No symbolic link beneath a root is followed; every name is looked up in its open directory.
//! - Memory does not grow with the tree: a directory is listed in ranges (see `listing`), all
//!   pending names together hold at most [`PENDING_BYTES_MAX`], a level of depth costs its name and
//!   some numbers, and at most [`OPEN_DIRECTORIES_MAX`] directories are open. Those further up are
//!   found again through `..`, or by their path if they were moved, and are used only if device
//!   and inode are still the same.
//! - A fault is contained: it is told with its path, and the walk goes on.
//! - [`WalkOptions::after`] gives exactly the steps a full walk of the same tree would have given
//!   later; what lies before is neither opened nor looked at.
//!
//! Directories above a root are entries too, with their metadata, so that they can be restored;
//! of what they hold only the way to the roots is given. Which file systems are entered: see
//! [`super::mounts`].

mod listing;
#[cfg(test)]
mod mount_tests;
mod roots;
mod visit;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet, VecDeque};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{OFlags, Stat, fstat};
use rustix::io::Errno;

use self::listing::{Limits, Names};
use super::Beneath;
use super::entry::{Entry, WHY_BYTES_MAX};
use super::exclude::{Exclude, InvalidPattern};
use super::metadata::{self, why};
use super::mounts::{self, Verdict};
use crate::model::{Bytes, TreePath};

/// Directories kept open at once.
pub const OPEN_DIRECTORIES_MAX: usize = 64;
/// Names listed and not yet visited, over all levels.
pub const PENDING_BYTES_MAX: usize = 16 << 20;

/// What to walk and how.
#[derive(Debug, Clone)]
pub struct WalkOptions {
    /// The folder that stands for `/`: `/`, or where a disk is mounted in a rescue system.
    pub folder: PathBuf,
    /// Directories or single things to capture; order and nesting do not matter.
    pub roots: Vec<TreePath>,
    /// Left out silently: gitignore syntax over absolute source paths.
    pub exclude: Vec<String>,
    /// Directories that belong to others; never entered, nor given out.
    pub omit: Vec<TreePath>,
    /// evac's own folders, by device and inode: never given out.
    pub skip: Vec<(u64, u64)>,
    /// Everything up to and including this path was had before.
    pub after: Option<TreePath>,
    /// Read xattrs and inode flags as well? Without, one `stat` an entry, and only directories
    /// are opened: what a sweep needs to compare fingerprints.
    pub attributes: bool,
}

impl WalkOptions {
    /// All of `roots` on this machine, with attributes, from the beginning.
    pub fn new(roots: Vec<TreePath>) -> Self {
        Self {
            folder: PathBuf::from("/"),
            roots,
            exclude: Vec::new(),
            omit: Vec::new(),
            skip: Vec::new(),
            after: None,
            attributes: true,
        }
    }
}

/// Why a walk cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// The folder that stands for `/`.
    #[error("cannot open `{folder}` to walk it")]
    Folder {
        /// Which.
        folder: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A pattern.
    #[error(transparent)]
    Pattern(#[from] InvalidPattern),
}

/// One thing a walk has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Here is an entry.
    Entry(Found),
    /// Here is something that has no entry: it cannot be looked at, or a root is missing.
    LeftOut {
        /// Which.
        path: TreePath,
        /// Why, bounded as in a record.
        why: String,
    },
    /// This directory, given earlier, cannot be listed (to its end): what a former pass found in it
    /// is to be kept.
    Unlistable {
        /// Which.
        path: TreePath,
        /// Why, bounded as in a record.
        why: String,
    },
}

/// An entry, and what does not belong into a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The entry.
    pub entry: Entry,
    /// What it takes on its disk.
    pub allocated: Bytes,
    /// Why a mount point is given as an empty directory; to be listed as left out.
    pub not_entered: Option<String>,
    /// Attributes that could not be read, bounded; empty as a rule.
    pub faults: String,
}

/// What happened along the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WalkCounts {
    /// Entries given out.
    pub entries: u64,
    /// Matched by a pattern; what lies beneath is not counted.
    pub excluded: u64,
    /// Gone between listing and looking: counted, not an error.
    pub vanished: u64,
    /// Names and listings that could not be had because a disk or file system fails.
    pub failing: u64,
    /// Roots that are not there, or cannot be reached.
    pub missing_roots: u64,
}

/// A directory on the way to where the walk is.
#[derive(Debug)]
struct Level {
    /// Length of its path in [`Walk::path`].
    path_len: usize,
    id: (u64, u64),
    open: Option<OwnedFd>,
    names: Names,
}

/// An iterator of [`Step`].
#[derive(Debug)]
pub struct Walk {
    tree: Beneath,
    roots: Vec<TreePath>,
    omit: Vec<TreePath>,
    exclude: Exclude,
    skip: HashSet<(u64, u64)>,
    verdicts: HashMap<TreePath, Verdict>,
    mounts_known: bool,
    attributes: bool,
    limits: Limits,
    /// While the place to go on from is looked for: steps up to here were given before.
    after: Option<TreePath>,
    /// Path of the innermost level; empty for `/`.
    path: Vec<u8>,
    /// The same, once it was needed.
    here: Option<TreePath>,
    levels: Vec<Level>,
    steps: VecDeque<Step>,
    counts: WalkCounts,
    /// The regular file that was looked at last, by device and inode.
    open: Option<((u64, u64), OwnedFd)>,
}

impl Walk {
    /// Opens the folder, resolves the roots, and goes to where the walk begins.
    pub fn new(options: WalkOptions) -> Result<Self, WalkError> {
        Self::with_limits(options, Limits::default())
    }

    fn with_limits(options: WalkOptions, limits: Limits) -> Result<Self, WalkError> {
        let WalkOptions { folder, roots, exclude, omit, skip, after, attributes } = options;
        let exclude = Exclude::new(&exclude)?;
        let tree = Beneath::open(&folder)
            .map_err(|error| WalkError::Folder { folder: folder.clone(), source: error.into() })?;
        let roots = roots::normalise(&tree, &roots);
        let mounted = mounts::read(&folder);
        let verdicts = mounts::decide(&tree, &mounted, &roots, |path| exclude.matches(path, true));
        let mut walk = Self {
            tree,
            roots,
            omit: roots::merge(omit),
            exclude,
            skip: skip.into_iter().collect(),
            verdicts,
            mounts_known: !mounted.is_empty(),
            attributes,
            limits,
            after,
            path: Vec::new(),
            here: None,
            levels: Vec::new(),
            steps: VecDeque::new(),
            counts: WalkCounts::default(),
            open: None,
        };
        walk.begin().map_err(|error| WalkError::Folder { folder, source: error.into() })?;
        Ok(walk)
    }

    /// The roots that are walked: disjoint, sorted, with links above them resolved.
    pub fn roots(&self) -> &[TreePath] {
        &self.roots
    }

    /// The file of the step just given, if it is still open from being looked at. What was opened
    /// may be another file than what was listed: whoever reads it compares.
    pub fn take_open(&mut self, entry: &Entry) -> Option<OwnedFd> {
        let (id, open) = self.open.take()?;
        (id == (entry.metadata.dev, entry.metadata.ino)).then_some(open)
    }

    /// What happened so far.
    pub fn counts(&self) -> WalkCounts {
        self.counts
    }

    /// Puts `/` on the stack, and what leads to [`WalkOptions::after`].
    fn begin(&mut self) -> Result<(), Errno> {
        if self.roots.is_empty() {
            return Ok(());
        }
        self.visit_top()?;
        let Some(after) = self.after.clone() else { return Ok(()) };
        for name in after.components() {
            let depth = self.levels.len();
            let Some(level) = self.levels.last_mut() else { break };
            let held = level.names.holds(name);
            level.names.skip_to(name);
            if held {
                self.visit(name);
            }
            if self.levels.len() == depth {
                break;
            }
        }
        self.after = None;
        Ok(())
    }

    /// Does one piece of work; `false` when all is done.
    fn advance(&mut self) -> bool {
        let Some(level) = self.levels.last_mut() else { return false };
        if let Some(name) = level.names.take() {
            self.visit(&name);
        } else if level.names.wants_listing() {
            self.list();
        } else {
            self.leave();
        }
        true
    }

    fn list(&mut self) {
        let Some(level) = self.levels.last_mut() else { return };
        let Some(open) = &level.open else {
            level.names.give_up();
            return;
        };
        if let Err(error) = level.names.list(open.as_fd(), self.limits) {
            self.counts.failing += u64::from(metadata::is_failing(error));
            self.unlistable(why(error));
        }
        self.forget_beyond_budget();
    }

    /// The outermost names are needed last: they are let go first, and listed again.
    fn forget_beyond_budget(&mut self) {
        let mut held: usize = self.levels.iter().map(|level| level.names.held_bytes()).sum();
        let outer = self.levels.len().saturating_sub(1);
        for level in &mut self.levels[..outer] {
            if held <= PENDING_BYTES_MAX {
                break;
            }
            held -= level.names.held_bytes();
            level.names.forget();
        }
    }

    /// Back to the directory above, which may have to be found again.
    fn leave(&mut self) {
        let Some(left) = self.levels.pop() else { return };
        let Some(level) = self.levels.last() else { return };
        self.path.truncate(level.path_len);
        self.here = None;
        if level.open.is_some() {
            return;
        }
        let found = self.find_again(level.id, left.open);
        let Some(level) = self.levels.last_mut() else { return };
        match found {
            Ok(open) => level.open = Some(open),
            Err(error) => {
                level.names.give_up();
                self.unlistable(format!("it was moved or replaced meanwhile: {}", why(error)));
            }
        }
    }

    fn find_again(&self, id: (u64, u64), below: Option<OwnedFd>) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let is_it = |open: &OwnedFd| fstat(open).is_ok_and(|stat| stat_id(&stat) == id);
        let above = below.and_then(|fd| metadata::open_quietly(fd.as_fd(), b"..", flags).ok());
        if let Some(open) = above.filter(is_it) {
            return Ok(open);
        }
        let open = self.tree.open_quietly(&self.here(), flags)?;
        if is_it(&open) { Ok(open) } else { Err(Errno::STALE) }
    }

    /// Path of the innermost level.
    fn here(&self) -> TreePath {
        TreePath::new(self.path.clone()).unwrap_or_else(|_| TreePath::root())
    }

    fn give(&mut self, step: Step) {
        let path = match &step {
            Step::Entry(found) => &found.entry.path,
            Step::LeftOut { path, .. } => path,
            Step::Unlistable { .. } => return self.steps.push_back(step),
        };
        if self.after.as_ref().is_none_or(|after| path > after) {
            self.counts.entries += u64::from(matches!(step, Step::Entry(_)));
            self.steps.push_back(step);
        }
    }

    fn left_out(&mut self, path: TreePath, why: &str) {
        self.give(Step::LeftOut { path, why: fit(why) });
    }

    fn unlistable(&mut self, why: String) {
        let path = self.here();
        self.give(Step::Unlistable { path, why: fit(&why) });
    }
}

impl Iterator for Walk {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        loop {
            if let Some(step) = self.steps.pop_front() {
                return Some(step);
            }
            if !self.advance() {
                return self.steps.pop_front();
            }
        }
    }
}

fn stat_id(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

/// As long as a record may state it.
fn fit(why: &str) -> String {
    why[..why.floor_char_boundary(WHY_BYTES_MAX)].to_owned()
}
