//! Snapshots say what is so, and nothing more.

use std::time::Duration;

use super::*;
use crate::ledger::snapshot::{Health, HostState, Snapshot, Window};
use crate::ledger::{HostPulse, Pulse};
use crate::model::{Event, PublicWord, Rate, Reason};
use PublicWord::{Copied, Copying, NeedsAttention, Queued, Restoring, Testing};

fn words(snapshot: &Snapshot) -> Vec<PublicWord> {
    snapshot.customers.iter().map(|customer| customer.state).collect()
}

fn host_failed(id: &str, reason: Reason) -> Event {
    Event::HostFailed { host: host(id), reason, detail: "no".into(), retry_s: None }
}

#[test]
fn a_fleet_is_folded_into_words_causes_and_counts() {
    let (ledger, _) = in_memory();
    let view = fleet(&["acme", "bolt", "cato", "dune", "echo"]);
    for id in ["acme", "bolt"] {
        begin(&ledger, id);
        ledger.commit_receipts(&[receipt(id, 0)]).unwrap();
    }
    seal(&ledger, "acme", 1);
    ledger.append(&host_failed("cato-host", Reason::Auth), "jo").unwrap();
    ledger.append(&host_failed("dune-host", Reason::Unreachable), "jo").unwrap();
    ledger.append(&host_failed("echo-host", Reason::Unreachable), "jo").unwrap();
    let snapshot = ledger.snapshot(&view, start()).unwrap();
    assert_eq!(words(&snapshot), [Copied, Copying, NeedsAttention, Queued, Queued]);
    let health: Vec<_> = snapshot.customers.iter().map(|customer| customer.health).collect();
    assert_eq!(health, [Health::Ok, Health::Ok, Health::Error, Health::Lagging, Health::Lagging]);
    assert_eq!(snapshot.totals.by_state[&Queued], 2);
    assert_eq!((snapshot.totals.customers, snapshot.totals.workloads), (5, 5));
    assert_eq!(snapshot.totals.bytes, Bytes(6 * MEGABYTE));
    let reasons: Vec<_> =
        snapshot.reasons.iter().map(|group| (group.reason, group.hosts.len())).collect();
    assert_eq!(reasons, [(Reason::Unreachable, 2), (Reason::Auth, 1)]);
    assert_eq!(snapshot.reasons[1].hint, Reason::Auth.hint());
    assert_eq!(snapshot.hosts[2].state, HostState::Failed);
    let read_back: Snapshot =
        serde_json::from_str(&serde_json::to_string(&snapshot).unwrap()).unwrap();
    assert_eq!(read_back, snapshot);
}

#[test]
fn passes_have_their_times_and_calls_are_found_again() {
    let (ledger, clock) = in_memory();
    for id in ["acme", "bolt"] {
        begin(&ledger, id);
        clock.advance(Duration::from_secs(60));
    }
    ledger.commit_receipts(&[receipt("acme", 0)]).unwrap();
    seal(&ledger, "acme", 1);
    let spans = ledger.pass_spans().unwrap();
    let span = |index: usize| {
        let it = &spans[index];
        (it.host.as_str(), it.started_at, it.sealed_at)
    };
    let after = |seconds| start().plus(Duration::from_secs(seconds));
    assert_eq!(span(0), ("acme-host", start(), Some(after(120))));
    assert_eq!(span(1), ("bolt-host", after(60), None));
    for text in ["one", "two", "three"] {
        let bell = crate::model::Bell::Test;
        let rang = Event::Rang { bell, text: text.into(), held_back: 0, failed: Vec::new() };
        ledger.append(&rang, "jo").unwrap();
        ledger.append(&Event::HostDone { host: host("acme-host") }, "jo").unwrap();
    }
    let rung = ledger.rung(2).unwrap();
    let texts: Vec<_> = rung
        .iter()
        .map(|it| match &it.event {
            Event::Rang { text, .. } => text.as_str(),
            _ => "another event",
        })
        .collect();
    assert_eq!(texts, ["three", "two"], "the newest first");
}

#[test]
fn a_host_that_answers_again_is_forgiven_and_a_repeated_failure_keeps_its_time() {
    let (ledger, clock) = in_memory();
    let view = fleet(&["acme"]);
    ledger.append(&host_failed("acme-host", Reason::Timeout), "jo").unwrap();
    clock.advance(Duration::from_secs(60));
    ledger.append(&host_failed("acme-host", Reason::Timeout), "jo").unwrap();
    ledger.append(&Event::HostDone { host: host("acme-host") }, "jo").unwrap();
    let failing = ledger.snapshot(&view, start()).unwrap().hosts.remove(0);
    assert_eq!((failing.state, failing.error.unwrap().since), (HostState::Failed, start()));
    let ready = Event::HostReady { host: host("acme-host"), rtt_ms: 4.5, agent_bytes: Bytes::ZERO };
    ledger.append(&ready, "jo").unwrap();
    let working = ledger.snapshot(&view, start()).unwrap().hosts.remove(0);
    assert_eq!(
        (working.state, working.error, working.rtt_ms),
        (HostState::Active, None, Some(4.5))
    );
}

#[test]
fn captured_is_not_said_while_data_is_uncovered() {
    let (ledger, _) = in_memory();
    let pass = begin(&ledger, "acme");
    seal(&ledger, "acme", 1);
    let look = |uncovered| {
        let mut view = fleet(&["acme"]);
        view.hosts[0].uncovered = uncovered;
        ledger.snapshot(&view, start()).unwrap()
    };
    let word = |uncovered| look(uncovered).customers[0].state;
    assert_eq!((word(false), word(true)), (Copied, Copying));
    let held = look(true);
    assert!(held.hosts[0].uncovered && held.customers[0].is_held_back());
    let next = &held.customers[0].workloads[0].next;
    for word in [held.hosts[0].id.as_str(), "`evac survey`", "`accept`"] {
        assert!(next.contains(word), "{word} in {next}");
    }
    let (site, home) = (workload("acme-site"), "target:rack-07:/");
    ledger.restore_begin(&site, pass, home, "jo").unwrap();
    ledger.restore_done(&site, pass, home, 0, "jo").unwrap();
    assert_eq!((word(false), word(true)), (Testing, Restoring));
    assert!(!look(false).customers[0].is_held_back());
}

#[test]
fn copied_falls_back_when_a_later_check_fails() {
    let (ledger, _) = in_memory();
    let view = fleet(&["acme"]);
    let pass = begin(&ledger, "acme");
    seal(&ledger, "acme", 1);
    let workload = workload("acme-site");
    ledger.append(&Event::VerifyFailed { workload, pass, bad_chunks: 2 }, "jo").unwrap();
    let snapshot = ledger.snapshot(&view, start()).unwrap();
    assert_eq!(words(&snapshot), [NeedsAttention]);
    assert_eq!(snapshot.customers[0].workloads[0].reason, Some(Reason::LandingError));
}

#[test]
fn a_restore_that_misses_something_is_no_restore() {
    let (ledger, _) = in_memory();
    let view = fleet(&["acme"]);
    let pass = begin(&ledger, "acme");
    seal(&ledger, "acme", 1);
    let (site, home) = (workload("acme-site"), "target:rack-07:/");
    ledger.restore_begin(&site, pass, "folder:/tmp/x", "jo").unwrap();
    ledger.restore_done(&site, pass, "folder:/tmp/x", 0, "jo").unwrap();
    assert_eq!(words(&ledger.snapshot(&view, start()).unwrap()), [Copied], "only a look");
    ledger.restore_begin(&site, pass, home, "jo").unwrap();
    assert_eq!(words(&ledger.snapshot(&view, start()).unwrap()), [Restoring]);
    ledger.restore_done(&site, pass, home, 3, "jo").unwrap();
    assert_eq!(words(&ledger.snapshot(&view, start()).unwrap()), [NeedsAttention]);
}

#[test]
fn nothing_runs_when_nothing_runs() {
    let (ledger, clock) = in_memory();
    let mut view = fleet(&["acme"]);
    begin(&ledger, "acme");
    let acme = host("acme-host");
    let ready = Event::HostReady { host: acme.clone(), rtt_ms: 1.0, agent_bytes: Bytes::ZERO };
    ledger.append(&ready, "jo").unwrap();
    for segment in 0..5 {
        ledger.commit_receipts(&[receipt("acme", segment)]).unwrap();
        clock.advance(Duration::from_secs(1));
    }
    let pulse = Pulse {
        bottleneck: Some("uplink ams".into()),
        hosts: vec![HostPulse { host: acme, lanes: 3, level: Some(1), rtt_ms: None }],
    };
    ledger.record_pulse(&pulse).unwrap();
    let now = start().plus(Duration::from_secs(5));
    let running = ledger.snapshot(&view, now).unwrap();
    assert_eq!(running.bottleneck.as_deref(), Some("uplink ams"));
    assert_eq!((running.hosts[0].lanes, running.hosts[0].level), (3, Some(1)));
    assert_eq!(running.hosts[0].rate, Some(Rate(4 * MEGABYTE / 2 / 5)));
    let stale = ledger.snapshot(&view, now.plus(Duration::from_secs(120))).unwrap();
    assert_eq!((stale.bottleneck, stale.hosts[0].lanes), (None, 0), "an old pulse is none");

    view.running = false;
    let still = ledger.snapshot(&view, now).unwrap();
    assert_eq!((still.bottleneck.as_deref(), still.hosts[0].rate), (None, None));
    assert_eq!(still.hosts[0].state, HostState::Idle);
    let workload = &still.customers[0].workloads[0];
    assert_eq!((workload.health, workload.state), (Health::Lagging, Copying));
    assert!(workload.next.contains("evac run"), "{}", workload.next);
}

#[test]
fn an_end_is_estimated_from_what_was_measured_or_not_at_all() {
    let (ledger, clock) = in_memory();
    let mut view = fleet(&["acme", "bolt"]);
    for host in &mut view.hosts {
        host.workloads[0].estimate = Some(Bytes(105 * MEGABYTE));
    }
    begin(&ledger, "acme");
    let none = ledger.snapshot(&view, start()).unwrap();
    assert_eq!((none.customers[0].eta_low, none.customers[0].eta_high), (None, None));
    for segment in 0..5 {
        ledger.commit_receipts(&[receipt("acme", segment)]).unwrap();
        clock.advance(Duration::from_secs(1));
    }
    // 4 MB in 5 s; acme has 100 MB left, both together 205 MB.
    let now = start().plus(Duration::from_secs(5));
    let seconds = |at: Option<Timestamp>| at.map(|at| at.since(now).as_secs());
    let snapshot = ledger.snapshot(&view, now).unwrap();
    let acme = &snapshot.customers[0];
    assert_eq!((seconds(acme.eta_low), seconds(acme.eta_high)), (Some(125), Some(256)));
    assert_eq!(acme.health, Health::Ok);
    assert_eq!(acme.workloads[0].bytes_done, Bytes(5 * MEGABYTE));

    let closes = Some(now.plus(Duration::from_secs(200)));
    view.windows = vec![
        Window { opens: None, closes: Some(start()), hard: false },
        Window { opens: None, closes, hard: true },
    ];
    let snapshot = ledger.snapshot(&view, now).unwrap();
    assert_eq!(snapshot.window.and_then(|window| window.closes), closes);
    assert_eq!(snapshot.customers[0].health, Health::Lagging, "it may not make it");

    view.hosts[1].workloads[0].estimate = None;
    let unknown = ledger.snapshot(&view, now).unwrap();
    assert_eq!(unknown.customers[1].eta_high, None, "nobody knows how much it is");
}

#[test]
fn a_customer_is_as_far_as_his_last_workload() {
    let (ledger, _) = in_memory();
    let mut view = fleet(&["acme", "bolt"]);
    view.hosts[1].workloads[0].customer = customer("acme");
    begin(&ledger, "acme");
    seal(&ledger, "acme", 1);
    let snapshot = ledger.snapshot(&view, start()).unwrap();
    assert_eq!(words(&snapshot), [Copying, Queued]);
    assert_eq!(snapshot.totals.customers, 1, "bolt has nothing to be moved");
    let lag = ledger.snapshot(&view, start().plus(Duration::from_secs(90))).unwrap();
    assert_eq!(lag.customers[0].workloads[0].capture.lag_s, Some(90));
}

#[test]
fn between_two_windows_nothing_is_in_trouble_and_estimates_begin_at_the_next() {
    let (ledger, _) = in_memory();
    let mut view = fleet(&["acme"]);
    begin(&ledger, "acme");
    ledger.commit_receipts(&[receipt("acme", 0)]).unwrap();
    let (workload, detail) = (workload("acme-site"), "the window is over".to_owned());
    let stopped = Event::CaptureStopped { workload, reason: Reason::Stopped, detail };
    ledger.append(&stopped, "jo").unwrap();
    let hour = |hour: u64| Some(start().plus(Duration::from_secs(3_600 * hour)));
    view.windows = vec![
        Window { opens: hour(9), closes: hour(12), hard: true },
        Window { opens: None, closes: hour(1), hard: true },
    ];
    let at = |view: &FleetView, time: u64| ledger.snapshot(view, hour(time).unwrap()).unwrap();
    let between = at(&view, 2);
    assert_eq!(between.window, Some(view.windows[0]), "in whatever order they are written");
    let site = &between.customers[0].workloads[0];
    assert_eq!((site.reason, site.health, between.reasons.len()), (None, Health::Ok, 0));
    assert!(site.next.starts_with("It goes on by itself when access opens"), "{}", site.next);
    // Without a run nobody goes on with it by himself.
    view.running = false;
    let site = &at(&view, 2).customers[0].workloads[0];
    assert_eq!((site.reason, site.health), (Some(Reason::Stopped), Health::Lagging));
}
