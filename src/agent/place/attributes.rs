//! Putting attributes on what was just made, in the order that keeps them all.
//!
//! **Invariants.** Attributes go to an open descriptor, never to a name that might have become a
//! link. What a directory's default ACL made an entry inherit is taken away again.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::PathBuf;

use rustix::fs::{self, AtFlags, CWD, Gid, IFlags, Mode, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

use super::problems::{Class, Problems};
use crate::capture::metadata::{Carrier, FLAGS_KEPT, is_acl_of_xfs, why};
use crate::capture::{Metadata, Xattr};
use crate::model::TreePath;
use crate::model::text::printable;

const ACL: &[u8] = b"system.posix_acl_";
/// What btrfs makes of them: compression, which new files inherit.
const PROPERTIES: &[u8] = b"btrfs.";
/// Namespaces that are ours to remove from; `security.` is the system's.
const OURS: [&[u8]; 4] = [b"user.", b"trusted.", ACL, PROPERTIES];

/// An ACL is bound to the mode, and what stands in the directory would inherit it, as it would the
/// properties of btrfs: these wait until a directory is left.
pub(super) fn is_late(xattr: &Xattr) -> bool {
    xattr.name.starts_with(ACL) || xattr.name.starts_with(PROPERTIES)
}

/// What attributes are put on.
#[derive(Clone, Copy)]
pub(super) enum Handle<'a> {
    /// A file or directory open for reading or writing.
    Open(BorrowedFd<'a>),
    /// Anything else, opened by place only.
    Place(BorrowedFd<'a>),
}

impl<'a> Handle<'a> {
    fn fd(self) -> BorrowedFd<'a> {
        match self {
            Self::Open(fd) | Self::Place(fd) => fd,
        }
    }

    /// Leads to the very thing that is open: a magic link is no path.
    fn proc_path(self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.fd().as_raw_fd()))
    }

    pub(super) fn set_mode(self, mode: u32) -> Result<(), Errno> {
        let mode = Mode::from_raw_mode(mode);
        match self {
            Self::Open(fd) => fs::fchmod(fd, mode),
            Self::Place(_) => fs::chmodat(CWD, self.proc_path(), mode, AtFlags::empty()),
        }
    }

    fn set_xattr(self, xattr: &Xattr) -> Result<(), Errno> {
        let name = xattr.name.as_slice();
        match self {
            Self::Open(fd) => fs::fsetxattr(fd, name, &xattr.value, XattrFlags::empty()),
            Self::Place(_) => {
                fs::setxattr(self.proc_path(), name, &xattr.value, XattrFlags::empty())
            }
        }
    }

    fn remove_xattr(self, name: &[u8]) -> Result<(), Errno> {
        match self {
            Self::Open(fd) => fs::fremovexattr(fd, name),
            Self::Place(_) => fs::removexattr(self.proc_path(), name),
        }
    }

    fn xattr_names(self) -> Vec<Vec<u8>> {
        let names = match self {
            Self::Open(fd) => Carrier::Open(fd).names(),
            // A magic link is no last component to be followed or not: it jumps.
            Self::Place(_) => Carrier::Followed(&self.proc_path()).names(),
        };
        names.unwrap_or_default()
    }
}

/// Puts attributes on one entry and lists what fails.
pub(super) struct Dresser<'a> {
    pub handle: Handle<'a>,
    pub path: &'a TreePath,
    pub problems: &'a mut Problems,
}

impl Dresser<'_> {
    fn fail(&mut self, what: &str, error: Errno) {
        self.problems.list(self.path, &format!("{what}: {}", why(error)));
    }

    /// Whether the owner is now the right one.
    pub fn owner(&mut self, metadata: &Metadata) -> bool {
        match self.set_owner(metadata) {
            Ok(is_whole) => is_whole,
            Err(error @ (Errno::PERM | Errno::INVAL | Errno::OPNOTSUPP)) => {
                let what = format!("owner {}:{}: {}", metadata.uid, metadata.gid, why(error));
                self.problems.list_once(Class::Owner, self.path, &what);
                false
            }
            Err(error) => {
                self.fail("owner", error);
                false
            }
        }
    }

    /// The same; that we may not is no problem.
    pub fn owner_if_we_may(&mut self, metadata: &Metadata) -> bool {
        match self.set_owner(metadata) {
            Err(Errno::PERM | Errno::INVAL) => false,
            _ => self.owner(metadata),
        }
    }

    /// Says whether user and group are both known.
    fn set_owner(&self, metadata: &Metadata) -> Result<bool, Errno> {
        let owner = (metadata.uid != u32::MAX).then(|| Uid::from_raw(metadata.uid));
        let group = (metadata.gid != u32::MAX).then(|| Gid::from_raw(metadata.gid));
        fs::chownat(self.handle.fd(), "", owner, group, AtFlags::EMPTY_PATH)?;
        Ok(owner.is_some() && group.is_some())
    }

    /// Without set-user-id and set-group-id if the owner is another.
    pub fn mode(&mut self, metadata: &Metadata, owned: bool) {
        let mode = if owned { metadata.mode } else { metadata.mode & !0o6000 };
        if let Err(error) = self.handle.set_mode(mode) {
            self.fail("mode", error);
        }
    }

    pub fn xattrs<'x>(&mut self, xattrs: impl Iterator<Item = &'x Xattr>) {
        for xattr in xattrs.filter(|xattr| !is_acl_of_xfs(&xattr.name)) {
            if let Err(error) = self.handle.set_xattr(xattr) {
                let what = format!("attribute {}: {}", printable(&xattr.name), why(error));
                match error {
                    Errno::OPNOTSUPP | Errno::PERM | Errno::ACCESS => {
                        self.problems.list_once(Class::Xattr, self.path, &what);
                    }
                    _ => self.problems.list(self.path, &what),
                }
            }
        }
    }

    /// Removes what `wanted` does not name: inherited ACLs, attributes of what stood there.
    pub fn strip(&mut self, wanted: impl Fn(&[u8]) -> bool) {
        for name in self.handle.xattr_names() {
            let ours = OURS.iter().any(|prefix| name.starts_with(prefix));
            if !ours || wanted(&name) {
                continue;
            }
            match self.handle.remove_xattr(&name) {
                // XFS lists an ACL twice, and both go at once.
                Ok(()) | Err(Errno::NODATA) => {}
                Err(error) => self.fail("attribute that does not belong", error),
            }
        }
    }

    /// The modification time of an open file or directory.
    pub fn times(&mut self, metadata: &Metadata) {
        let done = fs::futimens(self.handle.fd(), &timestamps(metadata));
        if let Err(error) = done {
            self.fail("times", error);
        }
    }

    /// Exactly these of the flags that are kept.
    pub fn flags(&mut self, wanted: u32) {
        let wanted = IFlags::from_bits_retain(wanted) & FLAGS_KEPT;
        let Err(error) = set_flags(self.handle.fd(), wanted) else { return };
        if !wanted.is_empty() {
            let what = format!("inode flags: {}", why(error));
            self.problems.list_once(Class::Flags, self.path, &what);
        }
    }
}

/// Sets `wanted` of the flags that are kept and leaves all others alone.
pub(super) fn set_flags(open: impl AsFd, wanted: IFlags) -> Result<(), Errno> {
    let now = fs::ioctl_getflags(&open)?;
    if now & FLAGS_KEPT == wanted {
        return Ok(());
    }
    fs::ioctl_setflags(&open, (now - FLAGS_KEPT) | wanted)
}

/// The access time stays what it is.
pub(super) fn timestamps(metadata: &Metadata) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: fs::UTIME_OMIT },
        last_modification: Timespec {
            tv_sec: metadata.mtime.seconds,
            tv_nsec: i64::from(metadata.mtime.nanoseconds),
        },
    }
}
