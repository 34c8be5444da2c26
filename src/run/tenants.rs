//! Whose each workload is, where a customer may make his host lie ([`crate::store::tenants`]).

use crate::inventory::{Host, Inventory};
use crate::store::Tenants;

/// Whose all of them are, by the inventory.
pub fn tenants(inventory: &Inventory) -> Tenants {
    let mut tenants = Tenants::default();
    for host in &inventory.hosts {
        let name = tenant_name(host);
        for workload in &host.workloads {
            tenants.set(&workload.id, name.as_deref());
        }
    }
    tenants
}

/// Who has root on a host; `None`: nobody but the house. Whoever has root on one with data of
/// several customers is not one of them as far as is known, and stands for himself.
pub fn tenant_name(host: &Host) -> Option<String> {
    let mut owners = host.workloads.iter().map(|workload| &workload.customer);
    let owner = owners.next().filter(|first| owners.all(|owner| owner == *first));
    let customer = host.customer.as_ref().or(owner);
    let name = || customer.map_or(format!("host/{}", host.id), |id| format!("customer/{id}"));
    host.untrusted.then(name)
}
