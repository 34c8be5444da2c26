//! The store as its users see it, on a disk that can be told to fail.

mod crash;
mod damage;
mod formats;
mod manifests;
mod packs;
mod tenants;
mod unpack;

use std::sync::Arc;

use super::*;
use crate::chunk::{FrameBuilder, FrameHeader};
use crate::model::WorkloadId;

/// A disk, and keys that outlive what happens to it.
struct Bench {
    disk: FaultyDisk,
    keys: Arc<KeyRing>,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = Arc::new(KeyRing::open(folder.path()).unwrap());
        keys.make(&DomainName::Fleet).unwrap();
        Self { disk: FaultyDisk::new(), keys, _folder: folder }
    }

    fn open(&self) -> Result<(Store, Writer, OpenReport), StoreError> {
        Store::open(Arc::new(self.disk.clone()), Arc::clone(&self.keys))
    }

    fn read(&self) -> (Store, OpenReport) {
        Store::open_read_only(Arc::new(self.disk.clone()), Arc::clone(&self.keys)).unwrap()
    }

    fn key(&self) -> DomainKey {
        self.keys.get(DomainName::Fleet.domain()).unwrap()
    }

    fn frame(&self, contents: &[Vec<u8>]) -> (Vec<u8>, FrameHeader) {
        let mut builder = FrameBuilder::new(self.key().domain());
        for content in contents {
            builder.push(self.key().name(content), content);
        }
        let frame = builder.finish(1);
        let header = FrameHeader::parse(&frame).unwrap();
        (frame, header)
    }

    fn files(&self, prefix: &str) -> Vec<String> {
        self.disk.list(prefix).unwrap().into_iter().map(|file| file.name).collect()
    }
}

fn workload(name: &str) -> WorkloadId {
    WorkloadId::new(name).unwrap()
}

/// Bytes that do not compress, always the same for a number.
fn noise(number: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&number.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

fn append(bench: &Bench, writer: &mut Writer, name: &str, contents: &[Vec<u8>]) -> Appended {
    let (frame, header) = bench.frame(contents);
    writer.append(&workload(name), &frame, &header).unwrap()
}

/// The content of a chunk, read back and checked.
fn content(store: &Store, id: &ChunkId) -> Option<Vec<u8>> {
    let place = store.locate(id)?;
    store.open_frame(place).ok()?.chunk(id).map(<[u8]>::to_vec)
}
