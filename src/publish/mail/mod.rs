//! Mails to customers: each about what is his, in his language, at the moments that matter.
//!
//! ```text
//! ledger, inventory → moment → letter ─┐            ┌─ relay (SMTP)
//!              what he was told ← outbox ┴→ queue → office ─┴─ hook (a program)
//! ```
//!
//! [`moment`] says what a customer should be told next, by what he was told; [`plan`] writes the
//! letters of it and chooses to whom; they wait in the ledger's outbox, beside what destinations
//! are told; [`queue`] says which leaves when, and what an answer means; [`office`] carries them.
//!
//! **Promises.**
//! - One mail for each moment of a customer, whatever is killed when; what is no longer true when
//!   its turn comes is not sent.
//! - Who is held back gets none, and is named in nobody's.
//! - A mail whose acceptance is not known (the line broke after its last byte) is sent once more,
//!   a quarter of an hour later, under the same Message-ID, by which mailboxes know a copy; then it
//!   counts as said, and is listed. That a customer never learns what he has to do is worse than
//!   two copies, and a relay that always breaks there must not become a flood.
//! - A token stands in no row: the link to a customer's own page is put in as the mail leaves.

pub mod address;
pub mod bounce;
mod hook;
pub mod letter;
pub mod message;
pub mod moment;
pub mod mx;
pub mod office;
pub mod plan;
pub mod queue;
mod relay;

pub use crate::inventory::settings_mail::Moment;

/// The name of mails among destinations. None that is written can have it: it is no id.
pub const DESTINATION: &str = "[mail]";
