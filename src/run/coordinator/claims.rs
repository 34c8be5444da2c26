//! Who is sending which piece, and who waits for it.

use std::collections::HashMap;
use std::time::Duration;

use crate::model::ChunkId;
use crate::run::coordinator::SessionId;

/// A record of some offer that waits for a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waiter {
    pub(super) session: SessionId,
    pub(super) offer: u64,
    /// Index of the record in its offer.
    pub(super) record: usize,
}

/// A piece on its way.
#[derive(Debug)]
pub(super) struct Claim {
    /// Who was asked first and still lives; `None` once it ended and nobody inherited.
    pub(super) holder: Option<SessionId>,
    /// When somebody was last asked for it.
    pub(super) asked_at: Duration,
    /// It was received and is being appended.
    pub(super) has_arrived: bool,
    /// Records that need it, oldest first; the holder's own among them.
    pub(super) waiters: Vec<Waiter>,
}

/// All pieces on their way.
#[derive(Debug, Default)]
pub(super) struct Claims {
    by_id: HashMap<ChunkId, Claim>,
}

impl Claims {
    pub(super) fn get_mut(&mut self, id: &ChunkId) -> Option<&mut Claim> {
        self.by_id.get_mut(id)
    }

    pub(super) fn insert(&mut self, id: ChunkId, claim: Claim) {
        self.by_id.insert(id, claim);
    }

    pub(super) fn remove(&mut self, id: &ChunkId) -> Option<Claim> {
        self.by_id.remove(id)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Removes an ended session from everywhere; returns the pieces that lost their holder and
    /// have others waiting. Pieces that nobody else needs are forgotten.
    pub(super) fn forget_session(&mut self, session: SessionId) -> Vec<ChunkId> {
        let mut orphans = Vec::new();
        self.by_id.retain(|id, claim| {
            claim.waiters.retain(|waiter| waiter.session != session);
            if claim.holder == Some(session) && !claim.has_arrived {
                claim.holder = None;
            }
            if claim.has_arrived {
                return true;
            }
            if claim.waiters.is_empty() && claim.holder.is_none() {
                return false;
            }
            if claim.holder.is_none() {
                orphans.push(*id);
            }
            true
        });
        orphans.sort_unstable();
        orphans
    }

    /// Pieces whose holder takes longer than `patience` allows, each with somebody else to ask.
    pub(super) fn overdue(
        &self,
        now: Duration,
        patience: impl Fn(SessionId) -> Duration,
    ) -> Vec<ChunkId> {
        let is_overdue = |claim: &Claim| {
            claim.holder.is_some_and(|holder| {
                !claim.has_arrived
                    && claim.waiters.iter().any(|waiter| waiter.session != holder)
                    && now.saturating_sub(claim.asked_at) > patience(holder)
            })
        };
        let mut ids: Vec<_> =
            self.by_id.iter().filter(|(_, claim)| is_overdue(claim)).map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids
    }
}
