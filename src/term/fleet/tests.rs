//! A run told by its events.

use super::*;
use crate::model::{PassNumber, Reason, Tally};

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Customers, each with the workloads it owns.
fn roster(customers: &[(&str, &[&str])]) -> Roster {
    let mut roster = Roster::default();
    for (customer, workloads) in customers {
        let customer: CustomerId = customer.parse().unwrap();
        for workload in *workloads {
            let workload: WorkloadId = workload.parse().unwrap();
            roster.owner.insert(workload.clone(), customer.clone());
            roster.open.entry(customer.clone()).or_default().insert(workload);
        }
    }
    roster
}

fn started(host: &str, workload: &str) -> Event {
    let (host, workload) = (host.parse().unwrap(), workload.parse().unwrap());
    Event::CaptureStarted { host, workload, pass: PassNumber(1), resumed: false }
}

fn sealed(workload: &str) -> Event {
    let workload = workload.parse().unwrap();
    Event::CaptureSealed { workload, pass: PassNumber(1), tally: Tally::default() }
}

fn received(host: &str, workload: &str, bytes: u64) -> Event {
    Event::Received {
        host: host.parse().unwrap(),
        workload: workload.parse().unwrap(),
        sent_bytes: Bytes(bytes),
        raw_bytes: Bytes(2 * bytes),
    }
}

fn committed(workload: &str, bytes: u64) -> Event {
    Event::SegmentCommitted {
        workload: workload.parse().unwrap(),
        pass: PassNumber(1),
        run: RunNumber(0),
        segment: 0,
        tally: Tally { raw_bytes: Bytes(bytes), ..Tally::default() },
    }
}

#[test]
fn without_sizes_the_bar_counts_customers() {
    let mut fleet = Fleet::new(roster(&[("acme", &["a1"]), ("bolt", &["b1"])]), at(0));
    fleet.take(&committed("a1", 1_000), at(1));
    fleet.take(&sealed("a1"), at(2));
    assert_eq!(fleet.share(), (1, 2));
}

#[test]
fn a_customer_is_out_when_all_of_it_is_and_comes_back_when_it_is_not() {
    let mut fleet = Fleet::new(roster(&[("acme", &["a1", "a2"]), ("bolt", &["b1"])]), at(0));
    let mut check = |event: &Event, expected| {
        fleet.take(event, at(0));
        assert_eq!(fleet.roster.share(), expected, "{event:?}");
    };
    check(&sealed("a1"), (0, 2));
    check(&sealed("a2"), (1, 2));
    check(&sealed("stranger"), (1, 2));
    check(&sealed("b1"), (2, 2));
    let damaged =
        Event::VerifyFailed { workload: "a2".parse().unwrap(), pass: PassNumber(1), bad_chunks: 1 };
    check(&damaged, (1, 2));
}

#[test]
fn a_run_in_its_lines() {
    let mut fleet = Fleet::new(roster(&[("acme", &["a1"]), ("bolt", &["b1"])]), at(0));
    let bytes = Bytes(1_000_000_000);
    fleet.take(&Event::RunStarted { workloads: 2, hosts: 3, customers: 2, bytes }, at(0));
    assert_eq!(fleet.line(at(0)), "0/2 customers out, 0 B of ~1.0 GB");
    for host in ["vps-1", "vps-2", "vps-3"] {
        fleet.take(&Event::HostDialled { host: host.parse().unwrap() }, at(0));
    }
    fleet.take(&started("vps-2", "a1"), at(0));
    for second in 1..=100 {
        fleet.take(&received("vps-2", "a1", 1_000_000), at(second));
        fleet.take(&committed("a1", 4_000_000), at(second));
    }
    let failed = Event::HostFailed {
        host: "vps-3".parse().unwrap(),
        reason: Reason::Auth,
        detail: String::new(),
        retry_s: None,
    };
    fleet.take(&failed, at(100));
    assert_eq!(
        fleet.line(at(100)),
        "0/2 customers out, about 3 min left, 1 host failing, 1.0 MB/s, 400 MB of ~1.0 GB"
    );
    assert_eq!(fleet.share(), (400_000_000, 1_000_000_000));
    assert_eq!(
        fleet.host_lines(16, at(100)),
        [
            "  vps-2                a1                       copying     100 MB   1.0 MB/s",
            "  vps-1                                         dialling       0 B",
        ]
    );
    let swept =
        Event::RunBegan { workload: "a1".parse().unwrap(), pass: PassNumber(1), run: RunNumber(1) };
    fleet.take(&swept, at(100));
    assert!(fleet.host_lines(1, at(100))[0].contains("a1                       sweeping"));
    fleet.take(&sealed("a1"), at(100));
    assert!(fleet.line(at(100)).starts_with("1/2 customers out"));
    fleet.take(&Event::HostDone { host: "vps-2".parse().unwrap() }, at(100));
    assert_eq!(fleet.host_lines(16, at(100)).len(), 1);
}

#[test]
fn many_hosts_share_one_line_and_those_that_copy_are_seen() {
    let mut fleet = Fleet::new(Roster::default(), at(0));
    for number in 0..39 {
        let host = format!("vps-{number:02}").parse().unwrap();
        fleet.take(&Event::HostDialled { host }, at(0));
    }
    fleet.take(&started("vps-38", "a1"), at(0));
    let lines = fleet.host_lines(16, at(0));
    assert_eq!(lines.len(), 17);
    assert!(lines[0].starts_with("  vps-38"), "{}", lines[0]);
    assert_eq!(lines[16], "  and 23 more");
}

#[test]
fn a_line_of_the_longest_names_fits_eighty_columns() {
    let mut fleet = Fleet::new(Roster::default(), at(0));
    let long = "x".repeat(63);
    fleet.take(&started(&long, &long), at(0));
    for second in 1..=20 {
        fleet.take(&received(&long, &long, 999_949_999), at(second));
    }
    let line = &fleet.host_lines(16, at(20))[0];
    assert!(line.chars().count() <= 80, "{line}");
}

#[test]
fn restores_are_counted() {
    let mut fleet = Fleet::new(Roster::default(), at(0));
    let workload = || "a1".parse().unwrap();
    fleet.take(
        &Event::RestoreStarted { workload: workload(), pass: PassNumber(1), place: "/x".into() },
        at(0),
    );
    assert_eq!(fleet.line(at(0)), "0 B, 0/1 restored");
    fleet.take(
        &Event::RestoreDone {
            workload: workload(),
            pass: PassNumber(1),
            missing: 0,
            place: "folder:/x".into(),
        },
        at(0),
    );
    assert_eq!(fleet.line(at(0)), "0 B, 1/1 restored");
}
