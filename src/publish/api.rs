//! `api/v2/*.json` in the shape of Atlassian Statuspage's public read API, so that monitors people
//! already have can read ours.
//!
//! The fields are those of Statuspage's published API (v2, public and read-only); a test holds the
//! list. A component is a public word, or a group that is counted in public: its status says how
//! customers there fare, its description counts them. See [`crate::publish::incident`] for what is
//! an incident.
//!
//! | indicator | when |
//! |---|---|
//! | `none` | everybody is online |
//! | `minor` | nine in ten are |
//! | `major` | somebody is, or there is nobody to count yet |
//! | `critical` | nobody is |

use serde::Serialize;

use crate::model::{PublicWord, Timestamp};
use crate::publish::groups::GroupCount;
use crate::publish::incident::Incident;
use crate::publish::locale::{Arg, Texts};
use crate::publish::page::WordCount;
use crate::publish::press::Press;
use crate::publish::render::{headline, word_key};
use crate::publish::wording::pick;
use crate::publish::{PublishError, StatusPage, incident};

/// Longest name of a group.
const MAX_GROUP_CHARS: usize = 80;
/// Ids on Statuspage are 12 lower-case letters and digits.
const ID_CHARS: usize = 12;

/// The whole of `summary.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    pub page: Page,
    pub components: Vec<Component>,
    /// Those that are not over.
    pub incidents: Vec<Incident>,
    /// Those that are not over.
    pub scheduled_maintenances: Vec<Incident>,
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
    let components = components(page, texts)?;
    let incidents = incident::incidents(page, texts)?;
    let scheduled = incident::scheduled(page, texts)?;
    let StatusDocument { page, status } = status(page, texts)?;
    Ok(Summary {
        page,
        components,
        incidents: incidents.into_iter().filter(Incident::is_open).collect(),
        scheduled_maintenances: scheduled.into_iter().filter(Incident::is_open).collect(),
        status,
    })
}

/// Every document by its name beneath `api/v2`, without the end.
pub(super) fn documents(
    page: &StatusPage,
    press: &Press,
) -> Result<Vec<(&'static str, Vec<u8>)>, PublishError> {
    let texts = press.texts();
    let head = status(page, texts)?;
    let incidents = incident::incidents(page, texts)?;
    let scheduled = incident::scheduled(page, texts)?;
    let list = |key: &str, list: Vec<&Incident>| {
        json(&serde_json::json!({ "page": head.page, key: list }))
    };
    let at = |status: &str| scheduled.iter().filter(|one| one.status == status).collect();
    Ok(vec![
        ("summary", json(&summary(page, texts)?)),
        ("status", json(&head)),
        (
            "components",
            json(&serde_json::json!({
                "page": head.page, "components": components(page, texts)?,
            })),
        ),
        ("incidents", list("incidents", incidents.iter().collect())),
        (
            "incidents/unresolved",
            list("incidents", incidents.iter().filter(|one| one.is_open()).collect()),
        ),
        ("scheduled-maintenances", list("scheduled_maintenances", scheduled.iter().collect())),
        ("scheduled-maintenances/upcoming", list("scheduled_maintenances", at("scheduled"))),
        ("scheduled-maintenances/active", list("scheduled_maintenances", at("in_progress"))),
    ])
}

/// All words, then all groups.
pub(super) fn components(page: &StatusPage, texts: &Texts) -> Result<Vec<Component>, PublishError> {
    let words = page.counts.iter().zip(1..);
    let words = words.map(|(count, position)| component(page, texts, *count, position));
    let groups = page.groups.iter().zip(page.counts.len() as u32 + 1..);
    let groups = groups.map(|(group, position)| group_component(page, texts, group, position));
    words.chain(groups).collect()
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

/// A group: what is online of it says how it fares.
fn group_component(
    page: &StatusPage,
    texts: &Texts,
    group: &GroupCount,
    position: u32,
) -> Result<Component, PublishError> {
    let named = pick(&group.name, texts.language(), &page.languages, MAX_GROUP_CHARS);
    let name = match (named, &group.id) {
        (Some(said), _) => said.text,
        (None, Some(id)) => id.to_string(),
        (None, None) => texts.say("groups-others", &[])?,
    };
    let args = [("done", Arg::Count(group.online)), ("total", Arg::Count(group.customers))];
    let key = group.id.as_ref().map_or("group/".to_owned(), |id| format!("group/{id}"));
    let status = match group.online {
        0 => ComponentStatus::MajorOutage,
        online if online == group.customers => ComponentStatus::Operational,
        _ => ComponentStatus::PartialOutage,
    };
    let description = texts.say("headline-online", &args)?;
    Ok(plain_component(page, id(&page.name, &key), name, status, position, description))
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
    let name = texts.say(&format!("word-{word}"), &[])?;
    let description = texts.say("component-count", &args)?;
    let status = component_status(count);
    Ok(plain_component(page, id(&page.name, word), name, status, position, description))
}

fn plain_component(
    page: &StatusPage,
    own_id: String,
    name: String,
    status: ComponentStatus,
    position: u32,
    description: String,
) -> Component {
    Component {
        id: own_id,
        name,
        status,
        position,
        description,
        showcase: false,
        group_id: None,
        page_id: id(&page.name, "page"),
        group: false,
        only_show_if_degraded: false,
        start_date: None,
        created_at: page.as_of,
        updated_at: page.as_of,
    }
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
pub(super) fn id(site_name: &str, what: &str) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("evac status page 2 component id");
    hasher.update(site_name.as_bytes());
    hasher.update(&[0]);
    hasher.update(what.as_bytes());
    let mut id = hasher.finalize().to_hex().to_string();
    id.truncate(ID_CHARS);
    id
}
