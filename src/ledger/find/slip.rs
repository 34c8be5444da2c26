//! How far a word is from what was typed, for fingers and ears that slip.
//!
//! Letters change places, are missing, doubled, or hit beside. In numbers only places change and
//! zeros get lost: another digit is another customer.

/// Longest word that is compared, in bytes.
const WORD_BYTES_MAX: usize = 64;
/// Shorter words have too many neighbours.
const LETTERS_MIN: usize = 4;
/// From here on two slips are one too few for another word.
const LETTERS_LONG: usize = 8;
/// From here on the beginning of a longer word will do.
const LETTERS_OF_START: usize = 6;
/// What a slip costs: a likely one, another letter, none.
const LIKELY: u8 = 2;
const UNLIKELY: u8 = 3;
const NEVER: u8 = 100;

/// A word that was typed, ready to be compared with many.
pub(super) struct Typed<'a> {
    text: &'a [u8],
    letters: u64,
    limit: u8,
}

impl<'a> Typed<'a> {
    /// `None` for words of which a slip says nothing.
    pub fn new(text: &'a str) -> Option<Self> {
        let count = text.chars().count();
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        let least = if is_number { LETTERS_OF_START } else { LETTERS_MIN };
        let fits = count >= least && text.len() <= WORD_BYTES_MAX;
        // Two unlikely slips are another word.
        let limit = if count >= LETTERS_LONG && !is_number { LIKELY + UNLIKELY } else { UNLIKELY };
        fits.then(|| Self { text: text.as_bytes(), letters: letters(text.as_bytes()), limit })
    }

    /// What it costs to make `word` of it; `None` for too much.
    pub fn cost(&self, word: &[u8]) -> Option<u8> {
        // Of the first two letters one is right at least: this leaves out most words at once.
        let ([first, second, ..], [one, two, ..]) = (self.text, word) else { return None };
        if first != one && second != two && first != two && second != one {
            return None;
        }
        let (typed, most) = (self.text.len(), usize::from(self.limit / LIKELY));
        if word.len() + most < typed {
            return None;
        }
        let may_be_start = typed >= LETTERS_OF_START && !self.text[0].is_ascii_digit();
        if !may_be_start && word.len() > typed + most {
            return None;
        }
        let word = &word[..word.len().min(typed + most + 1)];
        // Whatever was typed and is not in the word has to be paid for.
        if (self.letters & !letters(word)).count_ones() > most as u32 {
            return None;
        }
        let (whole, start) = self.compare(word)?;
        let start = if may_be_start { start.saturating_add(1) } else { NEVER };
        let cost = whole.min(start);
        let is_other = u8::from(word.first() != self.text.first());
        (cost <= self.limit).then_some(cost + is_other)
    }

    /// Optimal string alignment, by rows: the cost of the whole word, and of its best beginning.
    fn compare(&self, word: &[u8]) -> Option<(u8, u8)> {
        let text = self.text;
        let mut rows = [[NEVER; WORD_BYTES_MAX + 4]; 3];
        rows[1][0] = 0;
        for at in 0..word.len() {
            rows[1][at + 1] = rows[1][at].saturating_add(extra(word, at, text)).min(NEVER);
        }
        let mut least_before = 0;
        for (row, typed) in text.iter().copied().enumerate() {
            let [before, last, next] = &mut rows;
            next[0] = last[0].saturating_add(extra(text, row, word)).min(NEVER);
            let mut least = next[0];
            for (at, letter) in word.iter().copied().enumerate() {
                let mut cost = last[at].saturating_add(instead(typed, letter));
                cost = cost.min(last[at + 1].saturating_add(extra(text, row, word)));
                cost = cost.min(next[at].saturating_add(extra(word, at, text)));
                let swapped = row > 0 && at > 0 && typed == word[at - 1] && letter == text[row - 1];
                if swapped && typed != letter {
                    cost = cost.min(before[at - 1].saturating_add(LIKELY));
                }
                next[at + 1] = cost.min(NEVER);
                least = least.min(cost);
            }
            // What changed places is paid for by the row before.
            if least.min(least_before) > self.limit {
                return None;
            }
            least_before = least;
            rows.rotate_left(1);
        }
        let last = &rows[1][..=word.len()];
        Some((last[word.len()], last.iter().copied().min().unwrap_or(NEVER)))
    }
}

/// A letter too many in `one`, at `at`.
fn extra(one: &[u8], at: usize, other: &[u8]) -> u8 {
    let letter = one[at];
    let is_doubled = at > 0 && one[at - 1] == letter;
    let is_long_number = || one.len().min(other.len()) >= LETTERS_OF_START;
    match letter {
        b'1'..=b'9' if is_doubled && is_long_number() => LIKELY,
        b'1'..=b'9' => NEVER,
        _ => LIKELY,
    }
}

fn instead(typed: u8, letter: u8) -> u8 {
    if typed == letter {
        0
    } else if typed.is_ascii_digit() || letter.is_ascii_digit() {
        NEVER
    } else if are_neighbours(typed, letter) {
        LIKELY
    } else {
        UNLIKELY
    }
}

/// Beside one another on the keyboard, or one sound on the phone.
fn are_neighbours(one: u8, other: u8) -> bool {
    const ROWS: [&[u8]; 3] = [b"qwertyuiop", b"asdfghjkl", b"zxcvbnm"];
    const SOUNDS: [(u8, u8); 9] = [
        (b'c', b'k'),
        (b'f', b'v'),
        (b's', b'z'),
        (b'b', b'p'),
        (b'd', b't'),
        (b'm', b'n'),
        (b'i', b'y'),
        (b'g', b'h'),
        (b'e', b'a'),
    ];
    let place = |letter: u8| {
        ROWS.iter()
            .enumerate()
            .find_map(|(row, keys)| Some((row, keys.iter().position(|key| *key == letter)?)))
    };
    let is_near = place(one).zip(place(other)).is_some_and(|((row, key), (row_2, key_2))| {
        let (far, near) = if row > row_2 { (key, key_2) } else { (key_2, key) };
        match row.abs_diff(row_2) {
            0 => key.abs_diff(key_2) == 1,
            // The lower row stands half a key to the right.
            1 => near == far || near == far + 1,
            _ => false,
        }
    });
    is_near || SOUNDS.contains(&(one, other)) || SOUNDS.contains(&(other, one))
}

/// Which letters there are, each by a bit.
fn letters(word: &[u8]) -> u64 {
    word.iter().fold(0, |all, letter| all | 1 << (letter & 0x3f))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(typed: &str, word: &str) -> Option<u8> {
        Typed::new(typed)?.cost(word.as_bytes())
    }

    #[test]
    fn slips_are_forgiven_and_other_words_are_not() {
        for (typed, word) in [
            ("janssen", "jansen"),
            ("jasnen", "jansen"),
            ("janen", "jansen"),
            ("jamsen", "jansen"),
            ("bakerij", "bakkerij"),
            ("bakerij", "bakkerijhoekje"),
            ("shcildersbedrif", "schildersbedrijf"),
            ("20240021", "20240012"),
            ("2024012", "20240012"),
            ("web07", "web70"),
        ] {
            assert!(cost(typed, word).is_some(), "{typed} {word}");
        }
        for (typed, word) in [
            ("jan", "jab"),
            ("jansen", "hendriks"),
            ("notboltexample", "boltexample"),
            ("20240012", "20240013"),
            ("20240012", "2024001"),
            ("vps14", "vps15"),
            ("8812", "8821"),
            ("acme", "acmetwo"),
        ] {
            assert_eq!(cost(typed, word), None, "{typed} {word}");
        }
    }

    #[test]
    fn a_likely_slip_is_nearer_than_another_letter() {
        assert_eq!(cost("jansen", "jansen"), Some(0));
        assert!(cost("jamsen", "jansen") < cost("jaxsen", "jansen"));
        assert!(cost("jasnen", "jansen") < cost("jaxsen", "jansen"));
        assert!(cost("jnasen", "jansen") < cost("ajnsen", "jansen"));
    }

    #[test]
    fn any_bytes_can_be_compared() {
        for word in [&b""[..], b"\xff\xfe", "ελλάδα".as_bytes(), &[b'a'; 500]] {
            let _ = Typed::new("ελλάδος").and_then(|typed| typed.cost(word));
            let _ = Typed::new("aaaaaaaaaaaaaaa").and_then(|typed| typed.cost(word));
        }
    }
}
