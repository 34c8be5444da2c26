//! What kind of machine a host is: what the probe and the agent saw, in the form scripts read.
//!
//! Everything in here came from the host: it is bounded and printable.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::model::text::{bounded, printable};
use crate::model::{Bytes, Timestamp};
use crate::ssh::probe::{Facts, Root, Runs};
use crate::wire::survey::MarkKind;
use crate::wire::{RescueAnswer, SurveyAnswer};

/// Longest text, in characters.
const TEXT_CHARS_MAX: usize = 200;
/// Longest path, in characters.
const PATH_CHARS_MAX: usize = 4_096;

/// A machine; fields are added, never changed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MachineFacts {
    /// `Linux`, elsewhere something else.
    pub system: String,
    /// `x86_64`, `aarch64`…
    pub machine: String,
    /// Version of the kernel.
    pub kernel: String,
    /// The name it has for itself.
    pub hostname: String,
    /// Whom we logged in as.
    pub uid: u32,
    /// How we are root: `already`, `sudo`, `sudo-password`, `sudo-terminal`, or
    /// `no`.
    pub root: String,
    /// Were old algorithms allowed on the way there?
    pub legacy: bool,
    /// Processors.
    pub cpus: Option<u32>,
    /// Memory.
    pub memory: Option<Bytes>,
    /// How far its clock is ahead of ours, in seconds.
    pub clock_skew_s: Option<i64>,
    /// File system of `/`.
    pub root_fs: Option<String>,
    /// `/etc/machine-id`; clones share it.
    pub machine_id: Option<String>,
    /// Programs found.
    pub tools: BTreeSet<String>,
    /// Folders that might take the agent.
    pub folders: Vec<FolderFacts>,
    /// Local file systems.
    pub file_systems: Vec<FileSystemFacts>,
    /// Block devices.
    pub disks: Vec<DiskFacts>,
    /// What speaks of a hypervisor, panel or database server.
    pub marks: Vec<MarkFacts>,
    /// Where a rescue system answers: how the machine was found on its disks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rescue: Option<RescueFacts>,
}

/// A machine on its disks; fields are added, never changed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RescueFacts {
    /// The rescue system's own name.
    pub hostname: String,
    /// What the machine consists of, its root first.
    pub mounted: Vec<MountFacts>,
    /// Every block device that was looked at.
    pub devices: Vec<DeviceFacts>,
    /// The machine's own table of file systems, or its beginning.
    pub fstab: String,
    /// What people should know of a copy.
    pub remarks: Vec<String>,
}

/// A file system of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountFacts {
    /// Where it belongs.
    pub mount_point: String,
    /// Its device in the rescue system.
    pub device: String,
    /// Its type.
    pub fs_type: String,
    /// How it is mounted.
    pub options: String,
}

/// A block device, and what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceFacts {
    /// As the rescue system names it.
    pub path: String,
    /// The disk that it is a partition of.
    pub part_of: String,
    /// Its size.
    pub size: Bytes,
    /// `ext4`, `xfs`, `luks`, `lvm`, `raid`…; empty: nothing that evac knows.
    pub holds: String,
    /// Its own number.
    pub uuid: String,
    /// Its label.
    pub label: String,
    /// What is used of it, as far as it says.
    pub used: Bytes,
    /// It was not unmounted.
    pub is_dirty: bool,
    /// Data that nothing of the machine leads to.
    pub is_left: bool,
    /// What kept it from being looked at.
    pub fault: String,
}

/// A folder that might take the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderFacts {
    /// Which.
    pub path: String,
    /// Its file system.
    pub file_system: String,
    /// Free space.
    pub free: Bytes,
    /// `yes`, `noexec` or `unwritable`.
    pub runs: String,
}

/// A local file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSystemFacts {
    /// Where.
    pub mount_point: String,
    /// What is mounted.
    pub source: String,
    /// Its type.
    pub fs_type: String,
    /// All of it.
    pub size: Bytes,
    /// What is used of it.
    pub used: Bytes,
}

/// A block device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskFacts {
    /// As the kernel names it.
    pub name: String,
    /// Its size.
    pub size: Bytes,
}

/// Something that is there only on machines of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkFacts {
    /// Which kind.
    pub kind: MarkKind,
    /// What was found.
    pub path: String,
}

impl MachineFacts {
    /// What the probe saw, as of `now` on our clock.
    pub fn of(probed: &Facts, now: Timestamp) -> Self {
        let text = |text: &str| bounded(text, TEXT_CHARS_MAX);
        Self {
            system: text(&probed.system),
            machine: text(&probed.machine),
            kernel: text(&probed.kernel),
            hostname: text(&probed.hostname),
            uid: probed.uid,
            root: match probed.root {
                Root::Already => "already",
                Root::Sudo => "sudo",
                Root::SudoPassword => "sudo-password",
                Root::SudoTerminal => "sudo-terminal",
                Root::No(_) => "no",
            }
            .to_owned(),
            cpus: probed.cpus,
            memory: probed.memory,
            clock_skew_s: probed.clock_s.map(|clock| clock.saturating_sub(now.as_second())),
            root_fs: probed.root_fs.as_deref().map(text),
            machine_id: probed.machine_id.as_deref().map(text),
            tools: probed.tools.iter().map(|tool| text(tool)).collect(),
            folders: (probed.folders.iter())
                .map(|folder| FolderFacts {
                    path: bounded(&folder.path, PATH_CHARS_MAX),
                    file_system: text(&folder.file_system),
                    free: folder.free,
                    runs: match folder.runs {
                        Runs::Yes => "yes",
                        Runs::NoExec => "noexec",
                        Runs::Unwritable => "unwritable",
                    }
                    .to_owned(),
                })
                .collect(),
            ..Self::default()
        }
    }

    /// Adds what the agent saw.
    pub fn add(&mut self, answer: &SurveyAnswer) {
        let text = |text: &str| bounded(text, TEXT_CHARS_MAX);
        self.file_systems = (answer.file_systems.iter())
            .map(|seen| FileSystemFacts {
                mount_point: shown(seen.mount_point.as_bytes()),
                source: text(&seen.source),
                fs_type: text(&seen.fs_type),
                size: seen.size,
                used: seen.used,
            })
            .collect();
        self.disks = (answer.disks.iter())
            .map(|disk| DiskFacts { name: text(&disk.name), size: disk.size })
            .collect();
        self.marks = (answer.marks.iter())
            .map(|mark| MarkFacts { kind: mark.kind, path: shown(mark.path.as_bytes()) })
            .collect();
    }
}

impl MachineFacts {
    /// Adds what an agent found on the disks: the machine is that, not the rescue system.
    pub fn add_found(&mut self, found: &RescueAnswer) {
        let text = |text: &str| bounded(&printable(text.as_bytes()), TEXT_CHARS_MAX);
        let mounted = found.mounted.iter().map(|mount| MountFacts {
            mount_point: shown(mount.point.as_bytes()),
            device: text(&mount.device),
            fs_type: text(&mount.fs_type),
            options: text(&mount.options),
        });
        let devices = found.devices.iter().map(|device| DeviceFacts {
            path: text(&device.path),
            part_of: text(&device.part_of),
            size: device.size,
            holds: text(&device.holds),
            uuid: text(&device.uuid),
            label: text(&device.label),
            used: device.used,
            is_dirty: device.is_dirty,
            is_left: device.is_left,
            fault: text(&device.fault),
        });
        let named = |word: &str| Some(text(word)).filter(|word| !word.is_empty());
        let rescue = RescueFacts {
            hostname: std::mem::take(&mut self.hostname),
            mounted: mounted.collect(),
            devices: devices.collect(),
            fstab: found
                .fstab
                .lines()
                .map(|line| bounded(&printable(line.as_bytes()), 1_000) + "\n")
                .collect(),
            remarks: found.remarks.iter().map(|remark| text_of(remark)).collect(),
        };
        self.root_fs = rescue.mounted.first().map(|root| root.fs_type.clone());
        self.machine_id = named(&found.machine_id);
        self.hostname = text(&found.hostname);
        self.rescue = Some(rescue);
    }
}

/// A sentence as people read it.
fn text_of(remark: &str) -> String {
    bounded(&printable(remark.as_bytes()), 400)
}

/// A path as people read it.
pub(super) fn shown(path: &[u8]) -> String {
    bounded(&printable(path), PATH_CHARS_MAX)
}
