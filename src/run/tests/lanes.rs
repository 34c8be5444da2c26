//! Several lines to each host: everything arrives once and whole, whichever line it took, and also
//! when lanes break half-way.

use super::*;

use agents::{LARGE, LaneFate};

/// Each host always has this many lanes.
const LANES: u32 = 5;

fn landing(sources: &Sources) -> Landing {
    sources.add_large(LARGE, 16);
    let mut landing = Landing::new(sources);
    landing.pace.lanes.forced = Some(LANES);
    landing.pace.limits = Limits { segment_bytes: 8 << 20, ..Limits::default() };
    landing
}

/// Nobody failed, nothing came that was not asked for, and everything is there.
#[track_caller]
fn check(ran: &Ran, landing: &Landing, sources: &Sources) {
    let seen = format!("{:?} {:#?}", ran.end, ran.events);
    assert!(ran.is_whole(), "{seen}");
    let failed = |event: &Event| matches!(event, Event::HostFailed { .. });
    assert!(!ran.events.iter().any(failed), "{seen}");
    assert!(ran.agents.lane_did());
    landing.assert_restores(sources);
}

fn raw_bytes(events: &[Event]) -> u64 {
    let bytes = |event: &Event| match event {
        Event::Received { host, raw_bytes, .. } if host.as_str() == LARGE => raw_bytes.0,
        _ => 0,
    };
    events.iter().map(bytes).sum()
}

#[test]
fn what_comes_over_many_lines_is_whole() {
    let sources = Sources::new();
    let landing = landing(&sources);
    let ran = landing.run(Agents::with_lanes(LaneFate::Sound), unwatched());
    check(&ran, &landing, &sources);
    let over_first: u64 =
        ran.agents.count(LARGE).sent.iter().map(|(_, length)| u64::from(*length)).sum();
    assert!(over_first < raw_bytes(&ran.events), "lanes carried the rest");
}

#[test]
fn what_a_broken_lane_had_comes_over_others() {
    let sources = Sources::new();
    let landing = landing(&sources);
    let ran = landing.run(Agents::with_lanes(LaneFate::Breaks), unwatched());
    check(&ran, &landing, &sources);
    let told = |event: &Event| match event {
        Event::Noted { text, .. } => text.contains("cut by the test"),
        _ => false,
    };
    assert_eq!(ran.events.iter().filter(|event| told(event)).count(), 1, "{:#?}", ran.events);
}

#[test]
fn a_lane_that_lies_ends_its_host_alone() {
    let sources = Sources::new();
    let landing = landing(&sources);
    let ran = landing.run(Agents::with_lanes(LaneFate::Lies), unwatched());
    let lies: Vec<(&str, crate::model::Reason)> = (ran.events.iter())
        .filter_map(|event| match event {
            Event::HostFailed { host, reason, .. } => Some((host.as_str(), *reason)),
            _ => None,
        })
        .collect();
    assert_eq!(lies, [(LARGE, crate::model::Reason::Protocol)]);
    assert_eq!(ran.end.unwrap().report.captured, 1, "the other host is captured");
}
