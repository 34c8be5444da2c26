//! One round of questions: who is asked, what came of it, and what that moves.

use std::net::IpAddr;
use std::sync::Arc;

use crate::cli::site::Loaded;
use crate::cli::{Failure, Global, engine};
use crate::gate::decide::{Beat, beat, before_asking, decide, is_verified};
use crate::gate::question::{asks_source, old_addresses};
use crate::gate::{Question, Standing, Verdict, Why, of_new_place};
use crate::inventory::Workload;
use crate::ledger::snapshot::RestoreState;
use crate::ledger::{Answered, Ledger, LedgerError, Side, Unchecked, WorkloadState};
use crate::model::Event;
use crate::run::gate::Asker;

/// What is needed to ask.
pub struct Rounds<'a> {
    pub loaded: &'a Loaded,
    pub ledger: &'a Ledger,
    pub asker: Asker,
    /// Lives as long as somebody asks.
    _runtime: Arc<tokio::runtime::Runtime>,
}

/// What came of asking one workload.
pub struct Round<'a> {
    pub workload: &'a Workload,
    /// Where it stood, and after [`moved`] stands.
    pub state: WorkloadState,
    pub verdict: Verdict,
    pub answers: Vec<Answered>,
    pub unchecked: Option<Unchecked>,
    /// A beat took its word back, or gave it back.
    pub beat: Beat,
}

/// What the ledger knows of a workload.
struct Known {
    state: WorkloadState,
    bad_chunks: u64,
    unchecked: Option<Unchecked>,
    /// Where it must not be asked.
    old: Vec<IpAddr>,
    asks_source: Option<String>,
}

impl Known {
    fn standing<'k>(&'k self, workload: &'k Workload) -> Standing<'k> {
        Standing {
            state: &self.state,
            bad_chunks: self.bad_chunks,
            verified: is_verified(&self.state),
            checks: &workload.checks,
            asks_source: self.asks_source.as_deref(),
            unchecked: self.unchecked.as_ref(),
        }
    }
}

impl<'a> Rounds<'a> {
    /// For what `loaded` says.
    pub fn new(global: &Global, loaded: &'a Loaded, ledger: &'a Ledger) -> Result<Self, Failure> {
        let runtime = Arc::new(engine::runtime()?);
        let asker = Asker::new(Arc::clone(&global.clock), runtime.handle().clone());
        Ok(Self { loaded, ledger, asker, _runtime: runtime })
    }

    /// Asks all of `chosen` at once, and keeps the answers. What is not worth asking is not asked;
    /// what is switched on always is.
    pub fn ask<'w>(&self, chosen: &[&'w Workload]) -> Result<Vec<Round<'w>>, Failure> {
        let mut asked: Vec<(&Workload, Known, usize)> = Vec::new();
        let mut questions: Vec<Question> = Vec::new();
        for workload in chosen {
            let known = self.known(workload)?;
            let is_on = known.state.restore == RestoreState::Active;
            let mut own = Vec::new();
            if is_on || before_asking(&known.standing(workload)).is_empty() {
                own = of_new_place(workload, &known.old);
            }
            asked.push((workload, known, own.len()));
            questions.append(&mut own);
        }
        let mut answers = self.asker.ask_all(&questions).into_iter();
        let mut rounds = Vec::new();
        for (workload, known, count) in asked {
            let answers: Vec<Answered> = answers.by_ref().take(count).collect();
            rounds.push(self.decided(workload, known, answers)?);
        }
        Ok(rounds)
    }

    fn decided<'w>(
        &self,
        workload: &'w Workload,
        known: Known,
        answers: Vec<Answered>,
    ) -> Result<Round<'w>, Failure> {
        self.ledger.note_answers(&workload.id, Side::New, &answers)?;
        let source = self.ledger.evidence(&workload.id, Side::Source)?;
        let verdict = decide(&known.standing(workload), &answers, &source);
        let evidence = self.ledger.evidence(&workload.id, Side::New)?;
        let beat = beat(&known.state, &verdict, &evidence);
        let Known { state, unchecked, .. } = known;
        Ok(Round { workload, state, verdict, answers, unchecked, beat })
    }

    fn known(&self, workload: &Workload) -> Result<Known, Failure> {
        let state = self.ledger.state(&workload.id)?;
        let passes = self.ledger.passes(&workload.id)?;
        let restored = passes.iter().find(|pass| Some(pass.number) == state.of_pass);
        let inventory = &self.loaded.inventory;
        let target = workload.target.as_ref().and_then(|id| inventory.target(id));
        let target = target.map(|target| target.address.as_str());
        let host = inventory.host(&workload.host);
        let old = host.map(|host| old_addresses(workload, host, target)).unwrap_or_default();
        Ok(Known {
            bad_chunks: restored.map_or(0, |pass| pass.bad_chunks),
            unchecked: self.ledger.unchecked(&workload.id)?,
            asks_source: asks_source(workload, &old).map(|address| address.to_string()),
            old,
            state,
        })
    }
}

/// Moves a workload by what came of its round. What is switched on loses its word by two misses in
/// a row only.
pub fn moved(ledger: &Ledger, round: &mut Round<'_>, by: &str) -> Result<(), Failure> {
    let workload = round.workload.id.clone();
    let is_on = round.state.restore == RestoreState::Active;
    let first_check = round.verdict.whys.iter().find(|why| why.is_check());
    let event = match (&round.beat, first_check) {
        (Beat::TakenBack(detail), _) if is_on => {
            Event::GateFailed { workload, detail: detail.clone() }
        }
        (Beat::GivenBack, _) if is_on => passed(round),
        _ if is_on => return Ok(()),
        _ if round.verdict.passes() => passed(round),
        (_, Some(why)) => Event::GateFailed { workload, detail: why.to_string() },
        _ => return Ok(()),
    };
    match ledger.append(&event, by) {
        // It was restored anew while it was asked.
        Err(LedgerError::Illegal(_)) => {
            round.verdict.whys.push(Why::NotRestored { is_writing: true });
        }
        done => done?,
    }
    round.state = ledger.state(&round.workload.id)?;
    Ok(())
}

fn passed(round: &Round<'_>) -> Event {
    let pass = round.state.of_pass.unwrap_or_default();
    Event::GatePassed { workload: round.workload.id.clone(), pass }
}
