//! Free text in the language it was written in: picked for a reader, and marked where that is not
//! his language.

use serde::Serialize;

use crate::inventory::Wording;
use crate::model::text::bounded;
use crate::publish::Language;

/// A text as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Said {
    /// The text, bounded.
    pub text: String,
    /// Its language, where that is not the page's.
    pub lang: Option<String>,
}

/// The text for a page in `language`: in that language, else in the first of `preferred` there is,
/// else in any.
pub fn pick(
    wording: &Wording,
    language: Language,
    preferred: &[Language],
    max_chars: usize,
) -> Option<Said> {
    let own = std::iter::once(&language).chain(preferred);
    let (code, text) = own
        .filter_map(|language| wording.get_key_value(language.code()))
        .chain(wording)
        .find(|(_, text)| !text.trim().is_empty())?;
    let lines: Vec<String> = text.lines().map(|line| bounded(line, max_chars)).collect();
    let text = lines.join("\n").trim().chars().take(max_chars).collect();
    Some(Said { text, lang: (code != language.code()).then(|| bounded(code, 40)) })
}

impl Said {
    /// Its paragraphs.
    pub fn paragraphs(&self) -> Vec<String> {
        let mut paragraphs = vec![String::new()];
        for line in self.text.lines().map(str::trim) {
            let last = paragraphs.last_mut().expect("there is always one");
            match (line.is_empty(), last.is_empty()) {
                (true, true) => {}
                (true, false) => paragraphs.push(String::new()),
                (false, true) => last.push_str(line),
                (false, false) => {
                    last.push('\n');
                    last.push_str(line);
                }
            }
        }
        paragraphs.retain(|paragraph| !paragraph.is_empty());
        paragraphs
    }
}
