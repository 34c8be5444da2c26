//! A pass against the one that an earlier restore wrote: what is to be written, what is to be left,
//! what is to go.
//!
//! Both are read in the order of the tree, side by side. An entry that both have carries what was
//! written of it; a piece of a file that stands in both, at the same place, is kept. What only the
//! former has is told as gone, a directory before what is in it.
//!
//! **Invariant.** Memory does not grow with the tree: of the former pass one entry is held, with at
//! most [`PIECES_MAX`] pieces; of a file with more, none is kept.

use std::collections::VecDeque;

use crate::capture::{Entry, Kind, Record};
use crate::model::{ChunkId, TreePath};
use crate::store::{Merged, Step};

/// Pieces of one file that are compared: 64 GiB at their usual length.
const PIECES_MAX: usize = 262_144;

/// A step of the pass, with what the former has in its place.
#[derive(Debug)]
pub(super) struct Told {
    pub step: Step,
    pub former: Option<Entry>,
    /// A piece that stands there already.
    pub is_kept: bool,
}

impl Told {
    fn plain(step: Step) -> Self {
        Self { step, former: None, is_kept: false }
    }

    fn gone(group: Group) -> Self {
        let step = Step::Record(Record::Gone { path: group.entry.path.clone() });
        Self { step, former: Some(group.entry), is_kept: false }
    }
}

/// An entry of the former pass with its pieces.
#[derive(Debug)]
struct Group {
    entry: Entry,
    pieces: Vec<(u64, u32, ChunkId)>,
    has_too_many: bool,
}

impl Group {
    fn add(&mut self, offset: u64, length: u32, id: ChunkId) {
        self.has_too_many |= self.pieces.len() >= PIECES_MAX;
        if self.has_too_many {
            self.pieces = Vec::new();
        } else {
            self.pieces.push((offset, length, id));
        }
    }

    fn has(&self, piece: (u64, u32, ChunkId)) -> bool {
        let at = self.pieces.binary_search_by_key(&piece.0, |(offset, ..)| *offset);
        at.is_ok_and(|at| self.pieces[at] == piece)
    }
}

/// The former pass, an entry at a time.
struct Groups {
    steps: Merged,
    begun: Option<Group>,
    peeked: Option<Group>,
}

impl Groups {
    fn new(steps: Merged) -> Self {
        let mut groups = Self { steps, begun: None, peeked: None };
        groups.advance();
        groups
    }

    fn advance(&mut self) -> Option<Group> {
        let next = self.read();
        std::mem::replace(&mut self.peeked, next)
    }

    fn next_if(&mut self, is_it: impl FnOnce(&TreePath) -> bool) -> Option<Group> {
        if self.peeked.as_ref().is_some_and(|group| is_it(&group.entry.path)) {
            self.advance()
        } else {
            None
        }
    }

    fn read(&mut self) -> Option<Group> {
        loop {
            match self.steps.next() {
                None => return self.begun.take(),
                Some(Step::Record(Record::Node(entry) | Record::HardLink { entry, .. })) => {
                    let group = Group { entry, pieces: Vec::new(), has_too_many: false };
                    if let Some(done) = self.begun.replace(group) {
                        return Some(done);
                    }
                }
                Some(Step::Record(Record::Data { offset, length, id })) => {
                    if let Some(begun) = &mut self.begun {
                        begun.add(offset, length, id);
                    }
                }
                // What was written has the size as read.
                Some(Step::Record(Record::End { size, .. })) => {
                    if let Some(Group { entry, .. }) = &mut self.begun {
                        entry.kind = Kind::File { size };
                    }
                }
                Some(Step::Superseded(_)) => self.begun = None,
                Some(Step::Record(_) | Step::Unfinished(_) | Step::Damaged(_)) => {}
            }
        }
    }
}

/// The steps of a pass, with what a former one has in their place.
pub(super) struct Difference {
    steps: Merged,
    former: Option<Groups>,
    current: Option<Group>,
    /// Of a changed file nothing is kept: an earlier try may have written into it.
    is_resumed: bool,
    /// Nothing is kept, whatever stands there.
    keeps_nothing: bool,
    may_keep: bool,
    queue: VecDeque<Told>,
}

impl Difference {
    pub fn new(steps: Merged) -> Self {
        Self {
            steps,
            former: None,
            current: None,
            is_resumed: false,
            keeps_nothing: false,
            may_keep: false,
            queue: VecDeque::new(),
        }
    }

    /// Against `former`.
    pub fn against(self, former: Merged, is_resumed: bool, keeps_nothing: bool) -> Self {
        Self { former: Some(Groups::new(former)), is_resumed, keeps_nothing, ..self }
    }

    pub fn next(&mut self) -> Option<Told> {
        if let Some(told) = self.queue.pop_front() {
            return Some(told);
        }
        let step = self.steps.next();
        if self.former.is_none() {
            return step.map(Told::plain);
        }
        match step {
            Some(Step::Record(record)) => self.record(record),
            Some(step) => return Some(Told::plain(step)),
            None => return self.former.as_mut().and_then(Groups::advance).map(Told::gone),
        }
        self.queue.pop_front()
    }

    fn record(&mut self, record: Record) {
        let mut told = Told::plain(Step::Record(record));
        match &told.step {
            Step::Record(Record::Node(entry) | Record::HardLink { entry, .. }) => {
                let entry = entry.clone();
                self.meet(&entry);
                told.former = self.current.as_ref().map(|group| group.entry.clone());
                let is_same = told.former.as_ref() == Some(&entry);
                self.may_keep = !self.keeps_nothing && (is_same || !self.is_resumed);
            }
            Step::Record(Record::Data { offset, length, id }) => {
                let piece = (*offset, *length, *id);
                let has = self.current.as_ref().is_some_and(|group| group.has(piece));
                told.is_kept = self.may_keep && has;
            }
            _ => {}
        }
        self.queue.push_back(told);
    }

    /// Everything of the former pass before `entry` is gone; what stands in its place is current.
    fn meet(&mut self, entry: &Entry) {
        let path = &entry.path;
        if self.current.as_ref().is_some_and(|group| group.entry.path == *path) {
            return;
        }
        let Some(former) = &mut self.former else { return };
        while let Some(group) = former.next_if(|old| old < path) {
            self.queue.push_back(Told::gone(group));
        }
        self.current = former.next_if(|old| old == path);
        let is_folder = |group: &Group| group.entry.kind == Kind::Directory;
        if entry.kind != Kind::Directory && self.current.as_ref().is_some_and(is_folder) {
            // What takes its place needs an empty one.
            self.queue.extend(self.current.take().map(Told::gone));
            while let Some(group) = former.next_if(|old| old.is_within(path)) {
                self.queue.push_back(Told::gone(group));
            }
        }
    }
}
