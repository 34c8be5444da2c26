//! The same update for other roads: a text message, the greeting of a phone line, a short post.

use crate::ledger::outbox::PostText;

/// One text message in the alphabet of GSM 03.38.
const SMS_CHARS_MAX: usize = 160;
/// The same in any other alphabet.
const SMS_WIDE_MAX: usize = 70;
/// What short-post services take.
const POST_CHARS_MAX: usize = 280;

/// A text message: one, if the title is not overlong; whether it fits.
pub fn sms(site: &str, text: &PostText, next: &str) -> (String, bool) {
    let head = plain(&format!("{site}: {}.", text.title.trim_end_matches('.')));
    let whole = if next.is_empty() { head } else { format!("{head} {}", plain(next)) };
    let max = if whole.chars().all(is_gsm) { SMS_CHARS_MAX } else { SMS_WIDE_MAX };
    let fits = whole.chars().count() <= max;
    (cut(&whole, max), fits)
}

/// What an answering machine reads out.
pub fn greeting(site: &str, text: &PostText) -> String {
    let body = text.body.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{site}. {}. {body}", text.title.trim_end_matches('.'))
}

/// A short post: the title, then as many sentences as fit, then the promise.
pub fn post(text: &PostText, next: &str) -> String {
    let title = text.title.trim_end_matches('.');
    let room = POST_CHARS_MAX.saturating_sub(next.chars().count() + 1);
    let mut out = cut(&format!("{title}."), room);
    for sentence in sentences(text.body.split("\n\n").next().unwrap_or_default()) {
        if out.chars().count() + 1 + sentence.chars().count() > room {
            break;
        }
        out.push(' ');
        out.push_str(sentence);
    }
    if !next.is_empty() {
        out.push(' ');
        out.push_str(next);
    }
    out
}

fn sentences(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(['.', '?', '!']).map(str::trim).filter(|sentence| !sentence.is_empty())
}

/// At most `max` characters, cut between words, three full stops at the end of a cut.
fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let kept: String = text.chars().take(max.saturating_sub(3)).collect();
    let end = kept.rfind(' ').unwrap_or(kept.len());
    format!("{}...", kept[..end].trim_end_matches([' ', ',', ';', ':', '.']))
}

/// Signs that cost a text message its alphabet, by ones that do not.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\u{a0}' | '\u{202f}' | '\u{2009}' => ' ',
            '‘' | '’' => '\'',
            '“' | '”' | '„' => '"',
            '–' | '—' | '\u{2011}' => '-',
            other => other,
        })
        .collect::<String>()
        .replace('…', "...")
}

/// The basic alphabet, of which each letter counts once.
fn is_gsm(c: char) -> bool {
    matches!(c, ' '..='Z' | 'a'..='z' | '_' | '\n') && c != '`'
        || "£¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(title: &str, body: &str) -> PostText {
        PostText { title: title.into(), body: body.into() }
    }

    #[test]
    fn a_text_message_is_one_message() {
        let next = "Next update by 04:20\u{a0}CET.";
        let update = text("Our customers’ servers cannot be reached", "");
        let (sms, fits) = sms("Example Hosting", &update, next);
        let expected = "Example Hosting: Our customers' servers cannot be reached. Next update by \
                        04:20 CET.";
        assert_eq!((sms.as_str(), fits), (expected, true));
        let (long, fits) = super::sms("Example Hosting", &text(&"word ".repeat(60), ""), next);
        assert!(!fits && long.chars().count() <= 160 && long.ends_with("word..."), "{long}");
        let (wide, fits) = super::sms("Пример", &text("Серверы снова работают", ""), next);
        assert!(fits && wide.chars().count() <= 70, "{wide}");
    }

    #[test]
    fn a_short_post_keeps_whole_sentences_and_the_promise() {
        let body = format!("One. {} Three.", "x".repeat(300));
        let post = post(&text("Title", &body), "Next update by 04:20 CET.");
        assert_eq!(post, "Title. One. Next update by 04:20 CET.");
        let greeting = greeting("Example", &text("Title", "A.\n\nB."));
        assert_eq!(greeting, "Example. Title. A. B.");
    }
}
