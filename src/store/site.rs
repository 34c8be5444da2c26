//! `site`: to which site the store belongs, where a lost ledger finds it again.
//!
//! Agents live in folders named by site and host, so a rebuilt ledger must keep the id, or what
//! runs on the sources would not be known as evac's own any more.
//!
//! # Layout, version 1
//!
//! As `head` of a manifest (see [`manifest`]), with magic `EVACSITE`; the body is the [`SiteId`].
//!
//! **Invariant.** Written before the first pack; never changed while there is one.

use crate::model::SiteId;
use crate::store::disk::Disk;
use crate::store::manifest::{self, ManifestError};

const FILE: &str = "site";
const MAGIC: [u8; 8] = *b"EVACSITE";

/// To which site the store on `disk` belongs, if it was ever said.
pub fn read_site(disk: &dyn Disk) -> Result<Option<SiteId>, ManifestError> {
    manifest::optional(manifest::read(disk, FILE, MAGIC))
}

/// Says to which site the store belongs; durable when it returns.
pub fn put_site(disk: &dyn Disk, site: SiteId) -> Result<(), ManifestError> {
    Ok(disk.put(FILE, &manifest::encode(FILE, MAGIC, &site)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryDisk;

    #[test]
    fn the_site_is_found_again_and_damage_is_not_taken_for_another() {
        let disk = MemoryDisk::default();
        assert_eq!(read_site(&disk).unwrap(), None);
        put_site(&disk, SiteId([7; 8])).unwrap();
        assert_eq!(read_site(&disk).unwrap(), Some(SiteId([7; 8])));
        let good = disk.read(FILE, 0, 1_000).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            disk.put(FILE, &bad).unwrap();
            assert!(matches!(read_site(&disk), Err(ManifestError::Damaged { .. })), "{at}");
        }
    }
}
