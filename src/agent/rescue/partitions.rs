//! The numbers that partitions have in their disk's table, by which cloud images name their root.
//!
//! GPT by the UEFI specification 2.10, section 5.3; the old table by its disk signature, as the
//! kernel has it in `PARTUUID` (block/partitions).

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use crate::agent::rescue::devices::Device;

/// Sizes a sector may have.
const SECTORS: [u64; 2] = [512, 4096];
/// Longest entry of a table that is believed.
const ENTRY_BYTES_MAX: u64 = 4_096;

/// Gives every partition its number.
pub fn number(devices: &mut [Device]) {
    for device in devices {
        let Some(disk) = &device.part_of else { continue };
        let at = format!("/sys/class/block/{}/partition", device.name);
        let index = fs::read_to_string(at).ok().and_then(|text| text.trim().parse().ok());
        let table = File::open(format!("/dev/{}", disk.replace('!', "/"))).ok();
        device.part_uuid = table.zip(index).and_then(|(table, index)| partition(&table, index));
    }
}

/// The number of the partition that is the `index`th, from 1.
fn partition(disk: &File, index: u64) -> Option<String> {
    for sector in SECTORS {
        let mut header = [0; 92];
        disk.read_exact_at(&mut header, sector).ok()?;
        if !header.starts_with(b"EFI PART") {
            continue;
        }
        let number =
            |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().unwrap_or([0; 8]));
        let entry_bytes = number(84) & 0xffff_ffff;
        if !(128..=ENTRY_BYTES_MAX).contains(&entry_bytes) {
            return None;
        }
        let at = number(72)
            .checked_mul(sector)?
            .checked_add(index.checked_sub(1)?.checked_mul(entry_bytes)?)?;
        let mut guid = [0; 16];
        disk.read_exact_at(&mut guid, at.checked_add(16)?).ok()?;
        return Some(shown(guid));
    }
    let mut signature = [0; 4];
    disk.read_exact_at(&mut signature, 440).ok()?;
    let signature = u32::from_le_bytes(signature);
    (signature != 0).then(|| format!("{signature:08x}-{index:02x}"))
}

/// A GUID as people write it: the first three parts are little-endian numbers.
fn shown(mut guid: [u8; 16]) -> String {
    guid[..4].reverse();
    guid[4..6].reverse();
    guid[6..8].reverse();
    let mut text = String::new();
    for (number, byte) in guid.iter().enumerate() {
        if matches!(number, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(writes: &[(u64, &[u8])]) -> File {
        let file = tempfile::tempfile().unwrap();
        file.set_len(1 << 20).unwrap();
        for (at, bytes) in writes {
            file.write_all_at(bytes, *at).unwrap();
        }
        file
    }

    #[test]
    fn both_kinds_of_table_are_read() {
        let old = disk(&[(440, &[0x78, 0x56, 0x34, 0x12])]);
        assert_eq!(partition(&old, 5).as_deref(), Some("12345678-05"));
        let guid: Vec<u8> = (0..16).collect();
        let header = [&b"EFI PART"[..], &[0; 64], &2_u64.to_le_bytes(), &[0; 4], &[128, 0, 0, 0]];
        let new = disk(&[(512, &header.concat()), (1024 + 128 + 16, &guid)]);
        let expected = "03020100-0504-0706-0809-0a0b0c0d0e0f";
        assert_eq!(partition(&new, 2).as_deref(), Some(expected));
        assert_eq!(partition(&disk(&[]), 1), None);
    }
}
