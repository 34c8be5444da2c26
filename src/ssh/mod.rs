//! Nothing but bytes to and from a remote process.
//!
//! The way in, top down: a [`Dialler`] paces dials, keeps bastions and stops after refused logins;
//! `connect` opens the socket, agrees on keys and checks the host's; `auth` logs in, with keys or
//! a `password`; a [`Connection`] runs commands, by `sudo` where that is needed. [`probe`] and
//! [`deploy`] are the two things evac does over there by shell: looking round and placing the
//! agent; [`sftp`] moves files where there is no shell. [`embedded`] is a small SSH host in this
//! process, for the demonstration and the tests. [`invite`] is the other way round: the agent of a
//! host that nobody can log in to calls here.
//!
//! **Promises.**
//! - Host keys are strict ([`hosts`]): an unknown or changed key never gets a login attempt.
//! - No bare connections: every dial means to log in (sshd counts the others against us). Only a
//!   check of the gate ([`shown_key`]) looks at a key and leaves; and where nobody answers is
//!   knocked ([`knock`]), until the first answer.
//! - A refused login is never repeated by itself; after two for a user and host, or one with a
//!   password, none is tried until somebody acts ([`Dialler::reset`]). No sshd sees a fifth failure
//!   within ten minutes, whoever acts, and in how many commands.
//! - A password is in memory only, and goes to nobody but the sshd whose key was accepted, and to
//!   its sudo at a prompt that is ours (`sudo`).
//! - Every channel that was opened is closed, also when its owner is dropped.
//! - What the far side says is bounded before it is kept and made printable before it is shown.
//! - Nothing here waits for ever: connecting, logging in, opening a channel and writing all have an
//!   end. Reading has none: silence is judged by whoever knows what should come.

mod algorithms;
mod auth;
mod channel;
mod client_config;
mod connect;
mod connection;
pub mod deploy;
pub mod dial;
pub mod embedded;
mod fault;
pub mod hosts;
pub mod invite;
mod keyring;
pub mod knock;
mod password;
pub mod probe;
mod program;
mod refusal;
mod secret;
pub mod sftp;
mod shown;
mod sudo;
mod terminal;
mod wire;

use std::path::PathBuf;

pub use channel::{Exec, ExecReader, ExecWriter, Exit};
pub use client_config::{ConfigQuestion, Configured, Explained, Hop, configured, explained};
pub use connect::Purpose;
pub use connection::{Connection, Output};
pub use dial::{DialLimits, Dialler};
pub use fault::SshError;
pub use hosts::{HostName, KnownHosts, Place, Verdict};
pub use keyring::{Ask, Keyring, NobodyThere, agent_socket};
pub use refusal::Refusal;
pub use secret::Question;
pub use shown::shown_key;

/// A login on a machine, and the way there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Name or address, as the last hop before it resolves it.
    pub address: String,
    /// Port of its sshd.
    pub port: u16,
    /// Whom to log in as.
    pub user: String,
    /// Private key files, tried in order. A certificate `NAME-cert.pub` beside a key goes first;
    /// where only `NAME.pub` exists, the ssh-agent is asked to sign.
    pub identities: Vec<PathBuf>,
    /// Socket of an ssh-agent ([`agent_socket`]); what it holds is tried after `identities`.
    pub agent: Option<PathBuf>,
    /// The machine to go through, which may have one itself.
    pub jump: Option<Box<Endpoint>>,
    /// Stands for the address in `known_hosts` (OpenSSH's `HostKeyAlias`).
    pub host_key_alias: Option<String>,
    /// The one key to accept; `known_hosts` then only revokes. As `TYPE BASE64`, or as `SHA256:…`,
    /// which must be that of the key the host shows us first (Ed25519 where it has one).
    pub host_key: Option<String>,
    /// Files of pinned keys, read in order.
    pub known_hosts: Vec<PathBuf>,
    /// What else there is to get in by.
    pub means: Means,
}

/// Means to get in besides keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Means {
    /// Says the password, where no key is let in.
    pub password: Option<Question>,
    /// Says what sudo wants, where it wants a password.
    pub sudo_password: Option<Question>,
    /// Says the passphrase of a key; `{key}` in it is the key's file.
    pub passphrase: Option<Question>,
    /// May SHA-1 and CBC be used, for sshds that have nothing better?
    pub legacy: bool,
}

impl Endpoint {
    /// How `known_hosts` files name this host.
    pub fn host_name(&self) -> HostName {
        match &self.host_key_alias {
            Some(alias) => HostName::alias(alias),
            None => HostName::new(&self.address, self.port),
        }
    }

    /// The sshd meant, told apart from one with the same address behind another bastion.
    pub fn sshd(&self) -> String {
        let here = format!("{}:{}", self.address.to_lowercase(), self.port);
        match &self.jump {
            Some(jump) => format!("{here} via {}", jump.sshd()),
            None => here,
        }
    }
}
#[cfg(test)]
mod tests;
