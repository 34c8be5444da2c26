//! `evac check`: every mistake of a site at once, offline. Strict: one error fails it. Where hosts
//! are reached as OpenSSH's client is configured, its configuration is part of the site.

use std::fmt::Write as _;

use serde::Serialize;

use crate::cli::args::CheckArgs;
use crate::cli::engine;
use crate::cli::failure::{Exit, Failure};
use crate::cli::print::{self, counted};
use crate::cli::site::Global;
use crate::inventory::{ClientConfig, Host, Inventory, Problem, Settings, Severity};
use crate::ledger::snapshot::SCHEMA;
use crate::run::endpoints::Endpoints;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    ok: bool,
    problems: &'a [Problem],
}

/// Lists every mistake.
pub fn run(global: &Global, _args: &CheckArgs) -> Result<Exit, Failure> {
    let mut reading = global.read_files()?;
    let found = client_config(global, &reading.settings, &reading.inventory)?;
    reading.problems.extend(found);
    let ok = reading.is_ok();
    if global.json {
        print::document(&Document { schema: SCHEMA, ok, problems: &reading.problems })?;
    } else {
        print::result(&text(&reading.problems, &reading.inventory))?;
    }
    Ok(if ok { Exit::Done } else { Exit::Usage })
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
