//! A newer pass onto what an older one wrote: equal to a restore from nothing, little is written,
//! and what a person did there stays.

use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _, symlink};

use super::delta::{again, captured, read_later};
use super::*;
use crate::agent::place::Placed;

const HOST: &str = HOSTS[0];

/// Writes pass `to` over what pass `from` wrote at `root`.
fn update(landing: &Landing, from: u32, to: u32, root: &Path, overwrite: bool) -> Placed {
    let (store, _) = Store::open_read_only(Arc::new(landing.disk.clone()), landing.keys()).unwrap();
    let open = |number| {
        let name = PassName { workload: workload(HOST), pass: PassNumber(number) };
        Pass::open(store.disk(), &name).unwrap()
    };
    let frames = FrameCache::new(store.clone(), 1 << 20);
    let feed = Feed::new(&frames, &open(to), Selection::default());
    let mut feed = feed.against(&open(from), overwrite);
    let options = PlaceOptions { overwrite, incremental: true, ..PlaceOptions::default() };
    let report = restore_to_folder(&mut feed, root, options, &mut |_, _, _| Ok(())).unwrap();
    assert_eq!(report.damaged, []);
    report.placed
}

/// Both hosts once more.
fn pass_again(landing: &Landing) {
    read_later(landing);
    let ran = landing.run_what(Agents::default(), unwatched(), again);
    assert!(ran.is_whole(), "{:?} {:?}", ran.end, ran.events);
}

fn problems(placed: &Placed) -> Vec<String> {
    placed.problems.iter().map(|p| format!("{}: {}", p.path, p.why)).collect()
}

/// Everything a source can do between two passes.
fn live_on(root: &Path) {
    let path = |name: &str| root.join(name);
    let mut shared = fs::OpenOptions::new().write(true).open(path("srv/shared")).unwrap();
    shared.seek(SeekFrom::Start(1 << 20)).unwrap();
    shared.write_all(b"one per cent or less of a large file").unwrap();
    fs::set_permissions(path("etc/common"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::remove_file(path("etc/dangling")).unwrap();
    symlink("elsewhere", path("etc/dangling")).unwrap();
    // A hole where there was data, and data where there was a hole.
    let sparse = fs::File::create(path("www/sparse")).unwrap();
    sparse.set_len(3 << 19).unwrap();
    sparse.write_all_at(b"front", 4).unwrap();
    fs::remove_dir(path("srv/empty")).unwrap();
    fs::write(path("srv/empty"), "a file now").unwrap();
    fs::remove_file(path("www/0")).unwrap();
    fs::create_dir_all(path("www/0/deeper")).unwrap();
    fs::write(path("www/0/deeper/file"), "a folder now").unwrap();
    fs::hard_link(path("www/2"), path("www/2-again")).unwrap();
    fs::write(path("live/grows"), "more of it than before").unwrap();
    fs::remove_dir_all(path("gone")).unwrap();
}

fn plant_more(root: &Path) {
    fs::create_dir_all(root.join("gone/beneath")).unwrap();
    fs::write(root.join("gone/beneath/file"), "goes").unwrap();
    fs::write(root.join("live/grows"), "less").unwrap();
}

#[test]
fn an_incremental_restore_equals_a_fresh_one() {
    let sources = Sources::new();
    plant_more(&sources.path(HOST));
    let landing = captured(&sources);
    let target = scratch();
    let root = landing.restore(HOST, PassNumber(1), &target);
    live_on(&sources.path(HOST));
    pass_again(&landing);
    let placed = update(&landing, 1, 2, &root, false);
    assert_eq!(problems(&placed), Vec::<String>::new());
    sources.assert_equal(HOST, &root);
    // Of the large file one block is written, not the piece it is in.
    assert!(placed.bytes.0 < 64 << 10, "{} bytes", placed.bytes);
    // And back again: the older pass is what it was.
    let placed = update(&landing, 2, 1, &root, false);
    assert_eq!(problems(&placed), Vec::<String>::new());
    let fresh = scratch();
    let fresh = landing.restore(HOST, PassNumber(1), &fresh);
    let mut rsync = std::process::Command::new("rsync");
    let differ = rsync.args(["-aHAXnci", "--delete"]).arg(format!("{}/", fresh.display()));
    let differ = differ.arg(format!("{}/", root.display())).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&differ.stdout), "");
}

#[test]
fn nothing_is_written_where_nothing_changed() {
    let sources = Sources::new();
    let landing = captured(&sources);
    let target = scratch();
    let root = landing.restore(HOST, PassNumber(1), &target);
    pass_again(&landing);
    let placed = update(&landing, 1, 2, &root, false);
    assert_eq!((placed.bytes.0, placed.files, placed.removed), (0, 0, 0));
    assert_eq!(problems(&placed), Vec::<String>::new());
    sources.assert_equal(HOST, &root);
}

#[test]
fn what_a_person_did_there_stays_and_is_listed() {
    let sources = Sources::new();
    plant_more(&sources.path(HOST));
    let landing = captured(&sources);
    let target = scratch();
    let root = landing.restore(HOST, PassNumber(1), &target);
    let source = sources.path(HOST);
    let there = root.join(source.strip_prefix("/").unwrap());
    fs::write(there.join("gone/added"), "by a person").unwrap();
    fs::write(there.join("www/added"), "by a person").unwrap();
    fs::write(there.join("www/1"), "changed by a person").unwrap();
    fs::write(there.join("srv/shared"), "changed by a person").unwrap();
    fs::remove_file(there.join("www/3")).unwrap();
    fs::write(there.join("live/late"), "a person was first").unwrap();
    live_on(&source);
    sources.evolve(HOST, true);
    pass_again(&landing);
    let placed = update(&landing, 1, 2, &root, false);
    let told = problems(&placed).join("\n");
    for (name, why) in [
        ("gone", "holds what evac did not write"),
        ("www/1", "changed here"),
        ("www/3", "removed here"),
        ("srv/shared", "changed here"),
        ("live/late", "left as it is"),
    ] {
        let line = told.lines().find(|line| line.contains(&format!("{name}: ")));
        assert!(line.is_some_and(|line| line.contains(why)), "{name}: {told}");
    }
    assert_eq!(placed.problem_count, 5, "{told}");
    for (name, content) in [
        ("gone/added", "by a person"),
        ("www/added", "by a person"),
        ("www/1", "changed by a person"),
        ("srv/shared", "changed by a person"),
        ("live/late", "a person was first"),
    ] {
        assert_eq!(fs::read_to_string(there.join(name)).unwrap(), content);
    }
    assert!(!there.join("gone/beneath").exists());
    // Whoever wants the copy as it is says so; what was only added stays even then.
    let placed = update(&landing, 1, 2, &root, true);
    assert_eq!(placed.problem_count, 1, "{:?}", placed.problems);
    assert!(there.join("gone/added").exists());
    fs::remove_dir_all(there.join("gone")).unwrap();
    fs::remove_file(there.join("www/added")).unwrap();
    update(&landing, 1, 2, &root, true);
    sources.assert_equal(HOST, &root);
}
