//! What a hold keeps shut: everything of its customer, and every machine with something of that
//! customer in it. Whoever switches a shared box on switches on all accounts in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::gate::holds::{Belongings, Holds};
use crate::inventory::checks::place;
use crate::inventory::{Hold, Inventory, Workload};
use crate::model::{CustomerId, HostId, TargetId, WorkloadId};

/// Why nothing is switched on, whatever its checks say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// The ledger was rebuilt, and nobody has stood by it.
    Unconfirmed,
    /// A line of the log of holds cannot be read.
    Unreadable { line: usize },
    /// Its customer is held back.
    Held { customer: CustomerId },
    /// So is somebody who has something in the same machine.
    SameMachine { machine: String, customer: CustomerId },
}

impl Block {
    /// A stable word, for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Unconfirmed => "ledger-unconfirmed",
            Self::Unreadable { .. } => "holds-unreadable",
            Self::Held { .. } => "held",
            Self::SameMachine { .. } => "held-in-same-machine",
        }
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unconfirmed => {
                f.write_str("the ledger was rebuilt, and nobody has confirmed it yet")
            }
            Self::Unreadable { line } => {
                write!(f, "line {line} of state/holds.log cannot be read, and may be a hold")
            }
            Self::Held { customer } => write!(f, "customer/{customer} is on hold"),
            Self::SameMachine { machine, customer } => {
                write!(f, "{machine} also has something of customer/{customer}, who is on hold")
            }
        }
    }
}

/// Everything that holds block, ready to be asked.
#[derive(Debug, Clone, Default)]
pub struct Blocks {
    whole: Vec<Block>,
    held: BTreeSet<CustomerId>,
    workloads: BTreeMap<WorkloadId, CustomerId>,
    /// Machines with something held in them, by whatever name they have.
    machines: BTreeMap<String, CustomerId>,
    /// Where things were written.
    written: BTreeMap<WorkloadId, BTreeSet<TargetId>>,
}

impl Blocks {
    /// From the log, the inventory, and the places where anything was ever written.
    pub fn of(
        inventory: &Inventory,
        holds: &Holds,
        places: &[(WorkloadId, String)],
        is_confirmed: bool,
    ) -> Self {
        let mut blocks = Self::default();
        if !is_confirmed {
            blocks.whole.push(Block::Unconfirmed);
        }
        let unreadable = holds.unreadable.iter();
        blocks.whole.extend(unreadable.map(|line| Block::Unreadable { line: *line }));
        for (workload, place) in places {
            if let Some(target) = target_of(place) {
                blocks.written.entry(workload.clone()).or_default().insert(target);
            }
        }
        for (customer, open) in holds.all() {
            blocks.hold(customer, &open.belongings, inventory);
        }
        for customer in &inventory.customers {
            if holds.of_customer(customer, inventory) != Hold::None {
                let belongings = Belongings::of(&customer.id, inventory);
                blocks.hold(&customer.id, &belongings, inventory);
            }
        }
        blocks
    }

    fn hold(&mut self, customer: &CustomerId, belongings: &Belongings, inventory: &Inventory) {
        self.held.insert(customer.clone());
        let mut targets = belongings.targets.clone();
        for workload in &belongings.workloads {
            self.workloads.insert(workload.clone(), customer.clone());
            targets.extend(self.written.get(workload).into_iter().flatten().cloned());
        }
        let hosts = belongings.hosts.iter().flat_map(|host| names_of_host(host, inventory));
        let targets = targets.iter().flat_map(|target| names_of_target(target, inventory));
        for machine in hosts.chain(targets) {
            self.machines.entry(machine).or_insert_with(|| customer.clone());
        }
    }

    /// What keeps `workload` from being switched on.
    pub fn of_workload(&self, workload: &Workload, inventory: &Inventory) -> Vec<Block> {
        let mut found = self.whole.clone();
        let own = self.held.get(&workload.customer);
        if let Some(customer) = own.or_else(|| self.workloads.get(&workload.id)) {
            found.push(Block::Held { customer: customer.clone() });
            return found;
        }
        let mut targets: BTreeSet<TargetId> = workload.target.iter().cloned().collect();
        targets.extend(self.written.get(&workload.id).into_iter().flatten().cloned());
        let hosts = names_of_host(&workload.host, inventory);
        let targets = targets.iter().flat_map(|target| names_of_target(target, inventory));
        let mut machines = hosts.into_iter().chain(targets);
        let shared = machines.find_map(|machine| {
            let customer = self.machines.get(&machine)?.clone();
            Some(Block::SameMachine { machine, customer })
        });
        found.extend(shared);
        found
    }
}

/// By its id, and as it is dialled: two entries may be one machine.
fn names_of_host(id: &HostId, inventory: &Inventory) -> Vec<String> {
    let mut names = vec![format!("host/{id}")];
    if let Some(host) = inventory.host(id)
        && host.jump.is_none()
    {
        names.push(place(&host.address.to_ascii_lowercase(), host.port));
    }
    names
}

fn names_of_target(id: &TargetId, inventory: &Inventory) -> Vec<String> {
    let mut names = vec![format!("target/{id}")];
    names.extend(
        inventory.target(id).map(|target| place(&target.address.to_ascii_lowercase(), target.port)),
    );
    names
}

/// The target in a place's text: `target:ID:/root`.
fn target_of(place: &str) -> Option<TargetId> {
    let (id, _) = place.strip_prefix("target:")?.split_once(':')?;
    TargetId::new(id).ok()
}
