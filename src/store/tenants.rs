//! Who may rely on whose chunks: what one customer alone has sent, nobody else is told of.
//!
//! A customer who has root on a host can make his agent say anything. Were a chunk passed over
//! because somebody else had sent it, he would learn that somebody has what he guesses; and have
//! it counted as his, and restored to him. So a chunk that such a host offers counts as here only
//! when a host of the house has sent it, or his own hosts, or those of two other customers
//! ([`Tenant`]). What nearly everybody has, an operating system, thus crosses twice.
//!
//! Nothing is written down for it: chunks lie in packs of the workload that sent them, and who may
//! rely on them is what those packs say, by the inventory of now. A second customer's copy is kept
//! in a pack of his; that it is there says that both sent it. What that does not keep apart is one
//! customer who is two: having sent something as one, he can ask as the other.

use std::collections::HashMap;

use crate::model::WorkloadId;

/// On whose word a chunk came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tenant(u32);

impl Tenant {
    /// Nobody but the house has root there: it is believed, and believes everybody.
    pub const HOUSE: Self = Self(0);
    /// Of a workload that the inventory does not have any more. What it sent serves the house.
    pub const NOBODY: Self = Self(u32::MAX);
}

/// Whose each workload is.
#[derive(Debug, Clone, Default)]
pub struct Tenants {
    of: HashMap<WorkloadId, Tenant>,
    names: HashMap<String, Tenant>,
}

impl Tenants {
    /// Takes a workload in. `name` tells those apart who may not rely on each other's chunks;
    /// `None` is the house.
    pub fn set(&mut self, workload: &WorkloadId, name: Option<&str>) -> Tenant {
        let next = Tenant(self.names.len() as u32 + 1);
        let tenant =
            name.map_or(Tenant::HOUSE, |name| *self.names.entry(name.to_owned()).or_insert(next));
        self.of.insert(workload.clone(), tenant);
        tenant
    }

    /// Whose it is.
    pub fn of(&self, workload: &WorkloadId) -> Tenant {
        self.of.get(workload).copied().unwrap_or(Tenant::NOBODY)
    }
}
