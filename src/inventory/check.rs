//! What types alone cannot see: references, cycles, overlaps, restores onto sources. All problems
//! at once; each names the entry that cannot be used because of it.

use std::collections::BTreeMap;

use crate::inventory::overlay::Places;
use crate::inventory::settings::ResourceKind;
use crate::inventory::{Customer, Entry, Host, Inventory, Problem, Settings, Workload};
use crate::inventory::{check_people, check_trees, fields::suggestion};
use crate::model::HostId;

/// Everything a check looks at, and what it finds.
pub(super) struct Check<'a> {
    pub(super) inventory: &'a Inventory,
    pub(super) settings: &'a Settings,
    pub(super) places: &'a Places,
    pub(super) problems: Vec<Problem>,
}

/// All problems of `inventory` beyond those of single keys.
pub(super) fn inventory(
    inventory: &Inventory,
    settings: &Settings,
    places: &Places,
) -> Vec<Problem> {
    let mut check = Check { inventory, settings, places, problems: Vec::new() };
    for customer in &inventory.customers {
        check.customer(customer);
    }
    for host in &inventory.hosts {
        check.host(host);
        for workload in &host.workloads {
            check.workload(host, workload);
        }
        check_trees::overlaps(&mut check, host);
    }
    check.cycles();
    check.duplicates();
    check.same_machine();
    for workload in inventory.workloads() {
        check_trees::restore(&mut check, workload);
    }
    check_people::customers(&mut check);
    check.problems
}

pub(super) fn entry_of(workload: &Workload) -> Entry {
    if workload.is_default {
        Entry::Host(workload.host.to_string())
    } else {
        Entry::Workload(workload.id.to_string())
    }
}

impl Check<'_> {
    /// An error at `key` of `entry`, because of which it is set aside.
    pub(super) fn error(&mut self, entry: &Entry, key: &str, what: String, hint: &str) {
        let origin = self.places.of_key(entry, key);
        self.problems.push(Problem::error(&origin, what).hint(hint).of(entry.clone()));
    }

    pub(super) fn warning(&mut self, entry: &Entry, key: &str, what: String, hint: &str) {
        let origin = self.places.of_key(entry, key);
        self.problems.push(Problem::warning(&origin, what).hint(hint));
    }

    /// `key` of `entry` names `id`, which must be among `known`.
    fn refers<'k>(
        &mut self,
        entry: &Entry,
        key: &str,
        id: &str,
        known: impl IntoIterator<Item = &'k str>,
    ) {
        let known: Vec<_> = known.into_iter().collect();
        if !known.contains(&id) {
            let hint = match suggestion(id, &known) {
                hint if hint.is_empty() => format!("Write it down, or correct `{key}`."),
                hint => hint,
            };
            self.error(
                entry,
                key,
                format!("`{key}` names `{id}`, which is not written down"),
                &hint,
            );
        }
    }

    fn customer(&mut self, customer: &Customer) {
        let entry = Entry::Customer(customer.id.to_string());
        if let Some(tier) = &customer.tier {
            let (settings, before) = (self.settings, self.problems.len());
            self.refers(&entry, "tier", tier.as_str(), settings.tiers.keys().map(AsRef::as_ref));
            // Nobody's data stays behind for a slip in a word that only says who goes first.
            let found = self.problems.split_off(before);
            self.problems.extend(found.into_iter().map(Problem::of_tier));
        }
    }

    fn host(&mut self, host: &Host) {
        let entry = Entry::Host(host.id.to_string());
        let settings = self.settings;
        let resources = || settings.resources.iter().map(|resource| resource.id.as_str());
        if let Some(uplink) = &host.uplink {
            self.refers(&entry, "uplink", uplink.as_str(), resources());
            let resource = settings.resource(uplink);
            if resource.is_some_and(|resource| resource.kind != ResourceKind::Uplink) {
                let what = format!("`uplink` names `{uplink}`, which is no uplink");
                self.error(&entry, "uplink", what, "Name it in `uses` instead.");
            }
        }
        for resource in &host.uses {
            self.refers(&entry, "uses", resource.as_str(), resources());
        }
        if let Some(jump) = &host.jump {
            self.known_host(&entry, jump);
        }
        if let Some(customer) = &host.customer {
            self.known_customer(&entry, customer.as_str());
        }
        if let Some(target) = &host.target {
            self.known_target(&entry, target.as_str());
        }
        if !host.capture && !host.workloads.is_empty() {
            let what = format!("{entry} has workloads, but `capture = false`");
            self.error(&entry, "capture", what, "Leave one of the two out.");
        }
    }

    fn workload(&mut self, host: &Host, workload: &Workload) {
        if workload.is_default {
            return;
        }
        let entry = Entry::Workload(workload.id.to_string());
        if host.customer.as_ref() != Some(&workload.customer) {
            self.known_customer(&entry, workload.customer.as_str());
        }
        if host.target.as_ref() != workload.target.as_ref()
            && let Some(target) = &workload.target
        {
            self.known_target(&entry, target.as_str());
        }
    }

    fn known_host(&mut self, entry: &Entry, id: &HostId) {
        let places = self.places;
        let hosts = places.entries().filter_map(|known| match known {
            Entry::Host(id) => Some(id.as_str()),
            _ => None,
        });
        self.refers(entry, "jump", id.as_str(), hosts);
    }

    fn known_customer(&mut self, entry: &Entry, id: &str) {
        let places = self.places;
        if places.has(&Entry::Customer(id.to_owned())) {
            return;
        }
        let customers = places.entries().filter_map(|known| match known {
            Entry::Customer(id) => Some(id.as_str()),
            _ => None,
        });
        self.refers(entry, "customer", id, customers);
    }

    fn known_target(&mut self, entry: &Entry, id: &str) {
        let (inventory, before) = (self.inventory, self.problems.len());
        self.refers(entry, "target", id, inventory.targets.iter().map(|t| t.id.as_str()));
        // Capture needs no target.
        let found = self.problems.split_off(before);
        self.problems.extend(found.into_iter().map(Problem::of_target));
    }

    /// A way in that leads through itself.
    fn cycles(&mut self) {
        for host in &self.inventory.hosts {
            let mut way = vec![&host.id];
            let mut next = host.jump.as_ref();
            while let Some(jump) = next {
                if *jump == host.id {
                    let way: Vec<_> = way.iter().map(|id| id.as_str()).collect();
                    let entry = Entry::Host(host.id.to_string());
                    let what = format!("the way in goes in a circle: {} → {jump}", way.join(" → "));
                    self.error(&entry, "jump", what, "Leave out one `jump` of them.");
                    break;
                }
                if way.contains(&jump) {
                    break;
                }
                way.push(jump);
                next = self.inventory.host(jump).and_then(|host| host.jump.as_ref());
            }
        }
    }

    /// Workload ids are unique over all hosts; inside one host another file overlays.
    fn duplicates(&mut self) {
        let mut seen: BTreeMap<&str, &Workload> = BTreeMap::new();
        for workload in self.inventory.workloads() {
            let Some(first) = seen.insert(workload.id.as_str(), workload) else { continue };
            let what = format!(
                "workload/{} is on host/{} already, at {}",
                workload.id, first.host, first.origin
            );
            let hint = "Give one of them another id; both are set aside.";
            for workload in [first, workload] {
                let problem = Problem::error(&workload.origin, what.clone());
                self.problems.push(problem.hint(hint).of(entry_of(workload)));
            }
        }
    }

    /// The same address twice is most often one machine under two names.
    fn same_machine(&mut self) {
        let mut seen: BTreeMap<(String, u16, Option<&HostId>), &HostId> = BTreeMap::new();
        for host in &self.inventory.hosts {
            let key = (host.address.to_ascii_lowercase(), host.port, host.jump.as_ref());
            if let Some(first) = seen.insert(key, &host.id) {
                let entry = Entry::Host(host.id.to_string());
                let what = format!("{entry} has the address and port of host/{first}");
                let hint = "If they are one machine, all of it would be copied twice.";
                self.warning(&entry, "address", what, hint);
            }
        }
    }
}
