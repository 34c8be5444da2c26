//! Real agents on threads, at the far ends of socket pairs; everything they send is counted.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes as Buffer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use crate::agent::{Home, lane};
use crate::chunk::FrameHeader;
use crate::inventory::Host;
use crate::model::{Bytes, ChunkId, Event, Reason};
use crate::run::Shared;
use crate::run::line::Line;
use crate::run::reach::{Entry, LaneWay, Way};
use crate::run::stream::{Hear, Pending, Speak, Stream};
use crate::run::talk::{Talk, TalkError};
use crate::wire::{Decoder, Grant, MAGIC, ToLanding};

/// What the agent of one host did, counted where it did it.
#[derive(Debug, Clone, Default)]
pub(super) struct Count {
    /// Every piece sent, as often as it was.
    pub(super) sent: Vec<(ChunkId, u32)>,
    pub(super) opened_files: u64,
    pub(super) wire_bytes: u64,
    pub(super) dials: u32,
}

/// All hosts.
#[derive(Default)]
pub(super) struct Agents {
    counts: Mutex<BTreeMap<String, Count>>,
    /// The line to this host is cut once it has said so much; once.
    cut: Mutex<Option<(String, u64)>>,
    /// The line to this host is cut when it next says something.
    snip: Mutex<Option<String>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    homes: Mutex<BTreeMap<String, tempfile::TempDir>>,
    /// What lanes do; the first line of [`LARGE`] is slow until one did it.
    lanes: Option<LaneFate>,
    lane_did: AtomicBool,
}

/// The host whose lanes are looked at.
pub(super) const LARGE: &str = "alpha";
/// Its first line carries so much by itself.
const ALONE_BYTES: usize = 64 << 10;
/// A lane that brought so much has brought part of a frame.
const LANE_BYTES: usize = 1_000;

/// What becomes of the lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LaneFate {
    Sound,
    Breaks,
    Lies,
}

/// A lane's far end.
struct Ear {
    inner: OwnedReadHalf,
    agents: Arc<Agents>,
    is_large: bool,
    heard_bytes: usize,
}

impl Hear for Ear {
    fn hear(&mut self) -> Pending<'_, Result<Option<Buffer>, TalkError>> {
        Box::pin(async {
            let bytes = self.inner.hear().await?;
            self.heard_bytes += bytes.as_ref().map_or(0, Buffer::len);
            if self.heard_bytes < LANE_BYTES || !self.is_large {
                return Ok(bytes);
            }
            let is_first = !self.agents.lane_did.swap(true, Ordering::AcqRel);
            match self.agents.lanes.filter(|_| is_first) {
                None | Some(LaneFate::Sound) => Ok(bytes),
                Some(LaneFate::Breaks) => Err(TalkError::new(Reason::Lost, "cut by the test")),
                Some(LaneFate::Lies) => Ok(Some(crate::wire::encode(&ToLanding::BaseMore).into())),
            }
        })
    }

    fn noise(&self) -> String {
        String::new()
    }
}

impl Agents {
    pub(super) fn cut(host: &str, after_bytes: u64) -> Self {
        Self { cut: Mutex::new(Some((host.to_owned(), after_bytes))), ..Self::default() }
    }

    /// Cuts the line to `host` when its agent next says something.
    pub(super) fn snip(&self, host: &str) {
        *self.snip.lock().unwrap() = Some(host.to_owned());
    }

    pub(super) fn was_cut(&self) -> bool {
        self.cut.lock().unwrap().is_none()
    }

    pub(super) fn count(&self, host: &str) -> Count {
        self.counts.lock().unwrap().get(host).cloned().unwrap_or_default()
    }

    pub(super) fn with_lanes(fate: LaneFate) -> Self {
        Self { lanes: Some(fate), ..Self::default() }
    }

    pub(super) fn lane_did(&self) -> bool {
        self.lane_did.load(Ordering::Acquire)
    }

    /// Waits until every agent has ended.
    pub(super) fn join(&self) {
        for thread in self.threads.lock().unwrap().drain(..) {
            thread.join().unwrap();
        }
    }

    fn start(self: &Arc<Self>, host: &str) -> io::Result<UnixStream> {
        let (ours, theirs) = UnixStream::pair()?;
        self.counts.lock().unwrap().entry(host.to_owned()).or_default().dials += 1;
        let output = Counted {
            stream: theirs.try_clone()?,
            host: host.to_owned(),
            agents: self.clone(),
            decoder: Decoder::default(),
            magic_bytes: MAGIC.len(),
            run_opened: 0,
            said_bytes: 0,
        };
        let home = Home {
            folder: Some(self.folder(host)),
            left_behind: None,
            skip: Vec::new(),
            hideout: None,
            granted: None,
        };
        let serve = move || drop(crate::agent::serve(theirs, output, home, &|| {}));
        self.threads.lock().unwrap().push(std::thread::spawn(serve));
        let mut magic = [0; MAGIC.len()];
        (&ours).read_exact(&mut magic)?;
        assert_eq!(&magic, MAGIC);
        Ok(ours)
    }

    /// Where the agent of a host lives.
    fn folder(&self, host: &str) -> PathBuf {
        let mut homes = self.homes.lock().unwrap();
        let home = homes.entry(host.to_owned()).or_insert_with(|| tempfile::tempdir().unwrap());
        home.path().to_owned()
    }

    /// A lane to the agent of `host`, whose process is a thread here.
    fn lane(self: Arc<Self>, host: &str) -> io::Result<LaneWay> {
        let (ours, theirs) = UnixStream::pair()?;
        let folder = self.folder(host);
        let output = theirs.try_clone()?;
        let join = move || drop(lane::join(&folder, theirs, output));
        self.threads.lock().unwrap().push(std::thread::spawn(join));
        let mut magic = [0; MAGIC.len()];
        (&ours).read_exact(&mut magic)?;
        let agents = self.clone();
        let is_large = host == LARGE;
        let ear =
            |inner| Box::new(Ear { inner, agents, is_large, heard_bytes: 0 }) as Box<dyn Hear>;
        Ok(LaneWay { stream: stream(ours, ear)?, connection: None })
    }

    async fn line(
        self: Arc<Self>,
        host: &Host,
        grant: Grant,
        shared: &Shared,
    ) -> Result<Line, TalkError> {
        let generation = shared.generation(&host.id)?;
        let ours = self.start(host.id.as_str()).map_err(|error| lost(&error))?;
        let ear = |inner| Box::new(inner) as Box<dyn Hear>;
        let stream = stream(ours, ear).map_err(|error| lost(&error))?;
        let talk = Talk::greet(stream, &[], generation, grant).await?;
        let host = host.id.clone();
        shared.emit(Event::HostReady { host, rtt_ms: 0.0, agent_bytes: Bytes::ZERO });
        let entry = Some(Arc::new(Entry { placed: None, generation }));
        Ok(Line { talk, connection: None, rtt: Duration::ZERO, entry, guest: None })
    }
}

/// The way to [`Agents`].
pub(super) struct Near(pub(super) Arc<Agents>);

impl Way for Near {
    fn agent<'a>(
        &'a self,
        host: &'a Host,
        grant: Grant,
        shared: &'a Shared,
    ) -> Pending<'a, Result<Line, TalkError>> {
        Box::pin(self.0.clone().line(host, grant, shared))
    }

    fn lane<'a>(
        &'a self,
        host: &'a Host,
        _entry: &'a Entry,
    ) -> Pending<'a, Result<LaneWay, TalkError>> {
        Box::pin(async { self.0.clone().lane(host.id.as_str()).map_err(|error| lost(&error)) })
    }

    fn close(&self) -> Pending<'_, ()> {
        Box::pin(async {})
    }
}

fn stream(
    ours: UnixStream,
    ear: impl FnOnce(OwnedReadHalf) -> Box<dyn Hear>,
) -> io::Result<Stream> {
    ours.set_nonblocking(true)?;
    let (reader, writer) = tokio::net::UnixStream::from_std(ours)?.into_split();
    let speak = Box::new(Speaker(tokio::sync::Mutex::new(writer)));
    Ok(Stream { hear: ear(reader), speak })
}

fn lost(error: &io::Error) -> TalkError {
    TalkError::new(Reason::Lost, error.to_string())
}

impl Hear for OwnedReadHalf {
    fn hear(&mut self) -> Pending<'_, Result<Option<Buffer>, TalkError>> {
        Box::pin(async {
            let mut buffer = bytes::BytesMut::with_capacity(32 * 1024);
            let count = self.read_buf(&mut buffer).await.map_err(|error| lost(&error))?;
            Ok((count > 0).then(|| buffer.freeze()))
        })
    }

    fn noise(&self) -> String {
        String::new()
    }
}

struct Speaker(tokio::sync::Mutex<OwnedWriteHalf>);

impl Speak for Speaker {
    fn speak(&self, bytes: Buffer) -> Pending<'_, Result<(), TalkError>> {
        Box::pin(async move {
            self.0.lock().await.write_all(&bytes).await.map_err(|error| lost(&error))
        })
    }

    fn end(&self) -> Pending<'_, Result<(), TalkError>> {
        Box::pin(async { self.0.lock().await.shutdown().await.map_err(|error| lost(&error)) })
    }
}

/// An agent's standard output.
struct Counted {
    stream: UnixStream,
    host: String,
    agents: Arc<Agents>,
    decoder: Decoder<ToLanding>,
    /// Still to come before the first message.
    magic_bytes: usize,
    run_opened: u64,
    said_bytes: u64,
}

impl Counted {
    fn count(&mut self, bytes: &[u8]) {
        let magic = self.magic_bytes.min(bytes.len());
        self.magic_bytes -= magic;
        self.decoder.push(&bytes[magic..]);
        let mut counts = self.agents.counts.lock().unwrap();
        let count = counts.entry(self.host.clone()).or_default();
        count.wire_bytes += bytes.len() as u64;
        while let Some(message) = self.decoder.next_message().unwrap() {
            match message {
                ToLanding::Frame(frame) => {
                    let header = FrameHeader::parse(&frame).unwrap();
                    count.sent.extend(header.chunks.iter().map(|chunk| (chunk.id, chunk.length)));
                }
                ToLanding::Offer { tally, .. } | ToLanding::Sketch { tally, .. } => {
                    count.opened_files += tally.opened_files;
                    self.run_opened += tally.opened_files;
                }
                ToLanding::WalkDone { tally } => {
                    count.opened_files += tally.opened_files - self.run_opened;
                    self.run_opened = 0;
                }
                _ => {}
            }
        }
    }
}

impl Counted {
    /// Is slow until a lane did what it is to do. It may not stand still: what lanes could carry is
    /// asked for by messages that stand behind this.
    fn wait_for_lane(&mut self, bytes: usize) {
        let is_content = bytes > LANE_BYTES && self.agents.lanes.is_some() && self.host == LARGE;
        if !is_content || self.said_bytes < ALONE_BYTES as u64 {
            return;
        }
        for _ in 0..25 {
            if self.agents.lane_did() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Is the line to be cut now? Once it was, it is not any more.
    fn is_cut_now(&self) -> bool {
        let is_due = |cut: &mut (String, u64)| cut.0 == self.host && self.said_bytes > cut.1;
        let is_mine = |host: &mut String| *host == self.host;
        self.agents.cut.lock().unwrap().take_if(is_due).is_some()
            || self.agents.snip.lock().unwrap().take_if(is_mine).is_some()
    }
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.said_bytes += bytes.len() as u64;
        if self.is_cut_now() {
            // Half of it arrives.
            (&self.stream).write_all(&bytes[..bytes.len() / 2])?;
            self.stream.shutdown(Shutdown::Both)?;
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.wait_for_lane(bytes.len());
        self.count(bytes);
        (&self.stream).write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
