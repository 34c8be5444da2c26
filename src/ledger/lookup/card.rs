//! What a live look-up file keeps of customers and hosts: what tells who somebody is and where he
//! stands. Neither keys, nor passwords and the programs that know them, nor how hosts are reached.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::inventory::settings::DEFAULT_PORT;
use crate::inventory::{
    Accept, Access, AddressChange, Checks, Class, Customer, Hold, Host, Impact, Inventory, Origin,
    Rescue, Ways, Workload, WorkloadKind,
};
use crate::ledger::view::FleetView;
use crate::model::{Bytes, CustomerId, GroupId, HostId, TargetId, TierName, TreePath, WorkloadId};

/// A customer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CustomerCard {
    pub id: CustomerId,
    name: String,
    tier: Option<TierName>,
    language: Option<String>,
    contacts: Vec<String>,
    domains: Vec<String>,
    group: Option<GroupId>,
    labels: BTreeMap<String, String>,
    hold: Hold,
    suspended: bool,
    /// Places of the hosts that something of his is on.
    pub hosts: Vec<u32>,
}

/// A host that is captured from.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct HostCard {
    id: HostId,
    address: String,
    customer: Option<CustomerId>,
    workloads: Vec<WorkloadCard>,
}

#[derive(Debug, Serialize, Deserialize)]
struct WorkloadCard {
    id: WorkloadId,
    customer: CustomerId,
    label: Option<String>,
    class: Class,
    target: Option<TargetId>,
    bytes: Option<Bytes>,
    addresses: Vec<(Option<IpAddr>, Option<IpAddr>)>,
    paths: Vec<TreePath>,
    accept: Vec<(TreePath, String)>,
}

/// How large a workload is thought to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Which.
    pub workload: WorkloadId,
    /// Where it is.
    pub host: HostId,
    /// `None` when nobody knows.
    pub bytes: Option<Bytes>,
}

impl CustomerCard {
    pub(super) fn all(inventory: &Inventory) -> Option<Vec<Vec<u8>>> {
        let mut hosts: HashMap<&CustomerId, Vec<u32>> = HashMap::new();
        for (place, host) in captured(inventory).enumerate() {
            for workload in &host.workloads {
                let his = hosts.entry(&workload.customer).or_default();
                if his.last() != Some(&(place as u32)) {
                    his.push(place as u32);
                }
            }
        }
        let card = |customer: &Customer| {
            let hosts = hosts.remove(&customer.id).unwrap_or_default();
            let Customer { id, name, tier, language, contacts, domains, group, labels, .. } =
                customer.clone();
            let (hold, suspended) = (customer.hold, customer.suspended);
            postcard::to_stdvec(&Self {
                id,
                name,
                tier,
                language,
                contacts,
                domains,
                group,
                labels,
                hold,
                suspended,
                hosts,
            })
            .ok()
        };
        inventory.customers.iter().map(card).collect()
    }
}

impl From<CustomerCard> for Customer {
    fn from(card: CustomerCard) -> Self {
        let CustomerCard { id, name, tier, language, contacts, domains, group, labels, .. } = card;
        let (hold, suspended, origin) = (card.hold, card.suspended, origin());
        Self { id, name, tier, language, contacts, domains, group, labels, hold, suspended, origin }
    }
}

impl HostCard {
    pub(super) fn all(inventory: &Inventory) -> Option<Vec<Vec<u8>>> {
        captured(inventory).map(|host| postcard::to_stdvec(&Self::of(host)).ok()).collect()
    }

    fn of(host: &Host) -> Self {
        Self {
            id: host.id.clone(),
            address: host.address.clone(),
            customer: host.customer.clone(),
            workloads: host.workloads.iter().map(WorkloadCard::of).collect(),
        }
    }
}

impl WorkloadCard {
    fn of(workload: &Workload) -> Self {
        let accept = workload.accept.iter();
        let addresses = workload.addresses.iter();
        Self {
            id: workload.id.clone(),
            customer: workload.customer.clone(),
            label: workload.label.clone(),
            class: workload.class,
            target: workload.target.clone(),
            bytes: workload.bytes,
            addresses: addresses.map(|change| (change.old, change.new)).collect(),
            paths: workload.paths.clone(),
            accept: accept.map(|accept| (accept.path.clone(), accept.reason.clone())).collect(),
        }
    }

    fn on(self, host: &HostId) -> Workload {
        let accept = self.accept.into_iter().map(|(path, reason)| Accept { path, reason });
        let addresses = self.addresses.into_iter().map(|(old, new)| AddressChange { old, new });
        Workload {
            id: self.id,
            host: host.clone(),
            customer: self.customer,
            label: self.label,
            kind: WorkloadKind::default(),
            paths: self.paths,
            exclude: Vec::new(),
            class: self.class,
            bytes: self.bytes,
            addresses: addresses.collect(),
            target: self.target,
            restore_root: None,
            accept: accept.collect(),
            rechecks: false,
            checks: Checks::default(),
            is_default: false,
            origin: origin(),
        }
    }
}

impl From<HostCard> for Host {
    fn from(card: HostCard) -> Self {
        let HostCard { id, address, customer, workloads } = card;
        let workloads = workloads.into_iter().map(|workload| workload.on(&id)).collect();
        Self {
            id,
            address,
            port: DEFAULT_PORT,
            user: None,
            identity: Vec::new(),
            host_key: None,
            ways: Ways::default(),
            jump: None,
            uplink: None,
            uses: Vec::new(),
            rate: None,
            disk: None,
            customer,
            untrusted: false,
            capture: true,
            impact: Impact::default(),
            access: Access::default(),
            rescue: Rescue::default(),
            target: None,
            workloads,
            origin: origin(),
        }
    }
}

impl Size {
    pub(super) fn all(view: &FleetView) -> Option<Vec<u8>> {
        let size = |host: &HostId, workload: &crate::ledger::view::WorkloadView| Self {
            workload: workload.id.clone(),
            host: host.clone(),
            bytes: workload.estimate,
        };
        let sizes = view
            .hosts
            .iter()
            .flat_map(|host| host.workloads.iter().map(|workload| size(&host.id, workload)));
        postcard::to_stdvec(&sizes.collect::<Vec<_>>()).ok()
    }
}

/// The order of hosts in files.
fn captured(inventory: &Inventory) -> impl Iterator<Item = &Host> {
    inventory.hosts.iter().filter(|host| host.capture)
}

fn origin() -> Origin {
    Origin { file: Arc::from("the look-up file"), line: 0 }
}
