//! Against real listeners on loopback: a page, a certificate, a port, an SSH host, a program.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;
use crate::inventory::Check;
use crate::inventory::checks::HttpAsk;
use crate::model::SystemClock;

/// Answers each connection with what `answer` makes of the request; ends with the test.
fn serve(answer: impl Fn(TcpStream, &str) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            answer(stream, "");
        }
    });
    port
}

/// Says something at once, and nothing that was expected.
fn rude(mut stream: TcpStream, _: &str) {
    let _ = stream.write_all(b"421 go away\r\n\r\n");
}

fn head_of(stream: &mut impl std::io::Read) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
        head.push(byte[0]);
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// A page for one name, of which everybody else gets another.
fn page(mut stream: TcpStream, _: &str) {
    let head = head_of(&mut stream).to_lowercase();
    let body = if head.contains("host: acme.example") { "Welcome to Acme" } else { "Default page" };
    let body = format!("{body}{}", " ".repeat(3000));
    let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
}

fn asker() -> (Asker, tokio::runtime::Runtime) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let handle = runtime.handle().clone();
    (Asker::new(Arc::new(SystemClock::default()), handle), runtime)
}

fn ask(asker: &Asker, ask: Ask, within: Duration) -> (Outcome, String) {
    let check = Check { ask, within };
    let question = Question { asked: check.to_string(), check, connect: None, old: Vec::new() };
    let answer = asker.ask_all(&[question]).remove(0);
    (answer.outcome, answer.said)
}

fn page_ask(tls: bool, port: u16, host: &str, contains: Option<&str>) -> HttpAsk {
    let (address, path) = ("127.0.0.1".to_owned(), "/".to_owned());
    let (host, contains) = (host.to_owned(), contains.map(str::to_owned));
    HttpAsk { tls, address, port, path, host, status: 200, contains }
}

const SOON: Duration = Duration::from_secs(5);
const AT_ONCE_OVER: Duration = Duration::from_millis(300);

#[test]
fn a_page_is_asked_for_by_name_at_the_address_of_the_check() {
    let (asker, _runtime) = asker();
    let port = serve(page);
    let of = |host: &str, contains: Option<&str>| {
        ask(&asker, Ask::Http(page_ask(false, port, host, contains)), SOON)
    };
    assert_eq!(of("acme.example", Some("to Acme")).0, Outcome::Passed);
    let (outcome, said) = of("127.0.0.1", Some("to Acme"));
    assert_eq!(outcome, Outcome::Failed);
    assert!(said.contains("\"to Acme\" is not in the page"), "{said}");
    let status = HttpAsk { status: 301, ..page_ask(false, port, "acme.example", None) };
    assert_eq!(ask(&asker, Ask::Http(status), SOON), (Outcome::Failed, "status 200".into()));
    let moved = serve(|mut stream, _| {
        head_of(&mut stream);
        let _ = write!(stream, "HTTP/1.1 301 Moved\r\nLocation: http://x/\r\n\r\n");
    });
    let followed = page_ask(false, moved, "acme.example", None);
    assert_eq!(ask(&asker, Ask::Http(followed), SOON), (Outcome::Failed, "status 301".into()));
}

#[test]
fn what_comes_too_late_or_never_ends_is_no_answer() {
    let (asker, _runtime) = asker();
    let (keep, kept) = mpsc::channel();
    let silent = serve(move |stream, _| keep.send(stream).unwrap());
    let quiet = page_ask(false, silent, "acme.example", None);
    assert_eq!(ask(&asker, Ask::Http(quiet), AT_ONCE_OVER).0, Outcome::TimedOut);
    let greeting = Ask::Ssh { address: "127.0.0.1".into(), port: silent, host_key: None };
    assert_eq!(ask(&asker, greeting, AT_ONCE_OVER).0, Outcome::TimedOut);
    // A body without an end, a little at a time.
    let endless = serve(|mut stream, _| {
        head_of(&mut stream);
        let _ = write!(stream, "HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(b"more ").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let endless = page_ask(false, endless, "acme.example", Some("never"));
    assert_eq!(ask(&asker, Ask::Http(endless), AT_ONCE_OVER).0, Outcome::TimedOut);
    assert!(kept.try_iter().count() > 0);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let refused = Ask::Tcp { address: "127.0.0.1".into(), port: closed };
    assert_eq!(ask(&asker, refused, SOON), (Outcome::Failed, "connection refused".into()));
    let open = Ask::Tcp { address: "127.0.0.1".into(), port: silent };
    assert_eq!(ask(&asker, open, SOON).0, Outcome::Passed);
}

/// A server with a certificate for `name`, and the authority of its own that signed it.
fn tls_server(name: &str) -> (u16, Vec<u8>, mpsc::Receiver<Option<String>>) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(certificate.der().to_vec())],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let (config, (tell, told)) = (Arc::new(config), mpsc::channel());
    let port = serve(move |stream, _| {
        let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        head_of(&mut stream);
        let _ = tell.send(stream.conn.server_name().map(ToString::to_string));
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
        let _ = stream.flush();
    });
    (port, authority.der().to_vec(), told)
}

#[test]
fn a_certificate_must_be_valid_for_the_name_that_is_asked_for() {
    let (mut asker, _runtime) = asker();
    let (port, authority, names) = tls_server("acme.example");
    let of = |asker: &Asker, host: &str| {
        ask(asker, Ask::Http(page_ask(true, port, host, Some("hi"))), SOON)
    };
    asker.trust = Trust::only(&authority);
    assert_eq!(of(&asker, "acme.example").0, Outcome::Passed);
    assert_eq!(names.recv().unwrap().as_deref(), Some("acme.example"), "the name is sent (SNI)");
    let (outcome, said) = of(&asker, "other.example");
    assert_eq!(outcome, Outcome::Failed);
    assert!(said.contains("not valid for name"), "{said}");
    let (_, stranger, _) = tls_server("acme.example");
    asker.trust = Trust::only(&stranger);
    let (outcome, said) = of(&asker, "acme.example");
    assert_eq!(outcome, Outcome::Failed);
    assert!(said.contains("TLS: invalid peer certificate"), "{said}");
    let plain = page_ask(true, serve(rude), "acme.example", None);
    assert_eq!(ask(&asker, Ask::Http(plain), SOON).0, Outcome::Failed);
}

#[test]
fn a_program_is_judged_as_monitoring_plugins_are() {
    let (asker, _runtime) = asker();
    let run = |script: &str, warning_passes| {
        let argv = ["sh", "-c", script].map(str::to_owned).to_vec();
        ask(&asker, Ask::Command { argv, warning_passes }, SOON)
    };
    assert_eq!(run("echo IMAP OK; echo more", false), (Outcome::Passed, "ok: IMAP OK".into()));
    assert_eq!(run("exit 1", false), (Outcome::Failed, "warning".into()));
    assert_eq!(run("exit 1", true).0, Outcome::Passed);
    assert_eq!(run("printf 'down\\033[2J'; exit 2", true).0, Outcome::Failed);
    assert!(!run("printf 'down\\033[2J'; exit 2", true).1.contains('\u{1b}'));
    assert_eq!(run("exit 3", true), (Outcome::Unknown, "unknown, exit code 3".into()));
    assert_eq!(run("exit 77", true).0, Outcome::Unknown);
    assert_eq!(run("kill -9 $$", true).0, Outcome::Unknown);
    assert_eq!(run("head -c 300000 /dev/zero", false).0, Outcome::Passed);
    let argv = vec!["/nonexistent/plugin".to_owned()];
    let missing = Ask::Command { argv, warning_passes: true };
    assert_eq!(ask(&asker, missing, SOON).0, Outcome::Unknown);
    // Its whole group ends with it.
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("mark");
    let script = format!("(sleep 1; touch {}) & sleep 60", mark.display());
    let argv = ["sh", "-c", &script].map(str::to_owned).to_vec();
    let slow = Ask::Command { argv, warning_passes: false };
    assert_eq!(ask(&asker, slow, AT_ONCE_OVER).0, Outcome::TimedOut);
    std::thread::sleep(Duration::from_millis(1200));
    assert!(!mark.exists());
}

#[test]
fn an_ssh_host_must_show_the_key_that_is_asked_for() {
    use russh::keys::{Algorithm, HashAlg, PrivateKey};
    let (asker, runtime) = asker();
    let folder = tempfile::tempdir().unwrap();
    let mut random = russh::keys::key::safe_rng();
    let login = PrivateKey::random(&mut random, Algorithm::Ed25519).unwrap();
    let options = crate::ssh::embedded::EmbeddedOptions {
        authorized: login.public_key().clone(),
        environment: Vec::new(),
        folder: folder.path().to_owned(),
    };
    let host = runtime.block_on(crate::ssh::embedded::EmbeddedHost::start(options)).unwrap();
    let key = host.key().fingerprint(HashAlg::Sha256).to_string();
    let of = |host_key: Option<&str>| {
        let (address, host_key) = ("127.0.0.1".to_owned(), host_key.map(str::to_owned));
        ask(&asker, Ask::Ssh { address, port: host.port(), host_key }, SOON)
    };
    assert_eq!(of(Some(&key)).0, Outcome::Passed);
    assert_eq!(of(None), (Outcome::Passed, format!("SSH with the key {key}")));
    let other = login.public_key().fingerprint(HashAlg::Sha256).to_string();
    assert_eq!(of(Some(&other)), (Outcome::Failed, format!("another key: {key}")));
    let (address, port) = ("127.0.0.1".to_owned(), serve(rude));
    assert_eq!(ask(&asker, Ask::Ssh { address, port, host_key: None }, SOON).0, Outcome::Failed);
}

#[test]
fn a_name_that_leads_to_the_old_machine_is_not_asked() {
    let (asker, _runtime) = asker();
    let port = serve(page);
    let old = |old: &str| {
        let ask = HttpAsk { address: "localhost".into(), ..page_ask(false, port, "x", None) };
        let check = Check { ask: Ask::Http(ask), within: SOON };
        let old = ["127.0.0.1", "::1"].iter().filter(|_| old == "here");
        let old = old.map(|address| address.parse().unwrap()).collect();
        let question = Question { asked: check.to_string(), check, connect: None, old };
        asker.ask_all(&[question]).remove(0)
    };
    let answer = old("here");
    assert_eq!(answer.outcome, Outcome::Failed);
    assert!(answer.said.contains("where it was taken from"), "{}", answer.said);
    let elsewhere = old("elsewhere").said;
    assert!(!elsewhere.contains("where it was taken from"), "{elsewhere}");
}

#[test]
fn equal_questions_are_asked_once() {
    let (asker, _runtime) = asker();
    let (tell, told) = mpsc::channel();
    let port = serve(move |stream, _| {
        let _ = tell.send(());
        page(stream, "");
    });
    let check = Check { ask: Ask::Http(page_ask(false, port, "acme.example", None)), within: SOON };
    let question = Question { asked: check.to_string(), check, connect: None, old: Vec::new() };
    let answers = asker.ask_all(&vec![question; 40]);
    assert!(answers.len() == 40 && answers.iter().all(|a| a.outcome == Outcome::Passed));
    assert_eq!(told.try_iter().count(), 1);
}
