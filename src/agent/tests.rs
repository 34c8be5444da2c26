//! An agent over a socket pair, with a landing site of a few lines at the other end.

mod landing;

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::*;
use crate::capture::Record;
use crate::chunk::DomainKey;
use crate::model::{Domain, Generation, RunNumber, TreePath};
use crate::wire::{Grant, LinkAnswer, ToAgent, ToLanding, VERSION};
use landing::Landing;

pub(super) fn key() -> DomainKey {
    DomainKey::new(Domain([1; 8]), [7; 32])
}

/// A tree with small, large, sparse, linked and empty files.
fn plant(root: &Path) {
    let noise = |n: usize, seed: u32| -> Vec<u8> {
        let mut state = seed;
        (0..n)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect()
    };
    std::fs::create_dir_all(root.join("d/e")).unwrap();
    std::fs::write(root.join("a-large"), noise(5_000_000, 1)).unwrap();
    std::fs::write(root.join("d/small"), b"hello").unwrap();
    std::fs::write(root.join("d/e/empty"), b"").unwrap();
    std::fs::write(root.join("d/e/same"), noise(300_000, 2)).unwrap();
    std::fs::write(root.join("z-same"), noise(300_000, 2)).unwrap();
    std::fs::hard_link(root.join("d/small"), root.join("linked")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", root.join("link")).unwrap();
    let sparse = std::fs::File::create(root.join("sparse")).unwrap();
    sparse.set_len(1 << 40).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, b"end", 1 << 30).unwrap();
    for n in 0..300 {
        std::fs::write(root.join(format!("d/e/n{n:03}")), noise(n * 37, n as u32)).unwrap();
    }
}

fn compare(root: &Path, landing: &Landing) {
    use std::os::unix::ffi::OsStrExt;
    let files = landing.files_without_sparse();
    for (path, content) in &files {
        let real = std::fs::read(path.as_path()).unwrap();
        assert!(real == *content, "{path}");
    }
    let linked = TreePath::new(root.join("linked").as_os_str().as_bytes()).unwrap();
    let is_link = |r: &Record| matches!(r, Record::HardLink { entry, .. } if entry.path == linked);
    assert!(landing.records.iter().any(is_link));
    assert_eq!(files.len(), 305);
}

#[test]
fn a_tree_arrives_whole_and_each_piece_once() {
    let folder = tempfile::tempdir().unwrap();
    plant(folder.path());
    let mut landing = Landing::new(Grant::Read);
    landing.send(&ToAgent::Capture(Box::new(Landing::order(&[folder.path()], None))));
    let tally = landing.run();
    compare(folder.path(), &landing);
    // Everything but directories, symlinks, empty files and second names was opened, once.
    assert_eq!(tally.opened_files, 304);
    assert_eq!(tally.records, landing.records.len() as u64);
    let same = landing.chunks.values().map(Vec::len).sum::<usize>() as u64;
    assert!(same < tally.read_bytes, "the same content crossed once");

    // A sweep over an unchanged tree offers nothing and opens nothing.
    landing.set_base();
    landing.records.clear();
    landing.send(&ToAgent::Sweep { run: RunNumber(1), keep_gone: false });
    let tally = landing.run();
    // Folders above the root are busy machines' own: their times may change meanwhile.
    let inside = |r: &&Record| r.path().is_some_and(|p| p.as_path().starts_with(folder.path()));
    assert_eq!(landing.records.iter().filter(inside).count(), 0);
    assert_eq!((tally.opened_files, tally.gone), (0, 0));

    landing.send(&ToAgent::Finish);
    landing.bye();
}

#[test]
fn a_sweep_finds_what_moved_changed_came_and_went() {
    let folder = tempfile::tempdir().unwrap();
    plant(folder.path());
    let mut landing = Landing::new(Grant::Read);
    landing.send(&ToAgent::Capture(Box::new(Landing::order(&[folder.path()], None))));
    landing.run();
    landing.set_base();
    landing.records.clear();
    std::fs::rename(folder.path().join("z-same"), folder.path().join("d/moved")).unwrap();
    std::fs::write(folder.path().join("d/e/n001"), b"changed").unwrap();
    std::fs::write(folder.path().join("new"), b"new").unwrap();
    std::fs::remove_dir_all(folder.path().join("d/e")).unwrap();
    landing.send(&ToAgent::Sweep { run: RunNumber(1), keep_gone: false });
    let tally = landing.run();
    let name = |path: &TreePath| String::from_utf8_lossy(path.name().unwrap()).into_owned();
    let gone: Vec<_> = landing
        .records
        .iter()
        .filter_map(|r| if let Record::Gone { path } = r { Some(name(path)) } else { None })
        .collect();
    assert_eq!(tally.gone, gone.len() as u64);
    // The folder, its 302 files, and the old name of what moved.
    assert_eq!(gone.len(), 304);
    assert_eq!((gone[0].as_str(), gone[303].as_str()), ("e", "z-same"));
    let files = landing.files();
    let names: Vec<_> = files.keys().map(name).collect();
    assert_eq!(names, ["moved", "new"]);
    landing.bye();
}

#[test]
fn a_resume_opens_nothing_that_lies_before_its_cursor() {
    let folder = tempfile::tempdir().unwrap();
    plant(folder.path());
    let mut whole = Landing::new(Grant::Read);
    whole.send(&ToAgent::Capture(Box::new(Landing::order(&[folder.path()], None))));
    let all = whole.run();
    let cursors = whole.cursors.clone();
    assert!(cursors.iter().any(|(_, cursor)| cursor.within.is_some()), "one cursor inside a file");
    for (taken, cursor) in cursors {
        let mut landing = Landing::new(Grant::Read);
        landing.chunks = whole.chunks.clone();
        landing.records = whole.records[..taken].to_vec();
        landing.links = whole.links.clone();
        let order = Landing::order(&[folder.path()], Some(cursor));
        landing.send(&ToAgent::Capture(Box::new(order)));
        let rest = landing.run();
        assert_eq!(landing.records, whole.records);
        let opened = |r: &Record| matches!(r, Record::End { size, .. } if *size > 0);
        let before = whole.records[..taken].iter().filter(|r| opened(r)).count() as u64;
        assert!(rest.opened_files <= all.opened_files - before);
        landing.bye();
    }
    whole.bye();
}

#[test]
fn what_was_not_granted_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut landing = Landing::new(Grant::Write);
    landing.send(&ToAgent::Capture(Box::new(Landing::order(&[folder.path()], None))));
    assert!(matches!(landing.next(), Some(ToLanding::Failed { .. })));
    let ending = landing.agent.take().unwrap().join().unwrap();
    assert!(matches!(ending, Err(AgentError::NotGranted(_))));
}

#[test]
fn lies_of_the_landing_site_end_the_agent() {
    let lies = [
        ToAgent::Answer { offer: 9, from: 0, count: 1, wanted: vec![1].into() },
        ToAgent::Hello { version: VERSION, generation: Generation(1), grant: Grant::Write },
        ToAgent::PlaceEnd,
        ToAgent::Link { ticket: 7, answer: LinkAnswer::Wanted },
        ToAgent::Base { entries: Vec::new(), last: true },
    ];
    for lie in lies {
        let folder = tempfile::tempdir().unwrap();
        let mut landing = Landing::new(Grant::Read);
        landing.send(&ToAgent::Capture(Box::new(Landing::order(&[folder.path()], None))));
        landing.send(&lie);
        let ending = landing.agent.take().unwrap().join().unwrap();
        assert!(ending.is_err(), "{lie:?}");
    }
}

#[test]
fn the_source_is_only_read() {
    let folder = tempfile::tempdir().unwrap();
    plant(folder.path());
    let look = |name: &str| {
        let meta = std::fs::metadata(folder.path().join(name)).unwrap();
        (meta.mtime_nsec(), meta.ctime_nsec(), meta.atime(), meta.atime_nsec())
    };
    let names = ["a-large", "d/small", "d/e", "d/e/n100", "sparse"];
    let before: Vec<_> = names.iter().map(|name| look(name)).collect();
    let mut landing = Landing::new(Grant::Read);
    landing.send(&ToAgent::Capture(Box::new(Landing::order(&[folder.path()], None))));
    landing.run();
    landing.bye();
    let after: Vec<_> = names.iter().map(|name| look(name)).collect();
    assert_eq!(before, after);
}
