//! Loads the index logs: twice, since which packs can be trusted shows only at their end.
//!
//! The first reading takes what is said of packs and passes over the chunks; the second puts the
//! chunks of trusted packs into tables that have their final size from the start, on as many
//! threads as there are cores. What the first reading found whole is all that the second reads.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::model::{ChunkId, Domain, PackId};
use crate::store::Place;
use crate::store::damaged::Listed;
use crate::store::disk::{Disk, DiskError};
use crate::store::index::{Index, SHARDS};
use crate::store::log::{Batches, Entry, LogRecord, split_batch};
use crate::store::pack::PackName;

/// What a thread takes at a time, at least: enough that each shard gets hundreds of chunks at once.
const SPAN_BYTES: u64 = 4 << 20;
/// More threads wait for memory, and each holds a span and its chunks.
const THREADS_MAX: usize = 8;

/// What the logs say of a pack.
pub(super) struct Known {
    pub(super) name: PackName,
    pub(super) domain: Domain,
    /// The log that lists it from its first frame; what older ones say is superseded.
    first_log: usize,
    pub(super) seen_frames: u32,
    /// Where the last of them ends.
    pub(super) seen_bytes: u32,
    seen_chunks: u64,
    is_gapless: bool,
    pub(super) sealed_bytes: Option<u32>,
    pub(super) condemned_at: Option<u32>,
}

/// Where chunks of a pack belong.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    /// In the index, under this number.
    Pack(u32),
    /// Among the lost, under this number.
    Missing(u32),
}

/// Everything the logs say of packs.
pub(super) struct Logs {
    pub(super) known: HashMap<PackId, Known>,
    /// Logs that could not be read to their end.
    pub(super) damaged: Vec<String>,
    files: Vec<LogFile>,
}

#[derive(Default)]
struct LogFile {
    name: String,
    /// Packs by their number in this file.
    ids: Vec<PackId>,
    spans: Vec<Span>,
}

/// Whole batches, one after the other.
#[derive(Clone, Copy)]
struct Span {
    offset: u64,
    bytes: usize,
}

impl Logs {
    /// First reading.
    pub(super) fn read(disk: &dyn Disk, names: &[String]) -> Self {
        let mut logs = Self { known: HashMap::new(), damaged: Vec::new(), files: Vec::new() };
        for name in names {
            let mut file = LogFile { name: name.clone(), ..LogFile::default() };
            if logs.read_file(disk, &mut file).is_err() {
                // What was read of it stands.
                logs.damaged.push(name.clone());
            }
            logs.files.push(file);
        }
        logs
    }

    fn read_file(&mut self, disk: &dyn Disk, file: &mut LogFile) -> Result<(), DiskError> {
        let log = self.files.len();
        let name = file.name.clone();
        let mut batches = Batches::new(disk, &name)?;
        loop {
            let offset = batches.position();
            let Some(mut entries) = batches.next_batch()? else {
                return Ok(());
            };
            for entry in entries.by_ref() {
                note(&mut self.known, log, &mut file.ids, entry);
            }
            let is_done = entries.is_done();
            let bytes = (batches.position() - offset) as usize;
            match file.spans.last_mut() {
                Some(span) if (span.bytes as u64) < SPAN_BYTES => span.bytes += bytes,
                _ => file.spans.push(Span { offset, bytes }),
            }
            if !is_done {
                return Ok(());
            }
        }
    }

    /// Second reading: the chunks of packs that have a target.
    pub(super) fn insert(
        &self,
        disk: &dyn Disk,
        index: &Index,
        damaged: &Listed,
        target: impl Fn(&PackId) -> Option<Target>,
    ) -> Result<(), DiskError> {
        let mut chunks = 0;
        for (id, known) in &self.known {
            if let Some(Target::Pack(_)) = target(id) {
                chunks += known.seen_chunks;
            }
        }
        index.expect(chunks);
        let mut jobs = Vec::new();
        let mut targets = Vec::new();
        for (log, file) in self.files.iter().enumerate() {
            let is_current = |id: &PackId| self.known[id].first_log <= log;
            let of = |id: &PackId| if is_current(id) { target(id) } else { None };
            targets.push(file.ids.iter().map(of).collect::<Vec<_>>());
            jobs.extend(file.spans.iter().map(|span| (log, *span)));
        }
        let next = AtomicUsize::new(0);
        let work = || {
            let mut sorter = Sorter::new(index, damaged);
            loop {
                let job = next.fetch_add(1, Ordering::Relaxed);
                let Some((log, span)) = jobs.get(job) else {
                    return Ok(());
                };
                sorter.sort(disk, &self.files[*log].name, *span, &targets[*log])?;
                // Threads that went through the shards side by side would wait at each.
                sorter.insert(job * (SHARDS / THREADS_MAX));
            }
        };
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let helpers = cores.min(THREADS_MAX).min(jobs.len()).saturating_sub(1);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..helpers).map(|_| scope.spawn(work)).collect();
            let mine = work();
            let theirs = threads.into_iter().map(|thread| {
                let lost = || DiskError::new("read", "index", io::Error::other("a thread ended"));
                thread.join().unwrap_or_else(|_| Err(lost()))
            });
            theirs.fold(mine, Result::and)
        })?;
        index.fit();
        Ok(())
    }
}

/// Sorts chunks by their shard, so that each is locked once for many.
struct Sorter<'a> {
    index: &'a Index,
    damaged: &'a Listed,
    shards: Vec<Vec<(ChunkId, Place)>>,
}

impl<'a> Sorter<'a> {
    fn new(index: &'a Index, damaged: &'a Listed) -> Self {
        Self { index, damaged, shards: vec![Vec::new(); SHARDS] }
    }

    /// Takes the chunks of a span.
    fn sort(
        &mut self,
        disk: &dyn Disk,
        file: &str,
        span: Span,
        targets: &[Option<Target>],
    ) -> Result<(), DiskError> {
        let bytes = disk.read(file, span.offset, span.bytes)?;
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let Some((entries, after)) = split_batch(rest) else {
                let changed = io::Error::new(io::ErrorKind::InvalidData, "it was whole just now");
                return Err(DiskError::new("read", file, changed));
            };
            entries.for_each(|entry| self.take(&entry, targets));
            rest = after;
        }
        Ok(())
    }

    /// Puts what was taken into the index, shard by shard, from `first` on.
    fn insert(&mut self, first: usize) {
        for shard in (first..first + SHARDS).map(|shard| shard % SHARDS) {
            self.index.insert_all(shard, &self.shards[shard]);
            self.shards[shard].clear();
        }
    }

    fn take(&mut self, entry: &Entry<'_>, targets: &[Option<Target>]) {
        let Entry::Frame { pack, offset, length, chunks } = *entry else {
            return;
        };
        match targets.get(pack as usize).copied().flatten() {
            Some(Target::Pack(pack)) if length > 0 && offset.checked_add(length).is_some() => {
                let place = Place { pack, offset, length };
                if let Some(loss) = self.damaged.loss(&place) {
                    for id in chunks {
                        self.index.set_lost(ChunkId(*id), loss);
                    }
                    return;
                }
                for id in chunks {
                    let id = ChunkId(*id);
                    self.shards[Index::shard_of(&id)].push((id, place));
                }
            }
            Some(Target::Missing(number)) => {
                for id in chunks {
                    self.index.set_lost(ChunkId(*id), number);
                }
            }
            _ => {}
        }
    }
}

/// Takes one record of one log into what is known.
fn note(known: &mut HashMap<PackId, Known>, log: usize, ids: &mut Vec<PackId>, entry: Entry<'_>) {
    let of = |ids: &[PackId], pack: u32| ids.get(pack as usize).copied();
    match entry {
        Entry::Other(LogRecord::Pack { number, id, workload, domain, first_frame }) => {
            if number as usize != ids.len() {
                return;
            }
            ids.push(id);
            let pack = known.entry(id).or_insert_with(|| Known {
                name: PackName { id, workload },
                domain,
                first_log: log,
                seen_frames: 0,
                seen_bytes: 0,
                seen_chunks: 0,
                is_gapless: true,
                sealed_bytes: None,
                condemned_at: None,
            });
            pack.is_gapless =
                first_frame == 0 || pack.is_gapless && first_frame <= pack.seen_frames;
            pack.seen_frames = first_frame;
            if first_frame == 0 {
                pack.first_log = log;
                pack.seen_chunks = 0;
            }
        }
        Entry::Frame { pack, offset, length, chunks } => {
            if let Some(pack) = of(ids, pack).and_then(|id| known.get_mut(&id)) {
                pack.seen_frames += 1;
                pack.seen_bytes = pack.seen_bytes.max(offset.saturating_add(length));
                pack.seen_chunks += chunks.len() as u64;
            }
        }
        Entry::Other(LogRecord::Sealed { pack, length, frames }) => {
            if let Some(pack) = of(ids, pack).and_then(|id| known.get_mut(&id))
                && pack.is_gapless
                && pack.seen_frames == frames
            {
                pack.sealed_bytes = Some(length);
            }
        }
        Entry::Other(LogRecord::Condemned { pack, length }) => {
            if let Some(pack) = of(ids, pack).and_then(|id| known.get_mut(&id)) {
                pack.condemned_at = Some(length);
            }
        }
        // A frame is no other record.
        Entry::Other(LogRecord::Frame { .. }) => {}
    }
}
