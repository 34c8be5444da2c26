//! Which line takes what: messages go out over the first in their order, frames over whichever
//! line takes more. Pure.
//!
//! **Invariants.**
//! - Nobody relies on the order of frames, among themselves or against messages: the landing site
//!   asked for each piece, and a run ends only when all it asked for is there.
//! - On a short way the first line takes all it can. Where arrivals are counted every line is given
//!   the next frame only when little of what it was given is still on its way: what sshd and the
//!   kernel would swallow for one slow line is what messages and other lines then wait for. For a
//!   lane that is [`AHEAD_BYTES`], for the first line what it carries in two round trips besides.
//! - From [`LANES_ALONE`] lanes on the first line is left to messages, which then overtake content.
//! - A frame given to a lane is kept until the landing site has it. When a lane is lost, the
//!   landing site says how much of it came, and the rest goes over other lines.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::wire::WireError;
use crate::wire::lane::LINES_MAX;

/// Messages that may wait, and frames, which are at most a few MiB each.
const QUEUE_MAX: usize = 8;
/// A line is given more when less than this is on its way. It has a frame more than this then,
/// which at a round trip of 100 ms is enough for 100 Mbit/s over each line.
const AHEAD_BYTES: u64 = 512 << 10;
/// What it takes to write and to check a frame, generously.
const AT_BOTH_ENDS: Duration = Duration::from_millis(100);
/// The first line's rate is measured over this long.
const MEASURE: Duration = Duration::from_millis(250);
/// So many lanes carry frames without the first line's help.
const LANES_ALONE: usize = 3;

/// Lanes of one session, one after the other.
const USED_MAX: usize = 4_096;

/// A frame as it goes over any line.
pub type FrameBytes = Arc<Vec<u8>>;

/// What a line is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Write this; only the first line is told so.
    Message(Vec<u8>),
    /// Write this.
    Frame(FrameBytes),
    /// Nothing comes any more.
    End,
}

/// How a lane stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It carries.
    Open,
    /// It is given nothing more.
    Ending,
    /// It says nothing more; what it had may still be on its way.
    Ended,
}

#[derive(Debug)]
struct Lane {
    standing: Standing,
    /// Given to it and not at the landing site, oldest first.
    under_way: VecDeque<FrameBytes>,
    under_way_bytes: u64,
    /// Of all it was given, what has arrived.
    taken_bytes: u64,
}

/// What the first line was given of frames.
#[derive(Debug, Default)]
struct First {
    /// A round trip, if arrivals are counted.
    rtt: Option<Duration>,
    given_bytes: u64,
    taken_bytes: u64,
    /// What arrived a second lately, and since when and what it is measured from.
    rate: f64,
    measured: (Duration, u64),
}

impl First {
    fn may_take(&self) -> bool {
        let Some(rtt) = self.rtt else { return true };
        let round = rtt + AT_BOTH_ENDS;
        let ahead_bytes = AHEAD_BYTES + (2.0 * self.rate * round.as_secs_f64()) as u64;
        self.given_bytes - self.taken_bytes <= ahead_bytes
    }

    fn took(&mut self, taken_bytes: u64, now: Duration) -> Result<(), WireError> {
        if taken_bytes > self.given_bytes || taken_bytes < self.taken_bytes {
            return Err(WireError::Unexpected("more taken than was sent"));
        }
        self.taken_bytes = taken_bytes;
        let span = now.saturating_sub(self.measured.0);
        if span >= MEASURE {
            let bytes = taken_bytes.saturating_sub(self.measured.1) as f64;
            self.rate = (bytes / span.as_secs_f64()).max(self.rate / 2.0);
            self.measured = (now, taken_bytes);
        }
        Ok(())
    }
}

/// What waits to be sent and what is on its way.
#[derive(Debug, Default)]
pub struct Lines {
    messages: VecDeque<Vec<u8>>,
    frames: VecDeque<FrameBytes>,
    lanes: BTreeMap<u32, Lane>,
    /// Every number that a lane had: they join in any order.
    used: BTreeSet<u32>,
    first: First,
    /// Nobody queues anything any more.
    is_closed: bool,
    /// The first line is gone.
    is_gone: bool,
}

impl Lines {
    /// May another message wait?
    pub fn has_message_room(&self) -> bool {
        self.messages.len() < QUEUE_MAX
    }

    /// May another frame wait?
    pub fn has_frame_room(&self) -> bool {
        self.frames.len() < QUEUE_MAX
    }

    /// Queues a message.
    pub fn push_message(&mut self, message: Vec<u8>) {
        self.messages.push_back(message);
    }

    /// Queues a frame.
    pub fn push_frame(&mut self, frame: FrameBytes) {
        self.frames.push_back(frame);
    }

    /// Nothing more is queued; what is goes out.
    pub fn close(&mut self) {
        self.is_closed = true;
    }

    /// The first line is gone, and everything with it.
    pub fn break_off(&mut self) {
        self.is_gone = true;
    }

    /// Is the first line gone?
    pub fn is_gone(&self) -> bool {
        self.is_gone
    }

    fn carrying(&self) -> usize {
        self.lanes.values().filter(|lane| lane.standing == Standing::Open).count()
    }

    fn first_takes_frames(&self) -> bool {
        self.is_closed || (self.carrying() < LANES_ALONE && self.first.may_take())
    }

    /// What the first line is to do; `None`: wait.
    pub fn next_of_first(&mut self) -> Option<Next> {
        if let Some(message) = self.messages.pop_front() {
            return Some(Next::Message(message));
        }
        if self.first_takes_frames()
            && let Some(frame) = self.frames.pop_front()
        {
            self.first.given_bytes += frame.len() as u64;
            return Some(Next::Frame(frame));
        }
        (self.is_closed && self.frames.is_empty()).then_some(Next::End)
    }

    /// What a lane is to do; `None`: wait.
    pub fn next_of_lane(&mut self, number: u32) -> Option<Next> {
        let is_over = self.is_closed || self.is_gone;
        let Some(lane) = self.lanes.get_mut(&number).filter(|lane| !is_over && lane.is_open())
        else {
            return Some(Next::End);
        };
        if lane.under_way_bytes > AHEAD_BYTES {
            return None;
        }
        let frame = self.frames.pop_front()?;
        lane.under_way_bytes += frame.len() as u64;
        lane.under_way.push_back(frame.clone());
        Some(Next::Frame(frame))
    }

    /// A lane joins; false if it may not.
    pub fn join(&mut self, number: u32) -> bool {
        let is_over = self.is_closed || self.is_gone;
        let is_full = self.lanes.len() as u32 + 1 >= LINES_MAX || self.used.len() >= USED_MAX;
        if is_over || number == 0 || is_full || !self.used.insert(number) {
            return false;
        }
        let lane = Lane {
            standing: Standing::Open,
            under_way: VecDeque::new(),
            under_way_bytes: 0,
            taken_bytes: 0,
        };
        self.lanes.insert(number, lane);
        true
    }

    /// From now on the landing site says what has arrived, over a way with this round trip.
    pub fn count(&mut self, rtt: Duration) {
        self.first.rtt = Some(rtt);
    }

    /// Of all frames given to a line so many bytes have arrived.
    pub fn took(&mut self, line: u32, taken_bytes: u64, now: Duration) -> Result<(), WireError> {
        if line == 0 {
            return self.first.took(taken_bytes, now);
        }
        // One that was lost, or is all there.
        let Some(lane) = self.lanes.get_mut(&line) else {
            return Ok(());
        };
        lane.took(taken_bytes)?;
        self.forget_if_done(line);
        Ok(())
    }

    /// A lane is given nothing more.
    pub fn end(&mut self, number: u32) {
        if let Some(lane) = self.lanes.get_mut(&number).filter(|lane| lane.is_open()) {
            lane.standing = Standing::Ending;
        }
    }

    /// A lane has said its last word, or cannot say anything any more.
    pub fn ended(&mut self, number: u32) {
        if let Some(lane) = self.lanes.get_mut(&number) {
            lane.standing = Standing::Ended;
        }
        self.forget_if_done(number);
    }

    fn forget_if_done(&mut self, number: u32) {
        let is_done = |lane: &Lane| lane.standing == Standing::Ended && lane.under_way.is_empty();
        if self.lanes.get(&number).is_some_and(is_done) {
            self.lanes.remove(&number);
        }
    }

    /// A lane is lost after so much of it had arrived: the rest goes over other lines, first. One
    /// that was lost on its way here never joins.
    pub fn lost(&mut self, number: u32, taken_bytes: u64) -> Result<(), WireError> {
        let Some(mut lane) = self.lanes.remove(&number) else {
            if self.used.len() < USED_MAX {
                self.used.insert(number);
            }
            return Ok(());
        };
        lane.took(taken_bytes)?;
        while let Some(frame) = lane.under_way.pop_back() {
            self.frames.push_front(frame);
        }
        Ok(())
    }
}

impl Lane {
    fn is_open(&self) -> bool {
        self.standing == Standing::Open
    }

    fn took(&mut self, taken_bytes: u64) -> Result<(), WireError> {
        while self.taken_bytes < taken_bytes {
            let Some(frame) = self.under_way.pop_front() else {
                return Err(WireError::Unexpected("more taken than was sent"));
            };
            self.taken_bytes += frame.len() as u64;
            self.under_way_bytes -= frame.len() as u64;
        }
        if self.taken_bytes == taken_bytes {
            Ok(())
        } else {
            Err(WireError::Unexpected("part of a frame taken"))
        }
    }
}

#[cfg(test)]
mod tests;
