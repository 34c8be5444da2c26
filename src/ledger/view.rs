//! What the inventory says, as far as a snapshot needs it.
//!
//! The order is the inventory's; readers rely on it.

use std::collections::BTreeMap;

use crate::ledger::snapshot::{Hold, Window};
use crate::model::{Bytes, CustomerId, GroupId, HostId, TargetId, TierName, WorkloadId};

/// Everybody and everything that is to be evacuated.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FleetView {
    /// In inventory order.
    pub customers: Vec<CustomerView>,
    /// In inventory order.
    pub hosts: Vec<HostView>,
    /// In the order they open.
    pub windows: Vec<Window>,
    /// Does a run hold the state lock now? What "is being copied" is then true.
    pub running: bool,
    /// IANA name of the zone in which people are told times; UTC where it is left out or unknown.
    pub timezone: Option<String>,
    /// What tiers weigh: who comes first among those that a search finds alike.
    pub tiers: BTreeMap<TierName, f64>,
}

/// A customer.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomerView {
    /// Which.
    pub id: CustomerId,
    /// For colleagues and for himself.
    pub name: String,
    /// Its tier.
    pub tier: Option<TierName>,
    /// How it may be counted in public.
    pub group: Option<GroupId>,
    /// A hold, if any.
    pub hold: Hold,
    /// Numbers and names in other systems.
    pub labels: BTreeMap<String, String>,
    /// Domain names.
    pub domains: Vec<String>,
    /// Mail addresses and `tel:` numbers, by which callers may be known.
    pub contacts: Vec<String>,
}

/// A host that is captured from.
#[derive(Debug, Clone, PartialEq)]
pub struct HostView {
    /// Which.
    pub id: HostId,
    /// As it is dialled.
    pub address: String,
    /// Did the newest survey find data that no workload names and nobody accepted?
    pub uncovered: bool,
    /// What is on it, in inventory order.
    pub workloads: Vec<WorkloadView>,
}

/// A workload.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkloadView {
    /// Which.
    pub id: WorkloadId,
    /// Whose.
    pub customer: CustomerId,
    /// The customer's own name for it.
    pub label: Option<String>,
    /// Where it shall go.
    pub target: Option<TargetId>,
    /// How large it is thought to be; `None` when nobody knows.
    pub estimate: Option<Bytes>,
    /// Old and new addresses, by which callers may know it.
    pub addresses: Vec<String>,
}
