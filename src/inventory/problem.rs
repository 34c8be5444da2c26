//! What is wrong with settings and inventory: all of it at once, each with its place.

use std::fmt;

use serde::Serialize;

use crate::inventory::Origin;

/// How bad a mistake is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The entry cannot be used; `check` fails.
    Error,
    /// Worth knowing; nothing is set aside.
    Warning,
}

/// One mistake. Serialised it is what `check --json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file, relative to the site where it lies in it.
    pub file: String,
    /// Line, from 1; 0 when the whole file is meant.
    pub line: u32,
    /// What is wrong.
    pub what: String,
    /// What to do about it, one sentence; empty when `what` says it all.
    pub hint: String,
    /// How bad it is.
    pub severity: Severity,
    /// The entry that is set aside because of it.
    #[serde(skip)]
    pub entry: Option<Entry>,
    /// The entry that goes without a target because of it: it is captured all the same.
    #[serde(skip)]
    pub homeless: Option<Entry>,
    /// The customer that counts as one without a tier because of it.
    #[serde(skip)]
    pub untiered: Option<Entry>,
}

/// An entry of the inventory, by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Entry {
    /// `customer/ID`
    Customer(String),
    /// `host/ID`
    Host(String),
    /// `workload/ID`
    Workload(String),
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Customer(id) => write!(f, "customer/{id}"),
            Self::Host(id) => write!(f, "host/{id}"),
            Self::Workload(id) => write!(f, "workload/{id}"),
        }
    }
}

impl Problem {
    /// An error at `origin`.
    pub fn error(origin: &Origin, what: impl Into<String>) -> Self {
        Self {
            file: origin.file.to_string(),
            line: origin.line,
            what: what.into(),
            hint: String::new(),
            severity: Severity::Error,
            entry: None,
            homeless: None,
            untiered: None,
        }
    }
    /// Something worth knowing at `origin`.
    pub fn warning(origin: &Origin, what: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(origin, what) }
    }
    /// The same with what to do about it.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }
    /// The same, because of which `entry` is set aside.
    #[must_use]
    pub fn of(self, entry: Entry) -> Self {
        Self { entry: Some(entry), ..self }
    }
    /// The same, but it costs its entry the target only.
    #[must_use]
    pub fn of_target(self) -> Self {
        Self { homeless: self.entry, entry: None, ..self }
    }
    /// The same, but it costs its customer the tier only.
    #[must_use]
    pub fn of_tier(self) -> Self {
        Self { untiered: self.entry, entry: None, ..self }
    }
    /// Is it an error?
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {}", self.what)
    }
}

/// An entry that the rest runs without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// Which.
    pub entry: Entry,
    /// Where it was written.
    pub origin: Origin,
    /// The first reason; [`Problem`]s have them all.
    pub why: String,
}
