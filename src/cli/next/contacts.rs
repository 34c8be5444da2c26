//! Customers who cannot be told anything, or only as long as their own server stands; or whom
//! nobody has told what only a person can.

use super::Blocked;
use crate::cli::print::counted;
use crate::cli::publish::{unreached, untold};
use crate::cli::site::{Loaded, Reading};
use crate::cli::{Failure, Global};
use crate::inventory::contacts::{evacuated, is_cut_off};
use crate::ledger::snapshot::Snapshot;
use crate::model::CustomerId;
use crate::publish::mail::address::folded;

const NAMED_MAX: usize = 5;

/// What keeps them from hearing of us.
pub(super) fn blocked(
    global: &Global,
    loaded: &Loaded,
    reading: &Reading,
    snapshot: &Snapshot,
) -> Result<Vec<Blocked>, Failure> {
    let mut found = Vec::new();
    let unreached = unreached(global, loaded, &reading.ledger, snapshot)?;
    let refused: Vec<_> = unreached.iter().filter(|it| it.has_contact).collect();
    if let Some(first) = refused.first() {
        let named = named(refused.iter().map(|it| &it.customer));
        let why = format!(
            "{} cannot be mailed: {named}. The first: {}. Mend `contacts`, or call them.",
            counted(refused.len(), "customer"),
            first.why
        );
        found.push(cause("mail-refused", why, "evac publish mail"));
    }
    let bounces = reading.ledger.bounces()?;
    let is_bounced = |contact: &String| bounces.iter().any(|it| it.address == folded(contact));
    let customers = loaded.inventory.customers.iter();
    let bounced: Vec<_> = customers.filter(|it| it.contacts.iter().any(is_bounced)).collect();
    if !bounced.is_empty() {
        let named = named(bounced.iter().map(|it| &it.id));
        let count = counted(bounced.len(), "customer");
        let why = format!("Mails to {count} came back: {named}. Mend `contacts`.");
        found.push(cause("mail-bounced", why, "evac publish mail"));
    }
    let names = evacuated(&loaded.inventory);
    let customers = loaded.inventory.customers.iter();
    let cut_off: Vec<_> = customers.filter(|it| is_cut_off(it, &names)).collect();
    if !cut_off.is_empty() {
        let named = named(cut_off.iter().map(|it| &it.id));
        let why = format!(
            "{} can be told only on what is being moved itself: {named}. Ask each for a telephone \
             number or another address while it answers.",
            counted(cut_off.len(), "customer"),
        );
        found.push(cause("contacts-evacuated", why, "evac check"));
    }
    let untold = untold(loaded, reading, snapshot)?;
    if !untold.is_empty() {
        let named = named(untold.iter());
        let why = format!(
            "{} of whom not all may get out in time, by the plan, and who were not told: {named}. \
             Whether they should know is for a person to say; evac does not write it by itself.",
            counted(untold.len(), "customer")
        );
        let all: Vec<_> = untold.iter().map(|id| format!("customer/{id}")).collect();
        let whom = if all.len() > NAMED_MAX { "--planned".to_owned() } else { all.join(" ") };
        found.push(cause("at-risk-untold", why, &format!("evac publish mail at-risk {whom}")));
    }
    Ok(found)
}

fn cause(cause: &str, why: String, command: &str) -> Blocked {
    let (cause, command) = (cause.to_owned(), command.to_owned());
    Blocked { cause, value: 0.0, workloads: Vec::new(), why, command }
}

fn named<'a>(customers: impl Iterator<Item = &'a CustomerId>) -> String {
    let all: Vec<_> = customers.map(|id| format!("customer/{id}")).collect();
    let more = if all.len() > NAMED_MAX { ", …" } else { "" };
    format!("{}{more}", all[..all.len().min(NAMED_MAX)].join(", "))
}
