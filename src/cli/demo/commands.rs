//! The commands of this very binary, as a person would type them, with `--json` to read what came
//! of it. Nothing else is done to the site: the demonstration has no way of its own.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write as _};
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
    /// What each command says lies here, numbered: `.log` to people, `.json` to programs.
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

    /// Runs a command that prints a document a line, and hands over each as it comes. Any exit
    /// code but 0 is a failure.
    pub fn each<T: DeserializeOwned>(
        &mut self,
        arguments: &[&str],
        take: &mut dyn FnMut(T),
    ) -> Result<(), Failure> {
        match self.run(arguments, take)? {
            0 => Ok(()),
            _ => Err(self.failed(arguments)),
        }
    }

    /// The same, with the exit code left to the caller.
    pub fn run<T: DeserializeOwned>(
        &mut self,
        arguments: &[&str],
        take: &mut dyn FnMut(T),
    ) -> Result<i32, Failure> {
        self.count += 1;
        let name = arguments[0];
        let fail = |error: std::io::Error| {
            Failure::failed(format!("cannot run evac {name}")).because(&error)
        };
        let mut printed = File::create(self.log(name, "json")).map_err(fail)?;
        let said = File::create(self.log(name, "log")).map_err(fail)?;
        let mut child = self.command(arguments).stderr(said).spawn().map_err(fail)?;
        let stdout = child.stdout.take().expect("standard output was piped");
        let mut strange = None;
        for line in BufReader::new(stdout).lines() {
            let line = line.map_err(fail)?;
            writeln!(printed, "{line}").map_err(fail)?;
            match serde_json::from_str(&line) {
                Ok(document) => take(document),
                Err(error) => strange = strange.or(Some(error)),
            }
        }
        let status = child.wait().map_err(fail)?;
        if let Some(error) = strange {
            let what = format!("evac {name} printed something else than its document");
            return Err(Failure::internal(what).because(&error));
        }
        status.code().ok_or_else(|| self.failed(arguments))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("/proc/self/exe");
        command.arg0("evac").arg("--site").arg(&self.site);
        command.args(["--as", "demo", "--json", "--yes"]).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        // Nothing of the user's own surroundings: neither his site nor his keys.
        for name in ["EVAC_SITE", "EVAC_OPERATOR", "SSH_AUTH_SOCK"] {
            command.env_remove(name);
        }
        command
    }

    fn log(&self, name: &str, extension: &str) -> PathBuf {
        self.logs.join(format!("{:02}-{name}.{extension}", self.count))
    }

    /// The last command did not do what was asked: the last lines it said, and where they are.
    pub fn failed(&self, arguments: &[&str]) -> Failure {
        let log = self.log(arguments[0], "log");
        let text = fs::read_to_string(&log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let last = &lines[lines.len().saturating_sub(SAID_LINES_MAX)..];
        let mut failure = Failure::failed(format!("evac {} did not end well", arguments.join(" ")));
        failure.causes = last.iter().map(|line| (*line).to_owned()).collect();
        failure.hint(format!("Everything it said is in {} and .json.", shown(&log)))
    }
}
