//! What is typed wrong, on a site that has everything.

use std::fs;

use super::Mistake;
use crate::site::fleet::{Fleet, Source, noise};
use crate::site::tree::differences;

/// The mistake, what was typed, its exit code, and what is told. `FREE`, `FILE`, `TAKEN` and
/// `STORE` stand for a folder that is not there, a file, a folder with something in the way, and
/// evac's own.
type Row = (&'static str, &'static str, i32, &'static [&'static str]);

const ROWS: [Row; 14] = [
    (
        "a name that two things have",
        "pause acme-tree",
        2,
        &["may be customer/acme-tree or workload/acme-tree", "hint: Write one of these"],
    ),
    ("a name that nothing has", "pause acme-tre", 2, &["did you mean", "hint: `evac find"]),
    (
        "a customer where a plan belongs",
        "run acme",
        2,
        &["cannot read", "PLAN is a file", "`evac first WHAT`"],
    ),
    ("a plan that is not there", "run plans/x.toml", 2, &["cannot read", "plans/x.toml"]),
    (
        "a time without a zone",
        "restore workload/acme-tree --at 2026-01-01T10:00 --to FREE",
        2,
        &["is not a time with its zone such as"],
    ),
    (
        "a time before everything",
        "restore workload/acme-tree --at 2001-01-01T00:00:00Z --to FREE",
        1,
        &["nothing of workload/acme-tree was captured by 2001", "leave out --at"],
    ),
    (
        "a file where a folder belongs",
        "restore workload/acme-tree --to FILE",
        1,
        &["target-error: cannot write beneath", "hint: See to space and permissions"],
    ),
    (
        "over somebody's own files",
        "restore workload/acme-tree --to TAKEN",
        4,
        &["refused: ", "exists beneath the root", "hint: --overwrite"],
    ),
    (
        "into evac's own store",
        "restore workload/acme-tree --to STORE",
        4,
        &["lies in evac's own state", "hint: Restore into a folder outside"],
    ),
    (
        "an archive over a file",
        "restore workload/acme-tree --tar FILE",
        4,
        &["exists", "hint: --overwrite replaces it once the new one is complete"],
    ),
    (
        "an archive into no folder",
        "restore workload/acme-tree --tar FREE/x.tar",
        1,
        &["cannot write", "No such file", "hint: Make the folder"],
    ),
    (
        "onto its own source",
        "restore workload/acme-tree",
        4,
        &["is also a source", "hint: Choose a root outside"],
    ),
    (
        "an include that is not absolute",
        "restore workload/acme-tree --include etc --to FREE",
        2,
        &["--include needs an absolute path"],
    ),
    (
        "a limit on what is not there",
        "limit uplink/ams 1MB/s",
        2,
        &["nothing that carries data is called `uplink/ams`", "hint: Write landing"],
    ),
];

/// One workload, copied; its target is the machine that it comes from.
fn copied() -> Fleet {
    let fleet = Fleet::new(vec![Source { host: "one", id: "acme-tree", class: "web" }]);
    fs::write(fleet.tree("acme-tree").join("index"), noise(1, 100_000)).unwrap();
    fleet.evac(&["run"]).exits(0);
    let settings = fs::read_to_string(fleet.site.path("evac.toml")).unwrap();
    let (port, tree) = (fleet.sshd.port(), fleet.tree("acme-tree").display().to_string());
    let target = format!("[[target]]\nid = \"new\"\naddress = \"127.0.0.1\"\nport = {port}\n");
    fleet.site.write("evac.toml", &format!("{settings}{target}"));
    let home = format!(
        "[[host]]\nid = \"one\"\n[[host.workload]]\nid = \"acme-tree\"\ntarget = \"new\"\n\
         restore = {{ root = \"{tree}\" }}\n[[customer]]\nid = \"acme-tree\"\n"
    );
    fleet.site.write("inventory.d/home.toml", &home);
    fleet
}

#[test]
fn what_cannot_be_meant_is_refused_and_what_was_meant_goes_on() {
    let fleet = copied();
    let place = tempfile::tempdir().unwrap();
    let tree = fleet.tree("acme-tree");
    let taken = fleet.restored(&place.path().join("taken"), "acme-tree");
    fs::create_dir_all(&taken).unwrap();
    fs::write(taken.join("index"), "somebody's own").unwrap();
    fs::write(place.path().join("file"), "x").unwrap();
    let store = fleet.site.path("state/store").display().to_string();
    for (what, typed, exits, told) in ROWS {
        let mut typed = typed.replace("STORE", &store);
        for name in ["free", "file", "taken"] {
            let path = place.path().join(name).display().to_string();
            typed = typed.replace(&name.to_uppercase(), &path);
        }
        let typed: Vec<&str> = typed.split(' ').collect();
        Mistake { what, typed: &typed, exits, told }.check(&fleet.site);
    }
    assert_eq!(fs::read(taken.join("index")).unwrap(), b"somebody's own");
    assert_eq!(fs::read(place.path().join("file")).unwrap(), b"x");
    let free = place.path().join("free");
    fleet.restore(&free, &["workload/acme-tree"]).exits(0);
    assert_eq!(differences(&tree, &fleet.restored(&free, "acme-tree")), "");
    fleet.evac(&["verify", "--deep"]).exits(0);
}
