//! Onto a tree that an earlier restore wrote: only the difference is given, with what was written.
//!
//! **Invariants.** What is replaced or removed still looks as it was written: same kind, size, time
//! of change, owner and mode. Everything else is a person's: it stays as it is and is listed, and
//! the rest goes on. A directory that goes is removed only when it is empty.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::existing::remove;
use super::{Chunks, Fault, PlaceError, Placer};
use crate::capture::{Entry, Kind, Record, metadata};
use crate::model::{Bytes, TreePath};
use crate::wire::Former;

impl Placer {
    /// Places the records of a batch; `formers` and `kept` are about them.
    pub fn place_batch(
        &mut self,
        records: &[Record],
        formers: &[Former],
        kept: &[u32],
        chunks: &mut impl Chunks,
    ) -> Result<(), PlaceError> {
        let (mut formers, mut kept) = (formers.iter().peekable(), kept.iter().peekable());
        for (number, record) in (0_u32..).zip(records) {
            let former = formers.next_if(|former| former.record == number);
            self.former = former.and_then(|former| former.entry(record)).cloned();
            let is_kept = kept.next_if_eq(&&number).is_some();
            let mapped = self.with_owners_here(record);
            match mapped.as_ref().unwrap_or(record) {
                Record::Data { offset, length, .. } if is_kept => {
                    self.keep_data(*offset, *length)?;
                }
                record => self.place(record, chunks)?,
            }
        }
        Ok(())
    }

    /// The record, and what an earlier restore wrote in its place, with the owners' numbers here.
    fn with_owners_here(&mut self, record: &Record) -> Option<Record> {
        let owners = self.options.owners.as_mut()?;
        if let Some(former) = &mut self.former {
            owners.map_unseen(former);
        }
        let (record, strangers) = owners.mapped(record)?;
        let path = record.path()?;
        for who in strangers {
            let why = format!("owner {who} has no such name here: the number stays");
            self.problems.list(path, &why);
        }
        Some(record)
    }

    /// Makes what was written survive a power cut; says whether a try that is cut off may go on
    /// behind it: not behind an entry that is listed, or nobody would hear of it any more.
    pub fn reach(&self) -> Result<bool, PlaceError> {
        self.sync()?;
        Ok(!self.problems.has_single())
    }

    /// Content written so far.
    pub fn written(&self) -> Bytes {
        self.placed.bytes
    }

    /// Is what stands at `name` ours, and may a link take its place?
    pub(super) fn is_our_name(&self, folder: &OwnedFd, name: &[u8], entry: &Entry) -> bool {
        let Ok(stat) = metadata::stat(folder.as_fd(), name) else { return false };
        let is = |former| self.is_same(folder.as_fd(), name, &stat, former);
        let is_unfinished = self.is_unfinished(&entry.path);
        self.former.as_ref().is_some_and(is) || is_unfinished && self.is_ours(folder, name, entry)
    }

    /// Does `entry` stand at `name`, be it that something of it is missing?
    pub(super) fn is_ours(&self, folder: &OwnedFd, name: &[u8], entry: &Entry) -> bool {
        let folder = folder.as_fd();
        let Ok(stat) = metadata::stat(folder, name) else { return false };
        self.is_same(folder, name, &stat, entry) || self.is_left_by_us(folder, name, &stat, entry)
    }

    /// The new pass has this entry not.
    pub(super) fn place_gone(&mut self, path: &TreePath) -> Result<(), PlaceError> {
        self.abandon_file()?;
        self.remove_going(Some(path))?;
        match self.former.take() {
            None => Ok(()),
            Some(former) if former.kind == Kind::Directory => {
                self.going.push(path.clone());
                Ok(())
            }
            Some(former) => self.remove_one(path, Some(&former)),
        }
    }

    /// Removes directories that `next` is not in; `None`: all.
    pub(super) fn remove_going(&mut self, next: Option<&TreePath>) -> Result<(), PlaceError> {
        let is_in =
            |folder: &TreePath| next.is_some_and(|next| next != folder && next.is_within(folder));
        while let Some(path) = self.going.pop_if(|folder| !is_in(folder)) {
            self.remove_one(&path, None)?;
        }
        Ok(())
    }

    /// Removes what an earlier restore wrote: `former`, or a directory if there is none.
    fn remove_one(&mut self, path: &TreePath, former: Option<&Entry>) -> Result<(), PlaceError> {
        let (Some(parent), Some(name)) = (path.parent(), path.name()) else { return Ok(()) };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let folder = match self.tree.open_at(&parent, flags) {
            Ok(folder) => folder,
            Err(Errno::NOENT) => return Ok(()),
            Err(error) => return self.list_or_stop(path, "cannot remove it", error),
        };
        let stat = match metadata::stat(folder.as_fd(), name) {
            Err(Errno::NOENT) => return Ok(()),
            Err(error) => return self.list_or_stop(path, "cannot remove it", error),
            Ok(stat) => stat,
        };
        let is_ours = |former| self.is_same(folder.as_fd(), name, &stat, former);
        if !former.is_none_or(is_ours) {
            let why = "gone from the source, but changed here since it was restored: left as it is";
            self.problems.list(path, why);
            return Ok(());
        }
        match remove(folder.as_fd(), name, path) {
            Ok(()) => self.placed.removed += 1,
            Err(Fault::Stop(PlaceError::Exists { .. })) => {
                let why = "gone from the source, but holds what evac did not write: left as it is";
                self.problems.list(path, why);
            }
            Err(Fault::Entry(why)) => self.problems.list(path, &why),
            Err(Fault::Stop(error)) => return Err(error),
        }
        Ok(())
    }

    fn list_or_stop(
        &mut self,
        path: &TreePath,
        doing: &str,
        error: Errno,
    ) -> Result<(), PlaceError> {
        match Fault::of(path, doing, error) {
            Fault::Stop(error) => return Err(error),
            Fault::Entry(why) => self.problems.list(path, &why),
        }
        Ok(())
    }
}
