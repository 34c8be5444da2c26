//! The code in the line, and what is kept of it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Letters and digits that stand in one place on QWERTY and QWERTZ alike, and do not look like
/// one another: no y and z, no 0 and 1.
const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwx23456789";
const LENGTH: usize = 16;
/// Letters between two dashes.
const GROUP: usize = 4;
/// Bits of a letter.
const BITS: usize = 5;
const RANDOM_BYTES: usize = LENGTH * BITS / 8;
const CONTEXT: &str = "evac 2026-11 the code of an invitation";

/// 80 bits as people type them. Whoever knows it may be the host.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(String);

impl Code {
    /// A new one, from the operating system's random numbers.
    pub fn random() -> std::io::Result<Self> {
        let mut bytes = [0; RANDOM_BYTES];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        Ok(Self(letters(&bytes)))
    }

    /// As somebody typed it, with dashes or without, in either case.
    pub fn read(typed: &[u8]) -> Option<Self> {
        let mut text = String::with_capacity(LENGTH);
        for byte in typed.iter().filter(|byte| **byte != b'-') {
            let letter = match byte.to_ascii_lowercase() {
                b'0' => b'o',
                b'1' => b'l',
                letter => letter,
            };
            if !LETTERS.contains(&letter) || text.len() == LENGTH {
                return None;
            }
            text.push(char::from(letter));
        }
        (text.len() == LENGTH).then_some(Self(text))
    }

    /// What is kept of it.
    pub fn sum(&self) -> Sum {
        Sum(blake3::derive_key(CONTEXT, self.0.as_bytes()))
    }

    /// To be shown to whoever is invited.
    pub fn shown(&self) -> String {
        let groups: Vec<&str> =
            (0..LENGTH).step_by(GROUP).map(|at| &self.0[at..at + GROUP]).collect();
        groups.join("-")
    }

    /// Its letters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code")
    }
}

/// The hash of a code. It compares in constant time.
#[derive(Clone, Copy, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sum([u8; 32]);

impl Sum {
    /// The public name of the invitation: letters of the hash's first 80 bits.
    pub fn id(&self) -> String {
        letters(&self.0[..RANDOM_BYTES])
    }
}

impl PartialEq for Sum {
    fn eq(&self, other: &Self) -> bool {
        blake3::Hash::from(self.0) == blake3::Hash::from(other.0)
    }
}

impl fmt::Debug for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id())
    }
}

impl From<Sum> for String {
    fn from(sum: Sum) -> Self {
        blake3::Hash::from(sum.0).to_hex().to_string()
    }
}

impl TryFrom<String> for Sum {
    type Error = blake3::HexError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Ok(Self(*blake3::Hash::from_hex(text)?.as_bytes()))
    }
}

fn letters(bytes: &[u8]) -> String {
    let bit = |at: usize| usize::from(bytes[at / 8] >> (7 - at % 8) & 1);
    let letter = |at: usize| (at..at + BITS).fold(0, |value, at| value << 1 | bit(at));
    let starts = (0..bytes.len() * 8).step_by(BITS);
    starts.map(|at| char::from(LETTERS[letter(at)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let code = Code::random().unwrap();
        let shown = code.shown();
        assert_eq!(shown.len(), 19);
        for typed in [shown.clone(), shown.to_uppercase(), shown.replace('-', "")] {
            assert_eq!(Code::read(typed.as_bytes()), Some(code.clone()), "{typed}");
        }
        assert_eq!(Code::read(b"aaaa-bbbb-oooo-llll"), Code::read(b"aaaabbbb00001111"));
        for wrong in ["", "aaaa-bbbb-cccc-ddd", "aaaa-bbbb-cccc-dddde", "aaaa-bbbb-cccc-ddd/"] {
            assert_eq!(Code::read(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn neither_text_nor_id_tells_the_code() {
        let code = Code::random().unwrap();
        let sum = code.sum();
        assert_eq!(sum.id().len(), LENGTH);
        let kept = serde_json::to_string(&sum).unwrap();
        assert_eq!(serde_json::from_str::<Sum>(&kept).unwrap(), sum);
        for text in [kept, sum.id(), format!("{code:?} {sum:?}")] {
            assert!(!text.contains(code.as_str()), "{text}");
        }
        assert_ne!(Code::random().unwrap().sum(), sum);
    }
}
