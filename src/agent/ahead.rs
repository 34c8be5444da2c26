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

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use crate::agent::crew::{Crew, SPELL, Spell};
use crate::agent::outbox::Disconnected;
use crate::agent::reader::{Buffer, Naming, Small, read_small};
use crate::capture::content::OpenError;
use crate::capture::{Beneath, Entry};
use crate::model::{Clock, DiskKind, SystemClock};

/// What comes of a file that was handed in.
pub type Pending = Receiver<Result<Small, OpenError>>;

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
    tree: Arc<Beneath>,
    naming: Naming,
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
    threads: usize,
    is_over: bool,
    since: Duration,
    /// What had been read when the spell began.
    before: (u64, u64),
    waited: Duration,
}

impl Readers {
    /// Starts with as many threads as `disk` suggests.
    pub fn start(disk: Option<DiskKind>, tree: &Arc<Beneath>, naming: &Naming) -> Self {
        let queue = Queue {
            crew: Crew::new(disk),
            errands: BTreeMap::new(),
            next_number: 0,
            open_files: 0,
            idle: 0,
            at_inode: 0,
            threads: 0,
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
        Self { shared, tree: tree.clone(), naming: naming.clone() }
    }

    /// Has `entry` read, from `open` if it is open already; the content comes out of the receiver.
    /// Whoever hands in bounds how many.
    pub fn read(&self, entry: Entry, open: Option<OwnedFd>) -> Pending {
        let (answer, receiver) = sync_channel(1);
        let mut queue = self.shared.queue();
        let inode = if queue.crew.is_alone() { entry.metadata.ino } else { 0 };
        let number = queue.next_number;
        queue.next_number += 1;
        let open = open.filter(|_| queue.open_files < OPEN_FILES_MAX);
        queue.open_files += usize::from(open.is_some());
        queue.errands.insert((inode, number), Errand { entry, open, answer });
        let missing = queue.threads < queue.crew.count();
        if missing {
            self.add_thread(queue.threads);
            queue.threads += 1;
        }
        // To wake costs a system call even when nobody sleeps.
        let is_awaited = queue.idle > 0;
        drop(queue);
        if is_awaited {
            self.shared.filled.notify_one();
        }
        receiver
    }

    fn add_thread(&self, number: usize) {
        let (shared, tree, naming) = (self.shared.clone(), self.tree.clone(), self.naming.clone());
        std::thread::spawn(move || {
            let mut buffer = Buffer::default();
            while let Some(Errand { entry, open, answer }) = shared.next(number) {
                let read = read_small(&tree, (&entry, open), &naming, &mut buffer);
                let bytes = read.as_ref().map_or(0, |small| small.finished.counters.read_bytes);
                shared.read_bytes.fetch_add(bytes, Ordering::Relaxed);
                shared.read_files.fetch_add(1, Ordering::Relaxed);
                // Nobody waits for it any more when the session ended.
                let _ = answer.send(read);
            }
        });
    }

    /// Waits for a file that was handed in.
    pub fn wait(&self, pending: &Pending) -> Result<Result<Small, OpenError>, Disconnected> {
        match pending.try_recv() {
            Ok(read) => return Ok(read),
            Err(TryRecvError::Disconnected) => return Err(Disconnected),
            Err(TryRecvError::Empty) => {}
        }
        let began = self.shared.clock.elapsed();
        let read = pending.recv().map_err(|_| Disconnected)?;
        self.shared.waited(began);
        Ok(read)
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

    /// What the thread `number` reads next; `None`: it ends.
    fn next(&self, number: usize) -> Option<Errand> {
        let mut queue = self.queue();
        loop {
            if queue.is_over {
                return None;
            }
            if number >= queue.crew.count() {
                queue = self.changed.wait(queue).expect("no holder of this lock panics");
            } else if let Some(errand) = queue.take() {
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
    fn take(&mut self) -> Option<Errand> {
        let ahead = self.errands.range((self.at_inode, 0)..).next();
        let key = *ahead.or_else(|| self.errands.iter().next())?.0;
        self.at_inode = key.0;
        let errand = self.errands.remove(&key)?;
        self.open_files -= usize::from(errand.open.is_some());
        Some(errand)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{Kind, Metadata};
    use crate::chunk::{Cutter, Cutting};

    fn entry(ino: u64) -> Entry {
        let metadata = Metadata { ino, ..Metadata::default() };
        let path = format!("/{ino}").parse().unwrap();
        Entry { path, kind: Kind::File { size: 1 }, metadata }
    }

    /// In which order readers of such a disk take what is handed in at once.
    fn order(disk: DiskKind, inodes: &[u64]) -> Vec<u64> {
        let folder = tempfile::tempdir().unwrap();
        let tree = Arc::new(Beneath::open(folder.path()).unwrap());
        let cutter = Cutter::new(&Cutting::TREE).unwrap();
        let key = crate::agent::tests::key();
        let readers =
            Readers::start(Some(disk), &tree, &Naming { cutter, key, spare: Arc::default() });
        let mut queue = readers.shared.queue();
        // No thread is started, so that nothing is taken meanwhile.
        queue.threads = usize::MAX;
        drop(queue);
        let _pending: Vec<_> = inodes.iter().map(|ino| readers.read(entry(*ino), None)).collect();
        let mut queue = readers.shared.queue();
        std::iter::from_fn(|| Some(queue.take()?.entry.metadata.ino)).collect()
    }

    #[test]
    fn heads_that_move_go_over_the_disk_and_others_in_the_order_of_the_walk() {
        assert_eq!(order(DiskKind::Hdd, &[30, 10, 40, 20, 10]), [10, 10, 20, 30, 40]);
        assert_eq!(order(DiskKind::Ssd, &[30, 10, 40, 20]), [30, 10, 40, 20]);
    }

    #[test]
    fn few_files_wait_with_their_descriptor() {
        let folder = tempfile::tempdir().unwrap();
        let tree = Arc::new(Beneath::open(folder.path()).unwrap());
        let cutter = Cutter::new(&Cutting::TREE).unwrap();
        let key = crate::agent::tests::key();
        let readers = Readers::start(None, &tree, &Naming { cutter, key, spare: Arc::default() });
        readers.shared.queue().threads = usize::MAX;
        let open = || Some(tree.folder().try_clone_to_owned().unwrap());
        let _pending: Vec<_> = (0..300).map(|ino| readers.read(entry(ino), open())).collect();
        let mut queue = readers.shared.queue();
        let taken: Vec<_> = std::iter::from_fn(|| queue.take()).collect();
        let held = taken.iter().filter(|errand| errand.open.is_some()).count();
        assert_eq!((taken.len(), held, queue.open_files), (300, OPEN_FILES_MAX, 0));
    }

    #[test]
    fn the_lift_goes_on_from_where_it_is() {
        let (answer, _receiver) = sync_channel(1);
        let errand = |ino| Errand { entry: entry(ino), open: None, answer: answer.clone() };
        let errands = [5, 9, 20].map(|ino| ((ino, ino), errand(ino)));
        let mut queue = Queue {
            crew: Crew::new(Some(DiskKind::Hdd)),
            errands: errands.into(),
            next_number: 3,
            open_files: 0,
            idle: 0,
            at_inode: 9,
            threads: 1,
            is_over: false,
            since: Duration::ZERO,
            before: (0, 0),
            waited: Duration::ZERO,
        };
        let taken: Vec<_> = std::iter::from_fn(|| Some(queue.take()?.entry.metadata.ino)).collect();
        assert_eq!(taken, [9, 20, 5]);
    }
}
