//! Is what the manifests name still there, and still what it was? Reads only.
//!
//! Shallow: every chunk named is indexed, and every pack has its length and its footer. Deep: every
//! frame that holds a named chunk is read again, each once and in the order of the packs, and every
//! chunk in it is hashed against its name.
//!
//! **Invariant.** Only workloads and paths that are affected are named, all of them are counted,
//! and damage found early never hides damage found later. Memory grows with frames, not chunks.

mod frames;
mod missing;

pub use missing::{Missing, missing};

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use serde::{Serialize, Serializer};

use crate::capture::entry::Record;
use crate::model::{Bytes, ChunkId, RunNumber, TreePath, WorkloadId};
use crate::store::damaged::DamagedFrame;
use crate::store::disk::DiskErrorKind;
use crate::store::manifest::{ManifestError, PassName, PassSeal, RunEnd};
use crate::store::merge::Step;
use crate::store::pack::PackName;
use crate::store::pass::Pass;
use crate::store::run_file::SegmentFault;
use crate::store::scan::has_footer;
use crate::store::{Place, Store, StoreError};

/// Paths that one [`Bad`] lists; all are counted.
const PATHS_MAX: usize = 1_000;

/// A pass to verify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassRef {
    /// Which.
    pub name: PassName,
    /// What receipts vouch for. Empty: what the seal says, or else what is whole.
    pub ends: Vec<RunEnd>,
}

/// How far a deep verification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VerifyProgress {
    /// Frames read.
    pub done_frames: u64,
    /// Frames to read.
    pub frames: u64,
    /// Raw bytes hashed.
    pub checked_bytes: Bytes,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct VerifyReport {
    /// Chunks named by the passes; a chunk named twice counts twice.
    pub checked_chunks: u64,
    /// Their bytes; of a deep verification, the bytes that were read again and hashed.
    pub checked_bytes: Bytes,
    /// All damage.
    pub bad: Vec<Bad>,
    /// What is bad inside packs, to be listed beside them ([`crate::store::damaged`]).
    #[serde(skip)]
    pub damaged: Vec<DamagedFrame>,
}

/// Kinds of damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BadKind {
    /// The folder or file of a pass is gone.
    MissingManifest,
    /// Part of a manifest cannot be read.
    DamagedManifest,
    /// A pack is gone.
    MissingPack,
    /// It can only be on a disk that is not there. Not damage: nobody can tell until it is.
    DiskAway,
    /// A pack is shorter than it was.
    TruncatedPack,
    /// The list at the end of a pack is not what it was; its frames may be well.
    DamagedFooter,
    /// A frame is not what it was.
    DamagedFrame,
    /// A chunk is in no pack.
    MissingChunk,
    /// The key is gone, so nobody can tell whether a chunk is what its name says.
    MissingKey,
}

/// One place with damage, and all that depends on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bad {
    /// What kind of damage.
    pub kind: BadKind,
    /// The file, and where in it if that is known.
    #[serde(rename = "where")]
    pub place: String,
    /// Affected workloads.
    pub workloads: Vec<WorkloadId>,
    /// Their passes.
    pub passes: Vec<PassName>,
    /// Affected paths; of a damaged manifest, the last good one before and the first one after.
    pub paths: Vec<BadPath>,
    /// How many paths are affected; more than are listed when there are very many.
    pub path_count: u64,
}

/// A path of a workload; written `workload/ID:/PATH`, as commands take it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BadPath {
    /// Of which workload.
    pub workload: WorkloadId,
    /// Which path.
    pub path: TreePath,
}

impl fmt::Display for BadPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "workload/{}:{}", self.workload, self.path)
    }
}

impl Serialize for BadPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Verifies `passes`, see the module.
pub fn verify(
    store: &Store,
    passes: &[PassRef],
    deep: bool,
    on_progress: &mut dyn FnMut(VerifyProgress),
) -> Result<VerifyReport, StoreError> {
    let mut check = Check::new(store)?;
    if deep {
        check.report.damaged = store.try_damaged();
    }
    check.packs();
    for pass in passes {
        check.pass(pass);
    }
    if deep {
        let broken = check.frames(on_progress);
        for pass in passes.iter().filter(|_| !broken.is_empty()) {
            check.blame(pass, &broken);
        }
    }
    check.report.bad = check.bad.into_values().collect();
    Ok(check.report)
}

struct Check<'a> {
    store: &'a Store,
    /// Length of each pack now, by number.
    lengths: HashMap<u32, u64>,
    /// Frames that hold named chunks.
    frames: HashSet<Place>,
    bad: BTreeMap<(BadKind, String), Bad>,
    report: VerifyReport,
}

impl<'a> Check<'a> {
    fn new(store: &'a Store) -> Result<Self, StoreError> {
        let files: HashMap<String, u64> = store
            .disk()
            .list(PackName::PREFIX)?
            .into_iter()
            .map(|file| (file.name, file.length))
            .collect();
        let index = &store.shared.index;
        let lengths = (0..index.pack_count())
            .filter_map(|number| Some((number, *files.get(&index.pack_file(number)?)?)))
            .collect();
        Ok(Self {
            store,
            lengths,
            frames: HashSet::new(),
            bad: BTreeMap::new(),
            report: VerifyReport::default(),
        })
    }

    fn note(&mut self, kind: BadKind, place: String, of: Option<(&PassName, Option<&TreePath>)>) {
        let bad = self.bad.entry((kind, place.clone())).or_insert_with(|| Bad {
            kind,
            place,
            workloads: Vec::new(),
            passes: Vec::new(),
            paths: Vec::new(),
            path_count: 0,
        });
        let Some((pass, path)) = of else { return };
        let workload = &pass.workload;
        if !bad.workloads.contains(workload) {
            bad.workloads.push(workload.clone());
        }
        if !bad.passes.contains(pass) {
            bad.passes.push(pass.clone());
        }
        let Some(path) = path else { return };
        let path = BadPath { workload: workload.clone(), path: path.clone() };
        // Chunks come path by path: the same one again stands last.
        if bad.paths.last() == Some(&path) {
            return;
        }
        bad.path_count += 1;
        if bad.paths.len() < PATHS_MAX {
            bad.paths.push(path);
        }
    }

    /// Every pack by itself. One that is gone is named where a pass needs something of it.
    fn packs(&mut self) {
        let index = &self.store.shared.index;
        for number in 0..index.pack_count() {
            let Some(pack) = index.pack(number) else { continue };
            // What was never committed cannot be missed.
            if pack.durable_bytes == 0 {
                continue;
            }
            let file = pack.name.file();
            let needed = u64::from(pack.sealed_bytes.unwrap_or(pack.durable_bytes));
            match self.length(number, &file, needed) {
                None => self.not_there(file, None),
                Some(length) if length < needed => self.note(BadKind::TruncatedPack, file, None),
                Some(length) if pack.sealed_bytes.is_some() => {
                    if !has_footer(&**self.store.disk(), &pack.name, length).unwrap_or(false) {
                        self.report.damaged.push(DamagedFrame::footer_of(&pack.name));
                        self.note(BadKind::DamagedFooter, file, None);
                    }
                }
                Some(_) => {}
            }
        }
    }

    /// A pack that is not found: gone, or on a disk that is away.
    fn not_there(&mut self, file: String, of: Option<(&PassName, Option<&TreePath>)>) {
        let away = self.store.disk().away();
        if away.is_empty() {
            self.note(BadKind::MissingPack, file, of);
        } else {
            self.note(BadKind::DiskAway, away.join(", "), of);
        }
    }

    /// How long a pack is. Asks again before it says that something is missing: a writer may be at
    /// work.
    fn length(&mut self, number: u32, file: &str, needed: u64) -> Option<u64> {
        let known = self.lengths.get(&number).copied();
        if known.is_some_and(|known| known >= needed) {
            return known;
        }
        let length = self.store.disk().length(file).ok()?;
        self.lengths.insert(number, length);
        Some(length)
    }

    /// Every chunk of one pass.
    fn pass(&mut self, pass: &PassRef) {
        let Some(opened) = self.open_pass(pass) else { return };
        walk(&opened, |step| match step {
            Named::Chunk { path, id, length, .. } => {
                self.report.checked_chunks += 1;
                self.report.checked_bytes += Bytes(length.into());
                self.chunk(&pass.name, path, id);
            }
            Named::Fault(fault) => {
                let place = format!("{} at {}: {}", fault.file, fault.offset, fault.why);
                for path in [None, fault.from.as_ref(), fault.to.as_ref()] {
                    self.note(BadKind::DamagedManifest, place.clone(), Some((&pass.name, path)));
                }
            }
        });
    }

    fn open_pass(&mut self, pass: &PassRef) -> Option<Pass> {
        let error = match Pass::open(self.store.disk(), &pass.name) {
            Ok(mut opened) => {
                if !pass.ends.is_empty() {
                    opened.limit(&furthest(&pass.ends, opened.seal()));
                }
                return Some(opened);
            }
            Err(error) => error,
        };
        let (kind, place) = match error {
            ManifestError::Disk(error) if error.kind == DiskErrorKind::NotFound => {
                (BadKind::MissingManifest, pass.name.file("head"))
            }
            error => (BadKind::DamagedManifest, error.to_string()),
        };
        self.note(kind, place, Some((&pass.name, None)));
        None
    }

    fn chunk(&mut self, pass: &PassName, path: &TreePath, id: &ChunkId) {
        let of = Some((pass, Some(path)));
        let index = &self.store.shared.index;
        let Some(place) = self.store.locate(id) else {
            let lost = index.lost_in(id).and_then(|n| self.store.shared.lost_packs.get(n as usize));
            let (kind, place) = match lost {
                Some(lost) => (lost.kind, lost.file.clone()),
                None => (BadKind::MissingChunk, "in no pack".to_owned()),
            };
            return self.note(kind, place, of);
        };
        if self.frames.contains(&place) {
            return;
        }
        let file = index.pack_file(place.pack).unwrap_or_default();
        let needed = u64::from(place.offset) + u64::from(place.length);
        match self.length(place.pack, &file, needed) {
            None => self.not_there(file, of),
            Some(length) if length < needed => self.note(BadKind::TruncatedPack, file, of),
            Some(_) => drop(self.frames.insert(place)),
        }
    }

    /// Reads every named frame; gives the ones that are not what they were.
    fn frames(&mut self, on_progress: &mut dyn FnMut(VerifyProgress)) -> HashMap<Place, BadKind> {
        let mut frames: Vec<Place> = std::mem::take(&mut self.frames).into_iter().collect();
        frames.sort_unstable();
        let mut progress =
            VerifyProgress { frames: frames.len() as u64, ..VerifyProgress::default() };
        let mut broken = HashMap::new();
        frames::open_all(self.store, &frames, &mut |place, opened| {
            match opened {
                Ok(raw_bytes) => progress.checked_bytes += raw_bytes,
                Err(StoreError::Key(_)) => drop(broken.insert(place, BadKind::MissingKey)),
                Err(_) => drop(broken.insert(place, BadKind::DamagedFrame)),
            }
            progress.done_frames += 1;
            on_progress(progress);
        });
        self.report.checked_bytes = progress.checked_bytes;
        let is_bad = |(_, kind): &(&Place, &BadKind)| **kind == BadKind::DamagedFrame;
        let bad =
            broken.iter().filter(is_bad).filter_map(|(place, _)| self.store.as_damaged(*place));
        self.report.damaged.extend(bad);
        broken
    }

    /// Which paths of a pass need a broken frame.
    fn blame(&mut self, pass: &PassRef, broken: &HashMap<Place, BadKind>) {
        let Some(opened) = self.open_pass(pass) else { return };
        walk(&opened, |step| {
            let Named::Chunk { path, id, .. } = step else { return };
            let Some(place) = self.store.locate(id) else { return };
            if let Some(kind) = broken.get(&place) {
                let file = self.store.pack_file(place).unwrap_or_default();
                self.note(*kind, file, Some((&pass.name, Some(path))));
            }
        });
    }
}

/// A pass reaches as far as its receipts or its seal say, whichever is further.
pub(super) fn furthest(receipts: &[RunEnd], seal: Option<&PassSeal>) -> Vec<RunEnd> {
    let mut ends: BTreeMap<RunNumber, u64> = BTreeMap::new();
    for end in receipts.iter().chain(seal.iter().flat_map(|seal| &seal.runs)) {
        let furthest = ends.entry(end.run).or_default();
        *furthest = end.end_bytes.max(*furthest);
    }
    ends.into_iter().map(|(run, end_bytes)| RunEnd { run, end_bytes }).collect()
}

pub(super) enum Named<'a> {
    Chunk { path: &'a TreePath, id: &'a ChunkId, offset: u64, length: u32 },
    Fault(&'a SegmentFault),
}

/// Every chunk that the merged pass names, with its path.
pub(super) fn walk(pass: &Pass, mut take: impl FnMut(Named<'_>)) {
    let mut current = TreePath::root();
    for step in pass.merged() {
        match step {
            Step::Record(Record::Data { id, offset, length }) => {
                take(Named::Chunk { path: &current, id: &id, offset, length });
            }
            Step::Record(record) => {
                if let Some(path) = record.path() {
                    current = path.clone();
                }
            }
            Step::Damaged(fault) => take(Named::Fault(&fault)),
            Step::Unfinished(_) | Step::Superseded(_) => {}
        }
    }
}
