//! A notice to each customer under Article 33(2) of the GDPR: as a draft, in his language, in
//! phases that say what is new.
//!
//! **Promises.** Nobody who is held back has a draft, a line in the register or a place in a count:
//! a notice leaves the house, and what is owed to him is written by hand, by those two who know
//! why. A customer's notice has nothing of any other customer. What was not looked into is called
//! that.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::inventory::Wording;
use crate::ledger::snapshot::CustomerStatus;
use crate::model::{CustomerId, PublicWord, Timestamp};
use crate::publish::Language;
use crate::publish::dates::{Form, moment};
use crate::publish::locale::{Arg, Texts};
use crate::publish::report::ReportError;
use crate::publish::report::billing::no_formula;
use crate::publish::report::document::{Block, Document};
use crate::publish::report::figures::{Case, DataFigures, data_from, data_of, services};
use crate::publish::report::interval::seconds;
use crate::publish::report::outage::Outages;
use crate::publish::wording::pick;

/// Longest contact that is printed.
const CONTACT_CHARS_MAX: usize = 500;

/// What a notice says, without its words: a further one is due when this changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    pub services: u64,
    pub down: u64,
    pub minutes: u64,
    pub proven: bool,
    /// Of how many services nothing whole is here.
    pub none: u64,
    pub unchecked: u64,
    pub fuzzy: u64,
    pub unreadable: u64,
    pub data_from: Option<Timestamp>,
    /// Services that were left out of the move on purpose; of none of them is anything said above.
    #[serde(default)]
    pub left_out: u64,
}

/// A notice that was drafted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// From 1.
    pub number: u64,
    pub at: Timestamp,
    pub facts: Facts,
}

/// All that were drafted, by customer: the register that Article 33(5) asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Register {
    pub schema: u32,
    pub customers: BTreeMap<CustomerId, Vec<Phase>>,
}

impl Facts {
    /// Of one customer.
    pub fn of(case: &Case<'_>, customer: &CustomerStatus, outages: &Outages) -> Self {
        let data = data_of(case, customer);
        let down = services(customer).filter(|it| it.state != PublicWord::Online).count() as u64;
        let spans = outages.of_any(services(customer).map(|it| &it.id));
        let DataFigures { services, none, partial, captured, fuzzy, unreadable, .. } = data;
        Self {
            services,
            down,
            minutes: seconds(&spans).div_ceil(60),
            proven: data.is_proven(),
            none: none + partial,
            unchecked: captured,
            fuzzy,
            unreadable,
            // As it is kept, so that it is equal when it is read again.
            data_from: data_from(case, customer).map(|at| Timestamp::from_second(at.as_second())),
            left_out: customer.workloads.len() as u64 - services,
        }
    }

    /// Does it say something else? While it lasts only minutes pass, which is no news.
    fn differs(&self, other: &Self) -> bool {
        let timeless = |facts: &Self| Self { minutes: 0, ..facts.clone() };
        timeless(self) != timeless(other)
    }
}

impl Register {
    /// Adds a phase for `customer` if his facts are new; returns it with the one before.
    pub fn add(
        &mut self,
        customer: &CustomerId,
        facts: &Facts,
        now: Timestamp,
    ) -> Option<(Phase, Option<Phase>)> {
        let phases = self.customers.entry(customer.clone()).or_default();
        let before = phases.last().cloned();
        if before.as_ref().is_some_and(|before| !facts.differs(&before.facts)) {
            return None;
        }
        let number = before.as_ref().map_or(1, |before| before.number + 1);
        let phase = Phase { number, at: now, facts: facts.clone() };
        phases.push(phase.clone());
        Some((phase, before))
    }

    /// As CSV, of those who may be spoken of.
    pub fn table(&self, may: &dyn Fn(&CustomerId) -> bool) -> Result<Vec<u8>, ReportError> {
        let fail = |error: csv::Error| ReportError::Table { source: error.into() };
        let mut writer = csv::Writer::from_writer(Vec::new());
        let titles = [
            "customer",
            "notice",
            "drafted_at",
            "sent_at",
            "sent_to",
            "services",
            "down",
            "minutes",
            "data_proven",
            "no_copy",
            "not_read_back",
            "changed_while_read",
            "unreadable",
            "data_from",
            "effects",
            "remedial_action",
            "left_out",
        ];
        writer.write_record(titles).map_err(fail)?;
        for (customer, phases) in self.customers.iter().filter(|(id, _)| may(id)) {
            for Phase { number, at, facts } in phases {
                let cells = [
                    customer.to_string(),
                    number.to_string(),
                    at.to_string(),
                    String::new(),
                    String::new(),
                    facts.services.to_string(),
                    facts.down.to_string(),
                    facts.minutes.to_string(),
                    facts.proven.to_string(),
                    facts.none.to_string(),
                    facts.unchecked.to_string(),
                    facts.fuzzy.to_string(),
                    facts.unreadable.to_string(),
                    facts.data_from.map(|at| at.to_string()).unwrap_or_default(),
                    "loss of availability".to_owned(),
                    "copying, checking, switching on after checks".to_owned(),
                    facts.left_out.to_string(),
                ];
                writer.write_record(cells.map(|text| no_formula(&text))).map_err(fail)?;
            }
        }
        writer.into_inner().map_err(|error| ReportError::Table { source: error.into_error() })
    }
}

/// The draft of one notice.
pub fn notice(
    case: &Case<'_>,
    customer: &CustomerStatus,
    (phase, before): (&Phase, Option<&Phase>),
    (texts, contact): (&Texts, &Wording),
) -> Result<Document, ReportError> {
    let say = |key: &str| texts.say(key, &[]);
    let time = |at| -> Result<_, ReportError> {
        Ok(("time", Arg::Text(moment(texts, case.zone, at, Form::Full)?.text)))
    };
    let number = |number| ("number", Arg::Count(number));
    let blank = blank(texts)?;
    let name = ("customer", Arg::Text(customer.name.clone()));
    let subject = texts.say("notice-subject", &[name, number(phase.number), time(phase.at)?])?;
    let mut blocks = vec![Block::Notice(say("notice-law")?), Block::Paragraph(subject)];
    if let Some(before) = before {
        let args = [number(before.number), time(before.at)?];
        blocks.push(Block::Heading(texts.say("notice-new", &args)?));
        let new = changed(case, texts, &phase.facts, &before.facts)?;
        blocks.push(if new.is_empty() {
            Block::Paragraph(say("notice-nothing-new")?)
        } else {
            Block::List(new)
        });
    }
    let began = moment(texts, case.zone, case.began, Form::Full)?.text;
    let parts = [
        ("notice-nature", {
            let mut all = vec![texts.say("notice-nature-text", &[("began", Arg::Text(began))])?];
            all.push(of_services(texts, &phase.facts)?);
            all.push(texts.say("notice-confidentiality", std::slice::from_ref(&blank))?);
            all
        }),
        ("notice-data", of_data(case, texts, &phase.facts)?),
        ("notice-people", vec![texts.say("notice-people-text", std::slice::from_ref(&blank))?]),
        ("notice-effects", vec![say("notice-effects-text")?]),
        ("notice-measures", vec![texts.say("notice-measures-text", &[blank])?]),
        ("notice-contact", vec![of_us(case, texts, contact)?]),
    ];
    for (heading, paragraphs) in parts {
        blocks.push(Block::Heading(say(heading)?));
        blocks.extend(paragraphs.into_iter().map(Block::Paragraph));
    }
    blocks.push(Block::Paragraph(say("notice-phases")?));
    let language = texts.language().code();
    Ok(Document { language, title: say("notice-title")?, blocks })
}

/// Room for what only people know.
fn blank(texts: &Texts) -> Result<(&'static str, Arg), ReportError> {
    Ok(("blank", Arg::Text(format!("[{}]", texts.say("report-blank", &[])?))))
}

fn of_services(texts: &Texts, facts: &Facts) -> Result<String, ReportError> {
    let mut args =
        vec![("total", Arg::Count(facts.services)), ("minutes", Arg::Count(facts.minutes))];
    if facts.down == 0 {
        return Ok(texts.say("notice-services-up", &args)?);
    }
    args.push(("down", Arg::Count(facts.down)));
    Ok(texts.say("notice-services-down", &args)?)
}

fn of_data(case: &Case<'_>, texts: &Texts, facts: &Facts) -> Result<Vec<String>, ReportError> {
    let mut said = Vec::new();
    if facts.proven {
        said.push(texts.say("notice-data-proven", &[])?);
    }
    let counts = [
        ("notice-data-none", facts.none),
        ("notice-data-unchecked", facts.unchecked),
        ("notice-data-fuzzy", facts.fuzzy),
        ("notice-data-unreadable", facts.unreadable),
    ];
    for (key, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        said.push(texts.say(key, &[("count", Arg::Count(count))])?);
    }
    if let Some(at) = facts.data_from {
        let time = moment(texts, case.zone, at, Form::Full)?.text;
        said.push(texts.say("notice-data-from", &[("time", Arg::Text(time))])?);
    }
    if facts.left_out > 0 {
        let args = [("count", Arg::Count(facts.left_out)), blank(texts)?];
        said.push(texts.say("notice-data-left-out", &args)?);
    }
    Ok(said)
}

/// Sentences that the notice before did not have.
fn changed(
    case: &Case<'_>,
    texts: &Texts,
    now: &Facts,
    before: &Facts,
) -> Result<Vec<String>, ReportError> {
    let mut new = Vec::new();
    if (now.down, now.services) != (before.down, before.services) {
        new.push(of_services(texts, now)?);
    }
    let old = of_data(case, texts, before)?;
    new.extend(of_data(case, texts, now)?.into_iter().filter(|said| !old.contains(said)));
    Ok(new)
}

fn of_us(case: &Case<'_>, texts: &Texts, contact: &Wording) -> Result<String, ReportError> {
    let said = pick(contact, texts.language(), &Language::ALL, CONTACT_CHARS_MAX);
    let contact = match said {
        Some(said) => said.text,
        None => format!("[{}]", texts.say("report-blank", &[])?),
    };
    let args = [("name", Arg::Text(case.name.to_owned())), ("contact", Arg::Text(contact))];
    Ok(texts.say("notice-contact-text", &args)?)
}
