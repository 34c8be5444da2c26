//! Wanted pieces to frames, on as many cores as there are.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use crate::agent::outbox::{Disconnected, Outbox};
use crate::agent::session::Budget;
use crate::chunk::FrameBuilder;
use crate::model::Domain;
use crate::wire::ToLanding;
use crate::wire::source::Piece;

/// A frame is full with this much content: measured, larger ones gain nothing.
const FRAME_RAW_BYTES: usize = 1 << 20;
/// A frame that is not full leaves after this long: what is wanted must never wait for company.
const PATIENCE: Duration = Duration::from_millis(20);

/// Where wanted pieces go.
#[derive(Debug, Clone)]
pub struct Packer {
    sender: Sender<Piece>,
}

impl Packer {
    /// Starts the threads: one that groups, `workers` that compress. They end when the last
    /// `Packer` is dropped or the connection is gone.
    pub fn start(
        domain: Domain,
        level: i32,
        workers: usize,
        outbox: &Outbox,
        held: &Arc<Budget>,
    ) -> Self {
        // Every piece in here is counted in `held`, which bounds it. Whoever hears the landing site
        // queues pieces, and must never wait for a slow line: it would miss the signs of life.
        let (sender, pieces) = channel::<Piece>();
        let (group_sender, groups) = sync_channel::<Vec<Piece>>(1);
        let groups = Arc::new(Mutex::new((0_u64, groups)));
        let turns = Arc::new(Turns::default());
        std::thread::spawn(move || group(&pieces, &group_sender));
        for _ in 0..workers.max(1) {
            let (groups, outbox, held) = (groups.clone(), outbox.clone(), held.clone());
            let turns = turns.clone();
            std::thread::spawn(move || {
                let next = || {
                    let mut groups = groups.lock().ok()?;
                    let group = groups.1.recv().ok()?;
                    groups.0 += 1;
                    Some((groups.0 - 1, group))
                };
                let mut builder = FrameBuilder::new(domain);
                while let Some((number, group)) = next() {
                    let frame = pack(&mut builder, group, level, &held);
                    if turns.take(number, || outbox.send(&frame)).is_err() {
                        // Whoever waits for room must not wait for ever on a dead connection.
                        held.close();
                        break;
                    }
                }
            });
        }
        Self { sender }
    }

    /// Queues a piece.
    pub fn push(&self, piece: Piece) -> Result<(), Disconnected> {
        self.sender.send(piece).map_err(|_| Disconnected)
    }
}

/// Collects pieces to about a frame's worth.
fn group(pieces: &Receiver<Piece>, groups: &SyncSender<Vec<Piece>>) {
    let mut group = Vec::new();
    let mut bytes = 0;
    loop {
        let received = if group.is_empty() {
            pieces.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            pieces.recv_timeout(PATIENCE)
        };
        let is_last = matches!(received, Err(RecvTimeoutError::Disconnected));
        let is_over = match received {
            Ok(piece) => {
                bytes += piece.bytes.len();
                group.push(piece);
                bytes >= FRAME_RAW_BYTES || group.len() >= crate::chunk::frame::CHUNKS_MAX
            }
            Err(_) => true,
        };
        if is_over && !group.is_empty() {
            bytes = 0;
            if groups.send(std::mem::take(&mut group)).is_err() {
                return;
            }
        }
        if is_last {
            return;
        }
    }
}

/// Frames leave in the order of their pieces, whichever core was faster: what lies together in the
/// tree lies together in a pack.
#[derive(Debug, Default)]
struct Turns {
    next: Mutex<u64>,
    changed: Condvar,
}

impl Turns {
    fn take(
        &self,
        number: u64,
        act: impl FnOnce() -> Result<(), Disconnected>,
    ) -> Result<(), Disconnected> {
        let next = self.next.lock().expect("no holder of this lock panics");
        let mut next = self
            .changed
            .wait_while(next, |next| *next != number)
            .expect("no holder of this lock panics");
        // The turn passes on even when the connection is gone, so that nobody waits for it.
        let done = act();
        *next += 1;
        drop(next);
        self.changed.notify_all();
        done
    }
}

fn pack(builder: &mut FrameBuilder, group: Vec<Piece>, level: i32, held: &Budget) -> ToLanding {
    let bytes: u64 = group.iter().map(|piece| piece.bytes.len() as u64).sum();
    for piece in group {
        builder.push(piece.id, &piece.bytes);
    }
    let frame = builder.finish(level);
    held.release(bytes);
    ToLanding::Frame(serde_bytes::ByteBuf::from(frame))
}
