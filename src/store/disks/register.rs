//! `state/disks.json`: the disks of the store, as they were when it was last opened to write, and
//! those that `evac store add` named.
//!
//! It is read beside evac.toml, which belongs to people and is never written. A disk that evac.toml
//! does not name any more is read on, and nothing new is put on it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::model::{Bytes, Timestamp};
use crate::store::disk::{Disk, DiskErrorKind};
use crate::store::disks::DisksError;
use crate::store::local::LocalDisk;

/// Name of the file in the state folder.
pub const REGISTER: &str = "disks.json";
const SCHEMA: u32 = 1;
/// More is no register.
const BYTES_MAX: usize = 1 << 20;

/// All disks of a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Register {
    schema: u32,
    /// Which store, the same in the mark of each disk.
    pub store: String,
    /// Where the index, the manifests and everything else but packs lie.
    pub home: u32,
    /// In the order of their numbers.
    pub disks: Vec<Registered>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// Its number; never given again.
    pub number: u32,
    /// Its folder.
    pub path: PathBuf,
    /// What stays free, if that was said.
    pub reserve: Option<Bytes>,
    /// Did `evac store add` name it, or evac.toml?
    pub added: bool,
    /// By whom.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// A site may be moved as a whole: folders in it are named from there.
fn site_of(state: &Path) -> &Path {
    state.parent().unwrap_or(state)
}

impl Register {
    /// Of a store without disks.
    pub fn new(store: String) -> Self {
        Self { schema: SCHEMA, store, home: 0, disks: Vec::new() }
    }

    /// The one in `state`, if there is one.
    pub fn read(state: &Path) -> Result<Option<Self>, DisksError> {
        let path = state.join(REGISTER);
        let damaged = |why: String| DisksError::Register { path: path.clone(), why };
        if !path.try_exists().map_err(|error| damaged(error.to_string()))? {
            return Ok(None);
        }
        let bytes = match LocalDisk::open(state)?.read(REGISTER, 0, BYTES_MAX) {
            Err(error) if error.kind == DiskErrorKind::NotFound => return Ok(None),
            bytes => bytes?,
        };
        let mut read: Self =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if read.schema != SCHEMA {
            return Err(damaged(format!("it is of version {}", read.schema)));
        }
        if read.id().is_none() {
            return Err(damaged("its store is no id".to_owned()));
        }
        for disk in &mut read.disks {
            disk.path = site_of(state).join(&disk.path);
        }
        Ok(Some(read))
    }

    /// Puts it into `state`; durable when it returns.
    pub fn write(&self, state: &Path) -> Result<(), DisksError> {
        let path = state.join(REGISTER);
        let mut written = self.clone();
        for disk in &mut written.disks {
            if let Ok(inside) = disk.path.strip_prefix(site_of(state)) {
                disk.path = inside.to_owned();
            }
        }
        let text = serde_json::to_vec_pretty(&written)
            .map_err(|error| DisksError::Register { path, why: error.to_string() })?;
        Ok(LocalDisk::open(state)?.put(REGISTER, &text)?)
    }

    /// The store's id in its marks.
    pub fn id(&self) -> Option<[u8; 16]> {
        Some(crate::model::PackId::from_hex(&self.store)?.0)
    }

    /// A number that no disk has or had.
    pub fn next_number(&self) -> u32 {
        self.disks.iter().map(|disk| disk.number + 1).max().unwrap_or(0)
    }
}
