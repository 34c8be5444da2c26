//! A real OpenSSH server on a loopback port, with keys of its own.
//!
//! It serves the user who runs the tests, with everything he has. When dropped, the server and all
//! its connections are killed.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use super::Outcome;

const SSHD: &str = "/usr/sbin/sshd";
/// Another process may take the port between our look and the server's `bind`.
const START_ATTEMPTS: u32 = 5;
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// A running server.
pub struct Sshd {
    folder: TempDir,
    port: u16,
    server: Child,
    through: Vec<String>,
}

impl Sshd {
    /// Starts a server; fails when OpenSSH is not installed (`scripts/packages` does that).
    pub fn start() -> Self {
        Self::begin(&|_| Vec::new(), "")
    }

    /// The same behind a command that starts what follows it as it likes; `through` is told the
    /// server's folder, which must be seen from there.
    pub fn start_through(through: impl Fn(&Path) -> Vec<String>) -> Self {
        Self::begin(&through, "")
    }

    /// The same with lines of configuration that go before the usual ones: the first word counts.
    pub fn start_with(lines: &str) -> Self {
        Self::begin(&|_| Vec::new(), lines)
    }

    fn begin(through: &dyn Fn(&Path) -> Vec<String>, lines: &str) -> Self {
        assert!(Path::new(SSHD).exists(), "{SSHD} is missing: run scripts/packages tests");
        let folder = tempfile::Builder::new().prefix("evac-sshd-").tempdir();
        let folder = folder.expect("the temporary folder is writable");
        if geteuid().is_root() {
            fs::create_dir_all("/run/sshd").expect("root may make sshd's folder");
        }
        key_pair(&folder.path().join("host_key"));
        key_pair(&folder.path().join("id"));
        let through = through(folder.path());
        for _ in 0..START_ATTEMPTS {
            let port = free_port();
            write_config(folder.path(), port, lines);
            if let Some(server) = start_server(folder.path(), port, &through) {
                let sshd = Self { folder, port, server, through };
                sshd.pin_host_key();
                return sshd;
            }
        }
        panic!("sshd does not start: {}", read(&folder.path().join("log")));
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The private key that may log in.
    pub fn identity(&self) -> PathBuf {
        self.folder.path().join("id")
    }

    /// A known_hosts file that names this server.
    pub fn known_hosts(&self) -> PathBuf {
        self.folder.path().join("known_hosts")
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        read(&self.folder.path().join("log"))
    }

    /// The system's own client, about to run `command` on the server.
    pub fn ssh(&self, command: &str) -> Command {
        let mut ssh = Command::new("ssh");
        let known_hosts = format!("UserKnownHostsFile={}", self.known_hosts().display());
        ssh.args(["-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"]);
        ssh.args(["-o", "StrictHostKeyChecking=yes", "-o", &known_hosts]);
        ssh.arg("-i").arg(self.identity()).args(["-p", &self.port.to_string()]);
        ssh.args(["127.0.0.1", command]).stdin(Stdio::null());
        ssh
    }

    /// Kills every open connection, not what runs behind it; returns how many processes that were.
    pub fn cut(&self) -> usize {
        let descendants = descendants(self.server.id()).into_iter();
        let serving = descendants.filter(|(_, name)| name.starts_with("sshd"));
        serving.map(|(process, _)| kill(process)).count()
    }

    /// Ends the server and all its connections; the port refuses.
    pub fn shut(&mut self) {
        let started = descendants(self.server.id());
        kill(self.server.id());
        for (process, _) in started {
            kill(process);
        }
        // Nothing is left to do about a server that is gone already.
        let _ = self.server.wait();
    }

    /// Starts it again on its port.
    pub fn open(&mut self) {
        let server = start_server(self.folder.path(), self.port, &self.through);
        self.server = server.expect("the port is free after its server ended");
    }

    fn pin_host_key(&self) {
        let public = read(&self.folder.path().join("host_key.pub"));
        let line = format!("[127.0.0.1]:{} {public}", self.port);
        fs::write(self.known_hosts(), line).expect("the temporary folder is writable");
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.shut();
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn key_pair(path: &Path) {
    let mut command = Command::new("ssh-keygen");
    Outcome::of(command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path)).exits(0);
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}

fn write_config(folder: &Path, port: u16, lines: &str) {
    let path = folder.display();
    let config = format!(
        "{lines}\n\
         ListenAddress 127.0.0.1:{port}\n\
         HostKey {path}/host_key\n\
         AuthorizedKeysFile {path}/id.pub\n\
         PidFile {path}/pid\n\
         PermitRootLogin yes\n\
         StrictModes no\n\
         UsePAM no\n\
         PasswordAuthentication no\n\
         KbdInteractiveAuthentication no\n\
         MaxStartups 100:30:300\n\
         MaxSessions 100\n\
         Subsystem sftp internal-sftp\n"
    );
    fs::write(folder.join("config"), config).expect("the temporary folder is writable");
}

/// Starts the server and waits until it greets; `None` when it ended instead.
fn start_server(folder: &Path, port: u16, through: &[String]) -> Option<Child> {
    let words: Vec<&str> = through.iter().map(String::as_str).chain([SSHD]).collect();
    let mut command = Command::new(words[0]);
    command
        .args(&words[1..])
        .arg("-D")
        .arg("-f")
        .arg(folder.join("config"))
        .arg("-E")
        .arg(folder.join("log"));
    let mut server = command.stdin(Stdio::null()).spawn().expect("sshd is executable");
    let started = Instant::now();
    while started.elapsed() < START_TIMEOUT {
        if server.try_wait().expect("our own child can be waited for").is_some() {
            return None;
        }
        if greets(port) {
            return Some(server);
        }
        thread::sleep(Duration::from_millis(10));
    }
    kill(server.id());
    let _ = server.wait();
    None
}

fn greets(port: u16) -> bool {
    let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let mut line = String::new();
    let read = BufReader::new(stream).read_line(&mut line);
    read.is_ok() && line.starts_with("SSH-2.0-OpenSSH")
}

/// Process id and name of everything that `ancestor` started, directly or not.
fn descendants(ancestor: u32) -> Vec<(u32, String)> {
    let processes = processes();
    let mut found = Vec::new();
    let mut parents = vec![ancestor];
    while let Some(wanted) = parents.pop() {
        for (process, parent, name) in &processes {
            if *parent == wanted {
                parents.push(*process);
                found.push((*process, name.clone()));
            }
        }
    }
    found
}

/// Process id, parent and name of every process.
fn processes() -> Vec<(u32, u32, String)> {
    let entries = fs::read_dir("/proc").expect("Linux has /proc").flatten();
    let read = entries.filter_map(|entry| {
        let process = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let (front, back) = stat.rsplit_once(") ")?;
        let name = front.split_once('(')?.1.to_owned();
        let parent = back.split(' ').nth(1)?.parse().ok()?;
        Some((process, parent, name))
    });
    read.collect()
}

/// Kills a process; one that is gone already is no failure.
fn kill(process: u32) {
    if let Some(process) = i32::try_from(process).ok().and_then(Pid::from_raw) {
        let _ = kill_process(process, Signal::KILL);
    }
}

#[test]
fn the_systems_client_runs_a_command_and_gets_its_exit_code() {
    let sshd = Sshd::start();
    let outcome = Outcome::of(&mut sshd.ssh("echo here; exit 7")).exits(7);
    assert_eq!(outcome.stdout(), "here\n");
    assert!(sshd.log().contains("Accepted publickey"), "{}", sshd.log());
}

#[test]
fn an_unknown_host_key_is_refused_by_the_client() {
    let sshd = Sshd::start();
    fs::write(sshd.known_hosts(), "").unwrap();
    Outcome::of(&mut sshd.ssh("true")).exits(255);
}

#[test]
fn a_cut_ends_the_connection_and_the_server_goes_on() {
    let sshd = Sshd::start();
    let mut client = sshd.ssh("echo ready; exec sleep 60").stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(client.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    assert!(sshd.cut() > 0);
    assert_eq!(client.wait().unwrap().code(), Some(255));
    Outcome::of(&mut sshd.ssh("true")).exits(0);
}

#[test]
fn a_dropped_server_is_gone() {
    let sshd = Sshd::start();
    let port = sshd.port();
    assert!(greets(port));
    drop(sshd);
    assert!(!greets(port));
}
