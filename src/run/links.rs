//! The table of first names for one session: a resumed pass fills it from its manifest, and agents
//! ask it.

use std::sync::Arc;

use crate::capture::{Kind, Record};
use crate::inventory::Workload;
use crate::ledger::{Ledger, LedgerError, LinkTable};
use crate::model::{Reason, RunNumber, TreePath};
use crate::run::base::Link;
use crate::run::coordinator::SessionId;
use crate::run::engine::Engine;
use crate::run::shelf::OpenedPass;
use crate::run::talk::TalkError;
use crate::run::{Shared, vouched};
use crate::store::{Disk, PassName, Step};
use crate::wire::{LinkAnswer, LinkAsk, ToAgent};

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

impl Engine {
    pub(super) fn link(&mut self, id: SessionId, ask: &LinkAsk) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let (dev, ino) = ask.inode;
        let first = session.links.first_or(dev, ino, ask.fingerprint.0, &ask.path);
        match first {
            Ok(first) => {
                // A first name that stands later in the tree cannot be linked to.
                let of: Option<TreePath> = first.filter(|first| *first < ask.path);
                let answer = of.map_or(LinkAnswer::Wanted, LinkAnswer::SameAs);
                self.send(id, &ToAgent::Link { ticket: ask.ticket, answer });
            }
            Err(error) => self.end(id, reason_of(&error), crate::run::explain(&error)),
        }
    }

    /// They come before the block that holds them, so nobody has asked about them yet.
    pub(super) fn know_links(&mut self, id: SessionId, links: Vec<Link>) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        for Link { inode: (dev, ino), fingerprint, path } in links {
            if let Err(error) = session.links.first_or(dev, ino, fingerprint.0, &path) {
                return self.end(id, reason_of(&error), crate::run::explain(&error));
            }
        }
    }
}

fn reason_of(error: &LedgerError) -> Reason {
    if error.is_full() { Reason::LandingFull } else { Reason::LandingError }
}
