//! The names in one directory, bytewise sorted, in bounded memory.
//!
//! **Invariant.** At most [`Limits::names`] names of at most [`Limits::bytes`] are held. A
//! directory with more is picked in ranges: it is listed again, and the smallest names beyond the
//! last one given out are kept in a heap. Each name is given once, whatever happens to the
//! directory.

use std::collections::BinaryHeap;
use std::os::fd::BorrowedFd;

use rustix::fs::{RawDir, SeekFrom, seek};
use rustix::io::Errno;

/// One getdents call.
const BUFFER_BYTES: usize = 64 * 1024;

/// How much of one directory is held at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub names: usize,
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { names: 65_536, bytes: 8 << 20 }
    }
}

/// Names still to be given out.
#[derive(Debug)]
pub(super) struct Names {
    /// Descending, so that the next one is popped.
    pending: Vec<Box<[u8]>>,
    bytes: usize,
    /// The last name given out.
    after: Option<Box<[u8]>>,
    /// Are there names beyond `pending` to be listed?
    more: bool,
    /// The whole list was handed in; the directory is not asked.
    fixed: bool,
}

impl Names {
    /// Of a directory that has not been listed yet.
    pub fn unlisted() -> Self {
        Self { pending: Vec::new(), bytes: 0, after: None, more: true, fixed: false }
    }

    /// Exactly these.
    pub fn fixed(names: impl IntoIterator<Item = Box<[u8]>>) -> Self {
        let mut pending: Vec<_> = names.into_iter().collect();
        pending.sort_unstable_by(|a, b| b.cmp(a));
        pending.dedup();
        Self { pending, bytes: 0, after: None, more: false, fixed: true }
    }

    /// Goes on after `name`.
    pub fn skip_to(&mut self, name: &[u8]) {
        self.pending.retain(|pending| **pending > *name);
        self.after = Some(Box::from(name));
    }

    /// Was `name` to be given out? Always, for a directory that is listed.
    pub fn holds(&self, name: &[u8]) -> bool {
        !self.fixed || self.pending.iter().any(|pending| **pending == *name)
    }

    /// The next name, if it is at hand.
    pub fn take(&mut self) -> Option<Box<[u8]>> {
        let name = self.pending.pop()?;
        self.bytes -= if self.fixed { 0 } else { cost(&name) };
        self.after = Some(name.clone());
        Some(name)
    }

    /// Must the directory be listed (again)?
    pub fn wants_listing(&self) -> bool {
        self.pending.is_empty() && self.more
    }

    /// Memory held, roughly.
    pub fn held_bytes(&self) -> usize {
        self.bytes
    }

    /// Lets go of names; they are listed again when their turn comes.
    pub fn forget(&mut self) {
        if !self.fixed && !self.pending.is_empty() {
            self.pending = Vec::new();
            self.bytes = 0;
            self.more = true;
        }
    }

    /// Nothing more is given out.
    pub fn give_up(&mut self) {
        self.pending = Vec::new();
        self.bytes = 0;
        self.more = false;
    }

    /// Lists `directory` and keeps the smallest names beyond the last one given out. After an
    /// error the names found so far are still given.
    pub fn list(&mut self, directory: BorrowedFd<'_>, limits: Limits) -> Result<(), Errno> {
        self.more = false;
        let mut smallest = Smallest::new(limits);
        let result = read_names(directory, |name| {
            if self.after.as_deref().is_none_or(|after| name > after) {
                smallest.offer(name);
            }
        });
        self.more = smallest.overflowed && result.is_ok();
        self.pending = smallest.heap.into_sorted_vec();
        self.pending.dedup();
        self.pending.reverse();
        self.bytes = self.pending.iter().map(|name| cost(name)).sum();
        result
    }
}

fn read_names(directory: BorrowedFd<'_>, mut each: impl FnMut(&[u8])) -> Result<(), Errno> {
    seek(directory, SeekFrom::Start(0))?;
    let mut buffer = Vec::with_capacity(BUFFER_BYTES);
    let mut entries = RawDir::new(directory, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        match entry {
            Ok(entry) => match entry.file_name().to_bytes() {
                b"." | b".." => {}
                name => each(name),
            },
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What a name costs in memory: its bytes, its place, and what an allocation adds.
fn cost(name: &[u8]) -> usize {
    name.len() + 32
}

/// The smallest names of all that were offered, within limits.
struct Smallest {
    heap: BinaryHeap<Box<[u8]>>,
    bytes: usize,
    limits: Limits,
    overflowed: bool,
}

impl Smallest {
    fn new(limits: Limits) -> Self {
        Self { heap: BinaryHeap::new(), bytes: 0, limits, overflowed: false }
    }

    fn offer(&mut self, name: &[u8]) {
        // Once a name was dropped, larger ones are of the next range.
        if self.overflowed && self.heap.peek().is_some_and(|largest| *name > **largest) {
            return;
        }
        self.bytes += cost(name);
        self.heap.push(Box::from(name));
        while self.heap.len() > self.limits.names.max(1)
            || (self.bytes > self.limits.bytes && self.heap.len() > 1)
        {
            if let Some(dropped) = self.heap.pop() {
                self.bytes -= cost(&dropped);
                self.overflowed = true;
            }
        }
    }
}
