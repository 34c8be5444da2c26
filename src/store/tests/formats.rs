//! Version 1 of every format, frozen in `tests/formats/v1/`: those bytes must be readable for ever,
//! and until a version 2 exists, today's writer must write exactly them.

use super::manifests::{data, directory, end, file, pass_head, pass_name, segment_head};
use super::*;
use crate::capture::entry::Record;
use crate::chunk::frame;
use crate::model::{PackId, PassNumber, RunNumber};
use crate::store::log::{LogRecord, LogWriter, PackEnd, PackNews, replay};
use crate::store::pack::{Footer, PackFrame, PackName};

const FRAME: &[u8] = include_bytes!("../../../tests/formats/v1/frame");
const PACK: &[u8] = include_bytes!("../../../tests/formats/v1/pack");
const INDEX: &[u8] = include_bytes!("../../../tests/formats/v1/index");
const RUN: &[u8] = include_bytes!("../../../tests/formats/v1/run");
const HEAD: &[u8] = include_bytes!("../../../tests/formats/v1/head");
/// Version 2: of a pass that builds on another.
const DELTA_HEAD: &[u8] = include_bytes!("../../../tests/formats/v2/head");
const CLOCK: &[u8] = include_bytes!("../../../tests/formats/v1/clock");
const ASIDE: &[u8] = include_bytes!("../../../tests/formats/v1/aside");
const KEY: &[u8] = include_bytes!("../../../tests/formats/v1/fleet.key");

fn key() -> DomainKey {
    DomainKey::new(DomainName::Fleet.domain(), [0x42; 32])
}

fn contents() -> [Vec<u8>; 3] {
    [b"evac, version 1\n".repeat(40), noise(1, 600), b"x".to_vec()]
}

fn pack_name() -> PackName {
    PackName { id: PackId([0x11; 16]), workload: workload("acme") }
}

fn frame_of(contents: &[Vec<u8>]) -> Vec<u8> {
    let mut builder = FrameBuilder::new(key().domain());
    for content in contents {
        builder.push(key().name(content), content);
    }
    builder.finish(3)
}

/// A compressed frame, then a stored one.
fn pack() -> (Vec<u8>, Vec<PackFrame>) {
    let name = pack_name();
    let mut bytes = name.header(key().domain());
    let (mut footer, mut frames) = (Footer::default(), Vec::new());
    for contents in [&contents()[..1], &contents()[1..]] {
        let frame = frame_of(contents);
        let chunks: Vec<_> = contents.iter().map(|content| key().name(content)).collect();
        let (offset, length) = (bytes.len() as u32, frame.len() as u32);
        footer.push(offset, length, chunks.iter().copied());
        frames.push(PackFrame { offset, length, chunks });
        bytes.extend_from_slice(&frame);
    }
    bytes.extend_from_slice(&footer.encode(name.id));
    (bytes, frames)
}

fn index() -> Vec<u8> {
    let (bytes, frames) = pack();
    let disk = MemoryDisk::new();
    let news = PackNews {
        number: 0,
        id: pack_name().id,
        workload: pack_name().workload,
        domain: key().domain(),
        first_frame: 0,
        frames,
        end: Some(PackEnd::Sealed(bytes.len() as u32)),
    };
    LogWriter::new(1).write(&disk, &[news]).unwrap();
    disk.read("index/00000001", 0, 1 << 20).unwrap()
}

fn segments() -> [Vec<Record>; 2] {
    let [text, noise, x] = contents();
    let piece = |content: &Vec<u8>| data(0, key().name(content), content.len() as u32);
    [
        vec![directory("/"), file("/a", 640), piece(&text), end(640), file("/b", 600)],
        vec![piece(&noise), end(600), file("/c", 1), piece(&x), end(1)],
    ]
}

fn manifest() -> [Vec<u8>; 2] {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let name = pass_name("acme");
    create_pass(&*disk, &pass_head(&name)).unwrap();
    let mut writer = ManifestWriter::create(&disk, &name, RunNumber(0)).unwrap();
    for (number, records) in (0..).zip(segments()) {
        writer.append(&segment_head(number, &records), &records).unwrap();
    }
    [name.run_file(RunNumber(0)), name.file("head")]
        .map(|file| disk.read(&file, 0, 1 << 20).unwrap())
}

#[test]
fn todays_writer_writes_version_1() {
    let [run, head] = manifest();
    for (name, frozen, today) in [
        ("frame", FRAME, frame_of(&contents())),
        ("pack", PACK, pack().0),
        ("index", INDEX, index()),
        ("run", RUN, run),
        ("head", HEAD, head),
    ] {
        assert!(frozen == today, "{name} is written differently now: that is a new version");
    }
}

fn delta_head() -> PassHead {
    let name = PassName { pass: PassNumber(3), ..pass_name("acme") };
    let layer = |pass, run, read_from_s| Layer {
        pass: PassNumber(pass),
        end: RunEnd { run: RunNumber(run), end_bytes: 1_000 + u64::from(run) },
        read_from_s,
    };
    let layers = vec![layer(1, 0, Some(1_899_990_000)), layer(1, 1, None), layer(2, 1, Some(-1))];
    PassHead { base: Some(PassBase { pass: PassNumber(2), layers }), ..pass_head(&name) }
}

/// What a delta pass adds to a store.
fn delta_files() -> [(&'static str, Vec<u8>); 3] {
    let disk = MemoryDisk::new();
    let (head, name) = (delta_head(), delta_head().name());
    create_pass(&disk, &head).unwrap();
    put_clock(&disk, &name, RunNumber(1), 1_900_000_000).unwrap();
    set_aside(&disk, &name, "/srv lies on another device than in pass 2").unwrap();
    ["head", "clock-00001", "aside"]
        .map(|file| (file, disk.read(&name.file(file), 0, 1 << 20).unwrap()))
}

#[test]
fn a_frozen_delta_pass_says_what_it_builds_on() {
    let frozen = [DELTA_HEAD, CLOCK, ASIDE];
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let name = delta_head().name();
    for ((file, today), frozen) in delta_files().into_iter().zip(frozen) {
        assert!(today == frozen, "{file} is written differently now: that is a new version");
        disk.put(&name.file(file), frozen).unwrap();
    }
    let pass = Pass::open(&disk, &name).unwrap();
    assert_eq!(pass.head(), &delta_head());
    let clock = crate::store::lineage::read_clock(&disk, &name, RunNumber(1)).unwrap();
    assert_eq!(clock, Some(1_900_000_000));
    assert!(read_aside(&*disk, &name).unwrap().is_some_and(|why| why.starts_with("/srv lies")));
    // The runs it builds on are not there: that is damage, never an empty tree.
    assert_eq!(pass.merged().filter(|step| matches!(step, Step::Damaged(_))).count(), 3);
}

#[test]
fn a_head_that_builds_on_what_cannot_be_is_refused() {
    let spoilt = |spoil: fn(&mut PassBase)| {
        let mut head = delta_head();
        spoil(head.base.as_mut().unwrap());
        let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
        create_pass(&*disk, &head).unwrap();
        Pass::open(&disk, &head.name()).is_err()
    };
    assert!(spoilt(|base| base.pass = PassNumber(3)));
    assert!(spoilt(|base| base.layers[0].pass = PassNumber(9)));
    assert!(spoilt(|base| base.layers.swap(0, 1)));
    assert!(spoilt(|base| base.layers = vec![base.layers[0]; 1_000]));
    assert!(!spoilt(|_| {}));
}

#[test]
fn a_frozen_frame_opens() {
    let open = frame::open(FRAME, &key()).unwrap();
    assert_eq!(open.raw, contents().concat());
}

#[test]
fn a_frozen_index_log_replays() {
    let disk = MemoryDisk::new();
    disk.put("index/00000001", INDEX).unwrap();
    let mut records = Vec::new();
    let whole = replay(&disk, "index/00000001", |record| records.push(record)).unwrap();
    assert_eq!(whole, INDEX.len() as u64);
    let sealed = LogRecord::Sealed { pack: 0, length: PACK.len() as u32, frames: 2 };
    assert_eq!((records.len(), records.last()), (4, Some(&sealed)));
}

#[test]
fn an_index_log_that_is_cut_anywhere_gives_what_is_whole() {
    let disk = MemoryDisk::new();
    let mut before = 0;
    for length in 0..=INDEX.len() {
        let name = format!("index/{length:08}");
        disk.put(&name, &INDEX[..length]).unwrap();
        let mut count = 0;
        let whole = replay(&disk, &name, |_| count += 1).unwrap();
        assert!(whole <= length as u64, "{whole} of {length}");
        assert!(count >= before, "{count} records in {length} bytes, {before} in fewer");
        before = count;
    }
    assert_eq!(before, 4);
}

#[test]
fn a_frozen_store_opens_with_and_without_its_index() {
    let folder = tempfile::tempdir().unwrap();
    let name = DomainName::Fleet.domain();
    std::fs::write(folder.path().join(format!("{name}.key")), KEY).unwrap();
    let keys = Arc::new(KeyRing::open(folder.path()).unwrap());
    assert_eq!(keys.get(name), Some(key()));
    let disk = MemoryDisk::new();
    disk.put(&pack_name().file(), PACK).unwrap();
    disk.put(&pass_name("acme").file("head"), HEAD).unwrap();
    disk.put(&pass_name("acme").run_file(RunNumber(0)), RUN).unwrap();
    for read_packs in [1, 0] {
        let (store, report) =
            Store::open_read_only(Arc::new(disk.clone()), Arc::clone(&keys)).unwrap();
        assert_eq!((report.chunks, report.read_packs), (3, read_packs));
        for expected in contents() {
            assert_eq!(content(&store, &key().name(&expected)), Some(expected));
        }
        let pass = Pass::open(store.disk(), &pass_name("acme")).unwrap();
        assert_eq!(pass.head(), &pass_head(pass.name()));
        let expected: Vec<_> = segments().concat().into_iter().map(Step::Record).collect();
        assert_eq!(pass.merged().collect::<Vec<_>>(), expected);
        disk.put("index/00000001", INDEX).unwrap();
    }
}
