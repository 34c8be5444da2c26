//! Tests of the whole way from a snapshot to files; the fixture they share.

mod fold;
mod folder;
mod json;
mod outbox;
mod leak;
mod pages;
mod texts;

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use crate::ledger::snapshot::{
    CaptureState, CaptureStatus, CustomerStatus, Health, Hold, HostError, HostState, HostStatus,
    ReasonGroup, RestoreState, RestoreStatus, SCHEMA, Snapshot, Totals, Window, WorkloadStatus,
};
use crate::model::{Bytes, PassNumber, PublicWord, Rate, Reason, Timestamp};
use crate::publish::page::WORDS;
use crate::publish::{Language, Site, StatusPage};

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn site() -> Site {
    Site {
        name: "Example Hosting".to_owned(),
        url: Some("https://status.example.net/".to_owned()),
        timezone: TimeZone::get("Europe/Amsterdam").unwrap(),
        languages: vec![Language::En, Language::Nl],
        next_update: time("2030-03-04T03:20:00Z"),
    }
}

/// As many customers at each word, in the order of [`WORDS`].
fn snapshot(counts: [usize; 8]) -> Snapshot {
    let mut snapshot = Snapshot {
        schema: SCHEMA,
        as_of: time("2030-03-04T02:50:00Z"),
        window: Some(Window {
            opens: Some(time("2030-03-03T15:00:00Z")),
            closes: Some(time("2030-03-04T03:00:00Z")),
            hard: false,
        }),
        bottleneck: Some("zz-bottleneck on zz-uplink".to_owned()),
        totals: Totals::default(),
        reasons: vec![ReasonGroup {
            reason: Reason::Auth,
            hosts: vec!["zz-host-0".parse().unwrap()],
            hint: "zz-hint".to_owned(),
        }],
        hosts: Vec::new(),
        customers: Vec::new(),
    };
    for (word, count) in WORDS.into_iter().zip(counts) {
        for _ in 0..count {
            let number = snapshot.customers.len();
            snapshot.hosts.push(host(number));
            snapshot.customers.push(customer(number, word));
        }
    }
    // What colleagues count: everybody, also those under a hold.
    snapshot.totals = Totals {
        customers: 987_654,
        workloads: 987_653,
        by_state: BTreeMap::from([(PublicWord::Online, 987_652)]),
        bytes: Bytes(987_651),
    };
    snapshot
}

fn host(number: usize) -> HostStatus {
    HostStatus {
        id: format!("zz-host-{number}").parse().unwrap(),
        state: HostState::Failed,
        rate: Some(Rate(1)),
        rtt_ms: Some(1.0),
        lanes: 1,
        level: Some(3),
        error: Some(HostError {
            reason: Reason::Auth,
            detail: "zz-detail at 203.0.113.77".to_owned(),
            since: time("2030-03-04T02:00:00Z"),
        }),
        uncovered: false,
    }
}

fn customer(number: usize, state: PublicWord) -> CustomerStatus {
    CustomerStatus {
        id: format!("zz-customer-{number}").parse().unwrap(),
        name: format!("ZZ Name {number} B.V."),
        tier: Some("zz-tier".parse().unwrap()),
        group: Some("zz-group".parse().unwrap()),
        state,
        health: Health::Ok,
        hold: Hold::None,
        eta_low: None,
        eta_high: None,
        workloads: vec![workload(number, state)],
    }
}

fn workload(number: usize, state: PublicWord) -> WorkloadStatus {
    WorkloadStatus {
        id: format!("zz-workload-{number}").parse().unwrap(),
        label: Some(format!("zz-shop-{number}.example.com")),
        host: format!("zz-host-{number}").parse().unwrap(),
        target: Some("zz-target".parse().unwrap()),
        state,
        health: Health::Ok,
        consistency: None,
        capture: CaptureStatus {
            state: CaptureState::Captured,
            pass: Some(PassNumber(1)),
            sealed_at: None,
            lag_s: None,
        },
        restore: RestoreStatus { state: RestoreState::None, of_pass: None, checked_at: None },
        bytes: Bytes(1),
        bytes_done: Bytes(1),
        since: None,
        reason: None,
        next: "zz-next".to_owned(),
        paused: None,
        skipped: None,
    }
}

fn page(counts: [usize; 8]) -> StatusPage {
    StatusPage::new(&snapshot(counts), &site())
}
