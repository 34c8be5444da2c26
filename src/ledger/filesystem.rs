//! May the state lie here? SQLite's shared memory and kernel locks need a local file system.
//!
//! Magic numbers are those of statfs(2) and `linux/magic.h`. FUSE hides what is behind it, so its
//! kind is looked up in `/proc/self/mountinfo`; only kinds known to be local pass.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::ledger::error::LedgerError;

const FUSE: u32 = 0x6573_5546;
const FUSE_LOCAL: [&str; 3] = ["fuseblk", "fuse.fuse-overlayfs", "fuse.ntfs-3g"];
const NETWORK: [(u32, &str); 14] = [
    (0x0000_6969, "nfs"),
    (0x0000_517b, "smbfs"),
    (0xff53_4d42, "cifs"),
    (0xfe53_4d42, "smb2"),
    (0x0102_1997, "9p"),
    (0x00c3_6400, "ceph"),
    (0x5346_414f, "afs"),
    (0x6b41_4653, "afs"),
    (0x7375_7245, "coda"),
    (0x0000_564c, "ncp"),
    (0x0bd0_0bd0, "lustre"),
    (0x4750_4653, "gpfs"),
    (0x0116_1970, "gfs2"),
    (0x7461_636f, "ocfs2"),
];

/// An error when `folder` lies on a network file system.
pub(super) fn refuse_network(folder: &Path) -> Result<(), LedgerError> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let system = rustix::fs::statfs(folder)
        .map_err(|error| LedgerError::io("look at the file system of", folder, error.into()))?;
    let kind = || {
        let device = std::fs::metadata(folder).ok()?.dev();
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
        kind_of(device, &mounts)
    };
    match network(system.f_type as u32, kind) {
        Some(file_system) => {
            Err(LedgerError::NetworkFileSystem { path: folder.to_owned(), file_system })
        }
        None => Ok(()),
    }
}

/// The name of a file system that is not local.
fn network(magic: u32, kind: impl Fn() -> Option<String>) -> Option<String> {
    if magic == FUSE {
        let kind = kind().unwrap_or_else(|| "fuse".into());
        return (!FUSE_LOCAL.contains(&kind.as_str())).then_some(kind);
    }
    NETWORK.iter().find(|(known, _)| *known == magic).map(|(_, name)| (*name).to_owned())
}

/// The kind of the mount with this device number, from the text of proc_pid_mountinfo(5).
fn kind_of(device: u64, mounts: &str) -> Option<String> {
    let device = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    let line = mounts.lines().find(|line| line.split(' ').nth(2) == Some(device.as_str()))?;
    let (_, rest) = line.split_once(" - ")?;
    rest.split(' ').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_refused() {
        let fuse = |kind: &'static str| network(FUSE, move || Some(kind.to_owned()));
        assert_eq!(network(0x6969, || None), Some("nfs".into()));
        assert_eq!(network(0xff53_4d42, || None), Some("cifs".into()));
        assert_eq!(network(0xef53, || None), None);
        assert_eq!(fuse("fuse.sshfs"), Some("fuse.sshfs".into()));
        assert_eq!(fuse("fuseblk"), None);
        assert_eq!(network(FUSE, || None), Some("fuse".into()));
    }

    #[test]
    fn a_mount_is_found_by_its_device() {
        let mounts = "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw\n\
                      50 36 0:44 / /mnt/far rw shared:7 master:2 - fuse.sshfs a@b:/ rw\n";
        let kind = |major, minor| kind_of(rustix::fs::makedev(major, minor), mounts);
        assert_eq!(kind(0, 44).as_deref(), Some("fuse.sshfs"));
        assert_eq!(kind(98, 0).as_deref(), Some("ext3"));
        assert_eq!(kind(8, 1), None);
    }

    #[test]
    fn this_machine_has_a_local_folder() {
        let folder = tempfile::tempdir().unwrap();
        refuse_network(folder.path()).unwrap();
    }
}
