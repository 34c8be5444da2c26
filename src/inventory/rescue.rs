//! Hosts behind whose address something else than their own system answers.

use serde::{Deserialize, Serialize};

use crate::inventory::fields::Fields;
use crate::model::{DevicePath, RootName, TreePath};

/// What answers at a host's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// The machine itself, from its disks.
    #[default]
    Normal,
    /// A rescue system; the machine is what lies on the disks.
    Rescue,
    /// The machine itself, whose root is in memory, an image or on the network as a rule.
    Diskless,
}

impl Access {
    const WORDS: [(&str, Self); 3] =
        [("normal", Self::Normal), ("rescue", Self::Rescue), ("diskless", Self::Diskless)];
}

/// How a machine is found on its disks, where a rescue system answers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rescue {
    /// The root to take, where there are several.
    pub root: Option<RootName>,
    /// Only these disks are touched, with their partitions; empty: all but loop devices.
    pub disks: Vec<DevicePath>,
    /// Mount points whose disks are lost: what lies there is not taken.
    pub without: Vec<TreePath>,
    /// As `host_key`, for the rescue system.
    pub host_key: Option<String>,
}

/// `access` and the keys that belong to it.
pub(super) fn read(fields: &mut Fields<'_>) -> (Access, Rescue) {
    let access = fields.word("access", &Access::WORDS).unwrap_or_default();
    let rescue = Rescue {
        root: fields.parse("rescue_root"),
        disks: fields.parse_list("rescue_disks"),
        without: fields.parse_list("rescue_without"),
        host_key: fields.text("rescue_host_key"),
    };
    (access, rescue)
}
