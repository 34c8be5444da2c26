//! Passwords: given once, by one method, and never to a question that is not theirs. OpenSSH with
//! PAM behind it is asked in `scripts/lab-ways`, which makes users for it.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use russh::keys::{Algorithm, PrivateKey};
use russh::server::{Auth, Config, Handler, Response, Server as _};
use russh::{MethodKind, MethodSet};
use tokio::net::TcpListener;

use super::own::Own;
use super::{dialler, keyring};
use crate::model::Reason;
use crate::ssh::probe::{Root, probe};
use crate::ssh::{Dialler, Endpoint, Means, Purpose, Question};

/// What the host asks, one round after the other; what it hears.
#[derive(Clone)]
struct Host {
    rounds: &'static [&'static [&'static str]],
    heard: Arc<Mutex<Vec<String>>>,
    round: usize,
}

impl Host {
    /// Listens with these methods; its port and host key.
    async fn start(&self, methods: &[MethodKind]) -> (u16, String) {
        let mut random = russh::keys::key::safe_rng();
        let key = PrivateKey::random(&mut random, Algorithm::Ed25519).unwrap();
        let public = key.public_key().to_openssh().unwrap();
        let config = Config {
            methods: MethodSet::from(methods),
            auth_rejection_time: Duration::ZERO,
            keys: vec![key],
            ..Config::default()
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut host = self.clone();
        tokio::spawn(async move { host.run_on_socket(Arc::new(config), &listener).await });
        (port, public)
    }

    fn hears(&self, word: &str) -> bool {
        self.heard.lock().unwrap().push(word.to_owned());
        word == "open sesame"
    }
}

impl russh::server::Server for Host {
    type Handler = Self;

    fn new_client(&mut self, _peer: Option<std::net::SocketAddr>) -> Self {
        self.clone()
    }
}

impl Handler for Host {
    type Error = russh::Error;

    async fn auth_password(&mut self, _user: &str, password: &str) -> Result<Auth, Self::Error> {
        Ok(if self.hears(password) { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _user: &str,
        _submethods: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        for word in response.into_iter().flatten() {
            if !self.hears(&String::from_utf8_lossy(&word)) {
                return Ok(Auth::reject());
            }
        }
        let Some(prompts) = self.rounds.get(self.round) else { return Ok(Auth::Accept) };
        self.round += 1;
        let prompts: Vec<_> = prompts.iter().map(|text| (Cow::Borrowed(*text), false)).collect();
        Ok(Auth::Partial { name: "".into(), instructions: "".into(), prompts: prompts.into() })
    }
}

/// A login at such a host with this password: the reason it failed for, if it did, and everything
/// the host heard.
async fn log_in(
    methods: &[MethodKind],
    rounds: &'static [&'static [&'static str]],
    password: &str,
) -> (Option<Reason>, Vec<String>) {
    let host = Host { rounds, heard: Arc::default(), round: 0 };
    let (port, key) = host.start(methods).await;
    let endpoint = endpoint(port, key, Some(question(&["printf", "%s\\n", password])));
    let dialled = dialler(keyring()).dial_once(&endpoint, Purpose::Control).await;
    let heard = host.heard.lock().unwrap().clone();
    let error = dialled.err();
    let said = error.as_ref().map(ToString::to_string).unwrap_or_default();
    assert!(!said.contains(password), "{said}");
    (error.map(|error| error.reason()), heard)
}

fn question(argv: &[&str]) -> Question {
    let argv = argv.iter().map(|&word| word.to_owned()).collect();
    Question { argv, folder: "/".into() }
}

fn endpoint(port: u16, key: String, password: Option<Question>) -> Endpoint {
    Endpoint {
        address: "127.0.0.1".to_owned(),
        port,
        user: "kim".to_owned(),
        identities: vec![],
        agent: None,
        jump: None,
        host_key_alias: None,
        host_key: Some(key),
        known_hosts: vec![],
        means: Means { password, ..Means::default() },
    }
}

#[tokio::test]
async fn a_password_is_given_once_by_one_method() {
    use MethodKind::{KeyboardInteractive, Password, PublicKey};
    const ONE: &[&[&str]] = &[&["Password: "]];
    let right = "open sesame";
    let given = |reason, times| (reason, vec![right.to_owned(); times]);
    assert_eq!(log_in(&[Password], &[], right).await, given(None, 1));
    assert_eq!(log_in(&[KeyboardInteractive], ONE, right).await, given(None, 1));
    let wrong = (Some(Reason::AuthPassword), vec!["wrong one".to_owned()]);
    assert_eq!(log_in(&[Password, KeyboardInteractive], ONE, "wrong one").await, wrong);
    assert_eq!(log_in(&[KeyboardInteractive], ONE, "wrong one").await, wrong);
    assert_eq!(log_in(&[PublicKey], &[], right).await, given(Some(Reason::Auth), 0));
}

#[tokio::test]
async fn no_other_question_is_answered() {
    let ask = async |rounds: &'static [&'static [&'static str]]| {
        let (reason, heard) =
            log_in(&[MethodKind::KeyboardInteractive], rounds, "open sesame").await;
        (reason, heard.len())
    };
    let more = Some(Reason::AuthPrompts);
    assert_eq!(ask(&[&["Password: ", "Token: "]]).await, (more, 0));
    assert_eq!(ask(&[&["Verification code: "]]).await, (more, 0));
    assert_eq!(ask(&[&["Password: "], &["Verification code: "]]).await, (more, 1));
    assert_eq!(ask(&[&["Password: "], &["Password: "]]).await, (more, 1));
    assert_eq!(ask(&[&["Password: "], &["New password: "]]).await, (Some(Reason::AuthChanged), 1));
    assert_eq!(ask(&[&[], &["Password: "], &[]]).await, (None, 1));
}

#[tokio::test]
async fn a_wrong_password_waits_for_somebody_and_is_asked_for_anew() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "stale\n").unwrap();
    let host = Host { rounds: &[], heard: Arc::default(), round: 0 };
    let (port, key) = host.start(&[MethodKind::Password]).await;
    let endpoint = endpoint(port, key, Some(question(&["cat", secret.to_str().unwrap()])));
    let dialler: Dialler = dialler(keyring());
    for _ in 0..3 {
        let error = dialler.dial(&endpoint, Purpose::Control, &|_, _| {}).await.unwrap_err();
        assert_eq!(error.reason(), Reason::AuthPassword, "{error}");
    }
    std::fs::write(&secret, "open sesame\n").unwrap();
    dialler.reset(&endpoint);
    dialler.dial_once(&endpoint, Purpose::Control).await.unwrap();
    assert_eq!(*host.heard.lock().unwrap(), ["stale", "open sesame"]);
}

#[tokio::test]
async fn a_program_that_says_nothing_leads_to_no_dial() {
    let asked = Some(question(&["sh", "-c", "echo hidden; echo 'no such entry' >&2; exit 1"]));
    let endpoint = endpoint(1, String::new(), asked);
    let error = dialler(keyring()).dial_once(&endpoint, Purpose::Control).await.unwrap_err();
    assert_eq!(error.reason(), Reason::PasswordCommand);
    assert!(error.to_string().contains("no such entry"), "{error}");
    assert!(!error.to_string().contains("hidden"), "{error}");
}

/// sudo as it is with a password: it prompts on standard error and reads a byte at a time.
const SUDO: &str = r#"echo "$*" >>"$HOME/sudo.log"
[ "$1" != -n ] || { echo 'sudo: a password is required' >&2; exit 1; }
printf '%s' "$3" >&2; read -r said
[ "$said" = 'open sesame' ] && { shift 4; exec env SUDO_USER=kim "$@"; }
echo 'Sorry, try again.' >&2; printf '%s' "$3" >&2; read -r said; echo "$said" >>"$HOME/second"
exit 1"#;

async fn sudo_host(password: &str) -> (Own, Endpoint, tempfile::TempDir) {
    let stranger = ("id", r#"[ -n "$SUDO_USER" ] && echo 0 || echo 1000"#);
    let own = Own::start_with(&[stranger, ("sudo", SUDO)]).await;
    let folder = tempfile::tempdir().unwrap();
    let asked = folder.path().join("asked");
    let script = format!("echo x >>{}; echo '{password}'", asked.display());
    let mut endpoint = own.endpoint();
    endpoint.means.sudo_password = Some(question(&["sh", "-c", &script]));
    (own, endpoint, folder)
}

#[tokio::test]
async fn sudo_gets_the_password_at_its_prompt_and_the_command_its_input() {
    let (own, endpoint, folder) = sudo_host("open sesame").await;
    let connection = dialler(keyring()).dial_once(&endpoint, Purpose::Control).await.unwrap();
    let facts = probe(&connection).await.unwrap();
    assert_eq!((facts.uid, &facts.root), (1000, &Root::SudoPassword));
    let every_byte: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let input = Bytes::from(every_byte.clone());
    let command = "sh -c 'cat; echo done >&2'";
    let output = connection.run_as(&Root::SudoPassword, command, input, 1 << 20).await.unwrap();
    assert!(output.stdout == every_byte, "{} bytes", output.stdout.len());
    assert_eq!(output.stderr, "done");
    let asked = std::fs::read_to_string(folder.path().join("asked")).unwrap();
    assert_eq!(asked, "x\n", "once for all commands");
    let log = std::fs::read_to_string(own.home().join("sudo.log")).unwrap();
    assert!(!log.contains("sesame"), "{log}");
}

#[tokio::test]
async fn sudo_that_refuses_the_password_gets_no_other() {
    let (own, endpoint, _folder) = sudo_host("wrong one").await;
    let dialler = dialler(keyring());
    for _ in 0..2 {
        let connection = dialler.dial_once(&endpoint, Purpose::Control).await.unwrap();
        let error = probe(&connection).await.unwrap_err();
        assert_eq!(error.reason(), Reason::SudoPassword, "{error}");
        assert!(!error.to_string().contains("wrong one"), "{error}");
    }
    let log = std::fs::read_to_string(own.home().join("sudo.log")).unwrap();
    assert_eq!(log.lines().filter(|line| line.starts_with("-S")).count(), 1, "{log}");
    let second = std::fs::read_to_string(own.home().join("second")).unwrap_or_default();
    assert_eq!(second.trim(), "", "the second prompt hears the end of its input");
}
