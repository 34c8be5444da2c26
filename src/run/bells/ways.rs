//! The ways to call somebody: a program of one's own, and a document posted to a link.
//!
//! **Promises.** No shell is used. What is posted is signed where a key is given. A link may have a
//! token in it: it is in no message. Everything ends within its time.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Serialize;
use sha2::Sha256;
use ureq::{Agent, Error};

use super::limit::Ring;
use crate::inventory::Alert;
use crate::model::text::bounded;
use crate::model::{Bell, Clock, Timestamp};
use crate::run::gate::{Trust, command, http};

/// How long one try may take.
const WITHIN: Duration = Duration::from_secs(10);
/// Pauses between tries of what rings in earnest.
pub const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];
/// Longest reason for a failure.
const WHY_CHARS_MAX: usize = 200;
const SIGNATURE: &str = "X-Evac-Signature";

/// What is sent. Contract, as all documents are.
#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    bell: Bell,
    text: &'a str,
    site: &'a str,
    at: Timestamp,
    held_back: u64,
}

/// One way, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// `command` or `webhook`.
    pub way: &'static str,
    /// Why nobody was called.
    pub outcome: Result<(), String>,
}

/// Everything that is needed to call somebody.
pub struct Ways {
    /// Who and how.
    pub alert: Alert,
    /// The file of the key, if there is one.
    pub secret_file: Option<PathBuf>,
    /// The site's name.
    pub site: String,
    trust: Trust,
}

impl Ways {
    /// As the settings say.
    pub fn new(alert: &Alert, site: &str, secret_file: Option<PathBuf>) -> Self {
        let trust = Trust::of_this_machine();
        Self { alert: alert.clone(), secret_file, site: site.to_owned(), trust }
    }

    /// Calls by every way; each is tried again after each of the pauses.
    pub fn call(&self, ring: &Ring, clock: &dyn Clock, pauses: &[Duration]) -> Vec<Tried> {
        let document = Document {
            schema: 1,
            bell: ring.bell,
            text: &ring.text,
            site: &self.site,
            at: clock.now(),
            held_back: ring.held_back,
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut tried = Vec::new();
        if !self.alert.command.is_empty() {
            let outcome = again_and_again(pauses, || self.run(ring, &body, clock));
            tried.push(Tried { way: "command", outcome });
        }
        if let Some(webhook) = &self.alert.webhook {
            let outcome = again_and_again(pauses, || self.post(webhook, &body));
            tried.push(Tried { way: "webhook", outcome });
        }
        tried
    }

    /// Says that the run lives.
    pub fn beat(&self, link: &str) -> Result<(), String> {
        answer(self.agent().get(link).call())
    }

    fn run(&self, ring: &Ring, body: &[u8], clock: &dyn Clock) -> Result<(), String> {
        let argv = self.alert.command.iter().map(|word| word.replace("{text}", &ring.text));
        let argv: Vec<String> = argv.collect();
        let about = [("EVAC_BELL", ring.bell.word()), ("EVAC_TEXT", &ring.text)];
        command::tell(&argv, &about, body, WITHIN, clock)
    }

    fn post(&self, link: &str, body: &[u8]) -> Result<(), String> {
        let mut request = self.agent().post(link).header("Content-Type", "application/json");
        if let Some(file) = &self.secret_file {
            request = request.header(SIGNATURE, signature(file, body)?);
        }
        answer(request.send(body))
    }

    fn agent(&self) -> Agent {
        Agent::new_with_config(http::config(WITHIN, &self.trust))
    }
}

fn answer(answer: Result<ureq::http::Response<ureq::Body>, Error>) -> Result<(), String> {
    match answer {
        Ok(response) if response.status().is_success() => Ok(()),
        Ok(response) => Err(format!("status {}", response.status().as_u16())),
        Err(error) => Err(bounded(&http::refusal(&error).1, WHY_CHARS_MAX)),
    }
}

/// The key is read each time: it may be changed while a run goes on.
fn signature(file: &Path, body: &[u8]) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("cannot read the secret_file: {error}");
    let key = std::fs::read(file).map_err(failed)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(key.trim_ascii())
        .map_err(|_| "the secret_file holds no key".to_owned())?;
    mac.update(body);
    let mut text = "sha256=".to_owned();
    for byte in mac.finalize().into_bytes() {
        text.push_str(&format!("{byte:02x}"));
    }
    Ok(text)
}

fn again_and_again(
    pauses: &[Duration],
    once: impl Fn() -> Result<(), String>,
) -> Result<(), String> {
    let mut outcome = once();
    for pause in pauses {
        if outcome.is_err() {
            std::thread::sleep(*pause);
            outcome = once();
        }
    }
    outcome
}
