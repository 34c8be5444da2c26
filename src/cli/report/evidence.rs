//! `evac report evidence`: what evac saw and what people said, each line chained to the one before.

use std::fmt::Write as _;

use serde::Serialize;

use super::record::Record;
use crate::cli::args::report::EvidenceArgs;
use crate::cli::failure::shown;
use crate::cli::{Exit, Failure, Global, print};
use crate::ledger::snapshot::SCHEMA;
use crate::model::text::bounded;
use crate::publish::report::evidence::{Line, lines};
use crate::term;

/// Longest line for people.
const TEXT_CHARS_MAX: usize = 1_000;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    folder: String,
    files: &'a [String],
    lines: usize,
    withheld: usize,
    /// Of the last line: proves all of them.
    sha256: &'a str,
}

/// Writes it down.
pub fn run(global: &Global, args: &EvidenceArgs) -> Result<Exit, Failure> {
    if args.internal {
        super::named(global, "evidence")?;
    }
    let record = Record::read(global, false)?;
    let guard = (!args.internal).then_some(&record.guard);
    let broken = |error: serde_json::Error| {
        Failure::internal("cannot write what was seen as JSON").because(&error)
    };
    let all = lines(&record.events, &record.posts, &term::told, guard).map_err(broken)?;
    let folder = super::folder(global, args.to.as_deref(), "evidence")?;
    let mut files = Vec::new();
    let mut chain = String::new();
    for line in &all {
        let _ = writeln!(chain, "{}", serde_json::to_string(line).map_err(broken)?);
    }
    super::put(&folder, "evidence.jsonl", &chain, &mut files)?;
    super::put(&folder, "evidence.txt", &text(&record, &all), &mut files)?;
    let withheld = all.iter().filter(|line| line.withheld).count();
    let sha256 = all.last().map_or("", |line| line.sha256.as_str());
    if global.json {
        let (lines, folder) = (all.len(), shown(&folder));
        let files = &files[..];
        print::document(&Document { schema: SCHEMA, folder, files, lines, withheld, sha256 })?;
        return Ok(Exit::Done);
    }
    print::result(&format!("{} lines in {}\n", all.len(), shown(&folder)))?;
    if all.is_empty() {
        print::tell("Nothing was seen yet: `evac survey` and `evac run` look.");
        return Ok(Exit::Done);
    }
    print::result(&format!("last hash: {sha256}\n"))?;
    if withheld > 0 {
        print::tell(&format!("{withheld} lines are withheld; --internal has them."));
    }
    print::tell("Mail the last hash to somebody outside: it shows later that nothing was changed.");
    Ok(Exit::Done)
}

fn text(record: &Record, all: &[Line]) -> String {
    let name = &record.loaded.settings.site.name;
    let mut text = format!(
        "What evac saw of access, refusals and decisions, at {name}, as of {}.\n\
         {} lines; times are UTC, by the clock of the landing site. evidence.jsonl beside this has \
         the same in full:\nthe sha256 of a line is that of the one before it (64 zeros before the \
         first), a line feed, and `record`.\n\n",
        record.snapshot.as_of,
        all.len()
    );
    for line in all {
        let words = bounded(&line.text, TEXT_CHARS_MAX);
        let _ = writeln!(text, "{} {} {words}", line.n, line.at);
    }
    text
}
