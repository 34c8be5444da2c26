//! What is bad is listed, mended from a twin, or brought again; then damaged packs are cleared.

use super::*;
use crate::store::mirror::Mirror;

fn flip(captured: &Captured, name: &str, number: u64) -> String {
    let (pack, offset) = captured.pack(name, number);
    captured.bench.disk.damage(&pack, |bytes| bytes[offset + 1_000] ^= 1);
    pack
}

/// A deep look, and what it found is listed.
fn list(captured: &Captured) -> usize {
    let (store, _) = captured.bench.read();
    let report = verify(&store, &captured.passes, true, &mut |_| {}).unwrap();
    put_damaged(&captured.bench.disk, report.damaged).unwrap();
    read_damaged(&captured.bench.disk).len()
}

/// The same store on another disk, as it is now.
fn twin(captured: &Captured) -> Arc<dyn Disk> {
    let twin = MemoryDisk::new();
    for file in captured.bench.files("") {
        twin.put(&file, &captured.bench.disk.read(&file, 0, 1 << 26).unwrap()).unwrap();
    }
    Arc::new(twin)
}

#[test]
fn what_is_listed_counts_as_not_there_until_it_is_well_again() {
    let captured = capture();
    let id = captured.bench.key().name(&own("acme", 0));
    flip(&captured, "acme", 0);
    assert_eq!(list(&captured), 1);
    for is_logged in [true, false] {
        if !is_logged {
            lose_logs(&captured);
        }
        let (store, _) = captured.bench.read();
        assert!(!store.contains(&id), "{is_logged}");
        assert_eq!((store.lost_count(), store.unwell_packs().unwrap().len()), (2, 1));
        let bad = captured.verify(false).bad;
        assert_eq!((bad.len(), bad[0].kind), (1, BadKind::DamagedFrame));
    }
    // The disk failed for a moment only.
    let pack = captured.bench.read().0.unwell_packs().unwrap()[0].file();
    let at = read_damaged(&captured.bench.disk)[0].offset as usize + 1_000;
    captured.bench.disk.damage(&pack, |bytes| bytes[at] ^= 1);
    assert_eq!(list(&captured), 0);
    assert!(captured.bench.read().0.contains(&id));
    assert_eq!(captured.verify(true).bad, []);
}

#[test]
fn a_list_that_rotted_is_as_good_as_none() {
    let captured = capture();
    flip(&captured, "acme", 0);
    assert_eq!(list(&captured), 1);
    captured.bench.disk.damage("damaged", |bytes| bytes[20] ^= 1);
    assert_eq!(captured.verify(false).bad, []);
    assert_eq!(list(&captured), 1);
}

#[test]
fn whole_twins_mend_packs_and_others_do_not() {
    let captured = capture();
    let good = twin(&captured);
    let frame = flip(&captured, "acme", 0);
    let (cut, offset) = captured.pack("beta", 1);
    captured.bench.disk.damage(&cut, |bytes| bytes.truncate(offset + 50));
    list(&captured);
    let bad = twin(&captured);
    let mend = |twins: &[Arc<dyn Disk>]| captured.bench.read().0.mend(twins).unwrap().packs;
    assert_eq!(mend(&[]), 0);
    assert_eq!(mend(std::slice::from_ref(&bad)), 0);
    assert_eq!(mend(&[bad, good.clone()]), 2);
    assert_eq!(captured.verify(true).bad, []);
    for pack in [frame, cut] {
        let all = 1 << 26;
        let mended = captured.bench.disk.read(&pack, 0, all).unwrap();
        assert_eq!(mended, good.read(&pack, 0, all).unwrap());
    }
}

#[test]
fn a_pack_gets_its_footer_back_from_its_own_frames() {
    let captured = capture();
    let (pack, _) = captured.pack("beta", 0);
    let before = captured.bench.disk.read(&pack, 0, 1 << 26).unwrap();
    captured.bench.disk.damage(&pack, |bytes| *bytes.last_mut().unwrap() ^= 1);
    assert_eq!(list(&captured), 1);
    assert_eq!(captured.bench.read().0.mend(&[]).unwrap().packs, 1);
    assert_eq!(captured.bench.disk.read(&pack, 0, 1 << 26).unwrap(), before);
    assert_eq!((list(&captured), captured.verify(true).bad), (0, vec![]));
}

#[test]
fn a_healed_pack_is_cleared_and_what_is_needed_of_it_moves() {
    let captured = capture();
    let pack = flip(&captured, "acme", 0);
    list(&captured);
    let clear = || {
        let (store, writer, _) = captured.bench.open().unwrap();
        rescue(&store, writer, &captured.passes).unwrap()
    };
    let missing = |store: &Store| {
        let mut lost = 0;
        for pass in &captured.passes {
            assert!(crate::store::verify::missing(store, pass, &mut |_| lost += 1).unwrap());
        }
        lost
    };
    let (store, mut writer, _) = captured.bench.open().unwrap();
    assert_eq!(missing(&store), 4);
    append(&captured.bench, &mut writer, "gamma", &[own("acme", 0), noise(1, 2_000)]);
    writer.close().unwrap();
    assert_eq!(missing(&store), 0);
    assert_eq!(clear(), 1);
    assert!(!captured.bench.files("packs/").contains(&pack));
    assert_eq!(captured.verify(true).bad, []);
    let (store, _) = captured.bench.read();
    assert_eq!((missing(&store), store.lost_count()), (0, 0));
    assert_eq!(store.unwell_packs().unwrap(), []);
    assert_eq!(clear(), 0);
}

#[test]
fn while_somebody_cannot_be_asked_what_he_needs_a_damaged_pack_stays_as_evidence() {
    for is_open in [true, false] {
        let captured = capture();
        let pack = flip(&captured, "acme", 0);
        list(&captured);
        let (_, mut writer, _) = captured.bench.open().unwrap();
        append(&captured.bench, &mut writer, "gamma", &[noise(1, 2_000)]);
        writer.close().unwrap();
        // The others miss nothing. Acme needs the rest of that pack, and its list of pieces rotted.
        let files = captured.bench.files(&captured.passes[0].name.file(""));
        let rots = |file: &&String| is_open != file.ends_with("/head");
        for file in files.iter().filter(rots) {
            captured.bench.disk.damage(file, |bytes| *bytes.last_mut().unwrap() ^= 1);
        }
        let (store, writer, _) = captured.bench.open().unwrap();
        assert_eq!(rescue(&store, writer, &captured.passes).unwrap(), 1);
        let kept = pack.replacen("packs/", "evidence/", 1);
        assert!(captured.bench.files("").contains(&kept), "{files:?}");
    }
}

#[test]
fn what_rots_here_does_not_replace_what_is_whole_in_the_mirror() {
    type Rot = fn(&mut Vec<u8>);
    let rots: [(Rot, &str); 3] = [
        (|bytes| *bytes.last_mut().unwrap() ^= 1, "run"),
        (|bytes| bytes.truncate(bytes.len() - 1), "run"),
        (|bytes| *bytes.last_mut().unwrap() ^= 1, "head"),
    ];
    for (rot, what) in rots {
        let captured = capture();
        let pass = &captured.passes[1];
        let mirror: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
        let round = || {
            let (store, _) = captured.bench.read();
            let mut to = Mirror::new(store, Arc::clone(&mirror), || false);
            captured.passes.iter().map(|pass| to.pass(pass).unwrap()).collect::<Vec<_>>()
        };
        assert!(round().iter().all(Option::is_none));
        let file = match what {
            "run" => pass.name.run_file(RunNumber(0)),
            _ => pass.name.file("head"),
        };
        let whole = mirror.read(&file, 0, 1 << 20).unwrap();
        captured.bench.disk.damage(&file, rot);
        assert!(round().iter().any(Option::is_some), "the damage is told");
        assert_eq!(mirror.read(&file, 0, 1 << 20).unwrap(), whole, "{file}");
    }
}
