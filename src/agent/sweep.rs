//! A sweep: what is found now against what the landing site has, both in the order of the tree.
//!
//! **Invariant.** What cannot be looked at is not gone: entries beneath a directory that cannot be
//! listed, and an entry that cannot be looked at, stay as they were captured.
//! Disks of virtual machines and loop devices ([`crate::capture::images`]) are never the same when
//! a pass begins; its closing sweeps do not read them once more.

use std::collections::VecDeque;
use std::sync::mpsc::Receiver;

use crate::agent::outbox::{Disconnected, Outbox};
use crate::capture::Images;
use crate::capture::walk::Step;
use crate::model::TreePath;
use crate::wire::{BaseEntry, ToLanding};

/// Blocks asked for ahead.
const AHEAD: usize = 2;

/// What the landing site has, streamed.
pub struct Base {
    outbox: Outbox,
    blocks: Receiver<(Vec<BaseEntry>, bool)>,
    entries: VecDeque<BaseEntry>,
    asked: usize,
    is_over: bool,
    /// Directories whose former entries stay; those left behind by the walk are dropped.
    kept: Vec<TreePath>,
    /// Files that are not the same whatever they look like.
    images: Images,
}

/// How a step compares with the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    /// It is as it was.
    Same,
    /// It is new or changed, or no entry.
    Different,
}

impl Base {
    /// Nothing asked for yet; `images` are to be read again whatever they look like.
    pub fn new(outbox: Outbox, blocks: Receiver<(Vec<BaseEntry>, bool)>, images: Images) -> Self {
        Self {
            outbox,
            blocks,
            entries: VecDeque::new(),
            asked: 0,
            is_over: false,
            kept: Vec::new(),
            images,
        }
    }

    fn peek(&mut self) -> Result<Option<&BaseEntry>, Disconnected> {
        while self.entries.is_empty() && !self.is_over {
            while self.asked < AHEAD {
                self.outbox.send(&ToLanding::BaseMore)?;
                self.asked += 1;
            }
            let (entries, is_last) = self.blocks.recv().map_err(|_| Disconnected)?;
            self.asked -= 1;
            self.is_over = is_last;
            self.entries.extend(entries);
        }
        Ok(self.entries.front())
    }

    /// The next name of the base that stands before `path` and is gone; `None` for the end.
    pub fn next_gone(&mut self, path: Option<&TreePath>) -> Result<Option<TreePath>, Disconnected> {
        loop {
            let is_before = |entry: &BaseEntry| path.is_none_or(|path| entry.path < *path);
            if !self.peek()?.is_some_and(is_before) {
                return Ok(None);
            }
            let Some(entry) = self.entries.pop_front() else {
                return Ok(None);
            };
            if !self.kept.iter().any(|kept| entry.path.is_within(kept)) {
                return Ok(Some(entry.path));
            }
        }
    }

    /// Compares a step, after [`Self::next_gone`] has seen everything before it.
    pub fn compare(&mut self, step: &Step) -> Result<Compared, Disconnected> {
        match step {
            Step::Unlistable { path, .. } | Step::LeftOut { path, .. } => {
                self.kept.retain(|kept| path.is_within(kept));
                self.kept.push(path.clone());
                Ok(Compared::Different)
            }
            Step::Entry(found) => {
                let entry = &found.entry;
                let is_it = |base: &BaseEntry| base.path == entry.path;
                if !self.peek()?.is_some_and(is_it) {
                    return Ok(Compared::Different);
                }
                let base = self.entries.pop_front();
                let is_same = base.is_some_and(|b| b.fingerprint == entry.fingerprint())
                    && !self.images.contains(&(entry.metadata.dev, entry.metadata.ino));
                Ok(if is_same { Compared::Same } else { Compared::Different })
            }
        }
    }
}

/// The path a step is about, if it has a place in the order.
pub fn place(step: &Step) -> Option<&TreePath> {
    match step {
        Step::Entry(found) => Some(&found.entry.path),
        Step::LeftOut { path, .. } => Some(path),
        Step::Unlistable { .. } => None,
    }
}
