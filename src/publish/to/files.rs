//! The page in a folder of this machine: a mounted share, what a web server or a sync job reads.

use std::path::PathBuf;

use super::{Call, Destination, Does, Job};

/// The folder.
pub struct Folder {
    pub folder: PathBuf,
}

/// What places that take only the page can be told.
pub(super) fn page_only() -> Does {
    Does { page: true, ..Does::NOTHING }
}

impl Destination for Folder {
    fn does(&self) -> Does {
        page_only()
    }

    fn call(&self, _job: &Job<'_>) -> Result<Call, String> {
        Ok(Call::PutPage { folder: self.folder.clone() })
    }
}
