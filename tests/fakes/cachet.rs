//! A strict fake of Cachet 3's REST API: authorisation, enumerations, lengths, paging, sorting,
//! what is left out unless it is asked for, and calls in any minute.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Answered, Asked, Minute, Service, answer, number};

const A_MINUTE: usize = 300;
const INCIDENT: [u64; 5] = [0, 1, 2, 3, 4];
const COMPONENT: [u64; 6] = [1, 2, 3, 4, 5, 6];

/// One installation, its token `key`.
#[derive(Default)]
pub struct Cachet {
    /// Status by id.
    pub components: BTreeMap<u64, u64>,
    pub incidents: Vec<Incident>,
    /// Subscribers that were written to.
    pub mails: usize,
    calls: Minute,
}

pub struct Incident {
    pub name: String,
    pub message: String,
    pub status: u64,
    pub is_visible: bool,
    meta: Value,
    /// Status and message, oldest first.
    pub updates: Vec<(u64, String)>,
}

impl Cachet {
    /// With components of these ids.
    pub fn with(components: impl IntoIterator<Item = u64>) -> Self {
        // Unknown, as after their creation.
        Self { components: components.into_iter().map(|id| (id, 5)).collect(), ..Self::default() }
    }

    fn create(&mut self, body: &Value) -> Answered {
        let (name, message) = (body["name"].as_str(), body["message"].as_str());
        let status = body["status"].as_u64().filter(|status| INCIDENT.contains(status));
        let (Some(name), Some(message), Some(status)) = (name, message, status) else {
            return invalid("name, message and status are required");
        };
        if name.is_empty() || name.chars().count() > 255 || message.is_empty() {
            return invalid("name or message is too short or too long");
        }
        let is = |field: &str| body[field].as_bool().unwrap_or(false);
        if is("notifications") {
            self.mails += 1;
        }
        let (name, message) = (name.to_owned(), message.to_owned());
        let (meta, updates) = (body["meta"].clone(), Vec::new());
        let is_visible = is("visible");
        self.incidents.push(Incident { name, message, status, is_visible, meta, updates });
        let id = self.incidents.len();
        answer(201, json!({ "data": self.incident(id, false) }))
    }

    fn incident(&self, id: usize, with_meta: bool) -> Value {
        let it = &self.incidents[id - 1];
        let mut attributes = json!({
            "id": id,
            "name": it.name,
            "message": it.message,
            "visible": it.is_visible,
            "status": { "human": "", "value": it.updates.last().map_or(it.status, |it| it.0) },
        });
        if with_meta {
            attributes["meta"] = it.meta.clone();
        }
        json!({ "id": id.to_string(), "type": "incidents", "attributes": attributes })
    }

    fn update(&mut self, id: &str, body: &Value) -> Answered {
        let incident = id.parse::<usize>().ok().and_then(|id| self.incidents.get_mut(id - 1));
        let Some(incident) = incident else { return answer(404, json!({ "message": "no" })) };
        let status = body["status"].as_u64().filter(|status| INCIDENT.contains(status));
        let (Some(status), Some(message)) = (status, body["message"].as_str()) else {
            return invalid("status and message are required");
        };
        incident.updates.push((status, message.to_owned()));
        answer(201, json!({ "data": { "id": incident.updates.len().to_string() } }))
    }

    fn read(&self, asked: &Asked, path: &str) -> Answered {
        let query = &asked.query;
        let value = |name: &str| {
            query.split('&').find_map(|it| it.strip_prefix(name)?.strip_prefix('=')).unwrap_or("")
        };
        let (sort, include) = (value("sort"), value("include"));
        let (sorts, includes): (&[&str], &[&str]) = match path {
            "incidents" => (&["name", "status", "id", "created_at"], &["meta", "updates"]),
            "components" => (&["name", "order", "id"], &["group", "incidents"]),
            _ => (&["status", "created_at"], &["incident"]),
        };
        if !sort.is_empty() && !sorts.contains(&sort.trim_start_matches('-')) {
            return answer(
                400,
                json!({ "message": format!("Requested sort(s) `{sort}` not allowed") }),
            );
        }
        if !include.is_empty() && !includes.contains(&include) {
            return answer(400, json!({ "message": "Requested include(s) are not allowed" }));
        }
        let mut all: Vec<Value> = match path.split('/').collect::<Vec<_>>()[..] {
            ["incidents"] => {
                (1..=self.incidents.len()).map(|id| self.incident(id, include == "meta")).collect()
            }
            ["components"] => {
                let component = |(id, status): (&u64, &u64)| {
                    let status = json!({ "human": "", "value": status });
                    json!({ "id": id.to_string(), "attributes": { "id": id, "status": status } })
                };
                self.components.iter().map(component).collect()
            }
            ["incidents", id, "updates"] => {
                let incident = id.parse::<usize>().ok().and_then(|id| self.incidents.get(id - 1));
                let Some(incident) = incident else { return answer(404, Value::Null) };
                let update = |it: &(u64, String)| json!({ "attributes": { "message": it.1 } });
                incident.updates.iter().map(update).collect()
            }
            _ => return answer(404, Value::Null),
        };
        if sort.starts_with('-') {
            all.reverse();
        }
        let size = number(query, "per_page", 15).clamp(1, 100);
        let skipped = (number(query, "page", 1) - 1) * size;
        answer(200, json!({ "data": all.into_iter().skip(skipped).take(size).collect::<Vec<_>>() }))
    }
}

fn invalid(why: &str) -> Answered {
    answer(422, json!({ "message": why }))
}

impl Service for Cachet {
    fn serve(&mut self, asked: &Asked) -> Answered {
        if self.calls.is_over(A_MINUTE) {
            return Answered { retry_after: Some(5), ..answer(429, Value::Null) };
        }
        if asked.header("authorization") != "Bearer key" {
            return answer(401, json!({ "message": "Unauthenticated." }));
        }
        let Some(path) = asked.path.strip_prefix("/api/") else { return answer(404, Value::Null) };
        let parts: Vec<_> = path.split('/').collect();
        match (asked.method.as_str(), &parts[..]) {
            ("GET", _) => self.read(asked, path),
            ("POST", ["incidents"]) => self.create(&asked.json()),
            ("POST", ["incidents", id, "updates"]) => self.update(id, &asked.json()),
            ("PUT", ["components", id]) => {
                let known = id.parse().ok().filter(|id| self.components.contains_key(id));
                let Some(id) = known else { return answer(404, Value::Null) };
                let body = asked.json();
                let Some(status) = body["status"].as_u64().filter(|it| COMPONENT.contains(it))
                else {
                    return invalid("The selected status is invalid.");
                };
                self.components.insert(id, status);
                answer(200, json!({ "data": { "id": id.to_string() } }))
            }
            _ => answer(405, Value::Null),
        }
    }
}
