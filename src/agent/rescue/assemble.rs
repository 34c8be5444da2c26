//! Arrays and volume groups that the rescue system has not put together: by its own tools, so that
//! nothing is written.
//!
//! `mdadm --readonly` starts an array without a resync and without touching its superblocks; with
//! `--run` also one that lacks a disk. How LVM is kept from writing: see [`volumes`].

use std::fs;

use crate::agent::rescue::devices::Device;
use crate::agent::rescue::hideout::{Hideout, run};
use crate::agent::rescue::superblock::Kind;
use crate::agent::rescue::volumes;

/// Does the kernel start an array that lacks a disk and was not stopped (md(4))?
const DIRTY_DEGRADED: &str = "/sys/module/md_mod/parameters/start_dirty_degraded";

/// What came of it.
#[derive(Debug, Default)]
pub struct Assembled {
    /// Was anything put together?
    pub is_new: bool,
    /// What failed, by device.
    pub faults: Vec<(String, String)>,
    /// What people should know of what was put together.
    pub remarks: Vec<String>,
}

/// Puts together what `devices` are members of.
pub fn assemble(devices: &[Device], hideout: &Hideout) -> Assembled {
    let mut done = Assembled::default();
    let mut arrays: Vec<&str> = members(devices, Kind::Raid)
        .filter(|device| !is_left_out(device, devices))
        .filter_map(|device| Some(&*device.own()?.uuid))
        .collect();
    arrays.sort_unstable();
    arrays.dedup();
    for (number, array) in arrays.into_iter().enumerate() {
        let is_its = |device: &&Device| device.own().is_some_and(|own| own.uuid == array);
        let members: Vec<&Device> = members(devices, Kind::Raid).filter(is_its).collect();
        match start_array(array, number, &members, hideout) {
            Ok(remark) => {
                done.is_new = true;
                done.remarks.extend(remark);
            }
            Err(why) => done.fail(&members, &why),
        }
    }
    let volumes: Vec<&Device> = members(devices, Kind::Lvm).collect();
    if !volumes.is_empty() {
        // Of a group that lacks a disk there are volumes all the same.
        done.is_new = true;
        if let Err(why) = volumes::start(&volumes, hideout) {
            done.fail(&volumes, &why);
        }
    }
    done
}

impl Assembled {
    fn fail(&mut self, devices: &[&Device], why: &str) {
        self.faults.extend(devices.iter().map(|device| (device.name.clone(), why.to_owned())));
    }
}

/// Members of something that does not run yet.
fn members(devices: &[Device], kind: Kind) -> impl Iterator<Item = &Device> {
    devices.iter().filter(move |device| device.own().is_some_and(|own| own.kind == kind))
}

/// Is `device` a part of an array that runs without it? What it holds is older than that.
pub fn is_left_out(device: &Device, devices: &[Device]) -> bool {
    let Some(own) = device.own().filter(|own| own.kind == Kind::Raid) else { return false };
    let is_same = |other: &Device| {
        (other.superblock.as_ref()).is_some_and(|its| its.kind == own.kind && its.uuid == own.uuid)
    };
    devices.iter().any(|other| other.is_taken && is_same(other))
}

/// What people should know of the array, if it runs.
fn start_array(
    uuid: &str,
    number: usize,
    members: &[&Device],
    hideout: &Hideout,
) -> Result<Option<String>, String> {
    if let Some(held_by) = members.iter().find_map(|member| member.held_by.as_ref()) {
        return Err(format!(
            "the rescue system has it in {held_by}, which it did not start; `mdadm --stop \
             /dev/{held_by}` there, and try again"
        ));
    }
    for member in members {
        hideout.protect(member)?;
    }
    let node = format!("/dev/md/evac{number}");
    let paths: Vec<String> = members.iter().map(|on| on.path().display().to_string()).collect();
    let start = || run("mdadm", array_arguments(uuid, &node, &paths)).map(|_| ());
    let remark = match start() {
        Err(why) if why.contains("while not clean") => {
            although_dirty(start).map_err(|why| explained(members, &why))?;
            Some(format!(
                "the array of {} lacks a disk and was being written to when it stopped: what was \
                 written last may be wrong where the missing disk had a part of it",
                paths.join(" and ")
            ))
        }
        started => started.map(|()| None).map_err(|why| explained(members, &why))?,
    };
    hideout.undo_by(&["mdadm", "--stop", &node]);
    Ok(remark)
}

/// Starts an array that the kernel refuses to start for what may be wrong on it. It is only read,
/// so nothing is made worse; what `mdadm --force` does instead is to write that it is clean.
fn although_dirty(start: impl Fn() -> Result<(), String>) -> Result<(), String> {
    let before = fs::read_to_string(DIRTY_DEGRADED);
    let set = |value: &str| fs::write(DIRTY_DEGRADED, value);
    let allowed = before.and_then(|before| set("1").map(|()| before));
    let started = start();
    if let Ok(before) = allowed {
        // As it was: it is the rescue system's.
        let _ = set(before.trim());
    }
    started
}

fn array_arguments(uuid: &str, node: &str, members: &[String]) -> Vec<String> {
    let uuid = format!("--uuid={uuid}");
    let fixed = ["--assemble", "--readonly", "--run", &uuid, node].map(str::to_owned);
    [&fixed[..], members].concat()
}

/// Why an array does not run, for people.
fn explained(members: &[&Device], why: &str) -> String {
    let array = members.iter().find_map(|member| member.own()?.array);
    match array {
        _ if why.contains("while not clean") => format!(
            "it was being written to when it stopped, and lacks a disk; write 1 into \
             {DIRTY_DEGRADED} there and try again (mdadm's --force would write to the disks)"
        ),
        Some(array) if why.to_lowercase().contains("not enough") => format!(
            "{} of the {} disks of its RAID {} are here, which is not enough; attach the others",
            members.len(),
            array.disks,
            array.level
        ),
        _ => why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::rescue::superblock::{Array, Superblock};
    use crate::model::Bytes;

    fn member(name: &str, is_taken: bool) -> Device {
        Device {
            superblock: Some(Superblock {
                kind: Kind::Raid,
                uuid: "1:2:3:4".into(),
                label: String::new(),
                used: Bytes::ZERO,
                is_dirty: false,
                devices: 1,
                array: Some(Array { level: 5, disks: 3 }),
            }),
            is_taken,
            ..Device::named(name)
        }
    }

    #[test]
    fn commands_leave_nothing_to_be_written() {
        let members = ["/dev/sda2", "/dev/sdb2"].map(str::to_owned);
        let arguments = array_arguments("1:2:3:4", "/dev/md/evac0", &members);
        assert_eq!(
            arguments.join(" "),
            "--assemble --readonly --run --uuid=1:2:3:4 /dev/md/evac0 /dev/sda2 /dev/sdb2"
        );
    }

    #[test]
    fn what_an_array_runs_without_is_told_from_what_never_ran() {
        let running = [member("sda", true), member("sdb", false)];
        assert!(is_left_out(&running[1], &running) && !is_left_out(&running[0], &running));
        let waiting = [member("sda", false), member("sdb", false)];
        assert!(!is_left_out(&waiting[1], &waiting));
    }

    #[test]
    fn an_array_that_lacks_disks_says_how_many_and_never_to_force_it() {
        let lone = member("sda", false);
        let said = |why: &str| explained(&[&lone], why);
        let few = said("mdadm: exit status: 1: mdadm: Not enough devices to start the array.");
        assert!(few.starts_with("1 of the 3 disks of its RAID 5 are here"), "{few}");
        let dirty = "mdadm: Not enough devices to start the array while not clean - consider \
            --force.";
        assert!(said(dirty).contains(DIRTY_DEGRADED) && !said(dirty).contains("consider"));
        assert_eq!(said("`mdadm` is missing there"), "`mdadm` is missing there");
    }
}
