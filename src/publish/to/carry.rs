//! Carries calls: with its neighbours ([`super::local`], [`super::bucket`], [`super::account`]) the
//! one place that touches a network, a disk or a secret.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Error};

use super::{Auth, Call, Reply, Request, Secret, account, bucket, local, sign};
use crate::inventory::settings::Ssh;
use crate::inventory::settings_publish as settings;
use crate::model::text::bounded;
use crate::model::{Clock, Timestamp};
use crate::publish::Rendered;
use crate::publish::outbox::Answer;
use crate::publish::pulse::Pulse;
use crate::run::gate::Trust;
use crate::ssh::{DialLimits, Dialler, Keyring, NobodyThere};

/// A call that takes longer has no answer.
const WITHIN: Duration = Duration::from_secs(20);
const CONNECT_WITHIN: Duration = Duration::from_secs(8);
const ANSWER_BYTES_MAX: u64 = 8 << 20;
const HEAD_BYTES_MAX: usize = 64 << 10;
const USER_AGENT: &str = concat!("evac/", env!("CARGO_PKG_VERSION"));

/// Carries the calls of one command.
pub struct Carrier {
    agent: Agent,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) site: PathBuf,
    pub(super) ssh: Ssh,
    /// Refused logins of the last minutes.
    logins: PathBuf,
    dialler: OnceLock<Arc<Dialler>>,
}

impl Carrier {
    /// For the site in that folder, which logs in as `ssh` says; `logins` keeps refused ones.
    pub fn new(site: &Path, ssh: &Ssh, logins: PathBuf, clock: Arc<dyn Clock>) -> Self {
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
        let (agent, site, ssh) = (config.new_agent(), site.to_owned(), ssh.clone());
        Self { agent, clock, site, ssh, logins, dialler: OnceLock::new() }
    }

    /// Opens connections to accounts.
    pub(super) fn dialler(&self) -> &Arc<Dialler> {
        self.dialler.get_or_init(|| {
            let keyring = Arc::new(Keyring::new(Arc::new(NobodyThere)));
            let dialler = Dialler::new(DialLimits::default(), keyring, Arc::clone(&self.clock));
            Arc::new(dialler.remembering(self.logins.clone()))
        })
    }

    /// Carries one call to `to`. An `Err` is an answer already.
    pub fn carry(
        &self,
        to: &settings::Destination,
        call: &Call,
        page: &Rendered,
        pulse: &Arc<Pulse>,
    ) -> Result<Reply, Answer> {
        pulse.beats();
        match call {
            Call::Http(request) => self.http(to, request),
            Call::PutPage { folder } => local::put_page(page, folder, pulse),
            Call::PutFile { path, text } => local::put_file(path, text),
            Call::Git { folder, remote, branch } => {
                local::push(page, folder, (remote, branch), pulse)
            }
            Call::PutObjects(place) => bucket::put(self, to, place, (page, pulse)),
            Call::Upload(place) => account::put(self, to, place, (page, pulse)),
        }
    }

    /// What is not as `call` left it, in which it was known by `mark`; `None`: nothing is.
    pub fn differing(
        &self,
        to: &settings::Destination,
        call: &Call,
        mark: &str,
        pulse: &Arc<Pulse>,
    ) -> Result<Option<String>, Answer> {
        match call {
            Call::Http(_) => Ok(None),
            Call::PutPage { folder } => local::differing_page(folder, mark),
            Call::PutFile { path, .. } => Ok(local::differing_file(path, mark)),
            Call::Git { folder, remote, branch } => {
                local::differing_branch(folder, remote, branch, mark)
            }
            Call::PutObjects(place) => bucket::differing(self, to, place, (mark, pulse)),
            Call::Upload(place) => account::differing(self, to, place, (mark, pulse)),
        }
    }

    pub(super) fn secret(&self, to: &settings::Destination) -> Result<Option<Secret>, Answer> {
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

    /// Asks a web server as it is written.
    pub(super) fn send(
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
        Ok(Reply { status, retry_after, body: bytes, mark: None })
    }
}

/// An answer that repeats no secret.
pub(super) fn hidden(answer: Answer, secret: Option<&Secret>) -> Answer {
    let Some(secret) = secret else { return answer };
    match answer {
        Answer::NotSent { said } => Answer::NotSent { said: secret.hidden_in(&said) },
        Answer::Unsure { said } => Answer::Unsure { said: secret.hidden_in(&said) },
        Answer::Refused { said } => Answer::Refused { said: secret.hidden_in(&said) },
        Answer::Invalid { said } => Answer::Invalid { said: secret.hidden_in(&said) },
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
