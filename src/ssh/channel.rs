//! A command that runs over there.
//!
//! **Promises.** Every channel is closed: when its command ended, and also when its owner is
//! dropped half-way, since sshd allows ten at a time and an abandoned one counts until it is
//! closed. Standard output is handed on as it came, without a copy. Whoever opened a command must
//! read it: the library stops a whole connection for one reader that stands still. Standard error
//! is kept in its last [`STDERR_BYTES`]. A write that makes no progress for 30 s fails.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::sync::watch;
use tokio::time::timeout;

use super::connection::Inner;
use super::{Refusal, SshError};
use crate::model::text::{bounded, printable};

/// So much of the end of standard error is kept.
pub const STDERR_BYTES: usize = 32 * 1024;
/// A write is handed to the library in pieces of this size.
const SLICE_BYTES: usize = 32 * 1024;
const OPEN_TIMEOUT: Duration = Duration::from_secs(30);
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Closes a channel exactly once, when its last owner goes.
struct Guard {
    write: Arc<ChannelWriteHalf<Msg>>,
    inner: Arc<Inner>,
    /// Has the far side closed it? The library has answered then.
    closed: watch::Sender<bool>,
}

impl Guard {
    fn new(write: ChannelWriteHalf<Msg>, inner: Arc<Inner>) -> Self {
        inner.open_channels.fetch_add(1, Ordering::AcqRel);
        Self { write: Arc::new(write), inner, closed: watch::Sender::new(false) }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let (write, inner) = (Arc::clone(&self.write), Arc::clone(&self.inner));
        let runtime = tokio::runtime::Handle::try_current();
        match runtime {
            Ok(runtime) if !*self.closed.borrow() && !inner.handle.is_closed() => {
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

/// What is started in a channel.
#[derive(Debug, Clone, Copy)]
pub(super) enum Program<'a> {
    /// By the user's login shell.
    Command(&'a str),
    /// By sshd itself: no shell is needed.
    Subsystem(&'a str),
}

/// A command that runs over there.
pub struct Exec {
    pub(super) reader: ExecReader,
    pub(super) writer: ExecWriter,
}

impl Exec {
    /// Starts `program` in a fresh channel.
    pub(super) async fn start(
        channel: Channel<Msg>,
        inner: Arc<Inner>,
        program: Program<'_>,
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
            kept: None,
        };
        let asked = match program {
            Program::Command(command) => guard.write.exec(true, command).await,
            Program::Subsystem(name) => guard.write.request_subsystem(true, name).await,
        };
        if asked.is_err() {
            return Err(guard.inner.lost("starting a command"));
        }
        reader.await_start().await?;
        Ok(Self { reader, writer: ExecWriter { guard, broken: AtomicBool::new(false) } })
    }

    /// The same, with another command that ends no sooner.
    pub(super) fn kept_with(mut self, other: Self) -> Self {
        self.reader.kept = Some(Box::new(other));
        self
    }

    /// The two directions, for two tasks.
    pub fn split(self) -> (ExecReader, ExecWriter) {
        (self.reader, self.writer)
    }

    /// Passes over everything up to and including `magic`. `None` when it came; otherwise the
    /// command ended without it, and this is how, and what it said.
    pub async fn skip_noise(
        &mut self,
        magic: &[u8],
        limit: usize,
    ) -> Result<Option<(Exit, String)>, SshError> {
        let silent = |host: &str| SshError::Silent {
            host: host.to_owned(),
            doing: "starting the agent",
            seconds: OPEN_TIMEOUT.as_secs(),
        };
        let host = self.reader.guard.inner.host.clone();
        let skipped = timeout(OPEN_TIMEOUT, self.reader.skip_to(magic, limit)).await;
        if skipped.unwrap_or_else(|_| Err(silent(&host)))? {
            return Ok(None);
        }
        let exit = self.reader.exit.clone().unwrap_or(Exit::Unknown);
        Ok(Some((exit, self.reader.stderr())))
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
    /// A command that this one needs.
    kept: Option<Box<Exec>>,
}

impl ExecReader {
    async fn await_start(&mut self) -> Result<(), SshError> {
        loop {
            match self.half.wait().await {
                Some(ChannelMsg::Success) => return Ok(()),
                Some(ChannelMsg::Failure | ChannelMsg::Close) => {
                    let inner = &self.guard.inner;
                    return Err(Refusal::NoExec {
                        host: inner.host.clone(),
                        user: inner.endpoint.user.clone(),
                        said: "it refuses to start one".to_owned(),
                    }
                    .into());
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
                self.guard.closed.send_replace(true);
            }
            _ => {}
        }
    }

    /// Takes the next message, whatever it is; false when the command has ended.
    pub(super) async fn pump(&mut self) -> Result<bool, SshError> {
        if self.closed {
            return Ok(false);
        }
        match self.half.wait().await {
            Some(message) => self.take(message),
            None => return Err(self.guard.inner.lost("reading from a command")),
        }
        Ok(true)
    }

    /// The host's address.
    pub(super) fn host(&self) -> String {
        self.guard.inner.host.clone()
    }

    /// Standard output that has come already.
    pub(super) fn come(&mut self) -> Option<Bytes> {
        self.waiting.pop_front()
    }

    /// Gives back what was taken too much; standard error begins anew.
    pub(super) fn begin_with(&mut self, rest: Bytes) {
        self.stderr = Tail::default();
        if !rest.is_empty() {
            self.waiting.push_front(rest);
        }
    }

    /// The next piece of standard output; `None` when the command has ended and said all. Safe to
    /// drop while it waits.
    pub async fn read(&mut self) -> Result<Option<Bytes>, SshError> {
        loop {
            if let Some(bytes) = self.waiting.pop_front() {
                return Ok(Some(bytes));
            }
            if !self.pump().await? {
                return Ok(None);
            }
        }
    }

    /// Reads until `magic` has come; false if the end came first. At most `limit` bytes before it.
    async fn skip_to(&mut self, magic: &[u8], limit: usize) -> Result<bool, SshError> {
        let mut seen = Vec::new();
        while let Some(bytes) = self.read().await? {
            let from = seen.len().saturating_sub(magic.len());
            seen.extend_from_slice(&bytes);
            let found = seen[from..].windows(magic.len()).position(|window| window == magic);
            if let Some(at) = found.map(|at| from + at).filter(|at| *at <= limit) {
                let rest = seen.split_off(at + magic.len());
                if !rest.is_empty() {
                    self.waiting.push_front(rest.into());
                }
                return Ok(true);
            }
            if seen.len() > limit + magic.len() {
                let host = self.guard.inner.host.clone();
                return Err(SshError::TooMuch { host, limit });
            }
        }
        Ok(false)
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

/// Speaks to a command. Dropping it does not end the command's input; [`ExecWriter::eof`] does.
pub struct ExecWriter {
    guard: Arc<Guard>,
    broken: AtomicBool,
}

impl ExecWriter {
    /// Writes all of `bytes`; returns when the last piece is under way. Once it failed, or was
    /// dropped half-way, every further write fails: the far side would see a hole. It fails at once
    /// when the connection is gone, or its reader has seen the command end.
    pub async fn write(&self, bytes: Bytes) -> Result<(), SshError> {
        let inner = &self.guard.inner;
        if self.broken.swap(true, Ordering::AcqRel) {
            return Err(inner.lost("writing to a command"));
        }
        let mut closed = self.guard.closed.subscribe();
        let mut gone = inner.gone.clone();
        let over = async {
            tokio::select! {
                _ = closed.wait_for(|closed| *closed) => {}
                _ = gone.changed() => {}
            }
        };
        tokio::select! {
            biased;
            written = self.write_slices(bytes) => written?,
            () = over => return Err(inner.lost("writing to a command")),
        }
        self.broken.store(false, Ordering::Release);
        Ok(())
    }

    async fn write_slices(&self, bytes: Bytes) -> Result<(), SshError> {
        let inner = &self.guard.inner;
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
