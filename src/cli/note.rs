//! `evac note`: calls, promises, decisions, under the name they are looked up by later.

use serde::Serialize;

use crate::cli::args::NoteArgs;
use crate::cli::site::Loaded;
use crate::cli::{Exit, Failure, Global, hands, print};
use crate::inventory::Inventory;
use crate::ledger::lookup::Told;
use crate::ledger::snapshot::{CustomerStatus, Snapshot};
use crate::ledger::{Ledger, StoredEvent};
use crate::model::{Event, Timestamp};
use crate::run::control::{Ask, Said};

/// Notes and decisions looked through for one command.
pub const LOOKED_AT_MAX: u32 = 10_000;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    what: &'a str,
    text: &'a str,
    by: &'a str,
    running: bool,
}

/// A note, as documents have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// About what, in its exact form.
    pub what: String,
    /// What.
    pub text: String,
}

impl From<Told> for Note {
    fn from(Told { at, by, what, text }: Told) -> Self {
        Self { at, by, what, text }
    }
}

/// Writes a note down.
pub fn run(global: &Global, args: &NoteArgs) -> Result<Exit, Failure> {
    let loaded = global.load()?;
    let (_, snapshot) = global.open_read_only()?.look(&loaded, global.now())?;
    let what = exact(&loaded, &snapshot, &args.what)?;
    let running = write(global, &what, &args.text)?;
    let (text, by) = (args.text.as_str(), global.by.as_str());
    if global.json {
        print::document(&Document { schema: 1, what: &what, text, by, running })?;
    } else {
        print::result(&format!("noted on {what}, by {by}\n"))?;
    }
    Ok(Exit::Done)
}

/// Writes `text` down about `what`, in its exact form; says whether a run took it.
pub fn write(global: &Global, what: &str, text: &str) -> Result<bool, Failure> {
    let ask = Ask::Note { what: what.to_owned(), text: text.to_owned() };
    let heard = hands::say(global, &ask, |ledger| {
        let (what, text, by) = (what.to_owned(), text.to_owned(), global.by.clone());
        ledger.append(&Event::Noted { what, text, by }, &global.by)?;
        Ok(Said::Noted)
    })?;
    if heard.said == Said::Noted { Ok(heard.by_run) } else { Err(hands::astray()) }
}

/// The exact form of one WHAT, which must name something.
fn exact(loaded: &Loaded, snapshot: &Snapshot, word: &str) -> Result<String, Failure> {
    if word.starts_with('@') {
        let failure = Failure::usage("a note is about one thing, not about a list");
        return Err(failure.hint("Write customer/ID, host/ID, workload/ID, group/ID or tier/NAME."));
    }
    loaded.select(&[word], snapshot)?;
    if word.contains('/') {
        return Ok(word.to_owned());
    }
    let forms = ["customer", "host", "workload", "group"].map(|form| format!("{form}/{word}"));
    let known = forms.into_iter().find(|form| loaded.select(&[form], snapshot).is_ok());
    Ok(known.unwrap_or_else(|| word.to_owned()))
}

/// What people wrote down; not what the run says of itself.
pub fn notes(said: &[StoredEvent]) -> Vec<Note> {
    let note = |stored: &StoredEvent| match &stored.event {
        Event::Noted { what, text, by } if what != "evac" => {
            Some(Note { at: stored.at, by: by.clone(), what: what.clone(), text: text.clone() })
        }
        _ => None,
    };
    said.iter().filter_map(note).collect()
}

/// All notes, the oldest first.
pub fn all(ledger: &Ledger) -> Result<Vec<Note>, Failure> {
    Ok(notes(&ledger.said(Timestamp::from_second(0), LOOKED_AT_MAX)?))
}

/// Those about a customer: himself, his workloads, their hosts, his group and tier.
pub fn about(notes: &[Note], customer: &CustomerStatus, inventory: &Inventory) -> Vec<Note> {
    let his = |note: &&Note| {
        let name = note.what.split(':').next().unwrap_or_default();
        let Some((form, id)) = name.split_once('/') else { return false };
        match form {
            "customer" => id == customer.id.as_str(),
            "group" => customer.group.as_ref().is_some_and(|group| group.as_str() == id),
            "tier" => customer.tier.as_ref().is_some_and(|tier| tier.as_str() == id),
            "workload" => customer.workloads.iter().any(|workload| workload.id.as_str() == id),
            "host" => {
                let owns = |host: &crate::inventory::Host| {
                    host.workloads.iter().any(|workload| workload.customer == customer.id)
                };
                inventory.hosts.iter().any(|host| host.id.as_str() == id && owns(host))
            }
            _ => false,
        }
    };
    notes.iter().filter(his).cloned().collect()
}
