//! Talking to one agent: bytes to messages, messages to bytes, heartbeats.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use crate::model::{Generation, Reason};
use crate::run::stream::{Hear, Speak, Stream};
use crate::wire::{
    AgentFacts, Decoder, Grant, HEARTBEAT_S, SILENCE_S, ToAgent, ToLanding, VERSION, encode,
};

/// Why talking ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct TalkError {
    /// Of which kind.
    pub reason: Reason,
    /// What was seen.
    pub detail: String,
}

impl TalkError {
    /// A talk that ended for `reason`.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

/// One agent on the line.
pub struct Talk {
    reader: Box<dyn Hear>,
    decoder: Decoder<ToLanding>,
    outbox: UnboundedSender<Vec<u8>>,
    writer: JoinHandle<()>,
    /// What the agent said of itself.
    pub facts: AgentFacts,
}

impl Talk {
    /// Greets an agent that was just started; `first` are bytes after its magic.
    pub async fn greet(
        stream: impl Into<Stream>,
        first: &[u8],
        generation: Generation,
        grant: Grant,
    ) -> Result<Self, TalkError> {
        let Stream { hear: reader, speak: writer } = stream.into();
        let (outbox, queue) = unbounded_channel();
        let writer = tokio::spawn(write_all(writer, queue));
        let mut decoder = Decoder::default();
        decoder.push(first);
        let facts = AgentFacts {
            version: 0,
            uid: 0,
            cores: 0,
            hostname: String::new(),
            boot_id: String::new(),
            clock_s: 0,
        };
        let mut talk = Self { reader, decoder, outbox, writer, facts };
        talk.send(&ToAgent::Hello { version: VERSION, generation, grant });
        match talk.next().await? {
            ToLanding::Hello(facts) if facts.version == VERSION => talk.facts = facts,
            ToLanding::Hello(facts) => {
                let detail = format!("the agent speaks version {}", facts.version);
                return Err(TalkError::new(Reason::Protocol, detail));
            }
            ToLanding::Failed { reason, detail } => return Err(failed(reason, &detail)),
            _ => return Err(TalkError::new(Reason::Protocol, "the agent did not greet")),
        }
        Ok(talk)
    }

    /// Where messages to the agent go.
    pub fn outbox(&self) -> UnboundedSender<Vec<u8>> {
        self.outbox.clone()
    }

    /// Queues a message.
    pub fn send(&self, message: &ToAgent) {
        // A connection that is gone shows at the next read.
        let _ = self.outbox.send(encode(message));
    }

    /// The next message that is not a heartbeat. Silence is an error. Cancelling loses nothing.
    pub async fn next(&mut self) -> Result<ToLanding, TalkError> {
        loop {
            let decoded = self.decoder.next_message();
            match decoded.map_err(|e| TalkError::new(Reason::Protocol, e.to_string()))? {
                Some(ToLanding::Heartbeat) => {}
                Some(message) => return Ok(message),
                None => self.read_more().await?,
            }
        }
    }

    async fn read_more(&mut self) -> Result<(), TalkError> {
        let silence = Duration::from_secs(SILENCE_S);
        match tokio::time::timeout(silence, self.reader.hear()).await {
            Err(_) => {
                let detail = format!("the agent was silent for {SILENCE_S} s");
                Err(TalkError::new(Reason::Timeout, detail))
            }
            Ok(Ok(Some(bytes))) => {
                self.decoder.push(&bytes);
                Ok(())
            }
            Ok(Ok(None)) => Err(TalkError::new(Reason::Lost, self.last_words())),
            Ok(Err(error)) => Err(error),
        }
    }

    /// What an agent that ended said on its standard error.
    fn last_words(&self) -> String {
        let noise = self.reader.noise();
        let last = noise.lines().rev().find(|line| !line.trim().is_empty());
        match last {
            Some(line) => {
                format!("the agent ended: {}", crate::model::text::bounded(line.trim(), 200))
            }
            None => "the connection ended".to_owned(),
        }
    }

    /// Says goodbye and waits for the agent to go; it removes its folder first.
    pub async fn bye(mut self) {
        self.send(&ToAgent::Bye);
        let gone = async { while self.next().await.is_ok() {} };
        // An agent that does not go removes itself when it hears nothing.
        let _ = tokio::time::timeout(Duration::from_secs(10), gone).await;
        drop(self.outbox);
        let _ = tokio::time::timeout(Duration::from_secs(2), self.writer).await;
    }
}

/// An agent's own word of failure, bounded.
pub fn failed(reason: Reason, detail: &str) -> TalkError {
    let detail = crate::model::text::bounded(detail, crate::wire::message::DETAIL_CHARS_MAX);
    TalkError { reason, detail }
}

/// Writes what is queued; heartbeats when there is nothing else.
async fn write_all(writer: Box<dyn Speak>, mut queue: UnboundedReceiver<Vec<u8>>) {
    let pause = Duration::from_secs(HEARTBEAT_S);
    loop {
        let bytes = match tokio::time::timeout(pause, queue.recv()).await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => break,
            Err(_) => encode(&ToAgent::Heartbeat),
        };
        if writer.speak(bytes.into()).await.is_err() {
            return;
        }
    }
    // The far side may be gone already.
    let _ = writer.end().await;
}

/// Shared by all talks: frames are checked on as many cores as there are.
#[derive(Debug, Clone)]
pub struct Checkers {
    permits: Arc<tokio::sync::Semaphore>,
}

impl Default for Checkers {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { permits: Arc::new(tokio::sync::Semaphore::new(cores * 2)) }
    }
}

impl Checkers {
    /// Runs `check` on a thread for work when it is its turn.
    pub async fn run<T: Send + 'static>(
        &self,
        check: impl FnOnce() -> T + Send + 'static,
        then: impl FnOnce(T) + Send + 'static,
    ) {
        let permit = self.permits.clone().acquire_owned().await;
        tokio::task::spawn_blocking(move || {
            then(check());
            drop(permit);
        });
    }
}
