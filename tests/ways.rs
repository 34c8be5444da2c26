//! Ways in that differ, each through a real sshd of its own: what is captured, and with which word
//! the rest is refused. Passwords and sudo need users of their own: `scripts/lab-ways`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use rustix::process::geteuid;
use serde_json::Value;

use super::site::fleet::noise;
use super::site::sshd::Sshd;
use super::site::{Outcome, Site};

const OLD: &str = "KexAlgorithms diffie-hellman-group14-sha1\nCiphers aes128-cbc\nMACs hmac-sha1";

/// A site with one host a row.
struct Rows {
    site: Site,
    sshds: Vec<Sshd>,
    user: String,
    inventory: String,
    known_hosts: String,
    expected: BTreeMap<String, &'static str>,
}

impl Rows {
    fn new() -> Self {
        let user = Outcome::of(Command::new("id").arg("-un")).exits(0).stdout().trim().to_owned();
        let inventory = "[[customer]]\nid = \"acme\"\n".to_owned();
        let (sshds, known_hosts) = (Vec::new(), String::new());
        Self { site: Site::new(), sshds, user, inventory, known_hosts, expected: BTreeMap::new() }
    }

    /// An sshd with more lines of configuration, its key pinned; its number.
    fn sshd(&mut self, lines: &str) -> usize {
        let sshd = Sshd::start_with(lines);
        self.known_hosts.push_str(&fs::read_to_string(sshd.known_hosts()).unwrap());
        self.sshds.push(sshd);
        self.sshds.len() - 1
    }

    /// A host that is reached through such an sshd.
    fn host(&mut self, id: &str, sshd: usize, lines: &str, expected: &'static str) {
        let (port, identity) = (self.sshds[sshd].port(), self.sshds[sshd].identity());
        let user = &self.user;
        let address = format!(
            "address = \"127.0.0.1\"\nport = {port}\nuser = \"{user}\"\nidentity = [{identity:?}]"
        );
        self.written(id, &format!("{address}\n{lines}"), expected);
    }

    /// A host as written; `expected`: "captured", a reason, or "" for one that is only passed.
    fn written(&mut self, id: &str, lines: &str, expected: &'static str) {
        let _ = writeln!(self.inventory, "[[host]]\nid = \"{id}\"\ncustomer = \"acme\"\n{lines}");
        if expected.is_empty() {
            return;
        }
        self.site.write(&format!("data/{id}/file"), id);
        let path = self.site.path(&format!("data/{id}"));
        let _ =
            writeln!(self.inventory, "[[host.workload]]\nid = \"{id}-files\"\npaths = [{path:?}]");
        self.expected.insert(format!("{id}-files"), expected);
    }

    fn write(&self) {
        self.site.write("evac.toml", "[site]\nname = \"Test\"\n");
        self.site.write("inventory.toml", &self.inventory);
        self.site.write("known_hosts", &self.known_hosts);
    }

    /// What became of each, by `evac run`.
    fn outcomes(&self) -> BTreeMap<String, String> {
        self.write();
        self.site.evac(&["plan", "--name", "night"]).exits(0);
        let events = self.site.evac(&["--json", "run", "plans/night.toml"]).exits(1).json();
        let mut outcomes = BTreeMap::new();
        for event in events {
            let outcome = match event["event"].as_str() {
                Some("capture_sealed") => "captured",
                Some("capture_failed") => event["reason"].as_str().unwrap(),
                _ => continue,
            };
            let workload = event["workload"].as_str().unwrap().to_owned();
            outcomes.insert(workload, outcome.to_owned());
        }
        outcomes
    }
}

#[test]
fn each_way_in_is_captured_or_refused_with_its_own_word() {
    if !geteuid().is_root() {
        eprintln!("left out: only root's login needs no sudo");
        return;
    }
    let mut rows = Rows::new();
    let plain = rows.sshd("");
    let old = rows.sshd(OLD);
    rows.host("ancient", old, "", "legacy");
    rows.host("legacy", old, "legacy = true", "captured");
    let sftp = rows.sshd("ForceCommand internal-sftp");
    rows.host("sftp", sftp, "", "no-exec");
    let forced = rows.sshd("ForceCommand echo backup done");
    rows.host("forced", forced, "", "no-exec");

    rows.host("first", plain, "capture = false", "");
    let second = rows.sshd("");
    rows.host("second", second, "capture = false\njump = \"first\"", "");
    let behind = rows.sshd("");
    rows.host("behind", behind, "jump = \"second\"", "captured");
    let shut = rows.sshd("AllowTcpForwarding no");
    rows.host("shut", shut, "capture = false", "");
    rows.host("shut-off", behind, "jump = \"shut\"", "no-forward");

    let unpinned = Sshd::start();
    let port = unpinned.port();
    rows.written(
        "unknown",
        &format!(
            "address = \"127.0.0.1\"\nport = {port}\n\
        password_command = [\"echo\", \"secret\"]"
        ),
        "host-key-unknown",
    );
    rows.written(
        "unsaid",
        &format!(
            "address = \"127.0.0.1\"\nport = {port}\n\
        password_command = [\"false\"]"
        ),
        "password-command",
    );

    let config = client_config(&rows, plain, second);
    rows.site.write("ssh-config", &config);
    let by = |name: &str| format!("address = \"{name}\"\nconfig = \"ssh-config\"");
    rows.written("config", &by("web"), "captured");
    rows.written("proxied", &by("proxied"), "client-config");

    let expected = rows.expected.clone();
    let expected: BTreeMap<_, _> = expected.into_iter().map(|(id, e)| (id, e.to_owned())).collect();
    assert_eq!(rows.outcomes(), expected);
    assert_eq!(rows.sshds[old].log().matches("no matching key exchange").count(), 1);
    assert!(!unpinned.log().contains("Failed password"), "an unknown host hears no password");
}

/// Ends a run that would go on for ever.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // One that ended already is only waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn retry_dials_again_and_no_sshd_sees_a_fifth_failure() {
    if !geteuid().is_root() {
        eprintln!("left out: only root's login needs no sudo");
        return;
    }
    let mut rows = Rows::new();
    let (strict, plain) = (rows.sshd("AuthorizedKeysFile none"), rows.sshd(""));
    rows.host("locked", strict, "", "auth");
    // Keeps the run going.
    rows.host("slow", plain, "rate = \"1kB/s\"", "captured");
    // Longer than it takes: refused logins come apart, or sshd would shut out by itself.
    rows.site.write("data/slow/file", "");
    fs::write(rows.site.path("data/slow/file"), noise(1, 4_000_000)).unwrap();
    rows.write();
    rows.site.evac(&["plan", "--name", "night"]).exits(0);
    let mut run = rows.site.bare_command(&["--json", "run", "plans/night.toml"]);
    let mut run = Killed(run.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut events = BufReader::new(run.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut failure = || loop {
        let event: Value = serde_json::from_str(&events.next().expect("it goes on")).unwrap();
        if event["event"] == "capture_failed" {
            assert_eq!(event["workload"], "locked-files", "{event}");
            return event["reason"].as_str().unwrap().to_owned();
        }
    };
    let mut reasons = vec![failure()];
    for _ in 0..4 {
        rows.site.evac(&["--yes", "retry", "host/locked"]).exits(0);
        reasons.push(failure());
    }
    assert_eq!(reasons, ["auth", "auth", "auth", "auth", "auth-spared"]);
    drop(run);
    let surveyed = rows.site.evac(&["--json", "survey", "host/locked"]).exits(1).json();
    assert_eq!(surveyed[0]["hosts"][0]["reason"], "auth-spared", "another command knows of it");
    let log = rows.sshds[strict].log();
    assert_eq!(log.matches("authenticating user").count(), 4, "{log}");
}

/// `web` is `sshd`, behind `hop`.
fn client_config(rows: &Rows, sshd: usize, hop: usize) -> String {
    let (user, web, hop) = (&rows.user, &rows.sshds[sshd], &rows.sshds[hop]);
    format!(
        "Host web\n HostName 127.0.0.1\n Port {}\n IdentityFile {}\n ProxyJump {user}@hop\n\
         Host hop\n HostName 127.0.0.1\n Port {}\n IdentityFile {}\n\
         Host proxied\n ProxyCommand nc %h %p\nHost *\n User {user}\n",
        web.port(),
        web.identity().display(),
        hop.port(),
        hop.identity().display(),
    )
}

#[test]
fn check_says_what_of_the_ssh_configuration_is_not_done() {
    let site = Site::new();
    site.write("evac.toml", "[site]\nname = \"Test\"\n[ssh]\nconfig = \"ssh-config\"\n");
    let host =
        |id: &str| format!("[[host]]\nid = \"{id}\"\naddress = \"{id}\"\ncustomer = \"acme\"\n");
    let hosts: Vec<String> = ["web", "proxied", "round"].map(host).to_vec();
    site.write("inventory.toml", &format!("[[customer]]\nid = \"acme\"\n{}", hosts.concat()));
    site.write(
        "ssh-config",
        "Host web\n PKCS11Provider /usr/lib/p11.so\nHost proxied\n ProxyCommand nc %h %p\n\
         Host round\n ProxyJump again\nHost again\n ProxyJump round\n",
    );
    let document: Value = site.evac(&["--json", "check"]).exits(2).json().remove(0);
    let problems: Vec<_> = document["problems"].as_array().unwrap().iter().collect();
    let said = |text: &str| {
        let found = problems.iter().filter(|it| it["what"].as_str().unwrap().contains(text));
        found.map(|it| it["line"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(said("PKCS11Provider /usr/lib/p11.so is not done"), [3], "{problems:?}");
    assert_eq!(said("`ProxyCommand nc %h %p` is not done"), [7], "{problems:?}");
    assert_eq!(said("do they lead in a circle?"), [11], "{problems:?}");
}
