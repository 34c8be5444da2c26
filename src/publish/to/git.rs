//! The page in a git repository, for hosts that serve one: committed and pushed by the system's
//! `git`, with whatever credentials that has.

use std::path::PathBuf;

use super::files::page_only;
use super::{Call, Destination, Does, Job};

/// A working copy of its own; its folder `public` is the page.
pub struct Git {
    pub folder: PathBuf,
    pub remote: String,
    pub branch: String,
}

impl Destination for Git {
    fn does(&self) -> Does {
        page_only()
    }

    fn call(&self, _job: &Job<'_>) -> Result<Call, String> {
        Ok(Call::Git {
            folder: self.folder.clone(),
            remote: self.remote.clone(),
            branch: self.branch.clone(),
        })
    }
}
