//! A site with hosts and workloads behind a real SSH server on loopback.
//!
//! Every host of the inventory is that same server: what makes them different to evac is their id,
//! and that each has trees of its own.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::sshd::Sshd;
use super::{Outcome, Site, folder};

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
        fleet.sources.iter().for_each(|source| drop(folder(&fleet.tree(source.id))));
        fleet.write_settings();
        fleet.write_inventory("");
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

    /// Writes the inventory again, with `more` at its end.
    pub fn write_inventory(&self, more: &str) {
        let mut hosts: Vec<&str> = self.sources.iter().map(|source| source.host).collect();
        hosts.dedup();
        let mut text = String::from("[[customer]]\nid = \"acme\"\nname = \"Acme BV\"\n");
        for host in hosts {
            let port = self.sshd.port();
            text += &format!(
                "[[host]]\nid = \"{host}\"\naddress = \"127.0.0.1\"\nport = {port}\n\
                 user = \"{}\"\ncustomer = \"acme\"\n",
                user()
            );
            for source in self.sources.iter().filter(|source| source.host == host) {
                text += &format!(
                    "[[host.workload]]\nid = \"{}\"\npaths = [\"{}\"]\nclass = \"{}\"\n",
                    source.id,
                    self.tree(source.id).display(),
                    source.class
                );
            }
        }
        self.site.write("inventory.toml", &(text + more));
    }
}

fn user() -> String {
    let output = Outcome::of(std::process::Command::new("id").arg("-un")).exits(0).stdout();
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
