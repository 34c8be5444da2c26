//! The whole job once, through the front door: `evac demo` with the binary that was built.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::site::Outcome;

/// What a tired reader takes in.
const LINES_MAX: usize = 40;
/// It has to end by itself; on two idle cores it takes a quarter of that.
const TIMEOUT_S: &str = "110";

/// `evac demo` in `folder`, as whoever runs the tests.
fn demo(folder: &Path) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", TIMEOUT_S, env!("CARGO_BIN_EXE_evac")]);
    command.arg("demo").arg("--dir").arg(folder);
    command
}

/// Processes that were started as an agent in a folder of `site`, and such folders.
fn left_of(site: &str) -> Vec<String> {
    let prefix = format!(".evac-{site}");
    let mut left = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        if command.contains(&format!("{prefix}-")) && command.contains("evac-agent-") {
            left.push(command);
        }
    }
    for folder in ["/dev/shm", "/run", "/var/tmp", "/tmp"] {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            left.extend(name.starts_with(&prefix).then_some(name));
        }
    }
    left
}

/// The site's own number, as agents' folders have it.
fn site_of(folder: &Path) -> String {
    let ledger = folder.join("site/state/ledger.db");
    let ledger = evac::ledger::Ledger::open_read_only(&ledger).unwrap();
    ledger.site().unwrap().to_string()
}

#[test]
fn a_whole_evacuation_holds_in_forty_lines_and_leaves_nothing_running() {
    let folder = TempDir::new().unwrap();
    let outcome = Outcome::of(&mut demo(folder.path())).exits(0);
    let text = outcome.stdout();
    assert_eq!(outcome.stderr(), "");
    assert!(text.lines().count() <= LINES_MAX, "{text}");
    for said in [
        "34 of 34 workloads captured",
        "was cut",
        "0 differences",
        "9 customers are online",
        "Everything held",
    ] {
        assert!(text.contains(said), "{said} is not in\n{text}");
    }
    let page = fs::read_to_string(folder.path().join("site/state/status/index.html")).unwrap();
    assert!(page.contains("9 of 11 customers online"));
    assert_eq!(left_of(&site_of(folder.path())), [""; 0]);

    // What is there is not written over.
    let again = Outcome::of(&mut demo(folder.path())).exits(2);
    assert!(again.stderr().contains("has a demonstration in it"), "{}", again.stderr());
}
