//! Machines that lie on the disks of a rescue system: found, taken, and not written to.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::site::Site;
use crate::site::rescue::{RescueSystem, list};
use crate::site::tree::{differences, plant};

/// A root whose power failed: its journal is not replayed, and a file waits to be cut off.
const ROOT: &str = r#"
mke2fs -q -F -t ext4 -U "$2" -L root "$1.clean" 48M
mkdir "$1.d"
mount -o loop "$1.clean" "$1.d"
cp -a "$1.tree/." "$1.d"
orphan=$(stat -c %i "$1.d/var/orphan")
umount "$1.d"
mount -o loop "$1.clean" "$1.d"
touch "$1.d/late"
sync -f "$1.d"
cp --sparse=always "$1.clean" "$1"
umount "$1.d"
debugfs -w -R "set_super_value last_orphan $orphan" "$1" 2> /dev/null
dumpe2fs -h "$1" 2> /dev/null | grep -q needs_recovery
"#;
/// A second file system whose log is dirty.
const DATA: &str = r#"
truncate -s 320M "$1"
mkfs.xfs -q -L data "$1"
mkdir "$1.d"
mount -o loop "$1" "$1.d"
cp -a "$1.tree/." "$1.d"
umount "$1.d"
mount -o loop "$1" "$1.d"
touch "$1.d/late"
xfs_io -x -c 'shutdown -f' "$1.d"
umount "$1.d"
"#;
const UUID: &str = "0b1e3f3a-9c3e-4c1e-8f0e-2a1d6f6b7c11";
const OTHER_UUID: &str = "aaaaaaaa-9c3e-4c1e-8f0e-2a1d6f6b7c11";

/// A site whose one host is a rescue system.
struct Night {
    site: Site,
    system: RescueSystem,
}

impl Night {
    fn begin() -> Option<Self> {
        let system = RescueSystem::start()?;
        let site = Site::new();
        let settings =
            format!("[site]\nname = \"Test\"\n[ssh]\nidentity = [{:?}]\n", system.sshd.identity());
        site.write("evac.toml", &settings);
        Some(Self { site, system })
    }

    /// The host with these keys of its own.
    fn inventory(&self, keys: &str) {
        let text = format!(
            "[[customer]]\nid = \"acme\"\n[[host]]\nid = \"web\"\naddress = \"127.0.0.1\"\n\
             port = {}\nuser = \"root\"\ncustomer = \"acme\"\n{keys}\n[[host.workload]]\n\
             id = \"files\"\npaths = [\"/etc\", \"/var\", \"/srv\"]\n",
            self.system.sshd.port(),
        );
        self.site.write("inventory.toml", &text);
    }

    /// A root with this tree on a disk of its own.
    fn root(&mut self, name: &str, uuid: &str, fstab: &str) -> PathBuf {
        let tree = self.tree(name);
        fs::write(tree.join("etc/fstab"), fstab).unwrap();
        fs::write(tree.join("etc/machine-id"), format!("{name}\n")).unwrap();
        fs::write(tree.join("etc/hostname"), "web07\n").unwrap();
        fs::write(tree.join("var/orphan"), vec![1; 9_000]).unwrap();
        self.system.sh(ROOT, &[name, uuid]);
        self.system.disk(name)
    }

    fn tree(&self, name: &str) -> PathBuf {
        let tree = self.system.path(&format!("{name}.tree"));
        fs::create_dir(&tree).unwrap();
        plant(&tree);
        tree
    }

    fn survey(&self, arguments: &[&str], code: i32) -> Value {
        let arguments = [&["--json", "survey"], arguments].concat();
        let survey = self.site.evac(&arguments).exits(code).json().remove(0);
        survey["hosts"][0].clone()
    }
}

#[test]
fn a_machine_is_taken_from_the_disks_of_its_rescue_system_and_nothing_is_written_there() {
    let Some(mut night) = Night::begin() else { return };
    let fstab = format!("UUID={UUID} / ext4 defaults 0 1\nLABEL=data /srv xfs defaults 0 2\n");
    let root = night.root("root", UUID, &fstab);
    let data = night.tree("data");
    night.system.sh(DATA, &["data"]);
    let disks = [&*root, &*night.system.disk("data")].map(ToOwned::to_owned);
    let disks = list(&[&disks[0], &disks[1]]);
    let before = night.system.hashes();

    // Nobody said that a rescue system answers.
    night.inventory("");
    let refused = night.survey(&["--trust-new"], 1);
    assert_eq!((&refused["state"], &refused["reason"]), (&json!("failed"), &json!("rescue")));
    assert!(refused["hint"].as_str().unwrap().contains("access = \"rescue\""), "{refused}");
    let events = night.site.evac(&["--json", "run"]).exits(1).json();
    assert_eq!(events.last().unwrap()["failed"], 1);

    night.inventory(&format!("access = \"rescue\"\nrescue_disks = {disks}"));
    let unknown = night.survey(&[], 1);
    assert_eq!(unknown["reason"], "host-key-unknown", "its key is another than the machine's");
    let found = night.survey(&["--trust-new"], 0);
    let facts = &found["facts"];
    assert_eq!((&facts["machine_id"], &facts["hostname"]), (&json!("root"), &json!("web07")));
    let mounted = facts["rescue"]["mounted"].as_array().unwrap();
    let points: Vec<_> = mounted.iter().map(|mount| &mount["mount_point"]).collect();
    assert_eq!(points, ["/", "/srv"]);
    assert_eq!(mounted[0]["options"], "ro,noload");
    assert!(facts["rescue"]["remarks"][0].as_str().unwrap().contains("was not unmounted"));
    assert!(facts["rescue"]["fstab"].as_str().unwrap().contains("LABEL=data /srv"));
    let pins = fs::read_to_string(night.site.path("known_hosts")).unwrap();
    assert!(pins.contains("\nrescue:web ssh-ed25519 "), "{pins}");

    night.site.evac(&["run"]).exits(0);
    let copy = night.system.path("copy");
    night.site.evac(&["restore", "--to", copy.to_str().unwrap()]).exits(0);
    for path in ["etc", "var"] {
        let (tree, copy) = (night.system.path("root.tree"), copy.join("files"));
        assert_eq!(differences(&tree.join(path), &copy.join(path)), "", "{path}");
    }
    assert_eq!(differences(&data, &copy.join("files/srv")), "");
    assert_eq!(night.system.hashes(), before, "a byte of the disks was written");
    assert!(night.system.is_as_before());
}

#[test]
fn who_is_not_the_one_machine_is_refused_with_what_was_found() {
    let Some(mut night) = Night::begin() else { return };
    let first = night.root("first", UUID, "");
    let second = night.root("second", OTHER_UUID, "UUID=77 /srv ext4 defaults 0 0\n");
    night
        .system
        .sh("truncate -s 4M luks; printf 'LUKS\\272\\276\\0\\2' | dd of=luks conv=notrunc", &[]);
    let luks = night.system.disk("luks");
    let before = night.system.hashes();
    let disks = |more: &str| {
        let disks = list(&[&first, &second, &luks]);
        format!("access = \"rescue\"\nrescue_disks = {disks}\n{more}")
    };
    let refused = |keys: &str, expected: &[&str]| {
        night.inventory(keys);
        let found = night.survey(&["--trust-new"], 1);
        assert_eq!((&found["state"], &found["reason"]), (&json!("failed"), &json!("disks")));
        for part in expected {
            assert!(found["detail"].as_str().unwrap().contains(part), "{part}: {found}");
        }
    };
    let [one, other] = [UUID, OTHER_UUID].map(|uuid| format!("\"UUID={uuid}\""));
    refused(&disks(""), &["2 roots", "`rescue_root`", &one, &other, "luks"]);
    let missing = &["/srv (UUID=77)", "none of these disks", "`rescue_without`"];
    refused(&disks(&format!("rescue_root = {other}")), missing);

    // The one that is chosen is taken; the rest is told as left.
    night.inventory(&disks(&format!("rescue_root = {one}")));
    let found = night.survey(&[], 0);
    let left = found["uncovered"].as_array().unwrap();
    assert!(left.iter().all(|left| left["kind"] == "disk"), "{found}");
    assert_eq!(left.len(), 2, "{found}");
    // Another machine behind the same address needs a word.
    let chosen = format!("rescue_root = {other}\nrescue_without = [\"/srv\"]");
    night.inventory(&disks(&chosen));
    let events = night.site.evac(&["--json", "run"]).exits(1).json();
    let reasons: Vec<_> = events.iter().filter_map(|event| event["reason"].as_str()).collect();
    assert!(reasons.contains(&"other-machine"), "{events:?}");
    let named = night.survey(&["--new-machine", "host/web"], 0);
    assert_eq!(named["facts"]["machine_id"], "second");
    assert_eq!(night.system.hashes(), before, "a byte of the disks was written");
    assert!(night.system.is_as_before());
}
