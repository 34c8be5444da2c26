//! `evac activate`: says that something is switched on, if everything allows it.
//!
//! **Promises.** Nothing is marked that did not answer every check in this very call, nothing on
//! hold, nothing in a machine with something on hold, nothing after a rebuild until somebody stands
//! by it. A hold that is set at this moment comes before or after, never in between.

use serde::Serialize;

use crate::cli::args::ActivateArgs;
use crate::cli::gate::text::{Hints, Reason, first};
use crate::cli::gate::{Round, Rounds, choose, moved};
use crate::cli::site::Loaded;
use crate::cli::{Exit, Failure, Global, print};
use crate::gate::{Block, Blocks, Holds};
use crate::inventory::Workload;
use crate::ledger::snapshot::{RestoreState, SCHEMA};
use crate::ledger::{Ledger, LedgerError};
use crate::model::{CustomerId, Event, WorkloadId};

/// One workload of the document.
#[derive(Serialize)]
struct Line {
    schema: u32,
    workload: WorkloadId,
    customer: CustomerId,
    /// Is it switched on now?
    active: bool,
    /// Did this command do it?
    changed: bool,
    whys: Vec<Reason>,
}

/// Switches on, or back.
pub fn run(global: &Global, args: &ActivateArgs) -> Result<Exit, Failure> {
    let loaded = global.load()?;
    let ledger = global.open_ledger_beside()?;
    let chosen = choose(global, &loaded, &ledger, &args.what)?;
    let verb = if args.undo { "take back" } else { "activate" };
    print::confirm(global, verb, chosen.len(), "workloads")?;
    let lines = if args.undo {
        chosen.iter().map(|workload| undo(global, &ledger, workload)).collect()
    } else {
        activate(global, &loaded, &ledger, &chosen)
    }?;
    report(global, &lines, args.undo)?;
    let refused = lines.iter().any(|line| !line.whys.is_empty());
    Ok(if refused { Exit::Refused } else { Exit::Done })
}

fn activate(
    global: &Global,
    loaded: &Loaded,
    ledger: &Ledger,
    chosen: &[&Workload],
) -> Result<Vec<Line>, Failure> {
    let before = blocks(loaded, ledger, &global.holds_log().read()?)?;
    let blocked = |workload: &Workload| before.of_workload(workload, &loaded.inventory);
    let free: Vec<&Workload> =
        chosen.iter().copied().filter(|workload| blocked(workload).is_empty()).collect();
    let mut rounds = Rounds::new(global, loaded, ledger)?.ask(&free)?;
    // While this is decided, nobody sets a hold.
    let (marked, _) = global.holds_log().append(|holds| {
        let marked = blocks(loaded, ledger, holds).and_then(|blocks| {
            let mark = |round: &mut Round<'_>| {
                let found = blocks.of_workload(round.workload, &loaded.inventory);
                if found.is_empty() {
                    mark(global, ledger, round)
                } else {
                    Ok(shut(round.workload, &found))
                }
            };
            rounds.iter_mut().map(mark).collect::<Result<Vec<_>, _>>()
        });
        (Vec::new(), marked)
    })?;
    let mut marked = marked?.into_iter();
    let line = |workload: &&Workload| match blocked(workload) {
        found if found.is_empty() => marked.next().expect("each that is free was asked"),
        found => shut(workload, &found),
    };
    Ok(chosen.iter().map(line).collect())
}

fn blocks(loaded: &Loaded, ledger: &Ledger, holds: &Holds) -> Result<Blocks, Failure> {
    let places = ledger.places_written()?;
    Ok(Blocks::of(&loaded.inventory, holds, &places, ledger.is_confirmed()?))
}

fn shut(workload: &Workload, found: &[Block]) -> Line {
    line(workload, false, found.iter().map(Reason::of_block).collect())
}

fn line(workload: &Workload, changed: bool, whys: Vec<Reason>) -> Line {
    let (id, customer) = (workload.id.clone(), workload.customer.clone());
    let active = whys.is_empty();
    Line { schema: SCHEMA, workload: id, customer, active, changed, whys }
}

fn mark(global: &Global, ledger: &Ledger, round: &mut Round<'_>) -> Result<Line, Failure> {
    let was_on = round.state.restore == RestoreState::Active;
    moved(ledger, round, &global.by)?;
    let workload = round.workload;
    let whys = |round: &Round<'_>| {
        let whys = round.verdict.whys.iter();
        whys.map(|why| Reason::of_why(why, &workload.id)).collect::<Vec<_>>()
    };
    if was_on || !round.verdict.passes() {
        let whys = if was_on && !round.state.fails_its_checks() { Vec::new() } else { whys(round) };
        return Ok(line(workload, false, whys));
    }
    let pass = round.state.of_pass.unwrap_or_default();
    let event = Event::Activated { workload: workload.id.clone(), pass };
    match ledger.append(&event, &global.by) {
        Ok(()) => Ok(line(workload, true, Vec::new())),
        Err(LedgerError::Illegal(_)) => {
            let why = crate::gate::Why::NotRestored { is_writing: true };
            Ok(line(workload, false, vec![Reason::of_why(&why, &workload.id)]))
        }
        Err(error) => Err(error.into()),
    }
}

fn undo(global: &Global, ledger: &Ledger, workload: &Workload) -> Result<Line, Failure> {
    let event = Event::Deactivated { workload: workload.id.clone() };
    let changed = match ledger.append(&event, &global.by) {
        Ok(()) => true,
        Err(LedgerError::Illegal(_)) => false,
        Err(error) => return Err(error.into()),
    };
    Ok(Line { active: false, ..line(workload, changed, Vec::new()) })
}

fn report(global: &Global, lines: &[Line], undo: bool) -> Result<(), Failure> {
    let mut hints = Hints::default();
    for line in lines {
        if global.json {
            print::document(line)?;
            continue;
        }
        let id = &line.workload;
        let text = match (undo, line.changed, &line.whys[..]) {
            (true, true, _) => format!("off      {id}: not called online any more\n"),
            (true, false, _) => format!("off      {id}: it was not switched on\n"),
            (false, true, _) => format!("online   {id}\n"),
            (false, false, []) => format!("online   {id}: it was already\n"),
            (false, false, whys) => format!("refused  {id}: {}\n", first(whys)),
        };
        print::result(&text)?;
        hints.tell(&line.whys);
    }
    let online = lines.iter().filter(|line| line.active).count();
    if !global.json && online > 0 {
        print::tell("`evac gate --watch` keeps asking: what fails twice loses the word.");
    }
    Ok(())
}
