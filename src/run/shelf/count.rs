//! The end of a pass: it is read back and counted, then sealed, or set aside.
//!
//! **Set aside** is a pass of which so much less is there than of the one before that it may be a
//! mistake of the source: a directory on another device than before (unmounted, or mounted over), a
//! file system that fails, a root that is not there any more, or more than [`LOSS_PERCENT_MAX`] of
//! the entries gone. What is restored stays the former pass, until somebody says that the loss is
//! meant. What counts is what is left: a mail that moves, or a folder that gets another name, is no
//! loss. A first pass is set aside where a path that somebody wrote down is not there: a slip of
//! the pen, or a disk that is not mounted, must not read as "captured".

use std::sync::Arc;

use crate::capture::{Content, Entry, Kind, Record};
use crate::ledger::snapshot::Consistency;
use crate::ledger::{Ledger, Pass as KnownPass};
use crate::model::{Bytes, Event, RunNumber, Tally, TreePath};
use crate::run::coordinator::{Input, SessionId, SourceDoubts};
use crate::run::engine::ToEngine;
use crate::run::shelf::{Shelf, ShelfError, ToShelf};
use crate::run::vouched;
use crate::store::verify::{PassRef, missing};
use crate::store::{Disk, Pass, PassName, PassSeal, SegmentFault, Step, seal_pass, set_aside};

/// A pass that holds so much less than the one before is set aside.
const LOSS_PERCENT_MAX: u64 = 30;

/// What was counted, and what speaks against it.
#[derive(Debug)]
pub struct Counted {
    /// Runs before this one were counted.
    before: RunNumber,
    tally: Tally,
    /// A directory that lies on another device than before.
    moved: Option<TreePath>,
    /// A root that is not there any more; what was in it is kept.
    stale_root: Option<TreePath>,
}

impl Shelf {
    /// Ends a pass whose last sweep found nothing: it was counted as it was read for that sweep.
    /// Otherwise the whole is read back on a thread of its own: what is sealed is what can be read.
    pub(super) fn count(
        &mut self,
        session: SessionId,
        name: PassName,
        doubts: SourceDoubts,
        counted: Option<Counted>,
    ) -> Result<(), ShelfError> {
        let ends = vouched::ends(&self.ledger, &name)?;
        let is_all = |counted: &Counted| ends.iter().all(|end| end.run < counted.before);
        if let Some(counted) = counted.filter(is_all) {
            return self.end_pass(session, &name, &counted, doubts);
        }
        let (disk, ledger) = (self.store.disk().clone(), self.ledger.clone());
        let itself = self.itself.clone();
        std::thread::spawn(move || {
            let counted = count_pass(&disk, &ledger, &name);
            let _ = itself.send(ToShelf::Counted(session, name, doubts, counted));
        });
        Ok(())
    }

    /// Seals what was counted, or sets it aside.
    pub(super) fn end_pass(
        &mut self,
        session: SessionId,
        name: &PassName,
        counted: &Counted,
        doubts: SourceDoubts,
    ) -> Result<(), ShelfError> {
        self.flush()?;
        self.writer.close_workload(&name.workload);
        self.manifests.remove(name);
        let accepts = self.accepting.remove(name);
        let passes = self.ledger.passes(&name.workload)?;
        let former = passes.iter().rev().find(|pass| pass.sealed_at.is_some());
        let written_down = self.written_down.remove(name);
        let doubt = match former {
            _ if accepts => None,
            Some(former) => counted.doubt(former, doubts),
            None if written_down && doubts.missing_roots > 0 => Some(self.missing_roots(name)?),
            None => None,
        };
        match doubt {
            Some(why) => self.set_aside(session, name, why),
            None => self.seal(session, name, counted, &passes),
        }
    }

    /// Which of the paths that somebody wrote down are not there.
    fn missing_roots(&self, name: &PassName) -> Result<String, ShelfError> {
        let written = Pass::open(self.store.disk(), name)?.head().paths.clone();
        let left_out = self.ledger.left_out(&name.workload, name.pass)?.listed;
        let missing = left_out.into_iter().map(|left_out| left_out.path);
        // One behind a link goes by another name there.
        let first = missing.into_iter().find(|path| written.contains(path));
        let path = first.map_or_else(|| "a path".to_owned(), |path| format!("`{path}`"));
        Ok(format!("{path} of its `paths` is not there; what is there is stored and restorable"))
    }

    fn set_aside(
        &self,
        session: SessionId,
        name: &PassName,
        why: String,
    ) -> Result<(), ShelfError> {
        set_aside(&**self.store.disk(), name, &why)?;
        let detail = format!("pass {} is set aside: {why}", name.pass);
        let _ = self.engine.send(ToEngine::SetAside(session, detail));
        Ok(())
    }

    fn seal(
        &self,
        session: SessionId,
        name: &PassName,
        counted: &Counted,
        passes: &[KnownPass],
    ) -> Result<(), ShelfError> {
        let receipts = passes.iter().find(|pass| pass.number == name.pass).map(|pass| pass.tally);
        let Tally { entries, files, raw_bytes, fuzzy, .. } = counted.tally;
        let tally = Tally { entries, files, raw_bytes, fuzzy, ..receipts.unwrap_or_default() };
        let runs = vouched::ends(&self.ledger, name)?;
        let seal = PassSeal { runs, tally, sealed_at: self.clock.now() };
        seal_pass(&**self.store.disk(), name, &seal)?;
        let consistency = if tally.fuzzy > 0 { Consistency::Fuzzy } else { Consistency::Crash };
        self.ledger.seal(&name.workload, name.pass, &tally, consistency, &self.by)?;
        let _ = self.engine.send(ToEngine::Input(Input::Sealed(session, tally)));
        let former = passes.iter().rev().find(|pass| pass.sealed_at.is_some());
        if former.is_some_and(|former| former.bad_chunks > 0) {
            self.note_missing(name)?;
        }
        Ok(())
    }

    /// A pass that builds on one with losses may have inherited some: of what could not be read
    /// again. Then it is not whole.
    fn note_missing(&self, name: &PassName) -> Result<(), ShelfError> {
        let pass = PassRef { name: name.clone(), ends: Vec::new() };
        let mut bad_chunks: u64 = 0;
        missing(&self.store, &pass, &mut |_| bad_chunks += 1)?;
        if bad_chunks > 0 {
            let (workload, pass) = (name.workload.clone(), name.pass);
            let event = Event::VerifyFailed { workload, pass, bad_chunks };
            let _ = self.engine.send(ToEngine::Emit(event));
        }
        Ok(())
    }
}

impl Counted {
    /// Why it may be a mistake of the source, compared with the pass before.
    fn doubt(&self, former: &KnownPass, doubts: SourceDoubts) -> Option<String> {
        let number = former.number;
        if let Some(path) = &self.moved {
            return Some(format!("{path} lies on another device than in pass {number}"));
        }
        if doubts.failing > 0 {
            let count = doubts.failing;
            return Some(format!("a disk over there fails: {count} names or listings missing"));
        }
        if let Some(root) = self.stale_root.as_ref().filter(|_| doubts.missing_roots > 0) {
            return Some(format!("{root} is not there any more"));
        }
        let (before, now) = (former.tally.entries, self.tally.entries);
        let lost = before.saturating_sub(now);
        (lost.saturating_mul(100) > before.saturating_mul(LOSS_PERCENT_MAX))
            .then(|| format!("{lost} of the {before} entries of pass {number} are gone"))
    }
}

/// Counts a merged tree, step by step.
#[derive(Debug)]
pub struct Counting {
    roots: Vec<TreePath>,
    counted: Counted,
    /// A directory on another device counts unless its record says that it was not entered.
    moved: Option<TreePath>,
    left_out: Option<TreePath>,
    fault: Option<SegmentFault>,
}

impl Counting {
    /// Of the runs before `before` of a pass with these roots.
    pub fn new(roots: Vec<TreePath>, before: RunNumber) -> Self {
        let counted = Counted { before, tally: Tally::default(), moved: None, stale_root: None };
        Self { roots, counted, moved: None, left_out: None, fault: None }
    }

    /// Takes in a step, and what its entry replaced.
    pub fn take(&mut self, step: &Step, replaced: Option<&Entry>) {
        match step {
            Step::Record(record) => {
                self.count(record);
                self.doubt(record, replaced);
            }
            Step::Unfinished(_) => self.counted.tally.fuzzy += 1,
            Step::Superseded(_) => {}
            Step::Damaged(fault) => {
                self.fault.get_or_insert_with(|| fault.clone());
            }
        }
    }

    /// All of it, unless something cannot be read.
    pub fn end(mut self) -> Result<Counted, ShelfError> {
        self.counted.moved = self.counted.moved.or(self.moved);
        self.fault.map_or(Ok(self.counted), |fault| Err(ShelfError::Unreadable(fault)))
    }

    fn count(&mut self, record: &Record) {
        let tally = &mut self.counted.tally;
        match record {
            Record::Node(entry) => {
                tally.entries += 1;
                tally.files += u64::from(matches!(entry.kind, Kind::File { .. }));
            }
            Record::HardLink { .. } => tally.entries += 1,
            Record::Data { length, .. } => tally.raw_bytes += Bytes(u64::from(*length)),
            Record::End { content, .. } => {
                tally.fuzzy += u64::from(*content != Content::Steady);
            }
            Record::Lost { .. } | Record::Gone { .. } | Record::LeftOut { .. } => {}
        }
    }

    fn doubt(&mut self, record: &Record, replaced: Option<&Entry>) {
        match record {
            Record::Node(entry) => {
                let moved = self.moved.take();
                self.counted.moved = self.counted.moved.take().or(moved);
                if self.left_out.as_ref() == Some(&entry.path) && self.roots.contains(&entry.path) {
                    self.counted.stale_root.get_or_insert_with(|| entry.path.clone());
                }
                let before = replaced.filter(|old| old.kind == Kind::Directory);
                let has_moved = before.is_some_and(|old| is_elsewhere(old, entry));
                if has_moved && entry.kind == Kind::Directory {
                    self.moved = Some(entry.path.clone());
                }
            }
            Record::LeftOut { path, .. } => {
                self.moved.take_if(|moved| moved == path);
                self.left_out = Some(path.clone());
            }
            _ => {}
        }
    }
}

/// Is this another directory than before, on another device? Devices get other numbers in a rescue
/// system and after a reboot: a directory that keeps its inode is the same. The top of a file
/// system always has the same small one (2 on ext4, 128 on XFS, 256 on btrfs), which tells nothing,
/// unless it is the machine's root, that nothing can be missing from.
fn is_elsewhere(old: &Entry, new: &Entry) -> bool {
    const TOP_INODE_MAX: u64 = 256;
    let is_same = old.metadata.ino == new.metadata.ino
        && (new.metadata.ino > TOP_INODE_MAX || new.path.is_root());
    old.metadata.dev != new.metadata.dev && !is_same
}

/// What a pass holds when all its runs are merged.
fn count_pass(
    disk: &Arc<dyn Disk>,
    ledger: &Ledger,
    name: &PassName,
) -> Result<Counted, ShelfError> {
    let pass = vouched::open(disk, ledger, name)?;
    let mut counting = Counting::new(pass.head().paths.clone(), RunNumber(u32::MAX));
    let mut steps = pass.merged();
    while let Some(step) = steps.next() {
        counting.take(&step, steps.replaced());
    }
    counting.end()
}
