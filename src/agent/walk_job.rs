//! One run over a workload's trees: what is found is put in order, read and offered.
//!
//! Two threads: one walks, compares with the base, hands small files to the readers and asks about
//! links; the other takes the results in the order of the walk, reads large files and offers.

use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::agent::links::LinkDesk;
use crate::agent::offers::Offers;
use crate::agent::outbox::{Disconnected, Outbox};
use crate::agent::reader::{Naming, Readers, SMALL_BYTES_MAX, Small, read_file};
use crate::agent::session::Budget;
use crate::agent::sweep::{Base, Compared, place};
use crate::capture::content::{Finished, OpenError};
use crate::capture::walk::{Found, Step, Walk, WalkOptions};
use crate::capture::{Beneath, Content, Cursor, Entry, Fingerprint, Kind, Record};
use crate::model::{Reason, TreePath};
use crate::wire::source::Source;
use crate::wire::{BaseEntry, CaptureOrder, LinkAnswer, LinkAsk, ToLanding};

/// Entries between walking and offering.
const WINDOW_ENTRIES: usize = 1_024;
/// An offer that is not full leaves after this long without news.
const PATIENCE: Duration = Duration::from_millis(100);
/// Small files are read by so many threads; more only helps disks that queue deeply.
const READERS: usize = 2;

/// Which run.
pub enum RunKind {
    /// Run 0, from the order's cursor on.
    Walk,
    /// A closing sweep against what the landing site has.
    Sweep { blocks: Receiver<(Vec<BaseEntry>, bool)>, keep_gone: bool },
}

/// What a run works with.
pub struct WalkJob {
    pub order: Arc<CaptureOrder>,
    pub naming: Naming,
    pub tree: Arc<Beneath>,
    pub outbox: Outbox,
    pub held: Arc<Budget>,
    pub ahead: Arc<Budget>,
    pub source: Arc<Mutex<Source>>,
    pub links: Arc<LinkDesk>,
}

/// One step, in the order of the walk.
enum Slot {
    /// An entry that is complete in itself, or a large file to be read here.
    Entry(Entry),
    /// A small file that is being read.
    Small(Entry, Receiver<Result<Small, OpenError>>),
    /// Something with several names; the landing site is asked.
    Link(Entry, u64),
    /// Listed, counted, not taken.
    LeftOut(TreePath, String),
    /// A name of the base that is gone.
    Gone(TreePath),
    /// The first thing of a resumed walk: the rest of a file.
    Rest(TreePath, u64, Fingerprint),
    /// Gone while it was looked at; nothing but a count.
    Vanished(u64),
}

impl WalkJob {
    /// Runs to the end, or until the connection is gone.
    pub fn run(self, kind: RunKind) {
        let (sender, slots) = sync_channel(WINDOW_ENTRIES);
        let mut offers = Offers::new(self.outbox.clone(), self.held.clone(), self.source.clone());
        let walked = std::thread::scope(|scope| {
            let job = &self;
            let walker = scope.spawn(move || job.walk(kind, &sender));
            let offered = self.offer_all(&slots, &mut offers);
            // A walker that still has much to say stops at the closed channel.
            drop(slots);
            self.ahead_unless(offered.is_ok());
            walker.join().ok().filter(|_| offered.is_ok())
        });
        match walked {
            Some(Ok(())) => {
                let _ = offers.finish();
            }
            Some(Err(WalkFailure::Failed(detail))) => {
                let reason = Reason::SourceError;
                let _ = self.outbox.send(&ToLanding::Failed { reason, detail });
            }
            Some(Err(WalkFailure::Disconnected)) | None => {}
        }
    }

    fn ahead_unless(&self, is_ok: bool) {
        if !is_ok {
            self.ahead.close();
        }
    }

    /// The walking thread.
    fn walk(&self, kind: RunKind, slots: &SyncSender<Slot>) -> Result<(), WalkFailure> {
        let (mut base, keep_gone, cursor) = match kind {
            RunKind::Walk => (None, false, self.order.cursor.clone()),
            RunKind::Sweep { blocks, keep_gone } => {
                (Some(Base::new(self.outbox.clone(), blocks)), keep_gone, None)
            }
        };
        if let Some(Cursor { path, within: Some((offset, fingerprint)) }) = &cursor {
            send(slots, Slot::Rest(path.clone(), *offset, *fingerprint))?;
        }
        let mut walk = Walk::new(WalkOptions {
            exclude: self.order.exclude.clone(),
            skip: self.order.skip.clone(),
            after: cursor.map(|cursor| cursor.path),
            attributes: base.is_none(),
            ..WalkOptions::new(self.order.paths.clone())
        })
        .map_err(|error| WalkFailure::Failed(error.to_string()))?;
        self.outbox.send(&ToLanding::WalkBegan { roots: walk.roots().to_vec() })?;
        let readers = Readers::start(READERS, &self.tree, &self.naming);
        let mut vanished = 0;
        while let Some(step) = walk.next() {
            if let Some(base) = &mut base {
                while let Some(path) =
                    place(&step).map_or(Ok(None), |at| base.next_gone(Some(at)))?
                {
                    self.forget(path, keep_gone, slots)?;
                }
                if base.compare(&step)? == Compared::Same {
                    continue;
                }
            }
            self.step(step, base.is_some(), &readers, slots)?;
            let now = walk.counts().vanished;
            if now > vanished {
                send(slots, Slot::Vanished(now - vanished))?;
                vanished = now;
            }
        }
        if let Some(mut base) = base {
            while let Some(path) = base.next_gone(None)? {
                self.forget(path, keep_gone, slots)?;
            }
        }
        Ok(())
    }

    /// A name of the base is gone: said, unless such names keep moving and are kept.
    fn forget(
        &self,
        path: TreePath,
        keep: bool,
        slots: &SyncSender<Slot>,
    ) -> Result<(), Disconnected> {
        if keep {
            let why = "it keeps moving: kept as it was captured".to_owned();
            return send(slots, Slot::LeftOut(path, why));
        }
        self.outbox.send(&ToLanding::LinkForget { path: path.clone() })?;
        send(slots, Slot::Gone(path))
    }

    fn step(
        &self,
        step: Step,
        is_sweep: bool,
        readers: &Readers,
        slots: &SyncSender<Slot>,
    ) -> Result<(), Disconnected> {
        let found = match step {
            Step::Entry(found) => found,
            Step::LeftOut { path, why } | Step::Unlistable { path, why } => {
                return send(slots, Slot::LeftOut(path, why));
            }
        };
        let Found { mut entry, not_entered, faults, .. } = found;
        if is_sweep {
            // The sweep looks without attributes; what differs is looked at again in full.
            match crate::capture::look_at(&self.tree, &entry.path) {
                Ok(full) => entry = full,
                Err(_) => return send(slots, Slot::Vanished(1)),
            }
        }
        let path = entry.path.clone();
        self.entry(entry, readers, slots)?;
        for why in [not_entered, Some(faults).filter(|faults| !faults.is_empty())] {
            if let Some(why) = why {
                send(slots, Slot::LeftOut(path.clone(), why))?;
            }
        }
        Ok(())
    }

    fn entry(
        &self,
        entry: Entry,
        readers: &Readers,
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
                let result = readers.read(entry.clone())?;
                send(slots, Slot::Small(entry, result))
            }
            _ => send(slots, Slot::Entry(entry)),
        }
    }

    /// The offering thread.
    fn offer_all(&self, slots: &Receiver<Slot>, offers: &mut Offers) -> Result<(), Disconnected> {
        loop {
            match slots.recv_timeout(PATIENCE) {
                Ok(slot) => self.offer(slot, offers)?,
                Err(RecvTimeoutError::Timeout) => offers.flush()?,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    fn offer(&self, slot: Slot, offers: &mut Offers) -> Result<(), Disconnected> {
        match slot {
            Slot::Entry(entry) => self.offer_entry(entry, offers),
            Slot::Small(entry, result) => self.offer_small(entry, &result, offers),
            Slot::Link(entry, ticket) => match self.link_answer(ticket, offers)? {
                LinkAnswer::Wanted => self.offer_entry(entry, offers),
                LinkAnswer::SameAs(of) => {
                    let path = entry.path.clone();
                    offers.push(Record::HardLink { entry, of })?;
                    offers.done_with(&path)
                }
            },
            Slot::LeftOut(path, why) => {
                offers.push(Record::LeftOut { path: path.clone(), why })?;
                // A resume must not list it again behind later ones.
                offers.done_with(&path)
            }
            Slot::Gone(path) => {
                offers.tally.gone += 1;
                offers.push(Record::Gone { path: path.clone() })?;
                offers.done_with(&path)
            }
            Slot::Rest(path, offset, fingerprint) => {
                self.offer_rest(&path, offset, fingerprint, offers)
            }
            Slot::Vanished(count) => {
                offers.tally.vanished += count;
                Ok(())
            }
        }
    }

    fn link_answer(&self, ticket: u64, offers: &mut Offers) -> Result<LinkAnswer, Disconnected> {
        let mut patience = Duration::ZERO;
        loop {
            if let Some(answer) = self.links.wait(ticket, patience)? {
                return Ok(answer);
            }
            // What is ready must not wait for a slow answer.
            offers.flush()?;
            patience = Duration::from_secs(1);
        }
    }

    fn offer_small(
        &self,
        entry: Entry,
        result: &Receiver<Result<Small, OpenError>>,
        offers: &mut Offers,
    ) -> Result<(), Disconnected> {
        let Kind::File { size } = entry.kind else {
            return Ok(());
        };
        let result = result.recv().map_err(|_| Disconnected)?;
        self.ahead.release(size);
        match result {
            Ok(small) => {
                let path = entry.path.clone();
                offers.push(Record::Node(entry))?;
                for (offset, piece) in small.pieces {
                    offers.push_piece(offset, piece)?;
                }
                end_file(&path, &small.finished, offers)
            }
            Err(error) => cannot_open(&entry.path, error, offers),
        }
    }

    /// An entry whose content, if it has any, is read here.
    fn offer_entry(&self, entry: Entry, offers: &mut Offers) -> Result<(), Disconnected> {
        let path = entry.path.clone();
        match entry.kind {
            Kind::File { size: 0 } => {
                // There is nothing to read; if it grows meanwhile, the sweep sees it.
                offers.push(Record::Node(entry))?;
                offers.push(Record::End { size: 0, content: Content::Steady })?;
            }
            Kind::File { .. } => return self.offer_file(&entry, 0, 0, offers),
            _ => offers.push(Record::Node(entry))?,
        }
        offers.done_with(&path)
    }

    /// Reads `entry` from `from` on; an earlier session had offered it up to `begun`.
    fn offer_file(
        &self,
        entry: &Entry,
        from: u64,
        begun: u64,
        offers: &mut Offers,
    ) -> Result<(), Disconnected> {
        let fingerprint = entry.fingerprint();
        let mut broken = Ok(());
        let mut is_begun = from > 0;
        let outcome = read_file(&self.tree, entry, from, &self.naming, &mut |offset, piece| {
            let end = offset + piece.bytes.len() as u64;
            broken = begin_file(entry, &mut is_begun, offers)
                .and_then(|()| offers.push_piece(offset, piece))
                .and_then(|()| offers.inside(&entry.path, end, fingerprint));
            if broken.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        broken?;
        match outcome {
            Ok(finished) => {
                begin_file(entry, &mut is_begun, offers)?;
                end_file(&entry.path, &finished, offers)
            }
            Err(error) => {
                if begun > 0 {
                    offers.push(Record::End { size: begun, content: Content::Cut })?;
                }
                cannot_open(&entry.path, error, offers)
            }
        }
    }

    /// Goes on inside a file if it is still the same, else begins it again.
    fn offer_rest(
        &self,
        path: &TreePath,
        offset: u64,
        fingerprint: Fingerprint,
        offers: &mut Offers,
    ) -> Result<(), Disconnected> {
        match crate::capture::look_at(&self.tree, path) {
            Ok(entry) if entry.fingerprint() == fingerprint => {
                self.offer_file(&entry, offset, offset, offers)
            }
            Ok(entry) if matches!(entry.kind, Kind::File { .. }) => {
                self.offer_file(&entry, 0, offset, offers)
            }
            // It is gone or something else: close what was begun; the sweep sees to it.
            _ => {
                offers.push(Record::End { size: offset, content: Content::Cut })?;
                offers.done_with(path)
            }
        }
    }
}

/// Why a walk ended early.
enum WalkFailure {
    Disconnected,
    Failed(String),
}

impl From<Disconnected> for WalkFailure {
    fn from(_: Disconnected) -> Self {
        Self::Disconnected
    }
}

fn send(slots: &SyncSender<Slot>, slot: Slot) -> Result<(), Disconnected> {
    slots.send(slot).map_err(|_| Disconnected)
}

fn begin_file(entry: &Entry, is_begun: &mut bool, offers: &mut Offers) -> Result<(), Disconnected> {
    if *is_begun {
        return Ok(());
    }
    *is_begun = true;
    offers.push(Record::Node(entry.clone()))
}

fn end_file(path: &TreePath, finished: &Finished, offers: &mut Offers) -> Result<(), Disconnected> {
    offers.tally.opened_files += finished.counters.opened_files;
    offers.tally.read_bytes += finished.counters.read_bytes;
    offers.push(Record::End { size: finished.size, content: finished.content })?;
    if let Some(fault) = &finished.fault {
        let why = crate::model::text::bounded(&format!("read error: {fault}"), 180);
        offers.push(Record::LeftOut { path: path.clone(), why })?;
    }
    offers.done_with(path)
}

fn cannot_open(path: &TreePath, error: OpenError, offers: &mut Offers) -> Result<(), Disconnected> {
    match error {
        OpenError::Vanished { .. } => offers.tally.vanished += 1,
        // Something else stands there now; the sweep takes it.
        OpenError::Replaced { .. } => {}
        OpenError::Unreadable { source, .. } => {
            let why = crate::model::text::bounded(&format!("cannot be read: {source}"), 180);
            offers.push(Record::LeftOut { path: path.clone(), why })?;
        }
    }
    offers.done_with(path)
}
