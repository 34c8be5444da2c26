//! A reader of the store that is not evac: `UNPACK.md` and `unpack.py`, in every store's folder.
//!
//! The only copy of many people's data must not need one program. The script reads packs and
//! manifests by themselves, with Python and zstd alone; the text explains the formats to whoever
//! would rather write a reader of his own.
//!
//! **Invariant.** What stands in the folder is of the evac that wrote there last. Written only
//! where it differs, whole or not at all.

use crate::store::disk::{Disk, DiskError, DiskErrorKind};

const FILES: [(&str, &[u8]); 2] = [
    ("UNPACK.md", include_bytes!("unpack/UNPACK.md")),
    ("unpack.py", include_bytes!("unpack/unpack.py")),
];

/// Writes both files where they are missing or differ. That this fails is no reason to stop: data
/// matters more than what explains it.
pub fn keep_unpacker(disk: &dyn Disk) -> Result<(), DiskError> {
    for (name, bytes) in FILES {
        let there = match disk.read(name, 0, bytes.len() + 1) {
            Err(error) if error.kind == DiskErrorKind::NotFound => None,
            there => Some(there?),
        };
        if there.as_deref() != Some(bytes) {
            disk.put(name, bytes)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Fault, FaultyDisk};

    #[test]
    fn both_files_are_kept_as_they_should_be_and_written_only_then() {
        let disk = FaultyDisk::new();
        keep_unpacker(&disk).unwrap();
        disk.put("unpack.py", b"of an older evac").unwrap();
        disk.arm(None);
        keep_unpacker(&disk).unwrap();
        keep_unpacker(&disk).unwrap();
        assert_eq!(disk.operations(), 5, "two looks each time, and one file differed");
        for (name, bytes) in FILES {
            assert_eq!(disk.read(name, 0, 1 << 20).unwrap(), bytes);
        }
        let full = FaultyDisk::new();
        full.arm(Some(Fault::Full(2)));
        assert_eq!(keep_unpacker(&full).unwrap_err().kind, DiskErrorKind::Full);
    }
}
