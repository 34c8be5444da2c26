//! Colour or none, and how wide.

use std::ffi::OsStr;

/// How text for people is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Use ANSI colours? They only repeat what words say.
    pub colour: bool,
    /// Lines are at most this wide.
    pub columns: usize,
}

impl Style {
    /// No colour, 80 columns: for pipes and tests.
    pub const PLAIN: Self = Self { colour: false, columns: 80 };

    /// For a stream that is a terminal or not, by the value of `NO_COLOR` (no-color.org: any value
    /// but an empty one means no colour).
    pub fn new(is_terminal: bool, no_color: Option<&OsStr>) -> Self {
        let refused = no_color.is_some_and(|value| !value.is_empty());
        Self { colour: is_terminal && !refused, ..Self::PLAIN }
    }

    /// Stands out.
    pub(super) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// Bad news.
    pub(super) fn bad(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_only_where_it_is_wanted() {
        let check = |is_terminal, no_color: Option<&str>, expected| {
            assert_eq!(Style::new(is_terminal, no_color.map(OsStr::new)).colour, expected);
        };
        check(true, None, true);
        check(true, Some(""), true);
        check(true, Some("1"), false);
        check(false, None, false);
        assert_eq!(Style::PLAIN.bad("x"), "x");
        assert_eq!(Style::new(true, None).bad("x"), "\x1b[1;31mx\x1b[0m");
    }
}
