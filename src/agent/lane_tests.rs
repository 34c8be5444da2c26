//! Lanes over real sockets: each hands its end to the agent, and goes when it should.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use super::door::Door;
use super::lair::SOCKET;
use super::lane::{LaneError, join};
use super::lines::Next;
use super::outbox::{FirstLine, Outbox};
use crate::wire::lane::{JoinNote, LaneToken, OverLane};
use crate::wire::{Decoder, HEAD_BYTES, MAGIC};

const TOKEN: LaneToken = LaneToken([5; 16]);
const FRAME_BYTES: usize = 1 << 20;

/// An agent as lanes see it.
struct Agent {
    home: tempfile::TempDir,
    outbox: Outbox,
    first: FirstLine,
    door: Door,
}

impl Agent {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        // No socket's address is as long as that.
        let folder = folder_in(&home);
        std::fs::create_dir(&folder).unwrap();
        let (outbox, first) = Outbox::new();
        let door = Door::open(&folder, TOKEN, outbox.desk()).unwrap();
        Self { home, outbox, first, door }
    }

    fn folder(&self) -> PathBuf {
        folder_in(&self.home)
    }

    fn send(&self, mark: u8) {
        self.outbox.send_frame(vec![mark; FRAME_BYTES]).unwrap();
    }

    fn lane(&self, number: u32) -> Lane {
        Lane::start(&self.folder(), JoinNote { token: TOKEN, lane: number })
    }
}

fn folder_in(home: &tempfile::TempDir) -> PathBuf {
    home.path().join("f".repeat(200))
}

/// The landing site's end of a lane.
struct Lane {
    ours: UnixStream,
    decoder: Decoder<OverLane>,
    process: JoinHandle<Result<(), LaneError>>,
}

impl Lane {
    fn start(folder: &Path, note: JoinNote) -> Self {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        // A lane that says nothing fails its test, and does not hold it up.
        ours.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let (folder, output) = (folder.to_owned(), theirs.try_clone().unwrap());
        let process = std::thread::spawn(move || join(&folder, theirs, output));
        let mut magic = [0; MAGIC.len()];
        ours.read_exact(&mut magic).unwrap();
        assert_eq!(&magic, MAGIC);
        ours.write_all(&note.to_bytes()).unwrap();
        Self { ours, decoder: Decoder::default(), process }
    }

    fn next(&mut self) -> Option<OverLane> {
        let mut buffer = vec![0; 65_536];
        loop {
            if let Some(message) = self.decoder.next_message().unwrap() {
                return Some(message);
            }
            match self.ours.read(&mut buffer).unwrap() {
                0 => return None,
                count => self.decoder.push(&buffer[..count]),
            }
        }
    }

    /// The mark of the next frame.
    fn frame(&mut self) -> u8 {
        loop {
            match self.next() {
                Some(OverLane::Frame(bytes)) => return bytes[0],
                Some(OverLane::Heartbeat) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Reads to its end, and waits for its process.
    fn end(mut self) -> Result<(), LaneError> {
        while !matches!(self.next(), Some(OverLane::End) | None) {}
        self.process.join().unwrap()
    }
}

#[test]
fn a_lane_carries_frames_until_it_is_told_to_end() {
    let agent = Agent::new();
    let socket = std::fs::symlink_metadata(agent.folder().join(SOCKET)).unwrap();
    assert_eq!(socket.permissions().mode() & 0o777, 0o600);
    assert_eq!(socket.uid(), rustix::process::geteuid().as_raw());
    let mut lane = agent.lane(1);
    assert!(matches!(lane.next(), Some(OverLane::Heartbeat)), "it joined");
    for mark in 1..=3 {
        agent.send(mark);
        assert_eq!(lane.frame(), mark);
        agent.outbox.desk().took(1, u64::from(mark) * FRAME_BYTES as u64).unwrap();
    }
    agent.outbox.desk().end(1);
    lane.end().unwrap();
    agent.send(4);
    assert!(matches!(agent.first.next(), Some(Next::Frame(bytes)) if bytes[HEAD_BYTES] == 4));
}

#[test]
fn what_was_under_way_when_a_connection_broke_is_sent_again() {
    let agent = Agent::new();
    let mut lane = agent.lane(7);
    agent.send(1);
    assert_eq!(lane.frame(), 1);
    // Its process sees only that: the rest is what sshd does when the connection goes.
    lane.ours.shutdown(Shutdown::Write).unwrap();
    lane.end().unwrap();
    agent.outbox.desk().lost(7, 0).unwrap();
    assert!(matches!(agent.first.next(), Some(Next::Frame(bytes)) if bytes[HEAD_BYTES] == 1));
}

#[test]
fn whoever_does_not_know_the_token_or_comes_twice_is_not_let_in() {
    let agent = Agent::new();
    let other = JoinNote { token: LaneToken([6; 16]), lane: 1 };
    let refused = Lane::start(&agent.folder(), other).end();
    assert!(matches!(refused, Err(LaneError::Refused | LaneError::Io(_))), "{refused:?}");
    let mut lane = agent.lane(1);
    assert!(matches!(lane.next(), Some(OverLane::Heartbeat)));
    let refused = agent.lane(1).end();
    assert!(matches!(refused, Err(LaneError::Refused | LaneError::Io(_))), "{refused:?}");
    // Somebody who says nothing keeps nobody out for long.
    let (_open, socket) = super::door::socket_in(&agent.folder()).unwrap();
    drop(UnixStream::connect(socket).unwrap());
    let mut second = agent.lane(2);
    assert!(matches!(second.next(), Some(OverLane::Heartbeat)));
}

#[test]
fn lanes_and_their_door_go_with_the_agent() {
    let Agent { home, outbox, first, door } = Agent::new();
    let note = JoinNote { token: TOKEN, lane: 1 };
    let mut lane = Lane::start(&folder_in(&home), note);
    assert!(matches!(lane.next(), Some(OverLane::Heartbeat)));
    drop(outbox);
    lane.end().unwrap();
    drop((first, door));
    assert_eq!(std::fs::read_dir(folder_in(&home)).unwrap().count(), 0);
    // A lane that comes too late gives up when its connection does.
    let late = Lane::start(&folder_in(&home), note);
    late.ours.shutdown(Shutdown::Write).unwrap();
    let late = late.end();
    assert!(matches!(late, Err(LaneError::NoAgent(_))), "{late:?}");
}

#[test]
fn a_socket_that_is_none_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(SOCKET), b"").unwrap();
    let lane = Lane::start(folder.path(), JoinNote { token: TOKEN, lane: 1 }).end();
    assert!(matches!(lane, Err(LaneError::NotOurs)), "{lane:?}");
}
