//! What the store knows in memory: every chunk's frame, every pack, and who may rely on a chunk.
//!
//! **Invariants.** A chunk's first place stays its place. A chunk counts as durable when its frame
//! ends within what is durable of its pack; so a commit marks a pack, not each chunk. No lock is
//! held while the disk works. Order of locks: packs, then one shard.

use std::collections::{HashMap, HashSet};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::model::{ChunkId, Domain, PackId, ShortId, WorkloadId};
use crate::store::Place;
use crate::store::pack::{PackFrame, PackName};
use crate::store::table::Table;
use crate::store::tenants::Tenant;

/// Tables grow one at a time, so memory never holds two copies of the whole.
pub(super) const SHARDS: usize = 256;

/// A pack as the store knows it.
#[derive(Debug, Clone)]
pub struct PackState {
    /// Which file it is.
    pub name: PackName,
    /// In which domain its chunks are named; `None` if nothing legible in it says so.
    pub domain: Option<Domain>,
    /// How much of it a power loss leaves.
    pub durable_bytes: u32,
    /// Its whole length, once it is sealed.
    pub sealed_bytes: Option<u32>,
    /// Who sent what is in it.
    pub tenant: Tenant,
}

/// Chunks and packs.
#[derive(Debug)]
pub struct Index {
    shards: Vec<RwLock<Table>>,
    packs: RwLock<Packs>,
    /// Chunks whose pack is gone, and that pack's number among the missing.
    lost: RwLock<HashMap<ChunkId, u32>>,
}

#[derive(Debug, Default)]
struct Packs {
    states: Vec<PackState>,
    numbers: HashMap<PackId, u32>,
}

impl Default for Index {
    fn default() -> Self {
        let shards = (0..SHARDS).map(|_| RwLock::default()).collect();
        Self { shards, packs: RwLock::default(), lost: RwLock::default() }
    }
}

impl Index {
    /// Which shard an id belongs to.
    pub fn shard_of(id: &ChunkId) -> usize {
        usize::from(id.0[0]) % SHARDS
    }

    fn shard(&self, id: &ChunkId) -> &RwLock<Table> {
        &self.shards[Self::shard_of(id)]
    }

    fn packs(&self) -> RwLockReadGuard<'_, Packs> {
        self.packs.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn packs_mut(&self) -> RwLockWriteGuard<'_, Packs> {
        self.packs.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where `id` lies.
    pub fn get(&self, id: &ChunkId) -> Option<Place> {
        self.shard(id).read().unwrap_or_else(PoisonError::into_inner).get(id)
    }

    /// May `tenant` rely on this chunk's being here? See [`crate::store::tenants`].
    pub fn serves(&self, id: &ChunkId, tenant: Tenant) -> bool {
        let shard = self.shard(id).read().unwrap_or_else(PoisonError::into_inner);
        let Some((place, is_shared)) = shard.look(id) else {
            return false;
        };
        drop(shard);
        tenant == Tenant::HOUSE || is_shared || {
            let of = self.tenant_of(place.pack);
            of == Tenant::HOUSE || of == tenant
        }
    }

    fn tenant_of(&self, pack: u32) -> Tenant {
        self.packs().states.get(pack as usize).map_or(Tenant::NOBODY, |state| state.tenant)
    }

    /// Who sent the packs of a workload is somebody else from now on.
    pub fn set_tenant(&self, workload: &WorkloadId, tenant: Tenant) {
        let mut packs = self.packs_mut();
        for state in packs.states.iter_mut().filter(|state| state.name.workload == *workload) {
            state.tenant = tenant;
        }
    }

    /// The chunk with this short name; `None` if there is none, or more than one.
    pub fn find(&self, short: ShortId) -> Option<ChunkId> {
        let shard = &self.shards[usize::from(short.0[0]) % SHARDS];
        shard.read().unwrap_or_else(PoisonError::into_inner).find(short)
    }

    /// Adds a chunk unless it is there already; says whether it was added.
    pub fn insert(&self, id: ChunkId, place: Place) -> bool {
        let mut shard = self.shard(&id).write().unwrap_or_else(PoisonError::into_inner);
        let is_new = shard.insert(id, place);
        drop(shard);
        if !is_new {
            self.note_copy(&id, place);
        }
        is_new
    }

    /// A chunk that is here came again: of another tenant, that makes it shared.
    fn note_copy(&self, id: &ChunkId, copy: Place) {
        let is_shared = self.get(id).is_some_and(|first| {
            first.pack != copy.pack && self.tenant_of(first.pack) != self.tenant_of(copy.pack)
        });
        if is_shared {
            self.shard(id).write().unwrap_or_else(PoisonError::into_inner).share(id);
        }
    }

    /// About so many chunks will be inserted: tables get their size at once when they are.
    pub fn expect(&self, chunks: u64) {
        for shard in &self.shards {
            let mut table = shard.write().unwrap_or_else(PoisonError::into_inner);
            table.expect((chunks / SHARDS as u64) as usize);
        }
    }

    /// Adds chunks of one shard that are not there already.
    pub fn insert_all(&self, shard: usize, chunks: &[(ChunkId, Place)]) {
        let mut table = self.shards[shard].write().unwrap_or_else(PoisonError::into_inner);
        let is_copy = |(id, place): &&(ChunkId, Place)| !table.insert(*id, *place);
        let copies: Vec<_> = chunks.iter().filter(is_copy).copied().collect();
        drop(table);
        for (id, place) in &copies {
            self.note_copy(id, *place);
        }
    }

    /// Gives back what was expected and did not come.
    pub fn fit(&self) {
        for shard in &self.shards {
            shard.write().unwrap_or_else(PoisonError::into_inner).fit();
        }
    }

    /// Forgets `id` if it lies in `place`; says whether it did.
    pub fn remove(&self, id: &ChunkId, place: Place) -> bool {
        let mut table = self.shard(id).write().unwrap_or_else(PoisonError::into_inner);
        table.remove_if(id, |found| found == place)
    }

    /// How many chunks there are.
    pub fn len(&self) -> u64 {
        let len = |shard: &RwLock<Table>| {
            shard.read().unwrap_or_else(PoisonError::into_inner).len() as u64
        };
        self.shards.iter().map(len).sum()
    }

    /// Memory that the chunks take.
    pub fn memory_bytes(&self) -> u64 {
        let bytes = |shard: &RwLock<Table>| {
            shard.read().unwrap_or_else(PoisonError::into_inner).memory_bytes() as u64
        };
        self.shards.iter().map(bytes).sum()
    }

    /// Does a power loss leave this frame?
    pub fn is_durable(&self, place: Place) -> bool {
        let packs = self.packs();
        let pack = packs.states.get(place.pack as usize);
        pack.is_some_and(|pack| place.offset + place.length <= pack.durable_bytes)
    }

    /// Takes a pack in, or replaces what is known of it; gives its number.
    pub fn set_pack(&self, state: PackState) -> u32 {
        let mut packs = self.packs_mut();
        let next = packs.states.len() as u32;
        let number = *packs.numbers.entry(state.name.id).or_insert(next);
        if number == next {
            packs.states.push(state);
        } else {
            packs.states[number as usize] = state;
        }
        number
    }

    /// Changes what is known of a pack.
    pub fn change_pack(&self, number: u32, change: impl FnOnce(&mut PackState)) {
        if let Some(state) = self.packs_mut().states.get_mut(number as usize) {
            change(state);
        }
    }

    /// What is known of a pack.
    pub fn pack(&self, number: u32) -> Option<PackState> {
        self.packs().states.get(number as usize).cloned()
    }

    /// The file of a pack.
    pub fn pack_file(&self, number: u32) -> Option<String> {
        self.packs().states.get(number as usize).map(|state| state.name.file())
    }

    /// The number of a pack.
    pub fn number_of(&self, id: PackId) -> Option<u32> {
        self.packs().numbers.get(&id).copied()
    }

    /// How many packs there are.
    pub fn pack_count(&self) -> u32 {
        self.packs().states.len() as u32
    }

    /// Is anything stored in `domain`?
    pub fn has_domain(&self, domain: Domain) -> bool {
        self.packs().states.iter().any(|state| state.domain == Some(domain))
    }

    /// Remembers that the pack a chunk was in is gone.
    pub fn set_lost(&self, id: ChunkId, missing: u32) {
        self.lost.write().unwrap_or_else(PoisonError::into_inner).insert(id, missing);
    }

    /// Which missing pack held `id`.
    pub fn lost_in(&self, id: &ChunkId) -> Option<u32> {
        self.lost.read().unwrap_or_else(PoisonError::into_inner).get(id).copied()
    }

    /// Which packs lost something that is nowhere else.
    pub fn losers(&self) -> HashSet<u32> {
        let lost = self.lost.read().unwrap_or_else(PoisonError::into_inner);
        lost.values().copied().collect()
    }

    /// How many chunks are lost.
    pub fn lost_count(&self) -> u64 {
        self.lost.read().unwrap_or_else(PoisonError::into_inner).len() as u64
    }

    /// Chunks that were found elsewhere are not lost.
    pub fn forget_found(&self) {
        let mut lost = self.lost.write().unwrap_or_else(PoisonError::into_inner);
        lost.retain(|id, _| self.get(id).is_none());
        lost.shrink_to_fit();
    }
}

/// Takes the frames of pack `number` into `index`; says how many chunks were new.
pub fn insert_frames<'a>(
    index: &Index,
    number: u32,
    frames: impl IntoIterator<Item = &'a PackFrame>,
) -> u64 {
    let mut new = 0;
    for frame in frames {
        let place = Place { pack: number, offset: frame.offset, length: frame.length };
        for id in &frame.chunks {
            new += u64::from(index.insert(*id, place));
        }
    }
    new
}
