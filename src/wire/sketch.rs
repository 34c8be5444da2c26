//! An offer whose pieces are named briefly: most of what a further host offers is known at the
//! landing site, and six bytes tell which piece is meant as well as thirty-two.
//!
//! **Promise.** A short name is never believed. The landing site finds out which whole names are
//! meant, from what it has and from what other hosts offer, and asks for those it does not find;
//! the only way to the records is [`Sketch::name`], which compares the digest over all whole names
//! with the agent's. So a short name that fits another piece costs a question, and nobody comes to
//! content whose whole name he does not know.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_bytes::{ByteArray, ByteBuf};

use crate::capture::Record;
use crate::model::{ChunkId, ShortId};
use crate::wire::columns::{Columns, name_of, set_names};

/// A digest over whole names.
const DIGEST_BYTES: usize = 16;

/// Records whose pieces are named briefly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sketch {
    /// Their pieces have the name of all zeros.
    records: Vec<Record>,
    short: Vec<ShortId>,
    digest: [u8; DIGEST_BYTES],
}

impl Sketch {
    /// Of an agent's records.
    pub fn new(mut records: Vec<Record>) -> Self {
        let names: Vec<ChunkId> = records.iter().filter_map(name_of).collect();
        let nameless = std::iter::repeat_n(ChunkId([0; ChunkId::LEN]), names.len());
        set_names(&mut records, nameless);
        let short = names.iter().map(ChunkId::short).collect();
        Self { records, short, digest: digest(&names) }
    }

    /// The short names of its pieces, in order.
    pub fn short(&self) -> &[ShortId] {
        &self.short
    }

    /// All that it says but the names of pieces.
    pub fn nameless(&self) -> &[Record] {
        &self.records
    }

    /// The records, if `names` are those of its pieces.
    pub fn name(&mut self, names: &[ChunkId]) -> Option<Vec<Record>> {
        if names.len() != self.short.len() || digest(names) != self.digest {
            return None;
        }
        let mut records = std::mem::take(&mut self.records);
        set_names(&mut records, names.iter().copied());
        Some(records)
    }
}

fn digest(names: &[ChunkId]) -> [u8; DIGEST_BYTES] {
    let mut hasher = blake3::Hasher::new();
    for name in names {
        hasher.update(name.as_bytes());
    }
    let mut digest = [0; DIGEST_BYTES];
    hasher.finalize_xof().fill(&mut digest);
    digest
}

type Form = (Columns, ByteBuf, ByteArray<DIGEST_BYTES>);

impl Serialize for Sketch {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let short: Vec<u8> = self.short.iter().flat_map(|short| short.0).collect();
        let form: Form = (Columns::of(&self.records), short.into(), ByteArray::new(self.digest));
        form.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Sketch {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (columns, short, digest) = Form::deserialize(from)?;
        let records = columns.records().map_err(D::Error::custom)?;
        let (short, rest) = short.as_chunks::<{ ShortId::LEN }>();
        if !rest.is_empty() || short.len() != records.iter().filter_map(name_of).count() {
            return Err(D::Error::custom("not as many short names as pieces"));
        }
        let short = short.iter().map(|short| ShortId(*short)).collect();
        Ok(Self { records, short, digest: digest.into_array() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{Content, Entry, Kind, Metadata};

    fn id(number: u8) -> ChunkId {
        ChunkId(*blake3::hash(&[number]).as_bytes())
    }

    fn records(pieces: &[u8]) -> Vec<Record> {
        let (path, kind) = ("/a".parse().unwrap(), Kind::File { size: pieces.len() as u64 });
        let node = Record::Node(Entry { path, kind, metadata: Metadata::default() });
        let data = |(at, number): (usize, &u8)| Record::Data {
            offset: at as u64,
            length: 1,
            id: id(*number),
        };
        let end = Record::End { size: pieces.len() as u64, content: Content::Steady };
        let pieces = pieces.iter().enumerate().map(data);
        std::iter::once(node).chain(pieces).chain([end]).collect()
    }

    #[test]
    fn only_the_right_names_in_the_right_order_give_the_records() {
        let records = records(&[1, 2, 2, 3]);
        let mut sketch = Sketch::new(records.clone());
        let bytes = postcard::to_stdvec(&sketch).unwrap();
        assert_eq!(postcard::from_bytes::<Sketch>(&bytes).unwrap(), sketch);
        assert_eq!(sketch.short(), [1, 2, 2, 3].map(|number| id(number).short()));
        for wrong in [&[1, 2, 3, 2][..], &[1, 2, 2], &[1, 2, 2, 3, 3], &[1, 2, 2, 4], &[]] {
            let names: Vec<ChunkId> = wrong.iter().copied().map(id).collect();
            assert_eq!(sketch.name(&names), None, "{wrong:?}");
        }
        // The same short name is not the same name.
        let mut other = id(3);
        other.0[1] ^= 1;
        assert_eq!(other.short(), id(3).short());
        assert_eq!(sketch.name(&[id(1), id(2), id(2), other]), None);
        assert_eq!(sketch.name(&[1, 2, 2, 3].map(id)), Some(records));
    }

    #[test]
    fn a_sketch_with_too_few_or_too_many_short_names_is_refused() {
        let sketch = Sketch::new(records(&[1, 2]));
        for short in [vec![], vec![sketch.short[0]], vec![sketch.short[0]; 3]] {
            let bytes = postcard::to_stdvec(&Sketch { short, ..sketch.clone() }).unwrap();
            assert!(postcard::from_bytes::<Sketch>(&bytes).is_err());
        }
    }
}
