//! What is told afterwards, from the same ledger: what happened, what customers get back, whom the
//! law wants told, what evac saw, and whether anything is still only in the old place.
//!
//! **Promises.** Nothing is called done that no gate passed, and no copy good that nobody read
//! back. Customers on hold are in no draft, table, count or picture that leaves the house. What
//! nobody knows is said to be unknown. Where the law is spoken of it is a checklist, not advice,
//! and each page says so.
//!
//! **Languages.** What customers read (the incident's public edition, messages, notices) is in the
//! texts of every language. What colleagues read is in English, as commands are: the checklist of
//! NIS2, evidence, credits, whether we may leave, and events in an internal edition. Heads of
//! tables for programs (CSV) are fixed words.
//!
//! Everything here is pure: facts in, texts out.

pub mod billing;
pub mod credits;
pub mod curve;
pub mod document;
pub mod evidence;
pub mod fees;
pub mod figures;
pub mod incident;
pub mod interval;
pub mod leave;
pub mod letter;
pub mod money;
pub mod nis;
pub mod notices;
pub mod outage;
pub mod period;
pub mod picture;
pub mod rules;
pub mod story;
#[cfg(test)]
mod tests;

use crate::inventory::Problem;
use crate::publish::PublishError;

/// Why a report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The rules cannot be used.
    #[error("the rules have {} mistakes", problems.len())]
    Rules {
        /// All of them.
        problems: Vec<Problem>,
    },
    /// What is said of a fee cannot be used.
    #[error("{file}:{line}: {what}")]
    Fees {
        /// Where.
        file: String,
        /// From 1; 0 for the whole file.
        line: u64,
        /// What is wrong.
        what: String,
    },
    /// Nobody said since when services are down.
    #[error("nobody said since when services are down")]
    NoBeginning,
    /// A table could not be written.
    #[error("cannot write the table")]
    Table {
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A text or template has a fault.
    #[error(transparent)]
    Publish(#[from] PublishError),
}
