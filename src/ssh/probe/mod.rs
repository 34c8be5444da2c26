//! What kind of machine this is, found by one POSIX shell script (`probe.sh`).
//!
//! # Format
//!
//! The script's answer stands between the lines `EVAC-PROBE-BEGIN` and `EVAC-PROBE-END`; login
//! scripts may say anything before the first. In between, lines of `key=value`:
//!
//! | key | value |
//! |---|---|
//! | `system`, `machine`, `kernel`, `hostname` | as uname says; the first two must be there |
//! | `uid` | a number; must be there |
//! | `clock_s`, `cpus`, `memory_kib` | numbers |
//! | `machine_id`, `root_fs` | words |
//! | `root` | `already`, `sudo`, or `no` and what sudo said; must be there |
//! | `tool` | a name; any number of lines |
//! | `folder` | `runs`, `noexec` or `unwritable`, free KiB, file system, path; any number |
//!
//! **Promises.** At most [`ANSWER_BYTES_MAX`] are taken; at most [`LINES_MAX`] lines of at most
//! [`LINE_BYTES_MAX`] are read. A key given twice, a number that is none, a missing end: the answer
//! is refused as a whole. Unknown keys are passed over. Everything kept is printable.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use bytes::Bytes as Buffer;

use super::sudo::NO_TERMINAL;
use super::{Connection, Exit, Output, Refusal, SshError};
use crate::model::Bytes;
use crate::model::text::{bounded, printable};

/// More than this is no answer.
pub const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Lines between the markers.
pub const LINES_MAX: usize = 256;
/// Length of one.
pub const LINE_BYTES_MAX: usize = 1024;

/// Any login shell can start it.
const SHELL: &str = "sh -s";
const SCRIPT: &str = include_str!("probe.sh");
const BEGIN: &[u8] = b"EVAC-PROBE-BEGIN";
const END: &[u8] = b"EVAC-PROBE-END";

/// How we become root over there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Root {
    /// The login is root's.
    Already,
    /// `sudo -n` works.
    Sudo,
    /// sudo works with the password that [`super::Means`] names.
    SudoPassword,
    /// sudo works on a terminal only.
    SudoTerminal,
    /// Not at all; this is what sudo said.
    No(String),
}

/// What came of running a small file in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runs {
    /// It ran.
    Yes,
    /// It was written but did not run.
    NoExec,
    /// It could not be written.
    Unwritable,
}

/// A folder that might take the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Its absolute path.
    pub path: String,
    /// Kind of file system, as stat names it.
    pub file_system: String,
    /// Free space.
    pub free: Bytes,
    /// Does a program run from it?
    pub runs: Runs,
}

/// What a machine said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// `Linux`, elsewhere something else.
    pub system: String,
    /// `x86_64`, `aarch64`…
    pub machine: String,
    /// Version of the kernel.
    pub kernel: String,
    /// The name it has for itself.
    pub hostname: String,
    /// Whom we are logged in as.
    pub uid: u32,
    /// Its clock, seconds since 1970.
    pub clock_s: Option<i64>,
    /// Processors.
    pub cpus: Option<u32>,
    /// Memory.
    pub memory: Option<Bytes>,
    /// `/etc/machine-id`; clones share it.
    pub machine_id: Option<String>,
    /// File system of `/`: `overlay`, `tmpfs`, `squashfs` or `nfs` speak of a rescue system or a
    /// container.
    pub root_fs: Option<String>,
    /// How we become root.
    pub root: Root,
    /// Programs found.
    pub tools: BTreeSet<String>,
    /// Candidates for the agent, best first.
    pub folders: Vec<Folder>,
}

/// Why an answer is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// A marker is missing.
    #[error("the probe's answer has no beginning or no end")]
    Unframed,
    /// Too many lines, or one too long.
    #[error("the probe's answer is longer than anything a host has to say")]
    TooLong,
    /// A line is not `key=value`, or its value cannot be.
    #[error("the probe's answer has the line `{0}`")]
    BadLine(String),
    /// A key came twice.
    #[error("the probe's answer says `{0}` twice")]
    Twice(String),
    /// Something that every machine has is missing.
    #[error("the probe's answer does not say `{0}`")]
    Missing(&'static str),
}

/// Runs the probe; where sudo wants a terminal, or a password that there is, once more as root.
pub async fn probe(connection: &Connection) -> Result<Facts, SshError> {
    let script = || Buffer::from_static(SCRIPT.as_bytes());
    let output = connection.run(SHELL, script(), ANSWER_BYTES_MAX).await?;
    let facts = read(connection, &output)?;
    let Root::No(said) = &facts.root else { return Ok(facts) };
    let root = if said.contains(NO_TERMINAL) {
        Root::SudoTerminal
    } else if connection.has_sudo_password() && said.contains("password") {
        Root::SudoPassword
    } else {
        return Ok(facts);
    };
    let output = connection.run_as(&root, SHELL, script(), ANSWER_BYTES_MAX).await?;
    let as_root = read(connection, &output)?;
    if as_root.root != Root::Already {
        return Err(connection.no_root(&format!("it makes us user {}", as_root.uid)));
    }
    Ok(Facts { root, uid: facts.uid, ..as_root })
}

fn read(connection: &Connection, output: &Output) -> Result<Facts, SshError> {
    parse(&output.stdout).map_err(|error| {
        let host = connection.host().to_owned();
        let has_begun = output.stdout.windows(BEGIN.len()).any(|window| window == BEGIN);
        if error == ProbeError::Unframed && !has_begun {
            return no_command(connection, output).into();
        }
        let why = match (&output.exit, output.stderr.is_empty()) {
            (Exit::Code(0), true) => error.to_string(),
            (exit, _) => format!("{error} ({exit}: {})", bounded(&output.stderr, 300)),
        };
        SshError::Nonsense { host, why }
    })
}

/// What was asked to run did not: a login for something else, or one with a new password to set.
fn no_command(connection: &Connection, output: &Output) -> Refusal {
    let (host, user) = (connection.host().to_owned(), connection.user().to_owned());
    let words = format!("{} {}", output.stderr, printable(&output.stdout));
    let words = bounded(&words.split_whitespace().collect::<Vec<_>>().join(" "), 200);
    let said = if words.is_empty() { output.exit.to_string() } else { words };
    let lower = said.to_lowercase();
    let speaks_of_change = lower.contains("expired") || lower.contains("change");
    if lower.contains("password") && speaks_of_change {
        return Refusal::PasswordExpired { host, user, said };
    }
    Refusal::NoExec { host, user, said }
}

/// Reads the script's answer.
pub fn parse(answer: &[u8]) -> Result<Facts, ProbeError> {
    let mut once: BTreeMap<String, String> = BTreeMap::new();
    let (mut tools, mut folders) = (BTreeSet::new(), Vec::new());
    for line in framed(answer)? {
        let bad = || ProbeError::BadLine(bounded(line, 80));
        let (key, value) = line.split_once('=').ok_or_else(bad)?;
        match key {
            "tool" => {
                tools.insert(bounded(value, 40));
            }
            "folder" => folders.extend(folder(value)?),
            _ if once.contains_key(key) => return Err(ProbeError::Twice(bounded(key, 40))),
            _ => {
                once.insert(key.to_owned(), bounded(value.trim(), 256));
            }
        }
    }
    let mut fields = Fields(once);
    Ok(Facts {
        system: fields.needed("system")?,
        machine: fields.needed("machine")?,
        kernel: fields.text("kernel").unwrap_or_default(),
        hostname: fields.text("hostname").unwrap_or_default(),
        uid: fields.number("uid")?.ok_or(ProbeError::Missing("uid"))?,
        clock_s: fields.number("clock_s")?,
        cpus: fields.number("cpus")?,
        memory: fields.number("memory_kib")?.map(|kib: u64| Bytes(kib.saturating_mul(1024))),
        machine_id: fields.text("machine_id"),
        root_fs: fields.text("root_fs"),
        root: match fields.needed("root")?.as_str() {
            "already" => Root::Already,
            "sudo" => Root::Sudo,
            no => Root::No(no.strip_prefix("no").unwrap_or(no).trim().to_owned()),
        },
        tools,
        folders,
    })
}

/// The lines between the last beginning and the end after it. The last, since a login script that
/// traces itself shows the first.
fn framed(answer: &[u8]) -> Result<Vec<&str>, ProbeError> {
    let lines: Vec<&[u8]> = answer.split(|byte| *byte == b'\n').collect();
    let begin = lines.iter().rposition(|line| *line == BEGIN).ok_or(ProbeError::Unframed)?;
    let after = &lines[begin + 1..];
    let end = after.iter().position(|line| *line == END).ok_or(ProbeError::Unframed)?;
    if end > LINES_MAX {
        return Err(ProbeError::TooLong);
    }
    let mut found = Vec::new();
    for line in &after[..end] {
        if line.len() > LINE_BYTES_MAX {
            return Err(ProbeError::TooLong);
        }
        let text = std::str::from_utf8(line).map_err(|_| {
            ProbeError::BadLine(crate::model::text::printable(&line[..40.min(line.len())]))
        })?;
        if !text.is_empty() {
            found.push(text);
        }
    }
    Ok(found)
}

/// `STATE KIB KIND PATH`. A path no shell command should carry makes the folder useless, not the
/// answer.
fn folder(value: &str) -> Result<Option<Folder>, ProbeError> {
    let bad = || ProbeError::BadLine(bounded(&format!("folder={value}"), 80));
    let mut words = value.splitn(4, ' ');
    let mut word = || words.next().ok_or_else(bad);
    let runs = match word()? {
        "runs" => Runs::Yes,
        "noexec" => Runs::NoExec,
        "unwritable" => Runs::Unwritable,
        _ => return Err(bad()),
    };
    let free = Bytes(word()?.parse::<u64>().map_err(|_| bad())?.saturating_mul(1024));
    let file_system = bounded(word()?, 40);
    let path = word()?.to_owned();
    let plain = |c: char| c.is_ascii_graphic() || c == ' ';
    let usable = path.starts_with('/') && path.chars().all(plain);
    Ok(usable.then_some(Folder { path, file_system, free, runs }))
}

/// Keys that come once.
struct Fields(BTreeMap<String, String>);

impl Fields {
    fn text(&mut self, key: &str) -> Option<String> {
        self.0.remove(key).filter(|text| !text.is_empty())
    }

    fn needed(&mut self, key: &'static str) -> Result<String, ProbeError> {
        self.text(key).ok_or(ProbeError::Missing(key))
    }

    fn number<T: FromStr>(&mut self, key: &str) -> Result<Option<T>, ProbeError> {
        let Some(text) = self.text(key) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| ProbeError::BadLine(format!("{key}={text}")))
    }
}

#[cfg(test)]
mod tests;
