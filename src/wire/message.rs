//! Every message, its kind byte and its bound.

use serde::{Deserialize, Serialize};

use crate::capture::{Cursor, Fingerprint, Owners, Record};
use crate::model::{ChunkId, Generation, Reason, RunNumber, TreePath};
pub use crate::wire::bound::{Bound, FRAME_BYTES_MAX, Message};
use crate::wire::bound::{FRAME, LIST, plain};
use crate::wire::columns;
use crate::wire::compare::{CompareOrder, FILES_MAX, Verdict};
use crate::wire::former::{self, Former};
use crate::wire::lane::LaneToken;
use crate::wire::order::{CaptureOrder, PlaceOrder};
use crate::wire::pace::Pace;
use crate::wire::records::check_records;
use crate::wire::rescue::{RescueAnswer, RescueOrder};
use crate::wire::sketch::Sketch;
use crate::wire::survey::{SurveyAnswer, SurveyOrder};
use crate::wire::tally::WalkTally;

/// What an agent may do in this session; asked for anything else it refuses and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Grant {
    /// Read: survey and capture.
    Read,
    /// Write beneath one root, which is named in the order.
    Write,
}

/// What an agent says of itself and its machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentFacts {
    /// Protocol version.
    pub version: u16,
    /// Numeric user it runs as.
    pub uid: u32,
    /// Cores it sees.
    pub cores: u32,
    /// `uname -n`.
    pub hostname: String,
    /// `/proc/sys/kernel/random/boot_id`, empty where there is none.
    pub boot_id: String,
    /// Seconds since 1970 on its clock.
    pub clock_s: i64,
    /// The process of a former agent that hangs in the kernel and was left behind.
    pub left_behind: Option<u32>,
}

/// A file with several names, before its content is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkAsk {
    /// Its place in the walk; answers name it.
    pub ticket: u64,
    /// The name met now.
    pub path: TreePath,
    /// Device and inode.
    pub inode: (u64, u64),
    /// Size, times and the rest.
    pub fingerprint: Fingerprint,
}

/// What to do with such a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkAnswer {
    /// Read and offer it.
    Wanted,
    /// It is the same as an earlier entry.
    SameAs(TreePath),
}

/// One entry as it stands in the runs so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseEntry {
    /// Which.
    pub path: TreePath,
    /// How it looked; [`Fingerprint::NEVER`] asks for a new look.
    pub fingerprint: Fingerprint,
}

/// Something that failed for one entry on a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Which.
    pub path: TreePath,
    /// Why, bounded.
    pub why: String,
}

/// From the landing site to an agent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum ToAgent {
    /// Opens a session.
    Hello { version: u16, generation: Generation, grant: Grant },
    /// Nothing to say, but alive.
    Heartbeat,
    /// Begin a workload.
    Capture(Box<CaptureOrder>),
    /// Bits for the pieces of an offer from number `from` on, lowest bit first; set: send it.
    Answer { offer: u64, from: u32, count: u32, wanted: serde_bytes::ByteBuf },
    /// Say the whole names of these pieces of a [`ToLanding::Sketch`]: bits as in an answer.
    AskNames { offer: u64, count: u32, asked: serde_bytes::ByteBuf },
    /// The answer to one [`LinkAsk`].
    Link { ticket: u64, answer: LinkAnswer },
    /// Read a piece again and send it.
    Reread { ticket: u64, path: TreePath, offset: u64, length: u32, id: ChunkId },
    /// Begin a closing sweep. `keep_gone`: names that vanished are counted and stay.
    Sweep { run: RunNumber, keep_gone: bool },
    /// A block of what the runs so far hold, in the order of the tree.
    Base { entries: Vec<BaseEntry>, last: bool },
    /// The workload is done here.
    Finish,
    /// Look at the machine.
    Survey(Box<SurveyOrder>),
    /// Find the machine on the disks of this rescue system.
    Rescue(Box<RescueOrder>),
    /// Begin to write.
    Place(Box<PlaceOrder>),
    /// A frame of pieces for the next batch.
    Frame(serde_bytes::ByteBuf),
    /// Records to write, with the domain key's id in the order's frames; what an earlier restore
    /// wrote in place of some; and the numbers of pieces that stand there already.
    Batch { number: u64, records: Vec<Record>, formers: Vec<Former>, kept: Vec<u32> },
    /// What is to be written: does anything stand in its way? Answered by [`ToLanding::Looked`].
    Look { number: u64, records: Vec<Record> },
    /// The tree is complete: finish directories, sync, report.
    PlaceEnd,
    /// The key that names the pieces of the following frames.
    Key(Box<crate::chunk::DomainKey>),
    /// Lanes that know this token may join.
    Lanes { token: LaneToken },
    /// From now on [`ToAgent::Took`] says what has arrived; a round trip takes so long.
    Count { rtt_ms: u32 },
    /// Of all frames of a line so many bytes have arrived, heads and all; line 0 is the first.
    Took { line: u32, bytes: u64 },
    /// Give this lane nothing more; it says its end.
    LaneEnd { lane: u32 },
    /// This lane is gone. Of all its frames so many bytes have arrived: send the others again.
    LaneLost { lane: u32, bytes: u64 },
    /// Hash samples again; answered by [`ToLanding::Compared`].
    Compare(Box<CompareOrder>),
    /// End the session, remove what was put there.
    Bye,
}

/// From an agent to the landing site.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum ToLanding {
    /// Answers `Hello`.
    Hello(AgentFacts),
    /// Nothing to say, but alive.
    Heartbeat,
    /// Records in the order of the tree; `cursor` is where a resume goes on after them.
    Offer {
        number: u64,
        #[serde(with = "columns::named")]
        records: Vec<Record>,
        cursor: Option<Cursor>,
        tally: WalkTally,
    },
    /// The same with short names.
    Sketch { number: u64, sketch: Box<Sketch>, cursor: Option<Cursor>, tally: WalkTally },
    /// The whole names that were asked for.
    Names { offer: u64, names: Vec<ChunkId> },
    /// Wanted pieces.
    Frame(serde_bytes::ByteBuf),
    /// Files with several names.
    LinkAsks(Vec<LinkAsk>),
    /// A first name is gone: nothing may link to it.
    LinkForget { path: TreePath },
    /// A piece asked for with `Reread` is not there any more.
    RereadGone { ticket: u64 },
    /// The agent is ready for another block of the base.
    BaseMore,
    /// A run begins; its roots with links above them resolved, disjoint and sorted, and what the
    /// clock over there shows, in seconds since 1970.
    WalkBegan { roots: Vec<TreePath>, clock_s: i64 },
    /// A run is complete.
    WalkDone { tally: WalkTally },
    /// How it sends from now on.
    Pace(Pace),
    /// Does what is sent wait for the way, and this machine for nothing else?
    Waits(bool),
    /// The answer to `Survey`.
    Survey(Box<SurveyAnswer>),
    /// The answer to `Rescue`.
    Rescue(Box<RescueAnswer>),
    /// `Place` was accepted; `is_free`: nothing stands beneath the root.
    PlaceReady { is_free: bool },
    /// Nothing stands in the way of what was to be looked at.
    Looked { number: u64 },
    /// A batch is written; `durable`: it and all before it survive a power cut.
    Placed { batch: u64, durable: bool, entries: u64, bytes: u64 },
    /// All is written and synced.
    PlaceDone { entries: u64, bytes: u64, problems: u64 },
    /// Something could not be written; at most as many as the placer keeps.
    Problems(Vec<Problem>),
    /// The agent cannot go on with the order; the session stays usable unless it ends it.
    Failed { reason: Reason, detail: String },
    /// Names of users and groups over there, before a run begins.
    Owners(Box<Owners>),
    /// What became of each file of a `Compare`.
    Compared(Vec<Verdict>),
    /// The last word after `Bye`: what was put there is removed. Its process may still hang.
    Gone,
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Most records of one offer or batch.
pub const RECORDS_MAX: usize = 8_192;
/// Most file content one offer may name.
pub const OFFER_RAW_BYTES_MAX: u64 = 16 << 20;
/// Most entries of one base block.
pub const BASE_ENTRIES_MAX: usize = 4_096;
/// Longest plain-text detail.
pub const DETAIL_CHARS_MAX: usize = 500;

impl Message for ToAgent {
    const FRAME_KIND: u8 = 12;

    fn kind(&self) -> u8 {
        match self {
            Self::Hello { .. } => 1,
            Self::Heartbeat => 2,
            Self::Capture(_) => 3,
            Self::Answer { .. } => 4,
            Self::Link { .. } => 5,
            Self::Reread { .. } => 6,
            Self::Sweep { .. } => 7,
            Self::Base { .. } => 8,
            Self::Finish => 9,
            Self::Survey(_) => 10,
            Self::Place(_) => 11,
            Self::Frame(_) => Self::FRAME_KIND,
            Self::Batch { .. } => 13,
            Self::PlaceEnd => 14,
            Self::Key(_) => 15,
            Self::Bye => 16,
            Self::Lanes { .. } => 17,
            Self::Took { .. } => 18,
            Self::LaneEnd { .. } => 19,
            Self::LaneLost { .. } => 20,
            Self::Count { .. } => 21,
            Self::Compare(_) => 22,
            Self::Rescue(_) => 23,
            Self::Look { .. } => 24,
            Self::AskNames { .. } => 25,
        }
    }

    fn bound(kind: u8) -> Option<Bound> {
        Some(match kind {
            1 | 2 | 7 | 9 | 14..=21 => plain(KIB),
            3 | 10 | 11 | 23 => plain(16 * MIB),
            4 | 25 => plain(8 * KIB),
            5 | 6 => plain(256 * KIB),
            8 | 13 | 22 | 24 => LIST,
            12 => FRAME,
            _ => return None,
        })
    }

    fn as_frame(&self) -> Option<&[u8]> {
        if let Self::Frame(bytes) = self { Some(bytes) } else { None }
    }

    fn from_frame(bytes: Vec<u8>) -> Self {
        Self::Frame(serde_bytes::ByteBuf::from(bytes))
    }

    fn check(&self) -> Result<(), &'static str> {
        match self {
            Self::Capture(order) => order.check(),
            Self::Place(order) if order.captured.len() > crate::wire::order::PATHS_MAX => {
                Err("too many paths")
            }
            Self::Answer { from, count, wanted, .. } => {
                let end = u64::from(*from) + u64::from(*count);
                let fits = end <= RECORDS_MAX as u64;
                let whole = wanted.len() == (*count as usize).div_ceil(8);
                if fits && whole { Ok(()) } else { Err("an answer of impossible size") }
            }
            Self::AskNames { count, asked, .. } => {
                let fits = *count as usize <= RECORDS_MAX;
                let whole = asked.len() == (*count as usize).div_ceil(8);
                if fits && whole { Ok(()) } else { Err("a question of impossible size") }
            }
            Self::Base { entries, .. } if entries.len() > BASE_ENTRIES_MAX => {
                Err("a base block too large")
            }
            Self::Batch { records, formers, kept, .. } => {
                former::check(records, formers, kept)?;
                check_records(records, kept)
            }
            Self::Look { records, .. } => check_records(records, &[]),
            Self::Survey(order) => order.check(),
            Self::Compare(order) => order.check(),
            Self::Rescue(order) => order.check(),
            _ => Ok(()),
        }
    }
}

impl Message for ToLanding {
    const FRAME_KIND: u8 = 4;

    fn kind(&self) -> u8 {
        match self {
            Self::Hello(_) => 1,
            Self::Heartbeat => 2,
            Self::Offer { .. } => 3,
            Self::Frame(_) => Self::FRAME_KIND,
            Self::LinkAsks(_) => 5,
            Self::LinkForget { .. } => 6,
            Self::RereadGone { .. } => 7,
            Self::BaseMore => 8,
            Self::WalkDone { .. } => 9,
            Self::Survey(_) => 10,
            Self::PlaceReady { .. } => 11,
            Self::Placed { .. } => 12,
            Self::PlaceDone { .. } => 13,
            Self::Problems(_) => 14,
            Self::Failed { .. } => 15,
            Self::WalkBegan { .. } => 16,
            Self::Pace(_) => 17,
            Self::Waits(_) => 18,
            Self::Owners(_) => 19,
            Self::Compared(_) => 20,
            Self::Rescue(_) => 21,
            Self::Looked { .. } => 22,
            Self::Gone => 23,
            Self::Sketch { .. } => 24,
            Self::Names { .. } => 25,
        }
    }

    fn bound(kind: u8) -> Option<Bound> {
        Some(match kind {
            1 | 15 | 20 => plain(8 * KIB),
            2 | 7 | 8 | 9 | 11 | 12 | 13 | 17 | 18 | 22 | 23 => plain(KIB),
            // Columns are bounded when they are opened.
            3 | 24 => plain(17 * MIB),
            4 => FRAME,
            5 | 6 | 25 => plain(MIB),
            16 | 19 => plain(16 * MIB),
            10 | 14 | 21 => plain(4 * MIB),
            _ => return None,
        })
    }

    fn as_frame(&self) -> Option<&[u8]> {
        if let Self::Frame(bytes) = self { Some(bytes) } else { None }
    }

    fn from_frame(bytes: Vec<u8>) -> Self {
        Self::Frame(serde_bytes::ByteBuf::from(bytes))
    }

    fn check(&self) -> Result<(), &'static str> {
        match self {
            Self::Offer { records, tally, .. } => {
                tally.check()?;
                check_records(records, &[])
            }
            Self::Sketch { sketch, tally, .. } => {
                tally.check()?;
                check_records(sketch.nameless(), &[])
            }
            Self::Names { names, .. } if names.len() > RECORDS_MAX => Err("too many names"),
            Self::WalkDone { tally } => tally.check(),
            Self::Pace(pace) => pace.check(),
            Self::LinkAsks(asks) if asks.len() > RECORDS_MAX => Err("too many links at once"),
            Self::Problems(problems) if problems.len() > RECORDS_MAX => Err("too many problems"),
            Self::Survey(answer) => answer.check(),
            Self::Rescue(answer) => answer.check(),
            Self::Owners(owners) => owners.check(),
            Self::Compared(verdicts) if verdicts.len() > FILES_MAX => Err("too many verdicts"),
            _ => Ok(()),
        }
    }
}
