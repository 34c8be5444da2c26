//! A file that an earlier restore wrote, changed in place: only blocks that differ are written.
//!
//! **Invariants.**
//! - A file is written into only if it still looks as it was written (kind, size, time of change,
//!   owner, mode) and has no other name; one with several names is copied first, so that nothing
//!   else changes with it. What was put in its place since that look is not written into.
//! - While its content changes it has a hidden name (see `draft`): what stands under its own is
//!   never half of a patch.
//! - A piece crosses when any of it changed; what stands there is read, and only blocks that differ
//!   are written.
//! - It is opened to be written only when something of it differs. What is right is not touched.
//! - Whoever resumes gives all pieces of a changed file: of half a patch it is not known which.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;

use bytes::Bytes;
use rustix::fs::{self, FallocateFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::attributes::Handle;
use super::draft::{Draft, Identity, Name, identity, rename_to_free};
use super::existing::loosen;
use super::write::{OpenFile, Writing};
use super::{Chunks, Fault, PlaceError, Placer};
use crate::capture::{Entry, Kind, metadata};
use crate::model::ChunkId;

/// What is compared and written at a time: a page, and a block of most file systems.
const BLOCK_BYTES: usize = 4_096;
/// What is read at a time where nothing is expected to differ.
const COMPARED_BYTES: usize = 65_536;
/// Holes that are remembered while a file is not opened.
const HOLES_MAX: usize = 65_536;

/// A file that stands there, and is right as far as its records have come.
#[derive(Debug)]
pub(super) struct Standing {
    entry: Entry,
    former: Entry,
    folder: OwnedFd,
    /// Of what was looked at.
    identity: Identity,
    /// Open to compare.
    reader: Option<File>,
    next_offset: u64,
    /// What no piece covers, from where to where.
    holes: Vec<(u64, u64)>,
    has_too_many_holes: bool,
}

impl Standing {
    /// Everything up to `offset` is a hole.
    fn hole_until(&mut self, offset: u64) {
        if offset <= self.next_offset {
            return;
        }
        self.has_too_many_holes |= self.holes.len() >= HOLES_MAX;
        if !self.has_too_many_holes {
            self.holes.push((self.next_offset, offset));
        }
        self.next_offset = offset;
    }

    /// Does `piece` stand at `offset`? What cannot be read does not.
    fn has(&mut self, piece: &[u8], offset: u64) -> bool {
        if self.reader.is_none() {
            let name = self.entry.path.name().unwrap_or_default();
            let open = metadata::open_quietly(self.folder.as_fd(), name, OFlags::empty());
            self.reader = open.ok().map(File::from);
        }
        let Some(reader) = &self.reader else { return false };
        let mut old = [0; COMPARED_BYTES];
        let mut blocks = piece.chunks(COMPARED_BYTES).zip((offset..).step_by(COMPARED_BYTES));
        blocks.all(|(new, at)| {
            let stands = &mut old[..new.len()];
            reader.read_exact_at(stands, at).is_ok() && *stands == *new
        })
    }
}

/// Would both look the same on a target?
pub(super) fn looks_alike(former: &Entry, entry: &Entry) -> bool {
    let (old, new) = (&former.metadata, &entry.metadata);
    former.kind == entry.kind
        && (old.mode, old.uid, old.gid, old.flags) == (new.mode, new.uid, new.gid, new.flags)
        && old.mtime == new.mtime
        && old.xattrs == new.xattrs
}

/// Writes the blocks of `piece` that differ from what stands at `offset`; gives how many bytes.
pub(super) fn write_differing(file: &File, piece: &[u8], offset: u64) -> std::io::Result<u64> {
    let mut old = [0; BLOCK_BYTES];
    let (mut at, mut written) = (0, 0);
    while at < piece.len() {
        // The file's own blocks, or each would be written for the sake of its neighbours.
        let place = offset + at as u64;
        let room = BLOCK_BYTES - (place % BLOCK_BYTES as u64) as usize;
        let new = &piece[at..piece.len().min(at + room)];
        let stands = &mut old[..new.len()];
        if file.read_exact_at(stands, place).is_err() || *stands != *new {
            file.write_all_at(new, place)?;
            written += new.len() as u64;
        }
        at += new.len();
    }
    Ok(written)
}

impl Placer {
    /// Takes what stands there as the file to be placed, or lists why not; `false`: it is to be
    /// made.
    pub(super) fn begin_over(
        &mut self,
        folder: &OwnedFd,
        name: &[u8],
        entry: &Entry,
    ) -> Result<bool, Fault> {
        let Some(former) = self.former.clone() else { return Ok(false) };
        let unfinished = self.is_unfinished(&entry.path);
        // Of what both have, the pieces are not given again, and no earlier try touched it.
        let may_make = self.options.overwrite || unfinished && former != *entry;
        let listed = |why: &str| Err(Fault::Entry(why.to_owned()));
        let Ok(stat) = metadata::stat(folder.as_fd(), name) else {
            if may_make {
                return self.begin_left(folder, name, entry);
            }
            if self.left_draft(folder.as_fd(), name).is_some() {
                return listed(
                    "another restore was cut off while it changed this: --overwrite writes it anew",
                );
            }
            return listed("removed here since it was restored: left so");
        };
        if unfinished {
            self.drop_left_draft(folder.as_fd(), entry);
        }
        if self.is_same(folder.as_fd(), name, &stat, &former) {
            if !matches!(former.kind, Kind::File { .. }) {
                // It is ours, and of another kind: replaced.
                return Ok(false);
            }
            self.begin_standing(folder, entry, former)?;
            return Ok(true);
        }
        if self.is_same(folder.as_fd(), name, &stat, entry) {
            // An earlier try wrote it, or somebody who had the same.
            if unfinished {
                self.begin_standing(folder, entry, entry.clone())?;
            } else {
                self.keep_file(entry);
            }
            return Ok(true);
        }
        let is_left = || self.is_left_by_us(folder.as_fd(), name, &stat, entry);
        if self.options.overwrite || may_make && is_left() {
            return Ok(false);
        }
        listed("changed here since it was restored: left as it is")
    }

    /// What stands there looks like `former`: it is compared as the records come.
    pub(super) fn begin_standing(
        &mut self,
        folder: &OwnedFd,
        entry: &Entry,
        former: Entry,
    ) -> Result<(), Fault> {
        let failed = |error| Fault::of(&entry.path, "cannot look at it", error);
        let name = entry.path.name().unwrap_or_default();
        let stat = metadata::stat(folder.as_fd(), name).map_err(failed)?;
        self.writing = Writing::Standing(Box::new(Standing {
            entry: entry.clone(),
            former,
            folder: folder.try_clone().map_err(|_| failed(Errno::MFILE))?,
            identity: identity(&stat),
            reader: None,
            next_offset: 0,
            holes: Vec::new(),
            has_too_many_holes: false,
        }));
        Ok(())
    }

    /// The draft of a try that was cut off while it changed the file.
    fn begin_left(&mut self, folder: &OwnedFd, name: &[u8], entry: &Entry) -> Result<bool, Fault> {
        let Some((file, hidden)) = self.left_draft(folder.as_fd(), name) else { return Ok(false) };
        let folder = folder.try_clone().map_err(|_| Fault::Entry("too many files".into()))?;
        let draft = Draft { file, folder, name: Name::Hidden(hidden), replaces: None };
        let (entry, next_offset) = (entry.clone(), 0);
        let open = OpenFile { entry, draft, next_offset, spoilt: false, is_patched: true };
        self.writing = Writing::File(Box::new(open));
        Ok(true)
    }

    /// Is the piece what stands there? If not, the file is opened to be changed.
    pub(super) fn stands_already(
        &mut self,
        offset: u64,
        length: u32,
        id: &ChunkId,
        chunks: &mut impl Chunks,
    ) -> Result<bool, PlaceError> {
        let Writing::Standing(standing) = &mut self.writing else { return Ok(false) };
        let is_it = |piece: &Bytes| piece.len() as u64 == u64::from(length);
        if offset >= standing.next_offset
            && let Some(piece) = chunks.get(id).ok().filter(is_it)
            && standing.has(&piece, offset)
        {
            standing.hole_until(offset);
            standing.next_offset = offset.saturating_add(u64::from(length));
            return Ok(true);
        }
        self.open_standing(true)?;
        Ok(false)
    }

    /// A piece that stands there already.
    pub(super) fn keep_data(&mut self, offset: u64, length: u32) -> Result<(), PlaceError> {
        self.punch_until(offset)?;
        let end = offset.saturating_add(u64::from(length));
        match &mut self.writing {
            Writing::Standing(standing) => {
                standing.hole_until(offset);
                standing.next_offset = end;
            }
            Writing::File(open) if open.is_patched => open.next_offset = end,
            Writing::File(_) => self.spoil("a piece of it was taken for there".into()),
            Writing::Nothing | Writing::Skipped => {}
        }
        Ok(())
    }

    /// The file that stands there differs: it is opened. `for_content`: what is in it changes.
    pub(super) fn open_standing(&mut self, for_content: bool) -> Result<(), PlaceError> {
        if !matches!(self.writing, Writing::Standing(_)) {
            return Ok(());
        }
        let Writing::Standing(standing) = std::mem::replace(&mut self.writing, Writing::Skipped)
        else {
            return Ok(());
        };
        let Standing { entry, folder, identity, next_offset, holes, has_too_many_holes, .. } =
            *standing;
        let changes = for_content || !holes.is_empty();
        let draft = match self.open_to_patch(folder, &entry, identity, changes) {
            Ok(draft) => draft,
            Err(Fault::Stop(error)) => return Err(error),
            Err(Fault::Entry(why)) => {
                self.problems.list(&entry.path, &why);
                return Ok(());
            }
        };
        let (spoilt, is_patched) = (false, true);
        let open = OpenFile { entry, draft, next_offset, spoilt, is_patched };
        self.writing = Writing::File(Box::new(open));
        if has_too_many_holes {
            self.spoil("it has too many holes".into());
        }
        holes.into_iter().try_for_each(|(from, to)| self.punch(from, to))
    }

    pub(super) fn open_to_patch(
        &mut self,
        folder: OwnedFd,
        entry: &Entry,
        stood: Identity,
        changes: bool,
    ) -> Result<Draft, Fault> {
        let path = &entry.path;
        let name = path.name().ok_or_else(|| Fault::Entry("the root itself".into()))?;
        let text = OsStr::from_bytes(name);
        let failed = |error| Fault::of(path, "cannot open it", error);
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let open = || fs::openat(&folder, text, OFlags::RDWR | flags, Mode::empty());
        let opened = match open() {
            Err(Errno::PERM) => {
                loosen(folder.as_fd(), name);
                open()
            }
            Err(Errno::ACCESS) => {
                // Our own file that forbids us; its mode comes at the end.
                let place = fs::openat(&folder, text, OFlags::PATH | flags, Mode::empty());
                let place = place.map_err(failed)?;
                Handle::Place(place.as_fd()).set_mode(0o600).map_err(failed)?;
                open()
            }
            opened => opened,
        };
        let mut file = File::from(opened.map_err(failed)?);
        let stat = fs::fstat(&file).map_err(failed)?;
        let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        if !is_file || identity(&stat) != stood {
            return Err(Fault::Entry("something else took its place: left as it is".into()));
        }
        if !changes {
            return Ok(Draft { file, folder, name: Name::Own, replaces: None });
        }
        if stat.st_nlink == 1 {
            let hidden = self.hide(&folder, entry, stood)?;
            return Ok(Draft { file, folder, name: Name::Hidden(hidden), replaces: None });
        }
        let mut draft = self.new_draft(folder, entry)?;
        draft.replaces = Some(stood);
        let copied = std::io::copy(&mut file, &mut draft.file)
            .map_err(|error| failed(Errno::from_io_error(&error).unwrap_or(Errno::IO)))?;
        self.placed.bytes += crate::model::Bytes(copied);
        Ok(draft)
    }

    /// Takes its name from the file until it is changed; from nothing that took its place.
    fn hide(&self, folder: &OwnedFd, entry: &Entry, stood: Identity) -> Result<String, Fault> {
        let failed = |error| Fault::of(&entry.path, "cannot set it aside", error);
        let name = OsStr::from_bytes(entry.path.name().unwrap_or_default());
        self.drop_left_draft(folder.as_fd(), entry);
        let hidden = self.hidden_name(name.as_bytes());
        let text = OsStr::new(&hidden);
        rename_to_free(folder.as_fd(), name, text).map_err(failed)?;
        let stat = metadata::stat(folder.as_fd(), hidden.as_bytes()).map_err(failed)?;
        if identity(&stat) == stood {
            return Ok(hidden);
        }
        rename_to_free(folder.as_fd(), text, name).map_err(failed)?;
        Err(Fault::Entry("something else took its place: left as it is".into()))
    }

    /// What lies between the latest piece and `offset` has no content.
    pub(super) fn punch_until(&mut self, offset: u64) -> Result<(), PlaceError> {
        let Writing::File(open) = &self.writing else { return Ok(()) };
        let from = open.next_offset;
        if open.is_patched && from < offset { self.punch(from, offset) } else { Ok(()) }
    }

    fn punch(&mut self, from: u64, to: u64) -> Result<(), PlaceError> {
        let Writing::File(open) = &self.writing else { return Ok(()) };
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        match fs::fallocate(&open.draft.file, flags, from, to - from) {
            Ok(()) => Ok(()),
            Err(error) => self.spoil_or_stop("cannot make a hole", error),
        }
    }

    /// The records of a file that stands there are over; `true`: nothing of it differs. Else it is
    /// open now.
    pub(super) fn ends_as_it_stands(&mut self, size: u64) -> Result<bool, PlaceError> {
        let Writing::Standing(standing) = &mut self.writing else { return Ok(false) };
        standing.hole_until(size);
        let Standing { entry, former, .. } = &**standing;
        let has_size = matches!(former.kind, Kind::File { size: old } if old == size);
        if !has_size || !looks_alike(former, entry) {
            self.open_standing(!has_size)?;
            return Ok(false);
        }
        let entry = entry.clone();
        self.keep_file(&entry);
        self.writing = Writing::Nothing;
        Ok(true)
    }
}
