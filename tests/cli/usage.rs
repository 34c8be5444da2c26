//! What is typed wrong, help, and pipes.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::fleet;
use crate::site::fleet::files_beneath;
use crate::site::{Outcome, Site};

#[test]
fn what_cannot_be_understood_exits_2_and_says_so_on_stderr() {
    let site = fleet();
    let wrong: [&[&str]; 9] = [
        &[],
        &["frobnicate"],
        &["status", "--frobnicate"],
        &["find"],
        &["find", ""],
        &["plan", "--window", "6 parsecs"],
        &["plan", "--until", "tomorrow"],
        &["plan", "--name", "../x"],
        &["import", "punchcards", "x"],
    ];
    for arguments in wrong {
        let outcome = site.evac(arguments).exits(2);
        assert_eq!(outcome.stdout(), "", "{arguments:?}");
        assert_ne!(outcome.stderr(), "", "{arguments:?}");
    }
}

#[test]
fn a_slip_in_a_command_is_answered_with_its_name() {
    let stderr = Site::new().evac(&["statsu"]).exits(2).stderr();
    assert!(stderr.contains("'status'"), "{stderr}");
}

/// At 3 am nobody wants to be sent to a command that a later release will have.
#[test]
fn every_command_that_a_message_names_is_there() {
    let mut unknown = Vec::new();
    for (command, file) in commands_named(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let is_known = Site::new().command(&[&command, "--help"]).output().unwrap().status;
        if !is_known.success() {
            unknown.push(format!("`evac {command}` in {}", file.display()));
        }
    }
    assert_eq!(unknown, Vec::<String>::new());
}

/// Every word after "`evac " in the code beneath `folder`, with a file that has it.
fn commands_named(folder: &Path) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    for file in files_beneath(folder) {
        let text = fs::read_to_string(&file).unwrap();
        for after in text.split("`evac ").skip(1) {
            let word: String = after.chars().take_while(char::is_ascii_lowercase).collect();
            if !word.is_empty() {
                found.entry(word).or_insert_with(|| file.clone());
            }
        }
    }
    assert!(found.len() > 5, "{found:?}");
    found
}

#[test]
fn a_folder_without_settings_is_answered_with_init() {
    let site = Site::new();
    for command in [&["status"][..], &["check"], &["plan"], &["publish"], &["find", "x"]] {
        let stderr = site.evac(command).exits(2).stderr();
        let folder = site.path("").display().to_string();
        let folder = folder.trim_end_matches('/');
        let expected = format!(
            "error: no evac.toml in {folder}\n\
             hint: `evac init {folder}` writes one; --site DIR names another.\n"
        );
        assert_eq!(stderr, expected, "{command:?}");
    }
    assert!(!site.path("state").exists());
}

#[test]
fn the_site_may_come_from_the_environment() {
    let site = fleet();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_evac"));
    command.arg("check").current_dir("/").env("EVAC_SITE", site.path(""));
    Outcome::of(&mut command).exits(0);
}

#[test]
fn help_is_a_line_a_command() {
    let help = Site::new().evac(&["--help"]).exits(0).stdout();
    for line in [
        "  check     List every mistake in settings and inventory at once, offline",
        "  status    Show where everything stands",
    ] {
        assert!(help.contains(line), "{help}");
    }
    assert!(!help.contains("agent"), "{help}");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let site = fleet();
    for arguments in [&["status"][..], &["--json", "status"], &["check"], &["--help"]] {
        let mut command = site.command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let code = child.wait().unwrap().code();
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn a_result_that_cannot_be_written_is_a_failure() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let site = fleet();
    let status = site.command(&["status"]).stdout(full).stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(1));
}
