//! One workload being captured: the threads that walk and offer, and what the landing site says
//! to them.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};

use crate::agent::ahead::Readers;
use crate::agent::granted::Bounds;
use crate::agent::large::LargeFiles;
use crate::agent::links::LinkDesk;
use crate::agent::outbox::{Disconnected, Outbox};
use crate::agent::packer::Packer;
use crate::agent::patience::{Patience, Walking};
use crate::agent::reader::{Naming, read_again};
use crate::agent::session::{Budget, Stop};
use crate::agent::walk_job::{RunKind, WalkJob};
use crate::agent::{AHEAD_BYTES_MAX, AgentError, HELD_BYTES_MAX};
use crate::capture::Beneath;
use crate::chunk::Cutter;
use crate::model::{ChunkId, DiskKind, Reason, RunNumber, TreePath};
use crate::wire::source::{Piece, Source};
use crate::wire::{BaseEntry, CaptureOrder, ToAgent, ToLanding, WireError};

/// Blocks of the base that may wait; one is asked for when one is used.
const BASE_BLOCKS_MAX: usize = 4;
/// Pieces to be read again that may wait; beyond it the landing site asks for too much.
const REREADS_MAX: usize = 65_536;

/// A workload being captured.
pub struct CaptureJob {
    order: Arc<CaptureOrder>,
    root: PathBuf,
    naming: Naming,
    tree: Option<Arc<Beneath>>,
    outbox: Outbox,
    held: Arc<Budget>,
    ahead: Arc<Budget>,
    source: Arc<Mutex<Source>>,
    links: Arc<LinkDesk>,
    patience: Arc<Patience>,
    packer: Packer,
    base: Option<SyncSender<(Vec<BaseEntry>, bool)>>,
    rereads: SyncSender<Reread>,
    bounds: Bounds,
}

/// A piece to be read again.
struct Reread {
    ticket: u64,
    path: TreePath,
    offset: u64,
    length: u32,
    id: ChunkId,
}

impl CaptureJob {
    /// Starts the walk; `root` stands for `/`.
    pub fn start(
        mut order: CaptureOrder,
        root: &Path,
        skip: &[(u64, u64)],
        bounds: Bounds,
        outbox: &Outbox,
    ) -> Result<Self, WireError> {
        order.skip.extend_from_slice(skip);
        let order = Arc::new(order);
        let cutter = Cutter::new(&order.cutting).map_err(WireError::Unexpected)?;
        let naming = Naming { cutter, key: order.key.clone(), spare: Arc::default() };
        let held = Arc::new(Budget::new(HELD_BYTES_MAX));
        let workers = std::thread::available_parallelism().map_or(1, |count| count.get().min(4));
        let packer = Packer::start(order.key.domain(), order.levels, workers, outbox, &held);
        let tree = open_tree(root, outbox);
        let patience = Arc::new(Patience::new(order.patience));
        let desk = RereadDesk { naming: naming.clone(), patience: patience.clone() };
        let rereads = desk.start(tree.clone(), outbox, &packer, &held);
        let job = Self {
            order,
            root: root.to_owned(),
            naming,
            tree,
            outbox: outbox.clone(),
            held,
            ahead: Arc::new(Budget::new(AHEAD_BYTES_MAX)),
            source: Arc::default(),
            links: Arc::default(),
            patience,
            packer,
            base: None,
            rereads,
            bounds,
        };
        // A later run is a sweep, which its own order begins.
        if job.order.run == RunNumber(0) {
            job.walk(RunKind::Walk);
        }
        Ok(job)
    }

    fn walk(&self, kind: RunKind) {
        let Some(tree) = self.tree.clone() else {
            return;
        };
        // A gentle agent reads alone, as on a disk whose heads move.
        let disk = if self.order.is_gentle { Some(DiskKind::Hdd) } else { self.order.disk };
        let walk = WalkJob {
            order: self.order.clone(),
            root: self.root.clone(),
            tree: tree.clone(),
            outbox: self.outbox.clone(),
            held: self.held.clone(),
            ahead: self.ahead.clone(),
            readers: Readers::start(disk, &tree, &self.naming, &self.patience),
            large: Mutex::new(LargeFiles::new(&tree, &self.naming, &self.patience)),
            source: self.source.clone(),
            links: self.links.clone(),
            patience: self.patience.clone(),
            walking: Walking::default(),
        };
        std::thread::spawn(move || walk.run(kind));
    }

    /// Takes what the landing site says about this capture.
    pub fn take(&mut self, message: ToAgent) -> Result<(), Stop> {
        match message {
            ToAgent::Answer { offer, from, count, wanted } => {
                let answered = self
                    .source
                    .lock()
                    .expect("no holder of this lock panics")
                    .answer(offer, from, count, &wanted)?;
                self.held.release(answered.dropped_bytes);
                for piece in answered.wanted {
                    self.packer.push(piece)?;
                }
                Ok(())
            }
            ToAgent::AskNames { offer, count, asked } => {
                let mut source = self.source.lock().expect("no holder of this lock panics");
                let names = source.names(offer, count, &asked)?;
                drop(source);
                Ok(self.outbox.answer(&ToLanding::Names { offer, names })?)
            }
            ToAgent::Link { ticket, answer } => {
                if self.links.answer(ticket, answer) {
                    Ok(())
                } else {
                    Err(WireError::Unexpected("an answer to a link that was not asked for").into())
                }
            }
            ToAgent::Reread { ticket, path, offset, length, id } => {
                self.reread(Reread { ticket, path, offset, length, id })
            }
            ToAgent::Sweep { run, keep_gone } => {
                *self.source.lock().expect("no holder of this lock panics") = Source::default();
                let (sender, blocks) = sync_channel(BASE_BLOCKS_MAX);
                self.base = Some(sender);
                let is_first = run == self.order.run;
                self.walk(RunKind::Sweep { blocks, keep_gone, is_first });
                Ok(())
            }
            ToAgent::Base { entries, last } => self.base(entries, last),
            _ => Err(WireError::Unexpected("an order that does not belong to a capture").into()),
        }
    }

    fn base(&mut self, entries: Vec<BaseEntry>, last: bool) -> Result<(), Stop> {
        let unasked = || WireError::Unexpected("a base block that was not asked for");
        let base = self.base.as_ref().ok_or_else(unasked)?;
        match base.try_send((entries, last)) {
            // A sweep that ended early needs no more of it.
            Ok(()) | Err(TrySendError::Disconnected(_)) => Ok(()),
            Err(TrySendError::Full(_)) => Err(unasked().into()),
        }
    }

    fn reread(&self, reread: Reread) -> Result<(), Stop> {
        if reread.length == 0 || reread.length > crate::capture::entry::CHUNK_BYTES_MAX {
            return Err(WireError::Unexpected("a piece of impossible length").into());
        }
        if !self.bounds.hold(&reread.path) {
            return Err(Stop::Failed(AgentError::NotGranted("reading there")));
        }
        self.rereads.try_send(reread).map_err(|error| match error {
            TrySendError::Full(_) => WireError::Unexpected("too many pieces asked again").into(),
            TrySendError::Disconnected(_) => Stop::Disconnected,
        })
    }

    /// The job is over: nobody waits any more.
    pub fn close(&self) {
        self.held.close();
        self.ahead.close();
        self.links.close();
    }
}

fn open_tree(root: &Path, outbox: &Outbox) -> Option<Arc<Beneath>> {
    match Beneath::open(root) {
        Ok(tree) => Some(Arc::new(tree)),
        Err(error) => {
            let detail = format!("cannot open {}: {error}", root.display());
            let _ = outbox.send(&ToLanding::Failed { reason: Reason::SourceError, detail });
            None
        }
    }
}

/// Reads again what is asked again.
#[derive(Clone)]
struct RereadDesk {
    naming: Naming,
    patience: Arc<Patience>,
}

impl RereadDesk {
    /// One thread answers; each read has one of its own, since it may hang.
    fn start(
        self,
        tree: Option<Arc<Beneath>>,
        outbox: &Outbox,
        packer: &Packer,
        held: &Arc<Budget>,
    ) -> SyncSender<Reread> {
        let (sender, queue) = sync_channel::<Reread>(REREADS_MAX);
        let (outbox, packer, held) = (outbox.clone(), packer.clone(), held.clone());
        std::thread::spawn(move || {
            let tree = tree?;
            while let Ok(reread) = queue.recv() {
                let (ticket, length) = (reread.ticket, reread.length);
                let sent: Result<(), Disconnected> = match self.read(&tree, reread) {
                    Some(piece) => {
                        held.acquire(u64::from(length)).and_then(|()| packer.push(piece))
                    }
                    None => outbox.send(&ToLanding::RereadGone { ticket }),
                };
                sent.ok()?;
            }
            Some(())
        });
        sender
    }

    /// The piece, if it is still what it was and comes in time. Of which device it is nobody knows
    /// before it was looked at, which may hang as well: 0 stands for all of them.
    fn read(&self, tree: &Arc<Beneath>, reread: Reread) -> Option<Piece> {
        if self.patience.is_dead(0) {
            return None;
        }
        let (said, piece) = sync_channel(1);
        let (desk, tree) = (self.clone(), tree.clone());
        std::thread::spawn(move || {
            let Reread { path, offset, length, id, .. } = reread;
            let entry = crate::capture::look_at(&tree, &path).ok();
            let read =
                entry.and_then(|it| read_again(&tree, &it, offset, length, id, &desk.naming));
            if said.send(read).is_err() {
                desk.patience.came_back(0);
            }
        });
        if let Ok(piece) = piece.recv_timeout(self.patience.within()) {
            return piece;
        }
        self.patience.leave((0, 0));
        None
    }
}
