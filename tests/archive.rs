//! `evac restore --tar`, and the store's own reader, as their users call them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::site::fleet::{Fleet, Source};
use crate::site::tree::plant;
use crate::site::{Outcome, folder};

fn unpack_tar(archive: &Path, to: &Path) {
    let mut tar = Command::new("tar");
    tar.args(["--warning=no-timestamp", "--xattrs", "--xattrs-include=*", "--acls", "-xpf"])
        .arg(archive);
    tar.arg("-C").arg(folder(to));
    assert_eq!(Outcome::of(&mut tar).exits(0).stderr(), "");
}

/// By the lab's script, which shares no code with evac.
#[track_caller]
fn assert_same(source: &Path, copy: &Path, without: &str) {
    let same = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/lab/same");
    let mut command = Command::new("python3");
    command.arg(same).arg(source).arg(copy).args(["--without", without]);
    assert_eq!(Outcome::of(&mut command).exits(0).stdout(), "");
}

#[test]
fn copies_become_archives_and_come_out_without_evac() {
    let source = |id| Source { host: "one", id, class: "web" };
    let fleet = Fleet::new(vec![source("shop"), source("mail")]);
    plant(&fleet.tree("shop"));
    fs::write(fleet.tree("mail").join("letter"), "dear").unwrap();
    fleet.evac(&["run"]).exits(0);
    let place = tempfile::tempdir().unwrap();
    let file = |name: &str| place.path().join(name);
    let inside = |id: &str| fleet.tree(id).strip_prefix("/").unwrap().to_owned();

    // One workload: at its source paths. Nobody else may read the archive.
    let one = file("one.tar");
    let restore = |name: &str, more: &[&str]| {
        let path = file(name).to_str().unwrap().to_owned();
        fleet.evac(&[&["--json", "restore", "--tar", &path], more].concat())
    };
    let line = &restore("one.tar", &["shop"]).exits(0).json()[0];
    assert_eq!((&line["done"], &line["problem_count"]), (&true.into(), &0.into()), "{line}");
    assert_eq!(line["left_out_count"], 1, "the socket: {line}");
    assert!(line["left_out"][0][0].as_str().unwrap().ends_with("/socket"), "{line}");
    assert_eq!(fs::metadata(&one).unwrap().permissions().mode() & 0o777, 0o600);
    unpack_tar(&one, &file("one"));
    assert_same(&fleet.tree("shop"), &file("one").join(inside("shop")), "sockets,flags");

    // Several: below their names. What exists is not replaced unless that is said.
    fs::write(file("all.tar"), "precious").unwrap();
    let refused = restore("all.tar", &[]).exits(4);
    assert!(refused.stderr().contains("hint: --overwrite"), "{}", refused.stderr());
    assert_eq!(fs::read(file("all.tar")).unwrap(), b"precious");
    assert_eq!(restore("all.tar", &["--overwrite"]).exits(0).json().len(), 2);
    unpack_tar(&file("all.tar"), &file("all"));
    for id in ["shop", "mail"] {
        assert_same(&fleet.tree(id), &file("all").join(id).join(inside(id)), "sockets,flags");
    }
    // To stdout it is the same archive, and nothing else.
    let both = fleet.evac(&["--json", "restore", "mail", "--tar", "-"]).exits(2);
    assert!(both.stderr().contains("both want stdout"), "{}", both.stderr());
    restore("mail.tar", &["mail"]).exits(0);
    let mut command = fleet.site.command(&["restore", "mail", "--tar", "-"]);
    let output = command.stderr(Stdio::null()).output().unwrap();
    assert!(output.status.success());
    assert!(output.stdout == fs::read(file("mail.tar")).unwrap());
    // One that cannot be written leaves nothing behind, not even half of one.
    fs::create_dir(file("closed")).unwrap();
    let nowhere = restore("closed/no/x.tar", &["mail"]).exits(1);
    assert!(nowhere.stderr().contains("closed/no/x.tar"), "{}", nowhere.stderr());
    let left: Vec<_> =
        fs::read_dir(place.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".part")), "{left:?}");

    // The store reads itself.
    let store = fleet.site.path("state/store");
    let unpack = |words: &[&str]| {
        let mut command = Command::new("python3");
        Outcome::of(command.arg(store.join("unpack.py")).arg(&store).args(words)).exits(0)
    };
    assert!(unpack(&["list"]).stdout().contains("shop pass 1 of one: complete since"));
    assert!(unpack(&["list", "mail"]).stdout().contains("file 4 "));
    let to = file("unpacked");
    unpack(&["unpack", "shop", "--to", to.to_str().unwrap()]);
    assert_same(&fleet.tree("shop"), &to.join(inside("shop")), "nothing");
    assert!(fs::read_to_string(store.join("UNPACK.md")).unwrap().contains("unpack.py"));
}
