//! Several folders as one [`Disk`]: packs are spread, everything else lies at home.
//!
//! | what | where | what it costs to lose that disk |
//! |---|---|---|
//! | packs | any disk, each whole on one | chunks in them, fetched again while the source lives |
//! | manifests, `site` | the first disk (home), and a copy on the next | nothing: see [`copies`] |
//! | index | home | time: packs are read instead |
//! | `disks.json` | `state/` ([`register`]) | nothing: each disk says which it is ([`mark`]) |
//! | `UNPACK.md`, `unpack.py` | home | nothing |
//!
//! Manifests are small and without them packs are nameless, so they are worth being kept twice. The
//! index is worth nothing by itself, and at home it still says what is on a disk that is away.
//!
//! **Promises.**
//! - A pack stays on the disk that it was begun on, so a lost disk takes whole packs.
//! - Packs are begun where there is room beyond the reserve, in proportion to that room, so that
//!   all disks work and none is full long before the others.
//! - Below its reserve a disk takes no content; what describes content may go on using it.
//! - A disk that is away is not empty: what only it can have is [`DiskErrorKind::Away`], not
//!   missing.

pub mod copies;
pub mod mark;
mod opening;
pub mod register;
mod spread;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::model::{Bytes, PackId};
use crate::store::ManifestError;
use crate::store::disk::{Append, Disk, DiskError, DiskErrorKind, Listed, sync_side_by_side};
use crate::store::pack::PackName;
use copies::{Copied, Copies};
pub use opening::{DiskWanted, How, default_reserve};
pub use register::{REGISTER, Register};
use spread::pick;

/// With less room than for the longest piece of content nothing may be asked for: that is full.
pub const FULL_BELOW_BYTES: u64 = 1 << 20;
/// With less than this to spare a disk has no room: no pack is begun on it.
pub const ROOM_BYTES_MIN: u64 = 4 << 20;

/// What keeps disks from being used together.
#[derive(Debug, thiserror::Error)]
pub enum DisksError {
    /// A disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// What a disk says of itself cannot be read or written.
    #[error(transparent)]
    Mark(#[from] ManifestError),
    /// The first disk is not where it was.
    #[error("the store's first disk is not there: nothing of this store is in {}", path.display())]
    HomeAway {
        /// Where it was.
        path: PathBuf,
    },
    /// It belongs to another store.
    #[error("{} holds data of another store", path.display())]
    Foreign {
        /// Which.
        path: PathBuf,
    },
    /// It is one of them already.
    #[error("{} is a disk of the store already", path.display())]
    Known {
        /// Which.
        path: PathBuf,
    },
    /// The folder in which it should be is not there.
    #[error("there is no folder {}", path.display())]
    NoFolder {
        /// Which.
        path: PathBuf,
    },
    /// Another disk of the store lies on the same device.
    #[error("{} is on the same device as {}", path.display(), other.display())]
    SameDevice {
        /// Which.
        path: PathBuf,
        /// The other.
        other: PathBuf,
    },
    /// `disks.json` cannot be used.
    #[error("{} cannot be used: {why}", path.display())]
    Register {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// One folder of the store.
pub struct Member {
    /// Its number, for ever.
    pub number: u32,
    /// Its folder.
    pub path: PathBuf,
    /// What stays free.
    pub reserve: Bytes,
    disk: Arc<dyn Disk>,
    /// May new packs be put on it?
    takes_packs: bool,
    /// Did beginning a pack fail here, for another reason than that it is full?
    has_failed: AtomicBool,
}

impl Member {
    /// What is free beyond the reserve.
    fn spare_bytes(&self) -> u64 {
        if !self.takes_packs || self.has_failed.load(Ordering::Relaxed) {
            return 0;
        }
        let free = self.disk.free_bytes().map_or(0, |free| free.0);
        free.saturating_sub(self.reserve.0)
    }

    /// What it is worth to begin packs for.
    fn room_bytes(&self) -> u64 {
        let spare = self.spare_bytes();
        if spare < ROOM_BYTES_MIN { 0 } else { spare }
    }
}

/// A disk as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskView {
    /// Its folder.
    pub path: PathBuf,
    /// What it has left; `None`: it is away.
    pub free: Option<Bytes>,
    /// What stays free.
    pub reserve: Bytes,
}

/// All folders of a store.
pub struct Disks {
    state: RwLock<State>,
    /// Counts packs that were begun.
    begun: AtomicU64,
    copies: Copies,
}

struct State {
    home: Arc<Member>,
    /// Home first.
    members: Vec<Arc<Member>>,
    /// Disks that are not there, with their folders.
    away: Vec<(u32, PathBuf)>,
    /// Packs whose disk is known, by its place among the members.
    packs: HashMap<PackId, u32>,
}

impl std::fmt::Debug for Disks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.state();
        write!(f, "Disks({}, {} away)", state.members.len(), state.away.len())
    }
}

impl Disks {
    /// Of `members`, home first.
    fn new(members: Vec<Arc<Member>>, away: Vec<(u32, PathBuf)>) -> Self {
        let home = Arc::clone(&members[0]);
        let second = members.get(1).map(|member| Arc::clone(&member.disk));
        let copies = Copies::new(Arc::clone(&home.disk), second);
        let state = State { home, members, away, packs: HashMap::new() };
        Self { state: RwLock::new(state), begun: AtomicU64::new(0), copies }
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn home(&self) -> Arc<dyn Disk> {
        Arc::clone(&self.state().home.disk)
    }

    /// Each of them, for people.
    pub fn views(&self) -> Vec<DiskView> {
        let state = self.state();
        let here = state.members.iter().map(|member| DiskView {
            path: member.path.clone(),
            free: member.disk.free_bytes().ok(),
            reserve: member.reserve,
        });
        let away = state.away.iter().map(|(_, path)| DiskView {
            path: path.clone(),
            free: None,
            reserve: Bytes::ZERO,
        });
        here.chain(away).collect()
    }

    /// The folders of those that are away.
    pub fn away_paths(&self) -> Vec<PathBuf> {
        self.state().away.iter().map(|(_, path)| path.clone()).collect()
    }

    /// Where its folders are, home first.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.state().members.iter().map(|member| member.path.clone()).collect()
    }

    /// Brings the copies of manifests up to date.
    pub fn catch_up(&self) -> Result<(), DiskError> {
        self.copies.catch_up()
    }

    fn insert(&self, member: Member) {
        self.state_mut().members.push(Arc::new(member));
    }

    /// The disk that has the pack.
    fn holder(&self, verb: &'static str, name: &str, id: PackId) -> Result<Arc<Member>, DiskError> {
        let state = self.state();
        if let Some(at) = state.packs.get(&id) {
            return Ok(Arc::clone(&state.members[*at as usize]));
        }
        let members = state.members.clone();
        let away = state.away.first().map(|(_, path)| path.clone());
        drop(state);
        for (at, member) in members.iter().enumerate() {
            match member.disk.length(name) {
                Ok(_) => {
                    self.state_mut().packs.insert(id, at as u32);
                    return Ok(Arc::clone(member));
                }
                Err(error) if error.kind == DiskErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Err(match away {
            Some(path) => is_away(verb, name, &path),
            None => DiskError::new(verb, name, std::io::ErrorKind::NotFound.into()),
        })
    }

    /// What `act` does with the disk that has `name`.
    fn on<T>(
        &self,
        verb: &'static str,
        name: &str,
        act: impl Fn(&dyn Disk) -> Result<T, DiskError>,
    ) -> Result<T, DiskError> {
        match PackName::of_file(name) {
            Some(pack) => act(&*self.holder(verb, name, pack.id)?.disk),
            None => act(&*self.home()),
        }
    }

    /// Begins a pack where there is room.
    fn begin(&self, name: &str, id: PackId) -> Result<Box<dyn Append>, DiskError> {
        let members = self.state().members.clone();
        let mut rooms: Vec<u64> = members.iter().map(|member| member.room_bytes()).collect();
        let turn = self.begun.fetch_add(1, Ordering::Relaxed);
        let mut failure = None;
        while let Some(at) = pick(&rooms, turn) {
            match members[at].disk.create(name) {
                Ok(file) => {
                    self.state_mut().packs.insert(id, at as u32);
                    return Ok(file);
                }
                Err(error) => {
                    rooms[at] = 0;
                    // One that fails costs itself: the others go on.
                    let is_full = error.kind == DiskErrorKind::Full;
                    members[at].has_failed.fetch_or(!is_full, Ordering::Relaxed);
                    failure = Some(error);
                }
            }
        }
        Err(failure.unwrap_or_else(|| {
            let why = std::io::Error::new(
                std::io::ErrorKind::StorageFull,
                "every disk of the store is filled up to its reserve",
            );
            DiskError::new("create", name, why)
        }))
    }
}

fn is_away(verb: &'static str, name: &str, path: &Path) -> DiskError {
    let why = format!("it may be on the disk {}, which is not there", path.display());
    let error = DiskError::new(verb, name, std::io::Error::other(why));
    DiskError { kind: DiskErrorKind::Away, ..error }
}

impl Disk for Disks {
    fn create(&self, name: &str) -> Result<Box<dyn Append>, DiskError> {
        if let Some(pack) = PackName::of_file(name) {
            return self.begin(name, pack.id);
        }
        let file = self.home().create(name)?;
        Ok(Copied::over(file, self.copies.create(name)))
    }

    fn reopen(&self, name: &str, length: u64) -> Result<Box<dyn Append>, DiskError> {
        if PackName::of_file(name).is_some() {
            return self.on("reopen", name, |disk| disk.reopen(name, length));
        }
        let file = self.home().reopen(name, length)?;
        Ok(Copied::over(file, self.copies.reopen(name, length)))
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), DiskError> {
        if PackName::of_file(name).is_some() {
            // One that is mended stays where it lies; a new one is home's.
            return match self.on("write", name, |disk| disk.put(name, bytes)) {
                Err(error) if error.kind == DiskErrorKind::NotFound => self.home().put(name, bytes),
                put => put,
            };
        }
        self.home().put(name, bytes)?;
        self.copies.put(name, bytes);
        Ok(())
    }

    fn read(&self, name: &str, offset: u64, length: usize) -> Result<Vec<u8>, DiskError> {
        self.on("read", name, |disk| disk.read(name, offset, length))
    }

    fn length(&self, name: &str) -> Result<u64, DiskError> {
        self.on("look at", name, |disk| disk.length(name))
    }

    fn list(&self, prefix: &str) -> Result<Vec<Listed>, DiskError> {
        let members = self.state().members.clone();
        let mut found = members[0].disk.list(prefix)?;
        let mut packs = HashMap::new();
        let mut is_first = |at: usize, name: &str| {
            let Some(pack) = PackName::of_file(name) else { return at == 0 };
            *packs.entry(pack.id).or_insert(at as u32) == at as u32
        };
        found.retain(|file| is_first(0, &file.name));
        for (at, member) in members.iter().enumerate().skip(1) {
            let more = member.disk.list(prefix)?;
            // Of a pack that somebody copied from one disk to another, the first counts.
            found.extend(more.into_iter().filter(|file| is_first(at, &file.name)));
        }
        found.sort_unstable();
        self.state_mut().packs.extend(packs);
        Ok(found)
    }

    fn remove(&self, name: &str) -> Result<(), DiskError> {
        self.on("remove", name, |disk| disk.remove(name))?;
        match PackName::of_file(name) {
            Some(pack) => drop(self.state_mut().packs.remove(&pack.id)),
            None => self.copies.remove(name),
        }
        Ok(())
    }

    fn free_bytes(&self) -> Result<Bytes, DiskError> {
        let members = self.state().members.clone();
        // The last of each is for what is on its way.
        let room = |member: &Arc<Member>| member.spare_bytes().saturating_sub(ROOM_BYTES_MIN);
        Ok(Bytes(members.iter().map(room).sum()))
    }

    fn has_room(&self, name: &str, bytes: u64) -> bool {
        let Some(pack) = PackName::of_file(name) else { return true };
        let holder = self.holder("look at", name, pack.id);
        holder.is_ok_and(|member| member.spare_bytes() >= bytes)
    }

    fn forget(&self, name: &str) {
        let _ = self.on("read", name, |disk| {
            disk.forget(name);
            Ok(())
        });
    }

    fn away(&self) -> Vec<String> {
        self.away_paths().iter().map(|path| path.display().to_string()).collect()
    }

    fn sync_all(&self, files: &mut [&mut Box<dyn Append>]) -> Vec<Result<(), DiskError>> {
        sync_side_by_side(files)
    }
}

#[cfg(test)]
mod tests;
