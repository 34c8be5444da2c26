//! `evac limit`: another rate for a choke point, while a run goes on.

use serde::Serialize;

use crate::cli::args::{LimitArgs, LimitRate};
use crate::cli::{Exit, Failure, Global, print};
use crate::ledger::StateLock;
use crate::model::Rate;
use crate::run::capacities::{Capacities, CapacityError};
use crate::run::control::{self, Ask, ControlError, Request, Said};

/// What was and what is now, in bytes per second.
#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    id: &'a str,
    was: Option<Rate>,
    now: Option<Rate>,
}

/// Changes a rate.
pub fn run(global: &Global, args: &LimitArgs) -> Result<Exit, Failure> {
    let loaded = global.load()?;
    let capacities = Capacities::of(&loaded.settings, &loaded.inventory);
    let id = capacities.name(capacities.find(&args.id)?).to_owned();
    let Some(holder) = StateLock::holder(&global.state())? else {
        let failure =
            Failure::usage("no run is going on, and a limit given here ends with its run");
        return Err(failure.hint(format!("Write {} to keep it for every run.", key_of(&id))));
    };
    let LimitRate(rate) = args.rate;
    let request = Request::new(&global.by, Ask::Limit { id, rate });
    let answer = control::ask(&global.state(), &request).map_err(|error| match &error {
        ControlError::Nobody { .. } => {
            let what = format!("process {} has the state, and it cannot be steered", holder.pid);
            Failure::refused(what).hint("Only a run can be, once it dials hosts.")
        }
        ControlError::Io { .. } => Failure::of(crate::cli::failure::Kind::Failed, &error)
            .hint("`evac status` shows whether the run goes on; the same command tries again."),
    })?;
    match answer.said {
        Said::Refused { why } => {
            let failure = Failure::refused(format!("the run says no: {why}"));
            Err(failure.hint("It began with the inventory as it was then."))
        }
        Said::Over
        | Said::Steered(_)
        | Said::Noted
        | Said::Window { .. }
        | Said::DiskAdded { .. }
        | Said::Reloaded { .. } => Err(crate::cli::hands::astray()),
        Said::Limit { id, was, now } => {
            if global.json {
                print::document(&Document { schema: 1, id: &id, was, now })?;
            } else {
                print::result(&sentence(&id, was, now))?;
            }
            Ok(Exit::Done)
        }
    }
}

fn sentence(id: &str, was: Option<Rate>, now: Option<Rate>) -> String {
    let rate = |rate: Option<Rate>| rate.map_or_else(|| "none".to_owned(), |it| it.to_string());
    let note = match now {
        Some(Rate(0)) => " Nothing more is asked for.",
        _ => "",
    };
    format!("{id}: limit {} until this run ends, was {}.{note}\n", rate(now), rate(was))
}

/// Where the rate of a choke point is written.
fn key_of(id: &str) -> &'static str {
    match id.split_once('/') {
        None => "`landing` in [limits] of evac.toml",
        Some(("host", _)) => "`rate` of the host in inventory.toml",
        Some(_) => "its `rate` in evac.toml",
    }
}

impl From<CapacityError> for Failure {
    fn from(error: CapacityError) -> Self {
        let failure = Self::of(crate::cli::failure::Kind::Usage, &error);
        match error {
            CapacityError::Ambiguous { .. } => failure.hint("Write one of these."),
            CapacityError::Unknown { .. } => {
                failure.hint("Write landing, uplink/ID, resource/ID or host/ID.")
            }
        }
    }
}
