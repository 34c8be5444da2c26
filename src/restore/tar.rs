//! A pass as a tar archive: what GNU tar, bsdtar and Python read, and the same tree comes out.
//!
//! `tar --xattrs --xattrs-include='*' --acls --numeric-owner -xpf FILE` as root restores all of it.
//!
//! **Invariants.** Memory does not grow with the tree or with a file. What tar cannot hold
//! (sockets, inode flags) is listed and counted. Content that is missing or damaged is zeros in the
//! archive, and listed; the archive stays well-formed.

mod acl;
mod header;
mod layout;

use std::collections::HashMap;
use std::io::{self, Write};
use std::iter::Peekable;
use std::ops::Range;
use std::sync::Arc;

use self::header::{BLOCK_BYTES, Member, Type};
use self::layout::{Group, Groups, Layout};
use crate::capture::{Entry, Kind, Record};
use crate::model::{Bytes, ChunkId, TreePath};
use crate::restore::frames::{CachedFrame, FrameCache};
use crate::restore::{RestoreError, Selection};
use crate::store::{Merged, Owners, Pass, Place, Step};

/// Entries of each list that are kept by name; the rest is a count.
const LISTED_MAX: usize = 1_000;

/// What an archive got of a pass.
#[derive(Debug, Default)]
pub struct TarReport {
    /// Members written.
    pub entries: u64,
    /// Content in them.
    pub bytes: Bytes,
    /// What is not whole, and why; the first of them.
    pub problems: Vec<(TreePath, String)>,
    /// All of them.
    pub problem_count: u64,
    /// What tar cannot hold; the first of them.
    pub left_out: Vec<(TreePath, String)>,
    /// All of it.
    pub left_out_count: u64,
}

impl TarReport {
    fn problem(&mut self, path: &TreePath, why: String) {
        self.problem_count += 1;
        if self.problems.len() < LISTED_MAX {
            self.problems.push((path.clone(), why));
        }
    }

    fn leave_out(&mut self, path: &TreePath, why: &str) {
        self.left_out_count += 1;
        if self.left_out.len() < LISTED_MAX {
            self.left_out.push((path.clone(), why.to_owned()));
        }
    }
}

/// Writes passes into one archive.
pub struct TarWriter<W> {
    out: W,
}

impl<W: Write> TarWriter<W> {
    /// An archive that nothing was written to yet.
    pub fn new(out: W) -> Self {
        Self { out }
    }

    /// Adds what `selection` takes of `pass`, with names below `folder` (empty: none).
    pub fn add(
        &mut self,
        frames: &FrameCache,
        pass: &Pass,
        selection: &Selection,
        folder: &str,
    ) -> Result<TarReport, RestoreError> {
        let mut adding = Adding {
            out: &mut self.out,
            folder,
            owners: Names::new(pass.owners()?.unwrap_or_default()),
            steps: pass.merged().peekable(),
            frames,
            frame: None,
            report: TarReport::default(),
        };
        let mut groups = Groups::new(pass.merged());
        while let Some(group) = groups.next() {
            for why in groups.damaged.drain(..) {
                let what = format!("part of the manifest cannot be read: {why}");
                adding.report.problem(&group.entry.path, what);
            }
            adding.seek(&group);
            if selection.takes(&group.entry.path) {
                adding.member(&group, selection).map_err(RestoreError::Tar)?;
            }
        }
        for why in groups.damaged.drain(..) {
            let what = format!("part of the manifest cannot be read: {why}");
            adding.report.problem(&TreePath::root(), what);
        }
        Ok(adding.report)
    }

    /// Ends the archive; gives back what it was written to.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 2 * BLOCK_BYTES])?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Names of owners by number.
struct Names {
    users: HashMap<u32, Vec<u8>>,
    groups: HashMap<u32, Vec<u8>>,
}

impl Names {
    fn new(owners: Owners) -> Self {
        let map = |list: Vec<(u32, serde_bytes::ByteBuf)>| {
            list.into_iter().map(|(id, name)| (id, name.into_vec())).collect()
        };
        Self { users: map(owners.users), groups: map(owners.groups) }
    }
}

/// A pass on its way into an archive.
struct Adding<'a, W> {
    out: &'a mut W,
    folder: &'a str,
    owners: Names,
    /// The reading that gives content.
    steps: Peekable<Merged>,
    frames: &'a FrameCache,
    frame: Option<Frame>,
    report: TarReport,
}

/// The frame used last, and where its chunks are.
struct Frame {
    place: Place,
    frame: Arc<CachedFrame>,
    ranges: HashMap<ChunkId, Range<usize>>,
}

impl<W: Write> Adding<'_, W> {
    /// Goes on to the node of `group`, behind all beginnings of it that do not count, and never
    /// beyond it.
    fn seek(&mut self, group: &Group) {
        let mut before = group.begun_before;
        let wanted = &group.entry.path;
        while let Some(step) = self.steps.peek() {
            let mut is_there = false;
            match step {
                Step::Superseded(path) if path == wanted => before = before.saturating_sub(1),
                Step::Record(Record::Node(entry) | Record::HardLink { entry, .. }) => {
                    if entry.path > *wanted {
                        return;
                    }
                    is_there = before == 0 && entry.path == *wanted;
                }
                _ => {}
            }
            self.steps.next();
            if is_there {
                return;
            }
        }
    }

    /// The name of a member: relative, below the folder.
    fn name(&self, path: &TreePath) -> Vec<u8> {
        let relative = &path.as_bytes()[1..];
        match (self.folder, relative) {
            ("", b"") => b".".to_vec(),
            ("", relative) => relative.to_vec(),
            (folder, b"") => folder.as_bytes().to_vec(),
            (folder, relative) => [folder.as_bytes(), b"/", relative].concat(),
        }
    }

    fn member(&mut self, group: &Group, selection: &Selection) -> io::Result<()> {
        let Entry { path, kind, metadata } = &group.entry;
        let (kind, target) = match (&group.link, kind) {
            (Some(first), _) if !selection.takes(first) => {
                let why = format!("its first name {first} is not among what was chosen");
                self.report.problem(path, why);
                return Ok(());
            }
            (Some(first), _) => (Type::HardLink, self.name(first)),
            (None, Kind::Socket) => {
                self.report.leave_out(path, "a socket: tar cannot hold it");
                return Ok(());
            }
            (None, Kind::File { .. }) => (Type::File, Vec::new()),
            (None, Kind::Directory) => (Type::Directory, Vec::new()),
            (None, Kind::Symlink { target }) => (Type::Symlink, target.clone()),
            (None, Kind::Fifo) => (Type::Fifo, Vec::new()),
            (None, Kind::CharacterDevice { .. }) => (Type::CharacterDevice, Vec::new()),
            (None, Kind::BlockDevice { .. }) => (Type::BlockDevice, Vec::new()),
        };
        if metadata.flags != 0 && group.link.is_none() {
            self.report.leave_out(path, "inode flags (immutable, append-only…): tar has none");
        }
        let mut name = self.name(path);
        if kind == Type::Directory {
            name.push(b'/');
        }
        let none = Vec::new();
        let is_sparse = kind == Type::File && group.layout.is_sparse();
        let map = if is_sparse { group.layout.map() } else { Vec::new() };
        let member = Member {
            name,
            kind,
            entry: &group.entry,
            target,
            stored_bytes: map.len() as u64 + group.layout.content_bytes(),
            sparse_bytes: is_sparse.then_some(group.layout.size),
            user: self.owners.users.get(&metadata.uid).unwrap_or(&none),
            group: self.owners.groups.get(&metadata.gid).unwrap_or(&none),
        };
        let stored_bytes = member.stored_bytes;
        let header = member.encode();
        self.out.write_all(&header)?;
        self.out.write_all(&map)?;
        self.content(path, &group.layout)?;
        let rest = (stored_bytes.next_multiple_of(BLOCK_BYTES as u64) - stored_bytes) as usize;
        self.out.write_all(&[0; BLOCK_BYTES][..rest])?;
        if let Some(fault) = &group.fault {
            self.report.problem(path, fault.clone());
        }
        self.report.entries += 1;
        Ok(())
    }

    /// Writes the stretches of a file; what no piece covers in them is zeros.
    fn content(&mut self, path: &TreePath, layout: &Layout) -> io::Result<()> {
        let mut piece = self.piece(layout.size);
        for (begin, end) in &layout.extents {
            let mut at = *begin;
            while at < *end {
                let Some((offset, length, id)) = piece.filter(|(offset, ..)| offset < end) else {
                    self.zeros(*end - at)?;
                    break;
                };
                self.zeros(offset.saturating_sub(at))?;
                // Pieces neither overlap nor go back, or they are not believed.
                let skipped = at.saturating_sub(offset).min(length);
                let length_left = length - skipped;
                match self.chunk(&id) {
                    Ok(bytes) if bytes.len() as u64 >= length => {
                        self.out.write_all(&bytes[skipped as usize..length as usize])?;
                    }
                    other => {
                        let why = other.err().unwrap_or_else(|| "of another length".to_owned());
                        let what = format!("{length} bytes at {offset} are missing: {why}");
                        self.report.problem(path, what);
                        self.zeros(length_left)?;
                    }
                }
                self.report.bytes += Bytes(length_left);
                at = at.max(offset + length);
                piece = self.piece(layout.size);
            }
        }
        Ok(())
    }

    fn zeros(&mut self, mut count: u64) -> io::Result<()> {
        static ZEROS: [u8; 1 << 16] = [0; 1 << 16];
        while count > 0 {
            let length = count.min(ZEROS.len() as u64);
            self.out.write_all(&ZEROS[..length as usize])?;
            count -= length;
        }
        Ok(())
    }

    /// The next piece of the file at hand, cut to its size; `None` at its end.
    fn piece(&mut self, size: u64) -> Option<(u64, u64, ChunkId)> {
        let is_inside = |step: &Step| {
            let is_piece = |r: &Record| matches!(r, Record::Data { .. } | Record::Lost { .. });
            matches!(step, Step::Damaged(_)) || matches!(step, Step::Record(r) if is_piece(r))
        };
        while let Some(step) = self.steps.next_if(is_inside) {
            match step {
                Step::Record(Record::Data { offset, length, id }) if offset < size => {
                    return Some((offset, u64::from(length).min(size - offset), id));
                }
                _ => {}
            }
        }
        None
    }

    fn chunk(&mut self, id: &ChunkId) -> Result<bytes::Bytes, String> {
        let place = self.frames.locate(id).ok_or("it is in no pack")?;
        if self.frame.as_ref().is_none_or(|frame| frame.place != place) {
            let frame = self.frames.get(place).map_err(|error| super::feed::explain(&error))?;
            let ranges = frame.chunks.iter().cloned().collect();
            self.frame = Some(Frame { place, frame, ranges });
        }
        let found = self.frame.as_ref().and_then(|Frame { frame, ranges, .. }| {
            ranges.get(id).map(|range| frame.raw.slice(range.clone()))
        });
        found.ok_or_else(|| "its frame has it not".to_owned())
    }
}
