//! Packs that are not as they were written are made so again, from a twin on another disk.
//!
//! **Promises.** A sealed pack never changes, so two packs of one id are the same, byte for byte. A
//! twin is believed only when it is whole: header, every frame opened and every chunk hashed, the
//! list at its end. It replaces what is there in one step. Without a twin, a pack of which only the
//! list at its end is damaged gets that back from its own frames.
//!
//! Whoever mends has to open the store again: what it has in memory is from before.

use std::sync::Arc;

use crate::chunk::{DomainKey, frame};
use crate::model::{Bytes, Domain};
use crate::store::damaged::{put_damaged, read_damaged};
use crate::store::disk::{Disk, DiskError, DiskErrorKind};
use crate::store::pack::{Footer, PACK_BYTES_MAX, PackFrame, PackName, TRAILER_BYTES};
use crate::store::scan::read_pack;
use crate::store::verify::PassRef;
use crate::store::{ManifestError, Pass, Step, Store, StoreError};

/// What was mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mended {
    /// Packs.
    pub packs: u64,
    /// Their bytes.
    pub bytes: Bytes,
}

/// A pack as a whole: what it is, and what speaks against it.
pub enum Whole {
    /// Its bytes, of which every chunk was hashed.
    Yes(Vec<u8>),
    /// Why not.
    No(&'static str),
}

/// Reads the pack `name` on `disk` and hashes all of it; `key` gives the key of a domain.
pub fn read_whole(
    disk: &dyn Disk,
    name: &PackName,
    key: impl Fn(Domain) -> Option<DomainKey>,
) -> Result<Whole, DiskError> {
    let length = match disk.length(&name.file()) {
        Err(error) if error.kind == DiskErrorKind::NotFound => {
            return Ok(Whole::No("it is not there"));
        }
        length => length?,
    };
    if length > u64::from(PACK_BYTES_MAX) {
        return Ok(Whole::No("it is longer than a pack can be"));
    }
    let contents = read_pack(disk, name, length, None)?;
    if !contents.is_sealed {
        return Ok(Whole::No("the list at its end is damaged or missing"));
    }
    let bytes = disk.read(&name.file(), 0, length as usize)?;
    let header = bytes.get(..name.header_bytes() as usize).and_then(|it| name.read_header(it));
    let Some(domain) = header else { return Ok(Whole::No("its beginning is damaged")) };
    let Some(key) = key(domain) else { return Ok(Whole::No("its key is missing")) };
    let mut end = name.header_bytes();
    for found in &contents.frames {
        let is_next = found.offset == end;
        let bytes = bytes.get(found.offset as usize..found.end() as usize);
        if !is_next || !bytes.is_some_and(|bytes| is_right(bytes, &key, found)) {
            return Ok(Whole::No("a frame is not what it was"));
        }
        end = found.end();
    }
    let is_all = footer_of(name, &contents.frames).len() as u64 + u64::from(end) == length;
    Ok(if is_all { Whole::Yes(bytes) } else { Whole::No("it holds something between its frames") })
}

/// Is it the frame that the list has there?
fn is_right(bytes: &[u8], key: &DomainKey, listed: &PackFrame) -> bool {
    let opened = frame::open(bytes, key);
    opened.is_ok_and(|open| open.chunks.iter().map(|(id, _)| id).eq(&listed.chunks))
}

fn footer_of(name: &PackName, frames: &[PackFrame]) -> Vec<u8> {
    let mut footer = Footer::default();
    for frame in frames {
        footer.push(frame.offset, frame.length, frame.chunks.iter().copied());
    }
    footer.encode(name.id)
}

impl Store {
    /// Mends what can be mended of packs that are not as they were written; see the module.
    pub fn mend(&self, twins: &[Arc<dyn Disk>]) -> Result<Mended, StoreError> {
        let disk = &**self.disk();
        let mut mended = Mended::default();
        for name in self.unwell_packs()? {
            let key = |domain| self.key(domain).ok();
            let twin = twins.iter().find_map(|twin| match read_whole(&**twin, &name, key) {
                Ok(Whole::Yes(bytes)) => Some(bytes),
                // A twin that cannot be read is none.
                Ok(Whole::No(_)) | Err(_) => None,
            });
            let bytes = match twin {
                Some(bytes) => Some(bytes),
                None => self.with_own_footer(&name)?,
            };
            let Some(bytes) = bytes else { continue };
            disk.put(&name.file(), &bytes)?;
            mended.packs += 1;
            mended.bytes += Bytes(bytes.len() as u64);
            let mut listed = read_damaged(disk);
            listed.retain(|frame| frame.pack != name.id);
            put_damaged(disk, listed).map_err(disk_error)?;
        }
        Ok(mended)
    }

    /// The pack with the list at its end made anew, if nothing else of it is damaged.
    fn with_own_footer(&self, name: &PackName) -> Result<Option<Vec<u8>>, StoreError> {
        let (disk, file) = (&**self.disk(), name.file());
        let is_footer = read_damaged(disk).iter().any(|it| it.pack == name.id && it.is_footer());
        if !is_footer {
            return Ok(None);
        }
        let length = disk.length(&file)?;
        let contents = read_pack(disk, name, length, Some(PACK_BYTES_MAX))?;
        let footer = footer_of(name, &contents.frames);
        let is_alike = u64::from(contents.end) + footer.len() as u64 == length;
        if contents.damaged_bytes > 0 || !is_alike || footer.len() <= TRAILER_BYTES {
            return Ok(None);
        }
        let mut bytes = disk.read(&file, 0, contents.end as usize)?;
        bytes.extend_from_slice(&footer);
        Ok(Some(bytes))
    }
}

impl Store {
    /// Puts back the manifest of a sealed pass from a twin that has it whole, up to the same ends;
    /// says whether there was one. What it builds on is mended before it.
    pub fn mend_manifest(
        &self,
        pass: &PassRef,
        twins: &[Arc<dyn Disk>],
    ) -> Result<bool, StoreError> {
        let is_whole = |twin: &&Arc<dyn Disk>| {
            Pass::open(twin, &pass.name).is_ok_and(|found| {
                found.seal().is_some_and(|seal| seal.runs == pass.ends)
                    && found.merged().all(|step| !matches!(step, Step::Damaged(_)))
            })
        };
        let Some(twin) = twins.iter().find(is_whole) else { return Ok(false) };
        let mut files = twin.list(&pass.name.file(""))?;
        // The seal says that the rest is there.
        files.sort_by_key(|file| file.name.ends_with("/sealed"));
        for file in files {
            let bytes = twin.read(&file.name, 0, file.length as usize)?;
            let has = self.disk().read(&file.name, 0, bytes.len() + 1);
            if !has.is_ok_and(|has| has == bytes) {
                self.disk().put(&file.name, &bytes)?;
            }
        }
        Ok(true)
    }
}

fn disk_error(error: ManifestError) -> StoreError {
    match error {
        ManifestError::Disk(error) => error.into(),
        error => DiskError::new("write", "damaged", std::io::Error::other(error)).into(),
    }
}
