//! Files that a virtual machine or a loop device has open: disks of somebody else's system.
//!
//! Whoever writes into such a file may do so without its times telling in time: through pages
//! mapped or queued in the kernel, or by a guest whose writes reach the file when it likes. They
//! are never taken as unchanged.
//!
//! Found by what the system shows of itself, `/sys/block/loop*` and the open files of processes
//! named like a hypervisor's. Only root sees those of others; what cannot be seen is not found.
//!
//! **Bounds.** At most [`IMAGES_MAX`] files, of at most [`DESCRIPTORS_MAX`] descriptors.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// More open disks than any machine has guests.
const IMAGES_MAX: usize = 16_384;
/// Descriptors looked at, over all processes.
const DESCRIPTORS_MAX: usize = 65_536;
/// How the names of processes begin that have guests' disks open.
const HYPERVISORS: [&[u8]; 8] = [
    b"qemu",
    b"kvm",
    b"vmware-vmx",
    b"VBoxHeadless",
    b"VirtualBoxVM",
    b"cloud-hypervis",
    b"firecracker",
    b"crosvm",
];

/// Files by device and inode.
pub type Images = HashSet<(u64, u64)>;

/// Those of this machine, as it is now.
pub fn open_images() -> Images {
    let mut images = of_loop_devices(Path::new("/sys/block"));
    of_hypervisors(Path::new("/proc"), &mut images);
    images
}

fn of_loop_devices(devices: &Path) -> Images {
    let mut images = Images::new();
    for device in fs::read_dir(devices).into_iter().flatten().flatten() {
        if device.file_name().as_encoded_bytes().starts_with(b"loop")
            && let Ok(mut path) = fs::read(device.path().join("loop/backing_file"))
        {
            path.pop_if(|last| *last == b'\n');
            note(Path::new(&os_string(path)), &mut images);
        }
    }
    images
}

fn of_hypervisors(processes: &Path, images: &mut Images) {
    let mut left = DESCRIPTORS_MAX;
    for process in fs::read_dir(processes).into_iter().flatten().flatten() {
        if !process.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit) {
            continue;
        }
        let name = fs::read(process.path().join("comm")).unwrap_or_default();
        if !HYPERVISORS.iter().any(|hypervisor| name.starts_with(hypervisor)) {
            continue;
        }
        for open in fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten() {
            if left == 0 {
                return;
            }
            left -= 1;
            note(&open.path(), images);
        }
    }
}

/// Takes in what `path` leads to, if that is a file.
fn note(path: &Path, images: &mut Images) {
    if images.len() < IMAGES_MAX
        && let Ok(metadata) = fs::metadata(path)
        && metadata.is_file()
    {
        images.insert((metadata.dev(), metadata.ino()));
    }
}

fn os_string(bytes: Vec<u8>) -> std::ffi::OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn id(path: &Path) -> (u64, u64) {
        let metadata = fs::metadata(path).unwrap();
        (metadata.dev(), metadata.ino())
    }

    #[test]
    fn backing_files_and_open_disks_are_found_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for made in ["sys/loop0/loop", "sys/loop1", "sys/sda/loop", "proc/7/fd", "proc/8/fd"] {
            fs::create_dir_all(at(made)).unwrap();
        }
        fs::create_dir_all(at("proc/self/fd")).unwrap();
        for disk in ["a", "b", "c"] {
            fs::write(at(disk), disk).unwrap();
        }
        let backing = |disk: &str| format!("{}\n", at(disk).display());
        fs::write(at("sys/loop0/loop/backing_file"), backing("a")).unwrap();
        fs::write(at("sys/sda/loop/backing_file"), backing("c")).unwrap();
        fs::write(at("proc/7/comm"), "qemu-system-x86\n").unwrap();
        fs::write(at("proc/8/comm"), "bash\n").unwrap();
        fs::write(at("proc/self/comm"), "qemu-system-x86\n").unwrap();
        symlink(at("b"), at("proc/7/fd/3")).unwrap();
        symlink("/dev/null", at("proc/7/fd/4")).unwrap();
        symlink("socket:[17]", at("proc/7/fd/5")).unwrap();
        symlink(at("c"), at("proc/8/fd/3")).unwrap();
        symlink(at("c"), at("proc/self/fd/3")).unwrap();
        let mut images = of_loop_devices(&at("sys"));
        assert_eq!(images, Images::from([id(&at("a"))]));
        of_hypervisors(&at("proc"), &mut images);
        assert_eq!(images, Images::from([id(&at("a")), id(&at("b"))]));
    }

    #[test]
    fn this_machine_can_be_asked() {
        // Whatever is open here: only files.
        assert!(open_images().len() <= IMAGES_MAX);
    }
}
