//! What went wrong, bounded: the first problems are listed, all are counted.
//!
//! **Invariant.** What fails for a whole class of entries (owners without privilege, attributes the
//! file system does not have) is listed once and counted, or it would hide everything else.

use super::{PROBLEMS_MAX, PlaceProblem, Placed};
use crate::model::TreePath;
use crate::model::text::bounded;

/// Longest text about one problem.
const WHY_CHARS_MAX: usize = 200;

/// What fails alike for many entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Owner,
    Xattr,
    Flags,
}

#[derive(Debug, Default)]
pub(super) struct Problems {
    listed: Vec<PlaceProblem>,
    count: u64,
    owners: u64,
    xattrs: u64,
    flags: u64,
}

impl Problems {
    pub fn list(&mut self, path: &TreePath, why: &str) {
        self.count += 1;
        if self.listed.len() < PROBLEMS_MAX {
            self.listed.push(PlaceProblem { path: path.clone(), why: bounded(why, WHY_CHARS_MAX) });
        }
    }

    /// Lists the first of its class, counts the others.
    pub fn list_once(&mut self, class: Class, path: &TreePath, why: &str) {
        let count = match class {
            Class::Owner => &mut self.owners,
            Class::Xattr => &mut self.xattrs,
            Class::Flags => &mut self.flags,
        };
        *count += 1;
        if *count == 1 {
            self.list(path, why);
        }
    }

    /// Is anything listed that a try which goes on behind it would not find again?
    pub fn has_single(&self) -> bool {
        let classes = [self.owners, self.xattrs, self.flags];
        self.count > classes.iter().filter(|count| **count > 0).count() as u64
    }

    pub fn close(self, placed: &mut Placed) {
        placed.problems = self.listed;
        placed.problem_count = self.count;
        placed.owners_left = self.owners;
        placed.xattrs_left = self.xattrs;
        placed.flags_left = self.flags;
    }
}
