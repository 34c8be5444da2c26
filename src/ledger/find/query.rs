//! What was typed, in every way it can be meant.
//!
//! A text is read as a whole, word by word in any order, and with numbers put together that were
//! typed in groups. A word may be a link, a mail address, a domain, an address, a net, a telephone
//! number, or just a word.

use std::net::IpAddr;

use crate::ledger::find::plain::{digits, plain, spelled_out, squeezed};

/// Longest text that is looked for, in bytes, and most of its words.
const TEXT_BYTES_MAX: usize = 400;
const WORDS_MAX: usize = 8;
/// Fewer digits are no telephone number, nor are more.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 6..=15;
/// Most domains that a name is looked for beneath, the shortest: none that is real has more, and
/// each costs a look at all names.
const PARENTS_MAX: usize = 6;
/// Shorter parts of a domain's name say nothing by themselves.
const BASE_CHARS_MIN: usize = 4;

/// Something to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Needle {
    /// In names that are words.
    Text(String),
    /// The same, but in no mail address: half of a fleet may have theirs at one provider.
    NotMail(String),
    /// The whole of a domain, beneath which lies what was typed.
    Parent(String),
    /// The whole or the beginning of an address.
    Address(String),
    /// Every address in it.
    Net(Net),
    /// A telephone number.
    Phone(Phone),
}

/// A range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Net {
    address: IpAddr,
    bits: u8,
}

/// Digits of a telephone number, and what may stand before them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Phone {
    pub digits: String,
    /// So many more digits may stand before them in the whole number.
    pub missing_max: usize,
}

/// A word, or several that belong together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Word {
    pub needles: Vec<Needle>,
    /// Without blanks, to be compared letter by letter where nothing is found.
    pub letters: String,
    /// Of a domain the part that names it, for whoever does not know how it ends.
    pub base: Option<String>,
}

/// What was typed.
#[derive(Debug, Clone, Default)]
pub(super) struct Query {
    pub words: Vec<Word>,
    /// Which words make up each way to read it.
    pub readings: Vec<Vec<usize>>,
}

impl Query {
    pub fn of(text: &str) -> Self {
        let text = text[..text.floor_char_boundary(TEXT_BYTES_MAX)].trim();
        let tokens: Vec<&str> = text
            .split(|c: char| c.is_whitespace() || matches!(c, ',' | ';'))
            .filter(|token| !token.is_empty())
            .take(WORDS_MAX)
            .collect();
        let mut query = Self::default();
        if let [token] = tokens[..] {
            query.read(vec![Word::of(token)]);
            return query;
        }
        query.read(vec![Word::of_phrase(text)]);
        query.read(tokens.iter().map(|token| Word::of(token)).collect());
        query.read(with_numbers_joined(&tokens));
        query
    }

    fn read(&mut self, mut words: Vec<Word>) {
        words.retain(|word| !word.needles.is_empty());
        let place = |known: &mut Vec<Word>, word: Word| {
            known.iter().position(|one| *one == word).unwrap_or_else(|| {
                known.push(word);
                known.len() - 1
            })
        };
        let mut reading: Vec<_> =
            words.into_iter().map(|word| place(&mut self.words, word)).collect();
        reading.dedup();
        if !reading.is_empty() && !self.readings.contains(&reading) {
            self.readings.push(reading);
        }
    }
}

impl Word {
    fn of(token: &str) -> Self {
        let token = token.trim_matches(['"', '\'', '<', '>', ',', ';', '!', '?']).to_lowercase();
        let token = token.trim_start_matches("mailto:").trim_start_matches("tel:");
        let authority = authority(token);
        if let Some(word) = Self::of_address(token, authority) {
            return word;
        }
        let domain = authority.rsplit('@').next().unwrap_or_default().trim_end_matches('.');
        let is_domain = domain.contains('.') && domain.contains(char::is_alphabetic);
        let mut word = Self::default();
        word.phone(token);
        if is_domain {
            word.domain(domain, authority.contains('@'));
            if authority.contains('@') {
                word.text(authority);
            }
        } else {
            word.text(token);
        }
        word
    }

    fn of_phrase(text: &str) -> Self {
        let mut word = Self::default();
        word.phone(text);
        word.text(text);
        word
    }

    fn of_address(token: &str, authority: &str) -> Option<Self> {
        let needle = if let Some(net) = Net::of(token) {
            Needle::Net(net)
        } else if let Some(address) = address(authority) {
            Needle::Address(address.to_canonical().to_string())
        } else {
            let start = token.trim_end_matches(['*', 'x']);
            let is_start = start.matches('.').count() >= 2
                && start.split('.').all(|part| part.is_empty() || part.parse::<u8>().is_ok());
            let needles = is_start.then(|| vec![Needle::Address(start.to_owned())])?;
            let mut word = Self { needles, ..Self::default() };
            // It may be the number of an invoice all the same.
            word.text(token);
            return Some(word);
        };
        Some(Self { needles: vec![needle], ..Self::default() })
    }

    fn text(&mut self, text: &str) {
        let short = plain(text);
        if self.letters.is_empty() {
            self.letters = squeezed(&short);
        }
        for spelling in std::iter::once(short).chain(spelled_out(text)) {
            let together = squeezed(&spelling);
            self.needle(Needle::Text(spelling));
            self.needle(Needle::Text(together));
        }
    }

    fn domain(&mut self, domain: &str, is_of_mail: bool) {
        let domain = domain.strip_prefix("www.").filter(|it| it.contains('.')).unwrap_or(domain);
        let needle = if is_of_mail { Needle::NotMail } else { Needle::Text };
        self.letters = squeezed(&plain(domain));
        for spelling in std::iter::once(plain(domain)).chain(spelled_out(domain)) {
            self.needle(needle(spelling));
        }
        let ends = domain.rmatch_indices('.').map(|(dot, _)| &domain[dot + 1..]);
        ends.skip(1).take(PARENTS_MAX).for_each(|it| self.needle(Needle::Parent(plain(it))));
        let labels = domain.rsplit('.').skip(1).map(plain);
        self.base = labels
            .filter(|label| label.chars().count() >= BASE_CHARS_MIN)
            .max_by_key(String::len)
            .filter(|_| !is_of_mail);
    }

    fn phone(&mut self, text: &str) {
        let is_number = text.chars().all(is_of_number) && !text.is_empty();
        let all = digits(&text.replace("(0)", ""));
        if !is_number || !PHONE_DIGITS.contains(&all.len()) {
            return;
        }
        let abroad = if text.trim_start().starts_with('+') {
            Some(all.as_str())
        } else {
            all.strip_prefix("00")
        };
        if let Some(whole) = abroad {
            let number = |missing: usize| whole.get(missing..).map(str::to_owned);
            // In the inventory it may stand without its country, which has up to three digits.
            for digits in (0..=3).filter_map(number) {
                self.needle(Needle::Phone(Phone { digits, missing_max: 0 }));
            }
            return;
        }
        let national = all.strip_prefix('0').filter(|rest| rest.len() >= *PHONE_DIGITS.start());
        if let Some(rest) = national {
            self.needle(Needle::Phone(Phone { digits: rest.to_owned(), missing_max: 3 }));
        }
        self.needle(Needle::Phone(Phone { digits: all, missing_max: 0 }));
    }

    fn needle(&mut self, needle: Needle) {
        let is_empty = matches!(&needle, Needle::Text(it) | Needle::NotMail(it) if it.is_empty());
        if !is_empty && !self.needles.contains(&needle) {
            self.needles.push(needle);
        }
    }
}

impl Net {
    fn of(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let (address, bits) = (address.parse::<IpAddr>().ok()?, bits.parse().ok()?);
        let most = if address.is_ipv4() { 32 } else { 128 };
        (bits <= most).then_some(Self { address, bits })
    }

    pub fn contains(&self, other: &IpAddr) -> bool {
        let (one, other) = match (self.address, other) {
            (IpAddr::V4(one), IpAddr::V4(other)) => {
                (u128::from(one.to_bits()) << 96, u128::from(other.to_bits()) << 96)
            }
            (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits(), other.to_bits()),
            _ => return false,
        };
        self.bits == 0 || (one ^ other) >> (128 - u32::from(self.bits)) == 0
    }
}

/// The part of a link that names a machine; any other text as it is.
fn authority(token: &str) -> &str {
    let (rest, is_link) = match token.split_once("://") {
        Some((_, rest)) => (rest, true),
        None => (token, false),
    };
    let head = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if is_link || head.contains('.') { head } else { rest }
}

/// An address as it is pasted: in brackets, with a port or a zone.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.rsplit('@').next().unwrap_or(text);
    let inner = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((inner, _)) => inner,
        None => text,
    };
    let inner = inner.split('%').next().unwrap_or_default();
    let without_port = || inner.rsplit_once(':').and_then(|(head, _)| head.parse().ok());
    inner.parse().ok().or_else(|| without_port().filter(IpAddr::is_ipv4))
}

fn is_of_number(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, '+' | '-' | '(' | ')' | '.' | '/' | ' ')
}

/// Words, with neighbours that are parts of one number put together.
fn with_numbers_joined(tokens: &[&str]) -> Vec<Word> {
    let is_part = |token: &str| token.chars().all(is_of_number);
    tokens
        .chunk_by(|one, next| is_part(one) && is_part(next))
        .map(|run| if run.len() > 1 { Word::of_phrase(&run.join(" ")) } else { Word::of(run[0]) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needles(text: &str) -> Vec<Needle> {
        Query::of(text).words.into_iter().flat_map(|word| word.needles).collect()
    }

    #[test]
    fn a_domain_is_looked_for_beneath_all_that_it_may_be_beneath() {
        let parent = |text: &str| Needle::Parent(text.to_owned());
        let found = needles("www.shop.acme.co.example");
        for one in ["acme co example", "co example"] {
            assert!(found.contains(&parent(one)), "{one}: {found:?}");
        }
        assert!(!found.contains(&parent("example")), "{found:?}");
        let deep = needles("a1.b2.c3.d4.e5.f6.g7.h8.acme.example");
        assert!(deep.contains(&parent("acme example")), "{deep:?}");
    }

    #[test]
    fn whatever_is_typed_is_looked_for_in_few_ways() {
        let texts = ["x9.".repeat(300), "é.".repeat(300), "ab.cd,".repeat(100)];
        let more = ["0049 1234567890 ".repeat(40), "ü ".repeat(400), "1.2.3.".repeat(100)];
        for text in texts.iter().chain(&more) {
            let found = needles(text);
            assert!(found.len() <= 80, "{text}: {} of {found:?}", found.len());
        }
    }
}
