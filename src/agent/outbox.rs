//! The way out: everybody queues, one thread for each line writes. The queue is short, so that
//! whoever produces waits for the wire instead of filling memory. What goes where is decided by
//! [`Lines`].

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use crate::agent::lines::{Lines, Next};
use crate::model::{Clock, SystemClock};
use crate::wire::lane::OverLane;
use crate::wire::{HEARTBEAT_S, ToLanding, WireError, encode, encode_frame};

/// A line that has nothing to say shows after this long that it lives.
const PATIENCE: Duration = Duration::from_secs(HEARTBEAT_S);

/// Where messages to the landing site go. What is queued when the last is dropped still leaves.
#[derive(Debug, Clone)]
pub struct Outbox {
    desk: Desk,
    _open: Arc<Open>,
}

/// The connection is gone; whoever sees this stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disconnected;

/// All lines; holding it keeps none of them open.
#[derive(Debug, Clone, Default)]
pub struct Desk(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    clock: SystemClock,
    lines: Mutex<Lines>,
    /// Something may be written.
    work: Condvar,
    /// Something may be queued.
    room: Condvar,
}

/// While somebody holds it, more may be queued.
#[derive(Debug)]
struct Open(Desk);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.change(Lines::close);
    }
}

/// The first line; when it is dropped, nobody waits for it any more.
#[derive(Debug)]
pub struct FirstLine(Desk);

impl Drop for FirstLine {
    fn drop(&mut self) {
        self.0.change(Lines::break_off);
    }
}

impl Outbox {
    /// A queue and its far end, which belongs to [`write_all`].
    pub fn new() -> (Self, FirstLine) {
        let desk = Desk::default();
        let open = Arc::new(Open(desk.clone()));
        (Self { desk: desk.clone(), _open: open }, FirstLine(desk))
    }

    /// Queues a message; waits while the wire is busy.
    pub fn send(&self, message: &ToLanding) -> Result<(), Disconnected> {
        let bytes = encode(message);
        self.desk.queue(Lines::has_message_room, |lines| lines.push_message(bytes))
    }

    /// Queues an answer of bounded length without waiting: whoever hears must not.
    pub fn answer(&self, message: &ToLanding) -> Result<(), Disconnected> {
        let bytes = encode(message);
        self.desk.queue(|_| true, |lines| lines.push_message(bytes))
    }

    /// Queues a frame that has [`HEAD_BYTES`](crate::wire::HEAD_BYTES) of room in front.
    pub fn send_frame(&self, frame: Vec<u8>) -> Result<(), Disconnected> {
        let frame = Arc::new(encode_frame::<ToLanding>(frame));
        self.desk.queue(Lines::has_frame_room, |lines| lines.push_frame(frame))
    }

    /// What is queued leaves, and nothing after it: whoever still holds this may hang in the
    /// kernel.
    pub fn close(&self) {
        self.desk.change(Lines::close);
    }

    /// All lines.
    pub fn desk(&self) -> &Desk {
        &self.desk
    }
}

impl Desk {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lines.lock().expect("no holder of this lock panics")
    }

    /// Changes something, after which others may go on.
    fn change<T>(&self, act: impl FnOnce(&mut Lines) -> T) -> T {
        let done = act(&mut self.lines());
        self.0.work.notify_all();
        self.0.room.notify_all();
        done
    }

    fn queue(
        &self,
        has_room: impl Fn(&Lines) -> bool,
        push: impl FnOnce(&mut Lines),
    ) -> Result<(), Disconnected> {
        let is_full = |lines: &mut Lines| !lines.is_gone() && !has_room(lines);
        let lines = self.0.room.wait_while(self.lines(), is_full);
        let mut lines = lines.expect("no holder of this lock panics");
        if lines.is_gone() {
            return Err(Disconnected);
        }
        push(&mut lines);
        drop(lines);
        self.0.work.notify_all();
        Ok(())
    }

    /// What a line is to do next; `None`: there was nothing for a while.
    fn next(&self, look: impl Fn(&mut Lines) -> Option<Next>) -> Option<Next> {
        let mut found = None;
        let is_idle = |lines: &mut Lines| {
            found = look(lines);
            found.is_none()
        };
        let waited = self.0.work.wait_timeout_while(self.lines(), PATIENCE, is_idle);
        drop(waited.expect("no holder of this lock panics"));
        if found.is_some() {
            self.0.room.notify_all();
        }
        found
    }

    /// A lane joins; false if it may not.
    pub fn join(&self, lane: u32) -> bool {
        self.change(|lines| lines.join(lane))
    }

    /// A lane is given nothing more.
    pub fn end(&self, lane: u32) {
        self.change(|lines| lines.end(lane));
    }

    /// So much of what a line was given has arrived.
    pub fn took(&self, line: u32, taken_bytes: u64) -> Result<(), WireError> {
        let now = self.0.clock.elapsed();
        self.change(|lines| lines.took(line, taken_bytes, now))
    }

    /// What arrives is counted from now on.
    pub fn count(&self, rtt: Duration) {
        self.change(|lines| lines.count(rtt));
    }

    /// A lane is lost after so much of what it was given had arrived.
    pub fn lost(&self, lane: u32, taken_bytes: u64) -> Result<(), WireError> {
        self.change(|lines| lines.lost(lane, taken_bytes))
    }

    /// Writes what a lane is given until it ends or its connection breaks; what was on its way then
    /// is kept until the landing site says what came of it.
    pub fn write_lane(&self, lane: u32, output: impl Write) -> std::io::Result<()> {
        let written = self.write_frames(lane, output);
        self.change(|lines| lines.ended(lane));
        written
    }

    fn write_frames(&self, lane: u32, mut output: impl Write) -> std::io::Result<()> {
        output.write_all(&encode(&OverLane::Heartbeat))?;
        loop {
            match self.next(|lines| lines.next_of_lane(lane)) {
                Some(Next::Frame(bytes)) => output.write_all(&bytes)?,
                None => output.write_all(&encode(&OverLane::Heartbeat))?,
                Some(Next::Message(_) | Next::End) => break,
            }
        }
        output.write_all(&encode(&OverLane::End))?;
        output.flush()
    }
}

impl FirstLine {
    /// What it is to do next; `None`: there was nothing for a while.
    pub fn next(&self) -> Option<Next> {
        self.0.next(Lines::next_of_first)
    }
}

/// Writes what is queued until all senders are gone or the wire fails; sends heartbeats when there
/// is nothing else to say.
pub fn write_all(line: FirstLine, mut output: impl Write) -> std::io::Result<()> {
    loop {
        match line.next() {
            Some(Next::Message(bytes)) => output.write_all(&bytes)?,
            Some(Next::Frame(bytes)) => output.write_all(&bytes)?,
            None => output.write_all(&encode(&ToLanding::Heartbeat))?,
            Some(Next::End) => return Ok(()),
        }
        output.flush()?;
    }
}
