//! The way to a machine: dial, probe, place the agent, start it, greet it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::inventory::{Access, Host, Impact, Inventory, Settings, Target};
use crate::model::{Clock, Event, Generation, HostId, Reason, SiteId};
use crate::run::endpoints::Endpoints;
use crate::run::line::Line;
use crate::run::rescue;
use crate::run::shared::Shared;
use crate::run::stream::{Pending, Stream};
use crate::run::survey::MachineFacts;
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

    /// Where the way to `host` begins, where that is not as the inventory says.
    fn entrance(&self, _host: &HostId) -> Option<(String, u16)> {
        None
    }

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

    fn entrance(&self, host: &HostId) -> Option<(String, u16)> {
        self.endpoints.entrance(host)
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
    endpoints: Endpoints,
    known_hosts: PathBuf,
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
        let endpoints = Endpoints::new(folder, settings, inventory);
        Self {
            dialler,
            agent,
            site: id,
            clock,
            known_hosts: endpoints.known_hosts(),
            endpoints,
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

    /// How machines are reached.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// How `host` is reached, through as many others as it takes.
    pub async fn endpoint(&self, host: &Host) -> Result<Endpoint, TalkError> {
        self.endpoints.of_host(host).await.map_err(|error| talk_error(&error))
    }

    /// How `target` is reached.
    pub async fn target_endpoint(&self, target: &Target) -> Result<Endpoint, TalkError> {
        self.endpoints.of_target(target).await.map_err(|error| talk_error(&error))
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
        let endpoint = self.endpoint(host).await?;
        if shared.hands.is_forgiven(&host.id) {
            self.dialler.reset(&endpoint);
        }
        // Where somebody waits, who does not answer is knocked at, and takes nobody's place.
        let dial = async {
            match shared.waits {
                None => self.dial(&endpoint, &waiting).await,
                Some(_) => self.dial_once(&endpoint).await,
            }
        };
        let connection = tokio::select! {
            dialled = dial => dialled?,
            () = shared.lobby.called(&host.id) => return Err(TalkError::new(
                Reason::Unreachable,
                "it called meanwhile",
            )),
        };
        let known = shared.known_machine(&host.id)?;
        let started = self.meet(&connection, host, known.as_ref(), generation, grant).await;
        let (line, agent_bytes) = linked(connection, started, generation).await?;
        shared.emit(Event::HostReady {
            host: host.id.clone(),
            rtt_ms: line.rtt.as_secs_f64() * 1e3,
            agent_bytes,
        });
        if let Some(process) = line.talk.facts.left_behind {
            shared.emit(left_behind(&host.id, process));
        }
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
                let who = (name, impact, Access::Normal);
                self.start_on(&connection, &facts, who, generation, grant).await
            }
            Err(error) => Err(talk_error(&error)),
        };
        linked(connection, started, generation).await
    }

    /// The same on a source, if it is what it is taken for; `known`: what a survey found there.
    async fn meet(
        &self,
        connection: &Connection,
        host: &Host,
        known: Option<&MachineFacts>,
        generation: Generation,
        grant: Grant,
    ) -> Result<Started, TalkError> {
        let probed = probe::probe(connection).await.map_err(|error| talk_error(&error))?;
        rescue::admit(host, &probed, known)?;
        let who = (&host.id, host.impact, host.access);
        let (mut talk, placed, rtt) =
            self.start_on(connection, &probed, who, generation, grant).await?;
        match rescue::open(&mut talk, host, known).await {
            Ok(_) => Ok((talk, placed, rtt)),
            Err(error) => {
                talk.bye().await;
                Err(error)
            }
        }
    }

    /// The same on a machine that was probed; whoever calls closes the connection.
    pub async fn start_on(
        &self,
        connection: &Connection,
        facts: &probe::Facts,
        (name, impact, access): (&HostId, Impact, Access),
        generation: Generation,
        grant: Grant,
    ) -> Result<Started, TalkError> {
        let failed = |error: SshError| talk_error(&error);
        let rtt = connection.rtt(&*self.clock).await.map_err(failed)?;
        let quiet = |_: crate::model::Bytes| {};
        let placed = deploy::place(connection, facts, self.site, name, &self.agent, &quiet)
            .await
            .map_err(failed)?;
        let number = generation.0.to_string();
        let mut arguments = vec!["agent", "--folder", &placed.folder, "--generation", &number];
        if access == Access::Rescue {
            arguments.push("--disks");
        }
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
        let connection = self.dial_once(&self.endpoint(host).await?).await?;
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

/// A former agent hangs on that host.
fn left_behind(host: &HostId, process: u32) -> Event {
    let text = format!(
        "the agent before this one (process {process}) hangs in a read that never comes back, and \
         was killed and left behind: it ends when its disk answers, or with the machine"
    );
    Event::Noted { what: format!("host/{host}"), text, by: "evac".to_owned() }
}

/// An agent, where it lies, and how long a round trip takes.
type Started = (Talk, deploy::Placed, Duration);

/// The line to an agent that was started; without one nobody needs the connection.
async fn linked(
    connection: Connection,
    started: Result<Started, TalkError>,
    generation: Generation,
) -> Result<(Line, crate::model::Bytes), TalkError> {
    match started {
        Ok((talk, placed, rtt)) => {
            let bytes = placed.uploaded;
            let entry = Some(Arc::new(Entry { placed: Some(placed), generation }));
            Ok((Line { talk, connection: Some(connection), rtt, entry, guest: None }, bytes))
        }
        Err(error) => {
            connection.close().await;
            Err(error)
        }
    }
}

/// An SSH failure as the run sees it.
pub fn talk_error(error: &SshError) -> TalkError {
    TalkError::new(error.reason(), crate::run::explain(error))
}
