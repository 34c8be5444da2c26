//! A site in a temporary folder, and what surrounds one: the `evac` command, a real SSH server,
//! trees of files and their comparison.
//!
//! **Invariant.** Nothing outlives the value that stands for it: folders are removed, processes
//! killed and waited for, when it is dropped.

pub mod fleet;
pub mod mount;
pub mod rescue;
pub mod sshd;
pub mod tree;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// How long one `evac` command of a test may take before it counts as hanging.
const COMMAND_TIMEOUT_S: u32 = 120;

/// A site folder that is removed when dropped.
pub struct Site {
    folder: TempDir,
}

impl Site {
    /// An empty folder.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("evac-site-").tempdir();
        Self { folder: folder.expect("the temporary folder is writable") }
    }

    /// The path of `name` in the site.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of the site, its folders included.
    pub fn write(&self, name: &str, text: &str) -> &Self {
        let path = self.path(name);
        let folder = path.parent().expect("a file of a site lies in a folder");
        fs::create_dir_all(folder).expect("a site is writable");
        fs::write(path, text).expect("a site is writable");
        self
    }

    /// The `evac` command with `--site`, for tests that want more than its outcome.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("timeout");
        command.args(["--kill-after=5", &COMMAND_TIMEOUT_S.to_string()]);
        command.arg(env!("CARGO_BIN_EXE_evac"));
        self.prepare(command, arguments)
    }

    /// The same without a time limit, for tests that send it signals and kill it in the end.
    pub fn bare_command(&self, arguments: &[&str]) -> Command {
        self.prepare(Command::new(env!("CARGO_BIN_EXE_evac")), arguments)
    }

    fn prepare(&self, mut command: Command, arguments: &[&str]) -> Command {
        command.arg("--site").arg(self.folder.path()).args(arguments);
        command.stdin(Stdio::null()).current_dir(self.folder.path());
        command.env_remove("EVAC_SITE").env_remove("EVAC_OPERATOR").env_remove("SSH_AUTH_SOCK");
        command
    }

    /// Runs `evac --site FOLDER ARGUMENTS` to its end.
    pub fn evac(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(&mut self.command(arguments))
    }
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Outcome {
    command: String,
    output: Output,
}

impl Outcome {
    /// Runs `command` to its end.
    pub fn of(command: &mut Command) -> Self {
        let shown = format!("{command:?}");
        let output = command.output().unwrap_or_else(|error| panic!("{shown}: {error}"));
        Self { command: shown, output }
    }

    /// Fails unless the exit code is `expected`; shows everything the command printed.
    #[track_caller]
    pub fn exits(self, expected: i32) -> Self {
        let code = self.output.status.code();
        assert_eq!(code, Some(expected), "{}\n{}{}", self.command, self.stdout(), self.stderr());
        self
    }

    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    /// The JSON documents on stdout, one a line.
    #[track_caller]
    pub fn json(&self) -> Vec<Value> {
        let parse = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}"))
        };
        self.stdout().lines().map(parse).collect()
    }
}

/// What a host that is this machine needs in the inventory: a line more where the tests run in a
/// container, whose root looks like that of a rescue system.
pub fn access() -> &'static str {
    if evac::run::rescue::is_diskless_here() { "access = \"diskless\"\n" } else { "" }
}

/// Makes `path` a folder that exists, and returns it.
pub fn folder(path: &Path) -> &Path {
    fs::create_dir_all(path).expect("the parent is writable");
    path
}

/// Copies a folder with everything in it and all metadata.
pub fn copy(from: &Path, to: &Path) {
    Outcome::of(Command::new("cp").arg("-a").arg(from).arg(to)).exits(0);
}

#[test]
fn help_exits_0_and_says_nothing_on_stderr() {
    assert_eq!(Site::new().evac(&["--help"]).exits(0).stderr(), "");
}

#[test]
fn a_site_is_written_and_removed() {
    let site = Site::new();
    site.write("inventory.d/csv-1.toml", "# hosts\n").write("evac.toml", "[site]\n");
    assert_eq!(fs::read_to_string(site.path("inventory.d/csv-1.toml")).unwrap(), "# hosts\n");
    let folder = site.path("");
    drop(site);
    assert!(!folder.exists());
}

#[test]
fn an_outcome_keeps_both_outputs_and_the_exit_code() {
    let script = r#"echo '{"a":1}'; echo '{"a":2}'; echo no >&2; exit 3"#;
    let outcome = Outcome::of(Command::new("sh").args(["-c", script])).exits(3);
    assert_eq!(outcome.stderr(), "no\n");
    assert_eq!(outcome.json()[1]["a"], 2);
}
