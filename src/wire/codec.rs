//! Messages to bytes and back, strict and bounded: a length is checked against the bound of its
//! kind before anything is allocated for it, and nothing may follow a message's end.

use std::cell::RefCell;

use crate::wire::message::{Bound, Message};

/// Kind and length.
pub const HEAD_BYTES: usize = 5;
/// zstd level for lists of paths: they shrink tenfold at hardly any cost.
const LIST_LEVEL: i32 = 1;

/// How the far side broke the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// No such kind in this direction.
    #[error("message of unknown kind {0}")]
    UnknownKind(u8),
    /// Longer than its kind may be.
    #[error("message of kind {kind} claims {length} bytes")]
    TooLong {
        /// Which kind.
        kind: u8,
        /// What it claims.
        length: usize,
    },
    /// The body is not what its kind says.
    #[error("message of kind {0} cannot be read")]
    Malformed(u8),
    /// Something inside is out of bounds.
    #[error("message of kind {kind} holds {what}")]
    OutOfBounds {
        /// Which kind.
        kind: u8,
        /// What.
        what: &'static str,
    },
    /// A message that must not come now.
    #[error("{0}")]
    Unexpected(&'static str),
}

/// One message as bytes.
pub fn encode<M: Message>(message: &M) -> Vec<u8> {
    let kind = message.kind();
    let mut bytes = vec![kind, 0, 0, 0, 0];
    if let Some(frame) = message.as_frame() {
        bytes.extend_from_slice(frame);
    } else {
        let body =
            postcard::to_stdvec(message).expect("messages hold nothing postcard cannot write");
        if M::bound(kind).is_some_and(|bound| bound.plain_bytes.is_some()) {
            bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
            bytes.extend_from_slice(&squeeze(&body));
        } else {
            bytes.extend_from_slice(&body);
        }
    }
    let length = (bytes.len() - HEAD_BYTES) as u32;
    bytes[1..HEAD_BYTES].copy_from_slice(&length.to_le_bytes());
    bytes
}

/// A list, compressed. zstd's tables are kept by each thread: making them anew costs more than the
/// list does.
pub(super) fn squeeze(body: &[u8]) -> Vec<u8> {
    thread_local! {
        static COMPRESSOR: RefCell<Option<zstd::bulk::Compressor<'static>>> = RefCell::default();
    }
    COMPRESSOR.with_borrow_mut(|kept| {
        let compressor = kept.get_or_insert_with(|| {
            zstd::bulk::Compressor::new(LIST_LEVEL).expect("zstd has its usual levels")
        });
        let squeezed = compressor.compress(body);
        squeezed.expect("zstd compresses any slice into a buffer of its own bound")
    })
}

/// What was compressed, if it is exactly as long as stated: a bomb cannot expand beyond it.
pub(super) fn unsqueeze(squeezed: &[u8], stated_bytes: usize) -> Option<Vec<u8>> {
    let plain = zstd::bulk::decompress(squeezed, stated_bytes).ok()?;
    (plain.len() == stated_bytes).then_some(plain)
}

/// A frame as a message, from [`HEAD_BYTES`] of room and the frame behind it: frames are most of
/// what is sent, and are not copied for five bytes.
pub fn encode_frame<M: Message>(mut bytes: Vec<u8>) -> Vec<u8> {
    debug_assert!(bytes.len() > HEAD_BYTES, "room and a frame");
    let length = (bytes.len() - HEAD_BYTES) as u32;
    bytes[0] = M::FRAME_KIND;
    bytes[1..HEAD_BYTES].copy_from_slice(&length.to_le_bytes());
    bytes
}

/// Takes bytes as they come, gives messages.
#[derive(Debug)]
pub struct Decoder<M> {
    buffer: Vec<u8>,
    start: usize,
    direction: std::marker::PhantomData<M>,
}

impl<M: Message> Default for Decoder<M> {
    fn default() -> Self {
        Self { buffer: Vec::new(), start: 0, direction: std::marker::PhantomData }
    }
}

impl<M: Message> Decoder<M> {
    /// Takes what arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 && self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Are there bytes of an unfinished message?
    pub fn is_inside(&self) -> bool {
        self.start < self.buffer.len()
    }

    /// The next whole message, if one is here. After an error the stream is unusable.
    pub fn next_message(&mut self) -> Result<Option<M>, WireError> {
        let rest = &self.buffer[self.start..];
        let Some(head) = rest.first_chunk::<HEAD_BYTES>() else {
            return Ok(None);
        };
        let kind = head[0];
        let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let bound = M::bound(kind).ok_or(WireError::UnknownKind(kind))?;
        if length > bound.wire_bytes {
            return Err(WireError::TooLong { kind, length });
        }
        let Some(body) = rest.get(HEAD_BYTES..HEAD_BYTES + length) else {
            self.make_room(HEAD_BYTES + length);
            return Ok(None);
        };
        let message: M = decode_body(kind, bound, body)?;
        message.check().map_err(|what| WireError::OutOfBounds { kind, what })?;
        self.start += HEAD_BYTES + length;
        Ok(Some(message))
    }

    /// Drops what was read, so that an unfinished message is moved at most once.
    fn make_room(&mut self, needed: usize) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.reserve(needed.saturating_sub(self.buffer.len()));
    }
}

fn decode_body<M: Message>(kind: u8, bound: Bound, body: &[u8]) -> Result<M, WireError> {
    if bound.is_frame {
        return Ok(M::from_frame(body.to_vec()));
    }
    let malformed = || WireError::Malformed(kind);
    let plain;
    let postcard_bytes = if let Some(plain_bytes_max) = bound.plain_bytes {
        let (stated, squeezed) = body.split_first_chunk::<4>().ok_or_else(malformed)?;
        let stated = u32::from_le_bytes(*stated) as usize;
        if stated > plain_bytes_max {
            return Err(WireError::TooLong { kind, length: stated });
        }
        plain = unsqueeze(squeezed, stated).ok_or_else(malformed)?;
        plain.as_slice()
    } else {
        body
    };
    let (message, rest) =
        postcard::take_from_bytes::<M>(postcard_bytes).map_err(|_| malformed())?;
    if rest.is_empty() && message.kind() == kind { Ok(message) } else { Err(malformed()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{Content, Record};
    use crate::model::{ChunkId, TreePath};
    use crate::wire::WalkTally;
    use crate::wire::message::{RECORDS_MAX, ToAgent, ToLanding};

    fn decode(bytes: &[u8]) -> Result<Option<ToLanding>, WireError> {
        let mut decoder = Decoder::default();
        decoder.push(bytes);
        decoder.next_message()
    }

    fn offer(records: Vec<Record>) -> Vec<u8> {
        encode(&ToLanding::Offer { number: 1, records, cursor: None, tally: WalkTally::default() })
    }

    #[test]
    fn messages_survive_any_cutting_of_the_stream() {
        let mut stream = offer(vec![
            Record::Data { offset: 0, length: 7, id: ChunkId([3; 32]) },
            Record::End { size: 7, content: Content::Steady },
        ]);
        stream.extend(encode(&ToLanding::Frame(serde_bytes::ByteBuf::from(vec![9; 1000]))));
        stream.extend(encode(&ToLanding::BaseMore));
        for step in [1, 2, 3, 7, 64, stream.len()] {
            let mut decoder = Decoder::<ToLanding>::default();
            let mut kinds = Vec::new();
            for piece in stream.chunks(step) {
                decoder.push(piece);
                while let Some(message) = decoder.next_message().unwrap() {
                    kinds.push(message.kind());
                }
            }
            assert_eq!(kinds, [3, 4, 8], "step {step}");
            assert!(!decoder.is_inside());
        }
    }

    #[test]
    fn a_wrong_kind_or_length_is_refused_before_it_is_read() {
        assert_eq!(decode(&[99, 0, 0, 0, 0]).unwrap_err(), WireError::UnknownKind(99));
        assert_eq!(
            decode(&[4, 255, 255, 255, 255]).unwrap_err(),
            WireError::TooLong { kind: 4, length: u32::MAX as usize }
        );
        let mut heartbeat = encode(&ToLanding::Heartbeat);
        heartbeat[1] = 2;
        heartbeat.push(0);
        assert_eq!(decode(&heartbeat).unwrap_err(), WireError::Malformed(2));
    }

    #[test]
    fn a_list_cannot_expand_beyond_what_it_states() {
        let bomb = zstd::bulk::compress(&vec![0; 64 << 20], 19).unwrap();
        for stated in [1000_u32, u32::MAX] {
            let mut body = stated.to_le_bytes().to_vec();
            body.extend_from_slice(&bomb);
            let mut message = vec![8];
            message.extend_from_slice(&(body.len() as u32).to_le_bytes());
            message.extend(body);
            let mut decoder = Decoder::<ToAgent>::default();
            decoder.push(&message);
            assert!(decoder.next_message().is_err());
        }
    }

    #[test]
    fn counts_and_paths_out_of_bounds_are_refused() {
        let end = Record::End { size: 0, content: Content::Steady };
        let refused = |bytes: &[u8]| decode(bytes).unwrap_err();
        assert!(matches!(
            refused(&offer(vec![end; RECORDS_MAX + 1])),
            WireError::OutOfBounds { what: "too many records", .. }
        ));
        let long = Record::Data { offset: 0, length: u32::MAX, id: ChunkId([0; 32]) };
        assert!(matches!(refused(&offer(vec![long])), WireError::OutOfBounds { .. }));
        let far = Record::Data { offset: u64::MAX, length: 1, id: ChunkId([0; 32]) };
        assert!(matches!(refused(&offer(vec![far])), WireError::OutOfBounds { .. }));
        // `/a/..` written by a liar: the path type refuses while it is read.
        let good = encode(&ToLanding::LinkForget { path: TreePath::new(*b"/a/bb").unwrap() });
        let mut evil = good.clone();
        let at = good.windows(2).position(|w| w == b"bb").unwrap();
        evil[at..at + 2].copy_from_slice(b"..");
        assert!(decode(&good).is_ok());
        assert_eq!(refused(&evil), WireError::Malformed(6));
        evil[at..at + 2].copy_from_slice(b"b\0");
        assert_eq!(refused(&evil), WireError::Malformed(6));
    }

    #[test]
    fn an_answer_must_have_a_bit_for_each_piece() {
        let message = |count: u32, bytes: usize| {
            let wanted = serde_bytes::ByteBuf::from(vec![0; bytes]);
            let answer = ToAgent::Answer { offer: 0, from: 0, count, wanted };
            let mut decoder = Decoder::<ToAgent>::default();
            decoder.push(&encode(&answer));
            decoder.next_message().map(|m| m.is_some())
        };
        assert_eq!(message(9, 2), Ok(true));
        assert!(message(9, 1).is_err());
        assert!(message(u32::MAX, 1).is_err());
    }
}
