//! A restore into a folder of this machine: workloads side by side, one cache of frames.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use super::{Line, Wanted, frames, line_of};
use crate::agent::place::{OwnerMap, PlaceOptions, has_nothing_of};
use crate::capture::{Beneath, Owners};
use crate::cli::Global;
use crate::cli::args::RestoreArgs;
use crate::cli::site::Writing;
use crate::ledger::{Ledger, Place};
use crate::model::{Bytes, Event, EventSink, TreePath};
use crate::restore::{
    Feed, FrameCache, LocalReport, RestoreError, Selection, former_at, position, refuse_in_the_way,
    restore_to_folder,
};
use crate::run::restore::Restored;
use crate::store::{Disk, Pass, PassName};

pub(super) fn to_folder(
    global: &Global,
    args: &RestoreArgs,
    writing: &Writing,
    wanted: Vec<Wanted>,
    folder: &Path,
    events: &dyn EventSink,
) -> Vec<Line> {
    let restore = ToFolder {
        global,
        args,
        folder,
        events,
        disk: writing.store.disk(),
        ledger: &writing.ledger,
        frames: frames(writing),
    };
    let next = AtomicUsize::new(0);
    let lines: Vec<OnceLock<Line>> = wanted.iter().map(|_| OnceLock::new()).collect();
    std::thread::scope(|scope| {
        for _ in 0..workers().min(wanted.len()) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some((one, line)) = wanted.get(at).zip(lines.get(at)) else { return };
                    line.get_or_init(|| restore.line(one));
                }
            });
        }
    });
    lines.into_iter().filter_map(OnceLock::into_inner).collect()
}

/// Workloads restored side by side: one reads and expands while another waits for the disk.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get).clamp(2, 16)
}

/// A restore into a folder here.
struct ToFolder<'a> {
    global: &'a Global,
    args: &'a RestoreArgs,
    folder: &'a Path,
    events: &'a dyn EventSink,
    disk: &'a Arc<dyn Disk>,
    ledger: &'a Ledger,
    frames: FrameCache,
}

impl ToFolder<'_> {
    fn line(&self, one: &Wanted) -> Line {
        let root = self.folder.join(one.workload.id.as_str());
        let place = Place::Folder(root.clone()).to_string();
        let line = line_of(one, place.clone(), self.restore(one, (&root, &place)));
        if let (Some(reason), Some(detail)) = (line.reason, line.detail.clone()) {
            let workload = line.workload.clone();
            let failed = Event::RestoreFailed { workload, place, reason, detail };
            self.events.emit(&failed);
            // A ledger that fails now has failed the restore already; one that was never begun
            // there has nothing to take back.
            let _ = self.ledger.append(&failed, &self.global.by);
        }
        line
    }

    /// What the owners of a pass are on this machine, where they are to go by name.
    fn owners_here(&self, pass: &Pass) -> Result<Option<OwnerMap>, RestoreError> {
        if !self.args.map_users {
            return Ok(None);
        }
        let here = Beneath::open(Path::new("/")).map(|tree| Owners::read(&tree));
        let here = here.unwrap_or_default();
        Ok(pass.owners()?.map(|source| OwnerMap::new(&source.into(), &here)))
    }

    fn restore(
        &self,
        one: &Wanted,
        (root, place): (&Path, &str),
    ) -> Result<Restored, RestoreError> {
        let (ledger, workload, by) = (self.ledger, &one.workload.id, &self.global.by);
        let name = PassName { workload: workload.clone(), pass: one.pass };
        let pass = Pass::open(self.disk, &name)?;
        let former = former_at((ledger, self.disk), &name, place)?;
        let begun = ledger.restore_begin(workload, one.pass, place, by)?;
        self.events.emit(&Event::RestoreStarted {
            workload: workload.clone(),
            pass: one.pass,
            place: place.to_owned(),
        });
        let reached = begun.position.and_then(|bytes| position::decode(&bytes, &one.include));
        let is_gone = has_nothing_of(root, reached.as_ref());
        let resume = reached.map(|path| if is_gone { TreePath::root() } else { path });
        let selection = Selection { include: one.include.clone(), resume: resume.clone() };
        let options = PlaceOptions {
            overwrite: self.args.overwrite,
            create_root: true,
            captured: pass.head().paths.clone(),
            resume_from: resume,
            incremental: former.is_some(),
            owners: self.owners_here(&pass)?,
            ..PlaceOptions::default()
        };
        refuse_in_the_way(&pass, &selection, root, &options)?;
        if options.resume_from.as_ref().is_none_or(TreePath::is_root) {
            // From here on, what stands there may be of our making: a restore that ends before it
            // says how far it got is gone on with all the same.
            let start = position::encode(&TreePath::root(), &one.include);
            ledger.restore_progress(workload, one.pass, place, &start, 0, Bytes(0))?;
        }
        let mut feed = Feed::new(&self.frames, &pass, selection);
        if let Some(former) = &former {
            feed = feed.against(former, self.args.overwrite);
        }
        let mut durable = |path: &TreePath, entries: u64, bytes: Bytes| {
            let position = position::encode(path, &one.include);
            ledger.restore_progress(workload, one.pass, place, &position, entries, bytes)?;
            Ok(())
        };
        let report = restore_to_folder(&mut feed, root, options, &mut durable)?;
        let restored = restored(report);
        ledger.restore_done(workload, one.pass, place, restored.problem_count, by)?;
        if one.include.is_empty() {
            ledger.restored_whole(workload, one.pass, place)?;
        }
        self.events.emit(&Event::RestoreDone {
            workload: workload.clone(),
            pass: one.pass,
            place: place.to_owned(),
            missing: restored.problem_count,
        });
        Ok(restored)
    }
}

/// Holes are listed twice, by who read and by who wrote; once is enough.
fn restored(report: LocalReport) -> Restored {
    let mut out = Restored {
        entries: report.placed.entries,
        bytes: report.placed.bytes,
        problem_count: report.placed.problem_count,
        problems: report.placed.problems.into_iter().map(|p| (p.path, p.why)).collect(),
    };
    for (path, why) in report.damaged {
        if let Some(known) = out.problems.iter_mut().find(|(known, _)| *known == path) {
            known.1 = why;
        } else {
            out.problem_count += 1;
            out.problems.push((path, why));
        }
    }
    out
}
