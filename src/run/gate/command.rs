//! A program of one's own, as monitoring plugins are: no shell, no input, an exit code.
//!
//! | exit code | means |
//! |---|---|
//! | 0 | passed |
//! | 1 | a warning: not passed, unless the check says `warning_passes = true` |
//! | 2 | critical: not passed |
//! | all else, and a signal | nobody can say: not passed |
//!
//! **Promise.** It and everything it started in its process group is ended when its time is over.

use std::io::{Read as _, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::Said;
use crate::ledger::Outcome;
use crate::model::Clock;

/// What is kept of its output.
const OUTPUT_BYTES_MAX: u64 = 4096;
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// Its output may be held open by something that left its process group.
const OUTPUT_WAIT: Duration = Duration::from_millis(500);

/// Runs it.
pub fn ask(argv: &[String], warning_passes: bool, within: Duration, clock: &dyn Clock) -> Said {
    let Some((program, arguments)) = argv.split_first() else {
        return (Outcome::Unknown, "no program is named".to_owned());
    };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = match command.process_group(0).spawn() {
        Ok(child) => child,
        Err(error) => return (Outcome::Unknown, format!("it cannot be started: {error}")),
    };
    let output = first_line(&mut child);
    let ended = wait(&mut child, within, clock);
    let line = output.recv_timeout(OUTPUT_WAIT).unwrap_or_default();
    let (outcome, exit) = match ended {
        None => return (Outcome::TimedOut, format!("it was ended after {} s", within.as_secs())),
        Some(status) => judge(status, warning_passes),
    };
    (outcome, if line.is_empty() { exit } else { format!("{exit}: {line}") })
}

/// Runs it to tell it something: `about` in its environment, `input` on its stdin. Only 0 is heard.
pub(in crate::run) fn tell(
    argv: &[String],
    about: &[(&str, &str)],
    input: &[u8],
    within: Duration,
    clock: &dyn Clock,
) -> Result<(), String> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err("no program is named".to_owned());
    };
    let mut command = Command::new(program);
    command.args(arguments).envs(about.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let spawned = command.process_group(0).spawn();
    let mut child = spawned.map_err(|error| format!("it cannot be started: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        let input = input.to_vec();
        // It need not read, and may hold the pipe open for as long as it likes.
        std::thread::spawn(move || stdin.write_all(&input));
    }
    match wait(&mut child, within, clock) {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(format!("it ended with {status}")),
        None => Err(format!("it was ended after {} s", within.as_secs())),
    }
}

fn judge(status: ExitStatus, warning_passes: bool) -> Said {
    let outcome = match status.code() {
        Some(0) => Outcome::Passed,
        Some(1) if warning_passes => Outcome::Passed,
        Some(1 | 2) => Outcome::Failed,
        _ => Outcome::Unknown,
    };
    let exit = match (status.code(), status.signal()) {
        (Some(0), _) => "ok".to_owned(),
        (Some(1), _) => "warning".to_owned(),
        (Some(2), _) => "critical".to_owned(),
        (Some(code), _) => format!("unknown, exit code {code}"),
        (None, signal) => format!("ended by signal {}", signal.unwrap_or(0)),
    };
    (outcome, exit)
}

/// `None`: its time was over, and it was killed.
fn wait(child: &mut Child, within: Duration, clock: &dyn Clock) -> Option<ExitStatus> {
    let began = clock.elapsed();
    let mut ended = None;
    while ended.is_none() && clock.elapsed().saturating_sub(began) < within {
        ended = child.try_wait().ok().flatten();
        if ended.is_none() {
            std::thread::sleep(LOOK);
        }
    }
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(group) = group.filter(|_| ended.is_none()) {
        // It may end at this very moment.
        let _ = kill_process_group(group, Signal::KILL);
        let _ = child.wait();
    }
    ended
}

/// Reads to the end, so that it never waits for us, and keeps the first line.
fn first_line(child: &mut Child) -> mpsc::Receiver<String> {
    let (tell, told) = mpsc::channel();
    if let Some(mut output) = child.stdout.take() {
        std::thread::spawn(move || {
            let mut kept = Vec::new();
            let _ = output.by_ref().take(OUTPUT_BYTES_MAX).read_to_end(&mut kept);
            let line = kept.split(|byte| *byte == b'\n').next().unwrap_or_default();
            let _ = tell.send(String::from_utf8_lossy(line).trim().to_owned());
            let _ = std::io::copy(&mut output, &mut std::io::sink());
        });
    }
    told
}
