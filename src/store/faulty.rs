//! [`Disk`] that fails, lies and loses power on command.
//!
//! It keeps two disks in memory: `live` is what a process sees, `durable` what a power loss
//! leaves. Every call is an operation and is counted; a [`Fault`] strikes at one of them.
//!
//! **What a power loss leaves** of a file, drawn by a seed: what was synced and nothing else; or
//! also a prefix of what was appended since; or that prefix followed by zeros up to the length it
//! had, as file systems do that write the size before the data. A `put`, a `remove` and a cut that
//! were not durable yet happened or did not.
//!
//! **What a failed sync leaves.** As on Linux, a later sync of the same bytes says that all is
//! well and makes nothing durable.

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::Bytes;
use crate::store::disk::{Append, Disk, DiskError, Listed};
use crate::store::memory::MemoryDisk;

/// What goes wrong, and when. Counts begin with 1 at [`FaultyDisk::arm`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// This operation fails; an append leaves half of its bytes.
    Fail(u64),
    /// This operation finds the disk full; an append leaves half of its bytes.
    Full(u64),
    /// The power goes in the middle of this operation; every later one fails until
    /// [`FaultyDisk::power_cycle`].
    Crash(u64),
    /// This sync, counting syncs alone, answers well and does nothing.
    LieAboutSync(u64),
}

/// A disk that can be told to fail; clones are the same disk.
#[derive(Debug, Clone, Default)]
pub struct FaultyDisk {
    live: MemoryDisk,
    durable: MemoryDisk,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    fault: Option<Fault>,
    operations: u64,
    syncs: u64,
    is_down: bool,
    /// What the fault struck.
    struck: Option<String>,
    /// Handles of an earlier life are dead.
    life: u64,
    /// Files a sync of which failed: what was in doubt stays lost.
    unsyncable: HashSet<String>,
    /// Files written by `put`: never torn.
    whole: HashSet<String>,
}

enum Fate {
    Go,
    Lie,
    Break(io::Error),
}

impl FaultyDisk {
    /// Empty, and in order until armed.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets what goes wrong next and counts from 1 again; `None` leaves the disk in order.
    pub fn arm(&self, fault: Option<Fault>) {
        let mut state = self.state();
        state.fault = fault;
        state.operations = 0;
        state.syncs = 0;
        state.struck = None;
    }

    /// Operations since the disk was armed.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Syncs among them.
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// The operation that the fault struck, and its file.
    pub fn struck(&self) -> Option<String> {
        self.state().struck.clone()
    }

    /// The power goes now.
    pub fn cut_power(&self) {
        self.state().is_down = true;
    }

    /// The power goes, if it has not, and comes back; `seed` draws what is left. Open handles are
    /// dead, and no fault is armed.
    pub fn power_cycle(&self, seed: u64) {
        let mut state = self.state();
        let mut live = self.live.files();
        let mut durable = self.durable.files();
        let names: BTreeSet<String> = live.keys().chain(durable.keys()).cloned().collect();
        for name in names {
            let draw = draw(seed, &name);
            let is_whole = state.whole.contains(&name);
            let left = survivor(live.get(&name), durable.get(&name), is_whole, draw);
            if let Some(bytes) = left {
                live.insert(name.clone(), bytes.clone());
                durable.insert(name, bytes);
            } else {
                live.remove(&name);
                durable.remove(&name);
            }
        }
        let life = state.life + 1;
        let whole = std::mem::take(&mut state.whole);
        *state = State { life, whole, ..State::default() };
    }

    /// Changes a file behind everybody's back, durably: damage. `false` if there is none.
    pub fn damage(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut live = self.live.files();
        let Some(bytes) = live.get_mut(name) else { return false };
        change(bytes);
        self.durable.files().insert(name.to_owned(), bytes.clone());
        true
    }

    /// Removes a file behind everybody's back. `false` if there is none.
    pub fn lose(&self, name: &str) -> bool {
        self.durable.files().remove(name);
        self.live.files().remove(name).is_some()
    }

    fn step(&self, life: Option<u64>, verb: &str, name: &str) -> Fate {
        let is_sync = verb == "sync";
        let mut state = self.state();
        if state.is_down || life.is_some_and(|life| life != state.life) {
            return Fate::Break(io::Error::other("the power is gone"));
        }
        state.operations += 1;
        state.syncs += u64::from(is_sync);
        let fate = match state.fault {
            Some(Fault::Fail(at)) if at == state.operations => {
                Fate::Break(io::Error::other("made to fail"))
            }
            Some(Fault::Full(at)) if at == state.operations => {
                Fate::Break(io::ErrorKind::StorageFull.into())
            }
            Some(Fault::Crash(at)) if at == state.operations => {
                state.is_down = true;
                Fate::Break(io::Error::other("the power goes"))
            }
            Some(Fault::LieAboutSync(at)) if is_sync && at == state.syncs => Fate::Lie,
            _ => Fate::Go,
        };
        if !matches!(fate, Fate::Go) {
            state.struck = Some(format!("{verb} {name}"));
        }
        fate
    }

    /// Counts an operation that changes nothing.
    fn look(&self, verb: &'static str, name: &str) -> Result<(), DiskError> {
        match self.step(None, verb, name) {
            Fate::Break(source) => Err(DiskError::new(verb, name, source)),
            Fate::Go | Fate::Lie => Ok(()),
        }
    }

    fn handle(&self, name: &str, inner: Box<dyn Append>) -> Box<dyn Append> {
        let life = self.state().life;
        Box::new(FaultyFile { disk: self.clone(), name: name.to_owned(), inner, life })
    }

    fn make_durable(&self, name: &str) {
        let bytes = self.live.files().get(name).cloned();
        let mut durable = self.durable.files();
        match bytes {
            Some(bytes) => drop(durable.insert(name.to_owned(), bytes)),
            None => drop(durable.remove(name)),
        }
    }
}

fn draw(seed: u64, name: &str) -> u64 {
    let mut first = [0; 8];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes()).update(name.as_bytes()).finalize_xof().fill(&mut first);
    u64::from_le_bytes(first)
}

fn survivor(
    live: Option<&Vec<u8>>,
    durable: Option<&Vec<u8>>,
    is_whole: bool,
    draw: u64,
) -> Option<Vec<u8>> {
    let mode = draw % 3;
    let Some(live) = live else {
        return durable.filter(|_| mode == 0).cloned();
    };
    if mode == 0 || Some(live) == durable {
        return durable.cloned();
    }
    if is_whole {
        return Some(live.clone());
    }
    let old: &[u8] = durable.map_or(&[], Vec::as_slice);
    let shared = live.iter().zip(old).take_while(|(a, b)| a == b).count();
    let kept = shared + (draw >> 8) as usize % (live.len() - shared + 1);
    let mut left = live[..kept].to_vec();
    if mode == 2 {
        left.resize(live.len(), 0);
    }
    Some(left)
}

impl Disk for FaultyDisk {
    fn create(&self, name: &str) -> Result<Box<dyn Append>, DiskError> {
        self.look("create", name)?;
        self.state().whole.remove(name);
        Ok(self.handle(name, self.live.create(name)?))
    }

    fn reopen(&self, name: &str, length: u64) -> Result<Box<dyn Append>, DiskError> {
        self.look("reopen", name)?;
        let inner = self.live.reopen(name, length)?;
        let durable_bytes = self.durable.files().get(name).map_or(0, Vec::len) as u64;
        if length <= durable_bytes {
            self.state().unsyncable.remove(name);
        }
        Ok(self.handle(name, inner))
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), DiskError> {
        let fate = self.step(None, "write", name);
        self.state().whole.insert(name.to_owned());
        match fate {
            Fate::Break(source) => {
                if self.state().is_down {
                    // Perhaps it happened: the survivor is drawn between old and new.
                    self.live.put(name, bytes)?;
                }
                Err(DiskError::new("write", name, source))
            }
            Fate::Go | Fate::Lie => {
                self.live.put(name, bytes)?;
                self.durable.put(name, bytes)
            }
        }
    }

    fn read(&self, name: &str, offset: u64, length: usize) -> Result<Vec<u8>, DiskError> {
        self.look("read", name)?;
        self.live.read(name, offset, length)
    }

    fn length(&self, name: &str) -> Result<u64, DiskError> {
        self.look("look at", name)?;
        self.live.length(name)
    }

    fn list(&self, prefix: &str) -> Result<Vec<Listed>, DiskError> {
        self.look("list", prefix)?;
        self.live.list(prefix)
    }

    fn remove(&self, name: &str) -> Result<(), DiskError> {
        let fate = self.step(None, "remove", name);
        match fate {
            Fate::Break(source) => {
                if self.state().is_down {
                    self.live.remove(name)?;
                }
                Err(DiskError::new("remove", name, source))
            }
            Fate::Go | Fate::Lie => {
                self.live.remove(name)?;
                self.make_durable(name);
                Ok(())
            }
        }
    }

    fn free_bytes(&self) -> Result<Bytes, DiskError> {
        self.look("look at", "the disk")?;
        self.live.free_bytes()
    }
}

struct FaultyFile {
    disk: FaultyDisk,
    name: String,
    inner: Box<dyn Append>,
    life: u64,
}

impl Append for FaultyFile {
    fn append(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        match self.disk.step(Some(self.life), "write", &self.name) {
            Fate::Break(source) => {
                if self.life == self.disk.state().life {
                    self.inner.append(&bytes[..bytes.len() / 2])?;
                }
                Err(DiskError::new("write", &self.name, source))
            }
            Fate::Go | Fate::Lie => self.inner.append(bytes),
        }
    }

    fn sync(&mut self) -> Result<(), DiskError> {
        let fate = self.disk.step(Some(self.life), "sync", &self.name);
        match fate {
            Fate::Break(source) => {
                self.disk.state().unsyncable.insert(self.name.clone());
                Err(DiskError::new("sync", &self.name, source))
            }
            Fate::Lie => Ok(()),
            Fate::Go => {
                if !self.disk.state().unsyncable.contains(&self.name) {
                    self.disk.make_durable(&self.name);
                }
                Ok(())
            }
        }
    }
}
