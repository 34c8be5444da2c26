//! What a mail says: the words of its moment, and below them what is this customer's own. Pure.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::inventory::settings_mail::Moment;
use crate::model::text::bounded;
use crate::model::{CustomerId, Timestamp};
use crate::publish::dates::{Form, moment};
use crate::publish::locale::{Arg, Texts};
use crate::publish::own::{Service, Step};
use crate::publish::render::word_key;
use crate::publish::{Language, PublishError};

/// More services are counted, not listed.
const SERVICES_MAX: usize = 30;
/// More steps are on the customer's own page.
const STEPS_MAX: usize = 60;
const NAME_CHARS_MAX: usize = 80;
/// A person's own words.
const WORDS_CHARS_MAX: usize = 2_000;

/// A mail as it waits in the outbox: everything but the link to the customer's own page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    pub customer: CustomerId,
    pub moment: Moment,
    pub round: u32,
    /// One of his contacts.
    pub to: String,
    pub language: String,
    /// So many of his services are said to be online.
    pub online: u64,
    pub subject: String,
    /// Before the link.
    pub text: String,
    /// Behind it.
    pub closing: String,
}

/// What a letter is made of.
#[derive(Debug, Clone, Copy)]
pub struct Matter<'a> {
    /// The customer's name; `None`: he is called by none.
    pub name: Option<&'a str>,
    pub services: &'a [Service],
    pub steps: &'a [Step],
    /// What a person adds.
    pub words: Option<&'a str>,
    /// Whom to ask, in this language.
    pub contact: Option<&'a str>,
    /// The company.
    pub site: &'a str,
    pub zone: &'a TimeZone,
}

/// Subject, text before the link, text behind it.
pub fn compose(
    texts: &Texts,
    about: Moment,
    matter: &Matter<'_>,
) -> Result<(String, String, String), PublishError> {
    let key = |part: &str| format!("mail-{}-{part}", about.word());
    let title = texts.say(&key("title"), &[])?;
    let subject = format!("{}: {title}", bounded(matter.site, NAME_CHARS_MAX));
    let mut paragraphs = vec![greeting(texts, matter.name)?, texts.say(&key("body"), &[])?];
    paragraphs.extend(matter.words.map(|words| plain(words, WORDS_CHARS_MAX)));
    paragraphs.push(list(texts, "own-services", services(texts, matter)?)?);
    // Nobody is asked to change anything before it helps.
    if matches!(about, Moment::Waiting | Moment::Online | Moment::Final) {
        let (steps, moved) = (steps(texts, matter.steps)?, addresses(texts, matter.services)?);
        for (heading, lines) in [("own-steps", steps), ("own-addresses", moved)] {
            if !lines.is_empty() {
                paragraphs.push(list(texts, heading, lines)?);
            }
        }
    }
    Ok((subject, paragraphs.join("\n\n"), closing(texts, matter)?))
}

/// A mail that says that mails arrive.
pub fn test(texts: &Texts, matter: &Matter<'_>) -> Result<(String, String, String), PublishError> {
    let title = texts.say("mail-test-title", &[])?;
    let subject = format!("{}: {title}", bounded(matter.site, NAME_CHARS_MAX));
    let text = format!("{}\n\n{}", greeting(texts, None)?, texts.say("mail-test-body", &[])?);
    Ok((subject, text, closing(texts, matter)?))
}

/// The whole text, with the link to the customer's own page, or to everybody's.
pub fn whole(
    texts: &Texts,
    text: &str,
    closing: &str,
    link: Link<'_>,
) -> Result<String, PublishError> {
    let (key, link) = match link {
        Link::Own(link) => ("mail-link", link),
        Link::Page(link) => ("mail-page", link),
        Link::None => return Ok(format!("{text}\n\n{closing}\n")),
    };
    Ok(format!("{text}\n\n{}\n{link}\n\n{closing}\n", texts.say(key, &[])?))
}

/// Where more is told.
#[derive(Debug, Clone, Copy)]
pub enum Link<'a> {
    /// On his own page: a secret.
    Own(&'a str),
    /// On the page of everybody.
    Page(&'a str),
    /// Nowhere.
    None,
}

fn greeting(texts: &Texts, name: Option<&str>) -> Result<String, PublishError> {
    match name {
        None => texts.say("mail-hello", &[]),
        Some(name) => texts.say("mail-dear", &[("name", Arg::Text(bounded(name, NAME_CHARS_MAX)))]),
    }
}

fn closing(texts: &Texts, matter: &Matter<'_>) -> Result<String, PublishError> {
    let mut closing = String::new();
    if let Some(contact) = matter.contact {
        let heading = texts.say("contact-heading", &[])?;
        closing.push_str(&format!("{heading}: {}\n\n", plain(contact, WORDS_CHARS_MAX)));
    }
    let site = bounded(matter.site, NAME_CHARS_MAX);
    closing.push_str(&format!("{site}\n\n{}", texts.say("mail-machine", &[])?));
    Ok(closing)
}

fn list(texts: &Texts, heading: &str, lines: Vec<String>) -> Result<String, PublishError> {
    let heading = texts.say(heading, &[])?;
    Ok(lines.into_iter().fold(format!("{heading}:"), |text, line| format!("{text}\n- {line}")))
}

fn services(texts: &Texts, matter: &Matter<'_>) -> Result<Vec<String>, PublishError> {
    let mut lines = Vec::new();
    for (number, service) in (1_u64..).zip(matter.services).take(SERVICES_MAX) {
        let word = texts.say(&format!("word-{}", word_key(service.word)), &[])?;
        let mut args = vec![
            ("label", Arg::Text(label(texts, number, service)?)),
            ("word", Arg::Text(lowered(&word))),
        ];
        let key = match service.data_of {
            None => "mail-service",
            Some(at) => {
                args.push(("time", Arg::Text(full(texts, matter.zone, at)?)));
                "mail-service-data"
            }
        };
        lines.push(texts.say(key, &args)?);
    }
    lines.extend(more(texts, matter.services.len(), SERVICES_MAX)?);
    Ok(lines)
}

/// As it stands within a sentence; other words keep what their language gives them.
fn lowered(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map(|first| first.to_lowercase().chain(rest).collect()).unwrap_or_default()
}

fn steps(texts: &Texts, steps: &[Step]) -> Result<Vec<String>, PublishError> {
    let text = |value: &dyn std::fmt::Display| Arg::Text(value.to_string());
    let mut lines = Vec::new();
    for step in steps.iter().take(STEPS_MAX) {
        let (key, args) = match step {
            Step::DnsOld { domain, old, new } => (
                "own-dns-old",
                vec![("domain", text(domain)), ("old", text(old)), ("new", text(new))],
            ),
            Step::DnsDone { domain } => ("own-dns-done", vec![("domain", text(domain))]),
            Step::DnsElsewhere { domain, new } => {
                ("own-dns-elsewhere", vec![("domain", text(domain)), ("new", text(new))])
            }
            Step::DnsUnknown { domain, new } => {
                ("own-dns-unknown", vec![("domain", text(domain)), ("new", text(new))])
            }
            Step::Key { address, key } => {
                ("own-key", vec![("address", text(address)), ("key", text(key))])
            }
        };
        lines.push(texts.say(key, &args)?);
    }
    lines.extend(more(texts, steps.len(), STEPS_MAX)?);
    Ok(lines)
}

fn addresses(texts: &Texts, services: &[Service]) -> Result<Vec<String>, PublishError> {
    let mut lines = Vec::new();
    for (number, service) in (1_u64..).zip(services).take(SERVICES_MAX) {
        for (old, new) in &service.addresses {
            let args = [
                ("label", Arg::Text(label(texts, number, service)?)),
                ("old", Arg::Text(old.to_string())),
                ("new", Arg::Text(new.to_string())),
            ];
            lines.push(texts.say("mail-address", &args)?);
        }
    }
    Ok(lines)
}

fn more(texts: &Texts, all: usize, shown: usize) -> Result<Option<String>, PublishError> {
    let left = all.saturating_sub(shown) as u64;
    let say = |left| texts.say("mail-more", &[("count", Arg::Count(left))]);
    (left > 0).then_some(left).map(say).transpose()
}

fn label(texts: &Texts, number: u64, service: &Service) -> Result<String, PublishError> {
    match &service.label {
        Some(label) => Ok(label.clone()),
        None => texts.say("own-unnamed", &[("number", Arg::Count(number))]),
    }
}

fn full(texts: &Texts, zone: &TimeZone, at: Timestamp) -> Result<String, PublishError> {
    Ok(moment(texts, zone, at, Form::Full)?.text)
}

/// Lines of a text that a person wrote, without what could pass for anything else.
fn plain(text: &str, chars_max: usize) -> String {
    let lines = text.lines().map(|line| bounded(line.trim_end(), chars_max));
    lines.collect::<Vec<_>>().join("\n")
}

/// A customer's language, whatever the region, where evac speaks it; else the site's first.
pub fn language(written: Option<&str>, first: Language) -> Language {
    let primary = written.and_then(|tag| tag.split(['-', '_']).next());
    primary.and_then(|code| code.to_ascii_lowercase().parse().ok()).unwrap_or(first)
}
