//! The order of the walk, resuming it anywhere, and what it meets on the way.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;
use crate::capture::entry::Kind;
use crate::capture::sample_tree::{self, Scratch};

pub(super) fn path(text: &str) -> TreePath {
    text.parse().unwrap()
}

fn tree_path(at: &Path) -> TreePath {
    TreePath::new(at.as_os_str().as_bytes()).unwrap()
}

/// All of what lies beneath `folder`, which stands for `/`.
pub(super) fn all_of(folder: &Path) -> WalkOptions {
    WalkOptions { folder: folder.to_path_buf(), ..WalkOptions::new(vec![TreePath::root()]) }
}

pub(super) fn walk(options: WalkOptions) -> Vec<Step> {
    Walk::new(options).unwrap().collect()
}

fn path_of(step: &Step) -> &TreePath {
    match step {
        Step::Entry(found) => &found.entry.path,
        Step::LeftOut { path, .. } | Step::Unlistable { path, .. } => path,
    }
}

pub(super) fn texts(steps: &[Step]) -> Vec<String> {
    let text = |step: &Step| match step {
        Step::Entry(found) => found.entry.path.to_string(),
        Step::LeftOut { path, why } => format!("{path} left out: {why}"),
        Step::Unlistable { path, .. } => format!("{path} unlistable"),
    };
    steps.iter().map(text).collect()
}

pub(super) fn make(dir: &Path, files: &[&str]) {
    for file in files {
        let file = dir.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "x").unwrap();
    }
}

#[test]
fn a_nasty_tree_comes_in_order_and_as_find_sees_it() {
    let scratch = Scratch::new();
    sample_tree::build(&scratch.path());
    let steps = walk(all_of(&scratch.path()));
    assert!(steps.windows(2).all(|pair| path_of(&pair[0]) < path_of(&pair[1])));
    let seen: BTreeSet<Vec<u8>> =
        steps.iter().map(|step| path_of(step).as_bytes().to_vec()).collect();
    let find = std::process::Command::new("find")
        .args(["-mindepth", "1", "-printf", "/%P\\0"])
        .current_dir(scratch.path())
        .output()
        .unwrap();
    let mut expected: BTreeSet<Vec<u8>> =
        find.stdout.split(|b| *b == 0).filter(|p| !p.is_empty()).map(<[u8]>::to_vec).collect();
    expected.insert(b"/".to_vec());
    assert_eq!(seen.len(), expected.len());
    assert!(seen == expected);
}

#[test]
fn after_any_path_comes_exactly_the_rest() {
    let scratch = Scratch::new();
    sample_tree::build(&scratch.path());
    let options = all_of(&scratch.path());
    let steps = walk(options.clone());
    for (index, step) in steps.iter().enumerate() {
        let after = Some(path_of(step).clone());
        let rest = walk(WalkOptions { after, ..options.clone() });
        assert_eq!(texts(&rest), texts(&steps[index + 1..]), "after {}", path_of(step));
    }
    // Also after something that is no longer there.
    let rest = walk(WalkOptions { after: Some(path("/names/a/zz/gone")), ..options });
    let expected: Vec<_> =
        steps.into_iter().filter(|step| *path_of(step) > path("/names/a/zz/gone")).collect();
    assert_eq!(texts(&rest), texts(&expected));
}

#[test]
fn ranges_of_a_huge_directory_make_the_whole() {
    let scratch = Scratch::new();
    let dir = scratch.path();
    for number in 0..500_u32 {
        make(&dir, &[&format!("{:x}/f", number.wrapping_mul(2_654_435_761) % 9_973)]);
    }
    let whole = texts(&walk(all_of(&dir)));
    for (names, bytes) in [(1, 1 << 20), (7, 1 << 20), (499, 1 << 20), (10_000, 300)] {
        let ranges = Walk::with_limits(all_of(&dir), Limits { names, bytes }).unwrap();
        assert_eq!(texts(&ranges.collect::<Vec<_>>()), whole, "{names} names, {bytes} bytes");
    }
}

#[test]
fn roots_bring_what_is_above_them_and_nothing_beside() {
    let scratch = Scratch::new();
    let dir = scratch.path();
    make(&dir, &["var/www/a/index", "var/www/b", "var/log/x", "etc/passwd", "single"]);
    symlink("var", dir.join("link")).unwrap();
    let roots = ["/var/www/a", "/single", "/none/deep", "/link", "/var/www/a/index", "/single/x"];
    let options =
        WalkOptions { roots: roots.iter().map(|root| path(root)).collect(), ..all_of(&dir) };
    assert_eq!(
        texts(&walk(options.clone())),
        [
            "/",
            "/link",
            "/none/deep left out: it does not exist",
            "/single",
            "/var",
            "/var/www",
            "/var/www/a",
            "/var/www/a/index",
        ]
    );
    let after = Some(path("/none"));
    assert_eq!(
        texts(&walk(WalkOptions { after, ..options.clone() }))[0],
        "/none/deep left out: it does not exist"
    );
    assert!(walk(WalkOptions { roots: vec![], ..options }).is_empty());
}

#[test]
fn excluded_omitted_and_own_folders_stay_away() {
    use std::os::unix::fs::MetadataExt;
    let scratch = Scratch::new();
    let dir = scratch.path();
    make(&dir, &["a/cache/x", "a/keep.log", "a/x.log", "own/state", "other/customer/x", "b"]);
    let own = fs::metadata(dir.join("own")).unwrap();
    let options = WalkOptions {
        exclude: vec!["*.log".into(), "!keep.log".into(), "/*/cache/".into()],
        omit: vec![path("/other/customer")],
        skip: vec![(own.dev(), own.ino())],
        ..all_of(&dir)
    };
    let mut walk = Walk::new(options).unwrap();
    let steps: Vec<_> = walk.by_ref().collect();
    assert_eq!(texts(&steps), ["/", "/a", "/a/keep.log", "/b", "/other"]);
    assert_eq!(walk.counts(), WalkCounts { entries: 5, excluded: 2, ..WalkCounts::default() });
}

#[test]
fn a_directory_moved_away_meanwhile_is_told() {
    let scratch = Scratch::new();
    let dir = scratch.path();
    let deep: Vec<String> = (0..OPEN_DIRECTORIES_MAX + 10).map(|n| format!("d{n}")).collect();
    let deep = deep.join("/");
    make(&dir, &[&format!("top/{deep}/file"), "top/later", "zz", "elsewhere/x"]);
    let mut walk = Walk::new(all_of(&dir)).unwrap();
    let bottom = walk.by_ref().find(|step| path_of(step).as_bytes().ends_with(b"/file"));
    assert!(bottom.is_some());
    // `top` is closed by now; what it holds goes elsewhere, and another one takes its place.
    fs::rename(dir.join("top/d0"), dir.join("elsewhere/d0")).unwrap();
    fs::rename(dir.join("top"), dir.join("old")).unwrap();
    make(&dir, &["top/later"]);
    let rest = texts(&walk.collect::<Vec<_>>());
    assert_eq!(rest, ["/top unlistable", "/zz"]);
}

#[test]
fn thousands_of_levels_need_no_stack_and_few_descriptors() {
    let scratch = Scratch::new();
    let mut at = rustix::fs::openat(
        rustix::fs::CWD,
        scratch.path(),
        OFlags::DIRECTORY,
        rustix::fs::Mode::empty(),
    )
    .unwrap();
    for _ in 0..5_000 {
        rustix::fs::mkdirat(&at, "d", rustix::fs::Mode::from(0o755)).unwrap();
        at = rustix::fs::openat(&at, "d", OFlags::DIRECTORY, rustix::fs::Mode::empty()).unwrap();
    }
    drop(at);
    fs::write(scratch.path().join("last"), "").unwrap();
    let mut walk = Walk::new(all_of(&scratch.path())).unwrap();
    let mut most = 0;
    let mut steps = Vec::new();
    while let Some(step) = walk.next() {
        most = most.max(walk.levels.iter().filter(|level| level.open.is_some()).count());
        steps.push(step);
    }
    assert_eq!(steps.len(), 5_002);
    assert_eq!(path_of(&steps[5_001]).as_bytes(), b"/last");
    assert!(most <= OPEN_DIRECTORIES_MAX);
    let _ = std::process::Command::new("rm").arg("-rf").arg(scratch.path().join("d")).status();
}

#[test]
fn vanished_names_are_counted() {
    let scratch = Scratch::new();
    let dir = scratch.path();
    make(&dir, &["a", "b", "c"]);
    let mut walk = Walk::new(all_of(&dir)).unwrap();
    assert_eq!(texts(&walk.by_ref().take(2).collect::<Vec<_>>()), ["/", "/a"]);
    fs::remove_file(dir.join("b")).unwrap();
    assert_eq!(texts(&walk.by_ref().collect::<Vec<_>>()), ["/c"]);
    assert_eq!(walk.counts().vanished, 1);
}

#[test]
fn attributes_of_every_kind_are_read() {
    if !sample_tree::is_root() {
        eprintln!("skipped: these attributes need root");
        return;
    }
    let scratch = Scratch::new();
    sample_tree::build(&scratch.path());
    let steps = walk(all_of(&scratch.path()));
    let entry = |at: &str| {
        let found = steps.iter().find_map(|step| match step {
            Step::Entry(found) if found.entry.path == path(at) => Some(found.entry.clone()),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("{at} is missing"))
    };
    let names = |at: &str| -> Vec<String> {
        let xattrs = entry(at).metadata.xattrs;
        xattrs.iter().map(|x| String::from_utf8(x.name.clone()).unwrap()).collect()
    };
    assert_eq!(names("/setuid"), ["security.capability"]);
    assert_eq!(
        names("/acl"),
        ["system.posix_acl_access", "system.posix_acl_default", "user.empty"]
    );
    assert_eq!(names("/links/absolute"), ["trusted.link"]);
    assert_eq!(names("/char"), ["trusted.device"]);
    assert_eq!(names("/fifo"), ["security.evac"]);
    assert_eq!(entry("/block").kind, Kind::BlockDevice { major: 259, minor: 70_000 });
    assert_eq!(entry("/owned").metadata.uid, 4_294_967_294);
    assert_eq!(entry("/before-1970").metadata.mtime.seconds, -1);
    assert_eq!(entry("/before-1970").metadata.mtime.nanoseconds, 1);
    assert_eq!(entry("/links/b-first").metadata.nlink, 3);
    assert_eq!(entry("/setuid").metadata.mode, 0o6755);
    let flags = entry("/flags/log").metadata.flags;
    if rustix::fs::IFlags::from_bits_retain(flags).is_empty() {
        eprintln!("skipped: this file system has no inode flags");
    } else {
        assert_eq!(flags, rustix::fs::IFlags::APPEND.bits());
        assert_eq!(entry("/flags/frozen").metadata.flags, rustix::fs::IFlags::IMMUTABLE.bits());
    }
}

#[test]
fn a_root_on_the_real_file_system_has_its_ancestors() {
    let scratch = Scratch::new();
    make(&scratch.path(), &["x"]);
    let steps = walk(WalkOptions::new(vec![tree_path(&scratch.path())]));
    let seen = texts(&steps);
    assert_eq!(seen[0], "/");
    assert_eq!(seen[seen.len() - 1], scratch.path().join("x").display().to_string());
    assert_eq!(seen.len(), scratch.path().components().count() + 1);
    assert!(OsStr::from_bytes(path_of(&steps[1]).as_bytes()).len() > 1);
}

#[test]
fn closed_directories_are_told_and_passed_through() {
    use std::os::unix::fs::PermissionsExt;
    if sample_tree::is_root() {
        eprintln!("skipped: nothing is closed to root");
        return;
    }
    let scratch = Scratch::new();
    let dir = scratch.path();
    make(&dir, &["through/root/x", "shut/root/x", "z"]);
    let set = |name: &str, mode| {
        fs::set_permissions(dir.join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    set("through", 0o100);
    set("shut", 0o000);
    let named = ["/through/root", "/shut/root"].map(path).to_vec();
    let some = texts(&walk(WalkOptions { roots: named, ..all_of(&dir) }));
    let all = texts(&walk(all_of(&dir)));
    set("through", 0o700);
    set("shut", 0o700);
    assert_eq!(
        some,
        [
            "/",
            "/shut",
            "/shut/root left out: permission denied",
            "/through",
            "/through/root",
            "/through/root/x",
        ]
    );
    assert_eq!(all, ["/", "/shut", "/shut unlistable", "/through", "/through unlistable", "/z"]);
}

#[test]
fn nothing_at_the_source_is_touched() {
    use std::os::unix::fs::MetadataExt;
    let scratch = Scratch::new();
    let dir = scratch.path();
    make(&dir, &["d/file", "d/other"]);
    let times = || -> Vec<_> {
        let all = ["", "d", "d/file", "d/other"].map(|name| fs::metadata(dir.join(name)).unwrap());
        all.iter().map(|m| (m.atime(), m.atime_nsec(), m.mtime_nsec(), m.ctime_nsec())).collect()
    };
    // Older than a day: `relatime` would move it at the first read.
    for name in ["d/file", "d/other", "d", ""] {
        sample_tree::set_time(&dir.join(name), 1_000_000, 0);
    }
    let before = times();
    let tree = Beneath::open(&dir).unwrap();
    for step in walk(all_of(&dir)) {
        let Step::Entry(found) = step else { panic!("{step:?}") };
        if let Ok(mut reading) = crate::capture::open_for_reading(&tree, &found.entry) {
            assert_eq!(reading.read_at(&mut [0; 8], 0), 1);
            assert_eq!(reading.finish().counters.touched_files, 0);
        }
    }
    assert_eq!(times(), before);
}

#[test]
fn names_of_outer_levels_are_let_go_and_listed_again() {
    let scratch = Scratch::new();
    let dir = scratch.path();
    make(&dir, &["a/b/x", "a/c", "d", "e"]);
    let mut walk = Walk::new(all_of(&dir)).unwrap();
    let whole = texts(&self::walk(all_of(&dir)));
    let mut seen = Vec::new();
    while let Some(step) = walk.next() {
        // As if the budget were never enough.
        for level in &mut walk.levels {
            level.names.forget();
        }
        seen.push(step);
    }
    assert_eq!(texts(&seen), whole);
}

#[test]
fn a_file_is_still_open_when_its_step_is_given_and_what_takes_its_place_shows() {
    use crate::capture::content::{OpenError, go_on_reading};
    use crate::capture::{Content, Kind};
    let scratch = Scratch::new();
    let dir = scratch.path();
    make(&dir, &["d/file", "d/other"]);
    let mut walk = Walk::new(all_of(&dir)).unwrap();
    let mut contents = Vec::new();
    while let Some(step) = walk.next() {
        let Step::Entry(Found { entry, .. }) = step else { panic!("{step:?}") };
        let open = walk.take_open(&entry);
        assert_eq!(open.is_some(), matches!(entry.kind, Kind::File { .. }), "{}", entry.path);
        assert!(walk.take_open(&entry).is_none());
        let Some(open) = open else { continue };
        if entry.path.to_string().ends_with("other") {
            // As editors save.
            fs::write(dir.join("new"), "another").unwrap();
            fs::rename(dir.join("new"), dir.join("d/other")).unwrap();
        }
        let mut other = entry.clone();
        other.metadata.ino += 1;
        let refused = go_on_reading(open.try_clone().unwrap(), &other);
        assert!(matches!(refused, Err(OpenError::Replaced { .. })));
        let mut reading = go_on_reading(open, &entry).unwrap();
        assert_eq!(reading.read_at(&mut [0; 8], 0), 1);
        contents.push(reading.finish().content);
    }
    assert_eq!(contents, [Content::Steady, Content::Changed]);
}
