//! Owners by name: what a number at the source is here.
//!
//! **Invariants.** Only numbers that have a name at the source are mapped, and only to a number
//! that has the same name here. All others stay, and the first entry of each stranger is listed.
//! The entries of ACLs are mapped too; the root of a capability's namespace is no owner of files
//! and stays.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::capture::{Entry, Owners, Record, Xattr};
use crate::model::text::printable;

const ACL: &[u8] = b"system.posix_acl_";
const ACL_VERSION: [u8; 4] = [2, 0, 0, 0];
const ACL_USER: [u8; 2] = [2, 0];
const ACL_GROUP: [u8; 2] = [8, 0];

/// Numbers here, by number at the source; and who has no name here.
#[derive(Debug, Clone, Default)]
pub struct OwnerMap {
    users: Numbers,
    groups: Numbers,
}

#[derive(Debug, Clone, Default)]
struct Numbers {
    here: HashMap<u32, u32>,
    strangers: HashMap<u32, String>,
    met: HashSet<u32>,
}

impl Numbers {
    fn new(source: &BTreeMap<u32, String>, here: &BTreeMap<u32, String>) -> Self {
        // A name that stands twice is the first number's, as in the system's own look-ups.
        let by_name: HashMap<_, _> = here.iter().rev().map(|(id, name)| (name, *id)).collect();
        let mut numbers = Self::default();
        for (id, name) in source {
            match by_name.get(name) {
                Some(known) => drop(numbers.here.insert(*id, *known)),
                None => drop(numbers.strangers.insert(*id, name.clone())),
            }
        }
        numbers
    }

    /// The number here; a stranger's name, the first time.
    fn meet(&mut self, id: u32, strangers: &mut Vec<String>) -> u32 {
        if let Some(name) = self.strangers.get(&id)
            && self.met.insert(id)
        {
            strangers.push(format!("`{}` ({id})", printable(name.as_bytes())));
        }
        self.here.get(&id).copied().unwrap_or(id)
    }
}

impl OwnerMap {
    /// From the names at the source to the numbers here.
    pub fn new(source: &Owners, here: &Owners) -> Self {
        Self {
            users: Numbers::new(&source.users, &here.users),
            groups: Numbers::new(&source.groups, &here.groups),
        }
    }

    /// Gives an entry its owners here; says who has no name here, each once.
    pub(super) fn map(&mut self, entry: &mut Entry) -> Vec<String> {
        let mut strangers = Vec::new();
        let metadata = &mut entry.metadata;
        metadata.uid = self.users.meet(metadata.uid, &mut strangers);
        metadata.gid = self.groups.meet(metadata.gid, &mut strangers);
        for xattr in metadata.xattrs.iter_mut().filter(|xattr| xattr.name.starts_with(ACL)) {
            self.map_acl(xattr, &mut strangers);
        }
        strangers
    }

    /// The same of what nobody is told about.
    pub(super) fn map_unseen(&mut self, entry: &mut Entry) {
        let met = [self.users.met.clone(), self.groups.met.clone()];
        self.map(entry);
        [self.users.met, self.groups.met] = met;
    }

    fn map_acl(&mut self, xattr: &mut Xattr, strangers: &mut Vec<String>) {
        if !xattr.value.starts_with(&ACL_VERSION) {
            return;
        }
        let (entries, _) = xattr.value[ACL_VERSION.len()..].as_chunks_mut::<8>();
        for [tag, tag_high, _, _, id @ ..] in entries {
            let number = u32::from_le_bytes(*id);
            let mapped = match [*tag, *tag_high] {
                ACL_USER => self.users.meet(number, strangers),
                ACL_GROUP => self.groups.meet(number, strangers),
                _ => continue,
            };
            *id = mapped.to_le_bytes();
        }
    }

    /// The record with its owners here; `None` where it has none.
    pub(super) fn mapped(&mut self, record: &Record) -> Option<(Record, Vec<String>)> {
        let mut record = record.clone();
        let (Record::Node(entry) | Record::HardLink { entry, .. }) = &mut record else {
            return None;
        };
        let strangers = self.map(entry);
        Some((record, strangers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{Kind, Metadata};

    fn owners(users: &[(u32, &str)], groups: &[(u32, &str)]) -> Owners {
        let map = |list: &[(u32, &str)]| list.iter().map(|(id, n)| (*id, (*n).into())).collect();
        Owners { users: map(users), groups: map(groups) }
    }

    fn acl(entries: &[(u16, u32)]) -> Xattr {
        let entry =
            |(tag, id): &(u16, u32)| [&tag.to_le_bytes()[..], &[6, 0], &id.to_le_bytes()].concat();
        let value = [ACL_VERSION.to_vec(), entries.iter().flat_map(entry).collect()].concat();
        Xattr { name: b"system.posix_acl_default".into(), value }
    }

    #[test]
    fn names_decide_in_owners_and_acls_and_strangers_stay() {
        let source = owners(&[(0, "root"), (1000, "acme"), (1001, "gone")], &[(1000, "acme")]);
        let here =
            owners(&[(0, "root"), (1000, "bob"), (2000, "acme"), (3000, "acme")], &[(50, "acme")]);
        let mut map = OwnerMap::new(&source, &here);
        let none = u32::MAX;
        let capability =
            Xattr { name: b"security.capability".into(), value: vec![0, 0, 0, 3, 232, 3] };
        let metadata = Metadata {
            uid: 1000,
            gid: 1000,
            xattrs: vec![
                capability.clone(),
                acl(&[(1, none), (2, 1000), (2, 1001), (2, 7), (8, 1000), (0x20, none)]),
            ],
            ..Metadata::default()
        };
        let path: crate::model::TreePath = "/a".parse().unwrap();
        let mut entry = Entry { path, kind: Kind::Directory, metadata };
        assert_eq!(map.map(&mut entry.clone()), ["`gone` (1001)"]);
        assert_eq!(map.map(&mut entry), [""; 0], "each stranger is told once");
        let mapped = entry.metadata;
        assert_eq!((mapped.uid, mapped.gid), (2000, 50));
        let expected = acl(&[(1, none), (2, 2000), (2, 1001), (2, 7), (8, 50), (0x20, none)]);
        assert_eq!(mapped.xattrs, [capability, expected]);
    }
}
