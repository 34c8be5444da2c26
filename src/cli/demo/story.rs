//! What the demonstration says: a heading a step and a few plain sentences, at most forty lines.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::Folders;
use crate::cli::failure::shown;
use crate::cli::{Failure, Global, print};
use crate::ledger::snapshot::SCHEMA;

/// Problems that are told one by one.
const PROBLEMS_MAX: usize = 8;
/// Sentences begin in this column.
const INDENT: usize = 10;

/// Tells people line by line, and programs everything at the end.
pub struct Story {
    json: bool,
    clock: std::sync::Arc<dyn crate::model::Clock>,
    began: std::time::Duration,
    figures: BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    ok: bool,
    folder: String,
    elapsed_s: f64,
    problems: &'a [String],
    figures: &'a BTreeMap<&'static str, u64>,
}

impl Story {
    pub fn new(global: &Global) -> Self {
        let clock = global.clock.clone();
        let began = clock.elapsed();
        Self { json: global.json, clock, began, figures: BTreeMap::new() }
    }

    /// Keeps a figure for programs.
    pub fn figure(&mut self, name: &'static str, value: u64) {
        self.figures.insert(name, value);
    }

    /// Lines under a heading, each on its own.
    pub fn tell(&self, heading: &str, lines: &[String]) -> Result<(), Failure> {
        if self.json {
            return Ok(());
        }
        let mut text = String::new();
        for (number, line) in lines.iter().enumerate() {
            let heading = if number == 0 { heading } else { "" };
            let _ = writeln!(text, "{heading:INDENT$}{line}");
        }
        print::result(&text)
    }

    fn elapsed_s(&self) -> f64 {
        self.clock.elapsed().saturating_sub(self.began).as_secs_f64()
    }

    /// How it came out, and where to look.
    pub fn end(&self, folders: &Folders, problems: &[String]) -> Result<(), Failure> {
        if self.json {
            return print::document(&Document {
                schema: SCHEMA,
                ok: problems.is_empty(),
                folder: shown(&folders.root),
                elapsed_s: self.elapsed_s(),
                problems,
                figures: &self.figures,
            });
        }
        let mut lines: Vec<String> = problems.iter().take(PROBLEMS_MAX).cloned().collect();
        if problems.len() > PROBLEMS_MAX {
            lines.push(format!("and {} more", problems.len() - PROBLEMS_MAX));
        }
        self.tell("WRONG", &lines)?;
        let site = shown(&folders.site);
        let evac = std::env::args().next().unwrap_or_else(|| "evac".into());
        let verdict = if problems.is_empty() { "Everything held" } else { "NOT everything held" };
        self.tell(
            "look",
            &[
                format!("{verdict}, in {:.0} s. Everything is kept for you:", self.elapsed_s()),
                format!("{site}/state/status/index.html    the public page"),
                format!("{evac} --site {site} status"),
                format!("{evac} --site {site} find bakery    what to tell a customer"),
                format!("{}    what every command said", shown(&folders.logs)),
                format!("rm -rf {}    when you have seen enough", shown(&folders.root)),
            ],
        )
    }
}
