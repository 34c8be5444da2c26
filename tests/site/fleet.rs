//! A site with hosts and workloads behind a real SSH server on loopback.
//!
//! Every host of the inventory is that same server: what makes them different to evac is their id,
//! and that each has trees of its own.

use std::fs;
use std::io::{BufRead as _, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::sshd::Sshd;
use super::{Outcome, Site, access, folder};

/// One workload of the inventory.
pub struct Source {
    pub host: &'static str,
    pub id: &'static str,
    pub class: &'static str,
}

/// A site, its server and the trees of its workloads.
pub struct Fleet {
    pub site: Site,
    pub sshd: Sshd,
    trees: TempDir,
    sources: Vec<Source>,
}

impl Fleet {
    /// Writes the site; every workload is an empty tree of its own.
    pub fn new(sources: Vec<Source>) -> Self {
        let trees = tempfile::Builder::new().prefix("evac-trees-").tempdir();
        let trees = trees.expect("the temporary folder is writable");
        let fleet = Self { site: Site::new(), sshd: Sshd::start(), trees, sources };
        for source in &fleet.sources {
            folder(&fleet.tree(source.id));
        }
        fleet.write_settings();
        fleet.write_inventory();
        fleet
    }

    /// The tree of a workload on its source.
    pub fn tree(&self, workload: &str) -> PathBuf {
        self.trees.path().join(workload)
    }

    /// Where a restore into `place` puts that tree.
    pub fn restored(&self, place: &Path, workload: &str) -> PathBuf {
        let tree = self.tree(workload);
        place.join(workload).join(tree.strip_prefix("/").expect("temporary folders are absolute"))
    }

    /// Runs `evac ARGUMENTS` to its end.
    pub fn evac(&self, arguments: &[&str]) -> Outcome {
        self.site.evac(arguments)
    }

    /// `evac restore --to PLACE` with more arguments.
    pub fn restore(&self, place: &Path, arguments: &[&str]) -> Outcome {
        let place = place.to_str().expect("temporary folders are text");
        self.evac(&[&["--json", "restore", "--to", place], arguments].concat())
    }

    fn write_settings(&self) {
        let settings = format!(
            "[site]\nname = \"Test\"\n[ssh]\nidentity = [\"{}\"]\nknown_hosts = \"{}\"\n",
            self.sshd.identity().display(),
            self.sshd.known_hosts().display(),
        );
        self.site.write("evac.toml", &settings);
    }

    fn write_inventory(&self) {
        let mut hosts: Vec<&str> = self.sources.iter().map(|source| source.host).collect();
        hosts.dedup();
        let mut blocks = vec!["[[customer]]\nid = \"acme\"\nname = \"Acme BV\"\n".to_owned()];
        for host in hosts {
            let (port, user) = (self.sshd.port(), user());
            let access = access();
            blocks.push(format!(
                "[[host]]\nid = \"{host}\"\naddress = \"127.0.0.1\"\nport = {port}\n\
                 user = \"{user}\"\ncustomer = \"acme\"\n{access}"
            ));
            let own = self.sources.iter().filter(|source| source.host == host);
            blocks.extend(own.map(|Source { id, class, .. }| {
                let path = self.tree(id);
                format!(
                    "[[host.workload]]\nid = \"{id}\"\npaths = [\"{}\"]\nclass = \"{class}\"\n",
                    path.display()
                )
            }));
        }
        self.site.write("inventory.toml", &blocks.concat());
    }
}

fn user() -> String {
    let output = Outcome::of(Command::new("id").arg("-un")).exits(0).stdout();
    output.trim().to_owned()
}

/// Bytes that do not compress, always the same for a number.
pub fn noise(number: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&number.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// Every file beneath `path`, sorted; none when there is no such folder.
pub fn files_beneath(path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder { folders.push(entry.path()) } else { found.push(entry.path()) }
        }
    }
    found.sort();
    found
}

/// `evac run` that is going on; its events arrive one by one. Killed when dropped.
pub struct Running {
    pub child: Child,
    events: Lines<BufReader<ChildStdout>>,
    /// What it printed so far.
    pub seen: Vec<Value>,
}

impl Running {
    /// Starts `evac --json run`.
    pub fn start(fleet: &Fleet) -> Self {
        Self::start_with(fleet, &[])
    }

    /// Starts `evac --json run ARGUMENTS`.
    pub fn start_with(fleet: &Fleet, arguments: &[&str]) -> Self {
        let log = fs::File::create(fleet.site.path("stderr")).expect("a site is writable");
        // The command itself, not `timeout` around it, is to get the signals.
        let mut command = fleet.site.bare_command(&[&["--json", "run"], arguments].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().expect("evac starts");
        let stdout = child.stdout.take().expect("it was just piped");
        Self { child, events: BufReader::new(stdout).lines(), seen: Vec::new() }
    }

    /// The next event; `None` when it ended.
    pub fn next(&mut self) -> Option<Value> {
        let line = self.events.next()?.ok()?;
        let event: Value = serde_json::from_str(&line).expect("a whole line is a document");
        self.seen.push(event.clone());
        Some(event)
    }

    /// Reads on until such an event.
    pub fn until(&mut self, is_it: impl Fn(&Value) -> bool) {
        loop {
            match self.next() {
                Some(event) if is_it(&event) => return,
                Some(_) => {}
                None => panic!("it ended: {:?}", self.seen),
            }
        }
    }

    /// Reads on until payload of so many bytes has arrived.
    pub fn until_received(&mut self, bytes: u64) {
        while received(&self.seen) < bytes {
            assert!(self.next().is_some(), "it ended early: {:?}", self.seen.last());
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("it has not been waited for");
    }

    /// Reads to the end; how it ended.
    pub fn end(mut self) -> (Option<i32>, Vec<Value>) {
        while self.next().is_some() {}
        let code = self.child.wait().expect("our own child can be waited for").code();
        (code, std::mem::take(&mut self.seen))
    }

    /// `kill -9`, and what it had printed by then.
    pub fn kill(self) -> Vec<Value> {
        self.signal(Signal::KILL);
        self.end().1
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that was waited for is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Payload that arrived at the landing site, as its events say.
pub fn received(events: &[Value]) -> u64 {
    let received = events.iter().filter(|event| event["event"] == "received");
    received.filter_map(|event| event["sent_bytes"].as_u64()).sum()
}
