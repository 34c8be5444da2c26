//! The look-up in a browser: what the caller says goes in, a paragraph to read out comes out.
//!
//! **Promises.** Every look-up is durable in the log before it is answered. What a caller may hear
//! once he has proved who he is stands behind a question, and the answer to it in the log. A held
//! customer looks, word for word and line for line, like anybody who needs attention; of neither
//! anything is shown but what support itself wrote down.

use axum::http::StatusCode;
use serde::Serialize;

use crate::ledger::snapshot::{CustomerStatus, Hold, WorkloadStatus};
use crate::ledger::{say, to_anyone};
use crate::model::text::bounded;
use crate::model::{CustomerId, PublicWord};
use crate::publish::dates::{Form, Moment, moment};
use crate::publish::render::word_key;
use crate::publish::{Language, PublishError};
use crate::web::WebError;
use crate::web::answer::Answer;
use crate::web::app::{App, Trouble, Visit};
use crate::web::audit::LookUp;
use crate::web::desk::{Caller, LookedUp, Told, Whom};
use crate::web::pages::Frame;
use crate::web::routes::{Asked, Noted};

/// Longest look-up.
const TYPED_CHARS_MAX: usize = 200;
/// Longest note, as the ledger keeps it.
const NOTE_CHARS_MAX: usize = 500;
/// Customers shown for one look-up.
const SHOWN_MAX: usize = 10;
/// Longest name or text of the inventory on a page.
const NAME_CHARS_MAX: usize = 120;
/// Notes shown, the newest.
const NOTES_MAX: usize = 20;
/// Services shown.
const SERVICES_MAX: usize = 50;
/// How callers prove who they are. The words are in the log.
const PROOFS: [&str; 5] = ["callback", "mail", "portal", "known", "other"];

#[derive(Serialize)]
struct View<'a> {
    frame: Frame<'a>,
    typed: &'a str,
    is_answer: bool,
    anyone: Paragraphs,
    hits: Vec<Hit>,
    more: usize,
    card: Option<Card>,
}

/// What is read out: in the language it is wanted in, and in the others.
#[derive(Serialize)]
struct Paragraphs {
    lang: &'static str,
    text: String,
    others: Vec<(&'static str, String)>,
}

/// A customer who may be meant.
#[derive(Serialize)]
struct Hit {
    id: CustomerId,
    name: String,
    by: &'static str,
    matched: String,
    /// Is it spelled otherwise? Then it is a question.
    is_guess: bool,
}

/// One customer.
#[derive(Serialize)]
struct Card {
    id: CustomerId,
    name: String,
    proofs: [&'static str; PROOFS.len()],
    /// Was nothing chosen?
    is_unproved: bool,
    private: Option<Private>,
    notes: Vec<Note>,
    noted: bool,
}

/// What only he may hear.
#[derive(Serialize)]
struct Private {
    proof: &'static str,
    say: Paragraphs,
    word: &'static str,
    colleague: Option<String>,
    as_of: Moment,
    services: Vec<Service>,
}

#[derive(Serialize)]
struct Service {
    label: Option<String>,
    number: usize,
    word: &'static str,
    data: Option<Moment>,
}

#[derive(Serialize)]
struct Note {
    at: Moment,
    by: String,
    text: String,
}

/// The box, and who is meant by what was typed into it.
pub(super) fn home(app: &App, visit: &Visit, asked: &Asked) -> Result<Answer, Trouble> {
    let typed = bounded(asked.q.as_deref().unwrap_or_default().trim(), TYPED_CHARS_MAX);
    let is_answer = !typed.is_empty();
    let whom = if is_answer { Whom::Text(&typed) } else { Whom::Nobody };
    let seen = app.desk.look_up(whom, SHOWN_MAX)?;
    if is_answer {
        let ids = seen.callers.iter().map(|caller| &caller.status.id).collect();
        write_down(app, visit, (&typed, ids), None)?;
    }
    // A guess has to be asked for.
    let meant = match seen.callers.as_slice() {
        [caller] if caller.fit.is_sure() => Some(caller),
        _ => None,
    };
    let card = meant.map(|caller| card(app, visit, &seen, caller, asked)).transpose()?;
    let hits = seen.callers.iter().map(|caller| hit(caller, &typed)).collect();
    let more = seen.total.saturating_sub(seen.callers.len());
    let spoken = meant.and_then(|caller| caller.spoken);
    let anyone = anyone(&seen, spoken.unwrap_or(visit.language));
    let frame = frame(app, visit, &seen)?;
    print(app, visit, &View { frame, typed: &typed, is_answer, anyone, hits, more, card })
}

/// One customer; all he may hear, once it is said how he proved who he is.
pub(super) fn customer(
    app: &App,
    visit: &Visit,
    id: &str,
    asked: &Asked,
) -> Result<Answer, Trouble> {
    let seen = known(app, visit, id)?;
    let caller = seen.callers.first().ok_or(Trouble::Missing)?;
    let typed = bounded(asked.q.as_deref().unwrap_or_default().trim(), TYPED_CHARS_MAX);
    write_down(app, visit, (&typed, vec![&caller.status.id]), proof(asked.verified.as_deref()))?;
    let card = Some(card(app, visit, &seen, caller, asked)?);
    let anyone = anyone(&seen, caller.spoken.unwrap_or(visit.language));
    let (frame, hits) = (frame(app, visit, &seen)?, Vec::new());
    let view = View { frame, typed: &typed, is_answer: true, anyone, hits, more: 0, card };
    print(app, visit, &view)
}

/// Writes down what he was told, or what he wants.
pub(super) fn note(app: &App, visit: &Visit, id: &str, noted: &Noted) -> Result<Answer, Trouble> {
    let seen = known(app, visit, id)?;
    let customer = &seen.callers.first().ok_or(Trouble::Missing)?.status;
    let lines: Vec<_> = noted.text.lines().map(str::trim).filter(|it| !it.is_empty()).collect();
    let text = bounded(&lines.join(" / "), NOTE_CHARS_MAX - 1);
    let mut to = format!("/customer/{}?", customer.id);
    if !text.is_empty() {
        app.desk.note(&visit.person.name, customer, &text)?;
        app.forget();
        to.push_str("noted=1");
    }
    if let Some(proof) = proof(noted.verified.as_deref()) {
        to.push_str(&format!("&verified={proof}"));
    }
    if let Some(language) = visit.chosen {
        to.push_str(&format!("&lang={language}"));
    }
    Ok(Answer::see(to))
}

/// The customer called `id`, where there is a look-up at all. That there is none is an answer, too.
fn known(app: &App, visit: &Visit, id: &str) -> Result<LookedUp, Trouble> {
    let id: CustomerId = id.parse().map_err(|_| Trouble::Missing)?;
    if !app.views.support {
        return Err(Trouble::Missing);
    }
    let seen = app.desk.look_up(Whom::Id(&id), 1)?;
    if seen.callers.is_empty() {
        write_down(app, visit, (&format!("customer/{id}"), Vec::new()), None)?;
    }
    Ok(seen)
}

fn proof(word: Option<&str>) -> Option<&'static str> {
    PROOFS.into_iter().find(|proof| Some(*proof) == word)
}

fn write_down(
    app: &App,
    visit: &Visit,
    (typed, shown): (&str, Vec<&CustomerId>),
    verified: Option<&'static str>,
) -> Result<(), Trouble> {
    let (at, by) = (app.clock.now(), visit.person.name.as_str());
    let look_up = LookUp { at, by, from: visit.from, typed, shown, verified };
    app.look_ups.append(&look_up).map_err(|error| {
        app.desk.complain(&error);
        Trouble::Unwritten
    })
}

fn frame<'a>(app: &'a App, visit: &'a Visit, seen: &'a LookedUp) -> Result<Frame<'a>, Trouble> {
    let other = (app.views.live && visit.is_operator()).then_some("/live");
    app.pages.frame(&seen.name, visit, (other, false)).map_err(|error| broken(app, error))
}

fn print(app: &App, visit: &Visit, view: &View<'_>) -> Result<Answer, Trouble> {
    let html = app.pages.print(visit.language, "support.html", view);
    Ok(Answer::page(StatusCode::OK, html.map_err(|error| broken(app, error))?))
}

/// A fault of ours.
pub(super) fn broken(app: &App, error: PublishError) -> Trouble {
    app.desk.complain(&WebError::from(error));
    Trouble::Broken
}

fn hit(caller: &Caller, typed: &str) -> Hit {
    // Of a secret of his only what was said is said again.
    let matched = caller.matched.as_deref().unwrap_or(typed);
    Hit {
        id: caller.status.id.clone(),
        name: bounded(&caller.status.name, NAME_CHARS_MAX),
        by: caller.matched_by,
        matched: bounded(matched, NAME_CHARS_MAX),
        is_guess: !caller.fit.is_sure(),
    }
}

/// In `first`, then in the other languages of the site.
fn paragraphs(seen: &LookedUp, first: Language, text: impl Fn(Language) -> String) -> Paragraphs {
    let others = seen.languages.iter().filter(|language| **language != first);
    let others = others.map(|language| (language.code(), text(*language))).collect();
    Paragraphs { lang: first.code(), text: text(first), others }
}

fn anyone(seen: &LookedUp, first: Language) -> Paragraphs {
    let said = to_anyone();
    paragraphs(seen, first, |language| said.get(language.code()).cloned().unwrap_or_default())
}

/// Does he need a colleague? It is one answer for whoever is held and for whoever is in trouble.
fn needs_attention(customer: &CustomerStatus) -> bool {
    customer.hold != Hold::None || customer.state == PublicWord::NeedsAttention
}

fn card(
    app: &App,
    visit: &Visit,
    seen: &LookedUp,
    caller: &Caller,
    asked: &Asked,
) -> Result<Card, Trouble> {
    let customer = &caller.status;
    let mut told = app.desk.told(customer)?;
    if needs_attention(customer) {
        let of_support = app.support_people()?;
        told.retain(|told| of_support.contains(&told.by));
    }
    told.drain(..told.len().saturating_sub(NOTES_MAX));
    let proof = proof(asked.verified.as_deref());
    let private = proof.map(|proof| private(app, visit, seen, caller, proof));
    let note = |told: Told| {
        let at = at(app, visit, seen, told.at)?;
        Ok(Note { at, by: told.by, text: told.text })
    };
    Ok(Card {
        id: customer.id.clone(),
        name: bounded(&customer.name, NAME_CHARS_MAX),
        proofs: PROOFS,
        is_unproved: asked.verified.is_some() && proof.is_none(),
        private: private.transpose()?,
        notes: told.into_iter().rev().map(note).collect::<Result<_, Trouble>>()?,
        noted: asked.noted.is_some(),
    })
}

fn private(
    app: &App,
    visit: &Visit,
    seen: &LookedUp,
    caller: &Caller,
    proof: &'static str,
) -> Result<Private, Trouble> {
    let customer = &caller.status;
    let said = say(customer, seen.as_of, Some(&seen.timezone));
    let first = caller.spoken.unwrap_or(visit.language);
    let verified = |language: Language| said.get(language.code()).map(|say| say.verified.clone());
    let paragraphs = paragraphs(seen, first, |language| verified(language).unwrap_or_default());
    let attention = needs_attention(customer);
    let word = if attention { PublicWord::NeedsAttention } else { customer.state };
    let workloads = if attention { &[][..] } else { &customer.workloads[..] };
    let service = |(number, workload): (usize, &WorkloadStatus)| {
        let data = workload.capture.sealed_at.map(|sealed| at(app, visit, seen, sealed));
        Ok(Service {
            label: workload.label.as_ref().map(|label| bounded(label, NAME_CHARS_MAX)),
            number,
            word: word_key(workload.state),
            data: data.transpose()?,
        })
    };
    let services = (1..).zip(workloads.iter().take(SERVICES_MAX)).map(service);
    Ok(Private {
        proof,
        say: paragraphs,
        word: word_key(word),
        colleague: seen.colleague.clone().filter(|_| attention),
        as_of: at(app, visit, seen, seen.as_of)?,
        services: services.collect::<Result<_, Trouble>>()?,
    })
}

/// A moment as the reader reads it; the date only where it is another day's.
fn at(
    app: &App,
    visit: &Visit,
    seen: &LookedUp,
    at: crate::model::Timestamp,
) -> Result<Moment, Trouble> {
    let near = Form::Near(seen.as_of);
    let texts = app.pages.texts(visit.language);
    moment(texts, &seen.zone, at, near).map_err(|error| broken(app, error))
}
