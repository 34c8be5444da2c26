//! What `gate` and `activate` say: a line a workload, why not, and the command that helps.

use std::collections::BTreeSet;

use serde::Serialize;

use super::Round;
use crate::cli::{Failure, Global, print};
use crate::gate::{Block, Why};
use crate::ledger::snapshot::{RestoreState, SCHEMA};
use crate::ledger::{Answered, Outcome, Unchecked};
use crate::model::{CustomerId, PassNumber, WorkloadId};

/// Workloads that are told one by one to people, of those that do not pass.
const TOLD_MAX: usize = 20;

/// What helps when a line of the log cannot be read.
pub const UNREADABLE_HINT: &str = "Set the hold it was about anew with `evac hold`, then take the \
                                   broken line out of the file by hand.";

/// Why not, for programs and people.
#[derive(Debug, Serialize)]
pub struct Reason {
    /// A stable word.
    pub reason: &'static str,
    /// In words.
    pub what: String,
    /// What helps.
    pub hint: String,
}

/// One workload of the `gate` and `activate` documents.
#[derive(Serialize)]
struct Line<'a> {
    schema: u32,
    workload: &'a WorkloadId,
    customer: &'a CustomerId,
    passed: bool,
    state: RestoreState,
    of_pass: Option<PassNumber>,
    whys: Vec<Reason>,
    already_failing: &'a [String],
    unchecked: Option<&'a Unchecked>,
    checks: &'a [Answered],
}

impl Reason {
    /// A check or a state that keeps `workload` back.
    pub fn of_why(why: &Why, workload: &WorkloadId) -> Self {
        Self { reason: why.word(), what: why.to_string(), hint: hint(why, workload) }
    }

    /// Something stronger than checks.
    pub fn of_block(block: &Block) -> Self {
        Self { reason: block.word(), what: block.to_string(), hint: block_hint(block) }
    }
}

/// Says it all.
pub fn report(global: &Global, rounds: &[Round<'_>]) -> Result<(), Failure> {
    let (mut told, mut hints) = (0, Hints::default());
    for round in rounds {
        let id = &round.workload.id;
        let whys = round.verdict.whys.iter().map(|why| Reason::of_why(why, id)).collect();
        if global.json {
            print::document(&line(round, whys))?;
            continue;
        }
        if round.verdict.passes() {
            print::result(&passed(round))?;
        } else if told < TOLD_MAX {
            told += 1;
            print::result(&format!("shut    {id}: {}\n", first(&whys)))?;
            hints.tell(&whys);
        }
    }
    if !global.json {
        let passed = rounds.iter().filter(|round| round.verdict.passes()).count();
        let (all, more) = (rounds.len(), rounds.len() - passed - told);
        if more > 0 {
            print::result(&format!("and {more} more stay shut: evac --json gate\n"))?;
        }
        print::tell(&format!("{passed} of {} passed.", print::counted(all, "workload")));
    }
    Ok(())
}

/// The first reason.
pub fn first(whys: &[Reason]) -> &str {
    whys.first().map_or("", |why| &why.what)
}

/// The hints of several workloads, each told once.
#[derive(Default)]
pub struct Hints {
    told: BTreeSet<String>,
}

impl Hints {
    /// The reasons behind the first, and what helps against each.
    pub fn tell(&mut self, whys: &[Reason]) {
        for (number, why) in whys.iter().enumerate() {
            if number > 0 {
                print::tell(&format!("  and: {}", why.what));
            }
            if self.told.insert(why.hint.clone()) {
                print::tell(&format!("hint: {}", why.hint));
            }
        }
    }
}

fn line<'a>(round: &'a Round<'a>, whys: Vec<Reason>) -> Line<'a> {
    Line {
        schema: SCHEMA,
        workload: &round.workload.id,
        customer: &round.workload.customer,
        passed: round.verdict.passes(),
        state: round.state.restore,
        of_pass: round.state.of_pass,
        whys,
        already_failing: &round.verdict.excused,
        unchecked: round.unchecked.as_ref(),
        checks: &round.answers,
    }
}

/// `passed  acme-site: 2 checks`
fn passed(round: &Round<'_>) -> String {
    let id = &round.workload.id;
    let checks = match (&round.answers[..], &round.unchecked) {
        ([], Some(unchecked)) => {
            format!("no checks, by {}: {}", unchecked.by, unchecked.reason)
        }
        (answers, _) => {
            let passed = answers.iter().filter(|answer| answer.outcome == Outcome::Passed);
            print::counted(passed.count(), "check")
        }
    };
    let mut text = format!("passed  {id}: {checks}\n");
    for asked in &round.verdict.excused {
        text.push_str(&format!("        was already failing at the source: {asked}\n"));
    }
    text
}

/// The command that helps.
fn hint(why: &Why, id: &WorkloadId) -> String {
    match why {
        Why::NotRestored { is_writing: true } => "Wait for `evac restore` to end.".into(),
        Why::NotRestored { .. } | Why::OlderPass { .. } => {
            format!("`evac restore workload/{id}` writes the newest copy there.")
        }
        Why::Damaged { .. } => format!(
            "`evac verify --deep workload/{id}` says what is damaged; `evac run --again \
             workload/{id}` takes it anew while the source lives, then restore it."
        ),
        Why::Mistakes => "`evac check` says which, with its line.".into(),
        Why::AsksSource { .. } => "Ask the new address in `checks`.".into(),
        Why::NoChecks => format!(
            "Write `checks` for it or its host, or answer for it: `evac --as NAME gate \
             workload/{id} --unchecked REASON`."
        ),
        Why::NotVerified { .. } => format!("`evac verify --deep workload/{id}` reads it back."),
        Why::Check { outcome: Outcome::Unknown, .. } => {
            format!("Mend the check, then `evac gate workload/{id}` asks again.")
        }
        Why::Check { .. } => {
            format!("Mend it in its new place, then `evac gate workload/{id}` asks again.")
        }
    }
}

/// The command that ends it.
fn block_hint(block: &Block) -> String {
    match block {
        Block::Unconfirmed => {
            "Look at `evac status`, then stand by it: `evac --as NAME ledger confirm`.".into()
        }
        Block::Unreadable { .. } => UNREADABLE_HINT.into(),
        Block::Held { customer } => {
            format!(
                "Two people end it: `evac --as NAME release customer/{customer} --reason TEXT`."
            )
        }
        Block::SameMachine { customer, .. } => format!(
            "Move one of them to a machine of its own, or end the hold: `evac --as NAME release \
             customer/{customer} --reason TEXT`."
        ),
    }
}
