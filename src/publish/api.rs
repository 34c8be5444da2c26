//! `api/v2/summary.json` and `api/v2/status.json` in the shape of Atlassian Statuspage's public
//! read API, so that monitors people already have can read ours.
//!
//! The fields are those of Statuspage's published API (v2, public and read-only); a test holds the
//! list. A component is a public word: its status says how customers at that word fare, its
//! description counts them. Nothing is posted as an incident yet, and the lists that would hold
//! one are empty by type.
//!
//! | indicator | when |
//! |---|---|
//! | `none` | everybody is online |
//! | `minor` | nine in ten are |
//! | `major` | somebody is, or there is nobody to count yet |
//! | `critical` | nobody is |

use serde::Serialize;

use crate::model::{PublicWord, Timestamp};
use crate::publish::locale::{Arg, Texts};
use crate::publish::page::WordCount;
use crate::publish::render::{headline, word_key};
use crate::publish::{PublishError, StatusPage};

/// Ids on Statuspage are 12 lower-case letters and digits.
const ID_CHARS: usize = 12;

/// The whole of `summary.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    pub page: Page,
    pub components: Vec<Component>,
    /// Nothing can be posted yet.
    pub incidents: [(); 0],
    /// Nothing can be posted yet.
    pub scheduled_maintenances: [(); 0],
    pub status: Status,
}

/// The whole of `status.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StatusDocument {
    pub page: Page,
    pub status: Status,
}

/// Which page this is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Page {
    /// Made of the site's name; the same as long as that is.
    pub id: String,
    pub name: String,
    /// Empty while nobody has said where the page is read.
    pub url: String,
    /// IANA name.
    pub time_zone: String,
    pub updated_at: Timestamp,
}

/// The page in one word and one line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    pub indicator: Indicator,
    pub description: String,
}

/// How bad it is, in Statuspage's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Indicator {
    None,
    Minor,
    Major,
    Critical,
}

/// How the customers at one word fare, in Statuspage's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ComponentStatus {
    Operational,
    UnderMaintenance,
    PartialOutage,
    MajorOutage,
}

/// A public word.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Component {
    pub id: String,
    pub name: String,
    pub status: ComponentStatus,
    /// From 1, in the order of a life cycle.
    pub position: u32,
    pub description: String,
    pub showcase: bool,
    /// Never: words stand beside each other.
    pub group_id: Option<String>,
    pub page_id: String,
    /// Is this a group of components?
    pub group: bool,
    pub only_show_if_degraded: bool,
    pub start_date: Option<String>,
    /// Words have no history: both are the time of the count.
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// `summary.json` in the language of `texts`.
pub fn summary(page: &StatusPage, texts: &Texts) -> Result<Summary, PublishError> {
    let components = page
        .counts
        .iter()
        .zip(1..)
        .map(|(count, position)| component(page, texts, *count, position))
        .collect::<Result<_, _>>()?;
    let StatusDocument { page, status } = status(page, texts)?;
    Ok(Summary { page, components, incidents: [], scheduled_maintenances: [], status })
}

/// `status.json` in the language of `texts`.
pub fn status(page: &StatusPage, texts: &Texts) -> Result<StatusDocument, PublishError> {
    let head = Page {
        id: id(&page.name, "page"),
        name: page.name.clone(),
        url: page.url.clone().unwrap_or_default(),
        time_zone: page.timezone.iana_name().unwrap_or("Etc/UTC").to_owned(),
        updated_at: page.as_of,
    };
    let status = Status { indicator: indicator(page), description: headline(page, texts)? };
    Ok(StatusDocument { page: head, status })
}

/// A document as it is written: indented, since people look at it too, with a final line end.
pub fn json<T: Serialize>(document: &T) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(document).expect("our documents have string keys");
    bytes.push(b'\n');
    bytes
}

fn component(
    page: &StatusPage,
    texts: &Texts,
    count: WordCount,
    position: u32,
) -> Result<Component, PublishError> {
    let word = word_key(count.word);
    let meaning = texts.say(&format!("means-{word}"), &[])?;
    let args = [("customers", Arg::Count(count.customers)), ("meaning", Arg::Text(meaning))];
    Ok(Component {
        id: id(&page.name, word),
        name: texts.say(&format!("word-{word}"), &[])?,
        status: component_status(count),
        position,
        description: texts.say("component-count", &args)?,
        showcase: false,
        group_id: None,
        page_id: id(&page.name, "page"),
        group: false,
        only_show_if_degraded: false,
        start_date: None,
        created_at: page.as_of,
        updated_at: page.as_of,
    })
}

fn component_status(count: WordCount) -> ComponentStatus {
    if count.customers == 0 {
        return ComponentStatus::Operational;
    }
    match count.word {
        PublicWord::Online => ComponentStatus::Operational,
        PublicWord::Queued
        | PublicWord::Copying
        | PublicWord::Copied
        | PublicWord::Restoring
        | PublicWord::Testing => ComponentStatus::UnderMaintenance,
        PublicWord::WaitingForYou => ComponentStatus::PartialOutage,
        PublicWord::NeedsAttention => ComponentStatus::MajorOutage,
    }
}

fn indicator(page: &StatusPage) -> Indicator {
    match (page.online(), page.customers) {
        (_, 0) => Indicator::Major,
        (0, _) => Indicator::Critical,
        (online, all) if online == all => Indicator::None,
        (online, all) if online >= all - all / 10 => Indicator::Minor,
        _ => Indicator::Major,
    }
}

/// Opaque, stable, and made of nothing but the site's public name.
fn id(site_name: &str, what: &str) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("evac status page 2 component id");
    hasher.update(site_name.as_bytes());
    hasher.update(&[0]);
    hasher.update(what.as_bytes());
    let mut id = hasher.finalize().to_hex().to_string();
    id.truncate(ID_CHARS);
    id
}
