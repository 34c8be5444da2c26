//! What is written is what is read, and what does not fit is refused.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::ledger::rebuild::{RebuiltPass, Sealing};
use crate::ledger::snapshot::{CaptureState, RestoreState};
use crate::ledger::{LedgerError, RestorationState};
use crate::model::{Event, Generation, Reason};

#[test]
fn a_pass_goes_from_begin_over_receipts_to_seal() {
    let (ledger, _) = in_memory();
    let site = workload("acme-site");
    assert_eq!(ledger.open_pass(&site).unwrap(), None);
    assert_eq!(begin(&ledger, "acme"), PassNumber(1));
    let open = ledger.open_pass(&site).unwrap().unwrap();
    assert_eq!((open.segments, open.manifest_end, open.cursor), (0, 0, None));
    assert_eq!((open.domain, open.cutting), (Domain([7; 8]), vec![1, 2, 3]));

    ledger.commit_receipts(&[receipt("acme", 0), receipt("acme", 1)]).unwrap();
    ledger.commit_receipts(&[receipt("acme", 2)]).unwrap();
    let open = ledger.open_pass(&site).unwrap().unwrap();
    assert_eq!((open.segments, open.manifest_end), (3, 300));
    assert_eq!(open.cursor, Some(receipt("acme", 2).cursor));
    assert_eq!(open.tally.raw_bytes, Bytes(3 * MEGABYTE));
    assert_eq!(open.tally.entries, 30);

    seal(&ledger, "acme", 1);
    assert_eq!(ledger.open_pass(&site).unwrap(), None);
    assert_eq!(ledger.state(&site).unwrap().capture, CaptureState::Captured);
    let passes = ledger.passes(&site).unwrap();
    assert_eq!(passes.len(), 1);
    assert_eq!(passes[0].sealed_at, Some(start()));
    assert_eq!(passes[0].consistency, Some(Consistency::Crash));
    assert_eq!(passes[0].tally, tally(5 * MEGABYTE));
    assert_eq!(begin(&ledger, "acme"), PassNumber(2));
    ledger.check().unwrap();
}

#[test]
fn a_sweep_goes_on_as_a_sweep() {
    let (ledger, _) = in_memory();
    let (site, pass, run) = (workload("acme-site"), begin(&ledger, "acme"), RunNumber(1));
    ledger.commit_receipts(&[receipt("acme", 0)]).unwrap();
    ledger.append(&Event::RunBegan { workload: site.clone(), pass, run }, "jo").unwrap();
    let open = ledger.open_pass(&site).unwrap().unwrap();
    assert_eq!((open.run, open.segments, open.manifest_end, open.cursor), (run, 0, 0, None));
    assert_eq!(open.tally.raw_bytes, Bytes(MEGABYTE), "the walk counts");
    assert!(ledger.commit_receipts(&[receipt("acme", 1)]).is_err(), "the walk is over");
    ledger.commit_receipts(&[Receipt { run, ..receipt("acme", 0) }]).unwrap();
    assert_eq!(ledger.open_pass(&site).unwrap().unwrap().segments, 1);
}

#[test]
fn receipts_go_in_together_and_in_order_or_not_at_all() {
    let (ledger, _) = in_memory();
    begin(&ledger, "acme");
    begin(&ledger, "bolt");
    ledger.commit_receipts(&[receipt("acme", 0), receipt("bolt", 0)]).unwrap();
    let gap = receipt("bolt", 2);
    let twice = receipt("bolt", 0);
    let back = Receipt { manifest_end: 50, ..receipt("bolt", 1) };
    let nowhere = receipt("nobody", 0);
    let later = Receipt { pass: PassNumber(2), ..receipt("bolt", 0) };
    for wrong in [gap, twice, back, nowhere, later] {
        let committed = ledger.commit_receipts(&[receipt("acme", 1), wrong.clone()]);
        assert!(committed.is_err(), "{wrong:?}");
        for id in ["acme-site", "bolt-site"] {
            let open = ledger.open_pass(&workload(id)).unwrap().unwrap();
            assert_eq!((open.segments, open.tally.raw_bytes), (1, Bytes(MEGABYTE)), "{id}");
        }
    }
    seal(&ledger, "bolt", 1);
    let late = ledger.commit_receipts(&[receipt("bolt", 1)]);
    assert!(matches!(late, Err(LedgerError::NotOpen { .. })), "{late:?}");
}

#[test]
fn what_is_left_out_is_listed_up_to_a_bound_and_counted_beyond() {
    let (ledger, _) = in_memory();
    let (site, pass) = (workload("acme-site"), begin(&ledger, "acme"));
    for segment in 0..3 {
        let left_out = (0..450).map(|index| left_out(segment * 450 + index)).collect();
        ledger.commit_receipts(&[Receipt { left_out, ..receipt("acme", segment) }]).unwrap();
    }
    let list = ledger.left_out(&site, pass).unwrap();
    assert_eq!((list.listed.len(), list.count), (1_000, 1_350));
    assert_eq!((&list.listed[0], &list.listed[999]), (&left_out(0), &left_out(999)));
    assert_eq!(ledger.left_out(&workload("other"), pass).unwrap().count, 0);
}

#[test]
fn progress_is_not_stored_and_facts_are_not_stored_twice() {
    let (ledger, _) = in_memory();
    let (site, pass) = (workload("acme-site"), begin(&ledger, "acme"));
    let host = host("acme-host");
    let (sent_bytes, raw_bytes) = (Bytes(1), Bytes(2));
    let again =
        Event::CaptureStarted { host: host.clone(), workload: site.clone(), pass, resumed: false };
    let received =
        Event::Received { host: host.clone(), workload: site.clone(), sent_bytes, raw_bytes };
    for event in [again, received, Event::HostDialled { host }] {
        ledger.append(&event, "jo").unwrap();
    }
    let events = ledger.events(0, 100).unwrap();
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!((events[0].by.as_str(), events[0].at), ("jo", start()));
}

#[test]
fn an_event_that_does_not_fit_changes_nothing() {
    let (ledger, _) = in_memory();
    let verified = Event::Verified {
        workload: workload("acme-site"),
        pass: PassNumber(1),
        checked_bytes: Bytes(1),
    };
    let appended = ledger.append(&verified, "jo");
    assert!(matches!(appended, Err(LedgerError::Illegal(_))), "{appended:?}");
    assert_eq!(ledger.events(0, 10).unwrap(), []);
    let sealed =
        ledger.seal(&workload("acme-site"), PassNumber(1), &tally(1), Consistency::Crash, "jo");
    assert!(matches!(sealed, Err(LedgerError::NotOpen { .. })), "{sealed:?}");
}

#[test]
fn hostile_text_and_numbers_are_tamed_before_they_are_kept() {
    let (ledger, _) = in_memory();
    let host = host("acme-host");
    let detail = format!("\x1b[31m{}", "x".repeat(10_000));
    let failed =
        Event::HostFailed { host: host.clone(), reason: Reason::Auth, detail, retry_s: None };
    let ready = Event::HostReady { host, rtt_ms: f64::NAN, agent_bytes: Bytes(u64::MAX) };
    ledger.append(&failed, "jo").unwrap();
    ledger.append(&ready, "jo").unwrap();
    let events = ledger.events(0, 10).unwrap();
    let Event::HostFailed { detail, .. } = &events[0].event else { panic!("{events:?}") };
    assert!(detail.chars().count() <= 501 && !detail.contains('\x1b'));
    assert!(matches!(events[1].event, Event::HostReady { rtt_ms: 0.0, .. }), "{events:?}");
}

#[test]
fn generations_only_rise() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ledger.db");
    let clock = clock();
    let open = || Ledger::open(&file).unwrap().with_clock(clock.clone());
    let host = host("acme-host");
    let first = open().generation(&host).unwrap();
    let second = open().generation(&host).unwrap();
    assert_eq!(second, Generation(first.0 + 1), "the clock stood still");
    clock.advance(Duration::from_secs(60));
    let fresh = Ledger::in_memory().unwrap().with_clock(clock.clone());
    assert!(fresh.generation(&host).unwrap() > second, "a lost ledger begins above");
}

#[test]
fn facts_replace_facts() {
    let (ledger, clock) = in_memory();
    let host = host("acme-host");
    assert_eq!(ledger.facts(&host).unwrap(), None);
    ledger.record_facts(&host, &serde_json::json!({"bytes": 1})).unwrap();
    clock.advance(Duration::from_secs(5));
    ledger.record_facts(&host, &serde_json::json!({"bytes": 2})).unwrap();
    let facts = ledger.facts(&host).unwrap().unwrap();
    assert_eq!((facts.at, facts.json["bytes"].as_u64()), (clock_now(5), Some(2)));
    let huge = serde_json::json!("x".repeat(5 << 20));
    assert!(matches!(ledger.record_facts(&host, &huge), Err(LedgerError::TooLong { .. })));
}

fn clock_now(later_s: u64) -> Timestamp {
    start().plus(Duration::from_secs(later_s))
}

#[test]
fn a_restore_goes_on_where_it_stopped() {
    let (ledger, _) = in_memory();
    let (site, pass) = (workload("acme-site"), begin(&ledger, "acme"));
    seal(&ledger, "acme", 1);
    let home = "target:rack-07:/";
    let early = ledger.restore_progress(&site, pass, home, b"x", 1, Bytes(1));
    assert!(matches!(early, Err(LedgerError::NoRestoration { .. })), "{early:?}");
    let begun = ledger.restore_begin(&site, pass, home, "jo").unwrap();
    assert_eq!((begun.position, begun.entries), (None, 0));
    ledger.restore_progress(&site, pass, home, b"/srv/\xff", 7, Bytes(70)).unwrap();
    let again = ledger.restore_begin(&site, pass, home, "jo").unwrap();
    assert_eq!(again.position.as_deref(), Some(&b"/srv/\xff"[..]));
    assert_eq!((again.entries, again.bytes), (7, Bytes(70)));
    let beside = ledger.restore_begin(&site, pass, "folder:/tmp/x", "jo").unwrap();
    assert_eq!(beside.position, None, "every place has its own position");
    ledger.restore_done(&site, pass, "folder:/tmp/x", 0, "jo").unwrap();
    assert_eq!(ledger.state(&site).unwrap().restore, RestoreState::Restoring);
    ledger.restore_done(&site, pass, home, 0, "jo").unwrap();
    assert_eq!(ledger.state(&site).unwrap().restore, RestoreState::Restored);
    let done = ledger.restoration(&site, pass, home).unwrap().unwrap();
    assert_eq!(done.state, RestorationState::Done);
    assert_eq!(ledger.restore_begin(&site, pass, home, "jo").unwrap().position, None);
    ledger.check().unwrap();
}

#[test]
fn a_restore_does_not_go_on_where_another_pass_was_written_meanwhile() {
    let (ledger, _) = in_memory();
    let site = workload("acme-site");
    let [older, newer] = [1, 2].map(|number| {
        let pass = begin(&ledger, "acme");
        seal(&ledger, "acme", number);
        pass
    });
    let place = "folder:/tmp/x";
    let position = |pass| ledger.restore_begin(&site, pass, place, "jo").unwrap().position;
    assert_eq!(position(newer), None);
    ledger.restore_progress(&site, newer, place, b"/m", 7, Bytes(70)).unwrap();
    assert_eq!(position(newer).as_deref(), Some(&b"/m"[..]));
    assert_eq!(position(older), None);
    assert_eq!(position(newer).as_deref(), Some(&b"/"[..]));
}

#[test]
fn a_lost_ledger_is_rebuilt_and_waits_for_somebody() {
    let (ledger, _) = in_memory();
    let at = Timestamp::from_second(START - 900);
    let passes = [
        RebuiltPass {
            description: description("acme"),
            number: PassNumber(1),
            started_at: at,
            sealed: Some(Sealing {
                at: start(),
                tally: tally(MEGABYTE),
                consistency: Consistency::Fuzzy,
            }),
            set_aside: None,
            run: RunNumber(1),
            receipts: vec![receipt("acme", 0)],
        },
        RebuiltPass {
            description: description("bolt"),
            number: PassNumber(1),
            started_at: at,
            sealed: None,
            set_aside: None,
            run: RunNumber(0),
            receipts: vec![receipt("bolt", 0), receipt("bolt", 1)],
        },
    ];
    assert!(ledger.is_confirmed().unwrap());
    let site = crate::model::SiteId([9; 8]);
    assert_eq!(ledger.rebuild_from(Some(site), passes.clone()).unwrap(), 2);
    assert_eq!(ledger.site().unwrap(), site);
    assert_eq!(ledger.state(&workload("acme-site")).unwrap().capture, CaptureState::Captured);
    assert_eq!(ledger.state(&workload("bolt-site")).unwrap().capture, CaptureState::Partial);
    assert_eq!(ledger.open_pass(&workload("bolt-site")).unwrap().unwrap().segments, 2);
    assert!(!ledger.is_confirmed().unwrap());
    ledger.check().unwrap();
    let again = ledger.rebuild_from(None, passes);
    assert!(matches!(again, Err(LedgerError::NotEmpty { .. })), "{again:?}");
    ledger.confirm("jo").unwrap();
    assert!(ledger.is_confirmed().unwrap());
    assert_eq!(ledger.events(0, 10).unwrap().last().unwrap().by, "jo");
}

#[test]
fn a_state_that_its_events_do_not_tell_is_found() {
    let (ledger, _) = in_memory();
    begin(&ledger, "acme");
    ledger.check().unwrap();
    ledger.lock().execute("UPDATE workload SET capture = 'captured'", []).unwrap();
    let checked = ledger.check();
    assert!(matches!(checked, Err(LedgerError::Damaged { .. })), "{checked:?}");
}

/// One thing that may be done to a ledger, legal or not at that moment.
fn act(ledger: &Ledger, action: u8) -> Result<(), LedgerError> {
    let (site, pass) = (workload("acme-site"), PassNumber(u32::from(action >> 6) + 1));
    let (home, detail) = ("target:rack-07:/", String::from("cut"));
    let place = home.to_owned();
    match action % 10 {
        0 => ledger.begin_pass(&description("acme"), None, "jo").map(|_| ()),
        1 => ledger.seal(&site, pass, &tally(1), Consistency::Crash, "jo"),
        2 => ledger.restore_begin(&site, pass, home, "jo").map(|_| ()),
        3 => ledger.restore_done(&site, pass, home, u64::from(action & 16), "jo"),
        4 => ledger.append(
            &Event::CaptureStarted { host: host("acme-host"), workload: site, pass, resumed: true },
            "jo",
        ),
        5 => ledger
            .append(&Event::CaptureStopped { workload: site, reason: Reason::Lost, detail }, "jo"),
        6 => ledger
            .append(&Event::CaptureFailed { workload: site, reason: Reason::Auth, detail }, "jo"),
        7 => {
            ledger.append(&Event::Verified { workload: site, pass, checked_bytes: Bytes(1) }, "jo")
        }
        8 => ledger.append(&Event::VerifyFailed { workload: site, pass, bad_chunks: 1 }, "jo"),
        _ => ledger.append(
            &Event::RestoreFailed { workload: site, place, reason: Reason::Lost, detail },
            "jo",
        ),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// `check` folds all stored events anew: whatever was done, refused or not, the states that
    /// are kept are the states that the events tell.
    #[test]
    fn states_are_a_fold_of_events(actions in prop::collection::vec(any::<u8>(), 0..30)) {
        let (ledger, clock) = in_memory();
        let mut stored = 0;
        for action in actions {
            clock.advance(Duration::from_secs(1));
            let done = act(&ledger, action).is_ok();
            let events = ledger.events(0, 100).unwrap().len();
            prop_assert_eq!(events, stored + usize::from(done));
            stored = events;
        }
        ledger.check().unwrap();
    }
}
