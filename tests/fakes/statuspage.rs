//! A strict fake of Atlassian Statuspage's REST API v1: authorisation, enumerations, lengths,
//! paging, and calls in any window of 60 seconds.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Answered, Asked, Minute, Service, answer, number};

const COMPONENT: [&str; 5] =
    ["operational", "under_maintenance", "degraded_performance", "partial_outage", "major_outage"];
const INCIDENT: [&str; 4] = ["investigating", "identified", "monitoring", "resolved"];
const FIELDS: [&str; 7] =
    ["name", "status", "body", "components", "component_ids", "deliver_notifications", "metadata"];
const A_MINUTE: usize = 60;

/// One page, its key `key`.
pub struct Statuspage {
    pub key: String,
    pub components: BTreeMap<String, String>,
    pub incidents: Vec<Value>,
    /// Subscribers that were written to.
    pub mails: usize,
    calls: Minute,
}

impl Statuspage {
    /// With these components.
    pub fn with(components: impl IntoIterator<Item = String>) -> Self {
        let components = components.into_iter().map(|id| (id, "major_outage".to_owned())).collect();
        let (incidents, calls) = (Vec::new(), Minute::default());
        Self { key: "key".into(), components, incidents, mails: 0, calls }
    }

    /// Every update of every incident, as `STATUS BODY`.
    pub fn updates(&self) -> Vec<String> {
        let updates = self.incidents.iter().filter_map(|it| it["incident_updates"].as_array());
        let text = |it: &Value| {
            let field = |name: &str| it[name].as_str().unwrap_or_default().to_owned();
            format!("{} {}", field("status"), field("body"))
        };
        updates.flatten().map(text).collect()
    }

    fn change(&mut self, id: Option<&str>, body: &Value) -> Answered {
        let Some(incident) = body["incident"].as_object() else {
            return answer(400, json!({ "error": "incident is missing" }));
        };
        if let Err(why) = self.check(incident) {
            return answer(422, json!({ "error": [why] }));
        }
        let at = match id {
            Some(id) => self.incidents.iter().position(|it| it["id"] == id),
            None if incident.get("name").is_none() => {
                return answer(422, json!({ "error": ["name can't be blank"] }));
            }
            None => {
                let id = format!("inc{}", self.incidents.len());
                self.incidents.push(json!({ "id": id, "incident_updates": [] }));
                Some(self.incidents.len() - 1)
            }
        };
        let Some(at) = at else { return answer(404, json!({ "error": "not found" })) };
        if incident.get("deliver_notifications").is_none_or(|it| *it == true) {
            self.mails += 1;
        }
        for (id, status) in
            incident.get("components").and_then(Value::as_object).into_iter().flatten()
        {
            self.components.insert(id.clone(), status.as_str().unwrap_or_default().to_owned());
        }
        let known = &mut self.incidents[at];
        for field in ["name", "status", "metadata"] {
            if let Some(value) = incident.get(field) {
                known[field] = value.clone();
            }
        }
        if let Some(body) = incident.get("body") {
            let update = json!({ "status": known["status"], "body": body });
            known["incident_updates"].as_array_mut().expect("it is a list").push(update);
        }
        answer(if id.is_some() { 200 } else { 201 }, known.clone())
    }

    fn check(&self, incident: &Map<String, Value>) -> Result<(), String> {
        if let Some(unknown) = incident.keys().find(|key| !FIELDS.contains(&key.as_str())) {
            return Err(format!("{unknown} is unknown"));
        }
        let text = |key: &str, max: usize| match incident.get(key).map(|it| it.as_str()) {
            None => Ok(()),
            Some(Some(text)) if text.chars().count() <= max && !text.is_empty() => Ok(()),
            Some(_) => Err(format!("{key} is empty, too long, or no text")),
        };
        text("name", 255)?;
        text("body", 25_000)?;
        let status = incident.get("status").and_then(Value::as_str);
        if status.is_some_and(|status| !INCIDENT.contains(&status)) {
            return Err("status is not a valid value".into());
        }
        let metadata = incident.get("metadata").and_then(Value::as_object);
        if metadata.is_some_and(|all| !all.values().all(Value::is_object)) {
            return Err("top-level values of metadata must be objects".into());
        }
        for (id, status) in
            incident.get("components").and_then(Value::as_object).into_iter().flatten()
        {
            if !self.components.contains_key(id) {
                return Err(format!("component {id} is unknown"));
            }
            if !status.as_str().is_some_and(|status| COMPONENT.contains(&status)) {
                return Err(format!("{status} is not a valid status"));
            }
        }
        Ok(())
    }

    fn list(&self, query: &str) -> Answered {
        let (page, size) = (number(query, "page", 1), number(query, "per_page", 100));
        if size > 100 {
            return answer(422, json!({ "error": "per_page is at most 100" }));
        }
        let all = self.components.iter().skip((page - 1) * size).take(size);
        answer(200, all.map(|(id, status)| json!({ "id": id, "status": status })).collect())
    }
}

impl Service for Statuspage {
    fn serve(&mut self, asked: &Asked) -> Answered {
        if self.calls.is_over(A_MINUTE) {
            return Answered { retry_after: Some(5), ..answer(429, Value::Null) };
        }
        if asked.header("authorization") != format!("OAuth {}", self.key) {
            return answer(401, json!({ "error": "Could not authenticate" }));
        }
        let Some(path) = asked.path.strip_prefix("/pages/p1/") else {
            return answer(404, json!({ "error": "not found" }));
        };
        match (asked.method.as_str(), path.split_once('/')) {
            ("GET", None) if path == "components" => self.list(&asked.query),
            ("GET", None) if path == "incidents" => answer(200, json!(self.incidents)),
            ("GET", Some(("incidents", id))) => {
                let found = self.incidents.iter().find(|it| it["id"] == id);
                found.map_or(answer(404, Value::Null), |it| answer(200, it.clone()))
            }
            ("POST", None) if path == "incidents" => self.change(None, &asked.json()),
            ("PATCH", Some(("incidents", id))) => self.change(Some(id), &asked.json()),
            _ => answer(404, json!({ "error": "not found" })),
        }
    }
}
