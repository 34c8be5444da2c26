//! What a colleague reads.

use std::collections::BTreeMap;

use unicode_width::UnicodeWidthStr as _;

use super::*;
use crate::ledger::snapshot::{
    CaptureState, CaptureStatus, RestoreState, RestoreStatus, SCHEMA, Totals,
};
use crate::model::{Bytes, Rate, Reason};

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn one_customer(id: &str, state: PublicWord, health: Health) -> CustomerStatus {
    CustomerStatus {
        id: id.parse().unwrap(),
        name: "Acme BV".to_owned(),
        tier: Some("gold".parse().unwrap()),
        group: None,
        state,
        health,
        hold: Hold::Legal,
        eta_low: Some(time("2030-03-04T03:00:00Z")),
        eta_high: Some(time("2030-03-04T04:00:00Z")),
        workloads: vec![WorkloadStatus {
            id: format!("{id}-site").parse().unwrap(),
            label: None,
            host: "vps-014".parse().unwrap(),
            target: None,
            state,
            health,
            consistency: None,
            capture: CaptureStatus {
                state: CaptureState::Capturing,
                pass: None,
                sealed_at: None,
                lag_s: None,
            },
            restore: RestoreStatus { state: RestoreState::None, of_pass: None, checked_at: None },
            bytes: Bytes(2_000_000),
            bytes_done: Bytes(500_000),
            copies: 1,
            since: None,
            reason: (health == Health::Error).then_some(Reason::Auth),
            next: "install the key".to_owned(),
            paused: None,
            skipped: None,
        }],
    }
}

fn active_host(id: &str) -> HostStatus {
    HostStatus {
        id: id.parse().unwrap(),
        state: HostState::Active,
        rate: Some(Rate(12_300_000)),
        rtt_ms: Some(11.6),
        lanes: 2,
        level: Some(3),
        error: None,
        uncovered: false,
    }
}

fn snapshot() -> Snapshot {
    Snapshot {
        schema: SCHEMA,
        as_of: time("2030-03-04T02:50:00Z"),
        window: Some(Window {
            opens: Some(time("2030-03-03T15:00:00Z")),
            closes: Some(time("2030-03-04T04:00:00Z")),
            hard: false,
        }),
        bottleneck: Some("uplink ams".to_owned()),
        totals: Totals {
            customers: 500,
            workloads: 1_432,
            by_state: BTreeMap::from([
                (PublicWord::Queued, 188),
                (PublicWord::Copied, 271),
                (PublicWord::Online, 41),
                (PublicWord::Testing, 0),
            ]),
            bytes: Bytes(1_200_000_000_000),
        },
        reasons: vec![ReasonGroup {
            reason: Reason::Auth,
            hosts: vec!["vps-1".parse().unwrap(), "vps-2".parse().unwrap()],
            hint: Reason::Auth.hint().to_owned(),
        }],
        hosts: vec![active_host("vps-014")],
        customers: vec![
            one_customer("calm", PublicWord::Copying, Health::Ok),
            one_customer("slow", PublicWord::Copying, Health::Lagging),
            one_customer("acme", PublicWord::NeedsAttention, Health::Error),
        ],
    }
}

#[test]
fn totals_stand_first_then_causes_then_people_then_hosts() {
    let expected = "\
312 of 500 customers copied, 41 online, 1.2 TB under receipts
queued 188, copied 271, online 41
As of 2030-03-04T02:50:00Z; the window closes in 1h10m
Limited by uplink ams

Failing: 2 hosts
  auth (2): vps-1, vps-2
    Set `user` or `identity` for this host or in [ssh], or install the key over
    there.

Somebody has to look: 2 customers
  customer  state            health   next
  acme      needs attention  error    auth: install the key
  slow      copying          lagging  install the key

At work: 1 host
  host     state        rate  round trip  lanes  zstd
  vps-014  active  12.3 MB/s       12 ms      2     3
";
    assert_eq!(status(&snapshot(), Style::PLAIN), expected);
}

#[test]
fn a_customer_is_shown_with_its_hold_and_its_workloads() {
    let expected = "\
Acme BV (acme), tier gold
  needs attention, health error, hold legal, copied between 2030-03-04T03:00:00Z
  and 2030-03-04T04:00:00Z
  workload   host     state                     done
  acme-site  vps-014  needs attention  500 kB/2.0 MB
  next for acme-site: auth: install the key
";
    let acme = one_customer("acme", PublicWord::NeedsAttention, Health::Error);
    assert_eq!(customer(&acme, Style::PLAIN), expected);
}

/// Everything is captured, and the word stays behind: without the reason, somebody waits for ever.
#[test]
fn data_that_nobody_listed_is_named_where_it_holds_a_customer_back() {
    let mut held = snapshot();
    held.reasons.clear();
    held.hosts.clear();
    held.customers.truncate(2);
    for customer in &mut held.customers {
        customer.health = Health::Ok;
        customer.workloads[0].capture.state = CaptureState::Captured;
    }
    held.customers[1].workloads[0].host = "shared-1".parse().unwrap();
    let expected = "\
2 customers held back although captured: there is data in no workload on
shared-1, vps-014. `evac survey` lists it: name it in the `paths` of a workload,
or in `accept`.
";
    let text = status(&held, Style::PLAIN);
    assert!(text.contains(expected), "{text}");
    let shown = customer(&held.customers[1], Style::PLAIN);
    let expected = "\
  held back although captured: there is data in no workload on shared-1. `evac
  survey` lists it: name it in the `paths` of a workload, or in `accept`.
";
    assert!(shown.ends_with(expected), "{shown}");
    // One of his workloads is still being copied: that is why, and his word says so.
    let mut other = held.customers[1].workloads[0].clone();
    other.capture.state = CaptureState::Capturing;
    held.customers[1].workloads.push(other);
    let text = status(&held, Style::PLAIN);
    assert!(text.contains("1 customer held back") && !text.contains("shared-1"), "{text}");
    held.customers[0].workloads[0].state = PublicWord::Copied;
    assert!(!status(&held, Style::PLAIN).contains("held back"));
}

#[test]
fn nothing_is_said_of_what_is_not_there() {
    let mut calm = snapshot();
    calm.reasons.clear();
    calm.hosts.clear();
    calm.customers.truncate(1);
    calm.window = None;
    calm.bottleneck = None;
    assert_eq!(status(&calm, Style::PLAIN).lines().count(), 3);
}

#[test]
fn a_big_bad_night_still_fits() {
    let mut night = snapshot();
    let long = "x".repeat(63);
    night.reasons[0].hosts = vec![long.parse().unwrap(); 200];
    night.reasons[0].hint = "y\x1b[31m ".repeat(400);
    night.bottleneck = Some("z".repeat(500));
    night.hosts = vec![active_host(&long); 200];
    night.customers =
        vec![one_customer(&long[..58], PublicWord::WaitingForYou, Health::Error); 500];
    let text = status(&night, Style::PLAIN);
    for line in text.lines() {
        assert!(line.width() <= 80, "{} columns: {line}", line.width());
    }
    assert!(!text.contains('\x1b'));
    assert!(text.lines().count() < 110, "{}", text.lines().count());
    assert!(text.contains("and 480 more: evac --json status"));
    let text = customer(&night.customers[0], Style::PLAIN);
    assert!(text.lines().all(|line| line.width() <= 80), "{text}");
}

#[test]
fn the_window_is_said_from_now() {
    let (early, late) = (time("2030-03-04T01:50:00Z"), time("2030-03-04T05:50:00Z"));
    let check = |opens, closes, hard, expected: Option<&str>| {
        let window = Window { opens, closes, hard };
        assert_eq!(window_line(&window, time("2030-03-04T02:50:00Z")).as_deref(), expected);
    };
    check(Some(late), None, false, Some("the window opens in 3h00m"));
    check(Some(early), Some(late), true, Some("evac stops in 3h00m"));
    check(None, Some(early), false, Some("the window has been over for 1h00m"));
    check(Some(early), None, false, None);
}
