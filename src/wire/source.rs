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

/// What was answered counts for half when so many more pieces were.
const LATELY_PIECES: u32 = 1_024;

/// Offers on their way.
#[derive(Debug, Default)]
pub struct Source {
    next_offer: u64,
    waiting: VecDeque<Waiting>,
    /// Pieces that were answered lately, and how many of them were wanted.
    lately: (u32, u32),
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    answered: u32,
    /// How many whole names were asked for.
    asked: usize,
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
            let pieces = pieces.into();
            self.waiting.push_back(Waiting { number, answered: 0, asked: 0, pieces });
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
        let (all, wanted) = &mut self.lately;
        (*all, *wanted) = (*all + count, *wanted + answered.wanted.len() as u32);
        if *all > LATELY_PIECES {
            (*all, *wanted) = (*all / 2, *wanted / 2);
        }
        if waiting.pieces.is_empty() {
            self.waiting.pop_front();
        }
        Ok(answered)
    }

    /// Do short names cost less than whole ones? They do until three pieces of four are wanted and
    /// have to be named as well. So it begins.
    pub fn is_partly_known(&self) -> bool {
        self.lately.1 <= self.lately.0 / 4 * 3
    }

    /// Whole names of pieces that were offered with short ones, before any answer. Each may be
    /// asked for twice: where nobody knows it, and where the digest shows that one was mistaken.
    pub fn names(
        &mut self,
        offer: u64,
        count: u32,
        asked: &[u8],
    ) -> Result<Vec<ChunkId>, WireError> {
        let wrong = WireError::Unexpected("a question about what was not offered");
        let Ok(at) = self.waiting.binary_search_by_key(&offer, |waiting| waiting.number) else {
            return Err(wrong);
        };
        let waiting = &mut self.waiting[at];
        let is_asked = |number: usize| asked[number / 8] >> (number % 8) & 1 == 1;
        let fits = waiting.answered == 0
            && count as usize == waiting.pieces.len()
            && asked.len() == waiting.pieces.len().div_ceil(8);
        if !fits {
            return Err(wrong);
        }
        let pieces = waiting.pieces.iter().enumerate();
        let names: Vec<_> = pieces.filter(|(at, _)| is_asked(*at)).map(|(_, it)| it.id).collect();
        waiting.asked += names.len();
        if waiting.asked > 2 * waiting.pieces.len() { Err(wrong) } else { Ok(names) }
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

    #[test]
    fn names_are_said_before_any_answer_and_twice_at_most() {
        let mut source = Source::default();
        assert_eq!(source.offer((1..=3).map(piece).collect()), 0);
        assert_eq!(source.offer((4..=5).map(piece).collect()), 1);
        for (offer, count, asked) in [(2, 1, &[1][..]), (0, 4, &[1]), (0, 2, &[1]), (0, 3, &[])] {
            assert!(source.names(offer, count, asked).is_err(), "{offer} {count} {asked:?}");
        }
        assert_eq!(source.names(1, 2, &[0b10]).unwrap(), [piece(5).id]);
        assert_eq!(source.names(0, 3, &[0b111]).unwrap(), [1, 2, 3].map(|n| piece(n).id));
        assert_eq!(source.names(0, 3, &[0b111]).unwrap().len(), 3);
        assert!(source.names(0, 3, &[1]).is_err());
        source.answer(0, 0, 3, &[0]).unwrap();
        source.answer(1, 0, 1, &[0]).unwrap();
        assert!(source.names(0, 3, &[1]).is_err());
        assert!(source.names(1, 2, &[1]).is_err());
    }

    #[test]
    fn short_names_are_for_what_is_partly_known() {
        let mut source = Source::default();
        assert!(source.is_partly_known());
        let mut answer = |wanted: u8| {
            let number = source.offer((1..=8).map(piece).collect());
            source.answer(number, 0, 8, &[wanted]).unwrap();
            source.is_partly_known()
        };
        assert!(!answer(0xff));
        assert!(answer(0));
        assert!((0..100).filter(|_| answer(0xff)).count() < 5);
        assert!(!answer(0));
        // What was long ago does not count for ever.
        assert_eq!((0..1_000).find(|_| answer(0)).map(|rounds| rounds < 130), Some(true));
    }
}
