//! `evac check`: every mistake of a site at once, offline. Strict: one error fails it.

use std::fmt::Write as _;

use serde::Serialize;

use crate::cli::args::CheckArgs;
use crate::cli::failure::{Exit, Failure};
use crate::cli::print::{self, counted};
use crate::cli::site::Global;
use crate::inventory::{Inventory, Problem, Severity};
use crate::ledger::snapshot::SCHEMA;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    ok: bool,
    problems: &'a [Problem],
}

/// Lists every mistake.
pub fn run(global: &Global, _args: &CheckArgs) -> Result<Exit, Failure> {
    let reading = global.read_files()?;
    let ok = reading.is_ok();
    if global.json {
        print::document(&Document { schema: SCHEMA, ok, problems: &reading.problems })?;
    } else {
        print::result(&text(&reading.problems, &reading.inventory))?;
    }
    Ok(if ok { Exit::Done } else { Exit::Usage })
}

fn text(problems: &[Problem], inventory: &Inventory) -> String {
    let mut text = String::new();
    for problem in problems {
        let severity = if problem.is_error() { "error" } else { "warning" };
        let _ = writeln!(text, "{severity}: {problem}");
        if !problem.hint.is_empty() {
            let _ = writeln!(text, "  hint: {}", problem.hint);
        }
    }
    let found = |severity| problems.iter().filter(|problem| problem.severity == severity).count();
    let (errors, warnings) = (found(Severity::Error), found(Severity::Warning));
    let _ = writeln!(
        text,
        "{}, {}. Usable: {}, {}, {}.",
        counted(errors, "error"),
        counted(warnings, "warning"),
        counted(inventory.customers.len(), "customer"),
        counted(inventory.hosts.len(), "host"),
        counted(inventory.workloads().count(), "workload"),
    );
    text
}
