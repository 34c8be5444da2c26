//! Text that came from somewhere else. Remote text is hostile: it is bounded and stripped of
//! control characters before anybody sees it.

use std::fmt::Write as _;

/// At most `max` characters of `text`, without control characters; an ellipsis marks a cut.
pub fn bounded(text: &str, max: usize) -> String {
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == max {
            out.push('…');
            break;
        }
        out.push(if is_hostile(c) { '\u{fffd}' } else { c });
    }
    out
}

/// Control characters and the marks that reorder text on a terminal.
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Bytes of a name as people can read them: UTF-8 where it is, `\xNN` where it is not.
pub fn printable(bytes: &[u8]) -> String {
    let mut out = String::new();
    for piece in bytes.utf8_chunks() {
        for c in piece.valid().chars() {
            if is_hostile(c) {
                out.extend(c.escape_default());
            } else {
                out.push(c);
            }
        }
        for byte in piece.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

/// The closest of `known` to `unknown`, if it is close enough to be a slip of the hand.
pub fn closest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|word| (strsim::jaro_winkler(unknown, word), word))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_tamed() {
        assert_eq!(bounded("a\x1b[31mb", 80), "a\u{fffd}[31mb");
        assert_eq!(bounded("abcdef", 3), "abc…");
        assert_eq!(printable(b"caf\xe9\n"), "caf\\xe9\\n");
        assert_eq!(printable("café".as_bytes()), "café");
    }

    #[test]
    fn a_slip_finds_its_word() {
        assert_eq!(closest("adress", ["address", "port"]), Some("address"));
        assert_eq!(closest("zzz", ["address", "port"]), None);
    }
}
