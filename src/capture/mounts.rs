//! Which file systems a walk enters.
//!
//! **The rule.** What somebody names as a root is captured, whatever file system it lies on, except
//! the kernel's own (`proc`, `sysfs`, …). A file system mounted *beneath* a root is
//! - entered if it is a local real one ([`LOCAL`]), and the sub-volumes of btrfs with it;
//! - left out, and listed, if it lives in memory, on the network, in the kernel, or is unknown;
//!   its mount point stays as an empty directory. Network and automatic mounts are not even
//!   looked at: a server that is gone would hold up the walk for ever;
//! - left out as a view if it is `overlay`: its layers lie on a file system of their own;
//! - left out as a bind mount if the same directory (device and inode) is reached by another path
//!   beneath the roots that is captured.
//!
//! What is mounted is read once from `/proc/self/mountinfo` (proc(5)). Without it, or where the
//! device changes without a mount, the magic number of `statfs` decides.

mod mountinfo;

use std::collections::HashMap;

use rustix::fs::{OFlags, fstat, fstatfs};

pub use self::mountinfo::{read, unescape};
use super::Beneath;
use crate::model::TreePath;
use crate::model::text::bounded;

/// Local real file systems, with the magic number of `statfs` (linux/magic.h and their sources).
pub const LOCAL: &[(&str, u64)] = &[
    ("ext4", 0xef53),
    ("ext3", 0xef53),
    ("ext2", 0xef53),
    ("xfs", 0x5846_5342),
    ("btrfs", BTRFS_MAGIC),
    ("zfs", 0x2fc1_2fc1),
    ("f2fs", 0xf2f5_2010),
    ("bcachefs", 0xca45_1a4e),
    ("reiserfs", 0x5265_4973),
    ("jfs", 0x3153_464a),
    ("nilfs2", 0x3434),
    ("vfat", 0x4d44),
    ("msdos", 0x4d44),
    ("exfat", 0x2011_bab0),
    ("ntfs3", 0x7366_746e),
    ("ntfs", 0x5346_544e),
    ("fuseblk", 0x6573_5546),
    ("iso9660", 0x9660),
    ("udf", 0x1501_3346),
    ("squashfs", 0x7371_7368),
    ("erofs", 0xe0f5_e1e2),
    ("hfsplus", 0x482b),
    ("ufs", 0x0001_1954),
];
const BTRFS_MAGIC: u64 = 0x9123_683e;

const KERNEL: &[&str] = &[
    "proc",
    "sysfs",
    "devtmpfs",
    "devpts",
    "cgroup",
    "cgroup2",
    "securityfs",
    "debugfs",
    "tracefs",
    "configfs",
    "fusectl",
    "pstore",
    "efivarfs",
    "bpf",
    "mqueue",
    "hugetlbfs",
    "binfmt_misc",
    "rpc_pipefs",
    "nsfs",
    "selinuxfs",
    "fuse.lxcfs",
    "fuse.gvfsd-fuse",
    "fuse.portal",
];
const MEMORY: &[&str] = &["tmpfs", "ramfs", "rootfs"];
const NETWORK: &[&str] = &[
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "ceph",
    "fuse.sshfs",
    "fuse.glusterfs",
    "glusterfs",
    "fuse.ceph",
    "fuse.s3fs",
    "fuse.rclone",
    "fuse.davfs",
    "davfs",
    "9p",
    "virtiofs",
    "afs",
    "ocfs2",
    "gfs2",
    "lustre",
    "beegfs",
    "orangefs",
    "ncpfs",
    "coda",
];

/// What a file system is to a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// On a disk of this machine.
    Local,
    /// In memory; gone after a reboot.
    Memory,
    /// The kernel's own, without data.
    Kernel,
    /// Somewhere else.
    Network,
    /// A view of other directories.
    View,
    /// Mounts by itself when it is looked at.
    Automatic,
    /// None of these.
    Unknown,
}

/// Classifies the type that `mountinfo` names.
pub fn class(fs_type: &str) -> Class {
    match fs_type {
        "overlay" | "aufs" | "fuse.overlayfs" | "fuse.mergerfs" => Class::View,
        "autofs" => Class::Automatic,
        name if LOCAL.iter().any(|(local, _)| *local == name) => Class::Local,
        name if KERNEL.contains(&name) => Class::Kernel,
        name if MEMORY.contains(&name) => Class::Memory,
        name if NETWORK.contains(&name) => Class::Network,
        _ => Class::Unknown,
    }
}

/// One line of `mountinfo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where it is mounted.
    pub point: TreePath,
    /// Which directory of the file system stands there.
    pub fs_root: Vec<u8>,
    /// Device number, major and minor, as `mountinfo` has it; btrfs shows another in `stat`.
    pub device: (u32, u32),
    /// Its type.
    pub fs_type: String,
    /// What was mounted, printable and bounded.
    pub source: String,
}

impl Mount {
    /// What it is to a walk.
    pub fn class(&self) -> Class {
        class(&self.fs_type)
    }
}

/// What a walk does at a mount point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Enter,
    /// Left out; may it be looked at?
    LeaveOut {
        why: String,
        look: bool,
    },
}

/// Decides for every mount beneath `roots`, by the rule above.
pub(super) fn decide(
    tree: &Beneath,
    mounts: &[Mount],
    roots: &[TreePath],
    excluded: impl Fn(&TreePath) -> bool,
) -> HashMap<TreePath, Verdict> {
    let mut verdicts = HashMap::new();
    // The whole of a file system first, so that bind mounts of its parts find it.
    let mut order: Vec<&Mount> = mounts.iter().collect();
    order.sort_by_key(|mount| mount.fs_root.len());
    for mount in order {
        let named = roots.contains(&mount.point);
        let beneath = roots.iter().any(|root| mount.point.is_within(root));
        if !beneath {
            continue;
        }
        let verdict = match own_verdict(mount, named) {
            Verdict::Enter if !named => match elsewhere(tree, mount, mounts, roots, &verdicts)
                .filter(|path| !excluded(path))
            {
                Some(other) => Verdict::LeaveOut {
                    why: bounded(&format!("bind mount of {other}"), 100),
                    look: true,
                },
                None => Verdict::Enter,
            },
            verdict => verdict,
        };
        verdicts.insert(mount.point.clone(), verdict);
    }
    for root in roots {
        let holder = mounts.iter().filter(|mount| root.is_within(&mount.point));
        let holder = holder.max_by_key(|mount| mount.point.components().count());
        if let Some(mount) = holder.filter(|mount| mount.class() == Class::Kernel) {
            verdicts.insert(root.clone(), own_verdict(mount, true));
        }
    }
    verdicts
}

fn own_verdict(mount: &Mount, named: bool) -> Verdict {
    let kind = &mount.fs_type;
    let leave = |why: String, look| Verdict::LeaveOut { why: bounded(&why, 100), look };
    match mount.class() {
        Class::Kernel => leave(format!("{kind}: the kernel's own file system"), true),
        _ if named => Verdict::Enter,
        Class::Local => Verdict::Enter,
        Class::Memory => leave(format!("{kind}: a file system in memory"), true),
        Class::View => leave(format!("{kind}: a view of other directories"), true),
        Class::Network => {
            leave(format!("{kind} from {}: a network file system", mount.source), false)
        }
        Class::Automatic => leave(format!("{kind}: an automatic mount"), false),
        Class::Unknown => leave(format!("{kind}: not known as a local file system"), false),
    }
}

/// Another captured path to what `mount` shows.
fn elsewhere(
    tree: &Beneath,
    mount: &Mount,
    mounts: &[Mount],
    roots: &[TreePath],
    verdicts: &HashMap<TreePath, Verdict>,
) -> Option<TreePath> {
    mounts.iter().filter(|other| other.device == mount.device).find_map(|other| {
        let inner = strip_directory(&mount.fs_root, &other.fs_root)?;
        let path = join_bytes(&other.point, inner)?;
        // Every mount on the way must be entered already: in doubt data is captured twice.
        let open = mounts.iter().filter(|m| path.is_within(&m.point)).all(|m| {
            !roots.iter().any(|root| m.point.is_within(root))
                || verdicts.get(&m.point) == Some(&Verdict::Enter)
        });
        let captured = roots.iter().any(|root| path.is_within(root));
        (open && captured && path != mount.point && same(tree, &path, &mount.point)).then_some(path)
    })
}

fn strip_directory<'a>(path: &'a [u8], directory: &[u8]) -> Option<&'a [u8]> {
    let directory = directory.strip_suffix(b"/").unwrap_or(directory);
    path.strip_prefix(directory).filter(|rest| matches!(rest.first(), None | Some(b'/')))
}

fn join_bytes(point: &TreePath, inner: &[u8]) -> Option<TreePath> {
    let inner = inner.strip_suffix(b"/").unwrap_or(inner);
    match (point.is_root(), inner) {
        (_, b"") => Some(point.clone()),
        (true, inner) => TreePath::new(inner).ok(),
        (false, inner) => TreePath::new([point.as_bytes(), inner].concat()).ok(),
    }
}

fn same(tree: &Beneath, one: &TreePath, other: &TreePath) -> bool {
    let id = |path| {
        let stat = fstat(tree.open_at(path, OFlags::PATH).ok()?).ok()?;
        Some((stat.st_dev, stat.st_ino))
    };
    id(one).is_some_and(|found| id(other) == Some(found))
}

/// May a directory be entered whose device changed where nothing was mounted?
pub(super) fn may_cross(directory: rustix::fd::BorrowedFd<'_>, mounts_known: bool) -> bool {
    let Ok(found) = fstatfs(directory) else { return false };
    let magic = found.f_type as u64 & 0xffff_ffff;
    if mounts_known {
        // Only btrfs gives sub-volumes a device of their own; all else was mounted meanwhile.
        return magic == BTRFS_MAGIC;
    }
    LOCAL.iter().any(|(_, local)| *local == magic)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::mountinfo::parse;
    use super::*;

    fn path(text: &str) -> TreePath {
        text.parse().unwrap()
    }

    #[test]
    fn types_are_told_apart() {
        for (name, expected) in [
            ("ext4", Class::Local),
            ("zfs", Class::Local),
            ("proc", Class::Kernel),
            ("tmpfs", Class::Memory),
            ("nfs4", Class::Network),
            ("fuse.sshfs", Class::Network),
            ("overlay", Class::View),
            ("autofs", Class::Automatic),
            ("fuse.whatever", Class::Unknown),
        ] {
            assert_eq!(class(name), expected, "{name}");
        }
    }

    #[test]
    fn a_root_may_lie_anywhere_but_in_the_kernel() {
        let tree = Beneath::open(Path::new("/")).unwrap();
        let text = b"1 0 8:1 / / rw - ext4 x rw\n2 1 0:5 / /shm rw - tmpfs x rw\n\
            3 1 0:6 / /p rw - proc x rw\n4 1 0:7 / /shm/in rw - tmpfs x rw";
        let mounts = parse(text, &TreePath::root());
        let roots = [path("/p/sys"), path("/shm")];
        let verdicts = decide(&tree, &mounts, &roots, |_| false);
        assert_eq!(verdicts.get(&path("/shm")), Some(&Verdict::Enter));
        assert!(matches!(verdicts.get(&path("/p/sys")), Some(Verdict::LeaveOut { .. })));
        assert!(matches!(verdicts.get(&path("/shm/in")), Some(Verdict::LeaveOut { .. })));
        assert_eq!(verdicts.get(&path("/")), None);
    }
}
