//! Programs of others, which may never end: git, hooks, what prints a secret.
//!
//! **Promise.** A program is ended when its time is over, with everything in its process group
//! where it has one of its own, and what it says is bounded.

use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, getpgid, kill_process_group};

use crate::model::{Clock as _, SystemClock};

const NAP: Duration = Duration::from_millis(20);
/// What a program that ended has said is there; something it left behind may hold the pipe.
const SAID_WITHIN: Duration = Duration::from_millis(500);
const SAID_BYTES_MAX: u64 = 1 << 20;

/// Runs it without input; `None`: it did not end in time.
pub fn run(mut command: Command, within: Duration) -> io::Result<Option<Output>> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let (stdout, stderr) = (said(child.stdout.take()), said(child.stderr.take()));
    let Some(status) = wait(&mut child, within) else { return Ok(None) };
    let said = |from: Receiver<Vec<u8>>| from.recv_timeout(SAID_WITHIN).unwrap_or_default();
    Ok(Some(Output { status, stdout: said(stdout), stderr: said(stderr) }))
}

/// Its end; `None`: it and its process group had to be killed.
pub fn wait(child: &mut Child, within: Duration) -> Option<ExitStatus> {
    // A watch of its own: whoever sets the clock does not end a program.
    let clock = SystemClock::default();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if clock.elapsed() < within => std::thread::sleep(NAP),
            _ => break,
        }
    }
    let own = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // It may end at this very moment.
    match own.filter(|own| getpgid(Some(*own)) == Ok(*own)) {
        Some(group) => drop(kill_process_group(group, Signal::KILL)),
        None => drop(child.kill()),
    }
    let _ = child.wait();
    None
}

/// Reads to the end, so that it never waits for us, and keeps the beginning.
fn said(from: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (tell, told) = sync_channel(1);
    if let Some(mut from) = from {
        std::thread::spawn(move || {
            let mut kept = Vec::new();
            let _ = from.by_ref().take(SAID_BYTES_MAX).read_to_end(&mut kept);
            let _ = tell.send(kept);
            let _ = io::copy(&mut from, &mut io::sink());
        });
    }
    told
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;

    use super::*;

    #[test]
    fn what_does_not_end_is_ended_with_what_it_started() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 600 & wait"]).process_group(0);
        let began = SystemClock::default();
        assert!(run(command, Duration::from_millis(100)).unwrap().is_none());
        assert!(began.elapsed() < Duration::from_secs(60));
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        let done = run(command, Duration::from_secs(60)).unwrap().unwrap();
        assert_eq!((done.status.code(), &*done.stdout), (Some(3), &b"out\n"[..]));
    }
}
