//! What is to be healed, and who still has it. Pure but for the lock.
//!
//! **Invariants.** A chunk is asked of one workload at a time; when that cannot give it, the next
//! that names it is asked. At most [`CHUNKS_MAX`] chunks are known here: what is lost beyond that
//! is taken by a new pass, which costs no memory.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};

use tokio::sync::watch;

use crate::model::{ChunkId, PassNumber, TreePath, WorkloadId};
use crate::store::verify::{Missing, PassRef};

/// About 80 MB of memory, and tens of gigabytes of content.
const CHUNKS_MAX: usize = 1 << 18;
/// Places in which a chunk is looked for.
const PLACES_MAX: usize = 4;

/// A piece of a file on a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Of which workload.
    pub workload: WorkloadId,
    /// Which file.
    pub path: TreePath,
    /// Where in it.
    pub offset: u64,
}

/// A chunk to be read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Which.
    pub id: ChunkId,
    /// How long it is.
    pub length: u32,
    /// Where it was.
    pub place: Place,
}

#[derive(Debug)]
struct Lost {
    length: u32,
    places: Vec<Place>,
    /// Who is asked for it.
    asked: Option<WorkloadId>,
}

/// A pass that names what is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedPass {
    /// Which, and how far it reaches.
    pub pass: PassRef,
    /// Is it the newest sealed one: is the workload captured when it is whole?
    pub is_current: bool,
    /// Is a later one sealed?
    pub is_former: bool,
}

/// Everything that is lost.
#[derive(Debug)]
pub struct Ward {
    lost: Mutex<BTreeMap<ChunkId, Lost>>,
    damaged: BTreeMap<WorkloadId, Vec<DamagedPass>>,
    /// Workloads of which a whole current pass is all that is wanted.
    content: BTreeSet<WorkloadId>,
    changes: watch::Sender<()>,
}

impl Default for Ward {
    fn default() -> Self {
        Self {
            lost: Mutex::default(),
            damaged: BTreeMap::new(),
            content: BTreeSet::new(),
            changes: watch::Sender::new(()),
        }
    }
}

impl Ward {
    fn lost(&self) -> MutexGuard<'_, BTreeMap<ChunkId, Lost>> {
        self.lost.lock().expect("no holder of this lock panics")
    }

    /// A pass is damaged.
    pub fn admit(&mut self, damaged: DamagedPass) {
        let workload = damaged.pass.name.workload.clone();
        self.damaged.entry(workload).or_default().push(damaged);
    }

    /// `workload` names a chunk that is lost.
    pub fn note(&self, workload: &WorkloadId, missing: &Missing<'_>) {
        let mut lost = self.lost();
        let is_full = lost.len() >= CHUNKS_MAX;
        let entry = match lost.entry(missing.id) {
            Entry::Vacant(_) if is_full => return,
            Entry::Vacant(entry) => {
                entry.insert(Lost { length: missing.length, places: Vec::new(), asked: None })
            }
            Entry::Occupied(entry) => entry.into_mut(),
        };
        let of_it = entry.places.iter().filter(|place| place.workload == *workload).count();
        // Two places of one workload, so that none keeps others out.
        if entry.places.len() < PLACES_MAX && of_it < 2 {
            let (path, offset) = (missing.path.clone(), missing.offset);
            let place = Place { workload: workload.clone(), path, offset };
            if !entry.places.contains(&place) {
                entry.places.push(place);
            }
        }
    }

    /// When its current pass is whole, nothing more is wanted of `workload`.
    pub fn be_content_with(&mut self, workload: WorkloadId) {
        self.content.insert(workload);
    }

    /// More is wanted of `workload` than that.
    pub fn be_discontent_with(&mut self, workload: &WorkloadId) {
        self.content.remove(workload);
    }

    /// Is a whole current pass all that is wanted?
    pub fn is_content(&self, workload: &WorkloadId) -> bool {
        self.content.contains(workload)
    }

    /// Every damaged pass.
    pub fn damaged(&self) -> impl Iterator<Item = &DamagedPass> {
        self.damaged.values().flatten()
    }

    /// Damaged passes of one workload.
    pub fn damaged_of(&self, workload: &WorkloadId) -> &[DamagedPass] {
        self.damaged.get(workload).map_or(&[], Vec::as_slice)
    }

    /// Number of a workload's newest damaged pass.
    pub fn newest_of(&self, workload: &WorkloadId) -> Option<PassNumber> {
        self.damaged_of(workload).iter().map(|damaged| damaged.pass.name.pass).max()
    }

    /// What may be asked of `workload` now; it is asked of nobody else until it is given back.
    pub fn take(&self, workload: &WorkloadId) -> Vec<Job> {
        let mut jobs = Vec::new();
        for (id, lost) in self.lost().iter_mut().filter(|(_, lost)| lost.asked.is_none()) {
            if let Some(place) = lost.places.iter().find(|place| place.workload == *workload) {
                jobs.push(Job { id: *id, length: lost.length, place: place.clone() });
                lost.asked = Some(workload.clone());
            }
        }
        // Files are read once each, front to back.
        jobs.sort_by(|a, b| (&a.place.path, a.place.offset).cmp(&(&b.place.path, b.place.offset)));
        jobs
    }

    /// Is something that `workload` could give asked of another?
    pub fn waits_for_others(&self, workload: &WorkloadId) -> bool {
        let lost = self.lost();
        lost.values().any(|lost| {
            lost.asked.as_ref().is_some_and(|asked| asked != workload)
                && lost.places.iter().any(|place| place.workload == *workload)
        })
    }

    /// It is in the store.
    pub fn found(&self, id: &ChunkId) {
        self.lost().remove(id);
        self.changes.send_replace(());
    }

    /// It is not there any more.
    pub fn gone(&self, job: &Job) {
        if let Some(lost) = self.lost().get_mut(&job.id) {
            lost.places.retain(|place| *place != job.place);
            lost.asked = None;
        }
        self.changes.send_replace(());
    }

    /// What was asked of `workload` and did not come may be asked again.
    pub fn give_back(&self, workload: &WorkloadId) {
        for lost in self.lost().values_mut() {
            lost.asked.take_if(|asked| asked == workload);
        }
        self.changes.send_replace(());
    }

    /// Hears of changes from now on.
    pub fn listen(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload(name: &str) -> WorkloadId {
        WorkloadId::new(name).unwrap()
    }

    fn note(ward: &Ward, name: &str, number: u8, path: &str) {
        let path = path.parse().unwrap();
        let id = ChunkId([number; 32]);
        ward.note(&workload(name), &Missing { id, path: &path, offset: 0, length: 5 });
    }

    #[test]
    fn a_chunk_is_asked_of_one_at_a_time_and_of_the_next_when_it_is_gone() {
        let ward = Ward::default();
        note(&ward, "a", 1, "/x");
        note(&ward, "b", 1, "/y");
        note(&ward, "b", 2, "/z");
        let (a, b) = (workload("a"), workload("b"));
        let of_a = ward.take(&a);
        assert_eq!(of_a.len(), 1);
        let of_b = ward.take(&b);
        assert_eq!(of_b.iter().map(|job| job.id.0[0]).collect::<Vec<_>>(), [2]);
        assert!(ward.waits_for_others(&b) && !ward.waits_for_others(&a));
        ward.gone(&of_a[0]);
        assert_eq!(ward.take(&a), []);
        assert_eq!(ward.take(&b).len(), 1);
        ward.found(&of_a[0].id);
        ward.give_back(&b);
        assert_eq!(ward.take(&b), of_b);
    }

    #[test]
    fn one_workload_keeps_no_other_from_being_asked() {
        let ward = Ward::default();
        for path in ["/1", "/2", "/3", "/4", "/5"] {
            note(&ward, "a", 1, path);
        }
        note(&ward, "b", 1, "/y");
        for _ in 0..2 {
            let job = ward.take(&workload("a")).remove(0);
            ward.gone(&job);
        }
        assert_eq!(ward.take(&workload("a")), []);
        assert_eq!(ward.take(&workload("b")).len(), 1);
    }
}
