//! Looking round and placing the agent, over OpenSSH and over our own hosts.

use std::path::Path;
use std::sync::Mutex;

use bytes::Bytes;

use super::{Own, Sshd, dial, skip_without_sshd};
use crate::model::{HostId, Reason, SiteId};
use crate::ssh::deploy::{Agent, Placed, place};
use crate::ssh::probe::{Facts, Folder, Root, Runs, probe};
use crate::ssh::{Connection, SshError};

const MAGIC: &[u8] = b"EVACAGT1";
/// Says the magic, its arguments, then what it is told.
const STAND_IN: &[u8] = b"#!/bin/sh\nprintf 'EVACAGT1[%s]' \"$*\"\nexec cat\n";

fn site() -> SiteId {
    SiteId([7; 8])
}

/// A name no other test uses.
fn host() -> HostId {
    let mut random = [0; 8];
    getrandom::fill(&mut random).unwrap();
    HostId::new(format!("t{:x}", u64::from_le_bytes(random))).unwrap()
}

async fn put(
    connection: &Connection,
    facts: &Facts,
    host: &HostId,
    binary: &[u8],
) -> Result<Placed, SshError> {
    let agent = Agent::new(Bytes::copy_from_slice(binary));
    place(connection, facts, site(), host, &agent, &|_| {}).await
}

/// What the host says, with agents run as whoever we are where nobody can be root.
async fn facts_of(connection: &Connection) -> Facts {
    let facts = probe(connection).await.unwrap();
    match facts.root {
        Root::No(_) => Facts { root: Root::Already, ..facts },
        _ => facts,
    }
}

async fn check_life_of_an_agent(connection: &Connection) {
    let facts = facts_of(connection).await;
    assert_eq!(facts.system, "Linux");
    assert!(facts.kernel.starts_with(char::is_numeric) && facts.clock_s.is_some(), "{facts:?}");
    assert!(facts.folders.iter().any(|folder| folder.runs == Runs::Yes && folder.free.0 > 0));
    let host = host();
    let mut big = STAND_IN.to_vec();
    big.resize(3 << 20, b'#');
    let agent = Agent::new(Bytes::from(big.clone()));
    let with_zstd = facts.tools.contains("zstd");
    let facts = Facts { tools: std::collections::BTreeSet::new(), ..facts };
    let steps = Mutex::new(Vec::new());
    let progress = |sent: crate::model::Bytes| steps.lock().unwrap().push(sent.0);
    let placed = place(connection, &facts, site(), &host, &agent, &progress).await.unwrap();
    assert_eq!(placed.uploaded.0, big.len() as u64);
    assert_eq!(*steps.lock().unwrap(), [1 << 20, 2 << 20, 3 << 20]);

    let mut running = placed.start(connection, &["agent", "it's", "$HOME"], MAGIC).await.unwrap();
    running.write(Bytes::from_static(b"hello")).await.unwrap();
    let expected = b"[agent it's $HOME]hello";
    let mut said = Vec::new();
    while said.len() < expected.len() {
        said.extend_from_slice(&running.read().await.unwrap().unwrap());
    }
    assert_eq!(said, expected);
    drop(running);

    let again = place(connection, &facts, site(), &host, &agent, &|_| {}).await.unwrap();
    assert_eq!((again.uploaded.0, &again.path), (0, &placed.path), "found again");
    let mut damaged = std::fs::read(&placed.path).unwrap();
    damaged[1 << 20] ^= 1;
    std::fs::write(&placed.path, damaged).unwrap();
    let again = place(connection, &facts, site(), &host, &agent, &|_| {}).await.unwrap();
    assert_eq!(again.uploaded.0, big.len() as u64, "a damaged one is sent again");
    assert_eq!(std::fs::read(&placed.path).unwrap(), big);

    placed.remove(connection).await.unwrap();
    placed.remove(connection).await.unwrap();
    assert!(!Path::new(&placed.folder).exists());

    if with_zstd {
        let facts = Facts { tools: ["zstd".to_owned()].into(), ..facts };
        let placed = place(connection, &facts, site(), &host, &agent, &|_| {}).await.unwrap();
        assert!(placed.uploaded.0 < 100_000, "{}", placed.uploaded);
        assert_eq!(std::fs::read(&placed.path).unwrap(), big);
        placed.remove(connection).await.unwrap();
    }
}

#[tokio::test]
async fn an_agent_lives_and_goes_over_openssh() {
    if skip_without_sshd() {
        return;
    }
    let sshd = Sshd::start("");
    check_life_of_an_agent(&dial(&sshd.known_endpoint()).await.unwrap()).await;
}

#[tokio::test]
async fn an_agent_lives_and_goes_over_our_own_host() {
    let own = Own::start().await;
    check_life_of_an_agent(&dial(&own.endpoint()).await.unwrap()).await;
    let left: Vec<_> = std::fs::read_dir(own.home()).unwrap().collect();
    assert!(left.is_empty(), "the probe left {left:?}");
}

/// Facts that name `folder` only.
async fn facts_with(connection: &Connection, folder: &Path, runs: Runs, free: u64) -> Facts {
    let folder = Folder {
        path: folder.to_str().unwrap().to_owned(),
        file_system: "tmpfs".to_owned(),
        free: crate::model::Bytes(free),
        runs,
    };
    Facts { folders: vec![folder], ..facts_of(connection).await }
}

#[tokio::test]
async fn a_host_without_a_place_says_what_was_tried() {
    let own = Own::start().await;
    let connection = dial(&own.endpoint()).await.unwrap();
    let host = host();
    let home = own.home();
    let check = async |facts: Facts, reason: Reason, text: &str| {
        let error = put(&connection, &facts, &host, STAND_IN).await.unwrap_err();
        assert_eq!(error.reason(), reason, "{error}");
        assert!(error.to_string().contains(text), "{error}");
    };
    let plenty = 1 << 30;
    let good = facts_with(&connection, &home, Runs::Yes, plenty).await;
    let noexec = facts_with(&connection, &home, Runs::NoExec, plenty).await;
    check(noexec, Reason::NoExecFolder, "noexec").await;
    let full = facts_with(&connection, &home, Runs::Yes, 10).await;
    check(full, Reason::SourceFull, home.to_str().unwrap()).await;
    let said = "sudo: a password is required".to_owned();
    check(Facts { root: Root::No(said), ..good.clone() }, Reason::Sudo, "password").await;
    let other = Facts { machine: "mips".to_owned(), ..good.clone() };
    check(other, Reason::AgentPlace, "mips").await;
    let gone = facts_with(&connection, &home.join("gone"), Runs::Yes, plenty).await;
    check(gone, Reason::AgentPlace, "gone").await;

    // Somebody else got there first, with a link to where he wants it.
    let elsewhere = own.home().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let ours = home.join(format!(".evac-{}-{host}", site()));
    std::os::unix::fs::symlink(&elsewhere, &ours).unwrap();
    check(good, Reason::AgentPlace, "not ours").await;
    assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 0);
}

#[tokio::test]
async fn noise_before_the_magic_is_passed_over_within_reason() {
    let own = Own::start().await;
    let connection = dial(&own.endpoint()).await.unwrap();
    let facts = facts_with(&connection, &own.home(), Runs::Yes, 1 << 30).await;
    let placed = put(&connection, &facts, &host(), STAND_IN).await.unwrap();
    let noise = [&b"Welcome\xff EVACAGT EVACA"[..], &vec![b'x'; 60_000]].concat();
    for noise in [&noise[..], b"", b"EVACAGT", b"E"] {
        own.host.say_first(noise);
        let mut running = placed.start(&connection, &["a"], MAGIC).await.unwrap();
        assert_eq!(running.read().await.unwrap().unwrap(), &b"[a]"[..]);
    }
    own.host.say_first(&vec![b'x'; 70_000]);
    let error = placed.start(&connection, &[], MAGIC).await.map(drop).unwrap_err();
    assert!(matches!(error, SshError::TooMuch { .. }), "{error:?}");
}

#[tokio::test]
async fn an_agent_that_does_not_start_says_why() {
    let own = Own::start().await;
    let connection = dial(&own.endpoint()).await.unwrap();
    let facts = facts_with(&connection, &own.home(), Runs::Yes, 1 << 30).await;
    let check = async |binary: &[u8], reason: Reason, text: &str| {
        let placed = put(&connection, &facts, &host(), binary).await.unwrap();
        let error = placed.start(&connection, &[], MAGIC).await.map(drop).unwrap_err();
        assert_eq!(error.reason(), reason, "{error}");
        assert!(error.to_string().contains(text), "{error}");
        placed.remove(&connection).await.unwrap();
        let error = placed.start(&connection, &[], MAGIC).await.map(drop).unwrap_err();
        assert_eq!(error.reason(), Reason::AgentPlace, "{error}");
    };
    let foreign = b"\x7fELF\x02\x01\x01 of another machine";
    check(foreign, Reason::AgentPlace, "evac-agent-").await;
    check(b"#!/bin/sh\necho no luck >&2; exit 3\n", Reason::SourceError, "no luck").await;
}

/// An `id` of somebody who is not root, and a `sudo` that notes what it runs.
const STRANGER: (&str, &str) = ("id", "echo 1000");
const SUDO: &str = r#"echo "$*" >>"$HOME/sudo.log"; shift 2; [ "$1" != true ] || cat; exec "$@""#;

#[tokio::test]
async fn sudo_is_used_for_everything_the_agent_needs() {
    // A shell that reads its script piece by piece, so that a greedy sudo would take the rest of
    // it.
    let shell = ("sh", "exec bash --posix \"$@\"");
    let own = Own::start_with(&[STRANGER, ("sudo", SUDO), shell]).await;
    let connection = dial(&own.endpoint()).await.unwrap();
    let mut facts = probe(&connection).await.unwrap();
    assert_eq!((facts.uid, &facts.root), (1000, &Root::Sudo));
    let home = own.home();
    facts.folders.retain(|folder| Path::new(&folder.path) == home);
    assert_eq!(facts.folders.len(), 1);
    let placed = put(&connection, &facts, &host(), STAND_IN).await.unwrap();
    let mut running = placed.start(&connection, &["a"], MAGIC).await.unwrap();
    assert_eq!(running.read().await.unwrap().unwrap(), &b"[a]"[..]);
    placed.remove(&connection).await.unwrap();
    let log = std::fs::read_to_string(home.join("sudo.log")).unwrap();
    assert!(log.lines().all(|line| line.starts_with("-n -- ")), "{log}");
    assert!(log.lines().count() >= 6, "probe twice, find, upload, start, remove: {log}");
}

#[tokio::test]
async fn a_sudo_that_says_no_is_quoted() {
    let refuses = ("sudo", "echo 'sudo: a password is required' >&2; exit 1");
    let own = Own::start_with(&[STRANGER, refuses]).await;
    let connection = dial(&own.endpoint()).await.unwrap();
    let facts = probe(&connection).await.unwrap();
    assert_eq!(facts.root, Root::No("sudo: a password is required".to_owned()));
    let error = put(&connection, &facts, &host(), STAND_IN).await.unwrap_err();
    assert_eq!(error.reason(), Reason::Sudo);
    assert!(error.to_string().contains("a password is required"), "{error}");

    // It said yes to the probe, and changes its mind.
    let facts = Facts { root: Root::Sudo, ..facts };
    let error = put(&connection, &facts, &host(), STAND_IN).await.unwrap_err();
    assert!(error.to_string().contains("a password is required"), "{error}");
}
