//! Every state meets every event.

use super::*;
use crate::model::{Bytes, Tally};
use CaptureState::{Captured, Capturing, Failed, Partial, Planned, Skipped, Verified};
use RestoreState::{Active, Gated, None as Unrestored, Restored, Restoring};

const HOME: &str = "target:rack-07:/";
const LOOK: &str = "folder:/tmp/look";

fn workload() -> WorkloadId {
    WorkloadId::new("acme-site").unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second)
}

fn started(pass: u32, resumed: bool) -> Event {
    let host = crate::model::HostId::new("vps-014").unwrap();
    Event::CaptureStarted { host, workload: workload(), pass: PassNumber(pass), resumed }
}

fn sealed(pass: u32) -> Event {
    Event::CaptureSealed { workload: workload(), pass: PassNumber(pass), tally: Tally::default() }
}

fn stopped() -> Event {
    Event::CaptureStopped { workload: workload(), reason: Reason::Lost, detail: "cut".into() }
}

fn failed() -> Event {
    Event::CaptureFailed { workload: workload(), reason: Reason::Auth, detail: "no".into() }
}

fn verified(pass: u32) -> Event {
    Event::Verified { workload: workload(), pass: PassNumber(pass), checked_bytes: Bytes(1) }
}

fn damaged(pass: u32) -> Event {
    Event::VerifyFailed { workload: workload(), pass: PassNumber(pass), bad_chunks: 3 }
}

fn restoring(pass: u32, place: &str) -> Event {
    Event::RestoreStarted { workload: workload(), pass: PassNumber(pass), place: place.into() }
}

fn restored(place: &str, missing: u64) -> Event {
    let (workload, pass) = (workload(), PassNumber(1));
    Event::RestoreDone { workload, pass, place: place.into(), missing }
}

fn unrestored(place: &str) -> Event {
    let detail = String::from("disk full");
    let reason = Reason::TargetError;
    Event::RestoreFailed { workload: workload(), place: place.into(), reason, detail }
}

fn steered(steer: Steer) -> Event {
    let (what, text, by) = ("acme-site".into(), String::new(), "jo".into());
    Event::Steered { steer, what, workloads: vec![workload()], text, by }
}

#[test]
fn what_is_left_out_stays_so_until_it_is_whole_or_wanted_again() {
    let out = standing(Capturing).next(&steered(Steer::Skip), at(1)).unwrap();
    let stopped = out.next(&stopped(), at(2)).unwrap().next(&failed(), at(3)).unwrap();
    assert_eq!((stopped.capture, stopped.health()), (Skipped, Health::Ok));
    assert_eq!(stopped.next(&started(1, true), at(4)).unwrap().capture, Skipped);
    assert_eq!(out.next(&sealed(1), at(2)).unwrap().capture, Captured, "it was whole already");
    let again = stopped.next(&steered(Steer::Retry), at(5)).unwrap();
    assert_eq!((again.capture, again.since), (Partial, Some(at(5))));
}

fn passes(pass: u32) -> Event {
    Event::GatePassed { workload: workload(), pass: PassNumber(pass) }
}

fn fails() -> Event {
    Event::GateFailed { workload: workload(), detail: "status 500".into() }
}

fn activated(pass: u32) -> Event {
    Event::Activated { workload: workload(), pass: PassNumber(pass) }
}

fn deactivated() -> Event {
    Event::Deactivated { workload: workload() }
}

/// A workload in this state with the passes it then has.
fn standing(capture: CaptureState) -> WorkloadState {
    let pass = (!matches!(capture, Planned | Skipped)).then_some(PassNumber(1));
    let sealed = matches!(capture, Captured | Verified).then_some(PassNumber(1));
    WorkloadState { capture, pass, sealed, ..WorkloadState::default() }
}

#[test]
fn every_capture_state_meets_every_event() {
    let states = [Planned, Capturing, Captured, Verified, Partial, Failed, Skipped];
    let (go, end, part, bad) = (Some(Capturing), Some(Captured), Some(Partial), Some(Failed));
    let (same, sure, out) = (Some(Planned), Some(Verified), Some(Skipped));
    #[rustfmt::skip]
    let table: [(Event, [Option<CaptureState>; 7]); 13] = [
        //                   planned capturing captured verified partial failed skipped
        (started(2, false), [go,     go,       go,      go,      go,     go,    out]),
        (started(1, false), [go,     None,     None,    None,    None,   None,  out]),
        (started(1, true),  [None,   go,       None,    None,    go,     go,    None]),
        (sealed(1),         [None,   end,      None,    None,    None,   None,  None]),
        (sealed(2),         [None,   None,     None,    None,    None,   None,  None]),
        (stopped(),         [same,   part,     end,     sure,    part,   bad,   out]),
        (failed(),          [bad,    bad,      bad,     bad,     bad,    bad,   out]),
        (verified(1),       [None,   go,       sure,    sure,    part,   bad,   None]),
        (verified(2),       [None,   None,     None,    None,    None,   None,  None]),
        (damaged(1),        [None,   go,       bad,     bad,     bad,    bad,   None]),
        (steered(Steer::Skip),  [out, out,     end,     sure,    out,    out,   out]),
        (steered(Steer::Retry), [same, go,     end,     sure,    part,   bad,   same]),
        (steered(Steer::Pause), [same, go,     end,     sure,    part,   bad,   out]),
    ];
    for (event, expected) in table {
        for (state, expected) in states.into_iter().zip(expected) {
            let before = standing(state);
            let after = before.next(&event, at(9));
            assert_eq!(after.as_ref().ok().map(|s| s.capture), expected, "{state:?} + {event:?}");
            if let Ok(after) = after {
                let moved = after.capture != before.capture;
                assert_eq!(after.since, moved.then_some(at(9)), "{state:?} + {event:?}");
            }
        }
    }
}

#[test]
fn every_restore_state_meets_every_event() {
    let states = [Unrestored, Restoring, Restored, Gated, Active];
    let (no, go, done) = (Some(Unrestored), Some(Restoring), Some(Restored));
    let (gate, on) = (Some(Gated), Some(Active));
    #[rustfmt::skip]
    let table: [(Event, [Option<RestoreState>; 5]); 15] = [
        //                       none  restoring restored gated active
        (restoring(1, HOME),    [go,   go,       go,      go,   None]),
        (restoring(2, HOME),    [None, None,     None,    None, None]),
        (restoring(1, LOOK),    [no,   go,       done,    gate, on]),
        (restored(HOME, 0),     [None, done,     None,    None, None]),
        (restored(HOME, 2),     [None, no,       None,    None, None]),
        (restored(LOOK, 0),     [no,   go,       done,    gate, on]),
        (unrestored(HOME),      [no,   no,       no,      no,   None]),
        (unrestored(LOOK),      [no,   go,       done,    gate, on]),
        (stopped(),             [no,   go,       done,    gate, on]),
        (passes(1),             [None, None,     gate,    gate, on]),
        (passes(2),             [None, None,     None,    None, None]),
        (fails(),               [None, None,     done,    done, on]),
        (activated(1),          [None, None,     None,    on,   None]),
        (activated(2),          [None, None,     None,    None, None]),
        (deactivated(),         [None, None,     None,    None, done]),
    ];
    for (event, expected) in table {
        for (state, expected) in states.into_iter().zip(expected) {
            let begun = state != Unrestored;
            let before = WorkloadState {
                restore: state,
                of_pass: begun.then_some(PassNumber(1)),
                place: begun.then(|| HOME.to_owned()),
                ..standing(Verified)
            };
            let after = before.next(&event, at(9)).ok().map(|s| s.restore);
            assert_eq!(after, expected, "{state:?} + {event:?}");
        }
    }
}

#[test]
fn a_restore_to_another_place_is_not_the_one_under_way() {
    let before = standing(Captured).next(&restoring(1, HOME), at(1)).unwrap();
    assert!(before.next(&restored("target:rack-08:/", 0), at(2)).is_err());
}

#[test]
fn going_back_leaves_its_reason_until_a_new_attempt_begins() {
    let back = standing(Verified).next(&damaged(1), at(1)).unwrap();
    let trouble = back.capture_trouble.clone().unwrap();
    assert_eq!(trouble.reason, Reason::LandingError);
    assert!(trouble.detail.contains("3 chunks of pass 1"), "{trouble:?}");
    assert_eq!(back.health(), Health::Error);
    assert_eq!(back.next(&stopped(), at(2)).unwrap().capture_trouble, Some(trouble));
    let again = back.next(&started(2, false), at(3)).unwrap();
    assert_eq!((again.capture_trouble.clone(), again.health()), (None, Health::Ok));
    assert_eq!(again.sealed, Some(PassNumber(1)), "the former pass is still there");
}

#[test]
fn a_failed_check_falls_back_and_a_passed_one_comes_back() {
    let back = standing(Captured).next(&damaged(1), at(1)).unwrap();
    let mended = back.next(&verified(1), at(2)).unwrap();
    assert_eq!((mended.capture, mended.health()), (Verified, Health::Ok));
}

#[test]
fn a_former_pass_says_nothing_about_a_newer_one() {
    let newer = standing(Verified).next(&started(2, false), at(1)).unwrap();
    let partial = newer.next(&stopped(), at(2)).unwrap();
    assert_eq!(partial.next(&verified(1), at(3)).unwrap().capture, Partial);
    assert_eq!(partial.health(), Health::Lagging);
}

#[test]
fn other_events_change_nothing() {
    let before = standing(Capturing);
    let note = Event::Noted { what: "acme".into(), text: "x".into(), by: "jo".into() };
    assert_eq!(before.next(&note, at(1)), Ok(before.clone()));
    assert_eq!(before.next(&Event::Draining, at(1)), Ok(before));
}

#[test]
fn what_is_switched_on_loses_its_word_by_a_check_and_gets_it_back_by_a_pass() {
    let mut state = standing(Verified);
    for event in [restoring(1, HOME), restored(HOME, 0), passes(1), activated(1), fails()] {
        state = state.next(&event, at(1)).unwrap();
    }
    assert_eq!((state.restore, state.health()), (Active, Health::Error));
    assert!(state.fails_its_checks());
    let back = state.next(&passes(1), at(2)).unwrap();
    assert_eq!((back.restore, back.health()), (Active, Health::Ok));
}
