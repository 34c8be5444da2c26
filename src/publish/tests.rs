//! Tests of the whole way from a snapshot to files; the fixture they share.

mod fold;
mod feeds;
mod folder;
mod groups;
mod json;
mod outbox;
mod leak;
mod mail;
mod own;
pub(super) mod pages;
pub(super) mod pseudo;
mod texts;

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use crate::inventory::Wording;
use crate::ledger::outbox::PostText;
use crate::ledger::snapshot::{
    CaptureState, CaptureStatus, CustomerStatus, Health, Hold, HostError, HostState, HostStatus,
    ReasonGroup, RestoreState, RestoreStatus, SCHEMA, Snapshot, Totals, Window, WorkloadStatus,
};
use crate::model::{Bytes, PassNumber, PublicWord, Rate, Reason, Timestamp};
use crate::publish::groups::Naming;
use crate::publish::page::WORDS;
use crate::publish::{Kind, Language, Look, PublishError, Rendered, Site, StatusPage, Update};

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
        contact: Wording::new(),
        advice: Wording::new(),
        look: Look::default(),
        naming: Naming { names: BTreeMap::new(), smallest: 5 },
        windows: vec![Window {
            opens: Some(time("2030-03-03T15:00:00Z")),
            closes: Some(time("2030-03-04T03:00:00Z")),
            hard: false,
        }],
        updates: Vec::new(),
        history: Vec::new(),
    }
}

/// `en` and `nl` of a free text.
fn wording(en: &str, nl: &str) -> Wording {
    [("en", en), ("nl", nl)]
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(language, text)| (language.to_owned(), text.to_owned()))
        .collect()
}

/// Three messages: one in both languages, one in English only, one about planned work.
fn updates() -> Vec<Update> {
    use Language::{En, Nl};
    let update =
        |id: &str, at: &str, kind, texts: &[(Language, &str, &str)], next: Option<&str>| {
            let text = |(language, title, body): &(Language, &str, &str)| {
                (*language, PostText { title: (*title).to_owned(), body: (*body).to_owned() })
            };
            Update {
                id: id.to_owned(),
                at: time(at),
                kind,
                texts: texts.iter().map(text).collect(),
                next_by: next.map(time),
            }
        };
    let unreachable = [
        (En, "Our servers cannot be reached", "We are finding out why."),
        (Nl, "Onze servers zijn onbereikbaar", "Wij zoeken uit waarom."),
    ];
    let access = "First part.\n\nSecond part,\nof two lines.";
    let access = [(En, "We have access & copy <everything>", access)];
    let friday = [(En, "A new line on Friday", ""), (Nl, "Een nieuwe lijn op vrijdag", "")];
    let first = Some("2030-03-03T14:40:00Z");
    vec![
        update("1", "2030-03-03T14:10:00Z", Kind::Investigating, &unreachable, first),
        update(
            "2",
            "2030-03-04T02:31:00Z",
            Kind::Identified,
            &access,
            Some("2030-03-04T03:15:00Z"),
        ),
        update("3", "2030-03-04T02:40:00Z", Kind::Maintenance, &friday, None),
    ]
}

fn render(page: &StatusPage) -> Result<Rendered, PublishError> {
    crate::publish::render(page, &[])
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
        copies: 1,
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
