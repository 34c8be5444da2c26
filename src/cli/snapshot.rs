//! `evac snapshot`: everybody as he stands now, in one file for whoever answers the phone when the
//! landing site is dark.

use std::collections::BTreeMap;
use std::path::Path;

use crate::cli::args::SnapshotArgs;
use crate::cli::failure::{Exit, Failure, shown};
use crate::cli::note::{self, Note};
use crate::cli::{Global, files, lookup, print};
use crate::ledger::Lookup;
use crate::ledger::lookup::{Content, Told, freeze};
use crate::ledger::snapshot::SCHEMA;
use crate::model::CustomerId;

/// Notes that begin so, in any case, are for support.
const FOR_SUPPORT: &str = "support:";

/// Writes the file, in place of an older one only.
pub fn run(global: &Global, args: &SnapshotArgs) -> Result<Exit, Failure> {
    refuse_to_replace(&args.file)?;
    let loaded = global.load()?;
    let reading = global.open_read_only()?;
    let (view, snapshot) = reading.look(&loaded, global.now())?;
    let notes: Vec<Note> =
        note::all(&reading.ledger)?.into_iter().filter_map(for_support).collect();
    let mut told: BTreeMap<CustomerId, Vec<Told>> = BTreeMap::new();
    for customer in snapshot.customers.iter().filter(|_| !notes.is_empty()) {
        let his = note::about(&notes, customer, &loaded.inventory).into_iter();
        let his = his.map(|Note { at, by, what, text }| Told { at, by, what, text });
        told.insert(customer.id.clone(), his.collect());
    }
    let about = lookup::about(&loaded.settings, snapshot.as_of, Content::Frozen);
    let (lookup, bytes) = freeze(about, &view, &snapshot, &told)
        .ok_or_else(|| Failure::internal("the customers do not fit a look-up file"))?;
    files::replace_closed(&args.file, &bytes, true)
        .map_err(|error| Failure::io("write", &args.file, &error))?;
    let (file, customers) = (shown(&args.file), lookup.customers());
    if global.json {
        print::document(&serde_json::json!({
            "schema": SCHEMA, "file": file, "as_of": snapshot.as_of, "customers": customers,
            "bytes": bytes.len(),
        }))?;
    } else {
        let customers = print::counted(customers, "customer");
        print::tell(&format!("{customers} as of {}: {file}.", snapshot.as_of));
        print::tell(&format!("Elsewhere: evac find --in {file} TEXT"));
    }
    Ok(Exit::Done)
}

/// A note that was written for support, without the word that says so.
fn for_support(note: Note) -> Option<Note> {
    let start = note.text.get(..FOR_SUPPORT.len())?;
    start.eq_ignore_ascii_case(FOR_SUPPORT).then(|| {
        let text = note.text[FOR_SUPPORT.len()..].trim().to_owned();
        Note { text, ..note }
    })
}

/// A slip of the hand must not cost any other file.
fn refuse_to_replace(file: &Path) -> Result<(), Failure> {
    match Lookup::open(file) {
        Ok(None) => Ok(()),
        Ok(Some(known)) if known.about().content == Content::Frozen => Ok(()),
        _ => {
            let what = format!("{} exists and is no snapshot", shown(file));
            Err(Failure::refused(what).hint("Name another file."))
        }
    }
}
