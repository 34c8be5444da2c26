//! `evac publish bounces`: reads mails that came back.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::mailing;
use crate::cli::failure::{Exit, Failure};
use crate::cli::print;
use crate::cli::site::Global;
use crate::ledger::mail::Bounce;
use crate::ledger::outbox::OutboxRow;
use crate::ledger::snapshot::SCHEMA;
use crate::model::Timestamp;
use crate::publish::mail::address::folded;
use crate::publish::mail::bounce::{Report, mails, report};
use crate::publish::mail::letter::Letter;
use crate::publish::mail::office;

/// More is no mailbox of bounces.
const FILE_BYTES_MAX: u64 = 256 << 20;
const FILES_MAX: usize = 100_000;
/// Folders of a Maildir.
const MAILDIR: [&str; 2] = ["new", "cur"];

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    read: usize,
    bounced: Vec<&'a str>,
    /// Reports of mails that are none of ours.
    foreign: usize,
}

/// Reads what is there, and keeps which of our mails did not arrive.
pub fn run(global: &Global, from: &[PathBuf], forget: Option<&str>) -> Result<Exit, Failure> {
    let ledger = global.open_ledger_for_words()?;
    if let Some(address) = forget {
        if !ledger.forget_bounce(&folded(address))? {
            return Err(Failure::failed("no mail came back from that address")
                .hint("`evac publish mail` lists those that did."));
        }
        print::tell("It is written to again.");
        return Ok(Exit::Done);
    }
    let loaded = global.load_settings()?;
    let Some(mail) = &loaded.settings.mail else {
        return Err(Failure::usage("evac.toml has no usable [mail]"));
    };
    let links = BTreeMap::new();
    let ids = mailing::office(global, &ledger, &loaded, mail, &links)?.ids(&office::rows(&ledger)?);
    let (mut count, mut foreign, mut found) = (0, 0, BTreeMap::new());
    for path in from {
        let mut look = |bytes: &[u8]| {
            for mail in mails(bytes) {
                count += 1;
                let Some(report) = report(mail) else { continue };
                let bounces = bounces(&report, &ids, global.now());
                foreign += usize::from(bounces.is_none());
                found.extend(bounces.into_iter().flatten().map(|it| (it.address.clone(), it)));
            }
        };
        each_file(path, &mut look)?;
    }
    let bounces: Vec<Bounce> = found.into_values().collect();
    ledger.add_bounces(&bounces)?;
    if global.json {
        let bounced = bounces.iter().map(|it| it.address.as_str()).collect();
        print::document(&Document { schema: SCHEMA, read: count, bounced, foreign })?;
        return Ok(Exit::Done);
    }
    for Bounce { address, status, said, .. } in &bounces {
        print::result(&format!("{address} {status} {said}\n"))?;
    }
    let came_back = print::counted(bounces.len(), "mailbox");
    let came_back = came_back.replace("mailboxs", "mailboxes");
    print::tell(&format!(
        "{} read; mails came back from {came_back}, which are written to no more. `evac publish` \
         tries the next contact of each.",
        print::counted(count, "mail")
    ));
    Ok(Exit::Done)
}

/// Of our own mails, those that never arrive; `None`: none of them is ours.
fn bounces(
    report: &Report,
    ids: &BTreeMap<String, OutboxRow>,
    now: Timestamp,
) -> Option<Vec<Bounce>> {
    let rows = |of: &BTreeSet<String>| of.iter().filter_map(|id| ids.get(id)).collect();
    let mut ours: Vec<&OutboxRow> = rows(&report.own_ids);
    if ours.is_empty() {
        ours = rows(&report.ids);
    }
    let to =
        |row: &OutboxRow| serde_json::from_str::<Letter>(&row.wanted).ok().map(|it| folded(&it.to));
    let mut found = Vec::new();
    for row in &ours {
        let Some(to) = to(row) else { continue };
        // A forwarder reports an address that we never wrote to: it is ours by its id alone.
        let named = report.recipients.iter().find(|it| it.address == to);
        // Of several mails nobody can say then which one it is about.
        let is_alone = report.recipients.len() == 1 && ours.len() == 1;
        let alone = report.recipients.first().filter(|_| is_alone);
        let Some(recipient) = named.or(alone).filter(|it| it.is_failed()) else { continue };
        found.push(Bounce {
            address: to,
            at: now,
            status: recipient.status.clone(),
            said: recipient.said.clone(),
            subject: row.subject.clone(),
        });
    }
    (!ours.is_empty()).then_some(found)
}

fn each_file(path: &Path, look: &mut impl FnMut(&[u8])) -> Result<(), Failure> {
    if path == Path::new("-") {
        let bytes =
            bounded(io::stdin().lock()).map_err(|error| Failure::io("read", path, &error))?;
        look(&bytes);
        return Ok(());
    }
    let fail = |path: &Path| {
        let path = path.to_owned();
        move |error: io::Error| Failure::io("read", &path, &error)
    };
    if !fs::metadata(path).map_err(fail(path))?.is_dir() {
        look(&bounded(fs::File::open(path).map_err(fail(path))?).map_err(fail(path))?);
        return Ok(());
    }
    let folders: Vec<PathBuf> = MAILDIR.iter().map(|name| path.join(name)).collect();
    let folders = folders.into_iter().filter(|folder| folder.is_dir());
    let folders: Vec<PathBuf> = folders.collect();
    let folders = if folders.is_empty() { vec![path.to_owned()] } else { folders };
    for folder in folders {
        for entry in fs::read_dir(&folder).map_err(fail(&folder))?.take(FILES_MAX) {
            let entry = entry.map_err(fail(&folder))?;
            // Neither links nor pipes: a mailbox has none.
            if entry.file_type().is_ok_and(|kind| kind.is_file()) {
                let path = entry.path();
                look(&bounded(fs::File::open(&path).map_err(fail(&path))?).map_err(fail(&path))?);
            }
        }
    }
    Ok(())
}

fn bounded(file: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}
