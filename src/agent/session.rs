//! One session: hears the landing site, keeps the job, ends cleanly.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::agent::capture_job::CaptureJob;
use crate::agent::compare::CompareJob;
use crate::agent::door::Door;
use crate::agent::outbox::{Disconnected, Outbox, write_all};
use crate::agent::rescue::{self, hideout::Hideout};
use crate::agent::survey::SurveyJob;
use crate::agent::write::PlaceJob;
use crate::agent::{AgentError, Granted};
use crate::model::Reason;
use crate::wire::lane::LaneToken;
use crate::wire::{
    AgentFacts, CaptureOrder, Decoder, Grant, MAGIC, RescueOrder, ToAgent, ToLanding, VERSION,
    WireError,
};

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The landing site said goodbye: remove everything.
    Bye,
    /// The connection broke: the landing site may come back.
    Disconnected,
}

/// Bytes that may be in memory; whoever adds to them waits for room.
#[derive(Debug)]
pub struct Budget {
    max: u64,
    room: Mutex<Room>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct Room {
    used: u64,
    is_closed: bool,
    /// Who waits for room. To wake costs a system call even when nobody sleeps, and room is given
    /// back for every small file.
    waiting: u32,
}

impl Budget {
    /// Room for `max` bytes.
    pub fn new(max: u64) -> Self {
        Self { max, room: Mutex::default(), freed: Condvar::new() }
    }

    fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().expect("no holder of this lock panics")
    }

    fn fits(&self, used: u64, bytes: u64) -> bool {
        // One thing always fits, however large, or it would wait for ever.
        used == 0 || used + bytes <= self.max
    }

    /// Room that is taken.
    pub fn used(&self) -> u64 {
        self.room().used
    }

    /// Takes room if there is any.
    pub fn try_acquire(&self, bytes: u64) -> bool {
        let mut room = self.room();
        let fits = self.fits(room.used, bytes);
        if fits {
            room.used += bytes;
        }
        fits
    }

    /// Takes room, waiting for it.
    pub fn acquire(&self, bytes: u64) -> Result<(), Disconnected> {
        let mut room = self.room();
        while !room.is_closed && !self.fits(room.used, bytes) {
            room.waiting += 1;
            room = self.freed.wait(room).expect("no holder of this lock panics");
            room.waiting -= 1;
        }
        if room.is_closed {
            return Err(Disconnected);
        }
        room.used += bytes;
        Ok(())
    }

    /// Gives room back.
    pub fn release(&self, bytes: u64) {
        let mut room = self.room();
        room.used = room.used.saturating_sub(bytes);
        let is_awaited = room.waiting > 0;
        drop(room);
        if is_awaited {
            self.freed.notify_all();
        }
    }

    /// The session is over: nobody waits any more.
    pub fn close(&self) {
        self.room().is_closed = true;
        self.freed.notify_all();
    }
}

/// What the session works on.
enum Job {
    None,
    Capture(Box<CaptureJob>),
    Place(PlaceJob),
    Survey(#[expect(dead_code, reason = "held so that it ends with the session")] SurveyJob),
    Compare(#[expect(dead_code, reason = "held so that it ends with the session")] CompareJob),
}

/// The folder that stands for `/`; `None`: the machine was not found on its disks yet.
type Root = Arc<Mutex<Option<PathBuf>>>;

struct Session {
    grant: Option<Grant>,
    job: Job,
    outbox: Outbox,
    home: Home,
    door: Option<Door>,
    root: Root,
}

/// Where an agent lives.
#[derive(Debug, Default)]
pub struct Home {
    /// Its folder, where lanes may join; `None`: they cannot.
    pub folder: Option<PathBuf>,
    /// The process of a former agent that hangs in the kernel and was left behind.
    pub left_behind: Option<u32>,
    /// Folders of ours that no capture may contain, by device and inode.
    pub skip: Vec<(u64, u64)>,
    /// In a rescue system: where the machine's file systems are opened, before all else.
    pub hideout: Option<Arc<Hideout>>,
    /// What the owner lets it read; `None`: whatever it is told to.
    pub granted: Option<Granted>,
}

/// Serves one landing site until it says goodbye or the connection breaks. `heard` is called at
/// each sign of life.
pub fn serve(
    mut input: impl Read,
    mut output: impl Write + Send + 'static,
    home: Home,
    heard: &dyn Fn(),
) -> Result<Ending, AgentError> {
    output.write_all(MAGIC)?;
    output.flush()?;
    let (outbox, queue) = Outbox::new();
    let writer = std::thread::spawn(move || write_all(queue, output));
    let root = home.hideout.is_none().then(|| PathBuf::from("/"));
    let root = Arc::new(Mutex::new(root));
    let mut session = Session { grant: None, job: Job::None, outbox, home, door: None, root };
    let outcome = session.listen(&mut input, heard);
    if let Err(error) = &outcome {
        let (reason, detail) = (Reason::Protocol, error.to_string());
        let _ = session.outbox.send(&ToLanding::Failed { reason, detail });
    }
    session.end_job();
    if !matches!(outcome, Ok(Ending::Disconnected)) {
        session.outbox.close();
    }
    drop(session);
    finish_writing(writer, &outcome)?;
    outcome
}

/// What is queued leaves before the session ends; on a broken connection nobody waits for it.
fn finish_writing(
    writer: JoinHandle<std::io::Result<()>>,
    outcome: &Result<Ending, AgentError>,
) -> Result<(), AgentError> {
    if !matches!(outcome, Ok(Ending::Disconnected)) {
        let written = writer.join().expect("the writer does not panic");
        if outcome.is_ok() {
            written?;
        }
    }
    Ok(())
}

impl Session {
    fn listen(&mut self, input: &mut dyn Read, heard: &dyn Fn()) -> Result<Ending, AgentError> {
        let mut decoder = Decoder::<ToAgent>::default();
        let mut buffer = vec![0_u8; 256 * 1024];
        loop {
            while let Some(message) = decoder.next_message()? {
                if matches!(message, ToAgent::Bye) {
                    return Ok(Ending::Bye);
                }
                match self.take(message) {
                    Ok(()) => {}
                    Err(Stop::Disconnected) => return Ok(Ending::Disconnected),
                    Err(Stop::Failed(error)) => return Err(error),
                }
            }
            match input.read(&mut buffer) {
                Ok(0) => return Ok(Ending::Disconnected),
                Ok(count) => {
                    heard();
                    decoder.push(&buffer[..count]);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return Ok(Ending::Disconnected),
            }
        }
    }

    fn take(&mut self, message: ToAgent) -> Result<(), Stop> {
        match message {
            ToAgent::Hello { version, grant, .. } => self.hello(version, grant),
            ToAgent::Heartbeat => Ok(()),
            _ if self.grant.is_none() => {
                Err(WireError::Unexpected("an order before the greeting").into())
            }
            ToAgent::Capture(order) => self.capture(*order),
            ToAgent::Survey(order) => {
                self.granted(Grant::Read, "reading")?;
                self.unbounded("a survey")?;
                self.end_job();
                let (root, skip) = (self.root()?, &self.home.skip);
                self.job = Job::Survey(SurveyJob::start(*order, root, skip, &self.outbox));
                Ok(())
            }
            ToAgent::Compare(order) => {
                self.granted(Grant::Read, "reading")?;
                self.unbounded("a comparison")?;
                self.end_job();
                let root = self.root()?;
                self.job = Job::Compare(CompareJob::start(*order, root, &self.outbox));
                Ok(())
            }
            ToAgent::Rescue(order) => {
                self.granted(Grant::Read, "reading")?;
                self.unbounded("a rescue")?;
                self.rescue(*order)
            }
            ToAgent::Place(order) => {
                self.granted(Grant::Write, "writing")?;
                self.end_job();
                self.job = Job::Place(PlaceJob::start(*order, &self.outbox));
                Ok(())
            }
            ToAgent::Finish => {
                self.end_job();
                Ok(())
            }
            ToAgent::Lanes { token } => self.open_door(token),
            ToAgent::Count { rtt_ms } => {
                self.outbox.desk().count(Duration::from_millis(u64::from(rtt_ms)));
                Ok(())
            }
            ToAgent::Took { line, bytes } => Ok(self.outbox.desk().took(line, bytes)?),
            ToAgent::LaneEnd { lane } => {
                self.outbox.desk().end(lane);
                Ok(())
            }
            ToAgent::LaneLost { lane, bytes } => Ok(self.outbox.desk().lost(lane, bytes)?),
            message => match &mut self.job {
                Job::Capture(job) => job.take(message),
                Job::Place(job) => job.take(message),
                Job::None | Job::Survey(_) | Job::Compare(_) => {
                    Err(WireError::Unexpected("an order without a job").into())
                }
            },
        }
    }

    fn hello(&mut self, version: u16, grant: Grant) -> Result<(), Stop> {
        if version != VERSION {
            return Err(Stop::Failed(AgentError::Version(version)));
        }
        if self.grant.is_some() {
            return Err(WireError::Unexpected("a second greeting").into());
        }
        if let Some(granted) = &self.home.granted {
            granted.check_grant(grant).map_err(Stop::Failed)?;
        }
        self.grant = Some(grant);
        Ok(self.outbox.send(&ToLanding::Hello(facts(self.home.left_behind)))?)
    }

    fn root(&self) -> Result<PathBuf, Stop> {
        let root = self.root.lock().expect("no holder of this lock panics").clone();
        root.ok_or_else(|| WireError::Unexpected("an order before the disks are open").into())
    }

    /// On a thread of its own that nobody waits for: a disk that hangs hangs this thread alone.
    fn rescue(&mut self, order: RescueOrder) -> Result<(), Stop> {
        let Some(hideout) = self.home.hideout.clone().filter(|_| self.root().is_err()) else {
            return Err(WireError::Unexpected("an order for a rescue system").into());
        };
        let (root, outbox) = (self.root.clone(), self.outbox.clone());
        std::thread::spawn(move || {
            let (answer, found) = rescue::find(&order, &hideout);
            *root.lock().expect("no holder of this lock panics") = found;
            // A session that is gone needs no answer.
            let _ = outbox.send(&ToLanding::Rescue(Box::new(answer)));
        });
        Ok(())
    }

    /// A door that does not open is seen by the lanes that do not get in.
    fn open_door(&mut self, token: LaneToken) -> Result<(), Stop> {
        self.granted(Grant::Read, "reading")?;
        self.unbounded("further connections")?;
        let Some(folder) = self.home.folder.as_ref().filter(|_| self.door.is_none()) else {
            return Ok(());
        };
        self.door = Door::open(folder, token, self.outbox.desk()).ok();
        Ok(())
    }

    fn granted(&self, grant: Grant, what: &'static str) -> Result<(), Stop> {
        if self.grant == Some(grant) {
            Ok(())
        } else {
            Err(Stop::Failed(AgentError::NotGranted(what)))
        }
    }

    /// For what no owner grants one by one.
    fn capture(&mut self, order: CaptureOrder) -> Result<(), Stop> {
        self.granted(Grant::Read, "reading")?;
        self.end_job();
        let granted = self.home.granted.as_ref();
        let bounds = granted.map(|it| it.check_capture(&order)).transpose();
        let bounds = bounds.map_err(Stop::Failed)?.unwrap_or_default();
        let (root, skip) = (self.root()?, &self.home.skip);
        let job = CaptureJob::start(order, &root, skip, bounds, &self.outbox)?;
        self.job = Job::Capture(Box::new(job));
        Ok(())
    }

    fn unbounded(&self, what: &'static str) -> Result<(), Stop> {
        match &self.home.granted {
            None => Ok(()),
            Some(_) => Err(Stop::Failed(AgentError::NotGranted(what))),
        }
    }

    fn end_job(&mut self) {
        if let Job::Capture(job) = &self.job {
            job.close();
        }
        self.job = Job::None;
    }
}

/// Why a session does not go on.
#[derive(Debug)]
pub enum Stop {
    /// The connection is gone.
    Disconnected,
    /// Something is wrong.
    Failed(AgentError),
}

impl From<Disconnected> for Stop {
    fn from(_: Disconnected) -> Self {
        Self::Disconnected
    }
}

impl From<WireError> for Stop {
    fn from(error: WireError) -> Self {
        Self::Failed(error.into())
    }
}

fn facts(left_behind: Option<u32>) -> AgentFacts {
    let uname = rustix::system::uname();
    let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    AgentFacts {
        version: VERSION,
        uid: rustix::process::geteuid().as_raw(),
        cores: std::thread::available_parallelism().map_or(1, |count| count.get() as u32),
        hostname: crate::model::text::bounded(&uname.nodename().to_string_lossy(), 255),
        boot_id: boot_id.trim().chars().take(64).collect(),
        clock_s: crate::agent::walk_job::clock_s(),
        left_behind,
    }
}
