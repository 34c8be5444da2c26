//! A strict fake of Vigil's reporter and manager.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Answered, Asked, Service, answer};

/// `Basic :token`
const LOGIN: &str = "Basic OnRva2Vu";

/// One node in local mode, `PROBE/NODE` each.
pub struct Vigil {
    pub nodes: Vec<String>,
    pub replicas: BTreeMap<String, String>,
    pub announcements: Vec<Value>,
}

impl Service for Vigil {
    fn serve(&mut self, asked: &Asked) -> Answered {
        if asked.header("authorization") != LOGIN {
            return answer(401, Value::Null);
        }
        let body = asked.json();
        match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/manager/announcements/") => {
                // Their texts are not listed.
                let short = |it: &Value| json!({ "id": it["id"], "title": it["title"] });
                answer(200, self.announcements.iter().map(short).collect())
            }
            ("POST", "/manager/announcement/") => {
                if !body["title"].is_string() || !body["text"].is_string() {
                    return answer(400, Value::Null);
                }
                let id = format!("a{}", self.announcements.len());
                let (title, text) = (&body["title"], &body["text"]);
                self.announcements.push(json!({ "id": id, "title": title, "text": text }));
                answer(200, json!({ "id": id }))
            }
            ("POST", path) => self.report(path, &body),
            _ => answer(404, Value::Null),
        }
    }
}

impl Vigil {
    fn report(&mut self, path: &str, body: &Value) -> Answered {
        let node = path.strip_prefix("/reporter/").map(|rest| rest.trim_end_matches('/'));
        let Some(node) = node.filter(|node| self.nodes.iter().any(|known| known == node)) else {
            return answer(404, Value::Null);
        };
        let health = body["health"].as_str().unwrap_or_default();
        if !["healthy", "sick", "dead"].contains(&health) || !body["interval"].is_u64() {
            return answer(400, Value::Null);
        }
        let replica = body["replica"].as_str().unwrap_or_default();
        self.replicas.insert(format!("{node}/{replica}"), health.to_owned());
        answer(200, Value::Null)
    }
}
