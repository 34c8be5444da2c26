//! The keys that name chunks, one per dedup domain, in `state/keys/`.
//!
//! # A key file, version 1: `HEX-OF-DOMAIN.key`, mode 0600
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 7 | magic `EVACKEY` |
//! | 7 | 1 | version, 1 |
//! | 8 | 8 | domain: the first bytes of BLAKE3 of its name |
//! | 16 | 32 | key, from the operating system's random numbers |
//! | 48 | 1 | length of the name |
//! | 49 | n | name: `fleet`, `customer/ID` or `host/ID` |
//! | 49 + n | 16 | checksum over all before |
//!
//! **Invariants.** A key file is written once and never replaced. A key is made only for a domain
//! of which the store holds no pack: a lost key file is an error that names the file, because a
//! new key under the old name would silently end all checks of what is stored. Keys stand in no
//! ledger and no log.

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use rustix::fs::OFlags;

use crate::chunk::fields::Fields;
use crate::chunk::{DomainKey, checksum};
use crate::model::{CustomerId, Domain, HostId};

const MAGIC: [u8; 7] = *b"EVACKEY";
const VERSION: u8 = 1;
const SUFFIX: &str = ".key";
/// `customer/` and the longest id.
const FILE_BYTES_MAX: usize = 65 + "customer/".len() + 63;

/// Who may share chunks with whom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DomainName {
    /// Everybody with everybody.
    Fleet,
    /// The workloads of one customer.
    Customer(CustomerId),
    /// The workloads of one host.
    Host(HostId),
}

impl DomainName {
    /// The short form that frames and packs carry.
    pub fn domain(&self) -> Domain {
        let hash = blake3::hash(self.to_string().as_bytes());
        let mut first = [0; Domain::LEN];
        first.copy_from_slice(&hash.as_bytes()[..Domain::LEN]);
        Domain(first)
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fleet => f.write_str("fleet"),
            Self::Customer(id) => write!(f, "customer/{id}"),
            Self::Host(id) => write!(f, "host/{id}"),
        }
    }
}

/// A key file that is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file or its folder cannot be read or written.
    #[error("cannot {verb} key file `{}`", path.display())]
    Io {
        /// What was tried.
        verb: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file holds something else.
    #[error("key file `{}` is damaged", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
    },
    /// Packs need it and it is not there.
    #[error("key file `{}` is missing, and packs are named with it", path.display())]
    Missing {
        /// Where it belongs.
        path: PathBuf,
    },
}

/// All keys of a site.
#[derive(Debug)]
pub struct KeyRing {
    folder: PathBuf,
    keys: RwLock<HashMap<Domain, DomainKey>>,
}

impl KeyRing {
    /// Reads all key files in `folder`, which is made where it is missing.
    pub fn open(folder: &Path) -> Result<Self, KeyError> {
        let fail = |verb, path: &Path| {
            let path = path.to_path_buf();
            move |source| KeyError::Io { verb, path, source }
        };
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(fail("make the folder of", folder))?;
        let mut keys = HashMap::new();
        for entry in fs::read_dir(folder).map_err(fail("list", folder))? {
            let path = entry.map_err(fail("list", folder))?.path();
            let Some(domain) = domain_of(&path) else { continue };
            let bytes = read(&path).map_err(fail("read", &path))?;
            let key = parse(&bytes).filter(|key| key.domain() == domain);
            keys.insert(domain, key.ok_or(KeyError::Damaged { path })?);
        }
        Ok(Self { folder: folder.to_path_buf(), keys: RwLock::new(keys) })
    }

    /// The key of `domain`, if there is one.
    pub fn get(&self, domain: Domain) -> Option<DomainKey> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).get(&domain).cloned()
    }

    /// Where the key of `domain` is, or belongs.
    pub fn path(&self, domain: Domain) -> PathBuf {
        self.folder.join(format!("{domain}{SUFFIX}"))
    }

    /// Makes the key of a domain of which nothing is stored; the store asks for it.
    pub(super) fn make(&self, name: &DomainName) -> Result<DomainKey, KeyError> {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = keys.get(&name.domain()) {
            return Ok(key.clone());
        }
        let path = self.path(name.domain());
        let key = self.write_new(name, &path).map_err(|source| KeyError::Io {
            verb: "write",
            path,
            source,
        })?;
        keys.insert(name.domain(), key.clone());
        Ok(key)
    }

    /// Whole under its name, or not there at all; never over another.
    fn write_new(&self, name: &DomainName, path: &Path) -> io::Result<DomainKey> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|error| io::Error::other(error.to_string()))?;
        let key = DomainKey::new(name.domain(), secret);
        let temporary = path.with_extension("new");
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(&encode(&key, name))?;
        file.sync_all()?;
        fs::hard_link(&temporary, path)?;
        fs::remove_file(&temporary)?;
        File::open(&self.folder)?.sync_all()?;
        Ok(key)
    }
}

fn domain_of(path: &Path) -> Option<Domain> {
    Domain::from_hex(path.file_name()?.to_str()?.strip_suffix(SUFFIX)?)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    use std::io::Read as _;
    let flags = OFlags::NOFOLLOW.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn encode(key: &DomainKey, name: &DomainName) -> Vec<u8> {
    let name = name.to_string();
    let mut bytes = MAGIC.to_vec();
    bytes.push(VERSION);
    bytes.extend_from_slice(key.domain().as_bytes());
    bytes.extend_from_slice(key.secret());
    bytes.push(name.len() as u8);
    bytes.extend_from_slice(name.as_bytes());
    let sum = checksum(&[&bytes]);
    bytes.extend_from_slice(&sum);
    bytes
}

fn parse(bytes: &[u8]) -> Option<DomainKey> {
    let mut fields = Fields(bytes);
    if fields.array()? != MAGIC || fields.u8()? != VERSION {
        return None;
    }
    let (domain, secret) = (Domain(fields.array()?), fields.array()?);
    let length = fields.u8()?;
    let name = fields.bytes(length.into())?;
    let summed = &bytes[..bytes.len() - fields.0.len()];
    let is_right =
        checksum(&[summed]) == fields.0 && blake3::hash(name).as_bytes()[..Domain::LEN] == domain.0;
    is_right.then(|| DomainKey::new(domain, secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("state/keys");
        let name = DomainName::Customer(CustomerId::new("acme").unwrap());
        let ring = KeyRing::open(&keys).unwrap();
        assert_eq!(ring.get(name.domain()), None);
        let key = ring.make(&name).unwrap();
        assert_eq!(ring.make(&name).unwrap(), key);
        let other = ring.make(&DomainName::Fleet).unwrap();
        assert_ne!(other.secret(), key.secret());
        let again = KeyRing::open(&keys).unwrap();
        assert_eq!(again.get(name.domain()), Some(key));
        assert_eq!(fs::read_dir(&keys).unwrap().count(), 2);
        let text = format!("{again:?}");
        assert!(!text.contains(&format!("{:?}", other.secret())), "{text}");
    }

    #[test]
    fn key_files_are_private_and_never_replaced() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let (one, two) =
            (KeyRing::open(folder.path()).unwrap(), KeyRing::open(folder.path()).unwrap());
        let key = one.make(&DomainName::Fleet).unwrap();
        let path = one.path(DomainName::Fleet.domain());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(two.make(&DomainName::Fleet).is_err());
        let again = KeyRing::open(folder.path()).unwrap();
        assert_eq!(again.get(DomainName::Fleet.domain()), Some(key));
    }

    #[test]
    fn a_damaged_key_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let ring = KeyRing::open(folder.path()).unwrap();
        ring.make(&DomainName::Fleet).unwrap();
        let path = ring.path(DomainName::Fleet.domain());
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&path, &bad).unwrap();
            let error = KeyRing::open(folder.path()).unwrap_err();
            assert!(matches!(&error, KeyError::Damaged { path: named } if *named == path));
            fs::write(&path, &good[..at]).unwrap();
            assert!(KeyRing::open(folder.path()).is_err());
        }
    }
}
