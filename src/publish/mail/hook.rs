//! A program instead of a relay: a gateway for text messages, a ticket system. One call a message,
//! which stands as JSON on its standard input.
//!
//! It says by its exit code what became of it: 0 taken; 69 or 75 (`EX_UNAVAILABLE`, `EX_TEMPFAIL`)
//! later; anything else no. Whoever is ended by a signal, or after a minute, may have taken it.

use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{ChildStderr, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use serde::Serialize;

use crate::model::text::bounded;
use crate::publish::mail::queue::Verdict;
use crate::publish::program;

/// Longer takes no call.
const WITHIN: Duration = Duration::from_secs(60);
const LATER: [i32; 2] = [69, 75];
const SAID_BYTES_MAX: usize = 2_048;
/// What a program that ended has said is there.
const SAID_WITHIN: Duration = Duration::from_millis(100);
const SAID_CHARS_MAX: usize = 200;

/// What the program reads. Fields are added, never changed.
#[derive(Debug, Serialize)]
pub(super) struct Call<'a> {
    pub(super) schema: u32,
    /// The same for a copy.
    pub(super) id: &'a str,
    /// Of the customer's first message.
    pub(super) thread: Option<&'a str>,
    pub(super) customer: &'a str,
    pub(super) moment: &'a str,
    pub(super) language: &'a str,
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    pub(super) subject: &'a str,
    pub(super) text: &'a str,
    /// The customer's own page, else everybody's.
    pub(super) link: Option<&'a str>,
}

/// Runs the program in the folder of the site.
pub(super) fn call(words: &[String], call: &Call<'_>, site: &Path) -> Verdict {
    let [program, arguments @ ..] = words else {
        return Verdict::NoRelay { said: "`command` names no program".to_owned() };
    };
    let mut command = Command::new(program);
    command.args(arguments).current_dir(site);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    // What it started ends with it.
    let mut child = match command.process_group(0).spawn() {
        Ok(child) => child,
        Err(error) => {
            return Verdict::NoRelay { said: format!("`{program}` cannot be run: {error}") };
        }
    };
    let json = serde_json::to_vec(call).expect("calls have string keys");
    let input = child.stdin.take();
    // It need not read what it does not want, and must not keep us waiting for that.
    let writer = std::thread::spawn(move || input.map(|mut input| input.write_all(&json)));
    let errors = child.stderr.take().map(read_errors);
    let ended = program::wait(&mut child, WITHIN);
    let said = errors.map(said).unwrap_or_default();
    drop(writer);
    let said = if said.is_empty() { said } else { format!(": {said}") };
    let why = |what: String| format!("`{program}` {what}{said}");
    match ended.map(|status| (status, status.code())) {
        Some((_, Some(0))) => Verdict::Accepted { said: why("took it".to_owned()) },
        Some((_, Some(code))) if LATER.contains(&code) => {
            Verdict::Later { said: why(format!("takes it later ({code})")) }
        }
        Some((_, Some(code))) => Verdict::Refused { said: why(format!("failed ({code})")) },
        Some((status, None)) => Verdict::Unsure { said: why(format!("was ended ({status})")) },
        None => Verdict::Unsure { said: why("did not end in time".to_owned()) },
    }
}

/// A grandchild may hold the pipe for ever: pieces come as they come.
fn read_errors(mut errors: ChildStderr) -> Receiver<Vec<u8>> {
    let (sender, receiver) = sync_channel(1);
    std::thread::spawn(move || {
        let mut bytes = [0_u8; SAID_BYTES_MAX];
        while let Ok(length @ 1..) = errors.read(&mut bytes) {
            // The rest is read too, or the program would wait for us.
            let _ = sender.try_send(bytes[..length].to_vec());
        }
    });
    receiver
}

fn said(errors: Receiver<Vec<u8>>) -> String {
    let first = errors.recv_timeout(SAID_WITHIN).unwrap_or_default();
    bounded(String::from_utf8_lossy(&first).trim(), SAID_CHARS_MAX)
}
