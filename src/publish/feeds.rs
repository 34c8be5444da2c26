//! What was posted as feeds: Atom, RSS and JSON Feed, with an entry for each message.
//!
//! An entry's id is made of the site's name and the message's id, so it stays whatever else
//! changes. A feed changes only when something is posted: readers may keep it. RSS demands whole
//! links, so there is one only where the site says where its page is read.

use serde::Serialize;

use crate::model::Timestamp;
use crate::publish::press::Press;
use crate::publish::{Kind, PublishError, StatusPage, Update, api, messages};

/// Newest messages in a feed.
const ENTRIES_MAX: usize = 50;

#[derive(Serialize)]
pub(super) struct Feed<'a> {
    lang: &'static str,
    title: String,
    name: &'a str,
    description: String,
    id: String,
    updated: String,
    updated_mail: String,
    /// Where the page is read.
    url: Option<&'a str>,
    /// Leads to the folder of the language.
    page: String,
    entries: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    id: String,
    /// The page that shows it.
    file: &'static str,
    urn: String,
    title: String,
    at: String,
    mail_date: String,
    kind: &'static str,
    label: String,
    lang: Option<String>,
    text: String,
}

impl<'a> Feed<'a> {
    /// The feed in the language of `press`, for a file from which `here` leads to the folder of
    /// that language.
    pub(super) fn new(
        page: &'a StatusPage,
        press: &Press,
        here: &str,
    ) -> Result<Self, PublishError> {
        let texts = press.texts();
        let lang = texts.language().code();
        let entries: Result<Vec<_>, _> = page
            .updates
            .iter()
            .take(ENTRIES_MAX)
            .map(|update| entry(page, press, update))
            .collect();
        let first = page.history.first().map_or(page.as_of, |point| point.at);
        let updated = page.updates.first().map_or(first, |update| update.at);
        let name = xml_text(&page.name);
        Ok(Self {
            lang,
            title: format!("{name} – {}", texts.say("status", &[])?),
            name: &page.name,
            description: texts.say("about", &[])?,
            id: urn(&page.name, &format!("feed/{lang}")),
            updated: updated.to_string(),
            updated_mail: mail_date(updated),
            url: page.url.as_deref(),
            page: match &page.url {
                Some(url) => format!("{url}{lang}/"),
                None => here.to_owned(),
            },
            entries: entries?,
        })
    }

    pub(super) fn atom(&self, press: &Press) -> Result<String, PublishError> {
        press.print("atom.xml", self)
    }

    pub(super) fn rss(&self, press: &Press) -> Result<Option<String>, PublishError> {
        self.url.map(|_| press.print("rss.xml", self)).transpose()
    }

    /// JSON Feed 1.1.
    pub(super) fn json(&self) -> Vec<u8> {
        let item = |entry: &Entry| {
            serde_json::json!({
                "id": entry.urn,
                "url": format!("{}{}#u-{}", self.page, entry.file, entry.id),
                "title": entry.title,
                "content_text": entry.text,
                "date_published": entry.at,
                "language": entry.lang.as_deref().unwrap_or(self.lang),
                "tags": [entry.kind],
            })
        };
        let mut feed = serde_json::json!({
            "version": "https://jsonfeed.org/version/1.1",
            "title": self.title,
            "language": self.lang,
            "authors": [{ "name": self.name }],
            "items": self.entries.iter().map(item).collect::<Vec<_>>(),
        });
        if let Some(url) = self.url {
            feed["home_page_url"] = format!("{url}{}/", self.lang).into();
            feed["feed_url"] = format!("{url}{}/feed.json", self.lang).into();
        }
        api::json(&feed)
    }
}

fn entry(page: &StatusPage, press: &Press, update: &Update) -> Result<Entry, PublishError> {
    let texts = press.texts();
    let kind = messages::kind(page, update);
    let title = messages::title(page, texts, update)?;
    let body = messages::body(page, texts, update);
    let text = body.as_ref().map_or("", |body| &body.text);
    Ok(Entry {
        id: messages::anchor(update),
        file: match update.kind {
            Kind::Maintenance => "maintenance.html",
            Kind::PostMortem => "post-mortem.html",
            _ => "history.html",
        },
        urn: urn(&page.name, &format!("update/{}", update.id)),
        title: xml_text(&title.text),
        at: update.at.to_string(),
        mail_date: mail_date(update.at),
        kind: kind.word(),
        label: texts.say(&format!("kind-{}", kind.word()), &[])?,
        lang: body.as_ref().and_then(|body| body.lang.clone()),
        text: xml_text(text),
    })
}

/// What XML 1.0 has no place for, replaced.
fn xml_text(text: &str) -> String {
    text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

/// As mail and RSS write it.
fn mail_date(at: Timestamp) -> String {
    at.as_jiff().strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

/// An id that says nothing, is like no other, and stays.
pub(super) fn urn(site_name: &str, what: &str) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("evac status page 2 urn");
    hasher.update(site_name.as_bytes());
    hasher.update(&[0]);
    hasher.update(what.as_bytes());
    let hex = hasher.finalize().to_hex();
    // The form of a UUID of one's own making, version 8.
    format!(
        "urn:uuid:{}-{}-8{}-a{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[13..16],
        &hex[17..20],
        &hex[20..32]
    )
}
