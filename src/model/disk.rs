//! What kind of disk a source reads from, where somebody says so.

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
