//! Damage × place: `verify` names exactly the workloads and paths that are affected.

mod healing;

use super::manifests::{data, directory, end, file, pass_head, pass_name, segment_head};
use super::*;
use crate::capture::entry::Record;
use crate::model::{RunNumber, Tally, Timestamp};

/// Three workloads: `acme` and `beta` with files of their own, each in two packs, and one file
/// that all three share and that lies in a pack of `acme`.
struct Captured {
    bench: Bench,
    passes: Vec<PassRef>,
}

const WORKLOADS: [&str; 3] = ["acme", "beta", "gamma"];

fn own(name: &str, number: u64) -> Vec<u8> {
    noise(u64::from(name.as_bytes()[0]) * 100 + number, 2_000)
}

fn capture() -> Captured {
    let bench = Bench::new();
    let (store, mut writer, _) = bench.open().unwrap();
    let shared = noise(1, 2_000);
    append(&bench, &mut writer, "acme", &[own("acme", 0), shared.clone()]);
    append(&bench, &mut writer, "acme", &[own("acme", 1)]);
    writer.close_workload(&workload("acme"));
    append(&bench, &mut writer, "acme", &[own("acme", 2)]);
    for number in 0..3 {
        append(&bench, &mut writer, "beta", &[own("beta", number)]);
    }
    writer.close().unwrap();
    let mut passes = Vec::new();
    for name in WORKLOADS {
        let mut contents = vec![("/shared".to_owned(), shared.clone())];
        if name != "gamma" {
            contents.extend((0..3).map(|n| (format!("/{n}"), own(name, n))));
        }
        contents.sort();
        passes.push(write_pass(&bench, &store, name, &contents));
    }
    Captured { bench, passes }
}

/// A pass with one segment for every file.
fn write_pass(bench: &Bench, store: &Store, name: &str, contents: &[(String, Vec<u8>)]) -> PassRef {
    let disk = store.disk();
    let pass = pass_name(name);
    create_pass(&**disk, &pass_head(&pass)).unwrap();
    let mut writer = ManifestWriter::create(disk, &pass, RunNumber(0)).unwrap();
    for (number, (path, content)) in (0..).zip(contents) {
        let size = content.len();
        let mut records: Vec<Record> = if number == 0 { vec![directory("/")] } else { Vec::new() };
        records.push(file(path, size as u64));
        records.push(data(0, bench.key().name(content), size as u32));
        records.push(end(size as u64));
        writer.append(&segment_head(number, &records), &records).unwrap();
    }
    writer.sync().unwrap();
    let runs = vec![RunEnd { run: RunNumber(0), end_bytes: writer.end_bytes() }];
    let sealed_at = Timestamp::from_second(1_900_000_000);
    seal_pass(&**disk, &pass, &PassSeal { runs, tally: Tally::default(), sealed_at }).unwrap();
    PassRef { name: pass, ends: Vec::new() }
}

impl Captured {
    fn verify(&self, deep: bool) -> VerifyReport {
        let (store, _) = self.bench.read();
        verify(&store, &self.passes, deep, &mut |_| {}).unwrap()
    }

    /// The pack that holds the first own file of `name` of this number.
    fn pack(&self, name: &str, number: u64) -> (String, usize) {
        let (store, _) = self.bench.read();
        let place = store.locate(&self.bench.key().name(&own(name, number))).unwrap();
        (store.pack_file(place).unwrap(), place.offset as usize)
    }
}

fn lose_logs(captured: &Captured) {
    for log in captured.bench.files("index/") {
        assert!(captured.bench.disk.lose(&log));
    }
}

fn paths(bad: &Bad) -> Vec<String> {
    bad.paths.iter().map(ToString::to_string).collect()
}

/// Does `damage`, and expects these kinds with these paths, at this depth.
fn check(deep: bool, damage: impl FnOnce(&Captured), expected: &[(BadKind, &[&str])]) {
    let captured = capture();
    assert_eq!(captured.verify(true).bad, []);
    damage(&captured);
    let report = captured.verify(deep);
    let found: Vec<_> = report.bad.iter().map(|bad| (bad.kind, paths(bad))).collect();
    let expected: Vec<_> = expected
        .iter()
        .map(|(kind, paths)| (*kind, paths.iter().map(ToString::to_string).collect()))
        .collect();
    assert_eq!(found, expected);
    for bad in &report.bad {
        let of_paths: std::collections::BTreeSet<_> =
            bad.paths.iter().map(|path| path.workload.clone()).collect();
        let listed: std::collections::BTreeSet<_> = bad.workloads.iter().cloned().collect();
        assert!(of_paths.is_subset(&listed));
        assert_eq!(bad.path_count, bad.paths.len() as u64);
    }
}

#[test]
fn a_flipped_byte_in_a_frame_is_found_by_reading() {
    let flip = |captured: &Captured| {
        let (pack, offset) = captured.pack("acme", 0);
        captured.bench.disk.damage(&pack, |bytes| bytes[offset + 1_000] ^= 1);
    };
    check(false, flip, &[]);
    let all = [
        "workload/acme:/0",
        "workload/acme:/shared",
        "workload/beta:/shared",
        "workload/gamma:/shared",
    ];
    check(true, flip, &[(BadKind::DamagedFrame, &all)]);
}

#[test]
fn a_flipped_byte_in_a_footer_costs_no_path() {
    let flip = |captured: &Captured| {
        let (pack, _) = captured.pack("beta", 0);
        captured.bench.disk.damage(&pack, |bytes| *bytes.last_mut().unwrap() ^= 1);
    };
    check(true, flip, &[(BadKind::DamagedFooter, &[])]);
}

#[test]
fn a_truncated_pack_costs_what_was_behind_the_cut() {
    let cut = |captured: &Captured| {
        let (pack, offset) = captured.pack("acme", 1);
        captured.bench.disk.damage(&pack, |bytes| bytes.truncate(offset + 50));
    };
    for deep in [false, true] {
        check(deep, cut, &[(BadKind::TruncatedPack, &["workload/acme:/1"])]);
    }
}

#[test]
fn a_deleted_pack_costs_what_was_in_it() {
    let lose = |captured: &Captured| {
        captured.bench.disk.lose(&captured.pack("acme", 2).0);
    };
    check(false, lose, &[(BadKind::MissingPack, &["workload/acme:/2"])]);
    let lose_index = |captured: &Captured| {
        lose(captured);
        lose_logs(captured);
    };
    check(false, lose_index, &[(BadKind::MissingChunk, &["workload/acme:/2"])]);
    let lose_shared = |captured: &Captured| {
        captured.bench.disk.lose(&captured.pack("acme", 0).0);
    };
    let all = [
        "workload/acme:/0",
        "workload/acme:/1",
        "workload/acme:/shared",
        "workload/beta:/shared",
        "workload/gamma:/shared",
    ];
    check(true, lose_shared, &[(BadKind::MissingPack, &all)]);
}

#[test]
fn damage_while_the_store_is_open_is_seen_too() {
    let captured = capture();
    let (store, _) = captured.bench.read();
    let (pack, offset) = captured.pack("beta", 1);
    captured.bench.disk.damage(&pack, |bytes| bytes.truncate(offset + 50));
    let report = verify(&store, &captured.passes, false, &mut |_| {}).unwrap();
    let [bad] = report.bad.try_into().unwrap();
    assert_eq!((bad.kind, bad.place.as_str()), (BadKind::TruncatedPack, pack.as_str()));
    assert_eq!(paths(&bad), ["workload/beta:/1", "workload/beta:/2"]);
    captured.bench.disk.lose(&pack);
    let report = verify(&store, &captured.passes, false, &mut |_| {}).unwrap();
    let [bad] = report.bad.try_into().unwrap();
    assert_eq!((bad.kind, bad.path_count), (BadKind::MissingPack, 3));
}

#[test]
fn a_deleted_index_costs_nothing() {
    check(true, lose_logs, &[]);
}

#[test]
fn a_damaged_segment_names_its_neighbours() {
    let run = |captured: &Captured| captured.passes[1].name.run_file(RunNumber(0));
    let flip = |captured: &Captured| {
        captured.bench.disk.damage(&run(captured), |bytes| {
            let at = bytes.len() - 1;
            bytes[at] ^= 1;
        });
    };
    let last = ["workload/beta:/2", "workload/beta:/shared"];
    check(false, flip, &[(BadKind::DamagedManifest, &last)]);
    let cut = |captured: &Captured| {
        captured.bench.disk.damage(&run(captured), |bytes| bytes.truncate(bytes.len() - 1));
    };
    check(false, cut, &[(BadKind::DamagedManifest, &last)]);
}

#[test]
fn a_missing_manifest_names_its_workload() {
    let captured = capture();
    let name = &captured.passes[1].name;
    captured.bench.disk.lose(&name.file("head"));
    let [bad] = captured.verify(true).bad.try_into().unwrap();
    assert_eq!((bad.kind, bad.workloads), (BadKind::MissingManifest, vec![workload("beta")]));
    let captured = capture();
    captured.bench.disk.lose(&captured.passes[1].name.run_file(RunNumber(0)));
    let [bad] = captured.verify(false).bad.try_into().unwrap();
    assert_eq!((bad.kind, bad.workloads), (BadKind::DamagedManifest, vec![workload("beta")]));
}

#[test]
fn a_lost_key_leaves_its_chunks_unchecked_and_says_so() {
    let captured = capture();
    let path = captured.bench.keys.path(DomainName::Fleet.domain());
    std::fs::remove_file(&path).unwrap();
    let keys = Arc::new(KeyRing::open(path.parent().unwrap()).unwrap());
    let disk = Arc::new(captured.bench.disk.clone());
    let (store, _) = Store::open_read_only(disk, keys).unwrap();
    let report = verify(&store, &captured.passes, true, &mut |_| {}).unwrap();
    assert!(report.bad.iter().all(|bad| bad.kind == BadKind::MissingKey));
    assert_eq!(report.bad.iter().map(|bad| bad.path_count).sum::<u64>(), 9);
}

#[test]
fn the_report_has_the_words_that_scripts_read() {
    let captured = capture();
    let good = captured.verify(false);
    assert_eq!((good.checked_chunks, good.checked_bytes), (9, Bytes(18_000)));
    let (store, _) = captured.bench.read();
    let mut seen = Vec::new();
    let deep = verify(&store, &captured.passes, true, &mut |p| seen.push(p)).unwrap();
    assert_eq!((seen.len(), deep.checked_bytes), (6, Bytes(14_000)));
    assert!(seen.iter().all(|p| p.frames == 6));
    captured.bench.disk.lose(&captured.pack("acme", 2).0);
    let json = serde_json::to_value(captured.verify(false)).unwrap();
    assert_eq!(json["bad"][0]["kind"], "missing-pack");
    assert!(json["bad"][0]["where"].as_str().unwrap().starts_with("packs/acme/"));
    assert_eq!(json["bad"][0]["workloads"][0], "acme");
    assert_eq!(json["bad"][0]["paths"][0], "workload/acme:/2");
}

#[test]
fn a_lost_ledger_comes_back_as_far_as_chunks_prove_it() {
    let captured = capture();
    let proven = || {
        let (store, _) = captured.bench.read();
        let pass = Pass::open(store.disk(), &captured.passes[0].name).unwrap();
        let runs: Vec<_> = pass.runs().collect();
        (pass.proven(&store).unwrap(), runs)
    };
    let (all, runs) = proven();
    assert_eq!((all[0].segments.len(), all[0].end_bytes), (4, runs[0].end_bytes));
    captured.bench.disk.lose(&captured.pack("acme", 2).0);
    let (sealed, _) = proven();
    assert_eq!(sealed, all, "what a seal vouches for is damaged, not forgotten");
    captured.bench.disk.lose(&captured.passes[0].name.file("sealed"));
    let (some, _) = proven();
    assert_eq!(some[0].segments.len(), 2);
    let last = some[0].segments.last().and_then(|segment| segment.head.last.clone());
    assert_eq!(last, Some(super::manifests::path("/1")));
    let disk: Arc<dyn Disk> = Arc::new(captured.bench.disk.clone());
    let name = &captured.passes[0].name;
    let end = Some(some[0].end_bytes);
    let (writer, _) = ManifestWriter::reopen(&disk, name, RunNumber(0), end).unwrap();
    assert_eq!(writer.next_number(), 2);
}

#[test]
fn a_writer_at_work_is_no_damage() {
    let captured = capture();
    let (store, mut writer, _) = captured.bench.open().unwrap();
    append(&captured.bench, &mut writer, "acme", &[own("acme", 7)]);
    let verify = || verify(&store, &captured.passes, true, &mut |_| {}).unwrap().bad;
    assert_eq!(verify(), []);
    writer.commit().unwrap();
    append(&captured.bench, &mut writer, "acme", &[own("acme", 8)]);
    captured.bench.disk.arm(Some(Fault::Fail(1)));
    assert!(writer.commit().is_err());
    append(&captured.bench, &mut writer, "beta", &[own("beta", 9)]);
    captured.bench.disk.arm(Some(Fault::Fail(1)));
    assert!(writer.commit().is_err());
    assert_eq!(verify(), []);
    writer.close().unwrap();
    assert_eq!(verify(), []);
}
