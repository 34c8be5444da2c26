//! Who is sending which piece, and who waits for it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

use crate::model::ChunkId;
use crate::run::coordinator::SessionId;

/// A claim that is not overdue yet is looked at again after this long, or when it will be.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

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
    /// Stands in [`Claims::contested`].
    is_watched: bool,
}

impl Claim {
    /// Does somebody else than the holder wait?
    fn is_contested(&self) -> bool {
        self.waiters.iter().any(|waiter| Some(waiter.session) != self.holder)
    }
}

/// All pieces on their way.
#[derive(Debug, Default)]
pub(super) struct Claims {
    by_id: HashMap<ChunkId, Claim>,
    /// Pieces for which others than the holder wait, by when they are looked at next. Most are in
    /// the store before that, and are passed over then.
    contested: BinaryHeap<Reverse<(Duration, ChunkId)>>,
}

impl Claims {
    pub(super) fn get(&self, id: &ChunkId) -> Option<&Claim> {
        self.by_id.get(id)
    }

    pub(super) fn get_mut(&mut self, id: &ChunkId) -> Option<&mut Claim> {
        self.by_id.get_mut(id)
    }

    /// `waiter` is asked for a piece; it holds the claim if nobody else does.
    pub(super) fn begin(&mut self, id: ChunkId, waiter: Waiter, now: Duration) {
        let claim = self.by_id.entry(id).or_insert_with(|| Claim {
            holder: None,
            asked_at: now,
            has_arrived: false,
            waiters: Vec::new(),
            is_watched: false,
        });
        claim.holder.get_or_insert(waiter.session);
        claim.waiters.push(waiter);
    }

    /// Has `waiter` wait for a piece that somebody sends; false if nobody does.
    pub(super) fn wait(&mut self, id: &ChunkId, waiter: Waiter, patience: Duration) -> bool {
        let Some(claim) = self.by_id.get_mut(id) else {
            return false;
        };
        claim.waiters.push(waiter);
        self.watch(*id, patience);
        true
    }

    /// Looks at a piece again after `patience`, if others than its holder wait for it.
    pub(super) fn watch(&mut self, id: ChunkId, patience: Duration) {
        if let Some(claim) = self.by_id.get_mut(&id)
            && !claim.is_watched
            && claim.is_contested()
        {
            claim.is_watched = true;
            self.contested.push(Reverse((claim.asked_at + patience, id)));
        }
    }

    pub(super) fn remove(&mut self, id: &ChunkId) -> Option<Claim> {
        self.by_id.remove(id)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Removes an ended session from `pieces`, which are all that it was asked or waits for;
    /// returns those that lost their holder and have others waiting. Pieces that nobody else needs
    /// are forgotten.
    pub(super) fn forget_session(
        &mut self,
        session: SessionId,
        mut pieces: Vec<ChunkId>,
    ) -> Vec<ChunkId> {
        pieces.sort_unstable();
        pieces.dedup();
        pieces.retain(|id| {
            let Some(claim) = self.by_id.get_mut(id) else {
                return false;
            };
            claim.waiters.retain(|waiter| waiter.session != session);
            if claim.has_arrived {
                return false;
            }
            if claim.holder == Some(session) {
                claim.holder = None;
            }
            if claim.waiters.is_empty() && claim.holder.is_none() {
                self.by_id.remove(id);
                return false;
            }
            claim.holder.is_none()
        });
        pieces
    }

    /// Pieces whose holder takes longer than `patience` allows, each with somebody else to ask.
    pub(super) fn overdue(
        &mut self,
        now: Duration,
        patience: impl Fn(SessionId) -> Duration,
    ) -> Vec<ChunkId> {
        let (mut ids, mut again) = (Vec::new(), Vec::new());
        while self.contested.peek().is_some_and(|Reverse((due, _))| *due <= now) {
            let Some(Reverse((_, id))) = self.contested.pop() else {
                break;
            };
            let Some(claim) = self.by_id.get_mut(&id) else {
                continue;
            };
            claim.is_watched = !claim.has_arrived && claim.is_contested();
            let Some(holder) = claim.holder.filter(|_| claim.is_watched) else {
                claim.is_watched = false;
                continue;
            };
            let patience = patience(holder);
            if now > claim.asked_at + patience {
                claim.asked_at = now;
                ids.push(id);
            }
            let due = (claim.asked_at + patience).min(now + LOOK_AGAIN);
            again.push(Reverse((due, id)));
        }
        self.contested.extend(again);
        ids.sort_unstable();
        ids
    }
}
