//! What a word does to a workload that no run works on: it is written down, and the next run
//! goes by it.

use crate::ledger::snapshot::CaptureState;
use crate::ledger::{Steering, WorkloadState};
use crate::model::Steer;
use crate::run::schedule::Effect;

/// A word about a workload that stands so, of which this counts; `head` is the number of those
/// that come first.
pub fn steer(steer: Steer, state: &WorkloadState, known: &Steering, head: Option<u64>) -> Effect {
    let is_out = state.capture == CaptureState::Skipped;
    let is_whole = matches!(state.capture, CaptureState::Captured | CaptureState::Verified);
    match steer {
        Steer::Pause | Steer::First if is_out => {
            Effect::Refused("it is left out; `evac retry` takes that back")
        }
        Steer::Pause if known.paused.is_some() => Effect::Already("it is paused already"),
        Steer::Resume if known.paused.is_none() => Effect::Already("it is not paused"),
        Steer::First if is_whole => Effect::Already("it is captured"),
        Steer::First if known.first.is_some() && known.first == head => {
            Effect::Already("it is first already")
        }
        Steer::Skip if is_out => Effect::Already("it is left out already"),
        Steer::Skip if state.sealed.is_some() => {
            Effect::Refused("a whole copy is here; there is nothing to leave out")
        }
        Steer::Retry if is_whole => Effect::Already("it is captured"),
        Steer::Retry if !is_out => Effect::Already("the next `evac run` tries it"),
        _ => Effect::Done,
    }
}

/// The same while a run goes on that has nothing to do with it.
pub fn steer_beside(steer: Steer, effect: Effect, state: &WorkloadState) -> Effect {
    let is_whole = matches!(state.capture, CaptureState::Captured | CaptureState::Verified);
    match steer {
        Steer::Retry | Steer::First if !is_whole => {
            Effect::Refused("it is no part of this run; the next `evac run` takes it")
        }
        _ => effect,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::snapshot::Decision;
    use crate::model::{PassNumber, Timestamp};

    fn state(capture: CaptureState) -> WorkloadState {
        let sealed = (capture == CaptureState::Captured).then_some(PassNumber(1));
        WorkloadState { capture, sealed, ..WorkloadState::default() }
    }

    #[test]
    fn words_without_a_run_are_kept_once() {
        let nothing = Steering::default();
        let at = Timestamp::from_second(1);
        let paused = Decision { by: "jo".into(), at, why: None };
        let said = Steering { paused: Some(paused), first: Some(3), skipped: None };
        let planned = state(CaptureState::Planned);
        for (word, known, again) in [
            (Steer::Pause, &nothing, &said),
            (Steer::Resume, &said, &nothing),
            (Steer::First, &nothing, &said),
        ] {
            assert_eq!(steer(word, &planned, known, Some(3)), Effect::Done, "{word:?}");
            let again = steer(word, &planned, again, Some(3));
            assert!(matches!(again, Effect::Already(_)), "{word:?}: {again:?}");
        }
        let (out, whole) = (state(CaptureState::Skipped), state(CaptureState::Captured));
        let said = |word, state: &WorkloadState| steer(word, state, &nothing, None);
        assert_eq!(said(Steer::Skip, &planned), Effect::Done);
        assert!(matches!(said(Steer::Skip, &out), Effect::Already(_)));
        assert!(matches!(said(Steer::Skip, &whole), Effect::Refused(_)));
        assert_eq!(said(Steer::Retry, &out), Effect::Done);
        assert!(matches!(said(Steer::Retry, &state(CaptureState::Failed)), Effect::Already(_)));
        assert!(matches!(said(Steer::Pause, &out), Effect::Refused(_)));
        let beside = steer_beside(Steer::Retry, Effect::Done, &planned);
        assert!(matches!(beside, Effect::Refused(_)));
    }
}
