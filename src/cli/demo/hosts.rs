//! The machines of the demonstration: SSH hosts in this process, a port and a key each, and the one
//! key that lets evac in.

use std::fs;
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey, PublicKey};
use tokio::runtime::Runtime;

use crate::cli::Failure;
use crate::ssh::HostName;
use crate::ssh::embedded::{EmbeddedHost, EmbeddedOptions};
use crate::ssh::hosts::pin;

/// An ordinary user has no root to become: whatever root would do is done as him, which is right
/// where all that is read and written is his own.
const SUDO: &str = "#!/bin/sh\n\
    # There is no root in this demonstration: what sudo would run runs as you.\n\
    while [ $# -gt 0 ]; do case $1 in -n) shift ;; --) shift; break ;; *) break ;; esac; done\n\
    exec \"$@\"\n";
/// Folders in which an agent may have been put, beside the homes.
const AGENT_FOLDERS: [&str; 4] = ["/dev/shm", "/run", "/var/tmp", "/tmp"];

/// The machines, and the runtime that they live on.
pub struct Machines {
    runtime: Runtime,
    /// In the order they were started.
    hosts: Vec<EmbeddedHost>,
    homes: Vec<PathBuf>,
}

impl Machines {
    /// Starts a machine for each of `names`, with a home beneath `folder`; writes the key that they
    /// let in and pins theirs in `site`.
    pub fn start(names: &[&str], folder: &Path, site: &Path) -> Result<Self, Failure> {
        let fail = |error: io::Error| Failure::failed("cannot start an SSH host").because(&error);
        let authorized = make_key(&site.join("evac-key")).map_err(fail)?;
        let runtime = crate::cli::engine::runtime()?;
        let mut machines = Self { runtime, hosts: Vec::new(), homes: Vec::new() };
        for name in names {
            let home = folder.join(name);
            let environment = environment(&home).map_err(fail)?;
            let options = EmbeddedOptions {
                authorized: authorized.clone(),
                environment,
                folder: home.clone(),
            };
            let host = machines.runtime.block_on(EmbeddedHost::start(options)).map_err(fail)?;
            let listed = HostName::new("127.0.0.1", host.port());
            pin(&site.join("known_hosts"), &listed, host.key())
                .map_err(|error| Failure::failed("cannot pin a host key").because(&error))?;
            machines.hosts.push(host);
            machines.homes.push(home);
        }
        Ok(machines)
    }

    /// The runtime, for what else waits for events.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The ports, in the order the machines were named.
    pub fn ports(&self) -> Vec<u16> {
        self.hosts.iter().map(EmbeddedHost::port).collect()
    }

    /// One of them.
    pub fn host(&self, index: usize) -> &EmbeddedHost {
        &self.hosts[index]
    }

    /// Ends them all with whatever still runs on them, removes what agents of the site `id` left,
    /// and says where that was: nowhere, after an evacuation that ended well.
    pub fn stop(self, id: &str) -> Vec<PathBuf> {
        let Self { runtime, hosts, homes } = self;
        for host in hosts {
            runtime.block_on(host.stop());
        }
        let shared = AGENT_FOLDERS.iter().map(PathBuf::from);
        let mut left: Vec<PathBuf> =
            shared.chain(homes).flat_map(|folder| left_in(&folder, id)).collect();
        left.sort();
        for folder in &left {
            // Ours by its name; if it cannot go, it is named all the same.
            let _ = fs::remove_dir_all(folder);
        }
        left
    }
}

fn left_in(folder: &Path, id: &str) -> Vec<PathBuf> {
    let prefix = format!(".evac-{id}-");
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let ours = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix));
    ours.map(|entry| entry.path()).collect()
}

/// A new key pair, the private half in `file`.
fn make_key(file: &Path) -> io::Result<PublicKey> {
    let other = |error: russh::keys::ssh_key::Error| io::Error::other(error.to_string());
    let mut random = russh::keys::key::safe_rng();
    let key = PrivateKey::random(&mut random, Algorithm::Ed25519).map_err(other)?;
    let text = key.to_openssh(LineEnding::LF).map_err(other)?;
    let mut options = fs::OpenOptions::new();
    let mut open = options.write(true).create_new(true).mode(0o600).open(file)?;
    io::Write::write_all(&mut open, text.as_bytes())?;
    Ok(key.public_key().clone())
}

/// A home of its own, and for ordinary users something to be root with.
fn environment(home: &Path) -> io::Result<Vec<(String, String)>> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    fs::create_dir_all(home)?;
    let mut environment =
        vec![("HOME".to_owned(), text(home)), ("XDG_RUNTIME_DIR".to_owned(), String::new())];
    if !rustix::process::geteuid().is_root() {
        let bin = home.join("bin");
        fs::create_dir_all(&bin)?;
        fs::write(bin.join("sudo"), SUDO)?;
        fs::set_permissions(bin.join("sudo"), fs::Permissions::from_mode(0o755))?;
        let path = std::env::var("PATH").unwrap_or_default();
        environment.push(("PATH".to_owned(), format!("{}:{path}", text(&bin))));
    }
    Ok(environment)
}
