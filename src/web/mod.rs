//! Local web pages: the look-up for people without a shell, and the live view for operators.
//!
//! One road: [`server`] takes connections and bounds them, [`door`] says who asks, [`routes`] what
//! he gets, [`pages`] prints it. What is told comes from a [`Desk`], which the command line is.
//!
//! **Invariants.** Without a personal link nothing is told, not even what there is: all such
//! requests get one answer. A look-up is durable in [`audit`] before it is answered. No page for
//! support says that a customer is held, or why. Reading changes nothing; what changes something
//! carries a key that only that person's own page has. Pages need no script and fetch nothing.

mod answer;
mod app;
pub mod audit;
pub mod desk;
pub mod door;
mod live;
mod pages;
pub mod people;
mod rates;
mod routes;
pub mod server;
mod support;
mod timeline;

use std::io;
use std::path::PathBuf;

pub use app::{App, Views};
pub use desk::{
    Blocked, Caller, Desk, LandingDisk, LookedUp, Night, Seen, Span, Told, Unavailable, Whom,
};
pub use door::Door;

use crate::publish::PublishError;

/// Why pages could not be served, or links not given out.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// The file of links, or a template of ours, failed.
    #[error(transparent)]
    Kept(#[from] PublishError),
    /// Somebody of that name has a link.
    #[error("`{name}` has a link already")]
    Known { name: String },
    /// Nobody of that name has one.
    #[error("nobody called `{name}` has a link")]
    Unknown { name: String },
    /// A name of nobody.
    #[error("`{name}` is no name: 1 to 40 characters, none of them a control character")]
    Name { name: String },
    /// A file could not be used.
    #[error("cannot {action} {}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
}
