//! Where a restore goes: the target of a workload, and the folder there, after the guard rails.

use std::path::{Path, PathBuf};

use crate::cli::args::RestoreArgs;
use crate::cli::failure::shown;
use crate::cli::site::Loaded;
use crate::cli::{Failure, Global};
use crate::inventory::{Entry, Target, Workload};
use crate::ledger::Place;
use crate::model::TreePath;
use crate::run::restore::Job;

/// The folder of this machine to restore into, which is nothing of evac's own.
pub fn folder(global: &Global, folder: &Path) -> Result<PathBuf, Failure> {
    let fail = |error: std::io::Error| Failure::io("find the folder", folder, &error);
    let absolute = std::path::absolute(folder).map_err(fail)?;
    let state = std::fs::canonicalize(global.state()).map_err(fail)?;
    // What is not there yet lies where its nearest parent that is there does.
    let real = absolute.ancestors().find_map(|it| std::fs::canonicalize(it).ok());
    if real.is_some_and(|real| real.starts_with(&state)) {
        let what = format!("{} lies in evac's own state", shown(&absolute));
        return Err(Failure::refused(what).hint("Restore into a folder outside of it."));
    }
    Ok(absolute)
}

/// The words of a place on a target.
pub fn place_text(loaded: &Loaded, job: &Job, root: PathBuf) -> String {
    let workload = loaded.inventory.workload(&job.workload);
    let target = workload.and_then(|workload| workload.target.as_ref());
    let target = target.map(ToString::to_string).unwrap_or_default();
    Place::Target { target, root }.to_string()
}

/// Where a workload goes. A mistake in what is written there is named again here: everything before
/// the restore went on without a target.
pub fn target_of<'a>(loaded: &'a Loaded, workload: &Workload) -> Result<&'a Target, Failure> {
    if let Some(found) = workload.target.as_ref().and_then(|id| loaded.inventory.target(id)) {
        return Ok(found);
    }
    let own = Entry::Workload(workload.id.to_string());
    let of_host = Entry::Host(workload.host.to_string());
    let mistake = [own, of_host].into_iter().find_map(|entry| {
        loaded.problems.iter().find(|problem| problem.homeless.as_ref() == Some(&entry))
    });
    let what = format!("workload/{} has no target", workload.id);
    Err(match mistake {
        Some(problem) => Failure::usage(format!("{what}: {problem}"))
            .hint("Mend it (`evac check` has the hint), or restore into a folder with --to."),
        None => Failure::usage(what).hint(
            "Give its host or it a `target` in the inventory, or restore into a folder with --to.",
        ),
    })
}

/// Beneath which folder of its target a workload is written, after the guard rails.
pub fn root_of(
    args: &RestoreArgs,
    loaded: &Loaded,
    target: &Target,
    workload: &Workload,
) -> Result<TreePath, Failure> {
    let root = workload.restore_root.clone().unwrap_or_else(TreePath::root);
    if root.is_root() && !args.in_place {
        let what = format!("workload/{} would be written over / of its target", workload.id);
        return Err(Failure::refused(what).hint(
            "Set `restore = { root = \"/srv/restored\" }` for it, or say --in-place and mean it.",
        ));
    }
    let hosts = loaded.inventory.hosts.iter();
    let sources = hosts.filter(|host| host.address == target.address && host.port == target.port);
    for path in sources.flat_map(|host| &host.workloads).flat_map(|workload| &workload.paths) {
        let written_over = workload
            .paths
            .iter()
            .any(|own| beneath(&root, own).is_some_and(|landing| landing.is_within(path)));
        if root.is_within(path) || written_over {
            let what = format!(
                "the target of workload/{} is also a source, and {root} touches {path} there",
                workload.id
            );
            return Err(Failure::refused(what)
                .hint("Choose a root outside every path that is captured from that machine."));
        }
    }
    Ok(root)
}

/// Where a source path lands beneath a root.
fn beneath(root: &TreePath, path: &TreePath) -> Option<TreePath> {
    path.components().try_fold(root.clone(), |at, name| at.join(name).ok())
}
