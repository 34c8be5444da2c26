//! `evac check`: every mistake of a site at once, offline. Strict: one error fails it. Where hosts
//! are reached as OpenSSH's client is configured, its configuration is part of the site. `--ring`
//! tries the bells as well.

mod here;

use std::fmt::Write as _;

use serde::Serialize;

use crate::cli::args::CheckArgs;
use crate::cli::engine;
use crate::cli::failure::{Exit, Failure};
use crate::cli::print::{self, counted};
use crate::cli::run::bells::ways;
use crate::cli::site::Global;
use crate::inventory::{ClientConfig, Host, Inventory, Problem, Reading, Settings, Severity};
use crate::ledger::snapshot::SCHEMA;
use crate::run::bells;
use crate::run::endpoints::Endpoints;

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
    let found = client_config(global, &reading.settings, &reading.inventory)?;
    reading.problems.extend(found);
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

/// What of the client's configuration leads nowhere, or is not done.
fn client_config(
    global: &Global,
    settings: &Settings,
    inventory: &Inventory,
) -> Result<Vec<Problem>, Failure> {
    let asks = |host: &&Host| {
        let config = host.ways.or(&settings.ssh.ways).config;
        config.is_some_and(|config| config != ClientConfig::Off)
    };
    let asking: Vec<&Host> = inventory.hosts.iter().filter(asks).collect();
    if asking.is_empty() {
        return Ok(Vec::new());
    }
    let endpoints = Endpoints::new(&global.site, settings, inventory);
    let mut problems = Vec::new();
    for (host, error) in engine::runtime()?.block_on(endpoints.mistakes(&asking)) {
        let problem = Problem::error(&host.origin, error.to_string());
        problems.push(problem.hint(error.reason().hint()));
    }
    for (name, what) in endpoints.ignored() {
        let named = asking.iter().find(|host| host.address == name);
        if let Some(host) = named.or(asking.first()) {
            let what = format!("the ssh configuration for {name}: {what}");
            problems.push(Problem::warning(&host.origin, what));
        }
    }
    Ok(problems)
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
