//! Finding a machine on its disks: the order to an agent in a rescue system, and its answer.
//!
//! **Bounds.** An answer names at most [`DEVICES_MAX`] devices and as many file systems and
//! remarks; its texts are bounded here and made printable by whoever keeps them.

use serde::{Deserialize, Serialize};

use crate::model::{Bytes, DevicePath, RootName, TreePath};
use crate::wire::order::PATHS_MAX;
use crate::wire::survey::BYTES_MAX;

/// Most block devices, mounted file systems and remarks of an answer, each.
pub const DEVICES_MAX: usize = 512;
/// Longest text but the table of file systems, in bytes.
pub const TEXT_BYTES_MAX: usize = 1_024;
/// Longest table of file systems that is kept.
pub const FSTAB_BYTES_MAX: usize = 16 << 10;
/// Longest refusal: it lists what was found.
pub const REFUSAL_BYTES_MAX: usize = 4_000;

/// Find the machine and open it for reading, before anything else is done.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RescueOrder {
    /// The root to take, where there are several.
    pub root: Option<RootName>,
    /// Touch no disks but these; empty: all but loop devices.
    pub disks: Vec<DevicePath>,
    /// Mount points whose disks are lost.
    pub without: Vec<TreePath>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RescueAnswer {
    /// Why nothing can be taken, with what there is; empty: the root is open.
    pub refusal: String,
    /// What the machine consists of, its root first.
    pub mounted: Vec<RescueMount>,
    /// Every block device that was looked at.
    pub devices: Vec<DeviceFound>,
    /// The found root's table of file systems, or its beginning.
    pub fstab: String,
    /// The found machine's own `/etc/machine-id`; empty: it has none.
    pub machine_id: String,
    /// The found machine's own name; empty: it has none.
    pub hostname: String,
    /// What people should know of the copy.
    pub remarks: Vec<String>,
}

/// A file system of the found machine, open for reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RescueMount {
    /// Where it belongs.
    pub point: TreePath,
    /// Its device.
    pub device: String,
    /// Its type.
    pub fs_type: String,
    /// How it was mounted.
    pub options: String,
}

/// A block device, and what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DeviceFound {
    /// As `/dev/sda1`.
    pub path: String,
    /// The disk that it is a part of; empty: it is none.
    pub part_of: String,
    /// Its size.
    pub size: Bytes,
    /// `ext4`, `xfs`, `luks`, `lvm`, `raid`…; empty: nothing that evac knows.
    pub holds: String,
    /// Its own number.
    pub uuid: String,
    /// Its label.
    pub label: String,
    /// What is used of a file system, as far as it says.
    pub used: Bytes,
    /// It was not unmounted, or its journal has not been replayed.
    pub is_dirty: bool,
    /// Data that nothing of the found machine leads to.
    pub is_left: bool,
    /// What kept it from being looked at; empty as a rule.
    pub fault: String,
}

impl RescueOrder {
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let fits = self.disks.len().max(self.without.len()) <= PATHS_MAX;
        if fits { Ok(()) } else { Err("too many disks") }
    }
}

impl RescueAnswer {
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let longest = self.mounted.len().max(self.devices.len()).max(self.remarks.len());
        if longest > DEVICES_MAX {
            return Err("too many disks");
        }
        let devices = self.devices.iter();
        if devices.clone().any(|found| found.size.max(found.used) > BYTES_MAX) {
            return Err("an impossible size of a disk");
        }
        let texts = (devices.flat_map(|d| [&d.path, &d.part_of, &d.holds, &d.uuid, &d.label]))
            .chain(self.devices.iter().map(|found| &found.fault))
            .chain(self.mounted.iter().flat_map(|m| [&m.device, &m.fs_type, &m.options]))
            .chain([&self.machine_id, &self.hostname])
            .chain(&self.remarks);
        let fits = texts.into_iter().all(|text| text.len() <= TEXT_BYTES_MAX)
            && self.fstab.len() <= FSTAB_BYTES_MAX
            && self.refusal.len() <= REFUSAL_BYTES_MAX;
        if fits { Ok(()) } else { Err("too long a text about disks") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Decoder, ToLanding, encode};

    fn heard(answer: RescueAnswer) -> Option<RescueAnswer> {
        let mut decoder = Decoder::<ToLanding>::default();
        decoder.push(&encode(&ToLanding::Rescue(Box::new(answer))));
        match decoder.next_message() {
            Ok(Some(ToLanding::Rescue(answer))) => Some(*answer),
            _ => None,
        }
    }

    #[test]
    fn an_answer_arrives_as_it_was_and_what_no_machine_has_is_refused() {
        let device = DeviceFound { path: "/dev/sda1".into(), size: Bytes(9), ..Default::default() };
        let answer = RescueAnswer { devices: vec![device], ..RescueAnswer::default() };
        assert_eq!(heard(answer.clone()), Some(answer.clone()));
        let spoils: [fn(&mut RescueAnswer); 4] = [
            |a| a.devices = vec![a.devices[0].clone(); DEVICES_MAX + 1],
            |a| a.devices[0].used = Bytes(BYTES_MAX.0 + 1),
            |a| a.devices[0].label = "x".repeat(TEXT_BYTES_MAX + 1),
            |a| a.fstab = "x".repeat(FSTAB_BYTES_MAX + 1),
        ];
        for spoil in spoils {
            let mut spoilt = answer.clone();
            spoil(&mut spoilt);
            assert_eq!(heard(spoilt), None);
        }
    }
}
