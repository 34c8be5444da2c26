//! Where lanes come in: a socket in the agent's folder, over which each hands its standard output.
//!
//! **Invariants.**
//! - Only a process of the agent's own user that knows the session's token is let in. The token
//!   comes over the first line and, for a lane, over its standard input: it is in no file and in no
//!   list of processes.
//! - The socket is there only while the session may have lanes; it has mode 0600 in a folder of
//!   mode 0700.
//! - A lane whose process ends, however, says what it was given and then its end; so killing one
//!   loses nothing.

use std::fs::{File, Permissions};
use std::io::{IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags};

use crate::agent::lair::SOCKET;
use crate::agent::outbox::Desk;
use crate::wire::lane::{JOIN_NOTE_BYTES, JoinNote, LaneToken};

/// How long a lane may take to say what it is.
const PATIENCE: Duration = Duration::from_secs(5);
/// After a failure that is not the door's end.
const PAUSE: Duration = Duration::from_millis(100);
/// What a lane is told when it is let in.
pub(super) const WELCOME: u8 = b'+';

/// The socket, for as long as lanes may join.
#[derive(Debug)]
pub struct Door {
    folder: OwnedFd,
    listener: Arc<UnixListener>,
    is_shut: Arc<AtomicBool>,
}

/// The agent's folder, opened, and the socket's path through it: the folder's own path may be
/// longer than the address of a socket.
pub(super) fn socket_in(folder: &Path) -> std::io::Result<(OwnedFd, PathBuf)> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = rustix::fs::open(folder, flags, Mode::empty())?;
    let path = PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd()));
    Ok((folder, path))
}

impl Door {
    /// Opens it in `folder` for those who know `token`.
    pub fn open(folder: &Path, token: LaneToken, desk: &Desk) -> std::io::Result<Self> {
        let (folder, path) = socket_in(folder)?;
        // One that was killed leaves its socket behind.
        let _ = rustix::fs::unlinkat(&folder, SOCKET, AtFlags::empty());
        let listener = Arc::new(UnixListener::bind(&path)?);
        std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        let door = Self { folder, listener: listener.clone(), is_shut: Arc::default() };
        let (is_shut, desk) = (door.is_shut.clone(), desk.clone());
        std::thread::Builder::new().name("lanes".into()).spawn(move || {
            for coming in listener.incoming() {
                if is_shut.load(Ordering::Acquire) {
                    return;
                }
                // Whoever is not let in sees that the socket closes.
                if coming.and_then(|control| admit(control, &token, &desk)).is_err() {
                    std::thread::sleep(PAUSE);
                }
            }
        })?;
        Ok(door)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.is_shut.store(true, Ordering::Release);
        // Wakes whoever waits there; both fail only when there is nothing to do.
        let _ = rustix::net::shutdown(&*self.listener, rustix::net::Shutdown::Both);
        let _ = rustix::fs::unlinkat(&self.folder, SOCKET, AtFlags::empty());
    }
}

/// Takes a lane in, and has threads serve it.
fn admit(mut control: UnixStream, token: &LaneToken, desk: &Desk) -> std::io::Result<()> {
    let refused = |why: &str| std::io::Error::new(std::io::ErrorKind::PermissionDenied, why);
    if rustix::net::sockopt::socket_peercred(&control)?.uid != rustix::process::geteuid() {
        return Err(refused("another user"));
    }
    control.set_read_timeout(Some(PATIENCE))?;
    let (note, output) = receive(&control)?;
    if !note.token.matches(token) || !desk.join(note.lane) {
        return Err(refused("not one of ours"));
    }
    control.set_read_timeout(None)?;
    let (lane, writing) = (note.lane, desk.clone());
    let watch = control.try_clone()?;
    let watching = desk.clone();
    std::thread::Builder::new().name(format!("lane {lane}")).spawn(move || {
        let _ = control.write_all(&[WELCOME]);
        // The landing site sees by itself that a lane broke.
        let _ = writing.write_lane(lane, output);
        // Its process goes, and with it the watch below.
        let _ = control.shutdown(Shutdown::Both);
    })?;
    std::thread::Builder::new().name(format!("watch {lane}")).spawn(move || {
        // It says nothing: what is read is its end.
        let _ = (&watch).read(&mut [0]);
        watching.end(lane);
    })?;
    Ok(())
}

/// What a lane says of itself, and its standard output.
fn receive(control: &UnixStream) -> std::io::Result<(JoinNote, File)> {
    let malformed = || std::io::Error::from(std::io::ErrorKind::InvalidData);
    let mut bytes = [0; JOIN_NOTE_BYTES];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = rustix::net::recvmsg(
        control,
        &mut [IoSliceMut::new(&mut bytes)],
        &mut ancillary,
        RecvFlags::CMSG_CLOEXEC | RecvFlags::WAITALL,
    )?;
    if received.bytes != bytes.len() || received.flags.contains(ReturnFlags::CTRUNC) {
        return Err(malformed());
    }
    let mut files = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(files) => Some(files),
        _ => None,
    });
    let file = files.next().and_then(|mut files| files.next()).ok_or_else(malformed)?;
    Ok((JoinNote::from_bytes(&bytes), File::from(file)))
}
