//! Getting a login: patience, bastions, and knowing when to stop.
//!
//! **Promises.** A host behind bastions is reached through one login on each, kept and shared by
//! up to [`PER_BASTION`] hosts. No place in the queue is held while a bastion is dialled or a
//! passphrase typed. A refused login is never tried again by itself.

mod memory;
mod pace;

use std::collections::HashMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;

use memory::Memory;
pub use pace::{DialLimits, Outcome, Pace, Turn};

use super::auth::log_in;
use super::connect::{Purpose, greet, open_socket};
use super::keyring::{Keyring, Offer};
use super::{Connection, Endpoint, Refusal, SshError, password};
use crate::model::Clock;

/// Hosts that share one login on a bastion.
pub const PER_BASTION: usize = 8;
/// Hosts that wait for the same bastion share its failure for this long.
const FAILURE_SHARED: Duration = Duration::from_secs(5);

/// Opens connections.
pub struct Dialler {
    pace: Mutex<Pace>,
    freed: Notify,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    memory: Option<Memory>,
    bastions: Mutex<HashMap<Endpoint, Arc<tokio::sync::Mutex<Bastion>>>>,
}

/// A bastion's login, and what keeps count of those who use it.
type Shared = Result<(Connection, Arc<()>), Arc<SshError>>;

/// Logins on one bastion.
#[derive(Default)]
struct Bastion {
    logins: Vec<Login>,
    failed: Option<(Duration, Arc<SshError>)>,
}

struct Login {
    connection: Connection,
    /// Held by every connection that runs through it.
    users: Arc<()>,
}

/// A place in the queue, given back when dropped.
struct Ticket<'a> {
    dialler: &'a Dialler,
    sshd: String,
    user: String,
    outcome: Outcome,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let now = self.dialler.clock.elapsed();
        let failures = self.dialler.pace().done(&self.sshd, &self.user, self.outcome, now);
        if let Some(memory) = self.dialler.memory.as_ref().filter(|_| failures > 0) {
            memory.note(&self.sshd, failures, self.dialler.clock.now().as_second());
        }
        self.dialler.freed.notify_waiters();
    }
}

impl Dialler {
    /// Nothing was dialled yet.
    pub fn new(limits: DialLimits, keyring: Arc<Keyring>, clock: Arc<dyn Clock>) -> Self {
        Self {
            pace: Mutex::new(Pace::new(limits)),
            freed: Notify::new(),
            keyring,
            clock,
            memory: None,
            bastions: Mutex::new(HashMap::new()),
        }
    }

    /// The same, with failures kept in `file` from one command to the next.
    #[must_use]
    pub fn remembering(self, file: PathBuf) -> Self {
        let (memory, now) = (Memory(file), self.clock.elapsed());
        let within = self.pace().limits().failures_within;
        for (sshd, age) in memory.read(self.clock.now().as_second(), within) {
            self.pace().remember(&sshd, age, now);
        }
        Self { memory: Some(memory), ..self }
    }

    fn pace(&self) -> std::sync::MutexGuard<'_, Pace> {
        self.pace.lock().expect("no holder of this lock panics")
    }

    /// Dials and logs in, trying again for as long as that may help; `waiting` is told of every
    /// failure that is followed by a pause, and its length.
    pub async fn dial(
        &self,
        endpoint: &Endpoint,
        purpose: Purpose,
        waiting: &(dyn Fn(&SshError, Duration) + Send + Sync),
    ) -> Result<Connection, SshError> {
        let sshd = endpoint.sshd();
        let mut tries = 0;
        loop {
            tries += 1;
            let error = match self.dial_once(endpoint, purpose).await {
                Ok(connection) => return Ok(connection),
                Err(error) => error,
            };
            let pause = self.pace().pause(&sshd, tries, self.clock.elapsed(), random());
            match pause {
                Some(pause) if error.is_temporary() => {
                    waiting(&error, pause);
                    tokio::time::sleep(pause).await;
                }
                _ => return Err(error),
            }
        }
    }

    /// Dials and logs in once, when it is this host's turn.
    pub async fn dial_once(
        &self,
        endpoint: &Endpoint,
        purpose: Purpose,
    ) -> Result<Connection, SshError> {
        let offers = self.keyring.offers(endpoint).await?;
        match &endpoint.jump {
            None => self.dial_direct(endpoint, purpose, &offers).await,
            Some(jump) => {
                let (bastion, users) = self
                    .bastion(jump)
                    .await
                    .map_err(|source| SshError::Jump { via: jump.address.clone(), source })?;
                let mut ticket = self.turn(endpoint).await?;
                let began = self.clock.elapsed();
                let stream = bastion.forward(endpoint).await?;
                let rtt = self.clock.elapsed().saturating_sub(began);
                let through: Box<dyn std::any::Any + Send + Sync> = Box::new((bastion, users));
                let purpose = (purpose, rtt);
                let dialled = self.enter(stream, endpoint, purpose, &offers, Some(through)).await;
                ticket.outcome = outcome(&dialled);
                dialled
            }
        }
    }

    async fn dial_direct(
        &self,
        endpoint: &Endpoint,
        purpose: Purpose,
        offers: &[Offer],
    ) -> Result<Connection, SshError> {
        let mut ticket = self.turn(endpoint).await?;
        let (stream, rtt) = open_socket(endpoint, &*self.clock).await?;
        let dialled = self.enter(stream, endpoint, (purpose, rtt), offers, None).await;
        ticket.outcome = outcome(&dialled);
        dialled
    }

    /// Greets and logs in over an open stream.
    async fn enter<S>(
        &self,
        stream: S,
        endpoint: &Endpoint,
        purpose: (Purpose, Duration),
        offers: &[Offer],
        through: Option<Box<dyn std::any::Any + Send + Sync>>,
    ) -> Result<Connection, SshError>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let mut greeting = greet(stream, endpoint, purpose, &*self.clock).await?;
        let login = log_in(&mut greeting, endpoint, (offers, &self.keyring)).await;
        let keyring = Arc::clone(&self.keyring);
        let connection = Connection::new(greeting, endpoint, keyring, (through, purpose.1));
        if let Err(error) = login {
            // The library waits for an answer to what was asked, and hears nothing else.
            let is_asked = matches!(
                error,
                SshError::Refusal(Refusal::Prompts { .. } | Refusal::PasswordExpired { .. })
            );
            if !is_asked {
                connection.close().await;
            }
            return Err(error);
        }
        Ok(connection)
    }

    /// Waits for this endpoint's turn.
    async fn turn(&self, endpoint: &Endpoint) -> Result<Ticket<'_>, SshError> {
        let (sshd, user) = (endpoint.sshd(), endpoint.user.clone());
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            let turn = self.pace().ask(&sshd, &user, self.clock.elapsed(), random());
            match turn {
                Turn::Go => {
                    return Ok(Ticket { dialler: self, sshd, user, outcome: Outcome::Other });
                }
                // A reset may end the pause.
                Turn::Wait(pause) => {
                    let _ = tokio::time::timeout(pause, freed).await;
                }
                Turn::Full => freed.await,
                Turn::Open { refused, by_password } => {
                    let host = endpoint.address.clone();
                    return Err(SshError::BreakerOpen { host, user, refused, by_password });
                }
                Turn::Spared { failed, pause } => {
                    let host = endpoint.address.clone();
                    let seconds = pause.as_secs() + 1;
                    return Err(Refusal::Spared { host, failed, seconds }.into());
                }
            }
        }
    }

    /// A login on a bastion with room for one more host.
    fn bastion<'a>(
        &'a self,
        jump: &'a Endpoint,
    ) -> Pin<Box<dyn Future<Output = Shared> + Send + 'a>> {
        Box::pin(async move {
            let slot = {
                let mut bastions = self.bastions.lock().expect("no holder of this lock panics");
                Arc::clone(bastions.entry(jump.clone()).or_default())
            };
            let mut bastion = slot.lock().await;
            bastion.logins.retain(|login| !login.connection.is_closed());
            let room = |login: &&Login| Arc::strong_count(&login.users) <= PER_BASTION;
            if let Some(login) = bastion.logins.iter().find(room) {
                return Ok((login.connection.clone(), Arc::clone(&login.users)));
            }
            if let Some((at, error)) = &bastion.failed
                && self.clock.elapsed().saturating_sub(*at) < FAILURE_SHARED
            {
                return Err(Arc::clone(error));
            }
            match self.dial_once(jump, Purpose::Bastion).await {
                Ok(connection) => {
                    let users = Arc::new(());
                    let login = Login { connection: connection.clone(), users: Arc::clone(&users) };
                    bastion.logins.push(login);
                    bastion.failed = None;
                    Ok((connection, users))
                }
                Err(error) => {
                    let error = Arc::new(error);
                    bastion.failed = Some((self.clock.elapsed(), Arc::clone(&error)));
                    Err(error)
                }
            }
        })
    }

    /// Somebody acted: logins that were refused may be tried again, with passwords asked for anew.
    pub fn reset(&self, endpoint: &Endpoint) {
        self.pace().reset(&endpoint.sshd(), &endpoint.user);
        self.keyring.forget(endpoint);
        if let Some(jump) = &endpoint.jump {
            self.reset(jump);
        }
        self.freed.notify_waiters();
    }

    /// Says goodbye to all bastions.
    pub async fn close(&self) {
        let bastions: Vec<_> = {
            let mut bastions = self.bastions.lock().expect("no holder of this lock panics");
            bastions.drain().map(|(_, bastion)| bastion).collect()
        };
        for bastion in bastions {
            for login in bastion.lock().await.logins.drain(..) {
                login.connection.close().await;
            }
        }
    }
}

/// What a dial tells about the next one.
fn outcome(dialled: &Result<Connection, SshError>) -> Outcome {
    match dialled {
        Ok(_) => Outcome::LoggedIn,
        Err(SshError::LoginRefused { .. }) => Outcome::LoginRefused,
        Err(SshError::Refusal(Refusal::Password { .. })) => Outcome::PasswordRefused,
        // It may have been refused: nobody can tell.
        Err(SshError::Lost { doing, .. }) if *doing == password::GIVING => Outcome::LoginRefused,
        Err(
            SshError::Refusal(_)
            | SshError::HostKeyUnknown { .. }
            | SshError::HostKeyChanged { .. }
            | SshError::HostKeyRevoked { .. }
            | SshError::HostCertificate { .. },
        ) => Outcome::LeftEarly,
        // Before 9.8 sshd knows no penalties: it is only full, and the usual pause will do.
        Err(SshError::NotAllowedNow { said, .. }) if said.contains("MaxStartups") => Outcome::Other,
        Err(SshError::NotAllowedNow { .. }) => Outcome::NotAllowed,
        Err(SshError::ResetBeforeBanner { .. }) => Outcome::CutBeforeBanner,
        Err(_) => Outcome::Other,
    }
}

/// A random number between 0 and 1.
fn random() -> f64 {
    let mut bytes = [0; 4];
    // Without randomness the longest pause is the safe one.
    match getrandom::fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 1.0,
    }
}
