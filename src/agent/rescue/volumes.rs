//! Volume groups of LVM.
//!
//! **Promise.** Putting a group together writes nothing to its disks. LVM is told that metadata may
//! not be written, and to keep no backups of it in the rescue system. That is enough for volumes
//! that are pieces of disks, and for snapshots of these: they are opened read-only.
//!
//! It is not for others. The kernel writes to RAID, mirrors and caches as soon as they are there,
//! even where every volume and disk is set read-only, for it heeds that only from programs; a
//! snapshot whose merge was begun it merges, which rolls the machine back. Thin pools cannot be
//! opened read-only at all. A group that has any of these is put together on layers: of each disk a
//! snapshot ([dm-snapshot]) that keeps what is written in memory, where it ends with the agent.
//! A layer that is full cannot be read any more; even then nothing is written to its disk.
//!
//! [dm-snapshot]: https://docs.kernel.org/admin-guide/device-mapper/snapshot.html

use std::fs::File;

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use crate::agent::rescue::devices::{Device, LAYER};
use crate::agent::rescue::hideout::{Hideout, run};

/// Sectors of a layer's pieces.
const PIECE_SECTORS: u64 = 8;
const SECTOR_BYTES: u64 = 512;
/// Which part of the memory layers may fill, and what they get at least.
const MEMORY_SHARE: u64 = 8;
const LAYER_BYTES_MIN: u64 = 4 << 20;
/// Segments that the kernel only maps.
const MAPPED: [&str; 2] = ["linear", "striped"];

/// Opens the groups that these are the disks of.
pub fn start(volumes: &[&Device], hideout: &Hideout) -> Result<(), String> {
    let quiet = configuration(&Mode::Looking);
    let paths: Vec<String> = volumes.iter().map(|on| on.path().display().to_string()).collect();
    let fixed = ["--noheadings", "-o", "vg_name", "--config", &quiet].map(str::to_owned);
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
    let (mut plain, mut layered, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    for group in groups {
        let fields = ["-a", "--noheadings", "-o", "segtype,lv_attr", "--config", &quiet, group];
        match run("lvs", fields) {
            Err(why) => faults.push(why),
            Ok(said) if !is_written_to(&said) => plain.push(group),
            // The rescue system has it open, without layers: what is left of it stays as it is.
            Ok(said) if is_open(&said) => {}
            Ok(_) => layered.push(group),
        }
    }
    // Before there are layers, which would be the same disks once more.
    for group in plain {
        faults.extend(open(group, &Mode::ReadOnly(group), hideout).err());
    }
    if !layered.is_empty() {
        match layers(volumes, &layered, hideout) {
            Ok(()) => {
                let open = |group: &&str| open(group, &Mode::Layered, hideout).err();
                faults.extend(layered.iter().filter_map(open));
            }
            Err(why) => faults.push(format!(
                "the kernel would write to volumes of {} (RAID, thin pools, caches, merges) when \
                 they are put together, and no layer in memory can be made to take that: {why}",
                layered.join(" and ")
            )),
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
}

/// Some volumes of a group may be open even if this fails.
fn open(group: &str, mode: &Mode<'_>, hideout: &Hideout) -> Result<(), String> {
    let configuration = configuration(mode);
    hideout.undo_by(&["vgchange", "-an", "--config", &configuration, group]);
    let change = ["-ay", "--monitor", "n", "--poll", "n", "--config", &configuration, group];
    let opened = run("vgchange", change).map(|_| ());
    if matches!(mode, Mode::Layered) {
        hold_still(group);
    }
    opened
}

/// Stops what RAID mends by itself: it would fill the layers.
fn hold_still(group: &str) {
    // `vg-lv`, where a dash of either name is doubled.
    let its = group.replace('-', "--") + "-";
    let arrays = run("dmsetup", ["ls", "--target", "raid"]).unwrap_or_default();
    for name in arrays.lines().filter_map(|line| line.split_whitespace().next()) {
        if name.starts_with(&its) {
            // Where it is not understood, the layers are as large as they are.
            let _ = run("dmsetup", ["message", name, "0", "frozen"]);
        }
    }
}

/// Would the kernel write when volumes of these kinds and attributes (lvs(8)) are put together?
fn is_written_to(rows: &str) -> bool {
    let is_mapped = |row: &str| {
        let mut words = row.split_ascii_whitespace();
        let kind = words.next().unwrap_or_default();
        // Merges and moves that were begun.
        let goes_on =
            words.next().is_some_and(|attributes| attributes.starts_with(['O', 'S', 'p']));
        MAPPED.contains(&kind) && !goes_on
    };
    rows.lines().filter(|row| !row.trim().is_empty()).any(|row| !is_mapped(row))
}

/// Is a volume of these open?
fn is_open(rows: &str) -> bool {
    let mut attributes = rows.lines().filter_map(|row| row.split_ascii_whitespace().nth(1));
    attributes.any(|attributes| attributes.as_bytes().get(4) == Some(&b'a'))
}

/// A layer over each disk of these groups.
fn layers(volumes: &[&Device], groups: &[&str], hideout: &Hideout) -> Result<(), String> {
    let quiet = configuration(&Mode::Looking);
    let mut of_groups = Vec::new();
    for volume in volumes {
        let path = volume.path().display().to_string();
        let group = run("pvs", ["--noheadings", "-o", "vg_name", "--config", &quiet, &path])?;
        if groups.contains(&group.trim()) {
            of_groups.push((*volume, path));
        }
    }
    let memory = rustix::system::sysinfo();
    let memory = (memory.totalram as u64).saturating_mul(u64::from(memory.mem_unit));
    let each = (memory / MEMORY_SHARE / of_groups.len().max(1) as u64).max(LAYER_BYTES_MIN);
    let place = hideout.place("layers")?;
    mount("layers", &place, "tmpfs", MountFlags::empty(), Some(c"mode=0700"))
        .map_err(|error| format!("no file system in memory: {error}"))?;
    let made = of_groups.iter().try_for_each(|(volume, path)| {
        let file = place.join(volume.name.replace('!', "_"));
        File::create(&file)
            .and_then(|made| made.set_len(each))
            .map_err(|error| format!("no file in memory: {error}"))?;
        layer(volume, path, &file.display().to_string(), hideout)
    });
    // The files stay as long as layers need them.
    let _ = unmount(&place, UnmountFlags::DETACH);
    made
}

fn layer(volume: &Device, path: &str, file: &str, hideout: &Hideout) -> Result<(), String> {
    let kept = run("losetup", ["--find", "--show", file])?;
    let kept = kept.trim();
    hideout.undo_by(&["losetup", "--detach", kept]);
    let name = format!("evac.layer.{}", volume.name.replace('!', "_"));
    let uuid = format!("{LAYER}{}", volume.name);
    let sectors = volume.size / SECTOR_BYTES;
    let table = format!("0 {sectors} snapshot {path} {kept} N {PIECE_SECTORS}");
    run("dmsetup", ["create", &name, "--uuid", &uuid, "--table", &table])?;
    hideout.undo_by(&["dmsetup", "remove", "--retry", &name]);
    Ok(())
}

/// What LVM is allowed.
enum Mode<'a> {
    /// To read metadata.
    Looking,
    /// To open the volumes of a group for reading.
    ReadOnly(&'a str),
    /// To see layers only, and whatever it likes there.
    Layered,
}

/// What LVM is told; names of groups have no quotes (lvm(8)).
fn configuration(mode: &Mode<'_>) -> String {
    let more = match mode {
        Mode::Looking => String::new(),
        Mode::ReadOnly(group) => format!(" activation{{read_only_volume_list=[\"{group}\"]}}"),
        Mode::Layered => {
            " devices{use_devicesfile=0 filter=[\"a|^/dev/mapper/evac.layer.|\",\"r|.*|\"]}".into()
        }
    };
    format!("global{{metadata_read_only=1}} backup{{backup=0 archive=0}}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_leave_nothing_to_be_written() {
        assert_eq!(
            configuration(&Mode::ReadOnly("vg0")),
            "global{metadata_read_only=1} backup{backup=0 archive=0} \
             activation{read_only_volume_list=[\"vg0\"]}"
        );
    }

    #[test]
    fn volumes_that_the_kernel_writes_to_by_itself_are_known() {
        // As lvs of LVM 2.03 says it: an origin with its snapshot, then one of each other kind.
        assert!(!is_written_to(
            "  linear owi---s---\n  linear swi---s---\n  striped -wi-------\n\n"
        ));
        assert!(is_open("  linear -wi-------\n  raid1 rwi-aor---\n"));
        assert!(!is_open("  linear -wi-------\n  raid1 rwi---r---\n"));
        for row in [
            "raid1 rwi---r---",
            "mirror mwi---m---",
            "cache Cwi---C---",
            "thin-pool twi---tz--",
            "thin Vwi---tz--",
            "linear Owi---s---",
            "linear Swi---s---",
            "mirror pwi-------",
            "vdo vwi---v---",
        ] {
            assert!(is_written_to(&format!("  linear -wi-------\n  {row}\n")), "{row}");
        }
    }
}
