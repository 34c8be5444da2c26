//! A survey's order and answer.
//!
//! **Bounds.** An answer names at most [`LIST_MAX`] things of each kind and no size beyond
//! [`BYTES_MAX`], so sums of them do not overflow; its text is bounded here and made printable by
//! whoever keeps it.

use serde::{Deserialize, Serialize};

use crate::model::{Bytes, TreePath};
use crate::wire::order::PATHS_MAX;

/// Most things of one kind in an answer.
pub const LIST_MAX: usize = 4_096;
/// No size of anything is beyond this; exact as a double too, which is what JSON readers have.
pub const BYTES_MAX: Bytes = Bytes(1 << 53);
/// Longest text, in bytes.
const TEXT_BYTES_MAX: usize = 1_024;

/// Look at a host's file systems.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SurveyOrder {
    /// The workloads of this host; each is measured. At most [`LIST_MAX`].
    pub workloads: Vec<SurveyScope>,
    /// What is uncovered and accepted, at most [`PATHS_MAX`].
    pub accepted: Vec<TreePath>,
    /// Areas smaller than this are not worth a word.
    pub least: Bytes,
    /// Entries looked at for the sizes, and again for what is uncovered, before what was summed so
    /// far has to do.
    pub entries_max: u64,
    /// The same for the time all of it takes.
    pub seconds_max: u64,
}

/// What one workload takes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SurveyScope {
    /// Its paths, at most [`PATHS_MAX`].
    pub paths: Vec<TreePath>,
    /// Its excludes, at most [`PATHS_MAX`].
    pub exclude: Vec<String>,
}

/// What a host's agent saw.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SurveyAnswer {
    /// Local file systems.
    pub file_systems: Vec<FileSystemSeen>,
    /// Block devices that the kernel names.
    pub disks: Vec<DiskSeen>,
    /// What speaks of a database server, hypervisor or panel.
    pub marks: Vec<Mark>,
    /// The workloads, in the order asked.
    pub workloads: Vec<Measured>,
    /// What none of them takes.
    pub uncovered: Vec<UncoveredArea>,
    /// Areas were left unnamed because there are too many, or could not be looked for.
    pub uncovered_complete: bool,
}

/// A mounted local file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSystemSeen {
    /// Where.
    pub mount_point: TreePath,
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
pub struct DiskSeen {
    /// As in `/sys/block`.
    pub name: String,
    /// Its size.
    pub size: Bytes,
}

/// A path that is there only on machines of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Which kind.
    pub kind: MarkKind,
    /// What was found.
    pub path: TreePath,
}

/// Machines of which `/` is not what has to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkKind {
    /// Guests' disks lie outside its file systems, or are written to meanwhile.
    Hypervisor,
    /// Many customers' accounts, and a data base of them.
    Panel,
    /// Files of a running server are of no use without it.
    Database,
}

/// How large a workload is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Measured {
    /// Allocated on disk, as far as was looked.
    pub bytes: Bytes,
    /// Entries looked at.
    pub entries: u64,
    /// Was everything looked at?
    pub complete: bool,
    /// Why nothing could be; empty as a rule.
    pub fault: String,
}

/// What an area is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AreaKind {
    /// A single file.
    File,
    /// A folder.
    Folder,
    /// A mounted file system.
    FileSystem,
}

/// Data that no workload takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UncoveredArea {
    /// Where.
    pub path: TreePath,
    /// How much, as far as was looked.
    pub bytes: Bytes,
    /// What it is.
    pub kind: AreaKind,
    /// Was everything looked at?
    pub complete: bool,
}

impl SurveyOrder {
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let scope = |scope: &SurveyScope| scope.paths.len().max(scope.exclude.len()) <= PATHS_MAX;
        let fits = self.workloads.len() <= LIST_MAX && self.accepted.len() <= PATHS_MAX;
        if fits && self.workloads.iter().all(scope) { Ok(()) } else { Err("too many paths") }
    }
}

impl SurveyAnswer {
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let longest = (self.file_systems.len().max(self.disks.len()))
            .max(self.marks.len())
            .max(self.workloads.len())
            .max(self.uncovered.len());
        if longest > LIST_MAX {
            return Err("too many things in a survey");
        }
        let sizes = (self.file_systems.iter().flat_map(|seen| [seen.size, seen.used]))
            .chain(self.disks.iter().map(|disk| disk.size))
            .chain(self.workloads.iter().map(|measured| measured.bytes))
            .chain(self.uncovered.iter().map(|area| area.bytes));
        if sizes.into_iter().any(|bytes| bytes > BYTES_MAX) {
            return Err("an impossible size in a survey");
        }
        let mut texts = (self.file_systems.iter().flat_map(|seen| [&seen.source, &seen.fs_type]))
            .chain(self.disks.iter().map(|disk| &disk.name))
            .chain(self.workloads.iter().map(|measured| &measured.fault));
        if texts.any(|text| text.len() > TEXT_BYTES_MAX) {
            return Err("too long a text in a survey");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Decoder, ToAgent, ToLanding, encode};

    fn answer() -> SurveyAnswer {
        let path: TreePath = "/srv/\u{7f}x".parse().unwrap();
        let (size, used) = (Bytes(9), Bytes(5));
        SurveyAnswer {
            file_systems: vec![FileSystemSeen {
                mount_point: TreePath::root(),
                source: "/dev/sda1".into(),
                fs_type: "ext4".into(),
                size,
                used,
            }],
            disks: vec![DiskSeen { name: "sda".into(), size }],
            marks: vec![Mark { kind: MarkKind::Panel, path: path.clone() }],
            workloads: vec![Measured { bytes: used, entries: 2, ..Measured::default() }],
            uncovered: vec![UncoveredArea {
                path,
                bytes: used,
                kind: AreaKind::FileSystem,
                complete: true,
            }],
            uncovered_complete: true,
        }
    }

    fn heard(answer: SurveyAnswer) -> Option<SurveyAnswer> {
        let mut decoder = Decoder::<ToLanding>::default();
        decoder.push(&encode(&ToLanding::Survey(Box::new(answer))));
        match decoder.next_message() {
            Ok(Some(ToLanding::Survey(answer))) => Some(*answer),
            _ => None,
        }
    }

    #[test]
    fn an_answer_arrives_as_it_was() {
        assert_eq!(heard(answer()), Some(answer()));
    }

    #[test]
    fn what_no_host_has_is_refused() {
        let spoilt = |spoil: fn(&mut SurveyAnswer)| {
            let mut answer = answer();
            spoil(&mut answer);
            heard(answer)
        };
        let spoils: [fn(&mut SurveyAnswer); 6] = [
            |a| a.workloads = vec![Measured::default(); LIST_MAX + 1],
            |a| a.disks = vec![a.disks[0].clone(); LIST_MAX + 1],
            |a| a.uncovered[0].bytes = Bytes(BYTES_MAX.0 + 1),
            |a| a.file_systems[0].used = Bytes(u64::MAX),
            |a| a.disks[0].name = "x".repeat(TEXT_BYTES_MAX + 1),
            |a| a.workloads[0].fault = "x".repeat(TEXT_BYTES_MAX + 1),
        ];
        for (number, spoil) in spoils.into_iter().enumerate() {
            assert_eq!(spoilt(spoil), None, "{number}");
        }
    }

    #[test]
    fn an_order_has_bounds_too() {
        let scope = SurveyScope { paths: vec![TreePath::root()], exclude: Vec::new() };
        let order = |count| {
            ToAgent::Survey(Box::new(SurveyOrder {
                workloads: vec![scope.clone(); count],
                accepted: Vec::new(),
                least: Bytes::ZERO,
                entries_max: 1,
                seconds_max: 1,
            }))
        };
        let taken = |order: ToAgent| {
            let mut decoder = Decoder::<ToAgent>::default();
            decoder.push(&encode(&order));
            decoder.next_message().is_ok()
        };
        assert!(taken(order(LIST_MAX)) && !taken(order(LIST_MAX + 1)));
    }
}
