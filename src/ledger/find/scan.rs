//! Looks for words in the names of everybody, in one pass over the text.

use crate::ledger::find::Fit;
use crate::ledger::find::names::{Kind, Names, SPELLING};
use crate::ledger::find::query::{Needle, Net, Phone, Word};
use crate::ledger::find::slip::Typed;

/// What knowing a domain but not how it ends costs more than a slip.
const WITHOUT_END: u8 = 6;
/// Fewer digits of a telephone number are in many.
const PHONE_PART_MIN: usize = 6;

/// How well a word fits a customer, and where; the less the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Score {
    pub fit: Fit,
    pub cost: u8,
    /// Offset of what fits.
    pub at: u32,
}

/// Of one word, for every customer.
pub(super) type Scores = Vec<Option<Score>>;

/// The customer whose block an offset lies in, for offsets that only grow.
struct Place<'a> {
    names: &'a Names,
    customer: usize,
}

impl Place<'_> {
    fn of(&mut self, at: usize) -> usize {
        let blocks = &self.names.blocks;
        while blocks.get(self.customer + 1).is_some_and(|next| next.start as usize <= at) {
            self.customer += 1;
        }
        self.customer
    }
}

/// Keeps the better of two.
fn put(scores: &mut Scores, customer: usize, score: Score) {
    let known = &mut scores[customer];
    if known.is_none_or(|known| score < known) {
        *known = Some(score);
    }
}

/// Where `word` stands as it was typed. `alone`: is it all that was typed?
pub(super) fn literal(names: &Names, word: &Word, alone: bool) -> Scores {
    let mut scores = vec![None; names.customers()];
    for needle in &word.needles {
        match needle {
            Needle::Net(net) => in_net(names, *net, &mut scores),
            needle => in_lines(names, needle, alone, &mut scores),
        }
    }
    scores
}

fn in_lines(names: &Names, needle: &Needle, alone: bool, scores: &mut Scores) {
    let text = match needle {
        Needle::Text(text) | Needle::NotMail(text) => text,
        Needle::Parent(text) | Needle::Address(text) => text,
        Needle::Phone(phone) => &phone.digits,
        Needle::Net(_) => return,
    };
    if text.is_empty() {
        return;
    }
    let (mut place, lines) = (Place { names, customer: 0 }, names.lines.as_bytes());
    for at in memchr::memmem::find_iter(lines, text.as_bytes()) {
        let hit = Hit { lines, at, end: at + text.len() };
        let Some((fit, cost)) = hit.fit(needle, alone) else { continue };
        let customer = place.of(at);
        put(scores, customer, Score { fit, cost, at: at as u32 });
    }
}

fn in_net(names: &Names, net: Net, scores: &mut Scores) {
    for_each_line(names, |customer, kind, at, line| {
        if kind == Kind::Address || line.contains(['.', ':']) {
            let is_in = line.parse().is_ok_and(|address| net.contains(&address));
            if is_in {
                put(scores, customer, Score { fit: Fit::Part, cost: 0, at });
            }
        }
    });
}

/// Calls with customer, kind, offset and text of every line.
fn for_each_line<'a>(names: &'a Names, mut call: impl FnMut(usize, Kind, u32, &'a str)) {
    let (mut place, mut at, mut kind) = (Place { names, customer: 0 }, 0, Kind::Id);
    for line in names.lines.split_inclusive('\n') {
        let mark = line.as_bytes()[0];
        kind = Kind::of_mark(mark).unwrap_or(kind);
        let text = line[1..].trim_end_matches('\n');
        if !text.is_empty() {
            call(place.of(at), kind, (at + 1) as u32, text);
        }
        at += line.len();
    }
}

/// A place where a needle stands.
struct Hit<'a> {
    lines: &'a [u8],
    at: usize,
    end: usize,
}

impl Hit<'_> {
    fn fit(&self, needle: &Needle, alone: bool) -> Option<(Fit, u8)> {
        let (kind, start) = self.line()?;
        let begins = self.at == start;
        let ends = self.lines.get(self.end) == Some(&b'\n');
        let is_address = || self.rest().iter().any(|byte| matches!(byte, b'.' | b':'));
        let shared = u8::from(kind.is_shared());
        match needle {
            Needle::Phone(phone) => {
                (kind == Kind::Phone).then(|| self.phone(phone, self.at - start, ends))?
            }
            Needle::Address(_) => match (begins, ends) {
                (true, true) => Some((Fit::Exact, shared)),
                (true, false) => Some((Fit::Prefix, shared)),
                _ => None,
            },
            Needle::Parent(_) => {
                (kind == Kind::Domain && begins && ends).then_some((Fit::Beneath, 0))
            }
            Needle::NotMail(_) if kind == Kind::Mail => None,
            Needle::Text(_) | Needle::NotMail(_) => {
                let (fit, cost) = self.words(begins, ends, alone)?;
                let is_digits = kind == Kind::Phone && !begins;
                (!is_digits && !is_address()).then_some((fit, cost + shared))
            }
            Needle::Net(_) => None,
        }
    }

    fn words(&self, begins: bool, ends: bool, alone: bool) -> Option<(Fit, u8)> {
        let at_word = begins || self.lines[self.at - 1] == b' ';
        let to_word = ends || self.lines.get(self.end) == Some(&b' ');
        let is_letter = std::str::from_utf8(&self.lines[self.at..self.end])
            .is_ok_and(|text| text.chars().nth(1).is_none());
        // One letter is in everything.
        let is_enough = !is_letter || (begins && ends) || (at_word && !alone);
        is_enough.then_some(match (begins, at_word, to_word) {
            (true, _, _) if ends => (Fit::Exact, 0),
            (true, _, true) => (Fit::Prefix, 0),
            (true, _, false) => (Fit::Prefix, 2),
            (false, true, true) => (Fit::Part, 0),
            (false, true, false) => (Fit::Part, 2),
            (false, false, _) => (Fit::Part, 4),
        })
    }

    fn phone(&self, phone: &Phone, missing: usize, ends: bool) -> Option<(Fit, u8)> {
        // Zero at the start of a number that is kept without its country.
        let missing = missing - usize::from(missing == 1 && self.lines[self.at - 1] == b'0');
        match ends {
            true if missing <= phone.missing_max => Some((Fit::Exact, 0)),
            true if phone.digits.len() >= PHONE_PART_MIN => Some((Fit::Part, 0)),
            false if phone.digits.len() >= PHONE_PART_MIN => Some((Fit::Part, 4)),
            _ => None,
        }
    }

    /// Of which kind the name is, and where this spelling of it begins.
    fn line(&self) -> Option<(Kind, usize)> {
        let back = |from: usize, is_it: &dyn Fn(u8) -> bool| {
            self.lines[..from].iter().rposition(|byte| is_it(*byte))
        };
        let is_mark = |byte: u8| Kind::of_mark(byte).is_some();
        let start = back(self.at, &|byte| byte == SPELLING as u8 || is_mark(byte))?;
        let mark = if self.lines[start] == SPELLING as u8 { back(start, &is_mark)? } else { start };
        Some((Kind::of_mark(self.lines[mark])?, start + 1))
    }

    /// What comes after it on its line, and itself.
    fn rest(&self) -> &[u8] {
        let rest = &self.lines[self.at..];
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        &rest[..end]
    }
}

/// Adds to `scores`, one for each of `words`, where something stands that was slipped from.
pub(super) fn slips(names: &Names, words: &[Word], scores: &mut [Scores]) {
    let letters = words.iter().enumerate().map(|(word, it)| (word, it.letters.as_str(), 0));
    let bases = words.iter().enumerate().filter_map(|(word, it)| {
        let base = it.base.as_deref()?;
        (base != it.letters).then_some((word, base, WITHOUT_END))
    });
    let typed: Vec<(usize, Typed<'_>, u8)> = letters
        .chain(bases)
        .filter_map(|(word, text, cost)| Some((word, Typed::new(text)?, cost)))
        .collect();
    if typed.is_empty() {
        return;
    }
    let mut place = Place { names, customer: 0 };
    for_each_word(names.lines.as_bytes(), |kind, at, part| {
        for (word, typed, more) in &typed {
            if let Some(cost) = typed.cost(part) {
                let cost = cost + more + u8::from(kind.is_shared());
                let score = Score { fit: Fit::Typo, cost, at: at as u32 };
                put(&mut scores[*word], place.of(at), score);
            }
        }
    });
}

/// Calls with kind, offset and bytes of every word, but of those in which nobody's finger slips:
/// addresses and telephone numbers, and mail addresses, whose domains are often half the fleet's.
fn for_each_word<'a>(lines: &'a [u8], mut call: impl FnMut(Kind, usize, &'a [u8])) {
    let mut kind = Kind::Id;
    let (mut start, mut is_word) = (0, false);
    for (at, byte) in lines.iter().copied().enumerate() {
        match byte {
            b' ' | b'\n' => {
                if is_word && at > start {
                    call(kind, start, &lines[start..at]);
                }
                (start, is_word) = (at + 1, is_word && byte == b' ');
            }
            b'.' | b':' => is_word = false,
            0..b' ' => {
                kind = Kind::of_mark(byte).unwrap_or(kind);
                is_word = !matches!(kind, Kind::Phone | Kind::Mail | Kind::Address);
                start = at + 1;
            }
            _ => {}
        }
    }
}
