//! The way out: one thread writes, everybody else queues. The queue is short, so that whoever
//! produces waits for the wire instead of filling memory.

use std::io::Write;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use crate::wire::{HEARTBEAT_S, ToLanding, encode, encode_frame};

/// Messages that may wait; frames are at most a few MiB each.
const QUEUE_MAX: usize = 8;

/// Where messages to the landing site go.
#[derive(Debug, Clone)]
pub struct Outbox {
    sender: SyncSender<Vec<u8>>,
}

/// The connection is gone; whoever sees this stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disconnected;

impl Outbox {
    /// A queue and its far end, which belongs to [`write_all`].
    pub fn new() -> (Self, Receiver<Vec<u8>>) {
        let (sender, receiver) = sync_channel(QUEUE_MAX);
        (Self { sender }, receiver)
    }

    /// Queues a message; waits while the wire is busy.
    pub fn send(&self, message: &ToLanding) -> Result<(), Disconnected> {
        self.sender.send(encode(message)).map_err(|_| Disconnected)
    }

    /// Queues a frame that has [`HEAD_BYTES`](crate::wire::HEAD_BYTES) of room in front.
    pub fn send_frame(&self, frame: Vec<u8>) -> Result<(), Disconnected> {
        self.sender.send(encode_frame::<ToLanding>(frame)).map_err(|_| Disconnected)
    }
}

/// Writes what is queued until all senders are gone or the wire fails; sends heartbeats when there
/// is nothing else to say.
pub fn write_all(queue: Receiver<Vec<u8>>, mut output: impl Write) -> std::io::Result<()> {
    loop {
        match queue.recv_timeout(Duration::from_secs(HEARTBEAT_S)) {
            Ok(bytes) => {
                output.write_all(&bytes)?;
                // Small messages that queued up meanwhile leave together.
                while let Ok(more) = queue.try_recv() {
                    output.write_all(&more)?;
                }
                output.flush()?;
            }
            Err(RecvTimeoutError::Timeout) => {
                output.write_all(&encode(&ToLanding::Heartbeat))?;
                output.flush()?;
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}
