//! Every operation of the landing disk fails once, finds the disk full, or is the last before the
//! power goes; then the same command finishes the work.
//!
//! The whole run is struck, the opening of the store included. A ledger that is a little older
//! than the store (a backup) and sources that changed meanwhile are part of the draw.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::*;
use crate::model::Reason;
use crate::store::Fault;

/// Runs under way at once; most of the time they wait for one another's threads.
const WORKERS: usize = 4;

/// What goes wrong.
#[derive(Debug, Clone, Copy)]
struct Case {
    fault: Fault,
    /// The power goes too; draws what is left.
    power: Option<u64>,
    /// The ledger that is left is a copy made at this event.
    lag: Option<usize>,
    /// The sources change before the same command is given again.
    changes: bool,
}

impl Case {
    fn at(self) -> u64 {
        match self.fault {
            Fault::Crash(at) | Fault::Fail(at) | Fault::Full(at) | Fault::LieAboutSync(at) => at,
        }
    }
}

/// A copy of the ledger at one event.
fn copying(copy: PathBuf, at: Option<usize>) -> OnEvent {
    Box::new(move |ledger, seen, _| {
        if Some(seen) == at {
            ledger.backup_to(&copy).unwrap();
        }
    })
}

/// Strikes a run and finishes it; says whether there was an operation to strike.
fn strike(sources: &Sources, case: Case) -> bool {
    sources.begin_anew();
    let landing = Landing::new(sources);
    let copy = landing.folder.path().join("copy.db");
    landing.disk.arm(Some(case.fault));
    let ran = landing.run(Agents::default(), copying(copy.clone(), case.lag));
    let has_struck = landing.disk.operations() >= case.at();
    let struck = landing.disk.struck();
    let seen = format!("{case:?} struck {struck:?}: {:?} {:#?}", ran.end, ran.events);
    assert!(has_struck || ran.is_whole(), "{seen}");
    assert_ended_well(case, struck.as_deref(), &ran, &seen);
    landing.disk.arm(None);
    if let Some(seed) = case.power {
        landing.disk.power_cycle(seed);
    }
    if case.lag.is_some() && copy.exists() {
        landing.go_back_to(&copy);
    }
    finish(&landing, sources, case, &seen);
    has_struck
}

/// A landing disk that fails is no host's fault: work is left, and the reason is said.
fn assert_ended_well(case: Case, struck: Option<&str>, ran: &Ran, seen: &str) {
    let Ok(end) = &ran.end else { return };
    assert_eq!(end.report.failed, 0, "{seen}");
    if ran.is_whole() {
        return;
    }
    assert!(end.has_work_left, "{seen}");
    let reasons = ran.events.iter().filter_map(|event| match event {
        Event::CaptureStopped { reason, .. } => Some(*reason),
        _ => None,
    });
    let writes = struck.is_some_and(|what| what.starts_with("write") || what.starts_with("create"));
    let reasons: Vec<Reason> = reasons.collect();
    let told = |reason| reasons.contains(&reason);
    if matches!(case.fault, Fault::Full(_)) && writes {
        assert!(told(Reason::LandingFull) && !told(Reason::LandingError), "{reasons:?} {seen}");
    }
    // Whoever was in the middle when another met the failure is stopped by the draining.
    let allowed = [Reason::LandingFull, Reason::LandingError, Reason::Stopped];
    assert!(reasons.iter().all(|reason| allowed.contains(reason)), "{reasons:?} {seen}");
}

/// Everything under a receipt is there; the same command does the rest and nothing twice.
fn finish(landing: &Landing, sources: &Sources, case: Case, seen: &str) {
    let (store, writer) = landing.open().unwrap_or_else(|error| panic!("{error}: {seen}"));
    drop(writer);
    let ledger = landing.ledger();
    assert_eq!(broken(&store, &ledger), None, "{seen}");
    let done = HOSTS.map(|host| files_done(&store, &ledger, host));
    for (host, _) in options(&ledger).order.iter().filter(|_| case.changes) {
        sources.evolve(host.as_str(), true);
    }
    drop(ledger);
    let resumed = landing.run(Agents::default(), unwatched());
    let again = format!("{:?} {:#?} after {seen}", resumed.end, resumed.events);
    assert!(resumed.is_whole(), "{again}");
    for (host, done) in HOSTS.into_iter().zip(done) {
        let count = resumed.agents.count(host);
        let twice = count.sent.iter().find(|(id, _)| store.is_durable(id));
        assert_eq!(twice, None, "{host} sent what was durable: {again}");
        // What an older ledger does not vouch for may be begun anew.
        let done = if case.lag.is_none() { done } else { 0 };
        let left = sources.files(host) - done;
        let is_bounded = case.changes || count.opened_files <= left;
        assert!(is_bounded, "{host} opened {} files of {left}: {again}", count.opened_files);
    }
    landing.disk.power_cycle(case.at());
    landing.assert_restores(sources);
}

/// Ends the other workers when one panics.
struct Alarm<'a>(&'a AtomicBool);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

/// Strikes at every operation there is.
fn strike_everywhere(what: &str, cases: impl Fn(u64) -> Vec<Case> + Sync) {
    let (next, is_over) = (AtomicU64::new(1), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let _alarm = Alarm(&is_over);
                let sources = Sources::new();
                while !is_over.load(Ordering::Relaxed) {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let struck = cases(at).into_iter().filter(|case| strike(&sources, *case));
                    if struck.count() == 0 {
                        is_over.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let operations = next.into_inner() - WORKERS as u64;
    eprintln!("{what}: {operations} operations");
    assert!(operations > 60, "only {operations} operations");
}

#[test]
fn power_may_go_at_any_operation() {
    strike_everywhere("power", |at| {
        let case = |seed: u64, lag, changes| Case {
            fault: Fault::Crash(at),
            power: Some(3 * at + seed),
            lag,
            changes,
        };
        let lag = Some((7 * at % 31) as usize);
        vec![case(0, None, false), case(1, None, true), case(2, lag, at % 2 == 0)]
    });
}

#[test]
fn any_operation_may_fail() {
    strike_everywhere("failure", |at| {
        let fault = Fault::Fail(at);
        let lost = Case { fault, power: Some(at), lag: None, changes: false };
        vec![lost, Case { power: None, changes: at % 2 == 0, ..lost }]
    });
}

#[test]
fn the_disk_may_be_full_at_any_operation() {
    strike_everywhere("full", |at| {
        vec![Case { fault: Fault::Full(at), power: None, lag: None, changes: false }]
    });
}
