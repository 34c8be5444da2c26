//! What is said over a lane: frames, signs of life, and its end. Only agents speak there.
//!
//! A lane is a further connection to a host that has an agent. What joins it to that agent is a
//! [`JoinNote`], which whoever opened the lane writes to its standard input.

use serde::{Deserialize, Serialize};

use crate::chunk::frame::CHUNKS_MAX;
use crate::wire::message::{Bound, Message, ToLanding};

/// Most lines to one host, the first among them.
pub const LINES_MAX: u32 = crate::inventory::settings::LANES_MAX;
/// Longest frame: what is packed together, one more piece, and a table of all of them. Less than a
/// frame may have elsewhere, since every lane may hold one.
pub const LANE_FRAME_BYTES_MAX: usize = (2 << 20) + 64 * CHUNKS_MAX;
/// Length of a [`JoinNote`].
pub const JOIN_NOTE_BYTES: usize = 20;

/// Who knows it may join a lane to an agent's session.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneToken(pub [u8; 16]);

impl std::fmt::Debug for LaneToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LaneToken(secret)")
    }
}

impl LaneToken {
    /// Is it the same? Takes as long whatever differs.
    pub fn matches(&self, other: &Self) -> bool {
        let pairs = self.0.iter().zip(other.0);
        pairs.fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
    }
}

/// What a new lane says to the agent it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JoinNote {
    /// Shows that the landing site sent it.
    pub token: LaneToken,
    /// Its number, never used before in this session; 0 is the first line.
    pub lane: u32,
}

impl JoinNote {
    /// As it is written.
    pub fn to_bytes(self) -> [u8; JOIN_NOTE_BYTES] {
        let mut bytes = [0; JOIN_NOTE_BYTES];
        bytes[..16].copy_from_slice(&self.token.0);
        bytes[16..].copy_from_slice(&self.lane.to_le_bytes());
        bytes
    }

    /// Reads one.
    pub fn from_bytes(bytes: &[u8; JOIN_NOTE_BYTES]) -> Self {
        let (mut token, mut lane) = ([0; 16], [0; 4]);
        token.copy_from_slice(&bytes[..16]);
        lane.copy_from_slice(&bytes[16..]);
        Self { token: LaneToken(token), lane: u32::from_le_bytes(lane) }
    }
}

/// A message over a lane.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum OverLane {
    /// It joined, or has nothing to carry, but is alive.
    Heartbeat,
    /// Wanted pieces.
    Frame(serde_bytes::ByteBuf),
    /// Nothing more comes this way, and all before it was said.
    End,
}

impl Message for OverLane {
    /// The same as on the first line, so that a frame is encoded before anybody knows which line
    /// takes it.
    const FRAME_KIND: u8 = ToLanding::FRAME_KIND;

    fn kind(&self) -> u8 {
        match self {
            Self::Heartbeat => 2,
            Self::Frame(_) => Self::FRAME_KIND,
            Self::End => 64,
        }
    }

    fn bound(kind: u8) -> Option<Bound> {
        let (wire_bytes, is_frame) = match kind {
            2 | 64 => (16, false),
            Self::FRAME_KIND => (LANE_FRAME_BYTES_MAX, true),
            _ => return None,
        };
        Some(Bound { wire_bytes, plain_bytes: None, is_frame })
    }

    fn as_frame(&self) -> Option<&[u8]> {
        if let Self::Frame(bytes) = self { Some(bytes) } else { None }
    }

    fn from_frame(bytes: Vec<u8>) -> Self {
        Self::Frame(serde_bytes::ByteBuf::from(bytes))
    }

    fn check(&self) -> Result<(), &'static str> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Decoder, WireError, encode, encode_frame};

    fn decode(bytes: &[u8]) -> Result<Option<OverLane>, WireError> {
        let mut decoder = Decoder::default();
        decoder.push(bytes);
        decoder.next_message()
    }

    #[test]
    fn a_lane_carries_frames_and_nothing_else() {
        let frame = encode_frame::<ToLanding>(vec![7; 100]);
        assert!(matches!(decode(&frame), Ok(Some(OverLane::Frame(bytes))) if bytes.len() == 95));
        assert!(matches!(decode(&encode(&OverLane::End)), Ok(Some(OverLane::End))));
        let heartbeat = encode(&ToLanding::Heartbeat);
        assert!(matches!(decode(&heartbeat), Err(WireError::Malformed(2))), "of the other line");
        assert!(matches!(decode(&encode(&OverLane::Heartbeat)), Ok(Some(OverLane::Heartbeat))));
        let other = encode(&ToLanding::BaseMore);
        assert_eq!(decode(&other).unwrap_err(), WireError::UnknownKind(8));
        let length = LANE_FRAME_BYTES_MAX + 1;
        let mut long = vec![OverLane::FRAME_KIND];
        long.extend_from_slice(&(length as u32).to_le_bytes());
        let kind = OverLane::FRAME_KIND;
        assert_eq!(decode(&long).unwrap_err(), WireError::TooLong { kind, length });
    }

    #[test]
    fn a_note_is_read_as_it_was_written_and_a_token_is_not_shown() {
        let note = JoinNote { token: LaneToken([9; 16]), lane: 70_000 };
        assert_eq!(JoinNote::from_bytes(&note.to_bytes()), note);
        assert!(note.token.matches(&LaneToken([9; 16])));
        let mut other = [9; 16];
        other[15] = 8;
        assert!(!note.token.matches(&LaneToken(other)));
        assert!(!format!("{note:?}").contains('9'), "{note:?}");
    }
}
