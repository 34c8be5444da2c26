//! The block devices of a machine, as `/sys/class/block` has them, and what each holds.
//!
//! **Invariants.** Devices are opened for reading only. One that cannot be read says why and costs
//! nothing but itself. Disks of the rescue system itself are none of the machine's.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::agent::rescue::partitions;
use crate::agent::rescue::superblock::{HEAD_BYTES, Superblock, TAIL_BYTES, recognise};
use crate::model::text::{bounded, printable};
use crate::model::{Bytes, DevicePath, FileSystemName};
use crate::wire::rescue::{DEVICES_MAX, DeviceFound};

const SYS: &str = "/sys/class/block";
/// Size of a sector in sysfs, whatever the disk says (linux/types.h).
const SECTOR_BYTES: u64 = 512;
/// In memory, or with media that come and go.
const NO_DISKS: &[&str] = &["ram", "zram", "fd", "sr"];
/// How device-mapper's own names of layers begin.
pub const LAYER: &str = "EVAC-LAYER-";
/// How LVM's names of what a snapshot consists of end.
const STORE: &str = "-cow";
/// Where live systems keep the medium they run from.
const OWN_PLACES: &[&str] = &["/run", "/cdrom", "/isodevice", "/lib/live", "/usr/lib/live"];

/// A block device.
#[derive(Debug, Clone)]
pub struct Device {
    /// As the kernel names it.
    pub name: String,
    /// As the machine's own table may name it: by LVM or its number in the partition table.
    pub aliases: Vec<String>,
    /// The disk it is a partition of.
    pub part_of: Option<String>,
    /// The number in its disk's table.
    pub part_uuid: Option<String>,
    pub size: u64,
    /// Others are made of it: partitions, arrays, volumes.
    pub is_taken: bool,
    /// An array that has it, but does not run.
    pub held_by: Option<String>,
    /// What it is made of.
    pub members: Vec<String>,
    /// A volume as it was once.
    pub is_snapshot: bool,
    /// A disk as LVM sees it, put there by evac: nothing of its own.
    pub is_layer: bool,
    pub superblock: Option<Superblock>,
    /// Why it could not be looked at.
    pub fault: String,
    /// Where the rescue system has it mounted, and that it may be written to there.
    pub mounted: Option<(PathBuf, bool)>,
}

impl Device {
    /// As `/dev/sda1`; names of sysfs have `!` for `/`.
    pub fn path(&self) -> PathBuf {
        Path::new("/dev").join(self.name.replace('!', "/"))
    }

    /// The same, as people read it; of a volume the name that it was given.
    pub fn shown(&self) -> String {
        let alias = self.aliases.iter().find(|alias| alias.starts_with("/dev/mapper/"));
        let path = alias.cloned().unwrap_or_else(|| self.path().to_string_lossy().into_owned());
        bounded(&printable(path.as_bytes()), 200)
    }

    /// What stands on it, if it is not a part of something else.
    pub fn own(&self) -> Option<&Superblock> {
        self.superblock.as_ref().filter(|_| !self.is_taken)
    }

    /// Is it meant by this name?
    pub fn is(&self, name: &FileSystemName) -> bool {
        let own = self.own();
        match name {
            FileSystemName::Uuid(uuid) => {
                own.is_some_and(|own| own.uuid.eq_ignore_ascii_case(uuid))
            }
            FileSystemName::Label(label) => own.is_some_and(|own| own.label == *label),
            FileSystemName::Device(path) => self.is_at(path),
        }
    }

    fn is_at(&self, path: &DevicePath) -> bool {
        let text = path.to_string();
        let led = fs::canonicalize(&text).unwrap_or_else(|_| PathBuf::from(&text));
        led == self.path() || self.aliases.contains(&text)
    }

    /// Data that is lost if nobody takes it. What cannot be read of a snapshot is being merged, or
    /// there was no room for it: it is lost already.
    pub fn is_data(&self) -> bool {
        let is_unread = !self.fault.is_empty() && !self.is_snapshot;
        self.own().is_some_and(|own| !own.kind.is_no_data()) || is_unread
    }

    /// In a few words, for people: `/dev/sda1 ext4 "data" UUID=…, 2.0 TB`.
    pub fn described(&self) -> String {
        let mut text = self.shown();
        if let Some(own) = &self.superblock {
            text.push_str(&format!(" {}", own.kind.word()));
            if !own.label.is_empty() {
                text.push_str(&format!(" {:?}", own.label));
            }
            if own.kind.may_be_root() {
                text.push_str(&format!(" UUID={}", own.uuid));
            }
        }
        text.push_str(&format!(", {}", Bytes(self.size)));
        if self.fault.is_empty() { text } else { format!("{text}: {}", self.fault) }
    }

    /// As it goes to the landing site.
    pub fn found(&self) -> DeviceFound {
        let own = self.superblock.as_ref();
        let text = |text: Option<&String>| text.cloned().unwrap_or_default();
        DeviceFound {
            path: self.shown(),
            part_of: text(self.part_of.as_ref()),
            size: Bytes(self.size).min(crate::wire::survey::BYTES_MAX),
            holds: own.map(|own| own.kind.word().to_owned()).unwrap_or_default(),
            uuid: text(own.map(|own| &own.uuid)),
            label: text(own.map(|own| &own.label)),
            used: own.map(|own| own.used.min(Bytes(self.size))).unwrap_or_default(),
            is_dirty: own.is_some_and(|own| own.is_dirty),
            is_left: false,
            fault: bounded(&self.fault, 200),
        }
    }
}

/// What `disks` name, with all that lies on them; empty: every disk but loop devices. `Err` is the
/// first name that is not there.
pub fn find(disks: &[DevicePath]) -> Result<Vec<Device>, DevicePath> {
    let mut all = all();
    let missing = disks.iter().find(|disk| !all.iter().any(|device| device.is_at(disk)));
    if let Some(missing) = missing {
        return Err(missing.clone());
    }
    // Live systems have their own image on a loop device, and volumes on that.
    let in_files = with_what_lies_on(&all, |device| device.name.starts_with("loop"));
    let chosen = with_what_lies_on(&all, |device| {
        let is_any = disks.is_empty() && !in_files.contains(&device.name);
        is_any || disks.iter().any(|disk| device.is_at(disk))
    });
    let is_own = |device: &Device| {
        let place = device.mounted.as_ref().map(|(place, _)| place);
        place.is_some_and(|place| {
            place == Path::new("/") || OWN_PLACES.iter().any(|own| place.starts_with(own))
        })
    };
    all.retain(|device| chosen.contains(&device.name) && !is_own(device) && !device.is_layer);
    all.truncate(DEVICES_MAX);
    for device in &mut all {
        device.look();
    }
    partitions::number(&mut all);
    Ok(all)
}

/// Those that `is_it`, their partitions, and what is made of them.
fn with_what_lies_on(all: &[Device], is_it: impl Fn(&Device) -> bool) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    // What is made of disks comes after them only by name, so until nothing is added any more.
    loop {
        let is_new = |device: &&Device| {
            let is_on = device.part_of.iter().chain(&device.members).any(|on| found.contains(on));
            !found.contains(&device.name) && (is_on || is_it(device))
        };
        let new: Vec<String> =
            all.iter().filter(is_new).map(|device| device.name.clone()).collect();
        if new.is_empty() {
            return found;
        }
        found.extend(new);
    }
}

/// All of them, by name, not looked at yet.
fn all() -> Vec<Device> {
    let mounted = mounted();
    let entries: Vec<fs::DirEntry> = fs::read_dir(SYS).into_iter().flatten().flatten().collect();
    let stores: Vec<String> = (entries.iter())
        .filter_map(|entry| mapper_uuid(&entry.path()))
        .filter(|uuid| uuid.ends_with(STORE))
        .collect();
    let device = |entry: &fs::DirEntry| {
        let name = entry.file_name().to_str()?.to_owned();
        let (at, device) = (entry.path(), word(&entry.path().join("dev"))?);
        let size = word(&at.join("size"))?.parse::<u64>().ok()?.saturating_mul(SECTOR_BYTES);
        let part = at.join("partition").exists();
        let disk = fs::canonicalize(&at).ok()?.parent()?.file_name()?.to_str()?.to_owned();
        let has_parts =
            fs::read_dir(&at).ok()?.flatten().any(|e| e.path().join("partition").exists());
        let is_disk = size > 0
            && !NO_DISKS.iter().any(|no| {
                name.strip_prefix(no).is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()))
            });
        let by_number = mounted.iter().find(|(number, ..)| *number == device);
        let node = format!("/dev/{name}");
        let mounted = by_number.or_else(|| mounted.iter().find(|(_, source, ..)| *source == node));
        let holders = names(&at.join("holders"));
        let held_by = holders.iter().find(|by| by.starts_with("md") && is_empty(by)).cloned();
        let mut members = names(&at.join("slaves"));
        let is_layer = mapper_uuid(&at).is_some_and(|uuid| uuid.starts_with(LAYER));
        if is_layer {
            // It lies on its disk; what is in memory is nobody's.
            members.retain(|member| !member.starts_with("loop"));
        }
        is_disk.then(|| Device {
            aliases: aliases(&at),
            part_of: part.then_some(disk),
            part_uuid: None,
            size,
            is_taken: has_parts || holders.len() > usize::from(held_by.is_some()),
            held_by,
            members,
            is_snapshot: is_snapshot(&at, &stores),
            is_layer,
            superblock: None,
            fault: String::new(),
            mounted: mounted.map(|(_, _, place, writable)| (place.clone(), *writable)),
            name,
        })
    };
    let mut all: Vec<Device> = entries.iter().filter_map(device).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// LVM keeps what was written since in a store that is called after it; also while it is merged.
fn is_snapshot(at: &Path, stores: &[String]) -> bool {
    mapper_uuid(at).is_some_and(|uuid| stores.contains(&(uuid + STORE)))
}

/// So arrays are that were not started.
fn is_empty(name: &str) -> bool {
    word(&Path::new(SYS).join(name).join("size")).is_some_and(|size| size == "0")
}

/// What device-mapper calls it for itself.
fn mapper_uuid(at: &Path) -> Option<String> {
    word(&at.join("dm/uuid"))
}

/// Names that LVM and arrays give to what they make.
fn aliases(at: &Path) -> Vec<String> {
    let mut aliases = Vec::new();
    if let Some(name) = word(&at.join("dm/name")) {
        // `vg-lv`, where a dash of either name is doubled.
        let parts = name.replace("--", "\0");
        if let Some((group, volume)) = parts.split_once('-') {
            let [group, volume] = [group, volume].map(|part| part.replace('\0', "-"));
            aliases.push(format!("/dev/{group}/{volume}"));
        }
        aliases.push(format!("/dev/mapper/{name}"));
    }
    aliases
}

/// Device number, source, place and whether it may be written to, of all that is mounted.
fn mounted() -> Vec<(String, String, PathBuf, bool)> {
    let text = fs::read("/proc/self/mountinfo").unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let line = |line: &str| {
        let (front, back) = line.split_once(" - ")?;
        let mut front = front.split(' ').skip(2);
        let (number, place) = (front.next()?.to_owned(), front.nth(1)?);
        let mut back = back.split(' ').skip(1);
        let (source, options) = (back.next()?.to_owned(), back.next()?);
        let writable = options.split(',').any(|option| option == "rw");
        Some((number, source, PathBuf::from(place), writable))
    };
    let found: Vec<_> = text.lines().filter_map(line).collect();
    // Of several places, the one that says most: where the rescue system itself lives.
    let mut found: Vec<_> = found.into_iter().rev().collect();
    found.sort_by_key(|(_, _, place, _)| place.components().count());
    found
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// The only word of a small file of the kernel's.
fn word(file: &Path) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

impl Device {
    fn look(&mut self) {
        match self.read() {
            Ok(superblock) => self.superblock = superblock,
            Err(error) => {
                self.fault = bounded(&format!("it cannot be read: {error}"), 200);
            }
        }
    }

    fn read(&self) -> io::Result<Option<Superblock>> {
        let file = File::open(self.path())?;
        let part = |from: u64, bytes: usize| -> io::Result<Vec<u8>> {
            let bytes = bytes.min(usize::try_from(self.size - from).unwrap_or(bytes));
            let mut part = vec![0; bytes];
            file.read_exact_at(&mut part, from)?;
            Ok(part)
        };
        let head = part(0, HEAD_BYTES)?;
        let tail = part(self.size.saturating_sub(TAIL_BYTES as u64), TAIL_BYTES)?;
        Ok(recognise(&head, &tail, self.size))
    }
}

/// What keeps `device` from being mounted elsewhere; read-only mounts of others do not.
pub fn in_the_way(device: &Device) -> Option<String> {
    let (place, _) = device.mounted.as_ref().filter(|(_, writable)| *writable)?;
    let place = printable(place.as_os_str().as_encoded_bytes());
    Some(format!("it is mounted for writing at {place} there; unmount it, with whatever uses it"))
}

#[cfg(test)]
impl Device {
    /// A disk on which nothing is known to be.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            aliases: Vec::new(),
            part_of: None,
            part_uuid: None,
            size: 1 << 30,
            is_taken: false,
            held_by: None,
            members: Vec::new(),
            is_snapshot: false,
            is_layer: false,
            superblock: None,
            fault: String::new(),
            mounted: None,
        }
    }
}
