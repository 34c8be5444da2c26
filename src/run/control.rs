//! What other commands ask of a run while it goes on: `state/control.sock`.
//!
//! **The exchange.** One connection, one request, one answer: a line of JSON each, with
//! `"schema": 1`, at most [`LINE_BYTES_MAX`]; then the connection ends.
//!
//! ```text
//! {"schema":1,"by":"jo","ask":"limit","id":"uplink/ams","rate":37500000}    rate: B/s; null: none
//! {"schema":1,"answer":"limit","id":"uplink/ams","was":125000000,"now":37500000}
//! {"schema":1,"answer":"refused","why":"…"}
//! {"schema":1,"by":"jo","ask":"steer","steer":"pause","what":"acme","workloads":["a"],"text":""}
//! {"schema":1,"answer":"steered","done":["a"],"already":[{"id":"b","why":"…"}],"refused":[]}
//! {"schema":1,"by":"jo","ask":"note","what":"customer/acme","text":"…"}
//! {"schema":1,"answer":"noted"}
//! {"schema":1,"by":"jo","ask":"window","closes":"2030-03-05T04:00:00Z","hard":true}
//! {"schema":1,"answer":"window","was":null,"closes":"2030-03-05T04:00:00Z","hard":true}
//! {"schema":1,"by":"jo","ask":"reload"}
//! {"schema":1,"answer":"reloaded","added":1,"changed":0,"removed":0,"kept":["host/x: …"]}
//! {"schema":1,"by":"jo","ask":"store_add","path":"/mnt/b","reserve":null,"same_device":false}
//! {"schema":1,"answer":"disk_added","path":"/mnt/b","free":12000000000,"reserve":120000000}
//! {"schema":1,"by":"jo","ask":"invite","invitation":{…}}       answered as a note is
//! {"schema":1,"by":"jo","ask":"revoke","host":"vps-014"}
//! ```
//!
//! **Promises.**
//! - Only the owner of the state and root are heard: the folder is 0700, the socket 0600, and
//!   whoever connects is asked for by the kernel.
//! - Nobody who connects can hold the run up: few at once, each for at most [`PATIENCE`], on tasks
//!   of their own.
//! - A socket that a killed run left is replaced: whoever holds `state/lock` owns the name.
//!
//! A socket's address holds only 108 bytes, and folders of sites lie deep: it is addressed through
//! the open folder in `/proc/self/fd`.

mod steering;
mod turned;

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

pub(super) use steering::Steering;
pub use turned::{Turned, Unturned};

use crate::model::{Bytes, Event, HostId, Rate, Steer, Timestamp, WorkloadId};
use crate::run::invite::book::Invitation;

/// Name of the socket in the state folder.
pub const SOCKET: &str = "control.sock";
/// Longest request or answer.
pub const LINE_BYTES_MAX: u64 = 256 << 10;
/// How long whoever asks may take to do so, and to hear the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long an answer is waited for by whoever asks: others may be in front.
const ASKING: Duration = Duration::from_secs(30);
/// Connections at once.
const AT_ONCE: usize = 8;
const SCHEMA: u32 = 1;
/// Most workloads in one request: with ids of any length they fit a line.
pub const WORKLOADS_MAX: usize = 1_000;

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    schema: u32,
    by: String,
    #[serde(flatten)]
    ask: Ask,
}

/// What may be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    /// Keep a choke point to a rate.
    Limit {
        /// Its exact name.
        id: String,
        /// `None`: not limited any more.
        rate: Option<Rate>,
    },
    /// Do this to workloads.
    Steer {
        /// What.
        steer: Steer,
        /// As typed.
        what: String,
        /// Which those are; at most [`WORKLOADS_MAX`].
        workloads: Vec<WorkloadId>,
        /// Why, if that was said.
        text: String,
    },
    /// Write this down.
    Note {
        /// About what, in its exact form.
        what: String,
        /// For people.
        text: String,
    },
    /// The window closes then.
    Window {
        /// When.
        closes: Timestamp,
        /// Does the run end then?
        hard: bool,
    },
    /// Read the inventory again.
    Reload,
    /// Give the store a further disk.
    StoreAdd {
        /// Its folder.
        path: PathBuf,
        /// What stays free; `None`: the usual.
        reserve: Option<Bytes>,
        /// May it lie on the device of another?
        same_device: bool,
    },
    /// Let somebody in who calls from this host.
    Invite {
        /// Who, and on what terms.
        invitation: Box<Invitation>,
    },
    /// Nobody from this host any more.
    Revoke {
        /// Which.
        host: HostId,
    },
}

impl Request {
    /// What `by` asks.
    pub fn new(by: &str, ask: Ask) -> Self {
        Self { schema: SCHEMA, by: by.to_owned(), ask }
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Always 1.
    pub schema: u32,
    /// What.
    #[serde(flatten)]
    pub said: Said,
}

/// What may be answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Said {
    /// A limit holds, until the run ends.
    Limit {
        /// Of what.
        id: String,
        /// Before; `None`: there was none.
        was: Option<Rate>,
        /// From now on.
        now: Option<Rate>,
    },
    /// What became of each workload.
    Steered(Turned),
    /// It is written down.
    Noted,
    /// It is known.
    Window {
        /// What was said before, if anything was.
        was: Option<Timestamp>,
        /// From now on.
        closes: Timestamp,
        /// Does the run end then?
        hard: bool,
    },
    /// The inventory was read again.
    Reloaded {
        /// Workloads that were taken up.
        added: u64,
        /// Workloads that are described otherwise.
        changed: u64,
        /// Workloads that are not to be done any more.
        removed: u64,
        /// Entries that stay as they were, or are not taken up, and why.
        kept: Vec<String>,
    },
    /// The store has a further disk.
    DiskAdded {
        /// Its folder.
        path: String,
        /// What it has left.
        free: Bytes,
        /// What stays free.
        reserve: Bytes,
    },
    /// It was not done: the run is at its end.
    Over,
    /// It was not done.
    Refused {
        /// For people.
        why: String,
    },
}

/// Why a run could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nobody listens there.
    #[error("nobody listens at {}", path.display())]
    Nobody {
        /// The socket.
        path: PathBuf,
    },
    /// The exchange did not come to its end.
    #[error("cannot talk to the run through {}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// The socket in `state`, by a name that always fits, and what keeps that name valid.
fn address(state: &Path) -> io::Result<(PathBuf, std::fs::File)> {
    let folder = std::fs::File::open(state)?;
    Ok((PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd())), folder))
}

/// Asks the run that holds `state`; waits for its answer.
pub fn ask(state: &Path, request: &Request) -> Result<Answer, ControlError> {
    let path = state.join(SOCKET);
    exchange(state, request).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ControlError::Nobody { path },
        _ => ControlError::Io { path, source },
    })
}

fn exchange(state: &Path, request: &Request) -> io::Result<Answer> {
    let (address, _folder) = address(state)?;
    let mut stream = std::os::unix::net::UnixStream::connect(&address)?;
    stream.set_read_timeout(Some(ASKING))?;
    stream.set_write_timeout(Some(ASKING))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = Vec::new();
    BufReader::new(stream.take(LINE_BYTES_MAX)).read_until(b'\n', &mut answer)?;
    Ok(serde_json::from_slice(&answer)?)
}

/// A socket that is answered as long as this lives.
pub(super) struct Control {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl Drop for Control {
    fn drop(&mut self) {
        self.task.abort();
        // One that stays is replaced by the next run.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Control {
    /// Listens in `state`, whose lock the caller holds.
    pub(super) fn listen(state: &Path, steering: Steering) -> io::Result<Self> {
        Self::listen_with(PATIENCE, state, steering)
    }

    fn listen_with(patience: Duration, state: &Path, steering: Steering) -> io::Result<Self> {
        let path = state.join(SOCKET);
        let (address, _folder) = address(state)?;
        match std::fs::symlink_metadata(&path) {
            Ok(found) if found.file_type().is_socket() => std::fs::remove_file(&path)?,
            _ => {}
        }
        let listener = UnixListener::bind(&address)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        let task = tokio::spawn(accept(listener, steering, patience));
        Ok(Self { path, task })
    }
}

async fn accept(listener: UnixListener, steering: Steering, patience: Duration) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of files, as a rule: it passes.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let steering = steering.clone();
        tokio::spawn(async move {
            // Whoever is too slow, or goes away, gets no answer.
            let _ = serve(stream, &steering, patience).await;
            drop(place);
        });
    }
}

/// Reads what is asked and tells the answer within `patience` each. What is asked is done meanwhile
/// however long that takes, or whoever asks would ask again, and be told that it is so already.
async fn serve(mut stream: UnixStream, steering: &Steering, patience: Duration) -> io::Result<()> {
    let uid = stream.peer_cred()?.uid();
    if uid != 0 && uid != rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    let (read, mut write) = stream.split();
    let mut line = Vec::new();
    let mut reader = tokio::io::BufReader::new(read.take(LINE_BYTES_MAX));
    tokio::time::timeout(patience, reader.read_until(b'\n', &mut line)).await??;
    let said = match serde_json::from_slice::<Request>(&line) {
        Ok(request) if line.ends_with(b"\n") && request.schema == SCHEMA => {
            steering.answer(request).await
        }
        Ok(_) => Said::Refused { why: "the request is of another version of evac".to_owned() },
        Err(_) => Said::Refused { why: "the request is not understood".to_owned() },
    };
    let mut answer = serde_json::to_vec(&Answer { schema: SCHEMA, said })?;
    answer.push(b'\n');
    tokio::time::timeout(patience, write.write_all(&answer)).await??;
    write.shutdown().await
}

/// Tells readers that a run cannot be steered.
pub(super) fn not_steered(error: &io::Error, by: &str) -> Event {
    let text = format!("this run cannot be steered: no socket for commands: {error}");
    Event::Noted { what: "evac".into(), text, by: by.to_owned() }
}

#[cfg(test)]
mod tests;
