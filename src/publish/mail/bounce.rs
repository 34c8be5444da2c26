//! Mails that came back: reads delivery status notifications (RFC 3464) out of anything that holds
//! mails: one, an mbox, a Maildir. Whoever can write to our mailbox wrote them: everything is
//! bounded, and only what names a Message-ID of ours counts. Pure.

use std::collections::BTreeSet;

use crate::model::text::bounded;

/// A report is short; what is longer quotes the mail.
const MESSAGE_BYTES_MAX: usize = 256 << 10;
/// Recipients of one report.
const RECIPIENTS_MAX: usize = 20;
const SAID_CHARS_MAX: usize = 200;
/// Headers, and fields of reports, that hold the id of the mail that came back.
const MESSAGE_ID: [&str; 3] = ["Message-ID", "X-Original-Message-ID", "Original-Message-ID"];

/// A mail that did not arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Whom it was for, in lower case, as far as it says.
    pub recipients: Vec<Recipient>,
    /// Everything in it that has the form of a Message-ID of ours.
    pub ids: BTreeSet<String>,
    /// Those of them that are said to be the Message-ID of a mail. A mail names others too: those
    /// it answers, which did not come back.
    pub own_ids: BTreeSet<String>,
}

/// One of those it was for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// In lower case.
    pub address: String,
    /// `failed`, `delayed`, …
    pub action: String,
    /// `5.1.1`.
    pub status: String,
    pub said: String,
}

impl Recipient {
    /// Will it never arrive?
    pub fn is_failed(&self) -> bool {
        self.action == "failed" && self.status.starts_with('5')
    }
}

/// The mails of an mbox, or the one mail that `bytes` are.
pub fn mails(bytes: &[u8]) -> Vec<&[u8]> {
    const MARK: &[u8] = b"From ";
    if !bytes.starts_with(MARK) {
        return vec![bytes];
    }
    let mut starts = vec![0];
    let is_mark = |at: &usize| bytes[*at..].starts_with(b"\n\nFrom ");
    starts.extend((0..bytes.len()).filter(is_mark).map(|at| at + 2));
    // Mailboxes of other systems end their lines in CR LF.
    let is_mark = |at: &usize| bytes[*at..].starts_with(b"\r\n\r\nFrom ");
    starts.extend((0..bytes.len()).filter(is_mark).map(|at| at + 4));
    starts.sort_unstable();
    starts.dedup();
    let ends = starts.iter().skip(1).copied().chain([bytes.len()]);
    starts.iter().zip(ends).map(|(start, end)| &bytes[*start..end]).collect()
}

/// What a mail reports; `None`: it is no report.
pub fn report(mail: &[u8]) -> Option<Report> {
    let text = String::from_utf8_lossy(&mail[..mail.len().min(MESSAGE_BYTES_MAX)]);
    let lines = unfolded(&text);
    let is_status = |line: &String| line.to_ascii_lowercase().contains("message/delivery-status");
    let start = lines.iter().position(is_status)?;
    let mut recipients: Vec<Recipient> = Vec::new();
    let mut current = Fields::default();
    for line in &lines[start + 1..] {
        let is_end = line.is_empty() || line.starts_with("--");
        if is_end {
            recipients.extend(std::mem::take(&mut current).recipient());
        } else if let Some((name, value)) = line.split_once(':') {
            current.take(name.trim(), value.trim());
        }
        // Behind the report stands the mail, with headers of its own.
        if (line.starts_with("--") && !recipients.is_empty()) || recipients.len() >= RECIPIENTS_MAX
        {
            break;
        }
    }
    recipients.extend(current.recipient());
    recipients.truncate(RECIPIENTS_MAX);
    let is_id = |line: &&String| {
        let name = line.split_once(':').map_or("", |(name, _)| name.trim());
        MESSAGE_ID.iter().any(|known| name.eq_ignore_ascii_case(known))
    };
    let own_ids = lines.iter().filter(is_id).flat_map(|line| ids(line)).collect();
    let ids = ids(&text);
    (!recipients.is_empty()).then_some(Report { recipients, ids, own_ids })
}

#[derive(Default)]
struct Fields {
    original: Option<String>,
    last: Option<String>,
    action: String,
    status: String,
    said: String,
}

impl Fields {
    fn take(&mut self, name: &str, value: &str) {
        // `rfc822; a@b.example`
        let behind =
            |value: &str| value.split_once(';').map_or(value, |(_, it)| it).trim().to_owned();
        match name.to_ascii_lowercase().as_str() {
            "original-recipient" => self.original = Some(behind(value)),
            "final-recipient" => self.last = Some(behind(value)),
            "action" => self.action = value.to_ascii_lowercase(),
            "status" => {
                let status = value.split_whitespace().next().unwrap_or_default();
                status.clone_into(&mut self.status);
            }
            "diagnostic-code" => self.said = behind(value),
            _ => {}
        }
    }

    fn recipient(self) -> Option<Recipient> {
        let address = self.original.filter(|it| it.contains('@')).or(self.last)?;
        let address = address.trim_matches(['<', '>']).to_ascii_lowercase();
        Some(Recipient {
            address: bounded(&address, 254),
            action: bounded(&self.action, 20),
            status: bounded(&self.status, 12),
            said: bounded(&self.said, SAID_CHARS_MAX),
        })
    }
}

/// Lines of headers, those that were folded in one.
fn unfolded(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        match lines.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) && !last.is_empty() => {
                last.push(' ');
                last.push_str(line.trim());
            }
            _ => lines.push(line.trim_end().to_owned()),
        }
    }
    lines
}

/// `<evac.…@…>`, wherever it stands.
fn ids(text: &str) -> BTreeSet<String> {
    const START: &str = "<evac.";
    const LENGTH_MAX: usize = 320;
    let mut ids = BTreeSet::new();
    for (at, _) in text.match_indices(START).take(100) {
        let rest = &text.as_bytes()[at..text.len().min(at + LENGTH_MAX)];
        let Some(end) = rest.iter().position(|byte| *byte == b'>') else { continue };
        if rest[..end].iter().all(u8::is_ascii_graphic) {
            ids.insert(text[at..=at + end].to_owned());
        }
    }
    ids
}
