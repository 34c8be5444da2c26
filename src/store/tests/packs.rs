//! Packs and the index over several lives of a store.

use super::*;
use crate::store::pack::{PACK_BYTES_MAX, PACK_CHUNKS_MAX};

fn contents(range: std::ops::Range<u64>) -> Vec<Vec<u8>> {
    range.map(|number| noise(number, 1_000)).collect()
}

#[test]
fn chunks_come_back_and_are_stored_once() {
    let bench = Bench::new();
    let (store, mut writer, report) = bench.open().unwrap();
    assert_eq!((report.packs, report.chunks), (0, 0));
    let first = append(&bench, &mut writer, "acme", &contents(0..3));
    assert_eq!((first.new_chunks, first.reused_chunks), (3, 0));
    assert_eq!(append(&bench, &mut writer, "beta", &contents(0..3)).stored_bytes, Bytes::ZERO);
    let second = append(&bench, &mut writer, "beta", &contents(2..5));
    assert_eq!((second.new_chunks, second.reused_chunks), (2, 1));
    let ids: Vec<_> = contents(0..5).iter().map(|c| bench.key().name(c)).collect();
    assert!(ids.iter().all(|id| store.contains(id) && !store.is_durable(id)));
    writer.commit().unwrap();
    assert!(ids.iter().all(|id| store.is_durable(id)));
    assert_eq!(store.chunk_count(), 5);
    for (id, expected) in ids.iter().zip(contents(0..5)) {
        assert_eq!(content(&store, id), Some(expected));
    }
}

#[test]
fn a_sealed_store_opens_without_reading_a_pack() {
    let bench = Bench::new();
    let (_, mut writer, _) = bench.open().unwrap();
    append(&bench, &mut writer, "acme", &contents(0..3));
    writer.commit().unwrap();
    append(&bench, &mut writer, "acme", &contents(3..6));
    append(&bench, &mut writer, "beta", &contents(6..9));
    writer.close().unwrap();
    let before = bench.files("");
    let (store, writer, report) = bench.open().unwrap();
    assert_eq!((report.packs, report.chunks, report.read_packs), (2, 9, 0));
    assert_eq!(content(&store, &bench.key().name(&contents(4..5)[0])), Some(noise(4, 1_000)));
    writer.close().unwrap();
    assert_eq!(bench.files(""), before, "opening a store in order leaves no trace");
}

#[test]
fn an_unsealed_pack_is_cut_after_its_last_whole_frame_and_sealed() {
    let bench = Bench::new();
    let (_, mut writer, _) = bench.open().unwrap();
    append(&bench, &mut writer, "acme", &contents(0..3));
    append(&bench, &mut writer, "acme", &contents(3..6));
    append(&bench, &mut writer, "beta", &contents(6..9));
    drop(writer);
    let [acme, beta] = bench.files("packs/").try_into().unwrap();
    bench.disk.damage(&acme, |bytes| bytes.truncate(bytes.len() - 1));
    bench.disk.damage(&beta, |bytes| bytes.truncate(100));
    let (store, report) = bench.read();
    assert_eq!((store.chunk_count(), report.packs, report.torn_bytes > 1_000), (3, 1, true));
    let (store, _, report) = bench.open().unwrap();
    assert_eq!((store.chunk_count(), report.packs, report.sealed_packs), (3, 1, 1));
    assert_eq!(report.removed_packs, [beta]);
    assert_eq!(report.damaged_packs, []);
    assert!(store.is_durable(&bench.key().name(&noise(2, 1_000))));
    bench.disk.power_cycle(1);
    let (store, _, report) = bench.open().unwrap();
    assert_eq!((store.chunk_count(), report.read_packs), (3, 0));
}

#[test]
fn a_lost_or_damaged_index_comes_back_from_the_packs() {
    let bench = Bench::new();
    let (_, mut writer, _) = bench.open().unwrap();
    append(&bench, &mut writer, "acme", &contents(0..3));
    writer.commit().unwrap();
    append(&bench, &mut writer, "acme", &contents(3..6));
    writer.close().unwrap();
    let [log] = bench.files("index/").try_into().unwrap();
    let length = bench.disk.length(&log).unwrap() as usize;
    for at in [3, 20, 40, length / 2, length - 1] {
        assert!(bench.disk.damage(&log, |bytes| bytes[at] ^= 1));
        let (store, report) = bench.read();
        assert_eq!((store.chunk_count(), report.read_packs), (6, 1), "byte {at}");
        assert!(bench.disk.damage(&log, |bytes| bytes[at] ^= 1));
    }
    assert_eq!(bench.read().1.read_packs, 0);
    bench.disk.lose(&log);
    assert_eq!(bench.open().unwrap().2.read_packs, 1);
    assert_eq!(bench.open().unwrap().2.read_packs, 0, "the log was made good");
}

#[test]
fn damage_in_an_unsealed_pack_costs_its_frame_alone() {
    let bench = Bench::new();
    let (_, mut writer, _) = bench.open().unwrap();
    for start in [0, 3, 6] {
        append(&bench, &mut writer, "acme", &contents(start..start + 3));
    }
    writer.commit().unwrap();
    drop(writer);
    let [pack] = bench.files("packs/").try_into().unwrap();
    let length = bench.disk.length(&pack).unwrap() as usize;
    bench.disk.damage(&pack, |bytes| bytes[length / 2] ^= 1);
    let (store, _, report) = bench.open().unwrap();
    assert_eq!((store.chunk_count(), report.damaged_packs.len()), (6, 1));
    assert!(!store.contains(&bench.key().name(&noise(4, 1_000))));
    assert!(store.is_durable(&bench.key().name(&noise(8, 1_000))));
    let (store, _, report) = bench.open().unwrap();
    assert_eq!((store.chunk_count(), report.read_packs), (6, 0));
}

#[test]
fn a_sealed_pack_that_is_cut_short_is_read_and_left_alone() {
    let bench = Bench::new();
    let (_, mut writer, _) = bench.open().unwrap();
    append(&bench, &mut writer, "acme", &contents(0..3));
    append(&bench, &mut writer, "acme", &contents(3..6));
    writer.close().unwrap();
    let [pack] = bench.files("packs/").try_into().unwrap();
    bench.disk.damage(&pack, |bytes| bytes.truncate(5_000));
    for _ in 0..2 {
        let (store, _, report) = bench.open().unwrap();
        assert_eq!((store.chunk_count(), report.damaged_packs.len()), (3, 1));
        assert_eq!(bench.disk.length(&pack).unwrap(), 5_000);
    }
    bench.disk.lose(&pack);
    let (store, _, report) = bench.open().unwrap();
    assert_eq!((store.chunk_count(), report.missing_packs), (0, vec![pack]));
}

#[test]
fn packs_roll_at_64_mib_and_keep_workloads_apart() {
    let bench = Bench::new();
    let (store, mut writer, _) = bench.open().unwrap();
    for number in 0..65 {
        append(&bench, &mut writer, "acme", &[noise(number, 1 << 20)]);
    }
    append(&bench, &mut writer, "beta", &contents(5_000..5_001));
    writer.commit().unwrap();
    assert_eq!(store.pack_count(), 3);
    assert_eq!(bench.files("packs/beta/").len(), 1);
    let lengths: Vec<_> = bench.disk.list("packs/acme/").unwrap();
    assert_eq!(lengths.len(), 2);
    assert!(lengths.iter().all(|file| file.length <= u64::from(PACK_BYTES_MAX)));
    assert!(lengths.iter().any(|file| file.length > u64::from(PACK_BYTES_MAX) - (3 << 20)));
    drop(writer);
    assert_eq!(bench.open().unwrap().2.read_packs, 2, "the full pack was sealed");
}

#[test]
fn a_pack_of_tiny_chunks_ends_before_their_names_fill_the_memory() {
    let bench = Bench::new();
    let (store, mut writer, _) = bench.open().unwrap();
    let tiny = |range: std::ops::Range<u64>| -> Vec<Vec<u8>> {
        range.map(|number| number.to_le_bytes().to_vec()).collect()
    };
    let frames = PACK_CHUNKS_MAX as u64 / 10_000;
    for frame in 0..=frames {
        append(&bench, &mut writer, "acme", &tiny(frame * 10_000..(frame + 1) * 10_000));
    }
    writer.close().unwrap();
    assert_eq!(bench.files("packs/").len(), 2);
    assert_eq!(store.chunk_count(), 10_000 * (frames + 1));
    let (store, _, report) = bench.open().unwrap();
    assert_eq!((report.packs, report.read_packs), (2, 0));
    let last = tiny(10_000 * frames..10_000 * frames + 1).remove(0);
    assert_eq!(content(&store, &bench.key().name(&last)), Some(last));
}

#[test]
fn few_packs_are_open_at_a_time() {
    let bench = Bench::new();
    let (store, mut writer, _) = bench.open().unwrap();
    let count = writer::OPEN_PACKS_MAX as u64 + 100;
    for number in 0..count {
        append(&bench, &mut writer, &format!("w{number}"), &contents(number..number + 1));
    }
    assert_eq!(format!("{writer:?}"), format!("Writer({} open packs)", writer::OPEN_PACKS_MAX));
    writer.commit().unwrap();
    assert!((0..count).all(|n| store.is_durable(&bench.key().name(&noise(n, 1_000)))));
    drop(writer);
    let (store, _, report) = bench.open().unwrap();
    assert_eq!((store.chunk_count(), report.read_packs), (count, writer::OPEN_PACKS_MAX as u32));
}

#[test]
fn a_failed_sync_condemns_its_pack_and_asks_for_its_chunks_again() {
    let bench = Bench::new();
    let (store, mut writer, _) = bench.open().unwrap();
    append(&bench, &mut writer, "acme", &contents(0..3));
    writer.commit().unwrap();
    append(&bench, &mut writer, "acme", &contents(3..6));
    append(&bench, &mut writer, "beta", &contents(6..9));
    bench.disk.arm(Some(Fault::Fail(1)));
    let error = writer.commit().unwrap_err();
    let ids = |range| -> Vec<_> { contents(range).iter().map(|c| bench.key().name(c)).collect() };
    assert_eq!(error.condemned, ids(3..6));
    assert!(ids(0..3).iter().chain(&ids(6..9)).all(|id| store.is_durable(id)));
    assert!(ids(3..6).iter().all(|id| !store.contains(id)));
    writer.commit().unwrap();
    append(&bench, &mut writer, "acme", &contents(3..6));
    writer.commit().unwrap();
    bench.disk.power_cycle(0);
    let (store, _, _) = bench.open().unwrap();
    assert!((0..9).all(|n| content(&store, &bench.key().name(&noise(n, 1_000))).is_some()));
    let (_, _, report) = bench.open().unwrap();
    assert_eq!(report.read_packs, 1, "the condemned pack is read every time");
}

#[test]
fn a_full_disk_stops_one_append_and_leaves_the_store_in_order() {
    let bench = Bench::new();
    let (store, mut writer, _) = bench.open().unwrap();
    append(&bench, &mut writer, "acme", &contents(0..3));
    let (frame, header) = bench.frame(&contents(3..6));
    bench.disk.arm(Some(Fault::Full(1)));
    let error = writer.append(&workload("acme"), &frame, &header).unwrap_err();
    assert_eq!(error.disk_kind(), Some(DiskErrorKind::Full));
    assert!(!store.contains(&header.chunks[0].id));
    writer.append(&workload("acme"), &frame, &header).unwrap();
    writer.close().unwrap();
    let (store, _, report) = bench.open().unwrap();
    assert_eq!((store.chunk_count(), report.read_packs, report.packs), (6, 0, 1));
}

#[test]
fn a_failed_index_log_is_begun_anew() {
    let bench = Bench::new();
    let (store, mut writer, _) = bench.open().unwrap();
    append(&bench, &mut writer, "acme", &contents(0..3));
    writer.commit().unwrap();
    append(&bench, &mut writer, "acme", &contents(3..6));
    bench.disk.arm(Some(Fault::Fail(2)));
    assert_eq!(writer.commit().unwrap_err().condemned, []);
    assert!(!store.is_durable(&bench.key().name(&noise(4, 1_000))));
    writer.close().unwrap();
    assert!(store.is_durable(&bench.key().name(&noise(4, 1_000))));
    assert_eq!(bench.files("index/").len(), 2);
    let (store, _, report) = bench.open().unwrap();
    assert_eq!((store.chunk_count(), report.read_packs), (6, 0));
    bench.disk.lose("index/00000001");
    let (store, _, report) = bench.open().unwrap();
    assert_eq!((store.chunk_count(), report.read_packs), (6, 1), "the gap is noticed");
}

#[test]
fn a_lost_key_is_an_error_that_names_its_file() {
    let bench = Bench::new();
    let (store, mut writer, _) = bench.open().unwrap();
    store.domain_key(&DomainName::Fleet).unwrap();
    append(&bench, &mut writer, "acme", &contents(0..3));
    drop(writer);
    let path = bench.keys.path(DomainName::Fleet.domain());
    std::fs::remove_file(&path).unwrap();
    let keys = Arc::new(KeyRing::open(path.parent().unwrap()).unwrap());
    let disk: Arc<dyn Disk> = Arc::new(bench.disk.clone());
    let error = Store::open(Arc::clone(&disk), Arc::clone(&keys)).unwrap_err();
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    let (store, report) = Store::open_read_only(disk, keys).unwrap();
    assert_eq!(report.missing_keys, std::slice::from_ref(&path));
    assert!(store.domain_key(&DomainName::Fleet).is_err());
    assert!(!path.exists());
}

#[test]
fn a_reader_changes_nothing_while_a_writer_is_at_work() {
    let bench = Bench::new();
    let (_, mut writer, _) = bench.open().unwrap();
    append(&bench, &mut writer, "acme", &contents(0..3));
    writer.commit().unwrap();
    append(&bench, &mut writer, "acme", &contents(3..6));
    let [pack] = bench.files("packs/").try_into().unwrap();
    let before = (bench.files(""), bench.disk.length(&pack).unwrap());
    let (reader, report) = bench.read();
    assert_eq!((reader.chunk_count(), report.packs), (6, 1));
    assert_eq!((bench.files(""), bench.disk.length(&pack).unwrap()), before);
    append(&bench, &mut writer, "acme", &contents(6..9));
    writer.close().unwrap();
    assert_eq!(bench.read().0.chunk_count(), 9);
}

#[test]
fn a_store_in_a_real_folder_lives_through_a_kill() {
    let (bench, folder) = (Bench::new(), tempfile::tempdir().unwrap());
    let open = || {
        let disk = Arc::new(LocalDisk::open(folder.path()).unwrap());
        Store::open(disk, Arc::clone(&bench.keys)).unwrap()
    };
    let (_, mut writer, _) = open();
    for number in 0..10 {
        let name = format!("w{}", number % 3);
        append(&bench, &mut writer, &name, &contents(number..number + 1));
        if number == 6 {
            writer.commit().unwrap();
        }
    }
    drop(writer);
    let (store, writer, report) = open();
    assert_eq!((report.packs, report.sealed_packs, report.torn_bytes), (3, 3, 0));
    for (number, expected) in (0..).zip(contents(0..10)) {
        let id = bench.key().name(&expected);
        assert!(store.is_durable(&id), "{number}");
        assert_eq!(content(&store, &id), Some(expected));
    }
    writer.close().unwrap();
    assert_eq!(open().2.read_packs, 0);
}

/// Whatever the store calls durable is there after the power went, whatever happened before.
fn survives_power(bench: &Bench, numbers: std::ops::Range<u64>) -> Vec<u64> {
    let (store, writer, _) = bench.open().unwrap();
    let id = |number| bench.key().name(&noise(number, 1_000));
    let durable: Vec<_> = numbers.filter(|number| store.is_durable(&id(*number))).collect();
    drop(writer);
    for seed in 0..6 {
        bench.disk.power_cycle(seed);
        let (store, _, _) = bench.open().unwrap();
        for number in &durable {
            let expected = Some(noise(*number, 1_000));
            assert_eq!(content(&store, &id(*number)), expected, "seed {seed}");
        }
    }
    durable
}

#[test]
fn what_a_killed_writer_left_is_synced_before_it_counts() {
    let bench = Bench::new();
    let (_, mut writer, _) = bench.open().unwrap();
    append(&bench, &mut writer, "acme", &contents(0..3));
    writer.close_workload(&workload("acme"));
    append(&bench, &mut writer, "beta", &contents(3..6));
    drop(writer);
    assert_eq!(survives_power(&bench, 0..6), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn bytes_of_a_failed_sync_are_never_believed_again() {
    for committed in [0, 3] {
        let bench = Bench::new();
        let (_, mut writer, _) = bench.open().unwrap();
        if committed > 0 {
            append(&bench, &mut writer, "acme", &contents(0..committed));
            writer.commit().unwrap();
        }
        append(&bench, &mut writer, "acme", &contents(committed..6));
        bench.disk.arm(Some(Fault::Fail(1)));
        assert_eq!(writer.commit().unwrap_err().condemned.len() as u64, 6 - committed);
        drop(writer);
        for log in bench.files("index/") {
            bench.disk.lose(&log);
        }
        let left: Vec<_> = (0..committed).collect();
        assert_eq!(survives_power(&bench, 0..6), left);
    }
}
