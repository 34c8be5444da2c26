//! The byte stream under one SSH connection.
//!
//! Three things the SSH library does not do: read in large pieces (it asks for four bytes, then for
//! one packet); remember how the far side began, so that a refusal before its banner can be told
//! from a cut; and end at once when told to, even while the far side takes nothing.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio::sync::oneshot;

/// One read from the socket fetches up to this much.
const BUFFER_BYTES: usize = 256 * 1024;
/// This much of the beginning is remembered.
const HEAD_BYTES: usize = 256;

/// What the far side said first.
#[derive(Debug, Clone, Default)]
pub(super) struct Head(Arc<Mutex<Vec<u8>>>);

impl Head {
    fn remember(&self, bytes: &[u8]) -> usize {
        let mut head = self.0.lock().expect("no holder of this lock panics");
        let room = HEAD_BYTES - head.len();
        head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        head.len()
    }

    /// The first bytes that arrived.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.lock().expect("no holder of this lock panics").clone()
    }
}

/// A stream that can be watched and ended.
pub(super) struct Wire<S> {
    inner: BufReader<S>,
    head: Head,
    remembered: usize,
    end: oneshot::Receiver<()>,
    ended: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// Wraps `stream`. It ends when the returned sender is used or dropped.
    pub(super) fn new(stream: S) -> (Self, Head, oneshot::Sender<()>) {
        let (sender, end) = oneshot::channel();
        let head = Head::default();
        let inner = BufReader::with_capacity(BUFFER_BYTES, stream);
        (Self { inner, head: head.clone(), remembered: 0, end, ended: false }, head, sender)
    }

    /// Fails once the end was asked for; otherwise has the task woken when it is.
    fn check_end(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if !self.ended && Pin::new(&mut self.end).poll(context).is_pending() {
            return Ok(());
        }
        self.ended = true;
        Err(io::Error::new(io::ErrorKind::ConnectionAborted, "ended from our side"))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check_end(context)?;
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(context, buffer);
        if self.remembered < HEAD_BYTES {
            self.remembered = self.head.remember(&buffer.filled()[before..]);
        }
        polled
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check_end(context)?;
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
