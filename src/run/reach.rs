//! The way to a machine: dial, probe, place the agent, start it, greet it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::geteuid;

use crate::inventory::{Host, Impact, Inventory, Settings, Target, settings};
use crate::model::{Clock, Event, Generation, HostId, Reason, SiteId};
use crate::run::host::Line;
use crate::run::shared::Shared;
use crate::run::stream::{Pending, Stream};
use crate::run::talk::{Patience, Talk, TalkError};
use crate::ssh::deploy::{self, Agent};
use crate::ssh::{Connection, Dialler, Endpoint, Purpose, SshError, probe};
use crate::wire::{Grant, MAGIC};

/// How often a dial is tried again within one attempt is the dialler's; this bounds the sum.
const DIAL_PATIENCE: Duration = Duration::from_secs(60);

/// A way to agents on hosts.
pub trait Way: Send + Sync {
    /// An agent on `host`, greeted; tells the readers how it goes.
    fn agent<'a>(
        &'a self,
        host: &'a Host,
        grant: Grant,
        shared: &'a Shared,
    ) -> Pending<'a, Result<Line, TalkError>>;

    /// One more connection to the agent that `entry` leads to, with its process begun.
    fn lane<'a>(
        &'a self,
        host: &'a Host,
        entry: &'a Entry,
    ) -> Pending<'a, Result<LaneWay, TalkError>>;

    /// Nobody is reached any more.
    fn close(&self) -> Pending<'_, ()>;
}

/// How lanes get to an agent that runs.
#[derive(Debug)]
pub struct Entry {
    /// Where it lies.
    pub placed: Option<deploy::Placed>,
    /// The number of its session.
    pub generation: Generation,
}

/// A lane that does not belong to an agent yet.
pub struct LaneWay {
    /// What comes after the magic.
    pub stream: Stream,
    /// Its connection, kept open as long as it is used.
    pub connection: Option<Connection>,
}

impl Way for Reach {
    fn agent<'a>(
        &'a self,
        host: &'a Host,
        grant: Grant,
        shared: &'a Shared,
    ) -> Pending<'a, Result<Line, TalkError>> {
        Box::pin(Self::agent(self, host, grant, shared))
    }

    fn lane<'a>(
        &'a self,
        host: &'a Host,
        entry: &'a Entry,
    ) -> Pending<'a, Result<LaneWay, TalkError>> {
        Box::pin(Self::lane(self, host, entry))
    }

    fn close(&self) -> Pending<'_, ()> {
        Box::pin(Self::close(self))
    }
}

/// The way to all machines of a site, over SSH.
pub struct Reach {
    dialler: Dialler,
    agent: Agent,
    site: SiteId,
    clock: Arc<dyn Clock>,
    user: String,
    identities: Vec<PathBuf>,
    known_hosts: PathBuf,
    folder: PathBuf,
    hosts: Vec<Host>,
    patience: Patience,
}

impl Reach {
    /// For the machines of `inventory`; `agent` is what is put on them.
    pub fn new(
        site: (SiteId, &Path),
        settings: &Settings,
        inventory: &Inventory,
        dialler: Dialler,
        agent: Agent,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (id, folder) = site;
        Self {
            dialler,
            agent,
            site: id,
            clock,
            user: settings.ssh.user.clone(),
            identities: settings.ssh.identity.iter().map(|path| resolve(folder, path)).collect(),
            known_hosts: resolve(folder, &settings.ssh.known_hosts),
            folder: folder.to_owned(),
            hosts: inventory.hosts.clone(),
            patience: Patience::default(),
        }
    }

    /// The same with other patience for agents.
    #[must_use]
    pub fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// Where pinned keys are.
    pub fn known_hosts(&self) -> &Path {
        &self.known_hosts
    }

    /// Dials pace themselves and share bastions here.
    pub fn dialler(&self) -> &Dialler {
        &self.dialler
    }

    /// How `host` is reached, through as many others as it takes.
    pub fn endpoint(&self, host: &Host) -> Endpoint {
        let jump = host.jump.as_ref().and_then(|id| self.hosts.iter().find(|h| h.id == *id));
        let identities = if host.identity.is_empty() {
            self.identities.clone()
        } else {
            host.identity.iter().map(|path| resolve(&self.folder, path)).collect()
        };
        Endpoint {
            address: host.address.clone(),
            port: host.port,
            user: host.user.clone().unwrap_or_else(|| self.user.clone()),
            identities,
            agent: crate::ssh::agent_socket(),
            jump: jump.map(|jump| Box::new(self.endpoint(jump))),
            host_key_alias: None,
            host_key: host.host_key.clone(),
            known_hosts: vec![self.known_hosts.clone()],
        }
    }

    /// How `target` is reached.
    pub fn target_endpoint(&self, target: &Target) -> Endpoint {
        Endpoint {
            address: target.address.clone(),
            port: target.port,
            user: target.user.clone().unwrap_or_else(|| self.user.clone()),
            identities: self.identities.clone(),
            agent: crate::ssh::agent_socket(),
            jump: None,
            host_key_alias: None,
            host_key: None,
            known_hosts: vec![self.known_hosts.clone()],
        }
    }

    /// An agent on `host`, greeted; tells the readers how it goes.
    pub async fn agent(
        &self,
        host: &Host,
        grant: Grant,
        shared: &Shared,
    ) -> Result<Line, TalkError> {
        shared.emit(Event::HostDialled { host: host.id.clone() });
        let generation = shared.generation(&host.id)?;
        let waiting = |error: &SshError, pause: Duration| {
            shared.emit(Event::HostFailed {
                host: host.id.clone(),
                reason: error.reason(),
                detail: crate::run::explain(error),
                retry_s: Some(pause.as_secs().max(1)),
            });
        };
        let endpoint = self.endpoint(host);
        // Where somebody waits, who does not answer is knocked at, and takes nobody's place.
        let connection = match shared.waits {
            None => self.dial(&endpoint, &waiting).await?,
            Some(_) => self.dial_once(&endpoint).await?,
        };
        let started = self.start(connection, &host.id, host.impact, generation, grant);
        let (line, agent_bytes) = started.await?;
        shared.emit(Event::HostReady {
            host: host.id.clone(),
            rtt_ms: line.rtt.as_secs_f64() * 1e3,
            agent_bytes,
        });
        Ok(line)
    }

    /// A connection for bulk.
    pub async fn dial(
        &self,
        endpoint: &Endpoint,
        waiting: &(dyn Fn(&SshError, Duration) + Send + Sync),
    ) -> Result<Connection, TalkError> {
        let dial = self.dialler.dial(endpoint, Purpose::Bulk, waiting);
        match tokio::time::timeout(DIAL_PATIENCE, dial).await {
            Ok(dialled) => dialled.map_err(|error| talk_error(&error)),
            Err(_) => Err(TalkError::new(Reason::Unreachable, "no way in within a minute")),
        }
    }

    /// The same, tried once.
    async fn dial_once(&self, endpoint: &Endpoint) -> Result<Connection, TalkError> {
        let dial = self.dialler.dial_once(endpoint, Purpose::Bulk);
        let late = |_| TalkError::new(Reason::Unreachable, "no way in within a minute");
        let dialled = tokio::time::timeout(DIAL_PATIENCE, dial).await.map_err(late)?;
        dialled.map_err(|error| talk_error(&error))
    }

    /// Puts the agent there, or finds it, starts it and greets it.
    pub async fn start(
        &self,
        connection: Connection,
        name: &HostId,
        impact: Impact,
        generation: Generation,
        grant: Grant,
    ) -> Result<(Line, crate::model::Bytes), TalkError> {
        let started = match probe::probe(&connection).await {
            Ok(facts) => {
                self.start_on(&connection, &facts, (name, impact), generation, grant).await
            }
            Err(error) => Err(talk_error(&error)),
        };
        match started {
            Ok((talk, placed, rtt)) => {
                let bytes = placed.uploaded;
                let entry = Some(Arc::new(Entry { placed: Some(placed), generation }));
                Ok((Line { talk, connection: Some(connection), rtt, entry }, bytes))
            }
            Err(error) => {
                connection.close().await;
                Err(error)
            }
        }
    }

    /// The same on a machine that was probed; whoever calls closes the connection.
    pub async fn start_on(
        &self,
        connection: &Connection,
        facts: &probe::Facts,
        (name, impact): (&HostId, Impact),
        generation: Generation,
        grant: Grant,
    ) -> Result<(Talk, deploy::Placed, Duration), TalkError> {
        let failed = |error: SshError| talk_error(&error);
        let rtt = connection.rtt(&*self.clock).await.map_err(failed)?;
        let quiet = |_: crate::model::Bytes| {};
        let placed = deploy::place(connection, facts, self.site, name, &self.agent, &quiet)
            .await
            .map_err(failed)?;
        let number = generation.0.to_string();
        let mut arguments = vec!["agent", "--folder", &placed.folder, "--generation", &number];
        let exec = match impact {
            Impact::Full => placed.start(connection, &arguments, MAGIC).await,
            Impact::Gentle => {
                arguments.push("--gentle");
                placed.start_gently(connection, &arguments, MAGIC).await
            }
        };
        let exec = exec.map_err(failed)?;
        let talk = Talk::greet_within(self.patience, exec, &[], generation, grant).await?;
        Ok((talk, placed, rtt))
    }

    /// One more connection, tried once: whoever has one already makes no fuss about another.
    async fn lane(&self, host: &Host, entry: &Entry) -> Result<LaneWay, TalkError> {
        let nowhere = || TalkError::new(Reason::Internal, "no agent was placed there");
        let placed = entry.placed.as_ref().ok_or_else(nowhere)?;
        let connection = self.dial_once(&self.endpoint(host)).await?;
        let number = entry.generation.0.to_string();
        let arguments = ["agent", "--lane", "--folder", &placed.folder, "--generation", &number];
        match placed.start(&connection, &arguments, MAGIC).await {
            Ok(exec) => Ok(LaneWay { stream: exec.into(), connection: Some(connection) }),
            Err(error) => {
                connection.close().await;
                Err(talk_error(&error))
            }
        }
    }

    /// Says goodbye to bastions.
    pub async fn close(&self) {
        self.dialler.close().await;
    }
}

/// An SSH failure as the run sees it.
pub fn talk_error(error: &SshError) -> TalkError {
    TalkError::new(error.reason(), crate::run::explain(error))
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
