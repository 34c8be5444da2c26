//! Manifests a second time, on the disk next to home: names, owners and times of everything are
//! small, and without them packs are a heap of pieces.
//!
//! **Promises.**
//! - Home is what counts. A copy is never read while home is there, so one that is behind misleads
//!   nobody; and a second disk that fails costs the copy, never the run.
//! - What was missed is made good when the store is opened to write the next time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::store::disk::{Append, Disk, DiskError, DiskErrorKind, Listed};

/// What is kept twice.
const PREFIX: &str = "manifests/";
/// Copied at a time.
const BLOCK_BYTES: usize = 4 << 20;
/// Copies of the same length whose ends agree are taken to be the same.
const TAIL_BYTES: u64 = 4 << 10;

/// Where copies go.
pub(super) struct Copies {
    home: Arc<dyn Disk>,
    second: Option<Arc<dyn Disk>>,
    is_behind: Arc<AtomicBool>,
}

impl Copies {
    pub(super) fn new(home: Arc<dyn Disk>, second: Option<Arc<dyn Disk>>) -> Self {
        Self { home, second, is_behind: Arc::default() }
    }

    fn second(&self, name: &str) -> Option<&dyn Disk> {
        let is_kept = name.starts_with(PREFIX) || name == "site";
        if !is_kept || self.is_behind.load(Ordering::Relaxed) {
            return None;
        }
        self.second.as_deref()
    }

    /// After a failure nothing more is copied: what lies there stays whole as far as it goes.
    fn heed<T>(&self, done: Result<T, DiskError>) -> Option<T> {
        if done.is_err() {
            self.is_behind.store(true, Ordering::Relaxed);
        }
        done.ok()
    }

    fn copy(&self, file: Option<Box<dyn Append>>) -> Option<Copy> {
        file.map(|file| Copy { file, is_behind: Arc::clone(&self.is_behind) })
    }

    pub(super) fn create(&self, name: &str) -> Option<Copy> {
        let second = self.second(name)?;
        // What an earlier time left under that name is not at home any more.
        let _ = second.remove(name);
        self.copy(self.heed(second.create(name)))
    }

    pub(super) fn reopen(&self, name: &str, length: u64) -> Option<Copy> {
        let second = self.second(name)?;
        self.copy(self.heed(second.reopen(name, length)))
    }

    pub(super) fn put(&self, name: &str, bytes: &[u8]) {
        if let Some(second) = self.second(name) {
            self.heed(second.put(name, bytes));
        }
    }

    pub(super) fn remove(&self, name: &str) {
        if let Some(second) = self.second(name) {
            self.heed(second.remove(name));
        }
    }

    /// Makes the copies what home has; then they are kept up again.
    pub(super) fn catch_up(&self) -> Result<(), DiskError> {
        let Some(second) = &self.second else { return Ok(()) };
        let there = second.list(PREFIX)?;
        let here = self.home.list(PREFIX)?;
        for file in &here {
            let at = there.binary_search_by(|copy| copy.name.cmp(&file.name));
            let copy = at.ok().map(|at| &there[at]);
            if copy.is_none_or(|copy| copy.length != file.length) || !self.ends_alike(file)? {
                self.copy_whole(&**second, file, copy.is_some())?;
            }
        }
        for copy in &there {
            if here.binary_search_by(|file| file.name.cmp(&copy.name)).is_err() {
                second.remove(&copy.name)?;
            }
        }
        if let Ok(site) = self.home.read("site", 0, BLOCK_BYTES) {
            second.put("site", &site)?;
        }
        self.is_behind.store(false, Ordering::Relaxed);
        Ok(())
    }

    fn ends_alike(&self, file: &Listed) -> Result<bool, DiskError> {
        let Some(second) = &self.second else { return Ok(true) };
        let from = file.length.saturating_sub(TAIL_BYTES);
        let tail = |disk: &dyn Disk| disk.read(&file.name, from, TAIL_BYTES as usize);
        Ok(tail(&*self.home)? == tail(&**second)?)
    }

    fn copy_whole(
        &self,
        second: &dyn Disk,
        file: &Listed,
        is_there: bool,
    ) -> Result<(), DiskError> {
        if is_there {
            second.remove(&file.name)?;
        }
        let mut copy = second.create(&file.name)?;
        let mut at = 0;
        while at < file.length {
            let block = match self.home.read(&file.name, at, BLOCK_BYTES) {
                // A reader at home may see a file go; nobody else removes any.
                Err(error) if error.kind == DiskErrorKind::NotFound => break,
                block => block?,
            };
            if block.is_empty() {
                break;
            }
            copy.append(&block)?;
            at += block.len() as u64;
        }
        copy.sync()
    }
}

/// A file's copy.
pub(super) struct Copy {
    file: Box<dyn Append>,
    is_behind: Arc<AtomicBool>,
}

/// A file and its copy, if it has one.
pub(super) struct Copied {
    file: Box<dyn Append>,
    copy: Option<Copy>,
}

impl Copied {
    pub(super) fn over(file: Box<dyn Append>, copy: Option<Copy>) -> Box<dyn Append> {
        match copy {
            None => file,
            copy => Box::new(Self { file, copy }),
        }
    }

    fn also(&mut self, act: impl FnOnce(&mut dyn Append) -> Result<(), DiskError>) {
        let Some(copy) = &mut self.copy else { return };
        if copy.is_behind.load(Ordering::Relaxed) || act(&mut *copy.file).is_err() {
            copy.is_behind.store(true, Ordering::Relaxed);
            self.copy = None;
        }
    }
}

impl Append for Copied {
    fn append(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        self.file.append(bytes)?;
        self.also(|copy| copy.append(bytes));
        Ok(())
    }

    fn sync(&mut self) -> Result<(), DiskError> {
        self.file.sync()?;
        self.also(|copy| copy.sync());
        Ok(())
    }
}
