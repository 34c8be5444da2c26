//! SSH hosts inside this process, on loopback: for the demonstration and the tests.
//!
//! A host has a port and a host key of its own, lets one public key in as any user, and runs what
//! it is asked to with a real `/bin/sh -c`, its pipes binary safe. It can misbehave on request.
//!
//! **Promises.** It listens on 127.0.0.1 only. When a connection goes, whatever was started over it
//! is killed, with its process group. [`EmbeddedHost::stop`] returns when nothing of it runs any
//! more.
//!
//! Unlike OpenSSH, the SSH library used here reads and writes in one loop, and two of them that
//! send to each other without end could wait for each other for ever. So a host reads ahead of its
//! session into a buffer that holds more than one window.

mod command;
mod doors;
mod pump;
mod session;

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use russh::keys::{Algorithm, PrivateKey, PublicKey};
use russh::{MethodKind, MethodSet};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

pub use doors::Doors;
use pump::pump;
use session::Session;

/// Window of each channel towards the host.
const WINDOW_BYTES: u32 = 1 << 20;

/// How a host is set up.
#[derive(Debug, Clone)]
pub struct EmbeddedOptions {
    /// Whoever has this key may log in.
    pub authorized: PublicKey,
    /// Added to the environment of commands, which is otherwise ours.
    pub environment: Vec<(String, String)>,
    /// Where commands start.
    pub folder: PathBuf,
}

/// What a host does wrong, shared with its connections.
#[derive(Debug)]
struct Faults {
    /// Bytes that may still be sent to clients before the connection is cut.
    cut_in_bytes: AtomicU64,
    sent_bytes: AtomicU64,
    /// What a connection may send a second; 0: as much as it can.
    rate: AtomicU64,
    stalled: watch::Sender<bool>,
    refuses: watch::Sender<bool>,
    noise: Mutex<Vec<u8>>,
    /// Commands that run.
    commands: watch::Sender<usize>,
    logins: AtomicU64,
}

/// A running host.
pub struct EmbeddedHost {
    port: u16,
    key: PublicKey,
    faults: Arc<Faults>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl EmbeddedHost {
    /// Starts listening on a free port.
    pub async fn start(options: EmbeddedOptions) -> std::io::Result<Self> {
        Self::start_behind(options, Arc::default()).await
    }

    /// The same, counting who comes together with other hosts.
    pub async fn start_behind(
        options: EmbeddedOptions,
        doors: Arc<Doors>,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let mut random = russh::keys::key::safe_rng();
        let key = PrivateKey::random(&mut random, Algorithm::Ed25519)
            .map_err(|error| std::io::Error::other(error.to_string()))?;
        let public = key.public_key().clone();
        let faults = Arc::new(Faults {
            cut_in_bytes: AtomicU64::new(u64::MAX),
            sent_bytes: AtomicU64::new(0),
            rate: AtomicU64::new(0),
            stalled: watch::Sender::new(false),
            refuses: watch::Sender::new(false),
            noise: Mutex::new(Vec::new()),
            commands: watch::Sender::new(0),
            logins: AtomicU64::new(0),
        });
        let host = Arc::new(Host { options, config: Arc::new(config(key)), faults, doors });
        let faults = Arc::clone(&host.faults);
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(host.listen(listener, stopped));
        Ok(Self { port, key: public, faults, stop: Some(stop), task })
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its host key.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Bytes sent to clients so far, encrypted as they were.
    pub fn sent_bytes(&self) -> u64 {
        self.faults.sent_bytes.load(Ordering::Acquire)
    }

    /// Logins let in so far.
    pub fn logins(&self) -> u64 {
        self.faults.logins.load(Ordering::Acquire)
    }

    /// Commands that run right now.
    pub fn commands(&self) -> usize {
        *self.faults.commands.borrow()
    }

    /// Cuts the connection over which the last of the next `bytes` is sent to a client; once.
    pub fn cut_after(&self, bytes: u64) {
        self.faults.cut_in_bytes.store(bytes, Ordering::Release);
    }

    /// Sends at most so many bytes a second over each connection from now on; 0: no bound.
    pub fn slow_down(&self, bytes_per_second: u64) {
        self.faults.rate.store(bytes_per_second, Ordering::Release);
    }

    /// Refuses logins from now on, or no more.
    pub fn refuse_logins(&self, refuse: bool) {
        self.faults.refuses.send_replace(refuse);
    }

    /// Says this on standard output before anything a command says.
    pub fn say_first(&self, noise: &[u8]) {
        *self.faults.noise.lock().expect("no holder of this lock panics") = noise.to_vec();
    }

    /// Sends nothing to anybody from now on, or goes on.
    pub fn stall(&self, stall: bool) {
        self.faults.stalled.send_replace(stall);
    }

    /// Ends every connection and command, and waits until they are gone.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        let _ = (&mut self.task).await;
        let mut commands = self.faults.commands.subscribe();
        // The sender lives in `self`, so this ends when the count is zero.
        let _ = commands.wait_for(|running| *running == 0).await;
    }
}

impl Drop for EmbeddedHost {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What all connections of a host share.
struct Host {
    options: EmbeddedOptions,
    config: Arc<russh::server::Config>,
    faults: Arc<Faults>,
    doors: Arc<Doors>,
}

impl Host {
    async fn listen(self: Arc<Self>, listener: TcpListener, mut stopped: oneshot::Receiver<()>) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                _ = &mut stopped => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(Arc::clone(&self).serve(stream));
                    }
                    // Out of descriptors: others must end first.
                    Err(_) => tokio::task::yield_now().await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
        connections.shutdown().await;
    }

    async fn serve(self: Arc<Self>, stream: TcpStream) {
        // Without it small messages wait; with it nothing else changes.
        let _ = stream.set_nodelay(true);
        let (near, far) = tokio::io::duplex(4 * WINDOW_BYTES as usize);
        // Dropped with the connection.
        let (_here, gone) = watch::channel(());
        let session = Session::new(Arc::clone(&self), gone, self.doors.arrive());
        let serve = async {
            if let Ok(running) =
                russh::server::run_stream(Arc::clone(&self.config), far, session).await
            {
                let _ = running.await;
            }
        };
        tokio::select! {
            () = pump(stream, near, Arc::clone(&self.faults)) => {}
            () = serve => {}
        }
    }
}

fn config(key: PrivateKey) -> russh::server::Config {
    russh::server::Config {
        methods: MethodSet::from(&[MethodKind::PublicKey][..]),
        // On loopback nobody guesses keys by the time a refusal takes.
        auth_rejection_time: Duration::from_millis(1),
        keys: vec![key],
        window_size: WINDOW_BYTES,
        maximum_packet_size: 65_535,
        channel_buffer_size: 1024,
        inactivity_timeout: None,
        preferred: russh::Preferred {
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
