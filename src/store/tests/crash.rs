//! Promises 1 and 2 at every operation of the disk.
//!
//! A small run captures two workloads in batches: frames, commit, segments, receipts. At every
//! single operation the disk fails, is full, or loses power. Whatever had a receipt must be there
//! and right afterwards, and the same run must get to its end.

use std::collections::BTreeMap;

use super::manifests::{data, directory, end, file, pass_head, pass_name, segment_head};
use super::*;
use crate::capture::entry::Record;
use crate::model::RunNumber;

const WORKLOADS: [&str; 2] = ["acme", "beta"];
const BATCHES: u32 = 3;
const RUN: RunNumber = RunNumber(0);

type Failure = Box<dyn std::error::Error>;

/// What the ledger would remember: where the receipts of each workload end.
#[derive(Debug, Default, Clone)]
struct Receipts {
    ends: BTreeMap<String, (u32, u64)>,
}

/// Content of one batch of one workload; the first chunk of every batch is shared.
fn contents(workload: &str, batch: u32) -> Vec<Vec<u8>> {
    let own =
        u64::from(batch) * 100 + workload.len() as u64 * 7 + u64::from(workload.as_bytes()[0]);
    vec![noise(u64::from(batch), 300), noise(own * 1_000, 500), noise(own * 1_000 + 1, 200)]
}

fn batch_records(bench: &Bench, workload: &str, batch: u32) -> Vec<Record> {
    let mut records = if batch == 0 { vec![directory("/")] } else { Vec::new() };
    for (number, content) in contents(workload, batch).iter().enumerate() {
        let size = content.len();
        records.push(file(&format!("/{batch}-{number}"), size as u64));
        records.push(data(0, bench.key().name(content), size as u32));
        records.push(end(size as u64));
    }
    records
}

/// Carries on from `receipts` up to `batches`; a failure of the disk is tried again a few times.
fn run(bench: &Bench, receipts: &mut Receipts, batches: u32) -> Result<(), Failure> {
    let (store, mut writer, _) = bench.open()?;
    for name in WORKLOADS {
        if !receipts.ends.contains_key(name) {
            let begun = create_pass(&**store.disk(), &pass_head(&pass_name(name)));
            if let Err(error @ ManifestError::Disk(_)) = begun {
                return Err(error.into());
            }
            receipts.ends.insert(name.to_owned(), (0, 0));
        }
    }
    for batch in 0..batches {
        let due: Vec<_> =
            WORKLOADS.into_iter().filter(|name| receipts.ends[*name].0 <= batch).collect();
        send(bench, &store, &mut writer, &due, batch)?;
        for name in due {
            let receipt = note(bench, &store, name, batch, receipts.ends[name])?;
            receipts.ends.insert(name.to_owned(), receipt);
        }
        if batch == 1 {
            writer.close_workload(&workload("beta"));
        }
    }
    writer.close()?;
    Ok(())
}

fn send(
    bench: &Bench,
    store: &Store,
    writer: &mut Writer,
    due: &[&str],
    batch: u32,
) -> Result<(), Failure> {
    let mut failure: Option<Failure> = None;
    for _ in 0..3 {
        failure = None;
        for name in due {
            for content in contents(name, batch) {
                if !store.contains(&bench.key().name(&content)) {
                    let (frame, header) = bench.frame(&[content]);
                    let appended = writer.append(&workload(name), &frame, &header);
                    failure = appended.err().map(Into::into).or(failure);
                }
            }
        }
        let committed = writer.commit();
        failure = committed.err().map(Into::into).or(failure);
        if failure.is_none() {
            let wanted = due.iter().flat_map(|name| contents(name, batch));
            let is_durable = |content: Vec<u8>| store.is_durable(&bench.key().name(&content));
            assert!(wanted.into_iter().all(is_durable), "a commit without an error left gaps");
            break;
        }
    }
    failure.map_or(Ok(()), Err)
}

fn note(
    bench: &Bench,
    store: &Store,
    name: &str,
    batch: u32,
    (number, end_bytes): (u32, u64),
) -> Result<(u32, u64), Failure> {
    let records = batch_records(bench, name, batch);
    let mut last = None;
    for _ in 0..3 {
        let written = ManifestWriter::reopen(store.disk(), &pass_name(name), RUN, Some(end_bytes))
            .and_then(|(mut writer, _)| {
                let end = writer.append(&segment_head(number, &records), &records)?;
                writer.sync()?;
                Ok(end)
            });
        match written {
            Ok(end) => return Ok((number + 1, end)),
            Err(error) => last = Some(error),
        }
    }
    Err(last.map_or_else(|| "never tried".into(), Into::into))
}

/// Everything under a receipt is there and right. Says what is not.
fn check(bench: &Bench, store: &Store, receipts: &Receipts) -> Result<(), String> {
    for (name, (segments, end_bytes)) in &receipts.ends {
        let mut pass = Pass::open(store.disk(), &pass_name(name)).map_err(|e| e.to_string())?;
        pass.limit(&[RunEnd { run: RUN, end_bytes: *end_bytes }]);
        let steps: Vec<_> = pass.merged().collect();
        let expected: Vec<_> = (0..*segments)
            .flat_map(|batch| batch_records(bench, name, batch))
            .map(Step::Record)
            .collect();
        if steps != expected {
            return Err(format!("{name}: {steps:?} instead of {expected:?}"));
        }
        for expected in (0..*segments).flat_map(|batch| contents(name, batch)) {
            let id = bench.key().name(&expected);
            if !store.is_durable(&id) || content(store, &id) != Some(expected) {
                return Err(format!("{name}: chunk {id} is not what it was"));
            }
        }
    }
    Ok(())
}

fn bench_with(keys: &Arc<KeyRing>) -> Bench {
    Bench { disk: FaultyDisk::new(), keys: Arc::clone(keys), _folder: tempfile::tempdir().unwrap() }
}

/// Strikes once with `fault`, perhaps takes the power too, and looks whether all is well.
fn strike(bench: &Bench, fault: Fault, power: Option<u64>) -> bool {
    let mut receipts = Receipts::default();
    bench.disk.arm(Some(fault));
    let ran = run(bench, &mut receipts, BATCHES);
    let operations = bench.disk.operations();
    let struck = match fault {
        Fault::Crash(at) | Fault::Fail(at) | Fault::Full(at) | Fault::LieAboutSync(at) => {
            operations >= at
        }
    };
    bench.disk.arm(None);
    let seen = format!("{fault:?}, power {power:?}, ran {ran:?}, {receipts:?}");
    if let Some(seed) = power {
        bench.disk.power_cycle(seed);
    }
    if !matches!(fault, Fault::Crash(_)) || power.is_some() {
        check(bench, &bench.read().0, &receipts).unwrap_or_else(|what| panic!("{seen}: {what}"));
        let (store, writer, _) = bench.open().unwrap_or_else(|error| panic!("{seen}: {error}"));
        check(bench, &store, &receipts).unwrap_or_else(|what| panic!("{seen}: {what}"));
        drop(writer);
        run(bench, &mut receipts, BATCHES).unwrap_or_else(|error| panic!("{seen}: {error}"));
        bench.disk.power_cycle(0);
        let store = bench.read().0;
        assert!(receipts.ends.values().all(|(segments, _)| *segments == BATCHES), "{seen}");
        check(bench, &store, &receipts).unwrap_or_else(|what| panic!("{seen}: {what}"));
    }
    struck
}

fn strike_everywhere(fault: impl Fn(u64) -> Fault, powers: &[Option<u64>]) {
    let keys = Bench::new();
    for power in powers {
        let mut at = 1;
        while strike(&bench_with(&keys.keys), fault(at), *power) {
            at += 1;
        }
        assert!(at > 40, "only {at} operations");
    }
}

#[test]
fn power_may_go_at_any_operation() {
    strike_everywhere(Fault::Crash, &[Some(0), Some(1), Some(2), Some(3), Some(4), Some(5)]);
}

#[test]
fn any_operation_may_fail() {
    strike_everywhere(Fault::Fail, &[None, Some(0), Some(1), Some(2)]);
}

#[test]
fn the_disk_may_be_full_at_any_operation() {
    strike_everywhere(Fault::Full, &[None, Some(1)]);
}

/// Recovery writes too: power may go again while it is under way.
#[test]
fn power_may_go_again_while_a_crash_is_mended() {
    let keys = Bench::new();
    for first in (15..60).step_by(4) {
        for second in 1..12 {
            let bench = bench_with(&keys.keys);
            let mut receipts = Receipts::default();
            bench.disk.arm(Some(Fault::Crash(first)));
            drop(run(&bench, &mut receipts, BATCHES));
            bench.disk.power_cycle(first);
            bench.disk.arm(Some(Fault::Crash(second)));
            drop(run(&bench, &mut receipts, BATCHES));
            bench.disk.power_cycle(second);
            let (store, writer, _) = bench.open().unwrap();
            check(&bench, &store, &receipts).unwrap();
            drop(writer);
            run(&bench, &mut receipts, BATCHES).unwrap();
            check(&bench, &bench.read().0, &receipts).unwrap();
        }
    }
}

/// The tests above would notice a missing fsync: of a pack and of a manifest always. The index log
/// is a cache, so its sync alone may be lost without harm.
#[test]
fn a_sync_that_lies_is_caught() {
    let keys = Bench::new();
    let is_caught = |sync| {
        (0..12).any(|seed| {
            let bench = bench_with(&keys.keys);
            let mut receipts = Receipts::default();
            let (store, mut writer, _) = bench.open().unwrap();
            for name in WORKLOADS {
                create_pass(&**store.disk(), &pass_head(&pass_name(name))).unwrap();
            }
            bench.disk.arm(Some(Fault::LieAboutSync(sync)));
            send(&bench, &store, &mut writer, &WORKLOADS, 0).unwrap();
            for name in WORKLOADS {
                let receipt = note(&bench, &store, name, 0, (0, 0)).unwrap();
                receipts.ends.insert(name.to_owned(), receipt);
            }
            assert_eq!(bench.disk.syncs(), 5);
            bench.disk.power_cycle(seed);
            let opened = bench.open();
            opened.is_err() || check(&bench, &opened.unwrap().0, &receipts).is_err()
        })
    };
    let caught: Vec<u64> = (1..=6).filter(|sync| is_caught(*sync)).collect();
    assert_eq!(caught, [1, 2, 4, 5], "packs 1 and 2, index log 3, manifests 4 and 5");
}
