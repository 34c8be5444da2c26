//! `evac agent --lane`: a further connection to a host, joined to the agent that runs there.
//!
//! It says the magic, reads a [`JoinNote`] from its standard input, hands its standard output to
//! the agent over the socket in the agent's folder, and sleeps.
//!
//! The token is read and not an argument, as an earlier plan had it: arguments stand in the list of
//! processes, which every user of the host can read. Standard input is not handed over: nothing
//! comes that way after the note but its end, and that is what this process watches.
//!
//! **Promise.** It ends when the agent does or is done with the lane, when there is no agent or
//! none that answers, and when its own connection breaks; so nothing is left running, whoever is
//! killed.

use std::io::{IoSlice, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{AtFlags, FileType};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};

use crate::agent::door::{WELCOME, socket_in};
use crate::agent::lair::SOCKET;
use crate::wire::MAGIC;
use crate::wire::lane::{JOIN_NOTE_BYTES, JoinNote};

/// How often, and how long apart, the agent's socket is looked for: the agent is told of lanes over
/// a line that may be slower than this one.
const TRIES: (u32, Duration) = (100, Duration::from_millis(100));
/// How long the agent's answer is waited for: it lets lanes in one after the other.
const ANSWER: Duration = Duration::from_secs(30);

/// Why a lane did not join.
#[derive(Debug, thiserror::Error)]
pub enum LaneError {
    /// Its own connection, or a call, failed.
    #[error("the connection failed")]
    Io(#[from] std::io::Error),
    /// Nobody listens in the folder.
    #[error("no agent there waits for lanes")]
    NoAgent(#[source] std::io::Error),
    /// The socket is somebody else's.
    #[error("the socket in the agent's folder is not ours")]
    NotOurs,
    /// The agent does not want it.
    #[error("the agent did not let the lane in")]
    Refused,
}

/// Joins the lane whose streams these are to the agent in `folder`, and stays as long as it is
/// needed.
pub fn join(folder: &Path, input: impl AsFd, output: impl AsFd) -> Result<(), LaneError> {
    let (input, output) = (input.as_fd(), output.as_fd());
    write_all(output, MAGIC)?;
    let mut note = [0; JOIN_NOTE_BYTES];
    read_exact(input, &mut note)?;
    let mut control = find(folder, input)?;
    if rustix::net::sockopt::socket_peercred(&control).map_err(std::io::Error::from)?.uid
        != rustix::process::geteuid()
    {
        return Err(LaneError::NotOurs);
    }
    hand_over(&control, JoinNote::from_bytes(&note), output)?;
    control.set_read_timeout(Some(ANSWER))?;
    let mut answer = [0];
    match control.read(&mut answer)? {
        1 if answer == [WELCOME] => {}
        _ => return Err(LaneError::Refused),
    }
    sleep(input, &control)?;
    Ok(())
}

/// A connection to the agent's socket, which may not be there yet.
fn find(folder: &Path, input: BorrowedFd<'_>) -> Result<UnixStream, LaneError> {
    let mut tries = 0;
    loop {
        match connect(folder) {
            Ok(control) => return Ok(control),
            Err(LaneError::NoAgent(_)) if tries < TRIES.0 && !has_ended(input)? => {
                tries += 1;
                std::thread::sleep(TRIES.1);
            }
            Err(error) => return Err(error),
        }
    }
}

fn connect(folder: &Path) -> Result<UnixStream, LaneError> {
    let (folder, path) = socket_in(folder).map_err(LaneError::NoAgent)?;
    let look = rustix::fs::statat(&folder, SOCKET, AtFlags::SYMLINK_NOFOLLOW);
    let look = look.map_err(|error| LaneError::NoAgent(error.into()))?;
    let is_socket = FileType::from_raw_mode(look.st_mode) == FileType::Socket;
    if !is_socket || look.st_uid != rustix::process::geteuid().as_raw() {
        return Err(LaneError::NotOurs);
    }
    UnixStream::connect(path).map_err(LaneError::NoAgent)
}

fn hand_over(control: &UnixStream, note: JoinNote, output: BorrowedFd<'_>) -> std::io::Result<()> {
    let files = [output];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let fits = ancillary.push(SendAncillaryMessage::ScmRights(&files));
    debug_assert!(fits, "there is room for one");
    let bytes = note.to_bytes();
    // Less than a page: it is sent whole or not at all.
    let parts = [IoSlice::new(&bytes)];
    rustix::net::sendmsg(control, &parts, &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Until the agent closes the socket, or the connection's input ends.
fn sleep(input: BorrowedFd<'_>, control: &UnixStream) -> std::io::Result<()> {
    loop {
        let mut watched = [
            PollFd::from_borrowed_fd(input, PollFlags::IN),
            PollFd::from_borrowed_fd(control.as_fd(), PollFlags::IN),
        ];
        match poll(&mut watched, None) {
            Err(rustix::io::Errno::INTR) => continue,
            polled => polled?,
        };
        let [from_input, from_control] = watched.map(|one| !one.revents().is_empty());
        if from_control || (from_input && drain(input)?) {
            return Ok(());
        }
    }
}

/// Has the input ended? Does not wait.
fn has_ended(input: BorrowedFd<'_>) -> std::io::Result<bool> {
    let mut watched = [PollFd::from_borrowed_fd(input, PollFlags::IN)];
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut watched, Some(&now))?;
    if watched[0].revents().is_empty() { Ok(false) } else { drain(input) }
}

/// Reads what is there and means nothing; true at the end.
fn drain(input: BorrowedFd<'_>) -> std::io::Result<bool> {
    let mut nothing = [0_u8; 64];
    match rustix::io::read(input, &mut nothing[..]) {
        Ok(count) => Ok(count == 0),
        Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Reads so much and not a byte more.
fn read_exact(input: BorrowedFd<'_>, mut into: &mut [u8]) -> std::io::Result<()> {
    while !into.is_empty() {
        match rustix::io::read(input, &mut *into) {
            Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => into = &mut into[count..],
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn write_all(output: BorrowedFd<'_>, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(output, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
