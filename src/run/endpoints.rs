//! How each machine is reached, from what the inventory says, and where it says nothing and
//! `config` allows it, from what the configuration of OpenSSH's client says.

use std::collections::HashMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Mutex;

use rustix::process::geteuid;

use crate::inventory::settings::{self, DEFAULT_PORT};
use crate::inventory::{Access, ClientConfig, Host, Inventory, Settings, Target, Ways, ways};
use crate::model::HostId;
use crate::ssh::{
    ConfigQuestion, Configured, Endpoint, Hop, Means, Question, Refusal, SshError, configured,
};

/// More machines in a row than any way in leads through.
const JUMPS_MAX: usize = 8;

/// The ways to all machines of a site.
pub struct Endpoints {
    folder: PathBuf,
    ssh: settings::Ssh,
    hosts: Vec<Host>,
    /// What the client's configuration said; asked once.
    asked: Mutex<HashMap<ConfigQuestion, Configured>>,
    /// Where the ways to hosts begin, as found last.
    entrances: Mutex<HashMap<HostId, (String, u16)>>,
}

/// What is written of a machine.
struct Written<'a> {
    id: &'a str,
    address: &'a str,
    port: Option<u16>,
    user: Option<&'a str>,
    identity: &'a [PathBuf],
    host_key: Option<&'a str>,
    host_key_alias: Option<String>,
    ways: Ways,
    jump: Option<Endpoint>,
}

impl Endpoints {
    /// For the machines of `inventory`.
    pub fn new(folder: &Path, settings: &Settings, inventory: &Inventory) -> Self {
        Self {
            folder: folder.to_owned(),
            ssh: settings.ssh.clone(),
            hosts: inventory.hosts.clone(),
            asked: Mutex::default(),
            entrances: Mutex::default(),
        }
    }

    /// Where pinned keys are.
    pub fn known_hosts(&self) -> PathBuf {
        self.resolve(&self.ssh.known_hosts)
    }

    /// How `host` is reached, through as many others as it takes.
    pub async fn of_host(&self, host: &Host) -> Result<Endpoint, SshError> {
        let endpoint = self.host(host, 0).await?;
        let mut outermost = &endpoint;
        while let Some(jump) = &outermost.jump {
            outermost = jump;
        }
        let entrance = (outermost.address.clone(), outermost.port);
        let mut entrances = self.entrances.lock().expect("no holder of this lock panics");
        entrances.insert(host.id.clone(), entrance);
        Ok(endpoint)
    }

    /// What of `hosts` cannot be reached as it is written, each with why.
    pub async fn mistakes<'a>(&self, hosts: &[&'a Host]) -> Vec<(&'a Host, SshError)> {
        let mut mistakes = Vec::new();
        for &host in hosts {
            mistakes.extend(self.of_host(host).await.err().map(|error| (host, error)));
        }
        mistakes
    }

    /// Where the way to `host` begins, if it was looked for already.
    pub fn entrance(&self, host: &HostId) -> Option<(String, u16)> {
        self.entrances.lock().expect("no holder of this lock panics").get(host).cloned()
    }

    fn host<'a>(
        &'a self,
        host: &'a Host,
        depth: usize,
    ) -> Pin<Box<dyn Future<Output = Result<Endpoint, SshError>> + Send + 'a>> {
        Box::pin(async move {
            let jump = host.jump.as_ref().and_then(|id| self.hosts.iter().find(|h| h.id == *id));
            let jump = match jump {
                Some(jump) if depth < JUMPS_MAX => Some(self.host(jump, depth + 1).await?),
                _ => None,
            };
            let is_rescue = host.access == Access::Rescue;
            let written = Written {
                id: host.id.as_str(),
                address: &host.address,
                port: host.ways.is_port_written.then_some(host.port),
                user: host.user.as_deref().or(self.user()),
                identity: if host.identity.is_empty() {
                    &self.ssh.identity
                } else {
                    &host.identity
                },
                host_key: if is_rescue {
                    host.rescue.host_key.as_deref()
                } else {
                    host.host_key.as_deref()
                },
                // A rescue system has keys of its own: both are kept, never mistaken.
                host_key_alias: is_rescue.then(|| format!("rescue:{}", host.id)),
                ways: host.ways.or(&self.ssh.ways),
                jump,
            };
            self.endpoint(written, depth).await
        })
    }

    /// How `target` is reached.
    pub async fn of_target(&self, target: &Target) -> Result<Endpoint, SshError> {
        let written = Written {
            id: target.id.as_str(),
            address: &target.address,
            port: (target.port != DEFAULT_PORT).then_some(target.port),
            user: target.user.as_deref().or(self.user()),
            identity: &self.ssh.identity,
            host_key: None,
            host_key_alias: None,
            ways: self.ssh.ways.clone(),
            jump: None,
        };
        self.endpoint(written, 0).await
    }

    /// The user of `[ssh]`, if somebody wrote it.
    fn user(&self) -> Option<&str> {
        self.ssh.ways.is_user_written.then_some(&self.ssh.user)
    }

    async fn endpoint(&self, written: Written<'_>, depth: usize) -> Result<Endpoint, SshError> {
        let said = self.configured(&written).await?;
        let port = written.port.or(said.as_ref().and_then(|said| said.port));
        let user = written.user.or(said.as_ref().map(|said| &*said.user)).unwrap_or(&self.ssh.user);
        let mut endpoint = Endpoint {
            address: written.address.to_owned(),
            port: port.unwrap_or(DEFAULT_PORT),
            user: user.to_owned(),
            identities: written.identity.iter().map(|path| self.resolve(path)).collect(),
            agent: crate::ssh::agent_socket(),
            jump: written.jump.clone().map(Box::new),
            host_key_alias: written.host_key_alias.clone(),
            host_key: written.host_key.map(str::to_owned),
            known_hosts: vec![self.known_hosts()],
            means: Means::default(),
        };
        endpoint.means = self.means(&written, &endpoint);
        let Some(said) = said else { return Ok(endpoint) };
        endpoint.address = said.address;
        endpoint.host_key_alias = endpoint.host_key_alias.or(said.host_key_alias);
        endpoint.known_hosts.extend(said.known_hosts);
        if written.identity.is_empty() {
            endpoint.identities = said.identities;
            endpoint.agent = said.agent.unwrap_or(endpoint.agent);
        }
        if endpoint.jump.is_none() {
            endpoint.jump = self.through(&said.jumps, &written, depth).await?.map(Box::new);
        }
        Ok(endpoint)
    }

    /// The last of `hops`, reached through those before it; the first may have a way of its own.
    async fn through(
        &self,
        hops: &[Hop],
        written: &Written<'_>,
        depth: usize,
    ) -> Result<Option<Endpoint>, SshError> {
        let mut way = None;
        for hop in hops {
            if depth >= JUMPS_MAX {
                let why =
                    format!("more than {JUMPS_MAX} jumps in a row: do they lead in a circle?");
                return Err(refusal(written.address, why));
            }
            let hop = Written {
                id: &hop.name,
                address: &hop.name,
                port: hop.port,
                user: hop.user.as_deref(),
                identity: &[],
                host_key: None,
                host_key_alias: None,
                ways: written.ways.clone(),
                jump: way,
            };
            way = Some(Box::pin(self.endpoint(hop, depth + 1)).await?);
        }
        Ok(way)
    }

    async fn configured(&self, written: &Written<'_>) -> Result<Option<Configured>, SshError> {
        let file = match &written.ways.config {
            None | Some(ClientConfig::Off) => return Ok(None),
            Some(ClientConfig::Usual) => None,
            Some(ClientConfig::File(path)) => Some(self.resolve(path)),
        };
        let question = ConfigQuestion {
            file,
            name: written.address.to_owned(),
            user: written.user.map(str::to_owned),
            port: written.port,
        };
        let known =
            self.asked.lock().expect("no holder of this lock panics").get(&question).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let said = configured(&question, &self.folder).await;
        let said = said.map_err(|why| refusal(written.address, why))?;
        self.asked.lock().expect("no holder of this lock panics").insert(question, said.clone());
        Ok(Some(said))
    }

    /// What the client's configuration says of hosts and is not done, by name.
    pub fn ignored(&self) -> Vec<(String, String)> {
        let asked = self.asked.lock().expect("no holder of this lock panics");
        let of = |(question, said): (&ConfigQuestion, &Configured)| {
            said.ignored
                .iter()
                .map(|what| (question.name.clone(), what.clone()))
                .collect::<Vec<_>>()
        };
        let mut ignored: Vec<_> = asked.iter().flat_map(of).collect();
        ignored.sort();
        ignored.dedup();
        ignored
    }

    fn means(&self, written: &Written<'_>, endpoint: &Endpoint) -> Means {
        let port = endpoint.port.to_string();
        let values = [written.id, written.address, &port, &endpoint.user];
        let question = |argv: Option<&Vec<String>>| {
            let argv = argv.filter(|argv| !argv.is_empty())?;
            let argv = argv.iter().map(|word| ways::filled(word, values)).collect();
            Some(Question { argv, folder: self.folder.clone() })
        };
        let password = question(written.ways.password_command.as_ref());
        let sudo_password = match &written.ways.sudo_password_command {
            None => password.clone(),
            of_its_own => question(of_its_own.as_ref()),
        };
        let passphrase = question(written.ways.passphrase_command.as_ref());
        let legacy = written.ways.legacy.unwrap_or(false);
        Means { password, sudo_password, passphrase, legacy }
    }

    /// A path of the settings, made absolute.
    fn resolve(&self, written: &Path) -> PathBuf {
        resolve(&self.folder, written)
    }
}

fn refusal(host: &str, why: String) -> SshError {
    Refusal::ClientConfig { host: host.to_owned(), why }.into()
}

/// A path of the settings, made absolute.
pub fn resolve(folder: &Path, written: &Path) -> PathBuf {
    settings::resolve(written, folder, home().as_deref())
}

/// The home of whoever runs this. cron and system services may run without `HOME`.
fn home() -> Option<PathBuf> {
    let said = std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    said.or_else(|| home_in(&std::fs::read_to_string("/etc/passwd").ok()?, geteuid().as_raw()))
}

/// The home of a user in the text of passwd(5).
fn home_in(users: &str, user: u32) -> Option<PathBuf> {
    let mut fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let line = fields.find(|line| line.get(2).is_some_and(|id| id.parse() == Ok(user)))?;
    line.get(5).map(PathBuf::from)
}
