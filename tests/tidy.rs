//! The house rules that a program can check, each with the test that keeps it.
//!
//! | rule | where |
//! |---|---|
//! | a module imports only modules listed above it in `src/lib.rs` | `direction` |
//! | `async` and the runtime only in the async shell; time only from `model::Clock` | `rules` |
//! | printing only in `cli` and `term`; no glob imports; no empty names | `rules` |
//! | each file opens with `//!`, has at most 400 lines of at most 100 columns | `rules` |
//! | no silenced lint, ignored test, unfinished code or note to self | `rules` |
//! | nothing in the repository names the machine it is built on | `rules` |
//!
//! Functions over 70 lines are left to clippy (`too_many_lines`). Every rule is a pure function;
//! the tests in `planted` prove that each catches what it is for.

mod direction;
mod planted;
mod rules;
mod text;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use rules::{Finding, Source};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file beneath `folder`, sorted, without build output, version control and hidden state.
fn files_beneath(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the repository is readable") {
            let path = entry.expect("and its entries are").path();
            let name = path.file_name().unwrap_or_default().to_owned();
            if name == "target" || name == ".git" {
                continue;
            }
            if path.is_dir() && !path.is_symlink() {
                open.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Path beneath `folder` and text of each file that is text.
fn texts_beneath(folder: &Path) -> Vec<(String, String)> {
    let files = files_beneath(folder).into_iter();
    let texts = files.filter_map(|path| {
        let name = path.strip_prefix(folder).ok()?.to_str()?.to_owned();
        Some((name, fs::read_to_string(&path).ok()?))
    });
    texts.collect()
}

/// Rust files of `part` (`src` or `tests`).
fn rust_files(part: &str) -> Vec<(String, String)> {
    let mut files = texts_beneath(&root().join(part));
    files.retain(|(name, _)| Path::new(name).extension().is_some_and(|end| end == "rs"));
    assert!(!files.is_empty(), "no Rust file beneath {part}");
    files
}

/// Fails with every finding of `rule` at once.
#[track_caller]
fn assert_none(findings: impl Iterator<Item = (String, Vec<Finding>)>) {
    let mut list = String::new();
    for (file, findings) in findings {
        for (line, what) in findings {
            writeln!(list, "{file}:{line}: {what}").expect("a String takes any text");
        }
    }
    assert!(list.is_empty(), "\n{list}");
}

/// Applies a rule about code to every file of `src`.
#[track_caller]
fn in_source(rule: impl Fn(&Source<'_>) -> Vec<Finding>) {
    let files = rust_files("src");
    let tests = test_files(&files);
    let findings = files.iter().map(|(file, text)| {
        let code = text::code_of(text);
        let tokens = text::tokens_of(&code);
        let for_tests = tests.iter().any(|test| belongs_to(file, test));
        let shipped = if for_tests { Vec::new() } else { text::without_tests(&tokens) };
        (format!("src/{file}"), rule(&Source { file, tokens: &tokens, shipped: &shipped }))
    });
    assert_none(findings);
}

/// Applies a rule about text to every Rust file.
#[track_caller]
fn in_all_rust(rule: impl Fn(&str, &str) -> Vec<Finding>) {
    let findings = ["src", "tests"].into_iter().flat_map(|part| {
        let rule = &rule;
        let files = rust_files(part).into_iter();
        files.map(move |(file, text)| (format!("{part}/{file}"), rule(&file, &text)))
    });
    assert_none(findings);
}

/// The modules declared under `#[cfg(test)]`, as paths without the `.rs`.
fn test_files(files: &[(String, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for (file, text) in files {
        let code = text::code_of(text);
        for name in text::test_modules(&text::tokens_of(&code)) {
            let mut path = direction::module_path(file);
            path.push(name.to_owned());
            found.push(path.join("/"));
        }
    }
    found
}

fn belongs_to(file: &str, module: &str) -> bool {
    file.strip_prefix(module).is_some_and(|rest| rest.starts_with(['.', '/']))
}

#[test]
fn modules_import_only_what_is_listed_above_them() {
    let lib = fs::read_to_string(root().join("src/lib.rs")).expect("src/lib.rs is readable");
    let code = text::code_of(&lib);
    let layers = direction::layers(&text::tokens_of(&code));
    assert!(layers.len() > 10 && layers[0] == "model", "{layers:?}");
    in_source(|source| match source.file {
        "main.rs" => Vec::new(),
        file => direction::violations(&layers, file, source.shipped),
    });
}

#[test]
fn async_stays_in_the_shell() {
    in_source(rules::async_outside_the_shell);
}

#[test]
fn files_are_short() {
    in_all_rust(|_, text| rules::too_long(text));
}

#[test]
fn files_say_what_they_are_for() {
    in_all_rust(|_, text| rules::undocumented(text));
}

#[test]
fn names_say_what_they_hold() {
    in_all_rust(|file, text| rules::empty_name(file, &text::tokens_of(&text::code_of(text))));
}

#[test]
fn only_the_command_line_prints() {
    in_source(rules::printing);
}

#[test]
fn imports_name_what_they_import() {
    in_source(rules::glob_import);
}

#[test]
fn the_clock_is_read_in_one_place() {
    in_source(rules::clock_read);
}

#[test]
fn nothing_is_silenced_or_unfinished() {
    in_all_rust(|_, text| rules::silenced_or_unfinished(&text::tokens_of(&text::code_of(text))));
    in_all_rust(|_, text| rules::note_to_self(text));
}

#[test]
fn lines_are_tidy() {
    in_all_rust(|_, text| rules::untidy_lines(text));
}

#[test]
fn the_repository_speaks_of_evac_alone() {
    let texts = texts_beneath(root()).into_iter();
    assert_none(texts.map(|(file, text)| (file, rules::foreign_word(&text))));
}
