//! One entry, looked at on its own: what a sweep does with what changed.

use std::os::fd::AsFd;

use rustix::fs::{OFlags, fstat};
use rustix::io::Errno;

use super::{Beneath, Entry, metadata};
use crate::model::TreePath;

/// The entry at `path` as it is now, with all its attributes.
pub fn look_at(tree: &Beneath, path: &TreePath) -> Result<Entry, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let looked = if let (Some(parent), Some(name)) = (path.parent(), path.name()) {
        let parent = tree.open_at(&parent, flags)?;
        let stat = metadata::stat(parent.as_fd(), name)?;
        metadata::look(parent.as_fd(), name, &stat)?
    } else {
        let stat = fstat(tree.folder())?;
        metadata::look_at_directory(tree.folder(), &stat)
    };
    Ok(Entry { path: path.clone(), kind: looked.kind, metadata: looked.metadata })
}
