//! The offering half of a run: results in the order of the walk become records and pieces.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use crate::agent::ahead::Pending;
use crate::agent::offers::Offers;
use crate::agent::outbox::Disconnected;
use crate::agent::walk_job::{PATIENCE, Slot, WalkFailure, WalkJob};
use crate::capture::content::{Finished, OpenError};
use crate::capture::{Content, Entry, Fingerprint, Kind, Record};
use crate::model::TreePath;
use crate::wire::LinkAnswer;

impl WalkJob {
    /// The offering thread.
    pub(super) fn offer_all(
        &self,
        slots: &Receiver<Slot>,
        offers: &mut Offers,
    ) -> Result<(), WalkFailure> {
        loop {
            match slots.recv_timeout(PATIENCE) {
                Ok(slot) => self.offer(slot, offers)?,
                Err(RecvTimeoutError::Timeout) if self.patience.is_over_for(&self.walking) => {
                    offers.flush()?;
                    let after = offers.furthest().map(|path| format!(" after {path}"));
                    let detail = format!(
                        "its disk gave nothing for {} s{}",
                        self.patience.within().as_secs(),
                        after.unwrap_or_default()
                    );
                    return Err(WalkFailure::Failed(detail));
                }
                Err(RecvTimeoutError::Timeout) => offers.flush()?,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    fn offer(&self, slot: Slot, offers: &mut Offers) -> Result<(), Disconnected> {
        match slot {
            Slot::Entry(entry) => self.offer_entry(entry, offers),
            Slot::Small(entry, pending) => self.offer_small(entry, &pending, offers),
            Slot::Link(entry, ticket) => match self.link_answer(ticket, offers)? {
                LinkAnswer::Wanted => self.offer_entry(entry, offers),
                LinkAnswer::SameAs(of) => {
                    let path = entry.path.clone();
                    offers.push(Record::HardLink { entry, of });
                    offers.done_with(&path)
                }
            },
            Slot::LeftOut(path, why) => {
                let (path, why) = in_order(path, why, offers.furthest());
                offers.push(Record::left_out(path.clone(), &why));
                // A resume must not list it again behind later ones.
                offers.done_with(&path)
            }
            Slot::Gone(path) => {
                offers.tally.gone += 1;
                offers.push(Record::Gone { path: path.clone() });
                offers.done_with(&path)
            }
            Slot::Kept => {
                offers.tally.gone += 1;
                Ok(())
            }
            Slot::Rest(path, offset, fingerprint) => {
                self.offer_rest(&path, offset, fingerprint, offers)
            }
            Slot::Counted(counts) => {
                offers.tally.vanished += counts.vanished;
                offers.tally.failing += counts.failing;
                offers.tally.missing_roots += counts.missing_roots;
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
        pending: &Pending,
        offers: &mut Offers,
    ) -> Result<(), Disconnected> {
        let Kind::File { size } = entry.kind else {
            return Ok(());
        };
        let result = self.readers.wait(pending, &entry.path)?;
        self.ahead.release(size);
        match result {
            Ok(small) => {
                let path = entry.path.clone();
                offers.push(Record::Node(entry));
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
                offers.push(Record::Node(entry));
                offers.push(Record::End { size: 0, content: Content::Steady });
            }
            Kind::File { .. } => return self.offer_file(&entry, 0, 0, offers),
            _ => offers.push(Record::Node(entry)),
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
        let mut is_begun = from > 0;
        let mut large = self.large.lock().expect("no holder of this lock panics");
        let outcome = large.read(entry, from, &mut |offset, piece| {
            let end = offset + piece.bytes.len() as u64;
            begin_file(entry, &mut is_begun, offers);
            offers.push_piece(offset, piece)?;
            offers.inside(&entry.path, end, fingerprint)
        })?;
        drop(large);
        match outcome {
            Ok(finished) => {
                begin_file(entry, &mut is_begun, offers);
                end_file(&entry.path, &finished, offers)
            }
            Err(error) => {
                if begun > 0 {
                    offers.push(Record::End { size: begun, content: Content::Cut });
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
                offers.push(Record::End { size: offset, content: Content::Cut });
                offers.done_with(path)
            }
        }
    }
}

/// A run only goes forward: a directory that turns out not to be listable after part of its content
/// is told at the latest path instead.
fn in_order(path: TreePath, why: String, furthest: Option<&TreePath>) -> (TreePath, String) {
    match furthest {
        Some(furthest) if path < *furthest => {
            let why = format!("{why}; after this, nothing more of {path}");
            (furthest.clone(), why)
        }
        _ => (path, why),
    }
}

fn begin_file(entry: &Entry, is_begun: &mut bool, offers: &mut Offers) {
    if !std::mem::replace(is_begun, true) {
        offers.push(Record::Node(entry.clone()));
    }
}

fn end_file(path: &TreePath, finished: &Finished, offers: &mut Offers) -> Result<(), Disconnected> {
    offers.tally.opened_files += finished.counters.opened_files;
    offers.tally.read_bytes += finished.counters.read_bytes;
    offers.push(Record::End { size: finished.size, content: finished.content });
    if let Some(fault) = &finished.fault {
        let why = format!("read error: {fault}");
        offers.push(Record::left_out(path.clone(), &why));
    }
    offers.done_with(path)
}

fn cannot_open(path: &TreePath, error: OpenError, offers: &mut Offers) -> Result<(), Disconnected> {
    match error {
        OpenError::Vanished { .. } => offers.tally.vanished += 1,
        // Something else stands there now; the sweep takes it.
        OpenError::Replaced { .. } => {}
        OpenError::Unreadable { source, .. } => {
            let why = format!("cannot be read: {source}");
            offers.push(Record::left_out(path.clone(), &why));
        }
    }
    offers.done_with(path)
}
