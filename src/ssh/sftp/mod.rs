//! A small SFTP client, for accounts that have no shell: requests in flights, so that a long way
//! costs a round trip for many files and not for each.
//!
//! **Promises.** Host keys are as strict as everywhere ([`super::hosts`]). Nobody is waited for
//! longer than [`SILENCE`], nor a login for longer than [`WITHIN`] in all, however little it says.
//! What the server says is bounded ([`packet`]). It blocks: who uses it needs no runtime.

mod packet;

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

pub use packet::{Attributes, Code, Handle, PIECE_BYTES, Reply, Request};

use super::channel::{ExecReader, ExecWriter};
use super::{Connection, Dialler, Endpoint, Purpose, Refusal, SshError};
use crate::model::Clock;

/// Between two answers.
const SILENCE: Duration = Duration::from_secs(15);
/// Socket, keys and login together.
const LOGIN_WITHIN: Duration = Duration::from_secs(20);
/// Everything that is asked in one login.
const WITHIN: Duration = Duration::from_secs(120);
/// Requests without an answer yet: a flight of writes fits the window that OpenSSH grants.
const IN_FLIGHT: usize = 32;

/// Why files cannot be moved.
#[derive(Debug, thiserror::Error)]
pub enum SftpError {
    /// The connection did not come about, or ended.
    #[error(transparent)]
    Ssh(#[from] SshError),
    /// The account has no file transfer.
    #[error("{host} offers no SFTP to {user}")]
    NotOffered { host: String, user: String },
    /// Something else answers, or somebody hostile.
    #[error("{host} does not speak SFTP as it should ({why})")]
    Protocol { host: String, why: &'static str },
    /// This machine cannot.
    #[error("cannot start the runtime")]
    Runtime(#[source] std::io::Error),
}

impl SftpError {
    /// May it be otherwise in a while, without anybody's doing?
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Ssh(error) => error.is_temporary(),
            Self::NotOffered { .. } | Self::Protocol { .. } => false,
            Self::Runtime(_) => true,
        }
    }
}

/// A login that moves files. It says goodbye when dropped.
pub struct Client {
    // Before the runtime, which it needs to end.
    session: Session,
    runtime: Runtime,
    clock: Arc<dyn Clock>,
    /// When everything is to be over.
    until: Duration,
    /// Told of every answer.
    hears: Box<dyn Fn() + Send>,
}

struct Session {
    connection: Connection,
    reader: ExecReader,
    writer: ExecWriter,
    /// Came already, and belongs to an answer that is not whole.
    rest: Vec<u8>,
    next_id: u32,
    extensions: Vec<String>,
}

impl Client {
    /// Logs in; tells `hears` of every answer.
    pub fn open(
        dialler: &Arc<Dialler>,
        endpoint: &Endpoint,
        clock: Arc<dyn Clock>,
        hears: Box<dyn Fn() + Send>,
    ) -> Result<Self, SftpError> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(SftpError::Runtime)?;
        let opening = async {
            let opened = timeout(LOGIN_WITHIN, Session::open(dialler, endpoint)).await;
            opened.unwrap_or_else(|_| Err(silent(&endpoint.address, "logging in", LOGIN_WITHIN)))
        };
        let session = runtime.block_on(opening)?;
        let until = clock.elapsed().saturating_add(WITHIN);
        Ok(Self { session, runtime, clock, until, hears })
    }

    /// Asks all of it at once; answers come in the order of the requests.
    pub fn ask(&mut self, requests: &[Request]) -> Result<Vec<Reply>, SftpError> {
        let left = self.until.saturating_sub(self.clock.elapsed());
        let host = self.session.connection.host().to_owned();
        let (session, hears) = (&mut self.session, &*self.hears);
        // The timer belongs to the runtime.
        let asking = async { timeout(left, session.ask(requests, hears)).await };
        let asked = self.runtime.block_on(asking);
        asked.unwrap_or_else(|_| Err(silent(&host, "moving files", WITHIN)))
    }

    /// Asks one thing.
    pub fn ask_one(&mut self, request: Request) -> Result<Reply, SftpError> {
        let replies = self.ask(&[request])?;
        Ok(replies.into_iter().next().expect("there is an answer for each request"))
    }

    /// Can a name be replaced in one step?
    pub fn renames_over(&self) -> bool {
        self.session.has(packet::RENAME_OVER)
    }

    /// Can it be made sure that a file is on the disk?
    pub fn syncs(&self) -> bool {
        self.session.has(packet::SYNC)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.runtime.block_on(self.session.connection.close());
    }
}

impl Session {
    async fn open(dialler: &Dialler, endpoint: &Endpoint) -> Result<Self, SftpError> {
        let connection = dialler.dial_once(endpoint, Purpose::Control).await?;
        let started = connection.subsystem("sftp").await.map_err(|error| match error {
            SshError::Refusal(Refusal::NoExec { host, user, .. }) => {
                SftpError::NotOffered { host, user }
            }
            other => SftpError::Ssh(other),
        });
        let (reader, writer) = started?.split();
        let (rest, extensions) = (Vec::new(), Vec::new());
        let mut session = Self { connection, reader, writer, rest, next_id: 1, extensions };
        session.writer.write(packet::hello().into()).await?;
        let body = session.packet().await?;
        let greeting = packet::greeting(&body);
        let (version, extensions) =
            greeting.ok_or_else(|| session.wrong("its first packet is none"))?;
        if version < packet::VERSION {
            return Err(session.wrong("its version is below 3"));
        }
        session.extensions = extensions;
        Ok(session)
    }

    fn has(&self, extension: &str) -> bool {
        self.extensions.iter().any(|known| known == extension)
    }

    async fn ask(
        &mut self,
        requests: &[Request],
        hears: &(dyn Fn() + Send),
    ) -> Result<Vec<Reply>, SftpError> {
        let first_id = self.next_id;
        self.next_id = self.next_id.wrapping_add(requests.len() as u32);
        let mut replies: Vec<Option<Reply>> = vec![None; requests.len()];
        let (mut sent, mut answered) = (0, 0);
        while answered < requests.len() {
            while sent < requests.len() && sent - answered < IN_FLIGHT {
                let packet = requests[sent].packet(first_id.wrapping_add(sent as u32));
                self.writer.write(packet.into()).await?;
                sent += 1;
            }
            let body = self.packet().await?;
            let Some((id, reply)) = packet::reply(&body) else {
                return Err(self.wrong("an answer makes no sense"));
            };
            let index = id.wrapping_sub(first_id) as usize;
            let slot = replies.get_mut(index).filter(|slot| index < sent && slot.is_none());
            *slot.ok_or_else(|| self.wrong("it answers what nobody asked"))? = Some(reply);
            answered += 1;
            hears();
        }
        Ok(replies.into_iter().flatten().collect())
    }

    /// The next packet, without its length.
    async fn packet(&mut self) -> Result<Vec<u8>, SftpError> {
        loop {
            if let Some((length, rest)) = self.rest.split_at_checked(4) {
                let length = u32::from_be_bytes(length.try_into().expect("four bytes")) as usize;
                if length > packet::PACKET_BYTES_MAX {
                    return Err(self.wrong("a packet is too long, or something else is printed"));
                }
                if rest.len() >= length {
                    let body = rest[..length].to_vec();
                    self.rest.drain(..4 + length);
                    return Ok(body);
                }
            }
            let host = self.connection.host().to_owned();
            let read = timeout(SILENCE, self.reader.read()).await;
            let read = read.map_err(|_| silent(&host, "answering by SFTP", SILENCE))??;
            let bytes = read.ok_or_else(|| self.wrong("it ended the session"))?;
            self.rest.extend_from_slice(&bytes);
        }
    }

    fn wrong(&self, why: &'static str) -> SftpError {
        SftpError::Protocol { host: self.connection.host().to_owned(), why }
    }
}

fn silent(host: &str, doing: &'static str, limit: Duration) -> SftpError {
    SshError::Silent { host: host.to_owned(), doing, seconds: limit.as_secs() }.into()
}
