//! The port that is open while somebody is invited: what is said there first decides.
//!
//! `GET /CODE`: the script, with the code in it. `GET /ID`: the script without. `GET /ID/agent` and
//! `/ID/agent.zst`: the agent. With a version behind, it is answered as HTTP/1.0; without one by
//! the bare content, which is all that bash's `/dev/tcp` can read. `EVAC ID`: SSH follows.
//!
//! An error is answered as a script too: it goes into a shell, and somebody looks at that.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::caller;
use super::guesses::{Guesses, Wrong};
use super::{Binary, Code, HostKey, Sum, Visit};
use crate::model::Clock;

/// For everything that is said before something is known.
const PATIENCE: Duration = Duration::from_secs(10);
/// A download that makes no progress for so long is over.
const PROGRESS: Duration = Duration::from_secs(60);
/// Bytes of the first line, and of everything before an answer.
const LINE_BYTES_MAX: u64 = 256;
const HEAD_BYTES_MAX: u64 = 8 << 10;
/// Connections at once: those that fetch, and those that were let in.
const AT_ONCE: usize = 256;
/// Written at once.
const PIECE_BYTES: usize = 256 << 10;

/// What an agent says before SSH begins.
pub(super) const GREETING: &str = "EVAC";

const UNKNOWN: &str =
    "echo 'evac: this line is not known here: mistyped, used, or out of time' >&2; exit 1\n";

/// Who knows what is open.
pub trait Gate: Send + Sync + 'static {
    /// The script of an open invitation whose code was not proven yet.
    fn script(&self, wanted: &Wanted) -> Option<Vec<u8>>;

    /// Is there an invitation of that id, whether it was taken up or not?
    fn is_open(&self, id: &str) -> bool;

    /// May whoever has this key be the host of invitation `id`?
    fn knows(&self, id: &str, key: &str) -> bool;

    /// Somebody proves a code. If it is that of `id` and was not used, `key` takes its place.
    fn take_up(&self, id: &str, code: &Sum, key: &str) -> bool;

    /// The agent of invitation `id` is here.
    fn arrived(&self, id: &str, visit: Visit);

    /// Somebody said something wrong, for the log.
    fn wrong(&self, peer: SocketAddr, wrong: Wrong);
}

/// How an invitation is named.
#[derive(Debug, Clone)]
pub enum Wanted {
    /// By its code.
    Code(Code),
    /// By its public id.
    Id(String),
}

/// Everything that a connection needs.
pub struct Front {
    pub(super) gate: Arc<dyn Gate>,
    pub(super) config: Arc<russh::server::Config>,
    binary: Binary,
    guesses: Mutex<Guesses>,
    pub(super) clock: Arc<dyn Clock>,
}

/// What the first line asks for.
#[derive(Debug, PartialEq, Eq)]
enum First<'a> {
    Get { path: &'a [u8], has_head: bool },
    Call { id: &'a str },
    Nothing,
}

impl Front {
    /// For whoever `gate` lets in.
    pub fn new(gate: Arc<dyn Gate>, key: &HostKey, binary: Binary, clock: Arc<dyn Clock>) -> Self {
        let config = Arc::new(caller::config(key));
        Self { gate, config, binary, guesses: Mutex::default(), clock }
    }

    /// Answers on `listener` until this is dropped.
    pub async fn listen(self: Arc<Self>, listener: TcpListener) {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let mut connections = JoinSet::new();
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) if self.guesses().enter(peer.ip()) => {
                        let front = Arc::clone(&self);
                        connections.spawn(async move {
                            Arc::clone(&front).attend(stream, peer).await;
                            front.guesses().leave(peer.ip());
                            drop(place);
                        });
                    }
                    Ok(_) => {}
                    // Out of files, as a rule: it passes.
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    fn guesses(&self) -> MutexGuard<'_, Guesses> {
        self.guesses.lock().expect("no holder of this lock panics")
    }

    async fn attend(self: Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        if self.guesses().is_silenced(peer.ip(), self.clock.elapsed()) {
            return;
        }
        let _ = super::call::tune(&stream);
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        let first = async { (&mut stream).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await };
        if !matches!(timeout(PATIENCE, first).await, Ok(Ok(1..))) {
            return;
        }
        match read_first(&line) {
            First::Nothing => {
                self.say_wrong(peer);
            }
            First::Call { id } if self.gate.is_open(id) => {
                caller::serve(&self, stream, peer, id).await;
            }
            First::Call { .. } => {
                if self.say_wrong(peer) {
                    // An agent whose invitation is over goes.
                    let _ = timeout(PATIENCE, stream.write_all(b"over\n")).await;
                    finish(stream).await;
                }
            }
            First::Get { path, has_head } => {
                if has_head && !skip_head(&mut stream).await {
                    return;
                }
                self.get(stream, path, has_head, peer).await;
            }
        }
    }

    async fn get(
        &self,
        stream: BufReader<TcpStream>,
        path: &[u8],
        has_head: bool,
        who: SocketAddr,
    ) {
        match self.content(path).await {
            Some(content) => answer(stream, "200 OK", content, has_head).await,
            None if self.say_wrong(who) => {
                answer(stream, "404 Not Found", Bytes::from_static(UNKNOWN.as_bytes()), has_head)
                    .await;
            }
            None => {}
        }
    }

    async fn content(&self, path: &[u8]) -> Option<Bytes> {
        let mut parts = path.strip_prefix(b"/")?.split(|byte| *byte == b'/');
        let (name, file) = (parts.next()?, parts.next());
        if parts.next().is_some() {
            return None;
        }
        let id = || std::str::from_utf8(name).ok().filter(|id| self.gate.is_open(id));
        match file {
            Some(b"agent") => id().map(|_| self.binary.plain()),
            Some(b"agent.zst") => {
                id()?;
                Some(self.binary.compressed().await)
            }
            Some(_) => None,
            None => {
                let by_id = || Some(Wanted::Id(std::str::from_utf8(name).ok()?.to_owned()));
                let by_code = Code::read(name).map(Wanted::Code);
                // Both look alike: what is no open code may be an id.
                let code = by_code.and_then(|wanted| self.gate.script(&wanted));
                let script = code.or_else(|| self.gate.script(&by_id()?));
                script.map(Bytes::from)
            }
        }
    }

    /// Says whether that is answered.
    pub(super) fn say_wrong(&self, peer: SocketAddr) -> bool {
        let now = self.clock.elapsed();
        let wrong = self.guesses().wrong(peer.ip(), now);
        self.gate.wrong(peer, wrong);
        matches!(wrong, Wrong::Answered { .. })
    }
}

fn read_first(line: &[u8]) -> First<'_> {
    let mut words = line.trim_ascii_end().split(|byte| *byte == b' ');
    let (verb, object) = (words.next(), words.next());
    let (version, more) = (words.next(), words.next());
    match (verb, object) {
        _ if more.is_some() || !line.ends_with(b"\n") => First::Nothing,
        (Some(b"GET"), Some(path)) => match version {
            None => First::Get { path, has_head: false },
            Some(version) if version.starts_with(b"HTTP/1.") => First::Get { path, has_head: true },
            Some(_) => First::Nothing,
        },
        (Some(verb), Some(id)) if verb == GREETING.as_bytes() && version.is_none() => {
            std::str::from_utf8(id).map_or(First::Nothing, |id| First::Call { id })
        }
        _ => First::Nothing,
    }
}

/// Reads to the empty line: what is left unread would break the answer off.
async fn skip_head(stream: &mut BufReader<TcpStream>) -> bool {
    let mut head = stream.take(HEAD_BYTES_MAX);
    let mut line = Vec::new();
    let skip = async {
        loop {
            line.clear();
            match head.read_until(b'\n', &mut line).await {
                Ok(1..) if line.ends_with(b"\n") => {}
                _ => return false,
            }
            if line.trim_ascii().is_empty() {
                return true;
            }
        }
    };
    timeout(PATIENCE, skip).await.unwrap_or(false)
}

async fn answer(mut stream: BufReader<TcpStream>, status: &str, content: Bytes, has_head: bool) {
    let head = format!(
        "HTTP/1.0 {status}\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        content.len()
    );
    let head = if has_head { Bytes::from(head) } else { Bytes::new() };
    for piece in std::iter::once(&head[..]).chain(content.chunks(PIECE_BYTES)) {
        if !matches!(timeout(PROGRESS, stream.write_all(piece)).await, Ok(Ok(()))) {
            return;
        }
    }
    finish(stream).await;
}

/// Lets the far side take what is on its way before the socket goes.
async fn finish(mut stream: BufReader<TcpStream>) {
    let linger = async {
        let _ = stream.shutdown().await;
        let mut rest = [0; 1024];
        while matches!(stream.read(&mut rest).await, Ok(1..)) {}
    };
    let _ = timeout(PATIENCE, linger).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_kinds_of_first_lines_mean_anything() {
        let get = |path, has_head| First::Get { path, has_head };
        assert_eq!(read_first(b"GET /x HTTP/1.1\r\n"), get(b"/x", true));
        assert_eq!(read_first(b"GET /x\n"), get(b"/x", false));
        assert_eq!(read_first(b"EVAC abc\n"), First::Call { id: "abc" });
        for nothing in [
            &b"GET /x HTTP/2.0\r\n"[..],
            b"POST /x HTTP/1.1\r\n",
            b"SSH-2.0-OpenSSH_9.9\r\n",
            b"EVAC abc def\n",
            b"EVAC \xff\n",
            b"GET /x",
            b"\x16\x03\x01\n",
            b"\n",
        ] {
            assert_eq!(read_first(nothing), First::Nothing, "{nothing:?}");
        }
    }
}
