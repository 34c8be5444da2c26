//! Appends frames to packs and makes them durable. See the parent for the order.
//!
//! One open pack per workload, so that a customer's data lies together; at most
//! [`OPEN_PACKS_MAX`] at a time, the one that rested longest is sealed first. A pack whose disk has
//! no more room is sealed as it is, and the next one begins on another disk.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use crate::chunk::{FrameError, FrameHeader};
use crate::model::{Bytes, ChunkId, Domain, PackId, WorkloadId};
use crate::store::disk::{Append, Disk, DiskError, DiskErrorKind};
use crate::store::index::{PackState, insert_frames};
use crate::store::log::{LogWriter, PackEnd, PackNews};
use crate::store::pack::{Footer, PACK_BYTES_MAX, PACK_CHUNKS_MAX, PackFrame, PackName};
use crate::store::{Place, Shared, StoreError};

/// Packs, and so file handles, that are open for appending at a time.
pub const OPEN_PACKS_MAX: usize = 256;
/// Packs that were closed and wait for the next commit, before they are synced without it.
const CLOSED_PACKS_MAX: usize = 64;

/// What [`Writer::append`] did with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Appended {
    /// Chunks that were not here.
    pub new_chunks: u64,
    /// Chunks that were here already.
    pub reused_chunks: u64,
    /// Bytes written; none if every chunk was here.
    pub stored_bytes: Bytes,
}

/// A commit that did not make everything durable. What [`crate::store::Store::is_durable`] says is
/// right nevertheless.
#[derive(Debug, thiserror::Error)]
#[error("cannot make the store durable; {} chunks have to come again", condemned.len())]
pub struct CommitError {
    /// Chunks that are not in the store any more.
    pub condemned: Vec<ChunkId>,
    /// The first thing that went wrong.
    #[source]
    pub source: DiskError,
}

/// The one writer of a store.
pub struct Writer {
    shared: Arc<Shared>,
    open: BTreeMap<WorkloadId, OpenPack>,
    /// Not appended to any more; synced, and noted as sealed, by the next commit.
    closed: Vec<OpenPack>,
    log: LogWriter,
    next_log: u32,
    /// Synced and not logged yet.
    news: Vec<PackNews>,
    condemned: Vec<ChunkId>,
    failure: Option<DiskError>,
    /// Counts appends, to find the pack that rested longest.
    appends: u64,
}

struct OpenPack {
    number: u32,
    name: PackName,
    domain: Domain,
    file: Box<dyn Append>,
    /// How much is written, whole frames only until a footer is there.
    length: u32,
    synced_bytes: u32,
    synced_frames: u32,
    unsynced: Vec<PackFrame>,
    footer: Footer,
    is_sealed: bool,
    used_at: u64,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Writer({} open packs)", self.open.len())
    }
}

impl OpenPack {
    fn create(disk: &dyn Disk, name: PackName, domain: Domain) -> Result<Self, DiskError> {
        let file_name = name.file();
        let mut file = disk.create(&file_name)?;
        if let Err(error) = file.append(&name.header(domain)) {
            // What is left is no pack; opening removes it if this cannot.
            let _ = disk.remove(&file_name);
            return Err(error);
        }
        let length = name.header_bytes();
        Ok(Self {
            number: 0,
            name,
            domain,
            file,
            length,
            synced_bytes: 0,
            synced_frames: 0,
            unsynced: Vec::new(),
            footer: Footer::default(),
            is_sealed: false,
            used_at: 0,
        })
    }

    fn has_room(&self, frame_bytes: usize, chunks: usize) -> bool {
        let bytes = self.length as usize + frame_bytes + self.footer.bytes_with(chunks);
        bytes <= PACK_BYTES_MAX as usize && self.footer.chunks() + chunks <= PACK_CHUNKS_MAX
    }

    fn is_dirty(&self) -> bool {
        self.length > self.synced_bytes
    }

    /// After a failed append: off with what it left. An error leaves the pack unusable.
    fn cut(&mut self, disk: &dyn Disk) -> Result<(), DiskError> {
        self.file = disk.reopen(&self.name.file(), self.length.into())?;
        Ok(())
    }

    fn news(&mut self, end: Option<PackEnd>) -> PackNews {
        let frames = std::mem::take(&mut self.unsynced);
        let first_frame = self.synced_frames;
        self.synced_frames += frames.len() as u32;
        PackNews {
            number: self.number,
            id: self.name.id,
            workload: self.name.workload.clone(),
            domain: self.domain,
            first_frame,
            frames,
            end,
        }
    }
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, next_log: u32) -> Self {
        Self {
            shared,
            open: BTreeMap::new(),
            closed: Vec::new(),
            log: LogWriter::new(next_log),
            next_log,
            news: Vec::new(),
            condemned: Vec::new(),
            failure: None,
            appends: 0,
        }
    }

    /// Stores a frame that its receiver has opened, so every chunk in it is what its name says.
    /// Not durable before [`Self::commit`]. A frame that brings nothing new is dropped; what is
    /// here and the workload may not rely on ([`crate::store::tenants`]) is new. After an error
    /// nothing of the frame is stored, and other workloads go on.
    pub fn append(
        &mut self,
        workload: &WorkloadId,
        frame: &[u8],
        header: &FrameHeader,
    ) -> Result<Appended, StoreError> {
        if frame.len() != header.total_bytes() {
            let source = FrameError::Short { needed: header.total_bytes(), have: frame.len() };
            return Err(StoreError::Frame { file: workload.to_string(), offset: 0, source });
        }
        let tenant = self.shared.tenant_of(workload);
        let is_new = |id: &ChunkId| !self.shared.index.serves(id, tenant);
        if !header.chunks.iter().any(|chunk| is_new(&chunk.id)) {
            let reused_chunks = header.chunks.len() as u64;
            return Ok(Appended { reused_chunks, ..Appended::default() });
        }
        self.make_room(workload, frame.len(), header)?;
        if let Err(error) = self.write_to_open(workload, frame) {
            let is_elsewhere = error.kind == DiskErrorKind::Full && self.is_left(workload, frame);
            if !is_elsewhere {
                return Err(error.into());
            }
            self.make_room(workload, frame.len(), header)?;
            self.write_to_open(workload, frame)?;
        }
        let pack = self.open.get_mut(workload).expect("it was just written to");
        self.appends += 1;
        pack.used_at = self.appends;
        let stored = PackFrame {
            offset: pack.length,
            length: frame.len() as u32,
            chunks: header.chunks.iter().map(|chunk| chunk.id).collect(),
        };
        pack.footer.push(stored.offset, stored.length, stored.chunks.iter().copied());
        pack.length = stored.end();
        let new_chunks = insert_frames(&self.shared.index, pack.number, [&stored]);
        pack.unsynced.push(stored);
        Ok(Appended {
            new_chunks,
            reused_chunks: header.chunks.len() as u64 - new_chunks,
            stored_bytes: Bytes(frame.len() as u64),
        })
    }

    /// Nothing more will come of this workload for now: its pack is sealed by the next commit.
    pub fn close_workload(&mut self, workload: &WorkloadId) {
        let Some(mut pack) = self.open.remove(workload) else { return };
        let footer = std::mem::take(&mut pack.footer).encode(pack.name.id);
        if pack.file.append(&footer).is_ok() {
            pack.length += footer.len() as u32;
            pack.is_sealed = true;
        } else if let Err(error) = pack.cut(&*self.shared.disk) {
            self.condemn(pack, error);
            return;
        }
        // Without its footer it is sealed when the store is opened next.
        self.closed.push(pack);
    }

    /// Makes everything appended so far durable: every dirty pack, then the index log. After an
    /// error the next commit tries again what is not condemned.
    pub fn commit(&mut self) -> Result<(), CommitError> {
        self.sync_packs();
        self.publish();
        match self.failure.take() {
            None => Ok(()),
            Some(source) => {
                Err(CommitError { condemned: std::mem::take(&mut self.condemned), source })
            }
        }
    }

    /// Seals every pack and commits.
    pub fn close(mut self) -> Result<(), CommitError> {
        let workloads: Vec<_> = self.open.keys().cloned().collect();
        for workload in &workloads {
            self.close_workload(workload);
        }
        self.commit()
    }

    fn write_to_open(&mut self, workload: &WorkloadId, frame: &[u8]) -> Result<(), DiskError> {
        let pack = self.open.get_mut(workload).expect("make_room leaves an open pack");
        let written = pack.file.append(frame);
        if written.is_err() {
            self.mend(workload);
        }
        written
    }

    /// Is the disk of the open pack full? Then its next frame goes into another pack.
    fn is_left(&self, workload: &WorkloadId, frame: &[u8]) -> bool {
        let open = self.open.get(workload);
        open.is_none_or(|pack| !self.has_room_on_disk(pack, frame.len()))
    }

    fn has_room_on_disk(&self, pack: &OpenPack, bytes: usize) -> bool {
        self.shared.disk.has_room(&pack.name.file(), bytes as u64)
    }

    /// Leaves an open pack of `workload` that takes the frame.
    fn make_room(
        &mut self,
        workload: &WorkloadId,
        frame_bytes: usize,
        header: &FrameHeader,
    ) -> Result<(), StoreError> {
        let fits = |pack: &OpenPack| {
            pack.domain == header.domain
                && pack.has_room(frame_bytes, header.chunks.len())
                && self.has_room_on_disk(pack, frame_bytes)
        };
        if self.open.get(workload).is_some_and(fits) {
            return Ok(());
        }
        self.close_workload(workload);
        if self.open.len() >= OPEN_PACKS_MAX
            && let Some(rested) = self.open.values().min_by_key(|pack| pack.used_at)
        {
            let rested = rested.name.workload.clone();
            self.close_workload(&rested);
        }
        if self.closed.len() >= CLOSED_PACKS_MAX {
            self.sync_packs();
        }
        let name = PackName { id: random_id()?, workload: workload.clone() };
        let mut pack = OpenPack::create(&*self.shared.disk, name, header.domain)?;
        pack.number = self.shared.index.set_pack(PackState {
            name: pack.name.clone(),
            domain: Some(pack.domain),
            durable_bytes: 0,
            sealed_bytes: None,
            tenant: self.shared.tenant_of(workload),
        });
        self.open.insert(workload.clone(), pack);
        Ok(())
    }

    /// After a failed append to the pack of `workload`.
    fn mend(&mut self, workload: &WorkloadId) {
        let Some(mut pack) = self.open.remove(workload) else { return };
        match pack.cut(&*self.shared.disk) {
            Ok(()) => drop(self.open.insert(workload.clone(), pack)),
            Err(error) => self.condemn(pack, error),
        }
    }

    fn sync_packs(&mut self) {
        let mut dirty: Vec<&mut OpenPack> =
            self.open.values_mut().chain(&mut self.closed).filter(|pack| pack.is_dirty()).collect();
        let mut files: Vec<_> = dirty.iter_mut().map(|pack| &mut pack.file).collect();
        let answers = self.shared.disk.sync_all(&mut files);
        let mut failed = BTreeMap::new();
        for (pack, answer) in dirty.into_iter().zip(answers) {
            match answer {
                Ok(()) => {
                    pack.synced_bytes = pack.length;
                    let end = pack.is_sealed.then_some(PackEnd::Sealed(pack.length));
                    let news = pack.news(end);
                    self.news.push(news);
                }
                Err(error) => drop(failed.insert(pack.number, error)),
            }
        }
        let open = std::mem::take(&mut self.open);
        let closed = std::mem::take(&mut self.closed);
        for (workload, pack) in open {
            match failed.remove(&pack.number) {
                Some(error) => self.condemn(pack, error),
                None => drop(self.open.insert(workload, pack)),
            }
        }
        for pack in closed {
            if let Some(error) = failed.remove(&pack.number) {
                self.condemn(pack, error);
            }
        }
    }

    /// Nothing of `pack` beyond what was synced is believed any more.
    fn condemn(&mut self, mut pack: OpenPack, error: DiskError) {
        self.failure.get_or_insert(error);
        for frame in std::mem::take(&mut pack.unsynced) {
            let place = Place { pack: pack.number, offset: frame.offset, length: frame.length };
            let gone = frame.chunks.iter().filter(|id| self.shared.index.remove(id, place));
            self.condemned.extend(gone);
        }
        let file = pack.name.file();
        let disk = &self.shared.disk;
        // Both keep the next opening from finding what is in doubt; the log says it once more.
        let is_clean = if pack.synced_frames == 0 {
            disk.remove(&file).is_ok()
        } else {
            let _ = disk.reopen(&file, pack.synced_bytes.into());
            false
        };
        if !is_clean {
            let end = PackEnd::Condemned(pack.synced_bytes);
            let news = pack.news(Some(end));
            self.news.push(news);
        }
    }

    /// Logs what was synced, and lets it count as durable.
    fn publish(&mut self) {
        if self.news.is_empty() {
            return;
        }
        if let Err(error) = self.log.write(&*self.shared.disk, &self.news) {
            self.failure.get_or_insert(error);
            self.next_log += 1;
            self.log = LogWriter::new(self.next_log);
            return;
        }
        for news in self.news.drain(..) {
            let last = news.frames.last().map(PackFrame::end);
            self.shared.index.change_pack(news.number, |state| {
                state.durable_bytes = last.unwrap_or(state.durable_bytes);
                if let Some(PackEnd::Sealed(length)) = news.end {
                    state.durable_bytes = length;
                    state.sealed_bytes = Some(length);
                }
            });
        }
    }
}

fn random_id() -> Result<PackId, DiskError> {
    let mut id = [0; PackId::LEN];
    getrandom::fill(&mut id).map_err(|error| {
        DiskError::new("name", "a new pack", io::Error::other(error.to_string()))
    })?;
    Ok(PackId(id))
}
