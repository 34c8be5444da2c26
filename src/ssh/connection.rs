//! A connection that is logged in.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use russh::Disconnect;
use russh::client::{Handle, Msg};
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::channel::{Exec, Exit, Program};
use super::connect::{Greeting, Notes, Watcher};
use super::keyring::Keyring;
use super::{Endpoint, SshError};
use crate::model::Clock;
use crate::model::text::bounded;

const OPEN_TIMEOUT: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A connection that is logged in; clones share it. It ends when the last clone and the last
/// command are gone, or with [`Connection::close`].
#[derive(Clone)]
pub struct Connection {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) handle: Handle<Watcher>,
    notes: Notes,
    end: Mutex<Option<oneshot::Sender<()>>>,
    pub(super) gone: watch::Receiver<()>,
    pub(super) host: String,
    user: String,
    pub(super) endpoint: Endpoint,
    pub(super) keyring: Arc<Keyring>,
    pub(super) open_channels: AtomicUsize,
    /// How long the kernel there, or a bastion, took to open the way.
    opened_in: Duration,
    /// What this connection runs through; kept so that it outlives it.
    _through: Option<Box<dyn std::any::Any + Send + Sync>>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({}@{})", self.inner.user, self.inner.host)
    }
}

impl Connection {
    pub(super) fn new(
        greeting: Greeting,
        endpoint: &Endpoint,
        keyring: Arc<Keyring>,
        (through, opened_in): (Option<Box<dyn std::any::Any + Send + Sync>>, Duration),
    ) -> Self {
        let inner = Inner {
            handle: greeting.handle,
            notes: greeting.notes,
            end: Mutex::new(Some(greeting.end)),
            gone: greeting.gone,
            host: endpoint.address.clone(),
            user: endpoint.user.clone(),
            endpoint: endpoint.clone(),
            keyring,
            open_channels: AtomicUsize::new(0),
            opened_in,
            _through: through,
        };
        Self { inner: Arc::new(inner) }
    }

    /// The host's address.
    pub fn host(&self) -> &str {
        &self.inner.host
    }

    /// Who is logged in.
    pub fn user(&self) -> &str {
        &self.inner.user
    }

    /// Were SHA-1 and CBC allowed?
    pub fn allows_legacy(&self) -> bool {
        self.inner.endpoint.means.legacy
    }

    /// Is it over?
    pub fn is_closed(&self) -> bool {
        self.inner.handle.is_closed()
    }

    /// Channels whose close was not sent yet.
    pub fn open_channels(&self) -> usize {
        self.inner.open_channels.load(Ordering::Acquire)
    }

    /// Starts `command` under the user's login shell.
    pub async fn exec(&self, command: &str) -> Result<Exec, SshError> {
        match timeout(OPEN_TIMEOUT, self.start(Program::Command(command), false)).await {
            Ok(started) => started,
            Err(_) => Err(self.silent()),
        }
    }

    /// The same on a terminal of its own: not for bytes.
    pub(super) async fn exec_with_terminal(&self, command: &str) -> Result<Exec, SshError> {
        match timeout(OPEN_TIMEOUT, self.start(Program::Command(command), true)).await {
            Ok(started) => started,
            Err(_) => Err(self.silent()),
        }
    }

    /// Starts a subsystem, which an account without a shell may have too.
    pub(super) async fn subsystem(&self, name: &str) -> Result<Exec, SshError> {
        match timeout(OPEN_TIMEOUT, self.start(Program::Subsystem(name), false)).await {
            Ok(started) => started,
            Err(_) => Err(self.silent()),
        }
    }

    fn silent(&self) -> SshError {
        SshError::Silent {
            host: self.inner.host.clone(),
            doing: "starting a command",
            seconds: OPEN_TIMEOUT.as_secs(),
        }
    }

    async fn start(&self, program: Program<'_>, with_terminal: bool) -> Result<Exec, SshError> {
        let inner = &self.inner;
        let opened = inner.handle.channel_open_session().await;
        let channel = opened.map_err(|error| inner.refused_channel(&error))?;
        if with_terminal {
            // Whoever refuses one is found out by what the command says then.
            let asked = channel.request_pty(false, "dumb", 80, 24, 0, 0, &[]).await;
            asked.map_err(|_| inner.lost("asking for a terminal"))?;
        }
        Exec::start(channel, Arc::clone(inner), program).await
    }

    /// Runs a short command: writes `stdin`, ends it, takes at most `limit` bytes of its output.
    pub async fn run(&self, command: &str, stdin: Bytes, limit: usize) -> Result<Output, SshError> {
        self.feed_and_take(self.exec(command).await?, stdin, limit).await
    }

    /// The same with a command that runs already.
    pub(super) async fn feed_and_take(
        &self,
        exec: Exec,
        stdin: Bytes,
        limit: usize,
    ) -> Result<Output, SshError> {
        let (mut reader, writer) = exec.split();
        let feed = async {
            // A command that ends before it read everything is judged by its exit.
            if writer.write(stdin).await.is_ok() {
                let _ = writer.eof().await;
            }
        };
        let take = async {
            let mut stdout = Vec::new();
            while let Some(bytes) = reader.read().await? {
                if stdout.len() + bytes.len() > limit {
                    let host = self.inner.host.clone();
                    return Err(SshError::TooMuch { host, limit });
                }
                stdout.extend_from_slice(&bytes);
            }
            let exit = reader.finish().await?;
            Ok(Output { stdout, stderr: reader.stderr(), exit })
        };
        tokio::pin!(feed, take);
        let mut fed = false;
        loop {
            tokio::select! {
                () = &mut feed, if !fed => fed = true,
                taken = &mut take => return taken,
            }
        }
    }

    /// Time a request needs there and back: the shortest of three, and of opening the way, which
    /// a machine whose processors are full answers as fast as any.
    pub async fn rtt(&self, clock: &dyn Clock) -> Result<Duration, SshError> {
        let mut shortest = self.inner.opened_in;
        for _ in 0..3 {
            let sent = clock.elapsed();
            let answered = timeout(PING_TIMEOUT, self.inner.handle.send_ping()).await;
            if matches!(answered, Ok(Err(_))) || self.is_closed() {
                return Err(self.inner.lost("measuring the round trip"));
            }
            if answered.is_err() {
                return Err(SshError::Silent {
                    host: self.inner.host.clone(),
                    doing: "measuring the round trip",
                    seconds: PING_TIMEOUT.as_secs(),
                });
            }
            shortest = shortest.min(clock.elapsed().saturating_sub(sent));
        }
        Ok(shortest)
    }

    /// Says goodbye and ends the connection, with every command that still runs on it.
    pub async fn close(&self) {
        let goodbye = self.inner.handle.disconnect(Disconnect::ByApplication, "done", "");
        let _ = timeout(CLOSE_TIMEOUT, goodbye).await;
        // A session that is stuck in a write does not see the goodbye; this ends it all the same.
        if timeout(CLOSE_TIMEOUT, self.closed()).await.is_err() {
            self.kill();
            // One that waits for our answer to a question does not see that either: it ends when
            // the last of us goes.
            let _ = timeout(CLOSE_TIMEOUT, self.closed()).await;
        }
    }

    /// Waits until the connection is over, whoever ended it.
    pub async fn closed(&self) {
        let mut gone = self.inner.gone.clone();
        while gone.changed().await.is_ok() {}
    }

    /// Ends the connection without a word.
    pub fn kill(&self) {
        drop(self.inner.end.lock().expect("no holder of this lock panics").take());
    }

    /// Opens a stream from the host to a port of another.
    pub(super) async fn forward(
        &self,
        endpoint: &Endpoint,
    ) -> Result<russh::ChannelStream<Msg>, SshError> {
        let (address, port) = (endpoint.address.clone(), u32::from(endpoint.port));
        let opened = self.inner.handle.channel_open_direct_tcpip(address, port, "127.0.0.1", 0);
        let failed = |error: &russh::Error| match error {
            russh::Error::ChannelOpenFailure(why) => SshError::Forward {
                host: endpoint.address.clone(),
                via: self.inner.host.clone(),
                why: bounded(why.description(), 120),
                forbidden: *why == russh::ChannelOpenFailure::AdministrativelyProhibited,
            },
            _ => self.inner.lost("opening a way through"),
        };
        match timeout(OPEN_TIMEOUT, opened).await {
            Ok(Ok(channel)) => Ok(channel.into_stream()),
            Ok(Err(error)) => Err(failed(&error)),
            Err(_) => Err(SshError::Forward {
                host: endpoint.address.clone(),
                via: self.inner.host.clone(),
                why: "no answer in 30 s".to_owned(),
                forbidden: false,
            }),
        }
    }
}

impl Inner {
    pub(super) fn lost(&self, doing: &'static str) -> SshError {
        let why = self.notes.farewell().unwrap_or_else(|| "it is closed".to_owned());
        SshError::Lost { host: self.host.clone(), doing, why }
    }

    fn refused_channel(&self, error: &russh::Error) -> SshError {
        match error {
            russh::Error::ChannelOpenFailure(why) => SshError::ChannelRefused {
                host: self.host.clone(),
                why: bounded(why.description(), 120),
            },
            _ => self.lost("opening a channel"),
        }
    }
}

/// What a short command gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// The end of its standard error, printable.
    pub stderr: String,
    /// How it ended.
    pub exit: Exit,
}
