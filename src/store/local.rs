//! [`Disk`] on a folder of this machine: folders 0700, files 0600, symbolic links not followed.
//!
//! A folder made on the way is made durable in its parent the first time this process needs it,
//! so a file that was synced can be found again after a power loss.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::OFlags;

use crate::model::Bytes;
use crate::store::disk::{Append, Disk, DiskError, Listed, check_name, sync_side_by_side};

/// A folder as a disk.
#[derive(Debug)]
pub struct LocalDisk {
    root: PathBuf,
    /// Folders whose whole chain up to the root this process has synced.
    durable_folders: Mutex<HashSet<PathBuf>>,
}

impl LocalDisk {
    /// Opens `root`, making it where it is missing.
    pub fn open(root: &Path) -> Result<Self, DiskError> {
        let fail = |source| DiskError::new("open", &root.to_string_lossy(), source);
        let is_new = !root.exists();
        DirBuilder::new().recursive(true).mode(0o700).create(root).map_err(fail)?;
        let root = root.canonicalize().map_err(fail)?;
        if is_new {
            root.parent().map_or(Ok(()), sync_folder).map_err(fail)?;
        }
        Ok(Self { root, durable_folders: Mutex::default() })
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn path(&self, verb: &'static str, name: &str) -> Result<PathBuf, DiskError> {
        check_name(verb, name)?;
        Ok(self.root.join(name))
    }

    /// Makes `folder` and what is missing above it, durably.
    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        let known = || self.durable_folders.lock().unwrap_or_else(PoisonError::into_inner);
        if folder == self.root || known().contains(folder) {
            return Ok(());
        }
        let parent = folder.parent().ok_or(io::ErrorKind::InvalidInput)?;
        self.make_folder(parent)?;
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => sync_folder(parent)?,
        }
        known().insert(folder.to_path_buf());
        Ok(())
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let folder = folder_of(path)?;
        self.make_folder(folder)?;
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let temporary = folder.join(format!(".{}.tmp", name.to_string_lossy()));
        let written = options().create(true).write(true).truncate(true).open(&temporary).and_then(
            |mut file| {
                file.write_all(bytes)?;
                file.sync_all()
            },
        );
        let moved = written.and_then(|()| fs::rename(&temporary, path));
        if moved.is_err() {
            // The first error is the one to tell; a leftover is overwritten by the next try.
            let _ = fs::remove_file(&temporary);
        }
        moved.and_then(|()| sync_folder(folder))
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600).custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    options
}

fn folder_of(path: &Path) -> io::Result<&Path> {
    path.parent().ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

impl Disk for LocalDisk {
    fn create(&self, name: &str) -> Result<Box<dyn Append>, DiskError> {
        let path = self.path("create", name)?;
        let open = || {
            self.make_folder(folder_of(&path)?)?;
            options().append(true).create_new(true).open(&path)
        };
        let file = open().map_err(|source| DiskError::new("create", name, source))?;
        Ok(Box::new(LocalFile { file, name: name.into(), path, is_name_durable: false }))
    }

    fn reopen(&self, name: &str, length: u64) -> Result<Box<dyn Append>, DiskError> {
        let path = self.path("reopen", name)?;
        let open = || {
            self.make_folder(folder_of(&path)?)?;
            let file = options().append(true).open(&path)?;
            if file.metadata()?.len() < length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            file.set_len(length)?;
            Ok(file)
        };
        let file = open().map_err(|source| DiskError::new("reopen", name, source))?;
        Ok(Box::new(LocalFile { file, name: name.into(), path, is_name_durable: false }))
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), DiskError> {
        let path = self.path("write", name)?;
        self.replace(&path, bytes).map_err(|source| DiskError::new("write", name, source))
    }

    fn read(&self, name: &str, offset: u64, length: usize) -> Result<Vec<u8>, DiskError> {
        let path = self.path("read", name)?;
        let read = || {
            let file = options().read(true).open(&path)?;
            let left = file.metadata()?.len().saturating_sub(offset);
            let mut bytes = vec![0; length.min(usize::try_from(left).unwrap_or(usize::MAX))];
            file.read_exact_at(&mut bytes, offset)?;
            Ok(bytes)
        };
        read().map_err(|source| DiskError::new("read", name, source))
    }

    fn length(&self, name: &str) -> Result<u64, DiskError> {
        let path = self.path("look at", name)?;
        let metadata = fs::symlink_metadata(&path);
        metadata.map(|found| found.len()).map_err(|source| DiskError::new("look at", name, source))
    }

    fn list(&self, prefix: &str) -> Result<Vec<Listed>, DiskError> {
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut found = Vec::new();
        let start = if folder.is_empty() { self.root.clone() } else { self.path("list", folder)? };
        walk(&start, folder, &mut found)
            .map_err(|source| DiskError::new("list", prefix, source))?;
        found.retain(|file| file.name.starts_with(prefix));
        found.sort_unstable();
        Ok(found)
    }

    fn remove(&self, name: &str) -> Result<(), DiskError> {
        let path = self.path("remove", name)?;
        let removed = fs::remove_file(&path).and_then(|()| sync_folder(folder_of(&path)?));
        removed.map_err(|source| DiskError::new("remove", name, source))
    }

    fn free_bytes(&self) -> Result<Bytes, DiskError> {
        let found = rustix::fs::statvfs(&self.root).map_err(|errno| {
            DiskError::new("look at", &self.root.to_string_lossy(), errno.into())
        })?;
        Ok(Bytes(found.f_bavail.saturating_mul(found.f_frsize)))
    }

    fn forget(&self, name: &str) {
        // A hint: what was synced is dropped from memory, and nothing is lost where it is not.
        let opened = self.path("read", name).and_then(|path| {
            options().read(true).open(&path).map_err(|error| DiskError::new("read", name, error))
        });
        if let Ok(file) = opened {
            let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
        }
    }

    fn sync_all(&self, files: &mut [&mut Box<dyn Append>]) -> Vec<Result<(), DiskError>> {
        sync_side_by_side(files)
    }
}

/// Every file below `folder`; dot files are temporary and no part of the store.
fn walk(folder: &Path, name: &str, found: &mut Vec<Listed>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let file_name = entry.file_name();
        let Some(last) = file_name.to_str().filter(|last| !last.starts_with('.')) else {
            continue;
        };
        let full = if name.is_empty() { last.to_owned() } else { format!("{name}/{last}") };
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(&entry.path(), &full, found)?;
        } else if kind.is_file() && check_name("list", &full).is_ok() {
            match entry.metadata() {
                Ok(metadata) => found.push(Listed { name: full, length: metadata.len() }),
                // A writer beside us may remove what it has no use for.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

struct LocalFile {
    file: File,
    name: String,
    path: PathBuf,
    is_name_durable: bool,
}

impl Append for LocalFile {
    fn append(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        self.file.write_all(bytes).map_err(|source| DiskError::new("write", &self.name, source))
    }

    fn sync(&mut self) -> Result<(), DiskError> {
        let mut sync = || {
            if self.is_name_durable {
                return self.file.sync_data();
            }
            self.file.sync_all()?;
            sync_folder(folder_of(&self.path)?)?;
            self.is_name_durable = true;
            Ok(())
        };
        sync().map_err(|source| DiskError::new("sync", &self.name, source))
    }
}
