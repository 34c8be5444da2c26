//! Rates that are kept, shared and changed, on simulated lines and a simulated clock.

use std::collections::{HashSet, VecDeque};

use super::*;

const STEP: Duration = Duration::from_millis(10);
const MB: u64 = 1_000_000;
/// Content that a sender has offered and has no answer for.
const AHEAD_BYTES: u64 = 32 << 20;
const FILE_PIECES: u64 = 8;

/// A host that has no end of content.
#[derive(Clone)]
struct Sender {
    /// What its own line carries, in bytes per second.
    line: u64,
    /// Bytes on the wire for each of content.
    ratio: f64,
    piece_bytes: u32,
    level: u32,
    passes: Vec<usize>,
    /// What its line has room for.
    room: f64,
    queue: VecDeque<(ChunkId, u32)>,
    offered: u64,
    answered: u64,
    sent_bytes: u64,
}

const SENDER: Sender = Sender {
    line: 200 * MB,
    ratio: 0.4,
    piece_bytes: 1 << 20,
    level: 0,
    passes: Vec::new(),
    room: 0.0,
    queue: VecDeque::new(),
    offered: 0,
    answered: 0,
    sent_bytes: 0,
};

/// The coordinator and what it steers.
struct Rig {
    coordinator: Coordinator,
    senders: BTreeMap<SessionId, Sender>,
    store: HashSet<ChunkId>,
    now: Duration,
    /// What a line carries that all share, in bytes per second.
    shared: f64,
    /// What that line has room for.
    room: f64,
    commands: Vec<String>,
}

fn piece(session: SessionId, number: u64) -> ChunkId {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&session.0.to_le_bytes());
    id[8..16].copy_from_slice(&number.to_le_bytes());
    ChunkId(id)
}

/// Frame of one piece.
fn shrunk(id: ChunkId, length: u32, ratio: f64) -> Frame {
    Frame { bytes: vec![0; (f64::from(length) * ratio) as usize], ..frame(id, length) }
}

fn rates(rates: &[u64]) -> Vec<Option<Rate>> {
    rates.iter().map(|rate| Some(Rate(*rate))).collect()
}

impl Rig {
    fn new(rates: &[Option<Rate>], senders: Vec<Sender>) -> Self {
        let mut rig = Self {
            coordinator: Coordinator::with_rates(Limits::default(), rates),
            senders: BTreeMap::new(),
            store: HashSet::new(),
            now: Duration::ZERO,
            shared: f64::INFINITY,
            room: 0.0,
            commands: Vec::new(),
        };
        for (number, sender) in senders.into_iter().enumerate() {
            let session = SessionId(number as u64);
            let assignment = Assignment {
                passes: sender.passes.iter().copied().map(CapacityId).collect(),
                level: sender.level,
                ..made::assignment(number as u64)
            };
            rig.senders.insert(session, sender);
            rig.input(Input::Begin(assignment));
        }
        rig
    }

    fn input(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let store = &self.store;
            let known = |id: &ChunkId| store.contains(id);
            for command in self.coordinator.handle(input, self.now, &known) {
                match command {
                    Command::Send(id, ToAgent::Answer { offer, from, count, wanted }) => {
                        let shown = format!("{id:?} {offer} {from} {count} {wanted:?}");
                        self.commands.push(shown);
                        let sender = self.senders.get_mut(&id).unwrap();
                        sender.answered += u64::from(count);
                        let first = offer * FILE_PIECES + u64::from(from);
                        let is_wanted = |at: &u64| wanted[*at as usize / 8] >> (at % 8) & 1 == 1;
                        let places = (0..u64::from(count)).filter(is_wanted);
                        let bytes = sender.piece_bytes;
                        sender.queue.extend(places.map(|at| (piece(id, first + at), bytes)));
                    }
                    Command::Append(id, _, frame) => {
                        let pieces: Vec<_> = frame.pieces().map(|(id, _)| id).collect();
                        self.store.extend(&pieces);
                        inputs.push_back(Input::Appended(id, pieces, Bytes(1)));
                    }
                    Command::Commit(id, _) => inputs.push_back(Input::Committed(id)),
                    Command::End(_, reason, detail) => panic!("{reason:?}: {detail}"),
                    _ => {}
                }
            }
        }
    }

    /// Offers what is still to be offered.
    fn offer(&mut self, id: SessionId) {
        loop {
            let sender = self.senders.get_mut(&id).unwrap();
            let ahead = (sender.offered - sender.answered) * u64::from(sender.piece_bytes);
            if ahead >= AHEAD_BYTES {
                return;
            }
            let (number, length) = (sender.offered / FILE_PIECES, sender.piece_bytes);
            let first = sender.offered;
            sender.offered += FILE_PIECES;
            let path: TreePath = format!("/{number:09}").parse().unwrap();
            let size = FILE_PIECES * u64::from(length);
            let kind = Kind::File { size };
            let mut records =
                vec![Record::Node(Entry { path, kind, metadata: Metadata::default() })];
            records.extend((0..FILE_PIECES).map(|at| Record::Data {
                offset: at * u64::from(length),
                length,
                id: piece(id, first + at),
            }));
            records.push(Record::End { size, content: Content::Steady });
            let tally = WalkTally::default();
            self.input(Input::Said(id, ToLanding::Offer { number, records, cursor: None, tally }));
        }
    }

    /// Lets time pass; lines carry what they can, and what the coordinator asked for.
    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while self.now < end {
            self.now += STEP;
            self.room = (self.room + self.shared * STEP.as_secs_f64()).min(self.shared);
            let ids: Vec<_> = self.senders.keys().copied().collect();
            // Whoever is first takes the most of a step: so the first changes.
            let first = (self.now.as_millis() / STEP.as_millis()) as usize % ids.len();
            for id in ids[first..].iter().chain(&ids[..first]).copied() {
                self.offer(id);
                self.send(id);
            }
            if self.now.as_millis().is_multiple_of(100) {
                self.input(Input::Tick);
            }
        }
    }

    fn send(&mut self, id: SessionId) {
        let sender = self.senders.get_mut(&id).unwrap();
        sender.room = (sender.room + sender.line as f64 * STEP.as_secs_f64()).min(2e6);
        while self.senders[&id].room > 0.0 && self.room > 0.0 {
            let sender = self.senders.get_mut(&id).unwrap();
            let Some((piece, length)) = sender.queue.pop_front() else {
                return;
            };
            let frame = shrunk(piece, length, sender.ratio);
            let bytes = frame.bytes.len();
            sender.room -= bytes as f64;
            sender.sent_bytes += bytes as u64;
            self.room -= bytes as f64;
            self.input(Input::Frame(id, frame));
        }
    }

    fn sent(&self) -> Vec<u64> {
        self.senders.values().map(|sender| sender.sent_bytes).collect()
    }

    /// What each sends in `seconds`, in bytes per second.
    fn over(&mut self, seconds: u64) -> Vec<u64> {
        let before = self.sent();
        self.pass(Duration::from_secs(seconds));
        self.sent().iter().zip(before).map(|(now, then)| (now - then) / seconds).collect()
    }
}

/// Is `rate` what is expected, to so many per cent?
#[track_caller]
fn check(rate: u64, expected: u64, percent: u64) {
    let off = rate.abs_diff(expected) * 100;
    assert!(off <= expected * percent, "{rate} and not {expected}");
}

#[track_caller]
fn check_all(rates: &[u64], expected: u64) {
    for rate in rates {
        check(*rate, expected, 5);
    }
}

#[test]
fn a_rate_is_kept_and_used_whatever_content_shrinks_to() {
    for ratio in [1.0, 0.4, 0.03] {
        let sender = Sender { ratio, passes: vec![0], ..SENDER };
        let mut rig = Rig::new(&rates(&[10 * MB]), vec![sender]);
        let seconds: Vec<u64> = (0..30).map(|_| rig.over(1)[0]).collect();
        check(seconds.iter().sum::<u64>() / 30, 10 * MB, 3);
        // A quarter of a second may be made up for, and one piece is always let through.
        let most = seconds.iter().max().unwrap();
        assert!(*most <= 10 * MB * 125 / 100 + (1 << 20), "{ratio}: {seconds:?}");
    }
}

#[test]
fn a_rate_below_a_piece_a_second_is_kept() {
    let sender = Sender { ratio: 1.0, passes: vec![0], ..SENDER };
    let mut rig = Rig::new(&rates(&[100_000]), vec![sender]);
    check(rig.over(300)[0], 100_000, 4);
}

#[test]
fn hosts_on_one_uplink_share_it_and_what_a_slow_one_leaves() {
    let mut senders = vec![Sender { passes: vec![0], ..SENDER }; 8];
    senders[1].line = MB;
    // What content shrinks to, and how it is cut, changes nobody's share.
    senders[2].ratio = 0.9;
    senders[3].piece_bytes = 1 << 16;
    let mut rig = Rig::new(&rates(&[20 * MB]), senders);
    rig.pass(Duration::from_secs(2));
    let each = rig.over(30);
    check(each.iter().sum(), 20 * MB, 3);
    check(each[1], MB, 5);
    for (number, rate) in each.into_iter().enumerate().filter(|(number, _)| *number != 1) {
        assert!(rate.abs_diff(19 * MB / 7) * 100 <= 19 * MB / 7 * 6, "{number}: {rate}");
    }
}

#[test]
fn where_two_things_are_scarce_nobody_gets_less_than_he_could() {
    let on = |passes: &[usize]| Sender { passes: passes.to_vec(), ..SENDER };
    let each = |all: &[u64], senders: Vec<Sender>| {
        let mut rig = Rig::new(&rates(all), senders);
        rig.pass(Duration::from_secs(2));
        rig.over(30)
    };
    // Three behind 6 MB/s, and two who have the rest of 20.
    let senders = [[0, 1], [0, 1], [0, 1], [0, 2], [0, 2]].map(|passes| on(&passes));
    let rates = each(&[20 * MB, 6 * MB, 50 * MB], senders.to_vec());
    check_all(&rates[..3], 2 * MB);
    check_all(&rates[3..], 7 * MB);
    // One could send more than its share, if the others did not wait.
    let senders = [&[0, 1][..], &[0], &[0]].map(on);
    let rates = each(&[12 * MB, 8 * MB], senders.to_vec());
    check_all(&rates, 4 * MB);
    // Both carry the same.
    let rates = each(&[12 * MB, 12 * MB], vec![on(&[0, 1]); 6]);
    check_all(&rates, 2 * MB);
}

#[test]
fn a_better_level_takes_what_it_can_use_first() {
    let on = |level, passes: &[usize]| Sender { level, passes: passes.to_vec(), ..SENDER };
    // The first may send 5 MB/s, all together 20.
    let mut rig =
        Rig::new(&rates(&[20 * MB, 5 * MB]), vec![on(0, &[0, 1]), on(3, &[0]), on(3, &[0])]);
    rig.pass(Duration::from_secs(1));
    let each = rig.over(20);
    check(each[0], 5 * MB, 3);
    check(each[1], 15 * MB / 2, 5);
    check(each[2], 15 * MB / 2, 5);
    // Without its own limit it takes everything.
    rig.input(Input::Limit(CapacityId(1), None));
    let each = rig.over(10);
    assert!(each[0] > 19 * MB && each[1] + each[2] < MB, "{each:?}");
}

#[test]
fn another_limit_holds_at_once() {
    let sender = Sender { passes: vec![0], ..SENDER };
    let mut rig = Rig::new(&[None], vec![sender.clone(), sender]);
    rig.pass(Duration::from_secs(2));
    // What is on its way counts: over the time from now on, the limit is kept.
    rig.input(Input::Limit(CapacityId(0), Some(Rate(4 * MB))));
    check(rig.over(20).iter().sum(), 4 * MB, 5);
    rig.input(Input::Limit(CapacityId(0), Some(Rate(0))));
    rig.pass(Duration::from_secs(1));
    assert_eq!(rig.over(10), [0, 0], "nothing more is asked for");
    let asked = rig.commands.len();
    rig.input(Input::Limit(CapacityId(0), Some(Rate(40 * MB))));
    rig.input(Input::Tick);
    assert_eq!(rig.commands.len(), asked, "what was not used while it was shut is not made up for");
    rig.now += Duration::from_millis(100);
    rig.input(Input::Tick);
    assert!(rig.commands.len() > asked, "within a tick");
    check(rig.over(10).iter().sum(), 40 * MB, 3);
    rig.input(Input::Limit(CapacityId(0), None));
    assert!(rig.over(1).iter().sum::<u64>() > 300 * MB);
}

#[test]
fn the_speed_of_a_line_as_its_limit_slows_nothing() {
    let sent = |limit: Option<Rate>| {
        let senders = vec![Sender { passes: vec![0], ..SENDER }; 8];
        let mut rig = Rig::new(&[limit], senders);
        // Headers and all take a twentieth of what the line is said to carry.
        rig.shared = 23.75 * MB as f64;
        rig.over(20).iter().sum::<u64>()
    };
    let (unlimited, limited) = (sent(None), sent(Some(Rate(25 * MB))));
    check(unlimited, 2_375 * MB / 100, 2);
    assert!(limited * 1_000 >= unlimited * 999, "{limited} of {unlimited}");
}

#[test]
fn without_limits_everything_is_asked_for_as_if_there_were_no_choke_points() {
    let asked = |rates: &[Option<Rate>], passes: &[usize]| {
        let sender = |level| Sender { passes: passes.to_vec(), line: 9 * MB, level, ..SENDER };
        let mut rig = Rig::new(rates, vec![sender(1), sender(0), sender(2)]);
        rig.pass(Duration::from_secs(3));
        (rig.commands, rig.coordinator.looks())
    };
    let plain = asked(&[], &[]);
    assert!(plain.0.len() > 10, "{}", plain.0.len());
    assert_eq!(asked(&[None, None], &[0, 1]), plain);
}

#[test]
fn what_arrives_costs_the_same_however_many_wait_for_a_rate() {
    let cost = |count: usize| {
        let own = (1..=count).map(|_| 50 * MB);
        let all: Vec<u64> = [10 * MB].into_iter().chain(own).collect();
        let sender = |at: usize| Sender { passes: vec![0, at], piece_bytes: 1 << 18, ..SENDER };
        let mut rig = Rig::new(&rates(&all), (1..=count).map(sender).collect());
        rig.pass(Duration::from_secs(1));
        let (before, asked) = (rig.coordinator.looks(), rig.store.len());
        // Between two ticks, or these would be what is counted.
        for step in 0..9 {
            rig.now += STEP;
            let ids: Vec<_> = rig.senders.keys().copied().collect();
            for id in ids.iter().skip(step % 2) {
                rig.send(*id);
            }
        }
        let frames = (rig.store.len() - asked) as u64;
        assert!(frames > 0);
        (rig.coordinator.looks() - before) / frames
    };
    let (few, many) = (cost(8), cost(200));
    assert!(many <= 2 * few + 8, "{few} {many}");
}

#[test]
fn nobody_is_asked_again_through_what_is_shut() {
    let mut world = World::new(Limits::default());
    world.coordinator = Coordinator::with_rates(Limits::default(), &[None]);
    let (first, second) = (world.host(1, &FILES), world.host_behind(2, &FILES, &[CapacityId(0)]));
    world.walk(first);
    world.walk(second);
    world.input(Input::Limit(CapacityId(0), Some(Rate(0))));
    world.input(Input::Ended(first));
    world.queue.retain(|(id, ..)| *id == second);
    world.pass(60);
    assert_eq!(world.queue, [], "it would have to send what the first did not");
    world.input(Input::Limit(CapacityId(0), None));
    world.pass(1);
    world.deliver();
    assert!(world.hosts[&second].is_finished);
    assert_eq!(world.hosts[&second].sent.len(), 3);
}
