//! Reads a pack that the index log does not vouch for: by its footer, else frame by frame.
//!
//! **Invariant.** Only frames whose checksum fits are believed. Behind damage the scan looks on
//! for the next whole frame, so one bad sector does not cost the rest of an unsealed pack.

use crate::chunk::frame;
use crate::model::Domain;
use crate::store::disk::{Disk, DiskError};
use crate::store::pack::{
    PACK_BYTES_MAX, PackFrame, PackName, TRAILER_BYTES, footer_bytes, read_footer,
};

/// How much is searched for the next frame at a time.
const SEARCH_BYTES: usize = 1 << 20;
/// How many false beginnings are tried in one pack: content may be full of them on purpose.
const TRIES_MAX: u32 = 256;

/// What a pack holds, as far as it can be believed.
#[derive(Debug, PartialEq, Eq)]
pub struct PackContents {
    /// In which domain its chunks are named; `None` only when nothing in it says so.
    pub domain: Option<Domain>,
    /// Its whole frames, in order.
    pub frames: Vec<PackFrame>,
    /// Does its footer fit?
    pub is_sealed: bool,
    /// Where its last whole frame ends.
    pub end: u32,
    /// Bytes before that which belong to no whole frame: damage, not a torn tail.
    pub damaged_bytes: u32,
}

/// Reads the pack `name` of `length` bytes, believing nothing from `limit` on.
pub fn read_pack(
    disk: &dyn Disk,
    name: &PackName,
    length: u64,
    limit: Option<u32>,
) -> Result<PackContents, DiskError> {
    let length = u32::try_from(length).unwrap_or(PACK_BYTES_MAX).min(PACK_BYTES_MAX);
    let file = name.file();
    let header = disk.read(&file, 0, name.header_bytes() as usize)?;
    let scan = Scan { disk, file, start: name.header_bytes(), length };
    let mut contents = match scan.footer(name)? {
        Some(frames) if limit.is_none() => {
            let end = frames.last().map_or(scan.start, PackFrame::end);
            PackContents { domain: None, frames, is_sealed: true, end, damaged_bytes: 0 }
        }
        _ => Scan { length: length.min(limit.unwrap_or(length)), ..scan }.frames()?,
    };
    contents.domain = match name.read_header(&header) {
        Some(domain) => Some(domain),
        None => domain_of_first(disk, name, &contents)?,
    };
    Ok(contents)
}

fn domain_of_first(
    disk: &dyn Disk,
    name: &PackName,
    contents: &PackContents,
) -> Result<Option<Domain>, DiskError> {
    let Some(first) = contents.frames.first() else { return Ok(None) };
    let prefix = disk.read(&name.file(), first.offset.into(), frame::PREFIX_BYTES)?;
    Ok(frame::domain(&prefix))
}

struct Scan<'a> {
    disk: &'a dyn Disk,
    file: String,
    start: u32,
    length: u32,
}

impl Scan<'_> {
    fn read(&self, offset: u32, length: usize) -> Result<Vec<u8>, DiskError> {
        let left = self.length.saturating_sub(offset) as usize;
        self.disk.read(&self.file, offset.into(), length.min(left))
    }

    fn footer(&self, name: &PackName) -> Result<Option<Vec<PackFrame>>, DiskError> {
        let Some(trailer_at) = self.length.checked_sub(TRAILER_BYTES as u32) else {
            return Ok(None);
        };
        let trailer = self.read(trailer_at, TRAILER_BYTES)?;
        let start = footer_bytes(&trailer)
            .and_then(|bytes| trailer_at.checked_sub(bytes))
            .filter(|start| *start >= self.start);
        let Some(start) = start else { return Ok(None) };
        let footer = self.read(start, (trailer_at - start) as usize)?;
        Ok(read_footer(name, &footer, start))
    }

    fn frames(&self) -> Result<PackContents, DiskError> {
        let mut frames: Vec<PackFrame> = Vec::new();
        let (mut offset, mut end, mut damaged_bytes, mut tries) = (self.start, self.start, 0, 0);
        while offset < self.length {
            if let Some(found) = self.frame(offset)? {
                damaged_bytes += offset - end;
                end = found.end();
                offset = end;
                frames.push(found);
                continue;
            }
            tries += 1;
            match self.next_beginning(offset + 1)? {
                Some(next) if tries < TRIES_MAX => offset = next,
                _ => break,
            }
        }
        Ok(PackContents { domain: None, frames, is_sealed: false, end, damaged_bytes })
    }

    /// The whole frame at `offset`, if there is one.
    fn frame(&self, offset: u32) -> Result<Option<PackFrame>, DiskError> {
        let prefix = self.read(offset, frame::PREFIX_BYTES)?;
        let Ok((_, total_bytes)) = frame::lengths(&prefix) else { return Ok(None) };
        if total_bytes > (self.length - offset) as usize {
            return Ok(None);
        }
        let bytes = self.read(offset, total_bytes)?;
        Ok(frame::check(&bytes).ok().map(|header| PackFrame {
            offset,
            length: total_bytes as u32,
            chunks: header.chunks.into_iter().map(|chunk| chunk.id).collect(),
        }))
    }

    /// Where a frame's magic stands next, from `from` on.
    fn next_beginning(&self, mut from: u32) -> Result<Option<u32>, DiskError> {
        loop {
            let bytes = self.read(from, SEARCH_BYTES)?;
            let magic = frame::MAGIC;
            if let Some(at) = bytes.windows(magic.len()).position(|window| window == magic) {
                return Ok(Some(from + at as u32));
            }
            if bytes.len() < SEARCH_BYTES {
                return Ok(None);
            }
            from += (SEARCH_BYTES - magic.len() + 1) as u32;
        }
    }
}

/// Does a sealed pack of `length` bytes have its footer?
pub fn has_footer(disk: &dyn Disk, name: &PackName, length: u64) -> Result<bool, DiskError> {
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    let scan = Scan { disk, file: name.file(), start: name.header_bytes(), length };
    Ok(scan.footer(name)?.is_some())
}
