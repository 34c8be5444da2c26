//! The ledger as its callers use it: real files, real processes, a clock that stands still.

mod crash;
mod formats;
mod look;
mod record;
mod search;

use std::sync::Arc;

use crate::capture::Cursor;
use crate::ledger::snapshot::{Consistency, Hold};
use crate::ledger::view::{CustomerView, HostView, WorkloadView};
use crate::ledger::{FleetView, Ledger, LeftOut, PassDescription, Receipt};
use crate::model::{
    Bytes, CustomerId, Domain, FixedClock, HostId, PassNumber, RunNumber, Tally, Timestamp,
    TreePath, WorkloadId,
};

const START: i64 = 1_900_000_000;
const MEGABYTE: u64 = 1_000_000;

fn start() -> Timestamp {
    Timestamp::from_second(START)
}

fn clock() -> Arc<FixedClock> {
    Arc::new(FixedClock::at(start()))
}

fn in_memory() -> (Ledger, Arc<FixedClock>) {
    let clock = clock();
    (Ledger::in_memory().unwrap().with_clock(clock.clone()), clock)
}

fn workload(id: &str) -> WorkloadId {
    WorkloadId::new(id).unwrap()
}

fn host(id: &str) -> HostId {
    HostId::new(id).unwrap()
}

fn customer(id: &str) -> CustomerId {
    CustomerId::new(id).unwrap()
}

fn path(text: &str) -> TreePath {
    text.parse().unwrap()
}

/// Workload `ID-site` of customer `ID` on host `ID-host`.
fn description(id: &str) -> PassDescription {
    PassDescription {
        workload: workload(&format!("{id}-site")),
        customer: customer(id),
        host: host(&format!("{id}-host")),
        domain: Domain([7; 8]),
        cutting: vec![1, 2, 3],
    }
}

fn begin(ledger: &Ledger, id: &str) -> PassNumber {
    ledger.begin_pass(&description(id), None, "jo").unwrap()
}

fn tally(bytes: u64) -> Tally {
    let (raw_bytes, sent_bytes) = (Bytes(bytes), Bytes(bytes / 2));
    Tally { entries: 10, files: 9, raw_bytes, sent_bytes, ..Tally::default() }
}

/// Segment `segment` of the walk of the first pass: 100 bytes of manifest, 1 MB of content.
fn receipt(id: &str, segment: u64) -> Receipt {
    Receipt {
        workload: workload(&format!("{id}-site")),
        pass: PassNumber(1),
        run: RunNumber(0),
        segment,
        manifest_end: (segment + 1) * 100,
        cursor: Cursor { path: path(&format!("/srv/{segment}")), within: None },
        tally: tally(MEGABYTE),
        left_out: Vec::new(),
    }
}

fn left_out(index: u64) -> LeftOut {
    LeftOut { path: path(&format!("/proc/{index:05}")), why: "another file system".into() }
}

fn seal(ledger: &Ledger, id: &str, pass: u32) {
    let (workload, tally) = (workload(&format!("{id}-site")), tally(5 * MEGABYTE));
    ledger.seal(&workload, PassNumber(pass), &tally, Consistency::Crash, "jo").unwrap();
}

/// Each customer has one workload on a host of his own, as [`description`] names them.
fn fleet(ids: &[&str]) -> FleetView {
    let customers = ids.iter().map(|id| CustomerView {
        id: customer(id),
        name: format!("{} BV", id.to_uppercase()),
        tier: None,
        group: None,
        hold: Hold::None,
        labels: [("whmcs".to_owned(), format!("88-{id}"))].into(),
        domains: vec![format!("{id}.example")],
        contacts: vec![format!("it@{id}-office.example"), "tel:+31201234567".into()],
    });
    let hosts = ids.iter().enumerate().map(|(index, id)| HostView {
        id: host(&format!("{id}-host")),
        address: format!("203.0.113.{}", index + 10),
        uncovered: false,
        workloads: vec![WorkloadView {
            id: workload(&format!("{id}-site")),
            customer: customer(id),
            label: Some(format!("shop.{id}.example")),
            target: None,
            estimate: Some(Bytes(5 * MEGABYTE)),
            addresses: vec![format!("198.51.100.{}", index + 10)],
        }],
    });
    FleetView {
        customers: customers.collect(),
        hosts: hosts.collect(),
        running: true,
        ..FleetView::default()
    }
}
