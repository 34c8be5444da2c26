//! Small files read ahead of their turn, by as many threads as the disk rewards (see [`crew`]).
//!
//! Whoever walks hands files in; whoever offers takes what was read, in the order of the walk. In
//! between stand at most so many files as the walk may be ahead, and a reader that is alone takes
//! them in the order of their inodes, like a lift: on heads that move that is the order on disk.
//!
//! [`crew`]: crate::agent::crew
//!
//! # Why plain calls and no ring
//!
//! A small file takes five calls to walk (look, open, flags, attributes, and its name's share of a
//! listing) and four more to read from the same descriptor (look, read, look, close). In a
//! first pass over 100,000 warm files of 47 bytes the whole agent took 6 µs of its own and 10 µs of
//! the kernel's time for each, from a cold disk 8 and 24 µs. An empty call takes 0.45 µs there:
//! most of the kernel's time is for finding names and starting the disk, and that a ring does too.
//! So `io_uring` could save 2 µs of 16 or of 32, by calculation; it was not built, for it has no
//! safe interface and is switched off on many servers.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use crate::agent::crew::{Crew, SPELL, Spell};
use crate::agent::outbox::Disconnected;
use crate::agent::patience::Patience;
use crate::agent::reader::{Buffer, Naming, Small, read_small};
use crate::capture::content::OpenError;
use crate::capture::{Beneath, Entry};
use crate::model::{Clock, DiskKind, SystemClock, TreePath};

/// What comes of a file that was handed in.
#[derive(Debug)]
pub struct Pending {
    number: u64,
    answer: Receiver<Result<Small, OpenError>>,
}

/// Files that wait for a reader with their descriptor; a process may have 1,024 as a rule.
const OPEN_FILES_MAX: usize = 256;

/// A file to be read, and where its content goes.
#[derive(Debug)]
struct Errand {
    entry: Entry,
    /// It is open since it was looked at.
    open: Option<OwnedFd>,
    answer: SyncSender<Result<Small, OpenError>>,
}

/// Threads that read small files ahead; they end with this.
#[derive(Debug)]
pub struct Readers {
    shared: Arc<Shared>,
    hand: Hand,
}

/// What a thread works with.
#[derive(Debug, Clone)]
struct Hand {
    tree: Arc<Beneath>,
    naming: Naming,
    patience: Arc<Patience>,
}

#[derive(Debug)]
struct Shared {
    clock: SystemClock,
    queue: Mutex<Queue>,
    /// There is something to read.
    filled: Condvar,
    /// Another number of readers is wanted.
    changed: Condvar,
    read_bytes: AtomicU64,
    read_files: AtomicU64,
}

#[derive(Debug)]
struct Queue {
    crew: Crew,
    /// By inode where that matters, then by number.
    errands: BTreeMap<(u64, u64), Errand>,
    next_number: u64,
    /// Errands with an open file.
    open_files: usize,
    /// Readers that wait for something to read.
    idle: usize,
    /// Where the lift is.
    at_inode: u64,
    /// The threads, and what each of them reads.
    seats: Vec<Seat>,
    next_thread: u64,
    /// Files that were left behind before their turn came.
    left: BTreeSet<u64>,
    is_over: bool,
    since: Duration,
    /// What had been read when the spell began.
    before: (u64, u64),
    waited: Duration,
}

/// The place of a reader; another sits down where one hangs.
#[derive(Debug)]
struct Seat {
    thread: u64,
    reads: Option<Given>,
}

/// What a reader was given, and when.
#[derive(Debug, Clone, Copy)]
struct Given {
    number: u64,
    file: (u64, u64),
    since: Duration,
}

impl Readers {
    /// Starts with as many threads as `disk` suggests; what gives nothing is left behind.
    pub fn start(
        disk: Option<DiskKind>,
        tree: &Arc<Beneath>,
        naming: &Naming,
        patience: &Arc<Patience>,
    ) -> Self {
        let queue = Queue {
            crew: Crew::new(disk),
            errands: BTreeMap::new(),
            next_number: 0,
            open_files: 0,
            idle: 0,
            at_inode: 0,
            seats: Vec::new(),
            next_thread: 0,
            left: BTreeSet::new(),
            is_over: false,
            since: Duration::ZERO,
            before: (0, 0),
            waited: Duration::ZERO,
        };
        let shared = Arc::new(Shared {
            clock: SystemClock::default(),
            queue: Mutex::new(queue),
            filled: Condvar::new(),
            changed: Condvar::new(),
            read_bytes: AtomicU64::new(0),
            read_files: AtomicU64::new(0),
        });
        let (tree, naming, patience) = (tree.clone(), naming.clone(), patience.clone());
        Self { shared, hand: Hand { tree, naming, patience } }
    }

    /// Has `entry` read, from `open` if it is open already; the content comes out of what is
    /// returned. Whoever hands in bounds how many.
    pub fn read(&self, entry: Entry, open: Option<OwnedFd>) -> Pending {
        let (answer, receiver) = sync_channel(1);
        let mut queue = self.shared.queue();
        let inode = if queue.crew.is_alone() { entry.metadata.ino } else { 0 };
        let number = queue.next_number;
        queue.next_number += 1;
        let pending = Pending { number, answer: receiver };
        if self.hand.patience.is_dead(entry.metadata.dev) {
            // There is room for one: nobody waits here.
            let _ = answer.send(Err(self.hand.patience.untried(&entry.path)));
            return pending;
        }
        let open = open.filter(|_| queue.open_files < OPEN_FILES_MAX);
        queue.open_files += usize::from(open.is_some());
        queue.errands.insert((inode, number), Errand { entry, open, answer });
        if queue.seats.len() < queue.crew.count() {
            let thread = queue.new_thread();
            queue.seats.push(Seat { thread, reads: None });
            self.add_thread(queue.seats.len() - 1, thread);
        }
        // To wake costs a system call even when nobody sleeps.
        let is_awaited = queue.idle > 0;
        drop(queue);
        if is_awaited {
            self.shared.filled.notify_one();
        }
        pending
    }

    fn add_thread(&self, seat: usize, thread: u64) {
        let (shared, hand) = (self.shared.clone(), self.hand.clone());
        std::thread::spawn(move || {
            let (mut buffer, mut last) = (Buffer::default(), 0);
            while let Some(Errand { entry, open, answer }) = shared.next(seat, thread) {
                let device = entry.metadata.dev;
                let read = read_small(&hand.tree, (&entry, open), &hand.naming, &mut buffer);
                let bytes = read.as_ref().map_or(0, |small| small.finished.counters.read_bytes);
                shared.read_bytes.fetch_add(bytes, Ordering::Relaxed);
                shared.read_files.fetch_add(1, Ordering::Relaxed);
                // Nobody waits for it any more when the session ended, or when it was left behind.
                let _ = answer.send(read);
                last = device;
            }
            if shared.queue().seats[seat].thread != thread {
                hand.patience.came_back(last);
            }
        });
    }

    /// Waits for a file that was handed in, as long as there is patience for it.
    pub fn wait(
        &self,
        pending: &Pending,
        path: &TreePath,
    ) -> Result<Result<Small, OpenError>, Disconnected> {
        match pending.answer.try_recv() {
            Ok(read) => return Ok(read),
            Err(TryRecvError::Disconnected) => return Err(Disconnected),
            Err(TryRecvError::Empty) => {}
        }
        let began = self.shared.clock.elapsed();
        loop {
            match pending.answer.recv_timeout(self.hand.patience.beat()) {
                Ok(read) => {
                    self.shared.waited(began);
                    return Ok(read);
                }
                Err(RecvTimeoutError::Disconnected) => return Err(Disconnected),
                Err(RecvTimeoutError::Timeout) => {
                    if self.leave_what_hangs(pending.number) {
                        return Ok(Err(self.hand.patience.unreadable(path)));
                    }
                }
            }
        }
    }

    /// Puts others in the place of readers that hang. Is the file `number` among what they leave?
    fn leave_what_hangs(&self, number: u64) -> bool {
        let now = self.shared.clock.elapsed();
        let mut queue = self.shared.queue();
        for seat in 0..queue.seats.len() {
            let hangs = |given: &mut Given| self.hand.patience.is_over(given.since, now);
            let Some(given) = queue.seats[seat].reads.take_if(hangs) else { continue };
            self.hand.patience.leave(given.file);
            queue.left.insert(given.number);
            let thread = queue.new_thread();
            queue.seats[seat].thread = thread;
            self.add_thread(seat, thread);
        }
        queue.left.remove(&number)
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.shared.queue().is_over = true;
        self.shared.wake_all();
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("no holder of this lock panics")
    }

    /// What the thread reads next that has this seat; `None`: it ends.
    fn next(&self, seat: usize, thread: u64) -> Option<Errand> {
        let mut queue = self.queue();
        loop {
            if queue.is_over || queue.seats[seat].thread != thread {
                return None;
            }
            queue.seats[seat].reads = None;
            if seat >= queue.crew.count() {
                queue = self.changed.wait(queue).expect("no holder of this lock panics");
            } else if let Some((number, errand)) = queue.take() {
                let file = (errand.entry.metadata.dev, errand.entry.metadata.ino);
                queue.seats[seat].reads = Some(Given { number, file, since: self.clock.elapsed() });
                return Some(errand);
            } else {
                queue.idle += 1;
                queue = self.filled.wait(queue).expect("no holder of this lock panics");
                queue.idle -= 1;
            }
        }
    }

    /// Somebody waited for a reader since `began`; ends the spell when it is time.
    fn waited(&self, began: Duration) {
        let now = self.clock.elapsed();
        let mut queue = self.queue();
        queue.waited += now.saturating_sub(began);
        let span = now.saturating_sub(queue.since);
        if span < SPELL {
            return;
        }
        let read =
            (self.read_files.load(Ordering::Relaxed), self.read_bytes.load(Ordering::Relaxed));
        let (files, bytes) = (read.0 - queue.before.0, read.1 - queue.before.1);
        let is_waited_for = queue.waited * 2 > span;
        // A spell without a single wait has no end of its own: it says nothing.
        let is_one = span < SPELL * 2;
        queue.crew.judge(&Spell { span, files, bytes, is_waited_for: is_waited_for && is_one });
        (queue.since, queue.before, queue.waited) = (now, read, Duration::ZERO);
        drop(queue);
        self.wake_all();
    }

    fn wake_all(&self) {
        self.filled.notify_all();
        self.changed.notify_all();
    }
}

impl Queue {
    /// The next in the lift's way; from the top it goes down to the lowest.
    fn take(&mut self) -> Option<(u64, Errand)> {
        let ahead = self.errands.range((self.at_inode, 0)..).next();
        let key = *ahead.or_else(|| self.errands.iter().next())?.0;
        self.at_inode = key.0;
        let errand = self.errands.remove(&key)?;
        self.open_files -= usize::from(errand.open.is_some());
        Some((key.1, errand))
    }

    fn new_thread(&mut self) -> u64 {
        self.next_thread += 1;
        self.next_thread
    }
}

#[cfg(test)]
mod tests;
