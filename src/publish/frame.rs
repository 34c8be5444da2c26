//! What all pages have around them: head, links to other languages and pages, whom to ask.

use serde::Serialize;

use crate::publish::page::StatusPage;
use crate::publish::press::Press;
use crate::publish::wording::{Said, pick};
use crate::publish::{Kind, Language, PublishError};

/// Longest free text of the site itself.
const MAX_FREE_CHARS: usize = 2_000;

/// Where a page is, seen from itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// Leads to the folder's root.
    pub base: &'a str,
    /// Leads to the folder of the page's language.
    pub here: &'a str,
    /// The page's name.
    pub file: &'static str,
    /// Is it for one customer?
    pub private: bool,
}

#[derive(Serialize)]
pub(super) struct Frame<'a> {
    lang: &'static str,
    base: &'a str,
    here: &'a str,
    name: &'a str,
    css: &'a str,
    logo: Option<&'a str>,
    private: bool,
    has_rss: bool,
    links: Vec<Link>,
    pages: Vec<PageLink>,
    contact: Option<Free>,
}

/// The page in another language.
#[derive(Serialize)]
struct Link {
    code: &'static str,
    name: String,
    href: String,
    current: bool,
}

/// Another page.
#[derive(Serialize)]
struct PageLink {
    key: &'static str,
    href: String,
    current: bool,
}

/// Free text in its own language.
#[derive(Serialize)]
pub(super) struct Free {
    lang: Option<String>,
    paragraphs: Vec<String>,
}

impl From<Said> for Free {
    fn from(said: Said) -> Self {
        Self { paragraphs: said.paragraphs(), lang: said.lang }
    }
}

/// The site's own words for a page in `language`.
pub(super) fn free(
    page: &StatusPage,
    wording: &crate::inventory::Wording,
    language: Language,
) -> Option<Free> {
    pick(wording, language, &page.languages, MAX_FREE_CHARS).map(Free::from)
}

impl<'a> Frame<'a> {
    pub(super) fn new(
        page: &'a StatusPage,
        press: &'a Press,
        place: Place<'a>,
    ) -> Result<Self, PublishError> {
        let language = press.texts().language();
        let Place { base, here, file, private } = place;
        Ok(Self {
            lang: language.code(),
            base,
            here,
            name: &page.name,
            css: press.css(),
            logo: page.look.logo.as_deref(),
            private,
            has_rss: page.url.is_some(),
            links: if private { Vec::new() } else { links(page, language, place)? },
            pages: if private { Vec::new() } else { pages(page, here, file) },
            contact: free(page, &page.contact, language),
        })
    }
}

fn links(page: &StatusPage, current: Language, place: Place) -> Result<Vec<Link>, PublishError> {
    let link = |language: &Language| {
        Ok(Link {
            code: language.code(),
            name: crate::publish::locale::Texts::new(*language)?.say("language-name", &[])?,
            href: format!("{}{language}/{}", place.base, place.file),
            current: *language == current,
        })
    };
    page.languages.iter().map(link).collect()
}

fn pages(page: &StatusPage, here: &str, current: &str) -> Vec<PageLink> {
    let has_post_mortem = page.updates.iter().any(|update| update.kind == Kind::PostMortem);
    [
        ("page-status", "index.html", true),
        ("page-history", "history.html", true),
        ("page-maintenance", "maintenance.html", true),
        ("page-post-mortem", "post-mortem.html", has_post_mortem),
    ]
    .into_iter()
    .filter(|(_, _, is_there)| *is_there)
    .map(|(key, file, _)| PageLink { key, href: format!("{here}{file}"), current: file == current })
    .collect()
}
