//! What the runs so far hold, streamed to a sweeping agent, block by block as it asks.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use crate::ledger::Ledger;
use crate::model::RunNumber;
use crate::run::shelf::ShelfError;
use crate::run::talk::Outbox;
use crate::run::vouched;
use crate::store::{Disk, PassName};
use crate::wire::message::BASE_ENTRIES_MAX;
use crate::wire::{BaseEntry, ToAgent, encode};

/// An agent asks for two blocks ahead.
const REQUESTS_MAX: usize = 4;

/// Reads on a thread of its own; each request yields one block.
#[derive(Debug)]
pub struct BaseFeed {
    requests: SyncSender<()>,
}

impl BaseFeed {
    /// Over the runs of a pass before `run`; blocks go to `outbox`, a failure to `failed`.
    pub fn start(
        (disk, ledger): (Arc<dyn Disk>, Arc<Ledger>),
        name: PassName,
        run: RunNumber,
        outbox: Outbox,
        failed: impl FnOnce(ShelfError) + Send + 'static,
    ) -> Self {
        let (requests, queue) = sync_channel(REQUESTS_MAX);
        std::thread::spawn(move || {
            if let Err(error) = feed((&disk, &ledger), &name, run, &queue, &outbox) {
                failed(error);
            }
        });
        Self { requests }
    }

    /// The agent is ready for a block; says whether it may be, with what it asked for before.
    pub fn more(&self) -> bool {
        // A feed that came to its end, or failed and said so, needs no requests.
        !matches!(self.requests.try_send(()), Err(TrySendError::Full(())))
    }
}

fn feed(
    (disk, ledger): (&Arc<dyn Disk>, &Ledger),
    name: &PassName,
    run: RunNumber,
    queue: &Receiver<()>,
    outbox: &Outbox,
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
        if !outbox.send(encode(&ToAgent::Base { entries: block, last })) || last {
            break;
        }
    }
    Ok(())
}
