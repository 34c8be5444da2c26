//! What is an incident, and what is planned work, in Statuspage's shape.
//!
//! There is one incident: the move itself. It exists from the first message or the first figure on.
//! Its status is what was posted last, but it is resolved only when every customer is online, and
//! nothing that is posted can say otherwise. Known access windows are scheduled maintenances.

use serde::Serialize;

use crate::ledger::snapshot::Window;
use crate::model::Timestamp;
use crate::publish::api::{Component, components, id};
use crate::publish::locale::Texts;
use crate::publish::page::Stage;
use crate::publish::{Kind, PublishError, StatusPage, Update, messages};

/// An incident, or with the last three fields a scheduled maintenance.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Incident {
    pub id: String,
    pub name: String,
    pub status: &'static str,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub monitoring_at: Option<Timestamp>,
    pub resolved_at: Option<Timestamp>,
    pub impact: &'static str,
    /// Empty while nobody has said where the page is read.
    pub shortlink: String,
    pub started_at: Timestamp,
    pub page_id: String,
    /// Newest first.
    pub incident_updates: Vec<IncidentUpdate>,
    pub components: Vec<Component>,
    #[serde(flatten)]
    pub scheduled: Option<Scheduled>,
}

/// When planned work is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Scheduled {
    pub scheduled_for: Timestamp,
    pub scheduled_until: Option<Timestamp>,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IncidentUpdate {
    pub id: String,
    pub status: &'static str,
    pub body: String,
    pub incident_id: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub display_at: Timestamp,
    /// Counts change all the time; messages list none.
    pub affected_components: Option<Vec<()>>,
    pub deliver_notifications: bool,
}

impl Incident {
    /// Is it not over?
    pub fn is_open(&self) -> bool {
        !matches!(self.status, "resolved" | "completed")
    }
}

/// The move itself, once there is anything to say of it.
pub(super) fn incidents(page: &StatusPage, texts: &Texts) -> Result<Vec<Incident>, PublishError> {
    let posted = page.updates.iter().filter(|update| update.kind.is_of_incident());
    let posted: Vec<&Update> = posted.collect();
    let starts =
        [posted.last().map(|update| update.at), page.history.first().map(|point| point.at)];
    let Some(started_at) = starts.into_iter().flatten().min() else { return Ok(Vec::new()) };
    let incident_id = id(&page.name, "incident");
    let newest = posted.first().map(|update| messages::kind(page, update));
    let status = match (newest, page.stage()) {
        (Some(Kind::Resolved), _) => "resolved",
        (_, Stage::Done) => "monitoring",
        (Some(kind), _) => kind.word(),
        (None, Stage::NoFigures) => "investigating",
        (None, _) => "identified",
    };
    let updated_at = posted.first().map_or(started_at, |update| update.at);
    let at_kind = |kind| posted.iter().find(|update| update.kind == kind).map(|update| update.at);
    let updates = posted.iter().map(|update| incident_update(page, texts, update, &incident_id));
    let components = components(page, texts)?;
    Ok(vec![Incident {
        name: texts.say("incident-name", &[])?,
        status,
        created_at: started_at,
        updated_at,
        monitoring_at: at_kind(Kind::Monitoring),
        resolved_at: (status == "resolved").then_some(updated_at),
        impact: impact(page),
        shortlink: page.url.clone().unwrap_or_default(),
        started_at,
        page_id: id(&page.name, "page"),
        incident_updates: updates.collect::<Result<_, _>>()?,
        components,
        scheduled: None,
        id: incident_id,
    }])
}

fn impact(page: &StatusPage) -> &'static str {
    match (page.online(), page.customers) {
        (online, all) if all > 0 && online == all => "none",
        (0, _) => "critical",
        (online, all) if online >= all - all / 10 => "minor",
        _ => "major",
    }
}

fn incident_update(
    page: &StatusPage,
    texts: &Texts,
    update: &Update,
    incident_id: &str,
) -> Result<IncidentUpdate, PublishError> {
    let title = messages::title(page, texts, update)?.text;
    let body = match messages::body(page, texts, update) {
        Some(body) => format!("{title}\n\n{}", body.text),
        None => title,
    };
    let status = messages::kind(page, update).word();
    Ok(IncidentUpdate {
        id: id(&page.name, &format!("update/{}", update.id)),
        status,
        body,
        incident_id: incident_id.to_owned(),
        created_at: update.at,
        updated_at: update.at,
        display_at: update.at,
        affected_components: None,
        deliver_notifications: false,
    })
}

/// Access windows whose beginning is known.
pub(super) fn scheduled(page: &StatusPage, texts: &Texts) -> Result<Vec<Incident>, PublishError> {
    let windows = page.windows.iter().enumerate();
    windows.filter_map(|(index, window)| one_scheduled(page, texts, index, window)).collect()
}

fn one_scheduled(
    page: &StatusPage,
    texts: &Texts,
    index: usize,
    window: &Window,
) -> Option<Result<Incident, PublishError>> {
    let scheduled_for = window.opens?;
    let status = match window.closes {
        Some(closes) if closes <= page.as_of => "completed",
        _ if scheduled_for > page.as_of => "scheduled",
        _ => "in_progress",
    };
    let made = || {
        Ok(Incident {
            id: id(&page.name, &format!("window/{index}")),
            name: texts.say("access-heading", &[])?,
            status,
            created_at: scheduled_for,
            updated_at: scheduled_for,
            monitoring_at: None,
            resolved_at: window.closes.filter(|_| status == "completed"),
            impact: "maintenance",
            shortlink: page.url.clone().unwrap_or_default(),
            started_at: scheduled_for,
            page_id: id(&page.name, "page"),
            incident_updates: Vec::new(),
            components: Vec::new(),
            scheduled: Some(Scheduled { scheduled_for, scheduled_until: window.closes }),
        })
    };
    Some(made())
}
