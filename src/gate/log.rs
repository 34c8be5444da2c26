//! `state/holds.log`: a line of JSON for each hold and each step of a release, appended and synced.
//!
//! **Promises.** What [`HoldsLog::append`] wrote is durable when it returns. Nothing is ever taken
//! out or changed. Processes take turns by flock(2), so no run has to end for a hold. A last line
//! without an end was never acknowledged: it is ended by the next writer, and counts as unreadable
//! until somebody looked, since it may have been meant as a hold.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use crate::gate::holds::{Holds, Line};

/// Its name in the state folder.
pub const HOLDS_FILE: &str = "holds.log";
/// More lines than people can write.
const LOG_BYTES_MAX: u64 = 64 << 20;

/// Why the log could not be used.
#[derive(Debug, thiserror::Error)]
pub enum HoldsError {
    /// The file failed.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// The file of holds.
#[derive(Debug, Clone)]
pub struct HoldsLog {
    path: PathBuf,
}

impl HoldsLog {
    /// The log in the folder `state`.
    pub fn of(state: &Path) -> Self {
        Self { path: state.join(HOLDS_FILE) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whoever is held back; without a file nobody is.
    pub fn read(&self) -> Result<Holds, HoldsError> {
        let file = match File::open(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Holds::default()),
            opened => opened.map_err(|source| self.failed("open", source))?,
        };
        Ok(Holds::of(&self.lines(&file)?))
    }

    /// Lets `decide` look at what stands and say what to add, while nobody else writes; returns
    /// what it decided, and the holds after that.
    pub fn append<T>(
        &self,
        decide: impl FnOnce(&Holds) -> (Vec<Line>, T),
    ) -> Result<(T, Holds), HoldsError> {
        let mut options = OpenOptions::new();
        let opened = options.read(true).append(true).create(true).mode(0o600).open(&self.path);
        let mut file = opened.map_err(|source| self.failed("open", source))?;
        rustix::fs::flock(&file, FlockOperation::LockExclusive)
            .map_err(|errno| self.failed("lock", errno.into()))?;
        let before = self.lines(&file)?;
        let (added, decided) = decide(&Holds::of(&before));
        if !added.is_empty() {
            self.write(&mut file, &added).map_err(|source| self.failed("write", source))?;
        }
        let after: Vec<_> = before.into_iter().chain(added.into_iter().map(Some)).collect();
        Ok((decided, Holds::of(&after)))
    }

    fn write(&self, file: &mut File, lines: &[Line]) -> std::io::Result<()> {
        let mut text = if is_torn(file)? { String::from("\n") } else { String::new() };
        for line in lines {
            text.push_str(&serde_json::to_string(line)?);
            text.push('\n');
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        // The name must be as durable as what it names.
        self.path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }

    fn lines(&self, file: &File) -> Result<Vec<Option<Line>>, HoldsError> {
        let mut bytes = Vec::new();
        let read = file.take(LOG_BYTES_MAX + 1).read_to_end(&mut bytes);
        let length = read.map_err(|source| self.failed("read", source))?;
        if length as u64 > LOG_BYTES_MAX {
            let source = std::io::Error::other("it is larger than 64 MiB");
            return Err(self.failed("read", source));
        }
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        Ok(lines.map(|line| serde_json::from_slice(line).ok()).collect())
    }

    fn failed(&self, action: &'static str, source: std::io::Error) -> HoldsError {
        HoldsError::Io { action, path: self.path.clone(), source }
    }
}

fn is_torn(file: &File) -> std::io::Result<bool> {
    let Some(last) = file.metadata()?.len().checked_sub(1) else { return Ok(false) };
    let mut byte = [0];
    file.read_exact_at(&mut byte, last)?;
    Ok(byte != *b"\n")
}
