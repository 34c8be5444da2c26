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
/// Words longer than that are all alike to whatever was typed.
const LENGTHS: usize = WORD_BYTES_MAX + 4;

/// Words that were typed, ready to be compared with many.
///
/// Nearly all words are told apart by their first letters and their length, for all that was typed
/// at once; nearly all others by which letters they have.
pub(super) struct Sieve<'a> {
    /// Which of the query's words it is, how it is spelled, and what it costs before any slip.
    typed: Vec<(usize, Typed<'a>, u8)>,
    /// A bit for each that fits a word with this first letter,
    first: [u64; 256],
    /// this second one,
    second: [u64; 256],
    /// of this length; the last stands for all that are longer.
    lengths: [u64; LENGTHS],
}

/// What it took to look for slips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Work {
    /// Words that were looked at.
    pub words: u64,
    /// Of these with each that was typed: how often letters were counted.
    pub counted: u64,
    /// And how often compared, one by one.
    pub compared: u64,
    /// In so many steps.
    pub steps: u64,
}

impl Work {
    /// Both.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            words: self.words + other.words,
            counted: self.counted + other.counted,
            compared: self.compared + other.compared,
            steps: self.steps + other.steps,
        }
    }
}

impl<'a> Sieve<'a> {
    /// Of the words of a query that a slip can be seen in.
    pub fn new(words: impl Iterator<Item = (usize, &'a str, u8)>) -> Self {
        let typed = words.filter_map(|(word, text, cost)| Some((word, Typed::new(text)?, cost)));
        let typed: Vec<_> = typed.take(u64::BITS as usize).collect();
        let (mut first, mut second) = ([0; 256], [0; 256]);
        let mut lengths = [0; LENGTHS];
        for (place, (_, one, _)) in typed.iter().enumerate() {
            let bit = 1 << place;
            // Of the first two letters one is right at least, perhaps in the other's place.
            for letter in &one.text[..2] {
                first[usize::from(*letter)] |= bit;
                second[usize::from(*letter)] |= bit;
            }
            for (length, all) in lengths.iter_mut().enumerate() {
                *all |= if one.fits(length) { bit } else { 0 };
            }
        }
        Self { typed, first, second, lengths }
    }

    /// Is there nothing to compare?
    pub fn is_empty(&self) -> bool {
        self.typed.is_empty()
    }

    /// Calls with word and cost of each that `word` can be made of, where that is not too much.
    pub fn costs(&self, word: &[u8], work: &mut Work, mut call: impl FnMut(usize, u8)) {
        let [one, two, ..] = word else { return };
        let near = self.first[usize::from(*one)] | self.second[usize::from(*two)];
        let mut left = near & self.lengths[word.len().min(LENGTHS - 1)];
        work.words += 1;
        while left != 0 {
            let (place, typed, cost) = &self.typed[left.trailing_zeros() as usize];
            left &= left - 1;
            if let Some(slips) = typed.cost(word, work) {
                call(*place, slips + cost);
            }
        }
    }
}

/// A word that was typed.
struct Typed<'a> {
    text: &'a [u8],
    letters: u64,
    limit: u8,
    /// So many slips at most.
    most: usize,
    /// May it be the beginning of a word?
    may_be_start: bool,
}

impl<'a> Typed<'a> {
    /// `None` for words of which a slip says nothing.
    fn new(text: &'a str) -> Option<Self> {
        let count = text.chars().count();
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        let least = if is_number { LETTERS_OF_START } else { LETTERS_MIN };
        if count < least || text.len() > WORD_BYTES_MAX {
            return None;
        }
        // Two unlikely slips are another word.
        let limit = if count >= LETTERS_LONG && !is_number { LIKELY + UNLIKELY } else { UNLIKELY };
        let text = text.as_bytes();
        let may_be_start = text.len() >= LETTERS_OF_START && !text[0].is_ascii_digit();
        let most = usize::from(limit / LIKELY);
        Some(Self { text, letters: letters(text), limit, most, may_be_start })
    }

    /// Can a word of `length` bytes be it?
    fn fits(&self, length: usize) -> bool {
        let typed = self.text.len();
        length + self.most >= typed && (self.may_be_start || length <= typed + self.most)
    }

    /// What it costs to make `word` of it; `None` for too much.
    fn cost(&self, word: &[u8], work: &mut Work) -> Option<u8> {
        let word = &word[..word.len().min(self.text.len() + self.most + 1)];
        work.counted += 1;
        // Whatever was typed and is not in the word has to be paid for,
        if (self.letters & !letters(word)).count_ones() as usize > self.most {
            return None;
        }
        // and whatever is in that part of the word which has to be made of it.
        let least = &word[..word.len().min(self.text.len() - self.most)];
        if (letters(least) & !self.letters).count_ones() as usize > self.most {
            return None;
        }
        work.compared += 1;
        let (whole, start) = self.compare(word, &mut work.steps)?;
        let start = if self.may_be_start { start.saturating_add(1) } else { NEVER };
        let cost = whole.min(start);
        let is_other = u8::from(word.first() != self.text.first());
        (cost <= self.limit).then_some(cost + is_other)
    }

    /// Optimal string alignment, by rows: the cost of the whole word, and of its best beginning.
    /// Only what can still be within the limit is looked at: every letter that one is ahead of the
    /// other has cost a slip.
    fn compare(&self, word: &[u8], steps: &mut u64) -> Option<(u8, u8)> {
        let (text, most) = (self.text, self.most);
        let mut rows = [[NEVER; WORD_BYTES_MAX + 4]; 3];
        rows[1][0] = 0;
        for at in 0..word.len().min(most) {
            rows[1][at + 1] = rows[1][at].saturating_add(extra(word, at, text)).min(NEVER);
        }
        let mut least_before = 0;
        for (row, typed) in text.iter().copied().enumerate() {
            let [before, last, next] = &mut rows;
            let missing = extra(text, row, word);
            let (from, to) = ((row + 1).saturating_sub(most), (row + 1 + most).min(word.len()));
            if from == 0 {
                next[0] = last[0].saturating_add(missing).min(NEVER);
            } else {
                next[from - 1] = NEVER;
            }
            let mut least = if from == 0 { next[0] } else { NEVER };
            for at in from.saturating_sub(1)..to {
                let letter = word[at];
                let mut cost = last[at].saturating_add(instead(typed, letter));
                cost = cost.min(last[at + 1].saturating_add(missing));
                cost = cost.min(next[at].saturating_add(extra(word, at, text)));
                let swapped = row > 0 && at > 0 && typed == word[at - 1] && letter == text[row - 1];
                if swapped && typed != letter {
                    cost = cost.min(before[at - 1].saturating_add(LIKELY));
                }
                next[at + 1] = cost.min(NEVER);
                least = least.min(cost);
                *steps += 1;
            }
            // What changed places is paid for by the row before.
            if least.min(least_before) > self.limit {
                return None;
            }
            least_before = least;
            rows.rotate_left(1);
        }
        let (from, to) = (text.len() - most, (text.len() + most).min(word.len()));
        let start = rows[1][from..=to].iter().copied().min().unwrap_or(NEVER);
        Some((rows[1][word.len()], start))
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
    let place = |letter: u8| letter.is_ascii_lowercase().then(|| usize::from(letter - b'a'));
    let both = place(one).zip(place(other));
    both.is_some_and(|(one, other)| NEIGHBOURS[one] >> other & 1 == 1)
}

/// For each letter a bit for each of its neighbours.
const NEIGHBOURS: [u32; 26] = neighbours();

const fn neighbours() -> [u32; 26] {
    // The lower row stands half a key to the right.
    const NEAR: &[u8] = b"qw we er rt ty yu ui io op as sd df fg gh hj jk kl zx xc cv vb bn nm \
        qa wa ws es ed rd rf tf tg yg yh uh uj ij ik ok ol pl \
        az sz sx dx dc fc fv gv gb hb hn jn jm km";
    const SOUNDS: &[u8] = b"ck fv sz bp dt mn iy gh ea";
    let mut all = [0; 26];
    let mut list = 0;
    while list < 2 {
        let pairs = if list == 0 { NEAR } else { SOUNDS };
        let mut at = 0;
        while at + 1 < pairs.len() {
            if pairs[at] != b' ' && pairs[at + 1] != b' ' {
                let (one, other) = (pairs[at] - b'a', pairs[at + 1] - b'a');
                all[one as usize] |= 1 << other;
                all[other as usize] |= 1 << one;
                at += 2;
            } else {
                at += 1;
            }
        }
        list += 1;
    }
    all
}

/// Which letters there are, each by a bit.
fn letters(word: &[u8]) -> u64 {
    word.iter().fold(0, |all, letter| all | 1 << (letter & 0x3f))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(typed: &str, word: &str) -> Option<u8> {
        let sieve = Sieve::new([(0, typed, 0)].into_iter());
        let mut found = None;
        sieve.costs(word.as_bytes(), &mut Work::default(), |_, cost| found = Some(cost));
        found
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

    /// Optimal string alignment with every cell of the table: what [`Typed::compare`] has to find.
    fn whole_table(text: &[u8], word: &[u8]) -> (u8, u8) {
        let mut table = vec![vec![NEVER; word.len() + 1]; text.len() + 1];
        for (row, column) in
            (0..=text.len()).flat_map(|row| (0..=word.len()).map(move |it| (row, it)))
        {
            let mut cost = if (row, column) == (0, 0) { 0 } else { NEVER };
            if row > 0 {
                cost = cost.min(table[row - 1][column] + extra(text, row - 1, word));
            }
            if column > 0 {
                cost = cost.min(table[row][column - 1] + extra(word, column - 1, text));
            }
            if row > 0 && column > 0 {
                let (one, other) = (text[row - 1], word[column - 1]);
                cost = cost.min(table[row - 1][column - 1] + instead(one, other));
                if row > 1 && column > 1 && one != other {
                    let swapped = one == word[column - 2] && other == text[row - 2];
                    let before = table[row - 2][column - 2];
                    cost = cost.min(if swapped { before + LIKELY } else { NEVER });
                }
            }
            table[row][column] = cost.min(NEVER);
        }
        let last = &table[text.len()];
        (last[word.len()], last.iter().copied().min().unwrap_or(NEVER))
    }

    proptest::proptest! {
        #[test]
        fn what_is_left_out_costs_too_much_anyway(
            typed in "[absz]{1,4}[abszß01]{2,7}",
            word in "[absz]{1,4}[abszß01]{1,12}",
        ) {
            let Some(one) = Typed::new(&typed) else { return Ok(()) };
            let word = word.as_bytes();
            let word = &word[..word.len().min(one.text.len() + one.most + 1)];
            let (whole, start) = whole_table(one.text, word);
            let start = if one.may_be_start { start + 1 } else { NEVER };
            let is_other = u8::from(word[0] != one.text[0]);
            let expected = Some(whole.min(start)).filter(|cost| *cost <= one.limit);
            let near = one.text[..2].contains(&word[0]) || one.text[..2].contains(&word[1]);
            let expected = expected.filter(|_| near && one.fits(word.len()));
            proptest::prop_assert_eq!(
                one.cost(word, &mut Work::default()).filter(|_| near && one.fits(word.len())),
                expected.map(|cost| cost + is_other)
            );
        }
    }

    #[test]
    fn any_bytes_can_be_compared() {
        for word in [&b""[..], b"\xff\xfe", "ελλάδα".as_bytes(), &[b'a'; 500]] {
            let sieve = Sieve::new([(0, "ελλάδος", 0), (1, "aaaaaaaaaaaaaaa", 0)].into_iter());
            sieve.costs(word, &mut Work::default(), |_, _| {});
        }
    }
}
