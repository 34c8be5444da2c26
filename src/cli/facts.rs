//! What is known beyond the inventory: the newest survey of every host, and what was captured.

use std::collections::BTreeMap;

use crate::cli::failure::Failure;
use crate::inventory::Inventory;
use crate::ledger::Ledger;
use crate::ledger::snapshot::{CaptureState, Snapshot};
use crate::model::{Bytes, HostId};
use crate::plan::{self, Uncovered, WorkloadFacts};
use crate::run::survey::{FactsError, HostFacts, facts_of};

/// Less content than this says nothing about how well a fleet shrinks.
const EXPERIENCE_MIN: Bytes = Bytes(1_000_000_000);

/// Facts by host.
pub type Surveyed = BTreeMap<HostId, HostFacts>;

/// The newest survey of every host of `inventory`. What the inventory has covered since is no
/// longer uncovered.
pub fn surveyed(ledger: &Ledger, inventory: &Inventory) -> Result<Surveyed, Failure> {
    let mut surveyed = Surveyed::new();
    for host in &inventory.hosts {
        let found = facts_of(ledger, &host.id).map_err(|error| match error {
            FactsError::Ledger(error) => error.into(),
            FactsError::Unreadable { host, source } => {
                let what = format!("what a survey found on host/{host} cannot be read");
                Failure::failed(what).because(&source).hint("`evac survey` looks again.")
            }
        })?;
        let Some(mut facts) = found else { continue };
        facts.uncovered = facts.uncovered_now(host).cloned().collect();
        surveyed.insert(host.id.clone(), facts);
    }
    Ok(surveyed)
}

/// What a plan is made from, of `snapshot` and of what surveys and earlier captures showed.
pub fn plan_facts(
    ledger: &Ledger,
    inventory: &Inventory,
    snapshot: &Snapshot,
) -> Result<plan::Facts, Failure> {
    let mut facts =
        plan::Facts { sent_share: sent_share(ledger, inventory)?, ..plan::Facts::default() };
    for status in snapshot.customers.iter().flat_map(|customer| &customer.workloads) {
        let state = status.capture.state;
        let captured = matches!(state, CaptureState::Captured | CaptureState::Verified);
        // Of unknown size, a workload looks as large as what is here of it.
        let is_known = captured || status.bytes > status.bytes_done;
        let known = WorkloadFacts {
            bytes: is_known.then_some(status.bytes),
            captured_bytes: status.bytes_done,
            captured,
        };
        facts.workloads.insert(status.id.clone(), known);
    }
    for (host, found) in surveyed(ledger, inventory)? {
        facts.uncovered.extend(found.uncovered.into_iter().map(|found| Uncovered {
            host: host.clone(),
            path: found.path,
            bytes: found.bytes,
        }));
    }
    Ok(facts)
}

/// Share of the content captured so far that crossed the line.
fn sent_share(ledger: &Ledger, inventory: &Inventory) -> Result<Option<f64>, Failure> {
    let (mut sent, mut raw) = (Bytes::ZERO, Bytes::ZERO);
    for workload in inventory.workloads() {
        for pass in ledger.passes(&workload.id)? {
            sent += pass.tally.sent_bytes;
            raw += pass.tally.raw_bytes;
        }
    }
    Ok((raw >= EXPERIENCE_MIN).then(|| (sent.0 as f64 / raw.0 as f64).min(1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{SourceFile, read_files};
    use serde_json::json;

    const INVENTORY: &str = r#"
[[customer]]
id = "acme"
[[host]]
id = "vps-1"
address = "203.0.113.1"
customer = "acme"
[[host.workload]]
id = "site"
paths = ["/var/www"]
bytes = "40GB"
accept = [{ path = "/backup", reason = "customer has copies" }]
"#;

    fn inventory() -> Inventory {
        let settings = SourceFile::new("evac.toml", "[site]\nname = \"x\"\n");
        read_files(&settings, &[SourceFile::new("inventory.toml", INVENTORY)]).inventory
    }

    fn surveyed_as(facts: &serde_json::Value) -> Result<Surveyed, Failure> {
        let ledger = Ledger::in_memory().unwrap();
        ledger.record_facts(&"vps-1".parse().unwrap(), facts).unwrap();
        surveyed(&ledger, &inventory())
    }

    #[test]
    fn what_the_inventory_covers_by_now_is_not_uncovered() {
        let path = |path: &str| json!({ "path": path, "bytes": 7, "kind": "folder" });
        let found = ["/backup/2029", "/srv", "/var/www/x", "/var", "not\\x01a path"].map(path);
        let surveyed = surveyed_as(&json!({ "uncovered": found, "later_key": 1 })).unwrap();
        let left: Vec<_> = surveyed.values().flat_map(|host| &host.uncovered).collect();
        let left: Vec<_> = left.into_iter().map(|found| found.path.as_str()).collect();
        assert_eq!(left, ["/srv", "/var", "not\\x01a path"]);
    }

    #[test]
    fn facts_that_cannot_be_read_are_named_with_their_host() {
        let failure = surveyed_as(&json!({ "workloads": 3 })).unwrap_err();
        assert!(failure.message.contains("host/vps-1"), "{failure}");
    }

    #[test]
    fn sizes_that_nobody_knows_stay_unknown() {
        let ledger = Ledger::in_memory().unwrap();
        let view = |surveyed| {
            let settings = crate::inventory::Settings::named("x");
            crate::cli::fleet::fleet_view(&inventory(), &settings, &surveyed, false)
        };
        let size = |surveyed| {
            let now = crate::model::Timestamp::from_second(1_900_000_000);
            let snapshot = ledger.snapshot(&view(surveyed), now).unwrap();
            let facts = plan_facts(&ledger, &inventory(), &snapshot).unwrap();
            facts.workloads.values().next().unwrap().bytes
        };
        assert_eq!(size(Surveyed::new()), Some(Bytes(40_000_000_000)));
        let measured = |bytes: u64| {
            let facts: HostFacts =
                serde_json::from_value(json!({ "workloads": { "site": bytes } })).unwrap();
            Surveyed::from([("vps-1".parse().unwrap(), facts)])
        };
        assert_eq!(size(measured(9)), Some(Bytes(9)), "a survey replaces the estimate");
        assert_eq!(size(measured(0)), None);
    }
}
