//! Paths that speak of a hypervisor, a panel or a database server: machines of which a copy of `/`
//! is not what has to be taken.
//!
//! Where Debian, Red Hat, SUSE and their kin, Proxmox, libvirt, Xen, cPanel, Plesk and DirectAdmin
//! keep them. A path counts when it is there; a last name of `*` when that directory holds
//! anything. No link is followed.

use std::path::Path;

use rustix::fs::OFlags;

use crate::capture::Beneath;
use crate::model::TreePath;
use crate::wire::survey::{Mark, MarkKind};

const MARKS: &[(MarkKind, &str)] = &[
    (MarkKind::Hypervisor, "/etc/pve/qemu-server"),
    (MarkKind::Hypervisor, "/var/lib/pve-cluster/config.db"),
    (MarkKind::Hypervisor, "/var/lib/libvirt/images/*"),
    (MarkKind::Hypervisor, "/var/lib/xen/images/*"),
    (MarkKind::Hypervisor, "/vz/private/*"),
    (MarkKind::Panel, "/usr/local/cpanel/cpanel"),
    (MarkKind::Panel, "/usr/local/psa/version"),
    (MarkKind::Panel, "/usr/local/directadmin/directadmin"),
    (MarkKind::Database, "/var/lib/mysql/ibdata1"),
    (MarkKind::Database, "/var/lib/mysql/mysql"),
    (MarkKind::Database, "/var/lib/pgsql/data/PG_VERSION"),
    (MarkKind::Database, "/var/lib/postgresql/*"),
    (MarkKind::Database, "/var/lib/mongodb/WiredTiger"),
    (MarkKind::Database, "/var/lib/mongo/WiredTiger"),
];

/// The marks beneath `folder`.
pub(super) fn find(folder: &Path) -> Vec<Mark> {
    let Ok(tree) = Beneath::open(folder) else { return Vec::new() };
    let found = |(kind, text): &(MarkKind, &str)| {
        let (text, inside) = text.strip_suffix("/*").map_or((*text, false), |text| (text, true));
        let path: TreePath = text.parse().ok()?;
        let is_there = if inside { holds_anything(&tree, &path) } else { is_there(&tree, &path) };
        is_there.then_some(Mark { kind: *kind, path })
    };
    MARKS.iter().filter_map(found).collect()
}

fn is_there(tree: &Beneath, path: &TreePath) -> bool {
    tree.open_at(path, OFlags::PATH).is_ok()
}

fn holds_anything(tree: &Beneath, path: &TreePath) -> bool {
    let Ok(open) = tree.open_quietly(path, OFlags::RDONLY | OFlags::DIRECTORY) else {
        return false;
    };
    let Ok(entries) = rustix::fs::Dir::read_from(&open) else { return false };
    entries.flatten().any(|entry| !matches!(entry.file_name().to_bytes(), b"." | b".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_named_and_what_is_empty_is_not() {
        let host = tempfile::tempdir().unwrap();
        let make = |path: &str| std::fs::create_dir_all(host.path().join(path)).unwrap();
        make("var/lib/libvirt/images");
        make("var/lib/postgresql");
        assert_eq!(find(host.path()), []);
        make("var/lib/postgresql/15");
        make("usr/local/psa/version");
        let path = |text: &str| text.parse().unwrap();
        assert_eq!(
            find(host.path()),
            [
                Mark { kind: MarkKind::Panel, path: path("/usr/local/psa/version") },
                Mark { kind: MarkKind::Database, path: path("/var/lib/postgresql") },
            ]
        );
    }
}
