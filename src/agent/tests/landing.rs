//! A landing site of a few lines, which takes what an agent has.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::{AgentError, Ending, Home, key, serve};
use crate::capture::{Content, Cursor, Entry, Kind, Record};
use crate::chunk::{Cutting, frame};
use crate::model::{ChunkId, Generation, RunNumber, TreePath};
use crate::wire::{
    BaseEntry, CaptureOrder, Decoder, Grant, Levels, LinkAnswer, Sketch, ToAgent, ToLanding,
    VERSION, WalkTally, encode,
};

/// What an agent says, and what it was asked for.
pub(super) struct Landing {
    stream: UnixStream,
    decoder: Decoder<ToLanding>,
    /// What came before it was waited for.
    early: VecDeque<ToLanding>,
    pub(super) agent: Option<std::thread::JoinHandle<Result<Ending, AgentError>>>,
    pub(super) chunks: HashMap<ChunkId, Vec<u8>>,
    wanted: HashSet<ChunkId>,
    pub(super) links: HashMap<(u64, u64), TreePath>,
    pub(super) records: Vec<Record>,
    pub(super) cursors: Vec<(usize, Cursor)>,
    pub(super) base: Vec<BaseEntry>,
}

impl Landing {
    pub(super) fn new(grant: Grant) -> Self {
        let (mut stream, theirs) = UnixStream::pair().unwrap();
        let output = theirs.try_clone().unwrap();
        let agent = std::thread::spawn(move || serve(theirs, output, Home::default(), &|| {}));
        let mut magic = [0; 8];
        stream.read_exact(&mut magic).unwrap();
        assert_eq!(&magic, crate::wire::MAGIC);
        let mut landing = Self {
            stream,
            decoder: Decoder::default(),
            early: VecDeque::new(),
            agent: Some(agent),
            chunks: HashMap::new(),
            wanted: HashSet::new(),
            links: HashMap::new(),
            records: Vec::new(),
            cursors: Vec::new(),
            base: Vec::new(),
        };
        landing.send(&ToAgent::Hello { version: VERSION, generation: Generation(1), grant });
        assert!(matches!(landing.next(), Some(ToLanding::Hello(_))));
        landing
    }

    pub(super) fn send(&mut self, message: &ToAgent) {
        self.stream.write_all(&encode(message)).unwrap();
    }

    pub(super) fn next(&mut self) -> Option<ToLanding> {
        self.early.pop_front().or_else(|| self.read())
    }

    fn read(&mut self) -> Option<ToLanding> {
        let mut buffer = vec![0; 65_536];
        loop {
            if let Some(message) = self.decoder.next_message().unwrap() {
                return Some(message);
            }
            match self.stream.read(&mut buffer).unwrap() {
                0 => return None,
                count => self.decoder.push(&buffer[..count]),
            }
        }
    }

    pub(super) fn order(paths: &[&Path], cursor: Option<Cursor>) -> CaptureOrder {
        use std::os::unix::ffi::OsStrExt;
        let tree_path = |path: &&Path| TreePath::new(path.as_os_str().as_bytes()).unwrap();
        CaptureOrder {
            paths: paths.iter().map(tree_path).collect(),
            exclude: Vec::new(),
            cutting: Cutting::TREE,
            key: key(),
            levels: Levels { floor: 1, ceiling: 1 },
            run: RunNumber(0),
            cursor,
            disk: None,
            skip: Vec::new(),
            is_gentle: false,
            patience: std::time::Duration::MAX,
        }
    }

    /// Answers until the run is complete.
    pub(super) fn run(&mut self) -> WalkTally {
        let mut done = None;
        loop {
            if let (Some(tally), true) = (done, self.wanted.is_empty()) {
                return tally;
            }
            match self.next().expect("the agent goes on") {
                ToLanding::Offer { number, records, cursor, .. } => {
                    self.offer(number, records, cursor);
                }
                ToLanding::Sketch { number, sketch, cursor, .. } => {
                    let records = self.ask_names(number, *sketch);
                    self.offer(number, records, cursor);
                }
                ToLanding::Frame(bytes) => {
                    let open = frame::open(&bytes, &key()).unwrap();
                    for (id, range) in &open.chunks {
                        assert!(self.wanted.remove(id), "only what was asked for");
                        self.chunks.insert(*id, open.raw[range.clone()].to_vec());
                    }
                }
                ToLanding::LinkAsks(asks) => {
                    for ask in asks {
                        let first = self.links.entry(ask.inode).or_insert(ask.path.clone());
                        let answer = if *first == ask.path {
                            LinkAnswer::Wanted
                        } else {
                            LinkAnswer::SameAs(first.clone())
                        };
                        self.send(&ToAgent::Link { ticket: ask.ticket, answer });
                    }
                }
                ToLanding::BaseMore => {
                    let entries = std::mem::take(&mut self.base);
                    self.send(&ToAgent::Base { entries, last: true });
                }
                ToLanding::WalkDone { tally } => done = Some(tally),
                ToLanding::Pace(pace) => assert_eq!(pace.level, 1),
                ToLanding::WalkBegan { .. } | ToLanding::LinkForget { .. } => {}
                ToLanding::Heartbeat | ToLanding::Waits(_) | ToLanding::Owners(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// As if none of its short names told anything.
    fn ask_names(&mut self, offer: u64, mut sketch: Sketch) -> Vec<Record> {
        let count = sketch.short().len();
        let asked = serde_bytes::ByteBuf::from(vec![0xff; count.div_ceil(8)]);
        self.send(&ToAgent::AskNames { offer, count: count as u32, asked });
        loop {
            match self.read().expect("the agent goes on") {
                ToLanding::Names { offer: of, names } if of == offer => {
                    return sketch.name(&names).expect("these are its names");
                }
                early => self.early.push_back(early),
            }
        }
    }

    pub(super) fn offer(&mut self, number: u64, records: Vec<Record>, cursor: Option<Cursor>) {
        let ids: Vec<ChunkId> = records
            .iter()
            .filter_map(|r| if let Record::Data { id, .. } = r { Some(*id) } else { None })
            .collect();
        let mut bits = vec![0_u8; ids.len().div_ceil(8)];
        for (at, id) in ids.iter().enumerate() {
            if !self.chunks.contains_key(id) && self.wanted.insert(*id) {
                bits[at / 8] |= 1 << (at % 8);
            }
        }
        self.records.extend(records);
        if let Some(cursor) = cursor {
            self.cursors.push((self.records.len(), cursor));
        }
        if !ids.is_empty() {
            let wanted = serde_bytes::ByteBuf::from(bits);
            let count = ids.len() as u32;
            self.send(&ToAgent::Answer { offer: number, from: 0, count, wanted });
        }
    }

    /// The files as the records and chunks have them.
    pub(super) fn files(&self) -> BTreeMap<TreePath, Vec<u8>> {
        let mut files: BTreeMap<TreePath, Vec<u8>> = BTreeMap::new();
        let mut open = None;
        for record in &self.records {
            match record {
                Record::Node(entry) => {
                    open = Some(entry.path.clone());
                    if matches!(entry.kind, Kind::File { .. }) {
                        files.insert(entry.path.clone(), Vec::new());
                    }
                }
                Record::Data { offset, id, .. } => {
                    let file = files.get_mut(open.as_ref().unwrap()).unwrap();
                    file.resize(*offset as usize, 0);
                    file.extend_from_slice(&self.chunks[id]);
                }
                Record::End { size, content } => {
                    assert_eq!(*content, Content::Steady);
                    files.get_mut(open.as_ref().unwrap()).unwrap().resize(*size as usize, 0);
                }
                _ => {}
            }
        }
        files
    }

    pub(super) fn bye(mut self) {
        self.send(&ToAgent::Bye);
        while self.next().is_some() {}
        let ending = self.agent.take().unwrap().join().unwrap().unwrap();
        assert_eq!(ending, Ending::Bye);
    }

    pub(super) fn files_without_sparse(&self) -> BTreeMap<TreePath, Vec<u8>> {
        let is_sparse = |r: &Record| {
            let size = match r {
                Record::End { size, .. } => *size,
                Record::Node(Entry { kind: Kind::File { size }, .. }) => *size,
                Record::Data { offset, .. } if *offset >= 1 << 29 => 1 << 40,
                _ => 0,
            };
            size == 1 << 40
        };
        let kept = self.records.iter().filter(|r| !is_sparse(r)).cloned().collect();
        let view = Self {
            stream: self.stream.try_clone().unwrap(),
            decoder: Decoder::default(),
            early: VecDeque::new(),
            agent: None,
            chunks: self.chunks.clone(),
            wanted: HashSet::new(),
            links: HashMap::new(),
            records: kept,
            cursors: Vec::new(),
            base: Vec::new(),
        };
        view.files()
    }

    /// The base a sweep compares with, as the records have it.
    pub(super) fn set_base(&mut self) {
        let entry = |r: &Record| match r {
            Record::Node(entry) | Record::HardLink { entry, .. } => {
                Some(BaseEntry { path: entry.path.clone(), fingerprint: entry.fingerprint() })
            }
            _ => None,
        };
        self.base = self.records.iter().filter_map(entry).collect();
    }
}
