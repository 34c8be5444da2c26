//! What a talk runs over: bytes from an agent, bytes to it.
//!
//! In production that is a command behind SSH; the talk knows nothing of it, so that the whole
//! engine also runs against agents in this process.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

use crate::run::reach::talk_error;
use crate::run::talk::TalkError;
use crate::ssh::{Exec, ExecReader, ExecWriter};

/// Something under way.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What an agent says.
pub trait Hear: Send {
    /// The next piece; `None` once it ended. Dropping it while it waits loses nothing.
    fn hear(&mut self) -> Pending<'_, Result<Option<Bytes>, TalkError>>;

    /// What it said besides, for people; its end counts.
    fn noise(&self) -> String;
}

/// What is said to an agent.
pub trait Speak: Send + Sync {
    /// Says all of `bytes`.
    fn speak(&self, bytes: Bytes) -> Pending<'_, Result<(), TalkError>>;

    /// Nothing more will be said.
    fn end(&self) -> Pending<'_, Result<(), TalkError>>;
}

/// Both directions.
pub struct Stream {
    /// From the agent.
    pub hear: Box<dyn Hear>,
    /// To the agent.
    pub speak: Box<dyn Speak>,
}

impl From<Exec> for Stream {
    fn from(exec: Exec) -> Self {
        let (reader, writer) = exec.split();
        Self { hear: Box::new(reader), speak: Box::new(writer) }
    }
}

impl Hear for ExecReader {
    fn hear(&mut self) -> Pending<'_, Result<Option<Bytes>, TalkError>> {
        Box::pin(async { self.read().await.map_err(|error| talk_error(&error)) })
    }

    fn noise(&self) -> String {
        self.stderr()
    }
}

impl Speak for ExecWriter {
    fn speak(&self, bytes: Bytes) -> Pending<'_, Result<(), TalkError>> {
        Box::pin(async { self.write(bytes).await.map_err(|error| talk_error(&error)) })
    }

    fn end(&self) -> Pending<'_, Result<(), TalkError>> {
        Box::pin(async { self.eof().await.map_err(|error| talk_error(&error)) })
    }
}
