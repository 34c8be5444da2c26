//! `evac find`: who is it that calls, where does he stand, and what to read out to him.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::cli::args::FindArgs;
use crate::cli::failure::{Exit, Failure};
use crate::cli::note::{self, Note};
use crate::cli::print;
use crate::cli::site::{Global, Loaded};
use crate::inventory::Settings;
use crate::ledger::mail::Bounce;
use crate::ledger::snapshot::{CustomerStatus, SCHEMA, Snapshot};
use crate::ledger::{Found, Say, find};
use crate::model::Timestamp;
use crate::model::text::bounded;
use crate::publish::mail::address::folded;
use crate::term::{self, Style};

/// More customers than this are counted, not shown to people.
const SHOWN_MAX: usize = 10;
const SAID_CHARS_MAX: usize = 160;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    as_of: Timestamp,
    customers: Vec<Match<'a>>,
}

/// A customer as `status` has it, and why it is here.
#[derive(Serialize)]
struct Match<'a> {
    #[serde(flatten)]
    customer: &'a CustomerStatus,
    matched_by: &'static str,
    matched: &'a str,
    say: &'a BTreeMap<String, Say>,
    notes: Vec<Note>,
    /// His addresses that mails came back from.
    bounced: Vec<&'a Bounce>,
}

/// Shows the customers that a text may mean.
pub fn run(global: &Global, args: &FindArgs) -> Result<Exit, Failure> {
    let loaded = global.load()?;
    let reading = global.open_read_only()?;
    let (view, snapshot) = reading.look(&loaded, global.now())?;
    let found = find(&view, &snapshot, &args.text);
    let notes = note::all(&reading.ledger)?;
    let bounces = reading.ledger.bounces()?;
    let about = |customer: &CustomerStatus| note::about(&notes, customer, &loaded.inventory);
    let matches: Vec<_> =
        found.iter().filter_map(|found| matched(found, &snapshot, &about)).collect();
    let matches: Vec<_> = matches.into_iter().map(|it| bounced(it, &loaded, &bounces)).collect();
    let is_empty = matches.is_empty();
    if global.json {
        let as_of = snapshot.as_of;
        print::document(&Document { schema: SCHEMA, as_of, customers: matches })?;
    } else if is_empty {
        let hint = "Try the domain, an address, or the number in your billing system.";
        return Err(Failure::failed(format!("nobody matches `{}`", args.text)).hint(hint));
    } else {
        print::result(&text(&matches, &loaded.settings, print::style()))?;
    }
    Ok(if is_empty { Exit::Failed } else { Exit::Done })
}

fn matched<'a>(
    found: &'a Found,
    snapshot: &'a Snapshot,
    about: &impl Fn(&CustomerStatus) -> Vec<Note>,
) -> Option<Match<'a>> {
    let customer = snapshot.customers.get(found.customer)?;
    let Found { matched_by, matched, say, .. } = found;
    Some(Match { customer, matched_by, matched, say, notes: about(customer), bounced: Vec::new() })
}

fn bounced<'a>(mut found: Match<'a>, loaded: &Loaded, bounces: &'a [Bounce]) -> Match<'a> {
    let entry = loaded.inventory.customer(&found.customer.id);
    let is_his = |it: &&Bounce| {
        entry.is_some_and(|entry| entry.contacts.iter().any(|to| folded(to) == it.address))
    };
    found.bounced = bounces.iter().filter(is_his).collect();
    found
}

fn text(matches: &[Match<'_>], settings: &Settings, style: Style) -> String {
    let mut text = String::new();
    for (index, found) in matches.iter().take(SHOWN_MAX).enumerate() {
        if index > 0 {
            text.push('\n');
        }
        text.push_str(&term::customer(found.customer, style));
        let _ = writeln!(text, "  found by {}: {}", found.matched_by, found.matched);
        for Bounce { address, at, status, said, .. } in &found.bounced {
            let said = bounded(&format!("{status} {said}"), SAID_CHARS_MAX);
            let _ = writeln!(text, "  mails to {address} came back at {at}: {}", said.trim());
        }
        for Note { at, by, what, text: note } in &found.notes {
            let _ = writeln!(text, "  note of {at} by {by} on {what}: {note}");
        }
        for language in &settings.site.languages {
            if let Some(say) = found.say.get(language) {
                let _ = writeln!(text, "  say ({language}), to anyone:");
                let _ = writeln!(text, "    {}", say.anyone);
                let _ = writeln!(text, "  say ({language}), to a verified caller:");
                let _ = writeln!(text, "    {}", say.verified);
            }
        }
    }
    if matches.len() > SHOWN_MAX {
        let more = matches.len() - SHOWN_MAX;
        let _ = writeln!(text, "\nand {more} more customers; say it more exactly");
    }
    text
}
