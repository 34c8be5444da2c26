//! Looks for words in the names of everybody: in one pass over the text, a few customers at a time
//! with all that is sought, so that their names are read from memory once; on several processors
//! where there are that many customers.

use std::num::NonZero;
use std::sync::{Mutex, PoisonError};
use std::{iter, thread};

use memchr::memchr;

use crate::ledger::find::Fit;
use crate::ledger::find::literal::Sought;
use crate::ledger::find::names::{Block, Kind, Names};
use crate::ledger::find::query::Word;
use crate::ledger::find::slip::{Sieve, Work};

/// What knowing a domain but not how it ends costs more than a slip.
const WITHOUT_END: u8 = 6;
/// Customers whose names are looked through at a time: about as much as a processor keeps near.
const PART_CUSTOMERS: usize = 256;
/// All spellings of a name have fewer bytes, but in a file that somebody made to be slow.
const NAME_BYTES_MAX: usize = 8 << 10;
/// A thread for fewer customers is not worth its start.
const THREAD_CUSTOMERS: usize = 8 * PART_CUSTOMERS;
/// More threads than this would take the machine from the run.
const THREADS_MAX: usize = 4;

/// How well a word fits a customer, and where; the less the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Score {
    pub fit: Fit,
    pub cost: u8,
    /// Offset of what fits.
    pub at: u32,
}

/// A row for each customer: how well each word fits him.
pub(super) struct Scores {
    rows: Vec<Option<Score>>,
    words: usize,
}

impl Scores {
    /// Nothing fits anybody yet.
    pub fn new(names: &Names, words: &[Word]) -> Self {
        Self { rows: vec![None; names.customers() * words.len()], words: words.len() }
    }

    /// Of every customer, in order.
    pub fn rows(&self) -> impl Iterator<Item = &[Option<Score>]> {
        self.rows.chunks_exact(self.words.max(1))
    }

    /// Of one.
    pub fn of(&self, customer: usize) -> &[Option<Score>] {
        &self.rows[customer * self.words..][..self.words]
    }
}

/// Some customers that follow one another, with the scores of each.
pub(super) struct Part<'a> {
    /// Everybody's lines.
    pub lines: &'a [u8],
    /// Where theirs begin and end.
    pub start: usize,
    pub end: usize,
    blocks: &'a [Block],
    rows: &'a mut [Option<Score>],
    words: usize,
    customer: usize,
}

impl Part<'_> {
    /// What is known of `word` and the customer whose line is at `at`; offsets only grow from
    /// [`Self::rewind`] on.
    pub fn score(&mut self, word: usize, at: usize) -> &mut Option<Score> {
        while self.blocks.get(self.customer + 1).is_some_and(|next| next.start as usize <= at) {
            self.customer += 1;
        }
        &mut self.rows[self.customer * self.words + word]
    }

    /// Goes back to the first customer.
    pub fn rewind(&mut self) {
        self.customer = 0;
    }
}

/// Keeps the better of two.
pub(super) fn put(known: &mut Option<Score>, score: Score) {
    if known.is_none_or(|known| score < known) {
        *known = Some(score);
    }
}

/// Adds to `scores` where `words` stand as they were typed. `alone`: is it all that was typed?
pub(super) fn literals(names: &Names, words: &[Word], alone: bool, scores: &mut Scores) {
    let sought = words.iter().enumerate();
    let sought: Vec<Sought<'_>> = sought
        .flat_map(|(word, it)| it.needles.iter().map(move |needle| (word, needle)))
        .filter_map(|(word, needle)| Sought::new(word, needle, alone))
        .collect();
    in_parts(names, scores, |part| {
        for one in &sought {
            part.rewind();
            one.seek(part);
        }
    });
}

/// Adds to `scores` where something stands that `words` were slipped from.
pub(super) fn slips(names: &Names, words: &[Word], scores: &mut Scores) -> Work {
    let letters = words.iter().enumerate().map(|(word, it)| (word, it.letters.as_str(), 0));
    let bases = words.iter().enumerate().filter_map(|(word, it)| {
        let base = it.base.as_deref()?;
        (base != it.letters).then_some((word, base, WITHOUT_END))
    });
    let sieve = Sieve::new(letters.chain(bases));
    if sieve.is_empty() {
        return Work::default();
    }
    let works = in_parts(names, scores, |part| {
        let mut work = Work::default();
        let lines = part.lines;
        for_each_word(lines, part.start, part.end, |at, word| {
            sieve.costs(word, &mut work, |typed, cost| {
                if let Some(kind) = kind_of_word(lines, at, word) {
                    let cost = cost + u8::from(kind.is_shared());
                    put(part.score(typed, at), Score { fit: Fit::Typo, cost, at: at as u32 });
                }
            });
        });
        work
    });
    works.into_iter().fold(Work::default(), Work::and)
}

/// Calls `work` with all parts, and returns what it answered.
fn in_parts<T: Send>(
    names: &Names,
    scores: &mut Scores,
    work: impl Fn(&mut Part<'_>) -> T + Sync,
) -> Vec<T> {
    let (words, customers) = (scores.words, names.customers());
    if words == 0 || customers == 0 {
        return Vec::new();
    }
    let threads = match customers / THREAD_CUSTOMERS {
        0 | 1 => 1,
        worth => thread::available_parallelism().map_or(1, NonZero::get).min(worth),
    };
    let parts = Mutex::new(scores.rows.chunks_mut(PART_CUSTOMERS * words).enumerate());
    let take_part = || parts.lock().unwrap_or_else(PoisonError::into_inner).next();
    let drain = || -> Vec<T> {
        iter::from_fn(take_part)
            .map(|(place, rows)| work(&mut part(names, place * PART_CUSTOMERS, rows, words)))
            .collect()
    };
    thread::scope(|scope| {
        // Where no thread is to be had, this one does the work of all.
        let others: Vec<_> = (1..threads.min(THREADS_MAX))
            .filter_map(|_| thread::Builder::new().spawn_scoped(scope, drain).ok())
            .collect();
        let mut done = drain();
        for other in others {
            match other.join() {
                Ok(more) => done.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    })
}

fn part<'a>(
    names: &'a Names,
    first: usize,
    rows: &'a mut [Option<Score>],
    words: usize,
) -> Part<'a> {
    let lines = names.lines.as_bytes();
    let blocks = &names.blocks[first..];
    let (blocks, rest) = blocks.split_at(rows.len() / words);
    let start = blocks.first().map_or(lines.len(), |block| block.start as usize);
    let end = rest.first().map_or(lines.len(), |block| block.start as usize);
    Part { lines, start, end, blocks, rows, words, customer: 0 }
}

/// Calls with offset and bytes of every word between `start` and `end`, but of those in which
/// nobody's finger slips: mail addresses, whose domains are often half the fleet's, telephone
/// numbers, and addresses.
fn for_each_word(lines: &[u8], start: usize, end: usize, mut call: impl FnMut(usize, &[u8])) {
    let (lines, mut at) = (&lines[..end], start);
    while at < end {
        let stop = at + word_bytes(&lines[at..]);
        if stop > at {
            call(at, &lines[at..stop]);
        }
        let skips = lines.get(stop).is_some_and(|mark| never_slips(*mark));
        let line = if skips { memchr(b'\n', &lines[stop..]).unwrap_or(end) } else { 0 };
        at = stop + line + 1;
    }
}

fn never_slips(mark: u8) -> bool {
    matches!(Kind::of_mark(mark), Some(Kind::Phone | Kind::Mail | Kind::Address))
}

/// How many bytes stand before the next blank, mark or end; eight are looked at in one step.
fn word_bytes(text: &[u8]) -> usize {
    const EACH: u64 = u64::MAX / 255;
    const HIGH: u64 = EACH << 7;
    let mut at = 0;
    while let Some(Ok(eight)) = text.get(at..at + 8).map(<[u8; 8]>::try_from) {
        let eight = u64::from_le_bytes(eight);
        // The lowest bit that is set is exact: bytes up to the blank borrow from their high bit.
        let small = eight.wrapping_sub(EACH * (u64::from(b' ') + 1)) & !eight & HIGH;
        if small != 0 {
            return at + small.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = text[at..].iter().position(|byte| *byte <= b' ');
    rest.map_or(text.len(), |found| at + found)
}

/// Of which kind the name is in which `word` stands; `None` for what has dots or colons, up to its
/// end: that is an address.
fn kind_of_word(lines: &[u8], at: usize, word: &[u8]) -> Option<Kind> {
    let (kind, start) = line(lines, at)?;
    let is_address = lines[start..at + word.len()].iter().any(|byte| matches!(byte, b'.' | b':'));
    (!is_address).then_some(kind)
}

/// Of which kind the name is that `at` is in, and where this spelling of it begins.
pub(super) fn line(lines: &[u8], at: usize) -> Option<(Kind, usize)> {
    let first = at.saturating_sub(NAME_BYTES_MAX);
    let back = &lines[first..at];
    let start = back.iter().rposition(|byte| *byte < b' ')?;
    let kind = back[..=start].iter().rev().find_map(|byte| Kind::of_mark(*byte))?;
    Some((kind, first + start + 1))
}
