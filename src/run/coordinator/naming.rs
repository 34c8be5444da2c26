//! Whole names for short ones, before anything is asked for or believed.
//!
//! What a host offers briefly is looked for in the store and among what any host offered of late;
//! of what is in neither its whole name is asked for, once for all hosts that march in step. An
//! offer takes part in anything else only when the digest over its whole names is right.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use crate::capture::Record;
use crate::model::{ChunkId, ShortId};
use crate::run::coordinator::decide::pack_bits;
use crate::run::coordinator::{Command, Coordinator, Known, SessionId, piece_of};
use crate::store::Tenant;
use crate::wire::{Sketch, ToAgent, WireError};

/// Names that are remembered: some 10 MB. A name forgotten too early is asked for once more.
const LATELY_MAX: usize = 128 << 10;

/// Names that hosts said lately, and those that some host is being asked for; each with who that
/// was: that somebody says a name is nobody else's business, as that he has the piece is not
/// ([`crate::store::tenants`]).
#[derive(Debug, Default)]
pub(super) struct Names {
    lately: HashMap<ShortId, (ChunkId, Tenant)>,
    /// Those in the order they came.
    order: VecDeque<ShortId>,
    asked: HashMap<ShortId, (Duration, Tenant)>,
}

/// May `tenant` be told what `other` said?
fn may_hear(tenant: Tenant, other: Tenant) -> bool {
    tenant == Tenant::HOUSE || other == Tenant::HOUSE || other == tenant
}

impl Names {
    /// Remembers what the pieces of an offer are called. Who said a name first has said it, but for
    /// the house.
    pub(super) fn note(&mut self, records: &[Record], tenant: Tenant) {
        for (name, _) in records.iter().filter_map(piece_of) {
            match self.lately.entry(name.short()) {
                Entry::Vacant(entry) => {
                    entry.insert((name, tenant));
                    self.order.push_back(name.short());
                }
                Entry::Occupied(mut entry) if may_hear(entry.get().1, tenant) => {
                    entry.insert((name, tenant));
                }
                Entry::Occupied(_) => {}
            }
        }
        while self.order.len() > LATELY_MAX {
            let oldest = self.order.pop_front();
            oldest.and_then(|oldest| self.lately.remove(&oldest));
        }
    }

    /// Which piece is meant, as far as anybody knows.
    fn find(&self, short: ShortId, tenant: Tenant, known: &dyn Known) -> Option<ChunkId> {
        let stored = known.find(short).filter(|id| known.serves(id, tenant));
        let lately = self.lately.get(&short).filter(|(_, other)| may_hear(tenant, *other));
        match (stored, lately.map(|(name, _)| *name)) {
            (Some(stored), Some(said)) => (stored == said).then_some(stored),
            (stored, said) => stored.or(said),
        }
    }

    /// Was somebody asked for it less than `patience` ago, of whom this one may hear?
    fn is_asked(
        &self,
        (short, tenant): (ShortId, Tenant),
        now: Duration,
        patience: Duration,
    ) -> bool {
        let asked = self.asked.get(&short).filter(|(_, other)| may_hear(tenant, *other));
        asked.is_some_and(|(at, _)| now.saturating_sub(*at) < patience)
    }

    /// Forgets questions that were not answered in time.
    pub(super) fn forget_asked(&mut self, now: Duration, patience: Duration) {
        self.asked.retain(|_, (at, _)| now.saturating_sub(*at) < patience);
    }
}

/// An offer some of whose pieces have no whole name yet.
#[derive(Debug)]
pub(super) struct Unnamed {
    sketch: Box<Sketch>,
    names: Vec<Option<ChunkId>>,
    /// Places of pieces whose names the host was asked for.
    owed: Vec<usize>,
    /// The first of those that nobody knew and another host was being asked for; and since when
    /// it waits for any, which it does once: others may be asked and never answer.
    waits_for: Option<ShortId>,
    waits_since: Option<Duration>,
    /// Are all names the host's own?
    is_told: bool,
}

/// What became of looking for names.
enum Sought {
    Named(Vec<Record>),
    /// These places are to be asked for.
    Ask(Vec<usize>),
    Wait,
}

impl Unnamed {
    pub(super) fn new(sketch: Box<Sketch>) -> Self {
        let names = vec![None; sketch.short().len()];
        let (owed, waits_for, waits_since) = (Vec::new(), None, None);
        Self { sketch, names, owed, waits_for, waits_since, is_told: false }
    }

    /// All that it says but the names.
    pub(super) fn records(&self) -> &[Record] {
        self.sketch.nameless()
    }

    /// Has the host to say names?
    pub(super) fn is_owed(&self) -> bool {
        !self.owed.is_empty()
    }

    /// Looks for names that are missing.
    fn seek(
        &mut self,
        find: impl Fn(ShortId) -> Option<ChunkId>,
        is_asked: impl Fn(ShortId) -> bool,
        (now, patience): (Duration, Duration),
    ) -> Result<Sought, WireError> {
        let may_wait = self.waits_since.is_none_or(|since| now.saturating_sub(since) < patience);
        let is_asked = |short| may_wait && is_asked(short);
        let waits = |short| is_asked(short) && find(short).is_none();
        if self.is_owed() || self.waits_for.is_some_and(waits) {
            return Ok(Sought::Wait);
        }
        let places = self.names.iter_mut().zip(self.sketch.short());
        places.filter(|(name, _)| name.is_none()).for_each(|(name, short)| *name = find(*short));
        let Some(names) = self.names.iter().copied().collect::<Option<Vec<ChunkId>>>() else {
            return Ok(self.ask(is_asked, now));
        };
        match self.sketch.name(&names) {
            Some(records) => Ok(Sought::Named(records)),
            None if self.is_told => {
                Err(WireError::Unexpected("names that are not what it offered"))
            }
            None => {
                // A short name fits another piece as well, or somebody lied about one.
                self.is_told = true;
                self.names.fill(None);
                self.owed = (0..names.len()).collect();
                Ok(Sought::Ask(self.owed.clone()))
            }
        }
    }

    /// Each missing name is asked for once, and not while another host is.
    fn ask(&mut self, is_asked: impl Fn(ShortId) -> bool, now: Duration) -> Sought {
        let (mut seen, short) = (HashSet::new(), self.sketch.short());
        let missing = (0..short.len()).filter(|place| self.names[*place].is_none());
        let (others, own): (Vec<usize>, Vec<usize>) =
            missing.filter(|place| seen.insert(short[*place])).partition(|at| is_asked(short[*at]));
        self.waits_for = others.first().map(|place| short[*place]);
        self.waits_since = self.waits_since.or(self.waits_for.map(|_| now));
        self.owed.clone_from(&own);
        if own.is_empty() { Sought::Wait } else { Sought::Ask(own) }
    }

    /// The host says names that it was asked for.
    fn told(&mut self, told: &[ChunkId]) -> Result<(), WireError> {
        let owed = std::mem::take(&mut self.owed);
        let short = self.sketch.short();
        let is_asked = |(place, name): (&usize, &ChunkId)| short[*place] == name.short();
        if owed.is_empty() || owed.len() != told.len() || !owed.iter().zip(told).all(is_asked) {
            return Err(WireError::Unexpected("names that were not asked for"));
        }
        owed.iter().zip(told).for_each(|(place, name)| self.names[*place] = Some(*name));
        // The same piece further on.
        let told: HashMap<ShortId, ChunkId> =
            told.iter().map(|name| (name.short(), *name)).collect();
        let places = self.names.iter_mut().zip(short).filter(|(name, _)| name.is_none());
        places.for_each(|(name, short)| *name = told.get(short).copied());
        Ok(())
    }
}

impl Coordinator {
    /// Finds names for what a host offered briefly, or asks for them.
    ///
    /// Whose records wait for the disk is asked no more than it takes to go on: the answers come
    /// behind whatever else it has to offer.
    pub(super) fn seek_names(&mut self, id: SessionId, known: &dyn Known) -> Result<(), WireError> {
        let Some(session) = self.sessions.get_mut(&id) else {
            return Ok(());
        };
        let is_full = session.held_bytes() > self.limits.held_bytes;
        let is_ending = self.draining.or(session.resting).is_some();
        if is_ending || is_full && session.is_committing() {
            return Ok(());
        }
        let (now, patience) = (self.now, self.limits.claim_patience);
        let tenant = session.tenant();
        for number in session.offers.unnamed() {
            let Some(unnamed) = session.offers.unnamed_mut(number) else { continue };
            let names = &self.names;
            let find = |short| names.find(short, tenant, known);
            let is_asked = |short| names.is_asked((short, tenant), now, patience);
            let sought = unnamed.seek(find, is_asked, (now, patience))?;
            match sought {
                Sought::Named(records) => {
                    self.names.note(&records, tenant);
                    session.offers.named(number, records);
                }
                Sought::Ask(places) => {
                    let mut bits = vec![false; unnamed.names.len()];
                    for place in places {
                        bits[place] = true;
                        self.names.asked.insert(unnamed.sketch.short()[place], (now, tenant));
                    }
                    let (count, asked) = (bits.len() as u32, pack_bits(&bits));
                    let question = ToAgent::AskNames { offer: number, count, asked };
                    self.out.push(Command::Send(id, question));
                }
                Sought::Wait => {}
            }
            if is_full {
                break;
            }
        }
        Ok(())
    }

    /// A host says whole names.
    pub(super) fn names_said(
        &mut self,
        id: SessionId,
        offer: u64,
        names: &[ChunkId],
    ) -> Result<(), WireError> {
        let Some(session) = self.sessions.get_mut(&id) else {
            return Ok(());
        };
        let unnamed = session.offers.unnamed_mut(offer);
        unnamed.ok_or(WireError::Unexpected("names that were not asked for"))?.told(names)?;
        for name in names {
            self.names.asked.remove(&name.short());
        }
        Ok(())
    }
}
