//! A small file of secrets or of what is made of them: closed to others, replaced as a whole.
//!
//! **Promises.** Whoever changes it is alone at it, and has made it durable when he returns. One
//! that cannot be read is an error, never a new beginning: what was given out must not die of it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::publish::PublishError;

/// `{"schema": 1, NAME: …}` in the file NAME.
#[derive(Debug, Clone)]
pub struct Kept {
    folder: PathBuf,
    name: &'static str,
}

impl Kept {
    /// The file `name` in `folder`.
    pub fn new(folder: &Path, name: &'static str) -> Self {
        Self { folder: folder.to_owned(), name }
    }

    fn path(&self) -> PathBuf {
        self.folder.join(self.name)
    }

    /// What is kept; nothing before the file is there.
    pub fn read<T: DeserializeOwned + Default>(&self, schema: u32) -> Result<T, PublishError> {
        let path = self.path();
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(T::default()),
            read => read.map_err(failed("read", &path))?,
        };
        let understood = |bytes: &[u8]| {
            let mut document: Value = serde_json::from_slice(bytes)?;
            if document["schema"] != schema {
                return Err(io::Error::other("another evac wrote it"));
            }
            Ok(serde_json::from_value(document[self.name].take())?)
        };
        understood(&bytes).map_err(failed("understand", &path))
    }

    /// Changes what is kept, while nobody else does; returns what it is then.
    pub fn change<T: DeserializeOwned + Serialize + Default + Clone + PartialEq>(
        &self,
        schema: u32,
        change: impl FnOnce(&mut T) -> io::Result<()>,
    ) -> Result<T, PublishError> {
        let folder = &self.folder;
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(failed("make the folder", folder))?;
        let lock = File::open(folder).map_err(failed("open", folder))?;
        let locked = flock(&lock, FlockOperation::LockExclusive).map_err(io::Error::from);
        locked.map_err(failed("lock", folder))?;
        let before: T = self.read(schema)?;
        let mut after = before.clone();
        change(&mut after).map_err(failed("draw a token for", &self.path()))?;
        if after != before {
            self.write(schema, &after).map_err(failed("write", &self.path()))?;
            lock.sync_all().map_err(failed("sync", folder))?;
        }
        Ok(after)
    }

    fn write<T: Serialize>(&self, schema: u32, kept: &T) -> io::Result<()> {
        let fresh = self.folder.join(format!("{}.new", self.name));
        // Left by whoever was killed here; the lock says that nobody is at it.
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        let document = json!({ "schema": schema, self.name: kept });
        file.write_all(&serde_json::to_vec_pretty(&document)?)?;
        file.sync_all()?;
        fs::rename(&fresh, self.path())
    }
}

/// Gives an I/O error its place.
fn failed(action: &'static str, path: &Path) -> impl Fn(io::Error) -> PublishError {
    let path = path.to_owned();
    move |source| PublishError::Io { action, path: path.clone(), source }
}
