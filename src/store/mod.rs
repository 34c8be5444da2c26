//! Chunks at rest: packs, index, manifests. Synchronous; the only door to its files is [`Disk`].
//!
//! # Files
//!
//! | name | what | layout |
//! |---|---|---|
//! | `packs/WORKLOAD/ID` | frames of one workload | [`pack`] |
//! | `index/NUMBER` | which chunks are in which frame; a cache | [`log`] |
//! | `manifests/WORKLOAD/PASS/…` | what a pass found | [`manifest`] |
//! | `site` | to which site the store belongs | [`site`] |
//! | `disk` | which of the store's disks a folder is | [`disks`] |
//! | `damaged` | what a verification found to be bad | [`damaged`] |
//! | `evidence/WORKLOAD/ID` | packs with losses that nobody could bring back | [`rescue()`] |
//! | `UNPACK.md`, `unpack.py` | a reader that is not evac | [`unpacker`] |
//! | `state/keys/` (beside the store) | the keys that name chunks | [`keys`] |
//!
//! Every file begins with magic and version, ends or is interspersed with checksums, and nothing
//! it states is allocated before it is bounded.
//!
//! # Write order (promise 1)
//!
//! | step | who | made durable by |
//! |---|---|---|
//! | 1 frames, footers | [`Writer::append`], `close_workload` | [`Writer::commit`]: dirty packs |
//! | 2 index log | [`Writer::commit`] | its sync; only now [`Store::is_durable`] says yes |
//! | 3 segments | [`ManifestWriter::append`] | [`ManifestWriter::sync`] |
//! | 4 receipts | the ledger | its transaction |
//!
//! A failed sync condemns its pack: it is never synced again, what was not durable of it leaves
//! the index, and [`CommitError`] lists those chunks so that they are asked for again.
//!
//! # Opening (promise 2)
//!
//! A pack that the index log calls sealed, and whose length fits, is trusted unread. Any other is
//! read: by its footer, else frame by frame. The writer cuts it after its last whole frame, seals
//! it and syncs it; chunks found count, with or without a receipt. A pack that was sealed once and
//! is not whole any more is evidence of damage: it is read and left as it is.
//!
//! # Who may run with whom
//!
//! | | writer | reader |
//! |---|---|---|
//! | writer | never: the run's lock on `state/lock` | yes |
//! | reader | yes: readers change nothing, and see whole frames only | yes |
//!
//! In one process [`Store`] is shared freely; [`Writer`] is one value. No lock is held while the
//! disk works. Nothing is ever deleted from a pack, and no pack with a whole frame is removed
//! before that frame is durable in another one.
//!
//! # Damage
//!
//! | step | who | what |
//! |---|---|---|
//! | 1 found | [`verify()`] | bad frames are listed ([`damaged`]), and count as not there |
//! | 2 mended | [`Store::mend`], [`Store::mend_manifest`] | from a twin in a [`Mirror`] |
//! | 3 healed | `run::heal` | what [`verify::missing`] names is read again at its source |
//! | 4 cleared | [`rescue()`] | what is whole moves out of damaged packs, and these go |

pub mod damaged;
pub mod disk;
pub mod disks;
pub mod faulty;
pub mod keys;
pub mod lineage;
pub mod local;
pub mod log;
pub mod manifest;
pub mod memory;
pub mod mend;
pub mod mirror;
pub mod pack;
pub mod pass;
pub mod segment;
pub mod site;
pub mod tenants;
pub mod unpacker;
pub mod verify;
mod index;
mod load;
mod merge;
mod open;
mod rebuild;
mod rescue;
mod run_file;
mod scan;
mod table;
mod writer;
#[cfg(test)]
mod disk_tests;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

pub use damaged::{DamagedFrame, put_damaged, read_damaged};
pub use disk::{Append, Disk, DiskError, DiskErrorKind};
pub use disks::{DiskView, DiskWanted, Disks, DisksError, default_reserve};
pub use faulty::{Fault, FaultyDisk};
pub use keys::{DomainName, KeyError, KeyRing};
pub use lineage::{Layer, PassBase, put_clock, read_aside, set_aside};
pub use local::LocalDisk;
pub use manifest::{
    ManifestError, Owners, PassHead, PassName, PassSeal, RunEnd, create_pass, list_passes,
    newest_pass, put_owners, seal_pass, unseal_pass,
};
pub use memory::MemoryDisk;
pub use mend::{Mended, Whole, read_whole};
pub use merge::{Merged, Step};
pub use mirror::{Copied, Incomplete, Mirror, MirrorError};
pub use open::{DamagedPack, OpenReport};
pub use pass::{BaseEntries, BaseEntry, Pass};
pub use rebuild::{ProvenRun, ProvenSegment};
pub use rescue::rescue;
pub use run_file::{ManifestWriter, SegmentFault};
pub use segment::SegmentHead;
pub use site::{put_site, read_site};
pub use tenants::{Tenant, Tenants};
pub use unpacker::keep_unpacker;
pub use verify::{Bad, BadKind, BadPath, PassRef, VerifyProgress, VerifyReport, verify};
pub use writer::{Appended, CommitError, Writer};

use crate::chunk::{DomainKey, FrameError, OpenFrame, frame};
use crate::model::{Bytes, ChunkId, Domain, ShortId, WorkloadId};
use index::Index;

/// Where a frame lies. Ordered as it is best read: pack by pack, front to back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pack: u32,
    offset: u32,
    length: u32,
}

impl Place {
    /// Number of the pack, good for as long as the store is open.
    pub fn pack(self) -> u32 {
        self.pack
    }

    /// Length of the frame.
    pub fn frame_bytes(self) -> usize {
        self.length as usize
    }
}

/// What can go wrong with what is stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A key is missing or damaged.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A frame is not what it should be.
    #[error("bad frame in `{file}` at {offset}")]
    Frame {
        /// The pack's file; of a frame that is to be stored, the workload.
        file: String,
        /// Where it begins.
        offset: u32,
        /// What is wrong.
        #[source]
        source: FrameError,
    },
    /// The pack has an illegible header, so nobody knows in which domain its chunks are named.
    #[error("pack `{file}` does not say to which domain it belongs")]
    NoDomain {
        /// Which.
        file: String,
    },
    /// Of another store, or made up.
    #[error("no such pack")]
    NoPack,
}

impl StoreError {
    /// What kind of failure of the disk this is, if it is one.
    pub fn disk_kind(&self) -> Option<DiskErrorKind> {
        match self {
            Self::Disk(error) => Some(error.kind),
            _ => None,
        }
    }
}

/// Reads, and knows what there is. Clones are the same store.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    disk: Arc<dyn Disk>,
    keys: Arc<KeyRing>,
    index: Index,
    is_read_only: bool,
    tenants: RwLock<Tenants>,
    /// Packs that the index log knows, and the disk does not have as they were.
    lost_packs: Vec<LostPack>,
    /// Frames that are listed as damaged.
    damaged: HashSet<Place>,
}

#[derive(Debug)]
struct LostPack {
    file: String,
    /// What became of it.
    kind: BadKind,
}

impl Shared {
    fn tenant_of(&self, workload: &WorkloadId) -> Tenant {
        self.tenants.read().unwrap_or_else(PoisonError::into_inner).of(workload)
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({} chunks in {} packs)", self.chunk_count(), self.pack_count())
    }
}

impl Store {
    /// Opens the store for the one writer: what a crash left is cut, sealed and made durable.
    pub fn open(
        disk: Arc<dyn Disk>,
        keys: Arc<KeyRing>,
    ) -> Result<(Self, Writer, OpenReport), StoreError> {
        Self::open_for(disk, keys, Tenants::default())
    }

    /// The same for a run, in which some may not rely on each other's chunks.
    pub fn open_for(
        disk: Arc<dyn Disk>,
        keys: Arc<KeyRing>,
        tenants: Tenants,
    ) -> Result<(Self, Writer, OpenReport), StoreError> {
        let (shared, report, log) = open::open(disk, keys, false, tenants)?;
        let shared = Arc::new(shared);
        let writer = Writer::new(Arc::clone(&shared), log);
        Ok((Self { shared }, writer, report))
    }

    /// Opens the store to read; changes nothing, and a writer may be at work meanwhile.
    pub fn open_read_only(
        disk: Arc<dyn Disk>,
        keys: Arc<KeyRing>,
    ) -> Result<(Self, OpenReport), StoreError> {
        let (shared, report, _) = open::open(disk, keys, true, Tenants::default())?;
        Ok((Self { shared: Arc::new(shared) }, report))
    }

    /// Is this chunk here, durable or only appended?
    pub fn contains(&self, id: &ChunkId) -> bool {
        self.locate(id).is_some()
    }

    /// The only chunk here, durable or appended, that has this short name.
    pub fn find(&self, short: ShortId) -> Option<ChunkId> {
        self.shared.index.find(short)
    }

    /// May `tenant` rely on this chunk's being here? The house may on any; see [`tenants`].
    pub fn serves(&self, id: &ChunkId, tenant: Tenant) -> bool {
        self.shared.index.serves(id, tenant)
    }

    /// Says whose a workload is, before anything of it is stored; by what tells apart who may not
    /// rely on each other's chunks. `None` is the house.
    pub fn set_tenant(&self, workload: &WorkloadId, name: Option<&str>) -> Tenant {
        let mut tenants = self.shared.tenants.write().unwrap_or_else(PoisonError::into_inner);
        let before = tenants.of(workload);
        let tenant = tenants.set(workload, name);
        if tenant != before {
            self.shared.index.set_tenant(workload, tenant);
        }
        tenant
    }

    /// Is this chunk here and committed?
    pub fn is_durable(&self, id: &ChunkId) -> bool {
        self.locate(id).is_some_and(|place| self.shared.index.is_durable(place))
    }

    /// Which frame holds this chunk.
    pub fn locate(&self, id: &ChunkId) -> Option<Place> {
        self.shared.index.get(id)
    }

    /// A frame as it is stored, unchecked.
    pub fn read_frame(&self, place: Place) -> Result<Vec<u8>, StoreError> {
        let file = self.pack_file(place)?;
        let bytes = self.shared.disk.read(&file, place.offset.into(), place.frame_bytes())?;
        if bytes.len() == place.frame_bytes() {
            return Ok(bytes);
        }
        let source = FrameError::Short { needed: place.frame_bytes(), have: bytes.len() };
        Err(StoreError::Frame { file, offset: place.offset, source })
    }

    /// A frame whose checksum, and every chunk of which, was checked.
    pub fn open_frame(&self, place: Place) -> Result<OpenFrame, StoreError> {
        self.read_and_open(place).map(|(_, open)| open)
    }

    /// The same, beside the frame as it is stored.
    pub fn read_and_open(&self, place: Place) -> Result<(Vec<u8>, OpenFrame), StoreError> {
        let pack = self.shared.index.pack(place.pack).ok_or(StoreError::NoPack)?;
        let file = pack.name.file();
        let domain = pack.domain.ok_or(StoreError::NoDomain { file: file.clone() })?;
        let key = self.key(domain)?;
        let bytes = self.read_frame(place)?;
        let open = frame::open(&bytes, &key);
        let wrong = |source| StoreError::Frame { file, offset: place.offset, source };
        open.map(|open| (bytes, open)).map_err(wrong)
    }

    /// The file that `place` is in.
    pub fn pack_file(&self, place: Place) -> Result<String, StoreError> {
        self.shared.index.pack_file(place.pack).ok_or(StoreError::NoPack)
    }

    /// How many different chunks there are.
    pub fn chunk_count(&self) -> u64 {
        self.shared.index.len()
    }

    /// How many packs there are.
    pub fn pack_count(&self) -> u32 {
        self.shared.index.pack_count()
    }

    /// Memory that the index of chunks takes.
    pub fn index_bytes(&self) -> Bytes {
        Bytes(self.shared.index.memory_bytes())
    }

    /// What the disk has left.
    pub fn free_bytes(&self) -> Result<Bytes, StoreError> {
        Ok(self.shared.disk.free_bytes()?)
    }

    /// The disk, for manifests.
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.shared.disk
    }

    /// The key of a domain that has one.
    pub fn key(&self, domain: Domain) -> Result<DomainKey, StoreError> {
        let missing = || KeyError::Missing { path: self.shared.keys.path(domain) };
        Ok(self.shared.keys.get(domain).ok_or_else(missing)?)
    }

    /// The key of the domain `name`; made when nothing was ever stored in it.
    pub fn domain_key(&self, name: &DomainName) -> Result<DomainKey, StoreError> {
        let domain = name.domain();
        if self.shared.is_read_only || self.shared.index.has_domain(domain) {
            return self.key(domain);
        }
        Ok(self.shared.keys.make(name)?)
    }
}
