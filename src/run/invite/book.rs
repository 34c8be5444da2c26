//! Who is invited: `state/invitations.json`, mode 0600, written whole each time.
//!
//! A file of its own and no table of the ledger, since it holds what is open now; what happened is
//! told in events. It is written by whoever holds `state/lock`: a run, or a command while none goes
//! on. Of a code it holds the hash alone. A host has one invitation; a new one takes its place.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::model::{HostId, Timestamp, TreePath};
use crate::ssh::invite::Sum;
use crate::ssh::invite::script::Bootstrap;

/// Name of the file in the state folder.
const FILE: &str = "invitations.json";
const SCHEMA: u32 = 1;
const FILE_BYTES_MAX: u64 = 64 << 20;

/// One host's invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// Who is invited.
    pub host: HostId,
    /// By whom.
    pub by: String,
    /// When.
    pub made: Timestamp,
    /// Until then the line works.
    pub until: Timestamp,
    /// What is kept of the code.
    pub sum: Sum,
    /// Where the landing site listens, as it stands in the line.
    pub landing: SocketAddr,
    /// Of the agent that the script names.
    pub agent_sha256: String,
    /// Of the landing site's key.
    pub landing_key: String,
    /// Name of the agent's folder.
    pub folder: String,
    /// How long the agent stays without hearing from here.
    pub stay_s: u64,
    /// What it may read.
    #[serde(with = "paths")]
    pub granted: Vec<TreePath>,
    /// The key of the agent that came; the code is used up then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_key: Option<String>,
}

/// Paths of any bytes, as JSON has them.
mod paths {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use crate::model::TreePath;

    pub fn serialize<S: Serializer>(paths: &[TreePath], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(paths.iter().map(TreePath::as_bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<TreePath>, D::Error> {
        let all = Vec::<Vec<u8>>::deserialize(from)?;
        all.into_iter().map(|bytes| TreePath::new(bytes).map_err(D::Error::custom)).collect()
    }
}

impl Invitation {
    /// Does its line still work?
    pub fn is_waiting(&self, now: Timestamp) -> bool {
        self.agent_key.is_none() && now < self.until
    }

    /// Is its host to come, or to come again?
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.agent_key.is_some() || now < self.until
    }

    /// What its script is made of.
    pub fn bootstrap(&self) -> Bootstrap {
        Bootstrap {
            landing: self.landing,
            id: self.sum.id(),
            agent_sha256: self.agent_sha256.clone(),
            landing_key: self.landing_key.clone(),
            folder: self.folder.clone(),
            host: self.host.to_string(),
            generation: self.made.as_second().max(0) as u64,
            stay_s: self.stay_s,
            granted: self.granted.clone(),
        }
    }

    /// In a line, where it stands.
    pub fn text(&self) -> String {
        let host = &self.host;
        match self.agent_key {
            None => {
                format!("waiting for somebody to type the line on {host} (until {})", self.until)
            }
            Some(_) => {
                format!("the agent on {host} called, and calls again when it is cut off")
            }
        }
    }
}

/// All that are open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    schema: u32,
    /// The newest first.
    pub invitations: Vec<Invitation>,
}

impl Default for Book {
    fn default() -> Self {
        Self { schema: SCHEMA, invitations: Vec::new() }
    }
}

/// Why it cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// The file cannot be read or written.
    #[error("cannot {verb} {}", path.display())]
    Io {
        /// What was tried.
        verb: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is not what evac writes.
    #[error("{} is damaged, or of another version of evac", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
    },
}

impl Book {
    /// As it stands in `state`; an empty one where there is none.
    pub fn read(state: &Path) -> Result<Self, BookError> {
        use std::io::Read as _;
        let path = state.join(FILE);
        let failed = |source| BookError::Io { verb: "read", path: path.clone(), source };
        let file = match fs::File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            opened => opened.map_err(failed)?,
        };
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
        let read = serde_json::from_slice::<Self>(&bytes).ok();
        read.filter(|book| book.schema == SCHEMA).ok_or(BookError::Damaged { path })
    }

    /// Whole or not at all, and durable.
    pub fn write(&self, state: &Path) -> Result<(), BookError> {
        let path = state.join(FILE);
        let save = || -> io::Result<()> {
            let beside = path.with_extension("json.new");
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&beside)?;
            file.write_all(&serde_json::to_vec(self)?)?;
            file.sync_all()?;
            fs::rename(&beside, &path)?;
            fs::File::open(state)?.sync_all()
        };
        save().map_err(|source| BookError::Io { verb: "write", path: path.clone(), source })
    }

    /// The invitation of `host`, if it is open.
    pub fn of(&self, host: &HostId, now: Timestamp) -> Option<&Invitation> {
        self.invitations.iter().find(|it| it.host == *host && it.is_open(now))
    }

    /// The open invitation of that public id.
    pub fn by_id(&self, id: &str, now: Timestamp) -> Option<&Invitation> {
        self.invitations.iter().find(|it| it.sum.id() == id && it.is_open(now))
    }

    /// Takes one in, in place of a former one of its host.
    pub fn put(&mut self, invitation: Invitation) {
        self.invitations.retain(|it| it.host != invitation.host);
        self.invitations.insert(0, invitation);
    }

    /// Takes the one of `host` out.
    pub fn remove(&mut self, host: &HostId) -> Option<Invitation> {
        let at = self.invitations.iter().position(|it| it.host == *host)?;
        Some(self.invitations.remove(at))
    }

    /// Takes those out whose time is over and returns them.
    pub fn expire(&mut self, now: Timestamp) -> Vec<Invitation> {
        let (open, over) =
            std::mem::take(&mut self.invitations).into_iter().partition(|it| it.is_open(now));
        self.invitations = open;
        over
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::ssh::invite::Code;
    use std::os::unix::fs::PermissionsExt as _;

    pub fn invitation(host: &str, code: &Code) -> Invitation {
        Invitation {
            host: HostId::new(host).unwrap(),
            by: "jo".into(),
            made: Timestamp::from_second(100),
            until: Timestamp::from_second(200),
            sum: code.sum(),
            landing: "127.0.0.1:7022".parse().unwrap(),
            agent_sha256: "00".into(),
            landing_key: "SHA256:x".into(),
            folder: ".evac-x".into(),
            stay_s: 60,
            granted: vec![TreePath::new(b"/srv/\xff").unwrap()],
            agent_key: None,
        }
    }

    #[test]
    fn a_book_is_private_and_holds_no_code() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(Book::read(state.path()).unwrap(), Book::default());
        let code = Code::random().unwrap();
        let mut book = Book::default();
        book.put(invitation("a", &code));
        book.write(state.path()).unwrap();
        assert_eq!(Book::read(state.path()).unwrap(), book);
        let path = state.path().join(FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains(code.as_str()) && !text.contains(&code.shown()));
        fs::write(&path, "{}").unwrap();
        assert!(matches!(Book::read(state.path()), Err(BookError::Damaged { .. })));
    }

    #[test]
    fn one_invitation_a_host_until_its_time_is_over_or_somebody_came() {
        let (first, second) = (Code::random().unwrap(), Code::random().unwrap());
        let (host, at) = (HostId::new("a").unwrap(), Timestamp::from_second);
        let mut book = Book::default();
        book.put(invitation("a", &first));
        book.put(invitation("a", &second));
        assert!(book.by_id(&first.sum().id(), at(150)).is_none());
        assert!(book.by_id(&second.sum().id(), at(150)).is_some_and(|it| it.is_waiting(at(150))));
        assert!(book.of(&host, at(200)).is_none());
        book.invitations[0].agent_key = Some("ssh-ed25519 x".into());
        assert!(book.of(&host, at(200)).is_some_and(|it| !it.is_waiting(at(150))));
        assert!(book.expire(at(999)).is_empty());
        assert!(book.remove(&host).is_some());
        book.put(invitation("a", &first));
        assert_eq!(book.expire(at(200)).len(), 1);
        assert_eq!(book, Book::default());
    }
}
