//! Finding a machine on its disks, from a rescue system, without writing a byte.
//!
//! 1. [`devices`] lists block devices and recognises what is on them ([`superblock`]).
//! 2. [`assemble`] puts arrays and groups of [`volumes`] together, read-only.
//! 3. [`roots`] looks for the machine's root: a file system with `/etc/fstab` or `/etc/os-release`.
//! 4. Its own table ([`fstab`]) says what belongs beneath it, and that is mounted there.
//!
//! **Promises.** All or nothing: a machine of which a file system is missing is refused, with what
//! was found, until somebody says that it is lost. More than one root is refused with a list to
//! choose from. What lies on the disks and belongs to nothing of the found machine is told as left.
//! How it is kept from being written to: see [`hideout`].

mod assemble;
pub mod devices;
mod fstab;
pub mod hideout;
mod partitions;
mod roots;
pub mod superblock;
mod volumes;

use std::path::PathBuf;

use self::devices::Device;
use self::hideout::Hideout;
use self::superblock::Kind;
use crate::model::DevicePath;
use crate::model::text::bounded;
use crate::wire::rescue::{DEVICES_MAX, REFUSAL_BYTES_MAX, RescueAnswer, RescueMount, RescueOrder};

/// Devices that a refusal lists.
const LISTED_MAX: usize = 20;
/// Arrays on arrays, volumes on those, and once more.
const LAYERS_MAX: usize = 4;

/// The found machine, or why it was not found: a sentence for people.
struct Found {
    root: PathBuf,
    answer: RescueAnswer,
}

/// Looks for the machine; where its root is open for reading now, if it was found.
pub fn find(order: &RescueOrder, hideout: &Hideout) -> (RescueAnswer, Option<PathBuf>) {
    let mut devices = Vec::new();
    let (mut answer, root) = match search(order, hideout, &mut devices) {
        Ok(Found { root, answer }) => (answer, Some(root)),
        Err(why) => (RescueAnswer { refusal: refusal(&why, &devices), ..Default::default() }, None),
    };
    let mounted: Vec<&str> = answer.mounted.iter().map(|mount| &*mount.device).collect();
    let volumes = mounted_uuids(&devices, &mounted);
    let found = devices.iter().map(|device| {
        let mut found = device.found();
        let is_part = mounted.contains(&&*found.path) || volumes.contains(&&*found.uuid);
        found.is_left = device.is_data() && !is_part && !assemble::is_left_out(device, &devices);
        found
    });
    answer.devices = found.collect();
    (answer, root)
}

/// File systems over several devices are one.
fn mounted_uuids<'a>(devices: &'a [Device], mounted: &[&str]) -> Vec<&'a str> {
    let own = devices.iter().filter(|device| mounted.contains(&&*device.shown()));
    let own = own.filter_map(Device::own).filter(|own| own.devices > 1);
    own.map(|own| own.uuid.as_str()).collect()
}

fn search(
    order: &RescueOrder,
    hideout: &Hideout,
    devices: &mut Vec<Device>,
) -> Result<Found, String> {
    if let Some(fault) = hideout.fault() {
        return Err(fault.to_owned());
    }
    let remarks;
    (*devices, remarks) = list(order, hideout, devices)?;
    let found = roots::find(devices, hideout);
    let root = roots::choose(found, order.root.as_ref())?;
    let place = hideout.place("root")?;
    let options = mount(&root.device, devices, &root.options(), &place, hideout)?;
    let mut answer = RescueAnswer {
        fstab: roots::table(&place),
        machine_id: roots::word(&place, "/etc/machine-id"),
        hostname: roots::word(&place, "/etc/hostname"),
        ..RescueAnswer::default()
    };
    answer.mounted.push(mounted(&root.device, crate::model::TreePath::root(), options));
    roots::complete(order, devices, hideout, &place, &mut answer)?;
    answer.remarks.extend(remarks);
    remark(devices, &mut answer);
    Ok(Found { root: place, answer })
}

/// All devices, with what could be put together of them, and what people should know of that.
fn list(
    order: &RescueOrder,
    hideout: &Hideout,
    seen: &mut Vec<Device>,
) -> Result<(Vec<Device>, Vec<String>), String> {
    let look = |seen: &mut Vec<Device>| {
        devices::find(&order.disks).map_err(|missing: DevicePath| {
            *seen = devices::find(&[]).unwrap_or_default();
            format!("`rescue_disks` names {missing}, which is not there")
        })
    };
    let mut devices = look(seen)?;
    let (mut faults, mut remarks) = (Vec::new(), Vec::new());
    for _ in 0..LAYERS_MAX {
        let assembled = assemble::assemble(&devices, hideout);
        faults.extend(assembled.faults);
        remarks.extend(assembled.remarks);
        if !assembled.is_new {
            break;
        }
        devices = look(seen)?;
    }
    for device in &mut devices {
        // Groups that are open in part have a fault all the same.
        let holds = device.superblock.as_ref().map(|superblock| superblock.kind);
        let is_whole = device.own().is_none() && holds != Some(Kind::Lvm);
        let why = faults.iter().rfind(|(name, _)| *name == device.name && !is_whole);
        if let Some((_, why)) = why {
            device.fault = bounded(why, 400);
        }
    }
    Ok((devices, remarks))
}

/// Mounts a file system, with all its devices.
fn mount(
    device: &Device,
    devices: &[Device],
    options: &str,
    place: &std::path::Path,
    hideout: &Hideout,
) -> Result<String, String> {
    let own = device.own().ok_or("nothing is known to be on it")?;
    let mut options = options.to_owned();
    let is_other = |other: &&Device| {
        let is_same = other.own().is_some_and(|same| same.uuid == own.uuid);
        other.name != device.name && is_same
    };
    if own.kind == Kind::Btrfs && own.devices > 1 {
        for other in devices.iter().filter(is_other) {
            hideout.protect(other)?;
            let comma = if options.is_empty() { "" } else { "," };
            options.push_str(&format!("{comma}device={}", other.path().display()));
        }
    }
    hideout.mount(device, &options, place)
}

fn mounted(device: &Device, point: crate::model::TreePath, options: String) -> RescueMount {
    let fs_type = device.own().map(|own| own.kind.word()).unwrap_or_default();
    RescueMount {
        point,
        device: device.shown(),
        fs_type: fs_type.to_owned(),
        options: bounded(&options, 200),
    }
}

/// What the copy is not.
fn remark(devices: &[Device], answer: &mut RescueAnswer) {
    for device in devices.iter().filter(|device| assemble::is_left_out(device, devices)) {
        answer.remarks.push(format!(
            "{} is a part of an array that runs without it, for what it holds is older: it is not \
             read",
            device.shown()
        ));
    }
    for mount in &answer.mounted {
        let own = devices.iter().find(|device| device.shown() == mount.device);
        let Some(own) = own.and_then(Device::own) else { continue };
        let (device, at) = (&mount.device, &mount.point);
        if own.is_dirty {
            answer.remarks.push(format!(
                "{device} ({at}) was not unmounted: its journal is not replayed, so what was \
                 written last may be missing or torn"
            ));
        } else if own.kind == Kind::Xfs {
            answer.remarks.push(format!(
                "{device} ({at}) is read without its log: if the machine was not shut down, what \
                 was written last may be missing or torn"
            ));
        }
    }
    answer.remarks.truncate(DEVICES_MAX);
}

/// `why`, and what there is.
fn refusal(why: &str, devices: &[Device]) -> String {
    let shown = devices.iter().filter(|device| device.own().is_some() || device.is_data());
    let mut list: Vec<String> = shown.map(Device::described).collect();
    let more = list.len().saturating_sub(LISTED_MAX);
    list.truncate(LISTED_MAX);
    if more > 0 {
        list.push(format!("and {more} more"));
    }
    let found = if list.is_empty() { "no disk at all".to_owned() } else { list.join("; ") };
    let text = format!("{why}. Found: {found}");
    text[..text.floor_char_boundary(REFUSAL_BYTES_MAX)].to_owned()
}
