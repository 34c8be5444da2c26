//! Does the gate of a workload open? Decided from where it stands and from what was answered.

use std::fmt;

use crate::inventory::Checks;
use crate::ledger::snapshot::{CaptureState, RestoreState};
use crate::ledger::{Answered, Evidence, Outcome, Unchecked, WorkloadState};
use crate::model::PassNumber;

/// Misses in a row after which what is switched on loses its word.
pub const MISSES_MAX: u64 = 2;

/// Everything that decides.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// Where it stands.
    pub state: &'a WorkloadState,
    /// Damaged chunks of the pass that was restored.
    pub bad_chunks: u64,
    /// Was that pass read back from the store, and matched?
    pub verified: bool,
    /// What it must answer.
    pub checks: &'a Checks,
    /// The old address that one of them asks, if one does.
    pub asks_source: Option<&'a str>,
    /// Who lets it pass without checks.
    pub unchecked: Option<&'a Unchecked>,
}

/// Why a gate stays shut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Nothing of it stands in its new place.
    NotRestored { is_writing: bool },
    /// What stands there is not the newest.
    OlderPass { restored: PassNumber, newest: PassNumber },
    /// What was restored is damaged in the store.
    Damaged { pass: PassNumber, bad_chunks: u64 },
    /// A check cannot be read.
    Mistakes,
    /// A check asks the machine it was taken from.
    AsksSource { address: String },
    /// Nobody wrote a check, and nobody lets it pass without.
    NoChecks,
    /// It is let pass without checks, and its copy was never read back.
    NotVerified { pass: PassNumber },
    /// A check was not answered as it shall be.
    Check { asked: String, outcome: Outcome, said: String },
}

/// A stable word for each, for programs.
impl Why {
    /// The word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::NotRestored { .. } => "not-restored",
            Self::OlderPass { .. } => "older-pass",
            Self::Damaged { .. } => "damaged",
            Self::Mistakes => "mistakes",
            Self::AsksSource { .. } => "asks-source",
            Self::NoChecks => "no-checks",
            Self::NotVerified { .. } => "not-verified",
            Self::Check { outcome: Outcome::TimedOut, .. } => "check-timed-out",
            Self::Check { outcome: Outcome::Unknown, .. } => "check-unknown",
            Self::Check { .. } => "check-failed",
        }
    }

    /// Did a check say so?
    pub fn is_check(&self) -> bool {
        matches!(self, Self::Check { .. })
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRestored { is_writing: true } => f.write_str("it is still being restored"),
            Self::NotRestored { is_writing: false } => {
                f.write_str("nothing of it is restored to its new place")
            }
            Self::OlderPass { restored, newest } => {
                write!(f, "pass {restored} is restored, and pass {newest} is newer")
            }
            Self::Damaged { pass, bad_chunks } => {
                write!(f, "pass {pass}, which is restored, is damaged in {bad_chunks} chunks")
            }
            Self::Mistakes => f.write_str("one of its checks cannot be read"),
            Self::AsksSource { address } => {
                write!(f, "one of its checks asks {address}, where it was taken from")
            }
            Self::NoChecks => f.write_str("it has no checks"),
            Self::NotVerified { pass } => {
                write!(f, "it has no checks, and pass {pass} was never read back")
            }
            Self::Check { asked, outcome: Outcome::TimedOut, said } => {
                write!(f, "{asked}: no answer in time ({said})")
            }
            Self::Check { asked, outcome: Outcome::Unknown, said } => {
                write!(f, "{asked}: nobody can say ({said})")
            }
            Self::Check { asked, said, .. } => write!(f, "{asked}: {said}"),
        }
    }
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Why not; empty: the gate opens.
    pub whys: Vec<Why>,
    /// Checks that did not pass, and did not at the source either.
    pub excused: Vec<String>,
}

impl Verdict {
    /// Does the gate open?
    pub fn passes(&self) -> bool {
        self.whys.is_empty()
    }
}

/// What keeps the gate shut whatever is answered; empty: it is worth asking.
pub fn before_asking(standing: &Standing<'_>) -> Vec<Why> {
    let state = standing.state;
    let at_new_place = matches!(
        state.restore,
        RestoreState::Restored | RestoreState::Gated | RestoreState::Active
    );
    let Some(pass) = state.of_pass.filter(|_| at_new_place) else {
        return vec![Why::NotRestored { is_writing: state.restore == RestoreState::Restoring }];
    };
    let mut whys = Vec::new();
    match state.sealed {
        Some(newest) if newest > pass => whys.push(Why::OlderPass { restored: pass, newest }),
        Some(_) => {}
        // A pass that was never sealed is a part of something.
        None => whys.push(Why::NotRestored { is_writing: false }),
    }
    if standing.bad_chunks > 0 {
        whys.push(Why::Damaged { pass, bad_chunks: standing.bad_chunks });
    }
    if standing.checks.has_mistakes {
        whys.push(Why::Mistakes);
    }
    if let Some(address) = standing.asks_source {
        whys.push(Why::AsksSource { address: address.to_owned() });
    }
    if standing.checks.list.is_empty() && !standing.checks.has_mistakes {
        match standing.unchecked {
            None => whys.push(Why::NoChecks),
            Some(_) if !standing.verified => whys.push(Why::NotVerified { pass }),
            Some(_) => {}
        }
    }
    whys
}

/// Decides. `source`: what was answered there, newest each.
pub fn decide(standing: &Standing<'_>, answers: &[Answered], source: &[Evidence]) -> Verdict {
    let mut verdict = Verdict { whys: before_asking(standing), excused: Vec::new() };
    for check in &standing.checks.list {
        let asked = check.to_string();
        let answer = answers.iter().find(|answer| answer.asked == asked);
        match answer {
            Some(answer) if answer.outcome == Outcome::Passed => {}
            _ if failed_at_source(&asked, source) => verdict.excused.push(asked),
            Some(answer) => {
                let (outcome, said) = (answer.outcome, answer.said.clone());
                verdict.whys.push(Why::Check { asked, outcome, said });
            }
            None if verdict.whys.iter().any(|why| !why.is_check()) => {}
            None => {
                let (outcome, said) = (Outcome::Unknown, "it was not asked".to_owned());
                verdict.whys.push(Why::Check { asked, outcome, said });
            }
        }
    }
    verdict
}

/// Only a clear no of a source that was there counts, and only if it never said yes: what was
/// stopped there for the move was not failing before.
fn failed_at_source(asked: &str, source: &[Evidence]) -> bool {
    let of = source.iter().find(|evidence| evidence.answer.asked == asked);
    of.is_some_and(|evidence| evidence.answer.outcome == Outcome::Failed && !evidence.ever_passed)
}

/// What a beat does to something that is switched on, or may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beat {
    /// It stays what it is.
    Stays,
    /// Its word is taken back, and this is why.
    TakenBack(String),
    /// It gets its word back.
    GivenBack,
}

/// Decides over a beat: checks alone count, the newest answers of which are `evidence`. What is on
/// loses its word by the second miss in a row, and gets it back by a pass of all.
pub fn beat(state: &WorkloadState, verdict: &Verdict, evidence: &[Evidence]) -> Beat {
    let misses = |asked: &str| {
        let of = evidence.iter().find(|evidence| evidence.answer.asked == asked);
        of.map_or(0, |evidence| evidence.misses)
    };
    let checks = || verdict.whys.iter().filter(|why| why.is_check());
    if state.fails_its_checks() {
        let passes = checks().next().is_none();
        return if passes { Beat::GivenBack } else { Beat::Stays };
    }
    let lasting = checks().find(|why| match why {
        Why::Check { asked, .. } => misses(asked) >= MISSES_MAX,
        _ => false,
    });
    lasting.map_or(Beat::Stays, |why| Beat::TakenBack(why.to_string()))
}

/// Was the copy that stands there read back from the store?
pub fn is_verified(state: &WorkloadState) -> bool {
    state.capture == CaptureState::Verified && state.of_pass == state.sealed
}
