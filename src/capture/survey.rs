//! How much there is, and what nobody has named: for `survey`, with `stat` alone.
//!
//! **Invariants.** No file is opened. Every walk asks its caller after each entry whether to go on,
//! and says whether it came to its end. Network file systems are not looked at.
//!
//! **Uncovered** is what has bytes and lies in no workload's paths. It is told by area: the
//! children of `/`, and of the directories in [`SPLIT`], where customers' data lies side by side;
//! other file systems mounted deeper down are areas of their own. What an operating system brings
//! with itself is no data ([`OS_ONLY`]): programs, libraries, caches, logs, what package managers
//! keep.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use rustix::fs::{OFlags, fstatvfs};

use super::mounts::{self, Class};
use super::{Beneath, Kind, Step, Walk, WalkError, WalkOptions};
use crate::model::{Bytes, TreePath};

/// Directories whose children are areas by themselves.
pub const SPLIT: &[&str] = &["/var", "/home", "/srv", "/opt"];

/// What every installation has and nobody misses, on Debian, Red Hat, SUSE, Arch and their kin.
/// `/usr/local` is not in it: people put programs and data there. Nor are `/etc`, `/root`,
/// `/var/spool`, `/var/mail`, `/var/www` and most of `/var/lib`.
pub const OS_ONLY: &[&str] = &[
    "/bin",
    "/boot",
    "/dev",
    "/efi",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/lost+found",
    "/media",
    "/proc",
    "/run",
    "/sbin",
    "/sys",
    "/tmp",
    "/swapfile",
    "/swap.img",
    "/usr/bin",
    "/usr/games",
    "/usr/include",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/libx32",
    "/usr/sbin",
    "/usr/share",
    "/usr/src",
    "/var/backups",
    "/var/cache",
    "/var/crash",
    "/var/db/sudo",
    "/var/empty",
    "/var/lock",
    "/var/log",
    "/var/run",
    "/var/tmp",
    "/var/lib/apt",
    "/var/lib/alternatives",
    "/var/lib/cloud",
    "/var/lib/dbus",
    "/var/lib/dhcp",
    "/var/lib/dnf",
    "/var/lib/dpkg",
    "/var/lib/gems",
    "/var/lib/initramfs-tools",
    "/var/lib/logrotate",
    "/var/lib/misc",
    "/var/lib/NetworkManager",
    "/var/lib/pacman",
    "/var/lib/pam",
    "/var/lib/plymouth",
    "/var/lib/polkit-1",
    "/var/lib/python",
    "/var/lib/rpm",
    "/var/lib/selinux",
    "/var/lib/shim-signed",
    "/var/lib/snapd",
    "/var/lib/sudo",
    "/var/lib/swcatalog",
    "/var/lib/systemd",
    "/var/lib/ucf",
    "/var/lib/update-notifier",
    "/var/lib/usbutils",
    "/var/lib/vim",
    "/var/lib/xml-core",
    "/var/lib/yum",
    "/var/lib/zypp",
];

/// Most files with several names that are told apart; beyond, each name counts.
const LINKED_MAX: usize = 1 << 20;

/// A mounted file system that holds data of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSystem {
    /// Where it is mounted.
    pub mount_point: TreePath,
    /// What is mounted: a device as a rule.
    pub source: String,
    /// Its type.
    pub fs_type: String,
    /// All of it.
    pub size: Bytes,
    /// What is used of it.
    pub used: Bytes,
}

/// What lies in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Estimate {
    /// Allocated on disk.
    pub bytes: Bytes,
    /// Entries looked at.
    pub entries: u64,
    /// Was everything looked at?
    pub complete: bool,
}

/// Data that no workload names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uncovered {
    /// The area.
    pub path: TreePath,
    /// What of it is not covered.
    pub estimate: Estimate,
    /// Is it a single file?
    pub is_file: bool,
}

/// Local file systems beneath `folder`, each device once.
pub fn file_systems(folder: &Path) -> Vec<FileSystem> {
    let Ok(tree) = Beneath::open(folder) else { return Vec::new() };
    let mut found: Vec<_> = mounts::read(folder);
    found.retain(|mount| mount.class() == Class::Local);
    found.sort_by(|a, b| (a.fs_root.len(), &a.point).cmp(&(b.fs_root.len(), &b.point)));
    let mut devices = HashSet::new();
    found.retain(|mount| devices.insert(mount.device));
    found.sort_by(|a, b| a.point.cmp(&b.point));
    let measured = found.into_iter().filter_map(|mount| {
        let open = tree.open_at(&mount.point, OFlags::PATH).ok()?;
        let stat = fstatvfs(&open).ok()?;
        let blocks = |count: u64| Bytes(count.saturating_mul(stat.f_frsize));
        Some(FileSystem {
            mount_point: mount.point,
            source: mount.source,
            fs_type: mount.fs_type,
            size: blocks(stat.f_blocks),
            used: blocks(stat.f_blocks.saturating_sub(stat.f_bfree)),
        })
    });
    measured.collect()
}

/// What lies in `paths`, without `omit` in them. `go_on` is asked after each entry with how many
/// there were so far; it knows the clock and the patience of its caller.
pub fn estimate(
    folder: &Path,
    paths: &[TreePath],
    omit: &[TreePath],
    mut go_on: impl FnMut(u64) -> bool,
) -> Result<Estimate, WalkError> {
    let walk = Walk::new(WalkOptions {
        folder: folder.to_path_buf(),
        omit: omit.to_vec(),
        attributes: false,
        ..WalkOptions::new(paths.to_vec())
    })?;
    let roots = walk.roots().to_vec();
    let mut linked = HashSet::new();
    let mut sum = Estimate { complete: true, ..Estimate::default() };
    for step in walk {
        let found = match step {
            Step::Entry(found) => found,
            Step::Unlistable { .. } => {
                sum.complete = false;
                continue;
            }
            Step::LeftOut { .. } => continue,
        };
        // What stands above a root is not part of it.
        if !roots.iter().any(|root| found.entry.path.is_within(root)) {
            continue;
        }
        let entry = &found.entry;
        let several = entry.metadata.nlink > 1 && entry.kind != Kind::Directory;
        let known = several
            && linked.len() < LINKED_MAX
            && !linked.insert((entry.metadata.dev, entry.metadata.ino));
        if !known && entry.kind != Kind::Directory {
            sum.bytes += found.allocated;
        }
        sum.entries += 1;
        if !go_on(sum.entries) {
            sum.complete = false;
            break;
        }
    }
    Ok(sum)
}

/// Areas beneath `folder` with at least `least` bytes that are in none of `covered`.
pub fn uncovered(
    folder: &Path,
    covered: &[TreePath],
    least: Bytes,
    mut go_on: impl FnMut(u64) -> bool,
) -> Result<Vec<Uncovered>, WalkError> {
    let mut omit: Vec<TreePath> = covered.to_vec();
    omit.extend(OS_ONLY.iter().filter_map(|path| path.parse().ok()));
    let areas = areas(folder)?;
    let mut found = Vec::new();
    for (path, is_file) in &areas {
        if omit.iter().any(|omitted| path.is_within(omitted)) {
            continue;
        }
        // Areas within this one speak for themselves.
        let inner = areas.iter().map(|(inner, _)| inner);
        let inner = inner.filter(|inner| *inner != path && inner.is_within(path));
        let omit: Vec<_> = omit.iter().chain(inner).cloned().collect();
        let estimate = estimate(folder, std::slice::from_ref(path), &omit, &mut go_on)?;
        if estimate.bytes >= least && estimate.bytes > Bytes::ZERO {
            found.push(Uncovered { path: path.clone(), estimate, is_file: *is_file });
        }
    }
    Ok(found)
}

/// Children of `/` and of [`SPLIT`], and local file systems mounted elsewhere.
fn areas(folder: &Path) -> Result<BTreeSet<(TreePath, bool)>, WalkError> {
    let failed = |source| WalkError::Folder { folder: PathBuf::from(folder), source };
    let tree = Beneath::open(folder).map_err(|error| failed(error.into()))?;
    let mut areas = BTreeSet::new();
    for parent in ["/"].iter().chain(SPLIT) {
        let Ok(parent) = parent.parse::<TreePath>() else { continue };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let Ok(open) = tree.open_quietly(&parent, flags) else { continue };
        let Ok(entries) = rustix::fs::Dir::read_from(&open) else { continue };
        for entry in entries.flatten() {
            let Ok(path) = parent.join(entry.file_name().to_bytes()) else { continue };
            let kind = entry.file_type();
            // A link has no bytes of its own.
            if kind != rustix::fs::FileType::Symlink {
                areas.insert((path, kind == rustix::fs::FileType::RegularFile));
            }
        }
    }
    areas.extend(file_systems(folder).into_iter().map(|found| (found.mount_point, false)));
    areas.retain(|(path, _)| !path.is_root());
    Ok(areas)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::capture::sample_tree::Scratch;

    fn path(text: &str) -> TreePath {
        text.parse().unwrap()
    }

    fn host() -> Scratch {
        let scratch = Scratch::new();
        for file in [
            "usr/bin/tool",
            "var/lib/dpkg/status",
            "var/lib/mysql/ibdata",
            "var/www/acme/index",
            "home/acme/mail",
            "home/zoe/file",
            "data/one",
            "backup.tar",
        ] {
            let file = scratch.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, vec![1; 10_000]).unwrap();
        }
        fs::hard_link(scratch.path().join("data/one"), scratch.path().join("data/two")).unwrap();
        fs::File::create(scratch.path().join("data/hole")).unwrap().set_len(1 << 40).unwrap();
        std::os::unix::fs::symlink("usr/bin", scratch.path().join("bin")).unwrap();
        scratch
    }

    #[test]
    fn bytes_are_those_on_disk_and_counted_once() {
        let host = host();
        let sum = |paths: &[TreePath], omit: &[TreePath]| {
            estimate(&host.path(), paths, omit, |_| true).unwrap()
        };
        let data = sum(&[path("/data")], &[]);
        assert!(data.complete && data.entries == 4, "{data:?}");
        assert!((10_000..40_000).contains(&data.bytes.0), "{data:?}");
        assert_eq!(sum(&[path("/data")], &[path("/data")]).bytes, Bytes::ZERO);
        assert_eq!(sum(&[path("/none")], &[]), Estimate { complete: true, ..Estimate::default() });
        let cut = estimate(&host.path(), &[path("/data")], &[], |entries| entries < 2).unwrap();
        assert_eq!((cut.entries, cut.complete), (2, false));
    }

    #[test]
    fn what_nobody_named_is_told_and_the_system_is_not() {
        let host = host();
        let told = |covered: &[&str]| -> Vec<String> {
            let covered: Vec<_> = covered.iter().map(|text| path(text)).collect();
            let found = uncovered(&host.path(), &covered, Bytes(1), |_| true).unwrap();
            found.iter().map(|area| area.path.to_string()).collect()
        };
        assert_eq!(
            told(&[]),
            ["/backup.tar", "/data", "/home/acme", "/home/zoe", "/var/lib", "/var/www"]
        );
        assert_eq!(told(&["/home", "/var/www/acme", "/data", "/var/lib/mysql"]), ["/backup.tar"]);
        assert_eq!(told(&["/"]), [] as [&str; 0]);
    }

    #[test]
    fn the_file_system_of_a_folder_is_told() {
        let host = host();
        for found in file_systems(&host.path()) {
            assert_eq!(found.mount_point, TreePath::root());
            assert!(found.used <= found.size && found.size > Bytes::ZERO);
        }
    }
}
