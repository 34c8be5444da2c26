//! Inventory and ledger put together: one snapshot that status, find, plan and publish read.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;

use crate::cli::facts::{self, Surveyed};
use crate::cli::failure::Failure;
use crate::cli::site::{Loaded, Reading};
use crate::cli::window;
use crate::inventory::what::{self, Selection, Standing};
use crate::inventory::{Customer, Host, Inventory, Settings, Window, Workload};
use crate::ledger::Ledger;
use crate::ledger::snapshot::{CaptureState, RestoreState, Snapshot};
use crate::ledger::view::{CustomerView, FleetView, HostView, WorkloadView};
use crate::model::{Bytes, HostId, PublicWord, Reason, Timestamp, WorkloadId};
use crate::run::survey::HostFacts;

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
        windows: windows.map(Window::span).collect(),
        running,
        timezone: Some(settings.site.timezone.clone()),
        tiers: settings.tiers.clone(),
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
        contacts: customer.contacts.clone(),
    }
}

fn host(host: &Host, facts: Option<&HostFacts>) -> HostView {
    let measured = |workload| facts.and_then(|facts| facts.bytes_of(workload));
    HostView {
        id: host.id.clone(),
        address: host.address.clone(),
        uncovered: facts.is_some_and(|facts| !facts.uncovered.is_empty()),
        workloads: (host.workloads.iter())
            .map(|workload| self::workload(workload, measured(workload)))
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
    let mut settings = loaded.settings.clone();
    window::heed(&mut settings, ledger)?;
    let view = fleet_view(&loaded.inventory, &settings, &surveyed, running);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{SourceFile, read_files};
    use crate::model::Event;

    const INVENTORY: &str = r#"
[[customer]]
id = "acme"
[[host]]
id = "h1"
address = "192.0.2.1"
customer = "acme"
workload = [{ id = "a", paths = ["/a"] }]
[[host]]
id = "h2"
address = "192.0.2.2"
customer = "acme"
workload = [{ id = "b", paths = ["/b"] }]
[[host]]
id = "jump"
address = "192.0.2.3"
customer = "acme"
capture = false
"#;

    fn loaded() -> Loaded {
        let settings = SourceFile::new("evac.toml", "[site]\nname = \"x\"\n");
        let reading = read_files(&settings, &[SourceFile::new("inventory.toml", INVENTORY)]);
        assert!(reading.is_ok(), "{:?}", reading.problems);
        let (problems, set_aside) = (reading.problems, reading.set_aside);
        Loaded { settings: reading.settings, inventory: reading.inventory, problems, set_aside }
    }

    #[test]
    fn where_things_stand_selects() {
        let (loaded, ledger) = (loaded(), Ledger::in_memory().unwrap());
        let failed = Event::HostFailed {
            host: "h2".parse().unwrap(),
            reason: Reason::Auth,
            detail: String::new(),
            retry_s: None,
        };
        ledger.append(&failed, "jo").unwrap();
        let now = Timestamp::from_second(1_900_000_000);
        let (view, snapshot) = look(&ledger, &loaded, false, now).unwrap();
        assert_eq!(view.hosts.len(), 2, "a host that stays is none to look at");
        let check = |words: &[&str], expected: &[&str]| {
            let selected = loaded.select(words, &snapshot).unwrap();
            let ids: Vec<_> = selected.workloads.keys().map(WorkloadId::as_str).collect();
            assert_eq!(ids, expected, "{words:?}");
        };
        check(&["reason/auth"], &["b"]);
        check(&["reason/sudo"], &[]);
        check(&["state/planned"], &["a", "b"]);
        check(&["state/queued"], &["a"]);
        check(&["state/needs_attention"], &["b"]);
        check(&["state/queued", "host/h2"], &["a", "b"]);
        check(&["state/restored"], &[]);
        check(&[], &["a", "b"]);
        for unknown in ["state/dreaming", "reason/because"] {
            assert!(loaded.select(&[unknown], &snapshot).is_err(), "{unknown}");
        }
    }
}
