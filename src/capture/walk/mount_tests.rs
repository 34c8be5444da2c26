//! What is mounted beneath a root, with real mounts: they need root and a local file system.

use std::process::Command;

use super::tests::{all_of, make, path, texts, walk};
use super::*;
use crate::capture::sample_tree::{self, Scratch};

#[test]
fn mounts_beneath_a_root_follow_the_rule() {
    if !sample_tree::is_root() {
        eprintln!("skipped: mounting needs root");
        return;
    }
    let scratch = Scratch::new();
    let dir = scratch.path();
    if mounts::read(&dir).first().map(mounts::Mount::class) != Some(mounts::Class::Local) {
        eprintln!("skipped: temporary files are not on a local file system");
        return;
    }
    make(
        &dir,
        &["tree/data/x", "tree/memory/hidden", "tree/bind/hidden", "tree/far/hidden", "outside/y"],
    );
    let mount = |arguments: &[&str]| {
        Command::new("mount")
            .args(arguments)
            .current_dir(&dir)
            .status()
            .is_ok_and(|status| status.success())
    };
    let mounted = mount(&["-t", "tmpfs", "none", "tree/memory"])
        && mount(&["--bind", "tree/data", "tree/bind"])
        && mount(&["--bind", "outside", "tree/far"]);
    if mounted {
        make(&dir, &["tree/memory/z"]);
    } else {
        eprintln!("skipped: this kernel forbids mounting here");
    }
    let named =
        walk(WalkOptions { roots: vec![path("/tree"), path("/tree/memory")], ..all_of(&dir) });
    let own = walk(WalkOptions { roots: vec![path("/tree/memory")], ..all_of(&dir) });
    for point in ["memory", "bind", "far"] {
        let _ = Command::new("umount").arg(dir.join("tree").join(point)).status();
    }
    if !mounted {
        return;
    }
    assert_eq!(
        texts(&named),
        [
            "/",
            "/tree",
            "/tree/bind",
            "/tree/data",
            "/tree/data/x",
            "/tree/far",
            "/tree/far/y",
            "/tree/memory",
        ]
    );
    let reasons: Vec<_> = named
        .iter()
        .filter_map(|step| match step {
            Step::Entry(found) => found.not_entered.as_deref(),
            _ => None,
        })
        .collect();
    assert_eq!(reasons, ["bind mount of /tree/data", "tmpfs: a file system in memory"]);
    assert_eq!(texts(&own), ["/", "/tree", "/tree/memory", "/tree/memory/z"]);
}
