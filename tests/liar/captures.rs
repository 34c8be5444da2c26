//! Lies of a source during a capture.

use std::time::Duration;

use evac::capture::entry::Xattr;
use evac::capture::{Content, Cursor, Entry, Fingerprint, Kind, Metadata, Record};
use evac::model::{ChunkId, Domain, Reason, TreePath};
use evac::wire::message::RECORDS_MAX;
use evac::wire::{CaptureOrder, LinkAsk, ToAgent, ToLanding, WalkTally};

use crate::far::Far;
use crate::frames::{bomb, frame};
use crate::names;

/// What the file that liars offer first holds.
const CONTENT: &[u8] = b"what a liar has to offer";

/// Makes what a liar offers.
struct Tree<'a> {
    order: &'a CaptureOrder,
}

impl Tree<'_> {
    /// A path in the first root.
    fn path(&self, name: &str) -> TreePath {
        name.split('/').fold(self.order.paths[0].clone(), |path, name| {
            path.join(name.as_bytes()).expect("the names of lies are names")
        })
    }

    fn node(&self, name: &str, kind: Kind) -> Record {
        Record::Node(Entry { path: self.path(name), kind, metadata: Metadata::default() })
    }

    fn directory(&self, name: &str) -> Record {
        self.node(name, Kind::Directory)
    }

    fn left_out(&self, name: &str) -> Record {
        Record::LeftOut { path: self.path(name), why: "a whim".to_owned() }
    }

    fn id(&self) -> ChunkId {
        self.order.key.name(CONTENT)
    }

    /// A file of one piece that is said to be so long.
    fn file(&self, name: &str, length: usize) -> [Record; 3] {
        let length = u32::try_from(length).expect("pieces are short");
        let size = u64::from(length);
        [
            self.node(name, Kind::File { size }),
            Record::Data { offset: 0, length, id: self.id() },
            Record::End { size, content: Content::Steady },
        ]
    }
}

fn offer(number: u64, records: Vec<Record>) -> ToLanding {
    ToLanding::Offer { number, records, cursor: None, tally: WalkTally::default() }
}

fn done(offers: u64, records: u64) -> ToLanding {
    let tally = WalkTally { offers, records, ..WalkTally::default() };
    ToLanding::WalkDone { tally }
}

pub fn lie(lie: &str, far: &mut Far, order: &CaptureOrder) -> Option<()> {
    let tree = Tree { order };
    far.say(&ToLanding::WalkBegan { roots: order.paths.clone(), clock_s: 0 })?;
    let offered = |far: &mut Far, records: &[Record]| far.say(&offer(0, records.to_vec()));
    match lie {
        "an entry outside the roots" => {
            let path = "/etc/passwd".parse().expect("a path");
            let entry = Entry { path, kind: Kind::Fifo, metadata: Metadata::default() };
            offered(far, &[Record::Node(entry)])
        }
        "an entry below a symlink" => {
            let link = tree.node("l", Kind::Symlink { target: b"/etc".to_vec() });
            offered(far, &[link, tree.directory("l/passwd")])
        }
        "an entry below a file" => {
            let file = tree.file("f", CONTENT.len());
            offered(far, &[&file[..], &[tree.directory("f/d")]].concat())
        }
        "entries out of order" => offered(far, &[tree.directory("b"), tree.directory("a")]),
        "an entry twice" => offered(far, &[tree.directory("a"), tree.directory("a")]),
        "an omission out of order" => offered(far, &[tree.left_out("b"), tree.left_out("a")]),
        "a piece outside a file" => offered(far, &tree.file("f", 1)[1..2]),
        "a file without an end" => {
            offered(far, &tree.file("f", CONTENT.len())[..1])?;
            far.say(&done(1, 1))
        }
        "something gone from a first walk" => {
            offered(far, &[Record::Gone { path: tree.path("a") }])
        }
        "too many records" => offered(far, &vec![tree.left_out("a"); RECORDS_MAX + 1]),
        "a piece too long" => offered(far, &tree.file("f", 2 << 20)),
        "an offer out of turn" => far.say(&offer(5, vec![tree.directory("a")])),
        "an offer after the end" => {
            offered(far, &tree.file("f", CONTENT.len()))?;
            far.say(&done(1, 3))?;
            far.say(&offer(1, vec![tree.directory("z")]))
        }
        "counts that do not agree" => {
            offered(far, &[tree.directory("a")])?;
            far.say(&done(1, 2))
        }
        "counts that overflow" => {
            let tally = WalkTally { opened_files: u64::MAX, ..WalkTally::default() };
            let records = vec![tree.directory("a")];
            far.say(&ToLanding::Offer { number: 0, records, cursor: None, tally })
        }
        "roots in the middle of a run" => {
            offered(far, &[tree.directory("a")])?;
            far.say(&ToLanding::WalkBegan { roots: vec![TreePath::root()], clock_s: 0 })
        }
        _ => frame_lie(lie, far, &tree),
    }
}

/// Lies in frames: the file is offered honestly, then comes something else.
fn frame_lie(lie: &str, far: &mut Far, tree: &Tree<'_>) -> Option<()> {
    let key = &tree.order.key;
    let stated = if lie == "a piece of another length" { CONTENT.len() + 1 } else { CONTENT.len() };
    let bytes = match lie {
        "content of another name" => frame(key.domain(), tree.id(), b"something else entirely!"),
        "a piece of another length" => frame(key.domain(), tree.id(), CONTENT),
        "a piece nobody asked for" => frame(key.domain(), key.name(b"ware"), b"ware"),
        "a damaged frame" => {
            let mut bytes = frame(key.domain(), tree.id(), CONTENT);
            *bytes.last_mut().expect("frames are not empty") ^= 1;
            bytes
        }
        "a frame cut short" => frame(key.domain(), tree.id(), CONTENT)[..40].to_vec(),
        "another domain" => frame(Domain([9; 8]), tree.id(), CONTENT),
        "a bomb in a frame" => bomb(key, 1 << 20),
        _ => return message_lie(lie, far, tree),
    };
    far.say(&offer(0, tree.file("f", stated).to_vec()))?;
    far.hear_until(|message| matches!(message, ToAgent::Answer { .. }).then_some(()))?;
    far.say(&ToLanding::Frame(bytes.into()))
}

/// Lies in the form of messages, and in which come when.
fn message_lie(lie: &str, far: &mut Far, tree: &Tree<'_>) -> Option<()> {
    let directory = |name| offer(0, vec![tree.directory(name)]);
    let rename = |to: &'static [u8; 2]| {
        move |plain: &mut [u8]| {
            let at = plain.windows(4).position(|window| window == b"/^^/");
            let at = at.expect("the name stands there") + 1;
            plain[at..at + 2].copy_from_slice(to);
        }
    };
    match lie {
        "a path with .." => far.say_patched(&directory("^^/passwd"), rename(b"..")),
        "a path with NUL" => far.say_patched(&directory("^^/passwd"), rename(b"a\0")),
        "a bomb in a list" => {
            let bomb = zstd::bulk::compress(&vec![0; 64 << 20], 3).expect("zstd compresses");
            far.say_list(1_000, &bomb)
        }
        "a list that states too much" => far.say_list(1 << 30, &[0; 100]),
        "a message longer than its kind" => far.say_raw(2, 1 << 20, &[0; 100]),
        "an unknown kind" => far.say_raw(99, 0, &[]),
        "noise" => far.raw(&[0xa5; 4_096]),
        "a second greeting" => far.greet(1),
        "a word of targets" => far.say(&ToLanding::PlaceReady { is_free: true }),
        "a full landing disk" => {
            let detail = "your disk is full".to_owned();
            far.say(&ToLanding::Failed { reason: Reason::LandingFull, detail })
        }
        "a read nobody asked for" => far.say(&ToLanding::RereadGone { ticket: 3 }),
        "a base outside a sweep" => far.say(&ToLanding::BaseMore),
        "half a message" => far.say_raw(3, 1_000, &[0; 100]).and_then(|()| far.end()),
        "half a message and silence" => far.say_raw(3, 1_000, &[0; 100]).and_then(|()| far.wait()),
        "a cursor that goes back" => cursor_lie(far, tree),
        _ if lie.starts_with("a name ") => {
            names::lie(lie, far, tree.file("f", CONTENT.len()).to_vec(), tree.id())
        }
        _ => endless_lie(lie, far, tree),
    }
}

/// Lets itself be cut behind records that its cursor does not cover, and resumed.
fn cursor_lie(far: &mut Far, tree: &Tree<'_>) -> Option<()> {
    if tree.order.cursor.is_some() {
        return far.say(&offer(0, vec![tree.directory("b")]));
    }
    let records = ["a", "x", "y", "z"].map(|name| tree.directory(name)).to_vec();
    let cursor = Some(Cursor { path: tree.path("a"), within: None });
    far.say(&ToLanding::Offer { number: 0, records, cursor, tally: WalkTally::default() })?;
    // Nobody tells an agent that its records are durable.
    std::thread::sleep(Duration::from_millis(500));
    far.end()
}

/// Lies that have no end of their own.
fn endless_lie(lie: &str, far: &mut Far, tree: &Tree<'_>) -> Option<()> {
    let deep = vec!["d".repeat(200); 18].join("/");
    match lie {
        "beats and nothing else" => far.beat(),
        "endless entries" => endless(far, 60, |number| heavy(tree.directory(&rising(number)))),
        "endless omissions" => endless(far, 1_000, |number| tree.left_out(&rising(number))),
        "endless questions" => {
            let ask = |ticket| LinkAsk {
                ticket,
                path: tree.path(&deep),
                inode: (1, 1),
                fingerprint: Fingerprint(1),
            };
            let mut asks: Vec<_> = (0..64).map(ask).collect();
            asks[1..].iter_mut().for_each(|ask| ask.path = tree.path("e"));
            loop {
                far.say(&ToLanding::LinkAsks(asks.clone()))?;
            }
        }
        "endless base" => {
            far.say(&offer(0, vec![tree.directory("a")]))?;
            far.say(&done(1, 1))?;
            far.hear_until(|message| matches!(message, ToAgent::Sweep { .. }).then_some(()))?;
            loop {
                far.say(&ToLanding::BaseMore)?;
            }
        }
        other => panic!("no such lie: {other}"),
    }
}

/// A name that stands behind those of smaller numbers.
fn rising(number: u64) -> String {
    format!("{number:020}")
}

/// With attributes as large as Linux has them.
fn heavy(mut record: Record) -> Record {
    if let Record::Node(entry) = &mut record {
        let attribute = |name| Xattr { name: vec![name], value: vec![0; 60_000] };
        entry.metadata.xattrs = (b'a'..b'e').map(attribute).collect();
    }
    record
}

/// Offers of so many records without end, each record after the one before.
fn endless(far: &mut Far, count: u64, record: impl Fn(u64) -> Record) -> Option<()> {
    for number in 0.. {
        let records = (number * count..(number + 1) * count).map(&record).collect();
        far.say(&offer(number, records))?;
    }
    Some(())
}
