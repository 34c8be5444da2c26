//! Six people steer one run at random through its socket, while real agents work.

use std::collections::BTreeMap;
use std::sync::Once;
use std::thread::JoinHandle;

use super::*;
use crate::ledger::snapshot::CaptureState;
use crate::model::{Rate, Reason, Steer};
use crate::run::control::{Answer, Ask, ControlError, Request, Said, Turned};

const PEOPLE: u64 = 6;
const WORDS: u64 = 25;

/// A word that the run said it took.
struct Accepted {
    by: String,
    steer: Steer,
    done: Vec<WorkloadId>,
    /// Nobody else says the same.
    text: String,
}

/// Asks until the run listens.
fn ask(state: &Path, by: &str, ask: &Ask) -> Answer {
    loop {
        match control::ask(state, &Request::new(by, ask.clone())) {
            Err(ControlError::Nobody { .. }) => std::thread::yield_now(),
            answer => return answer.unwrap(),
        }
    }
}

fn steer(state: &Path, by: &str, steer: Steer, hosts: &[&str], text: &str) -> Turned {
    let workloads = hosts.iter().map(|host| workload(host)).collect();
    let (what, text) = (hosts.join(" "), text.to_owned());
    match ask(state, by, &Ask::Steer { steer, what, workloads, text }).said {
        Said::Steered(turned) => turned,
        other => panic!("{other:?}"),
    }
}

fn limit(state: &Path, by: &str, rate: Option<Rate>) {
    let said = ask(state, by, &Ask::Limit { id: "landing".into(), rate }).said;
    assert!(matches!(said, Said::Limit { .. }), "{said:?}");
}

/// One person's evening.
fn person(state: &Path, number: u64) -> Vec<Accepted> {
    let by = format!("person-{number}");
    let mut accepted = Vec::new();
    let mut dice = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for word in 0..WORDS {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        let hosts = [&HOSTS[..1], &HOSTS[1..], &HOSTS[..]][(dice >> 8) as usize % 3];
        let words = [Steer::Pause, Steer::Resume, Steer::First, Steer::Skip, Steer::Retry];
        let text = format!("{by}, word {word}");
        match (dice >> 16) as usize % 7 {
            5 => {
                let (what, text) = ("customer/acme".to_owned(), text);
                assert_eq!(ask(state, &by, &Ask::Note { what, text }).said, Said::Noted);
            }
            // Nothing comes, so that the run outlives them.
            6 => limit(state, &by, Some(Rate(0))),
            at => {
                // A run of which everything is left out would be over.
                let hosts = if words[at] == Steer::Skip { &HOSTS[..1] } else { hosts };
                let turned = steer(state, &by, words[at], hosts, &text);
                let told = turned.done.len() + turned.already.len() + turned.refused.len();
                assert_eq!(told, hosts.len(), "each has its answer");
                if !turned.done.is_empty() {
                    let (by, steer, done) = (by.clone(), words[at], turned.done);
                    accepted.push(Accepted { by, steer, done, text });
                }
            }
        }
    }
    accepted
}

/// All of them, and somebody who sets everything going again.
fn evening(state: PathBuf) -> Vec<Accepted> {
    let people: Vec<JoinHandle<_>> = (0..PEOPLE)
        .map(|number| {
            let state = state.clone();
            std::thread::spawn(move || person(&state, number))
        })
        .collect();
    let accepted = people.into_iter().flat_map(|it| it.join().unwrap()).collect();
    steer(&state, "the last", Steer::Retry, &HOSTS, "");
    steer(&state, "the last", Steer::Resume, &HOSTS, "");
    limit(&state, "the last", None);
    accepted
}

/// Each word had its effect on what those before it left: nobody pauses what is paused.
fn fold(log: &[crate::ledger::StoredEvent]) -> BTreeMap<WorkloadId, (bool, bool)> {
    let mut all: BTreeMap<WorkloadId, (bool, bool)> = BTreeMap::new();
    for stored in log {
        let Event::Steered { steer, workloads, .. } = &stored.event else { continue };
        for id in workloads {
            let (paused, skipped) = all.entry(id.clone()).or_default();
            let was = (*paused, *skipped);
            match steer {
                Steer::Pause => assert_eq!(was, (false, false), "{stored:?}"),
                Steer::Resume => assert_eq!(was, (true, false), "{stored:?}"),
                Steer::First => assert!(!was.1, "{stored:?}"),
                Steer::Skip => assert!(!was.1, "{stored:?}"),
                Steer::Retry => assert!(was.1, "{stored:?}"),
            }
            match steer {
                Steer::Pause => *paused = true,
                Steer::Resume => *paused = false,
                Steer::Skip => (*paused, *skipped) = (false, true),
                Steer::Retry => *skipped = false,
                Steer::First => {}
            }
        }
    }
    all
}

#[test]
fn six_people_steer_one_run_and_every_word_counts_once_in_its_order() {
    let sources = Sources::new();
    let mut landing = Landing::new(&sources);
    landing.settings.limits.landing = Some(Rate(0));
    let people: Arc<Mutex<Option<JoinHandle<Vec<Accepted>>>>> = Arc::default();
    let (state, theirs, begin) = (landing.state(), people.clone(), Once::new());
    let ran = landing.run(
        Agents::default(),
        Box::new(move |_, _, _| {
            let state = state.clone();
            begin.call_once(|| {
                *theirs.lock().unwrap() = Some(std::thread::spawn(|| evening(state)));
            });
        }),
    );
    let accepted = people.lock().unwrap().take().unwrap().join().unwrap();
    assert!(ran.is_whole(), "{:?} {:#?}", ran.end, ran.events);
    assert!(accepted.len() > PEOPLE as usize, "{}", accepted.len());
    let ledger = landing.ledger();
    ledger.check().unwrap();
    let log = ledger.events(0, 100_000).unwrap();
    for Accepted { by, steer, done, text } in &accepted {
        let is_it = |stored: &&crate::ledger::StoredEvent| {
            matches!(&stored.event, Event::Steered { steer: s, workloads, text: t, .. }
                if (s, workloads, t) == (steer, done, text) && stored.by == *by)
        };
        assert_eq!(log.iter().filter(is_it).count(), 1, "{steer:?} by {by}: {text}");
    }
    let known = ledger.steering().unwrap();
    for (id, (paused, skipped)) in fold(&log) {
        let kept = known.get(&id).cloned().unwrap_or_default();
        assert_eq!((kept.paused.is_some(), kept.skipped.is_some()), (paused, skipped), "{id}");
        assert_eq!(ledger.state(&id).unwrap().capture, CaptureState::Captured);
    }
    landing.assert_restores(&sources);
}

#[test]
fn a_pause_ends_within_the_segment_and_the_pass_goes_on_where_it_was() {
    let sources = Sources::new();
    let landing = Landing::new(&sources);
    let (state, begin) = (landing.state(), Once::new());
    let told: Arc<Mutex<Vec<JoinHandle<()>>>> = Arc::default();
    let theirs = told.clone();
    let ran = landing.run(
        Agents::default(),
        Box::new(move |_, _, event| {
            let first = HOSTS[0];
            let stopped = matches!(event, Event::CaptureStopped { reason: Reason::Stopped, .. });
            let state = state.clone();
            let say = |what| {
                let told = std::thread::spawn(move || {
                    steer(&state, "jo", what, &[first], "");
                });
                theirs.lock().unwrap().push(told);
            };
            if stopped {
                say(Steer::Resume);
            } else if event.workload() == Some(&workload(first)) {
                begin.call_once(|| say(Steer::Pause));
            }
        }),
    );
    told.lock().unwrap().drain(..).for_each(|it| it.join().unwrap());
    assert!(ran.is_whole(), "{:?} {:#?}", ran.end, ran.events);
    let sealed = |event: &&Event| matches!(event, Event::CaptureSealed { .. });
    assert_eq!(ran.events.iter().filter(sealed).count(), 2);
    assert_eq!(landing.ledger().passes(&workload(HOSTS[0])).unwrap().len(), 1);
    landing.assert_restores(&sources);
}
