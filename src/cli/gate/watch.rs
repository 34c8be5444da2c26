//! `gate --watch`: a slow beat that keeps asking what is switched on. What fails twice in a row is
//! no longer called online, and is again by a pass only.
//!
//! Files are read anew at every beat, and a run may begin and end meanwhile. One watcher a site:
//! two would count one failure twice.

use std::fs::OpenOptions;

use rustix::fs::FlockOperation;

use super::{Round, Rounds, choose, moved};
use crate::cli::args::GateArgs;
use crate::cli::failure::shown;
use crate::cli::{Exit, Failure, Global, print};
use crate::gate::decide::Beat;
use crate::inventory::Workload;
use crate::ledger::Ledger;
use crate::ledger::snapshot::{RestoreState, SCHEMA};
use crate::model::Span;

/// Held by the one that watches.
const LOCK_FILE: &str = "gate.lock";

/// Watches, until it is ended or has done its beats.
pub fn run(global: &Global, args: &GateArgs) -> Result<Exit, Failure> {
    let path = global.make_state()?.join(LOCK_FILE);
    let mut options = OpenOptions::new();
    let opened = options.write(true).create(true).truncate(false).open(&path);
    let file = opened.map_err(|error| Failure::io("open", &path, &error))?;
    if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        let failure = Failure::refused(format!("somebody watches already ({})", shown(&path)));
        return Err(failure.hint("One is enough; end that one first."));
    }
    let mut done = 0;
    loop {
        let pause = match beat(global, args) {
            Ok(pause) => pause,
            // A slip in a file at 3 am must not end the watch; the first beat says it aloud.
            Err(failure) if done > 0 => {
                print::tell(&failure.to_string());
                crate::inventory::settings::DEFAULT_BEAT
            }
            Err(failure) => return Err(failure),
        };
        done += 1;
        if args.beats.is_some_and(|beats| done >= beats) {
            return Ok(Exit::Done);
        }
        std::thread::sleep(pause.0);
    }
}

/// One beat; says how long until the next.
fn beat(global: &Global, args: &GateArgs) -> Result<Span, Failure> {
    let loaded = global.load()?;
    let ledger = global.open_ledger_beside()?;
    let chosen = on(&ledger, choose(global, &loaded, &ledger, &args.what)?)?;
    let mut done = Rounds::new(global, &loaded, &ledger)?.ask(&chosen)?;
    for round in &mut done {
        moved(&ledger, round, &global.by)?;
        tell(global, round)?;
    }
    Ok(loaded.settings.beat)
}

fn on<'a>(ledger: &Ledger, chosen: Vec<&'a Workload>) -> Result<Vec<&'a Workload>, Failure> {
    let mut on = Vec::new();
    for workload in chosen {
        if ledger.state(&workload.id)?.restore == RestoreState::Active {
            on.push(workload);
        }
    }
    Ok(on)
}

/// Only what changes is worth a line.
fn tell(global: &Global, round: &Round<'_>) -> Result<(), Failure> {
    let id = &round.workload.id;
    let (word, why) = match &round.beat {
        Beat::Stays => return Ok(()),
        Beat::TakenBack(why) => ("not online any more", why.as_str()),
        Beat::GivenBack => ("online again", "its checks pass"),
    };
    if global.json {
        return print::document(&serde_json::json!({
            "schema": SCHEMA,
            "workload": id,
            "beat": if round.beat == Beat::GivenBack { "given_back" } else { "taken_back" },
            "why": why,
        }));
    }
    print::result(&format!("{} {id}: {word}: {why}\n", global.now()))
}
