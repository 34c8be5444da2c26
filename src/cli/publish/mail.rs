//! `evac publish mail`: who was told what, and who cannot be; a test; a person's word.

use serde::Serialize;

use super::{contacts, mailing, page, risk, tell};
use crate::cli::args::{MailArgs, MailCommand};
use crate::cli::failure::{Exit, Failure};
use crate::cli::print;
use crate::cli::site::{Global, Loaded};
use crate::gate::Holds;
use crate::inventory::Hold;
use crate::inventory::settings_mail::Mail;
use crate::ledger::outbox::{OutboxRow, RowState};
use crate::ledger::snapshot::SCHEMA;
use crate::model::text::bounded;
use crate::model::{CustomerId, Timestamp};
use crate::publish::locale::Texts;
use crate::publish::mail::address::{Contact, contact};
use crate::publish::mail::letter::{Letter, Link, Matter, test, whole};
use crate::publish::mail::plan::Unreached;
use crate::publish::mail::queue::{Verdict, is_open};
use crate::publish::mail::{DESTINATION, office};
use crate::publish::say::guard::Guard;

const WORDS_CHARS_MAX: usize = 2_000;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    mails: &'a [Line],
    unreached: &'a [Unreached],
    bounced: Vec<Bounced>,
}

/// A mail, and what became of it.
#[derive(Serialize)]
struct Line {
    customer: CustomerId,
    moment: &'static str,
    to: String,
    /// `sent`, `waiting`, `refused`, `unsure`.
    state: &'static str,
    at: Timestamp,
    /// What was answered last.
    said: Option<String>,
}

#[derive(Serialize)]
struct Bounced {
    address: String,
    at: Timestamp,
    status: String,
    said: String,
}

/// Lists, or does what else is asked.
pub fn run(global: &Global, args: &MailArgs) -> Result<Exit, Failure> {
    let loaded = global.load_settings()?;
    if let Some(MailCommand::Contacts) = &args.command {
        return contacts::run(global, &loaded);
    }
    let Some(mail) = &loaded.settings.mail else {
        return Err(Failure::usage("evac.toml has no usable [mail]")
            .hint("Write `from` and `relay` there; `evac check` says what is wrong with it."));
    };
    match (&args.command, &args.test) {
        (Some(MailCommand::AtRisk { what, planned, text, undo }), _) => {
            let customers = match planned {
                true => planned_customers(global, &loaded)?,
                false => customers(global, &loaded, what)?,
            };
            at_risk(global, &loaded, &customers, text.as_deref(), *undo)
        }
        (Some(MailCommand::Again { what }), _) => again(global, &loaded, what),
        (Some(MailCommand::Contacts), _) => contacts::run(global, &loaded),
        (None, Some(address)) => test_mail(global, &loaded, mail, address),
        (None, None) => list(global, mail),
    }
}

fn list(global: &Global, mail: &Mail) -> Result<Exit, Failure> {
    let made = page::make_without_saying(global)?;
    let ledger = global.open_read_only()?.ledger;
    let plan = mailing::planned(&ledger, &mailing::Known::of(&made), mail, None)?;
    let rows = office::rows(&ledger)?;
    let mut lines: Vec<Line> = rows.iter().filter_map(line).collect();
    lines.sort_by(|a, b| (a.at, &a.customer).cmp(&(b.at, &b.customer)));
    if global.json {
        let bounced = ledger.bounces()?.into_iter().map(|it| Bounced {
            address: it.address,
            at: it.at,
            status: it.status,
            said: it.said,
        });
        let (mails, unreached) = (lines.as_slice(), plan.unreached.as_slice());
        let bounced = bounced.collect();
        print::document(&Document { schema: SCHEMA, mails, unreached, bounced })?;
        return Ok(Exit::Done);
    }
    for Line { customer, moment, to, state, at, said } in &lines {
        let said = said.as_ref().map(|said| format!(": {said}")).unwrap_or_default();
        print::result(&format!("{at} {customer} {moment} {state} {to}{said}\n"))?;
    }
    for Unreached { customer, moment, why, .. } in &plan.unreached {
        print::result(&format!("{customer} cannot be told `{}`: {why}\n", moment.word()))?;
    }
    for it in ledger.bounces()? {
        let said = [it.status, it.said].join(" ");
        print::result(&format!("{} {} bounces: {}\n", it.at, it.address, said.trim()))?;
    }
    if lines.is_empty() && plan.unreached.is_empty() {
        print::tell("Nobody was mailed yet; `evac publish` does it.");
    }
    Ok(Exit::Done)
}

fn line(row: &OutboxRow) -> Option<Line> {
    let said = row.shown.as_deref().or(row.calling.as_deref()).unwrap_or(&row.wanted);
    let letter: Letter = serde_json::from_str(said).ok()?;
    let state = match row.state {
        RowState::Sent => "sent",
        RowState::Refused => "refused",
        RowState::Waiting => "waiting",
        RowState::Calling if is_open(row) => "waiting",
        RowState::Calling => "unsure",
    };
    Some(Line {
        customer: letter.customer,
        moment: letter.moment.word(),
        to: letter.to,
        state,
        at: row.sent_at.unwrap_or(row.wanted_at),
        said: row.answer.clone().or_else(|| row.remote.clone()),
    })
}

fn test_mail(
    global: &Global,
    loaded: &Loaded,
    mail: &Mail,
    address: &str,
) -> Result<Exit, Failure> {
    let to = match contact(address) {
        Contact::Mailbox(to) | Contact::Telephone(to) => to,
        Contact::Unusable(why) => {
            let shown = bounded(address, 80);
            return Err(Failure::usage(format!("`{shown}` cannot be written to: {why}")));
        }
    };
    let site = page::site(&loaded.settings, global.now())?;
    let texts =
        Texts::new(site.languages.first().copied().unwrap_or(crate::publish::Language::En))?;
    let matter = Matter {
        name: None,
        services: &[],
        steps: &[],
        words: None,
        contact: site.contact.get(texts.language().code()).map(String::as_str),
        site: &site.name,
        zone: &site.timezone,
    };
    let (subject, text, closing) = test(&texts, &matter)?;
    let link = site.url.as_deref().map_or(Link::None, Link::Page);
    let text = whole(&texts, &text, &closing, link)?;
    let ledger = global.open_ledger_for_words()?;
    let links = std::collections::BTreeMap::new();
    let verdict =
        mailing::office(global, &ledger, loaded, mail, &links)?.test(&to, &subject, &text);
    match verdict {
        Verdict::Accepted { said } => {
            print::tell(&format!("Taken: {said}. Look whether it arrives, and not as spam."));
            Ok(Exit::Done)
        }
        Verdict::NoRelay { said } => {
            let failure = Failure::failed(format!("nothing was sent: {said}"));
            Err(failure.hint("See `relay`, `tls`, `user` and `secret` of [mail] in evac.toml."))
        }
        Verdict::Later { said } => {
            let failure = Failure::stopped(format!("not taken yet: {said}"));
            Err(failure
                .hint("Many servers say so to whom they do not know; try again in 5 minutes."))
        }
        Verdict::Refused { said } => {
            let failure = Failure::failed(format!("refused: {said}"));
            Err(failure.hint("The relay's log says more."))
        }
        Verdict::Unsure { said } => {
            let failure = Failure::failed(format!("it may have been taken: {said}"));
            Err(failure.hint("Look whether it arrives; the relay's log says more."))
        }
    }
}

fn at_risk(
    global: &Global,
    loaded: &Loaded,
    customers: &[CustomerId],
    text: Option<&str>,
    undo: bool,
) -> Result<Exit, Failure> {
    let holds = page::readable_holds(global)?;
    let guard = Guard::of(&loaded.inventory, &holds, &loaded.settings.site.name);
    let ledger = global.open_ledger_for_words()?;
    if undo {
        ledger.not_at_risk(customers)?;
        print::tell(&format!("{} are not told so.", print::counted(customers.len(), "customer")));
        return Ok(Exit::Done);
    }
    refuse_held(loaded, &holds, customers)?;
    if let Some(held) = text.and_then(|text| guard.named_in(text)) {
        let what = format!("the text names customer/{held}, who is on hold");
        return Err(Failure::refused(what).hint("Nobody on hold is named to anybody."));
    }
    print::confirm(global, "tell", customers.len(), "customers that their data may not get out")?;
    let words = text.map(|text| bounded_lines(text, WORDS_CHARS_MAX));
    ledger.at_risk(customers, &global.by, words.as_deref())?;
    told(global, &format!("{} to be told.", print::counted(customers.len(), "customer")))
}

/// A hold that is not on everybody who was named is a slip, and told before anybody is written to.
fn refuse_held(loaded: &Loaded, holds: &Holds, customers: &[CustomerId]) -> Result<(), Failure> {
    let is_held = |id: &&CustomerId| {
        let entry = loaded.inventory.customer(id);
        entry.is_some_and(|entry| entry.hold != Hold::None)
            || holds.all().any(|(held, _)| held == *id)
    };
    match customers.iter().find(is_held) {
        None => Ok(()),
        Some(held) => Err(Failure::refused(format!("customer/{held} is on hold"))
            .hint("Nobody on hold is written to; name the others.")),
    }
}

fn bounded_lines(text: &str, chars_max: usize) -> String {
    text.lines().map(|line| bounded(line, chars_max)).collect::<Vec<_>>().join("\n")
}

fn again(global: &Global, loaded: &Loaded, what: &[String]) -> Result<Exit, Failure> {
    let customers = customers(global, loaded, what)?;
    let ledger = global.open_ledger_for_words()?;
    let is_meant = |row: &&OutboxRow| {
        let letter = serde_json::from_str::<Letter>(&row.wanted);
        row.state == RowState::Refused
            && letter.is_ok_and(|letter| customers.contains(&letter.customer))
    };
    let rows = office::rows(&ledger)?;
    let subjects: Vec<_> = rows.iter().filter(is_meant).map(|row| row.subject.clone()).collect();
    let opened = ledger.unrefuse(DESTINATION, &subjects)?;
    told(global, &format!("{} tried again.", print::counted(opened, "refused mail")))
}

/// Tells at once what was just decided.
fn told(global: &Global, what: &str) -> Result<Exit, Failure> {
    print::tell(what);
    let made = page::make(global)?;
    let outcome = tell::tell(global, &made, tell::PATIENCE)?;
    tell::report(&outcome);
    Ok(outcome.exit)
}

/// Everybody of whom the plan says so, and who was not told; they are named before anybody is
/// asked whether it shall be.
fn planned_customers(global: &Global, loaded: &Loaded) -> Result<Vec<CustomerId>, Failure> {
    let reading = global.open_read_only()?;
    let (_, snapshot) = reading.look(loaded, global.now())?;
    let untold = risk::untold(loaded, &reading, &snapshot)?;
    if untold.is_empty() {
        return Err(Failure::usage("by the plan, everybody is told whose data may not get out")
            .hint(
                "`evac plan` says who will not make it; name them to write to them all the same.",
            ));
    }
    for id in &untold {
        print::tell(&format!("customer/{id}"));
    }
    Ok(untold)
}

fn customers(
    global: &Global,
    loaded: &Loaded,
    what: &[String],
) -> Result<Vec<CustomerId>, Failure> {
    let reading = global.open_read_only()?;
    let (_, snapshot) = reading.look(loaded, global.now())?;
    let chosen = loaded.select(what, &snapshot)?.customers;
    let everybody = loaded.inventory.customers.iter().map(|customer| customer.id.clone());
    let customers: Vec<_> = everybody.filter(|id| chosen.contains(id)).collect();
    if customers.is_empty() {
        return Err(Failure::usage("no customer is meant"));
    }
    Ok(customers)
}
