//! `[mail]`: how customers are written to, and at which moments of theirs.
//!
//! **Invariant.** No secret is written here, see [`crate::inventory::settings_publish`]. A login
//! never crosses a network unencrypted.

use std::path::PathBuf;
use std::time::Duration;

use lettre::message::Mailbox;
use serde::{Deserialize, Serialize};

use crate::inventory::document::Table;
use crate::inventory::fields::Fields;
use crate::inventory::settings_publish::{SecretSource, secret};
use crate::inventory::{Origin, Problem};
use crate::model::Span;

/// Mails in any minute, unless `rate` says otherwise: what a relay takes from a newcomer.
const RATE: u32 = 60;
/// What is true for less is not written about, unless `settle` says otherwise.
const SETTLE: Span = Span(Duration::from_secs(120));
/// Mails to one customer in any hour, unless `hourly` says otherwise.
const HOURLY: u32 = 3;

/// What a customer is written to about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// His server can be reached for a while: he must not change anything.
    Reachable,
    /// A person says that not all of his data may get out.
    AtRisk,
    /// All of his data is out.
    Copied,
    /// Some of his services are online.
    Partly,
    /// All are online, and he has to change something himself.
    Waiting,
    /// All are online.
    Online,
    /// What was online is not any more.
    Back,
    /// It is over for everybody.
    Final,
}

impl Moment {
    /// All of them.
    pub const ALL: [(&'static str, Self); 8] = [
        ("reachable", Self::Reachable),
        ("at-risk", Self::AtRisk),
        ("copied", Self::Copied),
        ("partly", Self::Partly),
        ("waiting", Self::Waiting),
        ("online", Self::Online),
        ("back", Self::Back),
        ("final", Self::Final),
    ];

    /// As it is written, and as its texts are called.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, moment)| *moment == self).map_or("", |(word, _)| word)
    }
}

/// How a relay is talked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// TLS from the first byte, as on port 465.
    Required,
    /// TLS before anything is said, or nothing is said.
    Starttls,
    /// None.
    Plain,
}

/// A mail server that passes mails on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How it is talked to.
    pub encryption: Encryption,
    /// Its certificate's authority, besides those of this machine, as written.
    pub authority: Option<PathBuf>,
    /// Login, with the secret beside it.
    pub login: Option<(String, SecretSource)>,
}

/// What carries mails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// A mail server.
    Relay(Relay),
    /// A program and its arguments; one call a message.
    Command(Vec<String>),
}

/// `[mail]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Who writes.
    pub from: String,
    /// Who reads answers; `None`: who writes.
    pub reply_to: Option<String>,
    /// What carries them.
    pub way: Way,
    /// Mails in any minute.
    pub rate: u32,
    /// Mails to one customer in any hour.
    pub hourly: u32,
    /// What is true for less is not written about.
    pub settle: Span,
    /// What is written about without anybody's asking.
    pub moments: Vec<Moment>,
    /// A link or `mailto:` for those who want no more.
    pub unsubscribe: Option<String>,
}

/// Reads the table.
pub(super) fn read(table: &Table, at: &Origin, problems: &mut Vec<Problem>) -> Option<Mail> {
    let mut fields = Fields::new(table, at, "[mail]", problems);
    let from = fields.placed_text("from");
    if from.is_none() && table.get("from").is_none() {
        let hint = "Write who writes: from = \"Example Hosting <status@example.net>\".";
        fields.error(at, "[mail] has no `from`", hint);
    }
    let from = from.and_then(|(text, at)| mailbox(&mut fields, "from", text, at));
    let reply_to = fields.placed_text("reply_to");
    let reply_to = reply_to.and_then(|(text, at)| mailbox(&mut fields, "reply_to", text, at));
    let way = way(&mut fields, at);
    let mail = Mail {
        from: from.unwrap_or_default(),
        reply_to,
        way: way.unwrap_or(Way::Command(Vec::new())),
        rate: fields.integer("rate", 1, 6_000).unwrap_or(RATE),
        hourly: fields.integer("hourly", 1, 60).unwrap_or(HOURLY),
        settle: fields.parse("settle").unwrap_or(SETTLE),
        moments: moments(&mut fields),
        unsubscribe: unsubscribe(&mut fields),
    };
    fields.finish();
    let has_way = !matches!(&mail.way, Way::Command(words) if words.is_empty());
    (has_way && !mail.from.is_empty()).then_some(mail)
}

fn mailbox(fields: &mut Fields<'_>, key: &str, text: &str, at: &Origin) -> Option<String> {
    let parsed = text.parse::<Mailbox>().ok().filter(|it| it.email.to_string().is_ascii());
    if parsed.is_none() {
        let hint =
            "Write it as \"Example Hosting <status@example.net>\", in ASCII between < and >.";
        fields.error(at, format!("`{key}` is no mail address"), hint);
    }
    parsed.map(|_| text.to_owned())
}

fn way(fields: &mut Fields<'_>, at: &Origin) -> Option<Way> {
    const HINT: &str =
        "Write relay = \"mail.example.net:587\", or command = [\"/usr/bin/program\"].";
    let command = fields.texts("command");
    let relay = relay(fields, at);
    match (relay, command.is_empty()) {
        (Some(relay), true) => Some(Way::Relay(relay)),
        (None, false) if fields.raw("relay").is_none() => Some(Way::Command(command)),
        (Some(_), false) => {
            fields.error(at, "[mail] has both `relay` and `command`", HINT);
            None
        }
        (None, _) => {
            if fields.raw("relay").is_none() {
                fields.error(at, "[mail] has neither `relay` nor `command`", HINT);
            }
            None
        }
    }
}

fn relay(fields: &mut Fields<'_>, table_at: &Origin) -> Option<Relay> {
    const ENCRYPTIONS: [(&str, Encryption); 3] = [
        ("required", Encryption::Required),
        ("starttls", Encryption::Starttls),
        ("none", Encryption::Plain),
    ];
    let place = fields.placed_text("relay");
    let encryption = fields.word("tls", &ENCRYPTIONS);
    let is_unencrypted = fields.boolean("unencrypted").unwrap_or(false);
    let authority = fields.text("authority").map(PathBuf::from);
    let (user, secret) = (fields.text("user"), secret(fields));
    let (text, at) = place?;
    let Some((host, port)) = host_and_port(text) else {
        let hint = "Write a name or address and a port: relay = \"mail.example.net:587\".";
        fields.error(at, format!("`relay` is `{text}`"), hint);
        return None;
    };
    let is_here =
        host == "localhost" || host.parse().is_ok_and(|it: std::net::IpAddr| it.is_loopback());
    let usual = match port {
        465 => Encryption::Required,
        _ if is_here => Encryption::Plain,
        _ => Encryption::Starttls,
    };
    let encryption = encryption.unwrap_or(usual);
    if encryption == Encryption::Plain && !is_here && !is_unencrypted {
        let hint = "Write tls = \"starttls\" or \"required\"; if it must be, unencrypted = true.";
        fields.error(at, "mails to a relay elsewhere would be readable on the way", hint);
    }
    if user.is_some() != secret.is_some() {
        let hint = "Write both `user` and `secret`, or neither.";
        fields.error(table_at, "[mail] has only one of `user` and `secret`", hint);
    }
    let login = user.zip(secret);
    if login.is_some() && encryption == Encryption::Plain && !is_here {
        let hint = "Write tls = \"starttls\" or \"required\".";
        fields.error(at, "the login of `relay` would be readable on the way", hint);
    }
    Some(Relay { host, port, encryption, authority, login })
}

/// `NAME:PORT`, `ADDRESS:PORT`, `[ADDRESS]:PORT`.
fn host_and_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(host);
    let port = port.parse().ok().filter(|port| *port > 0)?;
    crate::inventory::parse::is_address(host).then(|| (host.to_owned(), port))
}

fn moments(fields: &mut Fields<'_>) -> Vec<Moment> {
    if fields.raw("moments").is_none() {
        let all = Moment::ALL.iter().map(|(_, moment)| *moment);
        // Nobody is frightened by a machine.
        return all.filter(|moment| *moment != Moment::AtRisk).collect();
    }
    let mut found = Vec::new();
    for (text, at) in fields.placed_texts("moments") {
        match Moment::ALL.iter().find(|(word, _)| *word == text) {
            Some((_, Moment::AtRisk)) => {
                let hint = "`evac publish mail at-risk WHAT` writes it, when a person says so.";
                fields.error(at, "`at-risk` is never written about by itself", hint);
            }
            Some((_, moment)) => found.push(*moment),
            None => {
                let words: Vec<_> = Moment::ALL.iter().map(|(word, _)| *word).collect();
                let hint = format!("There are: {}.", words.join(", "));
                fields.error(at, format!("`moments` has `{text}`"), &hint);
            }
        }
    }
    found
}

fn unsubscribe(fields: &mut Fields<'_>) -> Option<String> {
    let (text, at) = fields.placed_text("unsubscribe")?;
    let is_link = text.starts_with("https://") || text.starts_with("mailto:");
    if !is_link || !text.chars().all(|c| c.is_ascii_graphic() && !"<>,".contains(c)) {
        let hint = "Write an https:// link or mailto:ADDRESS.";
        fields.error(at, "`unsubscribe` is no link", hint);
        return None;
    }
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{SourceFile, read_files};

    fn read(text: &str) -> (Option<Mail>, Vec<String>) {
        let text = format!("[site]\nname = \"x\"\n[mail]\n{text}");
        let settings = SourceFile::new("evac.toml", &text);
        let inventory = SourceFile::new("inventory.toml", "[[host]]\nid = \"a\"\naddress = \"b\"");
        let reading = read_files(&settings, &[inventory]);
        let problems = reading.problems.iter().filter(|problem| problem.file == "evac.toml");
        (reading.settings.mail.clone(), problems.map(Problem::to_string).collect())
    }

    #[test]
    fn the_usual_follows_from_where_the_relay_is() {
        for (relay, more, expected) in [
            ("127.0.0.1:25", "", Encryption::Plain),
            ("localhost:25", "tls = \"starttls\"", Encryption::Starttls),
            ("mail.example.net:587", "", Encryption::Starttls),
            ("mail.example.net:465", "", Encryption::Required),
            ("[2001:db8::25]:25", "tls = \"none\"\nunencrypted = true", Encryption::Plain),
        ] {
            let (mail, problems) =
                read(&format!("from = \"a@b.example\"\nrelay = \"{relay}\"\n{more}"));
            assert_eq!(problems, <[String; 0]>::default(), "{relay}");
            let Some(Mail { way: Way::Relay(found), .. }) = mail else { panic!("{mail:?}") };
            assert_eq!(found.encryption, expected, "{relay}");
        }
    }

    #[test]
    fn what_would_be_read_on_the_way_or_goes_nowhere_is_an_error() {
        const FROM: &str = "from = \"A B <a@b.example>\"\n";
        const LOGIN: &str = "user = \"u\"\nsecret = { file = \"s\" }\n";
        for (text, expected) in [
            ("relay = \"localhost:25\"".to_owned(), "[mail] has no `from`"),
            (format!("{FROM}from2 = 1"), "[mail] has neither `relay` nor `command`"),
            (format!("{FROM}relay = \"x:25\"\ncommand = [\"y\"]"), "both `relay` and `command`"),
            (format!("{FROM}relay = \"x\""), "`relay` is `x`"),
            (format!("{FROM}relay = \"x:25\"\ntls = \"none\""), "readable on the way"),
            (
                format!("{FROM}{LOGIN}relay = \"x:25\"\ntls = \"none\"\nunencrypted = true"),
                "the login of `relay` would be readable",
            ),
            (format!("{FROM}relay = \"x:25\"\nuser = \"u\""), "only one of `user` and `secret`"),
            (format!("{FROM}relay = \"x:25\"\nsecret = \"hush\""), "`secret` is not where"),
            (format!("{FROM}relay = \"x:25\"\nmoments = [\"at-risk\"]"), "never written about"),
            (format!("{FROM}relay = \"x:25\"\nmoments = [\"onlin\"]"), "`moments` has `onlin`"),
            (format!("{FROM}relay = \"x:25\"\nunsubscribe = \"x>\"").replace('>', "> "), "no link"),
            ("from = \"jörg@bäcker.example\"\nrelay = \"x:25\"".to_owned(), "no mail address"),
            (
                "from = \"a@b\\r\\nBcc: c@d.example\"\nrelay = \"x:25\"".to_owned(),
                "no mail address",
            ),
        ] {
            let (_, problems) = read(&text);
            assert!(problems.iter().any(|it| it.contains(expected)), "{text}: {problems:?}");
            assert!(!problems.concat().contains("hush"), "{problems:?}");
        }
    }
}
