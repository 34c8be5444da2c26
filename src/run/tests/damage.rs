//! What is stored of a pass rots while the run goes on: that pass is lost, and nothing else.

use super::*;
use crate::model::Reason;
use crate::run::shelf::ShelfError;
use crate::store::{DiskError, DiskErrorKind, ManifestError, SegmentFault};

/// Does something to the first `times` passes of a host when a sweep of them begins.
fn at_sweep(host: &str, times: usize, harm: impl Fn(&PassName) + Send + Sync + 'static) -> OnEvent {
    let (host, left) = (workload(host), Mutex::new(times));
    Box::new(move |_, _, event| {
        let mut left = left.lock().unwrap();
        if let Event::RunBegan { workload, pass, run: RunNumber(1) } = event
            && *workload == host
            && *left > 0
        {
            *left -= 1;
            harm(&PassName { workload: workload.clone(), pass: *pass });
        }
    })
}

/// Changes a byte in the middle of a file.
fn rot(disk: &FaultyDisk, file: &str) {
    let rotten = disk.damage(file, |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    });
    assert!(rotten, "{file}");
}

/// The pass is given up and said to be; the next one brings everything, and nothing twice.
fn assert_costs_one_pass(sources: &Sources, landing: &Landing, harm: OnEvent) {
    let ran = landing.run(Agents::default(), harm);
    let seen = format!("{:?} {:#?}", ran.end, ran.events);
    assert!(ran.is_whole(), "{seen}");
    let is_noted = |event: &&Event| {
        matches!(event, Event::Noted { what, text, .. }
        if what == "workload/alpha-tree" && text.starts_with("pass 1 does not go on"))
    };
    assert_eq!(ran.events.iter().filter(is_noted).count(), 1, "{seen}");
    let ledger = landing.ledger();
    let sealed = |host| -> Vec<bool> {
        let passes = ledger.passes(&workload(host)).unwrap();
        passes.iter().map(|pass| pass.sealed_at.is_some()).collect()
    };
    assert_eq!((sealed("alpha"), sealed("beta")), (vec![false, true], vec![true]), "{seen}");
    let mut sent = BTreeSet::new();
    for (id, _) in ran.agents.count("alpha").sent {
        assert!(sent.insert(id), "sent twice: {seen}");
    }
    assert_eq!(ran.agents.count("beta").dials, 1, "{seen}");
    landing.assert_restores(sources);
}

#[test]
fn a_walk_that_cannot_be_read_back_costs_its_pass_alone() {
    let sources = Sources::new();
    let landing = Landing::new(&sources);
    let disk = landing.disk.clone();
    let harm = at_sweep("alpha", 1, move |pass| rot(&disk, &pass.run_file(RunNumber(0))));
    assert_costs_one_pass(&sources, &landing, harm);
}

#[test]
fn a_pass_that_cannot_be_opened_for_its_sweep_costs_that_pass_alone() {
    let sources = Sources::new();
    for is_lost in [false, true] {
        let landing = Landing::new(&sources);
        let disk = landing.disk.clone();
        let harm = at_sweep("alpha", 1, move |pass| {
            if is_lost {
                assert!(disk.lose(&pass.file("head")));
            } else {
                rot(&disk, &pass.file("head"));
            }
        });
        assert_costs_one_pass(&sources, &landing, harm);
    }
}

/// A landing disk that spoils every pass is sick: the workload is put off, the others are not.
#[test]
fn passes_that_keep_rotting_end_and_the_other_host_is_captured() {
    let sources = Sources::new();
    let landing = Landing::new(&sources);
    let disk = landing.disk.clone();
    let harm = at_sweep("alpha", usize::MAX, move |pass| rot(&disk, &pass.file("head")));
    let ran = landing.run(Agents::default(), harm);
    let seen = format!("{:?} {:#?}", ran.end, ran.events);
    let end = ran.end.as_ref().unwrap();
    assert_eq!((end.report.captured, end.report.partial), (1, 1), "{seen}");
    assert!(end.has_work_left, "{seen}");
    let is_told = |event: &Event| {
        matches!(event, Event::CaptureStopped { workload: of, reason: Reason::LandingError, .. }
            if *of == workload("alpha"))
    };
    assert!(ran.events.iter().any(is_told), "{seen}");
    // The same command tries again.
    assert!(landing.run(Agents::default(), unwatched()).is_whole());
    landing.assert_restores(&sources);
}

#[test]
fn a_disk_that_fails_is_not_a_pass_that_rotted() {
    let fault = |failure| {
        let (file, why) = ("manifests/a/1/run-00000".to_owned(), "seen".to_owned());
        ShelfError::Unreadable(SegmentFault { file, offset: 0, why, from: None, to: None, failure })
    };
    for kind in [DiskErrorKind::Failed, DiskErrorKind::Full] {
        assert!(!fault(Some(kind)).is_damage(), "{kind:?}");
    }
    assert!(fault(None).is_damage());
    assert!(fault(Some(DiskErrorKind::NotFound)).is_damage());
    let failed = DiskError::new("read", "a", std::io::Error::other("made to fail"));
    assert!(!ShelfError::from(ManifestError::from(failed)).is_damage());
}
