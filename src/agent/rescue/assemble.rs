//! Arrays and volume groups that the rescue system has not put together: by its own tools, so that
//! nothing is written.
//!
//! `mdadm --readonly` starts an array without a resync and without touching its superblocks; with
//! `--run` also one that lacks a disk. LVM is told that every volume of the group is read-only,
//! that metadata may not be written, and to keep no backups of it in the rescue system.

use crate::agent::rescue::devices::Device;
use crate::agent::rescue::hideout::{Hideout, run};
use crate::agent::rescue::superblock::Kind;

/// Puts together what `devices` are members of; says whether anything was, and what failed, by
/// device.
pub fn assemble(devices: &[Device], hideout: &Hideout) -> (bool, Vec<(String, String)>) {
    let (mut is_new, mut faults) = (false, Vec::new());
    let mut arrays: Vec<&str> = members(devices, Kind::Raid).map(|(_, uuid)| uuid).collect();
    arrays.sort_unstable();
    arrays.dedup();
    for (number, array) in arrays.into_iter().enumerate() {
        let members: Vec<&Device> = members(devices, Kind::Raid)
            .filter_map(|(device, uuid)| (uuid == array).then_some(device))
            .collect();
        match start_array(array, number, &members, hideout) {
            Ok(()) => is_new = true,
            Err(why) => faults.extend(members.iter().map(|on| (on.name.clone(), why.clone()))),
        }
    }
    let volumes: Vec<&Device> = members(devices, Kind::Lvm).map(|(device, _)| device).collect();
    if !volumes.is_empty() {
        match start_groups(&volumes, hideout) {
            Ok(()) => is_new = true,
            Err(why) => faults.extend(volumes.iter().map(|on| (on.name.clone(), why.clone()))),
        }
    }
    (is_new, faults)
}

/// Members of something that does not run yet.
fn members(devices: &[Device], kind: Kind) -> impl Iterator<Item = (&Device, &str)> {
    let own = devices.iter().filter_map(|device| Some((device, device.own()?)));
    own.filter(move |(_, own)| own.kind == kind).map(|(device, own)| (device, own.uuid.as_str()))
}

fn start_array(
    uuid: &str,
    number: usize,
    members: &[&Device],
    hideout: &Hideout,
) -> Result<(), String> {
    for member in members {
        hideout.protect(member)?;
    }
    let node = format!("/dev/md/evac{number}");
    let paths: Vec<String> = members.iter().map(|on| on.path().display().to_string()).collect();
    run("mdadm", array_arguments(uuid, &node, &paths))?;
    hideout.undo_by(&["mdadm", "--stop", &node]);
    Ok(())
}

fn array_arguments(uuid: &str, node: &str, members: &[String]) -> Vec<String> {
    let uuid = format!("--uuid={uuid}");
    let fixed = ["--assemble", "--readonly", "--run", &uuid, node].map(str::to_owned);
    [&fixed[..], members].concat()
}

fn start_groups(volumes: &[&Device], hideout: &Hideout) -> Result<(), String> {
    let paths: Vec<String> = volumes.iter().map(|on| on.path().display().to_string()).collect();
    let fixed =
        ["--noheadings", "-o", "vg_name", "--config", &configuration(None)].map(str::to_owned);
    let said = run("pvs", [&fixed[..], &paths].concat())?;
    let mut groups: Vec<&str> =
        said.lines().map(str::trim).filter(|name| !name.is_empty()).collect();
    groups.sort_unstable();
    groups.dedup();
    if groups.is_empty() {
        return Err("LVM knows no group of it".to_owned());
    }
    for volume in volumes {
        hideout.protect(volume)?;
    }
    for group in groups {
        run("vgchange", ["-ay", "--config", &configuration(Some(group)), group])?;
        hideout.undo_by(&["vgchange", "-an", "--config", &configuration(Some(group)), group]);
    }
    Ok(())
}

/// What LVM is told; names of groups have no quotes (lvm(8)).
fn configuration(group: Option<&str>) -> String {
    let list = group.map(|name| format!(" activation{{read_only_volume_list=[\"{name}\"]}}"));
    format!(
        "global{{metadata_read_only=1}} backup{{backup=0 archive=0}}{}",
        list.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_leave_nothing_to_be_written() {
        let members = ["/dev/sda2", "/dev/sdb2"].map(str::to_owned);
        let arguments = array_arguments("1:2:3:4", "/dev/md/evac0", &members);
        assert_eq!(
            arguments.join(" "),
            "--assemble --readonly --run --uuid=1:2:3:4 /dev/md/evac0 /dev/sda2 /dev/sdb2"
        );
        assert_eq!(
            configuration(Some("vg0")),
            "global{metadata_read_only=1} backup{backup=0 archive=0} \
             activation{read_only_volume_list=[\"vg0\"]}"
        );
    }
}
