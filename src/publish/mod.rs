//! The ledger's truth for everybody: a static page in every language of the site, and JSON in the
//! shape that Atlassian Statuspage made a habit.
//!
//! The road is one way and short: [`page::StatusPage`] folds a snapshot to what may be public,
//! [`render()`] makes all files of it in memory, [`folder`] puts them in place in one step.
//!
//! [`mail`] writes to each customer about what is his.
//!
//! **Invariants.** [`page::StatusPage`] has no field that could hold a customer, host or workload,
//! so no template of public pages and no document can name one; [`own::OwnPage`] has what is one
//! customer's own, and nothing of others. Customers under a hold are in no count. Equal
//! input gives equal bytes. Nothing in a page is fetched from elsewhere and nothing is a script.
//! A reader of the folder sees one whole page or another, never a mixture.

pub mod api;
mod badge;
mod calendar;
pub mod colour;
pub mod crew;
pub mod dates;
pub mod desk;
pub mod drift;
mod feeds;
pub mod folder;
mod frame;
pub mod groups;
pub mod incident;
pub mod kept;
pub mod locale;
pub mod mail;
mod messages;
pub mod outbox;
pub mod own;
mod own_view;
pub mod page;
mod pages;
pub mod press;
mod program;
pub mod progress;
pub mod pulse;
pub mod render;
pub mod report;
pub mod say;
#[cfg(test)]
mod tests;
pub mod to;
pub mod token;
pub mod update;
mod view;
pub mod wanted;
mod wording;

use std::io;
use std::path::PathBuf;

pub use folder::{Outcome, publish_folder};
pub use locale::{Language, UnknownLanguage};
pub use own::OwnPage;
pub use page::{Look, Site, StatusPage};
pub use press::NAMES as TEMPLATES;
pub use render::{Rendered, render};
pub use update::{Kind, Update};
pub use view::SIGNS;

/// Why a page could not be made or put in place.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// A text is asked for that a language does not have, or its arguments do not fit.
    #[error("text `{key}` cannot be said in `{language}`: {why}")]
    Text { language: &'static str, key: String, why: String },
    /// A template has a fault.
    #[error("template `{name}` cannot be rendered")]
    Template { name: &'static str, source: Box<minijinja::Error> },
    /// A template that the site wrote has a fault.
    #[error("your template `{name}` cannot be used (line {line})")]
    Own { name: String, line: usize, source: Box<minijinja::Error> },
    /// A file or folder could not be read, written or moved.
    #[error("cannot {action} {}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    /// The folder holds something that evac did not write.
    #[error("{} holds `{found}`, which evac did not write", path.display())]
    Foreign { path: PathBuf, found: String },
}
