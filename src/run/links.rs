//! The table of first names for one session; a resumed pass fills it from its manifest.

use std::sync::Arc;

use crate::capture::Record;
use crate::inventory::Workload;
use crate::ledger::LinkTable;
use crate::model::{PassNumber, Reason, RunNumber, WorkloadId};
use crate::run::Shared;
use crate::run::shelf::OpenedPass;
use crate::run::talk::TalkError;
use crate::store::Store;

/// A table that knows what the pass holds so far.
pub async fn table(
    shared: &Arc<Shared>,
    workload: &Workload,
    opened: &OpenedPass,
) -> Result<LinkTable, TalkError> {
    let path = shared.scratch.join(format!("links-{}.db", workload.id));
    let is_new = opened.segment == 0 && opened.run == RunNumber(0);
    let (store, workload, pass) = (shared.store.clone(), workload.id.clone(), opened.pass);
    let build = move || -> Result<LinkTable, String> {
        let mut table = LinkTable::open(&path).map_err(|error| crate::run::explain(&error))?;
        if !is_new {
            fill(&mut table, &store, &workload, pass)?;
        }
        Ok(table)
    };
    let built = tokio::task::spawn_blocking(build).await;
    let built = built.map_err(|error| TalkError::new(Reason::Internal, error.to_string()))?;
    built.map_err(|detail| TalkError::new(Reason::LandingError, detail))
}

fn fill(
    table: &mut LinkTable,
    store: &Store,
    workload: &WorkloadId,
    pass: PassNumber,
) -> Result<(), String> {
    let explained = |error: &dyn std::error::Error| crate::run::explain(error);
    let pass = store.pass(workload, pass).map_err(|e| explained(&e))?;
    for record in pass.merged().map_err(|e| explained(&e))? {
        let Record::Node(entry) = record.map_err(|e| explained(&e))? else {
            continue;
        };
        if entry.metadata.nlink > 1 {
            let (dev, ino) = (entry.metadata.dev, entry.metadata.ino);
            let fingerprint = entry.fingerprint().0;
            table
                .first_or(dev, ino, fingerprint, &entry.path)
                .map_err(|error| explained(&error))?;
        }
    }
    Ok(())
}
