//! Inventory and ledger put together: one snapshot that status, find, plan and publish read.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;

use crate::cli::facts::{self, HostFacts, Surveyed};
use crate::cli::failure::Failure;
use crate::cli::site::{Loaded, Reading};
use crate::inventory::what::{self, Selection, Standing};
use crate::inventory::{Customer, Host, Inventory, Settings, Workload};
use crate::ledger::Ledger;
use crate::ledger::snapshot::{CaptureState, RestoreState, Snapshot, Window};
use crate::ledger::view::{CustomerView, FleetView, HostView, WorkloadView};
use crate::model::{Bytes, HostId, PublicWord, Reason, Timestamp, WorkloadId};

/// What the inventory says, as the ledger wants to know it; a size that a survey measured
/// replaces the estimate.
pub fn fleet_view(
    inventory: &Inventory,
    settings: &Settings,
    surveyed: &Surveyed,
    running: bool,
) -> FleetView {
    let windows = settings.windows.iter();
    FleetView {
        customers: inventory.customers.iter().map(customer).collect(),
        hosts: (inventory.hosts.iter().filter(|host| host.capture))
            .map(|host| self::host(host, surveyed.get(&host.id)))
            .collect(),
        windows: windows
            .map(|window| Window { opens: window.opens, closes: window.closes, hard: window.hard })
            .collect(),
        running,
        timezone: Some(settings.site.timezone.clone()),
    }
}

fn customer(customer: &Customer) -> CustomerView {
    CustomerView {
        id: customer.id.clone(),
        name: customer.name.clone(),
        tier: customer.tier.clone(),
        group: customer.group.clone(),
        hold: customer.hold,
        labels: customer.labels.clone(),
        domains: customer.domains.clone(),
    }
}

fn host(host: &Host, facts: Option<&HostFacts>) -> HostView {
    let measured = |id| facts.and_then(|facts| facts.workloads.get(id)).copied();
    HostView {
        id: host.id.clone(),
        address: host.address.clone(),
        uncovered: facts.is_some_and(|facts| !facts.uncovered.is_empty()),
        workloads: (host.workloads.iter())
            .map(|workload| self::workload(workload, measured(&workload.id)))
            .collect(),
    }
}

fn workload(workload: &Workload, measured: Option<Bytes>) -> WorkloadView {
    let addresses = workload.addresses.iter().flat_map(|change| [change.old, change.new]);
    WorkloadView {
        id: workload.id.clone(),
        customer: workload.customer.clone(),
        label: workload.label.clone(),
        target: workload.target.clone(),
        estimate: measured.or(workload.bytes),
        addresses: addresses.flatten().map(|address| address.to_string()).collect(),
    }
}

/// Everything as of `now`, and the view it was folded from. `running`: does a run hold the lock?
pub fn look(
    ledger: &Ledger,
    loaded: &Loaded,
    running: bool,
    now: Timestamp,
) -> Result<(FleetView, Snapshot), Failure> {
    let surveyed = facts::surveyed(ledger, &loaded.inventory)?;
    let view = fleet_view(&loaded.inventory, &loaded.settings, &surveyed, running);
    let snapshot = ledger.snapshot(&view, now)?;
    Ok((view, snapshot))
}

impl Reading {
    /// Everything as of `now`, and the view it was folded from.
    pub fn look(&self, loaded: &Loaded, now: Timestamp) -> Result<(FleetView, Snapshot), Failure> {
        look(&self.ledger, loaded, self.running.is_some(), now)
    }
}

impl Loaded {
    /// What `words` name, by inventory and by where things stand in `snapshot`.
    pub fn select<W: AsRef<str>>(
        &self,
        words: &[W],
        snapshot: &Snapshot,
    ) -> Result<Selection, Failure> {
        Ok(what::select(words, &self.inventory, &|standing| standing_at(standing, snapshot))?)
    }
}

/// Workloads that stand at a word of either axis, or at a public one; `None` for no such word.
fn standing_at(standing: Standing<'_>, snapshot: &Snapshot) -> Option<Vec<WorkloadId>> {
    let workloads = snapshot.customers.iter().flat_map(|customer| &customer.workloads);
    match standing {
        Standing::State(text) => {
            let (capture, restore) = (word::<CaptureState>(text), word::<RestoreState>(text));
            let public = word::<PublicWord>(text);
            (capture.is_some() || restore.is_some() || public.is_some()).then(|| {
                workloads
                    .filter(|workload| {
                        capture == Some(workload.capture.state)
                            || restore == Some(workload.restore.state)
                            || public == Some(workload.state)
                    })
                    .map(|workload| workload.id.clone())
                    .collect()
            })
        }
        Standing::Reason(text) => {
            let reason = word::<Reason>(text)?;
            let hosts: BTreeSet<&HostId> = (snapshot.hosts.iter())
                .filter(|host| host.error.as_ref().is_some_and(|error| error.reason == reason))
                .map(|host| &host.id)
                .collect();
            let fails = workloads.filter(|workload| {
                workload.reason == Some(reason) || hosts.contains(&workload.host)
            });
            Some(fails.map(|workload| workload.id.clone()).collect())
        }
    }
}

/// A word of a closed list, as documents write it.
fn word<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).ok()
}
