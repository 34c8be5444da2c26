//! From an address to a greeted host: socket, key exchange, the judgement over the host's key.
//!
//! The figures: 10 s for each address; 20 s for banner and key exchange; TCP keepalive after 30 s,
//! every 10 s, three times, and TCP_USER_TIMEOUT 60 s, so that a dead path is noticed within two
//! minutes; no SO_RCVBUF, which would switch the kernel's autotuning off. Keys are exchanged anew
//! every 32 GiB, half of where OpenSSH does it for AES.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use russh::Limits;
use russh::client::{Config, DisconnectReason, Handle, Handler};
use russh::keys::{HashAlg, PublicKey, PublicKeyOrCertificate};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::wire::{Head, Wire};
use super::{Endpoint, HostName, KnownHosts, Refusal, SshError, Verdict, algorithms};
use crate::model::Clock;
use crate::model::text::{bounded, printable};

const ADDRESS_TIMEOUT: Duration = Duration::from_secs(10);
const GREETING_TIMEOUT: Duration = Duration::from_secs(20);

/// What a connection is for; decides its window and when keys are exchanged anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Probes, heartbeat, messages: a window of 2 MiB.
    Control,
    /// One channel full of data: a window for [`BULK_BYTES_PER_S`] over the way's round trip.
    Bulk,
    /// Other connections run through it.
    Bastion,
}

/// What one bulk channel shall be able to take: a link of 10 Gbit/s.
const BULK_BYTES_PER_S: f64 = 1.25e9;
const WINDOW_BYTES_MIN: u32 = 2 << 20;
const WINDOW_BYTES_MAX: u32 = 64 << 20;

impl Purpose {
    /// Twice what passes in a round trip; the library cannot change it later. Not simply the most:
    /// whatever the wire does not take at once sshd keeps, moves and wipes in its own buffers, and
    /// with 16 MiB on a short way it spent a third of its time on that.
    fn window_bytes(self, rtt: Duration) -> u32 {
        let wanted = 2.0 * BULK_BYTES_PER_S * rtt.as_secs_f64();
        match self {
            Self::Control => WINDOW_BYTES_MIN,
            Self::Bulk => (wanted as u32).clamp(WINDOW_BYTES_MIN, WINDOW_BYTES_MAX),
            Self::Bastion => 16 << 20,
        }
    }

    /// A bastion's many channels could together send more than the library admits between our call
    /// for new keys and the host's answer, so there the host is left to call first: OpenSSH does
    /// after 64 GiB.
    fn limits(self) -> Limits {
        let bytes = match self {
            Self::Control | Self::Bulk => 32 << 30,
            Self::Bastion => 128 << 30,
        };
        Limits {
            rekey_write_limit: bytes,
            rekey_read_limit: bytes,
            rekey_time_limit: Duration::from_hours(12),
        }
    }
}

/// A host whose key was accepted and that waits for a login.
pub(super) struct Greeting {
    pub(super) handle: Handle<Watcher>,
    pub(super) notes: Notes,
    pub(super) end: oneshot::Sender<()>,
    pub(super) gone: watch::Receiver<()>,
}

/// What happened inside the library's task.
#[derive(Debug, Clone, Default)]
pub(super) struct Notes(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    refusal: Option<SshError>,
    farewell: Option<String>,
}

impl Notes {
    /// How the connection ended, if it did and said so; bounded and printable.
    pub(super) fn farewell(&self) -> Option<String> {
        self.0.lock().expect("no holder of this lock panics").farewell.clone()
    }

    fn take_refusal(&self) -> Option<SshError> {
        self.0.lock().expect("no holder of this lock panics").refusal.take()
    }
}

/// Judges the host's key and hears how the connection ends.
pub(super) struct Watcher {
    name: HostName,
    judge: Judge,
    notes: Notes,
    /// Goes with the library's task, which is how its end is noticed.
    _alive: watch::Sender<()>,
}

/// Everything that decides over a host's key.
struct Judge {
    known: KnownHosts,
    only: Option<OnlyKey>,
    endpoint: Endpoint,
    now: u64,
}

/// The one key the inventory names.
enum OnlyKey {
    Fingerprint(String),
    Key(Box<PublicKey>),
}

impl OnlyKey {
    fn read(endpoint: &Endpoint) -> Result<Option<Self>, SshError> {
        let Some(text) = endpoint.host_key.as_deref().map(str::trim) else { return Ok(None) };
        if text.starts_with("SHA256:") {
            return Ok(Some(Self::Fingerprint(text.trim_end_matches('=').to_owned())));
        }
        let key = PublicKey::from_openssh(text)
            .map_err(|_| SshError::HostKeyText { host: endpoint.address.clone() })?;
        Ok(Some(Self::Key(Box::new(key))))
    }

    fn key(&self) -> Option<&PublicKey> {
        match self {
            Self::Fingerprint(_) => None,
            Self::Key(key) => Some(key),
        }
    }

    fn is(&self, key: &PublicKey) -> bool {
        match self {
            Self::Fingerprint(text) => *text == key.fingerprint(HashAlg::Sha256).to_string(),
            Self::Key(only) => only.key_data() == key.key_data(),
        }
    }
}

impl Judge {
    fn verdict(&self, name: &HostName, shown: &PublicKeyOrCertificate) -> (Verdict, bool) {
        let verdict = self.known.check(name, shown, self.now);
        match (&self.only, verdict) {
            (Some(_), Verdict::Revoked(place)) => (Verdict::Revoked(place), false),
            (Some(only), _) if only.is(&shown.public_key()) => (Verdict::Known, false),
            (Some(_), verdict) => (verdict, true),
            (None, verdict) => (verdict, false),
        }
    }

    fn judge(&self, name: &HostName, shown: &PublicKeyOrCertificate) -> Result<(), SshError> {
        let key = shown.public_key();
        let (verdict, contradicts_inventory) = self.verdict(name, shown);
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        let listed = name.as_str().to_owned();
        let changed = |pinned: String| SshError::HostKeyChanged {
            name: listed.clone(),
            fingerprint: fingerprint.clone(),
            pinned,
        };
        match verdict {
            Verdict::Revoked(place) => {
                Err(SshError::HostKeyRevoked { name: listed, fingerprint, place })
            }
            _ if contradicts_inventory => Err(changed("`host_key` in the inventory".to_owned())),
            Verdict::Known => Ok(()),
            Verdict::Changed(place) => Err(changed(place.to_string())),
            Verdict::BadCertificate(why) => Err(SshError::HostCertificate { name: listed, why }),
            Verdict::Unknown => Err(SshError::HostKeyUnknown {
                name: name.clone(),
                fingerprint,
                key: Box::new(key),
                files: self.endpoint.known_hosts.clone(),
            }),
        }
    }
}

impl Handler for Watcher {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        shown: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        match self.judge.judge(&self.name, shown) {
            Ok(()) => Ok(true),
            Err(refusal) => {
                self.notes.0.lock().expect("no holder of this lock panics").refusal = Some(refusal);
                Ok(false)
            }
        }
    }

    async fn disconnected(
        &mut self,
        reason: DisconnectReason<Self::Error>,
    ) -> Result<(), Self::Error> {
        let text = match reason {
            DisconnectReason::ReceivedDisconnect(info) => info.message,
            DisconnectReason::Error(error) => error.to_string(),
        };
        let mut noted = self.notes.0.lock().expect("no holder of this lock panics");
        noted.farewell = Some(bounded(&text, 200));
        Ok(())
    }
}

fn config(
    (purpose, rtt): (Purpose, Duration),
    name: &HostName,
    known: &KnownHosts,
    only: Option<&OnlyKey>,
    legacy: bool,
) -> Config {
    let only = only.and_then(OnlyKey::key);
    let preferred = algorithms::preferred((name, known, only), legacy);
    Config {
        client_id: russh::SshId::Standard(Cow::Borrowed(concat!(
            "SSH-2.0-evac_",
            env!("CARGO_PKG_VERSION")
        ))),
        limits: purpose.limits(),
        window_size: purpose.window_bytes(rtt),
        maximum_packet_size: 65_535,
        channel_buffer_size: 64,
        preferred,
        gex: algorithms::groups(legacy),
        inactivity_timeout: None,
        keepalive_interval: Some(Duration::from_secs(15)),
        keepalive_max: 4,
        nodelay: true,
        ..Config::default()
    }
}

/// Opens a TCP connection, trying every address the name has; also says how long the one that
/// answered took, which is a round trip.
pub(super) async fn open_socket(
    endpoint: &Endpoint,
    clock: &dyn Clock,
) -> Result<(TcpStream, Duration), SshError> {
    let host = || endpoint.address.clone();
    let looked_up = tokio::net::lookup_host((endpoint.address.as_str(), endpoint.port));
    let found = timeout(ADDRESS_TIMEOUT, looked_up)
        .await
        .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
        .map_err(|source| SshError::Resolve { host: host(), source })?;
    let addresses: Vec<SocketAddr> = found.collect();
    let mut tried = Vec::new();
    for address in addresses {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        };
        let socket = socket.map_err(|source| SshError::Local { host: host(), source })?;
        let began = clock.elapsed();
        match timeout(ADDRESS_TIMEOUT, socket.connect(address)).await {
            Ok(Ok(stream)) => {
                let rtt = clock.elapsed().saturating_sub(began);
                tune(&stream).map_err(|source| SshError::Local { host: host(), source })?;
                return Ok((stream, rtt));
            }
            Ok(Err(error)) => tried.push((address, error.kind())),
            Err(_) => tried.push((address, std::io::ErrorKind::TimedOut)),
        }
    }
    Err(SshError::Unreachable { host: host(), tried })
}

fn tune(stream: &TcpStream) -> std::io::Result<()> {
    let socket = SockRef::from(stream);
    socket.set_tcp_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(30))
        .with_interval(Duration::from_secs(10))
        .with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(Duration::from_secs(60)))
}

/// Exchanges keys over `stream` and judges the host's. `purpose`: what it is for, and how long a
/// round trip takes.
pub(super) async fn greet<S>(
    stream: S,
    endpoint: &Endpoint,
    purpose: (Purpose, Duration),
    clock: &dyn Clock,
) -> Result<Greeting, SshError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let only = OnlyKey::read(endpoint)?;
    let files = endpoint.known_hosts.clone();
    let known = tokio::task::spawn_blocking(move || KnownHosts::load(&files))
        .await
        .expect("reading the files does not panic")?;
    let name = endpoint.host_name();
    let config = Arc::new(config(purpose, &name, &known, only.as_ref(), endpoint.means.legacy));
    let notes = Notes::default();
    let now = u64::try_from(clock.now().as_second()).unwrap_or(0);
    let judge = Judge { known, only, endpoint: endpoint.clone(), now };
    let (alive, gone) = watch::channel(());
    let watcher = Watcher { name, judge, notes: notes.clone(), _alive: alive };
    let (wire, head, end) = Wire::new(stream);
    let greeted = russh::client::connect_stream(config, wire, watcher);
    match timeout(GREETING_TIMEOUT, greeted).await {
        Ok(Ok(handle)) => Ok(Greeting { handle, notes, end, gone }),
        Ok(Err(error)) => {
            Err(notes.take_refusal().unwrap_or_else(|| classify(endpoint, &head, error)))
        }
        Err(_) => Err(SshError::Silent {
            host: endpoint.address.clone(),
            doing: if head.bytes().is_empty() { "its banner was due" } else { "exchanging keys" },
            seconds: GREETING_TIMEOUT.as_secs(),
        }),
    }
}

/// Tells the ways apart in which a host refuses before keys are agreed upon.
fn classify(endpoint: &Endpoint, head: &Head, source: russh::Error) -> SshError {
    let host = endpoint.address.clone();
    let head = head.bytes();
    let first = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let said = bounded(printable(first.trim_ascii()).as_str(), 120);
    let has = |text: &[u8]| head.windows(text.len()).any(|window| window == text);
    if head.is_empty() {
        return SshError::ResetBeforeBanner { host };
    }
    if has(b"Not allowed at this time") || has(b"Exceeded MaxStartups") {
        return SshError::NotAllowedNow { host, said };
    }
    if !has(b"SSH-") {
        return SshError::NotSsh { host, said };
    }
    match source {
        russh::Error::NoCommonAlgo { kind, theirs, .. } => Refusal::NoCommonAlgorithm {
            host,
            kind: algorithms::word(kind),
            theirs: bounded(&printable(theirs.join(", ").as_bytes()), 200),
            legacy: endpoint.means.legacy,
        }
        .into(),
        source => SshError::Handshake { host, source },
    }
}
