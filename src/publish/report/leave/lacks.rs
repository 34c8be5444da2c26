//! What a workload lacks before the machine it came from may go.

use crate::ledger::snapshot::{CaptureState, WorkloadStatus};
use crate::model::{PublicWord, Reason};
use crate::publish::report::leave::{Known, Weight};

/// A copy older than this may lack what was written since.
const FRESH_S: u64 = 3_600;

/// What a workload may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    NotCaptured,
    Partial,
    Failed,
    LeftBehind,
    Damaged,
    SetAside,
    Unreadable,
    Unverified,
    OneCopy,
    Fuzzy,
    Old,
    NotOnline,
}

impl Kind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::NotCaptured => "not-captured",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::LeftBehind => "left-behind",
            Self::Damaged => "damaged",
            Self::SetAside => "new-copy-set-aside",
            Self::Unreadable => "unreadable",
            Self::Unverified => "not-verified",
            Self::OneCopy => "one-copy",
            Self::Fuzzy => "changed-while-read",
            Self::Old => "older-than-an-hour",
            Self::NotOnline => "not-online",
        }
    }

    pub(super) fn weight(self) -> Weight {
        match self {
            Self::NotCaptured | Self::Partial | Self::Failed | Self::Damaged => Weight::OnlyThere,
            Self::LeftBehind | Self::Unreadable => Weight::OnlyThere,
            Self::Unverified | Self::OneCopy | Self::SetAside => Weight::NotProven,
            Self::Fuzzy | Self::Old | Self::NotOnline => Weight::Condition,
        }
    }

    pub(super) fn why(self) -> &'static str {
        match self {
            Self::NotCaptured => "Nothing whole of it was ever taken.",
            Self::Partial => "It was begun, and is not whole.",
            Self::Failed => "It failed, and nothing whole of it is here.",
            Self::LeftBehind => {
                "Somebody left it out on purpose. If it is not wanted, write that down in `accept` \
                 or take it out of the inventory."
            }
            Self::Damaged => "What was taken of it is damaged here.",
            Self::SetAside => {
                "A newer copy was not believed, since too much was missing; the one before is in \
                 use."
            }
            Self::Unreadable => "Some of its files could not be read over there.",
            Self::Unverified => "It was taken, and nobody has read the copy back since.",
            Self::OneCopy => "There is one copy of it, on one disk.",
            Self::Fuzzy => {
                "Some of its files changed while they were read: each is a mixture of before and \
                 after."
            }
            Self::Old => "Its copy is older than an hour: what was written since is only there.",
            Self::NotOnline => {
                "It is not switched on in its new place: users may still be served \
                 over there."
            }
        }
    }

    pub(super) fn command(self, named: &str) -> String {
        match self {
            Self::NotCaptured | Self::Partial | Self::Failed => "evac run".into(),
            Self::LeftBehind => format!("evac retry {named}"),
            Self::Damaged => format!("evac verify {named}, then evac run"),
            Self::SetAside | Self::Fuzzy | Self::Old => format!("evac run --again {named}"),
            Self::Unreadable => format!("evac find {named}, then evac run --again {named}"),
            Self::Unverified => format!("evac verify --deep {named}"),
            Self::OneCopy => "evac store mirror DIR".into(),
            Self::NotOnline => format!("evac gate {named}, then evac activate {named}"),
        }
    }
}

/// Everything that a workload lacks; of what is not here whole, nothing else is said.
pub(super) fn kinds(known: &Known<'_>, workload: &WorkloadStatus) -> Vec<Kind> {
    let state = known.states.get(&workload.id);
    let passes = known.passes.get(&workload.id).map(Vec::as_slice).unwrap_or_default();
    let sealed = passes.iter().rfind(|pass| pass.sealed_at.is_some());
    let Some(sealed) = sealed else {
        return vec![match workload.capture.state {
            CaptureState::Skipped => Kind::LeftBehind,
            CaptureState::Failed => Kind::Failed,
            CaptureState::Capturing | CaptureState::Partial => Kind::Partial,
            CaptureState::Planned | CaptureState::Captured | CaptureState::Verified => {
                Kind::NotCaptured
            }
        }];
    };
    if sealed.bad_chunks > 0 {
        return vec![Kind::Damaged];
    }
    let mut kinds = Vec::new();
    if sealed.tally.unreadable > 0 {
        kinds.push(Kind::Unreadable);
    }
    let trouble = state.and_then(|state| state.capture_trouble.as_ref());
    if trouble.is_some_and(|it| it.reason == Reason::SetAside) {
        kinds.push(Kind::SetAside);
    }
    if sealed.verified_at.is_none() {
        kinds.push(Kind::Unverified);
    }
    if workload.copies < 2 {
        kinds.push(Kind::OneCopy);
    }
    if sealed.tally.fuzzy > 0 {
        kinds.push(Kind::Fuzzy);
    }
    let is_online = workload.state == PublicWord::Online;
    // What runs in its new place is no longer written to over there.
    if !is_online && workload.capture.lag_s.is_some_and(|lag| lag > FRESH_S) {
        kinds.push(Kind::Old);
    }
    if !is_online {
        kinds.push(Kind::NotOnline);
    }
    kinds
}
