//! Who is it that calls? `find TEXT` over all that support may be told: names, domains,
//! addresses, numbers in other systems.
//!
//! Text is taken as people paste it: any case, with a scheme and a path, or as a mail address.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::ledger::say::{self, Say};
use crate::ledger::snapshot::Snapshot;
use crate::ledger::view::{CustomerView, FleetView, HostView, WorkloadView};

/// A customer that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Position in [`FleetView::customers`] and in [`Snapshot::customers`].
    pub customer: usize,
    /// `id`, `name`, `domain`, `label`, `workload`, `host` or `address`.
    pub matched_by: &'static str,
    /// The text that matched.
    pub matched: String,
    /// What to read out, by language.
    pub say: BTreeMap<String, Say>,
}

/// How well a text fits, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Exact,
    /// It lies beneath a domain that is known.
    Beneath,
    Prefix,
    Inside,
}

/// Customers that `text` may mean, the best fit first, in inventory order among equals.
pub fn find(view: &FleetView, snapshot: &Snapshot, text: &str) -> Vec<Found> {
    let wanted = Wanted::new(text);
    let mut found: Vec<(Fit, Found)> = Vec::new();
    for (index, customer) in view.customers.iter().enumerate() {
        let names = names_of(view, customer);
        let best = names
            .into_iter()
            .filter_map(|(by, name)| Some((wanted.fit(by, name)?, by, name)))
            .min_by_key(|(fit, ..)| *fit);
        if let (Some((fit, by, name)), Some(status)) = (best, snapshot.customers.get(index)) {
            let say = say::say(status, snapshot.as_of, view.timezone.as_deref());
            let found_one =
                Found { customer: index, matched_by: by, matched: name.to_owned(), say };
            found.push((fit, found_one));
        }
    }
    found.sort_by_key(|(fit, found)| (*fit, found.customer));
    found.into_iter().map(|(_, found)| found).collect()
}

/// All a customer may be known by.
fn names_of<'a>(view: &'a FleetView, customer: &'a CustomerView) -> Vec<(&'static str, &'a str)> {
    let mut names = vec![("id", customer.id.as_str()), ("name", customer.name.as_str())];
    names.extend(customer.domains.iter().map(|domain| ("domain", domain.as_str())));
    names.extend(customer.labels.values().map(|value| ("label", value.as_str())));
    for host in &view.hosts {
        let his = host.workloads.iter().filter(|workload| workload.customer == customer.id);
        let before = names.len();
        names.extend(his.flat_map(names_of_workload));
        if names.len() > before {
            names.extend(names_of_host(host));
        }
    }
    names
}

fn names_of_workload(workload: &WorkloadView) -> impl Iterator<Item = (&'static str, &str)> {
    let addresses = workload.addresses.iter().map(|address| ("address", address.as_str()));
    std::iter::once(("workload", workload.id.as_str()))
        .chain(workload.label.iter().map(|label| ("workload", label.as_str())))
        .chain(addresses)
}

fn names_of_host(host: &HostView) -> [(&'static str, &str); 2] {
    [("host", host.id.as_str()), ("address", host.address.as_str())]
}

struct Wanted {
    text: String,
    /// The part of a link or mail address that names a machine.
    domain: String,
}

impl Wanted {
    fn new(text: &str) -> Self {
        let text = text.trim().to_lowercase();
        let rest = text.split_once("://").map_or(text.as_str(), |(_, rest)| rest);
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let domain = authority.rsplit('@').next().unwrap_or_default();
        let domain = domain.trim_end_matches('.').to_owned();
        Self { text, domain }
    }

    fn fit(&self, by: &str, name: &str) -> Option<Fit> {
        let name = name.to_lowercase();
        let wanted = if matches!(by, "domain" | "workload" | "address" | "host") {
            &self.domain
        } else {
            &self.text
        };
        if wanted.is_empty() {
            return None;
        }
        if *wanted == name {
            return Some(Fit::Exact);
        }
        if by == "domain"
            && wanted.strip_suffix(name.as_str()).is_some_and(|rest| rest.ends_with('.'))
        {
            return Some(Fit::Beneath);
        }
        // One letter is in everything.
        if wanted.chars().count() < 2 {
            return None;
        }
        match name.find(wanted.as_str())? {
            0 => Some(Fit::Prefix),
            _ => Some(Fit::Inside),
        }
    }
}
