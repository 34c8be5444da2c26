//! `evac run`: carries out the plan; the same command resumes.
//!
//! `--again` takes a further pass of what is captured, too. Workloads with fewer passes come first,
//! else in the order of the plan: when such a run is cut off, the same command begins with those
//! that it had not reached.

pub mod bells;
mod decisions;
mod guard;
mod planner;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::cli::args::RunArgs;
use crate::cli::facts::plan_facts;
use crate::cli::failure::shown;
use crate::cli::site::{Loaded, warnings};
use crate::cli::{Exit, Failure, Global, engine, fleet, heal, print, window};
use crate::inventory::document::SourceFile;
use crate::ledger::Ledger;
use crate::ledger::snapshot::{CaptureState, CaptureStatus, Snapshot};
use crate::model::{EventSink, HostId, RunReport, Span, WorkloadId};
use crate::plan::{self, Plan, PlanFile};
use crate::run::heal::Ward;
use crate::run::stop::Stop;
use crate::run::{Options, Pace, RunEnd};

/// Carries out a plan.
pub fn run(global: &Global, args: &RunArgs) -> Result<Exit, Failure> {
    let mut loaded = global.load()?;
    let writing = global.open_for_writing(&loaded.inventory)?;
    let (writing, ward) = heal::prepare(global, &loaded, writing)?;
    window::heed(&mut loaded.settings, &writing.ledger)?;
    let (_, snapshot) = fleet::look(&writing.ledger, &loaded, true, global.now())?;
    let (file, chosen) = chosen(args, &loaded, &snapshot)?;
    let (plan, file) = make_plan(global, &loaded, (&writing.ledger, &snapshot), file)?;
    let planner = Arc::new(planner::Again::new(&loaded.settings, &writing.ledger, file));
    let mut options = work(&loaded, &snapshot, &plan, chosen.as_ref());
    options.accept_losses = args.accept_losses;
    options.waits = args.wait;
    options.waits_for_space = !args.stop_when_full;
    // A further pass keeps its own order.
    options.planner = (!args.again).then_some(planner);
    decisions::heed(&mut options, &loaded, &writing.ledger, &snapshot)?;
    options.ward = Arc::new(content(ward, chosen.as_ref()));
    options.refuse(guard::refusals(global, &loaded, &writing)?);
    let ward = options.ward.clone();
    let site = engine::site(global, &loaded, &writing)?;
    let reach = engine::reach(global, &loaded, &writing)?;
    let told = engine::output(global, &snapshot)?;
    let runtime = engine::runtime()?;
    let stop = Stop::default();
    runtime.spawn(stop.clone().listen(global.clock.clone()));
    let lock = writing.lock;
    let writer = writing.writer.expect("it was opened to add to the store");
    let mut pace = Pace::default();
    pace.lanes.forced = args.lanes;
    pace.knocks = args.beat_ms.map_or(pace.knocks, Duration::from_millis);
    let bells = bells::start(global, &site, &options, too_late(&plan), told.clone())?;
    let events: Arc<dyn EventSink> = match &bells {
        Some(bells) => bells.clone(),
        None => told.clone(),
    };
    let run = crate::run::run_at(pace, &site, writer, reach, options, &stop, events);
    let end = runtime.block_on(run);
    if let Some(bells) = bells {
        bells.finish();
    }
    told.finish();
    // Nothing is under way any more; what hangs in the kernel must not keep the command.
    runtime.shutdown_background();
    let end = end.map_err(|error| Failure::failed("the run cannot go on").because(&error))?;
    let stored = (&writing.disk, &writing.keys, &site.store);
    heal::finish((global, &loaded), &writing.ledger, stored, &ward)?;
    // A copy of the ledger beside it survives what may happen to the original.
    writing.ledger.backup_to(&global.state().join("ledger.backup.db"))?;
    drop(lock);
    if !global.json {
        tell(&end.report);
    }
    warnings::tell_left_alone(&loaded.set_aside);
    Ok(if loaded.set_aside.is_empty() { exit(&end) } else { exit(&end).and(Exit::Failed) })
}

/// Of whatever a further pass is wanted, a healed copy is not enough.
fn content(mut ward: Ward, again: Option<&BTreeSet<WorkloadId>>) -> Ward {
    again.into_iter().flatten().for_each(|id| ward.be_discontent_with(id));
    ward
}

/// The plan's file, if one is named; and of which workloads a further pass is wanted, if it is.
fn chosen<'a>(
    args: &'a RunArgs,
    loaded: &Loaded,
    snapshot: &Snapshot,
) -> Result<(Option<&'a Path>, Option<BTreeSet<WorkloadId>>), Failure> {
    let is_plan = |word: &String| Path::new(word).extension().is_some_and(|end| end == "toml");
    let (file, what) = match args.words.as_slice() {
        [] => (None, [].as_slice()),
        [plan] if !args.again || is_plan(plan) => (Some(Path::new(plan)), [].as_slice()),
        what if args.again => (None, what),
        _ => {
            let hint = "`evac run --again WHAT…` takes what changed of some workloads.";
            return Err(Failure::usage("a run follows one plan").hint(hint));
        }
    };
    if !args.again {
        return Ok((file, None));
    }
    let everything = || loaded.inventory.workloads().map(|workload| workload.id.clone()).collect();
    let chosen = match what {
        [] => everything(),
        what => loaded.select(what, snapshot)?.workloads.into_keys().collect(),
    };
    Ok((file, Some(chosen)))
}

/// The order of work: a plan's file, or one made now.
fn make_plan(
    global: &Global,
    loaded: &Loaded,
    (ledger, snapshot): (&Ledger, &Snapshot),
    file: Option<&Path>,
) -> Result<(Plan, Option<PlanFile>), Failure> {
    let facts = plan_facts(ledger, &loaded.inventory, snapshot)?;
    let options = plan::Options::at(global.now());
    let Some(path) = file else {
        let plan = plan::plan(&loaded.inventory, &loaded.settings, &facts, &options);
        return Ok((plan, None));
    };
    let path = &global.named(path);
    let text = std::fs::read_to_string(path).map_err(|error| {
        let hint = "PLAN is a file that `evac plan` wrote; without one, `evac run` plans itself. \
                    `evac first WHAT` lets one customer go before the others.";
        Failure::usage(format!("cannot read {}", shown(path))).because(&error).hint(hint)
    })?;
    let source = SourceFile { name: path.display().to_string().into(), text: Ok(text) };
    let read = plan::file::read(&source).and_then(|file| {
        let problems = file.check(&loaded.inventory);
        if problems.iter().any(crate::inventory::Problem::is_error) {
            Err(problems)
        } else {
            Ok(file)
        }
    });
    let file = read.map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Failure::usage(format!("{} cannot be followed: {}", path.display(), lines.join("; ")))
            .hint("`evac plan` writes a new one.")
    })?;
    let plan = plan::follow(&loaded.inventory, &loaded.settings, &facts, &options, &file);
    Ok((plan, Some(file)))
}

/// Workloads that the plan does not see done in time.
fn too_late(plan: &Plan) -> u64 {
    plan.workloads.iter().filter(|planned| !planned.fits).count() as u64
}

fn is_captured(state: CaptureState) -> bool {
    matches!(state, CaptureState::Captured | CaptureState::Verified)
}

/// What the run has to do: the plan without what is done, and all that is chosen for a further
/// pass.
fn work(
    loaded: &Loaded,
    snapshot: &Snapshot,
    plan: &Plan,
    again: Option<&BTreeSet<WorkloadId>>,
) -> Options {
    let states: BTreeMap<&WorkloadId, &CaptureStatus> = snapshot
        .customers
        .iter()
        .flat_map(|customer| &customer.workloads)
        .map(|workload| (&workload.id, &workload.capture))
        .collect();
    let is_done = |id: &WorkloadId| {
        let is_captured = states.get(id).is_some_and(|capture| is_captured(capture.state));
        is_captured && again.is_none_or(|again| !again.contains(id))
    };
    let is_wanted = |id: &WorkloadId| again.is_none_or(|again| again.contains(id));
    let captured = states.keys().filter(|id| is_done(id)).count();
    let mut order: Vec<(HostId, WorkloadId)> = plan
        .workloads
        .iter()
        .filter(|planned| is_wanted(&planned.id) && !is_done(&planned.id))
        .map(|planned| (planned.host.clone(), planned.id.clone()))
        .collect();
    let levels = plan.workloads.iter().map(|planned| (planned.id.clone(), planned.level));
    let levels = levels.collect();
    if again.is_some() {
        let sealed = |id: &WorkloadId| {
            let capture = states.get(id)?;
            let pass = capture.pass?.0;
            Some(if is_captured(capture.state) { pass } else { pass.saturating_sub(1) })
        };
        order.sort_by_key(|(_, workload)| sealed(workload));
    }
    let captures = |id: &HostId| loaded.inventory.host(id).is_some_and(|host| host.capture);
    order.retain(|(host, _)| captures(host));
    let ids: BTreeSet<&WorkloadId> = order.iter().map(|(_, workload)| workload).collect();
    let customers: BTreeSet<_> = plan
        .workloads
        .iter()
        .filter(|planned| ids.contains(&planned.id))
        .map(|planned| &planned.customer)
        .collect();
    let expected = snapshot
        .customers
        .iter()
        .flat_map(|customer| &customer.workloads)
        .filter(|workload| ids.contains(&workload.id))
        .map(|workload| workload.bytes.saturating_sub(workload.bytes_done))
        .sum();
    Options {
        captured_before: captured as u64,
        expected,
        customers: customers.len() as u64,
        order,
        levels,
        ..Options::default()
    }
}

fn tell(report: &RunReport) {
    let took = Span(Duration::from_secs_f64(report.elapsed_s));
    print::tell(&format!(
        "captured {}, failed {}, partial {} in {took}: {} read, {} sent, {} had already, {} stored",
        report.captured,
        report.failed,
        report.partial,
        report.read_bytes,
        report.sent_bytes,
        report.reused_bytes,
        report.stored_bytes,
    ));
    if report.failed + report.partial > 0 {
        print::tell("hint: `evac status` has the reasons; the same command goes on with the rest.");
    }
    if report.fuzzy + report.vanished > 0 {
        print::tell(&format!(
            "{} files changed while they were read, {} names vanished",
            report.fuzzy, report.vanished
        ));
    }
}

fn exit(end: &RunEnd) -> Exit {
    let report = &end.report;
    let mut exit = Exit::Done;
    if report.failed + report.partial > 0 {
        exit = exit.and(Exit::Failed);
    }
    if end.has_work_left {
        exit = exit.and(Exit::Stopped);
    }
    if report.refused > 0 {
        exit = exit.and(Exit::Refused);
    }
    if end.was_stopped { Exit::Interrupted } else { exit }
}
