//! Which folders the store is spread over: what evac.toml names, and what was added since.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use crate::cli::{Failure, Global, print};
use crate::inventory::{self, StoreDisk};
use crate::model::Bytes;
use crate::store::disks::{DiskView, How, Register};
use crate::store::{Disk as _, DiskWanted, Disks, LocalDisk, default_reserve};

/// Where the store is when nobody says otherwise, in the state folder.
const STORE_FOLDER: &str = "store";

/// What a look at the disks shows.
pub struct Look {
    /// Beyond all reserves.
    pub room: Bytes,
    /// Disks that are not there.
    pub away: Vec<String>,
    /// Each of them.
    pub disks: Vec<DiskView>,
}

impl Global {
    /// The store's first folder: where the index and manifests lie.
    pub fn store_path(&self) -> PathBuf {
        let register = Register::read(&self.state()).ok().flatten();
        let home = register.and_then(|it| {
            it.disks.into_iter().find(|disk| disk.number == it.home).map(|disk| disk.path)
        });
        home.unwrap_or_else(|| self.disks_wanted().swap_remove(0).path)
    }

    /// Opens the disks of the store; says which are not there.
    pub fn open_disks(&self, writes: bool) -> Result<Arc<Disks>, Failure> {
        let (state, wanted) = (self.state(), self.disks_wanted());
        let how = How { state: &state, wanted: &wanted, writes, by: &self.by, at: self.now() };
        let (disks, told) = Disks::open(&how)?;
        for line in told {
            print::tell(&format!("warning: {line}"));
        }
        Ok(Arc::new(disks))
    }

    /// What the disks have room for, by a reader that takes nothing in; `None` before there is a
    /// store.
    pub fn look_at_disks(&self) -> Result<Option<Look>, Failure> {
        if !self.store_path().exists() {
            return Ok(None);
        }
        let (state, wanted) = (self.state(), self.disks_wanted());
        let how =
            How { state: &state, wanted: &wanted, writes: false, by: &self.by, at: self.now() };
        let (disks, _) = Disks::open(&how)?;
        let (room, away) = (disks.free_bytes()?, disks.away());
        Ok(Some(Look { room, away, disks: disks.views() }))
    }

    /// What there will be room for when a run begins.
    pub fn store_room(&self) -> Result<Bytes, Failure> {
        if let Some(look) = self.look_at_disks()? {
            return Ok(look.room);
        }
        let (mut room, mut devices) = (0, BTreeSet::new());
        for wanted in self.disks_wanted() {
            let Some(place) = wanted.path.ancestors().find(|path| path.exists()) else { continue };
            let failed = |error| Failure::io("look at", place, &error);
            let is_new = devices.insert(place.metadata().map_err(failed)?.dev());
            let free = LocalDisk::open(place)?.free_bytes()?;
            let reserve = wanted.reserve.unwrap_or_else(|| default_reserve(place));
            room += if is_new { free.saturating_sub(reserve).0 } else { 0 };
        }
        Ok(Bytes(room))
    }

    /// What evac.toml names, at least one. Mistakes in it are told by whoever needs the rest of it.
    pub fn disks_wanted(&self) -> Vec<DiskWanted> {
        let named = inventory::store_disks(&self.site);
        let wanted = |disk: StoreDisk| {
            let path = self.site.join(&disk.path);
            DiskWanted { path: path.components().collect(), reserve: disk.reserve }
        };
        let mut wanted: Vec<_> = named.into_iter().map(wanted).collect();
        if wanted.is_empty() {
            wanted.push(DiskWanted { path: self.state().join(STORE_FOLDER), reserve: None });
        }
        wanted
    }
}
