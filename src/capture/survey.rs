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

/// What is to be summed up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Directories or single things.
    pub paths: Vec<TreePath>,
    /// Not what matches: gitignore syntax over absolute source paths.
    pub exclude: Vec<String>,
    /// Not these directories.
    pub omit: Vec<TreePath>,
    /// Not evac's own folders, by device and inode.
    pub skip: Vec<(u64, u64)>,
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

/// What lies in `scope`. `go_on` is asked after each entry with how many there were so far; it
/// knows the clock and the patience of its caller.
pub fn estimate(
    folder: &Path,
    scope: Scope,
    mut go_on: impl FnMut(u64) -> bool,
) -> Result<Estimate, WalkError> {
    let walk = Walk::new(WalkOptions {
        folder: folder.to_path_buf(),
        exclude: scope.exclude,
        omit: scope.omit,
        skip: scope.skip,
        attributes: false,
        ..WalkOptions::new(scope.paths)
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

/// Areas beneath `folder` with at least `least` bytes that are in none of `covered`, and those of
/// which too little was looked at to say so. `skip`: evac's own folders, by device and inode.
pub fn uncovered(
    folder: &Path,
    covered: &[TreePath],
    skip: &[(u64, u64)],
    least: Bytes,
    mut go_on: impl FnMut(u64) -> bool,
) -> Result<Vec<Uncovered>, WalkError> {
    let mut omit: Vec<TreePath> = covered.to_vec();
    omit.extend(resolved(folder, covered)?);
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
        let (paths, skip) = (vec![path.clone()], skip.to_vec());
        let scope = Scope { paths, omit, skip, ..Scope::default() };
        let estimate = estimate(folder, scope, &mut go_on)?;
        let is_data = estimate.bytes >= least && estimate.bytes > Bytes::ZERO;
        if is_data || !estimate.complete {
            found.push(Uncovered { path: path.clone(), estimate, is_file: *is_file });
        }
    }
    Ok(found)
}

/// Where `paths` lie when links above them are followed, as a capture does.
fn resolved(folder: &Path, paths: &[TreePath]) -> Result<Vec<TreePath>, WalkError> {
    let folder = folder.to_path_buf();
    let options = WalkOptions { folder, attributes: false, ..WalkOptions::new(paths.to_vec()) };
    Ok(Walk::new(options)?.roots().to_vec())
}

/// Children of `/` and of [`SPLIT`], and local file systems mounted elsewhere. What is mounted
/// there from elsewhere, in memory or by itself is no area: a walk would enter it as a root.
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
    let mounted = mounts::read(folder);
    let foreign = |path: &TreePath| {
        mounted.iter().any(|mount| mount.point == *path && mount.class() != Class::Local)
    };
    areas.retain(|(path, _)| !path.is_root() && !foreign(path));
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
            let (paths, omit) = (paths.to_vec(), omit.to_vec());
            estimate(&host.path(), Scope { paths, omit, ..Scope::default() }, |_| true).unwrap()
        };
        let data = sum(&[path("/data")], &[]);
        assert!(data.complete && data.entries == 4, "{data:?}");
        assert!((10_000..40_000).contains(&data.bytes.0), "{data:?}");
        assert_eq!(sum(&[path("/data")], &[path("/data")]).bytes, Bytes::ZERO);
        assert_eq!(sum(&[path("/none")], &[]), Estimate { complete: true, ..Estimate::default() });
        let scope = Scope { paths: vec![path("/data")], ..Scope::default() };
        let cut = estimate(&host.path(), scope.clone(), |entries| entries < 2).unwrap();
        assert_eq!((cut.entries, cut.complete), (2, false));
        let scope = Scope { exclude: vec!["one".into(), "/data/t*".into()], ..scope };
        assert_eq!(estimate(&host.path(), scope, |_| true).unwrap().bytes, Bytes::ZERO);
    }

    #[test]
    fn what_nobody_named_is_told_and_the_system_is_not() {
        let host = host();
        let told = |covered: &[&str]| -> Vec<String> {
            let covered: Vec<_> = covered.iter().map(|text| path(text)).collect();
            let found = uncovered(&host.path(), &covered, &[], Bytes(1), |_| true).unwrap();
            found.iter().map(|area| area.path.to_string()).collect()
        };
        assert_eq!(
            told(&[]),
            ["/backup.tar", "/data", "/home/acme", "/home/zoe", "/var/lib", "/var/www"]
        );
        assert_eq!(told(&["/home", "/var/www/acme", "/data", "/var/lib/mysql"]), ["/backup.tar"]);
        assert_eq!(told(&["/"]), [] as [&str; 0]);
        std::os::unix::fs::symlink("data", host.path().join("moved")).unwrap();
        assert_eq!(told(&["/home", "/var", "/backup.tar", "/moved/one"]), ["/data"]);
        std::os::unix::fs::symlink("../data", host.path().join("home/d")).unwrap();
        let through =
            ["/home", "/var", "/backup.tar", "/home/d/one", "/home/d/two", "/home/d/hole"];
        assert_eq!(told(&through), [] as [&str; 0]);
    }

    #[test]
    fn an_area_that_was_not_looked_through_is_told() {
        let host = host();
        let least = Bytes(1 << 40);
        let told = |patience: u64| {
            let mut asked = 0;
            let go_on = |_| {
                asked += 1;
                asked < patience
            };
            uncovered(&host.path(), &[path("/data")], &[], least, go_on).unwrap().len()
        };
        assert_eq!(told(u64::MAX), 0);
        // Also those that hold nothing but other areas: nobody looked.
        assert_eq!(told(1), 8);
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
