//! Merges the runs of a pass into one tree, in one stream.
//!
//! # How runs merge
//!
//! Per path the newest run wins, a file's `Node` to `End` as a unit. `Gone` takes the path and all
//! that older runs have beneath it, and so does anything that is not a directory where one was.
//! `LeftOut` takes nothing: what an older run holds is better than nothing, so it follows, and the
//! omission stays listed. Where a newer run is damaged, older runs are believed.
//!
//! **Invariant.** Memory holds one segment of each run, however large the tree.

use std::collections::VecDeque;

use crate::capture::entry::{Entry, Kind, Record};
use crate::model::TreePath;
use crate::store::run_file::{RunReader, RunStep, SegmentFault};

/// One step through the merged tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A record of the final tree; never `Gone`.
    Record(Record),
    /// The file of the latest `Node` stops here without its `End`.
    Unfinished(TreePath),
    /// What came of this path does not count: it begins again.
    Superseded(TreePath),
    /// Something is missing here.
    Damaged(SegmentFault),
}

/// One run with a look ahead.
struct Stream {
    reader: RunReader,
    peeked: Option<RunStep>,
    /// A path whose older descendants this run takes away.
    cover: Option<TreePath>,
}

impl Stream {
    fn new(mut reader: RunReader) -> Self {
        let peeked = reader.next();
        let mut stream = Self { reader, peeked, cover: None };
        stream.drop_orphans();
        stream
    }

    fn advance(&mut self) -> Option<RunStep> {
        let next = self.reader.next();
        let step = std::mem::replace(&mut self.peeked, next);
        if matches!(step, Some(RunStep::Fault(_))) {
            self.drop_orphans();
        }
        step
    }

    /// Pieces of a file whose `Node` could not be read belong to nothing.
    fn drop_orphans(&mut self) {
        while self.piece().is_some() {
            self.peeked = self.reader.next();
        }
    }

    fn path(&self) -> Option<&TreePath> {
        match &self.peeked {
            Some(RunStep::Record(record)) => record.path(),
            _ => None,
        }
    }

    fn piece(&self) -> Option<&Record> {
        match &self.peeked {
            Some(RunStep::Record(record)) if record.path().is_none() => Some(record),
            _ => None,
        }
    }

    /// What is said of an entry after it does not begin it again.
    fn is_left_out(&self) -> bool {
        matches!(self.peeked, Some(RunStep::Record(Record::LeftOut { .. })))
    }

    fn has_fault(&self) -> bool {
        matches!(self.peeked, Some(RunStep::Fault(_)))
    }

    fn take_record(&mut self) -> Option<Record> {
        match self.peeked {
            Some(RunStep::Record(_)) => match self.advance() {
                Some(RunStep::Record(record)) => Some(record),
                _ => None,
            },
            _ => None,
        }
    }

    /// Passes over all that stands here at `path`; faults on the way are not to be lost.
    /// Gives the entry it had.
    fn skip(&mut self, path: &TreePath, faults: &mut VecDeque<Step>) -> Option<Entry> {
        let mut skipped = None;
        loop {
            if self.path() == Some(path) {
                let record = self.take_record();
                self.cover_by(record.as_ref());
                if let Some(Record::Node(entry) | Record::HardLink { entry, .. }) = record {
                    skipped = Some(entry);
                }
            } else if self.piece().is_some() {
                self.advance();
            } else if self.has_fault() {
                if let Some(RunStep::Fault(fault)) = self.advance() {
                    faults.push_back(Step::Damaged(fault));
                }
            } else {
                return skipped;
            }
        }
    }

    /// Notes what `record` takes away from older runs.
    fn cover_by(&mut self, record: Option<&Record>) {
        match record {
            Some(Record::Gone { path }) => self.cover = Some(path.clone()),
            Some(Record::Node(entry) | Record::HardLink { entry, .. })
                if !matches!(entry.kind, Kind::Directory) =>
            {
                self.cover = Some(entry.path.clone());
            }
            _ => {}
        }
    }

    fn covers(&self, path: &TreePath) -> bool {
        self.cover.as_ref().is_some_and(|cover| path.is_within(cover))
    }
}

/// The group whose pieces come next.
struct Active {
    stream: usize,
    path: TreePath,
    /// A file without its `End` yet.
    is_unfinished: bool,
}

/// Merges the runs of a pass; see the module.
pub struct Merged {
    /// Older runs first.
    streams: Vec<Stream>,
    active: Option<Active>,
    queue: VecDeque<Step>,
    latest_run: usize,
    replaced: Option<Entry>,
}

impl Iterator for Merged {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        loop {
            if let Some(step) = self.queue.pop_front() {
                return Some(step);
            }
            if self.active.is_some() {
                if let Some(step) = self.next_piece() {
                    return Some(step);
                }
                continue;
            }
            if let Some(stream) = self.streams.iter_mut().find(|stream| stream.has_fault()) {
                if let Some(RunStep::Fault(fault)) = stream.advance() {
                    return Some(Step::Damaged(fault));
                }
                continue;
            }
            let path = self.streams.iter().filter_map(Stream::path).min()?.clone();
            if let Some(step) = self.begin(path) {
                return Some(step);
            }
        }
    }
}

impl Merged {
    /// Merges runs; older ones first.
    pub(super) fn new(readers: impl Iterator<Item = RunReader>) -> Self {
        let streams = readers.map(Stream::new).collect();
        Self { streams, active: None, queue: VecDeque::new(), latest_run: 0, replaced: None }
    }

    /// From which run, counted from the oldest, the latest entry is.
    pub(super) fn latest_run(&self) -> usize {
        self.latest_run
    }

    /// What an older run had in place of the latest entry.
    pub fn replaced(&self) -> Option<&Entry> {
        self.replaced.as_ref()
    }

    /// The next piece of the active group, or how it ends.
    fn next_piece(&mut self) -> Option<Step> {
        let active = self.active.as_mut()?;
        let stream = &mut self.streams[active.stream];
        if stream.piece().is_some() {
            let record = stream.take_record()?;
            if matches!(record, Record::End { .. }) {
                active.is_unfinished = false;
            }
            return Some(Step::Record(record));
        }
        let is_again = stream.path() == Some(&active.path) && !stream.is_left_out();
        let Active { path, is_unfinished, .. } = self.active.take()?;
        if is_again {
            Some(Step::Superseded(path))
        } else {
            is_unfinished.then_some(Step::Unfinished(path))
        }
    }

    /// The newest record of `path`, unless it is hidden or `Gone`.
    fn begin(&mut self, path: TreePath) -> Option<Step> {
        let newest = self.streams.iter().rposition(|stream| stream.path() == Some(&path))?;
        let is_hidden = self.streams[newest + 1..].iter().any(|newer| newer.covers(&path));
        if is_hidden {
            self.streams[newest].skip(&path, &mut self.queue);
            return None;
        }
        let record = self.streams[newest].take_record()?;
        if matches!(record, Record::LeftOut { .. }) {
            return Some(Step::Record(record));
        }
        self.streams[newest].cover_by(Some(&record));
        (self.latest_run, self.replaced) = (newest, None);
        for older in &mut self.streams[..newest] {
            if older.path() == Some(&path) {
                self.replaced = older.skip(&path, &mut self.queue);
            }
        }
        let is_unfinished = match &record {
            Record::Gone { .. } => return None,
            Record::Node(entry) => matches!(entry.kind, Kind::File { .. }),
            _ => false,
        };
        self.active = Some(Active { stream: newest, path, is_unfinished });
        if self.queue.is_empty() {
            return Some(Step::Record(record));
        }
        // Faults met while skipping come first: they lie before this record's pieces.
        self.queue.push_back(Step::Record(record));
        self.queue.pop_front()
    }
}
