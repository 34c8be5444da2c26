//! One run over a workload's trees: what is found is put in order, read and offered.
//!
//! Two threads: one walks, compares with the base, hands small files to the readers and asks about
//! links; the other takes the results in the order of the walk, reads large files and offers.

mod offering;

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::agent::ahead::{Pending, Readers};
use crate::agent::large::LargeFiles;
use crate::agent::links::LinkDesk;
use crate::agent::offers::Offers;
use crate::agent::outbox::{Disconnected, Outbox};
use crate::agent::patience::{Patience, Walking};
use crate::agent::reader::SMALL_BYTES_MAX;
use crate::agent::session::Budget;
use crate::agent::sweep::{Base, Compared, place};
use crate::capture::walk::{Found, Step, Walk, WalkCounts, WalkOptions};
use crate::capture::{Beneath, Cursor, Entry, Fingerprint, Images, Kind, Owners, open_images};
use crate::model::{Reason, TreePath};
use crate::wire::source::Source;
use crate::wire::{BaseEntry, CaptureOrder, LinkAsk, ToLanding};

/// Most memory that names of owners may take; more is nobody's real list.
const OWNERS_BYTES_MAX: usize = 8 << 20;
/// Entries between walking and offering.
const WINDOW_ENTRIES: usize = 1_024;
/// An offer that is not full leaves after this long without news.
const PATIENCE: Duration = Duration::from_millis(100);

/// Which run.
pub enum RunKind {
    /// Run 0, from the order's cursor on.
    Walk,
    /// A sweep against what the landing site has. `is_first`: it begins the order, so that what
    /// cannot be told by its times is read again; otherwise it closes what was just read.
    /// `keep_gone`: what was just captured stays, though its name is gone: it may have moved behind
    /// the walk, and a copy too many is no loss.
    Sweep { blocks: Receiver<(Vec<BaseEntry>, bool)>, keep_gone: bool, is_first: bool },
}

/// What a run works with.
pub struct WalkJob {
    pub order: Arc<CaptureOrder>,
    /// What stands for `/`.
    pub root: PathBuf,
    pub tree: Arc<Beneath>,
    pub outbox: Outbox,
    pub held: Arc<Budget>,
    pub ahead: Arc<Budget>,
    pub readers: Readers,
    pub large: Mutex<LargeFiles>,
    pub source: Arc<Mutex<Source>>,
    pub links: Arc<LinkDesk>,
    pub patience: Arc<Patience>,
    pub walking: Walking,
}

/// One step, in the order of the walk.
enum Slot {
    /// An entry that is complete in itself, or a large file to be read here.
    Entry(Entry),
    /// A small file that is being read.
    Small(Entry, Pending),
    /// Something with several names; the landing site is asked.
    Link(Entry, u64),
    /// Listed, counted, not taken.
    LeftOut(TreePath, String),
    /// A name of the base that is gone.
    Gone(TreePath),
    /// One that is gone from its place and stays as it was captured.
    Kept,
    /// The first thing of a resumed walk: the rest of a file.
    Rest(TreePath, u64, Fingerprint),
    /// Nothing but what the walk counted since the last time.
    Counted(WalkCounts),
}

impl WalkJob {
    /// Runs to the end, or until the connection is gone.
    pub fn run(self, kind: RunKind) {
        let (sender, slots) = sync_channel(WINDOW_ENTRIES);
        let mut offers = Offers::new(self.outbox.clone(), self.held.clone(), self.source.clone());
        let job = Arc::new(self);
        let walking = job.clone();
        // Nobody waits for it when it hangs.
        let walker = std::thread::spawn(move || walking.walk(kind, &sender));
        let offered = job.offer_all(&slots, &mut offers);
        // A walker that still has much to say stops at the closed channel.
        drop(slots);
        let walked = match offered {
            Ok(()) => walker.join().unwrap_or(Err(WalkFailure::Disconnected)),
            Err(failure) => {
                job.ahead.close();
                Err(failure)
            }
        };
        match walked {
            Ok(()) => {
                let _ = offers.finish();
            }
            Err(WalkFailure::Failed(detail)) => {
                let reason = Reason::SourceError;
                let _ = job.outbox.send(&ToLanding::Failed { reason, detail });
            }
            Err(WalkFailure::Disconnected) => {}
        }
    }

    /// The walking thread.
    fn walk(&self, kind: RunKind, slots: &SyncSender<Slot>) -> Result<(), WalkFailure> {
        let (mut base, keep_gone, cursor) = match kind {
            RunKind::Walk => (None, false, self.order.cursor.clone()),
            RunKind::Sweep { blocks, keep_gone, is_first } => {
                let images = if is_first { self.asking(open_images) } else { Images::new() };
                (Some(Base::new(self.outbox.clone(), blocks, images)), keep_gone, None)
            }
        };
        if let Some(Cursor { path, within: Some((offset, fingerprint)) }) = &cursor {
            send(slots, Slot::Rest(path.clone(), *offset, *fingerprint))?;
        }
        let options = WalkOptions {
            folder: self.root.clone(),
            exclude: self.order.exclude.clone(),
            skip: self.order.skip.clone(),
            after: cursor.map(|cursor| cursor.path),
            attributes: base.is_none(),
            ..WalkOptions::new(self.order.paths.clone())
        };
        let walk = self.asking(|| Walk::new(options));
        let mut walk = walk.map_err(|error| WalkFailure::Failed(error.to_string()))?;
        self.send_owners()?;
        let (roots, clock_s) = (walk.roots().to_vec(), clock_s());
        self.outbox.send(&ToLanding::WalkBegan { roots, clock_s })?;
        let mut counted = WalkCounts::default();
        // Nothing can be kept beneath what is no directory any more.
        let mut leaf: Option<TreePath> = None;
        let keeps = |leaf: &Option<TreePath>, path: &TreePath| {
            keep_gone && !leaf.as_ref().is_some_and(|leaf| path.is_within(leaf))
        };
        while let Some(step) = self.asking(|| walk.next()) {
            if let Some(base) = &mut base {
                while let Some(path) =
                    place(&step).map_or(Ok(None), |at| base.next_gone(Some(at)))?
                {
                    let keep = keeps(&leaf, &path);
                    self.forget(path, keep, slots)?;
                }
                if let Step::Entry(found) = &step
                    && found.entry.kind != Kind::Directory
                {
                    leaf = Some(found.entry.path.clone());
                }
                if base.compare(&step)? == Compared::Same {
                    continue;
                }
            }
            self.step(step, &mut walk, base.is_some(), slots)?;
            send_counts(walk.counts(), &mut counted, slots)?;
        }
        send_counts(walk.counts(), &mut counted, slots)?;
        if let Some(mut base) = base {
            while let Some(path) = base.next_gone(None)? {
                let keep = keeps(&leaf, &path);
                self.forget(path, keep, slots)?;
            }
        }
        Ok(())
    }

    fn asking<T>(&self, ask: impl FnOnce() -> T) -> T {
        self.patience.asking(&self.walking, ask)
    }

    /// Who has a name here, unless that is more than anybody has.
    fn send_owners(&self) -> Result<(), WalkFailure> {
        let owners = self.asking(|| Owners::read(&self.tree));
        if owners.held_bytes() <= OWNERS_BYTES_MAX {
            self.outbox.send(&ToLanding::Owners(Box::new(owners)))?;
        }
        Ok(())
    }

    /// A name of the base is gone: said, unless such names are kept.
    fn forget(
        &self,
        path: TreePath,
        keep: bool,
        slots: &SyncSender<Slot>,
    ) -> Result<(), Disconnected> {
        if keep {
            return send(slots, Slot::Kept);
        }
        self.outbox.send(&ToLanding::LinkForget { path: path.clone() })?;
        send(slots, Slot::Gone(path))
    }

    fn step(
        &self,
        step: Step,
        walk: &mut Walk,
        is_sweep: bool,
        slots: &SyncSender<Slot>,
    ) -> Result<(), Disconnected> {
        let found = match step {
            Step::Entry(found) => found,
            Step::LeftOut { path, why } | Step::Unlistable { path, why } => {
                return send(slots, Slot::LeftOut(path, why));
            }
        };
        let Found { mut entry, not_entered, faults, .. } = found;
        if self.patience.has_left((entry.metadata.dev, entry.metadata.ino)) {
            let why = "its disk gave nothing before: left behind".to_owned();
            return send(slots, Slot::LeftOut(entry.path, why));
        }
        if is_sweep {
            // The sweep looks without attributes; what differs is looked at again in full.
            match self.asking(|| crate::capture::look_at(&self.tree, &entry.path)) {
                Ok(full) => entry = full,
                Err(error) => {
                    let failing = u64::from(crate::capture::metadata::is_failing(error));
                    let counts = WalkCounts { vanished: 1, failing, ..WalkCounts::default() };
                    return send(slots, Slot::Counted(counts));
                }
            }
        }
        let path = entry.path.clone();
        let open = walk.take_open(&entry);
        self.entry(entry, open, slots)?;
        for why in
            [not_entered, Some(faults).filter(|faults| !faults.is_empty())].into_iter().flatten()
        {
            send(slots, Slot::LeftOut(path.clone(), why))?;
        }
        Ok(())
    }

    fn entry(
        &self,
        entry: Entry,
        open: Option<OwnedFd>,
        slots: &SyncSender<Slot>,
    ) -> Result<(), Disconnected> {
        if entry.metadata.nlink > 1 && entry.kind != Kind::Directory {
            let ticket = self.links.ticket();
            let ask = LinkAsk {
                ticket,
                path: entry.path.clone(),
                inode: (entry.metadata.dev, entry.metadata.ino),
                fingerprint: entry.fingerprint(),
            };
            self.outbox.send(&ToLanding::LinkAsks(vec![ask]))?;
            return send(slots, Slot::Link(entry, ticket));
        }
        match entry.kind {
            Kind::File { size } if size > 0 && size <= SMALL_BYTES_MAX => {
                self.ahead.acquire(size)?;
                let result = self.readers.read(entry.clone(), open);
                send(slots, Slot::Small(entry, result))
            }
            _ => send(slots, Slot::Entry(entry)),
        }
    }
}

/// Why a walk ended early.
pub(super) enum WalkFailure {
    Disconnected,
    Failed(String),
}

impl From<Disconnected> for WalkFailure {
    fn from(_: Disconnected) -> Self {
        Self::Disconnected
    }
}

/// Seconds since 1970.
pub(super) fn clock_s() -> i64 {
    rustix::time::clock_gettime(rustix::time::ClockId::Realtime).tv_sec
}

/// Tells what was counted since `told`.
fn send_counts(
    now: WalkCounts,
    told: &mut WalkCounts,
    slots: &SyncSender<Slot>,
) -> Result<(), Disconnected> {
    let news = WalkCounts {
        vanished: now.vanished - told.vanished,
        failing: now.failing - told.failing,
        missing_roots: now.missing_roots - told.missing_roots,
        ..WalkCounts::default()
    };
    *told = now;
    if news == WalkCounts::default() { Ok(()) } else { send(slots, Slot::Counted(news)) }
}

fn send(slots: &SyncSender<Slot>, slot: Slot) -> Result<(), Disconnected> {
    slots.send(slot).map_err(|_| Disconnected)
}
