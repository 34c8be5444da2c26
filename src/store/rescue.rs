//! What is whole in a damaged pack moves into new ones, and the damaged one goes.
//!
//! **Promises.** What moves is opened and hashed, and durable in its new place before the old
//! one is removed; and nothing is removed in which something still lies that a pass names.
//! While a pass names what is lost, or cannot be read and may name it, the damaged pack is kept
//! below [`EVIDENCE`] as it was: somebody may get more out of it than evac can. Killed in between,
//! both are there, and the next try goes on.

use std::collections::HashSet;
use std::sync::Arc;

use crate::chunk::{FrameHeader, frame};
use crate::store::damaged::{put_damaged, read_damaged};
use crate::store::disk::DiskErrorKind;
use crate::store::mirror::MirrorError;
use crate::store::pack::{PACK_BYTES_MAX, PackName};
use crate::store::scan::read_pack;
use crate::store::verify::{Named, PassRef, furthest, walk};
use crate::store::writer::Writer;
use crate::store::{CommitError, Pass, Place, Store};

/// Where damaged packs are kept that may hold the rest of something.
pub const EVIDENCE: &str = "evidence/";

/// Empties packs that are not as they were written, as far as that is safe for `passes`; says how
/// many are gone. Closes the writer.
pub fn rescue(store: &Store, mut writer: Writer, passes: &[PassRef]) -> Result<u64, MirrorError> {
    let mut emptied = Vec::new();
    for name in store.unwell_packs()? {
        if move_out(store, &mut writer, &name)? {
            emptied.push(name);
        }
    }
    let disk = Arc::clone(store.disk());
    let failed = |error: CommitError| MirrorError::from(error.source);
    writer.close().map_err(failed)?;
    let (needed, is_lossy) =
        if emptied.is_empty() { Default::default() } else { needed(store, passes)? };
    let mut gone = 0;
    for name in emptied {
        let number = store.shared.index.number_of(name.id);
        if number.is_some_and(|number| needed.contains(&number)) {
            continue;
        }
        if is_lossy {
            let bytes = disk.read(&name.file(), 0, PACK_BYTES_MAX as usize)?;
            disk.put(&format!("{EVIDENCE}{}/{}", name.workload, name.id), &bytes)?;
        }
        disk.remove(&name.file())?;
        let mut listed = read_damaged(&*disk);
        listed.retain(|frame| frame.pack != name.id);
        put_damaged(&*disk, listed)?;
        gone += 1;
    }
    Ok(gone)
}

/// Appends every whole frame of a pack anew; says whether there was anything to do.
fn move_out(store: &Store, writer: &mut Writer, name: &PackName) -> Result<bool, MirrorError> {
    let (disk, file) = (&**store.disk(), name.file());
    let length = match disk.length(&file) {
        Err(error) if error.kind == DiskErrorKind::NotFound => return Ok(false),
        length => length?,
    };
    let index = &store.shared.index;
    let Some(number) = index.number_of(name.id) else { return Ok(false) };
    let contents = read_pack(disk, name, length, Some(PACK_BYTES_MAX))?;
    let Some(domain) = contents.domain else { return Ok(false) };
    let key = store.key(domain)?;
    for found in contents.frames {
        let bytes = disk.read(&file, found.offset.into(), found.length as usize)?;
        let Ok(header) = FrameHeader::parse(&bytes) else { continue };
        if frame::open(&bytes, &key).is_err() {
            continue;
        }
        let place = Place { pack: number, offset: found.offset, length: found.length };
        for id in &found.chunks {
            index.remove(id, place);
        }
        writer.append(&name.workload, &bytes, &header)?;
    }
    Ok(true)
}

/// Numbers of packs in which something lies that a pass names; and may one name what is lost?
fn needed(store: &Store, passes: &[PassRef]) -> Result<(HashSet<u32>, bool), MirrorError> {
    let (mut needed, mut is_lossy) = (HashSet::new(), false);
    for pass in passes {
        let mut opened = match Pass::open(store.disk(), &pass.name) {
            Ok(opened) => opened,
            // Nobody knows what it names: it may be what is lost.
            Err(error) if error.is_damage() => {
                is_lossy = true;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        if !pass.ends.is_empty() {
            opened.limit(&furthest(&pass.ends, opened.seal()));
        }
        walk(&opened, |step| match step {
            Named::Chunk { id, .. } => {
                let place = store.locate(id);
                is_lossy |= place.is_none();
                needed.extend(place.map(Place::pack));
            }
            Named::Fault(_) => is_lossy = true,
        });
    }
    Ok((needed, is_lossy))
}
