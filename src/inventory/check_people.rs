//! Checks on customers: whom nobody can reach, whose language nobody speaks, who has no data.
//! All of them are warnings: nobody's data stays behind for a missing phone number.

use std::collections::{BTreeMap, BTreeSet};

use crate::inventory::check::Check;
use crate::inventory::{Customer, Entry, Problem};

/// Names listed in one message.
const NAMES_MAX: usize = 5;

/// Warns of every customer who cannot be told, and of everyone without data.
pub(super) fn customers(check: &mut Check<'_>) {
    let of_hosts = check.inventory.hosts.iter().filter_map(|host| host.customer.as_ref());
    let of_workloads = check.inventory.workloads().map(|workload| &workload.customer);
    let owners: BTreeSet<_> = of_hosts.chain(of_workloads).collect();
    let domains: BTreeSet<&str> = check
        .inventory
        .customers
        .iter()
        .flat_map(|customer| customer.domains.iter().map(String::as_str))
        .collect();
    let mut silent = Vec::new();
    let mut languages: BTreeMap<&str, Vec<&Customer>> = BTreeMap::new();
    for customer in &check.inventory.customers {
        let entry = Entry::Customer(customer.id.to_string());
        if !owners.contains(&customer.id) {
            let what = format!("{entry} owns no host and no workload: nothing is copied for it");
            check.warning(&entry, "id", what, "Name it in a host's or workload's `customer`.");
        }
        if customer.contacts.is_empty() {
            silent.push(customer);
        } else if customer.contacts.iter().all(|contact| is_evacuated(contact, &domains)) {
            let what = format!("every contact of {entry} is on a domain that is being moved");
            let hint = "Its mail may be down when it matters: add a phone number (\"tel:+31…\").";
            check.warning(&entry, "contacts", what, hint);
        }
        if let Some(language) = &customer.language
            && !check.settings.site.languages.iter().any(|known| speaks(language, known))
        {
            languages.entry(language).or_default().push(customer);
        }
    }
    if let Some(first) = silent.first() {
        let what = format!("no contact is known of {}", listed(&silent));
        let hint = "They cannot be told when their server is back.";
        check.problems.push(Problem::warning(&first.origin, what).hint(hint));
    }
    for (language, customers) in languages {
        let instead = check.settings.site.languages.first().map_or("en", String::as_str);
        let what = format!("language `{language}` of {} is none of the site's", listed(&customers));
        let hint = format!("They are told in `{instead}`; `site.languages` lists the others.");
        check.problems.push(Problem::warning(&customers[0].origin, what).hint(hint));
    }
}

/// Is `known` the language of `wanted`, whatever the region?
fn speaks(wanted: &str, known: &str) -> bool {
    let primary = |tag: &str| tag.split(['-', '_']).next().unwrap_or("").to_ascii_lowercase();
    primary(wanted) == primary(known)
}

/// Is `contact` a mailbox on one of `domains`, or on a name beneath one?
fn is_evacuated(contact: &str, domains: &BTreeSet<&str>) -> bool {
    let Some((_, domain)) = contact.rsplit_once('@') else { return false };
    let domain = domain.to_ascii_lowercase();
    let mut names =
        std::iter::successors(Some(domain.as_str()), |name| Some(name.split_once('.')?.1));
    names.any(|name| domains.contains(name))
}

/// "3 customers: a, b, c".
fn listed(customers: &[&Customer]) -> String {
    let names: Vec<_> = customers.iter().take(NAMES_MAX).map(|c| c.id.as_str()).collect();
    let more = if customers.len() > NAMES_MAX { ", …" } else { "" };
    let noun = if customers.len() == 1 { "customer" } else { "customers" };
    format!("{} {noun}: {}{more}", customers.len(), names.join(", "))
}
