//! Whom we talk to: a strict reading of OpenSSH's `known_hosts` files.
//!
//! The format is that of sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT": hashed names (`|1|salt|hash`,
//! HMAC-SHA1), `*` and `?`, negation, `[host]:port`, `@cert-authority`, `@revoked`, comments, tabs,
//! several keys for a host, several files.
//!
//! **Promises.** Everything but [`pin()`] is pure. A revoked key is refused before anything else is
//! looked at, and so is a certificate whose authority is revoked. A host with any pinned key is
//! never "unknown": another key, of whatever type, is [`Verdict::Changed`]. Keys are compared as
//! the bytes that cross the wire. A line that cannot be read is passed over as OpenSSH does, except
//! one that revokes: a file with an unreadable `@revoked` line is not used at all.
//!
//! Stricter than OpenSSH: a key pinned for port 22 does not vouch for another port.

mod certificate;
mod line;
mod pin;

use std::fmt;
use std::path::{Path, PathBuf};

use russh::keys::{Algorithm, Certificate, EcdsaCurve, HashAlg, PublicKey, PublicKeyOrCertificate};

use line::{Line, Marker};
pub use pin::{PinError, pin};

/// A file longer than this is not a list of hosts.
const MAX_FILE_BYTES: u64 = 32 << 20;

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// A host as `known_hosts` files name it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostName {
    /// `host`, or `[host]:port` where the port is not 22.
    listed: String,
    /// `host`, which a certificate's principals are held against.
    bare: String,
}

impl HostName {
    /// The name of `port` at `address`.
    pub fn new(address: &str, port: u16) -> Self {
        let bare = address.to_lowercase();
        let listed = if port == 22 { bare.clone() } else { format!("[{bare}]:{port}") };
        Self { listed, bare }
    }
    /// A name given by hand (`HostKeyAlias`); ports do not matter to it.
    pub fn alias(alias: &str) -> Self {
        let bare = alias.to_lowercase();
        Self { listed: bare.clone(), bare }
    }
    /// As a line of the file begins.
    pub fn as_str(&self) -> &str {
        &self.listed
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.listed)
    }
}

/// What the files say about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Pinned, or vouched for by an authority that is.
    Known,
    /// Nothing is known of this host.
    Unknown,
    /// The host has other keys; the first of them stands here.
    Changed(Place),
    /// The key, or the authority that signed it, is revoked here.
    Revoked(Place),
    /// A trusted authority signed this certificate, but it does not hold.
    BadCertificate(&'static str),
}

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum KnownHostsError {
    /// It is there but unreadable.
    #[error("cannot read {}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is absurdly long.
    #[error("{} is longer than {MAX_FILE_BYTES} bytes", file.display())]
    TooLong {
        /// The file.
        file: PathBuf,
    },
    /// A line that revokes a key cannot be understood.
    #[error("{place}: this `@revoked` line cannot be read ({why})")]
    UnreadableRevocation {
        /// The line.
        place: Place,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// What the files of one site say, read once for each connection.
#[derive(Debug, Clone, Default)]
pub struct KnownHosts {
    lines: Vec<Line>,
}

impl KnownHosts {
    /// Reads `files` in order; one that does not exist is empty.
    pub fn load(files: &[PathBuf]) -> Result<Self, KnownHostsError> {
        let mut known = Self::default();
        for file in files {
            let read = |source| KnownHostsError::Read { file: file.clone(), source };
            match std::fs::metadata(file) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(read(error)),
                Ok(meta) if meta.len() > MAX_FILE_BYTES => {
                    return Err(KnownHostsError::TooLong { file: file.clone() });
                }
                Ok(_) => known.add(file, &std::fs::read(file).map_err(read)?)?,
            }
        }
        Ok(known)
    }

    /// Reads the content of one file.
    pub fn add(&mut self, file: &Path, content: &[u8]) -> Result<(), KnownHostsError> {
        for (index, bytes) in content.split(|byte| *byte == b'\n').enumerate() {
            let place = || Place { file: file.to_owned(), line: index + 1 };
            match line::parse(&String::from_utf8_lossy(bytes)) {
                Ok(Some(entry)) => self.lines.push(Line { place: place(), ..entry }),
                Ok(None) => {}
                Err(bad) if bad.revokes => {
                    return Err(KnownHostsError::UnreadableRevocation {
                        place: place(),
                        why: bad.why,
                    });
                }
                Err(_) => {}
            }
        }
        Ok(())
    }

    fn matching(&self, name: &HostName, marker: Marker) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(move |line| {
            line.marker == marker && line.patterns.matches(name.listed.as_str())
        })
    }

    /// Judges what a host showed; `now` is seconds since 1970.
    pub fn check(&self, name: &HostName, shown: &PublicKeyOrCertificate, now: u64) -> Verdict {
        match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => self.check_key(name, key),
            PublicKeyOrCertificate::Certificate(shown) => self.check_certificate(name, shown, now),
        }
    }

    /// Judges a bare key.
    pub fn check_key(&self, name: &HostName, key: &PublicKey) -> Verdict {
        let Ok(blob) = key.to_bytes() else { return Verdict::Unknown };
        if let Some(line) = self.matching(name, Marker::Revoked).find(|line| line.blob == blob) {
            return Verdict::Revoked(line.place.clone());
        }
        let mut first = None;
        for line in self.matching(name, Marker::None) {
            if line.blob == blob {
                return Verdict::Known;
            }
            first = first.or(Some(&line.place));
        }
        first.map_or(Verdict::Unknown, |place| Verdict::Changed(place.clone()))
    }

    /// Judges a certificate. One from an authority nobody pinned counts as the bare key inside it,
    /// as in OpenSSH.
    fn check_certificate(&self, name: &HostName, shown: &Certificate, now: u64) -> Verdict {
        let authority = PublicKey::new(shown.signature_key().clone(), "");
        let Ok(authority) = authority.to_bytes() else { return Verdict::Unknown };
        let revoked = |line: &&Line| line.blob == authority;
        if let Some(line) = self.matching(name, Marker::Revoked).find(revoked) {
            return Verdict::Revoked(line.place.clone());
        }
        let key = PublicKey::new(shown.public_key().clone(), "");
        let as_key = self.check_key(name, &key);
        let trusted = |line: &Line| line.blob == authority;
        if matches!(as_key, Verdict::Revoked(_))
            || !self.matching(name, Marker::Authority).any(trusted)
        {
            return as_key;
        }
        match certificate::check(shown, &name.bare, now) {
            Ok(()) => Verdict::Known,
            Err(why) => Verdict::BadCertificate(why),
        }
    }

    /// Which host key algorithms to ask for: those pinned for the host first, so that a pinned RSA
    /// key does not meet an Ed25519 offer; then the rest. SHA-1 is never asked for.
    pub fn algorithms(&self, name: &HostName) -> Vec<Algorithm> {
        let pinned: Vec<&str> =
            self.matching(name, Marker::None).map(|line| line.algorithm.as_str()).collect();
        let is_pinned = |algorithm: &Algorithm| match algorithm {
            Algorithm::Rsa { .. } => pinned.contains(&"ssh-rsa"),
            other => pinned.contains(&other.as_str()),
        };
        let (mut first, rest): (Vec<_>, Vec<_>) = host_keys().into_iter().partition(is_pinned);
        first.extend(rest);
        first
    }

    /// Which certificates to ask for: none unless an authority is pinned for this host.
    pub fn certificate_algorithms(&self, name: &HostName) -> Vec<Algorithm> {
        if self.matching(name, Marker::Authority).next().is_some() { host_keys() } else { vec![] }
    }
}

/// Host key algorithms in our order of preference.
fn host_keys() -> Vec<Algorithm> {
    vec![
        Algorithm::Ed25519,
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
        Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
        Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
    ]
}

#[cfg(test)]
mod tests;
