//! What an agent is asked to look at, and how long its answer is waited for.

use std::time::Duration;

use super::Surveyor;
use crate::inventory::Host;
use crate::model::{Bytes, Reason};
use crate::run::stop::Phase;
use crate::run::talk::{Talk, TalkError, failed};
use crate::wire::{SurveyAnswer, SurveyOrder, SurveyScope, ToAgent, ToLanding};

/// Areas smaller than this are what an installation leaves behind: a shell's history, a profile.
pub const UNCOVERED_MIN: Bytes = Bytes(64 << 10);
/// Entries looked at for sizes, and again for what is uncovered; then an estimate has to do.
const ENTRIES_MAX: u64 = 5_000_000;
/// How long an agent looks before it tells what it has.
const LOOK_S: u64 = 300;
/// How long its answer is waited for: a disk that hangs never answers.
pub const ANSWER_PATIENCE: Duration = Duration::from_secs(LOOK_S + 30);

impl Surveyor {
    pub(super) async fn ask(
        &self,
        talk: &mut Talk,
        host: &Host,
    ) -> Result<SurveyAnswer, TalkError> {
        talk.send(&ToAgent::Survey(Box::new(order(host))));
        let heard = tokio::select! {
            heard = tokio::time::timeout(ANSWER_PATIENCE, talk.next()) => heard,
            () = self.stop.reached(Phase::Draining) => {
                return Err(TalkError::new(Reason::Stopped, "it was interrupted"));
            }
        };
        match heard {
            Err(_) => {
                let detail = "a file system over there does not answer; look at dmesg and mounts";
                Err(TalkError::new(Reason::Timeout, detail))
            }
            Ok(Ok(ToLanding::Survey(answer))) if answer.workloads.len() == host.workloads.len() => {
                Ok(*answer)
            }
            Ok(Ok(ToLanding::Failed { reason, detail })) => {
                Err(failed(reason, &detail, &[Reason::SourceError, Reason::SourceFull]))
            }
            Ok(Ok(_)) => {
                Err(TalkError::new(Reason::Protocol, "the agent answered what it was not asked"))
            }
            Ok(Err(error)) => Err(error),
        }
    }
}

fn order(host: &Host) -> SurveyOrder {
    let accepted = host.workloads.iter().flat_map(|workload| &workload.accept);
    SurveyOrder {
        workloads: (host.workloads.iter())
            .map(|workload| SurveyScope {
                paths: workload.paths.clone(),
                exclude: workload.exclude.clone(),
            })
            .collect(),
        accepted: accepted.map(|accept| accept.path.clone()).collect(),
        least: UNCOVERED_MIN,
        entries_max: ENTRIES_MAX,
        seconds_max: LOOK_S,
    }
}
