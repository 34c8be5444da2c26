//! Disks: what kind a source reads from, where somebody says so, and how people name them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// As `disk` of a host in the inventory has it. A hint for where to begin: what is found while
/// reading counts, since virtual disks say anything of themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskKind {
    /// Heads that move: one reader, in the order of inodes.
    Hdd,
    /// Flash behind SATA or SAS.
    Ssd,
    /// Flash behind PCI Express.
    Nvme,
    /// Over a network: slow to answer, and answers many at once.
    Network,
}

impl DiskKind {
    /// All with their words.
    pub const WORDS: [(&str, Self); 4] =
        [("hdd", Self::Hdd), ("ssd", Self::Ssd), ("nvme", Self::Nvme), ("network", Self::Network)];
}

/// A block device, as `/dev/sda1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DevicePath(String);

/// A text that names no disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidDisk(&'static str);

/// Longest name of a disk or file system that is taken.
const NAME_BYTES_MAX: usize = 255;

impl DevicePath {
    /// The name beneath `/dev`.
    pub fn name(&self) -> &str {
        &self.0["/dev/".len()..]
    }
}

impl fmt::Display for DevicePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for DevicePath {
    type Err = InvalidDisk;

    fn from_str(text: &str) -> Result<Self, InvalidDisk> {
        let is_plain = |name: &str| {
            let ups = name.split('/').any(|part| matches!(part, "" | "." | ".."));
            !ups && name.chars().all(|c| c.is_ascii_graphic() && c != ',')
        };
        let name = text.strip_prefix("/dev/").filter(|name| is_plain(name));
        if name.is_none() || text.len() > NAME_BYTES_MAX {
            return Err(InvalidDisk("a disk is named as in `/dev/sda`"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// The file system that is a machine's root, as people choose it: `UUID=…`, `LABEL=…` or a device,
/// and after a comma `subvol=…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootName {
    /// Which file system.
    pub of: FileSystemName,
    /// Which of its sub-volumes.
    pub subvolume: Option<String>,
}

/// How a file system is named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileSystemName {
    /// By its own number.
    Uuid(String),
    /// By its label.
    Label(String),
    /// By where it lies.
    Device(DevicePath),
}

impl FromStr for FileSystemName {
    type Err = InvalidDisk;

    fn from_str(text: &str) -> Result<Self, InvalidDisk> {
        let wrong = InvalidDisk("a file system is named `UUID=…`, `LABEL=…` or as in `/dev/sda1`");
        let plain = text.len() <= NAME_BYTES_MAX && !text.chars().any(char::is_control);
        match text.split_once('=').filter(|(_, name)| plain && !name.is_empty()) {
            Some(("UUID", name)) => Ok(Self::Uuid(name.to_ascii_lowercase())),
            Some(("LABEL", name)) => Ok(Self::Label(name.to_owned())),
            _ => text.parse().map(Self::Device).map_err(|_| wrong),
        }
    }
}

impl FromStr for RootName {
    type Err = InvalidDisk;

    fn from_str(text: &str) -> Result<Self, InvalidDisk> {
        let (of, more) = text.split_once(',').map_or((text, None), |(of, more)| (of, Some(more)));
        let subvolume = more.map(|more| {
            let wrong = InvalidDisk("after the comma comes `subvol=` and the name of a sub-volume");
            let plain = more.len() <= NAME_BYTES_MAX && !more.chars().any(char::is_control);
            let name = more.strip_prefix("subvol=").filter(|name| plain && !name.is_empty());
            name.map(str::to_owned).ok_or(wrong)
        });
        Ok(Self { of: of.parse()?, subvolume: subvolume.transpose()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_and_roots_are_named_as_survey_lists_them() {
        let root = |text: &str| text.parse::<RootName>();
        let device: DevicePath = "/dev/mapper/vg-root".parse().unwrap();
        assert_eq!(device.name(), "mapper/vg-root");
        assert_eq!(
            root("UUID=0B1E,subvol=@").unwrap(),
            RootName { of: FileSystemName::Uuid("0b1e".into()), subvolume: Some("@".into()) }
        );
        assert_eq!(root("/dev/mapper/vg-root").unwrap().of, FileSystemName::Device(device));
        for wrong in ["", "UUID=", "sda1", "/dev/", "/dev/../etc", "/dev//sda", "LABEL=x,ro"] {
            assert!(root(wrong).is_err(), "{wrong}");
        }
    }
}
