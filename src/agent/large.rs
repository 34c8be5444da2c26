//! Large files, read on a thread of their own, so that one that hangs can be left behind.
//!
//! The thread reads, cuts and names; whoever offers takes what it has in order. Between them stand
//! two handfuls of pieces at most.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};

use crate::agent::outbox::Disconnected;
use crate::agent::patience::Patience;
use crate::agent::reader::{Buffer, Naming, read_file};
use crate::capture::content::{Finished, OpenError, ReadCounters};
use crate::capture::{Beneath, Content, Entry};
use crate::wire::source::Piece;

/// Pieces are handed over by so much; each time costs waking somebody.
const HANDFUL_BYTES: usize = 1 << 20;

/// Reads large files, one after another.
#[derive(Debug)]
pub struct LargeFiles {
    tree: Arc<Beneath>,
    naming: Naming,
    patience: Arc<Patience>,
    hand: Option<Hand>,
}

/// The thread that reads.
#[derive(Debug)]
struct Hand {
    orders: SyncSender<(Entry, u64)>,
    news: Receiver<News>,
    /// Bytes that it was given by the disk.
    progress: Arc<AtomicU64>,
}

/// What it says.
enum News {
    Pieces(Vec<(u64, Piece)>),
    End(Result<Finished, OpenError>),
}

/// Pieces that are taken, with their offsets.
pub type Take<'a> = &'a mut dyn FnMut(u64, Piece) -> Result<(), Disconnected>;

impl LargeFiles {
    /// Beneath `tree`.
    pub fn new(tree: &Arc<Beneath>, naming: &Naming, patience: &Arc<Patience>) -> Self {
        let (tree, naming, patience) = (tree.clone(), naming.clone(), patience.clone());
        Self { tree, naming, patience, hand: None }
    }

    /// Reads the data of `entry` from `from` on and gives it to `take`, in order. What hangs ends
    /// as what has a fault does.
    pub fn read(
        &mut self,
        entry: &Entry,
        from: u64,
        take: Take<'_>,
    ) -> Result<Result<Finished, OpenError>, Disconnected> {
        let file = (entry.metadata.dev, entry.metadata.ino);
        if self.patience.is_dead(file.0) {
            return Ok(Err(self.patience.untried(&entry.path)));
        }
        let hand = match self.hand.take() {
            Some(hand) => hand,
            None => self.start(),
        };
        hand.orders.send((entry.clone(), from)).map_err(|_| Disconnected)?;
        let mut at = from;
        let mut take = |offset, piece: Piece| {
            at = offset + piece.bytes.len() as u64;
            take(offset, piece)
        };
        let Some(read) = self.follow(&hand, &mut take)? else {
            // The thread learns of it when the kernel lets it go: nobody listens any more.
            self.patience.leave(file);
            return Ok(if at == from {
                Err(self.patience.unreadable(&entry.path))
            } else {
                Ok(self.cut(at, from))
            });
        };
        self.hand = Some(hand);
        Ok(read)
    }

    /// Takes what comes until the end; `None`: nothing came for too long.
    fn follow(
        &self,
        hand: &Hand,
        take: Take<'_>,
    ) -> Result<Option<Result<Finished, OpenError>>, Disconnected> {
        let (mut progress, mut since) =
            (hand.progress.load(Ordering::Relaxed), self.patience.now());
        loop {
            match hand.news.recv_timeout(self.patience.beat()) {
                Ok(News::End(read)) => return Ok(Some(read)),
                Ok(News::Pieces(pieces)) => {
                    for (offset, piece) in pieces {
                        take(offset, piece)?;
                    }
                    since = self.patience.now();
                }
                Err(RecvTimeoutError::Disconnected) => return Err(Disconnected),
                Err(RecvTimeoutError::Timeout) => {
                    let now = hand.progress.load(Ordering::Relaxed);
                    if now != progress {
                        (progress, since) = (now, self.patience.now());
                    } else if self.patience.is_over(since, self.patience.now()) {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// As far as it was read.
    fn cut(&self, at: u64, from: u64) -> Finished {
        let read = ReadCounters { opened_files: 1, read_bytes: at - from, touched_files: 0 };
        let fault = Some(self.patience.fault());
        Finished { size: at, content: Content::Cut, counters: read, fault }
    }

    fn start(&self) -> Hand {
        let (orders, todo) = sync_channel::<(Entry, u64)>(1);
        let (said, news) = sync_channel(1);
        let progress = Arc::new(AtomicU64::new(0));
        let (tree, naming, patience) =
            (self.tree.clone(), self.naming.clone(), self.patience.clone());
        let reader = Reader { naming, said, progress: progress.clone() };
        std::thread::spawn(move || {
            let mut buffer = Buffer::default();
            while let Ok((entry, from)) = todo.recv() {
                if reader.read(&tree, (&entry, from), &mut buffer).is_err() {
                    patience.came_back(entry.metadata.dev);
                    break;
                }
            }
        });
        Hand { orders, news, progress }
    }
}

/// What the thread reads with.
struct Reader {
    naming: Naming,
    said: SyncSender<News>,
    progress: Arc<AtomicU64>,
}

/// Nobody listens any more.
struct Alone;

impl Reader {
    fn read(&self, tree: &Beneath, file: (&Entry, u64), buffer: &mut Buffer) -> Result<(), Alone> {
        let say = |news| self.said.send(news).map_err(|_| Alone);
        let (mut pieces, mut bytes) = (Vec::new(), 0);
        let mut is_alone = false;
        let read =
            read_file(tree, file, &self.naming, (buffer, &self.progress), &mut |offset, piece| {
                bytes += piece.bytes.len();
                pieces.push((offset, piece));
                if bytes >= HANDFUL_BYTES {
                    bytes = 0;
                    is_alone = say(News::Pieces(std::mem::take(&mut pieces))).is_err();
                }
                if is_alone { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
        if !pieces.is_empty() {
            say(News::Pieces(pieces))?;
        }
        say(News::End(read))
    }
}
