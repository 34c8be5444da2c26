//! Which names stand in a configuration of OpenSSH's client and in what it includes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::inventory::import::{FILE_BYTES_MAX, ImportError, Note};
use crate::model::text::bounded;

/// `ssh` follows as many files into each other.
const DEPTH_MAX: usize = 16;
/// Files that are read at most.
const FILES_MAX: usize = 1_000;

/// What stands in the files.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Names without patterns, with the line they stand in, or that of the `Include` they come by.
    pub hosts: Vec<(u64, String)>,
    /// Does any of it say whom to log in as?
    pub sets_user: bool,
    /// What could not be read.
    pub notes: Vec<Note>,
}

/// Reads `file` and what it includes; `~` is `home`.
pub fn names(file: &Path, home: Option<&Path>) -> Result<Names, ImportError> {
    let mut reading = Reading { home, names: Names::default(), seen: BTreeSet::new(), files: 0 };
    let text = std::fs::read(file).map_err(|error| ImportError::Read { why: error.to_string() })?;
    if text.len() > FILE_BYTES_MAX {
        return Err(ImportError::TooLarge { max: FILE_BYTES_MAX });
    }
    reading.read(&text, None, 0);
    Ok(reading.names)
}

struct Reading<'a> {
    home: Option<&'a Path>,
    names: Names,
    seen: BTreeSet<String>,
    files: usize,
}

impl Reading<'_> {
    /// `by`: the line of the first file that led here.
    fn read(&mut self, text: &[u8], by: Option<u64>, depth: usize) {
        let text = String::from_utf8_lossy(text);
        for (line, content) in (1..).zip(text.lines()) {
            let line = by.unwrap_or(line);
            let mut words = words(content).into_iter();
            let Some(keyword) = words.next() else { continue };
            match keyword.to_ascii_lowercase().as_str() {
                "host" => {
                    let is_name = |word: &String| !word.contains(['*', '?', '!']);
                    let new = words.filter(is_name).filter(|word| self.seen.insert(word.clone()));
                    let new: Vec<_> = new.map(|word| (line, word)).collect();
                    self.names.hosts.extend(new);
                }
                "user" => self.names.sets_user = true,
                "include" => words.for_each(|word| self.include(&word, line, depth)),
                _ => {}
            }
        }
    }

    fn include(&mut self, word: &str, line: u64, depth: usize) {
        let pattern = match (word.strip_prefix("~/"), self.home) {
            (Some(rest), Some(home)) => home.join(rest),
            (None, Some(home)) if !word.starts_with(['/', '~']) => home.join(".ssh").join(word),
            _ => PathBuf::from(word),
        };
        let note = |what: String| Note { line, what };
        let shown = bounded(word, 80);
        if depth >= DEPTH_MAX || self.files >= FILES_MAX {
            let what = format!("`Include {shown}` is left out: too many files in each other");
            return self.names.notes.push(note(what));
        }
        for file in matching(&pattern) {
            self.files += 1;
            match std::fs::read(&file) {
                Ok(text) if text.len() <= FILE_BYTES_MAX => self.read(&text, Some(line), depth + 1),
                Ok(_) => self.names.notes.push(note(format!("{} is too large", file.display()))),
                Err(error) => {
                    let what = format!("`Include {shown}`: {}: {error}", file.display());
                    self.names.notes.push(note(what));
                }
            }
        }
    }
}

/// Keyword and arguments of a line: `Host a "b c"`, `Host=a`, and none of a comment.
fn words(line: &str) -> Vec<String> {
    let line = line.trim();
    let end = line.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(line.len());
    let (keyword, rest) = line.split_at(end);
    if keyword.is_empty() || keyword.starts_with('#') {
        return Vec::new();
    }
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('=').unwrap_or(rest);
    let (mut words, mut word, mut is_quoted) = (vec![keyword.to_owned()], String::new(), false);
    for c in rest.chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            '#' if !is_quoted && word.is_empty() => break,
            c if c.is_whitespace() && !is_quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Files that a path with `*` and `?` stands for, in the order of their names; a path without is
/// itself.
fn matching(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        let part = part.as_os_str();
        let text = part.to_string_lossy();
        if !text.contains(['*', '?']) {
            for path in &mut found {
                path.push(part);
            }
            continue;
        }
        let mut next = Vec::new();
        for folder in &found {
            let names = std::fs::read_dir(folder).into_iter().flatten().flatten();
            let names = names.map(|entry| entry.file_name());
            let fits = |name: &std::ffi::OsString| {
                let name = name.to_string_lossy();
                (!name.starts_with('.') || text.starts_with('.')) && is_match(&text, &name)
            };
            next.extend(names.filter(fits).map(|name| folder.join(name)));
        }
        next.sort();
        found = next;
    }
    found.retain(|path| path.symlink_metadata().is_ok_and(|meta| !meta.is_dir()));
    found
}

fn is_match(pattern: &str, name: &str) -> bool {
    match pattern.chars().next() {
        None => name.is_empty(),
        Some('*') => {
            let rest = &pattern[1..];
            let mut ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            ends.any(|at| is_match(rest, &name[at..]))
        }
        Some(c) => {
            let mut chars = name.chars();
            let is_same = chars.next().is_some_and(|other| c == '?' || c == other);
            is_same && is_match(&pattern[c.len_utf8()..], chars.as_str())
        }
    }
}
