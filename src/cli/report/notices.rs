//! `evac report notices`: a draft to each customer, the register of them, a checklist of NIS2.
//!
//! Which notices were drafted is kept in `state/notices.json`, so that a further one can say what
//! is new.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;

use serde::Serialize;

use super::record::Record;
use crate::cli::args::report::NoticesArgs;
use crate::cli::failure::shown;
use crate::cli::print::{self, counted};
use crate::cli::{Exit, Failure, Global, files};
use crate::inventory::Hold;
use crate::ledger::snapshot::{CustomerStatus, SCHEMA};
use crate::model::{CustomerId, Timestamp};
use crate::publish::Language;
use crate::publish::locale::Texts;
use crate::publish::report::figures::{Figures, services};
use crate::publish::report::nis::{self, Clock, Threshold};
use crate::publish::report::notices::{Facts, Register, notice};

/// What was drafted, in the state folder.
const REGISTER_FILE: &str = "notices.json";

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    folder: String,
    files: &'a [String],
    as_of: Timestamp,
    /// Customers whose former notice still holds.
    unchanged: u64,
    clocks: Vec<Clock>,
    thresholds: &'a [Threshold],
}

/// Drafts what is new.
pub fn run(global: &Global, args: &NoticesArgs) -> Result<Exit, Failure> {
    let record = Record::read(global, true)?;
    let began = record.began(args.down_since)?;
    if let Some(aware) = args.aware.filter(|aware| *aware > record.snapshot.as_of) {
        return Err(Failure::usage(format!("{aware} has not come yet"))
            .hint("Write when you became aware of it, with the zone: the clocks run from then."));
    }
    let case = record.case(began);
    let (now, outages) = (record.snapshot.as_of, case.outages());
    let path = global.make_state()?.join(REGISTER_FILE);
    let mut register = registered(&path)?;
    let folder = super::folder(global, args.to.as_deref(), "notices")?;
    let site = crate::cli::publish::site(&record.loaded.settings, now)?;
    let first = site.languages.first().copied().unwrap_or(Language::En);
    let (mut files, mut unchanged) = (Vec::new(), 0);
    for customer in case.customers() {
        let facts = Facts::of(&case, customer, &outages);
        let Some((phase, before)) = register.add(&customer.id, &facts, now) else {
            unchanged += 1;
            continue;
        };
        let texts = Texts::new(language(&record, customer, first))?;
        let phases = (&phase, before.as_ref());
        let draft = notice(&case, customer, phases, (&texts, &site.contact))?;
        super::make(&folder.join(customer.id.as_str()))?;
        let name = format!("{}/notice-{}.md", customer.id, phase.number);
        super::put(&folder, &name, &draft.markdown(), &mut files)?;
    }
    let spoken_of: BTreeSet<&CustomerId> = case.customers().map(|it| &it.id).collect();
    let table = register.table(&|id| spoken_of.contains(id))?;
    super::put(&folder, "register.csv", &String::from_utf8_lossy(&table), &mut files)?;
    let thresholds = nis::thresholds(&case, &Figures::of(&case, &outages), &outages);
    let page = nis::page(&case, args.aware, &thresholds);
    super::put(&folder, "nis2.md", &page.markdown(), &mut files)?;
    super::put(&folder, "nis2.html", &page.html(), &mut files)?;
    // Last: what was drafted and is lost is drafted once more, not left out.
    let text = serde_json::to_string(&register)
        .map_err(|error| Failure::internal("cannot keep the register").because(&error))?;
    files::replace(&path, &text)?;
    warn_of_left_out(&record);
    warn_of_held(&record, &register, &folder);
    if global.json {
        print::document(&Document {
            schema: SCHEMA,
            folder: shown(&folder),
            files: &files,
            as_of: now,
            unchanged,
            clocks: args.aware.map(|aware| nis::clocks(aware, now)).unwrap_or_default(),
            thresholds: &thresholds,
        })?;
        return Ok(Exit::Done);
    }
    let drafts = counted(files.len().saturating_sub(3), "new notice");
    print::result(&format!(
        "{drafts} in {}; {unchanged} unchanged. register.csv and nis2.html beside them.\n",
        shown(&folder)
    ))?;
    for clock in args.aware.map(|aware| nis::clocks(aware, now)).unwrap_or_default() {
        let state = if clock.late { "PAST" } else { "open" };
        print::result(&format!("{} {state}: {} ({})\n", clock.due, clock.what, clock.article))?;
    }
    print::tell("Drafts and a checklist, not legal advice. Nothing was sent.");
    Ok(Exit::Done)
}

fn language(record: &Record, customer: &CustomerStatus, first: Language) -> Language {
    let entry = record.loaded.inventory.customer(&customer.id);
    entry.and_then(|entry| entry.language.as_ref()?.parse().ok()).unwrap_or(first)
}

fn registered(path: &std::path::Path) -> Result<Register, Failure> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(Register { schema: SCHEMA, ..Register::default() });
        }
        Err(error) => return Err(Failure::io("read", path, &error)),
    };
    serde_json::from_slice(&text).map_err(|error| {
        let what = format!("{} is not what evac wrote", shown(path));
        let hint = "Put it back from a copy, or move it away: then each notice begins at 1 again.";
        Failure::failed(what).because(&error).hint(hint)
    })
}

/// Their data is still only there, and nobody tells them.
fn warn_of_left_out(record: &Record) {
    let all = record.snapshot.customers.iter().filter(|it| it.hold == Hold::None);
    let is_left_out =
        |it: &&CustomerStatus| !it.workloads.is_empty() && services(it).next().is_none();
    let left_out: Vec<_> =
        all.filter(is_left_out).map(|it| format!("customer/{}", it.id)).collect();
    if !left_out.is_empty() {
        let named = super::listed(&left_out);
        print::tell(&format!(
            "warning: all services of {named} were left out on purpose: no draft is made. A notice \
             may be owed all the same: write it by hand."
        ));
    }
}

/// They may be owed a notice all the same, and a draft from before must not go out now.
fn warn_of_held(record: &Record, register: &Register, folder: &std::path::Path) {
    let held: Vec<_> =
        record.snapshot.customers.iter().filter(|it| it.hold != Hold::None).collect();
    if held.is_empty() {
        return;
    }
    let count = counted(held.len(), "customer");
    print::tell(&format!(
        "{count} on hold: no draft is made. A notice may be owed all the same: those who know why \
         write it by hand, or it is drafted after the release."
    ));
    for customer in held.iter().filter(|it| register.customers.contains_key(&it.id)) {
        let drafts = shown(&folder.join(customer.id.as_str()));
        print::tell(&format!("warning: drafts from before the hold may be in {drafts}"));
    }
}
