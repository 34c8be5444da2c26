//! An agent that called and was let in: one channel of its connection.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use russh::server::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

/// A write that makes no progress for so long fails.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Its connection ends when this is dropped, both halves with it.
pub struct Visit {
    /// From where.
    pub peer: SocketAddr,
    /// How long it took to answer.
    pub rtt: Duration,
    reader: VisitReader,
    writer: VisitWriter,
    held: Held,
}

/// As long as it is held, the connection is.
pub struct Held {
    pub(super) _end: oneshot::Sender<()>,
    pub(super) gone: watch::Receiver<()>,
}

/// What the agent says.
pub struct VisitReader(ChannelReadHalf);

/// What is said to it.
pub struct VisitWriter(ChannelWriteHalf<Msg>);

/// Why a visit is over.
#[derive(Debug, thiserror::Error)]
pub enum VisitError {
    /// The connection is gone.
    #[error("the agent's connection is gone")]
    Gone,
    /// It takes nothing.
    #[error("the agent took nothing for {} s", WRITE_TIMEOUT.as_secs())]
    Stuck,
}

impl Visit {
    pub(super) fn new(
        (reader, writer): (VisitReader, VisitWriter),
        (peer, rtt): (SocketAddr, Duration),
        held: Held,
    ) -> Self {
        Self { peer, rtt, reader, writer, held }
    }

    /// Is the connection over?
    pub fn is_gone(&self) -> bool {
        self.held.gone.has_changed().is_err()
    }

    /// Both directions, and what keeps them.
    pub fn split(self) -> (VisitReader, VisitWriter, Held) {
        (self.reader, self.writer, self.held)
    }
}

impl VisitReader {
    pub(super) fn of(half: ChannelReadHalf) -> Self {
        Self(half)
    }

    /// The next piece; `None` at the end. Dropping it while it waits loses nothing.
    pub async fn read(&mut self) -> Option<Bytes> {
        loop {
            match self.0.wait().await? {
                ChannelMsg::Data { data } => return Some(data),
                ChannelMsg::Eof | ChannelMsg::Close => return None,
                _ => {}
            }
        }
    }
}

impl VisitWriter {
    pub(super) fn of(half: ChannelWriteHalf<Msg>) -> Self {
        Self(half)
    }

    /// Says all of `bytes`.
    pub async fn write(&self, bytes: Bytes) -> Result<(), VisitError> {
        match timeout(WRITE_TIMEOUT, self.0.data_bytes(bytes)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(VisitError::Gone),
            Err(_) => Err(VisitError::Stuck),
        }
    }

    /// Nothing more will be said.
    pub async fn eof(&self) -> Result<(), VisitError> {
        match timeout(WRITE_TIMEOUT, self.0.eof()).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(VisitError::Gone),
        }
    }
}
