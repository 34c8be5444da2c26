//! Customers whose data may not get out in time, by the plan, and whom nobody has told.
//!
//! evac writes what is a fact by itself. This is none: a plan moves with every rate that is
//! measured, and a mail that frightens cannot be taken back. So it is a person's word; that nobody
//! has given it is what evac reminds of.

use std::collections::BTreeSet;

use crate::cli::facts::plan_facts;
use crate::cli::failure::Failure;
use crate::cli::site::{Loaded, Reading};
use crate::cli::window;
use crate::inventory::Hold;
use crate::ledger::outbox::RowState;
use crate::ledger::snapshot::Snapshot;
use crate::model::CustomerId;
use crate::plan::{self, Plan};
use crate::publish::mail::Moment;
use crate::publish::mail::letter::Letter;
use crate::publish::mail::office;

/// They, in the inventory's order; nobody where no mails are written.
pub fn untold(
    loaded: &Loaded,
    reading: &Reading,
    snapshot: &Snapshot,
) -> Result<Vec<CustomerId>, Failure> {
    if loaded.settings.mail.is_none() {
        return Ok(Vec::new());
    }
    let mut settings = loaded.settings.clone();
    window::heed(&mut settings, &reading.ledger)?;
    let facts = plan_facts(&reading.ledger, &loaded.inventory, snapshot)?;
    let options = plan::Options::at(snapshot.as_of);
    let plan = plan::plan(&loaded.inventory, &settings, &facts, &options);
    untold_of(&plan, reading, snapshot)
}

fn untold_of(
    plan: &Plan,
    reading: &Reading,
    snapshot: &Snapshot,
) -> Result<Vec<CustomerId>, Failure> {
    let mut told: BTreeSet<CustomerId> = reading.ledger.all_at_risk()?.into_keys().collect();
    for row in office::rows(&reading.ledger)? {
        let said = row.shown.as_deref().or(row.calling.as_deref()).unwrap_or(&row.wanted);
        let is_told = matches!(row.state, RowState::Sent | RowState::Calling);
        if let Some(letter) = serde_json::from_str::<Letter>(said).ok().filter(|_| is_told)
            && letter.moment == Moment::AtRisk
        {
            told.insert(letter.customer);
        }
    }
    let late: BTreeSet<_> = plan.at_risk.iter().map(|risk| &risk.id).collect();
    let customers = snapshot.customers.iter().filter(|customer| {
        let is_late = customer.workloads.iter().any(|workload| late.contains(&workload.id));
        is_late && customer.hold == Hold::None && !told.contains(&customer.id)
    });
    Ok(customers.map(|customer| customer.id.clone()).collect())
}
