//! `evac run`: carries out the plan; the same command resumes.

mod guard;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::cli::args::RunArgs;
use crate::cli::facts::plan_facts;
use crate::cli::site::Loaded;
use crate::cli::{Exit, Failure, Global, engine, fleet, print};
use crate::inventory::document::SourceFile;
use crate::ledger::Ledger;
use crate::ledger::snapshot::{CaptureState, Snapshot};
use crate::model::{HostId, RunReport, Span, WorkloadId};
use crate::plan::{self, Plan};
use crate::run::stop::Stop;
use crate::run::{Options, RunEnd};

/// Carries out a plan.
pub fn run(global: &Global, args: &RunArgs) -> Result<Exit, Failure> {
    let loaded = global.load()?;
    let writing = global.open_for_writing()?;
    let (_, snapshot) = fleet::look(&writing.ledger, &loaded, true, global.now())?;
    let plan = make_plan(global, &loaded, (&writing.ledger, &snapshot), args.plan.as_deref())?;
    let mut options = work(&loaded, &snapshot, &plan);
    options.refuse(guard::refusals(global, &loaded, &writing)?);
    let site = engine::site(global, &loaded, &writing)?;
    let reach = engine::reach(global, &loaded, &writing)?;
    let told = engine::output(global, &snapshot)?;
    let runtime = engine::runtime()?;
    let stop = Stop::default();
    runtime.spawn(stop.clone().listen(global.clock.clone()));
    let lock = writing.lock;
    let writer = writing.writer.expect("it was opened to add to the store");
    let end = runtime.block_on(crate::run::run(&site, writer, reach, options, &stop, told.clone()));
    told.finish();
    // Nothing is under way any more; what hangs in the kernel must not keep the command.
    runtime.shutdown_background();
    let end = end.map_err(|error| Failure::failed("the run cannot go on").because(&error))?;
    // A copy of the ledger beside it survives what may happen to the original.
    writing.ledger.backup_to(&global.state().join("ledger.backup.db"))?;
    drop(lock);
    if !global.json {
        tell(&end.report);
    }
    Ok(exit(&end))
}

/// The order of work: a plan's file, or one made now.
fn make_plan(
    global: &Global,
    loaded: &Loaded,
    (ledger, snapshot): (&Ledger, &Snapshot),
    file: Option<&Path>,
) -> Result<Plan, Failure> {
    let facts = plan_facts(ledger, &loaded.inventory, snapshot)?;
    let options = plan::Options::at(global.now());
    let Some(path) = file else {
        return Ok(plan::plan(&loaded.inventory, &loaded.settings, &facts, &options));
    };
    let path = &global.named(path);
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::usage(format!("cannot read {}", path.display()))
            .because(&error)
            .hint("PLAN is a file that `evac plan` wrote; without one, `evac run` plans itself.")
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
    Ok(plan::follow(&loaded.inventory, &loaded.settings, &facts, &options, &file))
}

fn is_captured(state: CaptureState) -> bool {
    matches!(state, CaptureState::Captured | CaptureState::Verified)
}

/// What the run has to do: the plan without what is done.
fn work(loaded: &Loaded, snapshot: &Snapshot, plan: &Plan) -> Options {
    let states: BTreeMap<&WorkloadId, CaptureState> = snapshot
        .customers
        .iter()
        .flat_map(|customer| &customer.workloads)
        .map(|workload| (&workload.id, workload.capture.state))
        .collect();
    let captured = states.values().filter(|state| is_captured(**state)).count();
    let mut order: Vec<(HostId, WorkloadId)> = plan
        .workloads
        .iter()
        .filter(|planned| !states.get(&planned.id).is_some_and(|state| is_captured(*state)))
        .map(|planned| (planned.host.clone(), planned.id.clone()))
        .collect();
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
        refused: Vec::new(),
    }
}

fn tell(report: &RunReport) {
    let took = Span(std::time::Duration::from_secs_f64(report.elapsed_s));
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
