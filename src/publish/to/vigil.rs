//! Vigil: announcements by its manager, and health of replicas by its reporter.
//!
//! A component is `PROBE/NODE/REPLICA`; the node has `mode = "local"`. Vigil keeps everything in
//! memory and calls a silent replica dead, so states are told again every five minutes. It has two
//! tokens; `secret` must be both (`reporter_token` and `manager_token` alike).

use std::time::Duration;

use serde_json::{Value, json};

use super::{Auth, Call, Destination, Does, Job, Reply, Request, Seen, Standing, Words};
use crate::publish::outbox::Answer;

/// Told again after this.
const BEAT: Duration = Duration::from_secs(300);
/// Vigil waits so long for the next report before it says "dead": half an hour without network.
const INTERVAL_S: u64 = 1_800;

/// One installation.
pub struct Vigil {
    pub url: String,
    pub user: String,
    pub calls_a_minute: usize,
}

impl Destination for Vigil {
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
        if let Some(post) = job.post() {
            let body = json!({ "title": post.title, "text": post.body });
            return Ok(self.request("POST", "manager/announcement/", Some(body)));
        }
        let state = job.states().next().ok_or("Vigil takes posts and replicas")?;
        let parts: Vec<_> = state.component.split('/').collect();
        let [probe, node, replica] = parts[..] else {
            return Err(format!("component `{}` is not PROBE/NODE/REPLICA", state.component));
        };
        let health = self.word(state.standing);
        let body = json!({ "replica": replica, "interval": INTERVAL_S, "health": health });
        Ok(self.request("POST", &format!("reporter/{probe}/{node}/"), Some(body)))
    }

    fn read(&self, job: &Job<'_>, reply: &Reply) -> Answer {
        let id = reply.json()["id"].as_str().map(str::to_owned);
        Answer::Accepted { remote: job.post().and(id) }
    }

    fn look(&self, _job: &Job<'_>) -> Option<Call> {
        Some(self.request("GET", "manager/announcements/", None))
    }

    fn seen(&self, job: &Job<'_>, reply: &Reply) -> Seen {
        let document = reply.json();
        let all = document.as_array().map_or(&[][..], Vec::as_slice);
        let Some(post) = job.post() else { return Seen::Missing };
        // Announcements have no marks of ours, and some versions list their titles alone. The same
        // may have been said before.
        let has_text = all.iter().all(|it| it.get("text").is_some());
        let is_same = |it: &&Value| {
            it["title"] == post.title.as_str() && (!has_text || it["text"] == post.body.as_str())
        };
        let was_same = |it: &&Words| it.title == post.title && (!has_text || it.body == post.body);
        let before = job.earlier.iter().filter(was_same).count();
        let found = all.iter().filter(is_same).nth(before);
        found.map_or(Seen::Missing, |it| Seen::There {
            remote: it["id"].as_str().unwrap_or_default().to_owned(),
        })
    }

    fn word(&self, standing: Standing) -> String {
        match standing {
            Standing::Operational => "healthy",
            Standing::Maintenance | Standing::Partial => "sick",
            Standing::Major => "dead",
        }
        .to_owned()
    }

    fn beat(&self) -> Option<Duration> {
        Some(BEAT)
    }
}

impl Vigil {
    fn request(&self, method: &'static str, path: &str, body: Option<Value>) -> Call {
        Call::Http(Request {
            method,
            url: format!("{}/{path}", self.url),
            headers: Vec::new(),
            body: body.map(|body| body.to_string()),
            auth: Auth::Basic(self.user.clone()),
        })
    }
}
