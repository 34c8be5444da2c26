//! An sshd of our own, and what is needed to talk to it.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use crate::model::SystemClock;
use crate::ssh::{
    Ask, Connection, DialLimits, Dialler, Endpoint, Keyring, Means, NobodyThere, Purpose, SshError,
};

const SSHD: &str = "/usr/sbin/sshd";

/// True, with the reason printed, where there is no sshd to test against.
pub fn skip_without_sshd() -> bool {
    let missing = !Path::new(SSHD).exists();
    if missing {
        println!("skipped: {SSHD} is not installed");
    }
    missing
}

/// Whom the tests run as.
pub fn user() -> String {
    run_tool("id", &["-un"]).trim().to_owned()
}

/// Runs a tool that must succeed.
pub fn run_tool(tool: &str, arguments: &[&str]) -> String {
    let output = Command::new(tool).args(arguments).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{tool} {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Makes a key pair.
pub fn keygen(folder: &Path, name: &str, kind: &str, passphrase: &str) -> PathBuf {
    let path = folder.join(name);
    let file = path.to_str().unwrap();
    run_tool("ssh-keygen", &["-q", "-t", kind, "-N", passphrase, "-C", name, "-f", file]);
    path
}

/// A keyring that nobody answers for.
pub fn keyring() -> Arc<Keyring> {
    keyring_asking(Arc::new(NobodyThere))
}

pub fn keyring_asking(ask: Arc<dyn Ask>) -> Arc<Keyring> {
    Arc::new(Keyring::new(ask))
}

#[derive(Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    more: Condvar,
}

/// A running sshd; ends with the test.
pub struct Sshd {
    child: Child,
    log: Arc<Log>,
    /// Its files, and the clients'.
    pub folder: tempfile::TempDir,
    pub port: u16,
}

impl Sshd {
    /// With one user key `id` let in, and `extra` lines of configuration.
    pub fn start(extra: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        keygen(folder.path(), "host", "ed25519", "");
        keygen(folder.path(), "id", "ed25519", "");
        Self::start_in(folder, extra)
    }

    /// The same with what `folder` holds already: `host`, and `id.pub` if there is one.
    pub fn start_in(folder: tempfile::TempDir, extra: &str) -> Self {
        // Only root's sshd needs it, and only root may make it.
        let _ = std::fs::create_dir_all("/run/sshd");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let at = folder.path().display();
        let keys = std::fs::read_to_string(folder.path().join("id.pub")).unwrap_or_default();
        std::fs::write(folder.path().join("authorized_keys"), keys).unwrap();
        let config = format!(
            "{extra}\nListenAddress 127.0.0.1:{port}\nHostKey {at}/host\nPidFile none\n\
             AuthorizedKeysFile {at}/authorized_keys\nStrictModes no\nUsePAM no\n\
             PermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             LogLevel VERBOSE\n"
        );
        let path = folder.path().join("sshd_config");
        std::fs::write(&path, config).unwrap();
        let mut child = Command::new(SSHD)
            .args(["-D", "-e", "-f", path.to_str().unwrap()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Log::default());
        let (errors, kept) = (child.stderr.take().unwrap(), Arc::clone(&log));
        std::thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                kept.lines.lock().unwrap().push(line);
                kept.more.notify_all();
            }
        });
        let sshd = Self { child, log, folder, port };
        sshd.wait_for_log("Server listening", 1);
        sshd
    }

    /// Waits until its log has `count` lines with `text`.
    pub fn wait_for_log(&self, text: &str, count: usize) {
        let enough = |lines: &mut Vec<String>| self.count_in(lines, text) < count;
        let lines = self.log.lines.lock().unwrap();
        let limit = Duration::from_secs(20);
        let (lines, waited) = self.log.more.wait_timeout_while(lines, limit, enough).unwrap();
        assert!(!waited.timed_out(), "no {text:?} in {lines:#?}");
    }

    /// Lines of its log with `text`.
    pub fn count_log(&self, text: &str) -> usize {
        self.count_in(&self.log.lines.lock().unwrap(), text)
    }

    #[expect(clippy::unused_self, reason = "reads like the other questions to the log")]
    fn count_in(&self, lines: &[String], text: &str) -> usize {
        lines.iter().filter(|line| line.contains(text)).count()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A line that pins this host's key, under `name`.
    pub fn host_line(&self, name: &str) -> String {
        let key = std::fs::read_to_string(self.file("host.pub")).unwrap();
        format!("{name} {key}")
    }

    /// Writes known_hosts.
    pub fn trust(&self, content: &str) {
        std::fs::write(self.file("known_hosts"), content).unwrap();
    }

    /// The way in, its host key not known yet.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint {
            address: "127.0.0.1".to_owned(),
            port: self.port,
            user: user(),
            identities: vec![self.file("id")],
            agent: None,
            jump: None,
            host_key_alias: None,
            host_key: None,
            known_hosts: vec![self.file("known_hosts")],
            means: Means::default(),
        }
    }

    /// The way in, its host key pinned.
    pub fn known_endpoint(&self) -> Endpoint {
        self.trust(&self.host_line(&format!("[127.0.0.1]:{}", self.port)));
        self.endpoint()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A dialler that loses no time.
pub fn dialler(keyring: Arc<Keyring>) -> Dialler {
    let limits = DialLimits {
        gap: Duration::ZERO,
        backoff_base: Duration::from_millis(20),
        ..DialLimits::default()
    };
    Dialler::new(limits, keyring, Arc::new(SystemClock::default()))
}

/// One dial of its own.
pub async fn dial(endpoint: &Endpoint) -> Result<Connection, SshError> {
    dialler(keyring()).dial_once(endpoint, Purpose::Control).await
}
