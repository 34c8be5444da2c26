//! Keys that are not there, not ours, not open; hosts that are not who they were.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use super::Mistake;
use crate::site::Outcome;
use crate::site::fleet::{Fleet, Source};

fn key(fleet: &Fleet, name: &str, passphrase: &str) -> String {
    let path = fleet.site.path(name);
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", "ed25519", "-N", passphrase, "-f"]).arg(&path);
    Outcome::of(&mut command).exits(0);
    path.display().to_string()
}

#[test]
fn a_run_that_nobody_lets_in_says_why_and_the_right_key_goes_on() {
    let fleet = Fleet::new(vec![Source { host: "one", id: "tree", class: "web" }]);
    fs::write(fleet.tree("tree").join("index"), "hello").unwrap();
    let good = fs::read_to_string(fleet.site.path("evac.toml")).unwrap();
    let own = fleet.sshd.identity().display().to_string();
    let with = |identity: &str| fleet.site.write("evac.toml", &good.replace(&own, identity));
    let run = |what: &str, told: &[&str]| {
        Mistake { what, typed: &["run"], exits: 1, told }.check(&fleet.site);
    };
    with("/nowhere/evac");
    run("a key that is not there", &["one: auth: cannot use /nowhere/evac", "Set `user` or"]);
    let check = fleet.evac(&["check"]).exits(0).stdout();
    assert!(check.contains("warning: evac.toml: cannot use /nowhere/evac"), "{check}");
    with(&key(&fleet, "other", ""));
    run("somebody else's key", &["lets none of these in as", "/other", "install the key"]);
    with(&key(&fleet, "locked", "secret"));
    let told = ["no passphrase given opens", "locked", "no `passphrase_command` is written"];
    run("a passphrase, and no terminal to ask on", &told);
    with(&format!("{own}.pub"));
    run("the public half of the key", &["id.pub: Could not read key"]);
    with("~/no-such-key");
    let mut homeless = fleet.site.command(&["run"]);
    let told = Outcome::of(homeless.env_remove("HOME")).exits(1).stderr();
    assert!(!told.contains("/~/"), "cron has no HOME: {told}");
    with(&own);
    let known = fs::read_to_string(fleet.sshd.known_hosts()).unwrap();
    let other = fs::read_to_string(fleet.site.path("other.pub")).unwrap();
    let place = known.split(' ').next().unwrap();
    fs::write(fleet.sshd.known_hosts(), format!("{place} {other}")).unwrap();
    run("another machine at that address", &["host-key-changed", "known_hosts:1", "Find out"]);
    fs::write(fleet.sshd.known_hosts(), "").unwrap();
    run("a host that nobody has met", &["host-key-unknown", "`evac survey --trust-new`"]);
    fs::write(fleet.sshd.known_hosts(), known).unwrap();
    fs::set_permissions(&own, Permissions::from_mode(0o644)).unwrap();
    let check = fleet.evac(&["check"]).exits(0).stdout();
    let told = format!("{own} can be read by others\n  hint: chmod 600 {own}");
    assert!(check.contains(&told), "{check}");
    fs::set_permissions(&own, Permissions::from_mode(0o600)).unwrap();
    fleet.evac(&["run"]).exits(0);
}
