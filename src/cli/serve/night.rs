//! What the live view shows beyond a snapshot: what is blocked, who was called, and the plan beside
//! what happened.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::cli::facts::plan_facts;
use crate::cli::failure::shown;
use crate::cli::site::{Loaded, PLANS_FOLDER};
use crate::cli::{Failure, Global, next};
use crate::inventory::SourceFile;
use crate::ledger::PassSpan;
use crate::ledger::snapshot::{CaptureState, Snapshot};
use crate::model::{Event, Timestamp, WorkloadId};
use crate::plan::{self, Facts, Options, Plan, PlanFile, WorkloadFacts};
use crate::store::disks::DiskView;
use crate::web::{Blocked, LandingDisk, Night, Seen, Span};

/// Calls shown.
const RUNG_MAX: u32 = 8;
/// Plans looked through for the newest.
const PLANS_MAX: usize = 200;

/// The night as of `seen`.
pub(super) fn night(global: &Global, loaded: &Loaded, seen: &Seen) -> Result<Night, Failure> {
    let snapshot = &seen.snapshot;
    let reading = global.open_read_only()?;
    // What was told of the window is heeded from here on.
    let mut loaded = loaded.clone();
    let mut blocked = next::of_disks(global, snapshot)?;
    blocked.extend(next::blocked(&mut loaded, &reading, snapshot)?);
    let facts = plan_facts(&reading.ledger, &loaded.inventory, snapshot)?;
    let options = Options::at(snapshot.as_of);
    let plan = plan::plan(&loaded.inventory, &loaded.settings, &facts, &options);
    let rung = reading.ledger.rung(RUNG_MAX)?;
    let rung = rung.into_iter().filter_map(|it| match it.event {
        Event::Rang { bell, text, .. } => Some((it.at, format!("{}: {text}", bell.word()))),
        _ => None,
    });
    let running = reading.running.as_ref();
    let disks = global.look_at_disks()?;
    Ok(Night {
        rung: rung.collect(),
        done: done(reading.ledger.pass_spans()?, snapshot, running.is_some()),
        planned: newest_plan(global, snapshot.as_of)
            .map(|file| (file.created_at, planned(&loaded, &facts, snapshot, &file))),
        never: plan.workloads.iter().filter(|it| it.finish_s.is_none()).count(),
        expected: expected(&plan, snapshot),
        running: running.map(|it| (it.operator.clone(), it.since)),
        blocked: blocked.into_iter().map(self::blocked).collect(),
        room: disks.as_ref().map(|look| look.room),
        disks: disks.map(|look| look.disks).unwrap_or_default().into_iter().map(disk).collect(),
    })
}

fn disk(view: DiskView) -> LandingDisk {
    let DiskView { path, free, reserve } = view;
    LandingDisk { path: shown(&path), free, reserve }
}

fn blocked(it: next::Blocked) -> Blocked {
    let next::Blocked { cause, workloads, why, command, .. } = it;
    Blocked { cause, workloads: workloads.len(), why, command }
}

/// Passes; one that nobody works on ended when its workload's state last changed.
fn done(passes: Vec<PassSpan>, snapshot: &Snapshot, running: bool) -> Vec<Span> {
    let workloads = snapshot.customers.iter().flat_map(|customer| &customer.workloads);
    let standing: BTreeMap<&WorkloadId, _> = workloads.map(|it| (&it.id, it)).collect();
    let known = passes.into_iter().filter_map(|pass| {
        let workload = standing.get(&pass.workload)?;
        let goes_on = running && workload.capture.state == CaptureState::Capturing;
        let stopped = workload.since.unwrap_or(pass.started_at).max(pass.started_at);
        let to = pass.sealed_at.or((!goes_on).then_some(stopped));
        let PassSpan { workload, host, started_at: from, .. } = pass;
        Some(Span { workload, host, from, to, fits: true })
    });
    known.collect()
}

/// What is still to come.
fn expected(plan: &Plan, snapshot: &Snapshot) -> Vec<Span> {
    let is_open = |state| {
        !matches!(state, CaptureState::Captured | CaptureState::Verified | CaptureState::Skipped)
    };
    let workloads = snapshot.customers.iter().flat_map(|customer| &customer.workloads);
    let open = workloads.filter(|it| is_open(it.capture.state)).map(|it| &it.id);
    let open: BTreeSet<&WorkloadId> = open.collect();
    spans(plan, |id| open.contains(id))
}

/// What the plan in a file had promised when it was made: nothing was copied then.
fn planned(loaded: &Loaded, facts: &Facts, snapshot: &Snapshot, file: &PlanFile) -> Vec<Span> {
    let workloads = snapshot.customers.iter().flat_map(|customer| &customer.workloads);
    let whole = |bytes| WorkloadFacts { bytes: Some(bytes), ..WorkloadFacts::default() };
    let facts = Facts {
        workloads: workloads.map(|it| (it.id.clone(), whole(it.bytes))).collect(),
        ..facts.clone()
    };
    let options = Options::at(file.created_at);
    let plan = plan::follow(&loaded.inventory, &loaded.settings, &facts, &options, file);
    spans(&plan, |_| true)
}

fn spans(plan: &Plan, wanted: impl Fn(&WorkloadId) -> bool) -> Vec<Span> {
    let at = |seconds| plan.starts_at.plus(Duration::from_secs(seconds));
    let known = plan.workloads.iter().filter(|it| wanted(&it.id)).filter_map(|it| {
        let (from, to) = (at(it.start_s?), Some(at(it.finish_s?)));
        let (workload, host) = (it.id.clone(), it.host.clone());
        Some(Span { workload, host, from, to, fits: it.fits })
    });
    known.collect()
}

/// The newest plan in a file that can be read; one that cannot is no reason to show nothing.
fn newest_plan(global: &Global, now: Timestamp) -> Option<PlanFile> {
    let entries = std::fs::read_dir(global.site.join(PLANS_FOLDER)).ok()?;
    let read = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(&path).ok()?;
        let source = SourceFile { name: path.display().to_string().into(), text: Ok(text) };
        plan::file::read(&source).ok()
    };
    let plans = entries.flatten().take(PLANS_MAX).filter_map(|entry| read(entry.path()));
    plans.filter(|plan| plan.created_at <= now).max_by_key(|plan| plan.created_at)
}
