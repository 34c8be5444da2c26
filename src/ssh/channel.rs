//! A command that runs over there.
//!
//! **Promises.** Every channel is closed: when its command ended, and also when its owner is dropped
//! half-way, since sshd allows ten at a time and an abandoned one counts until it is closed.
//! Standard output is handed on as it came, without a copy. Whoever opened a command must read it:
//! the library stops a whole connection for one reader that stands still. Standard error is kept in
//! its last [`STDERR_BYTES`]. A write that makes no progress for 30 s fails.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::time::timeout;

use super::SshError;
use super::connection::Inner;
use crate::model::text::{bounded, printable};

/// So much of the end of standard error is kept.
pub const STDERR_BYTES: usize = 32 * 1024;
/// A write is handed to the library in pieces of this size.
const SLICE_BYTES: usize = 32 * 1024;
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Closes a channel exactly once, when its last owner goes.
struct Guard {
    write: Arc<ChannelWriteHalf<Msg>>,
    inner: Arc<Inner>,
    /// The far side closed it; the library has answered already.
    closed: AtomicBool,
}

impl Guard {
    fn new(write: ChannelWriteHalf<Msg>, inner: Arc<Inner>) -> Self {
        inner.open_channels.fetch_add(1, Ordering::AcqRel);
        Self { write: Arc::new(write), inner, closed: AtomicBool::new(false) }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let (write, inner) = (Arc::clone(&self.write), Arc::clone(&self.inner));
        let runtime = tokio::runtime::Handle::try_current();
        match runtime {
            Ok(runtime) if !self.closed.load(Ordering::Acquire) && !inner.handle.is_closed() => {
                runtime.spawn(async move {
                    let _ = timeout(WRITE_TIMEOUT, write.close()).await;
                    inner.open_channels.fetch_sub(1, Ordering::AcqRel);
                });
            }
            _ => {
                inner.open_channels.fetch_sub(1, Ordering::AcqRel);
            }
        }
    }
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// With this code.
    Code(u32),
    /// By this signal.
    Signal(String),
    /// The host closed the channel without saying how.
    Unknown,
}

impl Exit {
    /// Did it end with code 0?
    pub fn is_success(&self) -> bool {
        *self == Self::Code(0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(name) => write!(f, "signal {name}"),
            Self::Unknown => f.write_str("it did not say how it ended"),
        }
    }
}

/// The last bytes of a stream.
#[derive(Debug, Default)]
struct Tail(VecDeque<u8>);

impl Tail {
    fn push(&mut self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(STDERR_BYTES)..];
        let excess = (self.0.len() + bytes.len()).saturating_sub(STDERR_BYTES);
        self.0.drain(..excess);
        self.0.extend(bytes);
    }

    fn text(&self) -> String {
        let bytes: Vec<u8> = self.0.iter().copied().collect();
        let lines: Vec<String> = bytes.trim_ascii().split(|b| *b == b'\n').map(printable).collect();
        lines.join("\n")
    }
}

/// A command that runs over there.
pub struct Exec {
    reader: ExecReader,
    writer: ExecWriter,
}

impl Exec {
    /// Starts `command` in a fresh channel.
    pub(super) async fn start(
        channel: Channel<Msg>,
        inner: Arc<Inner>,
        command: &str,
    ) -> Result<Self, SshError> {
        let (half, write) = channel.split();
        let guard = Arc::new(Guard::new(write, inner));
        let mut reader = ExecReader {
            half,
            guard: Arc::clone(&guard),
            waiting: VecDeque::new(),
            stderr: Tail::default(),
            exit: None,
            closed: false,
        };
        if guard.write.exec(true, command).await.is_err() {
            return Err(guard.inner.lost("starting a command"));
        }
        reader.await_start().await?;
        Ok(Self { reader, writer: ExecWriter { guard, broken: AtomicBool::new(false) } })
    }

    /// The two directions, for two tasks.
    pub fn split(self) -> (ExecReader, ExecWriter) {
        (self.reader, self.writer)
    }

    /// See [`ExecReader::read`].
    pub async fn read(&mut self) -> Result<Option<Bytes>, SshError> {
        self.reader.read().await
    }

    /// See [`ExecWriter::write`].
    pub async fn write(&self, bytes: Bytes) -> Result<(), SshError> {
        self.writer.write(bytes).await
    }
}

/// Takes what a command says.
pub struct ExecReader {
    half: ChannelReadHalf,
    guard: Arc<Guard>,
    waiting: VecDeque<Bytes>,
    stderr: Tail,
    exit: Option<Exit>,
    closed: bool,
}

impl ExecReader {
    async fn await_start(&mut self) -> Result<(), SshError> {
        loop {
            match self.half.wait().await {
                Some(ChannelMsg::Success) => return Ok(()),
                Some(ChannelMsg::Failure | ChannelMsg::Close) => {
                    return Err(SshError::ChannelRefused {
                        host: self.guard.inner.host.clone(),
                        why: "it refused to start it".to_owned(),
                    });
                }
                Some(other) => self.take(other),
                None => return Err(self.guard.inner.lost("starting a command")),
            }
        }
    }

    fn take(&mut self, message: ChannelMsg) {
        match message {
            ChannelMsg::Data { data } => self.waiting.push_back(data),
            ChannelMsg::ExtendedData { data, .. } => self.stderr.push(&data),
            ChannelMsg::ExitStatus { exit_status } => self.exit = Some(Exit::Code(exit_status)),
            ChannelMsg::ExitSignal { signal_name, .. } => {
                self.exit = Some(Exit::Signal(bounded(&format!("{signal_name:?}"), 40)));
            }
            ChannelMsg::Close => {
                self.closed = true;
                self.guard.closed.store(true, Ordering::Release);
            }
            _ => {}
        }
    }

    /// The next piece of standard output; `None` when the command has ended and said all. Safe to
    /// drop while it waits.
    pub async fn read(&mut self) -> Result<Option<Bytes>, SshError> {
        loop {
            if let Some(bytes) = self.waiting.pop_front() {
                return Ok(Some(bytes));
            }
            if self.closed {
                return Ok(None);
            }
            match self.half.wait().await {
                Some(message) => self.take(message),
                None => return Err(self.guard.inner.lost("reading from a command")),
            }
        }
    }

    /// Waits for the end, passing over what is still said.
    pub async fn finish(&mut self) -> Result<Exit, SshError> {
        while self.read().await?.is_some() {}
        Ok(self.exit.clone().unwrap_or(Exit::Unknown))
    }

    /// The end of standard error so far, printable, lines kept.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }
}

/// Speaks to a command.
pub struct ExecWriter {
    guard: Arc<Guard>,
    broken: AtomicBool,
}

impl ExecWriter {
    /// Writes all of `bytes`; returns when the last piece is under way. Once it failed, or was
    /// dropped half-way, every further write fails: the far side would see a hole.
    pub async fn write(&self, bytes: Bytes) -> Result<(), SshError> {
        let inner = &self.guard.inner;
        if self.broken.swap(true, Ordering::AcqRel) {
            return Err(inner.lost("writing to a command"));
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let slice = rest.split_to(rest.len().min(SLICE_BYTES));
            match timeout(WRITE_TIMEOUT, self.guard.write.data_bytes(slice)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(inner.lost("writing to a command")),
                Err(_) => {
                    return Err(SshError::Silent {
                        host: inner.host.clone(),
                        doing: "taking what is written to a command",
                        seconds: WRITE_TIMEOUT.as_secs(),
                    });
                }
            }
        }
        self.broken.store(false, Ordering::Release);
        Ok(())
    }

    /// Ends the command's standard input.
    pub async fn eof(&self) -> Result<(), SshError> {
        match timeout(WRITE_TIMEOUT, self.guard.write.eof()).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(self.guard.inner.lost("ending what is written to a command")),
        }
    }
}
