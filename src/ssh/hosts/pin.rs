//! Writing a key down as known.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use russh::keys::PublicKey;

use super::{HostName, KnownHosts, KnownHostsError, Verdict};

/// Why a key was not written down.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// The file cannot be written.
    #[error("cannot write {}", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file cannot be used.
    #[error(transparent)]
    Read(#[from] KnownHostsError),
    /// The name cannot stand in such a file, or the key cannot be written.
    #[error("`{name}` with this key cannot be written as a line of known_hosts")]
    Unwritable {
        /// The name, bounded.
        name: String,
    },
    /// The host has another key in the meantime, or this one is revoked.
    #[error("another key for `{name}` is pinned or this one is revoked at {place}")]
    Contradicted {
        /// The name.
        name: String,
        /// The line.
        place: super::Place,
    },
}

/// Appends a line for `key` to `file` unless it is there already; true when it was added.
///
/// The file is locked meanwhile, so that many hosts may be pinned at once, and the line is written
/// and synced in one piece. A line torn by a power cut is ended before the next one is written, and
/// such a half line is never read as a key.
pub fn pin(file: &Path, name: &HostName, key: &PublicKey) -> Result<bool, PinError> {
    let unwritable =
        || PinError::Unwritable { name: crate::model::text::bounded(name.as_str(), 80) };
    let legal = |c: char| c.is_ascii_graphic() && !matches!(c, ',' | '*' | '?' | '!' | '|' | '#');
    if name.as_str().is_empty()
        || name.as_str().starts_with('@')
        || !name.as_str().chars().all(legal)
    {
        return Err(unwritable());
    }
    let mut bare = key.clone();
    bare.set_comment("");
    let text = bare.to_openssh().map_err(|_| unwritable())?;
    let io = |source| PinError::Write { file: file.to_owned(), source };
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o600);
    let mut open = options.open(file).map_err(io)?;
    open.lock().map_err(io)?;
    append(&mut open, file, name, key, text.trim_end())
}

fn append(
    open: &mut File,
    file: &Path,
    name: &HostName,
    key: &PublicKey,
    text: &str,
) -> Result<bool, PinError> {
    let io = |source| PinError::Write { file: file.to_owned(), source };
    let mut content = Vec::new();
    open.seek(SeekFrom::Start(0)).map_err(io)?;
    open.take(super::MAX_FILE_BYTES).read_to_end(&mut content).map_err(io)?;
    let mut known = KnownHosts::default();
    known.add(file, &content)?;
    match known.check_key(name, key) {
        Verdict::Known => return Ok(false),
        Verdict::Changed(place) | Verdict::Revoked(place) => {
            return Err(PinError::Contradicted { name: name.as_str().to_owned(), place });
        }
        Verdict::Unknown | Verdict::BadCertificate(_) => {}
    }
    let torn = content.last().is_some_and(|byte| *byte != b'\n');
    let line = format!("{}{} {text}\n", if torn { "\n" } else { "" }, name.as_str());
    open.write_all(line.as_bytes()).map_err(io)?;
    open.sync_all().map_err(io)?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = File::open(folder.unwrap_or(Path::new("."))).map_err(io)?;
    folder.sync_all().map_err(io)?;
    Ok(true)
}
