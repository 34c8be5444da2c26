//! Destinations: what each is told, and what it answers. One small file each.
//!
//! A destination is pure: it makes a [`Call`] of a [`Job`] and an [`Answer`] of a [`Reply`].
//! [`carry`] is the only thing here that touches a network or a disk, so `--dry-run` shows exactly
//! what would be done. A new one implements [`Destination`] and gets a line in [`of`].
//!
//! **Promises.** No call holds a secret: it says where one goes in, and [`carry`] puts it there.
//! Nobody's subscribers are written to unless `notify` says so.

mod account;
mod bucket;
mod cachet;
pub mod carry;
mod chat;
mod cstate;
mod files;
mod git;
mod kuma;
mod local;
mod manifest;
mod s3;
pub mod secret;
mod sftp;
mod sign;
mod statuspage;
mod upload;
mod vigil;
mod webhook;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use secret::Secret;

use crate::inventory::settings_publish::{self as settings, DestinationKind};
use crate::model::Timestamp;
use crate::model::text::bounded;
use crate::publish::outbox::{Answer, Does};
use crate::publish::update::Kind;

/// Longest piece of an answer that is repeated.
const SAID_CHARS_MAX: usize = 200;

/// What a row says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Content {
    /// A post, in the destination's language.
    Post(Words),
    /// How a component fares.
    State(StateOf),
    /// The whole page.
    Page {
        /// Of all its files.
        hash: String,
    },
}

/// A post as one destination is told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    pub id: String,
    pub kind: String,
    pub at: Timestamp,
    pub title: String,
    pub body: String,
    pub next_by: Option<Timestamp>,
}

impl Words {
    /// What it is about.
    pub fn kind(&self) -> Kind {
        Kind::of(&self.kind)
    }
}

/// How a component fares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateOf {
    /// Its id over there.
    pub component: String,
    /// How it fares.
    pub standing: Standing,
}

/// How those behind a component fare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// All of them are online.
    Operational,
    /// None is yet, and all goes as planned.
    Maintenance,
    /// Some are, or somebody waits for the customer.
    Partial,
    /// None is, and one of us has to look at it.
    Major,
}

/// What is to be said in one call.
#[derive(Debug, Clone)]
pub struct Job<'a> {
    /// The same for the same thing, however often it is tried.
    pub key: String,
    /// What is said; several only of states.
    pub contents: &'a [Content],
    /// The id over there of what the posts belong to.
    pub thread: Option<&'a str>,
    /// What was accepted there before, oldest first.
    pub earlier: &'a [Words],
    /// The site's id, to be found again by.
    pub site: &'a str,
    /// The company, as its customers know it.
    pub name: &'a str,
}

impl Job<'_> {
    /// The post, where it is about one.
    pub fn post(&self) -> Option<&Words> {
        match self.contents {
            [Content::Post(words)] => Some(words),
            _ => None,
        }
    }

    /// The states, where it is about states.
    pub fn states(&self) -> impl Iterator<Item = &StateOf> {
        self.contents.iter().filter_map(|content| match content {
            Content::State(state) => Some(state),
            _ => None,
        })
    }
}

/// What would be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// Asks a web server.
    Http(Request),
    /// Puts the page into a folder.
    PutPage {
        /// Which.
        folder: PathBuf,
    },
    /// Puts a file in place.
    PutFile {
        /// Which.
        path: PathBuf,
        /// What is in it.
        text: String,
    },
    /// Puts the page into a working copy, commits and pushes it.
    Git {
        /// The working copy.
        folder: PathBuf,
        /// Where it is pushed.
        remote: String,
        branch: String,
    },
    /// Puts the page into a bucket.
    PutObjects(bucket::Place),
    /// Puts the page into a folder of an account.
    Upload(account::Place),
}

/// One HTTP request without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub method: &'static str,
    pub url: String,
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: Option<String>,
    pub auth: Auth,
}

/// Where the secret goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// Nowhere.
    None,
    /// `Authorization: SCHEME secret`.
    Scheme(&'static str),
    /// The password of this login.
    Basic(String),
    /// It is the whole address.
    Address,
    /// In the place of `{secret}` in the address.
    InAddress,
    /// Signs the body, if there is one.
    Hmac,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(request) => {
                let url = if request.auth == Auth::Address { "(secret)" } else { &request.url };
                write!(f, "{} {url}", request.method)?;
                request.body.iter().try_for_each(|body| write!(f, " {body}"))
            }
            Self::PutPage { folder } => write!(f, "put the page into {}", folder.display()),
            Self::PutFile { path, .. } => write!(f, "write {}", path.display()),
            Self::Git { folder, remote, branch } => {
                write!(f, "commit the page in {}, push to {remote} {branch}", folder.display())
            }
            Self::PutObjects(place) => write!(f, "PUT every file of the page to {}/", place.url),
            Self::Upload(place) => {
                let machine = place.url.trim_start_matches("sftp://");
                write!(f, "upload the page to {}@{machine}:{}", place.user, place.folder)
            }
        }
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub retry_after: Option<Duration>,
    pub body: Vec<u8>,
    /// What stands for all that was put there, to be compared with later.
    pub mark: Option<String>,
}

impl Reply {
    /// It was done.
    pub fn marked(mark: String) -> Self {
        Self { status: 200, retry_after: None, body: Vec::new(), mark: Some(mark) }
    }

    /// The body as JSON; anything else is null.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Does the destination have a post already?
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// It has.
    There { remote: String },
    /// It has not, but has what posts belong to.
    Thread { remote: String },
    /// It has not.
    Missing,
}

/// A place that is told.
pub trait Destination: Send + Sync {
    /// What it can be told, and how.
    fn does(&self) -> Does;
    /// The call that says it.
    fn call(&self, job: &Job<'_>) -> Result<Call, String>;
    /// What came of it; `reply` is a success.
    fn read(&self, _job: &Job<'_>, reply: &Reply) -> Answer {
        Answer::Accepted { remote: reply.mark.clone() }
    }
    /// The call that asks whether it was said.
    fn look(&self, _job: &Job<'_>) -> Option<Call> {
        None
    }
    /// What that says; `reply` is a success.
    fn seen(&self, _job: &Job<'_>, _reply: &Reply) -> Seen {
        Seen::Missing
    }
    /// The call that asks what its components show, page by page from 1.
    fn ask_states(&self, _page: u32) -> Option<Call> {
        None
    }
    /// What they show, in the words of [`Destination::word`]; `true`: there are more pages.
    fn states(&self, _reply: &Reply) -> (BTreeMap<String, String>, bool) {
        (BTreeMap::new(), false)
    }
    /// How it says a standing.
    fn word(&self, _standing: Standing) -> String {
        String::new()
    }
    /// Is it told the same again after this, so that it knows we live?
    fn beat(&self) -> Option<Duration> {
        None
    }
}

/// What a status that is no success means; `None`: it is one.
pub fn refusal(reply: &Reply) -> Option<Answer> {
    let text = String::from_utf8_lossy(&reply.body[..reply.body.len().min(4_096)]).into_owned();
    let said = bounded(format!("status {}: {text}", reply.status).trim(), SAID_CHARS_MAX);
    match reply.status {
        200..=299 => None,
        401 | 403 => Some(Answer::Refused { said: format!("it does not take the secret: {said}") }),
        420 | 429 | 503 => Some(Answer::Busy { after: reply.retry_after, said }),
        408 | 425 | 500..=599 => Some(Answer::Unsure { said }),
        400 | 413 | 422 => Some(Answer::Invalid { said }),
        _ => Some(Answer::Refused { said }),
    }
}

/// The destination that `written` describes; paths are beneath `site`.
pub fn of(
    written: &settings::Destination,
    site: &std::path::Path,
    home: Option<&std::path::Path>,
) -> Box<dyn Destination> {
    let url = |usual: &str| written.url.clone().unwrap_or_else(|| usual.to_owned());
    let path = written.path.as_deref().unwrap_or(std::path::Path::new("."));
    let path = crate::inventory::settings::resolve(path, site, home);
    let page = written.page.clone().unwrap_or_default();
    let calls = |usual: usize| written.calls.map_or(usual, |calls| calls as usize);
    let user = written.user.clone().unwrap_or_default();
    match written.kind {
        DestinationKind::Folder => Box::new(files::Folder { folder: path }),
        DestinationKind::Git => {
            let remote = written.url.clone().unwrap_or_else(|| "origin".into());
            let branch = written.page.clone().unwrap_or_else(|| "main".into());
            Box::new(git::Git { folder: path, remote, branch })
        }
        DestinationKind::Webhook => Box::new(webhook::Webhook {
            url: url(""),
            body: written.body.clone(),
            is_signed: written.secret.is_some(),
            calls_a_minute: calls(300),
        }),
        DestinationKind::Slack => chat::Preset::Slack.at(calls(50)),
        DestinationKind::Mattermost => chat::Preset::Mattermost.at(calls(60)),
        DestinationKind::Discord => chat::Preset::Discord.at(calls(25)),
        DestinationKind::Teams => chat::Preset::Teams.at(calls(30)),
        DestinationKind::Statuspage => Box::new(statuspage::Statuspage {
            url: url("https://api.statuspage.io/v1"),
            page,
            notify: written.notify,
            // Ten are left for the people who use the same key.
            calls_a_minute: calls(50),
        }),
        DestinationKind::Cachet3 => Box::new(cachet::Cachet {
            url: url(""),
            notify: written.notify,
            calls_a_minute: calls(250),
        }),
        DestinationKind::Vigil => {
            Box::new(vigil::Vigil { url: url(""), user, calls_a_minute: calls(300) })
        }
        DestinationKind::UptimeKuma => {
            Box::new(kuma::Kuma { url: url(""), calls_a_minute: calls(60) })
        }
        DestinationKind::Cstate => Box::new(cstate::Cstate { folder: path }),
        DestinationKind::Sftp => {
            let folder = written.path.as_deref().unwrap_or(std::path::Path::new("."));
            let folder = folder.to_string_lossy().into_owned();
            let calls_a_minute = written.calls.map(|calls| calls as usize);
            Box::new(sftp::Sftp { url: url(""), user, folder, calls_a_minute })
        }
        DestinationKind::S3 => {
            let region = written.region.clone().unwrap_or_else(|| "us-east-1".into());
            Box::new(s3::S3 { url: url(""), bucket: page, region, user })
        }
    }
}
