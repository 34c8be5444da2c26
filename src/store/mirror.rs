//! A second copy of a store in another folder: a store by itself, that `unpack.py` reads, that a
//! site can be put back from, and from which damaged packs are mended.
//!
//! **Promises.** A pass is copied packs first, then manifests, its seal last, each durable before
//! the next: what is sealed over there is whole over there. Every chunk is hashed before it is
//! written, and every pack is read back afterwards and compared. What is there already is not
//! written again, so whoever was interrupted goes on. The store is only read; a writer may be at
//! work meanwhile: packs that are still open are left for the next round.
//!
//! What is damaged here may be whole over there, and is the only one: of a damaged pass nothing
//! replaces what the copy has.
//!
//! The index is not copied: it is a cache, and of packs that the copy may not have.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use crate::model::{Bytes, PackId};
use crate::store::damaged::{put_damaged, read_damaged};
use crate::store::disk::{Disk, DiskError, DiskErrorKind};
use crate::store::manifest::{ManifestError, PassName, RunEnd, run_of};
use crate::store::mend::{Whole, read_whole};
use crate::store::pack::PackName;
use crate::store::scan::has_footer;
use crate::store::verify::{Named, PassRef, furthest, walk};
use crate::store::{Pass, Store, StoreError};

/// Copied and compared at a time.
const STEP_BYTES: usize = 4 << 20;

/// What can go wrong with a copy.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// The store, or the disk of either.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// What was just written is not what was written.
    #[error("`{file}` of the mirror does not read back as it was written")]
    Differs {
        /// Which.
        file: String,
    },
    /// Somebody wants it to end.
    #[error("it was interrupted")]
    Stopped,
}

impl From<DiskError> for MirrorError {
    fn from(error: DiskError) -> Self {
        Self::Store(error.into())
    }
}

/// What was done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Copied {
    /// Packs written.
    pub packs: u64,
    /// Bytes written, manifests too.
    pub bytes: Bytes,
    /// Packs that were there already.
    pub had_packs: u64,
}

/// Why a pass is not, or not yet, whole over there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incomplete {
    /// A pack is still written to.
    Open,
    /// It is damaged here, in this pack or manifest.
    Damaged(String),
}

/// Copies a store.
pub struct Mirror {
    store: Store,
    to: Arc<dyn Disk>,
    /// Packs that are known to be there.
    there: HashSet<PackId>,
    copied: Copied,
    stop: Box<dyn Fn() -> bool>,
}

impl Mirror {
    /// Of `store` to `to`, until `stop` says so.
    pub fn new(store: Store, to: Arc<dyn Disk>, stop: impl Fn() -> bool + 'static) -> Self {
        let (there, copied) = (HashSet::new(), Copied::default());
        Self { store, to, there, copied, stop: Box::new(stop) }
    }

    /// What was done so far.
    pub fn copied(&self) -> Copied {
        self.copied
    }

    /// Copies one pass; passes that it builds on come before it. `None`: it is whole over there.
    pub fn pass(&mut self, pass: &PassRef) -> Result<Option<Incomplete>, MirrorError> {
        let mut opened = match Pass::open(self.store.disk(), &pass.name) {
            Ok(opened) => opened,
            Err(error) if error.is_damage() => {
                return Ok(Some(Incomplete::Damaged(pass.name.file("head"))));
            }
            Err(error) => return Err(error.into()),
        };
        if !pass.ends.is_empty() {
            opened.limit(&furthest(&pass.ends, opened.seal()));
        }
        let (mut packs, mut fault) = (BTreeSet::new(), None);
        walk(&opened, |step| match step {
            Named::Chunk { id, .. } => match self.store.locate(id) {
                Some(place) => drop(packs.insert(place.pack())),
                None => drop(fault.get_or_insert_with(|| pass.name.file("a chunk"))),
            },
            Named::Fault(damage) => drop(fault.get_or_insert(damage.file.clone())),
        });
        if opened.owners().is_err_and(|error| error.is_damage()) {
            fault.get_or_insert_with(|| pass.name.file("owners"));
        }
        let is_damaged = fault.is_some();
        let mut incomplete = fault.map(Incomplete::Damaged);
        for number in packs {
            let why = self.pack(number)?;
            incomplete = incomplete.or(why);
        }
        let is_whole = incomplete.is_none();
        self.manifests(&pass.name, opened.runs().collect(), (is_whole, is_damaged))?;
        Ok(incomplete)
    }

    /// Copies one pack, unless it is there.
    fn pack(&mut self, number: u32) -> Result<Option<Incomplete>, MirrorError> {
        if (self.stop)() {
            return Err(MirrorError::Stopped);
        }
        let pack = self.store.shared.index.pack(number).ok_or(StoreError::NoPack)?;
        let file = pack.name.file();
        let name = pack.name;
        if self.there.contains(&name.id) {
            return Ok(None);
        }
        let from = &**self.store.disk();
        let Some(length) = length_of(from, &file)? else {
            return Ok(Some(Incomplete::Damaged(file)));
        };
        if pack.sealed_bytes.is_none() && !has_footer(from, &name, length)? {
            let is_open = !self.store.unwell_packs()?.contains(&name);
            return Ok(Some(if is_open { Incomplete::Open } else { Incomplete::Damaged(file) }));
        }
        if length_of(&*self.to, &file)? == Some(length) && !self.is_bad(&name) {
            self.copied.had_packs += 1;
            self.there.insert(name.id);
            return Ok(None);
        }
        let key = |domain| self.store.key(domain).ok();
        let Whole::Yes(bytes) = read_whole(&**self.store.disk(), &name, key)? else {
            return Ok(Some(Incomplete::Damaged(file)));
        };
        self.put(&file, &bytes)?;
        if self.is_bad(&name) {
            let mut listed = read_damaged(&*self.to);
            listed.retain(|frame| frame.pack != name.id);
            put_damaged(&*self.to, listed)?;
        }
        self.copied.packs += 1;
        self.there.insert(name.id);
        Ok(None)
    }

    /// Is something of that pack listed as damaged over there?
    fn is_bad(&self, name: &PackName) -> bool {
        read_damaged(&*self.to).iter().any(|frame| frame.pack == name.id)
    }

    /// Writes a whole file, and reads it back from the disk, not from memory.
    fn put(&mut self, file: &str, bytes: &[u8]) -> Result<(), MirrorError> {
        self.to.put(file, bytes)?;
        self.to.forget(file);
        self.copied.bytes += Bytes(bytes.len() as u64);
        let mut pieces = (0_u64..).step_by(STEP_BYTES).zip(bytes.chunks(STEP_BYTES));
        let is_alike = pieces.try_fold(true, |alike, (offset, piece)| -> Result<bool, DiskError> {
            Ok(alike && self.to.read(file, offset, piece.len())? == piece)
        });
        if is_alike? { Ok(()) } else { Err(MirrorError::Differs { file: file.to_owned() }) }
    }

    /// Copies the files of a pass as far as `ends`; the seal only where all is whole. Of a damaged
    /// pass nothing replaces what is over there.
    fn manifests(
        &mut self,
        name: &PassName,
        ends: Vec<RunEnd>,
        (is_whole, is_damaged): (bool, bool),
    ) -> Result<(), MirrorError> {
        let files = self.store.disk().list(&name.file(""))?;
        let mut last = None;
        for found in files {
            let Some((_, inside)) = PassName::of_file(&found.name) else { continue };
            if inside == "sealed" {
                last = Some(found);
                continue;
            }
            let end = match run_of(inside) {
                Some(run) => ends.iter().find(|end| end.run == run).map(|end| end.end_bytes),
                None => Some(found.length),
            };
            if let Some(end) = end {
                self.manifest(&found.name, end.min(found.length), !is_damaged)?;
            }
        }
        if let Some(seal) = last.filter(|_| is_whole) {
            self.manifest(&seal.name, seal.length, true)?;
        }
        Ok(())
    }

    /// Copies the first `end` bytes of a file that only grows, or is replaced as a whole.
    fn manifest(&mut self, file: &str, end: u64, may_replace: bool) -> Result<(), MirrorError> {
        if (self.stop)() {
            return Err(MirrorError::Stopped);
        }
        let from = self.store.disk().clone();
        let there = length_of(&*self.to, file)?;
        let have = there.filter(|have| *have <= end).unwrap_or(0);
        let is_alike = alike(&*from, &*self.to, file, have)?;
        if is_alike && have == end && end > 0 {
            return Ok(());
        }
        if !may_replace && (!is_alike || there > Some(end)) {
            return Ok(());
        }
        let at = if is_alike { have } else { 0 };
        let mut copy =
            if there.is_some() { self.to.reopen(file, at)? } else { self.to.create(file)? };
        let mut offset = at;
        while offset < end {
            let bytes = from.read(file, offset, STEP_BYTES.min((end - offset) as usize))?;
            if bytes.is_empty() {
                break;
            }
            copy.append(&bytes)?;
            offset += bytes.len() as u64;
        }
        copy.sync()?;
        self.copied.bytes += Bytes(offset - at);
        self.to.forget(file);
        if offset == end && alike(&*from, &*self.to, file, end)? {
            return Ok(());
        }
        Err(MirrorError::Differs { file: file.to_owned() })
    }
}

fn length_of(disk: &dyn Disk, file: &str) -> Result<Option<u64>, DiskError> {
    match disk.length(file) {
        Err(error) if error.kind == DiskErrorKind::NotFound => Ok(None),
        length => length.map(Some),
    }
}

/// Are the first `length` bytes the same?
fn alike(one: &dyn Disk, other: &dyn Disk, file: &str, length: u64) -> Result<bool, DiskError> {
    let mut offset = 0;
    while offset < length {
        let step = STEP_BYTES.min((length - offset) as usize);
        let (a, b) = (one.read(file, offset, step)?, other.read(file, offset, step)?);
        if a != b || a.is_empty() {
            return Ok(false);
        }
        offset += a.len() as u64;
    }
    Ok(true)
}
