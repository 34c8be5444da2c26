//! What we log in with: keys from files, certificates beside them, an ssh-agent.
//!
//! **Promises.** Everything that needs a person or a disk happens before the dial, so that no
//! connection waits unauthenticated for a passphrase. A passphrase is asked for once in a process,
//! of a program if one is named, else of a person, however many hosts need the key; what came of
//! it, good or bad, is kept until somebody acts.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Certificate, PrivateKey};
use tokio::time::timeout;

use super::secret::{Secret, Secrets};
use super::{Endpoint, Question, Refusal, SshError};
use crate::model::text::bounded;

/// Keys offered on one connection. sshd counts each as a failure; hardened ones hang up after four.
pub const MAX_OFFERS: usize = 3;
/// Where a password follows: it counts too.
const MAX_OFFERS_BEFORE_PASSWORD: usize = 2;
/// How often a person may mistype.
const MAX_ASKED: u32 = 3;
const AGENT_TIMEOUT: Duration = Duration::from_secs(10);
/// A key file is a few kilobytes.
const MAX_KEY_BYTES: u64 = 1 << 20;

/// Asks a person.
pub trait Ask: Send + Sync {
    /// The passphrase of the key in `identity`; `attempt` counts from 1. `None`: nobody answers.
    fn passphrase(&self, identity: &Path, attempt: u32) -> Option<String>;
}

/// Nobody is there to be asked.
#[derive(Debug, Clone, Copy)]
pub struct NobodyThere;

impl Ask for NobodyThere {
    fn passphrase(&self, _identity: &Path, _attempt: u32) -> Option<String> {
        None
    }
}

/// The socket of the ssh-agent that the environment names.
pub fn agent_socket() -> Option<PathBuf> {
    std::env::var_os("SSH_AUTH_SOCK").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// One thing to log in with.
#[derive(Clone)]
pub(super) enum Offer {
    /// A key we hold.
    Key { key: Arc<PrivateKey>, label: String },
    /// A key we hold and what an authority says of it.
    Certified { key: Arc<PrivateKey>, certificate: Box<Certificate>, label: String },
    /// A key the agent holds.
    Agent { identity: Box<AgentIdentity>, socket: PathBuf, label: String },
}

impl Offer {
    pub(super) fn label(&self) -> &str {
        match self {
            Self::Key { label, .. } | Self::Certified { label, .. } | Self::Agent { label, .. } => {
                label
            }
        }
    }
}

/// What one file turned out to be.
#[derive(Clone)]
enum Loaded {
    Key(Arc<PrivateKey>),
    /// Only the public half is here.
    PublicOnly,
    /// With what was tried to open it.
    Locked(String),
    Unusable(String),
}

/// Private keys, opened once in a process, and passwords, asked for once.
pub struct Keyring {
    ask: Arc<dyn Ask>,
    secrets: Secrets,
    loaded: Mutex<HashMap<PathBuf, Arc<Mutex<Option<Loaded>>>>>,
}

impl Keyring {
    /// Asks `ask` for passphrases.
    pub fn new(ask: Arc<dyn Ask>) -> Self {
        Self { ask, secrets: Secrets::default(), loaded: Mutex::new(HashMap::new()) }
    }

    /// Passwords.
    pub(super) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Every key that may be offered for `endpoint`, best first, at most [`MAX_OFFERS`]. Where
    /// there is none but a password, that is asked for now; otherwise not before it is needed.
    pub(super) async fn offers(
        self: &Arc<Self>,
        endpoint: &Endpoint,
    ) -> Result<Vec<Offer>, SshError> {
        let held = match &endpoint.agent {
            Some(socket) => agent_identities(socket).await,
            None => Ok(Vec::new()),
        };
        let agent_failure = held.as_ref().err().cloned();
        let held = held.unwrap_or_default();
        let (ring, wanted) = (Arc::clone(self), endpoint.clone());
        let opened = tokio::task::spawn_blocking(move || ring.files_first(&wanted, &held))
            .await
            .expect("opening key files does not panic");
        if let Some(question) = &endpoint.means.password {
            let mut offers = opened.unwrap_or_default();
            offers.truncate(MAX_OFFERS_BEFORE_PASSWORD);
            if offers.is_empty() {
                let (host, user) = (endpoint.address.clone(), endpoint.user.clone());
                let asked = self.secrets.ask(question).await;
                asked.map_err(|why| Refusal::PasswordCommand { host, user, why })?;
            }
            return Ok(offers);
        }
        let mut offers = opened?;
        offers.truncate(MAX_OFFERS);
        match (offers.is_empty(), agent_failure, &endpoint.agent) {
            (false, ..) => Ok(offers),
            (true, Some(why), Some(socket)) => {
                Err(SshError::Identity { path: socket.clone(), why })
            }
            (true, ..) => Err(SshError::NoIdentity {
                host: endpoint.address.clone(),
                user: endpoint.user.clone(),
            }),
        }
    }

    /// Offers from files first, then what else the agent holds.
    fn files_first(
        &self,
        endpoint: &Endpoint,
        held: &[AgentIdentity],
    ) -> Result<Vec<Offer>, SshError> {
        let mut offers = Vec::new();
        let mut used = Vec::new();
        let mut failure = None;
        for path in &endpoint.identities {
            if offers.len() >= MAX_OFFERS {
                break;
            }
            match self.of_file(path, endpoint, held, &mut used) {
                Ok(found) => offers.extend(found),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        let rest = held.iter().filter(|one| !used.contains(one.public_key().key_data()));
        offers.extend(rest.filter_map(|one| by_agent(one, endpoint)));
        match failure {
            Some(error) if offers.is_empty() => Err(error),
            _ => Ok(offers),
        }
    }

    /// What the file `path` gives: its certificate, then its key.
    fn of_file(
        &self,
        path: &Path,
        endpoint: &Endpoint,
        held: &[AgentIdentity],
        used: &mut Vec<KeyData>,
    ) -> Result<Vec<Offer>, SshError> {
        // An agent that holds the key spares the passphrase.
        if let Ok(public) = russh::keys::load_public_key(beside(path, ".pub")) {
            let same = |one: &&AgentIdentity| one.public_key().key_data() == public.key_data();
            let found: Vec<Offer> =
                held.iter().filter(same).filter_map(|one| by_agent(one, endpoint)).collect();
            if !found.is_empty() {
                used.push(public.key_data().clone());
                return Ok(found);
            }
        }
        let key = match self.open(path, endpoint.means.passphrase.as_ref()) {
            Loaded::Key(key) => key,
            Loaded::PublicOnly => {
                let why = "its private half is neither here nor in the ssh-agent".to_owned();
                return Err(SshError::Identity { path: path.to_owned(), why });
            }
            Loaded::Locked(why) => {
                return Err(SshError::Passphrase { path: path.to_owned(), why });
            }
            Loaded::Unusable(why) => {
                return Err(SshError::Identity { path: path.to_owned(), why });
            }
        };
        used.push(key.public_key().key_data().clone());
        let mut offers = Vec::new();
        if let Some(certificate) = certificate_beside(path, &key)? {
            let label = format!("{} (certificate)", path.display());
            offers.push(Offer::Certified { key: Arc::clone(&key), certificate, label });
        }
        offers.push(Offer::Key { key, label: path.display().to_string() });
        Ok(offers)
    }

    /// Opens a key, asking for its passphrase if it has one; whatever comes of it is kept.
    fn open(&self, path: &Path, question: Option<&Question>) -> Loaded {
        let slot = {
            let mut loaded = self.loaded.lock().expect("no holder of this lock panics");
            Arc::clone(loaded.entry(path.to_owned()).or_default())
        };
        // Other hosts that need this key wait here for the one person who is asked.
        let mut slot = slot.lock().expect("no holder of this lock panics");
        slot.get_or_insert_with(|| read_key(path, |text| self.unlock(text, path, question))).clone()
    }

    /// Opens the key in `text`, which has a passphrase.
    fn unlock(&self, text: &str, path: &Path, question: Option<&Question>) -> Loaded {
        let opened = |passphrase: &str| {
            let key = russh::keys::decode_secret_key(text, Some(passphrase)).ok();
            key.map(|key| Loaded::Key(Arc::new(key)))
        };
        let mut why = "nobody is here to be asked, and no `passphrase_command` is written";
        let said = question.map(|question| self.said(path, question));
        let failed = match &said {
            Some(Ok(secret)) => match opened(secret.expose()) {
                Some(key) => return key,
                None => Some("what `passphrase_command` says does not".to_owned()),
            },
            Some(Err(error)) => Some(format!("`passphrase_command` says none: {error}")),
            None => None,
        };
        for attempt in 1..=MAX_ASKED {
            let Some(passphrase) = self.ask.passphrase(path, attempt) else { break };
            if let Some(key) = opened(&passphrase) {
                return key;
            }
            why = "what was typed does not";
        }
        Loaded::Locked(failed.unwrap_or_else(|| why.to_owned()))
    }

    /// What the program says for the key in `path`. Only on threads that may wait.
    fn said(&self, path: &Path, question: &Question) -> Result<Secret, String> {
        let path = path.to_string_lossy();
        let argv = question.argv.iter().map(|word| word.replace("{key}", &path)).collect();
        let question = Question { argv, folder: question.folder.clone() };
        tokio::runtime::Handle::current().block_on(self.secrets.ask(&question))
    }

    /// Somebody acted: keys that could not be opened are looked at again, and passwords asked for
    /// anew.
    pub(super) fn forget(&self, endpoint: &Endpoint) {
        self.secrets.forget(endpoint);
        let mut loaded = self.loaded.lock().expect("no holder of this lock panics");
        for path in &endpoint.identities {
            let is_open = loaded.get(path).is_some_and(|slot| {
                let slot = slot.try_lock();
                slot.is_ok_and(|slot| matches!(*slot, Some(Loaded::Key(_))))
            });
            if !is_open {
                loaded.remove(path);
            }
        }
    }
}

fn read_key(path: &Path, unlock: impl FnOnce(&str) -> Loaded) -> Loaded {
    let text = match std::fs::metadata(path) {
        Ok(meta) if meta.len() > MAX_KEY_BYTES => {
            return Loaded::Unusable("it is too long for a key".to_owned());
        }
        Ok(_) => std::fs::read_to_string(path),
        Err(error) => Err(error),
    };
    let text = match text {
        Ok(text) => text,
        Err(error) => {
            return match russh::keys::load_public_key(beside(path, ".pub")) {
                Ok(_) => Loaded::PublicOnly,
                Err(_) => Loaded::Unusable(error.to_string()),
            };
        }
    };
    match russh::keys::decode_secret_key(&text, None) {
        Ok(key) => return Loaded::Key(Arc::new(key)),
        Err(russh::keys::Error::KeyIsEncrypted) => {}
        Err(error) if !text.contains("ENCRYPTED") => {
            return Loaded::Unusable(bounded(&error.to_string(), 200));
        }
        Err(_) => {}
    }
    unlock(&text)
}

/// `path` with `suffix` behind its whole name.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn certificate_beside(path: &Path, key: &PrivateKey) -> Result<Option<Box<Certificate>>, SshError> {
    let file = beside(path, "-cert.pub");
    let bad = |why: String| SshError::Identity { path: file.clone(), why };
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(bad(error.to_string())),
    };
    let certificate = Certificate::from_openssh(text.trim())
        .map_err(|error| bad(bounded(&error.to_string(), 200)))?;
    if certificate.public_key() != key.public_key().key_data() {
        return Err(bad("it certifies another key".to_owned()));
    }
    Ok(Some(Box::new(certificate)))
}

fn by_agent(identity: &AgentIdentity, endpoint: &Endpoint) -> Option<Offer> {
    let kind = match identity {
        AgentIdentity::PublicKey { .. } => "ssh-agent",
        AgentIdentity::Certificate { .. } => "ssh-agent, certificate",
    };
    let label = format!("{} ({kind})", bounded(identity.comment(), 80));
    let socket = endpoint.agent.clone()?;
    Some(Offer::Agent { identity: Box::new(identity.clone()), socket, label })
}

async fn agent_identities(socket: &Path) -> Result<Vec<AgentIdentity>, String> {
    let listed = async {
        let mut agent = AgentClient::connect_uds(socket).await.map_err(|e| e.to_string())?;
        let mut held = agent.request_identities().await.map_err(|e| e.to_string())?;
        // Certificates first, as a plain key is offered in vain where one is needed.
        held.sort_by_key(|one| matches!(one, AgentIdentity::PublicKey { .. }));
        Ok(held)
    };
    match timeout(AGENT_TIMEOUT, listed).await {
        Ok(listed) => listed,
        Err(_) => Err("the ssh-agent does not answer".to_owned()),
    }
}
