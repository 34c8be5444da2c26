//! A look-up in the browser costs what it shows, and goes on while files are broken.

use std::fmt::Write as _;

use super::*;
use crate::model::{Clock as _, FixedClock, SystemClock};

/// A site of `count` customers, each with a host of his own, and where it is.
fn desk(count: usize) -> (LocalDesk, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let site = folder.path().to_owned();
    fs::write(site.join("evac.toml"), "[site]\nname = \"Example Hosting\"\n").unwrap();
    fs::write(site.join("inventory.toml"), inventory(count, "Bakkerij")).unwrap();
    // Files that have been at rest for long.
    let later = SystemClock::default().now().plus(Duration::from_secs(3_600));
    let (by, clock) = ("jo".to_owned(), Arc::new(FixedClock::at(later)));
    let global = Global { site, by, is_named: true, json: false, yes: false, clock };
    global.make_state().unwrap();
    (LocalDesk::new(&global, None), folder)
}

fn inventory(count: usize, trade: &str) -> String {
    (0..count).fold(String::new(), |mut text, at| {
        let _ = writeln!(
            text,
            "[[customer]]\nid = \"c{at:04}\"\nname = \"{trade} {at}\"\nlanguage = \"nl\"\n\
             contacts = [\"tel:+3120{:07}\"]\n[[host]]\nid = \"h{at:04}\"\n\
             address = \"203.0.113.{}\"\ncustomer = \"c{at:04}\"\n\
             workload = [{{ id = \"w{at:04}\", paths = [\"/a\"], bytes = \"1GB\" }}]",
            1_000_000 + at,
            at % 250 + 1,
        );
        text
    })
}

fn names(found: &LookedUp) -> Vec<&str> {
    found.callers.iter().map(|caller| caller.status.name.as_str()).collect()
}

/// How much was read of the look-up file so far.
fn cards(desk: &LocalDesk) -> u64 {
    desk.lookup.lock().unwrap().desk.as_ref().unwrap().lookup.read()
}

#[test]
fn a_look_up_reads_those_it_shows_and_never_the_inventory() {
    let (desk, folder) = desk(400);
    desk.begin(Views { support: true, live: false }).unwrap();
    assert!(desk.find(Whom::Nobody, 10).unwrap().callers.is_empty());
    assert_eq!(cards(&desk), 0, "nobody is shown");

    let found = desk.find(Whom::Text("bakkerij 399"), 10).unwrap();
    assert_eq!((found.total, names(&found)), (1, vec!["Bakkerij 399"]));
    assert_eq!(found.callers[0].spoken, Some(crate::publish::Language::Nl));
    assert_eq!(cards(&desk), 2, "he, and his host");
    let found = desk.find(Whom::Text("bakkerij"), 10).unwrap();
    assert_eq!((found.total, found.callers.len()), (400, 10));
    assert_eq!(cards(&desk), 2 + 20);
    let id = "c0221".parse().unwrap();
    assert_eq!(names(&desk.find(Whom::Id(&id), 1).unwrap()), ["Bakkerij 221"]);
    assert_eq!(cards(&desk), 22 + 1 + 2);
    let nobody = "c9221".parse().unwrap();
    assert!(desk.find(Whom::Id(&nobody), 1).unwrap().callers.is_empty());
    assert_eq!(cards(&desk), 25);
    // The whole inventory was read once, for the file; the page of operators was not asked for.
    assert!(desk.read.lock().unwrap().is_none());
    assert!(folder.path().join("state/lookup").exists());
}

#[test]
fn of_whom_to_call_back_nothing_is_told() {
    let (desk, _folder) = desk(3);
    for text in ["1000002", "bakkerij 1000002", "+31 20 1000002", "1000002 c0002"] {
        let found = desk.find(Whom::Text(text), 10).unwrap();
        assert_eq!(names(&found), ["Bakkerij 2"], "{text}");
        assert_eq!(found.callers[0].matched, None, "{text}");
    }
    let found = desk.find(Whom::Text("h0002"), 10).unwrap();
    assert_eq!(found.callers[0].matched.as_deref(), Some("h0002"));
}

#[test]
fn broken_files_leave_what_was_read_and_are_not_read_for_every_caller() {
    let (desk, folder) = desk(3);
    desk.begin(Views { support: true, live: false }).unwrap();
    let path = folder.path().join("inventory.toml");
    fs::write(&path, "[[customer]\n").unwrap();
    for _ in 0..2 {
        let found = desk.find(Whom::Text("bakkerij 2"), 10).unwrap();
        assert_eq!(names(&found), ["Bakkerij 2"]);
        assert!(desk.lookup.lock().unwrap().failed.is_some());
    }
    assert!(desk.told.lock().unwrap().ends_with(AS_BEFORE));
    fs::write(&path, inventory(3, "Slagerij")).unwrap();
    assert_eq!(names(&desk.find(Whom::Text("c0002"), 10).unwrap()), ["Slagerij 2"]);
    assert!(desk.lookup.lock().unwrap().failed.is_none());
}

#[test]
fn a_file_that_is_damaged_where_it_is_read_last_is_made_anew() {
    let (desk, folder) = desk(40);
    desk.begin(Views { support: true, live: false }).unwrap();
    let path = folder.path().join("state/lookup");
    let mut bytes = fs::read(&path).unwrap();
    // Hosts stand last.
    let hosts = bytes.len() / 4 * 3;
    bytes[hosts..].fill(0xff);
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &bytes, 0).unwrap();
    // Another evac has nothing in memory.
    let other = LocalDesk::new(&desk.global, None);
    let found = other.find(Whom::Text("bakkerij 39"), 10).unwrap();
    assert_eq!(names(&found)[0], "Bakkerij 39");
    assert_eq!(fs::metadata(&path).unwrap().len(), bytes.len() as u64);
    assert_ne!(fs::read(&path).unwrap(), bytes, "it is mended for whoever comes next");
}
