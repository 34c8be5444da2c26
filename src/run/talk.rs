//! Talking to one agent: bytes to messages, messages to bytes, heartbeats.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use crate::model::{Generation, Reason};
use crate::run::lanes::Arrived;
use crate::run::stream::{Hear, Speak, Stream};
use crate::wire::{
    AgentFacts, Decoder, Grant, HEARTBEAT_S, SILENCE_S, ToAgent, ToLanding, VERSION, encode,
};

/// How long an agent is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// When it says nothing at all; and for its greeting.
    pub silence: Duration,
    /// On a target that owes something: when it only says that it lives. It syncs 256 MiB between
    /// two words, and everything at the very end.
    pub progress: Duration,
    /// For it to go after a goodbye.
    pub goodbye: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            silence: Duration::from_secs(SILENCE_S),
            progress: Duration::from_secs(1_800),
            goodbye: Duration::from_secs(10),
        }
    }
}

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
    outbox: Outbox,
    writer: JoinHandle<()>,
    patience: Patience,
    arrived: Arrived,
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
        Self::greet_within(Patience::default(), stream, first, generation, grant).await
    }

    /// The same with other patience.
    pub async fn greet_within(
        patience: Patience,
        stream: impl Into<Stream>,
        first: &[u8],
        generation: Generation,
        grant: Grant,
    ) -> Result<Self, TalkError> {
        let Stream { hear: reader, speak: writer } = stream.into();
        let (sender, queue) = unbounded_channel();
        let outbox = Outbox { sender, queued_bytes: Arc::default() };
        let writer = tokio::spawn(write_all(writer, queue, outbox.queued_bytes.clone()));
        let mut decoder = Decoder::default();
        decoder.push(first);
        let facts = AgentFacts {
            version: 0,
            uid: 0,
            cores: 0,
            hostname: String::new(),
            boot_id: String::new(),
            clock_s: 0,
            left_behind: None,
        };
        let mut talk =
            Self { reader, decoder, outbox, writer, patience, arrived: Arrived::default(), facts };
        talk.send(&ToAgent::Hello { version: VERSION, generation, grant });
        // One that only says that it lives has not greeted.
        let greeting = tokio::time::timeout(patience.silence, talk.next()).await;
        match greeting.unwrap_or_else(|_| Err(silent(patience.silence)))? {
            ToLanding::Hello(facts) if facts.version == VERSION => talk.facts = facts,
            ToLanding::Hello(facts) => {
                let detail = format!("the agent speaks version {}", facts.version);
                return Err(TalkError::new(Reason::Protocol, detail));
            }
            ToLanding::Failed { reason, detail } => {
                return Err(failed(reason, &detail, &[Reason::SourceError]));
            }
            _ => return Err(TalkError::new(Reason::Protocol, "the agent did not greet")),
        }
        Ok(talk)
    }

    /// How long it is waited for.
    pub fn patience(&self) -> Patience {
        self.patience
    }

    /// Counts there what arrives from now on.
    pub fn count(&mut self, arrived: Arrived) {
        self.arrived = arrived;
    }

    /// Where messages to the agent go.
    pub fn outbox(&self) -> Outbox {
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
        let silence = self.patience.silence;
        match tokio::time::timeout(silence, self.reader.hear()).await {
            Err(_) => Err(silent(silence)),
            Ok(Ok(Some(bytes))) => {
                self.arrived.add(bytes.len());
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
        let goodbye = self.patience.goodbye;
        let gone = async { while !matches!(self.next().await, Ok(ToLanding::Gone) | Err(_)) {} };
        // An agent that does not go removes itself when it hears nothing.
        let _ = tokio::time::timeout(goodbye, gone).await;
        drop(self.outbox);
        let _ = tokio::time::timeout(Duration::from_secs(2), self.writer).await;
    }
}

fn silent(silence: Duration) -> TalkError {
    let detail = format!("the agent was silent for {} s", silence.as_secs_f64());
    TalkError::new(Reason::Timeout, detail)
}

/// An agent's own word of failure, bounded. It may only speak for its own machine, for one of the
/// reasons in `its_own`; any other is a lie, and none of them may stop the run.
pub fn failed(reason: Reason, detail: &str, its_own: &[Reason]) -> TalkError {
    let reason = if its_own.contains(&reason) { reason } else { Reason::Protocol };
    let detail = crate::model::text::bounded(detail, crate::wire::message::DETAIL_CHARS_MAX);
    TalkError { reason, detail }
}

/// What waits to be said to an agent.
#[derive(Debug, Clone)]
pub struct Outbox {
    sender: UnboundedSender<Vec<u8>>,
    queued_bytes: Arc<AtomicUsize>,
}

impl Outbox {
    /// Queues an encoded message; false when nobody is there any more.
    pub fn send(&self, bytes: Vec<u8>) -> bool {
        self.queued_bytes.fetch_add(bytes.len(), Ordering::Relaxed);
        self.sender.send(bytes).is_ok()
    }

    /// Bytes that wait. An agent that asks must take the answers; this shows one that does not.
    pub fn queued_bytes(&self) -> usize {
        self.queued_bytes.load(Ordering::Relaxed)
    }
}

/// What waits leaves together up to this much: each write is a packet of its own, encrypted and
/// sent, and most messages are a few dozen bytes.
const TOGETHER_BYTES: usize = 32 << 10;

/// Writes what is queued; heartbeats when there is nothing else.
async fn write_all(
    writer: Box<dyn Speak>,
    mut queue: UnboundedReceiver<Vec<u8>>,
    queued_bytes: Arc<AtomicUsize>,
) {
    let pause = Duration::from_secs(HEARTBEAT_S);
    loop {
        let bytes = match tokio::time::timeout(pause, queue.recv()).await {
            Ok(Some(mut bytes)) => {
                while bytes.len() < TOGETHER_BYTES
                    && let Ok(more) = queue.try_recv()
                {
                    bytes.extend_from_slice(&more);
                }
                queued_bytes.fetch_sub(bytes.len(), Ordering::Relaxed);
                bytes
            }
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
