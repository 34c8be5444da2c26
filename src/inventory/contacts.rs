//! Contacts that are being moved themselves: a mailbox on a machine of ours may be down just when
//! its owner has to be told something.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::inventory::{Customer, Inventory};

/// Names that live on what is being moved: customers' domains, and what hosts are called.
pub fn evacuated(inventory: &Inventory) -> BTreeSet<String> {
    let domains = inventory.customers.iter().flat_map(|customer| &customer.domains);
    let hosts = inventory.hosts.iter().map(|host| &host.address);
    let hosts = hosts.filter(|address| address.parse::<IpAddr>().is_err());
    domains.chain(hosts).map(|name| name.trim_end_matches('.').to_ascii_lowercase()).collect()
}

/// Is `address` a mailbox on one of `names`, or on a name beneath one?
pub fn is_beneath(address: &str, names: &BTreeSet<String>) -> bool {
    let Some((_, domain)) = address.rsplit_once('@') else { return false };
    let domain = domain.to_ascii_lowercase();
    let mut rest = domain.as_str();
    loop {
        if names.contains(rest) {
            return true;
        }
        match rest.split_once('.') {
            Some((_, above)) => rest = above,
            None => return false,
        }
    }
}

/// Does he have contacts, and all of them on what is being moved?
pub fn is_cut_off(customer: &Customer, names: &BTreeSet<String>) -> bool {
    let contacts = &customer.contacts;
    !contacts.is_empty() && contacts.iter().all(|contact| is_beneath(contact, names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_is_beneath_a_domain_only_by_whole_names() {
        let domains: BTreeSet<String> = ["acme.example".to_owned()].into();
        for beneath in ["a@acme.example", "a@Mail.ACME.example"] {
            assert!(is_beneath(beneath, &domains), "{beneath}");
        }
        for apart in ["a@notacme.example", "a@acme.example.org", "a@example", "tel:+31"] {
            assert!(!is_beneath(apart, &domains), "{apart}");
        }
    }
}
