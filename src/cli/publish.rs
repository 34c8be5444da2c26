//! `evac publish`: makes the page in `state/status` from what the ledger knows now, before the
//! first host is listed too; says what is new, and tells every destination.
//!
//! Each destination is told by a worker of its own, and by one process at a time ([`shifts`]);
//! whatever others say meanwhile, that one tells too. A run may go on: the ledger's tables of words
//! are nobody else's.

mod bounces;
mod contacts;
pub mod dns;
mod dry;
mod look;
mod mail;
mod mailing;
mod page;
mod risk;
mod say;
mod shifts;
mod tell;
mod token;
mod watch;

use serde::Serialize;

use crate::cli::args::{PublishArgs, PublishCommand};
use crate::cli::failure::{Exit, Failure};
use crate::cli::print;
use crate::cli::site::Global;
use crate::ledger::snapshot::SCHEMA;
use crate::model::Timestamp;
use crate::publish::desk::Told;
use crate::publish::drift::Drift;
use crate::publish::mail::office::Told as MailTold;
use crate::publish::own::is_secret;

pub use mailing::{mailed, unreached};
pub use page::{Made, make, readable_holds, site};
pub use risk::untold;
pub use say::reminder;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    folder: &'a str,
    outcome: &'static str,
    as_of: Timestamp,
    next_update: Timestamp,
    /// All that are no secret.
    files: Vec<&'a String>,
    /// Customers with a page of their own.
    own_pages: usize,
    /// Texts that were refused, drafts that wait.
    held_back: &'a [String],
    drafts: usize,
    destinations: &'a [Told],
    /// How mails to customers stand, where they are written.
    mail: Option<&'a MailTold>,
    drift: &'a [Drift],
}

/// Makes the page and tells, or says something.
pub fn run(global: &Global, args: &PublishArgs) -> Result<Exit, Failure> {
    match &args.command {
        Some(PublishCommand::Say(say)) => say::run(global, say, args.dry_run),
        Some(PublishCommand::Approve { id }) => say::approve(global, id),
        Some(PublishCommand::Drop { id, reason }) => say::drop_draft(global, id, reason),
        Some(PublishCommand::Mail(mail)) => mail::run(global, mail),
        Some(PublishCommand::Bounces { from, forget }) => {
            bounces::run(global, from, forget.as_deref())
        }
        Some(PublishCommand::Posts) => say::posts(global),
        Some(PublishCommand::Token { what, all, revoke }) => {
            token::run(global, what, *all, *revoke)
        }
        None if args.watch => watch::run(global, args),
        None if args.dry_run => dry::run(global, None),
        None => once(global),
    }
}

/// Makes the page, says what is new, tells everybody once.
fn once(global: &Global) -> Result<Exit, Failure> {
    let made = make(global)?;
    let told = tell::tell(global, &made, tell::PATIENCE)?;
    let drift = if told.exit == Exit::Done { tell::drift(global, &made)? } else { Vec::new() };
    if global.json {
        print::document(&Document {
            schema: SCHEMA,
            folder: &made.folder,
            outcome: made.outcome,
            as_of: made.snapshot.as_of,
            next_update: made.next_update,
            files: made.rendered.files.keys().filter(|path| !is_secret(path)).collect(),
            own_pages: made.own_pages,
            held_back: &told.held_back,
            drafts: made.drafts,
            destinations: &told.told,
            mail: told.mailed.as_ref().map(|mailed| &mailed.told),
            drift: &drift,
        })?;
        return Ok(told.exit);
    }
    let next = made.next_update;
    print::tell(&format!("{} {}; it promises the next one by {next}.", made.folder, made.outcome));
    if made.loaded.settings.publish.to.is_empty() {
        print::tell("Copy it to a web server outside the data centre, or name one in evac.toml.");
    }
    tell::report(&told);
    tell::report_drift(&drift);
    if made.drafts > 0 {
        let drafts = print::counted(made.drafts, "draft");
        print::tell(&format!("{drafts} wait for a second person: `evac publish posts`."));
    }
    if let Some(line) = reminder(&made.updates, global.now()) {
        print::tell(&line);
    }
    Ok(told.exit)
}
