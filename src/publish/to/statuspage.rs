//! Atlassian Statuspage, REST v1.
//!
//! The evacuation is one incident: the first post makes it, each further one is an update of it,
//! and one update carries the states of many components, so that 500 components cost a few calls.
//! The service knows no idempotency key: the incident's metadata names the site and the last post,
//! and is read before anything is said twice.
//!
//! | limit over there | here |
//! |---|---|
//! | 60 calls in 60 s for each key | 50, look-ups included |
//! | name 255, body 25,000 characters | cut, marked by an ellipsis |
//! | subscribers are written to by default | never unless `notify` |

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Auth, Call, Destination, Does, Job, Reply, Request, Seen, Standing, Words};
use crate::publish::outbox::Answer;
use crate::publish::update::Kind;

const NAME_CHARS_MAX: usize = 255;
const BODY_CHARS_MAX: usize = 25_000;
/// Components in one update.
const BATCH: usize = 250;
const PER_PAGE: usize = 100;

/// One page.
pub struct Statuspage {
    pub url: String,
    pub page: String,
    pub notify: bool,
    pub calls_a_minute: usize,
}

impl Destination for Statuspage {
    fn does(&self) -> Does {
        Does {
            posts: true,
            states: true,
            batch: BATCH,
            looks: true,
            post_first: true,
            calls_a_minute: self.calls_a_minute,
            ..Does::NOTHING
        }
    }

    fn call(&self, job: &Job<'_>) -> Result<Call, String> {
        if let Some(post) = job.post() {
            return Ok(self.post(job, post));
        }
        let thread = job.thread.ok_or("components wait for the first post")?;
        let states = job.states().map(|it| (it.component.clone(), json!(self.word(it.standing))));
        let components: Map<String, Value> = states.collect();
        let body = json!({ "incident": {
            "components": components,
            "deliver_notifications": self.notify,
        }});
        Ok(self.request("PATCH", &format!("incidents/{thread}"), Some(body)))
    }

    fn read(&self, job: &Job<'_>, reply: &Reply) -> Answer {
        let id = reply.json()["id"].as_str().map(str::to_owned);
        match (id, job.post()) {
            (Some(id), _) => Answer::Accepted { remote: Some(id) },
            (None, None) => Answer::Accepted { remote: None },
            (None, Some(_)) => {
                Answer::Unsure { said: "it says yes, but names no incident".to_owned() }
            }
        }
    }

    fn look(&self, job: &Job<'_>) -> Option<Call> {
        Some(match job.thread {
            Some(thread) => self.request("GET", &format!("incidents/{thread}"), None),
            None => self.request("GET", &format!("incidents?limit={PER_PAGE}"), None),
        })
    }

    fn seen(&self, job: &Job<'_>, reply: &Reply) -> Seen {
        let document = reply.json();
        let all = match &document {
            Value::Array(incidents) => incidents.as_slice(),
            one => std::slice::from_ref(one),
        };
        let ours = |it: &&Value| it["metadata"]["evac"]["site"] == job.site;
        let Some(found) = all.iter().find(ours) else { return Seen::Missing };
        let remote = found["id"].as_str().unwrap_or_default().to_owned();
        if found["metadata"]["evac"]["post"] == job.key.as_str() {
            return Seen::There { remote };
        }
        Seen::Thread { remote }
    }

    fn ask_states(&self, page: u32) -> Option<Call> {
        let path = format!("components?page={page}&per_page={PER_PAGE}");
        Some(self.request("GET", &path, None))
    }

    fn states(&self, reply: &Reply) -> (BTreeMap<String, String>, bool) {
        let document = reply.json();
        let all = document.as_array().map_or(&[][..], Vec::as_slice);
        let state =
            |it: &Value| Some((it["id"].as_str()?.to_owned(), it["status"].as_str()?.to_owned()));
        (all.iter().filter_map(state).collect(), all.len() == PER_PAGE)
    }

    fn word(&self, standing: Standing) -> String {
        match standing {
            Standing::Operational => "operational",
            Standing::Maintenance => "under_maintenance",
            Standing::Partial => "partial_outage",
            Standing::Major => "major_outage",
        }
        .to_owned()
    }
}

impl Statuspage {
    fn post(&self, job: &Job<'_>, post: &Words) -> Call {
        let mut incident = json!({
            "status": status(post.kind()),
            "body": cut(&post.body, BODY_CHARS_MAX),
            "deliver_notifications": self.notify,
            "metadata": { "evac": { "site": job.site, "post": job.key } },
        });
        if let Some(thread) = job.thread {
            let body = json!({ "incident": incident });
            return self.request("PATCH", &format!("incidents/{thread}"), Some(body));
        }
        incident["name"] = json!(cut(&post.title, NAME_CHARS_MAX));
        self.request("POST", "incidents", Some(json!({ "incident": incident })))
    }

    fn request(&self, method: &'static str, path: &str, body: Option<Value>) -> Call {
        Call::Http(Request {
            method,
            url: format!("{}/pages/{}/{path}", self.url, self.page),
            headers: Vec::new(),
            body: body.map(|body| body.to_string()),
            auth: Auth::Scheme("OAuth"),
        })
    }
}

fn status(kind: Kind) -> &'static str {
    // The four words are Statuspage's own.
    kind.word()
}

/// Keeps line ends, which the page shows.
pub(super) fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    text.chars().take(max - 1).chain(['…']).collect()
}
