//! Carries calls: the one place that touches a network, a disk or a secret.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Error};

use super::{Auth, Call, Reply, Request, Secret, sign};
use crate::inventory::settings_publish as settings;
use crate::model::text::bounded;
use crate::model::{Clock, Timestamp};
use crate::publish::outbox::Answer;
use crate::publish::{Rendered, publish_folder};
use crate::run::gate::Trust;

/// A call that takes longer has no answer.
const WITHIN: Duration = Duration::from_secs(20);
const CONNECT_WITHIN: Duration = Duration::from_secs(8);
const ANSWER_BYTES_MAX: u64 = 8 << 20;
const HEAD_BYTES_MAX: usize = 64 << 10;
const USER_AGENT: &str = concat!("evac/", env!("CARGO_PKG_VERSION"));
/// The page's place in a working copy.
const GIT_FOLDER: &str = "public";

/// Carries the calls of one command.
pub struct Carrier {
    agent: Agent,
    clock: Arc<dyn Clock>,
    site: PathBuf,
}

impl Carrier {
    /// For the site in that folder.
    pub fn new(site: &Path, clock: Arc<dyn Clock>) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::Specific(Trust::of_this_machine().roots()))
            .unversioned_rustls_crypto_provider(provider)
            .build();
        let config = Agent::config_builder()
            .timeout_global(Some(WITHIN))
            .timeout_connect(Some(CONNECT_WITHIN))
            .http_status_as_error(false)
            // A redirect would carry the secret, and the post, to somebody else.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(USER_AGENT)
            .max_response_header_size(HEAD_BYTES_MAX)
            .tls_config(tls)
            .build();
        Self { agent: config.new_agent(), clock, site: site.to_owned() }
    }

    /// Carries one call to `to`. An `Err` is an answer already.
    pub fn carry(
        &self,
        to: &settings::Destination,
        call: &Call,
        page: &Rendered,
    ) -> Result<Reply, Answer> {
        match call {
            Call::Http(request) => self.http(to, request),
            Call::PutPage { folder } => put_page(page, folder),
            Call::PutFile { path, text } => put_file(path, text),
            Call::Git { folder, remote, branch } => git(page, folder, remote, branch),
            Call::PutObjects { url, region, user } => self.objects(to, (url, region, user), page),
        }
    }

    fn secret(&self, to: &settings::Destination) -> Result<Option<Secret>, Answer> {
        let Some(source) = &to.secret else { return Ok(None) };
        let secret = super::secret::read(&to.id, source, &self.site);
        secret.map(Some).map_err(|error| Answer::NotSent { said: crate::run::explain(&error) })
    }

    fn http(&self, to: &settings::Destination, request: &Request) -> Result<Reply, Answer> {
        let secret = self.secret(to)?;
        let token = secret.as_ref().map_or("", Secret::reveal);
        let url = match &request.auth {
            Auth::Address => token.to_owned(),
            Auth::InAddress => request.url.replace("{secret}", token),
            _ => request.url.clone(),
        };
        let mut headers: Vec<(&str, String)> = request.headers.clone();
        let body = request.body.as_deref();
        match &request.auth {
            Auth::None | Auth::Address | Auth::InAddress => {}
            Auth::Scheme(scheme) => headers.push(("Authorization", format!("{scheme} {token}"))),
            Auth::Basic(user) => {
                let login = base64(format!("{user}:{token}").as_bytes());
                headers.push(("Authorization", format!("Basic {login}")));
            }
            Auth::Hmac => {
                let signed = sign::webhook(token, self.clock.now(), body.unwrap_or_default());
                headers.push(("Evac-Signature", signed));
            }
        }
        if body.is_some() {
            headers.push(("Content-Type", "application/json".to_owned()));
        }
        let sent = self.send(request.method, &url, &headers, body.map(str::as_bytes));
        let reply = sent.map_err(|answer| hidden(answer, secret.as_ref()))?;
        let Some(secret) = secret.filter(|_| super::refusal(&reply).is_some()) else {
            return Ok(reply);
        };
        // What is told of a refusal may repeat what we sent.
        let body = secret.hidden_in(&String::from_utf8_lossy(&reply.body)).into_bytes();
        Ok(Reply { body, ..reply })
    }

    fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, String)],
        body: Option<&[u8]>,
    ) -> Result<Reply, Answer> {
        let mut builder = ureq::http::Request::builder().method(method).uri(url);
        for (name, value) in headers {
            builder = builder.header(*name, value);
        }
        let wrong = |error: ureq::http::Error| Answer::Refused { said: error.to_string() };
        let response = match body {
            Some(body) => self.agent.run(builder.body(body).map_err(wrong)?),
            None => self.agent.run(builder.body(()).map_err(wrong)?),
        };
        let mut response = response.map_err(|error| unanswered(&error))?;
        let status = response.status().as_u16();
        let header = response.headers().get("retry-after").and_then(|it| it.to_str().ok());
        let retry_after = header.and_then(|text| retry_after(text, self.clock.now()));
        let mut bytes = Vec::new();
        let read = response.body_mut().as_reader().take(ANSWER_BYTES_MAX).read_to_end(&mut bytes);
        if read.is_err() && (200..300).contains(&status) {
            return Err(Answer::Unsure { said: "its answer broke off".to_owned() });
        }
        Ok(Reply { status, retry_after, body: bytes })
    }

    fn objects(
        &self,
        to: &settings::Destination,
        (url, region, user): (&str, &str, &str),
        page: &Rendered,
    ) -> Result<Reply, Answer> {
        let secret = self.secret(to)?;
        let token = secret.as_ref().map_or("", Secret::reveal);
        let place = url.split_once("://").map_or(url, |(_, rest)| rest);
        let (host, bucket) = place.split_once('/').unwrap_or((place, ""));
        // What people open goes last: it must not lead to what is not there yet.
        let mut files: Vec<_> = page.files.iter().collect();
        files.sort_by_key(|(path, _)| {
            (path.ends_with("index.html"), path.matches('/').count() == 0)
        });
        for (path, bytes) in files {
            let body_sha256 = sign::sha256(bytes);
            let kind = content_type(path);
            let put = sign::Put {
                host,
                path: &format!("/{bucket}/{path}"),
                body_sha256: &body_sha256,
                region,
                access_key: user,
                secret_key: token,
                headers: &[("cache-control", "max-age=30"), ("content-type", kind)],
            };
            let (date, authorization) = sign::aws(&put, self.clock.now());
            let headers = [
                ("Authorization", authorization),
                ("x-amz-date", date),
                ("x-amz-content-sha256", body_sha256.clone()),
                ("Cache-Control", "max-age=30".to_owned()),
                ("Content-Type", kind.to_owned()),
            ];
            let reply = self.send("PUT", &format!("{url}/{path}"), &headers, Some(bytes));
            let reply = reply.map_err(|answer| hidden(answer, secret.as_ref()))?;
            if super::refusal(&reply).is_some() {
                return Ok(reply);
            }
        }
        Ok(Reply::done())
    }
}

fn hidden(answer: Answer, secret: Option<&Secret>) -> Answer {
    let Some(secret) = secret else { return answer };
    match answer {
        Answer::NotSent { said } => Answer::NotSent { said: secret.hidden_in(&said) },
        Answer::Unsure { said } => Answer::Unsure { said: secret.hidden_in(&said) },
        Answer::Refused { said } => Answer::Refused { said: secret.hidden_in(&said) },
        other => other,
    }
}

/// Before a connection stands nothing was said; after that it may have been.
fn unanswered(error: &Error) -> Answer {
    use std::io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};
    let said = bounded(&error.to_string(), 200);
    match error {
        Error::HostNotFound | Error::ConnectionFailed | Error::BadUri(_) | Error::Rustls(_) => {
            Answer::NotSent { said }
        }
        Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => Answer::NotSent { said },
        Error::Io(source)
            if matches!(
                source.kind(),
                ConnectionRefused | HostUnreachable | NetworkUnreachable
            ) || is_tls(source) =>
        {
            Answer::NotSent { said }
        }
        _ => Answer::Unsure { said },
    }
}

fn is_tls(error: &std::io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.downcast_ref::<rustls::Error>().is_some())
}

/// Seconds, or a date.
fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp();
    Some(Timestamp::new(at).since(now))
}

fn put_page(page: &Rendered, folder: &Path) -> Result<Reply, Answer> {
    match publish_folder(page, folder) {
        Ok(_) => Ok(Reply::done()),
        Err(error @ crate::publish::PublishError::Foreign { .. }) => {
            Err(Answer::Refused { said: crate::run::explain(&error) })
        }
        Err(error) => Err(Answer::NotSent { said: crate::run::explain(&error) }),
    }
}

fn put_file(path: &Path, text: &str) -> Result<Reply, Answer> {
    let write = || {
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let fresh = path.with_extension("evac-new");
        std::fs::write(&fresh, text)?;
        std::fs::File::open(&fresh)?.sync_all()?;
        std::fs::rename(&fresh, path)?;
        std::fs::File::open(folder)?.sync_all()
    };
    write().map(|()| Reply::done()).map_err(|error| Answer::NotSent {
        said: format!("cannot write {}: {error}", path.display()),
    })
}

fn git(page: &Rendered, folder: &Path, remote: &str, branch: &str) -> Result<Reply, Answer> {
    put_page(page, &folder.join(GIT_FOLDER))?;
    let run = |words: &[&str]| -> Result<bool, Answer> {
        let mut command = Command::new("git");
        command.arg("-C").arg(folder).args(words).stdin(Stdio::null());
        command.env("GIT_TERMINAL_PROMPT", "0");
        let output = command.output();
        let output = output.map_err(|error| Answer::NotSent { said: format!("git: {error}") })?;
        if words[0] == "diff" || output.status.success() {
            return Ok(output.status.success());
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(Answer::NotSent { said: bounded(&format!("git {}: {}", words[0], said.trim()), 200) })
    };
    run(&["add", "--all", "--", GIT_FOLDER])?;
    if !run(&["diff", "--cached", "--quiet", "--", GIT_FOLDER])? {
        let author = ["-c", "user.name=evac", "-c", "user.email=evac@localhost"];
        let commit = ["commit", "--quiet", "--message", "Status", "--", GIT_FOLDER];
        let words: Vec<&str> = author.into_iter().chain(commit).collect();
        run(&words)?;
    }
    // What an earlier try committed and could not push goes with it.
    run(&["push", "--quiet", remote, &format!("HEAD:refs/heads/{branch}")])?;
    Ok(Reply::done())
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("json") => "application/json",
        Some("xml" | "atom" | "rss") => "application/xml",
        Some("svg") => "image/svg+xml",
        Some("ics") => "text/calendar; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// As Basic authentication wants it.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    out
}
