//! The only way out to stdout and stderr.
//!
//! **Promise.** A reader that went away (`evac status | head -1`) is no failure and no panic; any
//! other failure to write a result is one.

use std::io::{self, ErrorKind, IsTerminal as _, Write as _};

use serde::Serialize;

use crate::cli::{Failure, Global};
use crate::term::Style;

/// Commands that would work on more than this ask first.
const BULK_MIN: usize = 20;

/// Prints a result on stdout, as it is.
pub fn result(text: &str) -> Result<(), Failure> {
    is_read(text).map(|_| ())
}

/// The same; says whether somebody still reads.
pub fn is_read(text: &str) -> Result<bool, Failure> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::failed("cannot write the result").because(&error)),
        Ok(()) => Ok(true),
    }
}

/// Prints a document on stdout, as one line.
pub fn document(document: &impl Serialize) -> Result<(), Failure> {
    result(&line(document)?)
}

/// A document as one line.
pub fn line(document: &impl Serialize) -> Result<String, Failure> {
    let line = serde_json::to_string(document)
        .map_err(|error| Failure::internal("cannot make the document").because(&error))?;
    Ok(line + "\n")
}

/// Tells people something on stderr, a line or several.
pub fn tell(text: &str) {
    // Without a stderr there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "{}", text.trim_end_matches('\n'));
}

/// How results look on stdout.
pub fn style() -> Style {
    Style::new(io::stdout().is_terminal(), std::env::var_os("NO_COLOR").as_deref())
}

/// `1 host`, `2 hosts`.
pub fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Asks before `count` of `kind` are worked on at once, where that is many. `verb` and `kind`
/// make the question: "restore 31 workloads?".
pub fn confirm(global: &Global, verb: &str, count: usize, kind: &str) -> Result<(), Failure> {
    if count <= BULK_MIN || global.yes {
        return Ok(());
    }
    let question = format!("{verb} {count} {kind}");
    if !io::stdin().is_terminal() {
        let refused = Failure::refused(format!("would {question}, and nobody is here to ask"));
        return Err(refused.hint("Add --yes when that is meant."));
    }
    tell(&format!("About to {question}. Type yes to go on:"));
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer);
    match (read, answer.trim()) {
        (Ok(_), "yes" | "y") => Ok(()),
        _ => Err(Failure::refused("not confirmed, nothing was done")),
    }
}
