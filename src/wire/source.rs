//! The agent's end of a capture, pure: what was offered and is held until it is answered.
//!
//! **Invariant.** A piece is held from its offer until its answer, in memory and once; a piece that
//! was not wanted is gone at once. What is held is counted, so that whoever reads files can wait.

use std::collections::VecDeque;

use crate::model::ChunkId;
use crate::wire::WireError;
use crate::wire::content::Content;

/// A named piece of content and its bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its name.
    pub id: ChunkId,
    /// Its bytes.
    pub bytes: Content,
}

/// Offers on their way.
#[derive(Debug, Default)]
pub struct Source {
    next_offer: u64,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    answered: u32,
    pieces: VecDeque<Piece>,
}

/// What an answer freed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answered {
    /// To be sent, in order.
    pub wanted: Vec<Piece>,
    /// Bytes of pieces that nobody wants.
    pub dropped_bytes: u64,
}

impl Source {
    /// Takes the pieces of the next offer and returns its number.
    pub fn offer(&mut self, pieces: Vec<Piece>) -> u64 {
        let number = self.next_offer;
        self.next_offer += 1;
        if !pieces.is_empty() {
            self.waiting.push_back(Waiting { number, answered: 0, pieces: pieces.into() });
        }
        number
    }

    /// Offers made so far.
    pub fn offer_count(&self) -> u64 {
        self.next_offer
    }

    /// Takes the landing site's answer; it must fit the oldest unanswered pieces.
    pub fn answer(
        &mut self,
        offer: u64,
        from: u32,
        count: u32,
        wanted: &[u8],
    ) -> Result<Answered, WireError> {
        let wrong = WireError::Unexpected("an answer to what was not offered");
        let Some(waiting) = self.waiting.front_mut() else {
            return Err(wrong);
        };
        let fits = waiting.number == offer
            && waiting.answered == from
            && count as usize <= waiting.pieces.len()
            && wanted.len() == (count as usize).div_ceil(8);
        if !fits {
            return Err(wrong);
        }
        let mut answered = Answered::default();
        for (number, piece) in waiting.pieces.drain(..count as usize).enumerate() {
            if wanted[number / 8] >> (number % 8) & 1 == 1 {
                answered.wanted.push(piece);
            } else {
                answered.dropped_bytes += piece.bytes.len() as u64;
            }
        }
        waiting.answered += count;
        if waiting.pieces.is_empty() {
            self.waiting.pop_front();
        }
        Ok(answered)
    }

    /// Is everything offered answered?
    pub fn is_answered(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(n: u8) -> Piece {
        Piece { id: ChunkId([n; 32]), bytes: vec![n; usize::from(n)].into() }
    }

    #[test]
    fn answers_may_come_in_parts_but_only_in_order() {
        let mut source = Source::default();
        assert_eq!(source.offer(vec![]), 0);
        assert_eq!(source.offer((1..=10).map(piece).collect()), 1);
        assert!(source.answer(0, 0, 0, &[]).is_err());
        assert!(source.answer(1, 1, 1, &[0]).is_err());
        assert!(source.answer(1, 0, 11, &[0, 0]).is_err());
        assert!(source.answer(1, 0, 3, &[]).is_err());
        let first = source.answer(1, 0, 3, &[0b101]).unwrap();
        assert_eq!(first.wanted, [piece(1), piece(3)]);
        assert_eq!(first.dropped_bytes, 2);
        let rest = source.answer(1, 3, 7, &[0]).unwrap();
        assert_eq!(rest.wanted, []);
        assert!(source.is_answered());
        assert!(source.answer(1, 10, 0, &[]).is_err());
    }
}
