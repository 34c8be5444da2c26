//! A survey: many hosts dialled at once, looked at, and left as they were.
//!
//! **Promises.** A host that fails fails alone. What was found is in the ledger before it is told;
//! a host that cannot be looked at now keeps what an earlier survey found. The agent is said
//! goodbye to on every way out but a second interrupt, after which it goes by itself. No host's
//! word is kept that is not bounded and printable, and none is waited for longer than
//! [`ANSWER_PATIENCE`]. Only keys that are unknown are ever pinned, and only when asked to.

mod ask;
mod facts;
mod knock;
mod machine;
mod refusal;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::inventory::{Host, Target};
use crate::ledger::Ledger;
use crate::model::{Bytes, Clock, Event, HostId, Reason, TargetId, WorkloadId};
use crate::run::reach::{Reach, talk_error};
use crate::run::rescue;
use crate::run::stop::{Phase, Stop};
use crate::run::talk::TalkError;
use crate::ssh::{Connection, probe};
use crate::wire::Grant;

pub use ask::{ANSWER_PATIENCE, UNCOVERED_MIN};
pub use facts::{
    FactsError, HostFacts, UncoveredKind, UncoveredPath, facts_of, has_uncovered, measured_bytes,
};
pub use knock::Pinned;
pub use machine::{DeviceFacts, MachineFacts, RescueFacts};
pub use refusal::default_refusal;

/// What a survey's document is.
const SCHEMA: u32 = 1;

/// What a survey works with.
#[derive(Clone)]
pub struct Surveyor {
    /// The way to machines.
    pub reach: Arc<Reach>,
    /// Where facts go.
    pub ledger: Arc<Ledger>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Who asks.
    pub by: String,
    /// Pin keys that are not known yet?
    pub trust_new: bool,
    /// Is another machine than before meant?
    pub new_machine: bool,
    /// Ends it.
    pub stop: Stop,
    /// Told of everything as it happens.
    pub tell: Arc<dyn Fn(&News) + Send + Sync>,
}

/// Something that happened.
#[derive(Debug, Clone)]
pub enum News {
    /// A key was written down as known.
    Pinned(Pinned),
    /// A host is done with.
    Host(Box<SurveyedHost>),
    /// A target is done with.
    Target(SurveyedTarget),
}

/// How a machine was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Looked at, nothing in the way.
    Reached,
    /// Looked at, but what the inventory would take from it makes no sense.
    Refused,
    /// Not looked at.
    Failed,
}

/// What came of one host; fields are contract.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SurveyedHost {
    /// Which.
    pub id: HostId,
    /// How it was found.
    pub state: State,
    /// Why it was not looked at, or is refused.
    pub reason: Option<Reason>,
    /// The same, with what was seen.
    pub detail: Option<String>,
    /// What to do next.
    pub hint: Option<String>,
    /// Round-trip time.
    pub rtt_ms: Option<f64>,
    /// What its workloads take, as far as was looked.
    pub bytes: Option<Bytes>,
    /// What kind of machine it is, as far as it got.
    pub facts: Option<MachineFacts>,
    /// What no workload takes.
    pub uncovered: Vec<UncoveredPath>,
    /// By workload.
    pub workloads: BTreeMap<WorkloadId, Bytes>,
    /// Workloads of which not everything was looked at, and why.
    pub incomplete: BTreeMap<WorkloadId, String>,
}

/// What came of one target: only a login is tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SurveyedTarget {
    /// Which.
    pub id: TargetId,
    /// How it was found.
    pub state: State,
    /// Why not.
    pub reason: Option<Reason>,
    /// The same, with what was seen.
    pub detail: Option<String>,
    /// What to do next.
    pub hint: Option<String>,
}

/// The document of a survey; fields are contract.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Survey {
    /// Always 1.
    pub schema: u32,
    /// In the order asked.
    pub hosts: Vec<SurveyedHost>,
    /// In the order asked.
    pub targets: Vec<SurveyedTarget>,
    /// Was it ended before its end?
    pub stopped: bool,
}

impl SurveyedHost {
    fn failed(id: HostId, error: TalkError, facts: Option<MachineFacts>) -> Self {
        Self {
            id,
            state: State::Failed,
            reason: Some(error.reason),
            detail: Some(error.detail),
            hint: Some(error.reason.hint().to_owned()),
            rtt_ms: None,
            bytes: None,
            facts,
            uncovered: Vec::new(),
            workloads: BTreeMap::new(),
            incomplete: BTreeMap::new(),
        }
    }

    fn found(host: &Host, found: HostFacts) -> Self {
        let refusal = default_refusal(&found, host);
        let hint = refusal.as_ref().map(|_| refusal::HINT.to_owned());
        Self {
            id: host.id.clone(),
            state: if refusal.is_some() { State::Refused } else { State::Reached },
            reason: refusal.is_some().then_some(Reason::Inventory),
            detail: refusal,
            hint,
            rtt_ms: found.rtt_ms,
            bytes: Some(found.bytes()),
            facts: Some(found.facts),
            uncovered: found.uncovered,
            workloads: found.workloads,
            incomplete: found.incomplete,
        }
    }
}

impl SurveyedTarget {
    fn new(id: TargetId, dialled: Result<(), TalkError>) -> Self {
        let error = dialled.err();
        Self {
            id,
            state: if error.is_some() { State::Failed } else { State::Reached },
            reason: error.as_ref().map(|error| error.reason),
            hint: error.as_ref().map(|error| error.reason.hint().to_owned()),
            detail: error.map(|error| error.detail),
        }
    }
}

impl Survey {
    /// Did every machine answer, and is none refused?
    pub fn is_clean(&self) -> bool {
        let states = (self.hosts.iter().map(|host| host.state))
            .chain(self.targets.iter().map(|target| target.state));
        !self.stopped && states.into_iter().all(|state| state == State::Reached)
    }
}

impl Surveyor {
    /// Dials `hosts`, at most `at_once` together, and looks at them; only logs in to `targets`.
    pub async fn survey(&self, hosts: &[Host], targets: &[Target], at_once: usize) -> Survey {
        let permits = Arc::new(Semaphore::new(at_once.max(1)));
        let mut tasks = JoinSet::new();
        for host in hosts {
            let (this, host, permits) = (self.clone(), host.clone(), permits.clone());
            tasks.spawn(async move {
                let _permit = permits.acquire().await;
                News::Host(Box::new(this.host(&host).await))
            });
        }
        for target in targets {
            let (this, target, permits) = (self.clone(), target.clone(), permits.clone());
            tasks.spawn(async move {
                let _permit = permits.acquire().await;
                News::Target(this.target(&target).await)
            });
        }
        let (mut found, mut dialled) = (BTreeMap::new(), BTreeMap::new());
        while let Some(joined) = self.next(&mut tasks).await {
            let Ok(news) = joined else { continue };
            (self.tell)(&news);
            match news {
                News::Host(host) => drop(found.insert(host.id.clone(), *host)),
                News::Target(target) => drop(dialled.insert(target.id.clone(), target)),
                News::Pinned(_) => {}
            }
        }
        self.reach.close().await;
        let missing = || self.stopped().unwrap_or_else(|| TalkError::new(Reason::Internal, PANIC));
        let host = |host: &Host| {
            let failed = || SurveyedHost::failed(host.id.clone(), missing(), None);
            found.remove(&host.id).unwrap_or_else(failed)
        };
        let hosts = hosts.iter().map(host).collect();
        let target = |target: &Target| {
            let failed = || SurveyedTarget::new(target.id.clone(), Err(missing()));
            dialled.remove(&target.id).unwrap_or_else(failed)
        };
        let targets = targets.iter().map(target).collect();
        Survey { schema: SCHEMA, hosts, targets, stopped: self.stopped().is_some() }
    }

    /// The next machine that is done with; a second interrupt leaves the rest.
    async fn next(
        &self,
        tasks: &mut JoinSet<News>,
    ) -> Option<Result<News, tokio::task::JoinError>> {
        tokio::select! {
            joined = tasks.join_next() => joined,
            () = self.stop.reached(Phase::Stopping) => {
                tasks.shutdown().await;
                None
            }
        }
    }

    fn stopped(&self) -> Option<TalkError> {
        (self.stop.phase() > Phase::Running)
            .then(|| TalkError::new(Reason::Stopped, "it was interrupted"))
    }

    async fn target(&self, target: &Target) -> SurveyedTarget {
        let dialled = match self.knock_at(self.reach.target_endpoint(target)).await {
            Ok(connection) => {
                connection.close().await;
                Ok(())
            }
            Err(error) => Err(error),
        };
        SurveyedTarget::new(target.id.clone(), dialled)
    }

    async fn host(&self, host: &Host) -> SurveyedHost {
        let mut machine = None;
        let looked = match self.knock_at(self.reach.endpoint(host)).await {
            Ok(connection) => {
                let looked = self.look(host, &connection, &mut machine).await;
                connection.close().await;
                looked
            }
            Err(error) => Err(error),
        };
        let kept = looked.and_then(|(found, agent_bytes)| {
            self.keep(host, &found, agent_bytes)?;
            Ok(found)
        });
        match kept {
            Ok(found) => SurveyedHost::found(host, found),
            Err(error) => {
                self.note_failure(host, &error);
                SurveyedHost::failed(host.id.clone(), error, machine)
            }
        }
    }

    /// What is on the host; what is known of the machine stays in `machine` when the rest fails.
    async fn look(
        &self,
        host: &Host,
        connection: &Connection,
        machine: &mut Option<MachineFacts>,
    ) -> Result<(HostFacts, Bytes), TalkError> {
        let probed = probe::probe(connection).await.map_err(|error| talk_error(&error))?;
        let facts = machine.insert(MachineFacts::of(&probed, self.clock.now()));
        facts.legacy = connection.allows_legacy();
        let known = self.known(host)?;
        rescue::admit(host, &probed, known.as_ref())?;
        let generation = self.ledger.generation(&host.id).map_err(landing)?;
        let who = (&host.id, host.impact, host.access);
        let (mut talk, placed, rtt) =
            (self.reach).start_on(connection, &probed, who, generation, Grant::Read).await?;
        let answer = match rescue::open(&mut talk, host, known.as_ref()).await {
            Ok(found) => self.ask(&mut talk, host).await.map(|answer| (found, answer)),
            Err(error) => Err(error),
        };
        talk.bye().await;
        let (found, answer) = answer?;
        facts.add(&answer);
        if let Some(found) = found {
            facts.add_found(&found);
        }
        Ok((HostFacts::of(host, facts.clone(), rtt, &answer), placed.uploaded))
    }

    /// The machine that an earlier survey found, unless another is meant.
    fn known(&self, host: &Host) -> Result<Option<MachineFacts>, TalkError> {
        let failed =
            |error: FactsError| TalkError::new(Reason::LandingError, crate::run::explain(&error));
        let known = facts_of(&self.ledger, &host.id).map_err(failed)?;
        Ok(known.filter(|_| !self.new_machine).map(|known| known.facts))
    }

    fn keep(&self, host: &Host, found: &HostFacts, agent_bytes: Bytes) -> Result<(), TalkError> {
        let json = serde_json::to_value(found)
            .map_err(|error| TalkError::new(Reason::Internal, error.to_string()))?;
        self.ledger.record_facts(&host.id, &json).map_err(landing)?;
        let (host, rtt_ms) = (host.id.clone(), found.rtt_ms.unwrap_or_default());
        for event in
            [Event::HostReady { host: host.clone(), rtt_ms, agent_bytes }, Event::HostDone { host }]
        {
            self.ledger.append(&event, &self.by).map_err(landing)?;
        }
        Ok(())
    }

    /// So that `status` says why, and `reason/WORD` selects it.
    fn note_failure(&self, host: &Host, error: &TalkError) {
        if error.reason == Reason::Stopped {
            return;
        }
        let (host, detail) = (host.id.clone(), error.detail.clone());
        let event = Event::HostFailed { host, reason: error.reason, detail, retry_s: None };
        // A ledger that fails here failed the host already, or is told by the next that succeeds.
        let _ = self.ledger.append(&event, &self.by);
    }
}

const PANIC: &str = "looking at it failed in evac itself";

fn landing(error: crate::ledger::LedgerError) -> TalkError {
    TalkError::new(Reason::LandingError, crate::run::explain(&error))
}
