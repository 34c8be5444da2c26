//! What kind of machine a host is: what the probe and the agent saw, in the form scripts read.
//!
//! Everything in here came from the host: it is bounded and printable.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::model::text::{bounded, printable};
use crate::model::{Bytes, Timestamp};
use crate::ssh::probe::{Facts, Root, Runs};
use crate::wire::SurveyAnswer;
use crate::wire::survey::MarkKind;

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

/// A path as people read it.
pub(super) fn shown(path: &[u8]) -> String {
    bounded(&printable(path), PATH_CHARS_MAX)
}
