//! Which piece to ask of whom.

use crate::model::ChunkId;
use crate::run::coordinator::claims::{Claim, Waiter};
use crate::run::coordinator::{Command, Coordinator, Known, SessionId, piece_of};
use crate::wire::ToAgent;

/// What is known of one piece when its turn comes.
enum Verdict {
    /// In the store: nothing crosses.
    Known,
    /// On its way from somebody: wait.
    Awaited,
    /// Nobody has it: ask for it.
    Wanted,
    /// It does not fit the window now.
    Later,
}

impl Coordinator {
    /// Answers as much of what `id` offered as its window allows.
    pub(super) fn decide(&mut self, id: SessionId, known: &dyn Known) {
        let Some(session) = self.sessions.get(&id) else {
            return;
        };
        let waiting = session.offers.iter().filter(|offer| offer.awaited > 0).count();
        if waiting > self.limits.offers_max || self.draining.is_some() {
            return;
        }
        let undecided: Vec<u64> = session
            .offers
            .iter()
            .filter(|offer| offer.decided < offer.pieces.len())
            .map(|offer| offer.number)
            .collect();
        for number in undecided {
            if !self.decide_offer(id, number, known) {
                break;
            }
        }
    }

    /// Answers one offer as far as the window goes; says whether it is answered whole.
    fn decide_offer(&mut self, id: SessionId, number: u64, known: &dyn Known) -> bool {
        let Some(offer) = self.sessions.get_mut(&id).and_then(|s| s.offer_mut(number)) else {
            return true;
        };
        let from = offer.decided;
        let pieces: Vec<(usize, ChunkId, u32)> = offer.pieces[from..]
            .iter()
            .filter_map(|at| piece_of(&offer.records[*at]).map(|(id, length)| (*at, id, length)))
            .collect();
        let mut bits: Vec<bool> = Vec::new();
        for (record, chunk, length) in &pieces {
            let waiter = Waiter { session: id, offer: number, record: *record };
            match self.verdict(id, chunk, *length, waiter, known) {
                Verdict::Later => break,
                verdict => {
                    bits.push(matches!(verdict, Verdict::Wanted));
                    self.note_decision(id, number, *length, &verdict);
                }
            }
        }
        if !bits.is_empty() {
            let answer = ToAgent::Answer {
                offer: number,
                from: from as u32,
                count: bits.len() as u32,
                wanted: pack_bits(&bits),
            };
            self.out.push(Command::Send(id, answer));
        }
        bits.len() == pieces.len()
    }

    fn verdict(
        &mut self,
        id: SessionId,
        chunk: &ChunkId,
        length: u32,
        waiter: Waiter,
        known: &dyn Known,
    ) -> Verdict {
        if let Some(claim) = self.claims.get_mut(chunk) {
            claim.waiters.push(waiter);
            return Verdict::Awaited;
        }
        if known.contains(chunk) {
            return Verdict::Known;
        }
        if !self.has_room(id, length) {
            return Verdict::Later;
        }
        let claim = Claim {
            holder: Some(id),
            asked_at: self.now,
            has_arrived: false,
            waiters: vec![waiter],
        };
        self.claims.insert(*chunk, claim);
        self.want(id, *chunk, length);
        Verdict::Wanted
    }

    /// May so much more be wanted of this host? One piece always may, or nothing would ever move.
    fn has_room(&self, id: SessionId, length: u32) -> bool {
        let Some(session) = self.sessions.get(&id) else {
            return false;
        };
        let length = u64::from(length);
        session.wanted_bytes == 0
            || (session.wanted_bytes + length <= session.window_bytes(&self.limits)
                && self.wanted_bytes + length <= self.limits.budget_bytes)
    }

    /// Books a piece that is asked of a host.
    pub(super) fn want(&mut self, id: SessionId, chunk: ChunkId, length: u32) {
        if let Some(session) = self.sessions.get_mut(&id)
            && session.wanted.insert(chunk, length).is_none()
        {
            session.wanted_bytes += u64::from(length);
            self.wanted_bytes += u64::from(length);
        }
    }

    fn note_decision(&mut self, id: SessionId, number: u64, length: u32, verdict: &Verdict) {
        let Some(offer) = self.sessions.get_mut(&id).and_then(|s| s.offer_mut(number)) else {
            return;
        };
        offer.decided += 1;
        match verdict {
            Verdict::Known | Verdict::Later => offer.reused_bytes += u64::from(length),
            Verdict::Awaited => {
                offer.reused_bytes += u64::from(length);
                offer.awaited += 1;
            }
            Verdict::Wanted => offer.awaited += 1,
        }
    }

    /// Answers whatever else fits now, for every host.
    pub(super) fn decide_all(&mut self, known: &dyn Known) {
        let ids: Vec<SessionId> = self.sessions.keys().copied().collect();
        for id in ids {
            self.decide(id, known);
            self.advance(id);
        }
    }
}

fn pack_bits(bits: &[bool]) -> serde_bytes::ByteBuf {
    let mut bytes = vec![0_u8; bits.len().div_ceil(8)];
    for (at, _) in bits.iter().enumerate().filter(|(_, bit)| **bit) {
        bytes[at / 8] |= 1 << (at % 8);
    }
    serde_bytes::ByteBuf::from(bytes)
}
