//! What became of each workload that a word was about.

use serde::{Deserialize, Serialize};

use crate::model::WorkloadId;
use crate::run::schedule::Effect;

/// What became of workloads that somebody named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turned {
    /// On these it took effect.
    pub done: Vec<WorkloadId>,
    /// These were so before.
    pub already: Vec<Unturned>,
    /// With these it cannot be done.
    pub refused: Vec<Unturned>,
}

/// A workload on which a word had no effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unturned {
    /// Which.
    pub id: WorkloadId,
    /// For people.
    pub why: String,
}

impl Turned {
    /// Puts workloads and what became of each together.
    pub fn of(workloads: &[WorkloadId], effects: &[Effect]) -> Self {
        let mut turned = Self::default();
        for (id, effect) in workloads.iter().cloned().zip(effects) {
            match effect {
                Effect::Done => turned.done.push(id),
                Effect::Already(why) => turned.already.push(Unturned { id, why: (*why).into() }),
                Effect::Refused(why) => turned.refused.push(Unturned { id, why: (*why).into() }),
                Effect::NotHere => {
                    turned.refused.push(Unturned { id, why: "nobody knows it".to_owned() });
                }
            }
        }
        turned
    }
}
