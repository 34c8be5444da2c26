//! Whatever arrives, nobody panics and every bound holds.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use evac::capture::{Content, Cursor, Entry, Fingerprint, Kind, Metadata, Record};
use evac::chunk::{FrameHeader, frame};
use evac::model::{
    Bytes, ChunkId, Domain, HostId, PassNumber, RunNumber, Tally, TreePath, WorkloadId,
};
use evac::run::coordinator::{Assignment, Command, Coordinator, Frame, Input, Limits, SessionId};
use evac::store::Tenant;
use evac::wire::{Decoder, RunChecker, Sketch, ToAgent, ToLanding, WalkTally, encode};
use proptest::prelude::*;

const SESSIONS: u64 = 3;
const PIECE_BYTES: u32 = 1 << 20;

fn path() -> impl Strategy<Value = TreePath> {
    proptest::sample::select(vec!["/", "/a", "/a/b", "/a/b/c", "/a/d", "/a.b", "/b", "/z/y"])
        .prop_map(|text| text.parse().unwrap())
}

fn chunk() -> impl Strategy<Value = ChunkId> {
    (0_u8..6).prop_map(|number| ChunkId([number; 32]))
}

fn record() -> impl Strategy<Value = Record> {
    let kind = prop_oneof![
        3 => Just(Kind::File { size: 9 }),
        2 => Just(Kind::Directory),
        1 => Just(Kind::Symlink { target: b"/etc".to_vec() }),
    ];
    let node = |(path, kind)| Entry { path, kind, metadata: Metadata::default() };
    prop_oneof![
        6 => (path(), kind.clone()).prop_map(move |parts| Record::Node(node(parts))),
        1 => (path(), kind, path())
            .prop_map(move |(path, kind, of)| Record::HardLink { entry: node((path, kind)), of }),
        6 => (0_u64..3, 1..=PIECE_BYTES, chunk())
            .prop_map(|(at, length, id)| Record::Data { offset: at << 20, length, id }),
        4 => (0_u64..4 << 20).prop_map(|size| Record::End { size, content: Content::Steady }),
        1 => path().prop_map(|path| Record::Gone { path }),
        1 => path().prop_map(|path| Record::LeftOut { path, why: "x".to_owned() }),
        1 => Just(Record::Lost { offset: 0, length: 1 }),
    ]
}

/// A whole file, so that some sequences get further than their first record.
fn file() -> impl Strategy<Value = Vec<Record>> {
    (path(), chunk()).prop_map(|(path, id)| {
        let kind = Kind::File { size: 1 };
        vec![
            Record::Node(Entry { path, kind, metadata: Metadata::default() }),
            Record::Data { offset: 0, length: PIECE_BYTES, id },
            Record::End { size: 1 << 20, content: Content::Steady },
        ]
    })
}

fn records() -> impl Strategy<Value = Vec<Record>> {
    prop_oneof![file(), prop::collection::vec(record(), 0..6)]
}

fn cursor() -> impl Strategy<Value = Option<Cursor>> {
    let within = proptest::option::of(0_u64..9);
    let cursor = |(path, within): (_, Option<u64>)| Cursor {
        path,
        within: within.map(|offset| (offset, Fingerprint(1))),
    };
    proptest::option::of((path(), within).prop_map(cursor))
}

fn tally() -> impl Strategy<Value = WalkTally> {
    (0_u64..4, 0_u64..9, any::<u64>(), any::<u64>()).prop_map(
        |(offers, records, read_bytes, gone)| WalkTally {
            offers,
            records,
            read_bytes,
            gone: gone % 3,
            ..WalkTally::default()
        },
    )
}

type Offered = (u64, Vec<Record>, Option<Cursor>, WalkTally, bool);

fn offered((number, records, cursor, tally, is_brief): Offered) -> ToLanding {
    if is_brief {
        let sketch = Box::new(Sketch::new(records));
        ToLanding::Sketch { number, sketch, cursor, tally }
    } else {
        ToLanding::Offer { number, records, cursor, tally }
    }
}

fn message() -> impl Strategy<Value = ToLanding> {
    prop_oneof![
        8 => (0_u64..4, records(), cursor(), tally(), any::<bool>()).prop_map(offered),
        1 => (0_u64..4, prop::collection::vec(chunk(), 0..3))
            .prop_map(|(offer, names)| ToLanding::Names { offer, names }),
        2 => tally().prop_map(|tally| ToLanding::WalkDone { tally }),
        1 => prop::collection::vec(path(), 0..4)
            .prop_map(|roots| ToLanding::WalkBegan { roots, clock_s: 0 }),
        1 => (0_u64..4).prop_map(|ticket| ToLanding::RereadGone { ticket }),
        1 => Just(ToLanding::PlaceReady { is_free: true }),
    ]
}

/// What happens to a coordinator.
#[derive(Debug, Clone)]
enum Step {
    Said(u64, ToLanding),
    /// The next offer in turn, of records that may be lies; with short names or whole ones.
    Offered(u64, Vec<Record>, bool),
    Frame(u64, Vec<(ChunkId, u32)>),
    /// Everything that was asked of a session arrives.
    Deliver(u64),
    Ended(u64),
    Tick(u64),
    Drain,
}

fn step() -> impl Strategy<Value = Step> {
    let pieces = prop::collection::vec((chunk(), 1..=PIECE_BYTES), 1..3);
    prop_oneof![
        4 => (0..SESSIONS, message()).prop_map(|(id, message)| Step::Said(id, message)),
        12 => (0..SESSIONS, records(), any::<bool>())
            .prop_map(|(id, records, is_brief)| Step::Offered(id, records, is_brief)),
        1 => (0..SESSIONS, pieces).prop_map(|(id, pieces)| Step::Frame(id, pieces)),
        6 => (0..SESSIONS).prop_map(Step::Deliver),
        1 => (0..SESSIONS).prop_map(Step::Ended),
        3 => (0_u64..20).prop_map(Step::Tick),
        1 => Just(Step::Drain),
    ]
}

fn limits() -> Limits {
    Limits {
        budget_bytes: 3 << 20,
        window_bytes_min: 2 << 20,
        window_bytes_max: 4 << 20,
        held_bytes: 4_000,
        held_bytes_max: 20_000,
        segment_held_bytes: 2_000,
        ..Limits::default()
    }
}

/// A coordinator, its store, and who asked what of whom.
struct World {
    coordinator: Coordinator,
    store: BTreeSet<ChunkId>,
    asked: BTreeMap<u64, Vec<(ChunkId, u32)>>,
    offers: BTreeMap<u64, Vec<Vec<Record>>>,
    ended: BTreeSet<u64>,
    /// What follows from commands; it comes after all of them.
    queue: VecDeque<Input>,
    now: Duration,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            coordinator: Coordinator::new(limits()),
            store: BTreeSet::new(),
            asked: BTreeMap::new(),
            offers: BTreeMap::new(),
            ended: BTreeSet::new(),
            queue: VecDeque::new(),
            now: Duration::ZERO,
        };
        for number in 0..SESSIONS {
            world.input(Input::Begin(Assignment {
                tenant: Tenant::HOUSE,
                is_delta: false,
                session: SessionId(number),
                host: HostId::new(format!("h{number}")).unwrap(),
                workload: WorkloadId::new(format!("w{number}")).unwrap(),
                pass: PassNumber(1),
                is_resumed: false,
                run: RunNumber(0),
                segment: 0,
                paths: vec![TreePath::root()],
                cursor: None,
                rtt: Duration::ZERO,
                passes: Vec::new(),
                level: 0,
            }));
        }
        world
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Said(id, message) => self.input(Input::Said(SessionId(id), message)),
            Step::Offered(id, records, is_brief) => self.offer(id, records, is_brief),
            Step::Frame(id, pieces) => self.input(Input::Frame(SessionId(id), frame(&pieces))),
            Step::Deliver(id) => {
                let asked = self.asked.remove(&id).unwrap_or_default();
                for piece in asked {
                    self.input(Input::Frame(SessionId(id), frame(&[piece])));
                }
            }
            Step::Ended(id) => {
                self.ended.insert(id);
                self.input(Input::Ended(SessionId(id)));
            }
            Step::Tick(seconds) => {
                self.now += Duration::from_secs(seconds);
                self.input(Input::Tick);
            }
            Step::Drain => self.input(Input::Drain),
        }
        let most = limits().budget_bytes + SESSIONS * limits().window_bytes_max;
        assert!(self.coordinator.wanted_bytes() <= most, "{}", self.coordinator.wanted_bytes());
    }

    fn offer(&mut self, id: u64, records: Vec<Record>, is_brief: bool) {
        let offers = self.offers.entry(id).or_default();
        let number = offers.len() as u64;
        offers.push(records.clone());
        let offer = offered((number, records, None, WalkTally::default(), is_brief));
        self.input(Input::Said(SessionId(id), offer));
    }

    /// The pieces of an offer.
    fn pieces(&self, id: u64, offer: u64) -> Vec<(ChunkId, u32)> {
        let records = self.offers.get(&id).and_then(|offers| offers.get(offer as usize));
        let pieces = records.into_iter().flatten().filter_map(|record| match record {
            Record::Data { id, length, .. } => Some((*id, *length)),
            _ => None,
        });
        pieces.collect()
    }

    fn input(&mut self, input: Input) {
        self.queue.push_back(input);
        while let Some(input) = self.queue.pop_front() {
            let store = self.store.clone();
            let known = |id: &ChunkId| store.contains(id);
            for command in self.coordinator.handle(input, self.now, &known) {
                self.perform(command);
            }
        }
    }

    fn lives(&self, id: SessionId) {
        assert!(!self.ended.contains(&id.0), "something is done for a session that ended");
    }

    fn perform(&mut self, command: Command) {
        match command {
            Command::Send(id, message) => {
                self.lives(id);
                self.hear(id.0, message);
            }
            Command::Append(id, _, frame) => {
                self.lives(id);
                let pieces: Vec<_> = frame.pieces().map(|(id, _)| id).collect();
                self.store.extend(&pieces);
                self.queue.push_back(Input::Appended(id, pieces, Bytes(1)));
            }
            Command::Commit(id, segment) => {
                for record in &segment.records {
                    if let Record::Data { id, .. } = record {
                        assert!(self.store.contains(id), "a receipt names only what is stored");
                    }
                }
                self.queue.push_back(Input::Committed(id));
            }
            Command::Sweep { session, .. } => {
                self.lives(session);
                self.offers.remove(&session.0);
            }
            Command::Seal(id, _) => {
                self.lives(id);
                self.queue.push_back(Input::Sealed(id, Tally::default()));
            }
            Command::Finished(id) | Command::End(id, ..) => {
                assert!(self.ended.insert(id.0), "a session ends once");
            }
            Command::Listen(id, _) => self.lives(id),
            Command::Emit(_) => {}
        }
    }

    /// Notes what an agent is asked for.
    fn hear(&mut self, id: u64, message: ToAgent) {
        match message {
            ToAgent::Answer { offer, from, wanted, count } => {
                let pieces = self.pieces(id, offer).into_iter();
                let range = pieces.skip(from as usize).take(count as usize).enumerate();
                let asked = range.filter(|(at, _)| is_set(&wanted, *at)).map(|(_, piece)| piece);
                self.asked.entry(id).or_default().extend(asked);
            }
            ToAgent::AskNames { offer, asked, .. } => {
                let pieces = self.pieces(id, offer).into_iter().enumerate();
                let names = pieces.filter(|(at, _)| is_set(&asked, *at)).map(|(_, (id, _))| id);
                let names = ToLanding::Names { offer, names: names.collect() };
                self.queue.push_back(Input::Said(SessionId(id), names));
            }
            ToAgent::Reread { id: piece, length, .. } => {
                self.asked.entry(id).or_default().push((piece, length));
            }
            _ => {}
        }
    }
}

fn is_set(bits: &[u8], at: usize) -> bool {
    bits[at / 8] >> (at % 8) & 1 == 1
}

fn frame(pieces: &[(ChunkId, u32)]) -> Frame {
    let chunks = pieces.iter().map(|(id, length)| frame::FrameChunk { id: *id, length: *length });
    let header = FrameHeader {
        domain: Domain([0; 8]),
        codec: frame::Codec::Stored,
        raw_bytes: 1,
        payload_bytes: 1,
        chunks: chunks.collect(),
    };
    Frame { header, bytes: vec![0; 10] }
}

/// Decodes whatever `bytes` hold, to the first error.
fn decode(bytes: &[u8], cut: usize) {
    let mut decoder = Decoder::<ToLanding>::default();
    for piece in bytes.chunks(cut.max(1)) {
        decoder.push(piece);
        loop {
            match decoder.next_message() {
                Ok(Some(message)) => assert!(message.held_bytes() <= 64 << 20),
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(64)
    })]

    #[test]
    fn bytes_are_decoded_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        cut in 1_usize..50,
    ) {
        decode(&bytes, cut);
        let kinds = bytes.iter().map(|kind| kind % 26);
        for kind in kinds.take(20) {
            let length = u32::try_from(bytes.len()).unwrap().to_le_bytes();
            decode(&[&[kind][..], &length, &bytes].concat(), 4_096);
        }
    }

    #[test]
    fn mutated_streams_are_decoded_or_refused(
        messages in prop::collection::vec(message(), 1..5),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in 1_usize..200,
    ) {
        let mut stream: Vec<u8> = messages.iter().flat_map(encode).collect();
        for (at, to) in changes {
            let at = at.index(stream.len());
            stream[at] = to;
        }
        decode(&stream, cut);
    }

    #[test]
    fn offers_are_checked_or_refused(
        offers in prop::collection::vec(records(), 0..8),
        roots in prop::collection::vec(path(), 1..3),
        cursor in cursor(),
    ) {
        let mut checker = RunChecker::new(roots, RunNumber(0), cursor.as_ref());
        let mut furthest: Option<TreePath> = None;
        for (number, records) in offers.iter().enumerate() {
            if checker.offer(number as u64, records).is_err() {
                break;
            }
            for path in records.iter().filter_map(Record::path) {
                prop_assert!(furthest.as_ref().is_none_or(|furthest| furthest <= path));
                furthest = Some(path.clone());
            }
        }
    }

    #[test]
    fn a_coordinator_keeps_its_bounds(steps in prop::collection::vec(step(), 0..60)) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
        }
    }
}
