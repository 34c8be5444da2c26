//! Hundreds of SSH hosts in one process, each with a little data of its own, and a site that knows
//! them: what `scripts/lab-fleet` evacuates.
//!
//! usage: fleet FOLDER HOSTS MB_EACH AT_ONCE [SLOW_BYTES_PER_SECOND]
//!
//! Makes `FOLDER/site`, says `ready` when every host listens, serves until its standard input ends,
//! and then says in one line of JSON what came to its doors. The first host sends at most that many
//! bytes a second.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use evac::ssh::embedded::{Doors, EmbeddedHost, EmbeddedOptions};
use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey, PublicKey};

/// What all hosts have in common: as many files of this size.
const SHARED_FILES: u64 = 64;
const SHARED_BYTES: usize = 64 << 10;
/// A host's own data: half of it one file of noise, half small files that compress.
const SMALL_BYTES: usize = 16 << 10;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse::<u64>().ok());
    let (Some(folder), Some(hosts), Some(mb_each), Some(at_once)) =
        (arguments.first(), number(1), number(2), number(3))
    else {
        return Err(io::Error::other("usage: fleet FOLDER HOSTS MB_EACH AT_ONCE [SLOW]"));
    };
    let fleet = Fleet { folder: PathBuf::from(folder), hosts, mb_each, at_once };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(fleet.serve(number(4).unwrap_or(0)))
}

struct Fleet {
    folder: PathBuf,
    hosts: u64,
    mb_each: u64,
    at_once: u64,
}

impl Fleet {
    async fn serve(&self, slow_rate: u64) -> io::Result<()> {
        let site = self.folder.join("site");
        fs::create_dir_all(&site)?;
        let authorized = make_key(&site.join("key"))?;
        let shared = self.folder.join("shared");
        plant_shared(&shared)?;
        let doors = Arc::new(Doors::default());
        let (mut hosts, mut known, mut inventory) = (Vec::new(), String::new(), String::new());
        for number in 0..self.hosts {
            let home = self.folder.join(format!("hosts/h{number:03}"));
            self.plant(number, &home)?;
            let text = |path: &Path| path.to_string_lossy().into_owned();
            let options = EmbeddedOptions {
                authorized: authorized.clone(),
                environment: vec![
                    ("HOME".to_owned(), text(&home)),
                    ("XDG_RUNTIME_DIR".to_owned(), String::new()),
                ],
                folder: home.clone(),
            };
            let host = EmbeddedHost::start_behind(options, Arc::clone(&doors)).await?;
            if number == 0 {
                host.slow_down(slow_rate);
            }
            let key = host.key().to_openssh().map_err(io::Error::other)?;
            writeln!(known, "[127.0.0.1]:{} {key}", host.port()).map_err(io::Error::other)?;
            inventory.push_str(&entry(number, host.port(), &[&shared, &home.join("data")]));
            hosts.push(host);
        }
        fs::write(site.join("known_hosts"), known)?;
        fs::write(site.join("inventory.toml"), inventory)?;
        fs::write(site.join("evac.toml"), self.settings())?;
        say("ready")?;
        tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new())).await??;
        let sent: u64 = hosts.iter().map(EmbeddedHost::sent_bytes).sum();
        for host in hosts {
            host.stop().await;
        }
        let (most, arrivals) = (doors.most_waiting(), doors.arrivals());
        say(&format!("{{\"waiting_most\":{most},\"dials\":{arrivals},\"sent_bytes\":{sent}}}"))
    }

    /// One connection to each host: what is waited for here is processors, which both ends share.
    fn settings(&self) -> String {
        format!(
            "[site]\nname = \"Fleet\"\n[ssh]\nidentity = [\"key\"]\nknown_hosts = \"known_hosts\"\n\
             [limits]\nhosts = {}\nlanes = 1\n[[uplink]]\nid = \"loopback\"\nrate = \"10Gbit/s\"\n",
            self.at_once
        )
    }

    fn plant(&self, number: u64, home: &Path) -> io::Result<()> {
        let data = home.join("data");
        fs::create_dir_all(&data)?;
        let half = (self.mb_each << 19) as usize;
        let seed = (number + 1) << 32;
        fs::write(data.join("noise"), noise(seed, half))?;
        for small in 0..half / SMALL_BYTES {
            let folder = data.join(format!("d{:02}", small / 64));
            fs::create_dir_all(&folder)?;
            let content = words(seed + small as u64, SMALL_BYTES);
            fs::write(folder.join(format!("f{small:05}")), content)?;
        }
        Ok(())
    }
}

/// What every host has.
fn plant_shared(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for number in 0..SHARED_FILES {
        let file = folder.join(format!("lib{number:03}"));
        fs::write(file, words(number, SHARED_BYTES))?;
    }
    Ok(())
}

/// A host of the inventory, with its one customer and its one workload.
fn entry(number: u64, port: u16, paths: &[&Path]) -> String {
    let id = format!("h{number:03}");
    let diskless = evac::run::rescue::is_diskless_here();
    let access = if diskless { "access = \"diskless\"\n" } else { "" };
    format!(
        "[[customer]]\nid = \"c-{id}\"\nname = \"Customer {number}\"\n\
         [[host]]\nid = \"{id}\"\naddress = \"127.0.0.1\"\nport = {port}\nuplink = \"loopback\"\n\
         customer = \"c-{id}\"\n{access}\
         [[host.workload]]\nid = \"{id}-files\"\nkind = \"files\"\npaths = {paths:?}\n"
    )
}

/// Bytes that do not compress.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// Bytes that compress to about a third.
fn words(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = noise(seed, length);
    for byte in &mut bytes {
        *byte = b"etaoinsh"[usize::from(*byte % 8)];
    }
    bytes
}

/// A new key pair, the private half in `file`.
fn make_key(file: &Path) -> io::Result<PublicKey> {
    let mut random = russh::keys::key::safe_rng();
    let key = PrivateKey::random(&mut random, Algorithm::Ed25519).map_err(io::Error::other)?;
    let text = key.to_openssh(LineEnding::LF).map_err(io::Error::other)?;
    let mut options = fs::OpenOptions::new();
    let mut open = options.write(true).create_new(true).mode(0o600).open(file)?;
    open.write_all(text.as_bytes())?;
    Ok(key.public_key().clone())
}

fn say(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}
