//! Compares samples of what was taken with the living sources: their agents hash the same pieces
//! again, and only verdicts cross the line.
//!
//! **Told apart.** A file that looks different by now was changed since, which says nothing about
//! the copy. One that looks the same and is not what was taken is wrong, here or there.
//!
//! **Promises.** The same seed picks the same files of the same passes. A host that fails fails
//! alone. Memory holds one batch of each host.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::capture::{Content, Entry, Record};
use crate::chunk::DomainKey;
use crate::inventory::Host;
use crate::ledger::Ledger;
use crate::model::{ChunkId, HostId, Reason, TreePath, WorkloadId};
use crate::run::reach::Reach;
use crate::run::stop::{Phase, Stop};
use crate::run::talk::{TalkError, failed};
use crate::store::{Pass, PassName, Step, Store};
use crate::wire::compare::{CompareFile, CompareOrder, FILES_MAX, PIECES_MAX, Verdict};
use crate::wire::{Grant, ToAgent, ToLanding};

/// How long an answer about one batch is waited for: some gigabytes from a slow disk.
const PATIENCE: Duration = Duration::from_secs(600);

/// What is picked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Picking {
    /// The same one picks the same files.
    pub seed: u64,
    /// How many of a hundred.
    pub percent: f64,
}

impl Picking {
    /// Is this file picked?
    pub fn takes(&self, workload: &WorkloadId, path: &TreePath) -> bool {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.seed.to_le_bytes());
        hasher.update(workload.as_str().as_bytes());
        hasher.update(&[0]);
        hasher.update(path.as_bytes());
        let first: [u8; 8] = hasher.finalize().as_bytes()[..8].try_into().unwrap_or_default();
        (u64::from_le_bytes(first) as f64) < self.percent / 100.0 * 2_f64.powi(64)
    }
}

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Of which workload.
    pub workload: WorkloadId,
    /// Which.
    pub path: TreePath,
    /// Bytes that were hashed, if they were.
    pub bytes: u64,
    /// What.
    pub verdict: Verdict,
}

/// Something that happened.
#[derive(Debug)]
pub enum News {
    /// A file was compared.
    File(Found),
    /// A host could not be asked, or not to the end.
    Failed(HostId, TalkError),
}

/// What a comparison works with.
#[derive(Clone)]
pub struct Comparer {
    /// The way to machines.
    pub reach: Arc<Reach>,
    /// Numbers agents.
    pub ledger: Arc<Ledger>,
    /// What was taken.
    pub store: Store,
    /// What is picked of it.
    pub picking: Picking,
    /// Ends it.
    pub stop: Stop,
    /// Told of everything as it happens.
    pub tell: Arc<dyn Fn(News) + Send + Sync>,
}

impl Comparer {
    /// Compares passes with their hosts, at most `at_once` of these together.
    pub async fn compare(&self, work: Vec<(Host, Vec<PassName>)>, at_once: usize) {
        let permits = Arc::new(Semaphore::new(at_once.max(1)));
        let mut tasks = JoinSet::new();
        for (host, passes) in work {
            let (this, permits) = (self.clone(), permits.clone());
            tasks.spawn(async move {
                let _permit = permits.acquire().await;
                if let Err(error) = this.host(&host, passes).await {
                    (this.tell)(News::Failed(host.id, error));
                }
            });
        }
        tokio::select! {
            () = async { while tasks.join_next().await.is_some() {} } => {}
            () = self.stop.reached(Phase::Stopping) => tasks.shutdown().await,
        }
        self.reach.close().await;
    }

    async fn host(&self, host: &Host, passes: Vec<PassName>) -> Result<(), TalkError> {
        if self.stop.phase() > Phase::Running {
            return Err(TalkError::new(Reason::Stopped, "it was interrupted"));
        }
        let (sender, mut batches) = mpsc::channel(1);
        let (store, picking) = (self.store.clone(), self.picking);
        let reader = tokio::task::spawn_blocking(move || {
            passes.iter().try_for_each(|pass| sample(&store, pass, picking, &sender))
        });
        // A host of which nothing is picked is not dialled.
        if let Some(first) = batches.recv().await {
            let landing = |error| TalkError::new(Reason::LandingError, crate::run::explain(&error));
            let generation = self.ledger.generation(&host.id).map_err(landing)?;
            let connection = self.reach.dial(&self.reach.endpoint(host).await?, &|_, _| {}).await?;
            let start =
                self.reach.start(connection, &host.id, host.impact, generation, Grant::Read);
            let (mut line, _) = start.await?;
            let mut next = Some(first);
            let mut asked = Ok(());
            while let Some(batch) = next {
                asked = self.ask(&mut line.talk, batch).await;
                if asked.is_err() {
                    break;
                }
                next = batches.recv().await;
            }
            line.bye().await;
            asked?;
        }
        drop(batches);
        let read = reader.await.map_err(|e| TalkError::new(Reason::Internal, e.to_string()))?;
        read.or_else(|unread| match unread {
            Unread::Nobody => Ok(()),
            Unread::Failed(detail) => Err(TalkError::new(Reason::LandingError, detail)),
        })
    }

    async fn ask(&self, talk: &mut crate::run::talk::Talk, batch: Batch) -> Result<(), TalkError> {
        let files = batch.files.clone();
        talk.send(&ToAgent::Compare(Box::new(CompareOrder { key: batch.key, files })));
        let heard = tokio::select! {
            heard = tokio::time::timeout(PATIENCE, talk.next()) => heard,
            () = self.stop.reached(Phase::Draining) => {
                return Err(TalkError::new(Reason::Stopped, "it was interrupted"));
            }
        };
        let silent = |_| TalkError::new(Reason::Timeout, "a disk over there does not answer");
        let verdicts = match heard.map_err(silent)?? {
            ToLanding::Compared(verdicts) if verdicts.len() == batch.files.len() => verdicts,
            ToLanding::Failed { reason, detail } => {
                return Err(failed(reason, &detail, &[Reason::SourceError]));
            }
            _ => {
                let detail = "the agent answered what it was not asked";
                return Err(TalkError::new(Reason::Protocol, detail));
            }
        };
        for (CompareFile { path, pieces, .. }, verdict) in batch.files.into_iter().zip(verdicts) {
            let is_read = matches!(verdict, Verdict::Same | Verdict::Wrong(_));
            let bytes = pieces.iter().map(|(_, length, _)| u64::from(*length)).sum();
            let bytes = if is_read { bytes } else { 0 };
            let workload = batch.workload.clone();
            (self.tell)(News::File(Found { workload, path, bytes, verdict }));
        }
        Ok(())
    }
}

/// Files of one workload.
struct Batch {
    workload: WorkloadId,
    key: DomainKey,
    files: Vec<CompareFile>,
}

/// Why a pass was not read to its end.
enum Unread {
    /// Nobody takes what is picked any more.
    Nobody,
    /// It cannot be read.
    Failed(String),
}

/// Hands what is picked of a pass to `sender`.
fn sample(
    store: &Store,
    name: &PassName,
    picking: Picking,
    sender: &mpsc::Sender<Batch>,
) -> Result<(), Unread> {
    let unread = |error: &dyn std::error::Error| Unread::Failed(crate::run::explain(error));
    let pass = Pass::open(store.disk(), name).map_err(|error| unread(&error))?;
    let key = store.key(pass.head().domain).map_err(|error| unread(&error))?;
    let empty = || Batch { workload: name.workload.clone(), key: key.clone(), files: Vec::new() };
    let send = |batch| sender.blocking_send(batch).map_err(|_| Unread::Nobody);
    let (mut batch, mut open): (_, Option<(Entry, Pieces)>) = (empty(), None);
    for step in pass.merged() {
        let Step::Record(record) = step else {
            open = None;
            continue;
        };
        match record {
            Record::Node(entry) => {
                open =
                    picking.takes(&name.workload, &entry.path).then(|| (entry, Pieces::default()));
            }
            Record::Data { offset, length, id } => {
                if let Some((_, pieces)) = &mut open {
                    pieces.push((offset, length, id));
                }
            }
            // What moved while it was taken cannot be compared with what it is now.
            Record::End { content: Content::Steady, .. } => {
                if let Some((entry, pieces)) = open.take() {
                    let (fingerprint, pieces) = (entry.fingerprint(), pieces.kept);
                    batch.files.push(CompareFile { path: entry.path, fingerprint, pieces });
                }
            }
            _ => open = None,
        }
        if batch.files.len() == FILES_MAX {
            send(std::mem::replace(&mut batch, empty()))?;
        }
    }
    if batch.files.is_empty() { Ok(()) } else { send(batch) }
}

/// Pieces of a file; of very many, some from everywhere in it.
#[derive(Default)]
struct Pieces {
    kept: Vec<(u64, u32, ChunkId)>,
    seen: u64,
    stride: u64,
}

impl Pieces {
    fn push(&mut self, piece: (u64, u32, ChunkId)) {
        let stride = self.stride.max(1);
        if self.seen.is_multiple_of(stride) {
            if self.kept.len() == PIECES_MAX {
                let mut number = 0;
                self.kept.retain(|_| {
                    number += 1;
                    number % 2 == 1
                });
                self.stride = stride * 2;
            }
            if self.seen.is_multiple_of(self.stride.max(1)) {
                self.kept.push(piece);
            }
        }
        self.seen += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_picks_about_as_much_as_it_should_and_always_the_same() {
        let workload = WorkloadId::new("w").unwrap();
        let picked = |seed, percent| -> Vec<u32> {
            let takes = |n: &u32| {
                let path = format!("/srv/{n}").parse().unwrap();
                Picking { seed, percent }.takes(&workload, &path)
            };
            (0..10_000).filter(takes).collect()
        };
        assert_eq!(picked(1, 100.0).len(), 10_000);
        let some = picked(1, 5.0);
        assert!((400..600).contains(&some.len()), "{}", some.len());
        assert_eq!(some, picked(1, 5.0));
        assert_ne!(some, picked(2, 5.0));
    }

    #[test]
    fn pieces_of_a_long_file_are_from_everywhere_in_it() {
        for count in [0, 1, 64, 65, 1_000, 100_000_u64] {
            let mut pieces = Pieces::default();
            (0..count).for_each(|n| pieces.push((n, 1, ChunkId([0; 32]))));
            let kept: Vec<u64> = pieces.kept.iter().map(|(offset, ..)| *offset).collect();
            assert!(kept.len() <= PIECES_MAX && kept.len() as u64 >= count.min(32), "{count}");
            assert!(kept.is_sorted());
            let last = kept.last().copied().unwrap_or_default();
            assert!(count == 0 || last * 10 >= (count - 1) * 9, "{count}: {last}");
        }
    }
}
