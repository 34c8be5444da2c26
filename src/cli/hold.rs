//! `evac hold` and `evac release`: who is never switched on and never counted in public.
//!
//! Both write to `state/holds.log` alone, and wait for no run.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::cli::args::{HoldArgs, HoldKind, ReleaseArgs};
use crate::cli::site::Loaded;
use crate::cli::{Exit, Failure, Global, fleet, print};
use crate::gate::holds::{Action, Belongings, CONFIRM_WITHIN, Line};
use crate::gate::{Block, Blocks, Holds, Release};
use crate::inventory::Hold;
use crate::ledger::snapshot::{RestoreState, SCHEMA};
use crate::model::text::bounded;
use crate::model::{CustomerId, Timestamp};

/// Longest reason that is kept.
const REASON_CHARS_MAX: usize = 500;
/// Workloads that are named in one warning.
const TOLD_MAX: usize = 20;

/// One customer of the `hold` and `release` documents.
#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    customer: &'a CustomerId,
    held: bool,
    /// Until then somebody else may confirm.
    #[serde(skip_serializing_if = "Option::is_none")]
    confirm_by: Option<Timestamp>,
}

/// What came of a release for one customer.
enum Step {
    Asked,
    AskedAlready(Timestamp),
    Released { asked_by: String },
    StillInInventory { place: String },
    NotHeld,
}

/// Holds back.
pub fn hold(global: &Global, args: &HoldArgs) -> Result<Exit, Failure> {
    global.make_state()?;
    let loaded = global.load_settings()?;
    let customers = customers(global, &loaded, &args.what)?;
    print::confirm(global, "hold back", customers.len(), "customers")?;
    let kind = match args.kind {
        HoldKind::Abuse => Hold::Abuse,
        HoldKind::Legal => Hold::Legal,
        HoldKind::Customer => Hold::Customer,
    };
    let lines = customers.iter().map(|customer| {
        let belongings = Belongings::of(customer, &loaded.inventory);
        Line { kind, belongings, ..line(global, Action::Hold, customer, &args.reason) }
    });
    let lines: Vec<Line> = lines.collect();
    let ((), holds) = global.holds_log().append(|_| (lines, ()))?;
    for customer in &customers {
        if global.json {
            let (schema, held, confirm_by) = (SCHEMA, true, None);
            print::document(&Document { schema, customer, held, confirm_by })?;
        } else {
            print::tell(&format!("customer/{customer} is on hold, by {}.", global.by));
        }
    }
    warn_of_active(global, &loaded, &customers, &holds)?;
    Ok(Exit::Done)
}

/// What is on already stays on, in a machine that is shared too: evac switches nothing off.
fn warn_of_active(
    global: &Global,
    loaded: &Loaded,
    customers: &BTreeSet<CustomerId>,
    holds: &Holds,
) -> Result<(), Failure> {
    let ledger = global.open_read_only()?.ledger;
    let blocks = Blocks::of(&loaded.inventory, holds, &ledger.places_written()?, true);
    let mut on: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for workload in loaded.inventory.workloads() {
        if ledger.state(&workload.id)?.restore != RestoreState::Active {
            continue;
        }
        let found = blocks.of_workload(workload, &loaded.inventory);
        let why = found.into_iter().find(|block| match block {
            Block::Held { customer } | Block::SameMachine { customer, .. } => {
                customers.contains(customer)
            }
            Block::Unconfirmed | Block::Unreadable { .. } => false,
        });
        if let Some(why) = why {
            on.entry(why.to_string()).or_default().push(workload.id.as_str());
        }
    }
    for (why, names) in on {
        let more = names.len().saturating_sub(TOLD_MAX);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let names = names[..names.len().min(TOLD_MAX)].join(", ");
        print::tell(&format!(
            "warning: {why}, and this is switched on: {names}{more}. Switch it off there, then \
             `evac activate NAME --undo`."
        ));
    }
    Ok(())
}

/// Asks for the end of a hold, or confirms it.
pub fn release(global: &Global, args: &ReleaseArgs) -> Result<Exit, Failure> {
    if !global.is_named {
        let failure = Failure::usage("a release needs to know who wants it");
        return Err(failure.hint("Write `evac --as NAME release …`; two people must."));
    }
    let loaded = global.load_settings()?;
    let written = global.read_files()?.inventory;
    let customers = customers(global, &loaded, &args.what)?;
    print::confirm(global, "release", customers.len(), "customers")?;
    if !global.state().is_dir() {
        return Err(Failure::refused("nobody is on hold by `evac hold`").hint(IN_INVENTORY));
    }
    let place = |customer: &CustomerId| {
        let entry = written.customer(customer)?;
        (entry.hold != Hold::None).then(|| entry.origin.to_string())
    };
    let (steps, _) = global.holds_log().append(|holds| {
        let (mut lines, mut steps) = (Vec::new(), Vec::new());
        for customer in &customers {
            let (action, step) = step(global, holds, customer, place(customer));
            lines.extend(action.map(|action| line(global, action, customer, &args.reason)));
            steps.push(step);
        }
        (lines, steps)
    })?;
    let mut exit = Exit::Done;
    for (customer, step) in customers.iter().zip(&steps) {
        exit = exit.and(tell(global, customer, step)?);
    }
    Ok(exit)
}

const IN_INVENTORY: &str = "A hold that stands in the inventory is taken out there first.";

fn step(
    global: &Global,
    holds: &Holds,
    customer: &CustomerId,
    written_at: Option<String>,
) -> (Option<Action>, Step) {
    if let Some(place) = written_at {
        return (None, Step::StillInInventory { place });
    }
    let Some(open) = holds.open(customer) else { return (None, Step::NotHeld) };
    match open.release(&global.by, global.now()) {
        Release::Asks => (Some(Action::Ask), Step::Asked),
        Release::AskedAlready { since } => (None, Step::AskedAlready(since)),
        Release::Confirms { asked_by } => (Some(Action::Release), Step::Released { asked_by }),
    }
}

fn tell(global: &Global, customer: &CustomerId, step: &Step) -> Result<Exit, Failure> {
    let asked_at = match step {
        Step::Asked => Some(global.now()),
        Step::AskedAlready(since) => Some(*since),
        _ => None,
    };
    let confirm_by = asked_at.map(|at| at.plus(CONFIRM_WITHIN));
    if global.json {
        let held = !matches!(step, Step::Released { .. } | Step::NotHeld);
        print::document(&Document { schema: SCHEMA, customer, held, confirm_by })?;
    }
    let until = confirm_by.map(|at| at.to_string()).unwrap_or_default();
    let (text, hint, exit) = match step {
        Step::Asked => (
            format!("{} asks to release customer/{customer}, who is still on hold.", global.by),
            format!(
                "Until {until} somebody else confirms: `evac --as NAME release customer/{customer} \
                 --reason TEXT`."
            ),
            Exit::Done,
        ),
        Step::AskedAlready(_) => (
            format!("refused: {} asked already; customer/{customer} is still on hold", global.by),
            format!("Until {until} somebody else must confirm it."),
            Exit::Refused,
        ),
        Step::Released { asked_by } => (
            format!("customer/{customer} is released, by {asked_by} and {}.", global.by),
            format!("`evac gate customer/{customer}`, then `evac activate customer/{customer}`."),
            Exit::Done,
        ),
        Step::StillInInventory { place } => (
            format!("refused: the inventory holds customer/{customer} back, at {place}"),
            "Take `hold` out there first; it stays on hold until two people release it.".into(),
            Exit::Refused,
        ),
        Step::NotHeld => {
            (format!("customer/{customer} is not on hold."), String::new(), Exit::Done)
        }
    };
    print::tell(&text);
    if !hint.is_empty() {
        print::tell(&format!("hint: {hint}"));
    }
    Ok(exit)
}

fn line(global: &Global, action: Action, customer: &CustomerId, reason: &str) -> Line {
    Line {
        schema: 1,
        at: global.now(),
        action,
        customer: customer.clone(),
        kind: Hold::None,
        by: global.by.clone(),
        reason: bounded(reason, REASON_CHARS_MAX),
        belongings: Belongings::default(),
    }
}

/// Everybody that `what` names, or whose workloads it names.
fn customers(
    global: &Global,
    loaded: &Loaded,
    what: &str,
) -> Result<BTreeSet<CustomerId>, Failure> {
    let ledger = global.open_read_only()?.ledger;
    let (_, snapshot) = fleet::look(&ledger, loaded, false, global.now())?;
    let found = loaded.select(&[what], &snapshot)?.customers;
    if found.is_empty() {
        return Err(Failure::usage(format!("`{}` names no customer", bounded(what, 80)))
            .hint("`evac find TEXT` looks in names, domains and addresses."));
    }
    Ok(found)
}
