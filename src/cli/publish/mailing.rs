//! Mails to customers, as part of telling: who is to be told what, and the office that tells it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::dns::Resolver;
use super::{Made, page};
use crate::cli::failure::{Exit, Failure};
use crate::cli::print;
use crate::cli::site::{Global, Loaded};
use crate::inventory::settings_mail::Mail;
use crate::ledger::Ledger;
use crate::ledger::outbox::OutboxRow;
use crate::ledger::snapshot::Snapshot;
use crate::model::CustomerId;
use crate::publish::locale::Texts;
use crate::publish::mail::DESTINATION;
use crate::publish::mail::letter::{Letter, Link, whole};
use crate::publish::mail::moment::Around;
use crate::publish::mail::office::{self, Office, Told};
use crate::publish::mail::plan::{Picture, Plan, Unreached, plan, questions};
use crate::publish::mail::queue;
use crate::publish::own::FOLDER;
use crate::publish::pulse::Pulse;
use crate::publish::say::guard::Guard;
use crate::publish::token::TokenFile;
use crate::publish::update::{Kind, Update};

/// Customers named in one line.
const NAMED_MAX: usize = 5;

/// How mails stand, and who cannot be told.
#[derive(Debug, Clone, Default)]
pub struct Mailed {
    pub told: Told,
    pub unreached: Vec<Unreached>,
}

impl Mailed {
    /// What a script reads.
    pub fn exit(&self) -> Exit {
        let waits = if self.told.waiting > 0 { Exit::Stopped } else { Exit::Done };
        let is_lost = self.unreached.iter().any(|it| it.has_contact);
        waits.and(if is_lost { Exit::Failed } else { Exit::Done })
    }
}

/// What decides about mails, beside the ledger.
pub struct Known<'a> {
    pub loaded: &'a Loaded,
    pub snapshot: &'a Snapshot,
    pub updates: &'a [Update],
    pub guard: &'a Guard,
}

impl<'a> Known<'a> {
    /// What a page was made of.
    pub fn of(made: &'a Made) -> Self {
        let Made { loaded, snapshot, updates, guard, .. } = made;
        Self { loaded, snapshot, updates, guard }
    }
}

/// Writes down and sends what is due. Only for whoever has the right to tell: of two at once, one
/// would want again what the other has just sent.
pub fn tell(
    global: &Global,
    ledger: &Ledger,
    known: &Known<'_>,
    resolver: &Resolver,
    (patience, pulse): (Duration, &Pulse),
) -> Result<Option<Mailed>, Failure> {
    let Some(mail) = &known.loaded.settings.mail else { return Ok(None) };
    let plan = planned(ledger, known, mail, Some(resolver))?;
    ledger.want(&plan.wanted)?;
    ledger.drop_unsent(DESTINATION, &plan.withdrawn)?;
    let links = links(global, known.loaded)?;
    let told = office(global, ledger, known.loaded, mail, &links)?;
    let told = told.tell(ledger, &plan.stands, patience, pulse)?;
    // What was refused meanwhile has its next contact now.
    let plan = planned(ledger, known, mail, None)?;
    Ok(Some(Mailed { told, unreached: plan.unreached }))
}

/// How mails stand, where they are written.
pub fn mailed(loaded: &Loaded, ledger: &Ledger) -> Result<Option<Told>, Failure> {
    if loaded.settings.mail.is_none() {
        return Ok(None);
    }
    let rows = office::rows(ledger)?;
    let all = rows.iter().map(|row| row.subject.clone()).collect();
    Ok(Some(office::told(&rows, &all, None)))
}

/// Customers who cannot be told, where mails are written.
pub fn unreached(
    global: &Global,
    loaded: &Loaded,
    ledger: &Ledger,
    snapshot: &Snapshot,
) -> Result<Vec<Unreached>, Failure> {
    let Some(mail) = &loaded.settings.mail else { return Ok(Vec::new()) };
    let holds = page::readable_holds(global)?;
    let guard = &Guard::of(&loaded.inventory, &holds, &loaded.settings.site.name);
    let updates = &crate::publish::update::public(&ledger.posts()?);
    let known = Known { loaded, snapshot, updates, guard };
    Ok(planned(ledger, &known, mail, None)?.unreached)
}

/// The letters there shall be now.
pub fn planned(
    ledger: &Ledger,
    known: &Known<'_>,
    mail: &Mail,
    asks: Option<&Resolver>,
) -> Result<Plan, Failure> {
    let rows = office::rows(ledger)?;
    let Known { loaded, snapshot, updates, guard } = known;
    let bounced = ledger.bounces()?.into_iter().map(|it| (it.address.clone(), it)).collect();
    let names = || questions(snapshot, &loaded.inventory, &rows, &bounced);
    let answers = asks.map(|resolver| resolver.ask(names())).unwrap_or_default();
    let site = page::site(&loaded.settings, snapshot.as_of)?;
    let of_incident = updates.iter().rev().find(|update| update.kind.is_of_incident());
    let around = Around {
        has_access: has_access(snapshot),
        is_at_risk: false,
        is_over: of_incident.is_some_and(|update| update.kind == Kind::Resolved),
    };
    let picture = Picture {
        mail,
        snapshot,
        inventory: &loaded.inventory,
        answers: &answers,
        guard,
        around,
        at_risk: &ledger.all_at_risk()?,
        bounced: &bounced,
        site: &site.name,
        contact: &site.contact,
        zone: &site.timezone,
        first: site.languages.first().copied().unwrap_or(crate::publish::Language::En),
    };
    Ok(plan(&rows, &picture)?)
}

/// Is the window known to be open? A guess is no reason to write to everybody.
fn has_access(snapshot: &Snapshot) -> bool {
    let Some(window) = &snapshot.window else { return false };
    let has_opened = window.opens.is_some_and(|at| at <= snapshot.as_of);
    has_opened && window.closes.is_none_or(|at| at > snapshot.as_of)
}

/// The addresses of customers' own pages, where the site says where its page is read.
pub fn links(global: &Global, loaded: &Loaded) -> Result<BTreeMap<CustomerId, String>, Failure> {
    let Some(url) = &loaded.settings.publish.page.url else { return Ok(BTreeMap::new()) };
    let tokens = TokenFile::of(&global.keys_path()).read()?;
    let link = |token: &crate::publish::token::Token| format!("{url}{FOLDER}{}/", token.secret());
    Ok(tokens.iter().map(|(id, issued)| (id.clone(), link(&issued.token))).collect())
}

/// What carries mails.
pub fn office<'a>(
    global: &'a Global,
    ledger: &Ledger,
    loaded: &'a Loaded,
    mail: &'a Mail,
    links: &'a BTreeMap<CustomerId, String>,
) -> Result<Office<'a>, Failure> {
    Ok(Office {
        mail,
        clock: Arc::clone(&global.clock),
        site: ledger.site()?,
        folder: &global.site,
        links,
        page: loaded.settings.publish.page.url.as_deref(),
        holds: global.holds_log(),
    })
}

/// Every mail that would leave, without its secret.
pub fn dry(global: &Global, known: &Known<'_>) -> Result<Vec<String>, Failure> {
    let Some(mail) = &known.loaded.settings.mail else { return Ok(Vec::new()) };
    let ledger = global.open_read_only()?.ledger;
    let resolver = Resolver::new(&global.clock);
    let plan = planned(&ledger, known, mail, Some(&resolver))?;
    let rows = office::rows(&ledger)?;
    let is_there = |row: &&OutboxRow| plan.stands.contains(&row.subject) && queue::is_open(row);
    let mut letters: Vec<Letter> = Vec::new();
    let wanted = plan.wanted.iter().map(|wanted| wanted.content.as_str());
    let open = rows.iter().filter(is_there).map(|row| row.wanted.as_str());
    for letter in wanted.chain(open).filter_map(|text| serde_json::from_str::<Letter>(text).ok()) {
        let is_same = |it: &Letter| {
            (&it.customer, it.moment, &it.to) == (&letter.customer, letter.moment, &letter.to)
        };
        if !letters.iter().any(is_same) {
            letters.push(letter);
        }
    }
    let links = links(global, known.loaded)?;
    let page = known.loaded.settings.publish.page.url.as_deref();
    let shown = letters.iter().map(|letter| {
        let link = match (links.contains_key(&letter.customer), page) {
            (true, _) => Link::Own("(secret)"),
            (false, Some(page)) => Link::Page(page),
            (false, None) => Link::None,
        };
        let texts = Texts::new(letter.language.parse().unwrap_or(crate::publish::Language::En))?;
        let text = whole(&texts, &letter.text, &letter.closing, link)?;
        let Letter { customer, moment, to, subject, .. } = letter;
        Ok(format!(
            "{} for customer/{customer}\nTo: {to}\nSubject: {subject}\n\n{text}",
            moment.word()
        ))
    });
    shown.collect()
}

/// Tells people how mails stand.
pub fn report(mailed: &Mailed) {
    let told = &mailed.told;
    let said = told.said.as_ref().map(|said| format!(": {said}")).unwrap_or_default();
    let next = told.next_at.map(|at| format!(" (next at {at})")).unwrap_or_default();
    print::tell(&format!("mail: {}{said}{next}", told.counts()));
    let lost: Vec<_> = mailed.unreached.iter().filter(|it| it.has_contact).collect();
    for it in lost.iter().take(NAMED_MAX) {
        let Unreached { customer, moment, why, .. } = it;
        print::tell(&format!("customer/{customer} cannot be told `{}`: {why}", moment.word()));
    }
    if lost.len() > NAMED_MAX {
        let more = lost.len() - NAMED_MAX;
        print::tell(&format!("and {more} more cannot be told: `evac publish mail` lists all"));
    }
}
