//! What the runs so far hold, streamed to a sweeping agent, block by block as it asks.
//!
//! Files with several names are told beside, before the agent can ask about them: their first names
//! need not be read from the manifests a second time. What is read is counted as it passes: when
//! the sweep finds nothing new, that is what the pass holds, and it need not be read again either.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use crate::capture::{Entry, Fingerprint};
use crate::ledger::Ledger;
use crate::model::{RunNumber, TreePath};
use crate::run::shelf::{Counted, Counting, ShelfError};
use crate::run::talk::Outbox;
use crate::run::vouched;
use crate::store::{PassName, Step, Store};
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
    /// Over the runs of a pass before `run`; blocks go to `outbox`, first names of inodes, what was
    /// counted and a failure to `tell`. `rechecks`: no file that a former pass read is believed to
    /// be what it was.
    pub fn start(
        (store, ledger): (Store, Arc<Ledger>),
        (name, run, rechecks): (PassName, RunNumber, bool),
        outbox: Outbox,
        tell: impl Fn(News) + Send + 'static,
    ) -> Self {
        let (requests, queue) = sync_channel(REQUESTS_MAX);
        std::thread::spawn(move || {
            if let Err(error) =
                feed((&store, &ledger), (&name, run, rechecks), &queue, (&outbox, &tell))
            {
                tell(News::Failed(error));
            }
        });
        Self { requests }
    }

    /// The agent is ready for a block.
    pub fn more(&self) -> More {
        match self.requests.try_send(()) {
            Ok(()) => More::Coming,
            // A feed that came to its end, or failed and said so, needs no requests.
            Err(TrySendError::Disconnected(())) => More::Over,
            Err(TrySendError::Full(())) => More::TooMany,
        }
    }
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum More {
    /// A block, as soon as it is read.
    Coming,
    /// Nothing: all blocks were sent.
    Over,
    /// It may not be, with what was asked for before.
    TooMany,
}

/// What a feed says to others than the agent.
#[derive(Debug)]
pub enum News {
    /// First names of files with several, before the block that holds them.
    Links(Vec<Link>),
    /// What all blocks together hold, before the last of them.
    Counted(Counted),
    /// It cannot go on.
    Failed(ShelfError),
}

/// The first name of an inode, in the state it was read in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Device and inode.
    pub inode: (u64, u64),
    /// Size, times and the rest.
    pub fingerprint: Fingerprint,
    /// Its first name.
    pub path: TreePath,
}

fn feed(
    (store, ledger): (&Store, &Ledger),
    (name, run, rechecks): (&PassName, RunNumber, bool),
    queue: &Receiver<()>,
    (outbox, tell): (&Outbox, &impl Fn(News)),
) -> Result<(), ShelfError> {
    let pass = vouched::open(store.disk(), ledger, name)?;
    let mut counting = Counting::new(pass.head().paths.clone(), run);
    let known = store.clone();
    let entries = pass.base_entries(run).rechecking(rechecks);
    let mut entries = entries.rereading(move |id| !known.contains(id));
    let mut watch = |step: &Step, replaced: Option<&Entry>| counting.take(step, replaced);
    while queue.recv().is_ok() {
        let (mut block, mut links) = (Vec::new(), Vec::new());
        let mut weight = 0;
        while block.len() < BASE_ENTRIES_MAX && weight < 1 << 20 {
            let Some(entry) = entries.next_watched(&mut watch) else {
                break;
            };
            weight += entry.path.as_bytes().len();
            if let Some(inode) = entry.link.filter(|_| !entry.needs_reread) {
                let (fingerprint, path) = (entry.fingerprint, entry.path.clone());
                links.push(Link { inode, fingerprint, path });
            }
            block.push(BaseEntry { path: entry.path, fingerprint: entry.fingerprint });
        }
        if !links.is_empty() {
            tell(News::Links(links));
        }
        let last = block.len() < BASE_ENTRIES_MAX && weight < 1 << 20;
        let message = encode(&ToAgent::Base { entries: block, last });
        if last {
            // What cannot be read is for the sealing to find and to tell.
            if let Ok(counted) = counting.end() {
                tell(News::Counted(counted));
            }
            outbox.send(message);
            return Ok(());
        }
        if !outbox.send(message) {
            break;
        }
    }
    Ok(())
}
