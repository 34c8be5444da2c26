//! Offers that are not whole yet, of one session, in their order.
//!
//! **Invariants.** Offers are answered front to back. All that is asked of them is counted as it
//! changes, never summed up: with hundreds of hosts and thousands of offers each, whatever looks
//! at every offer for every frame is what a run then spends its time on.

use std::collections::{BTreeMap, VecDeque};

use crate::capture::{Cursor, Record};
use crate::model::ChunkId;
use crate::run::coordinator::naming::Unnamed;
use crate::run::coordinator::piece_of;
use crate::wire::WalkTally;
use crate::wire::records::held_bytes;

/// An offer whose pieces are not all in the store.
#[derive(Debug)]
pub(super) struct Offer {
    number: u64,
    pub(super) records: Vec<Record>,
    pub(super) cursor: Option<Cursor>,
    pub(super) tally: WalkTally,
    /// Bytes that need not cross.
    pub(super) reused_bytes: u64,
    /// What its records take in memory.
    pub(super) held_bytes: u64,
    /// Has it only short names so far? Then its records are in [`OpenOffers::unnamed`].
    is_unnamed: bool,
    /// Indices of the records that name a piece.
    pieces: Vec<usize>,
    /// How many of them are answered.
    answered: usize,
    /// How many of those are not in the store yet.
    awaited: usize,
}

/// The piece that is to be answered next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NextPiece {
    /// The offer's number.
    pub(super) offer: u64,
    /// The piece's place among the pieces of its offer.
    pub(super) place: usize,
    /// Index of its record.
    pub(super) record: usize,
    pub(super) id: ChunkId,
    pub(super) length: u32,
}

impl Offer {
    pub(super) fn new(
        number: u64,
        records: Vec<Record>,
        cursor: Option<Cursor>,
        tally: WalkTally,
    ) -> Self {
        Self {
            number,
            pieces: pieces_of(&records),
            held_bytes: held(&records),
            records,
            cursor,
            tally,
            reused_bytes: 0,
            is_unnamed: false,
            answered: 0,
            awaited: 0,
        }
    }

    /// The same when its names are still to be found.
    fn unnamed(number: u64, of: &Unnamed, cursor: Option<Cursor>, tally: WalkTally) -> Self {
        let held_bytes = held(of.records());
        Self { is_unnamed: true, held_bytes, ..Self::new(number, Vec::new(), cursor, tally) }
    }

    fn is_answered(&self) -> bool {
        !self.is_unnamed && self.answered == self.pieces.len()
    }
}

fn pieces_of(records: &[Record]) -> Vec<usize> {
    let names_piece = |(at, record): (usize, &Record)| piece_of(record).map(|_| at);
    records.iter().enumerate().filter_map(names_piece).collect()
}

/// What records take in memory.
pub(super) fn held(records: &[Record]) -> u64 {
    records.iter().map(held_bytes).sum::<usize>() as u64
}

/// Offers that are not whole yet.
#[derive(Debug, Default)]
pub(super) struct OpenOffers {
    queue: VecDeque<Offer>,
    /// What those say that have only short names, by their numbers.
    unnamed: BTreeMap<u64, Unnamed>,
    /// How many at the front are answered whole.
    answered: usize,
    /// How many have pieces without an answer.
    unanswered: usize,
    /// How many wait for pieces.
    awaiting: usize,
    held_bytes: u64,
}

impl OpenOffers {
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Offers with pieces that have no answer.
    pub(super) fn unanswered(&self) -> usize {
        self.unanswered
    }

    /// Offers that wait for pieces.
    pub(super) fn awaiting(&self) -> usize {
        self.awaiting
    }

    /// What the records take in memory.
    pub(super) fn held_bytes(&self) -> u64 {
        self.held_bytes
    }

    /// Adds the next; numbers follow each other.
    pub(super) fn push(&mut self, offer: Offer) {
        self.held_bytes += offer.held_bytes;
        self.unanswered += usize::from(!offer.is_answered());
        self.queue.push_back(offer);
        self.pass_answered();
    }

    /// Adds the next, which has only short names.
    pub(super) fn push_unnamed(
        &mut self,
        number: u64,
        unnamed: Unnamed,
        cursor: Option<Cursor>,
        tally: WalkTally,
    ) {
        self.push(Offer::unnamed(number, &unnamed, cursor, tally));
        self.unnamed.insert(number, unnamed);
    }

    /// Numbers of those that have only short names, in order.
    pub(super) fn unnamed(&self) -> Vec<u64> {
        self.unnamed.keys().copied().collect()
    }

    /// What one of them says.
    pub(super) fn unnamed_mut(&mut self, number: u64) -> Option<&mut Unnamed> {
        self.unnamed.get_mut(&number)
    }

    /// Has the host to say names?
    pub(super) fn owes_names(&self) -> bool {
        self.unnamed.values().any(Unnamed::is_owed)
    }

    /// One of them has its whole names.
    pub(super) fn named(&mut self, number: u64, records: Vec<Record>) {
        self.unnamed.remove(&number);
        let Some(at) = self.at(number) else {
            return;
        };
        let offer = &mut self.queue[at];
        (offer.is_unnamed, offer.pieces, offer.records) = (false, pieces_of(&records), records);
        self.unanswered -= usize::from(offer.is_answered());
        self.pass_answered();
    }

    fn pass_answered(&mut self) {
        while self.queue.get(self.answered).is_some_and(Offer::is_answered) {
            self.answered += 1;
        }
    }

    /// The next piece without an answer.
    pub(super) fn next_piece(&self) -> Option<NextPiece> {
        let offer = self.queue.get(self.answered)?;
        let record = *offer.pieces.get(offer.answered)?;
        let (id, length) = piece_of(offer.records.get(record)?)?;
        Some(NextPiece { offer: offer.number, place: offer.answered, record, id, length })
    }

    /// Answers that piece: of its bytes, `reused` need not cross.
    pub(super) fn answer(&mut self, is_awaited: bool, reused: u32) {
        let Some(offer) = self.queue.get_mut(self.answered) else {
            return;
        };
        offer.answered += 1;
        offer.reused_bytes += u64::from(reused);
        if is_awaited {
            self.awaiting += usize::from(offer.awaited == 0);
            offer.awaited += 1;
        }
        if offer.is_answered() {
            self.unanswered -= 1;
            self.pass_answered();
        }
    }

    fn at(&self, number: u64) -> Option<usize> {
        let first = self.queue.front()?.number;
        let at = usize::try_from(number.checked_sub(first)?).ok()?;
        (at < self.queue.len()).then_some(at)
    }

    /// A piece of this offer is in the store; false if the offer does not wait any more.
    pub(super) fn satisfy(&mut self, number: u64) -> bool {
        let Some(at) = self.at(number) else {
            return false;
        };
        let offer = &mut self.queue[at];
        if offer.awaited > 0 {
            offer.awaited -= 1;
            self.awaiting -= usize::from(offer.awaited == 0);
        }
        true
    }

    /// The piece of this record cannot be had.
    pub(super) fn lose(&mut self, number: u64, record: usize) {
        let Some(at) = self.at(number) else {
            return;
        };
        if let Some(record) = self.queue[at].records.get_mut(record)
            && let Record::Data { offset, length, .. } = *record
        {
            *record = Record::Lost { offset, length };
            self.satisfy(number);
        }
    }

    /// A record of an offer.
    pub(super) fn record(&self, number: u64, record: usize) -> Option<&Record> {
        self.queue[self.at(number)?].records.get(record)
    }

    /// The records before that one, latest first.
    pub(super) fn before(&self, number: u64, record: usize) -> impl Iterator<Item = &Record> {
        let at = self.at(number).unwrap_or(0);
        let own = self.queue.get(at).map_or(&[][..], |offer| &offer.records[..record]);
        let earlier = self.queue.range(..at).rev().flat_map(|offer| offer.records.iter().rev());
        own.iter().rev().chain(earlier)
    }

    /// Pieces that were answered, and may be waited for.
    pub(super) fn answered_pieces(&self) -> impl Iterator<Item = ChunkId> {
        let of = |offer: &Offer| {
            let records = &offer.records;
            let ids =
                offer.pieces[..offer.answered].iter().filter_map(|at| piece_of(&records[*at]));
            ids.map(|(id, _)| id).collect::<Vec<_>>()
        };
        self.queue.iter().flat_map(of)
    }

    /// Takes the first if all of it is in the store.
    pub(super) fn pop_whole(&mut self) -> Option<Offer> {
        let offer = self.queue.pop_front_if(|offer| offer.is_answered() && offer.awaited == 0)?;
        self.answered -= 1;
        self.held_bytes -= offer.held_bytes;
        Some(offer)
    }
}
