//! A pass as it is read: what it is of, its tree, and what a sweep compares the source with.
//!
//! A delta pass is read as the runs it builds on, then its own.
//!
//! **Invariant.** Memory holds one segment of each run, however large the tree.

use std::sync::Arc;

use crate::capture::entry::{Content, Entry, Fingerprint, Kind, Record};
use crate::model::{ChunkId, RunNumber, TreePath};
use crate::store::disk::Disk;
use crate::store::lineage::{self, LAYERS_MAX, Layer, PassBase};
use crate::store::manifest::{
    self, ManifestError, Owners, PassHead, PassName, PassSeal, RunEnd, run_of,
};
use crate::store::merge::{Merged, Step};
use crate::store::run_file::RunReader;

/// A pass on the disk.
#[derive(Clone)]
pub struct Pass {
    disk: Arc<dyn Disk>,
    name: PassName,
    head: PassHead,
    seal: Option<PassSeal>,
    runs: Vec<Run>,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    end: RunEnd,
    is_end_certain: bool,
}

impl std::fmt::Debug for Pass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pass({:?}, {} runs)", self.name, self.runs.len())
    }
}

/// What a sweep compares the living tree with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseEntry {
    /// Which entry.
    pub path: TreePath,
    /// How it looked; [`Fingerprint::NEVER`] when it has to be read again.
    pub fingerprint: Fingerprint,
    /// Its content is not had, or not had well.
    pub needs_reread: bool,
    /// Device and inode of a file with several names.
    pub link: Option<(u64, u64)>,
}

impl Pass {
    /// Opens a pass with everything in it that is whole.
    pub fn open(disk: &Arc<dyn Disk>, name: &PassName) -> Result<Self, ManifestError> {
        let head = manifest::read_head(disk, name)?;
        let seal = manifest::read_seal(disk, name)?;
        let mut runs = Vec::new();
        for file in disk.list(&name.file("run-"))? {
            let run = PassName::of_file(&file.name).and_then(|(_, inside)| run_of(inside));
            runs.extend(run.map(|run| RunEnd { run, end_bytes: file.length }));
        }
        let runs = runs.into_iter().map(|end| Run { end, is_end_certain: false }).collect();
        let ends = seal.as_ref().map(|seal| seal.runs.clone());
        let mut pass = Self { disk: Arc::clone(disk), name: name.clone(), head, seal, runs };
        if let Some(ends) = ends {
            pass.limit(&ends);
        }
        Ok(pass)
    }

    /// Reads only what receipts vouch for: these runs, up to these ends. A run that is shorter, or
    /// not there, is damage.
    pub fn limit(&mut self, ends: &[RunEnd]) {
        let mut runs: Vec<_> =
            ends.iter().map(|end| Run { end: *end, is_end_certain: true }).collect();
        runs.sort_unstable_by_key(|run| run.end.run);
        self.runs = runs;
    }

    /// What the pass is of.
    pub fn head(&self) -> &PassHead {
        &self.head
    }

    /// Which pass it is.
    pub fn name(&self) -> &PassName {
        &self.name
    }

    /// What it consists of, if it is sealed.
    pub fn seal(&self) -> Option<&PassSeal> {
        self.seal.as_ref()
    }

    pub(super) fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// Its own runs and how far they reach.
    pub fn runs(&self) -> impl Iterator<Item = RunEnd> + '_ {
        self.runs.iter().map(|run| run.end)
    }

    /// What it builds on.
    fn layers(&self) -> &[Layer] {
        self.head.base.as_ref().map_or(&[], |base| &base.layers)
    }

    /// What a later pass writes down to build on this one; `None` if it is not sealed, or builds on
    /// so much that a new pass had better stand for itself.
    pub fn as_base(&self) -> Result<Option<PassBase>, ManifestError> {
        let Some(seal) = &self.seal else { return Ok(None) };
        let mut layers = self.layers().to_vec();
        for end in &seal.runs {
            let read_from_s = lineage::read_clock(&self.disk, &self.name, end.run)?;
            layers.push(Layer { pass: self.name.pass, end: *end, read_from_s });
        }
        let is_short = layers.len() <= LAYERS_MAX;
        Ok(is_short.then_some(PassBase { pass: self.name.pass, layers }))
    }

    /// Names of owners, if they were kept.
    pub fn owners(&self) -> Result<Option<Owners>, ManifestError> {
        manifest::read_owners(&self.disk, &self.name)
    }

    /// The final tree, in path order.
    pub fn merged(&self) -> Merged {
        self.merged_before(RunNumber(u32::MAX))
    }

    /// The tree as the runs before `run` have it: what run `run` sweeps against.
    pub fn merged_before(&self, run: RunNumber) -> Merged {
        let layers = self.layers().iter().map(|layer| {
            let name = PassName { workload: self.name.workload.clone(), pass: layer.pass };
            RunReader::new(&self.disk, name.run_file(layer.end.run), layer.end.end_bytes, true)
        });
        let own = self.runs.iter().filter(|known| known.end.run < run).map(|known| {
            let file = self.name.run_file(known.end.run);
            let end = known.end.end_bytes;
            RunReader::new(&self.disk, file, end, known.is_end_certain)
        });
        Merged::new(layers.chain(own))
    }

    /// What run `run` compares the living tree with, in path order. What former passes read too
    /// soon after it had changed needs to be read again.
    pub fn base_entries(&self, run: RunNumber) -> BaseEntries {
        let (steps, layers) = (self.merged_before(run), self.layers().to_vec());
        let (rechecks, is_lost) = (false, None);
        BaseEntries { steps, layers, rechecks, is_lost, current: None, left_out: None }
    }
}

/// Lies this chunk in no pack any more?
type IsLost = dyn Fn(&ChunkId) -> bool + Send;

/// Turns the merged tree into what a sweep needs of it.
pub struct BaseEntries {
    steps: Merged,
    layers: Vec<Layer>,
    rechecks: bool,
    /// Lies content in no pack any more?
    is_lost: Option<Box<IsLost>>,
    current: Option<BaseEntry>,
    left_out: Option<TreePath>,
}

impl Iterator for BaseEntries {
    type Item = BaseEntry;

    fn next(&mut self) -> Option<BaseEntry> {
        self.next_watched(&mut |_, _| {})
    }
}

impl BaseEntries {
    /// Every file that a former pass read needs to be read again.
    #[must_use]
    pub fn rechecking(self, rechecks: bool) -> Self {
        Self { rechecks, ..self }
    }

    /// What has content that is lost needs to be read again.
    #[must_use]
    pub fn rereading(self, is_lost: impl Fn(&ChunkId) -> bool + Send + 'static) -> Self {
        Self { is_lost: Some(Box::new(is_lost)), ..self }
    }

    /// The next entry; `watch` sees every step of the merged tree, each once, and what it replaced
    /// ([`Merged::replaced`]).
    pub fn next_watched(
        &mut self,
        watch: &mut impl FnMut(&Step, Option<&Entry>),
    ) -> Option<BaseEntry> {
        loop {
            let Some(step) = self.steps.next() else { return self.current.take() };
            watch(&step, self.steps.replaced());
            let begun = match step {
                Step::Record(record) => self.note(record),
                Step::Unfinished(_) => {
                    self.spoil();
                    None
                }
                Step::Superseded(_) => {
                    self.current = None;
                    None
                }
                Step::Damaged(_) => None,
            };
            if let Some(begun) = begun
                && let Some(done) = self.current.replace(begun)
            {
                return Some(done);
            }
        }
    }

    /// Takes in one record; gives the entry it begins, if it does.
    fn note(&mut self, record: Record) -> Option<BaseEntry> {
        match record {
            Record::Node(entry) | Record::HardLink { entry, .. } => {
                let layer = self.layers.get(self.steps.latest_run());
                let is_believed = !self.rechecks || !matches!(entry.kind, Kind::File { .. });
                let is_settled =
                    layer.is_none_or(|layer| is_believed && layer.is_settled(entry.metadata.ctime));
                let needs_reread = !is_settled || self.left_out.as_ref() == Some(&entry.path);
                let fingerprint =
                    if needs_reread { Fingerprint::NEVER } else { entry.fingerprint() };
                let has_names = entry.metadata.nlink > 1 && entry.kind != Kind::Directory;
                let link = has_names.then_some((entry.metadata.dev, entry.metadata.ino));
                return Some(BaseEntry { path: entry.path, fingerprint, needs_reread, link });
            }
            Record::Lost { .. } => self.spoil(),
            Record::End { content: Content::Changed | Content::Cut, .. } => self.spoil(),
            Record::LeftOut { path, .. } => self.left_out = Some(path),
            Record::Data { id, .. } if self.is_lost.as_ref().is_some_and(|lost| lost(&id)) => {
                self.spoil();
            }
            Record::End { .. } | Record::Data { .. } | Record::Gone { .. } => {}
        }
        None
    }

    fn spoil(&mut self) {
        if let Some(current) = &mut self.current {
            current.needs_reread = true;
            current.fingerprint = Fingerprint::NEVER;
        }
    }
}
