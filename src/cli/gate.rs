//! `evac gate`: asks what is restored whether it works.
//!
//! A round asks every check of many workloads at once, keeps the answers, and moves what they are
//! about. `activate` and `--watch` are made of the same rounds.

mod baseline;
mod round;
pub mod text;
mod watch;

use crate::cli::args::GateArgs;
use crate::cli::site::Loaded;
use crate::cli::{Exit, Failure, Global, fleet, print};
use crate::inventory::Workload;
use crate::ledger::Ledger;
use crate::model::Event;

pub use round::{Round, Rounds, moved};
pub use text::{UNREADABLE_HINT, report};

/// Asks.
pub fn run(global: &Global, args: &GateArgs) -> Result<Exit, Failure> {
    if args.watch {
        return watch::run(global, args);
    }
    let loaded = global.load()?;
    let ledger = global.open_ledger_beside()?;
    let chosen = choose(global, &loaded, &ledger, &args.what)?;
    if args.baseline {
        return baseline::run(global, &loaded, &ledger, &chosen);
    }
    if let Some(reason) = &args.unchecked {
        let_unchecked(global, &ledger, &chosen, reason)?;
    }
    let rounds = Rounds::new(global, &loaded, &ledger)?;
    let mut done = rounds.ask(&chosen)?;
    for round in &mut done {
        moved(&ledger, round, &global.by)?;
    }
    report(global, &done)?;
    let passes = done.iter().all(|round| round.verdict.passes());
    Ok(if passes { Exit::Done } else { Exit::Failed })
}

/// The workloads that `what` names, in the order of the inventory.
pub fn choose<'a>(
    global: &Global,
    loaded: &'a Loaded,
    ledger: &Ledger,
    what: &[String],
) -> Result<Vec<&'a Workload>, Failure> {
    let (_, snapshot) = fleet::look(ledger, loaded, false, global.now())?;
    let selected = loaded.select(what, &snapshot)?.workloads;
    let workloads = loaded.inventory.workloads();
    Ok(workloads.filter(|workload| selected.contains_key(&workload.id)).collect())
}

/// Those without checks pass because somebody says so, by name.
fn let_unchecked(
    global: &Global,
    ledger: &Ledger,
    chosen: &[&Workload],
    reason: &str,
) -> Result<(), Failure> {
    if !global.is_named {
        let failure = Failure::usage("--unchecked needs to know who says so");
        return Err(failure.hint("Write `evac --as NAME gate …`."));
    }
    let without = || {
        let has_none = |workload: &&&Workload| {
            workload.checks.list.is_empty() && !workload.checks.has_mistakes
        };
        chosen.iter().filter(has_none)
    };
    print::confirm(global, "let pass without checks", without().count(), "workloads")?;
    for workload in without() {
        ledger.let_unchecked(&workload.id, reason, &global.by)?;
        let what = format!("workload/{}", workload.id);
        let text = format!("passes without checks: {reason}");
        ledger.append(&Event::Noted { what, text, by: global.by.clone() }, &global.by)?;
    }
    Ok(())
}
