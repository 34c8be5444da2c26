//! `gate --baseline`: the same questions to the machines everything was taken from, while they
//! live. What fails there already is said later, and keeps nothing back.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::Rounds;
use crate::cli::site::Loaded;
use crate::cli::{Exit, Failure, Global, print};
use crate::gate::{Question, of_source};
use crate::inventory::{Host, Workload};
use crate::ledger::snapshot::SCHEMA;
use crate::ledger::{Answered, Ledger, Outcome, Side};
use crate::model::{HostId, WorkloadId};

/// A source that takes no connection in this time is not there.
const ALIVE_WITHIN: Duration = Duration::from_secs(5);

/// One workload of the document.
#[derive(Serialize)]
struct Line<'a> {
    schema: u32,
    workload: &'a WorkloadId,
    side: Side,
    /// Does its host answer at all? Else nothing is asked, and nothing is kept.
    source_alive: bool,
    /// Checks that cannot be asked of a source.
    not_asked: usize,
    checks: &'a [Answered],
}

/// Asks.
pub fn run(
    global: &Global,
    loaded: &Loaded,
    ledger: &Ledger,
    chosen: &[&Workload],
) -> Result<Exit, Failure> {
    let rounds = Rounds::new(global, loaded, ledger)?;
    let mut alive: BTreeMap<&HostId, bool> = BTreeMap::new();
    let is_alive = |host: &Host| -> bool {
        // One behind another machine is not dialled from here.
        host.jump.is_none() && rounds.asker.is_alive(&host.address, host.port, ALIVE_WITHIN)
    };
    let mut questions: Vec<Question> = Vec::new();
    let mut asked: Vec<(&Workload, bool, usize)> = Vec::new();
    for workload in chosen.iter().filter(|workload| !workload.checks.list.is_empty()) {
        let Some(host) = loaded.inventory.host(&workload.host) else { continue };
        let lives = *alive.entry(&workload.host).or_insert_with(|| is_alive(host));
        let mut own = if lives { of_source(workload, host) } else { Vec::new() };
        asked.push((workload, lives, own.len()));
        questions.append(&mut own);
    }
    let mut answers = rounds.asker.ask_all(&questions).into_iter();
    let mut all_alive = true;
    for (workload, lives, count) in asked {
        let answers: Vec<Answered> = answers.by_ref().take(count).collect();
        ledger.note_answers(&workload.id, Side::Source, &answers)?;
        all_alive &= lives;
        tell(global, workload, lives, &answers)?;
    }
    Ok(if all_alive { Exit::Done } else { Exit::Failed })
}

fn tell(
    global: &Global,
    workload: &Workload,
    source_alive: bool,
    checks: &[Answered],
) -> Result<(), Failure> {
    let id = &workload.id;
    let not_asked = workload.checks.list.len() - checks.len();
    if global.json {
        let (schema, side) = (SCHEMA, Side::Source);
        let line = Line { schema, workload: id, side, source_alive, not_asked, checks };
        return print::document(&line);
    }
    if !source_alive {
        return print::result(&format!(
            "{id}: host/{} takes no connection from here: nothing is said of before\n",
            workload.host
        ));
    }
    for check in checks {
        let word = match check.outcome {
            Outcome::Passed => "works there",
            Outcome::Failed => "fails there already, and will keep nothing back",
            Outcome::TimedOut | Outcome::Unknown => "nobody can say",
        };
        print::result(&format!("{id}: {word}: {} ({})\n", check.asked, check.said))?;
    }
    if not_asked > 0 {
        let count = print::counted(not_asked, "check");
        print::result(&format!("{id}: {count} cannot be asked of the source\n"))?;
    }
    Ok(())
}
