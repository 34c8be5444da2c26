//! Is what answers at a host's address what it is taken for? And the way into a rescue system.
//!
//! **Promises.** Nothing is taken from a system that runs from memory, from an image or over the
//! network unless somebody said that it does, for a rescue system's own `/etc` is nobody's data.
//! Nothing is taken from another machine than the one that was surveyed, found by its
//! `/etc/machine-id` or its name, until somebody says that it is meant. In a rescue system nothing
//! is done before the machine was found on its disks.

use std::time::Duration;

use crate::inventory::{Access, Host};
use crate::model::Reason;
use crate::model::text::{bounded, printable};
use crate::run::survey::MachineFacts;
use crate::run::talk::{Talk, TalkError, failed};
use crate::ssh::probe::Facts;
use crate::wire::{RescueAnswer, RescueOrder, ToAgent, ToLanding};

/// How long disks may take: arrays are assembled, and every file system is mounted.
const PATIENCE: Duration = Duration::from_secs(300);
/// File systems of `/` that are gone, or somebody else's, after a reboot.
pub(super) const LIVE_ROOTS: &[&str] = &[
    "overlay",
    "overlayfs",
    "aufs",
    "tmpfs",
    "ramfs",
    "rootfs",
    "squashfs",
    "nfs",
    "nfs4",
    "iso9660",
];

/// Does the machine that this runs on live without a disk of its own, as containers do?
pub fn is_diskless_here() -> bool {
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    let root = |line: &str| {
        let mut fields = line.split(' ').skip(1);
        (fields.next() == Some("/")).then(|| fields.next().unwrap_or_default().to_owned())
    };
    let root = mounts.lines().filter_map(root).next_back();
    root.is_some_and(|root| LIVE_ROOTS.contains(&root.as_str()))
}

/// May anything be done on the machine that was probed? `known`: what a survey found there before.
pub fn admit(host: &Host, probed: &Facts, known: Option<&MachineFacts>) -> Result<(), TalkError> {
    let name = bounded(&probed.hostname, 80);
    let machine_id = probed.machine_id.as_deref().unwrap_or_default();
    match host.access {
        Access::Normal => {
            let live = probed.root_fs.as_deref().filter(|root| LIVE_ROOTS.contains(root));
            if let Some(root) = live {
                let detail = format!("a live or rescue system answers ({name}, its / is {root})");
                return Err(TalkError::new(Reason::Rescue, detail));
            }
            same_machine(machine_id, &probed.hostname, known)
        }
        Access::Diskless => same_machine(machine_id, &probed.hostname, known),
        Access::Rescue => {
            let own = known.and_then(|known| known.machine_id.as_deref());
            if !machine_id.is_empty() && own == Some(machine_id) {
                let detail = format!(
                    "the machine's own system answers ({name}), not a rescue system: take \
                     `access = \"rescue\"` out of the inventory"
                );
                return Err(TalkError::new(Reason::Disks, detail));
            }
            Ok(())
        }
    }
}

/// Has it the marks of the machine that was surveyed? What one of them does not have tells nothing.
fn same_machine(
    machine_id: &str,
    hostname: &str,
    known: Option<&MachineFacts>,
) -> Result<(), TalkError> {
    let Some(known) = known else { return Ok(()) };
    let known_id = known.machine_id.as_deref().unwrap_or_default();
    // Some say their whole name and some do not.
    let first = |name: &str| name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let differ = |a: &str, b: &str| !a.is_empty() && !b.is_empty() && a != b;
    let what = if differ(known_id, machine_id) {
        format!("its machine-id is {}, not {known_id}", bounded(machine_id, 80))
    } else if differ(&first(&known.hostname), &first(hostname)) {
        format!("it is called {}, not {}", bounded(hostname, 80), known.hostname)
    } else {
        return Ok(());
    };
    let detail = format!("another machine answers than the one that was surveyed: {what}");
    Err(TalkError::new(Reason::OtherMachine, detail))
}

/// Has the agent in a rescue system find the machine on its disks; nothing elsewhere.
pub async fn open(
    talk: &mut Talk,
    host: &Host,
    known: Option<&MachineFacts>,
) -> Result<Option<RescueAnswer>, TalkError> {
    if host.access != Access::Rescue {
        return Ok(None);
    }
    talk.send(&ToAgent::Rescue(Box::new(RescueOrder {
        root: host.rescue.root.clone(),
        disks: host.rescue.disks.clone(),
        without: host.rescue.without.clone(),
    })));
    let answer = match tokio::time::timeout(PATIENCE, talk.next()).await {
        Err(_) => {
            let detail = "a disk over there does not answer; name those that do in `rescue_disks`";
            return Err(TalkError::new(Reason::Disks, detail));
        }
        Ok(Ok(ToLanding::Rescue(answer))) => *answer,
        Ok(Ok(ToLanding::Failed { reason, detail })) => {
            return Err(failed(reason, &detail, &[Reason::SourceError]));
        }
        Ok(Ok(_)) => {
            let detail = "the agent answered what it was not asked";
            return Err(TalkError::new(Reason::Protocol, detail));
        }
        Ok(Err(error)) => return Err(error),
    };
    if !answer.refusal.is_empty() {
        let detail = printable(answer.refusal.as_bytes());
        return Err(TalkError::new(Reason::Disks, detail));
    }
    same_machine(&printable(answer.machine_id.as_bytes()), &answer.hostname, known)?;
    Ok(Some(answer))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::ssh::probe::Root;

    fn host(access: &str) -> Host {
        let file = |name: &str, text: String| crate::inventory::SourceFile {
            name: name.into(),
            text: Ok(text),
        };
        let settings = file("evac.toml", "[site]\nname = \"x\"\n".into());
        let text = format!(
            "[[customer]]\nid = \"acme\"\n[[host]]\nid = \"vps\"\naddress = \"192.0.2.1\"\n\
             customer = \"acme\"\naccess = \"{access}\"\n"
        );
        let inventory = file("inventory.toml", text);
        crate::inventory::read_files(&settings, &[inventory]).inventory.hosts[0].clone()
    }

    fn probed(root_fs: &str, machine_id: &str, hostname: &str) -> Facts {
        Facts {
            system: "Linux".into(),
            machine: "x86_64".into(),
            kernel: String::new(),
            hostname: hostname.into(),
            uid: 0,
            clock_s: None,
            cpus: None,
            memory: None,
            machine_id: Some(machine_id.into()).filter(|id: &String| !id.is_empty()),
            root_fs: Some(root_fs.into()),
            root: Root::Already,
            tools: BTreeSet::new(),
            folders: Vec::new(),
        }
    }

    #[test]
    fn who_is_not_expected_is_not_let_in() {
        let known = MachineFacts {
            machine_id: Some("aa".into()),
            hostname: "web07.example.nl".into(),
            ..MachineFacts::default()
        };
        let reason = |access: &str, probed: Facts| {
            admit(&host(access), &probed, Some(&known)).err().map(|error| error.reason)
        };
        for root in ["overlay", "tmpfs", "squashfs", "nfs"] {
            assert_eq!(reason("normal", probed(root, "aa", "web07")), Some(Reason::Rescue));
            assert_eq!(reason("diskless", probed(root, "aa", "web07")), None);
            assert_eq!(reason("rescue", probed(root, "bb", "rescue")), None);
        }
        let other = Some(Reason::OtherMachine);
        assert_eq!(reason("normal", probed("ext4", "aa", "WEB07")), None);
        assert_eq!(reason("normal", probed("ext4", "", "web07")), None);
        assert_eq!(reason("normal", probed("ext4", "bb", "web07")), other);
        assert_eq!(reason("normal", probed("ext4", "aa", "web08")), other);
        assert_eq!(reason("diskless", probed("nfs", "bb", "web07")), other);
        assert_eq!(reason("rescue", probed("ext4", "aa", "web07")), Some(Reason::Disks));
        assert_eq!(admit(&host("normal"), &probed("xfs", "zz", "new"), None), Ok(()));
    }
}
