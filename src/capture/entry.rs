//! A tree as data: what a manifest, an offer and a restore are made of.
//!
//! A pass is a stream of [`Record`]s in the order of [`TreePath`]. A file is a `Node`, then its
//! `Data` pieces with rising offsets, then `End`; what no piece covers is a hole. A segment may end
//! between two pieces.
//!
//! Encoded with postcard; every length is bounded where bytes come in (see [`Record::check`]).

use serde::{Deserialize, Serialize};

use crate::model::{ChunkId, TreePath};

/// Longest symlink target, as Linux has it.
pub const SYMLINK_BYTES_MAX: usize = 4_095;
/// Longest value of one extended attribute, as Linux has it.
pub const XATTR_VALUE_BYTES_MAX: usize = 65_536;
/// Most extended attributes of one entry; Linux bounds the list of names to 64 KiB.
pub const XATTRS_MAX: usize = 4_096;
/// Longest text about why something was left out.
pub const WHY_BYTES_MAX: usize = 200;
/// Largest chunk anybody may state: FastCDC's maximum, and the size of a block of an image.
pub const CHUNK_BYTES_MAX: u32 = 1 << 20;

/// Seconds and nanoseconds since 1970; seconds may be negative.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct FileTime {
    /// Whole seconds, rounded down.
    pub seconds: i64,
    /// 0 to 999,999,999.
    pub nanoseconds: u32,
}

/// One extended attribute; ACLs and capabilities are such (`system.posix_acl_access`, …).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Xattr {
    /// Full name with its namespace.
    #[serde(with = "serde_bytes")]
    pub name: Vec<u8>,
    /// Raw value.
    #[serde(with = "serde_bytes")]
    pub value: Vec<u8>,
}

/// What every entry has.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Metadata {
    /// Permission bits, setuid, setgid, sticky: `st_mode & 0o7777`.
    pub mode: u32,
    /// Numeric owner.
    pub uid: u32,
    /// Numeric group.
    pub gid: u32,
    /// Last change of the content.
    pub mtime: FileTime,
    /// Last change of the inode; cannot be restored, tells changes.
    pub ctime: FileTime,
    /// Inode number at the source.
    pub ino: u64,
    /// Device number of its file system at the source.
    pub dev: u64,
    /// Number of names this inode has.
    pub nlink: u64,
    /// `FS_*_FL` flags worth restoring (immutable, append-only, nodump, noatime…); 0 where the
    /// file system has none.
    pub flags: u32,
    /// Sorted by name.
    pub xattrs: Vec<Xattr>,
}

/// What kind of thing an entry is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// A regular file; its content follows as `Data` and `End`.
    File {
        /// Size when it was looked at; `End` has the size as read.
        size: u64,
    },
    /// A directory.
    Directory,
    /// A symbolic link and the bytes it points to.
    Symlink {
        /// Uninterpreted.
        #[serde(with = "serde_bytes")]
        target: Vec<u8>,
    },
    /// A named pipe.
    Fifo,
    /// A socket; restored as a name without a listener.
    Socket,
    /// A character device.
    CharacterDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A block device; its content is not read by a file tree.
    BlockDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
}

/// One entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Entry {
    /// Where it stands.
    pub path: TreePath,
    /// What it is.
    pub kind: Kind,
    /// What it carries.
    pub metadata: Metadata,
}

/// How the content of a file was had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Content {
    /// It was the same before and after reading.
    Steady,
    /// It changed while it was read: `fuzzy`.
    Changed,
    /// It could not be read to its end.
    Cut,
}

/// One step of a pass.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Record {
    /// An entry. A file's content follows.
    Node(Entry),
    /// A further name of a file that stands earlier in this capture.
    HardLink {
        /// The new name; its metadata is that of `of`.
        entry: Entry,
        /// The first name.
        of: TreePath,
    },
    /// A piece of the file of the latest `Node`.
    Data {
        /// Where in the file.
        offset: u64,
        /// How long; 1 to [`CHUNK_BYTES_MAX`].
        length: u32,
        /// What.
        id: ChunkId,
    },
    /// A piece of that file which nobody has: found out too late. The sweep reads the file again.
    Lost {
        /// Where in the file.
        offset: u64,
        /// How long.
        length: u32,
    },
    /// The file of the latest `Node` is complete.
    End {
        /// Its size as read; what no piece covers up to here is a hole.
        size: u64,
        /// How it was had.
        content: Content,
    },
    /// A name that stood in an earlier run is gone.
    Gone {
        /// Which.
        path: TreePath,
    },
    /// Something was left out: unreadable, another file system, excluded kind. Listed, counted.
    LeftOut {
        /// Which.
        path: TreePath,
        /// Why, bounded.
        why: String,
    },
}

impl Record {
    /// An omission; the reason is cut to its bound.
    pub fn left_out(path: TreePath, why: &str) -> Self {
        let end = why.floor_char_boundary(WHY_BYTES_MAX);
        Self::LeftOut { path, why: why[..end].to_owned() }
    }

    /// The path this record is about; pieces belong to the latest node.
    pub fn path(&self) -> Option<&TreePath> {
        match self {
            Self::Node(entry) | Self::HardLink { entry, .. } => Some(&entry.path),
            Self::Gone { path } | Self::LeftOut { path, .. } => Some(path),
            Self::Data { .. } | Self::Lost { .. } | Self::End { .. } => None,
        }
    }

    /// Are all lengths and counts within their bounds? Says which is not.
    pub fn check(&self) -> Result<(), &'static str> {
        match self {
            Self::Node(entry) => entry.check(),
            Self::HardLink { entry, of } => {
                entry.check()?;
                if *of == entry.path { Err("a hard link to itself") } else { Ok(()) }
            }
            Self::Data { offset, length, .. } | Self::Lost { offset, length } => {
                if *length == 0 || *length > CHUNK_BYTES_MAX {
                    return Err("a piece of impossible length");
                }
                offset.checked_add(u64::from(*length)).map(|_| ()).ok_or("a piece beyond any file")
            }
            Self::LeftOut { why, .. } if why.len() > WHY_BYTES_MAX => Err("a reason too long"),
            Self::LeftOut { .. } | Self::Gone { .. } | Self::End { .. } => Ok(()),
        }
    }
}

impl Entry {
    fn check(&self) -> Result<(), &'static str> {
        if let Kind::Symlink { target } = &self.kind
            && (target.is_empty() || target.len() > SYMLINK_BYTES_MAX || target.contains(&0))
        {
            return Err("an impossible symlink target");
        }
        if self.metadata.mode > 0o7777 {
            return Err("impossible permission bits");
        }
        if self.metadata.mtime.nanoseconds > 999_999_999
            || self.metadata.ctime.nanoseconds > 999_999_999
        {
            return Err("impossible nanoseconds");
        }
        if self.metadata.xattrs.len() > XATTRS_MAX {
            return Err("too many extended attributes");
        }
        let bad = |x: &Xattr| {
            x.name.is_empty()
                || x.name.len() > crate::model::path::NAME_BYTES_MAX
                || x.name.contains(&0)
                || x.value.len() > XATTR_VALUE_BYTES_MAX
        };
        if self.metadata.xattrs.iter().any(bad) {
            return Err("an impossible extended attribute");
        }
        Ok(())
    }

    /// What tells a later look whether this entry is still the same.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self)
    }
}

/// A short hash over everything a stat shows: kind, mode, owner, size, times, inode, device.
///
/// 64 bits of BLAKE3. It only decides whether a sweep looks again; it names no content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fingerprint(pub u64);

impl Fingerprint {
    /// Matches nothing that [`Self::of`] returns: forces a new look.
    pub const NEVER: Self = Self(0);

    /// Over the parts of `entry` that one `statx` shows. The content of symlinks and xattrs need
    /// not be in it: to change them is to change ctime.
    pub fn of(entry: &Entry) -> Self {
        let meta = &entry.metadata;
        let (kind, size): (u8, u64) = match &entry.kind {
            Kind::File { size } => (0, *size),
            Kind::Directory => (1, 0),
            Kind::Symlink { target } => (2, target.len() as u64),
            Kind::Fifo => (3, 0),
            Kind::Socket => (4, 0),
            Kind::CharacterDevice { major, minor } => (5, device(*major, *minor)),
            Kind::BlockDevice { major, minor } => (6, device(*major, *minor)),
        };
        // Made once for every entry of a sweep, at both ends: one hash over one buffer.
        let mut bytes = [0_u8; 81];
        let mut at = 0;
        let mut put = |field: &[u8]| {
            bytes[at..at + field.len()].copy_from_slice(field);
            at += field.len();
        };
        put(&[kind]);
        for number in [size, u64::from(meta.mode), u64::from(meta.uid), u64::from(meta.gid)] {
            put(&number.to_le_bytes());
        }
        for time in [meta.mtime, meta.ctime] {
            put(&time.seconds.to_le_bytes());
            put(&time.nanoseconds.to_le_bytes());
        }
        for number in [meta.ino, meta.dev, meta.nlink] {
            put(&number.to_le_bytes());
        }
        let mut first = [0_u8; 8];
        first.copy_from_slice(&blake3::hash(&bytes).as_bytes()[..8]);
        Self(u64::from_le_bytes(first).max(1))
    }
}

fn device(major: u32, minor: u32) -> u64 {
    u64::from(major) << 32 | u64::from(minor)
}

/// Where a pass can go on: everything before `path` is done, and of the file at `path` everything
/// before `offset`, provided its fingerprint is still the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The latest path with a record.
    pub path: TreePath,
    /// `None`: that entry is complete. Otherwise the offset where its next piece begins.
    pub within: Option<(u64, Fingerprint)>,
}
