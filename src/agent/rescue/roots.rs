//! The machine's root among its file systems, and what its own table adds to it.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::fstab::{self, Line, TABLE_BYTES_MAX, What};
use super::hideout::Hideout;
use super::{Device, mount, mounted};
use crate::agent::rescue::superblock::Kind;
use crate::capture::Beneath;
use crate::model::text::{bounded, printable};
use crate::model::{RootName, TreePath};
use crate::wire::rescue::{FSTAB_BYTES_MAX, RescueAnswer, RescueOrder};

/// What only a root has.
const MARKS: &[&str] = &["/etc/fstab", "/etc/os-release"];
/// Sub-volumes in which installers put a root: Ubuntu and Arch, Debian, Fedora.
const SUBVOLUMES: &[&str] = &["@", "@rootfs", "root"];
/// Most directories of a btrfs that are looked into.
const CHILDREN_MAX: usize = 64;

/// A root.
#[derive(Debug, Clone)]
pub(super) struct Root {
    pub(super) device: Device,
    pub(super) subvolume: Option<String>,
}

impl Root {
    pub(super) fn options(&self) -> String {
        self.subvolume.as_ref().map(|name| format!("subvol={name}")).unwrap_or_default()
    }

    /// As `rescue_root` takes it.
    fn name(&self) -> String {
        let uuid = self.device.own().map(|own| own.uuid.clone()).unwrap_or_default();
        let subvolume = self.subvolume.as_ref().map(|name| format!(",subvol={name}"));
        format!("UUID={uuid}{}", subvolume.unwrap_or_default())
    }

    fn is(&self, name: &RootName) -> bool {
        let same = |wanted: &String| self.subvolume.as_ref().is_some_and(|own| own == wanted);
        self.device.is(&name.of) && name.subvolume.as_ref().is_none_or(same)
    }
}

/// All roots; what cannot be looked into says why at its device.
pub(super) fn find(devices: &mut [Device], hideout: &Hideout) -> Vec<Root> {
    let (mut roots, mut known) = (Vec::new(), Vec::new());
    for number in 0..devices.len() {
        let device = devices[number].clone();
        let Some(own) = device.own().filter(|own| own.kind.may_be_root()) else { continue };
        // The devices of one btrfs are one file system.
        if own.devices > 1 && known.contains(&own.uuid) {
            continue;
        }
        known.push(own.uuid.clone());
        let opened = hideout
            .place("look")
            .and_then(|place| mount(&device, devices, "", &place, hideout).map(|_| place));
        match opened {
            Ok(place) => {
                roots.extend(
                    subvolumes(own.kind, &place)
                        .into_iter()
                        .map(|subvolume| Root { device: device.clone(), subvolume }),
                );
                hideout.unmount(&place);
            }
            Err(why) => devices[number].fault = bounded(&why, 300),
        }
    }
    roots
}

/// Where in a file system that is mounted at `place` a root stands.
fn subvolumes(kind: Kind, place: &Path) -> Vec<Option<String>> {
    let Ok(tree) = Beneath::open(place) else { return Vec::new() };
    let is_root = |at: &str| {
        MARKS.iter().any(|mark| {
            let path = format!("{at}{mark}").parse::<TreePath>();
            path.is_ok_and(|path| tree.open_at(&path, OFlags::PATH).is_ok())
        })
    };
    if is_root("") {
        return vec![None];
    }
    if kind != Kind::Btrfs {
        return Vec::new();
    }
    if let Some(name) = SUBVOLUMES.iter().find(|name| is_root(&format!("/{name}"))) {
        return vec![Some((*name).to_owned())];
    }
    let entries = std::fs::read_dir(place).into_iter().flatten().flatten().take(CHILDREN_MAX);
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let roots = names.filter(|name| !name.contains(',') && is_root(&format!("/{name}")));
    roots.map(Some).collect()
}

/// The root that is meant.
pub(super) fn choose(mut roots: Vec<Root>, wanted: Option<&RootName>) -> Result<Root, String> {
    let all: Vec<String> = roots.iter().map(|root| format!("{:?}", root.name())).collect();
    if let Some(wanted) = wanted {
        roots.retain(|root| root.is(wanted));
    }
    // A snapshot of the root is no second machine, unless it is the one that is asked for.
    if roots.iter().any(|root| !root.device.is_snapshot) {
        roots.retain(|root| !root.device.is_snapshot);
    }
    match (roots.len(), wanted, all.is_empty()) {
        (1, ..) => Ok(roots.remove(0)),
        (0, Some(_), false) => {
            Err(format!("`rescue_root` names none of the roots there: {}", all.join(", ")))
        }
        (0, ..) => Err("no file system there is a root that can be read \
             (with /etc/fstab or /etc/os-release)"
            .to_owned()),
        _ => {
            let names: Vec<String> = roots
                .iter()
                .map(|root| format!("{:?} on {}", root.name(), root.device.shown()))
                .collect();
            Err(format!(
                "there are {} roots; write one as `rescue_root`, by its device where two have one \
                 number: {}",
                names.len(),
                names.join(", ")
            ))
        }
    }
}

/// Mounts beneath the root at `place` what its own table names.
pub(super) fn complete(
    order: &RescueOrder,
    devices: &[Device],
    hideout: &Hideout,
    place: &Path,
    answer: &mut RescueAnswer,
) -> Result<(), String> {
    let mut missing = Vec::new();
    for line in fstab::parse(&read(place, "/etc/fstab", TABLE_BYTES_MAX)) {
        if line.point.is_root() {
            continue;
        }
        let is_lost = order.without.iter().any(|lost| line.point.is_within(lost));
        let added = if is_lost {
            let remark = format!("{} is left out, as `rescue_without` says", line.point);
            answer.remarks.push(remark);
            beneath(place, &line.point).and_then(|at| hideout.cover(&at.path())).map(|()| None)
        } else {
            add(&line, devices, hideout, place)
        };
        match added {
            Ok(mount) => answer.mounted.extend(mount),
            Err(_) if line.is_manual => {}
            Err(why) => missing.push(format!("{} ({}): {why}", line.point, line.shown)),
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!(
        "its /etc/fstab names what cannot be had; list the mount points in `rescue_without` if it \
         is lost: {}",
        bounded(&missing.join(", "), 1_500)
    ))
}

fn add(
    line: &Line,
    devices: &[Device],
    hideout: &Hideout,
    place: &Path,
) -> Result<Option<crate::wire::rescue::RescueMount>, String> {
    let at = beneath(place, &line.point)?;
    if let What::Directory(from) = &line.what {
        let from = beneath(place, from)?;
        return hideout.bind(&from.path(), &at.path()).map(|()| None);
    }
    let is_it = |device: &&Device| match &line.what {
        What::FileSystem(name) => device.is(name),
        What::Partition(number) => device.part_uuid.as_ref() == Some(number),
        What::Directory(_) | What::Unknown => false,
    };
    let device = meant(devices.iter().filter(is_it).collect())?;
    let options = line.subvolume.clone().unwrap_or_default();
    let options = mount(device, devices, &options, &at.path(), hideout)?;
    Ok(Some(mounted(device, line.point.clone(), options)))
}

/// The one that is meant, of those that a line names: no snapshot of it, which has its number.
fn meant(mut named: Vec<&Device>) -> Result<&Device, String> {
    named.retain(|device| device.own().is_some());
    if named.iter().any(|device| !device.is_snapshot) {
        named.retain(|device| !device.is_snapshot);
    }
    match named[..] {
        [] => Err("it is on none of these disks".to_owned()),
        [one, ..] if named.len() == 1 || one.own().is_some_and(|own| own.devices > 1) => Ok(one),
        _ => {
            let names: Vec<String> = named.iter().map(|device| device.shown()).collect();
            Err(format!("it is on more than one of these disks: {}", names.join(", ")))
        }
    }
}

/// A directory of the found machine, by an open descriptor: a link in it leads nowhere else.
struct At(OwnedFd);

impl At {
    fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }
}

fn beneath(place: &Path, point: &TreePath) -> Result<At, String> {
    let tree =
        Beneath::open(place).map_err(|error| format!("the root cannot be opened: {error}"))?;
    let open = tree.open_at(point, OFlags::PATH | OFlags::DIRECTORY);
    open.map(At).map_err(|error| format!("{point} is no folder of the root: {error}"))
}

fn read(place: &Path, path: &str, most: u64) -> Vec<u8> {
    let open = || {
        let tree = Beneath::open(place).ok()?;
        tree.open_quietly(&path.parse().ok()?, OFlags::RDONLY | OFlags::NONBLOCK).ok()
    };
    let Some(file) = open().map(File::from) else { return Vec::new() };
    let mut text = Vec::new();
    let is_file = file.metadata().is_ok_and(|metadata| metadata.is_file());
    let read = is_file.then(|| file.take(most).read_to_end(&mut text));
    if matches!(read, Some(Ok(_))) { text } else { Vec::new() }
}

/// The table, printable, as far as it is kept.
pub(super) fn table(place: &Path) -> String {
    let text = read(place, "/etc/fstab", FSTAB_BYTES_MAX as u64);
    let lines = text.split(|byte| *byte == b'\n').map(printable);
    let text = lines.collect::<Vec<_>>().join("\n");
    text[..text.floor_char_boundary(FSTAB_BYTES_MAX)].to_owned()
}

/// The first line of a small file.
pub(super) fn word(place: &Path, path: &str) -> String {
    let text = read(place, path, 4_096);
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    bounded(&printable(line.trim_ascii()), 200)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::rescue::superblock::recognise;

    fn with_file_system(name: &str, is_snapshot: bool) -> Device {
        let mut head = vec![0; 4096];
        head[1024 + 0x38..1024 + 0x3a].copy_from_slice(&0xef53_u16.to_le_bytes());
        let superblock = recognise(&head, &[], 1 << 30);
        Device { is_snapshot, superblock, ..Device::named(name) }
    }

    #[test]
    fn a_snapshot_is_neither_a_second_root_nor_what_a_table_means() {
        let [old, new] = [with_file_system("dm-0", true), with_file_system("dm-1", false)];
        let root = |device: &Device| Root { device: device.clone(), subvolume: None };
        assert_eq!(choose(vec![root(&old), root(&new)], None).unwrap().device.name, "dm-1");
        assert_eq!(choose(vec![root(&old)], None).unwrap().device.name, "dm-0");
        assert!(choose(vec![root(&new), root(&new)], None).is_err());
        let by_device = "/dev/dm-0".parse().unwrap();
        assert_eq!(
            choose(vec![root(&old), root(&new)], Some(&by_device)).unwrap().device.name,
            "dm-0"
        );
        assert_eq!(meant(vec![&old, &new]).unwrap().name, "dm-1");
        let both = meant(vec![&new, &new]).unwrap_err();
        assert!(both.contains("more than one") && both.contains("/dev/dm-1"), "{both}");
        assert!(meant(vec![&Device::named("sda")]).is_err());
    }
}
