//! `evac report leave`: is anything still only in the old place?

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::record::Record;
use crate::cli::args::report::LeaveArgs;
use crate::cli::publish::dns;
use crate::cli::{Exit, Failure, Global, facts, print};
use crate::inventory::{Inventory, Settings};
use crate::model::{HostId, WorkloadId};
use crate::publish::report::leave::{Known, Uncovered, Verdict, leave};

/// Answers.
pub fn run(global: &Global, args: &LeaveArgs) -> Result<Exit, Failure> {
    let record = Record::read(global, true)?;
    let (inventory, settings) = (&record.loaded.inventory, &record.loaded.settings);
    let surveyed = facts::surveyed(&record.ledger, inventory)?;
    let mut uncovered = Vec::new();
    for (host, found) in &surveyed {
        uncovered.extend(found.uncovered.iter().map(|found| Uncovered {
            host: host.clone(),
            path: found.path.clone(),
            bytes: found.bytes,
        }));
    }
    let captured = inventory.hosts.iter().filter(|host| host.capture);
    let unseen: Vec<HostId> = captured
        .filter(|host| !surveyed.contains_key(&host.id))
        .map(|host| host.id.clone())
        .collect();
    let (names, unasked) = names(global, inventory, args.dns);
    let away = global.look_at_disks()?.map(|landing| landing.away).unwrap_or_default();
    let set_aside: Vec<_> =
        record.loaded.set_aside.iter().map(|aside| aside.entry.to_string()).collect();
    let answer = leave(&Known {
        snapshot: &record.snapshot,
        passes: &record.passes,
        states: &record.states,
        values: &values(inventory, settings),
        uncovered: &uncovered,
        unseen: &unseen,
        away: &away,
        set_aside: &set_aside,
        names: &names,
        unasked: &unasked,
        credentials: &credentials(inventory, settings),
        is_confirmed: record.is_confirmed,
    });
    if global.json {
        print::document(&answer)?;
    } else {
        print::result(&answer.text())?;
    }
    let is_no = answer.verdict == Verdict::No;
    Ok(if is_no { Exit::Refused } else { Exit::Done })
}

/// What each workload is worth: its customer's weight, shared by class.
fn values(inventory: &Inventory, settings: &Settings) -> BTreeMap<WorkloadId, f64> {
    let mut values = BTreeMap::new();
    let mut owned: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for workload in inventory.workloads() {
        owned.entry(&workload.customer).or_default().push(workload);
    }
    for customer in &inventory.customers {
        let own = owned.remove(&customer.id).unwrap_or_default();
        let whole: f64 = own.iter().map(|it| settings.classes.of(it.class)).sum();
        let weight = settings.weight(customer.tier.as_ref());
        values.extend(own.iter().map(|it| {
            let part = settings.classes.of(it.class) / if whole > 0.0 { whole } else { 1.0 };
            (it.id.clone(), weight * part)
        }));
    }
    values
}

/// Customers' names that lead to an old address, and those of which nobody knows where they lead.
fn names(global: &Global, inventory: &Inventory, asks: bool) -> (Vec<String>, Vec<String>) {
    let domains = inventory.customers.iter().flat_map(|customer| &customer.domains);
    let domains: BTreeSet<String> = domains.cloned().collect();
    if !asks {
        return (Vec::new(), domains.into_iter().collect());
    }
    let changes = inventory.workloads().flat_map(|workload| &workload.addresses);
    let of_hosts = inventory.hosts.iter().filter_map(|host| host.address.parse().ok());
    let old: BTreeSet<IpAddr> = changes.filter_map(|change| change.old).chain(of_hosts).collect();
    let (mut there, mut unknown) = (Vec::new(), Vec::new());
    for (name, answer) in dns::ask(domains, &global.clock) {
        match answer {
            None => unknown.push(name),
            Some(found) if found.iter().any(|address| old.contains(address)) => there.push(name),
            Some(_) => {}
        }
    }
    (there, unknown)
}

/// What is on the old machines, or known to them, and lets somebody in elsewhere.
fn credentials(inventory: &Inventory, settings: &Settings) -> Vec<String> {
    let hosts: Vec<_> = inventory.hosts.iter().filter(|host| host.capture).collect();
    if hosts.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    let keys = settings.ssh.identity.iter().chain(hosts.iter().flat_map(|host| &host.identity));
    let keys: BTreeSet<_> = keys.map(|key| key.display().to_string()).collect();
    found.extend(keys.into_iter().map(|key| format!("the SSH key {key}, let in at the old hosts")));
    let count = hosts.len();
    found.push(format!("passwords of root and of panels on {count} hosts"));
    found.push("keys and passwords in the copied configuration: TLS, databases, APIs".to_owned());
    found.push("consoles, rescue systems and accounts at the provider".to_owned());
    found
}
