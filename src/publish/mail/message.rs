//! A mail as it crosses the wire (RFC 5322), and how it is known again. Pure.
//!
//! **Promises.** The Message-ID is made of the site and the row of the outbox alone: a copy has the
//! same. All mails to a customer are one thread. Machines do not answer them (RFC 3834). A line of
//! text is short or flowed (RFC 3676); nothing in a text or a name can begin a header.

use std::fmt::Write as _;
use std::time::SystemTime;

use lettre::Message;
use lettre::message::SinglePart;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};

use crate::inventory::settings_mail::Mail;
use crate::model::text::bounded;
use crate::model::{SiteId, Timestamp};

/// A line with the blank that says "it goes on".
const LINE_CHARS_MAX: usize = 74;
const SUBJECT_CHARS_MAX: usize = 150;
/// An id is long enough to be unique, and fits one line with its header.
const ID_CHARS: usize = 32;

/// What leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts<'a> {
    pub to: &'a str,
    pub subject: &'a str,
    pub text: &'a str,
    pub id: &'a str,
    /// Message-ID of the customer's first mail.
    pub thread: Option<&'a str>,
    pub at: Timestamp,
}

/// The Message-ID of a row.
pub fn id(site: SiteId, subject: &str, from: &str) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("evac mail 1 message id");
    hasher.update(site.as_bytes());
    hasher.update(subject.as_bytes());
    let domain = from.rsplit_once('@').map_or("invalid", |(_, domain)| domain);
    let domain = domain.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
    format!("<evac.{}@{domain}>", &hasher.finalize().to_hex()[..ID_CHARS])
}

/// The bytes of the message; an error says why there can be none.
pub fn bytes(mail: &Mail, parts: &Parts<'_>) -> Result<Vec<u8>, String> {
    let said = |error: &dyn std::fmt::Display| bounded(&error.to_string(), 200);
    let mailbox =
        |text: &str| text.parse().map_err(|error: lettre::address::AddressError| said(&error));
    let mut builder = Message::builder()
        .date(SystemTime::from(parts.at.as_jiff()))
        .from(mailbox(&mail.from)?)
        .to(mailbox(parts.to)?)
        .subject(bounded(parts.subject, SUBJECT_CHARS_MAX))
        .message_id(Some(parts.id.to_owned()));
    if let Some(reply_to) = &mail.reply_to {
        builder = builder.reply_to(mailbox(reply_to)?);
    }
    if let Some(thread) = parts.thread.filter(|thread| *thread != parts.id) {
        builder = builder.in_reply_to(thread.to_owned()).references(thread.to_owned());
    }
    let mut raw = vec![
        ("Auto-Submitted", "auto-generated".to_owned()),
        ("X-Auto-Response-Suppress", "All".to_owned()),
    ];
    if let Some(link) = &mail.unsubscribe {
        raw.push(("List-Unsubscribe", format!("<{link}>")));
    }
    for (name, value) in raw {
        let name = HeaderName::new_from_ascii(name.to_owned()).map_err(|error| said(&error))?;
        builder = builder.raw_header(HeaderValue::new(name, value));
    }
    let kind = ContentType::parse("text/plain; charset=utf-8; format=flowed");
    let kind = kind.map_err(|error| said(&error))?;
    let body = SinglePart::builder().header(kind).body(flowed(parts.text));
    let message = builder.singlepart(body).map_err(|error| said(&error))?;
    Ok(message.formatted())
}

/// Lines that end in a blank go on in the next one.
fn flowed(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let line = line.trim_end();
        // A reader takes the blank away again; without it these would be a quote or an mbox's mark.
        let stuffing =
            if line.starts_with([' ', '>']) || line.starts_with("From ") { " " } else { "" };
        let mut length = stuffing.len();
        out.push_str(stuffing);
        for (index, word) in line.split(' ').enumerate() {
            let chars = word.chars().count();
            if index > 0 && length + 1 + chars > LINE_CHARS_MAX {
                out.push_str(" \r\n");
                length = 0;
            } else if index > 0 {
                out.push(' ');
                length += 1;
            }
            let _ = write!(out, "{word}");
            length += chars;
        }
        out.push_str("\r\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_flow_and_short_ones_stay() {
        let text = format!(
            "Hello,\n\n{}\n> no quote\nFrom here on\n{}\n",
            "word ".repeat(40),
            "x".repeat(200)
        );
        let flowed = flowed(&text);
        let lines: Vec<_> = flowed.split("\r\n").collect();
        assert_eq!(lines[..2], ["Hello,", ""]);
        assert!(lines[2].ends_with("word "), "{lines:?}");
        assert!(lines.iter().all(|line| line.len() <= 76 || line.starts_with('x')), "{lines:?}");
        assert!(lines.contains(&" > no quote") && lines.contains(&" From here on"), "{lines:?}");
        assert!(lines.contains(&"x".repeat(200).as_str()));
    }
}
