//! Checks on paths: two workloads that take the same file, and restores into what is captured.

use ignore::gitignore::Gitignore;

use crate::inventory::check::{Check, entry_of};
use crate::inventory::exclude::{leaves_out, matcher};
use crate::inventory::{Host, Problem, Workload};
use crate::model::TreePath;

/// Two workloads of `host` that take the same file.
///
/// Of two customers it is an error that sets the wider one aside: restoring it would hand one
/// customer's data to the other. Of one customer it fails `check` and is otherwise harmless.
pub(super) fn overlaps(check: &mut Check<'_>, host: &Host) {
    let compiled: Vec<(&Workload, Gitignore)> = host
        .workloads
        .iter()
        .filter(|workload| !workload.is_default)
        .filter_map(|workload| Some((workload, matcher(&workload.exclude).ok()?)))
        .collect();
    for (index, later) in compiled.iter().enumerate() {
        for earlier in &compiled[..index] {
            let found = shared(later, earlier)
                .map(|path| (path, later.0, earlier.0))
                .or_else(|| shared(earlier, later).map(|path| (path, earlier.0, later.0)));
            if let Some((path, inner, outer)) = found {
                report(check, path, inner, outer);
            }
        }
    }
}

/// A path of `inner` that `outer` takes too.
fn shared<'w>(
    inner: &(&'w Workload, Gitignore),
    outer: &(&'w Workload, Gitignore),
) -> Option<&'w TreePath> {
    let takes = |path: &TreePath| {
        outer.0.paths.iter().any(|root| path.is_within(root)) && !leaves_out(&outer.1, path)
    };
    inner.0.paths.iter().find(|path| takes(path))
}

fn report(check: &mut Check<'_>, path: &TreePath, inner: &Workload, outer: &Workload) {
    let entry = entry_of(outer);
    let origin = check.places.of_key(&entry, "paths");
    let what = format!("workload/{} takes `{path}`, as workload/{} does", outer.id, inner.id);
    let hint = format!("Add `exclude = [\"{path}\"]` to workload/{}.", outer.id);
    let problem = Problem::error(&origin, what).hint(hint);
    let foreign = inner.customer != outer.customer;
    check.problems.push(if foreign { problem.of(entry) } else { problem });
}

/// Where `workload` goes must not be beneath what is captured from that machine. It is captured all
/// the same, for capture needs no target; `restore` refuses.
pub(super) fn restore(check: &mut Check<'_>, workload: &Workload) {
    let entry = entry_of(workload);
    if workload.restore_root.as_ref().is_some_and(TreePath::is_root) {
        let what = format!("workload/{} is restored over `/` of its target", workload.id);
        let hint = "`restore` refuses that without `--in-place`.";
        check.warning(&entry, "restore", what, hint);
    }
    let Some(target) = workload.target.as_ref().and_then(|id| check.inventory.target(id)) else {
        return;
    };
    let is_target = |host: &&Host| {
        host.capture
            && host.port == target.port
            && host.address.eq_ignore_ascii_case(&target.address)
    };
    let Some(source) = check.inventory.hosts.iter().find(is_target) else { return };
    let root = workload.restore_root.clone().unwrap_or_else(TreePath::root);
    if let Some(captured) = source.workloads.iter().find(|captured| takes(captured, &root)) {
        let what = format!(
            "workload/{} would be restored to `{root}` on host/{}, which workload/{} takes",
            workload.id, source.id, captured.id
        );
        let hint = "Set `restore.root` outside every captured path, or name another target.";
        let key = if workload.restore_root.is_some() { "restore" } else { "target" };
        let origin = check.places.of_key(&entry, key);
        check.problems.push(Problem::error(&origin, what).hint(hint));
    }
}

/// Does `workload` take `root`, something beneath it, or what is above it?
fn takes(workload: &Workload, root: &TreePath) -> bool {
    let Ok(matcher) = matcher(&workload.exclude) else { return true };
    let beneath = workload.paths.iter().any(|path| path.is_within(root));
    let above = workload.paths.iter().any(|path| root.is_within(path));
    beneath || above && !leaves_out(&matcher, root)
}
