//! What a block device holds, by what stands at its beginning and end.
//!
//! **Invariants.** Pure, and total: whatever the bytes are, the answer is a value. Members of RAID
//! come before all else: mirrors with their superblock at the end look like what is on them.
//!
//! Offsets are those of the kernel's headers (`ext4.h`, `xfs_format.h`, `btrfs_tree.h`, `md_p.h`),
//! of LVM2's `lib/format_text/layout.h` and of the LUKS on-disk format.

use crate::model::Bytes;
use crate::model::text::{bounded, printable};

/// How much of the beginning is looked at: ZFS has its marks after 128 KiB.
pub const HEAD_BYTES: usize = 256 << 10;
/// How much of the end: RAID of the oldest kind begins up to 128 KiB before it.
pub const TAIL_BYTES: usize = 128 << 10;
/// Longest label, in characters.
const LABEL_CHARS_MAX: usize = 100;

/// What stands on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Ext2,
    Ext3,
    Ext4,
    Xfs,
    Btrfs,
    Vfat,
    Swap,
    /// A member of an array of MD.
    Raid,
    /// A physical volume of LVM.
    Lvm,
    /// Encrypted.
    Luks,
    /// Encrypted, by Windows.
    Bitlocker,
    Ntfs,
    Zfs,
    F2fs,
    Reiserfs,
    Jfs,
    Squashfs,
    Iso9660,
    /// The journal of another file system.
    Journal,
}

impl Kind {
    /// As people call it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ext2 => "ext2",
            Self::Ext3 => "ext3",
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
            Self::Vfat => "vfat",
            Self::Swap => "swap",
            Self::Raid => "raid",
            Self::Lvm => "lvm",
            Self::Luks => "luks",
            Self::Bitlocker => "bitlocker",
            Self::Ntfs => "ntfs",
            Self::Zfs => "zfs",
            Self::F2fs => "f2fs",
            Self::Reiserfs => "reiserfs",
            Self::Jfs => "jfs",
            Self::Squashfs => "squashfs",
            Self::Iso9660 => "iso9660",
            Self::Journal => "journal",
        }
    }

    /// May it be a Linux machine's root, and is there a way to read it that surely writes nothing?
    pub fn may_be_root(self) -> bool {
        matches!(self, Self::Ext2 | Self::Ext3 | Self::Ext4 | Self::Xfs | Self::Btrfs)
    }

    /// Nothing is lost with it: no data, boot loaders, or what other media bring.
    pub fn is_no_data(self) -> bool {
        matches!(self, Self::Swap | Self::Vfat | Self::Squashfs | Self::Iso9660 | Self::Journal)
    }
}

/// What was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Superblock {
    pub kind: Kind,
    /// Its own number as `blkid` and `mdadm` write it; empty: it has none.
    pub uuid: String,
    /// Its label, printable; empty: it has none.
    pub label: String,
    /// What is used of it, as far as it says.
    pub used: Bytes,
    /// It was not unmounted, or its journal waits to be replayed, as far as it says.
    pub is_dirty: bool,
    /// Devices that belong together.
    pub devices: u64,
    /// Of a member of RAID.
    pub array: Option<Array>,
}

/// What a member knows of its array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Array {
    /// As in RAID 5.
    pub level: i32,
    /// How many disks it is made of.
    pub disks: u32,
}

impl Superblock {
    fn new(kind: Kind, uuid: String) -> Self {
        let (label, used) = (String::new(), Bytes::ZERO);
        Self { kind, uuid, label, used, is_dirty: false, devices: 1, array: None }
    }
}

/// Looks at the beginning and the end of a device of this size.
pub fn recognise(head: &[u8], tail: &[u8], size: u64) -> Option<Superblock> {
    let head = Part(head);
    (raid(head, Part(tail), size))
        .or_else(|| luks(head))
        .or_else(|| lvm(head))
        .or_else(|| btrfs(head))
        .or_else(|| xfs(head))
        .or_else(|| ext(head))
        .or_else(|| swap(head))
        .or_else(|| by_mark(head))
        .or_else(|| vfat(head))
}

/// A piece of a device; what lies beyond it is nothing.
#[derive(Clone, Copy)]
struct Part<'a>(&'a [u8]);

impl<'a> Part<'a> {
    fn at(self, offset: usize, count: usize) -> &'a [u8] {
        self.0.get(offset..offset.saturating_add(count)).unwrap_or_default()
    }

    fn is(self, offset: usize, mark: &[u8]) -> bool {
        self.at(offset, mark.len()) == mark
    }

    fn array<const N: usize>(self, offset: usize) -> [u8; N] {
        self.at(offset, N).try_into().unwrap_or([0; N])
    }

    fn le16(self, offset: usize) -> u16 {
        u16::from_le_bytes(self.array(offset))
    }

    fn le32(self, offset: usize) -> u32 {
        u32::from_le_bytes(self.array(offset))
    }

    fn le64(self, offset: usize) -> u64 {
        u64::from_le_bytes(self.array(offset))
    }

    fn be32(self, offset: usize) -> u32 {
        u32::from_be_bytes(self.array(offset))
    }

    fn be64(self, offset: usize) -> u64 {
        u64::from_be_bytes(self.array(offset))
    }

    fn text(self, offset: usize, count: usize) -> String {
        let bytes = self.at(offset, count).split(|byte| *byte == 0).next().unwrap_or_default();
        bounded(printable(bytes.trim_ascii()).as_str(), LABEL_CHARS_MAX)
    }

    /// Sixteen bytes as blkid writes them.
    fn uuid(self, offset: usize) -> String {
        let bytes: [u8; 16] = self.array(offset);
        let mut text = String::new();
        for (number, byte) in bytes.iter().enumerate() {
            if matches!(number, 4 | 6 | 8 | 10) {
                text.push('-');
            }
            text.push_str(&format!("{byte:02x}"));
        }
        text
    }
}

const EXT: usize = 1024;
const EXT_HAS_JOURNAL: u32 = 0x4;
const EXT_RECOVER: u32 = 0x4;
const EXT_JOURNAL_DEVICE: u32 = 0x8;
const EXT_64BIT: u32 = 0x80;
/// What ext3 knows: file types, recovery, external journals, meta block groups.
const EXT3_INCOMPATIBLE: u32 = 0x2 | EXT_RECOVER | EXT_JOURNAL_DEVICE | 0x10;
/// What ext3 knows: sparse superblocks, large files, B-trees of directories.
const EXT3_READ_ONLY: u32 = 0x1 | 0x2 | 0x4;

fn ext(head: Part<'_>) -> Option<Superblock> {
    if head.le16(EXT + 0x38) != 0xef53 {
        return None;
    }
    let [compatible, incompatible, read_only] = [0x5c, 0x60, 0x64].map(|at| head.le32(EXT + at));
    let is_new = incompatible & !EXT3_INCOMPATIBLE != 0 || read_only & !EXT3_READ_ONLY != 0;
    let kind = match (is_new, compatible & EXT_HAS_JOURNAL != 0) {
        _ if incompatible & EXT_JOURNAL_DEVICE != 0 => Kind::Journal,
        (true, _) => Kind::Ext4,
        (false, true) => Kind::Ext3,
        (false, false) => Kind::Ext2,
    };
    let count = |low: usize, high: usize| {
        let is_long = incompatible & EXT_64BIT != 0;
        let high = if is_long { head.le32(EXT + high) } else { 0 };
        u64::from(high) << 32 | u64::from(head.le32(EXT + low))
    };
    let block = 1024_u64.checked_shl(head.le32(EXT + 0x18).min(10)).unwrap_or(1024);
    let used = count(0x4, 0x150).saturating_sub(count(0xc, 0x158)).saturating_mul(block);
    let was_unmounted = head.le16(EXT + 0x3a) & 1 != 0;
    let has_orphans = head.le32(EXT + 0xe8) != 0;
    Some(Superblock {
        label: head.text(EXT + 0x78, 16),
        used: Bytes(used),
        is_dirty: incompatible & EXT_RECOVER != 0 || !was_unmounted || has_orphans,
        ..Superblock::new(kind, head.uuid(EXT + 0x68))
    })
}

fn xfs(head: Part<'_>) -> Option<Superblock> {
    if !head.is(0, b"XFSB") {
        return None;
    }
    let used = head.be64(8).saturating_sub(head.be64(144));
    Some(Superblock {
        label: head.text(108, 12),
        used: Bytes(used.saturating_mul(u64::from(head.be32(4)))),
        ..Superblock::new(Kind::Xfs, head.uuid(32))
    })
}

const BTRFS: usize = 0x1_0000;

fn btrfs(head: Part<'_>) -> Option<Superblock> {
    if !head.is(BTRFS + 0x40, b"_BHRfS_M") {
        return None;
    }
    Some(Superblock {
        label: head.text(BTRFS + 0x12b, 256),
        used: Bytes(head.le64(BTRFS + 0x78)),
        is_dirty: head.le64(BTRFS + 0x60) != 0,
        devices: head.le64(BTRFS + 0x88),
        ..Superblock::new(Kind::Btrfs, head.uuid(BTRFS + 0x20))
    })
}

fn luks(head: Part<'_>) -> Option<Superblock> {
    head.is(0, b"LUKS\xba\xbe").then(|| Superblock::new(Kind::Luks, head.text(168, 40)))
}

/// The label stands in one of the first four sectors.
fn lvm(head: Part<'_>) -> Option<Superblock> {
    let is_label = |at: &usize| head.is(*at, b"LABELONE") && head.is(*at + 24, b"LVM2 001");
    let at = [0, 512, 1024, 1536].into_iter().find(is_label)?;
    let uuid = head.text(at.saturating_add(head.le32(at + 20) as usize), 32);
    Some(Superblock::new(Kind::Lvm, uuid))
}

const MD_MAGIC: u32 = 0xa92b_4efc;

/// Versions 1.1 and 1.2 at the beginning, 1.0 and 0.90 at the end.
fn raid(head: Part<'_>, tail: Part<'_>, size: u64) -> Option<Superblock> {
    let signed = |word: u32| i32::from_le_bytes(word.to_le_bytes());
    let number = |words: [u32; 4]| words.map(|word| format!("{word:08x}")).join(":");
    let new = |part: Part<'_>, at: usize| {
        let is_new = part.le32(at) == MD_MAGIC && part.le32(at + 4) == 1;
        let words = [16, 20, 24, 28].map(|word| part.be32(at + word));
        let label = part.text(at + 32, 32);
        let array = Array { level: signed(part.le32(at + 72)), disks: part.le32(at + 92) };
        let new = Superblock::new(Kind::Raid, number(words));
        is_new.then_some(Superblock { label, array: Some(array), ..new })
    };
    let old = |at: usize| {
        let is_old = tail.le32(at) == MD_MAGIC && tail.le32(at + 4) == 0;
        let words = [0x14, 0x34, 0x38, 0x3c].map(|word| tail.le32(at + word));
        let array = Array { level: signed(tail.le32(at + 28)), disks: tail.le32(at + 40) };
        let old = Superblock::new(Kind::Raid, number(words));
        is_old.then_some(Superblock { array: Some(array), ..old })
    };
    // Where a place of the device lies in its tail.
    let in_tail =
        |at: u64| usize::try_from(at.checked_sub(size.checked_sub(tail.0.len() as u64)?)?).ok();
    let sectors = (size / 512).checked_sub(16).map(|sectors| (sectors & !7) * 512);
    (new(head, 0).or_else(|| new(head, 4096)))
        .or_else(|| new(tail, in_tail(sectors?)?))
        .or_else(|| old(in_tail((size & !0xffff).checked_sub(0x1_0000)?)?))
}

/// It stands at the end of the first page, whose size is the machine's.
fn swap(head: Part<'_>) -> Option<Superblock> {
    let is_swap =
        |page: usize| head.is(page - 10, b"SWAPSPACE2") || head.is(page - 10, b"SWAP-SPACE");
    [4096, 8192, 16384, 65536].into_iter().any(is_swap).then(|| Superblock {
        label: head.text(1052, 16),
        ..Superblock::new(Kind::Swap, head.uuid(1036))
    })
}

/// Those of which nothing else has to be known.
fn by_mark(head: Part<'_>) -> Option<Superblock> {
    const MARKS: [(Kind, usize, &[u8]); 8] = [
        (Kind::Ntfs, 3, b"NTFS    "),
        (Kind::Bitlocker, 3, b"-FVE-FS-"),
        (Kind::Squashfs, 0, b"hsqs"),
        (Kind::Iso9660, 0x8001, b"CD001"),
        (Kind::F2fs, 1024, &[0x10, 0x20, 0xf5, 0xf2]),
        (Kind::Reiserfs, 0x1_0034, b"ReIsEr"),
        (Kind::Jfs, 0x8000, b"JFS1"),
        // An uberblock of ZFS, the first of its ring.
        (Kind::Zfs, 128 << 10, &[0x0c, 0xb1, 0xba, 0, 0, 0, 0, 0]),
    ];
    let found = MARKS.iter().find(|(_, at, mark)| head.is(*at, mark));
    found.map(|(kind, ..)| Superblock::new(*kind, String::new()))
}

fn vfat(head: Part<'_>) -> Option<Superblock> {
    let (number, label) = match () {
        () if !head.is(510, &[0x55, 0xaa]) => return None,
        () if head.is(82, b"FAT32") => (67, 71),
        () if head.is(54, b"FAT1") => (39, 43),
        () => return None,
    };
    let uuid = format!("{:04X}-{:04X}", head.le16(number + 2), head.le16(number));
    Some(Superblock { label: head.text(label, 11), ..Superblock::new(Kind::Vfat, uuid) })
}

#[cfg(test)]
mod tests;
