//! Where a restore writes, as the events name it.
//!
//! `target:ID:/root` is a customer's new home; `folder:/path` is a copy for somebody to look at.
//! Only the former says anything about where the customer's workload stands: files unpacked for a
//! look must not make a page say that a server is back.

use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::model::text::{bounded, printable};

/// Longest text of a place.
const PLACE_CHARS_MAX: usize = 4_096;
const TARGET: &str = "target:";

/// Where a restore writes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// A copy beside: `restore --to DIR`, on this machine.
    Folder(PathBuf),
    /// The new home.
    Target {
        /// A target's id, or its address where it has none.
        target: String,
        /// Beneath which folder there.
        root: PathBuf,
    },
}

impl Place {
    /// Is the place of this text a workload's new home?
    pub fn is_home(place: &str) -> bool {
        place.starts_with(TARGET)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let readable = |path: &Path| printable(path.as_os_str().as_bytes());
        let text = match self {
            Self::Folder(path) => format!("folder:{}", readable(path)),
            Self::Target { target, root } => format!("{TARGET}{target}:{}", readable(root)),
        };
        f.pad(&bounded(&text, PLACE_CHARS_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_target_is_a_home() {
        let folder = Place::Folder("/srv/look".into()).to_string();
        let target = Place::Target { target: "rack-07".into(), root: "/srv/x".into() }.to_string();
        assert_eq!(folder, "folder:/srv/look");
        assert_eq!(target, "target:rack-07:/srv/x");
        assert!(Place::is_home(&target));
        assert!(!Place::is_home(&folder));
    }
}
