//! What was posted, as pages show it.

use serde::Serialize;

use crate::publish::dates::{Form, Moment, moment};
use crate::publish::frame::Free;
use crate::publish::locale::Texts;
use crate::publish::page::Stage;
use crate::publish::wording::{Said, pick};
use crate::publish::{Kind, PublishError, StatusPage, Update};

/// Longest title and longest body that are shown.
const MAX_TITLE_CHARS: usize = 300;
const MAX_BODY_CHARS: usize = 4_000;

#[derive(Serialize)]
pub(super) struct Message {
    pub(super) id: String,
    kind: &'static str,
    pub(super) at: Moment,
    pub(super) title: Said,
    body: Option<Free>,
}

/// `update` as a reader of `texts` sees it; the promise of the next is part of its body.
pub(super) fn message(
    page: &StatusPage,
    texts: &Texts,
    update: &Update,
) -> Result<Message, PublishError> {
    let zone = &page.timezone;
    Ok(Message {
        id: anchor(update),
        kind: kind(page, update).word(),
        at: moment(texts, zone, update.at, Form::Full)?,
        title: title(page, texts, update)?,
        body: body(page, texts, update).map(Free::from),
    })
}

/// What it is, for readers of now: nothing is resolved before everybody is online again.
pub(super) fn kind(page: &StatusPage, update: &Update) -> Kind {
    match update.kind {
        Kind::Resolved if page.stage() != Stage::Done => Kind::Monitoring,
        kind => kind,
    }
}

/// Its id in a form that a link can point at.
pub(super) fn anchor(update: &Update) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' };
    update.id.chars().take(64).map(plain).collect()
}

/// Its title; without one, what kind of message it is.
pub(super) fn title(
    page: &StatusPage,
    texts: &Texts,
    update: &Update,
) -> Result<Said, PublishError> {
    if let Some(said) = pick(&update.titles(), texts.language(), &page.languages, MAX_TITLE_CHARS) {
        return Ok(Said { text: said.text.replace('\n', " "), ..said });
    }
    let text = texts.say(&format!("kind-{}", kind(page, update).word()), &[])?;
    Ok(Said { text, lang: None })
}

pub(super) fn body(page: &StatusPage, texts: &Texts, update: &Update) -> Option<Said> {
    pick(&update.bodies(), texts.language(), &page.languages, MAX_BODY_CHARS)
}
