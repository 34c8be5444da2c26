//! Everything that can go wrong between here and a remote process, and the word for it.
//!
//! **Promise.** A host that is full or bans us ([`SshError::NotAllowedNow`]), a connection cut
//! before the banner ([`SshError::ResetBeforeBanner`]) and a connection lost later are told apart:
//! they call for different patience.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Exit, HostName, Place, Refusal, hosts};
use crate::model::Reason;
use crate::model::text::bounded;

/// Why a connection, a login or a command did not come about.
#[derive(Debug, thiserror::Error)]
pub enum SshError {
    /// The name of the host leads nowhere.
    #[error("cannot resolve {host}")]
    Resolve {
        /// The host.
        host: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// None of the host's addresses took the connection.
    #[error("no address of {host} answers ({})", shown(tried))]
    Unreachable {
        /// The host.
        host: String,
        /// Every address tried, with what it said.
        tried: Vec<(SocketAddr, std::io::ErrorKind)>,
    },
    /// The bastion could not or would not connect us.
    #[error("{via} does not connect to {host} ({why})")]
    Forward {
        /// The host behind.
        host: String,
        /// The bastion.
        via: String,
        /// What it said.
        why: String,
        /// It forbids forwarding altogether.
        forbidden: bool,
    },
    /// sshd is full, or has had enough of us, and says so before its banner
    /// (MaxStartups, PerSourcePenalties).
    #[error("{host} takes no more connections from here for now ({said})")]
    NotAllowedNow {
        /// The host.
        host: String,
        /// Its line.
        said: String,
    },
    /// The connection was cut before sshd said a word: a full sshd, a ban or a firewall.
    #[error("{host} hung up before its banner")]
    ResetBeforeBanner {
        /// The host.
        host: String,
    },
    /// Something else than an SSH server answers.
    #[error("{host} does not speak SSH (it said `{said}`)")]
    NotSsh {
        /// The host.
        host: String,
        /// Its first line.
        said: String,
    },
    /// Nothing came for too long.
    #[error("{host} stayed silent for {seconds} s while {doing}")]
    Silent {
        /// The host.
        host: String,
        /// What was going on.
        doing: &'static str,
        /// The limit.
        seconds: u64,
    },
    /// Agreeing on algorithms and keys failed.
    #[error("key exchange with {host} failed")]
    Handshake {
        /// The host.
        host: String,
        /// Why.
        #[source]
        source: russh::Error,
    },
    /// The host's key is not pinned anywhere.
    #[error("the {} key of {name}, {fingerprint}, is not in {}", key.algorithm(), listed(files))]
    HostKeyUnknown {
        /// The host as `known_hosts` names it.
        name: HostName,
        /// Its key's fingerprint.
        fingerprint: String,
        /// The key itself, for [`hosts::pin`].
        key: Box<russh::keys::PublicKey>,
        /// Where it was looked for.
        files: Vec<PathBuf>,
    },
    /// The host has another key than the pinned one.
    #[error("the key of {name} is now {fingerprint}, which is not the one pinned at {pinned}")]
    HostKeyChanged {
        /// The host as `known_hosts` names it.
        name: String,
        /// The key it showed.
        fingerprint: String,
        /// Where the other one stands: `file:line`, or the inventory.
        pinned: String,
    },
    /// The host's key, or its certificate's authority, is revoked.
    #[error("the key of {name}, {fingerprint}, is revoked at {place}")]
    HostKeyRevoked {
        /// The host as `known_hosts` names it.
        name: String,
        /// The key it showed.
        fingerprint: String,
        /// The line that revokes it.
        place: Place,
    },
    /// The certificate of the host comes from a trusted authority but does not hold.
    #[error("the certificate of {name} does not hold: {why}")]
    HostCertificate {
        /// The host as `known_hosts` names it.
        name: String,
        /// Why not.
        why: &'static str,
    },
    /// The inventory's `host_key` is no key.
    #[error("`host_key` of {host} is neither `TYPE BASE64` nor `SHA256:…`")]
    HostKeyText {
        /// The host.
        host: String,
    },
    /// A file of pinned keys cannot be used.
    #[error(transparent)]
    KnownHosts(#[from] hosts::KnownHostsError),
    /// A private key or certificate cannot be used.
    #[error("cannot use {}: {why}", path.display())]
    Identity {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// No passphrase that was given opens the key.
    #[error("no passphrase given opens {}: {why}", path.display())]
    Passphrase {
        /// The file.
        path: PathBuf,
        /// What was tried.
        why: String,
    },
    /// There is nothing to log in with.
    #[error("there is no key to log in to {host} as {user} with")]
    NoIdentity {
        /// The host.
        host: String,
        /// The user.
        user: String,
    },
    /// None of our keys is accepted.
    #[error("{host} lets none of these in as {user}: {}", tried.join(", "))]
    LoginRefused {
        /// The host.
        host: String,
        /// The user.
        user: String,
        /// What was offered, and what the host would take besides.
        tried: Vec<String>,
    },
    /// Logins were refused before; none is tried until somebody acts.
    #[error("{refused} logins to {host} as {user} were refused; none is tried until you say so")]
    BreakerOpen {
        /// The host.
        host: String,
        /// The user.
        user: String,
        /// How many.
        refused: u32,
        /// Was it a password that was refused?
        by_password: bool,
    },
    /// The connection ended in the middle.
    #[error("the connection to {host} was lost while {doing} ({why})")]
    Lost {
        /// The host.
        host: String,
        /// What was going on.
        doing: &'static str,
        /// How it ended, as far as known.
        why: String,
    },
    /// The host opens no channel, or runs no command.
    #[error("{host} runs no command ({why})")]
    ChannelRefused {
        /// The host.
        host: String,
        /// What it said.
        why: String,
    },
    /// A command over there failed.
    #[error("`{what}` on {host} failed ({exit}): {said}")]
    Command {
        /// The host.
        host: String,
        /// What it was to do.
        what: &'static str,
        /// How it ended.
        exit: Exit,
        /// The end of what it said, bounded and printable.
        said: String,
    },
    /// The far side answers what it should not.
    #[error("{host} answers nonsense: {why}")]
    Nonsense {
        /// The host.
        host: String,
        /// What is wrong.
        why: String,
    },
    /// The far side has become too talkative.
    #[error("{host} sent more than {limit} bytes where a few were expected")]
    TooMuch {
        /// The host.
        host: String,
        /// The bound.
        limit: usize,
    },
    /// The agent found no place, see [`super::deploy`].
    #[error("no folder on {host} lets the agent start ({why})")]
    AgentPlace {
        /// The host.
        host: String,
        /// What was tried.
        why: String,
    },
    /// Every place for the agent is full.
    #[error("{folder} on {host} is full: {needed} bytes are needed for the agent")]
    SourceFull {
        /// The host.
        host: String,
        /// The folder.
        folder: String,
        /// Size of the agent.
        needed: u64,
    },
    /// We are not root over there and `sudo -n` does not help.
    #[error("{user} on {host} is not root and `sudo -n` says: {said}")]
    Sudo {
        /// The host.
        host: String,
        /// The user.
        user: String,
        /// What sudo said.
        said: String,
    },
    /// The way in ends before work begins.
    #[error(transparent)]
    Refusal(#[from] Refusal),
    /// A hop on the way failed.
    #[error("cannot get past {via}")]
    Jump {
        /// The hop.
        via: String,
        /// Why.
        #[source]
        source: Arc<SshError>,
    },
    /// The machine we run on is out of something.
    #[error("this machine cannot open a connection to {host}")]
    Local {
        /// The host.
        host: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

fn listed(files: &[PathBuf]) -> String {
    if files.is_empty() {
        return "any file of known hosts, as none is set".to_owned();
    }
    files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn shown(tried: &[(SocketAddr, std::io::ErrorKind)]) -> String {
    let one = |(address, kind): &(SocketAddr, std::io::ErrorKind)| format!("{address}: {kind}");
    bounded(&tried.iter().map(one).collect::<Vec<_>>().join("; "), 400)
}

impl SshError {
    /// The word under which people find it.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Resolve { .. } => Reason::NoAddress,
            Self::Unreachable { tried, .. } => {
                let refused =
                    |one: &(_, std::io::ErrorKind)| one.1 == std::io::ErrorKind::ConnectionRefused;
                if !tried.is_empty() && tried.iter().all(refused) {
                    Reason::Refused
                } else {
                    Reason::Unreachable
                }
            }
            Self::Forward { forbidden: false, .. } => Reason::Unreachable,
            Self::Forward { .. } => Reason::NoForward,
            Self::NotAllowedNow { .. } => Reason::TurnedAway,
            Self::ResetBeforeBanner { .. } | Self::ChannelRefused { .. } => Reason::Refused,
            Self::Refusal(refusal) => refusal.reason(),
            Self::Silent { .. } => Reason::Timeout,
            Self::HostKeyUnknown { .. } => Reason::HostKeyUnknown,
            Self::HostKeyChanged { .. }
            | Self::HostKeyRevoked { .. }
            | Self::HostCertificate { .. } => Reason::HostKeyChanged,
            Self::HostKeyText { .. } | Self::KnownHosts(_) => Reason::Inventory,
            Self::Identity { .. }
            | Self::Passphrase { .. }
            | Self::NoIdentity { .. }
            | Self::LoginRefused { .. }
            | Self::BreakerOpen { by_password: false, .. } => Reason::Auth,
            Self::BreakerOpen { .. } => Reason::AuthPassword,
            Self::Lost { .. } => Reason::Lost,
            Self::Handshake { source, .. } if is_cut(source) => Reason::Lost,
            Self::NotSsh { .. }
            | Self::Handshake { .. }
            | Self::Nonsense { .. }
            | Self::TooMuch { .. } => Reason::Protocol,
            Self::Command { .. } => Reason::SourceError,
            Self::AgentPlace { .. } => Reason::AgentPlace,
            Self::SourceFull { .. } => Reason::SourceFull,
            Self::Sudo { .. } => Reason::Sudo,
            Self::Jump { source, .. } => source.reason(),
            Self::Local { .. } => Reason::Internal,
        }
    }

    /// The key that [`hosts::pin`] would have to write down for this not to happen again, be it the
    /// host's or that of a hop on the way.
    pub fn unknown_key(&self) -> Option<(&HostName, &russh::keys::PublicKey)> {
        match self {
            Self::HostKeyUnknown { name, key, .. } => Some((name, key)),
            Self::Jump { source, .. } => source.unknown_key(),
            _ => None,
        }
    }

    /// Is trying again, unchanged, likely to help?
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Forward { forbidden, .. } => !forbidden,
            Self::Jump { source, .. } => source.is_temporary(),
            // Descriptors and ports come back when other connections end.
            Self::Local { .. } => true,
            other => other.reason().is_temporary(),
        }
    }
}

/// Did the connection end, as opposed to the far side doing something wrong?
fn is_cut(error: &russh::Error) -> bool {
    use russh::Error as E;
    matches!(
        error,
        E::Disconnect | E::HUP | E::IO(_) | E::SendError | E::RecvError | E::KeepaliveTimeout
    )
}
