//! An agent that calls: SSH on its connection, the code or its key proven, one channel handed on.
//!
//! The agent shows its key first. One that took up the invitation is let in by it; another is kept
//! in mind until the code is proven on the same connection, and takes the code's place then.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use russh::keys::PublicKey;
use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, Session, VerifiedPublicKey};
use russh::{Channel, MethodKind, MethodSet};
use tokio::io::BufReader;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use super::visit::{Held, Visit, VisitReader, VisitWriter};
use super::{Code, Front, HostKey};
use crate::model::Clock;

/// What a channel may have on its way, and twice that is read ahead: the library reads and writes
/// in one loop, and two of it that both write could wait for each other.
const WINDOW_BYTES: u32 = 4 << 20;
/// From the first byte to the channel.
const PATIENCE: Duration = Duration::from_secs(30);
/// What is said first on the channel, and its answer.
pub(super) const WELCOME: &[u8] = b"welcome\n";
pub(super) const HERE: &[u8] = b"here\n";

/// How the landing site behaves towards callers.
pub(super) fn config(key: &HostKey) -> russh::server::Config {
    russh::server::Config {
        server_id: russh::SshId::Standard(std::borrow::Cow::Borrowed("SSH-2.0-evac")),
        methods: MethodSet::from(&[MethodKind::PublicKey, MethodKind::Password][..]),
        auth_rejection_time: Duration::from_millis(50),
        max_auth_attempts: 3,
        keys: vec![key.private().clone()],
        window_size: WINDOW_BYTES,
        maximum_packet_size: 65_535,
        channel_buffer_size: 1024,
        inactivity_timeout: None,
        keepalive_interval: Some(Duration::from_secs(15)),
        keepalive_max: 4,
        nodelay: true,
        preferred: russh::Preferred {
            compression: std::borrow::Cow::Borrowed(&[russh::compression::NONE]),
            cipher: std::borrow::Cow::Borrowed(&[
                russh::cipher::AES_128_GCM,
                russh::cipher::AES_256_GCM,
                russh::cipher::CHACHA20_POLY1305,
            ]),
            ..russh::Preferred::DEFAULT
        },
        ..russh::server::Config::default()
    }
}

/// Serves one connection to its end.
pub(super) async fn serve(
    front: &Arc<Front>,
    stream: BufReader<TcpStream>,
    peer: SocketAddr,
    id: &str,
) {
    let (near, far) = tokio::io::duplex(2 * WINDOW_BYTES as usize);
    let (channels, mut opened) = mpsc::channel(1);
    let caller = Caller { front: Arc::clone(front), peer, id: id.to_owned(), key: None, channels };
    // Dropped with the connection.
    let (_here, gone) = watch::channel(());
    let session = async {
        if let Ok(running) = russh::server::run_stream(Arc::clone(&front.config), far, caller).await
        {
            let _ = running.await;
        }
    };
    let hand_on = async {
        let Ok(Some(channel)) = timeout(PATIENCE, opened.recv()).await else { return };
        let (end, ended) = oneshot::channel();
        let held = Held { _end: end, gone };
        if let Ok(Some(visit)) = timeout(PATIENCE, meet(channel, peer, held, &*front.clock)).await {
            front.gate.arrived(id, visit);
            let _ = ended.await;
        }
    };
    tokio::select! {
        () = pump(stream, near) => {}
        () = session => {}
        () = hand_on => {}
    }
}

async fn pump(stream: BufReader<TcpStream>, near: tokio::io::DuplexStream) {
    let (from_caller, mut to_caller) = tokio::io::split(stream);
    let (mut from_session, mut to_session) = tokio::io::split(near);
    let mut from_caller = BufReader::with_capacity(256 << 10, from_caller);
    // It ends with either side; which of them does not matter.
    tokio::select! {
        _ = tokio::io::copy_buf(&mut from_caller, &mut to_session) => {}
        _ = tokio::io::copy(&mut from_session, &mut to_caller) => {}
    }
}

/// The first words on the channel, which show how long a round trip takes.
async fn meet(
    channel: Channel<Msg>,
    peer: SocketAddr,
    held: Held,
    clock: &dyn Clock,
) -> Option<Visit> {
    let (read, write) = channel.split();
    let (mut reader, writer) = (VisitReader::of(read), VisitWriter::of(write));
    let began = clock.elapsed();
    writer.write(Bytes::from_static(WELCOME)).await.ok()?;
    let mut said = Vec::new();
    while said.len() < HERE.len() {
        said.extend_from_slice(&reader.read().await?);
    }
    let rtt = clock.elapsed().saturating_sub(began);
    (said == HERE).then(|| Visit::new((reader, writer), (peer, rtt), held))
}

struct Caller {
    front: Arc<Front>,
    peer: SocketAddr,
    id: String,
    /// Shown and proven to be its own, but not known.
    key: Option<String>,
    channels: mpsc::Sender<Channel<Msg>>,
}

fn text(key: &PublicKey) -> Option<String> {
    key.to_openssh().ok()
}

impl Handler for Caller {
    type Error = russh::Error;

    async fn auth_publickey(
        &mut self,
        _user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        let Some(key) = text(key.public_key) else { return Ok(Auth::reject()) };
        if self.front.gate.knows(&self.id, &key) {
            return Ok(Auth::Accept);
        }
        self.key = Some(key);
        Ok(Auth::reject())
    }

    async fn auth_password(&mut self, _user: &str, said: &str) -> Result<Auth, Self::Error> {
        let proven = match (Code::read(said.as_bytes()), self.key.take()) {
            (Some(code), Some(key)) => {
                let (gate, id) = (Arc::clone(&self.front.gate), self.id.clone());
                // It becomes durable before it is answered.
                let take_up = move || gate.take_up(&id, &code.sum(), &key);
                tokio::task::spawn_blocking(take_up).await.unwrap_or(false)
            }
            _ => false,
        };
        if proven {
            return Ok(Auth::Accept);
        }
        self.front.say_wrong(self.peer);
        Ok(Auth::reject())
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        if self.channels.try_send(channel).is_ok() {
            reply.accept().await;
        }
        Ok(())
    }
}
