//! Images that the systems' own tools made, and noise.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use super::*;

fn look(image: &Path) -> Option<Superblock> {
    let file = File::open(image).unwrap();
    let size = file.metadata().unwrap().len();
    let part = |from: u64, bytes: usize| {
        let mut part = vec![0; bytes.min(usize::try_from(size - from).unwrap())];
        file.read_exact_at(&mut part, from).unwrap();
        part
    };
    let tail = size.saturating_sub(TAIL_BYTES as u64);
    recognise(&part(0, HEAD_BYTES), &part(tail, TAIL_BYTES), size)
}

const UUID: &str = "0b1e3f3a-9c3e-4c1e-8f0e-2a1d6f6b7c11";

/// `make` gets the image's path as its last argument; `None` where the tool is not installed.
fn made(size: u64, make: &[&str]) -> Option<Superblock> {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    File::create(&image).unwrap().set_len(size).unwrap();
    let output = Command::new(make[0]).args(&make[1..]).arg(&image).output().ok()?;
    assert!(output.status.success(), "{make:?}: {}", String::from_utf8_lossy(&output.stderr));
    look(&image)
}

#[test]
fn file_systems_are_known_by_what_mkfs_wrote() {
    let check = |kind: Kind, size: u64, make: &[&str]| {
        let Some(found) = made(size, make) else { return };
        assert_eq!((found.kind, &*found.uuid, &*found.label), (kind, UUID, "data"), "{make:?}");
        assert!(!found.is_dirty && found.devices == 1, "{found:?}");
        assert!(found.used.0 < size, "{found:?}");
    };
    for (word, kind) in [("ext2", Kind::Ext2), ("ext3", Kind::Ext3), ("ext4", Kind::Ext4)] {
        check(kind, 16 << 20, &["mke2fs", "-q", "-F", "-t", word, "-U", UUID, "-L", "data"]);
    }
    let uuid = format!("uuid={UUID}");
    check(Kind::Xfs, 320 << 20, &["mkfs.xfs", "-q", "-m", &uuid, "-L", "data"]);
    check(Kind::Btrfs, 128 << 20, &["mkfs.btrfs", "-q", "-U", UUID, "-L", "data"]);
    check(Kind::Swap, 1 << 20, &["mkswap", "-q", "-U", UUID, "-L", "data"]);
}

#[test]
fn members_and_encrypted_disks_are_known_by_their_marks() {
    let image = |at: usize, bytes: &[u8]| {
        let mut image = vec![0; 1 << 20];
        image[at..at + bytes.len()].copy_from_slice(bytes);
        image
    };
    let found = |image: &[u8]| {
        let tail = &image[image.len() - TAIL_BYTES..];
        recognise(&image[..HEAD_BYTES], tail, image.len() as u64).map(|found| found.kind)
    };
    let md = |version: u8| [&MD_MAGIC.to_le_bytes()[..], &[version, 0, 0, 0]].concat();
    let size = 1_usize << 20;
    assert_eq!(found(&image(0, b"LUKS\xba\xbe\0\x02")), Some(Kind::Luks));
    let label = [&b"LABELONE"[..], &[0; 16], b"LVM2 001"].concat();
    assert_eq!(found(&image(512, &label)), Some(Kind::Lvm));
    for at in [0, 4096, size - 8192] {
        assert_eq!(found(&image(at, &md(1))), Some(Kind::Raid), "{at}");
    }
    // A mirror of the oldest kind looks like the ext4 that is on it.
    let mut mirror = image(size - 65_536, &md(0));
    mirror[EXT + 0x38..EXT + 0x3a].copy_from_slice(&0xef53_u16.to_le_bytes());
    assert_eq!(found(&mirror), Some(Kind::Raid));
    assert_eq!(found(&vec![0; size]), None);
}

#[test]
fn whatever_the_bytes_are_there_is_an_answer() {
    proptest::proptest!(|(
        head in proptest::collection::vec(proptest::num::u8::ANY, 0..6_000),
        size in 0_u64..10_000,
        mark in 0_usize..4,
    )| {
        let marks: [(usize, &[u8]); 4] = [
            (EXT + 0x38, &[0x53, 0xef]),
            (0, b"XFSB"),
            (0, b"LABELONE"),
            (4096, &[0xfc, 0x4e, 0x2b, 0xa9, 1, 0, 0, 0]),
        ];
        let (at, bytes) = marks[mark];
        let mut head = head;
        if head.len() >= at + bytes.len() {
            head[at..at + bytes.len()].copy_from_slice(bytes);
        }
        let _ = recognise(&head, &head, size);
    });
}
