//! Our own hosts: as good as OpenSSH where they must be, and wrong on request.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;

use super::{dial, keygen};
use crate::model::Reason;
use crate::ssh::embedded::{EmbeddedHost, EmbeddedOptions};
use crate::ssh::{Endpoint, Exit, Means, SshError};

/// A host of our own, and a key for it.
pub struct Own {
    pub host: EmbeddedHost,
    folder: tempfile::TempDir,
}

impl Own {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With tools of its own, found before the machine's: names and scripts.
    pub async fn start_with(tools: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let id = keygen(folder.path(), "id", "ed25519", "");
        let home = folder.path().join("home");
        std::fs::create_dir(&home).unwrap();
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        for (name, script) in tools {
            std::fs::write(bin.join(name), format!("#!/bin/sh\n{script}\n")).unwrap();
            let runs = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(bin.join(name), runs).unwrap();
        }
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        let options = EmbeddedOptions {
            authorized: russh::keys::load_public_key(id.with_extension("pub")).unwrap(),
            environment: vec![
                ("HOME".to_owned(), home.to_str().unwrap().to_owned()),
                ("XDG_RUNTIME_DIR".to_owned(), String::new()),
                ("PATH".to_owned(), path),
            ],
            folder: home,
        };
        Self { host: EmbeddedHost::start(options).await.unwrap(), folder }
    }

    pub fn home(&self) -> std::path::PathBuf {
        self.folder.path().join("home")
    }

    pub fn endpoint(&self) -> Endpoint {
        Endpoint {
            address: "127.0.0.1".to_owned(),
            port: self.host.port(),
            user: "root".to_owned(),
            identities: vec![self.folder.path().join("id")],
            agent: None,
            jump: None,
            host_key_alias: None,
            host_key: Some(self.host.key().to_openssh().unwrap()),
            known_hosts: vec![],
            means: Means::default(),
        }
    }
}

/// Waits for something that another task brings about.
async fn until(what: impl Fn() -> bool) {
    let wait = async {
        while !what() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(20), wait).await.unwrap();
}

#[tokio::test]
async fn commands_are_real_processes() {
    let own = Own::start().await;
    let connection = dial(&own.endpoint()).await.unwrap();
    let run = async |command: &str| {
        connection.run(command, Bytes::from_static(b"in\0put"), 1000).await.unwrap()
    };
    let output = run("cat; pwd; printf bad >&2; exit 9").await;
    let expected = [&b"in\0put"[..], own.home().to_str().unwrap().as_bytes(), b"\n"].concat();
    assert_eq!(output.stdout, expected);
    assert_eq!((output.stderr.as_str(), output.exit), ("bad", Exit::Code(9)));
    assert_eq!(run("kill -KILL $$").await.exit, Exit::Signal("KILL".to_owned()));
    assert_eq!(run("head -c 200 /dev/zero; exec cat >/dev/null").await.stdout.len(), 200);
    until(|| own.host.commands() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bulk_goes_both_ways_at_once() {
    let own = Own::start().await;
    let connection = dial(&own.endpoint()).await.unwrap();
    let (mut reader, writer) = connection.exec("cat").await.unwrap().split();
    let mut sent = vec![0; 64 << 20];
    blake3::Hasher::new().finalize_xof().fill(&mut sent);
    let sent = Bytes::from(sent);
    let expected = blake3::hash(&sent);
    let writing = tokio::spawn(async move {
        writer.write(sent).await.unwrap();
        writer.eof().await.unwrap();
    });
    let mut hasher = blake3::Hasher::new();
    while let Some(bytes) = reader.read().await.unwrap() {
        hasher.update(&bytes);
    }
    writing.await.unwrap();
    assert_eq!(hasher.finalize(), expected);
    assert!(own.host.sent_bytes() > 64 << 20);
}

#[tokio::test]
async fn a_cut_connection_is_lost_and_its_commands_die() {
    let own = Own::start().await;
    let connection = dial(&own.endpoint()).await.unwrap();
    let mut running = connection.exec("cat /dev/zero").await.unwrap();
    let idle = connection.exec("sleep 1000").await.unwrap();
    until(|| own.host.commands() == 2).await;
    let before = own.host.sent_bytes();
    own.host.cut_after(1_000_000);
    let error = loop {
        match running.read().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("an endless command ended"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.reason(), Reason::Lost, "{error}");
    assert!(own.host.sent_bytes() >= before + 1_000_000);
    until(|| own.host.commands() == 0).await;
    drop(idle);
    assert!(connection.is_closed());
    dial(&own.endpoint()).await.expect("it is cut once");
}

#[tokio::test]
async fn logins_are_refused_on_request() {
    let own = Own::start().await;
    own.host.refuse_logins(true);
    let error = dial(&own.endpoint()).await.unwrap_err();
    assert!(matches!(error, SshError::LoginRefused { .. }), "{error:?}");
    own.host.refuse_logins(false);
    dial(&own.endpoint()).await.unwrap();
    assert_eq!(own.host.logins(), 1);
}

#[tokio::test]
async fn a_stalled_host_does_not_keep_us() {
    let own = Own::start().await;
    let connection = dial(&own.endpoint()).await.unwrap();
    own.host.stall(true);
    let silent = timeout(Duration::from_millis(50), connection.exec("echo hello")).await;
    assert!(silent.is_err(), "it answered");
    timeout(Duration::from_secs(20), connection.close()).await.unwrap();
    own.host.stall(false);
    let connection = dial(&own.endpoint()).await.unwrap();
    let mut heard = connection.exec("echo hello").await.unwrap();
    assert_eq!(heard.read().await.unwrap().unwrap(), "hello\n");
}

#[tokio::test]
async fn a_write_to_a_command_that_ended_fails_at_once() {
    let own = Own::start().await;
    let connection = dial(&own.endpoint()).await.unwrap();
    let (mut reader, writer) = connection.exec("exit 5").await.unwrap().split();
    assert_eq!(reader.finish().await.unwrap(), Exit::Code(5));
    let error = writer.write(Bytes::from(vec![0; 8 << 20])).await.unwrap_err();
    assert_eq!(error.reason(), Reason::Lost, "{error}");
}

#[tokio::test]
async fn stopping_leaves_nothing_behind() {
    let own = Own::start().await;
    let connection = dial(&own.endpoint()).await.unwrap();
    let running = connection.exec("sleep 1000 & sleep 1000").await.unwrap();
    until(|| own.host.commands() == 1).await;
    let Own { host, folder: _folder } = own;
    timeout(Duration::from_secs(20), host.stop()).await.unwrap();
    connection.closed().await;
    drop(running);
}
