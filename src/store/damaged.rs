//! `damaged`: what a verification found to be bad, in one small file beside the packs.
//!
//! A frame that is listed counts as not there, so its chunks are asked for again wherever somebody
//! still has them, and a good copy elsewhere is found instead. Its bytes stay where they are: a
//! deep verification tries every listed frame again and takes it off the list when it is well, so
//! a disk that failed for a moment costs nothing.
//!
//! # Layout, version 1
//!
//! As `head` of a manifest (see [`manifest`]), with magic `EVACDMGD`; the body is a list of
//! [`DamagedFrame`]s. A list that cannot be read is as good as none: the next verification makes
//! it anew.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::model::{ChunkId, PackId, WorkloadId};
use crate::store::disk::{Disk, DiskErrorKind};
use crate::store::manifest::{self, ManifestError};
use crate::store::pack::{PackFrame, PackName};
use crate::store::verify::BadKind;
use crate::store::{LostPack, Place, Shared, Store, StoreError};

const FILE: &str = "damaged";
const MAGIC: [u8; 8] = *b"EVACDMGD";
/// So many are kept; a store with more is lost in a way that a list does not help.
const LISTED_MAX: usize = 100_000;

/// A frame that is not what it was. Without a length: the list at the end of its pack is not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DamagedFrame {
    /// Whose pack.
    pub workload: WorkloadId,
    /// Which pack.
    pub pack: PackId,
    /// Where it begins.
    pub offset: u32,
    /// How long it is.
    pub length: u32,
}

impl DamagedFrame {
    /// The end of this pack is damaged.
    pub(super) fn footer_of(name: &PackName) -> Self {
        Self { workload: name.workload.clone(), pack: name.id, offset: 0, length: 0 }
    }

    /// Its pack.
    pub fn name(&self) -> PackName {
        PackName { id: self.pack, workload: self.workload.clone() }
    }

    /// Is it the list at the end of a pack?
    pub fn is_footer(&self) -> bool {
        self.length == 0
    }
}

/// What is listed.
pub fn read_damaged(disk: &dyn Disk) -> Vec<DamagedFrame> {
    manifest::read(disk, FILE, MAGIC).unwrap_or_default()
}

/// Lists these and no others; durable when it returns.
pub fn put_damaged(disk: &dyn Disk, mut list: Vec<DamagedFrame>) -> Result<(), ManifestError> {
    list.sort_unstable();
    list.dedup();
    list.truncate(LISTED_MAX);
    if !list.is_empty() {
        return Ok(disk.put(FILE, &manifest::encode(FILE, MAGIC, &list)?)?);
    }
    match disk.length(FILE) {
        Err(error) if error.kind == DiskErrorKind::NotFound => Ok(()),
        _ => Ok(disk.remove(FILE)?),
    }
}

/// What is listed, while a store is opened.
#[derive(Default)]
pub(super) struct Listed {
    by_pack: HashMap<PackId, Vec<DamagedFrame>>,
    /// Frames of packs that are there, and the number of their loss.
    places: HashMap<Place, u32>,
}

impl Listed {
    pub(super) fn read(disk: &dyn Disk) -> Self {
        let mut listed = Self::default();
        for frame in read_damaged(disk).into_iter().filter(|frame| !frame.is_footer()) {
            listed.by_pack.entry(frame.pack).or_default().push(frame);
        }
        listed
    }

    /// A pack has its number: what is listed of it is known by its place from now on.
    pub(super) fn number(&mut self, name: &PackName, number: u32, lost: &mut Vec<LostPack>) {
        let Some(frames) = self.by_pack.get(&name.id) else { return };
        let loss = lost.len() as u32;
        lost.push(LostPack { file: name.file(), kind: BadKind::DamagedFrame });
        for frame in frames {
            let place = Place { pack: number, offset: frame.offset, length: frame.length };
            self.places.insert(place, loss);
        }
    }

    /// The number of the loss, if the frame at `place` is listed.
    pub(super) fn loss(&self, place: &Place) -> Option<u32> {
        if self.places.is_empty() { None } else { self.places.get(place).copied() }
    }

    /// Takes listed frames of pack `number` out of `frames`; tells of their chunks.
    pub(super) fn leave_out(
        &self,
        number: u32,
        frames: &[PackFrame],
        mut tell: impl FnMut(ChunkId, u32),
    ) -> Vec<PackFrame> {
        let mut kept = frames.to_vec();
        kept.retain(|frame| {
            let place = Place { pack: number, offset: frame.offset, length: frame.length };
            let loss = self.loss(&place);
            if let Some(loss) = loss {
                frame.chunks.iter().for_each(|id| tell(*id, loss));
            }
            loss.is_none()
        });
        kept
    }

    pub(super) fn into_places(self) -> HashSet<Place> {
        self.places.into_keys().collect()
    }
}

impl Shared {
    fn damaged_frame(&self, place: Place) -> Option<DamagedFrame> {
        let name = self.index.pack(place.pack)?.name;
        let Place { offset, length, .. } = place;
        Some(DamagedFrame { workload: name.workload, pack: name.id, offset, length })
    }
}

impl Store {
    /// Tries every listed frame again: what is well counts from now on. Gives the others.
    pub(super) fn try_damaged(&self) -> Vec<DamagedFrame> {
        let mut bad = Vec::new();
        for place in &self.shared.damaged {
            match self.open_frame(*place) {
                Ok(open) => {
                    for (id, _) in open.chunks {
                        self.shared.index.insert(id, *place);
                    }
                    self.shared.index.forget_found();
                }
                Err(_) => bad.extend(self.shared.damaged_frame(*place)),
            }
        }
        bad
    }

    /// How a frame is listed.
    pub(super) fn as_damaged(&self, place: Place) -> Option<DamagedFrame> {
        self.shared.damaged_frame(place)
    }

    /// How many chunks are known to be lost: their pack is gone or cut, or their frame is bad.
    pub fn lost_count(&self) -> u64 {
        self.shared.index.lost_count()
    }

    /// Packs that are not as they were written: gone, cut short, with bad frames or a bad end.
    pub fn unwell_packs(&self) -> Result<Vec<PackName>, StoreError> {
        let losers = self.shared.index.losers();
        // One that is gone, and everything in it is elsewhere, is missed by nobody.
        let is_missed = |(number, lost): &(u32, &LostPack)| {
            lost.kind != BadKind::MissingPack || losers.contains(number)
        };
        let lost = (0..).zip(&self.shared.lost_packs).filter(is_missed);
        let lost = lost.filter_map(|(_, lost)| PackName::of_file(&lost.file));
        let listed = read_damaged(&*self.shared.disk).into_iter().map(|frame| frame.name());
        let mut unwell: Vec<PackName> = lost.chain(listed).collect();
        unwell.sort_unstable_by_key(PackName::file);
        unwell.dedup();
        Ok(unwell)
    }
}
