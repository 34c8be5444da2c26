//! `publish --watch`: keeps telling as figures change, reminds of the promised update, and raises
//! an alarm when it is late.
//!
//! A beat makes the page, writes down what is wanted, and sets everybody to work who is not at it
//! ([`super::shifts`]): it never waits for one that hangs.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use super::shifts::{Shifts, Wait};
use super::{Made, say, tell};
use crate::cli::args::PublishArgs;
use crate::cli::failure::{Exit, Failure};
use crate::cli::print;
use crate::cli::site::Global;
use crate::ledger::snapshot::SCHEMA;
use crate::model::Timestamp;
use crate::publish::wanted::promise;

/// Between two beats.
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
    let (mut done, mut said, mut shifts) = (0, Said::default(), Shifts::new(global));
    loop {
        let looks = done % DRIFT_EVERY == DRIFT_EVERY - 1;
        let is_last = args.beats.is_some_and(|beats| done + 1 >= beats);
        let wait = if is_last { Wait::Done } else { Wait::Notice };
        let exit = match beat(global, &mut shifts, (pause, wait), looks, &mut said) {
            Ok(exit) => exit,
            // A slip in a file at 3 am must not end the watch; the first beat says it aloud.
            Err(failure) if done > 0 => {
                print::tell(&failure.to_string());
                failure.exit()
            }
            Err(failure) => return Err(failure),
        };
        done += 1;
        if is_last {
            return Ok(exit);
        }
        std::thread::sleep(pause);
    }
}

fn beat(
    global: &Global,
    shifts: &mut Shifts<'_>,
    pace: (Duration, Wait),
    looks: bool,
    said: &mut Said,
) -> Result<Exit, Failure> {
    let made = shifts.make()?;
    let outcome = tell::tell_by(shifts, global, &made, pace)?;
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
        tell::drift_by(shifts, global, &made, pace.1)?;
    }
    tell::report_drift(&shifts.take_drift(&tell::places(global, &made)));
    remind(global, &made, said);
    Ok(outcome.exit)
}

type Line = (String, usize, usize, Option<String>, Option<&'static str>);

fn lines(outcome: &tell::Outcome) -> Vec<Line> {
    let line = |told: &crate::publish::desk::Told| {
        (told.id.clone(), told.waiting, told.refused, told.said.clone(), told.waits_for)
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
