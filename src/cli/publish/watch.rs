//! `publish --watch`: keeps telling as figures change, reminds of the promised update, and raises
//! an alarm when it is late.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use super::{Made, make, say, tell};
use crate::cli::args::PublishArgs;
use crate::cli::failure::{Exit, Failure};
use crate::cli::print;
use crate::cli::site::Global;
use crate::ledger::snapshot::SCHEMA;
use crate::model::Timestamp;
use crate::publish::wanted::promise;

/// Between two beats; with two slow answers in a row still under a minute.
const BEAT: Duration = Duration::from_secs(10);
/// Beats between two looks for drift.
const DRIFT_EVERY: u32 = 30;

/// What was said of a promise already.
#[derive(Default)]
struct Said {
    reminded: Option<Timestamp>,
    alarmed: Option<Timestamp>,
    last: String,
}

/// Tells, until it is ended or has done its beats.
pub fn run(global: &Global, args: &PublishArgs) -> Result<Exit, Failure> {
    let pause = args.beat_ms.map_or(BEAT, Duration::from_millis);
    let (mut done, mut said) = (0, Said::default());
    loop {
        let exit = match beat(global, pause, done % DRIFT_EVERY == DRIFT_EVERY - 1, &mut said) {
            Ok(exit) => exit,
            // A slip in a file at 3 am must not end the watch; the first beat says it aloud.
            Err(failure) if done > 0 => {
                print::tell(&failure.to_string());
                failure.exit()
            }
            Err(failure) => return Err(failure),
        };
        done += 1;
        if args.beats.is_some_and(|beats| done >= beats) {
            return Ok(exit);
        }
        std::thread::sleep(pause);
    }
}

fn beat(global: &Global, pause: Duration, looks: bool, said: &mut Said) -> Result<Exit, Failure> {
    let made = make(global)?;
    let outcome = tell::tell(global, &made, pause)?;
    if global.json {
        print::document(&json!({
            "schema": SCHEMA,
            "as_of": made.snapshot.as_of,
            "destinations": outcome.told,
            "mail": outcome.mailed.as_ref().map(|it| &it.told),
            "held_back": outcome.held_back,
        }))?;
    } else {
        // Only what changes is worth a line.
        let mails = outcome.mailed.as_ref().map(|it| (&it.told.said, it.told.sent, &it.unreached));
        let now = format!("{:?} {:?} {mails:?}", lines(&outcome), outcome.held_back);
        if now != said.last {
            tell::report(&outcome);
            said.last = now;
        }
    }
    if looks {
        tell::report_drift(&tell::drift(global, &made)?);
    }
    remind(global, &made, said);
    Ok(outcome.exit)
}

fn lines(outcome: &tell::Outcome) -> Vec<(String, usize, usize, Option<String>)> {
    let line = |told: &crate::publish::desk::Told| {
        (told.id.clone(), told.waiting, told.refused, told.said.clone())
    };
    outcome.told.iter().map(line).collect()
}

/// Each promise is reminded of once, and once raised an alarm about.
fn remind(global: &Global, made: &Made, said: &mut Said) {
    let now = global.now();
    let Some(promise) = promise(&made.updates, now) else { return };
    let Some(line) = say::reminder(&made.updates, now) else { return };
    let is_late = promise.late > Duration::ZERO;
    let told = if is_late { &mut said.alarmed } else { &mut said.reminded };
    if told.replace(promise.by) == Some(promise.by) {
        return;
    }
    // The bell, for whoever does not look.
    print::tell(&format!("\u{7}{line}"));
    if let [program, arguments @ ..] = made.loaded.settings.publish.alarm.as_slice()
        && is_late
    {
        let mut command = Command::new(program);
        command.args(arguments).arg(&line).current_dir(&global.site).stdin(Stdio::null());
        match command.stdout(Stdio::null()).spawn() {
            Ok(mut alarm) => drop(std::thread::spawn(move || alarm.wait())),
            Err(error) => {
                print::tell(&format!("warning: the alarm `{program}` cannot be run: {error}"));
            }
        }
    }
}
