//! `evac report`: what is told afterwards, and whether we may leave. Reads the ledger beside a run,
//! sends nothing.

mod credits;
mod evidence;
mod incident;
mod leave;
mod notices;
mod record;

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::cli::args::report::{ReportArgs, ReportCommand};
use crate::cli::failure::{Exit, Failure};
use crate::cli::{Global, files};

/// Folder of reports in the site, unless --to says otherwise.
const FOLDER: &str = "reports";
/// Names that are listed for people; programs get all.
const NAMED_MAX: usize = 20;

/// Makes a report.
pub fn run(global: &Global, args: &ReportArgs) -> Result<Exit, Failure> {
    match &args.command {
        ReportCommand::Incident(args) => incident::run(global, args),
        ReportCommand::Credits(args) => credits::run(global, args),
        ReportCommand::Notices(args) => notices::run(global, args),
        ReportCommand::Evidence(args) => evidence::run(global, args),
        ReportCommand::Leave(args) => leave::run(global, args),
    }
}

/// Where a report goes; the folder is made, closed to others.
fn folder(global: &Global, to: Option<&Path>, name: &str) -> Result<PathBuf, Failure> {
    let folder = to.map_or_else(|| global.site.join(FOLDER).join(name), Path::to_owned);
    make(&folder)?;
    Ok(folder)
}

fn make(folder: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| Failure::io("make the folder", folder, &error))
}

/// Writes a file of a report, whole or not at all, and keeps its name.
fn put(folder: &Path, name: &str, text: &str, names: &mut Vec<String>) -> Result<(), Failure> {
    files::replace(&folder.join(name), text)?;
    names.push(name.to_owned());
    Ok(())
}

/// Who asks for what colleagues alone may read.
fn named(global: &Global, command: &str) -> Result<(), Failure> {
    if global.is_named {
        return Ok(());
    }
    let failure = Failure::usage("what is for colleagues alone is made for somebody by name");
    Err(failure.hint(format!("Write `evac --as NAME report {command} --internal`.")))
}

/// Names in a line for people.
fn listed(names: &[String]) -> String {
    let more = names.len().saturating_sub(NAMED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    names[..names.len().min(NAMED_MAX)].join(", ") + &more
}
