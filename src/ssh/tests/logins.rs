//! Ways to log in, and to be turned away.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;

use super::{Sshd, dial, dialler, keygen, keyring, keyring_asking, run_tool, skip_without_sshd};
use crate::model::Reason;
use crate::ssh::{Ask, Connection, Endpoint, Means, NobodyThere, Purpose, Question, SshError};

async fn whoami(connection: &Connection) -> String {
    let output = connection.run("id -un", Bytes::new(), 1000).await.unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

async fn check_login(endpoint: &Endpoint) {
    let connection = dial(endpoint).await.unwrap();
    assert_eq!(whoami(&connection).await, endpoint.user);
}

/// Answers with a word and counts how often it was asked.
struct Answer(&'static str, AtomicU32);

impl Ask for Answer {
    fn passphrase(&self, _identity: &Path, _attempt: u32) -> Option<String> {
        self.1.fetch_add(1, Ordering::SeqCst);
        Some(self.0.to_owned())
    }
}

#[tokio::test]
async fn ed25519_ecdsa_and_rsa_keys_log_in() {
    if skip_without_sshd() {
        return;
    }
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let folder = tempfile::tempdir().unwrap();
        keygen(folder.path(), "host", "ed25519", "");
        keygen(folder.path(), "id", kind, "");
        let sshd = Sshd::start_in(folder, "");
        check_login(&sshd.known_endpoint()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passphrase_is_asked_of_a_program_once_and_by_the_name_of_its_key() {
    if skip_without_sshd() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    keygen(folder.path(), "host", "ed25519", "");
    keygen(folder.path(), "id", "ed25519", "open sesame");
    let sshd = Sshd::start_in(folder, "");
    std::fs::remove_file(sshd.file("id.pub")).unwrap();
    let place = tempfile::tempdir().unwrap();
    let asking = |script: &str| {
        let argv = ["sh", "-c", script, "sh", "{key}"].map(str::to_owned).to_vec();
        let question = Some(Question { argv, folder: place.path().to_owned() });
        let mut endpoint = sshd.known_endpoint();
        endpoint.means.passphrase = question;
        endpoint
    };
    let endpoint = asking("echo \"$1\" >>asked; echo open sesame");
    let dialler = dialler(keyring_asking(Arc::new(NobodyThere)));
    for _ in 0..3 {
        dialler.dial_once(&endpoint, Purpose::Control).await.unwrap();
    }
    let asked = || std::fs::read_to_string(place.path().join("asked")).unwrap();
    assert_eq!(asked(), format!("{}\n", sshd.file("id").display()));

    let dialler = super::dialler(keyring_asking(Arc::new(NobodyThere)));
    for (script, why) in [
        ("echo hidden", "what `passphrase_command` says does not"),
        ("echo x >>asked; echo hidden >&2; exit 3", "says none"),
    ] {
        let endpoint = asking(script);
        for _ in 0..2 {
            let error = dialler.dial_once(&endpoint, Purpose::Control).await.unwrap_err();
            let said = format!("{error}");
            assert!(said.contains("/id: ") && said.contains(why), "{said}");
            assert_eq!(error.reason(), Reason::Auth);
        }
        // Somebody mended it.
        dialler.reset(&endpoint);
    }
    assert!(asked().ends_with("/id\nx\n"), "{}", asked());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passphrase_is_asked_for_once() {
    if skip_without_sshd() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    keygen(folder.path(), "host", "ed25519", "");
    let id = keygen(folder.path(), "id", "ed25519", "open sesame");
    let sshd = Sshd::start_in(folder, "");
    let endpoint = sshd.known_endpoint();
    std::fs::remove_file(sshd.file("id.pub")).unwrap();

    let right = Arc::new(Answer("open sesame", AtomicU32::new(0)));
    let dialler_ = Arc::new(dialler(keyring_asking(right.clone())));
    let dials: Vec<_> = (0..4)
        .map(|_| {
            let (dialler, endpoint) = (Arc::clone(&dialler_), endpoint.clone());
            tokio::spawn(async move { dialler.dial_once(&endpoint, Purpose::Control).await })
        })
        .collect();
    for dial in dials {
        dial.await.unwrap().unwrap();
    }
    assert_eq!(right.1.load(Ordering::SeqCst), 1);

    let wrong = Arc::new(Answer("wrong", AtomicU32::new(0)));
    let dialler = dialler(keyring_asking(wrong.clone()));
    for _ in 0..2 {
        let error = dialler.dial_once(&endpoint, Purpose::Control).await.unwrap_err();
        assert_eq!(error.reason(), Reason::Auth);
        assert!(error.to_string().contains(id.to_str().unwrap()), "{error}");
    }
    assert_eq!(wrong.1.load(Ordering::SeqCst), 3, "three attempts, once");
}

/// An ssh-agent of our own.
struct Agent(Child);

impl Agent {
    fn start(socket: &Path) -> Self {
        let child = Command::new("ssh-agent")
            .args(["-D", "-a", socket.to_str().unwrap()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut agent = Self(child);
        // It prints where it listens once it does.
        let mut line = String::new();
        let stdout = agent.0.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
        agent
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn add_to_agent(socket: &Path, key: &Path) {
    let socket = format!("SSH_AUTH_SOCK={}", socket.display());
    run_tool("env", &[&socket, "ssh-add", "-q", key.to_str().unwrap()]);
}

#[tokio::test]
async fn an_agent_signs_with_what_it_holds() {
    if skip_without_sshd() {
        return;
    }
    for kind in ["ed25519", "rsa"] {
        let folder = tempfile::tempdir().unwrap();
        keygen(folder.path(), "host", "ed25519", "");
        keygen(folder.path(), "id", kind, "");
        let sshd = Sshd::start_in(folder, "");
        let socket = sshd.file("agent");
        let _agent = Agent::start(&socket);
        add_to_agent(&socket, &sshd.file("id"));
        std::fs::remove_file(sshd.file("id")).unwrap();

        let mut endpoint = sshd.known_endpoint();
        let without = dial(&endpoint).await.unwrap_err();
        assert!(without.to_string().contains("private half"), "{without}");
        endpoint.agent = Some(socket);
        check_login(&endpoint).await;
        endpoint.identities.clear();
        check_login(&endpoint).await;
    }
}

/// An sshd that lets in only what its authority `ca` signed for the running user.
fn certified_sshd() -> Sshd {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().to_owned();
    keygen(&at, "host", "ed25519", "");
    keygen(&at, "ca", "ed25519", "");
    let extra = format!("TrustedUserCAKeys {}/ca.pub", at.display());
    let sshd = Sshd::start_in(folder, &extra);
    keygen(&at, "id", "ed25519", "");
    let file = |name: &str| at.join(name).to_str().unwrap().to_owned();
    let arguments = ["-q", "-s", &file("ca"), "-I", "tester", "-n", &super::user()];
    run_tool("ssh-keygen", &[&arguments[..], &[&file("id.pub")]].concat());
    sshd
}

#[tokio::test]
async fn a_certificate_beside_the_key_is_used() {
    if skip_without_sshd() {
        return;
    }
    let sshd = certified_sshd();
    let endpoint = sshd.known_endpoint();
    check_login(&endpoint).await;

    let socket = sshd.file("agent");
    let _agent = Agent::start(&socket);
    add_to_agent(&socket, &sshd.file("id"));
    let by_agent = Endpoint { identities: vec![], agent: Some(socket), ..endpoint.clone() };
    check_login(&by_agent).await;

    keygen(sshd.folder.path(), "other", "ed25519", "");
    std::fs::copy(sshd.file("other"), sshd.file("id")).unwrap();
    let error = dial(&endpoint).await.unwrap_err();
    assert!(error.to_string().contains("certifies another key"), "{error}");
}

#[tokio::test]
async fn two_refused_logins_are_the_last() {
    if skip_without_sshd() {
        return;
    }
    let sshd = Sshd::start("");
    let mut endpoint = sshd.known_endpoint();
    endpoint.identities = vec![keygen(sshd.folder.path(), "stranger", "ed25519", "")];
    let dialler = dialler(keyring());
    for count in 1..=2 {
        let error = dialler.dial(&endpoint, Purpose::Control, &|_, _| panic!("no retry")).await;
        assert!(matches!(error, Err(SshError::LoginRefused { .. })), "{error:?}");
        sshd.wait_for_log("Disconnected from authenticating user", count);
    }
    let error = dialler.dial(&endpoint, Purpose::Control, &|_, _| {}).await.unwrap_err();
    assert!(matches!(error, SshError::BreakerOpen { refused: 2, .. }), "{error}");
    assert_eq!(error.reason(), Reason::Auth);
    assert_eq!(sshd.count_log("Connection from"), 2, "the third never left this machine");

    dialler.reset(&endpoint);
    endpoint.identities = vec![sshd.file("id")];
    dialler.dial_once(&endpoint, Purpose::Control).await.unwrap();
}

#[tokio::test]
async fn at_most_three_keys_are_offered() {
    if skip_without_sshd() {
        return;
    }
    let sshd = Sshd::start("MaxAuthTries 4");
    let mut endpoint = sshd.known_endpoint();
    endpoint.identities = (0..5)
        .map(|n| keygen(sshd.folder.path(), &format!("stranger{n}"), "ed25519", ""))
        .collect();
    let Err(SshError::LoginRefused { tried, .. }) = dial(&endpoint).await else {
        panic!("a login with strangers' keys");
    };
    assert_eq!(tried.len(), 3);
    sshd.wait_for_log("Disconnected from authenticating user", 1);
    assert_eq!(sshd.count_log("Too many authentication failures"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_sshd_is_told_apart_and_patience_gets_in() {
    if skip_without_sshd() {
        return;
    }
    let sshd = Sshd::start("MaxStartups 2:100:2");
    let endpoint = sshd.known_endpoint();
    // Two that never say anything fill it.
    let idle: Vec<_> =
        (0..2).map(|_| std::net::TcpStream::connect(("127.0.0.1", sshd.port)).unwrap()).collect();
    sshd.wait_for_log("Connection from", 2);
    let error = dial(&endpoint).await.unwrap_err();
    assert!(matches!(error, SshError::NotAllowedNow { .. }), "{error:?}");
    assert_eq!((error.reason(), error.is_temporary()), (Reason::TurnedAway, true));

    let waited = AtomicU32::new(0);
    let idle = std::sync::Mutex::new(Some(idle));
    let waiting = |error: &SshError, _| {
        assert!(matches!(error, SshError::NotAllowedNow { .. }), "{error:?}");
        waited.fetch_add(1, Ordering::SeqCst);
        idle.lock().unwrap().take();
    };
    dialler(keyring()).dial(&endpoint, Purpose::Control, &waiting).await.unwrap();
    assert!(waited.load(Ordering::SeqCst) >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_gets_into_a_small_sshd() {
    if skip_without_sshd() {
        return;
    }
    let sshd = Sshd::start("MaxStartups 4:100:4");
    let endpoint = sshd.known_endpoint();
    let dialler = Arc::new(dialler(keyring()));
    let dials: Vec<_> = (0..12)
        .map(|_| {
            let (dialler, endpoint) = (Arc::clone(&dialler), endpoint.clone());
            tokio::spawn(async move { dialler.dial(&endpoint, Purpose::Control, &|_, _| {}).await })
        })
        .collect();
    for dial in dials {
        dial.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn what_is_no_sshd_is_named() {
    let serve = |answer: &'static [u8]| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            std::io::Write::write_all(&mut stream, answer).unwrap();
            // Reading what the client said first lets the close be a close, not a reset.
            let _ = std::io::Read::read(&mut stream, &mut [0; 256]);
        });
        port
    };
    let folder = tempfile::tempdir().unwrap();
    let identity = keygen(folder.path(), "id", "ed25519", "");
    let dial_at = async |port| {
        let endpoint = Endpoint {
            address: "localhost".to_owned(),
            port,
            user: "root".to_owned(),
            identities: vec![identity.clone()],
            agent: None,
            jump: None,
            host_key_alias: None,
            host_key: None,
            known_hosts: vec![],
            means: Means::default(),
        };
        dial(&endpoint).await.unwrap_err()
    };
    let error = dial_at(serve(b"HTTP/1.1 400 Bad Request\r\n\r\n")).await;
    assert!(matches!(&error, SshError::NotSsh { said, .. } if said.starts_with("HTTP")), "{error}");
    assert_eq!(error.reason(), Reason::Protocol);
    let error = dial_at(serve(b"")).await;
    assert!(matches!(error, SshError::ResetBeforeBanner { .. }), "{error:?}");
    let error = dial_at(serve(b"Not allowed at this time\r\n")).await;
    assert!(matches!(error, SshError::NotAllowedNow { .. }), "{error:?}");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = dial_at(port).await;
    assert_eq!(error.reason(), Reason::Refused, "{error:?}");
}
