//! What stands somewhere as it was typed.

use memchr::memmem::Finder;
use memchr::{memchr, memchr2, memrchr};

use crate::ledger::find::Fit;
use crate::ledger::find::names::Kind;
use crate::ledger::find::query::{Needle, Net, Phone};
use crate::ledger::find::scan::{Part, Score, line, put};

/// Fewer digits of a telephone number are in many.
const PHONE_PART_MIN: usize = 6;

/// Something to look for, ready to be looked for in many names.
pub(super) struct Sought<'a> {
    word: usize,
    needle: &'a Needle,
    finder: Finder<'a>,
    /// Is it nothing but a letter?
    is_letter: bool,
    /// Is it all that was typed?
    alone: bool,
}

/// A place where a needle stands.
struct Hit<'a> {
    lines: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Sought<'a> {
    /// `None` for what is nothing.
    pub fn new(word: usize, needle: &'a Needle, alone: bool) -> Option<Self> {
        let text = match needle {
            Needle::Text(text) | Needle::NotMail(text) => text,
            Needle::Parent(text) | Needle::Address(text) => text,
            Needle::Phone(phone) => &phone.digits,
            Needle::Net(_) => "",
        };
        let is_something = !text.is_empty() || matches!(needle, Needle::Net(_));
        let is_letter = text.chars().nth(1).is_none();
        let finder = Finder::new(text.as_bytes());
        is_something.then_some(Self { word, needle, finder, is_letter, alone })
    }

    /// Keeps in `part` where it stands.
    pub fn seek(&self, part: &mut Part<'_>) {
        if let Needle::Net(net) = self.needle {
            return in_net(*net, self.word, part);
        }
        let (lines, start, length) = (part.lines, part.start, self.finder.needle().len());
        for at in self.finder.find_iter(&lines[start..part.end]) {
            let at = start + at;
            let hit = Hit { lines, at, end: at + length };
            // Most are seen to be no better than what is known by what stands beside them.
            let Some((fit, cost)) = self.best(&hit) else { continue };
            let known = part.score(self.word, at);
            let score = |cost| Score { fit, cost, at: at as u32 };
            if known.is_some_and(|known| known <= score(cost)) {
                continue;
            }
            if let Some((fit, cost)) = self.fit(&hit, (fit, cost)) {
                put(known, Score { fit, cost, at: at as u32 });
            }
        }
    }

    /// How well it fits at best.
    fn best(&self, hit: &Hit<'_>) -> Option<(Fit, u8)> {
        let (before, after) = (hit.before()?, hit.after());
        let (begins, ends) = (before < b' ', after == b'\n');
        match self.needle {
            Needle::Phone(_) => Some((Fit::Exact, 0)),
            Needle::Address(_) if begins => Some((if ends { Fit::Exact } else { Fit::Prefix }, 0)),
            Needle::Parent(_) if begins && ends => Some((Fit::Beneath, 0)),
            Needle::Text(_) | Needle::NotMail(_) => {
                let (at_word, to_word) = (begins || before == b' ', ends || after == b' ');
                // One letter is in everything.
                let is_enough = !self.is_letter || (begins && ends) || (at_word && !self.alone);
                is_enough.then_some(match (begins, at_word, to_word) {
                    (true, _, _) if ends => (Fit::Exact, 0),
                    (true, _, true) => (Fit::Prefix, 0),
                    (true, _, false) => (Fit::Prefix, 2),
                    (false, true, true) => (Fit::Part, 0),
                    (false, true, false) => (Fit::Part, 2),
                    (false, false, _) => (Fit::Part, 4),
                })
            }
            Needle::Address(_) | Needle::Parent(_) | Needle::Net(_) => None,
        }
    }

    /// How well it fits, where that is `best` at best.
    fn fit(&self, hit: &Hit<'_>, best: (Fit, u8)) -> Option<(Fit, u8)> {
        let (kind, start) = line(hit.lines, hit.at)?;
        let (fit, cost) = best;
        let own = Some((fit, cost + u8::from(kind.is_shared())));
        match self.needle {
            Needle::Phone(phone) => {
                (kind == Kind::Phone).then(|| hit.phone(phone, hit.at - start))?
            }
            Needle::Address(_) => own,
            Needle::Parent(_) => own.filter(|_| kind == Kind::Domain),
            Needle::NotMail(_) if kind == Kind::Mail => None,
            Needle::Text(_) | Needle::NotMail(_) => {
                let is_digits = kind == Kind::Phone && hit.at > start;
                own.filter(|_| !is_digits && memchr2(b'.', b':', hit.rest()).is_none())
            }
            Needle::Net(_) => None,
        }
    }
}

impl Hit<'_> {
    /// A mark where a name begins.
    fn before(&self) -> Option<u8> {
        self.lines.get(self.at.checked_sub(1)?).copied()
    }

    fn after(&self) -> u8 {
        self.lines.get(self.end).copied().unwrap_or(b'\n')
    }

    fn phone(&self, phone: &Phone, missing: usize) -> Option<(Fit, u8)> {
        // Zero at the start of a number that is kept without its country.
        let missing = missing - usize::from(missing == 1 && self.before() == Some(b'0'));
        match self.after() == b'\n' {
            true if missing <= phone.missing_max => Some((Fit::Exact, 0)),
            true if phone.digits.len() >= PHONE_PART_MIN => Some((Fit::Part, 0)),
            false if phone.digits.len() >= PHONE_PART_MIN => Some((Fit::Part, 4)),
            _ => None,
        }
    }

    /// What comes after it on its line, and itself.
    fn rest(&self) -> &[u8] {
        let rest = &self.lines[self.at..];
        &rest[..memchr(b'\n', rest).unwrap_or(rest.len())]
    }
}

/// Addresses have dots or colons, which no other line has.
fn in_net(net: Net, word: usize, part: &mut Part<'_>) {
    let (lines, mut at) = (&part.lines[..part.end], part.start);
    while let Some(found) = memchr2(b'.', b':', &lines[at..]) {
        let found = at + found;
        let start = memrchr(b'\n', &lines[..found]).map_or(0, |end| end + 1);
        let end = memchr(b'\n', &lines[found..]).map_or(lines.len(), |rest| found + rest);
        // Behind its mark.
        let text = lines.get(start + 1..end).and_then(|text| str::from_utf8(text).ok());
        let is_in = text.and_then(|text| text.parse().ok()).is_some_and(|it| net.contains(&it));
        if is_in {
            let at = start as u32 + 1;
            put(part.score(word, start), Score { fit: Fit::Part, cost: 0, at });
        }
        at = end;
    }
}
