//! `evac restore`: to targets, into a folder, or as a tar archive.
//!
//! **Guard rails.** A root of `/` needs `--in-place`. What stands there and differs is a refusal
//! unless `--overwrite`. A target that is also a source is refused unless the root lies outside
//! every captured path of that machine. Nothing is written before all of them were asked. Onto an
//! earlier restore only the difference is written; what differs there by somebody's hand is left.

mod folder;
mod home;
mod tar;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;

use serde::Serialize;

use crate::agent::place::PlaceError;
use crate::cli::args::RestoreArgs;
use crate::cli::site::{Loaded, Writing};
use crate::cli::{Exit, Failure, Global, engine, fleet, print};
use crate::inventory::{Target, Workload};
use crate::ledger::snapshot::{SCHEMA, Snapshot};
use crate::model::{Bytes, PassNumber, Reason, TargetId, Timestamp, TreePath, WorkloadId};
use crate::restore::{CACHE_BYTES, FrameCache, RestoreError};
use crate::run::restore::{Job, Restored, Restorer};
use crate::store::{Pass, PassName};

/// Problems of one workload that are told one by one to people.
const TOLD_MAX: usize = 20;

/// What is to be restored.
struct Wanted {
    workload: Workload,
    pass: PassNumber,
    include: Vec<TreePath>,
}

/// One workload of the `restore` document.
#[derive(Serialize)]
struct Line {
    schema: u32,
    workload: WorkloadId,
    pass: PassNumber,
    place: String,
    done: bool,
    entries: u64,
    bytes: Bytes,
    problems: Vec<(String, String)>,
    problem_count: u64,
    reason: Option<Reason>,
    detail: Option<String>,
    /// What an archive cannot hold.
    left_out: Vec<(String, String)>,
    left_out_count: u64,
}

/// Restores what the arguments choose.
pub fn run(global: &Global, args: &RestoreArgs) -> Result<Exit, Failure> {
    tar::check(global, args)?;
    let loaded = global.load()?;
    let writing = global.open_for_reading_back()?;
    let (_, snapshot) = fleet::look(&writing.ledger, &loaded, false, global.now())?;
    let (wanted, without) = choose(args, &loaded, &writing, &snapshot)?;
    let by_then = args.at.map_or_else(|| "yet".to_owned(), |at| format!("by {at}"));
    for workload in &without {
        print::tell(&format!("warning: nothing of workload/{workload} was captured {by_then}"));
    }
    if wanted.is_empty() {
        let hint = match args.at {
            None => "`evac run` captures; `evac status` says how far it is.",
            Some(_) => "Name a later time, or leave out --at for the newest copy.",
        };
        return Err(Failure::failed("there is nothing to restore").hint(hint));
    }
    print::confirm(global, "restore", wanted.len(), "workloads")?;
    if args.map_users {
        tell_nameless(&writing, &wanted)?;
    }
    let told = if global.json { engine::quiet() } else { engine::output(global, &snapshot)? };
    let outcome = match (&args.to, &args.tar) {
        (_, Some(file)) => tar::to_archive(args, &writing, &wanted, file),
        (Some(folder), _) => {
            let folder = home::folder(global, folder)?;
            Ok(folder::to_folder(global, args, &writing, wanted, &folder, &*told))
        }
        (None, None) => to_targets(global, args, &loaded, &writing, wanted, told.clone()),
    };
    told.finish();
    let lines = outcome?;
    report(global, &lines)?;
    let exit = lines.iter().map(exit_of).fold(Exit::Done, Exit::and);
    Ok(if without.is_empty() { exit } else { exit.and(Exit::Failed) })
}

fn exit_of(line: &Line) -> Exit {
    match line.reason {
        Some(Reason::Refused) => Exit::Refused,
        Some(_) => Exit::Failed,
        None if line.problem_count > 0 => Exit::Failed,
        None => Exit::Done,
    }
}

/// Which workloads, which pass of each, which paths; and those of which there is nothing.
fn choose(
    args: &RestoreArgs,
    loaded: &Loaded,
    writing: &Writing,
    snapshot: &Snapshot,
) -> Result<(Vec<Wanted>, Vec<WorkloadId>), Failure> {
    let everything =
        || loaded.inventory.workloads().map(|w| (w.id.clone(), BTreeSet::new())).collect();
    let chosen: BTreeMap<WorkloadId, BTreeSet<TreePath>> = if args.what.is_empty() {
        everything()
    } else {
        loaded.select(&args.what, snapshot)?.workloads
    };
    let mut include = Vec::new();
    for path in &args.include {
        let path = TreePath::new(path.as_os_str().as_bytes())
            .map_err(|error| Failure::usage("--include needs an absolute path").because(&error))?;
        include.push(path);
    }
    let (mut wanted, mut without) = (Vec::new(), Vec::new());
    for (id, paths) in chosen {
        let Some(workload) = loaded.inventory.workload(&id) else {
            continue;
        };
        match pass_at(writing, &id, args.at)? {
            Some(pass) => {
                let include = include.iter().cloned().chain(paths).collect();
                wanted.push(Wanted { workload: workload.clone(), pass, include });
            }
            None => without.push(id),
        }
    }
    Ok((wanted, without))
}

/// The newest pass that was sealed by then; without one, the newest with anything in it. Who names
/// no time wants the newest, whatever the clock says today: it may have been wrong, then or now.
fn pass_at(
    writing: &Writing,
    workload: &WorkloadId,
    at: Option<Timestamp>,
) -> Result<Option<PassNumber>, Failure> {
    let passes = writing.ledger.passes(workload)?;
    let is_by_then = |time: Timestamp| at.is_none_or(|at| time <= at);
    let begun: Vec<_> = passes.iter().filter(|pass| is_by_then(pass.started_at)).collect();
    let sealed = begun.iter().rev().find(|pass| pass.sealed_at.is_some_and(is_by_then));
    let any = begun.iter().rev().find(|pass| pass.tally.entries > 0);
    Ok(sealed.or(any).map(|pass| pass.number))
}

/// Copies of an evac that did not keep the names of owners.
fn tell_nameless(writing: &Writing, wanted: &[Wanted]) -> Result<(), Failure> {
    for Wanted { workload, pass, .. } in wanted {
        let name = PassName { workload: workload.id.clone(), pass: *pass };
        if Pass::open(writing.store.disk(), &name)?.owners()?.is_none() {
            let what = "its copy is without names of owners, so their numbers stay";
            print::tell(&format!("warning: workload/{}: {what}", workload.id));
        }
    }
    Ok(())
}

fn frames(writing: &Writing) -> FrameCache {
    FrameCache::new(writing.store.clone(), CACHE_BYTES)
}

fn to_targets(
    global: &Global,
    args: &RestoreArgs,
    loaded: &Loaded,
    writing: &Writing,
    wanted: Vec<Wanted>,
    told: Arc<engine::Told>,
) -> Result<Vec<Line>, Failure> {
    let mut by_target: BTreeMap<TargetId, (Target, Vec<Job>)> = BTreeMap::new();
    for one in wanted {
        let target = home::target_of(loaded, &one.workload)?;
        let root = home::root_of(args, loaded, target, &one.workload)?;
        let entry = by_target.entry(target.id.clone());
        entry.or_insert_with(|| (target.clone(), Vec::new())).1.push(Job {
            workload: one.workload.id.clone(),
            pass: one.pass,
            root,
            include: one.include,
            overwrite: args.overwrite,
            map_users: args.map_users,
        });
    }
    let restorer = Arc::new(Restorer {
        reach: Arc::new(engine::reach(global, loaded, writing)?),
        store: writing.store.clone(),
        frames: frames(writing),
        ledger: writing.ledger.clone(),
        events: told,
        by: global.by.clone(),
    });
    let runtime = engine::runtime()?;
    let outcomes = runtime.block_on(restorer.onto_all(by_target.into_values().collect()));
    runtime.shutdown_background();
    let line = |(job, outcome): (Job, Result<Restored, crate::run::talk::TalkError>)| {
        let root = job.root.as_path().to_owned();
        let place = home::place_text(loaded, &job, root);
        let (restored, failed) = match outcome {
            Ok(restored) => (restored, None),
            Err(error) => (Restored::default(), Some((error.reason, error.detail))),
        };
        line(job.workload, job.pass, place, restored, failed)
    };
    Ok(outcomes.into_iter().map(line).collect())
}

fn line_of(one: &Wanted, place: String, outcome: Result<Restored, RestoreError>) -> Line {
    let (restored, failed) = match outcome {
        Ok(restored) => (restored, None),
        Err(error) => {
            let reason = match &error {
                RestoreError::Place(PlaceError::Exists { .. }) => Reason::Refused,
                RestoreError::Place(_) => Reason::TargetError,
                _ => Reason::LandingError,
            };
            (Restored::default(), Some((reason, crate::run::explain(&error))))
        }
    };
    line(one.workload.id.clone(), one.pass, place, restored, failed)
}

fn line(
    workload: WorkloadId,
    pass: PassNumber,
    place: String,
    restored: Restored,
    failed: Option<(Reason, String)>,
) -> Line {
    let (reason, detail) = failed.unzip();
    Line {
        schema: SCHEMA,
        workload,
        pass,
        place,
        done: reason.is_none(),
        entries: restored.entries,
        bytes: restored.bytes,
        problems: restored.problems.iter().map(|(p, why)| (p.to_string(), why.clone())).collect(),
        problem_count: restored.problem_count,
        reason,
        detail,
        left_out: Vec::new(),
        left_out_count: 0,
    }
}

fn report(global: &Global, lines: &[Line]) -> Result<(), Failure> {
    for line in lines {
        if global.json {
            print::document(line)?;
            continue;
        }
        let (workload, place) = (&line.workload, &line.place);
        match (&line.reason, &line.detail) {
            (Some(reason), Some(detail)) => {
                let word = if *reason == Reason::Refused { "refused" } else { "failed" };
                print::tell(&format!("{word}: {workload} to {place}: {detail}"));
                print::tell(&format!("hint: {}", crate::term::restore_hint(*reason)));
            }
            _ => print::tell(&format!(
                "restored {workload} to {place}: {} entries, {}",
                line.entries, line.bytes
            )),
        }
        tell_list(&line.problems, line.problem_count);
        if line.left_out_count > 0 {
            print::tell(&format!("left out of the archive: {}", line.left_out_count));
            tell_list(&line.left_out, line.left_out_count);
        }
    }
    Ok(())
}

fn tell_list(list: &[(String, String)], count: u64) {
    for (path, why) in list.iter().take(TOLD_MAX) {
        print::tell(&format!("  {path}: {why}"));
    }
    let more = count.saturating_sub(TOLD_MAX as u64);
    if more > 0 {
        print::tell(&format!("  and {more} more"));
    }
}
