//! The landing site's own SSH key: what an agent that calls knows it by.
//!
//! `state/keys/invite`, mode 0600, in OpenSSH's format. It is made once: a script that was handed
//! out names its fingerprint.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, HashAlg, PrivateKey};

const FILE: &str = "invite";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum HostKeyError {
    /// The file cannot be read or written.
    #[error("cannot use the key file {}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It holds something else.
    #[error("the key file {} is damaged", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
    },
}

/// A key that callers are shown.
#[derive(Clone)]
pub struct HostKey(PrivateKey);

impl HostKey {
    /// The one in `keys`; made where it is missing.
    pub fn open(keys: &Path) -> Result<Self, HostKeyError> {
        let path = keys.join(FILE);
        let failed = |source| HostKeyError::Io { path: path.clone(), source };
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make(keys, &path).map_err(failed)?;
                fs::read_to_string(&path).map_err(failed)?
            }
            read => read.map_err(failed)?,
        };
        let key = PrivateKey::from_openssh(&text);
        key.map(Self).map_err(|_| HostKeyError::Damaged { path })
    }

    /// A new one for this process.
    pub fn fresh() -> Result<Self, russh::keys::ssh_key::Error> {
        let mut random = russh::keys::key::safe_rng();
        PrivateKey::random(&mut random, Algorithm::Ed25519).map(Self)
    }

    /// `SHA256:…`.
    pub fn fingerprint(&self) -> String {
        self.0.public_key().fingerprint(HashAlg::Sha256).to_string()
    }

    pub(super) fn private(&self) -> &PrivateKey {
        &self.0
    }
}

/// Whole under its name, or not there at all; of two that make one at a time, the first stays.
fn make(keys: &Path, path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(keys)?;
    let HostKey(key) = HostKey::fresh().map_err(io::Error::other)?;
    let text = key.to_openssh(LineEnding::LF).map_err(io::Error::other)?;
    let temporary = path.with_extension(format!("new-{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    let linked = fs::hard_link(&temporary, path);
    fs::remove_file(&temporary)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => fs::File::open(keys)?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_key_is_made_once_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        let first = HostKey::open(&keys).unwrap().fingerprint();
        assert_eq!(HostKey::open(&keys).unwrap().fingerprint(), first);
        assert!(first.starts_with("SHA256:"));
        let mode = fs::metadata(keys.join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(&keys).unwrap().count(), 1);
        fs::write(keys.join(FILE), "x").unwrap();
        assert!(matches!(HostKey::open(&keys), Err(HostKeyError::Damaged { .. })));
    }
}
