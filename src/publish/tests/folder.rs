//! The folder on a real file system.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::io::Errno;

use crate::publish::folder::{exchange, publish_with};
use crate::publish::{Outcome, PublishError, Rendered, publish_folder};

fn rendered(files: &[(&str, &str)]) -> Rendered {
    let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()));
    Rendered { files: files.collect() }
}

/// Files below `dir` by path, without the list.
fn read(dir: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with(".evac-files") {
                let name = path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

#[track_caller]
fn check(dir: &Path, files: &[(&str, &str)]) {
    let expected = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
    assert_eq!(read(dir), expected.collect());
    let beside: Vec<_> = fs::read_dir(dir.parent().unwrap()).unwrap().collect();
    assert_eq!(beside.len(), 1, "{beside:?}");
}

const OLD: [(&str, &str); 3] = [("index.html", "one"), ("api/v2/a.json", "same"), ("nl/x", "nl")];
const NEW: [(&str, &str); 3] = [("index.html", "two"), ("api/v2/a.json", "same"), ("en/x", "en")];

#[test]
fn a_page_is_replaced_whole() {
    let top = tempfile::tempdir().unwrap();
    let dir = top.path().join("status");
    assert_eq!(publish_folder(&rendered(&OLD), &dir).unwrap(), Outcome::Written);
    check(&dir, &OLD);
    let kept = fs::metadata(dir.join("api/v2/a.json")).unwrap().ino();
    assert_eq!(publish_folder(&rendered(&NEW), &dir).unwrap(), Outcome::Written);
    check(&dir, &NEW);
    assert_eq!(fs::metadata(dir.join("api/v2/a.json")).unwrap().ino(), kept);
    let mode = |name: &str| fs::metadata(dir.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(""), mode("api/v2"), mode("index.html")), (0o755, 0o755, 0o644));
}

#[test]
fn an_equal_page_is_not_touched() {
    let top = tempfile::tempdir().unwrap();
    let dir = top.path().join("status");
    publish_folder(&rendered(&OLD), &dir).unwrap();
    let before = fs::metadata(&dir).unwrap().ino();
    assert_eq!(publish_folder(&rendered(&OLD), &dir).unwrap(), Outcome::Unchanged);
    assert_eq!(fs::metadata(&dir).unwrap().ino(), before);
    assert_eq!(publish_folder(&rendered(&OLD[..2]), &dir).unwrap(), Outcome::Written);
    check(&dir, &OLD[..2]);
}

#[test]
fn damage_is_mended() {
    let top = tempfile::tempdir().unwrap();
    let dir = top.path().join("status");
    publish_folder(&rendered(&OLD), &dir).unwrap();
    fs::write(dir.join("index.html"), "0ne").unwrap();
    fs::remove_file(dir.join("nl/x")).unwrap();
    assert_eq!(publish_folder(&rendered(&OLD), &dir).unwrap(), Outcome::Written);
    check(&dir, &OLD);
}

#[test]
fn what_a_killed_run_left_is_removed_and_nothing_else() {
    let top = tempfile::tempdir().unwrap();
    let dir = top.path().join("status");
    for name in ["status.new-1/en", "status.old-22", "status.new-website", "status.new-"] {
        fs::create_dir_all(top.path().join(name)).unwrap();
    }
    fs::write(top.path().join("status.new-1/en/index.html"), "half").unwrap();
    publish_folder(&rendered(&OLD), &dir).unwrap();
    let mut names: Vec<_> = fs::read_dir(top.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["status", "status.new-", "status.new-website"]);
}

#[test]
fn a_folder_with_other_things_in_it_is_refused() {
    let top = tempfile::tempdir().unwrap();
    let dir = top.path().join("status");
    let refused = |found: &str| match publish_folder(&rendered(&NEW), &dir) {
        Err(PublishError::Foreign { found: seen, .. }) => assert_eq!(seen, found),
        other => panic!("{other:?}"),
    };
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("precious"), "x").unwrap();
    refused("precious");
    fs::remove_file(dir.join("precious")).unwrap();
    publish_folder(&rendered(&OLD), &dir).unwrap();
    fs::create_dir(dir.join(".git")).unwrap();
    refused(".git");
    fs::remove_dir(dir.join(".git")).unwrap();
    fs::write(dir.join("nl/extra"), "x").unwrap();
    refused("nl/extra");
    fs::remove_file(dir.join("nl/extra")).unwrap();
    std::os::unix::fs::symlink("/etc", dir.join("en")).unwrap();
    refused("en");
}

#[test]
fn a_symlink_stays_one() {
    let top = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::create_dir(elsewhere.path().join("www")).unwrap();
    let link = top.path().join("status");
    std::os::unix::fs::symlink(elsewhere.path().join("www"), &link).unwrap();
    publish_folder(&rendered(&OLD), &link).unwrap();
    publish_folder(&rendered(&NEW), &link).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    check(&elsewhere.path().join("www"), &NEW);
}

#[test]
fn without_exchange_two_renames_do() {
    let top = tempfile::tempdir().unwrap();
    let dir = top.path().join("status");
    publish_with(&rendered(&OLD), &dir, |_, _| Err(Errno::INVAL), &|| {}).unwrap();
    publish_with(&rendered(&NEW), &dir, |_, _| Err(Errno::INVAL), &|| {}).unwrap();
    check(&dir, &NEW);
}

#[test]
fn a_page_that_was_only_moved_aside_comes_back() {
    let top = tempfile::tempdir().unwrap();
    let dir = top.path().join("status");
    publish_folder(&rendered(&OLD), &dir).unwrap();
    fs::rename(&dir, top.path().join("status.old-7")).unwrap();
    assert_eq!(publish_folder(&rendered(&OLD), &dir).unwrap(), Outcome::Unchanged);
    check(&dir, &OLD);
}

#[test]
fn a_failed_switch_leaves_the_former_page() {
    let top = tempfile::tempdir().unwrap();
    let dir = top.path().join("status");
    publish_folder(&rendered(&OLD), &dir).unwrap();
    publish_with(&rendered(&NEW), &dir, |_, _| Err(Errno::IO), &|| {}).unwrap_err();
    assert_eq!(read(&dir).len(), OLD.len());
    assert_eq!(read(&dir)["index.html"], "one");
    publish_with(&rendered(&NEW), &dir, exchange, &|| {}).unwrap();
    check(&dir, &NEW);
}
