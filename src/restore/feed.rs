//! A pass as a sequence of batches.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::capture::{Kind, Record};
use crate::chunk::{DomainKey, FrameBuilder};
use crate::model::{ChunkId, TreePath};
use crate::restore::difference::{Difference, Told};
use crate::restore::frames::{CachedFrame, FrameCache};
use crate::restore::{BATCH_BYTES, BATCH_RECORDS};
use crate::store::{Pass, Place, Step};
use crate::wire::Former;

/// A frame of which less than this share is needed is packed anew before it is sent.
const WORTH_SENDING_WHOLE: f64 = 0.5;
/// Frames packed anew were compressed once already; a fast level is enough.
const REPACK_LEVEL: i32 = 1;

/// Which part of a pass.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Only these paths, what is in them and what they are in; empty: everything.
    pub include: Vec<TreePath>,
    /// Everything before this path is on the target, durably.
    pub resume: Option<TreePath>,
}

impl Selection {
    pub(super) fn takes(&self, path: &TreePath) -> bool {
        self.include.is_empty()
            || self.include.iter().any(|root| path.is_within(root) || root.is_within(path))
    }

    /// Content of what stands before the resume point is there already. Directories are said
    /// again, since their times change with what is still put into them, and so is whatever
    /// carries flags, since those are set at the very end.
    fn is_there(&self, record: &Record) -> bool {
        let (Some(resume), Record::Node(entry) | Record::HardLink { entry, .. }) =
            (&self.resume, record)
        else {
            return false;
        };
        entry.path < *resume && !matches!(entry.kind, Kind::Directory) && entry.metadata.flags == 0
    }
}

/// Records with everything they need.
#[derive(Debug, Default)]
pub struct Batch {
    /// Its place in the sequence, from 0.
    pub number: u64,
    /// In the order of the tree.
    pub records: Vec<Record>,
    /// What an earlier restore wrote in place of some of them.
    pub formers: Vec<Former>,
    /// Pieces among the records, by number, that stand there already.
    pub kept: Vec<u32>,
    /// What the records name, frame by frame, in the order of the packs.
    pub frames: Vec<(Arc<CachedFrame>, HashSet<ChunkId>)>,
    /// The last path with a record; everything before it is complete once this is written.
    pub last: Option<TreePath>,
    /// Files with content that cannot be had, and why.
    pub damaged: Vec<(TreePath, String)>,
}

impl Batch {
    /// The frames as they are sent: whole where most of them is needed, else packed anew.
    pub fn encode_frames(&self, key: &DomainKey) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        let mut builder = FrameBuilder::new(key.domain());
        for (frame, needed) in &self.frames {
            let length = |(id, range): &(ChunkId, std::ops::Range<usize>)| {
                if needed.contains(id) { range.len() } else { 0 }
            };
            let needed_bytes: usize = frame.chunks.iter().map(length).sum();
            if needed_bytes as f64 >= WORTH_SENDING_WHOLE * frame.raw.len() as f64 {
                out.push(frame.stored.clone());
                continue;
            }
            for (id, range) in frame.chunks.iter().filter(|(id, _)| needed.contains(id)) {
                builder.push(*id, &frame.raw[range.clone()]);
                if builder.is_full() {
                    out.push(builder.finish(REPACK_LEVEL));
                }
            }
        }
        if !builder.is_empty() {
            out.push(builder.finish(REPACK_LEVEL));
        }
        out
    }
}

/// Cuts the records of a pass into batches.
pub struct Feed {
    steps: Difference,
    selection: Selection,
    cache: FrameCache,
    next_number: u64,
    /// The file that is being read, if it was selected.
    file: Option<TreePath>,
    path: Option<TreePath>,
}

impl Feed {
    /// Over the merged runs of `pass`, by way of a cache that others may share.
    pub fn new(cache: &FrameCache, pass: &Pass, selection: Selection) -> Self {
        Self {
            steps: Difference::new(pass.merged()),
            selection,
            cache: cache.clone(),
            next_number: 0,
            file: None,
            path: None,
        }
    }

    /// Onto a place where all of `former` was restored. `keeps_nothing`: what stands there is
    /// written anew, even where it is right.
    #[must_use]
    pub fn against(mut self, former: &Pass, keeps_nothing: bool) -> Self {
        let is_resumed = self.selection.resume.is_some();
        self.steps = self.steps.against(former.merged(), is_resumed, keeps_nothing);
        self
    }

    /// The next batch; `None` at the end.
    pub fn next_batch(&mut self) -> Option<Batch> {
        let mut batch = Batch { number: self.next_number, ..Batch::default() };
        // Pieces before the first node belong to the file that an earlier batch began.
        let begun = self.file.clone();
        let mut bytes = 0;
        let mut needed: BTreeMap<Place, HashSet<ChunkId>> = BTreeMap::new();
        let mut weight = 0;
        while bytes < BATCH_BYTES && batch.records.len() < BATCH_RECORDS && weight < 4 << 20 {
            let Some(Told { step, former, is_kept }) = self.steps.next() else {
                break;
            };
            let Some(record) = self.settle(step, &mut batch) else {
                continue;
            };
            let number = batch.records.len() as u32;
            if is_kept {
                batch.kept.push(number);
                batch.records.push(record);
                continue;
            }
            if let Some(former) = former {
                weight += 256;
                batch.formers.push(Former::new(number, former, &record));
            }
            if let Some(path) = record.path() {
                weight += path.as_bytes().len() + 256;
            }
            let record = self.supply(record, &mut needed, &mut batch.damaged);
            if let Record::Data { length, .. } = record {
                bytes += u64::from(length);
            }
            batch.records.push(record);
        }
        if batch.records.is_empty() && batch.damaged.is_empty() {
            return None;
        }
        self.next_number += 1;
        batch.last.clone_from(&self.path);
        self.load(needed, begun, &mut batch);
        Some(batch)
    }

    /// The record a step asks to be written, if any.
    fn settle(&mut self, step: Step, batch: &mut Batch) -> Option<Record> {
        match step {
            Step::Record(record) => self.select(&record).then_some(record),
            Step::Unfinished(path) => {
                let file = self.file.take_if(|file| *file == path)?;
                batch.damaged.push((file, "its capture was not finished".to_owned()));
                None
            }
            // It begins again: what this batch has of it is dropped, what went before is replaced.
            Step::Superseded(path) => {
                let begins = |r: &Record| matches!(r, Record::Node(e) if e.path == path);
                if let Some(at) = batch.records.iter().rposition(begins) {
                    batch.records.truncate(at);
                    batch.formers.retain(|former| (former.record as usize) < at);
                    batch.kept.retain(|number| (*number as usize) < at);
                }
                None
            }
            Step::Damaged(fault) => {
                let what = format!("part of the manifest cannot be read: {fault:?}");
                let path = self.path.clone().unwrap_or_else(TreePath::root);
                batch.damaged.push((path, crate::model::text::bounded(&what, 300)));
                None
            }
        }
    }

    /// Is a record part of the restore? Pieces follow their file.
    fn select(&mut self, record: &Record) -> bool {
        match record {
            Record::Node(entry) | Record::HardLink { entry, .. } => {
                let takes = self.selection.takes(&entry.path) && !self.selection.is_there(record);
                self.file = takes.then(|| entry.path.clone());
                if takes {
                    self.path = Some(entry.path.clone());
                }
                takes
            }
            Record::Data { .. } | Record::Lost { .. } | Record::End { .. } => self.file.is_some(),
            // Only a former pass is told of what is gone.
            Record::Gone { path } => self.selection.takes(path),
            Record::LeftOut { .. } => false,
        }
    }

    /// Notes which frame a piece comes from; a piece that is nowhere becomes a hole that is listed.
    fn supply(
        &self,
        record: Record,
        needed: &mut BTreeMap<Place, HashSet<ChunkId>>,
        damaged: &mut Vec<(TreePath, String)>,
    ) -> Record {
        let Record::Data { offset, length, id } = record else {
            return record;
        };
        if let Some(place) = self.cache.locate(&id) {
            needed.entry(place).or_default().insert(id);
            return record;
        }
        if let Some(path) = &self.file {
            damaged.push((path.clone(), format!("{length} bytes at {offset} are in no pack")));
        }
        Record::Lost { offset, length }
    }

    /// Opens the frames; a damaged one turns its pieces into holes that are listed.
    fn load(
        &mut self,
        needed: BTreeMap<Place, HashSet<ChunkId>>,
        begun: Option<TreePath>,
        batch: &mut Batch,
    ) {
        let mut bad: BTreeMap<ChunkId, String> = BTreeMap::new();
        for (place, ids) in needed {
            match self.cache.get(place) {
                Ok(frame) => batch.frames.push((frame, ids)),
                Err(error) => {
                    let why = crate::model::text::bounded(&explain(&error), 160);
                    bad.extend(ids.into_iter().map(|id| (id, why.clone())));
                }
            }
        }
        if bad.is_empty() {
            return;
        }
        let mut path = begun;
        for record in &mut batch.records {
            match record {
                Record::Node(entry) => path = Some(entry.path.clone()),
                Record::Data { offset, length, id } => {
                    if let Some(why) = bad.get(id) {
                        if let Some(path) = &path {
                            let what = format!("{length} bytes at {offset} are damaged: {why}");
                            batch.damaged.push((path.clone(), what));
                        }
                        *record = Record::Lost { offset: *offset, length: *length };
                    }
                }
                _ => {}
            }
        }
    }
}

pub(super) fn explain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
