//! Cachet 3, by its REST API.
//!
//! The first post makes an incident that is visible to everybody, later ones are updates of it.
//! `meta` names the site and the first post; updates have none, so their text is looked for.
//! A component takes one call: there is no call for several.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Auth, Call, Destination, Does, Job, Reply, Request, Seen, Standing};
use crate::publish::outbox::Answer;
use crate::publish::to::statuspage::cut;
use crate::publish::update::Kind;

const NAME_CHARS_MAX: usize = 255;
const PER_PAGE: usize = 100;

/// One installation.
pub struct Cachet {
    pub url: String,
    pub notify: bool,
    pub calls_a_minute: usize,
}

impl Destination for Cachet {
    fn does(&self) -> Does {
        Does {
            posts: true,
            states: true,
            looks: true,
            calls_a_minute: self.calls_a_minute,
            ..Does::NOTHING
        }
    }

    fn call(&self, job: &Job<'_>) -> Result<Call, String> {
        if let Some(state) = job.states().next() {
            let body = json!({ "status": number(state.standing) });
            return Ok(self.request("PUT", &format!("components/{}", state.component), Some(body)));
        }
        let post = job.post().ok_or("Cachet takes posts and components")?;
        let status = status(post.kind());
        if let Some(thread) = job.thread {
            let body = json!({ "status": status, "message": post.body });
            let path = format!("incidents/{thread}/updates");
            return Ok(self.request("POST", &path, Some(body)));
        }
        let body = json!({
            "name": cut(&post.title, NAME_CHARS_MAX),
            "message": post.body,
            "status": status,
            // By default nobody would see it.
            "visible": true,
            "notifications": self.notify,
            "meta": { "evac": { "site": job.site, "post": job.key } },
        });
        Ok(self.request("POST", "incidents", Some(body)))
    }

    fn read(&self, job: &Job<'_>, reply: &Reply) -> Answer {
        if job.post().is_none() {
            return Answer::Accepted { remote: None };
        }
        match (job.thread, id(&reply.json()["data"])) {
            (Some(thread), _) => Answer::Accepted { remote: Some(thread.to_owned()) },
            (None, Some(id)) => Answer::Accepted { remote: Some(id) },
            (None, None) => Answer::Unsure { said: "it says yes, but names no incident".into() },
        }
    }

    fn look(&self, job: &Job<'_>) -> Option<Call> {
        let path = match job.thread {
            Some(thread) => {
                format!("incidents/{thread}/updates?per_page={PER_PAGE}&sort=-created_at")
            }
            None => format!("incidents?include=meta&per_page={PER_PAGE}&sort=-id"),
        };
        Some(self.request("GET", &path, None))
    }

    fn seen(&self, job: &Job<'_>, reply: &Reply) -> Seen {
        let document = reply.json();
        let all = document["data"].as_array().map_or(&[][..], Vec::as_slice);
        if let (Some(thread), Some(post)) = (job.thread, job.post()) {
            let said = |it: &&Value| it["attributes"]["message"] == post.body.as_str();
            let remote = thread.to_owned();
            // The same words may have been said before; the first post is no update.
            let before = job.earlier.iter().skip(1).filter(|it| it.body == post.body).count();
            let is_there = all.iter().filter(said).count() > before;
            return if is_there { Seen::There { remote } } else { Seen::Thread { remote } };
        }
        let meta = |it: &Value| it["attributes"]["meta"]["evac"].clone();
        // Versions that keep no `meta` are asked for the words.
        let same_words = |it: &&Value| {
            let (name, message) = (&it["attributes"]["name"], &it["attributes"]["message"]);
            job.post().is_some_and(|post| {
                *name == cut(&post.title, NAME_CHARS_MAX).as_str() && *message == post.body.as_str()
            })
        };
        if let Some(remote) = all.iter().find(same_words).and_then(id) {
            return Seen::There { remote };
        }
        let Some(found) = all.iter().find(|it| meta(it)["site"] == job.site) else {
            return Seen::Missing;
        };
        let remote = id(found).unwrap_or_default();
        let is_there = meta(found)["post"] == job.key.as_str();
        if is_there { Seen::There { remote } } else { Seen::Thread { remote } }
    }

    fn ask_states(&self, page: u32) -> Option<Call> {
        Some(self.request("GET", &format!("components?page={page}&per_page={PER_PAGE}"), None))
    }

    fn states(&self, reply: &Reply) -> (BTreeMap<String, String>, bool) {
        let document = reply.json();
        let all = document["data"].as_array().map_or(&[][..], Vec::as_slice);
        let state = |it: &Value| {
            let status = &it["attributes"]["status"];
            let value = status.get("value").unwrap_or(status).as_u64()?;
            Some((id(it)?, value.to_string()))
        };
        (all.iter().filter_map(state).collect(), all.len() == PER_PAGE)
    }

    fn word(&self, standing: Standing) -> String {
        number(standing).to_string()
    }
}

impl Cachet {
    fn request(&self, method: &'static str, path: &str, body: Option<Value>) -> Call {
        Call::Http(Request {
            method,
            url: format!("{}/api/{path}", self.url),
            headers: Vec::new(),
            body: body.map(|body| body.to_string()),
            auth: Auth::Scheme("Bearer"),
        })
    }
}

/// Ids are numbers or texts, by version.
fn id(of: &Value) -> Option<String> {
    let id = &of["id"];
    id.as_u64().map(|id| id.to_string()).or_else(|| id.as_str().map(str::to_owned))
}

fn number(standing: Standing) -> u8 {
    match standing {
        Standing::Operational => 1,
        Standing::Maintenance => 6,
        Standing::Partial => 3,
        Standing::Major => 4,
    }
}

fn status(kind: Kind) -> u8 {
    match kind {
        Kind::Investigating => 1,
        Kind::Identified | Kind::Maintenance => 2,
        Kind::Monitoring => 3,
        Kind::Resolved | Kind::PostMortem => 4,
    }
}
