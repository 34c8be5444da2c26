//! `[publish]` and `[[publish.to]]`: how often something is promised, and who is told.
//!
//! **Invariant.** No secret is written here: a token is named by the file, the variable or the
//! command that yields it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::inventory::document::Table;
use crate::inventory::fields::Fields;
use crate::inventory::settings::Site;
use crate::inventory::settings_page::{self, PageSettings};
use crate::inventory::{Origin, Problem};
use crate::model::Span;

/// Sooner than this nobody can promise an update.
const NEXT_MIN: Span = Span(std::time::Duration::from_mins(1));
/// What is promised unless `publish.next` or `--next` says otherwise.
pub const DEFAULT_NEXT: Span = Span(std::time::Duration::from_secs(30 * 60));

/// `[publish]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// Does somebody else read what people write before it is public?
    pub review: bool,
    /// The next update is promised after this.
    pub next: Span,
    /// What is run when a promise is broken: program and arguments.
    pub alarm: Vec<String>,
    /// `[[publish.to]]`.
    pub to: Vec<Destination>,
    /// How the page looks, and what is on it.
    pub page: PageSettings,
}

impl Default for Publish {
    fn default() -> Self {
        Self {
            review: false,
            next: DEFAULT_NEXT,
            alarm: Vec::new(),
            to: Vec::new(),
            page: PageSettings::default(),
        }
    }
}

/// What kind of place is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DestinationKind {
    /// The page, into a folder of this machine.
    Folder,
    /// The page, into a git repository.
    Git,
    /// Posts, to any HTTP server.
    Webhook,
    /// Posts, to a chat.
    Slack,
    /// The same.
    Mattermost,
    /// The same.
    Discord,
    /// The same.
    Teams,
    /// Posts and components of Atlassian Statuspage.
    Statuspage,
    /// Posts and components of Cachet 3.
    Cachet3,
    /// Announcements and replicas of Vigil.
    Vigil,
    /// A push monitor of Uptime Kuma.
    UptimeKuma,
    /// Posts, as files of a cState site.
    Cstate,
    /// The page, into a bucket.
    S3,
    /// The page, into a folder of an account that takes files over SSH.
    Sftp,
}

const KINDS: [(&str, DestinationKind); 14] = [
    ("folder", DestinationKind::Folder),
    ("git", DestinationKind::Git),
    ("webhook", DestinationKind::Webhook),
    ("slack", DestinationKind::Slack),
    ("mattermost", DestinationKind::Mattermost),
    ("discord", DestinationKind::Discord),
    ("teams", DestinationKind::Teams),
    ("statuspage", DestinationKind::Statuspage),
    ("cachet3", DestinationKind::Cachet3),
    ("vigil", DestinationKind::Vigil),
    ("uptime-kuma", DestinationKind::UptimeKuma),
    ("cstate", DestinationKind::Cstate),
    ("s3", DestinationKind::S3),
    ("sftp", DestinationKind::Sftp),
];

impl DestinationKind {
    /// As it is written.
    pub fn word(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(word, _)| word)
    }
}

/// Where a token comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// The first line of a file, relative to the site.
    File(PathBuf),
    /// A variable of the environment.
    Variable(String),
    /// The first line that a program prints.
    Command(Vec<String>),
}

/// One place that is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Its name here.
    pub id: String,
    /// What it is.
    pub kind: DestinationKind,
    /// Where it is; for chats the secret says so.
    pub url: Option<String>,
    /// Folder or working copy, as written.
    pub path: Option<PathBuf>,
    /// Id of the page, name of the branch or bucket.
    pub page: Option<String>,
    /// For S3.
    pub region: Option<String>,
    /// Login beside the token, where there is one.
    pub user: Option<String>,
    /// Private keys for SFTP, as written; empty: those of `[ssh]`.
    pub identity: Vec<PathBuf>,
    /// The one key that an SFTP server may show; `None`: what `known_hosts` says.
    pub host_key: Option<String>,
    /// Token, key, password, or a chat's whole address.
    pub secret: Option<SecretSource>,
    /// A webhook's body: JSON with `{title}` and the like in its texts.
    pub body: Option<String>,
    /// Does it write to its subscribers?
    pub notify: bool,
    /// Calls in any minute; `None`: what its kind allows.
    pub calls: Option<u32>,
    /// The language it is told things in; `None`: the site's first.
    pub language: Option<String>,
    /// What stands there for `all`, `group/ID` or `customer/ID`.
    pub components: BTreeMap<String, String>,
    /// Where it was written.
    pub origin: Origin,
}

/// Reads `[publish]`.
pub(super) fn publish(fields: &mut Fields<'_>, site: &Site) -> Publish {
    let mut publish = Publish::default();
    let Some((table, at)) = fields.table("publish") else { return publish };
    let mut fields = Fields::new(table, at, "[publish]", fields.problems());
    publish.review = fields.boolean("review").unwrap_or(false);
    publish.next = fields.parse("next").unwrap_or(DEFAULT_NEXT);
    if publish.next < NEXT_MIN {
        fields.error(at, "`next` must be at least 1m", "Nobody writes updates faster than that.");
        publish.next = DEFAULT_NEXT;
    }
    publish.alarm = fields.texts("alarm");
    publish.page = settings_page::page(&mut fields, site);
    let mut ids = BTreeSet::new();
    for (table, at) in fields.tables("to") {
        if let Some(destination) = destination(table, at, fields.problems()) {
            if !ids.insert(destination.id.clone()) {
                let what = format!("two [[publish.to]] have the id `{}`", destination.id);
                fields.error(at, what, "Give each its own; what was sent is kept under it.");
            }
            publish.to.push(destination);
        }
    }
    fields.finish();
    publish
}

fn destination(table: &Table, at: &Origin, problems: &mut Vec<Problem>) -> Option<Destination> {
    const ID: &str = "Give it an id; what was sent there is kept under it.";
    let mut fields = Fields::new(table, at, "[[publish.to]]", problems);
    let id = fields.needed_text("id", ID);
    let kind = fields.word("kind", &KINDS);
    if kind.is_none() && table.get("kind").is_none() {
        let words: Vec<_> = KINDS.iter().map(|(word, _)| *word).collect();
        fields.error(at, "[[publish.to]] has no `kind`", &format!("One of {}.", words.join(", ")));
    }
    let destination = Destination {
        id: id.unwrap_or_default(),
        kind: kind.unwrap_or(DestinationKind::Folder),
        url: url(&mut fields, kind),
        path: fields.text("path").map(PathBuf::from),
        page: fields.text("page"),
        region: fields.text("region"),
        user: fields.text("user"),
        identity: fields.texts("identity").into_iter().map(PathBuf::from).collect(),
        host_key: fields.text("host_key"),
        secret: secret(&mut fields),
        body: body(&mut fields),
        notify: fields.boolean("notify").unwrap_or(false),
        calls: fields.integer("calls", 1, 10_000),
        language: fields.text("language"),
        components: fields.text_map("components"),
        origin: at.clone(),
    };
    components(&destination, &mut fields);
    if kind.is_some() {
        needed(&destination, &mut fields);
    }
    fields.finish();
    (kind.is_some() && !destination.id.is_empty()).then_some(destination)
}

fn url(fields: &mut Fields<'_>, kind: Option<DestinationKind>) -> Option<String> {
    let (url, at) = fields.placed_text("url")?;
    let (schemes, shown): (&[_], _) = match kind {
        Some(DestinationKind::Sftp) => (&["sftp://"], "sftp://"),
        _ => (&["https://", "http://"], "https:// or http://"),
    };
    let Some(rest) = schemes.iter().find_map(|scheme| url.strip_prefix(scheme)) else {
        fields.error(at, format!("`url` does not begin with {shown}"), "");
        return None;
    };
    let (machine, folder) = rest.trim_end_matches('/').split_once('/').unwrap_or((rest, ""));
    if machine.contains('@') {
        fields.error(at, "`url` has a login in it", "Write `user`, and `secret` for its password.");
        return None;
    }
    if kind == Some(DestinationKind::Sftp) && !folder.is_empty() {
        fields.error(
            at,
            "`url` has a folder in it",
            "Write `url` = \"sftp://HOST:PORT\", and `path`.",
        );
        return None;
    }
    Some(url.trim_end_matches('/').to_owned())
}

fn body(fields: &mut Fields<'_>) -> Option<String> {
    let (body, at) = fields.placed_text("body")?;
    if let Err(error) = serde_json::from_str::<serde_json::Value>(body) {
        let hint = "Write JSON with {title}, {body}, {kind}, {at}, {next}, {site}, {id} in texts.";
        fields.error(at, format!("`body` is no JSON: {error}"), hint);
        return None;
    }
    Some(body.to_owned())
}

pub(super) fn secret(fields: &mut Fields<'_>) -> Option<SecretSource> {
    const HINT: &str = "Write secret = { file = \"keys/NAME\" }, { variable = \"NAME\" } or \
                        { command = [\"PROGRAM\", \"…\"] }; never the secret itself.";
    if let Some(field) = fields.raw("secret")
        && !matches!(field.node.value, crate::inventory::document::Value::Table(_))
    {
        // Whatever stands there may be the secret: it is not repeated.
        fields.error(&field.node.origin, "`secret` is not where the secret is found", HINT);
        return None;
    }
    let (table, at) = fields.table("secret")?;
    let mut fields = Fields::new(table, at, "secret", fields.problems());
    let (file, variable) = (fields.text("file"), fields.text("variable"));
    let command = fields.texts("command");
    let mut found: Vec<SecretSource> = Vec::new();
    found.extend(file.map(|file| SecretSource::File(file.into())));
    found.extend(variable.map(SecretSource::Variable));
    found.extend((!command.is_empty()).then_some(SecretSource::Command(command)));
    if found.len() != 1 {
        fields.error(at, "`secret` does not name exactly one source", HINT);
    }
    fields.finish();
    found.pop()
}

fn components(destination: &Destination, fields: &mut Fields<'_>) {
    let is_known =
        |what: &str| what == "all" || what.starts_with("group/") || what.starts_with("customer/");
    let wrong = destination.components.keys().find(|what| !is_known(what));
    if let Some(wrong) = wrong {
        let wrong = crate::model::text::bounded(wrong, 80);
        let what = format!("`components` has `{wrong}`");
        fields.error(&destination.origin, what, "Write all, group/ID or customer/ID.");
    }
}

/// Says what its kind cannot do without.
fn needed(destination: &Destination, fields: &mut Fields<'_>) {
    use DestinationKind::{
        Cachet3, Cstate, Discord, Folder, Git, Mattermost, S3, Sftp, Slack, Statuspage, Teams,
        UptimeKuma, Vigil, Webhook,
    };
    let (url, path, page, secret) = match destination.kind {
        Folder | Cstate | Git => (false, true, false, false),
        Webhook => (true, false, false, false),
        Slack | Mattermost | Discord | Teams => (false, false, false, true),
        Statuspage => (false, false, true, true),
        Cachet3 | Vigil | UptimeKuma => (true, false, false, true),
        S3 => (true, false, true, true),
        Sftp => (true, true, false, false),
    };
    let has = [
        (url, destination.url.is_some(), "url"),
        (path, destination.path.is_some(), "path"),
        (page, destination.page.is_some(), "page"),
        (secret, destination.secret.is_some(), "secret"),
        (destination.kind == Sftp, destination.user.is_some(), "user"),
    ];
    let word = destination.kind.word();
    for (_, _, key) in has.into_iter().filter(|(needed, has, _)| *needed && !has) {
        let what = format!("[[publish.to]] of kind `{word}` has no `{key}`");
        fields.error(&destination.origin, what, "The README lists what each kind needs.");
    }
}
