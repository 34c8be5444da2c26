//! The agent protocol: what the landing site and an agent say to each other. No sockets, no
//! runtime; both ends are tested over slices.
//!
//! # Stream
//!
//! The agent's standard output begins with [`MAGIC`]; up to 64 KiB of noise before it (banners of
//! login scripts) is skipped by whoever starts the agent. After it, in both directions, messages:
//!
//! | bytes | what |
//! |---|---|
//! | 1 | kind, see `message::Message::kind` |
//! | 4 | length of the body, little endian, at most the bound of its kind |
//! | length | body: postcard, or for frames the frame as it will stand in a pack |
//!
//! Base blocks and batches are long lists of paths and are compressed: their body is the length
//! uncompressed (4 bytes, little endian, bounded), then zstd. Offers have [`columns`] of their own.
//!
//! # A capture
//!
//! 1. `Hello` both ways: version, generation, grants; the agent refuses what it was not granted.
//! 2. `Capture` names roots, excludes, cutting, key and where to go on.
//! 3. The agent walks and sends `Offer`s: records with the ids of pieces, in the order of the tree.
//!    Files with several names are asked for first (`LinkAsk`): content wanted, or same as another.
//!    While a good part of what it offers is known already it says `Sketch` instead, with short
//!    names;
//!    those that the landing site cannot tell it asks for with `AskNames`, before any answer.
//! 4. The landing site answers each offer in order with `Answer`: a bit for each piece. **The wants
//!    are the credit:** it withholds answers so that what is wanted and not yet here stays within
//!    the host's window; an agent can never send more than it was asked for.
//!    Where a rate limits, it withholds them too, and counts what is asked for against the rate.
//! 5. The agent sends wanted pieces in frames; before one it says `Pace` when its level changed, or
//!    what keeps it from sending more. A piece that another host was to send and did not is
//!    asked for with `Reread`; when its bytes changed meanwhile the agent says `RereadGone`.
//! 6. `WalkDone` ends a run with its counts. `Sweep` begins the next run: the landing site streams
//!    what it has (`Base`, pulled by `BaseMore`), the agent offers what differs.
//! 7. `Finish` ends the workload; the next `Capture` may follow. `Bye` ends the session, and `Gone`
//!    says that what was put there is removed.
//!
//! Healing is a `Capture` of a later run, which by itself begins nothing, then `Reread`s and
//! `Finish`. `Compare` has files hashed again and is answered by `Compared`.
//!
//! A restore is the mirror image: `Place` names a root. Where something stands beneath it, entries
//! are sent to be looked at (`Look`, `Looked`) before the first is written. Then follow frames and
//! `Batch`es of records that use only pieces of frames sent since the batch before; `Placed` tells
//! what is durable.
//!
//! # Lanes
//!
//! One connection carries little over a long way that loses packets, so a host may have several.
//! What is said is said over the first, in both directions; a lane carries frames only, towards the
//! landing site, as `lane::OverLane`.
//!
//! 1. Where lanes may come, `Count` begins the session: from then on the landing site says `Took`
//!    after each frame, with the bytes of all frames of that line so far. The agent gives a line
//!    its next frame when little of what it had is on its way, so that none is given more than it
//!    carries and messages do not wait behind content.
//! 2. `Lanes` names a token; from then on the agent listens on a socket in its folder.
//! 3. The landing site connects once more and starts `evac agent --lane`. After the magic it writes
//!    a `lane::JoinNote` to it: the token and the lane's number, never used before. That process
//!    hands its standard output to the agent, which says a `Heartbeat` there at once.
//! 4. What lanes were given the agent keeps until it has arrived. After `LaneEnd` the agent gives a
//!    lane nothing more and says `End` there; it says so unasked when the lane's process ends. When
//!    a lane breaks, `LaneLost` says how much of it came, and the agent sends the rest over other
//!    lines: nothing is lost and nothing comes twice. It is said of a lane that failed to come,
//!    too: the agent may have let it in; if not, it never will.
//!
//! Frames of several lines arrive in any order. Nobody minds: each piece was asked for by name, and
//! a run is over only when all that was asked for is there, so no frame is under way at `Finish`.
//! `Waits` says whether further lanes may help.
//!
//! Heartbeats go both ways every ten seconds; silence of sixty ends the session at either end,
//! or the lane.

pub mod bound;
pub mod check;
pub mod codec;
pub mod columns;
pub mod compare;
pub mod content;
pub mod former;
pub mod lane;
pub mod message;
pub mod order;
pub mod pace;
pub mod records;
pub mod rescue;
pub mod sketch;
pub mod source;
pub mod survey;
pub mod tally;

pub use check::RunChecker;
pub use codec::{Decoder, HEAD_BYTES, WireError, encode, encode_frame};
pub use former::Former;
pub use message::{AgentFacts, BaseEntry, Grant, LinkAnswer, LinkAsk, Problem, ToAgent, ToLanding};
pub use order::{CaptureOrder, Levels, PlaceOrder};
pub use pace::{Hindrance, Pace};
pub use rescue::{RescueAnswer, RescueOrder};
pub use sketch::Sketch;
pub use survey::{SurveyAnswer, SurveyOrder, SurveyScope};
pub use tally::WalkTally;

/// What an agent says first.
pub const MAGIC: &[u8; 8] = b"EVACAGT1";
/// Version of everything after the magic. Both ends must have the same; the landing site uploads
/// the agent, so they differ only when somebody meddles.
pub const VERSION: u16 = 1;
/// Longest noise before the magic.
pub const NOISE_BYTES_MAX: usize = 64 * 1024;
/// Each end sends something at least this often.
pub const HEARTBEAT_S: u64 = 10;
/// Silence of this length ends a session.
pub const SILENCE_S: u64 = 60;
