//! Customers counted by group, so that a reader finds himself without being found.
//!
//! **Promise.** Nobody can tell one customer from the figures of a group: a group with fewer than
//! `smallest` customers is counted with the others, and those others are never fewer either. With
//! only one figure left there is none: it would be the total.

use std::collections::BTreeMap;

use crate::inventory::Wording;
use crate::ledger::snapshot::CustomerStatus;
use crate::model::{GroupId, PublicWord};
use crate::publish::page::is_copied;

/// How groups are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naming {
    /// Public names; without one, a group's id.
    pub names: BTreeMap<GroupId, Wording>,
    /// Fewer customers are no group of their own.
    pub smallest: u64,
}

/// One line of the table of groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupCount {
    /// Which group; `None`: all others.
    pub id: Option<GroupId>,
    /// Its public names by language, where there are any.
    pub name: Wording,
    /// Customers.
    pub customers: u64,
    /// Of them, those whose data is out.
    pub copied: u64,
    /// Of them, those online.
    pub online: u64,
}

/// Counts `customers`, who all may be counted, by group.
pub fn count<'a>(
    customers: impl Iterator<Item = &'a CustomerStatus>,
    naming: &Naming,
) -> Vec<GroupCount> {
    let mut groups: BTreeMap<Option<&GroupId>, GroupCount> = BTreeMap::new();
    for customer in customers {
        let group = groups.entry(customer.group.as_ref()).or_insert_with(|| empty(None));
        group.customers += 1;
        group.copied += u64::from(is_copied(customer.state));
        group.online += u64::from(customer.state == PublicWord::Online);
    }
    let mut others = groups.remove(&None).unwrap_or_else(|| empty(None));
    let mut named = Vec::new();
    for (id, group) in groups {
        if group.customers < naming.smallest {
            melt(&mut others, &group);
        } else {
            let name = id.and_then(|id| naming.names.get(id)).cloned().unwrap_or_default();
            named.push(GroupCount { id: id.cloned(), name, ..group });
        }
    }
    while others.customers > 0 && others.customers < naming.smallest {
        let smallest = named.iter().enumerate().min_by_key(|(_, group)| group.customers);
        let Some((index, _)) = smallest else { break };
        melt(&mut others, &named.remove(index));
    }
    if others.customers > 0 {
        named.push(others);
    }
    if named.len() < 2 {
        named.clear();
    }
    named
}

fn empty(id: Option<GroupId>) -> GroupCount {
    GroupCount { id, name: Wording::new(), customers: 0, copied: 0, online: 0 }
}

fn melt(into: &mut GroupCount, group: &GroupCount) {
    into.customers += group.customers;
    into.copied += group.copied;
    into.online += group.online;
}
