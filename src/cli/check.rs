//! `evac check`: every mistake of a site at once, offline. Strict: one error fails it. `--ring`
//! tries the bells as well.

mod here;

use std::fmt::Write as _;

use serde::Serialize;

use crate::cli::args::CheckArgs;
use crate::cli::failure::{Exit, Failure};
use crate::cli::print::{self, counted};
use crate::cli::run::bells::ways;
use crate::cli::site::Global;
use crate::inventory::{Inventory, Problem, Reading, Severity};
use crate::ledger::snapshot::SCHEMA;
use crate::run::bells;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    ok: bool,
    problems: &'a [Problem],
    /// With `--ring`: what came of each way.
    #[serde(skip_serializing_if = "Option::is_none")]
    rang: Option<Vec<Rang>>,
}

/// One way to call somebody.
#[derive(Serialize)]
struct Rang {
    way: &'static str,
    heard: bool,
    why: String,
}

/// Lists every mistake.
pub fn run(global: &Global, args: &CheckArgs) -> Result<Exit, Failure> {
    let mut reading = global.read_files()?;
    here::look(global, &reading.settings, &mut reading.problems);
    let ok = reading.is_ok();
    let rang = if args.ring { Some(ring(global, &reading)?) } else { None };
    let unheard = rang.iter().flatten().filter(|rang| !rang.heard).count();
    if global.json {
        let problems = &reading.problems;
        print::document(&Document { schema: SCHEMA, ok, problems, rang })?;
    } else {
        print::result(&text(&reading.problems, &reading.inventory))?;
        for Rang { way, why, .. } in rang.iter().flatten() {
            print::result(&format!("{way}: {why}\n"))?;
        }
    }
    let exit = if ok { Exit::Done } else { Exit::Usage };
    Ok(if unheard > 0 { exit.and(Exit::Failed) } else { exit })
}

/// Calls somebody by every way there is.
fn ring(global: &Global, reading: &Reading) -> Result<Vec<Rang>, Failure> {
    let alert = &reading.settings.alert;
    if !reading.settings_ok() {
        reading.usable()?;
    }
    if alert.is_silent() && alert.beat.is_none() {
        let hint = "Write `command` or `webhook` into [alert] of evac.toml.";
        return Err(Failure::usage("there is nothing to ring: nobody is to be called").hint(hint));
    }
    let tried = bells::ring_once(&ways(global, &reading.settings), &*global.clock);
    let rang = tried.into_iter().map(|tried| {
        let heard = tried.outcome.is_ok();
        let why = tried.outcome.map_or_else(|why| format!("not heard: {why}"), |()| "heard".into());
        Rang { way: tried.way, heard, why }
    });
    Ok(rang.collect())
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
