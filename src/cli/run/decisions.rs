//! What was decided before a run began: what is paused, goes first, is left out.

use crate::cli::site::Loaded;
use crate::cli::{Failure, print};
use crate::ledger::Ledger;
use crate::ledger::snapshot::{CaptureState, Snapshot};
use crate::model::WorkloadId;
use crate::run::Options;

/// Takes what is left out out of the order, and puts first what goes first. What is paused stays,
/// so that it can be resumed.
pub fn heed(
    options: &mut Options,
    loaded: &Loaded,
    ledger: &Ledger,
    snapshot: &Snapshot,
) -> Result<(), Failure> {
    let known = ledger.steering()?;
    let statuses = snapshot.customers.iter().flat_map(|customer| &customer.workloads);
    let skipped = statuses.filter(|status| status.capture.state == CaptureState::Skipped);
    let skipped = skipped.map(|status| (status.id.clone(), status.host.clone()));
    options.decided.skipped = skipped.collect();
    options.order.retain(|(_, id)| !options.decided.skipped.contains_key(id));
    // A stable sort: within one word, the order of the plan.
    let first = |id: &WorkloadId| known.get(id).and_then(|steering| steering.first);
    options.order.sort_by_key(|(_, id)| std::cmp::Reverse(first(id)));
    let firsts = options.order.iter().map(|(_, id)| id).filter(|id| first(id).is_some());
    options.decided.firsts = firsts.cloned().collect();
    let is_paused =
        |id: &WorkloadId| known.get(id).is_some_and(|steering| steering.paused.is_some());
    let paused = loaded.inventory.workloads().map(|workload| &workload.id);
    options.decided.paused = paused.filter(|id| is_paused(id)).cloned().collect();
    tell(options);
    Ok(())
}

fn tell(options: &Options) {
    let paused = options.order.iter().filter(|(_, id)| options.decided.paused.contains(id)).count();
    if paused > 0 {
        let count = print::counted(paused, "workload");
        print::tell(&format!("{count} paused; `evac resume WHAT` takes them up again"));
    }
    let skipped = options.decided.skipped.len();
    if skipped > 0 {
        let count = print::counted(skipped, "workload");
        print::tell(&format!("{count} left out on purpose; `evac retry WHAT` takes that back"));
    }
}
