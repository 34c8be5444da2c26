//! `[alert]`: who is called, and how, when something happens that nobody should sleep through.

use std::path::PathBuf;
use std::time::Duration;

use ureq::http::Uri;

use crate::inventory::document::Table;
use crate::inventory::fields::Fields;
use crate::inventory::{Origin, Problem};
use crate::model::Span;

/// Between two beats, unless `beat_every` says otherwise.
const BEAT_EVERY: Duration = Duration::from_secs(60);
/// More often is no beat but a load.
const BEAT_EVERY_MIN: Duration = Duration::from_secs(1);

/// The ways to call somebody; none of them: nobody is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// A program and its arguments, run without a shell. `{text}` in an argument is the sentence.
    pub command: Vec<String>,
    /// Where a document is posted to. It may have a token in it, so it is shown nowhere.
    pub webhook: Option<String>,
    /// The key that what is posted is signed with, as written.
    pub secret_file: Option<PathBuf>,
    /// Is called for as long as the run lives: whoever is not called any more rings elsewhere.
    pub beat: Option<String>,
    /// How often.
    pub beat_every: Duration,
}

impl Default for Alert {
    fn default() -> Self {
        Self {
            command: Vec::new(),
            webhook: None,
            secret_file: None,
            beat: None,
            beat_every: BEAT_EVERY,
        }
    }
}

impl Alert {
    /// Is anybody called at all?
    pub fn is_silent(&self) -> bool {
        self.command.is_empty() && self.webhook.is_none()
    }
}

/// Reads the table.
pub(super) fn read(table: &Table, at: &Origin, problems: &mut Vec<Problem>) -> Alert {
    let mut fields = Fields::new(table, at, "[alert]", problems);
    let alert = Alert {
        command: fields.texts("command"),
        webhook: link(&mut fields, "webhook"),
        secret_file: fields.text("secret_file").map(PathBuf::from),
        beat: link(&mut fields, "beat"),
        beat_every: fields.parse::<Span>("beat_every").map_or(BEAT_EVERY, |span| span.0),
    };
    if alert.beat_every < BEAT_EVERY_MIN {
        fields.error(at, "`beat_every` must be at least 1s", "");
    }
    if alert.command.first().is_some_and(String::is_empty) {
        fields.error(at, "`command` names no program", "Write command = [\"/usr/bin/program\"].");
    }
    if alert.secret_file.is_some() && alert.webhook.is_none() {
        let hint = "Write `webhook`, or leave `secret_file` out.";
        fields.error(at, "`secret_file` signs what is posted, and there is no `webhook`", hint);
    }
    fields.finish();
    alert
}

/// A link; what is wrong with it is said without repeating it.
fn link(fields: &mut Fields<'_>, key: &'static str) -> Option<String> {
    let (text, at) = fields.placed_text(key)?;
    let is_link = text.parse::<Uri>().is_ok_and(|link| {
        matches!(link.scheme_str(), Some("http" | "https"))
            && link.host().is_some_and(|host| !host.is_empty())
    });
    if !is_link {
        let hint = "It begins with https:// and the name of a machine.";
        fields.error(at, format!("`{key}` is no link"), hint);
    }
    is_link.then(|| text.to_owned())
}
