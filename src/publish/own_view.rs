//! Customers' own pages as HTML.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::{PublicWord, Timestamp};
use crate::publish::dates::{Form, Moment, moment};
use crate::publish::frame::{Frame, Place};
use crate::publish::locale::{Arg, Texts};
use crate::publish::own::{FOLDER, OwnPage, PAGE, Service, Standing, Step};
use crate::publish::page::Stage;
use crate::publish::press::Press;
use crate::publish::render::word_key;
use crate::publish::view::{SIGNS, Times, times};
use crate::publish::{Language, PublishError, StatusPage};

#[derive(Serialize)]
struct View<'a> {
    frame: Frame<'a>,
    signs: &'static str,
    headline: String,
    /// Says everything there is to say.
    plain: Option<&'static str>,
    waits: bool,
    nothing_to_do: bool,
    times: Times,
    steps: Vec<StepRow>,
    advice: bool,
    services: Vec<ServiceRow>,
    addresses: Vec<AddressRow>,
}

#[derive(Serialize)]
struct StepRow {
    key: &'static str,
    waits: bool,
    /// Or the address of a machine.
    domain: String,
    old: String,
    new: String,
}

#[derive(Serialize)]
struct ServiceRow {
    label: Option<String>,
    number: u64,
    word: &'static str,
    data: Option<Moment>,
}

#[derive(Serialize)]
struct AddressRow {
    label: Option<String>,
    number: u64,
    old: String,
    new: String,
}

/// All of them, and a page for whoever has only half an address.
pub(super) fn render(
    page: &StatusPage,
    own: &[OwnPage],
    files: &mut BTreeMap<String, Vec<u8>>,
) -> Result<(), PublishError> {
    let first = page.languages[0];
    let mut presses: BTreeMap<Language, Press> = BTreeMap::new();
    for language in own.iter().map(|page| page.language).chain([first]) {
        if let std::collections::btree_map::Entry::Vacant(entry) = presses.entry(language) {
            entry.insert(Press::new(language, &page.look)?);
        }
    }
    let place = |base| Place { base, here: "", file: PAGE, private: true };
    let empty = html(page, &presses[&first], place("../"), None)?;
    files.insert(format!("{FOLDER}{PAGE}"), empty.into_bytes());
    for one in own {
        let html = html(page, &presses[&one.language], place("../../"), Some(&one.standing))?;
        files.insert(format!("{FOLDER}{}/{PAGE}", one.token.secret()), html.into_bytes());
    }
    Ok(())
}

fn html(
    page: &StatusPage,
    press: &Press,
    place: Place<'_>,
    standing: Option<&Standing>,
) -> Result<String, PublishError> {
    let texts = press.texts();
    let waits_for_him = |service: &Service| service.word == PublicWord::WaitingForYou;
    let (plain, headline, services, steps): (_, _, &[Service], &[Step]) = match standing {
        None => (Some("own-empty"), texts.say("own-title", &[])?, &[], &[]),
        Some(Standing::Nothing) => (Some("own-none"), texts.say("own-title", &[])?, &[], &[]),
        Some(Standing::Attention) => {
            (Some("own-attention"), texts.say("word-needs-attention", &[])?, &[], &[])
        }
        Some(Standing::Services { services, steps }) => {
            (None, online(texts, services)?, services, steps)
        }
    };
    let is_done = |step: &Step| matches!(step, Step::DnsDone { .. });
    let nothing_to_do = steps.iter().all(is_done) && !services.iter().any(waits_for_him);
    let steps: Vec<StepRow> = steps.iter().map(step_row).collect();
    let view = View {
        frame: Frame::new(page, press, place)?,
        signs: SIGNS,
        headline,
        plain,
        waits: steps.iter().any(|step| step.waits) || services.iter().any(waits_for_him),
        nothing_to_do,
        times: times(page, texts)?,
        steps,
        advice: page.stage() != Stage::Done
            && services.iter().any(|service| service.word != PublicWord::Online),
        addresses: address_rows(services),
        services: (1..)
            .zip(services)
            .map(|(number, service)| service_row(page, texts, number, service))
            .collect::<Result<_, _>>()?,
    };
    press.print("own.html", &view)
}

/// "2 of 3 services online".
fn online(texts: &Texts, services: &[Service]) -> Result<String, PublishError> {
    let online = services.iter().filter(|service| service.word == PublicWord::Online).count();
    let args = [("done", Arg::Count(online as u64)), ("total", Arg::Count(services.len() as u64))];
    texts.say("own-online", &args)
}

fn service_row(
    page: &StatusPage,
    texts: &Texts,
    number: u64,
    service: &Service,
) -> Result<ServiceRow, PublishError> {
    let say = |at: Timestamp| moment(texts, &page.timezone, at, Form::Full);
    Ok(ServiceRow {
        label: service.label.clone(),
        number,
        word: word_key(service.word),
        data: service.data_of.map(say).transpose()?,
    })
}

fn address_rows(services: &[Service]) -> Vec<AddressRow> {
    let mut rows = Vec::new();
    for (number, service) in (1..).zip(services) {
        rows.extend(service.addresses.iter().map(|(old, new)| AddressRow {
            label: service.label.clone(),
            number,
            old: old.to_string(),
            new: new.to_string(),
        }));
    }
    rows
}

fn step_row(step: &Step) -> StepRow {
    let row = |key, domain: &str, new: String| StepRow {
        key,
        waits: false,
        domain: domain.to_owned(),
        old: String::new(),
        new,
    };
    match step {
        Step::DnsOld { domain, old, new } => StepRow {
            waits: true,
            old: old.to_string(),
            ..row("own-dns-old", domain, new.to_string())
        },
        Step::DnsDone { domain } => row("own-dns-done", domain, String::new()),
        Step::DnsElsewhere { domain, new } => row("own-dns-elsewhere", domain, new.to_string()),
        Step::DnsUnknown { domain, new } => row("own-dns-unknown", domain, new.to_string()),
        Step::Key { address, key } => row("own-key", address, key.clone()),
    }
}
