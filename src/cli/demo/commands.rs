//! The commands of this very binary, as a person would type them, with `--json` to read what came
//! of it. Nothing else is done to the site: the demonstration has no way of its own.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::de::DeserializeOwned;

use crate::cli::Failure;
use crate::cli::failure::shown;

/// Lines of what a failed command said that are repeated.
const SAID_LINES_MAX: usize = 6;

/// Runs commands on one site.
pub struct Commands {
    site: PathBuf,
    /// What each command says to people lies here, numbered.
    logs: PathBuf,
    count: u32,
}

impl Commands {
    /// For `site`, with a log of each command in `logs`.
    pub fn new(site: &Path, logs: &Path) -> Self {
        Self { site: site.to_owned(), logs: logs.to_owned(), count: 0 }
    }

    /// Runs a command that prints one document.
    pub fn one<T: DeserializeOwned>(&mut self, arguments: &[&str]) -> Result<T, Failure> {
        let mut last = None;
        self.each(arguments, &mut |document| last = Some(document))?;
        last.ok_or_else(|| Failure::internal(format!("evac {} printed nothing", arguments[0])))
    }

    /// Runs a command that prints a document a line, and hands over each as it comes. Anything but
    /// exit code 0 is a failure.
    pub fn each<T: DeserializeOwned>(
        &mut self,
        arguments: &[&str],
        take: &mut dyn FnMut(T),
    ) -> Result<(), Failure> {
        self.count += 1;
        let name = arguments[0];
        let log = self.logs.join(format!("{:02}-{name}.log", self.count));
        let fail = |error: std::io::Error| {
            Failure::failed(format!("cannot run evac {name}")).because(&error)
        };
        let mut command = Command::new("/proc/self/exe");
        command
            .arg0("evac")
            .arg("--site")
            .arg(&self.site)
            .args(["--as", "demo", "--json", "--yes"]);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(File::create(&log).map_err(fail)?);
        // Nothing of the user's own surroundings: neither his site nor his keys.
        for name in ["EVAC_SITE", "EVAC_OPERATOR", "SSH_AUTH_SOCK"] {
            command.env_remove(name);
        }
        let mut child = command.spawn().map_err(fail)?;
        let stdout = child.stdout.take().expect("standard output was piped");
        let mut strange = None;
        for line in BufReader::new(stdout).lines() {
            let line = line.map_err(fail)?;
            match serde_json::from_str(&line) {
                Ok(document) => take(document),
                Err(error) => strange = strange.or(Some(error)),
            }
        }
        let status = child.wait().map_err(fail)?;
        if !status.success() {
            let what = format!("evac {} ended with {status}", arguments.join(" "));
            return Err(said(Failure::failed(what), &log));
        }
        match strange {
            Some(error) => {
                Err(Failure::internal(format!("evac {name} printed no such document"))
                    .because(&error))
            }
            None => Ok(()),
        }
    }
}

/// A failure with the last lines of a log, and where it is.
fn said(mut failure: Failure, log: &Path) -> Failure {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(SAID_LINES_MAX)..];
    failure.causes = last.iter().map(|line| (*line).to_owned()).collect();
    failure.hint(format!("Everything it said is in {}.", shown(log)))
}
