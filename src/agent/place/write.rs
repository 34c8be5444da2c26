//! Making files, links and special files.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;

use rustix::fs::{self, AtFlags, FileType, IFlags, Mode, OFlags};
use rustix::io::Errno;

use super::attributes::{Dresser, Handle, set_flags, timestamps};
use super::draft::Draft;
use super::existing::{LOOK_THERE, Verdict, loosen, remove};
use super::ours::spoilt_time;
use super::patch::{self, Standing};
use super::{ChunkFault, Chunks, Fault, HINDERING, PlaceError, Placer};
use crate::capture::{Entry, Kind, Metadata, Record, metadata};
use crate::model::{Bytes, ChunkId, TreePath};

/// Flags that only count for an empty file.
const FROM_THE_START: IFlags = IFlags::NOCOW.union(IFlags::COMPRESSED);
/// Most bytes of paths that wait for their flags.
const FROZEN_BYTES_MAX: usize = 16 << 20;

/// The file of the latest node.
#[derive(Debug)]
pub(super) enum Writing {
    /// The latest entry has no content.
    Nothing,
    /// It is kept, or failed: its content is passed over.
    Skipped,
    /// It stands there from an earlier restore, and nothing of it was found to differ so far.
    Standing(Box<Standing>),
    /// It is being written.
    File(Box<OpenFile>),
}

#[derive(Debug)]
pub(super) struct OpenFile {
    pub(super) entry: Entry,
    pub(super) draft: Draft,
    /// Pieces come with rising offsets.
    pub(super) next_offset: u64,
    /// Something of it is wrong and listed.
    pub(super) spoilt: bool,
    /// It has content already: what no piece covers must become a hole.
    pub(super) is_patched: bool,
}

impl Placer {
    pub(super) fn begin_file(&mut self, entry: &Entry) -> Result<(), Fault> {
        let path = &entry.path;
        let (folder, name) = self.folder_of(path)?;
        if self.begin_over(&folder, name, entry)? {
            return Ok(());
        }
        match self.make_way(folder.as_fd(), name, entry)? {
            Verdict::Keep => {
                self.keep_file(entry);
                return Ok(());
            }
            Verdict::Check => return self.begin_standing(&folder, entry, entry.clone()),
            Verdict::Free | Verdict::Merge | Verdict::Replace => {}
        }
        let draft = self.new_draft(folder, entry)?;
        let early = IFlags::from_bits_retain(entry.metadata.flags) & FROM_THE_START;
        if !early.is_empty() {
            // Told at the end, when all flags are set.
            let _ = set_flags(&draft.file, early);
        }
        self.writing = Writing::File(Box::new(OpenFile {
            entry: entry.clone(),
            draft,
            next_offset: 0,
            spoilt: false,
            is_patched: false,
        }));
        Ok(())
    }

    /// It stands there already.
    pub(super) fn keep_file(&mut self, entry: &Entry) {
        let Entry { path, metadata, .. } = entry;
        self.placed.kept += 1;
        self.writing = Writing::Skipped;
        // The try that made it may have ended before its flags were set.
        let now = self.flags_now(path, metadata.flags, metadata.nlink);
        if now != 0 {
            self.freeze(path, now);
        }
    }

    /// Runs `make`, if need be after removing what stands there; `None` if that is kept.
    fn make<T>(
        &mut self,
        folder: BorrowedFd<'_>,
        name: &[u8],
        entry: &Entry,
        make: impl Fn() -> Result<T, Errno>,
    ) -> Result<Option<T>, Fault> {
        let path = &entry.path;
        let failed = |error| Fault::of(path, "cannot make it", error);
        match make() {
            Err(Errno::EXIST) => {}
            Err(Errno::PERM) => {
                loosen(folder, name);
                return make().map(Some).map_err(failed);
            }
            made => return made.map(Some).map_err(failed),
        }
        let verdict = self.judge(folder, name, entry).map_err(Fault::Stop)?;
        if matches!(verdict, Verdict::Keep | Verdict::Check) {
            self.placed.kept += 1;
            return Ok(None);
        }
        remove(folder, name, path)?;
        make().map(Some).map_err(failed)
    }

    pub(super) fn write_data(
        &mut self,
        offset: u64,
        length: u32,
        id: &ChunkId,
        chunks: &mut impl Chunks,
    ) -> Result<(), PlaceError> {
        if self.stands_already(offset, length, id, chunks)? {
            return Ok(());
        }
        self.punch_until(offset)?;
        let Writing::File(open) = &mut self.writing else { return Ok(()) };
        let end = offset.checked_add(u64::from(length)).filter(|_| offset >= open.next_offset);
        let Some(end) = end else {
            self.spoil("its pieces are out of order".into());
            return Ok(());
        };
        open.next_offset = end;
        let chunk = match chunks.get(id) {
            Ok(chunk) => chunk,
            Err(ChunkFault::Stopped(why)) => {
                return Err(PlaceError::Stopped { path: open.entry.path.clone(), why });
            }
            Err(ChunkFault::Damaged(why)) => {
                self.spoil(format!("{length} bytes at {offset} are missing: {why}"));
                return Ok(());
            }
        };
        if chunk.len() as u64 != u64::from(length) {
            self.spoil(format!("the piece at {offset} has another length than stated"));
            return Ok(());
        }
        let written = if open.is_patched {
            patch::write_differing(&open.draft.file, &chunk, offset)
        } else {
            open.draft.file.write_all_at(&chunk, offset).map(|()| u64::from(length))
        };
        match written {
            Ok(written) => {
                self.placed.bytes += Bytes(written);
                Ok(())
            }
            Err(error) => {
                let error = Errno::from_io_error(&error).unwrap_or(Errno::IO);
                self.spoil_or_stop("cannot write", error)
            }
        }
    }

    /// Lists the first fault of the file being written; the others tell nothing new.
    pub(super) fn spoil(&mut self, why: String) {
        if let Writing::File(open) = &mut self.writing
            && !std::mem::replace(&mut open.spoilt, true)
        {
            self.problems.list(&open.entry.path, &why);
        }
    }

    pub(super) fn spoil_or_stop(&mut self, doing: &str, error: Errno) -> Result<(), PlaceError> {
        let Writing::File(open) = &self.writing else { return Ok(()) };
        match Fault::of(&open.entry.path, doing, error) {
            Fault::Stop(error) => Err(error),
            Fault::Entry(why) => {
                self.spoil(why);
                Ok(())
            }
        }
    }

    /// Of a file whose capture was broken off and begun again, the node comes twice, the first time
    /// without an end: what was written of it does not count.
    pub(super) fn begins_again(&mut self, record: &Record) -> Result<bool, PlaceError> {
        let (Writing::File(open), Record::Node(entry)) = (&mut self.writing, record) else {
            return Ok(false);
        };
        let is_file = matches!(entry.kind, Kind::File { .. });
        if open.is_patched || open.entry.path != entry.path || !is_file {
            return Ok(false);
        }
        (open.entry, open.next_offset) = (entry.clone(), 0);
        if let Err(error) = fs::ftruncate(&open.draft.file, 0) {
            self.spoil_or_stop("cannot begin it again", error)?;
        }
        Ok(true)
    }

    /// A file whose records ended without an end: what there is of it is better than nothing.
    pub(super) fn abandon_file(&mut self) -> Result<(), PlaceError> {
        self.spoil("its content ends too early".into());
        self.close_file()
    }

    pub(super) fn end_file(&mut self, size: u64) -> Result<(), PlaceError> {
        if self.ends_as_it_stands(size)? {
            return Ok(());
        }
        self.punch_until(size)?;
        if let Writing::File(open) = &self.writing
            && let Err(error) = fs::ftruncate(&open.draft.file, size)
        {
            self.spoil_or_stop("cannot set its size", error)?;
        }
        self.close_file()
    }

    /// Gives the file its attributes, then its name.
    fn close_file(&mut self) -> Result<(), PlaceError> {
        let writing = std::mem::replace(&mut self.writing, Writing::Nothing);
        let Writing::File(open) = writing else { return Ok(()) };
        let OpenFile { entry, draft, spoilt, .. } = &*open;
        let Entry { path, metadata, .. } = entry;
        let handle = Handle::Open(draft.file.as_fd());
        let mut dresser = Dresser { handle, path, problems: &mut self.problems };
        let owned = dresser.owner(metadata);
        dresser.mode(metadata, owned);
        dresser.strip(|name| metadata.xattrs.iter().any(|xattr| xattr.name == name));
        dresser.xattrs(metadata.xattrs.iter());
        let mtime = if *spoilt { spoilt_time(metadata.mtime) } else { metadata.mtime };
        dresser.times(&Metadata { mtime, ..metadata.clone() });
        if let Err(fault) = self.name_draft(&open) {
            self.drop_left_draft(draft.folder.as_fd(), entry);
            return self.list_or_end(path, fault);
        }
        let now = self.flags_now(path, metadata.flags, metadata.nlink);
        if now != 0 {
            let handle = Handle::Open(draft.file.as_fd());
            Dresser { handle, path, problems: &mut self.problems }.flags(now);
        }
        self.placed.files += 1;
        Ok(())
    }

    /// The flags that can be set at once; those that would forbid further links wait.
    pub(super) fn flags_now(&mut self, path: &TreePath, flags: u32, nlink: u64) -> u32 {
        if nlink < 2 || flags & HINDERING.bits() == 0 {
            return flags;
        }
        self.frozen_bytes += path.as_bytes().len() + 64;
        if self.frozen_bytes <= FROZEN_BYTES_MAX {
            self.frozen.push((path.clone(), flags));
        } else {
            self.problems.list(path, "immutable and append-only: too many are waiting");
        }
        flags & !HINDERING.bits()
    }

    /// Sets flags that waited for all links.
    pub(super) fn freeze(&mut self, path: &TreePath, flags: u32) {
        match self.tree.open_at(path, OFlags::RDONLY | OFlags::NONBLOCK) {
            Ok(file) => {
                let handle = Handle::Open(file.as_fd());
                Dresser { handle, path, problems: &mut self.problems }.flags(flags);
            }
            Err(error) => {
                let why = metadata::why(error);
                self.problems.list(path, &format!("inode flags: {why}"));
            }
        }
    }

    /// Links, pipes, sockets and devices.
    pub(super) fn place_special(&mut self, entry: &Entry) -> Result<(), Fault> {
        let (folder, name) = self.folder_of(&entry.path)?;
        let made = self.make(folder.as_fd(), name, entry, || {
            make_special(folder.as_fd(), name, &entry.kind)
        })?;
        let is_redressed =
            self.former.as_ref().is_some_and(|former| !patch::looks_alike(former, entry));
        // Whoever made it may have been cut off before it had its attributes.
        if made.is_none() && !is_redressed && !self.is_unfinished(&entry.path) {
            return Ok(());
        }
        self.dress_special(&folder, name, entry)
    }

    fn dress_special(&mut self, folder: &OwnedFd, name: &[u8], entry: &Entry) -> Result<(), Fault> {
        let Entry { path, kind, metadata } = entry;
        let failed = |error| Fault::of(path, "cannot find what was made", error);
        let text = OsStr::from_bytes(name);
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let place = fs::openat(folder, text, flags, Mode::empty()).map_err(failed)?;
        let stat = fs::fstat(&place).map_err(failed)?;
        if metadata::kind(folder.as_fd(), name, &stat).as_ref() != Ok(kind) {
            return Err(Fault::Entry("something else took its place".into()));
        }
        let handle = Handle::Place(place.as_fd());
        let mut dresser = Dresser { handle, path, problems: &mut self.problems };
        let owned = dresser.owner(metadata);
        if !matches!(kind, Kind::Symlink { .. }) {
            dresser.mode(metadata, owned);
        }
        dresser.strip(|name| metadata.xattrs.iter().any(|xattr| xattr.name == name));
        dresser.xattrs(metadata.xattrs.iter());
        let times = timestamps(metadata);
        fs::utimensat(folder, text, &times, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|error| Fault::of(path, "times", error))
    }

    pub(super) fn place_link(&mut self, entry: &Entry, of: &TreePath) -> Result<(), Fault> {
        let path = &entry.path;
        self.writing = Writing::Nothing;
        let first = |error| Fault::of(path, &format!("its first name {of}"), error);
        let (folder, name) = self.folder_of(path)?;
        let of_name = of.name().ok_or_else(|| first(Errno::ISDIR))?;
        let of_folder = of.parent().ok_or_else(|| first(Errno::ISDIR))?;
        let of_folder = self.tree.open_at(&of_folder, LOOK_THERE).map_err(first)?;
        let stat = metadata::stat(of_folder.as_fd(), of_name).map_err(first)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            return Err(first(Errno::ISDIR));
        }
        if let Ok(there) = metadata::stat(folder.as_fd(), name)
            && (there.st_dev, there.st_ino) == (stat.st_dev, stat.st_ino)
        {
            self.placed.kept += 1;
            return Ok(());
        }
        if self.leaves_what_stands() && !self.is_ours(&of_folder, of_name, entry) {
            if self.is_ours(&folder, name, entry) {
                self.placed.kept += 1;
                return Ok(());
            }
            return Err(Fault::Entry(format!("its first name {of} is another file: not linked")));
        }
        let (of_text, text) = (OsStr::from_bytes(of_name), OsStr::from_bytes(name));
        let link = || fs::linkat(&of_folder, of_text, &folder, text, AtFlags::empty());
        match link() {
            Err(Errno::PERM) => {
                loosen(folder.as_fd(), name);
                // An earlier try had frozen it already; it is frozen again at the end.
                loosen(of_folder.as_fd(), of_name);
                self.flags_now(of, entry.metadata.flags, entry.metadata.nlink);
                link()
            }
            Err(Errno::EXIST) => {
                // Another inode under this name is never what was to be placed.
                if !self.options.overwrite && !self.is_our_name(&folder, name, entry) {
                    let what = "not the hard link it was to be";
                    return Err(Fault::Stop(PlaceError::Exists { path: path.clone(), what }));
                }
                remove(folder.as_fd(), name, path)?;
                link()
            }
            made => made,
        }
        .map_err(|error| Fault::of(path, "cannot link it", error))
    }
}

fn make_special(folder: BorrowedFd<'_>, name: &[u8], kind: &Kind) -> Result<(), Errno> {
    let text = OsStr::from_bytes(name);
    let mode = Mode::RUSR | Mode::WUSR;
    let node = |file_type, device| fs::mknodat(folder, text, file_type, mode, device);
    match kind {
        Kind::Symlink { target } => fs::symlinkat(OsStr::from_bytes(target), folder, text),
        Kind::Fifo => node(FileType::Fifo, 0),
        Kind::Socket => node(FileType::Socket, 0),
        Kind::CharacterDevice { major, minor } => {
            node(FileType::CharacterDevice, fs::makedev(*major, *minor))
        }
        Kind::BlockDevice { major, minor } => {
            node(FileType::BlockDevice, fs::makedev(*major, *minor))
        }
        Kind::File { .. } | Kind::Directory => Err(Errno::INVAL),
    }
}
