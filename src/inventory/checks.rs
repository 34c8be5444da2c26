//! `checks` of a workload: what its new place must answer before it is switched on.
//!
//! **Promise.** A mistake in a check keeps nothing from being captured: the workload stays, is
//! marked ([`Checks::has_mistakes`]), and its gate does not open until the mistake is mended.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use ureq::http::Uri;

use crate::inventory::document::{Table, Value};
use crate::inventory::fields::Fields;
use crate::inventory::parse::is_address;
use crate::inventory::{AddressChange, Origin, Problem};
use crate::model::Span;
use crate::model::text::bounded;

/// How long an answer may take, unless `within` says otherwise; a command has longer.
const WITHIN: Duration = Duration::from_secs(10);
const COMMAND_WITHIN: Duration = Duration::from_secs(30);
/// Longer is no check but a job.
const WITHIN_MAX: Duration = Duration::from_secs(600);
/// Longest text of a check that is shown and kept.
const SHOWN_MAX: usize = 300;
const PAGE_HINT: &str = "Write http://ADDRESS/ or https://ADDRESS:PORT/PATH.";
const KINDS: [&str; 4] = ["http", "tcp", "ssh", "command"];

/// Everything a workload must answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checks {
    /// Those that could be read.
    pub list: Vec<Check>,
    /// Was one written that could not be read? Then the gate stays shut.
    pub has_mistakes: bool,
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What is asked.
    pub ask: Ask,
    /// How long the answer may take; later is no answer.
    pub within: Duration,
}

/// What is asked. `address` is an IP address or a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// A page, or with `tls` one whose certificate is valid for `host`.
    Http(HttpAsk),
    /// Does the port take connections?
    Tcp { address: String, port: u16 },
    /// Does it speak SSH, with this key?
    Ssh { address: String, port: u16, host_key: Option<String> },
    /// A program of one's own, run here without a shell; exit codes as of monitoring plugins.
    Command { argv: Vec<String>, warning_passes: bool },
}

/// A page that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAsk {
    /// Over TLS?
    pub tls: bool,
    /// Where the connection goes.
    pub address: String,
    /// And to which port.
    pub port: u16,
    /// Path and query.
    pub path: String,
    /// Whom is asked for: Host header, SNI, and the name the certificate must be valid for.
    pub host: String,
    /// The status that passes; redirects are not followed.
    pub status: u16,
    /// What the body must have in it.
    pub contains: Option<String>,
}

impl Check {
    /// Where it asks, of those that name a place.
    pub fn address(&self) -> Option<&str> {
        match &self.ask {
            Ask::Http(HttpAsk { address, .. })
            | Ask::Tcp { address, .. }
            | Ask::Ssh { address, .. } => Some(address),
            Ask::Command { .. } => None,
        }
    }
}

/// Eight digits that tell texts apart without saying them: they may hold a password.
fn digest(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..8].to_owned()
}

/// `ADDRESS:PORT`, with brackets where they are needed.
pub fn place(address: &str, port: u16) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

/// What is asked, as it is kept and shown: queries and arguments of commands only as a digest.
impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match &self.ask {
            Ask::Http(ask) => http_text(ask),
            Ask::Tcp { address, port } => format!("tcp {}", place(address, *port)),
            Ask::Ssh { address, port, host_key } => {
                let key = host_key.as_ref().map(|key| format!(", key {key}")).unwrap_or_default();
                format!("ssh {}{key}", place(address, *port))
            }
            Ask::Command { argv, .. } => match argv.split_first() {
                Some((program, [])) => format!("command {program}"),
                Some((program, rest)) => {
                    let count = rest.len();
                    format!("command {program}, {count} arguments #{}", digest(&rest.join("\0")))
                }
                None => "command".to_owned(),
            },
        };
        f.pad(&bounded(&text, SHOWN_MAX))
    }
}

fn http_text(ask: &HttpAsk) -> String {
    let scheme = if ask.tls { "https" } else { "http" };
    let (path, query) = ask.path.split_once('?').unwrap_or((&ask.path, ""));
    let query = if query.is_empty() { String::new() } else { format!("?#{}", digest(query)) };
    let place = place(&ask.address, ask.port);
    let mut text = format!("{scheme}://{place}{path}{query}");
    if ask.host != ask.address {
        text.push_str(&format!(" for {}", ask.host));
    }
    text.push_str(&format!(", status {}", ask.status));
    if let Some(marker) = &ask.contains {
        text.push_str(&format!(", with \"{marker}\""));
    }
    text
}

/// Reads `checks`. Problems are errors that set nothing aside.
pub(super) fn checks(fields: &mut Fields<'_>, addresses: &[AddressChange]) -> Checks {
    let before = fields.problems().len();
    let tables = fields.tables("checks");
    let mut list: Vec<Check> = Vec::new();
    for (table, at) in tables {
        let Some(check) = check(table, at, fields.problems()) else { continue };
        if let Some(old) = asks_source(&check, addresses) {
            let what = format!("this check asks {old}, which is the old address");
            let hint = "Ask the new address; `evac gate --baseline` asks the old one by itself.";
            fields.error(at, what, hint);
        } else if list.iter().any(|known| known.to_string() == check.to_string()) {
            fields.error(at, format!("`{check}` is asked twice"), "Leave one of them out.");
        } else {
            list.push(check);
        }
    }
    let found = fields.problems().split_off(before);
    let has_mistakes = found.iter().any(Problem::is_error);
    fields.problems().extend(found.into_iter().map(|problem| Problem { entry: None, ..problem }));
    Checks { list, has_mistakes }
}

/// The old address, where a check asks that: it would pass without anything having moved.
fn asks_source(check: &Check, addresses: &[AddressChange]) -> Option<IpAddr> {
    let asked: IpAddr = check.address()?.parse().ok()?;
    let is_new = addresses.iter().any(|change| change.new == Some(asked));
    let is_old = addresses.iter().any(|change| change.old == Some(asked));
    (is_old && !is_new).then_some(asked)
}

fn check(table: &Table, at: &Origin, problems: &mut Vec<Problem>) -> Option<Check> {
    let mut fields = Fields::new(table, at, "a check", problems);
    let kinds: Vec<_> = KINDS.into_iter().filter(|kind| fields.raw(kind).is_some()).collect();
    let ask = match kinds[..] {
        ["http"] => http(&mut fields).map(Ask::Http),
        ["tcp"] => socket(&mut fields, "tcp").map(|(address, port)| Ask::Tcp { address, port }),
        ["ssh"] => ssh(&mut fields),
        ["command"] => command(&mut fields),
        [] => {
            let hint = "Write one of http, tcp, ssh and command.";
            fields.error(at, "a check that asks nothing", hint);
            None
        }
        _ => {
            let what = format!("a check is {} at once", kinds.join(" and "));
            fields.error(at, what, "Write a check for each.");
            None
        }
    };
    let default = if kinds == ["command"] { COMMAND_WITHIN } else { WITHIN };
    let within = within(&mut fields).unwrap_or(default);
    fields.finish();
    Some(Check { ask: ask?, within })
}

fn within(fields: &mut Fields<'_>) -> Option<Duration> {
    let Span(span) = fields.parse("within")?;
    if (Duration::from_secs(1)..=WITHIN_MAX).contains(&span) {
        return Some(span);
    }
    let (_, origin) = fields.placed_text("within")?;
    fields.error(origin, "`within` must be from 1s to 10m", "");
    None
}

fn http(fields: &mut Fields<'_>) -> Option<HttpAsk> {
    let (text, origin) = fields.placed_text("http")?;
    let host = fields.text("host").map(|host| host.to_ascii_lowercase());
    let status = fields.integer("status", 100, 599).and_then(|status| u16::try_from(status).ok());
    let contains = fields.text("contains").filter(|marker| !marker.is_empty());
    let wrong = |what: &str| format!("`http` is no address of a page: {what}");
    let mut refuse = |what: &str| {
        fields.error(origin, wrong(what), PAGE_HINT);
        None
    };
    let Ok(url) = text.parse::<Uri>() else { return refuse("it cannot be read") };
    let tls = match url.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return refuse("it begins with neither http:// nor https://"),
    };
    let Some(authority) = url.authority() else { return refuse("it names no machine") };
    if authority.as_str().contains('@') {
        return refuse("it has a login in it, and would be kept with it");
    }
    let address = authority.host().trim_matches(['[', ']']).to_ascii_lowercase();
    if !is_address(&address) {
        return refuse("it names no machine");
    }
    if let Some(host) = &host
        && !is_address(host)
    {
        let (_, origin) = fields.placed_text("host")?;
        fields.error(origin, format!("`host` is no name: `{}`", bounded(host, 80)), "");
        return None;
    }
    let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
    let path = url.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let host = host.unwrap_or_else(|| address.clone());
    Some(HttpAsk { tls, address, port, path, host, status: status.unwrap_or(200), contains })
}

/// `ADDRESS:PORT`; a port must be named.
fn socket(fields: &mut Fields<'_>, key: &'static str) -> Option<(String, u16)> {
    let (text, origin) = fields.placed_text(key)?;
    let parsed = text.rsplit_once(':').and_then(|(address, port)| {
        let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let is_fine =
            is_address(bare.unwrap_or(address)) && (bare.is_some() || !address.contains(':'));
        let port: u16 = port.parse().ok().filter(|port| *port > 0)?;
        is_fine.then(|| (bare.unwrap_or(address).to_ascii_lowercase(), port))
    });
    if parsed.is_none() {
        let what = format!("`{key}` is `{}`, but must be ADDRESS:PORT", bounded(text, 80));
        fields.error(origin, what, "An IPv6 address stands in brackets.");
    }
    parsed
}

fn ssh(fields: &mut Fields<'_>) -> Option<Ask> {
    let host_key = fields.text("host_key");
    let (address, port) = socket(fields, "ssh")?;
    if let Some(key) = &host_key {
        let (_, origin) = fields.placed_text("host_key")?;
        let is_fine = key.strip_prefix("SHA256:").is_some_and(|rest| rest.len() >= 43);
        if !is_fine {
            fields.error(origin, "`host_key` must be a fingerprint", "Write SHA256:…");
            return None;
        }
    }
    Some(Ask::Ssh { address, port, host_key })
}

fn command(fields: &mut Fields<'_>) -> Option<Ask> {
    let warning_passes = fields.boolean("warning_passes").unwrap_or(false);
    let field = fields.raw("command")?;
    let origin = &field.node.origin;
    if matches!(field.node.value, Value::Text(_)) {
        let hint = "Write [\"program\", \"argument\"]; no shell reads it.";
        fields.error(origin, "`command` must be a list of texts", hint);
        return None;
    }
    let argv = fields.texts("command");
    if argv.first().is_none_or(|program| program.trim().is_empty()) {
        fields.error(origin, "`command` names no program", "Write [\"program\", \"argument\"].");
        return None;
    }
    Some(Ask::Command { argv, warning_passes })
}

#[cfg(test)]
mod tests;
