//! Who is held back: a fold of the lines of `state/holds.log`.
//!
//! **Promises.** A hold opens by a line and ends by two: one person asks for the release, another
//! confirms it within a day. A hold that is set meanwhile voids what was asked. A line that cannot
//! be read is counted, and nothing is activated or published while there is one: it may be a hold.
//! A hold remembers what its customer had then: workloads, hosts, and places on targets stay held
//! although the inventory says something else later.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::inventory::{Customer, Hold, Inventory};
use crate::model::{CustomerId, HostId, TargetId, Timestamp, WorkloadId};

/// A second person has so long to confirm.
pub const CONFIRM_WITHIN: Duration = Duration::from_hours(24);
/// A clock may be so much ahead of the one that wrote a line.
const CLOCK_SLACK: Duration = Duration::from_mins(5);

/// What a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Held from now on.
    Hold,
    /// The inventory says so, too, or says that there is more of this customer.
    Found,
    /// Somebody wants it released.
    Ask,
    /// A second person agrees.
    Release,
}

/// What belongs to a held customer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Belongings {
    /// Its workloads.
    #[serde(default)]
    pub workloads: BTreeSet<WorkloadId>,
    /// The hosts they are on.
    #[serde(default)]
    pub hosts: BTreeSet<HostId>,
    /// The targets they go to.
    #[serde(default)]
    pub targets: BTreeSet<TargetId>,
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Always 1.
    pub schema: u32,
    /// When it was written.
    pub at: Timestamp,
    /// What it says.
    pub action: Action,
    /// Of whom.
    pub customer: CustomerId,
    /// Which hold; of a release, none.
    #[serde(default)]
    pub kind: Hold,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// What belongs to the customer.
    #[serde(default)]
    pub belongings: Belongings,
}

/// A hold that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// All that were set; never empty.
    pub kinds: BTreeSet<Hold>,
    /// Who set it first, and when.
    pub by: String,
    /// When it was set first.
    pub since: Timestamp,
    /// Whatever belonged to the customer at any time since.
    pub belongings: Belongings,
    /// Who wants it released, and since when.
    pub asked: Option<(String, Timestamp)>,
}

/// Everybody who is held back by the log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holds {
    open: BTreeMap<CustomerId, Open>,
    /// Numbers of lines that cannot be read.
    pub unreadable: Vec<usize>,
}

/// What a person who wants a release brings about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Release {
    /// The first to ask; somebody else must confirm.
    Asks,
    /// This very person asked already.
    AskedAlready { since: Timestamp },
    /// The second: it ends.
    Confirms { asked_by: String },
}

impl Belongings {
    /// What the inventory says belongs to `customer`.
    pub fn of(customer: &CustomerId, inventory: &Inventory) -> Self {
        let mut belongings = Self::default();
        for workload in inventory.workloads_of(customer) {
            belongings.workloads.insert(workload.id.clone());
            belongings.hosts.insert(workload.host.clone());
            belongings.targets.extend(workload.target.clone());
        }
        belongings
    }

    fn add(&mut self, other: &Self) {
        self.workloads.extend(other.workloads.iter().cloned());
        self.hosts.extend(other.hosts.iter().cloned());
        self.targets.extend(other.targets.iter().cloned());
    }

    fn has_all(&self, other: &Self) -> bool {
        self.workloads.is_superset(&other.workloads)
            && self.hosts.is_superset(&other.hosts)
            && self.targets.is_superset(&other.targets)
    }
}

impl Holds {
    /// Folds lines in the order they were written; `None` is one that cannot be read.
    pub fn of(lines: &[Option<Line>]) -> Self {
        let mut holds = Self::default();
        for (index, line) in lines.iter().enumerate() {
            match line {
                Some(line) => holds.take(line),
                None => holds.unreadable.push(index + 1),
            }
        }
        holds
    }

    fn take(&mut self, line: &Line) {
        let Line { at, action, customer, kind, by, belongings, .. } = line;
        match action {
            Action::Hold | Action::Found => {
                let open = self.open.entry(customer.clone()).or_insert_with(|| Open {
                    kinds: BTreeSet::new(),
                    by: by.clone(),
                    since: *at,
                    belongings: Belongings::default(),
                    asked: None,
                });
                let is_new =
                    open.kinds.insert(if *kind == Hold::None { Hold::Abuse } else { *kind });
                open.belongings.add(belongings);
                if *action == Action::Hold || is_new {
                    open.asked = None;
                }
            }
            Action::Ask => {
                if let Some(open) = self.open.get_mut(customer) {
                    open.asked = Some((by.clone(), *at));
                }
            }
            Action::Release => {
                // The file may have been edited by hand: one name alone ends nothing.
                let open = self.open.get(customer);
                if open
                    .is_some_and(|open| matches!(open.release(by, *at), Release::Confirms { .. }))
                {
                    self.open.remove(customer);
                }
            }
        }
    }

    /// The hold of `customer` in the log.
    pub fn open(&self, customer: &CustomerId) -> Option<&Open> {
        self.open.get(customer)
    }

    /// Every hold that stands.
    pub fn all(&self) -> impl Iterator<Item = (&CustomerId, &Open)> {
        self.open.iter()
    }

    /// What holds `customer` back: its own entry, the log, or that something that was a held
    /// customer's is said to be his now.
    pub fn of_customer(&self, customer: &Customer, inventory: &Inventory) -> Hold {
        if let Some(open) = self.open.get(&customer.id) {
            return open.kind();
        }
        if customer.hold != Hold::None {
            return customer.hold;
        }
        let has = |open: &&Open| {
            let ours = inventory.workloads_of(&customer.id);
            ours.into_iter().any(|workload| open.belongings.workloads.contains(&workload.id))
        };
        self.open.values().find(has).map_or(Hold::None, Open::kind)
    }

    /// Says in the inventory what the log says: from here on every reader sees it.
    pub fn lay_over(&self, inventory: &mut Inventory) {
        let held: Vec<Hold> =
            inventory.customers.iter().map(|one| self.of_customer(one, inventory)).collect();
        for (customer, hold) in inventory.customers.iter_mut().zip(held) {
            customer.hold = hold;
        }
    }

    /// The lines that are missing for what the inventory says: a hold in it counts as well, and
    /// does not end by being taken out.
    pub fn found_in(&self, inventory: &Inventory, now: Timestamp) -> Vec<Line> {
        let mut lines = Vec::new();
        for customer in &inventory.customers {
            let open = self.open.get(&customer.id);
            let kind = match (customer.hold, open) {
                (Hold::None, None) => continue,
                (Hold::None, Some(open)) => open.kind(),
                (kind, _) => kind,
            };
            let belongings = Belongings::of(&customer.id, inventory);
            let is_known = open.is_some_and(|open| {
                open.kinds.contains(&kind) && open.belongings.has_all(&belongings)
            });
            if !is_known {
                lines.push(Line {
                    schema: 1,
                    at: now,
                    action: Action::Found,
                    customer: customer.id.clone(),
                    kind,
                    by: "inventory".into(),
                    reason: "the inventory says so".into(),
                    belongings,
                });
            }
        }
        lines
    }
}

impl Open {
    /// One of its kinds.
    pub fn kind(&self) -> Hold {
        self.kinds.iter().next().copied().unwrap_or(Hold::Abuse)
    }

    /// What it means that `by` wants it released `at`.
    pub fn release(&self, by: &str, at: Timestamp) -> Release {
        let Some((asked_by, since)) = &self.asked else { return Release::Asks };
        let is_fresh = at.since(*since) <= CONFIRM_WITHIN && since.since(at) <= CLOCK_SLACK;
        match (is_fresh, is_same_person(asked_by, by)) {
            (false, _) => Release::Asks,
            (true, true) => Release::AskedAlready { since: *since },
            (true, false) => Release::Confirms { asked_by: asked_by.clone() },
        }
    }
}

/// Names are typed in a hurry: case and blanks do not make another person.
fn is_same_person(one: &str, other: &str) -> bool {
    let plain = |name: &str| -> String {
        name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    plain(one) == plain(other)
}
