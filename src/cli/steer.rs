//! `evac pause`, `resume`, `first`, `skip`, `retry`: the order of work, from any terminal.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::cli::hands::{self, Heard};
use crate::cli::print::{self, counted};
use crate::cli::{Exit, Failure, Global};
use crate::inventory::Hold;
use crate::ledger::Ledger;
use crate::ledger::snapshot::Snapshot;
use crate::model::{Event, Steer, WorkloadId};
use crate::run::control::{Ask, Said, Turned, Unturned, WORKLOADS_MAX};
use crate::run::schedule::{Effect, absent};

/// More names than this are counted, not shown to people.
const SHOWN_MAX: usize = 20;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    action: Steer,
    running: bool,
    #[serde(flatten)]
    turned: &'a Turned,
}

/// Does `steer` to what `words` name.
pub fn run(
    global: &Global,
    steer: Steer,
    words: &[String],
    reason: Option<&str>,
) -> Result<Exit, Failure> {
    let loaded = global.load()?;
    let (_, snapshot) = global.open_read_only()?.look(&loaded, global.now())?;
    let selection = loaded.select(words, &snapshot)?;
    if let Some((id, _)) = selection.workloads.iter().find(|(_, paths)| !paths.is_empty()) {
        let failure = Failure::usage("only whole workloads are steered, not paths of them");
        return Err(failure.hint(format!("Write workload/{id}.")));
    }
    let mut turned = Turned::default();
    let mut ids: Vec<WorkloadId> = selection.workloads.into_keys().collect();
    if steer == Steer::Skip {
        let held = held(&snapshot);
        ids.retain(|id| {
            let why = held.get(id).map(|hold| (*hold).to_owned());
            turned
                .refused
                .extend(why.iter().map(|why| Unturned { id: id.clone(), why: why.clone() }));
            why.is_none()
        });
    }
    print::confirm(global, steer.word(), ids.len(), "workloads")?;
    let (what, text) = (words.join(" "), reason.unwrap_or_default().to_owned());
    let mut running = false;
    for some in ids.chunks(WORKLOADS_MAX) {
        let (what, text, workloads) = (what.clone(), text.clone(), some.to_vec());
        let ask = Ask::Steer { steer, what, workloads, text };
        let heard = hands::say(global, &ask, |ledger| alone(ledger, &ask, &global.by))?;
        running |= heard.by_run;
        join(&mut turned, heard)?;
    }
    if global.json {
        print::document(&Document { schema: 1, action: steer, running, turned: &turned })?;
    } else {
        print::result(&text_of(steer, &turned))?;
        if !running && !turned.done.is_empty() {
            print::tell("No run goes on: the next `evac run` goes by it.");
        }
    }
    Ok(if turned.refused.is_empty() { Exit::Done } else { Exit::Refused })
}

fn join(turned: &mut Turned, heard: Heard) -> Result<(), Failure> {
    let Said::Steered(more) = heard.said else {
        return Err(hands::astray());
    };
    turned.done.extend(more.done);
    turned.already.extend(more.already);
    turned.refused.extend(more.refused);
    Ok(())
}

/// What is held, and why it is not skipped.
fn held(snapshot: &Snapshot) -> BTreeMap<&WorkloadId, &'static str> {
    let why = |hold| match hold {
        Hold::None => None,
        Hold::Abuse => Some("its customer is held (abuse): what is held is copied or decided on"),
        Hold::Legal => Some("its customer is held (legal): it may be evidence"),
        Hold::Customer => Some("its customer is held at his own wish: he may still want a copy"),
    };
    let of = |customer: &crate::ledger::snapshot::CustomerStatus| why(customer.hold);
    let customers = snapshot.customers.iter().filter_map(|it| Some((of(it)?, &it.workloads)));
    customers.flat_map(|(why, all)| all.iter().map(move |workload| (&workload.id, why))).collect()
}

/// The same where no run goes on: it is written down for the next.
fn alone(ledger: &Ledger, ask: &Ask, by: &str) -> Result<Said, Failure> {
    let Ask::Steer { steer, what, workloads, text } = ask else {
        return Err(hands::astray());
    };
    let known = ledger.steering()?;
    let head = known.values().filter_map(|it| it.first).max();
    let mut effects = Vec::new();
    for id in workloads {
        let (state, known) = (ledger.state(id)?, known.get(id).cloned().unwrap_or_default());
        effects.push(absent::steer(*steer, &state, &known, head));
    }
    let done: Vec<_> = (workloads.iter().zip(&effects))
        .filter(|(_, effect)| **effect == Effect::Done)
        .map(|(id, _)| id.clone())
        .collect();
    if !done.is_empty() {
        let (what, text, by) = (what.clone(), text.clone(), by.to_owned());
        let event = Event::Steered { steer: *steer, what, workloads: done, text, by };
        ledger.append(&event, "")?;
    }
    Ok(Said::Steered(Turned::of(workloads, &effects)))
}

fn text_of(steer: Steer, turned: &Turned) -> String {
    let mut text = String::new();
    let names = |ids: &[&str]| {
        let more = if ids.len() > SHOWN_MAX { ", …" } else { "" };
        format!("{}{more}", ids[..ids.len().min(SHOWN_MAX)].join(", "))
    };
    let done: Vec<_> = turned.done.iter().map(WorkloadId::as_str).collect();
    if !done.is_empty() {
        let count = counted(done.len(), "workload");
        let _ = writeln!(text, "{}: {count}: {}", steer.done(), names(&done));
    }
    let mut causes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for Unturned { id, why } in turned.already.iter().chain(&turned.refused) {
        causes.entry(why).or_default().push(id.as_str());
    }
    for (why, ids) in causes {
        let _ = writeln!(text, "not {}: {}: {why}", steer.done(), names(&ids));
    }
    if text.is_empty() {
        text.push_str("nothing stands there\n");
    }
    text
}
