//! The only door to the store's files: an object store's verbs.
//!
//! Names are relative, `/`-separated, of `[a-zA-Z0-9._-]`, and no component begins with a dot.
//!
//! **What is durable when.** [`Append::sync`] makes everything appended so far durable, and on its
//! first call for a handle the file's name too. [`Disk::put`] and [`Disk::remove`] are durable
//! when they return, and happen whole or not at all. [`Disk::create`], and the cut that
//! [`Disk::reopen`] makes, are durable after the first sync of that handle.
//!
//! **After a failure.** A failed append may leave part of its bytes behind; `reopen` cuts them. A
//! failed sync leaves everything since the latest good one in doubt for ever: Linux may have
//! dropped those pages, and a second sync would answer "fine". So nothing syncs such a file again
//! without cutting the doubtful part first.

use std::io;

use crate::model::Bytes;

/// Longest name.
const NAME_BYTES_MAX: usize = 255;

/// Where the store keeps its files.
pub trait Disk: Send + Sync {
    /// A new, empty file to append to; fails if the name is taken.
    fn create(&self, name: &str) -> Result<Box<dyn Append>, DiskError>;

    /// Cuts an existing file to `length` and appends on from there; fails if it is shorter.
    fn reopen(&self, name: &str, length: u64) -> Result<Box<dyn Append>, DiskError>;

    /// Writes a whole small file, replacing what was there.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), DiskError>;

    /// `length` bytes from `offset`; fewer only where the file ends.
    fn read(&self, name: &str, offset: u64, length: usize) -> Result<Vec<u8>, DiskError>;

    /// How long a file is now.
    fn length(&self, name: &str) -> Result<u64, DiskError>;

    /// All files whose name begins with `prefix`, sorted by name.
    fn list(&self, prefix: &str) -> Result<Vec<Listed>, DiskError>;

    /// Deletes a file.
    fn remove(&self, name: &str) -> Result<(), DiskError>;

    /// What is left for us to fill.
    fn free_bytes(&self) -> Result<Bytes, DiskError>;

    /// May so much more content be put into the file `name`?
    fn has_room(&self, _name: &str, _bytes: u64) -> bool {
        true
    }

    /// Parts of it that are not there, and on which files may be that are not listed.
    fn away(&self) -> Vec<String> {
        Vec::new()
    }
    /// Nobody needs this file soon: what is read of it next comes from the disk itself, where that
    /// can be had.
    fn forget(&self, _name: &str) {}

    /// [`Append::sync`] on every one of `files`, together where that is faster. Answers stand in
    /// the same order.
    fn sync_all(&self, files: &mut [&mut Box<dyn Append>]) -> Vec<Result<(), DiskError>> {
        files.iter_mut().map(|file| file.sync()).collect()
    }
}

/// A file that only grows. Dropping it neither syncs nor removes anything.
pub trait Append: Send {
    /// Adds `bytes` at the end.
    fn append(&mut self, bytes: &[u8]) -> Result<(), DiskError>;

    /// Makes everything appended so far durable, and the file's name.
    fn sync(&mut self) -> Result<(), DiskError>;
}

/// A file as [`Disk::list`] shows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// Its full name.
    pub name: String,
    /// Its length now.
    pub length: u64,
}

/// What kind of failure it was; decides what is done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskErrorKind {
    /// There is no such file.
    NotFound,
    /// The name is taken.
    Exists,
    /// No space, or no quota, is left.
    Full,
    /// It may be on a disk that is not there.
    Away,
    /// Anything else.
    Failed,
}

/// A failed call on a [`Disk`].
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} `{name}`")]
pub struct DiskError {
    /// What kind of failure it was.
    pub kind: DiskErrorKind,
    /// What was tried.
    pub verb: &'static str,
    /// On which file.
    pub name: String,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

impl DiskError {
    /// Sorts `source` by kind.
    pub fn new(verb: &'static str, name: &str, source: io::Error) -> Self {
        let kind = match source.kind() {
            io::ErrorKind::NotFound => DiskErrorKind::NotFound,
            io::ErrorKind::AlreadyExists => DiskErrorKind::Exists,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DiskErrorKind::Full,
            _ => DiskErrorKind::Failed,
        };
        Self { kind, verb, name: crate::model::text::bounded(name, 200), source }
    }
}

/// How many files are synced at the same time: enough for one journal commit to serve several.
const SYNC_THREADS: usize = 8;

/// [`Append::sync`] on several files at once.
pub(super) fn sync_side_by_side(files: &mut [&mut Box<dyn Append>]) -> Vec<Result<(), DiskError>> {
    if files.len() < 2 {
        return files.iter_mut().map(|file| file.sync()).collect();
    }
    let share = files.len().div_ceil(SYNC_THREADS);
    let sync = |files: &mut [&mut Box<dyn Append>]| -> Vec<Result<(), DiskError>> {
        files.iter_mut().map(|file| file.sync()).collect()
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = files
            .chunks_mut(share)
            .map(|files| (files.len(), scope.spawn(move || sync(files))))
            .collect();
        threads.into_iter().flat_map(|(count, thread)| joined(count, thread)).collect()
    })
}

/// The answers of a thread; one that panicked has synced nothing for sure.
fn joined(
    count: usize,
    thread: std::thread::ScopedJoinHandle<'_, Vec<Result<(), DiskError>>>,
) -> Vec<Result<(), DiskError>> {
    let lost = || Err(DiskError::new("sync", "a file", io::Error::other("its thread ended")));
    thread.join().unwrap_or_else(|_| (0..count).map(|_| lost()).collect())
}

/// Is `name` a name this trait allows?
pub(super) fn check_name(verb: &'static str, name: &str) -> Result<(), DiskError> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let fits = |part: &str| !part.is_empty() && !part.starts_with('.') && part.bytes().all(allowed);
    if name.len() <= NAME_BYTES_MAX && name.split('/').all(fits) {
        return Ok(());
    }
    let source = io::Error::new(io::ErrorKind::InvalidInput, "not a name for a file of the store");
    Err(DiskError::new(verb, name, source))
}
