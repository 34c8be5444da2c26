//! The table of first names for one session; a resumed pass fills it from its manifest.

use std::sync::Arc;

use crate::capture::{Kind, Record};
use crate::inventory::Workload;
use crate::ledger::{Ledger, LinkTable};
use crate::model::{Reason, RunNumber};
use crate::run::shelf::OpenedPass;
use crate::run::talk::TalkError;
use crate::run::{Shared, vouched};
use crate::store::{Disk, PassName, Step};

/// A table that knows what the pass holds so far.
pub async fn table(
    shared: &Arc<Shared>,
    workload: &Workload,
    opened: &OpenedPass,
) -> Result<LinkTable, TalkError> {
    let path = shared.scratch.join(format!("links-{}.db", workload.id));
    // What a delta pass builds on is told as its agent gets it.
    let is_filled = !opened.is_delta && (opened.segment > 0 || opened.run > RunNumber(0));
    let (disk, ledger) = (shared.store.disk().clone(), shared.ledger.clone());
    let name = PassName { workload: workload.id.clone(), pass: opened.pass };
    let build = move || -> Result<LinkTable, String> {
        let mut table = LinkTable::open(&path).map_err(|error| crate::run::explain(&error))?;
        if is_filled {
            fill(&mut table, (&disk, &ledger), &name)?;
        }
        Ok(table)
    };
    let built = tokio::task::spawn_blocking(build).await;
    let built = built.map_err(|error| TalkError::new(Reason::Internal, error.to_string()))?;
    built.map_err(|detail| TalkError::new(Reason::LandingError, detail))
}

fn fill(
    table: &mut LinkTable,
    (disk, ledger): (&Arc<dyn Disk>, &Ledger),
    name: &PassName,
) -> Result<(), String> {
    let pass = vouched::open(disk, ledger, name).map_err(|error| crate::run::explain(&error))?;
    for step in pass.merged() {
        let Step::Record(Record::Node(entry)) = step else {
            continue;
        };
        if entry.metadata.nlink > 1 && entry.kind != Kind::Directory {
            let (dev, ino) = (entry.metadata.dev, entry.metadata.ino);
            let fingerprint = entry.fingerprint().0;
            table
                .first_or(dev, ino, fingerprint, &entry.path)
                .map_err(|error| crate::run::explain(&error))?;
        }
    }
    Ok(())
}
