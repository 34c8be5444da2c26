//! Access windows and the next promised page as a calendar (RFC 5545).

use std::fmt::Write as _;

use crate::model::Timestamp;
use crate::publish::feeds::urn;
use crate::publish::locale::Texts;
use crate::publish::{PublishError, StatusPage};

/// Longest line in octets, without its end.
const LINE_OCTETS: usize = 75;
/// An event without a known end is drawn so long.
const SHOWN_SECONDS: i64 = 60 * 60;

/// `calendar.ics` in the language of `texts`.
pub(super) fn ics(page: &StatusPage, texts: &Texts) -> Result<String, PublishError> {
    let mut lines = vec![
        "BEGIN:VCALENDAR".to_owned(),
        "VERSION:2.0".to_owned(),
        "PRODID:-//evac//status page//EN".to_owned(),
        format!("X-WR-CALNAME:{}", escaped(&page.name)),
    ];
    let stamp = utc(page.as_of);
    let title = texts.say("access-heading", &[])?;
    let note = texts.say("advice-hands-off", &[])?;
    for (index, window) in page.windows.iter().enumerate() {
        let Some(opens) = window.opens else { continue };
        let closes = window.closes.filter(|closes| *closes > opens);
        let end = closes.unwrap_or(Timestamp::from_second(opens.as_second() + SHOWN_SECONDS));
        lines.extend([
            "BEGIN:VEVENT".to_owned(),
            format!("UID:{}", urn(&page.name, &format!("window/{index}"))),
            format!("DTSTAMP:{stamp}"),
            format!("DTSTART:{}", utc(opens)),
            format!("DTEND:{}", utc(end)),
            format!("SUMMARY:{}: {}", escaped(&page.name), escaped(&title)),
            format!("DESCRIPTION:{}", escaped(&note)),
            "END:VEVENT".to_owned(),
        ]);
    }
    lines.extend([
        "BEGIN:VEVENT".to_owned(),
        format!("UID:{}", urn(&page.name, "next-update")),
        format!("DTSTAMP:{stamp}"),
        format!("DTSTART:{}", utc(page.next_update)),
        format!("SUMMARY:{}: {}", escaped(&page.name), escaped(&texts.say("status", &[])?)),
        "END:VEVENT".to_owned(),
        "END:VCALENDAR".to_owned(),
    ]);
    let mut out = String::new();
    for line in lines {
        fold(&line, &mut out);
    }
    Ok(out)
}

fn utc(at: Timestamp) -> String {
    at.as_jiff().strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\\' | ';' | ',' => {
                let _ = write!(out, "\\{c}");
            }
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// A line in pieces of at most 75 octets, cut between characters.
fn fold(line: &str, out: &mut String) {
    let mut octets = 0;
    for c in line.chars() {
        if octets + c.len_utf8() > LINE_OCTETS {
            out.push_str("\r\n ");
            octets = 1;
        }
        out.push(c);
        octets += c.len_utf8();
    }
    out.push_str("\r\n");
}
