//! All metadata of one entry, by the name in its open directory.
//!
//! Extended attributes of every namespace are read, on links and special files too, and on files
//! that may not be opened: through `/proc/self/fd/DIRECTORY/NAME`, which needs no permission to
//! open the entry and follows no link at its end. Without `/proc` only those of files and
//! directories are had.
//!
//! Inode flags come from an ioctl that needs an open file; only regular files and directories
//! are opened for it. [`FLAGS_KEPT`] are those worth restoring: what the file system says about
//! itself (extents, inline data, encryption, checksums) is not ours to set.
//!
//! **Invariant.** A fault of one attribute is contained: it is told, the rest is still had.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, FileType, IFlags, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::entry::{
    FileTime, Kind, Metadata, SYMLINK_BYTES_MAX, XATTR_VALUE_BYTES_MAX, XATTRS_MAX, Xattr,
};
use crate::model::text::{bounded, printable};

/// Inode flags that are captured and restored.
pub const FLAGS_KEPT: IFlags = IFlags::IMMUTABLE
    .union(IFlags::APPEND)
    .union(IFlags::NODUMP)
    .union(IFlags::NOATIME)
    .union(IFlags::COMPRESSED)
    .union(IFlags::NOCOW)
    .union(IFlags::SYNC)
    .union(IFlags::DIRSYNC);

/// Longest text about faults of one entry.
const FAULTS_BYTES_MAX: usize = 200;
/// Linux bounds the list of names of one entry to 64 KiB.
const NAMES_BYTES_MAX: usize = 65_536;

/// Kind, metadata, and what could not be read.
#[derive(Debug)]
pub struct Looked {
    /// What it is.
    pub kind: Kind,
    /// What it carries.
    pub metadata: Metadata,
    /// Attributes that could not be read, bounded; empty as a rule.
    pub faults: String,
    /// A regular file, as it was opened for its flags, if that leaves its access time alone.
    pub open: Option<OwnedFd>,
}

/// `stat` of `name` in `directory`; follows no link, triggers no automount.
pub fn stat(directory: BorrowedFd<'_>, name: &[u8]) -> Result<Stat, Errno> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    fs::statat(directory, OsStr::from_bytes(name), flags)
}

/// What one `stat` shows; xattrs and flags are left empty.
pub fn from_stat(stat: &Stat) -> Metadata {
    Metadata {
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        mtime: FileTime { seconds: stat.st_mtime, nanoseconds: stat.st_mtime_nsec as u32 },
        ctime: FileTime { seconds: stat.st_ctime, nanoseconds: stat.st_ctime_nsec as u32 },
        ino: stat.st_ino,
        dev: stat.st_dev,
        nlink: widened(stat.st_nlink),
        flags: 0,
        xattrs: Vec::new(),
    }
}

/// The width of `st_nlink` differs between architectures.
fn widened(number: impl Into<u64>) -> u64 {
    number.into()
}

/// What kind of thing `stat` shows; a link's target is read from `name` in `directory`.
pub fn kind(directory: BorrowedFd<'_>, name: &[u8], stat: &Stat) -> Result<Kind, Errno> {
    let (major, minor) = (fs::major(stat.st_rdev), fs::minor(stat.st_rdev));
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File { size: stat.st_size as u64 },
        FileType::Directory => Kind::Directory,
        FileType::Symlink => {
            let target = fs::readlinkat(directory, OsStr::from_bytes(name), Vec::new())?;
            let target = target.into_bytes();
            if target.is_empty() || target.len() > SYMLINK_BYTES_MAX {
                return Err(Errno::NAMETOOLONG);
            }
            Kind::Symlink { target }
        }
        FileType::Fifo => Kind::Fifo,
        FileType::Socket => Kind::Socket,
        FileType::CharacterDevice => Kind::CharacterDevice { major, minor },
        FileType::BlockDevice => Kind::BlockDevice { major, minor },
        FileType::Unknown => return Err(Errno::INVAL),
    })
}

/// Everything about `name` in `directory`, which `stat` has shown already.
pub fn look(directory: BorrowedFd<'_>, name: &[u8], stat: &Stat) -> Result<Looked, Errno> {
    let kind = kind(directory, name, stat)?;
    let mut metadata = from_stat(stat);
    let mut faults = String::new();
    let open = match kind {
        Kind::File { .. } => {
            let opened = open_or_touch(directory, name, OFlags::NONBLOCK | OFlags::NOCTTY);
            opened.map_err(|error| note(&mut faults, "inode flags", error)).ok()
        }
        _ => None,
    };
    let xattrs = match &open {
        // The way through `/proc` costs as much as opening did.
        Some((file, _)) => {
            metadata.flags = read_flags(file.as_fd());
            read_xattrs(&Carrier::Open(file.as_fd()), &mut faults)
        }
        None => read_xattrs(&Carrier::Path(&proc_path(directory, name)), &mut faults),
    };
    match xattrs {
        Ok(xattrs) => metadata.xattrs = xattrs,
        Err(error) => note(&mut faults, "attributes", error),
    }
    let open = open.and_then(|(file, is_quiet)| is_quiet.then_some(file));
    Ok(Looked { kind, metadata, faults, open })
}

/// Everything about an open directory.
pub fn look_at_directory(directory: BorrowedFd<'_>, stat: &Stat) -> Looked {
    let mut faults = String::new();
    let mut metadata = from_stat(stat);
    match read_xattrs(&Carrier::Open(directory), &mut faults) {
        Ok(xattrs) => metadata.xattrs = xattrs,
        Err(error) => note(&mut faults, "attributes", error),
    }
    metadata.flags = read_flags(directory);
    Looked { kind: Kind::Directory, metadata, faults, open: None }
}

/// Opens for reading without touching the access time where the system allows that: the owner
/// and root may ask for it.
pub fn open_quietly(
    directory: BorrowedFd<'_>,
    name: &[u8],
    flags: OFlags,
) -> Result<OwnedFd, Errno> {
    open_or_touch(directory, name, flags).map(|(open, _)| open)
}

/// The same; tells whether the access time is left alone.
fn open_or_touch(
    directory: BorrowedFd<'_>,
    name: &[u8],
    flags: OFlags,
) -> Result<(OwnedFd, bool), Errno> {
    let flags = flags | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let name = OsStr::from_bytes(name);
    match fs::openat(directory, name, flags | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => {
            fs::openat(directory, name, flags, Mode::empty()).map(|open| (open, false))
        }
        opened => opened.map(|open| (open, true)),
    }
}

/// A name that leads to the entry itself however deep it lies; no link is followed at its end.
pub fn proc_path(directory: BorrowedFd<'_>, name: &[u8]) -> PathBuf {
    let mut path = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()));
    path.push(OsStr::from_bytes(name));
    path
}

fn read_flags(open: BorrowedFd<'_>) -> u32 {
    // A file system without flags says ENOTTY or EOPNOTSUPP: it has none.
    fs::ioctl_getflags(open).map_or(0, |flags| (flags & FLAGS_KEPT).bits())
}

/// What carries extended attributes.
pub enum Carrier<'a> {
    /// An open file or directory.
    Open(BorrowedFd<'a>),
    /// A path whose last component is not followed.
    Path(&'a Path),
    /// A path that leads to it, `/proc/self/fd/N` of a descriptor opened by place.
    Followed(&'a Path),
}

impl Carrier<'_> {
    fn list(&self, names: &mut [u8]) -> Result<usize, Errno> {
        match self {
            Self::Open(fd) => fs::flistxattr(fd, names),
            Self::Path(path) => fs::llistxattr(*path, names),
            Self::Followed(path) => fs::listxattr(*path, names),
        }
    }

    fn get(&self, name: &[u8], value: &mut [u8]) -> Result<usize, Errno> {
        let name = OsStr::from_bytes(name);
        match self {
            Self::Open(fd) => fs::fgetxattr(fd, name, value),
            Self::Path(path) => fs::lgetxattr(*path, name, value),
            Self::Followed(path) => fs::getxattr(*path, name, value),
        }
    }

    /// The names of all attributes; a file system without any has none.
    pub fn names(&self) -> Result<Vec<Vec<u8>>, Errno> {
        let mut small = [0_u8; 256];
        let names = match self.list(&mut small) {
            Ok(length) => small[..length].to_vec(),
            Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
            Err(Errno::RANGE) => {
                let mut large = vec![0_u8; NAMES_BYTES_MAX];
                let length = self.list(&mut large)?;
                large.truncate(length);
                large
            }
            Err(error) => return Err(error),
        };
        Ok(names.split(|b| *b == 0).filter(|n| !n.is_empty()).map(<[u8]>::to_vec).collect())
    }

    /// The value of one attribute.
    pub fn value(&self, name: &[u8]) -> Result<Vec<u8>, Errno> {
        let mut small = [0_u8; 512];
        match self.get(name, &mut small) {
            Ok(length) => Ok(small[..length].to_vec()),
            Err(Errno::RANGE) => {
                let mut large = vec![0_u8; XATTR_VALUE_BYTES_MAX];
                let length = self.get(name, &mut large)?;
                large.truncate(length);
                Ok(large)
            }
            Err(error) => Err(error),
        }
    }
}

/// XFS shows each ACL to root once more, in its own encoding. It is no attribute of its own: on
/// another file system it would mean nothing, and on XFS replace the ACL that was just set.
pub fn is_acl_of_xfs(name: &[u8]) -> bool {
    matches!(name, b"trusted.SGI_ACL_FILE" | b"trusted.SGI_ACL_DEFAULT")
}

/// All attributes, sorted by name.
fn read_xattrs(carrier: &Carrier<'_>, faults: &mut String) -> Result<Vec<Xattr>, Errno> {
    let mut names = carrier.names()?;
    names.retain(|name| !is_acl_of_xfs(name));
    names.sort_unstable();
    names.truncate(XATTRS_MAX);
    let mut xattrs = Vec::with_capacity(names.len());
    for name in names {
        match carrier.value(&name) {
            Ok(value) => xattrs.push(Xattr { name, value }),
            // It vanished between list and read, or is told only by name.
            Err(Errno::NODATA | Errno::OPNOTSUPP) => {}
            Err(error) => note(faults, &printable(&name), error),
        }
    }
    Ok(xattrs)
}

fn note(faults: &mut String, what: &str, error: Errno) {
    if faults.len() >= FAULTS_BYTES_MAX {
        return;
    }
    let gap = if faults.is_empty() { "" } else { "; " };
    let _ = write!(faults, "{gap}{what}: {}", why(error));
    *faults = cut(faults);
}

fn cut(text: &str) -> String {
    let end = text.floor_char_boundary(FAULTS_BYTES_MAX);
    text[..end].to_owned()
}

/// Does `error` speak of a disk or file system that fails, rather than of one entry?
pub fn is_failing(error: Errno) -> bool {
    matches!(
        error,
        Errno::IO
            | Errno::UCLEAN
            | Errno::BADMSG
            | Errno::NXIO
            | Errno::NODEV
            | Errno::STALE
            | Errno::NOTCONN
            | Errno::REMOTEIO
    )
}

/// What the system says about `error`, as text for people.
pub fn why(error: Errno) -> String {
    let text = std::io::Error::from(error).to_string();
    let plain = text.split(" (os error").next().unwrap_or_default();
    bounded(&plain.to_lowercase(), 120)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acl_in_the_encoding_of_xfs_is_no_attribute_of_its_own() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: only root sees trusted attributes");
            return;
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        for name in ["trusted.SGI_ACL_FILE", "trusted.kept"] {
            fs::fsetxattr(file.as_file(), name, b"x", fs::XattrFlags::empty()).unwrap();
        }
        let found = read_xattrs(&Carrier::Open(file.as_file().as_fd()), &mut String::new());
        let names: Vec<_> = found.unwrap().into_iter().map(|xattr| xattr.name).collect();
        assert_eq!(names, [b"trusted.kept".to_vec()]);
    }
}
