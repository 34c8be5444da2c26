//! How the commands that steer get their word through: to the run, if one goes on, else into the
//! ledger, where the next run finds it.
//!
//! **Promise.** A run that begins or ends meanwhile loses no word: whoever has the state takes it.

use std::time::Duration;

use crate::cli::failure::Kind;
use crate::cli::{Failure, Global};
use crate::ledger::lock::LockError;
use crate::ledger::{Ledger, StateLock};
use crate::run::control::{self, Ask, ControlError, Request, Said};

/// How long a command waits for a run to listen, or for another command to be through.
const PATIENCE: Duration = Duration::from_secs(15);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// What was answered, and by whom.
pub struct Heard {
    /// What.
    pub said: Said,
    /// Did a run that goes on say so?
    pub by_run: bool,
}

/// Says `ask` to the run; where none goes on, `alone` does it with the ledger.
pub fn say(
    global: &Global,
    ask: &Ask,
    alone: impl Fn(&Ledger) -> Result<Said, Failure>,
) -> Result<Heard, Failure> {
    let state = global.make_state()?;
    let request = Request::new(&global.by, ask.clone());
    let began = global.clock.elapsed();
    loop {
        match control::ask(&state, &request) {
            // The lock comes free in a moment, and then the ledger takes it.
            Ok(answer) if answer.said == Said::Over => {}
            Err(ControlError::Io { source, .. }) if is_cut(&source) => {}
            Ok(answer) => return refused(Heard { said: answer.said, by_run: true }),
            Err(ControlError::Nobody { .. }) => {}
            Err(error) => {
                let failure = Failure::of(Kind::Failed, &error);
                return Err(failure.hint("`evac status` shows whether it was done; try again."));
            }
        }
        match StateLock::acquire(&state, &global.by, global.now()) {
            Ok(lock) => {
                let said = alone(&global.open_ledger(&lock)?)?;
                return refused(Heard { said, by_run: false });
            }
            Err(LockError::Held { holder, .. })
                if global.clock.elapsed().saturating_sub(began) >= PATIENCE =>
            {
                let who =
                    holder.map_or_else(|| "a process".into(), |it| format!("process {}", it.pid));
                let what = format!("{who} has the state, and it cannot be steered");
                let hint = "Only a run can be, once it dials hosts; wait for it, or try again.";
                return Err(Failure::refused(what).hint(hint));
            }
            Err(LockError::Held { .. }) => std::thread::sleep(PAUSE),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Did the run end before it answered? What it had written down of steering then counts once all
/// the same, and a note is better there twice than not at all.
fn is_cut(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
}

fn refused(heard: Heard) -> Result<Heard, Failure> {
    match heard.said {
        Said::Refused { why } => {
            let failure = Failure::refused(format!("the run says no: {why}"));
            Err(failure.hint("Nothing was done; the same command tries again."))
        }
        said => Ok(Heard { said, ..heard }),
    }
}

/// An answer to another question.
pub fn astray() -> Failure {
    Failure::failed("the run answered something else")
        .hint("It may be another version of evac; `evac status` shows where things stand.")
}
