//! What people read of a look-up. Only customers who fit best are shown whole; a guess is a
//! question.

use std::fmt::Write as _;

use crate::cli::find::{Answer, Match};
use crate::cli::note::Note;
use crate::ledger::Fit;
use crate::ledger::find::FOUND_MAX;
use crate::ledger::mail::Bounce;
use crate::model::Timestamp;
use crate::model::text::bounded;
use crate::term::{self, Style};

/// More customers than this are counted, not shown to people.
const SHOWN_MAX: usize = 10;
/// Fewer customers than this are no crowd, however many of them match.
const CROWD_MIN: usize = 20;
/// Longest part of what was typed, or of a name, that is shown.
const SHOWN_CHARS_MAX: usize = 80;
/// The same of what a mail server answered.
const SAID_CHARS_MAX: usize = 160;

/// The answer to `asked`.
pub(super) fn answer(answer: &Answer, asked: &str, now: Timestamp, style: Style) -> String {
    let mut text = String::new();
    if answer.is_frozen {
        let _ = writeln!(text, "{}", as_of(answer.as_of, now));
    }
    let asked = bounded(asked, SHOWN_CHARS_MAX);
    let (total, of) = (answer.total, answer.of);
    if total >= CROWD_MIN && total * 2 >= of {
        let _ = writeln!(
            text,
            "{total} of {of} customers match `{asked}`: say more, such as a domain or a number."
        );
    }
    let best = answer.customers.first().map(|it| it.fit);
    let mut brief = false;
    for (index, found) in answer.customers.iter().take(SHOWN_MAX).enumerate() {
        if !found.fit.is_sure() && answer.customers[..index].iter().all(|it| it.fit.is_sure()) {
            let _ = writeln!(text, "{}did you mean", if index > 0 { "\n" } else { "" });
        }
        // Beside somebody who is meant for sure, others are but named.
        brief |= index > 0 && best == Some(Fit::Exact) && found.fit != Fit::Exact;
        if brief || (index > 0 && !found.fit.is_sure()) {
            let _ = writeln!(text, "{}", line(found));
        } else {
            if index > 0 {
                text.push('\n');
            }
            whole(&mut text, found, &answer.languages, style);
        }
    }
    let more = total.saturating_sub(SHOWN_MAX.min(answer.customers.len()));
    if more > 0 {
        let listed = if total > FOUND_MAX { ", not all of them in --json either" } else { "" };
        let _ = writeln!(text, "\nand {more} more customers{listed}; say it more exactly");
    }
    text
}

fn line(found: &Match) -> String {
    let (customer, matched) = (&found.customer, bounded(&found.matched, SHOWN_CHARS_MAX));
    let name = bounded(&customer.name, SHOWN_CHARS_MAX);
    format!("  {name} ({}), by {}: {matched}", customer.id, found.matched_by)
}

fn whole(text: &mut String, found: &Match, languages: &[String], style: Style) {
    text.push_str(&term::customer(&found.customer, style));
    let matched = bounded(&found.matched, SHOWN_CHARS_MAX);
    let how = match found.fit {
        Fit::Typo => ", spelled otherwise",
        Fit::SomeWords => ", by some of the words",
        _ => "",
    };
    let _ = writeln!(text, "  found by {}: {matched}{how}", found.matched_by);
    if let Some(colleague) = &found.colleague {
        let _ = writeln!(text, "  takes the call: {colleague}");
    }
    if !found.has_contact {
        text.push_str("  no contact is on file: there is nobody to call back\n");
    }
    for Bounce { address, at, status, said, .. } in &found.bounced {
        let said = bounded(&format!("{status} {said}"), SAID_CHARS_MAX);
        let _ = writeln!(text, "  mails to {address} came back at {at}: {}", said.trim());
    }
    for Note { at, by, what, text: note } in &found.notes {
        let _ = writeln!(text, "  note of {at} by {by} on {what}: {note}");
    }
    for language in languages {
        if let Some(say) = found.say.get(language) {
            let _ = writeln!(text, "  say ({language}), to anyone:");
            let _ = writeln!(text, "    {}", say.anyone);
            let _ = writeln!(text, "  say ({language}), to a verified caller:");
            let _ = writeln!(text, "    {}", say.verified);
        }
    }
}

fn as_of(made_at: Timestamp, now: Timestamp) -> String {
    let minutes = now.since(made_at).as_secs() / 60;
    let age = match minutes {
        0 => "less than a minute".to_owned(),
        1..=119 => format!("{minutes} min"),
        120..=2_879 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / 1_440),
    };
    format!("as of {made_at}, {age} old")
}
