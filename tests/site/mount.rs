//! File systems that a test mounts; only root may.

use std::path::Path;
use std::process::Command;

use super::Outcome;

/// A mount that is gone when dropped.
pub struct Mount<'a>(&'a Path);

impl<'a> Mount<'a> {
    /// `mount ARGUMENTS AT`.
    pub fn new(at: &'a Path, arguments: &[&str]) -> Self {
        Outcome::of(Command::new("mount").args(arguments).arg(at)).exits(0);
        Self(at)
    }

    /// Mounts it again with other options.
    pub fn again(&self, options: &str) {
        Outcome::of(Command::new("mount").args(["-o", options]).arg(self.0)).exits(0);
    }
}

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        // A test that failed has said so already.
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}
