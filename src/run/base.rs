//! What the runs so far hold, streamed to a sweeping agent, block by block as it asks.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use tokio::sync::mpsc::UnboundedSender;

use crate::ledger::Ledger;
use crate::model::RunNumber;
use crate::run::shelf::ShelfError;
use crate::run::vouched;
use crate::store::{Disk, PassName};
use crate::wire::message::BASE_ENTRIES_MAX;
use crate::wire::{BaseEntry, ToAgent, encode};

/// Reads on a thread of its own; each request yields one block.
#[derive(Debug)]
pub struct BaseFeed {
    requests: Sender<()>,
}

impl BaseFeed {
    /// Over the runs of a pass before `run`; blocks go to `outbox`, a failure to `failed`.
    pub fn start(
        (disk, ledger): (Arc<dyn Disk>, Arc<Ledger>),
        name: PassName,
        run: RunNumber,
        outbox: UnboundedSender<Vec<u8>>,
        failed: impl FnOnce(String) + Send + 'static,
    ) -> Self {
        let (requests, queue) = channel();
        std::thread::spawn(move || {
            if let Err(error) = feed((&disk, &ledger), &name, run, &queue, &outbox) {
                failed(crate::run::explain(&error));
            }
        });
        Self { requests }
    }

    /// The agent is ready for a block.
    pub fn more(&self) {
        // A feed that came to its end, or failed and said so, needs no requests.
        let _ = self.requests.send(());
    }
}

fn feed(
    (disk, ledger): (&Arc<dyn Disk>, &Ledger),
    name: &PassName,
    run: RunNumber,
    queue: &Receiver<()>,
    outbox: &UnboundedSender<Vec<u8>>,
) -> Result<(), ShelfError> {
    let mut entries = vouched::open(disk, ledger, name)?.base_entries(run);
    while queue.recv().is_ok() {
        let mut block = Vec::new();
        let mut weight = 0;
        while block.len() < BASE_ENTRIES_MAX && weight < 1 << 20 {
            let Some(entry) = entries.next() else {
                break;
            };
            weight += entry.path.as_bytes().len();
            block.push(BaseEntry { path: entry.path, fingerprint: entry.fingerprint });
        }
        let last = block.len() < BASE_ENTRIES_MAX && weight < 1 << 20;
        if outbox.send(encode(&ToAgent::Base { entries: block, last })).is_err() || last {
            break;
        }
    }
    Ok(())
}
