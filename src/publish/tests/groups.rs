//! Figures of groups name nobody.

use super::*;
use crate::publish::groups::{GroupCount, count};

/// So many customers in each of the groups, and in none.
fn customers(groups: &[usize], without: usize) -> Vec<CustomerStatus> {
    let mut customers = Vec::new();
    for (index, size) in groups.iter().copied().chain([without]).enumerate() {
        for _ in 0..size {
            let mut customer = customer(customers.len(), PublicWord::Online);
            customer.group = (index < groups.len()).then(|| format!("g{index}").parse().unwrap());
            customers.push(customer);
        }
    }
    customers
}

fn counted(customers: &[CustomerStatus]) -> Vec<GroupCount> {
    count(customers.iter(), &Naming { names: BTreeMap::new(), smallest: 5 })
}

#[test]
fn small_groups_are_counted_with_the_others() {
    let rows = |groups: &[usize], without| -> Vec<(String, u64)> {
        let name = |group: &GroupCount| group.id.as_ref().map_or("-".into(), ToString::to_string);
        let counted = counted(&customers(groups, without));
        counted.iter().map(|group| (name(group), group.customers)).collect()
    };
    let row = |name: &str, customers| (name.to_owned(), customers);
    assert_eq!(rows(&[9, 7], 0), [row("g0", 9), row("g1", 7)]);
    assert_eq!(rows(&[9, 7, 3, 2], 0), [row("g0", 9), row("g1", 7), row("-", 5)]);
    // One customer alone takes the smallest group along.
    assert_eq!(rows(&[9, 7, 8], 1), [row("g0", 9), row("g2", 8), row("-", 8)]);
    // The total is no group.
    assert_eq!(rows(&[9], 0), []);
    assert_eq!(rows(&[9, 1], 0), []);
}

#[test]
fn no_figure_is_of_few_and_all_add_up() {
    for one in 0..12 {
        for two in 0..12 {
            for without in 0..7 {
                let groups = counted(&customers(&[one, two, 6], without));
                let total: u64 = groups.iter().map(|group| group.customers).sum();
                assert!(groups.iter().all(|group| group.customers >= 5), "{one} {two} {without}");
                assert!(groups.is_empty() || total == (one + two + 6 + without) as u64);
                assert_ne!(groups.len(), 1);
            }
        }
    }
}

#[test]
fn held_customers_are_in_no_group() {
    let mut snapshot = snapshot([0, 0, 0, 0, 0, 20, 0, 0]);
    for (number, customer) in snapshot.customers.iter_mut().enumerate() {
        customer.group = Some(["aa", "bb"][number % 2].parse().unwrap());
    }
    let before = StatusPage::new(&snapshot, &site()).groups;
    let mut held = customer(900, PublicWord::Online);
    held.group = Some("aa".parse().unwrap());
    held.hold = Hold::Legal;
    snapshot.customers.push(held);
    assert_eq!(StatusPage::new(&snapshot, &site()).groups, before);
    assert_eq!(before.len(), 2);
}
