//! `evac survey` against a real sshd on loopback: keys, logins, what is uncovered, what is left.
//!
//! The source is this machine. Everything on it but one folder is accepted as not needed, so that
//! nothing else is looked through.

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use evac::capture::survey::SPLIT;
use evac::ledger::StateLock;
use evac::model::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::site::sshd::Sshd;
use super::site::{Outcome, Site, access};

/// Where a survey looks for customers' data; only root may make a folder there.
const HOLDER: &str = "/srv";

/// A site with one host, which is this machine.
struct Night {
    site: Site,
    sshd: Sshd,
    data: TempDir,
    host: String,
}

impl Night {
    /// None where nobody may make a folder in [`HOLDER`].
    fn begin() -> Option<Self> {
        let made = tempfile::Builder::new().prefix("evac-survey-").tempdir_in(HOLDER);
        let data = match made {
            Ok(data) => data,
            Err(error) => {
                eprintln!("left out: {HOLDER} cannot be written: {error}");
                return None;
            }
        };
        for (file, bytes) in [("shop/index", 300_000), ("shop/x.log", 500_000), ("old", 400_000)] {
            let file = data.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, vec![7; bytes]).unwrap();
        }
        let sshd = Sshd::start();
        let host = format!("source-{}", sshd.port());
        let night = Self { site: Site::new(), sshd, data, host };
        night.settings(&night.sshd.identity(), &user());
        night.inventory("");
        Some(night)
    }

    fn settings(&self, identity: &Path, user: &str) {
        let text = format!(
            "[site]\nname = \"Example\"\n\n[ssh]\nuser = \"{user}\"\nidentity = [{identity:?}]\n"
        );
        self.site.write("evac.toml", &text);
    }

    /// One workload takes `shop` without its logs; `more` stands behind it.
    fn inventory(&self, more: &str) {
        let accepted = everything_but(self.data.path());
        let accepted: Vec<String> = (accepted.iter())
            .map(|path| format!("{{ path = {path:?}, reason = \"not of this test\" }}"))
            .collect();
        let text = format!(
            "[[customer]]\nid = \"acme\"\n\n[[host]]\nid = \"{}\"\naddress = \"127.0.0.1\"\n\
             port = {}\ncustomer = \"acme\"\n{}\n[[host.workload]]\nid = \"acme-shop\"\n\
             paths = [{:?}]\nexclude = [\"*.log\"]\nbytes = \"40GB\"\naccept = [{}]\n{more}",
            self.host,
            self.sshd.port(),
            access(),
            self.data.path().join("shop"),
            accepted.join(", "),
        );
        self.site.write("inventory.toml", &text);
    }

    /// The document of a survey that exits so.
    #[track_caller]
    fn survey(&self, arguments: &[&str], expected: i32) -> Value {
        let arguments = [&["--json", "survey"], arguments].concat();
        let documents = self.site.evac(&arguments).exits(expected).json();
        assert_eq!(documents.len(), 1);
        assert_eq!(documents[0]["schema"], 1);
        documents[0].clone()
    }

    /// Nothing of evac's is on this machine for this host, no folder and no process.
    #[track_caller]
    fn assert_nothing_left(&self) {
        let home = std::env::var("HOME").unwrap_or_default();
        for folder in ["/dev/shm", "/run", "/var/tmp", "/tmp", &home] {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let is_ours = name.starts_with(".evac-") && name.ends_with(&self.host);
                assert!(!is_ours, "{folder}/{name} is left");
            }
        }
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command);
            let is_ours = command.contains("--generation") && command.contains(&self.host);
            assert!(!is_ours, "{command} still runs");
        }
    }
}

/// Whoever runs the tests: the only one whom the server serves.
fn user() -> String {
    Outcome::of(Command::new("id").arg("-un")).exits(0).stdout().trim().to_owned()
}

/// Every area of this machine but `folder`.
fn everything_but(folder: &Path) -> Vec<PathBuf> {
    let children = |parent: &str| fs::read_dir(parent).into_iter().flatten().flatten();
    let parents = ["/"].into_iter().chain(SPLIT.iter().copied());
    let areas = parents.flat_map(|parent| children(parent).map(|entry| entry.path()));
    areas.filter(|area| !folder.starts_with(area)).collect()
}

#[test]
fn unknown_keys_are_refused_until_they_are_pinned_and_nothing_is_left_behind() {
    let Some(night) = Night::begin() else { return };
    let refused = night.survey(&[], 1);
    let host = &refused["hosts"][0];
    assert_eq!((&host["state"], &host["reason"]), (&"failed".into(), &"host-key-unknown".into()));
    assert!(host["hint"].as_str().unwrap().contains("--trust-new"), "{host}");
    assert!(!night.sshd.log().contains("Accepted"), "no login is tried on a host nobody knows");

    let outcome = night.site.evac(&["--json", "survey", "--trust-new"]).exits(0);
    let known_hosts = night.site.path("known_hosts");
    let mode = fs::metadata(&known_hosts).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    let listed = Command::new("ssh-keygen").arg("-lf").arg(&known_hosts).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let fingerprint = listed.split(' ').nth(1).unwrap();
    assert!(fingerprint.starts_with("SHA256:"), "{listed}");
    let stderr = outcome.stderr();
    assert!(stderr.contains("pinned [127.0.0.1]:") && stderr.contains(fingerprint), "{stderr}");
    let host = &outcome.json()[0]["hosts"][0];
    assert_eq!(host["state"], "reached");
    assert_eq!(host["facts"]["system"], "Linux");
    assert!(host["rtt_ms"].as_f64().unwrap() > 0.0);
    let bytes = host["bytes"].as_u64().unwrap();
    assert!((300_000..500_000).contains(&bytes), "the log is excluded: {bytes}");
    assert_eq!(host["workloads"]["acme-shop"], bytes);
    night.assert_nothing_left();
}

#[test]
fn data_that_nobody_named_is_listed_until_it_is_named() {
    let Some(night) = Night::begin() else { return };
    night.survey(&["--trust-new"], 0);
    let area = night.data.path().to_str().unwrap();
    let text = night.site.evac(&["survey"]).exits(0).stdout();
    assert!(text.contains("In no workload, will be left behind: "), "{text}");
    assert!(text.contains(area) && text.contains("accept = ["), "{text}");
    // Other tests keep their folders beside ours meanwhile.
    let ours = |document: &Value| {
        let found = document["hosts"][0]["uncovered"].as_array().unwrap().clone();
        found.into_iter().find(|found| found["path"] == area)
    };
    let found = ours(&night.survey(&[], 0)).unwrap();
    assert_eq!((&found["kind"], &found["complete"]), (&"folder".into(), &true.into()));
    assert!((400_000..1_000_000).contains(&found["bytes"].as_u64().unwrap()), "{found}");
    let plan = night.site.evac(&["--json", "plan"]).exits(0).json().remove(0);
    let named = plan["uncovered"].as_array().unwrap().iter().any(|found| found["path"] == area);
    assert!(named, "{plan}");
    let bytes = plan["workloads"][0]["bytes"].as_u64().unwrap();
    assert!(bytes < 1_000_000, "40 GB was an estimate, this is measured: {bytes}");

    night.inventory(&format!(
        "\n[[host.workload]]\nid = \"acme-rest\"\ncustomer = \"acme\"\npaths = [{:?}]\n",
        night.data.path().join("old"),
    ));
    assert_eq!(ours(&night.survey(&[], 0)), None);
    night.assert_nothing_left();
}

#[test]
fn a_changed_key_is_never_pinned() {
    let Some(night) = Night::begin() else { return };
    let other = Sshd::start();
    let line = fs::read_to_string(other.known_hosts()).unwrap();
    let line = line.replace(&other.port().to_string(), &night.sshd.port().to_string());
    night.site.write("known_hosts", &line);
    let host = &night.survey(&["--trust-new"], 1)["hosts"][0];
    assert_eq!(host["reason"], "host-key-changed", "{host}");
    assert_eq!(fs::read_to_string(night.site.path("known_hosts")).unwrap(), line);
    assert!(!night.sshd.log().contains("Accepted"));
}

#[test]
fn a_wrong_key_or_user_is_told_as_auth() {
    let Some(night) = Night::begin() else { return };
    let stranger = Sshd::start();
    night.settings(&stranger.identity(), &user());
    let host = &night.survey(&["--trust-new"], 1)["hosts"][0];
    assert_eq!(host["reason"], "auth", "{host}");
    night.settings(&night.sshd.identity(), "nobody-of-this-name");
    let text = night.site.evac(&["survey"]).exits(1).stdout();
    assert!(text.contains("1 machine: auth") && text.contains("hint: Set `user`"), "{text}");
    assert!(text.contains("0 of 1 hosts looked at"), "{text}");
    let status = night.site.evac(&["--json", "status"]).exits(0).json();
    assert_eq!(status[0]["reasons"][0]["reason"], "auth", "{}", status[0]);
    night.assert_nothing_left();
}

#[test]
fn a_host_that_fails_fails_alone_and_targets_are_pinned_too() {
    let Some(night) = Night::begin() else { return };
    let target = Sshd::start();
    let gone = Sshd::start();
    let nobody = gone.port();
    drop(gone);
    night.inventory(&format!(
        "\n[[host]]\nid = \"gone\"\naddress = \"127.0.0.1\"\nport = {nobody}\ncustomer = \"acme\"\n\
         target = {{ address = \"127.0.0.1\", port = {} }}\n\
         \n[[host.workload]]\nid = \"acme-gone\"\npaths = [\"/etc\"]\n",
        target.port(),
    ));
    let document = night.survey(&["--trust-new"], 1);
    let states: Vec<_> =
        document["hosts"].as_array().unwrap().iter().map(|h| &h["state"]).collect();
    assert_eq!(states, ["reached", "failed"], "{document}");
    assert_eq!(document["hosts"][1]["reason"], "refused", "{document}");
    let known = fs::read_to_string(night.site.path("known_hosts")).unwrap();
    assert!(known.contains(&format!("[127.0.0.1]:{} ", target.port())), "{known}");
    // The target serves only its own key; what counts is that its host key is known now.
    assert_eq!(document["targets"][0]["reason"], "auth", "{document}");

    let only = night.survey(&[&format!("host/{}", night.host)], 0);
    assert_eq!(only["hosts"].as_array().unwrap().len(), 1);
    assert_eq!(only["targets"], Value::Array(Vec::new()));
    night.site.evac(&["survey", "host/nowhere"]).exits(2);
    night.assert_nothing_left();
}

#[test]
fn a_way_through_a_bastion_is_pinned_hop_by_hop() {
    let Some(night) = Night::begin() else { return };
    let bastion = Sshd::start();
    let identities = format!("{:?}, {:?}", bastion.identity(), night.sshd.identity());
    let settings = "[site]\nname = \"Example\"\n\n[ssh]\nuser = ";
    let settings = format!("{settings}\"{}\"\nidentity = [{identities}]\n", user());
    night.site.write("evac.toml", &settings);
    let jump = format!(
        "[[host]]\nid = \"{}\"\njump = \"bastion\"\n\n[[host]]\nid = \"bastion\"\n\
         address = \"127.0.0.1\"\nport = {}\ncapture = false\n",
        night.host,
        bastion.port(),
    );
    night.site.write("inventory.d/jump.toml", &jump);
    assert_eq!(night.survey(&[], 1)["hosts"][0]["reason"], "host-key-unknown");
    let document = night.survey(&["--trust-new"], 0);
    let hosts = document["hosts"].as_array().unwrap();
    assert_eq!(hosts.len(), 1, "a way to others is not looked at: {document}");
    let known = fs::read_to_string(night.site.path("known_hosts")).unwrap();
    assert_eq!(known.lines().count(), 2, "{known}");
    assert!(bastion.log().contains("Accepted publickey"));
    night.site.evac(&["survey", "host/bastion"]).exits(2);
    night.assert_nothing_left();
}

#[test]
fn an_interrupt_ends_a_survey_at_once_and_says_so() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let site = Site::new();
    let port = silent.local_addr().unwrap().port();
    site.write(
        "inventory.toml",
        &format!(
            "[[customer]]\nid = \"acme\"\n\n[[host]]\nid = \"silent\"\n\
             address = \"127.0.0.1\"\nport = {port}\ncustomer = \"acme\"\n"
        ),
    );
    let identity = Sshd::start();
    let settings = format!("[site]\nname = \"x\"\n[ssh]\nidentity = [{:?}]\n", identity.identity());
    site.write("evac.toml", &settings);
    // Sent through `timeout`, one signal can arrive as two: it passes it on, and to its group.
    let mut command = site.bare_command(&["--json", "survey"]);
    let mut survey = command.stdout(Stdio::piped()).spawn().unwrap();
    let _dialled = silent.accept().unwrap();
    let process = Pid::from_child(&survey);
    kill_process(process, Signal::INT).unwrap();
    let mut document = String::new();
    survey.stdout.take().unwrap().read_to_string(&mut document).unwrap();
    assert_eq!(survey.wait().unwrap().code(), Some(3), "{document}");
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["stopped"], true);
    assert_eq!(document["hosts"][0]["reason"], "stopped");
}

#[test]
fn beside_a_writer_a_survey_is_refused() {
    let Some(night) = Night::begin() else { return };
    let state = night.site.path("state");
    fs::create_dir(&state).unwrap();
    let held = StateLock::acquire(&state, "jo", Timestamp::from_second(0)).unwrap();
    let outcome = night.site.evac(&["survey", "--trust-new"]).exits(4);
    assert!(outcome.stderr().contains("(jo)"), "{}", outcome.stderr());
    assert!(!night.site.path("known_hosts").exists());
    drop(held);
    night.survey(&["--trust-new"], 0);
}
