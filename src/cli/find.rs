//! `evac find`: who is it that calls, where does he stand, and what to read out to him.
//!
//! Whoever is held back is shown like anybody who needs a colleague, and who that is; why is told
//! to nobody here.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::cli::args::FindArgs;
use crate::cli::failure::{Exit, Failure};
use crate::cli::lookup::{Desk, Looked};
use crate::cli::note::{self, Note};
use crate::cli::print;
use crate::cli::site::Global;
use crate::inventory::Customer;
use crate::ledger::find::names::known_by;
use crate::ledger::find::{Hit, Hits};
use crate::ledger::lookup::{Content, Refused, told};
use crate::ledger::mail::Bounce;
use crate::ledger::snapshot::{CustomerStatus, Hold, SCHEMA};
use crate::ledger::{Fit, Lookup, Say, say};
use crate::model::{PublicWord, Timestamp};
use crate::publish::mail::address::folded;

mod text;

/// Who may be meant.
#[derive(Serialize)]
struct Answer {
    schema: u32,
    as_of: Timestamp,
    /// So many match; at most [`FOUND_MAX`](crate::ledger::find::FOUND_MAX) are listed.
    total: usize,
    customers: Vec<Match>,
    /// Of how many.
    #[serde(skip)]
    of: usize,
    /// From a file of `evac snapshot`?
    is_frozen: bool,
    #[serde(skip)]
    languages: Vec<String>,
}

/// A customer as `status` has it, and why it is here.
#[derive(Serialize)]
struct Match {
    #[serde(flatten)]
    customer: CustomerStatus,
    matched_by: &'static str,
    matched: String,
    fit: Fit,
    say: BTreeMap<String, Say>,
    /// Who takes the call.
    colleague: Option<String>,
    /// Is there anybody to call or write back to?
    has_contact: bool,
    notes: Vec<Note>,
    /// His addresses that mails came back from; a look-up file knows of none.
    bounced: Vec<Bounce>,
}

/// Shows the customers that a text may mean.
pub fn run(global: &Global, args: &FindArgs) -> Result<Exit, Failure> {
    let text = args.text.join(" ");
    let answer = match &args.file {
        Some(file) => frozen(file, &text)?,
        None => live(global, &text)?,
    };
    let is_empty = answer.customers.is_empty();
    if global.json {
        print::document(&answer)?;
    } else if is_empty {
        let hint = "Try the domain, an address, or the number in your billing system.";
        return Err(Failure::failed(format!("nobody matches `{text}`")).hint(hint));
    } else {
        print::result(&text::answer(&answer, &text, global.now(), print::style()))?;
    }
    Ok(if is_empty { Exit::Failed } else { Exit::Done })
}

/// As everybody stands now.
fn live(global: &Global, text: &str) -> Result<Answer, Failure> {
    let reading = global.open_read_only()?;
    let now = global.now();
    let mut desk = Desk::open(global, &reading)?;
    let meant = desk.whom(global, &reading, |lookup| Ok(lookup.search(text)))?;
    let looked = desk.look(global, &reading, meant, now)?;
    let Looked { hits, inventory, view, snapshot } = looked;
    let Hits { total, best: listed, .. } = hits;
    let notes = note::all(&reading.ledger)?;
    let bounces = reading.ledger.bounces()?;
    let site = &desk.settings.site;
    let known = known_by(&view);
    let shown = listed.iter().zip(snapshot.customers).zip(&known).zip(&inventory.customers);
    let customers = shown.map(|(((hit, status), known), customer)| {
        let notes = note::about(&notes, &status, &inventory);
        let say = say(&status, snapshot.as_of, Some(&site.timezone));
        let status = if status.hold == Hold::None { status } else { told(status) };
        let (matched_by, matched) = hit.matched(known);
        let fit = hit.fit;
        let colleague = colleague(&status, desk.settings.colleague.as_ref());
        let has_contact = !customer.contacts.is_empty();
        let bounced = bounced(customer, &bounces);
        let customer = status;
        Match { customer, matched_by, matched, fit, say, colleague, has_contact, notes, bounced }
    });
    Ok(Answer {
        schema: SCHEMA,
        as_of: snapshot.as_of,
        total,
        customers: customers.collect(),
        of: desk.lookup.customers(),
        is_frozen: false,
        languages: site.languages.clone(),
    })
}

/// As everybody stood when the file was made.
fn frozen(file: &Path, text: &str) -> Result<Answer, Failure> {
    let foreign = || Refused::Foreign { path: file.to_owned() };
    let lookup = Lookup::open(file)?.ok_or_else(|| {
        let error = std::io::ErrorKind::NotFound.into();
        Failure::io("open", file, &error)
    })?;
    let about = lookup.about();
    if about.content != Content::Frozen {
        return Err(foreign().into());
    }
    let Hits { total, best, .. } = lookup.search(text);
    let card = |hit: &Hit| -> Result<Match, Failure> {
        let frozen = lookup.frozen(hit.customer)?;
        let say = say(&frozen.status, about.made_at, Some(&about.timezone));
        let (matched_by, matched) = hit.matched(&frozen.names);
        let colleague = colleague(&frozen.status, about.colleague.as_ref());
        let notes = frozen.notes.into_iter().map(Note::from).collect();
        let (customer, has_contact, fit) = (frozen.status, frozen.has_contact, hit.fit);
        let bounced = Vec::new();
        Ok(Match {
            customer,
            matched_by,
            matched,
            fit,
            say,
            colleague,
            has_contact,
            notes,
            bounced,
        })
    };
    Ok(Answer {
        schema: SCHEMA,
        as_of: about.made_at,
        total,
        customers: best.iter().map(card).collect::<Result<_, _>>()?,
        of: lookup.customers(),
        is_frozen: true,
        languages: about.languages.clone(),
    })
}

/// Which of his addresses mails came back from.
fn bounced(customer: &Customer, bounces: &[Bounce]) -> Vec<Bounce> {
    let is_his = |it: &&Bounce| customer.contacts.iter().any(|to| folded(to) == it.address);
    bounces.iter().filter(is_his).cloned().collect()
}

/// Who takes the call of a customer who needs somebody, whatever for.
fn colleague(customer: &CustomerStatus, colleague: Option<&String>) -> Option<String> {
    colleague.filter(|_| customer.state == PublicWord::NeedsAttention).cloned()
}

#[cfg(test)]
mod tests {
    use crate::cli::facts::Surveyed;
    use crate::cli::fleet::fleet_view;
    use crate::inventory::{SourceFile, read_files};
    use crate::ledger::{Ledger, find};
    use crate::model::Timestamp;

    const SETTINGS: &str = "[site]\nname = \"x\"\n[tiers]\ngold = 10\nstandard = 3\n";
    const PEOPLE: &str = include_str!("../../tests/lookup/people.toml");
    const QUERIES: &str = include_str!("../../tests/lookup/queries.tsv");

    #[test]
    fn what_support_types_finds_whom_the_caller_means_first() {
        let settings = SourceFile::new("evac.toml", SETTINGS);
        let reading = read_files(&settings, &[SourceFile::new("inventory.toml", PEOPLE)]);
        assert!(reading.is_ok(), "{:?}", reading.problems);
        let view = fleet_view(&reading.inventory, &reading.settings, &Surveyed::new(), false);
        let now = Timestamp::from_second(1_900_000_000);
        let snapshot = Ledger::in_memory().unwrap().snapshot(&view, now).unwrap();
        let queries = QUERIES.lines().filter(|line| !line.starts_with('#'));
        let mut wrong = Vec::new();
        for (text, expected) in queries.filter_map(|line| line.split_once('\t')) {
            let found = find(&view, &snapshot, text);
            let first = found.first().map(|found| view.customers[found.customer].id.as_str());
            if first != Some(expected) {
                wrong.push((text, expected, first.map(str::to_owned)));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
