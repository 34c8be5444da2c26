//! Names of owners, from the source's own `passwd` and `group` files.
//!
//! **Invariant.** Never through NSS: a static binary cannot load it, and a directory server that is
//! going down with the data centre must not hold up a capture. Files and names are bounded.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use super::Beneath;
use crate::model::TreePath;

/// Largest `passwd` or `group` file that is read.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// Most names that are kept of each.
const NAMES_MAX: usize = 100_000;
/// Longest name that is kept; Linux tools stop at 32.
const NAME_BYTES_MAX: usize = 255;

/// Names by number; the first line with a number wins, as in the C library.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owners {
    /// Names of users by uid.
    pub users: BTreeMap<u32, String>,
    /// Names of groups by gid.
    pub groups: BTreeMap<u32, String>,
}

impl Owners {
    /// May a peer state this? Says what is wrong.
    pub fn check(&self) -> Result<(), &'static str> {
        let is_bounded = |names: &BTreeMap<u32, String>| {
            names.len() <= NAMES_MAX && names.values().all(|name| name.len() <= NAME_BYTES_MAX)
        };
        let are_bounded = is_bounded(&self.users) && is_bounded(&self.groups);
        if are_bounded { Ok(()) } else { Err("impossible names of owners") }
    }

    /// About what it takes in memory.
    pub fn held_bytes(&self) -> usize {
        self.users.values().chain(self.groups.values()).map(|name| name.len() + 64).sum()
    }

    /// Reads both files beneath `tree`; one that is missing or unreadable names nobody.
    pub fn read(tree: &Beneath) -> Self {
        let names = |path: &str| {
            let path: TreePath = path.parse().unwrap_or_else(|_| TreePath::root());
            read_bounded(tree, &path).map(|text| parse(&text)).unwrap_or_default()
        };
        Self { users: names("/etc/passwd"), groups: names("/etc/group") }
    }
}

fn read_bounded(tree: &Beneath, path: &TreePath) -> io::Result<Vec<u8>> {
    let file = File::from(tree.open_quietly(path, OFlags::RDONLY | OFlags::NONBLOCK)?);
    if !file.metadata()?.is_file() {
        return Ok(Vec::new());
    }
    let mut text = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut text)?;
    Ok(text)
}

/// `name:password:number:…`, one a line.
fn parse(text: &[u8]) -> BTreeMap<u32, String> {
    let mut names = BTreeMap::new();
    for line in text.split(|b| *b == b'\n') {
        let mut fields = line.split(|b| *b == b':');
        let (Some(name), Some(_), Some(number)) = (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let number = std::str::from_utf8(number).ok().and_then(|n| n.parse().ok());
        let (Some(number), Ok(name)) = (number, std::str::from_utf8(name)) else { continue };
        let usable = !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.starts_with('#');
        if usable && names.len() < NAMES_MAX {
            names.entry(number).or_insert_with(|| name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_files_are_read() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("etc")).unwrap();
        let passwd =
            b"root:x:0:0:r:/root:/bin/sh\ntoor:x:0:0::/:\n\nbad\nx:y:z\n\xff:x:7:\nacme:x:1000:";
        std::fs::write(dir.path().join("etc/passwd"), passwd).unwrap();
        let owners = Owners::read(&Beneath::open(dir.path()).unwrap());
        assert_eq!(
            owners.users.into_iter().collect::<Vec<_>>(),
            [(0, "root".to_owned()), (1000, "acme".to_owned())]
        );
        assert!(owners.groups.is_empty());
    }
}
