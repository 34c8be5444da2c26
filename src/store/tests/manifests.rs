//! Runs, how they merge, and what damage to them costs.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::capture::entry::{Content, Entry, Fingerprint, Kind, Metadata, Record};
use crate::chunk::Cutting;
use crate::model::{PassNumber, RunNumber, Tally, Timestamp, TreePath};

pub fn path(text: &str) -> TreePath {
    TreePath::new(text.as_bytes()).unwrap()
}

fn entry(text: &str, kind: Kind) -> Entry {
    Entry { path: path(text), kind, metadata: Metadata { mode: 0o644, ..Metadata::default() } }
}

pub fn directory(text: &str) -> Record {
    Record::Node(entry(text, Kind::Directory))
}

pub fn file(text: &str, size: u64) -> Record {
    Record::Node(entry(text, Kind::File { size }))
}

pub fn data(offset: u64, id: ChunkId, length: u32) -> Record {
    Record::Data { offset, length, id }
}

pub fn end(size: u64) -> Record {
    Record::End { size, content: Content::Steady }
}

fn gone(text: &str) -> Record {
    Record::Gone { path: path(text) }
}

fn left_out(text: &str) -> Record {
    Record::LeftOut { path: path(text), why: "unreadable".into() }
}

fn piece(number: u8) -> Record {
    data(u64::from(number) * 10, ChunkId([number; 32]), 10)
}

pub fn segment_head(number: u32, records: &[Record]) -> SegmentHead {
    let mut paths = records.iter().filter_map(Record::path);
    let first = paths.next().cloned();
    let last = paths.next_back().cloned().or_else(|| first.clone());
    SegmentHead { number, cursor: None, first, last, tally: Tally::default() }
}

pub fn pass_head(name: &PassName) -> PassHead {
    PassHead {
        workload: name.workload.clone(),
        host: crate::model::HostId::new("vps-014").unwrap(),
        pass: name.pass,
        cutting: Cutting::TREE,
        domain: DomainName::Fleet.domain(),
        started_at: Timestamp::from_second(1_900_000_000),
        paths: vec![path("/")],
        excludes: vec!["*.log".into()],
        base: None,
    }
}

pub fn pass_name(workload: &str) -> PassName {
    PassName { workload: super::workload(workload), pass: PassNumber(1) }
}

/// A pass of these runs, each a list of segments.
fn write(disk: &FaultyDisk, runs: &[Vec<Vec<Record>>]) -> Pass {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let name = pass_name("acme");
    create_pass(&*disk, &pass_head(&name)).unwrap();
    for (run, segments) in (0..).zip(runs) {
        let mut writer = ManifestWriter::create(&disk, &name, RunNumber(run)).unwrap();
        for (number, records) in (0..).zip(segments) {
            writer.append(&segment_head(number, records), records).unwrap();
        }
        writer.sync().unwrap();
    }
    Pass::open(&disk, &name).unwrap()
}

fn merged(runs: &[Vec<Vec<Record>>]) -> Vec<Step> {
    write(&FaultyDisk::new(), runs).merged().collect()
}

fn check(runs: &[Vec<Vec<Record>>], expected: Vec<Step>) {
    assert_eq!(merged(runs), expected);
}

fn records(records: impl IntoIterator<Item = Record>) -> Vec<Step> {
    records.into_iter().map(Step::Record).collect()
}

#[test]
fn the_newest_run_wins_and_a_file_is_one_unit() {
    let walk = vec![
        vec![directory("/"), file("/a", 20), piece(0)],
        vec![piece(1), end(20), file("/b", 10), piece(2), end(10)],
        vec![directory("/d"), file("/d/x", 10), piece(3), end(10), file("/e", 0), end(0)],
    ];
    let sweep = vec![vec![file("/a", 10), piece(7), end(10), gone("/d"), file("/f", 0), end(0)]];
    let expected = [
        vec![directory("/"), file("/a", 10), piece(7), end(10)],
        vec![file("/b", 10), piece(2), end(10), file("/e", 0), end(0), file("/f", 0), end(0)],
    ];
    check(&[walk, sweep], records(expected.concat()));
}

#[test]
fn what_is_left_out_later_keeps_what_was_had_before() {
    let walk = vec![vec![file("/a", 10), piece(1), end(10), left_out("/b")]];
    let sweep = vec![vec![left_out("/a")]];
    let expected = vec![left_out("/a"), file("/a", 10), piece(1), end(10), left_out("/b")];
    check(&[walk, sweep], records(expected));
}

#[test]
fn what_is_said_of_an_entry_after_it_leaves_it_as_it_is() {
    let walk = vec![vec![
        directory("/a"),
        left_out("/a"),
        directory("/a/b"),
        file("/c", 9),
        piece(0),
        end(9),
        left_out("/c"),
    ]];
    check(std::slice::from_ref(&walk), records(walk.concat()));
    let pass = write(&FaultyDisk::new(), &[walk]);
    let base: Vec<_> = pass.base_entries(RunNumber(1)).map(|e| e.path.to_string()).collect();
    assert_eq!(base, ["/a", "/a/b", "/c"]);
}

#[test]
fn a_file_in_place_of_a_directory_takes_what_was_beneath() {
    let walk = vec![vec![directory("/a"), file("/a/x", 0), end(0), file("/a-", 0), end(0)]];
    let sweep = vec![vec![file("/a", 0), end(0)]];
    let newest = vec![vec![directory("/a")]];
    let after = records(vec![file("/a", 0), end(0), file("/a-", 0), end(0)]);
    check(&[walk.clone(), sweep.clone()], after);
    let after = records(vec![directory("/a"), file("/a-", 0), end(0)]);
    check(&[walk, sweep, newest], after);
}

#[test]
fn unfinished_and_restarted_files_are_told() {
    let runs = [vec![
        vec![file("/a", 30), piece(0), file("/a", 40), piece(1)],
        vec![end(40), file("/b", 9), piece(2)],
        vec![file("/c", 9), piece(3)],
    ]];
    let a = path("/a");
    let expected = [
        records([file("/a", 30), piece(0)]),
        vec![Step::Superseded(a)],
        records([file("/a", 40), piece(1), end(40), file("/b", 9), piece(2)]),
        vec![Step::Unfinished(path("/b"))],
        records([file("/c", 9), piece(3)]),
        vec![Step::Unfinished(path("/c"))],
    ];
    check(&runs, expected.concat());
}

#[test]
fn a_sweep_looks_again_at_what_is_not_had_well() {
    let cut = |content| Record::End { size: 9, content };
    let lost = Record::Lost { offset: 0, length: 9 };
    let walk = vec![vec![
        directory("/"),
        file("/changed", 9),
        cut(Content::Changed),
        file("/cut", 9),
        cut(Content::Cut),
        file("/lost", 9),
        lost,
        end(9),
        file("/steady", 9),
        piece(0),
        end(9),
        file("/unfinished", 9),
    ]];
    let sweep = vec![vec![file("/steady", 10), end(10)]];
    let pass = write(&FaultyDisk::new(), &[walk, sweep]);
    let base: Vec<_> = pass.base_entries(RunNumber(1)).collect();
    let again: Vec<_> = base.iter().map(|e| (e.path.to_string(), e.needs_reread)).collect();
    let text: Vec<_> = again.iter().map(|(path, again)| (path.as_str(), *again)).collect();
    assert_eq!(
        text,
        [
            ("/", false),
            ("/changed", true),
            ("/cut", true),
            ("/lost", true),
            ("/steady", false),
            ("/unfinished", true)
        ]
    );
    let steady = |size| entry("/steady", Kind::File { size }).fingerprint();
    assert!(base.iter().all(|e| e.needs_reread == (e.fingerprint == Fingerprint::NEVER)));
    assert_eq!(base[4].fingerprint, steady(9));
    let next: Vec<_> = pass.base_entries(RunNumber(2)).collect();
    assert_eq!(next[4].fingerprint, steady(10));
}

#[test]
fn a_run_goes_on_where_its_receipt_ends() {
    let bench = FaultyDisk::new();
    let first = vec![file("/a", 10), piece(0), end(10)];
    write(&bench, &[vec![first.clone(), vec![file("/b", 0), end(0)]]]);
    let disk: Arc<dyn Disk> = Arc::new(bench.clone());
    let name = pass_name("acme");
    let reopen = |end| ManifestWriter::reopen(&disk, &name, RunNumber(0), end);
    let (writer, last) = reopen(None).unwrap();
    assert_eq!((writer.next_number(), last.unwrap().last), (2, Some(path("/b"))));
    let whole = writer.end_bytes();
    bench.damage(&name.run_file(RunNumber(0)), |bytes| bytes.truncate(bytes.len() - 3));
    assert!(reopen(Some(whole)).is_err(), "a receipt speaks of more than there is");
    let (writer, _) = reopen(None).unwrap();
    let receipt = writer.end_bytes();
    assert_eq!(writer.next_number(), 1);
    assert!(reopen(Some(receipt - 1)).is_err());
    let (mut writer, _) = reopen(Some(receipt)).unwrap();
    let next = vec![file("/c", 0), end(0)];
    assert!(writer.append(&segment_head(0, &next), &next).is_err(), "out of turn");
    assert!(writer.append(&segment_head(1, &first[..]), &[directory("/")]).is_err(), "goes back");
    writer.append(&segment_head(1, &next), &next).unwrap();
    let pass = Pass::open(&disk, &name).unwrap();
    assert_eq!(pass.merged().collect::<Vec<_>>(), records([first, next].concat()));
    let (writer, last) = reopen(Some(0)).unwrap();
    assert_eq!((writer.end_bytes(), last), (0, None));
    let (writer, _) = ManifestWriter::reopen(&disk, &name, RunNumber(5), Some(0)).unwrap();
    assert_eq!(writer.next_number(), 0);
}

#[test]
fn a_sealed_pass_says_what_belongs_to_it() {
    let bench = FaultyDisk::new();
    let pass = write(&bench, &[vec![vec![directory("/")]], vec![]]);
    let (disk, name): (Arc<dyn Disk>, _) = (Arc::new(bench.clone()), pass.name().clone());
    let seal = PassSeal {
        runs: pass.runs().collect(),
        tally: Tally { entries: 1, ..Tally::default() },
        sealed_at: Timestamp::from_second(1_900_000_100),
    };
    seal_pass(&*disk, &name, &seal).unwrap();
    assert!(seal_pass(&*disk, &name, &seal).is_err());
    assert!(create_pass(&*disk, &pass_head(&name)).is_err());
    let owners = Owners { users: vec![(0, b"root".to_vec().into())], groups: Vec::new() };
    put_owners(&*disk, &name, &owners).unwrap();
    let pass = Pass::open(&disk, &name).unwrap();
    assert_eq!((pass.seal(), pass.owners().unwrap()), (Some(&seal), Some(owners)));
    assert_eq!(pass.head(), &pass_head(&name));
    assert_eq!(list_passes(&*disk).unwrap(), std::slice::from_ref(&name));
    bench.lose(&name.run_file(RunNumber(0)));
    let steps: Vec<_> = Pass::open(&disk, &name).unwrap().merged().collect();
    assert!(matches!(&steps[..], [Step::Damaged(_)]), "{steps:?}");
    for file in ["head", "sealed"] {
        let length = bench.length(&name.file(file)).unwrap() as usize;
        for at in 0..length {
            bench.damage(&name.file(file), |bytes| bytes[at] ^= 1);
            assert!(Pass::open(&disk, &name).is_err(), "{file} {at}");
            bench.damage(&name.file(file), |bytes| bytes[at] ^= 1);
        }
    }
}

#[test]
fn damage_to_one_segment_costs_that_segment() {
    let bench = FaultyDisk::new();
    let segments: Vec<Vec<Record>> =
        (0..3).map(|i| vec![file(&format!("/{i}"), 10), piece(i), end(10)]).collect();
    let mut pass = write(&bench, std::slice::from_ref(&segments));
    pass.limit(&pass.runs().collect::<Vec<_>>());
    let name = pass.name().run_file(RunNumber(0));
    let length = bench.length(&name).unwrap() as usize;
    for at in 0..length {
        bench.damage(&name, |bytes| bytes[at] ^= 0x40);
        let steps: Vec<_> = pass.merged().collect();
        let bad = at * 3 / length;
        let good: Vec<_> =
            segments.iter().enumerate().filter(|(i, _)| *i != bad).flat_map(|(_, s)| s).collect();
        let (mut faults, mut left) = (0, Vec::new());
        for step in &steps {
            match step {
                Step::Record(record) => left.push(record),
                Step::Damaged(fault) => {
                    faults += 1;
                    let before = bad.checked_sub(1).map(|i| path(&format!("/{i}")));
                    assert_eq!(fault.from, before, "byte {at}");
                }
                other => panic!("byte {at}: {other:?}"),
            }
        }
        assert_eq!((left, faults), (good, 1), "byte {at}");
        bench.damage(&name, |bytes| bytes[at] ^= 0x40);
    }
}

#[test]
fn a_run_whose_sync_failed_has_to_be_reopened_at_its_receipt() {
    let bench = FaultyDisk::new();
    let records = vec![file("/a", 0), end(0)];
    write(&bench, &[vec![records.clone()]]);
    let (disk, name): (Arc<dyn Disk>, _) = (Arc::new(bench.clone()), pass_name("acme"));
    let (mut writer, _) = ManifestWriter::reopen(&disk, &name, RunNumber(0), None).unwrap();
    let receipt = writer.end_bytes();
    let next = vec![file("/b", 0), end(0)];
    writer.append(&segment_head(1, &next), &next).unwrap();
    bench.arm(Some(Fault::Fail(1)));
    assert!(matches!(writer.sync(), Err(ManifestError::Disk(_))));
    assert!(matches!(writer.sync(), Err(ManifestError::InDoubt { .. })));
    let refused = writer.append(&segment_head(2, &[]), &[]);
    assert!(matches!(refused, Err(ManifestError::InDoubt { .. })));
    let again = ManifestWriter::reopen(&disk, &name, RunNumber(0), Some(receipt));
    let (mut writer, _) = again.unwrap();
    writer.append(&segment_head(1, &next), &next).unwrap();
    writer.sync().unwrap();
    bench.power_cycle(0);
    let pass = Pass::open(&disk, &name).unwrap();
    assert_eq!(pass.merged().count(), 4);
}

/// What the words in the module's documentation mean, without streaming.
fn model(runs: &[Vec<Record>]) -> Vec<Record> {
    let mut tree: BTreeMap<TreePath, Vec<Record>> = BTreeMap::new();
    for run in runs {
        for record in run {
            let path = record.path().unwrap().clone();
            match record {
                Record::Gone { .. } => tree.retain(|other, _| !other.is_within(&path)),
                Record::LeftOut { .. } => tree.entry(path).or_default().insert(0, record.clone()),
                Record::Node(entry) => {
                    if entry.kind != Kind::Directory {
                        tree.retain(|other, _| !other.is_within(&path));
                    }
                    tree.insert(path, vec![record.clone()]);
                }
                _ => {}
            }
        }
    }
    tree.into_values().flatten().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn merging_in_a_stream_equals_merging_in_memory(
        runs in prop::collection::vec(
            prop::collection::btree_map(0_usize..10, (0..4, any::<bool>()), 0..8), 1..4),
    ) {
        const PATHS: [&str; 10] =
            ["/", "/a", "/a/b", "/a/b/c", "/a/d", "/a-", "/a.b", "/b", "/b/a", "/c"];
        let of = |(at, (kind, _)): (&usize, &(i32, bool))| match kind {
            0 => gone(PATHS[*at]),
            1 => left_out(PATHS[*at]),
            2 => Record::Node(entry(PATHS[*at], Kind::Fifo)),
            _ => directory(PATHS[*at]),
        };
        let runs: Vec<Vec<Record>> = runs
            .iter()
            .map(|run| {
                let mut records: Vec<_> = run.iter().map(of).collect();
                records.sort_by(|a, b| a.path().cmp(&b.path()));
                records
            })
            .collect();
        let segments: Vec<Vec<Vec<Record>>> =
            runs.iter().map(|run| run.chunks(3).map(<[_]>::to_vec).collect()).collect();
        // A run that takes a path away does not itself stand beneath it.
        let is_sane = |run: &Vec<Record>| {
            run.iter().all(|r| match r {
                Record::Node(e) if e.kind == Kind::Directory => true,
                Record::LeftOut { .. } => true,
                taker => run.iter().all(|other| {
                    other == taker || !other.path().unwrap().is_within(taker.path().unwrap())
                }),
            })
        };
        prop_assume!(runs.iter().all(is_sane));
        prop_assert_eq!(merged(&segments), records(model(&runs)));
    }
}
