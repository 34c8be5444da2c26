//! A restore into a folder of this machine.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes as Buffer;

use crate::agent::place::{ChunkFault, Chunks, PlaceOptions, Placed, Placer};
use crate::capture::{Entry, Record};
use crate::model::{Bytes, ChunkId, TreePath};
use crate::restore::RestoreError;
use crate::restore::feed::{Batch, Feed, Selection};
use crate::restore::frames::CachedFrame;
use crate::store::{Pass, Step};

/// After so much content what was written is synced, and a resume can begin there.
const SYNC_BYTES: u64 = 256 << 20;

/// What a restore did.
#[derive(Debug, Default)]
pub struct LocalReport {
    /// What was written.
    pub placed: Placed,
    /// Files with content that could not be had, and why.
    pub damaged: Vec<(TreePath, String)>,
}

/// The pieces of one batch.
#[derive(Default)]
struct Larder {
    places: HashMap<ChunkId, (Arc<CachedFrame>, Range<usize>)>,
}

impl Larder {
    fn fill(&mut self, batch: &Batch) {
        self.places.clear();
        for (frame, needed) in &batch.frames {
            for (id, range) in frame.chunks.iter().filter(|(id, _)| needed.contains(id)) {
                self.places.insert(*id, (frame.clone(), range.clone()));
            }
        }
    }
}

impl Chunks for Larder {
    fn get(&mut self, id: &ChunkId) -> Result<Buffer, ChunkFault> {
        let missing = || ChunkFault::Damaged("it is in no pack".to_owned());
        let (frame, range) = self.places.get(id).ok_or_else(missing)?;
        Ok(frame.raw.slice(range.clone()))
    }
}

/// What stands beneath `root` and would end a restore half-way is found before anything is
/// written. Costs a reading of the manifest, and a look at what is there.
pub fn refuse_in_the_way(
    pass: &Pass,
    selection: &Selection,
    root: &Path,
    options: &PlaceOptions,
) -> Result<(), RestoreError> {
    // Onto an earlier restore what is in the way is left and listed, each by itself.
    if options.overwrite || options.incremental || !root.exists() {
        return Ok(());
    }
    let placer = Placer::open(root, options.clone())?;
    let refusal = entries(pass.merged(), selection).find_map(|entry| placer.refusal(&entry));
    refusal.map_or(Ok(()), |refusal| Err(refusal.into()))
}

/// What a restore of `selection` would place, without content.
pub fn entries(
    steps: impl Iterator<Item = Step>,
    selection: &Selection,
) -> impl Iterator<Item = Entry> {
    steps.filter_map(|step| match step {
        Step::Record(Record::Node(entry)) if selection.takes(&entry.path) => Some(entry),
        _ => None,
    })
}

/// Writes what `feed` yields beneath `root`. `durable` is told, every so often, that everything
/// before a path survives a power cut, with the entries and bytes since the last time; nothing
/// behind what is listed, so that whoever goes on lists it again.
pub fn restore_to_folder(
    feed: &mut Feed,
    root: &Path,
    options: PlaceOptions,
    durable: &mut dyn FnMut(&TreePath, u64, Bytes) -> Result<(), RestoreError>,
) -> Result<LocalReport, RestoreError> {
    let mut placer = Placer::open(root, options)?;
    let mut larder = Larder::default();
    let mut report = LocalReport::default();
    let (mut entries, mut bytes) = (0, 0);
    while let Some(batch) = feed.next_batch() {
        larder.fill(&batch);
        placer.place_batch(&batch.records, &batch.formers, &batch.kept, &mut larder)?;
        for record in &batch.records {
            entries += u64::from(record.path().is_some());
            if let Record::Data { length, .. } = record {
                bytes += u64::from(*length);
            }
        }
        report.damaged.extend(batch.damaged);
        if let Some(last) = batch.last.filter(|_| bytes >= SYNC_BYTES) {
            if placer.reach()? && report.damaged.is_empty() {
                durable(&last, entries, Bytes(bytes))?;
            }
            (entries, bytes) = (0, 0);
        }
    }
    report.placed = placer.finish()?;
    Ok(report)
}
