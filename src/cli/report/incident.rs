//! `evac report incident`: the report as Markdown and as a page, and the message to customers.

use serde::Serialize;

use super::record::Record;
use crate::cli::args::report::IncidentArgs;
use crate::cli::failure::shown;
use crate::cli::{Exit, Failure, Global, print};
use crate::ledger::snapshot::SCHEMA;
use crate::model::Timestamp;
use crate::publish::Language;
use crate::publish::locale::Texts;
use crate::publish::report::figures::Figures;
use crate::publish::report::incident::report;
use crate::publish::report::letter::letter;
use crate::publish::report::story::Edition;
use crate::term;

#[derive(Serialize)]
struct Document {
    schema: u32,
    edition: &'static str,
    folder: String,
    files: Vec<String>,
    as_of: Timestamp,
    began: Timestamp,
    over: bool,
    customers: u64,
    online: u64,
    minutes_median: Option<u64>,
    minutes_worst: Option<u64>,
    data_proven: bool,
}

/// Writes the report.
pub fn run(global: &Global, args: &IncidentArgs) -> Result<Exit, Failure> {
    if args.internal {
        super::named(global, "incident")?;
    }
    let record = Record::read(global, true)?;
    let (began, settings) = (record.began(args.down_since)?, &record.loaded.settings);
    let written = if args.language.is_empty() { &settings.site.languages } else { &args.language };
    let languages: Result<Vec<Language>, _> = written.iter().map(|code| code.parse()).collect();
    let languages = languages.map_err(|error| Failure::usage(error.to_string()))?;
    let case = record.case(began);
    let figures = Figures::of(&case, &case.outages());
    let folder = super::folder(global, args.to.as_deref(), "incident")?;
    let (edition, name) = if args.internal {
        (Edition::Internal { by: &global.by, words: &term::told }, "incident-internal")
    } else {
        (Edition::Public, "incident")
    };
    let mut files = Vec::new();
    for language in &languages {
        let texts = Texts::new(*language)?;
        let report = report(&case, &figures, &texts, (edition, &record.guard))?;
        super::put(&folder, &format!("{name}.{language}.md"), &report.markdown(), &mut files)?;
        super::put(&folder, &format!("{name}.{language}.html"), &report.html(), &mut files)?;
    }
    // The message is for customers, whatever language the report is read in.
    let of_message = if args.language.is_empty() { &Language::ALL[..] } else { &languages };
    for language in of_message {
        let letter = letter(&case, &figures, &Texts::new(*language)?)?;
        super::put(&folder, &format!("message.{language}.md"), &letter.markdown(), &mut files)?;
    }
    record.doubts().iter().for_each(|doubt| print::tell(&format!("warning: {doubt}")));
    if global.json {
        print::document(&Document {
            schema: SCHEMA,
            edition: if args.internal { "internal" } else { "public" },
            folder: shown(&folder),
            files,
            as_of: record.snapshot.as_of,
            began,
            over: figures.is_over(),
            customers: figures.customers,
            online: figures.online,
            minutes_median: figures.minutes.map(|minutes| minutes.median),
            minutes_worst: figures.minutes.map(|minutes| minutes.worst),
            data_proven: figures.data().is_proven(),
        })?;
        return Ok(Exit::Done);
    }
    let folder = shown(&folder);
    for file in &files {
        print::result(&format!("{folder}/{file}\n"))?;
    }
    print::tell(
        "Drafts: read them, fill in what only people know, and let somebody else read them.",
    );
    Ok(Exit::Done)
}
