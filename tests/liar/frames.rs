//! Frames that are not what they say.

use evac::chunk::{DomainKey, FrameBuilder, checksum};
use evac::model::{ChunkId, Domain};

/// A frame in which `content` goes by the name `id`.
pub fn frame(domain: Domain, id: ChunkId, content: &[u8]) -> Vec<u8> {
    let mut builder = FrameBuilder::new(domain);
    builder.push(id, content);
    builder.finish(1)
}

/// A frame that states `stated` zeros and expands to many times as many.
pub fn bomb(key: &DomainKey, stated: usize) -> Vec<u8> {
    let payload = zstd::bulk::compress(&vec![0; 64 << 20], 3).expect("zstd compresses");
    let number = |value: usize| u32::try_from(value).expect("numbers are four bytes").to_le_bytes();
    let mut head = b"EVfr\x01\x00\x01\x00".to_vec();
    head.extend_from_slice(&key.domain().0);
    head.extend_from_slice(&number(stated));
    head.extend_from_slice(&number(payload.len()));
    head.extend_from_slice(&number(1));
    head.extend_from_slice(&key.name(&vec![0; stated]).0);
    head.extend_from_slice(&number(stated));
    let sum = checksum(&[&head, &payload]);
    [&head[..], &sum, &payload].concat()
}
