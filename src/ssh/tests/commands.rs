//! Commands: bytes there and back, how they end, what they leave behind.

use std::time::Duration;

use bytes::Bytes;

use super::{Sshd, dial, dialler, keyring, skip_without_sshd};
use crate::model::SystemClock;
use crate::ssh::{Exit, Purpose, SshError};

/// Bytes of every value that do not repeat soon.
fn noise(length: usize) -> Bytes {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    Bytes::from(bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_mebibytes_come_back_as_they_went() {
    check_there_and_back("").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_exchanged_anew_under_load() {
    check_there_and_back("RekeyLimit 4M").await;
}

async fn check_there_and_back(extra: &str) {
    if skip_without_sshd() {
        return;
    }
    let sshd = Sshd::start(extra);
    let endpoint = sshd.known_endpoint();
    let connection = dialler(keyring()).dial_once(&endpoint, Purpose::Bulk).await.unwrap();
    let sent = noise(64 << 20);
    let (mut reader, writer) = connection.exec("cat").await.unwrap().split();
    let copy = sent.clone();
    let writing = tokio::spawn(async move {
        writer.write(copy).await.unwrap();
        writer.eof().await.unwrap();
    });
    let mut hasher = blake3::Hasher::new();
    let mut length = 0;
    while let Some(bytes) = reader.read().await.unwrap() {
        length += bytes.len();
        hasher.update(&bytes);
    }
    writing.await.unwrap();
    assert_eq!(length, sent.len());
    assert_eq!(hasher.finalize(), blake3::hash(&sent));
    assert_eq!(reader.finish().await.unwrap(), Exit::Code(0));
}

#[tokio::test]
async fn exit_status_signal_and_stderr_are_kept_apart() {
    if skip_without_sshd() {
        return;
    }
    let sshd = Sshd::start("");
    let connection = dial(&sshd.known_endpoint()).await.unwrap();
    let run = async |command: &str| connection.run(command, Bytes::new(), 1000).await.unwrap();

    let output = run("printf out; printf 'bad\\033[31m' >&2; exit 7").await;
    assert_eq!(output.stdout, b"out");
    assert_eq!(output.stderr, "bad\\u{1b}[31m");
    assert_eq!(output.exit, Exit::Code(7));

    assert_eq!(run("kill -TERM $$").await.exit, Exit::Signal("TERM".to_owned()));

    let output = run("head -c 100000 /dev/zero | tr '\\0' x >&2; printf end >&2").await;
    assert_eq!(output.stderr.len(), 32 * 1024);
    assert!(output.stderr.ends_with("xend"));

    let endless = connection.run("cat /dev/zero", Bytes::new(), 1000).await;
    assert!(matches!(endless, Err(SshError::TooMuch { limit: 1000, .. })), "{endless:?}");
}

#[tokio::test]
async fn abandoned_commands_give_their_channels_back() {
    if skip_without_sshd() {
        return;
    }
    let sshd = Sshd::start("MaxSessions 2");
    let connection = dial(&sshd.known_endpoint()).await.unwrap();
    let exec = async || {
        loop {
            match connection.exec("cat").await {
                // sshd reaps the old command a moment after it took our close.
                Err(SshError::ChannelRefused { .. }) => tokio::task::yield_now().await,
                other => return other.map(drop),
            }
        }
    };
    for round in 0..20 {
        let started = tokio::time::timeout(Duration::from_secs(10), exec()).await;
        assert!(matches!(started, Ok(Ok(()))), "round {round}: {started:?}");
    }
    let closed = async {
        while connection.open_channels() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), closed).await.unwrap();
}

#[tokio::test]
async fn the_round_trip_is_measured_and_goodbye_is_said() {
    if skip_without_sshd() {
        return;
    }
    let sshd = Sshd::start("");
    let connection = dial(&sshd.known_endpoint()).await.unwrap();
    let rtt = connection.rtt(&SystemClock::default()).await.unwrap();
    assert!(rtt > Duration::ZERO && rtt < Duration::from_secs(5), "{rtt:?}");
    connection.close().await;
    assert!(connection.is_closed());
    sshd.wait_for_log("Received disconnect", 1);
    let after = connection.exec("true").await.map(|_| ());
    assert!(matches!(after, Err(SshError::Lost { .. })), "{after:?}");
}
