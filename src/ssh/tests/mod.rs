//! Against the real thing, OpenSSH's sshd on loopback with its own keys and configuration, and
//! against our own hosts.

mod agent;
mod bench;
mod commands;
mod invite;
mod logins;
mod own;
mod passwords;
mod trust;

use bench::{
    Sshd, dial, dialler, keygen, keyring, keyring_asking, run_tool, skip_without_sshd, user,
};
use own::Own;
