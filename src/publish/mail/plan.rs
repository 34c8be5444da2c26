//! Which letters there shall be, from how everybody fares and what was written before. Pure.
//!
//! One contact is written to at a time: the first that can be reached, those on a machine that is
//! being moved last. What a contact's server refuses goes to the next.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use serde::Serialize;

use crate::inventory::contacts::{evacuated, is_beneath};
use crate::inventory::settings_mail::{Mail, Moment, Way};
use crate::inventory::{Customer, Inventory, Wording};
use crate::ledger::mail::{AtRisk, Bounce};
use crate::ledger::outbox::{OutboxRow, RowKind, RowState, Wanted};
use crate::ledger::snapshot::{CustomerStatus, Snapshot};
use crate::model::CustomerId;
use crate::publish::locale::Texts;
use crate::publish::mail::DESTINATION;
use crate::publish::mail::address::{Contact, contact, folded};
use crate::publish::mail::letter::{Letter, Matter, compose, language};
use crate::publish::mail::moment::{Around, Told, moments, online};
use crate::publish::own::{Answers, Service, Step, services};
use crate::publish::say::guard::Guard;
use crate::publish::{Language, PublishError, own};

/// Everything that letters are made of.
pub struct Picture<'a> {
    pub mail: &'a Mail,
    pub snapshot: &'a Snapshot,
    pub inventory: &'a Inventory,
    pub answers: &'a Answers,
    pub guard: &'a Guard,
    /// Of access and of the end; who is at risk is beside it.
    pub around: Around,
    pub at_risk: &'a BTreeMap<CustomerId, AtRisk>,
    /// Mailboxes that mails came back from, in lower case.
    pub bounced: &'a BTreeMap<String, Bounce>,
    pub site: &'a str,
    pub contact: &'a Wording,
    pub zone: &'a TimeZone,
    pub first: Language,
}

/// A customer who cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unreached {
    pub customer: CustomerId,
    pub moment: Moment,
    /// What becomes of each of his contacts.
    pub why: String,
    /// Does he have a mail address at all?
    pub has_contact: bool,
}

/// What shall be done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Letters to be written down.
    pub wanted: Vec<Wanted>,
    /// Subjects of everything that may leave: what is true now.
    pub stands: BTreeSet<String>,
    /// Subjects of what is no longer true, or not to be told any more.
    pub withdrawn: Vec<String>,
    pub unreached: Vec<Unreached>,
}

/// A row with the letter in it.
struct Written<'a> {
    row: &'a OutboxRow,
    letter: Letter,
    /// As did what was sent there after it.
    came_back: bool,
}

impl Written<'_> {
    /// He may have read it.
    fn is_told(&self) -> bool {
        matches!(self.row.state, RowState::Sent | RowState::Calling) && !self.came_back
    }

    fn told(&self) -> Told {
        let Letter { moment, round, online, .. } = self.letter;
        Told { moment, round, online }
    }
}

/// Names whose DNS decides what is written to whom now.
pub fn questions(
    snapshot: &Snapshot,
    inventory: &Inventory,
    rows: &[OutboxRow],
    bounced: &BTreeMap<String, Bounce>,
) -> BTreeSet<String> {
    let written = written(rows, bounced);
    let asks = |customer: &&CustomerStatus| {
        let mine = written.get(&customer.id).map_or(&[][..], Vec::as_slice);
        let told: Vec<_> = mine.iter().filter(|it| it.is_told()).map(Written::told).collect();
        let next = moments(customer, &[], &told, Around::default());
        next.iter().any(|(moment, _)| *moment == Moment::Online)
    };
    let customers = snapshot.customers.iter().filter(asks);
    customers.flat_map(|customer| own::questions(customer, inventory)).collect()
}

/// The letters there shall be; `rows` are those there are.
pub fn plan(rows: &[OutboxRow], picture: &Picture<'_>) -> Result<Plan, PublishError> {
    let all = written(rows, picture.bounced);
    let evacuated = evacuated(picture.inventory);
    let mut planner = Planner { picture, evacuated, texts: BTreeMap::new(), plan: Plan::default() };
    for customer in &picture.snapshot.customers {
        let Some(entry) = picture.inventory.customer(&customer.id) else { continue };
        let mine = all.get(&customer.id).map_or(&[][..], Vec::as_slice);
        planner.customer(customer, entry, mine)?;
    }
    let mut plan = planner.plan;
    let open = rows.iter().filter(|row| row.state == RowState::Waiting);
    let gone = open.map(|row| row.subject.clone()).filter(|subject| !plan.stands.contains(subject));
    plan.withdrawn = gone.collect();
    Ok(plan)
}

/// Letters by customer, in the order in which they were written.
fn written<'a>(
    rows: &'a [OutboxRow],
    bounced: &BTreeMap<String, Bounce>,
) -> BTreeMap<CustomerId, Vec<Written<'a>>> {
    let since = |bounce: &Bounce| {
        let row = rows.iter().find(|row| row.subject == bounce.subject);
        row.and_then(|row| row.sent_at)
    };
    let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.kind == RowKind::Mail) {
        let said = row.shown.as_deref().or(row.calling.as_deref()).unwrap_or(&row.wanted);
        let Ok(letter) = serde_json::from_str::<Letter>(said) else { continue };
        let came_back = bounced.get(&folded(&letter.to)).is_some_and(|bounce| {
            let later =
                since(bounce).is_some_and(|since| row.sent_at.is_some_and(|at| at >= since));
            bounce.subject == row.subject || later
        });
        all.entry(letter.customer.clone()).or_default().push(Written { row, letter, came_back });
    }
    all
}

struct Planner<'a> {
    picture: &'a Picture<'a>,
    evacuated: BTreeSet<String>,
    texts: BTreeMap<Language, Texts>,
    plan: Plan,
}

impl Planner<'_> {
    fn customer(
        &mut self,
        customer: &CustomerStatus,
        entry: &Customer,
        mine: &[Written<'_>],
    ) -> Result<(), PublishError> {
        let picture = self.picture;
        let (mut services, steps) = services(customer, picture.inventory, picture.answers);
        for service in &mut services {
            let names = |label: &String| {
                picture.guard.named_in(label).is_some_and(|held| *held != customer.id)
            };
            service.label.take_if(|label| names(label));
        }
        let at_risk = picture.at_risk.get(&customer.id);
        let around = Around { is_at_risk: at_risk.is_some(), ..picture.around };
        let told = |is_sure: bool| -> Vec<Told> {
            let counts =
                |it: &&Written<'_>| it.is_told() && (!is_sure || it.row.state == RowState::Sent);
            mine.iter().filter(counts).map(Written::told).collect()
        };
        let is_wanted = |(moment, _): &(Moment, u32)| {
            *moment == Moment::AtRisk || picture.mail.moments.contains(moment)
        };
        let next = moments(customer, &steps, &told(false), around);
        let Some((moment, round)) = next.into_iter().find(is_wanted) else {
            // What may not have arrived is said once more as long as it is true.
            let unsure = mine.iter().filter(|it| it.row.state == RowState::Calling);
            let still = moments(customer, &steps, &told(true), around);
            let holds = |it: &&Written<'_>| still.contains(&(it.letter.moment, it.letter.round));
            self.plan.stands.extend(unsure.filter(holds).map(|it| it.row.subject.clone()));
            return Ok(());
        };
        let to = match self.contact(entry, mine, moment, round) {
            Ok(to) => to,
            Err(why) => {
                let customer = customer.id.clone();
                let has_contact = entry.contacts.iter().any(|it| it.contains('@'));
                self.plan.unreached.push(Unreached { customer, moment, why, has_contact });
                return Ok(());
            }
        };
        let words = at_risk.filter(|_| moment == Moment::AtRisk);
        let words = words.and_then(|it| it.words.as_deref());
        let letter =
            self.letter((customer, entry), (moment, round), to, (&services, &steps, words));
        let letter = letter?;
        let subject = subject(&letter);
        self.plan.stands.insert(subject.clone());
        self.plan.wanted.push(Wanted {
            destination: DESTINATION.to_owned(),
            subject,
            kind: RowKind::Mail,
            content: serde_json::to_string(&letter).expect("letters have string keys"),
            again: false,
        });
        Ok(())
    }

    /// The contact that is written to; else what is wrong with each of them.
    fn contact(
        &self,
        entry: &Customer,
        mine: &[Written<'_>],
        moment: Moment,
        round: u32,
    ) -> Result<String, String> {
        let takes_telephones = matches!(self.picture.mail.way, Way::Command(_));
        let is_this = |it: &&Written<'_>| (it.letter.moment, it.letter.round) == (moment, round);
        let refused = |to: &str| {
            let mut refused = mine.iter().filter(is_this);
            refused.find(|it| it.row.state == RowState::Refused && it.letter.to == to)
        };
        let (mut usable, mut why) = (Vec::new(), Vec::new());
        for written in &entry.contacts {
            let bounded = crate::model::text::bounded(written, 80);
            let to = match contact(written) {
                Contact::Unusable(fault) => {
                    why.push(format!("{bounded}: {fault}"));
                    continue;
                }
                Contact::Telephone(_) if !takes_telephones => continue,
                Contact::Telephone(to) | Contact::Mailbox(to) => to,
            };
            if self.picture.bounced.contains_key(&folded(&to)) {
                why.push(format!("{bounded}: mails came back"));
            } else if let Some(refused) = refused(&to) {
                let said = refused.row.answer.as_deref().unwrap_or("refused");
                why.push(format!("{bounded}: {said}"));
            } else {
                usable.push(to);
            }
        }
        usable.sort_by_key(|to| is_beneath(to, &self.evacuated));
        if why.is_empty() {
            why.push("no mail address is known".to_owned());
        }
        usable.into_iter().next().ok_or_else(|| why.join("; "))
    }

    fn letter(
        &mut self,
        (customer, entry): (&CustomerStatus, &Customer),
        (moment, round): (Moment, u32),
        to: String,
        (services, steps, words): (&[Service], &[Step], Option<&str>),
    ) -> Result<Letter, PublishError> {
        let picture = self.picture;
        let language = language(entry.language.as_deref(), picture.first);
        let texts = match self.texts.entry(language) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(Texts::new(language)?)
            }
        };
        let contact = picture.contact.get(language.code()).map(String::as_str);
        let is_named = entry.name != customer.id.as_str();
        let matter = Matter {
            name: is_named.then_some(entry.name.as_str()),
            services,
            steps,
            words,
            contact: contact.filter(|text| picture.guard.named_in(text).is_none()),
            site: picture.site,
            zone: picture.zone,
        };
        let (subject, text, closing) = compose(texts, moment, &matter)?;
        Ok(Letter {
            customer: customer.id.clone(),
            moment,
            round,
            to,
            language: language.code().to_owned(),
            online: online(customer),
            subject,
            text,
            closing,
        })
    }
}

/// What a row of the outbox is called; also what the Message-ID is made of.
pub fn subject(letter: &Letter) -> String {
    let Letter { customer, moment, round, to, .. } = letter;
    format!("{customer} {} {round} {to}", moment.word())
}
