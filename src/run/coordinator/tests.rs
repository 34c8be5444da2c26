//! The coordinator against simulated agents: no runtime, no clock, no sockets.

mod hands;
mod lag;
mod made;
mod names;
mod rates;
mod share;
mod space;
mod tenants;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::*;
use crate::capture::{Content, Entry, Kind, Metadata};
use crate::wire::WalkTally;

const PIECE: u32 = 1 << 20;

/// A host whose files have one piece each, named by a number.
struct Host {
    files: Vec<(&'static str, u8)>,
    /// Answers nothing any more.
    is_stopped: bool,
    /// Its files changed since they were offered.
    has_changed: bool,
    sent: Vec<ChunkId>,
    runs: u32,
    ended: Option<Reason>,
    is_finished: bool,
}

/// Everything around the coordinator, as simple as it can be.
struct World {
    coordinator: Coordinator,
    store: BTreeMap<ChunkId, BTreeSet<Tenant>>,
    hosts: BTreeMap<SessionId, Host>,
    segments: Vec<ClosedSegment>,
    now: Duration,
    wanted_bytes_max: u64,
    /// Pieces of an offer that were wanted, to be sent when the world says so.
    queue: Vec<(SessionId, ChunkId, u32)>,
    /// Whole names that were asked for.
    asked: Vec<(SessionId, u64)>,
    /// Whose segments wait to be durable, where that takes until the world says so.
    lagging: Option<Vec<SessionId>>,
}

fn chunk(n: u8) -> ChunkId {
    ChunkId([n; 32])
}

fn frame(id: ChunkId, length: u32) -> Frame {
    let header = FrameHeader {
        domain: crate::model::Domain([0; 8]),
        codec: crate::chunk::frame::Codec::Stored,
        raw_bytes: length as usize,
        payload_bytes: length as usize,
        chunks: vec![crate::chunk::frame::FrameChunk { id, length }],
    };
    Frame { header, bytes: vec![0; 10] }
}

fn records(files: &[(&str, u8)]) -> Vec<Record> {
    let file = |(path, n): &(&str, u8)| {
        let path: TreePath = path.parse().unwrap();
        let kind = Kind::File { size: u64::from(PIECE) };
        [
            Record::Node(Entry { path, kind, metadata: Metadata::default() }),
            Record::Data { offset: 0, length: PIECE, id: chunk(*n) },
            Record::End { size: u64::from(PIECE), content: Content::Steady },
        ]
    };
    files.iter().flat_map(file).collect()
}

impl World {
    fn new(limits: Limits) -> Self {
        Self {
            coordinator: Coordinator::new(limits),
            store: BTreeMap::new(),
            hosts: BTreeMap::new(),
            segments: Vec::new(),
            now: Duration::ZERO,
            wanted_bytes_max: 0,
            queue: Vec::new(),
            asked: Vec::new(),
            lagging: None,
        }
    }

    fn host(&mut self, number: u64, files: &[(&'static str, u8)]) -> SessionId {
        self.host_behind(number, files, &[])
    }

    /// A host whose content passes something.
    fn host_behind(
        &mut self,
        number: u64,
        files: &[(&'static str, u8)],
        passes: &[CapacityId],
    ) -> SessionId {
        self.begin(files, Assignment { passes: passes.to_vec(), ..made::assignment(number) })
    }

    fn begin(&mut self, files: &[(&'static str, u8)], assignment: Assignment) -> SessionId {
        let session = assignment.session;
        let host = Host {
            files: files.to_vec(),
            is_stopped: false,
            has_changed: false,
            sent: Vec::new(),
            runs: 1,
            ended: None,
            is_finished: false,
        };
        self.hosts.insert(session, host);
        self.input(Input::Begin(assignment));
        session
    }

    /// The whole walk of a host: one offer for each file, and the end.
    fn walk(&mut self, session: SessionId) {
        let files = self.hosts[&session].files.clone();
        for (number, file) in files.iter().enumerate() {
            self.offer(session, number as u64, &records(&[*file]));
        }
        let (offers, count) = (files.len() as u64, 3 * files.len() as u64);
        self.walk_done(session, offers, count, 0);
    }

    fn offer(&mut self, session: SessionId, number: u64, records: &[Record]) {
        let tally = WalkTally::default();
        let records = records.to_vec();
        self.input(Input::Said(session, ToLanding::Offer { number, records, cursor: None, tally }));
    }

    fn walk_done(&mut self, session: SessionId, offers: u64, records: u64, gone: u64) {
        let tally = WalkTally { offers, records, gone, ..WalkTally::default() };
        self.input(Input::Said(session, ToLanding::WalkDone { tally }));
    }

    fn input(&mut self, input: Input) {
        let known = names::Stored(&self.store);
        let commands = self.coordinator.handle(input, self.now, &known);
        self.wanted_bytes_max = self.wanted_bytes_max.max(self.coordinator.wanted_bytes());
        for command in commands {
            self.perform(command);
        }
    }

    fn perform(&mut self, command: Command) {
        match command {
            Command::Send(id, ToAgent::Answer { offer, from, count, wanted }) => {
                let file = self.hosts[&id].files[offer as usize];
                assert!(from == 0 && count == 1);
                if wanted[0] & 1 == 1 {
                    self.queue.push((id, chunk(file.1), PIECE));
                }
            }
            Command::Send(id, ToAgent::AskNames { offer, .. }) => self.asked.push((id, offer)),
            Command::Send(id, ToAgent::Reread { ticket, length, id: piece, .. }) => {
                if self.hosts[&id].has_changed {
                    self.input(Input::Said(id, ToLanding::RereadGone { ticket }));
                } else {
                    self.queue.push((id, piece, length));
                }
            }
            Command::Append(id, _, frame) => {
                let pieces: Vec<_> = frame.pieces().map(|(id, _)| id).collect();
                let tenant = self.coordinator.sessions.get(&id).map(Session::tenant);
                for piece in &pieces {
                    self.store.entry(*piece).or_default().extend(tenant);
                }
                self.input(Input::Appended(id, pieces, Bytes(1)));
            }
            Command::Commit(id, segment) => {
                let named = segment.records.iter().filter_map(piece_of);
                for (piece, _) in named {
                    assert!(self.store.contains_key(&piece), "a receipt names only what is stored");
                }
                self.segments.push(segment);
                match &mut self.lagging {
                    Some(lagging) => lagging.push(id),
                    None => self.input(Input::Committed(id)),
                }
            }
            Command::Sweep { session, .. } => {
                let host = self.hosts.get_mut(&session).unwrap();
                host.runs += 1;
                self.walk_done(session, 0, 0, 0);
            }
            Command::Seal(id, _) => self.input(Input::Sealed(id, Tally::default())),
            Command::Finished(id) => self.hosts.get_mut(&id).unwrap().is_finished = true,
            Command::End(id, reason, _) => {
                self.hosts.get_mut(&id).unwrap().ended = Some(reason);
                self.input(Input::Ended(id));
            }
            Command::Send(..) | Command::Listen(..) | Command::Emit(_) => {}
        }
    }

    /// Sends what was asked of hosts that are not stopped, until nothing is left to send.
    fn deliver(&mut self) {
        while self.deliver_one() {}
    }

    /// Sends the first piece that was asked of a host that is not stopped.
    fn deliver_one(&mut self) -> bool {
        let first = self.queue.iter().position(|(id, ..)| !self.hosts[id].is_stopped);
        let Some(at) = first else {
            return false;
        };
        let (id, piece, length) = self.queue.remove(at);
        if self.hosts[&id].ended.is_none() {
            self.hosts.get_mut(&id).unwrap().sent.push(piece);
            let frame = frame(piece, length);
            self.input(Input::Frame(id, frame));
        }
        true
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.input(Input::Tick);
    }

    fn sent(&self) -> usize {
        self.hosts.values().map(|host| host.sent.len()).sum()
    }

    fn all_finished(&self) -> bool {
        self.hosts.values().all(|host| host.is_finished)
    }
}

const FILES: [(&str, u8); 3] = [("/a", 1), ("/b", 2), ("/c", 3)];
const NAMES: [&str; 30] = [
    "/a0", "/a1", "/a2", "/a3", "/a4", "/a5", "/a6", "/a7", "/a8", "/a9", "/b0", "/b1", "/b2",
    "/b3", "/b4", "/b5", "/b6", "/b7", "/b8", "/b9", "/c0", "/c1", "/c2", "/c3", "/c4", "/c5",
    "/c6", "/c7", "/c8", "/c9",
];

/// Thirty files with pieces numbered from `first`.
fn many(first: u8) -> Vec<(&'static str, u8)> {
    NAMES.into_iter().zip(first..).collect()
}

#[test]
fn a_walk_is_swept_and_sealed() {
    let mut world = World::new(Limits::default());
    let host = world.host(1, &FILES);
    world.walk(host);
    assert!(!world.all_finished());
    world.deliver();
    assert!(world.all_finished());
    assert_eq!(world.hosts[&host].runs, 2);
    assert_eq!(world.segments.len(), 1);
    assert_eq!(world.segments[0].tally.raw_bytes, Bytes(3 << 20));
    assert_eq!(world.coordinator.wanted_bytes(), 0);
    assert_eq!(world.coordinator.claims.len(), 0);
}

#[test]
fn identical_hosts_send_each_piece_once() {
    let mut world = World::new(Limits::default());
    let hosts: Vec<_> = (1..=8).map(|n| world.host(n, &FILES)).collect();
    for host in hosts {
        world.walk(host);
    }
    world.deliver();
    assert!(world.all_finished());
    assert_eq!(world.sent(), 3);
}

#[test]
fn a_holder_that_ends_leaves_its_claims_to_those_who_wait() {
    let mut world = World::new(Limits::default());
    let (first, second) = (world.host(1, &FILES), world.host(2, &FILES));
    world.walk(first);
    world.walk(second);
    world.hosts.get_mut(&first).unwrap().is_stopped = true;
    world.input(Input::Ended(first));
    world.deliver();
    assert!(world.hosts[&second].is_finished);
    assert_eq!(world.hosts[&second].sent.len(), 3);
}

#[test]
fn a_holder_that_stalls_delays_nobody_for_long() {
    let mut world = World::new(Limits::default());
    let (first, second) = (world.host(1, &FILES), world.host(2, &FILES));
    world.walk(first);
    world.walk(second);
    world.hosts.get_mut(&first).unwrap().is_stopped = true;
    world.pass(1);
    world.deliver();
    assert!(!world.hosts[&second].is_finished);
    world.pass(8);
    world.deliver();
    assert!(world.hosts[&second].is_finished);
    // Waking up late, the first sends its copies: dropped, and nothing breaks.
    world.hosts.get_mut(&first).unwrap().is_stopped = false;
    world.deliver();
    assert!(world.all_finished());
    assert_eq!(world.coordinator.wanted_bytes(), 0);
}

#[test]
fn what_cannot_be_read_again_is_left_to_the_sweep() {
    let mut world = World::new(Limits::default());
    let (first, second) = (world.host(1, &FILES), world.host(2, &FILES));
    world.walk(first);
    world.walk(second);
    world.hosts.get_mut(&first).unwrap().is_stopped = true;
    world.hosts.get_mut(&second).unwrap().has_changed = true;
    world.input(Input::Ended(first));
    world.deliver();
    let lost = |record: &&Record| matches!(record, Record::Lost { .. });
    let count = world.segments.iter().flat_map(|s| &s.records).filter(lost).count();
    assert_eq!(count, 3);
    assert!(world.hosts[&second].is_finished);
    assert!(world.hosts[&second].runs >= 2);
}

#[test]
fn content_nobody_asked_for_ends_the_host() {
    let mut world = World::new(Limits::default());
    let (liar, honest) = (world.host(1, &FILES), world.host(2, &FILES));
    let frame = frame(chunk(9), PIECE);
    world.input(Input::Frame(liar, frame));
    assert_eq!(world.hosts[&liar].ended, Some(Reason::Protocol));
    assert!(world.store.is_empty());
    world.walk(honest);
    world.deliver();
    assert!(world.hosts[&honest].is_finished);
}

#[test]
fn wrong_lengths_and_counts_end_the_host() {
    let mut world = World::new(Limits::default());
    let host = world.host(1, &FILES);
    world.offer(host, 0, &records(&FILES[..1]));
    let frame = frame(chunk(1), PIECE - 1);
    world.input(Input::Frame(host, frame));
    assert_eq!(world.hosts[&host].ended, Some(Reason::Protocol));

    let other = world.host(2, &FILES);
    world.offer(other, 0, &records(&FILES[..1]));
    world.walk_done(other, 1, 4, 0);
    assert_eq!(world.hosts[&other].ended, Some(Reason::Protocol));
}

#[test]
fn wants_never_exceed_window_and_budget() {
    let limits = Limits { budget_bytes: 10 << 20, ..Limits::default() };
    let mut world = World::new(limits);
    let host = world.host(1, &many(0));
    world.walk(host);
    assert_eq!(world.queue.len(), 8);
    let second = world.host(2, &[("/z", 100), ("/z1", 101), ("/z2", 102)]);
    world.walk(second);
    assert_eq!(world.queue.len(), 10);
    world.deliver();
    assert!(world.all_finished());
    assert_eq!(world.sent(), 33);
    assert!(world.wanted_bytes_max <= 10 << 20);
}

#[test]
fn a_segment_closes_by_age_and_keeps_its_order() {
    let mut world = World::new(Limits::default());
    let host = world.host(1, &FILES);
    world.offer(host, 0, &records(&FILES[..1]));
    world.deliver();
    assert_eq!(world.segments.len(), 0);
    world.pass(6);
    assert_eq!(world.segments.len(), 1);
    world.offer(host, 1, &records(&FILES[1..2]));
    world.deliver();
    world.pass(6);
    assert_eq!(world.segments.iter().map(|s| s.number).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn draining_takes_what_was_asked_for_and_no_more() {
    let limits = Limits { window_bytes_min: 1 << 20, ..Limits::default() };
    let mut world = World::new(limits);
    let host = world.host(1, &FILES);
    world.walk(host);
    world.input(Input::Drain);
    world.deliver();
    world.pass(1);
    assert_eq!(world.hosts[&host].ended, Some(Reason::Stopped));
    assert_eq!(world.sent(), 1);
    assert_eq!(world.segments.len(), 1);
}
