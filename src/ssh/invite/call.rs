//! The agent's side: it calls the landing site and waits to be told to begin.
//!
//! Its key is made for this process and is in no file. The landing site's key must be the one that
//! the script names: nothing is said to another.

use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;
use std::time::Duration;

use russh::client::{Config, Handle, Handler, Msg};
use russh::keys::{HashAlg, PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh::{Channel, ChannelStream};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::caller::{HERE, WELCOME};
use super::front::GREETING;
use super::{Code, HostKey};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const GREETING_TIMEOUT: Duration = Duration::from_secs(30);
/// After the last word.
const FAREWELL: Duration = Duration::from_secs(10);
/// Words of the landing site before a session.
const WORD_BYTES_MAX: u64 = 64;
/// Whom it says it is; the id is what counts.
const USER: &str = "agent";

/// Begin.
pub const GO: &str = "go";
/// Go away.
pub const OVER: &str = "over";

/// Where to call, and as whom.
pub struct Caller {
    address: String,
    id: String,
    code: Code,
    landing_key: String,
    key: HostKey,
}

/// Why a call led to nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nobody answers.
    #[error("{address} does not answer")]
    Unreachable {
        /// Where.
        address: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Somebody else answers.
    #[error("{address} is not the landing site that this line is of: its key is another")]
    Stranger {
        /// Where.
        address: String,
    },
    /// The invitation is used, taken back, or out of time.
    #[error("{address} does not know this line any more")]
    Over {
        /// Where.
        address: String,
    },
    /// It broke off.
    #[error("the connection to {address} broke off")]
    Broken {
        /// Where.
        address: String,
    },
    /// No random numbers, no runtime.
    #[error("no key can be made")]
    Key(#[from] russh::keys::ssh_key::Error),
}

/// What the landing site says to an agent that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// A session begins.
    Go,
    /// There is nothing more to do.
    Over,
}

/// A connection that was let in.
pub struct Called {
    stream: BufReader<ChannelStream<Msg>>,
    /// It ends with this.
    _handle: Handle<Pin>,
}

/// Accepts one key.
struct Pin {
    fingerprint: String,
    refused: Arc<std::sync::atomic::AtomicBool>,
}

impl Handler for Pin {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        shown: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        let is_it = shown.public_key().fingerprint(HashAlg::Sha256).to_string() == self.fingerprint;
        self.refused.store(!is_it, std::sync::atomic::Ordering::Release);
        Ok(is_it)
    }
}

fn config() -> Config {
    Config {
        client_id: russh::SshId::Standard(std::borrow::Cow::Borrowed("SSH-2.0-evac")),
        window_size: 2 << 20,
        maximum_packet_size: 65_535,
        channel_buffer_size: 64,
        keepalive_interval: Some(Duration::from_secs(15)),
        keepalive_max: 4,
        inactivity_timeout: None,
        nodelay: true,
        preferred: russh::Preferred {
            compression: std::borrow::Cow::Borrowed(&[russh::compression::NONE]),
            ..russh::Preferred::DEFAULT
        },
        ..Config::default()
    }
}

/// A dead path is noticed within two minutes.
pub(super) fn tune(stream: &TcpStream) -> std::io::Result<()> {
    let socket = SockRef::from(stream);
    socket.set_tcp_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(30))
        .with_interval(Duration::from_secs(10))
        .with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(Duration::from_secs(60)))
}

impl Caller {
    /// Calls `address`, whose key has this fingerprint.
    pub fn new(address: String, code: Code, landing_key: String) -> Result<Self, CallError> {
        let id = code.sum().id();
        Ok(Self { address, id, code, landing_key, key: HostKey::fresh()? })
    }

    /// Connects, and is let in.
    pub async fn call(&self) -> Result<Called, CallError> {
        let address = || self.address.clone();
        let connected = timeout(CONNECT_TIMEOUT, TcpStream::connect(&self.address)).await;
        let connected = connected.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
        let stream =
            connected.map_err(|source| CallError::Unreachable { address: address(), source })?;
        // Without it a dead path is noticed later.
        let _ = tune(&stream);
        match timeout(GREETING_TIMEOUT, self.enter(stream)).await {
            Ok(entered) => entered,
            Err(_) => Err(CallError::Broken { address: address() }),
        }
    }

    async fn enter(&self, mut stream: TcpStream) -> Result<Called, CallError> {
        let broken = || CallError::Broken { address: self.address.clone() };
        let greeting = format!("{GREETING} {}\n", self.id);
        stream.write_all(greeting.as_bytes()).await.map_err(|_| broken())?;
        let mut first = [0; OVER.len()];
        let seen = peek(&stream, &mut first).await.map_err(|_| broken())?;
        if &first[..seen] == OVER.as_bytes() {
            return Err(CallError::Over { address: self.address.clone() });
        }
        let refused = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let pin = Pin { fingerprint: self.landing_key.clone(), refused: Arc::clone(&refused) };
        let connected = russh::client::connect_stream(Arc::new(config()), stream, pin).await;
        let mut handle = connected.map_err(|_| {
            if refused.load(std::sync::atomic::Ordering::Acquire) {
                CallError::Stranger { address: self.address.clone() }
            } else {
                broken()
            }
        })?;
        self.prove(&mut handle).await?;
        let channel = handle.channel_open_session().await.map_err(|_| broken())?;
        self.meet(channel, handle).await.ok_or_else(broken)
    }

    /// By its key, and the first time by the code.
    async fn prove(&self, handle: &mut Handle<Pin>) -> Result<(), CallError> {
        let broken = |_| CallError::Broken { address: self.address.clone() };
        let key = PrivateKeyWithHashAlg::new(Arc::new(self.key.private().clone()), None);
        let by_key = handle.authenticate_publickey(USER, key).await.map_err(broken)?;
        if by_key.success() {
            return Ok(());
        }
        let by_code = handle.authenticate_password(USER, self.code.as_str());
        if by_code.await.map_err(broken)?.success() {
            return Ok(());
        }
        Err(CallError::Over { address: self.address.clone() })
    }

    async fn meet(&self, channel: Channel<Msg>, handle: Handle<Pin>) -> Option<Called> {
        let mut stream = BufReader::with_capacity(256 << 10, channel.into_stream());
        let mut said = [0; WELCOME.len()];
        stream.read_exact(&mut said).await.ok()?;
        stream.write_all(HERE).await.ok()?;
        stream.flush().await.ok()?;
        (said == WELCOME).then_some(Called { stream, _handle: handle })
    }
}

/// The first bytes, without taking them; fewer only at the end.
async fn peek(stream: &TcpStream, into: &mut [u8]) -> std::io::Result<usize> {
    loop {
        let seen = stream.peek(into).await?;
        if seen == 0 || seen == into.len() {
            return Ok(seen);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits a little for the end of what is carried.
pub async fn ended(carried: JoinHandle<std::io::Result<()>>) {
    let _ = timeout(FAREWELL, carried).await;
}

impl Called {
    /// Waits for a word; `None`: the connection is over.
    pub async fn word(&mut self) -> Option<Word> {
        let mut line = String::new();
        let mut words = (&mut self.stream).take(WORD_BYTES_MAX);
        words.read_line(&mut line).await.ok()?;
        match line.trim_end() {
            GO => Some(Word::Go),
            OVER => Some(Word::Over),
            _ => None,
        }
    }

    /// Carries bytes between the landing site and `agent` until either is gone.
    pub async fn carry(mut self, agent: StdUnixStream) -> std::io::Result<()> {
        agent.set_nonblocking(true)?;
        let mut agent = BufReader::with_capacity(256 << 10, UnixStream::from_std(agent)?);
        // A side that is gone ends it; what it had said was carried.
        let _ = tokio::io::copy_bidirectional(&mut self.stream, &mut agent).await;
        Ok(())
    }
}
