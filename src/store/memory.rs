//! [`Disk`] in memory. What is written is there until the last handle is gone.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::Bytes;
use crate::store::disk::{Append, Disk, DiskError, Listed, check_name};

/// What a memory disk claims to have left.
const FREE_BYTES: Bytes = Bytes(1 << 40);

/// A disk in memory; clones share their files.
#[derive(Debug, Clone, Default)]
pub struct MemoryDisk {
    files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

impl MemoryDisk {
    /// Empty.
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn files(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(
        &self,
        verb: &'static str,
        name: &str,
        act: impl FnOnce(&mut Vec<u8>) -> io::Result<T>,
    ) -> Result<T, DiskError> {
        check_name(verb, name)?;
        let mut files = self.files();
        let found = files.get_mut(name).ok_or_else(|| io::ErrorKind::NotFound.into());
        found.and_then(act).map_err(|source| DiskError::new(verb, name, source))
    }

    fn handle(&self, name: &str) -> Box<dyn Append> {
        Box::new(MemoryFile { disk: self.clone(), name: name.to_owned() })
    }
}

impl Disk for MemoryDisk {
    fn create(&self, name: &str) -> Result<Box<dyn Append>, DiskError> {
        check_name("create", name)?;
        let mut files = self.files();
        if files.contains_key(name) {
            return Err(DiskError::new("create", name, io::ErrorKind::AlreadyExists.into()));
        }
        files.insert(name.to_owned(), Vec::new());
        Ok(self.handle(name))
    }

    fn reopen(&self, name: &str, length: u64) -> Result<Box<dyn Append>, DiskError> {
        self.with("reopen", name, |bytes| {
            let length = usize::try_from(length).ok().filter(|length| *length <= bytes.len());
            bytes.truncate(length.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        })?;
        Ok(self.handle(name))
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), DiskError> {
        check_name("write", name)?;
        self.files().insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn read(&self, name: &str, offset: u64, length: usize) -> Result<Vec<u8>, DiskError> {
        self.with("read", name, |bytes| {
            let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
            Ok(bytes[start..bytes.len().min(start.saturating_add(length))].to_vec())
        })
    }

    fn length(&self, name: &str) -> Result<u64, DiskError> {
        self.with("look at", name, |bytes| Ok(bytes.len() as u64))
    }

    fn list(&self, prefix: &str) -> Result<Vec<Listed>, DiskError> {
        let listed = |(name, bytes): (&String, &Vec<u8>)| Listed {
            name: name.clone(),
            length: bytes.len() as u64,
        };
        Ok(self.files().iter().filter(|(name, _)| name.starts_with(prefix)).map(listed).collect())
    }

    fn remove(&self, name: &str) -> Result<(), DiskError> {
        self.with("remove", name, |_| Ok(()))?;
        self.files().remove(name);
        Ok(())
    }

    fn free_bytes(&self) -> Result<Bytes, DiskError> {
        Ok(FREE_BYTES)
    }
}

struct MemoryFile {
    disk: MemoryDisk,
    name: String,
}

impl Append for MemoryFile {
    fn append(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        self.disk.with("write", &self.name, |file| {
            file.extend_from_slice(bytes);
            Ok(())
        })
    }

    fn sync(&mut self) -> Result<(), DiskError> {
        Ok(())
    }
}
