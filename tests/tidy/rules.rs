//! The rules that look at one file at a time. Each is a pure function from a file to findings.

use super::text::{Token, attributes, text_at};

/// Lines a file may have. Above that it holds more than one thing.
pub const FILE_LINES_MAX: usize = 400;
/// Columns a line of Rust may have; rustfmt leaves long literals alone.
const LINE_COLUMNS_MAX: usize = 100;
/// Where a runtime lives. All else is synchronous and tested without one.
const ASYNC_MODULES: [&str; 3] = ["ssh", "run", "web"];
/// The binary's entry starts the runtime and blocks on it, but is not itself `async`.
const RUNTIME_MODULES: [&str; 4] = ["ssh", "run", "web", "cli"];
/// Who may print. Everybody else returns values or hands events on.
const PRINTING_MODULES: [&str; 2] = ["cli", "term"];
/// Names that say nothing about what a module is for.
const EMPTY_NAMES: [&str; 7] = ["util", "utils", "common", "errors", "helper", "helpers", "misc"];
/// Files that may read the clock, each with its reason.
const CLOCK_READERS: [(&str, &str); 1] =
    [("model/clock.rs", "the one door to the machine's clocks; everybody else is handed a Clock")];

/// One place that breaks a rule.
pub type Finding = (usize, String);

/// A file under `src/`, as the rules need it.
pub struct Source<'a> {
    /// Path beneath `src/`.
    pub file: &'a str,
    /// Its tokens.
    pub tokens: &'a [Token<'a>],
    /// Its tokens without what is compiled for tests only.
    pub shipped: &'a [Token<'a>],
}

impl Source<'_> {
    fn module(&self) -> &str {
        self.file.split(['/', '.']).next().unwrap_or_default()
    }
}

/// `async`, `.await` and the runtime stay in the async shell.
pub fn async_outside_the_shell(source: &Source<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, token) in source.tokens.iter().enumerate() {
        let awaits = token.text == "await" && at > 0 && source.tokens[at - 1].text == ".";
        let is_async =
            (token.text == "async" || awaits) && !ASYNC_MODULES.contains(&source.module());
        let is_runtime = token.text == "tokio" && !RUNTIME_MODULES.contains(&source.module());
        if is_async || is_runtime {
            found.push((token.line, format!("`{}` outside the async shell", token.text)));
        }
    }
    found
}

/// A file has at most `FILE_LINES_MAX` lines.
pub fn too_long(text: &str) -> Vec<Finding> {
    let lines = text.lines().count();
    let long = lines > FILE_LINES_MAX;
    long.then(|| (lines, format!("{lines} lines, at most {FILE_LINES_MAX}"))).into_iter().collect()
}

/// A file opens by saying what it is for.
pub fn undocumented(text: &str) -> Vec<Finding> {
    let first = text.lines().next().unwrap_or_default();
    let says = first.strip_prefix("//!").is_some_and(|rest| rest.trim().len() > 10);
    (!says)
        .then(|| (1, "does not open with `//!` and what it is for".to_owned()))
        .into_iter()
        .collect()
}

/// Files and modules have names that say what they hold.
pub fn empty_name(file: &str, tokens: &[Token<'_>]) -> Vec<Finding> {
    let path = file.trim_end_matches(".rs").split('/').map(|part| (1, part));
    let inline = tokens.windows(2).filter(|two| two[0].text == "mod");
    let named = path.chain(inline.map(|two| (two[1].line, two[1].text)));
    named
        .filter(|(_, name)| EMPTY_NAMES.contains(name))
        .map(|(line, name)| (line, format!("the name `{name}` says nothing")))
        .collect()
}

/// Only the command line and the terminal print.
pub fn printing(source: &Source<'_>) -> Vec<Finding> {
    if PRINTING_MODULES.contains(&source.module()) {
        return macro_calls(source.shipped, &["dbg"]);
    }
    macro_calls(source.shipped, &["println", "eprintln", "print", "eprint", "dbg"])
}

fn macro_calls(tokens: &[Token<'_>], names: &[&str]) -> Vec<Finding> {
    let calls = tokens.windows(2).filter(|two| two[1].text == "!" && names.contains(&two[0].text));
    calls.map(|two| (two[0].line, format!("`{}!`", two[0].text))).collect()
}

/// An import names what it imports.
pub fn glob_import(source: &Source<'_>) -> Vec<Finding> {
    let tokens = source.shipped;
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let statement = token.text == "use" && text_at(tokens, at + 1) != "<";
        let until_end = tokens[at..].iter().take_while(|token| token.text != ";");
        if statement && until_end.into_iter().any(|token| token.text == "*") {
            found.push((token.line, "glob import".to_owned()));
        }
    }
    found
}

/// The clock is read through `model::Clock` alone.
pub fn clock_read(source: &Source<'_>) -> Vec<Finding> {
    if CLOCK_READERS.iter().any(|(file, _)| *file == source.file) {
        return Vec::new();
    }
    let clocks = ["Instant", "SystemTime", "Timestamp", "Zoned"];
    let calls = source.tokens.windows(3).filter(|three| {
        clocks.contains(&three[0].text) && three[1].text == "::" && three[2].text == "now"
    });
    calls
        .map(|three| (three[0].line, format!("reads the clock: `{}::now`", three[0].text)))
        .collect()
}

/// Lints are expected with a reason, tests run, nothing is left for later.
pub fn silenced_or_unfinished(tokens: &[Token<'_>]) -> Vec<Finding> {
    let mut found = macro_calls(tokens, &["todo", "unimplemented"]);
    for range in attributes(tokens) {
        let attribute = &tokens[range];
        let words: Vec<&str> = attribute.iter().map(|token| token.text).collect();
        let has = |word: &str| words.contains(&word);
        let name = words.iter().find(|word| !["#", "!", "["].contains(word)).copied();
        let is = |word: &str| name == Some(word) || (name == Some("cfg_attr") && has(word));
        let reason = match () {
            () if is("allow") => "`allow`: write `#[expect(lint, reason = \"…\")]`",
            () if is("expect") && !has("reason") => "`expect` without a reason",
            () if is("ignore") => "a test that is ignored",
            () if is("should_panic") => "`should_panic`: return an error and check it",
            () => continue,
        };
        found.push((attribute[0].line, reason.to_owned()));
    }
    found
}

/// Notes to self belong into issues.
pub fn note_to_self(text: &str) -> Vec<Finding> {
    let notes = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];
    holding(text, &notes, "a note to self")
}

/// No trailing blanks, tabs or long lines; the file ends with one line end.
pub fn untidy_lines(text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, line) in text.split('\n').enumerate() {
        let mut note = |wrong: bool, what: &str| {
            if wrong {
                found.push((at + 1, what.to_owned()));
            }
        };
        note(line.ends_with([' ', '\t', '\r']), "trailing blank");
        note(line.contains('\t'), "tab");
        note(line.chars().count() > LINE_COLUMNS_MAX, "longer than 100 columns");
    }
    if !text.ends_with('\n') || text.ends_with("\n\n") {
        found.push((text.lines().count(), "does not end with exactly one line end".to_owned()));
    }
    found
}

/// The repository speaks of evac alone, not of the machine it happens to be built on.
pub fn foreign_word(text: &str) -> Vec<Finding> {
    let words = [
        concat!("/wo", "rk/"),
        concat!("../", "shared"),
        concat!("/tmp/bash", "_jobs"),
        concat!("deb.", "debian.org"),
        concat!("registry.", "npmjs"),
        concat!("py", "pi.org"),
    ];
    holding(text, &words, "names a machine, not evac")
}

fn holding(text: &str, words: &[&str], what: &str) -> Vec<Finding> {
    let lines = text.lines().enumerate();
    let hits = lines.flat_map(|(at, line)| {
        words.iter().filter(move |word| line.contains(**word)).map(move |word| (at, *word))
    });
    hits.map(|(at, word)| (at + 1, format!("{what}: `{word}`"))).collect()
}
