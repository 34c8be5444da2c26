//! Finding paths beneath one folder, and never anywhere else.
//!
//! **Invariant.** What is opened lies beneath the folder: no component of a path, the last one
//! included, is followed if it is a symbolic link. The kernel checks that in one call
//! (`openat2` with `RESOLVE_BENEATH`, `RESOLVE_NO_SYMLINKS`, `RESOLVE_NO_MAGICLINKS`, Linux 5.6);
//! where that call is missing or forbidden, each component is opened by itself with `O_NOFOLLOW`.
//! Paths may be longer than `PATH_MAX`: they are resolved in pieces.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

use crate::model::TreePath;

/// Longest piece of a path handed to the kernel at once; `PATH_MAX` is 4,096 with its NUL.
const PIECE_BYTES_MAX: usize = 4_000;
/// `openat2` gives `EAGAIN` when a rename elsewhere made its check uncertain.
const TRIES_MAX: u32 = 16;

/// How a directory on the way is opened: by place only, without a permission to read it.
const ON_THE_WAY: OFlags =
    OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A folder that stands for `/` of a tree.
#[derive(Debug)]
pub struct Beneath {
    folder: OwnedFd,
    each_component: AtomicBool,
}

impl Beneath {
    /// Opens `folder`, whose own path may well hold symbolic links: who names it is trusted.
    pub fn open(folder: &Path) -> Result<Self, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = openat(CWD, folder, flags, Mode::empty())?;
        Ok(Self { folder, each_component: AtomicBool::new(false) })
    }

    /// From now on without `openat2`: for tests, and for systems that hide it.
    pub fn without_openat2(&self) {
        self.each_component.store(true, Ordering::Relaxed);
    }

    /// The folder itself.
    pub fn folder(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }

    /// Opens what stands at `path`. `O_NOFOLLOW` and `O_CLOEXEC` are added to `flags`.
    pub fn open_at(&self, path: &TreePath, flags: OFlags) -> Result<OwnedFd, Errno> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        if path.is_root() {
            return openat(&self.folder, ".", flags - OFlags::NOFOLLOW, Mode::empty());
        }
        let relative = &path.as_bytes()[1..];
        let mut at: Option<OwnedFd> = None;
        for (piece, last) in Pieces(Some(relative)) {
            let from = at.as_ref().map_or(self.folder.as_fd(), AsFd::as_fd);
            let flags = if last { flags } else { ON_THE_WAY };
            at = Some(self.open_piece(from, piece, flags)?);
        }
        at.ok_or(Errno::NOENT)
    }

    /// As [`Self::open_at`], without touching the access time where the system allows that: the
    /// owner and root may ask for it.
    pub fn open_quietly(&self, path: &TreePath, flags: OFlags) -> Result<OwnedFd, Errno> {
        match self.open_at(path, flags | OFlags::NOATIME) {
            Err(Errno::PERM) => self.open_at(path, flags),
            opened => opened,
        }
    }

    fn open_piece(
        &self,
        from: BorrowedFd<'_>,
        piece: &[u8],
        flags: OFlags,
    ) -> Result<OwnedFd, Errno> {
        if !self.each_component.load(Ordering::Relaxed) {
            match open_at_once(from, piece, flags) {
                // EPERM is also what O_NOATIME and seccomp say: the slow way decides.
                Err(Errno::NOSYS) => self.each_component.store(true, Ordering::Relaxed),
                Err(Errno::PERM | Errno::AGAIN) => {}
                done => return done,
            }
        }
        let mut at: Option<OwnedFd> = None;
        let mut names = piece.split(|b| *b == b'/').peekable();
        while let Some(name) = names.next() {
            let here = at.as_ref().map_or(from, AsFd::as_fd);
            let flags = if names.peek().is_none() { flags } else { ON_THE_WAY };
            at = Some(openat(here, OsStr::from_bytes(name), flags, Mode::empty())?);
        }
        at.ok_or(Errno::NOENT)
    }
}

fn open_at_once(from: BorrowedFd<'_>, piece: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let mut result = Err(Errno::AGAIN);
    for _ in 0..TRIES_MAX {
        result = openat2(from, OsStr::from_bytes(piece), flags, Mode::empty(), resolve);
        if !matches!(result, Err(Errno::AGAIN)) {
            break;
        }
    }
    result
}

/// Cuts a relative path at slashes into pieces the kernel takes; tells the last one.
struct Pieces<'a>(Option<&'a [u8]>);

impl<'a> Iterator for Pieces<'a> {
    type Item = (&'a [u8], bool);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.0.take()?;
        if rest.len() <= PIECE_BYTES_MAX {
            return Some((rest, true));
        }
        // A name has at most 255 bytes, so there is a slash.
        let cut = rest[..PIECE_BYTES_MAX].iter().rposition(|b| *b == b'/')?;
        self.0 = Some(&rest[cut + 1..]);
        Some((&rest[..cut], false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn path(text: &str) -> TreePath {
        text.parse().unwrap()
    }

    fn both_ways(check: impl Fn(&Beneath)) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("tree/a/b")).unwrap();
        std::fs::write(dir.path().join("outside"), "secret").unwrap();
        std::fs::write(dir.path().join("tree/a/b/file"), "inside").unwrap();
        symlink("../outside", dir.path().join("tree/out")).unwrap();
        symlink("a", dir.path().join("tree/link")).unwrap();
        let beneath = Beneath::open(&dir.path().join("tree")).unwrap();
        check(&beneath);
        beneath.without_openat2();
        check(&beneath);
    }

    #[test]
    fn links_are_never_followed() {
        both_ways(|tree| {
            assert!(tree.open_at(&path("/a/b/file"), OFlags::RDONLY).is_ok());
            assert!(tree.open_at(&path("/"), OFlags::RDONLY).is_ok());
            assert_eq!(tree.open_at(&path("/out"), OFlags::RDONLY).unwrap_err(), Errno::LOOP);
            assert!(tree.open_at(&path("/link/b/file"), OFlags::RDONLY).is_err());
            assert_eq!(
                tree.open_at(&path("/a/b/file/x"), OFlags::PATH).unwrap_err(),
                Errno::NOTDIR
            );
            assert_eq!(tree.open_at(&path("/none/x"), OFlags::PATH).unwrap_err(), Errno::NOENT);
        });
    }

    #[test]
    fn long_paths_come_in_pieces() {
        let name = "n".repeat(200);
        let long = vec![name.as_str(); 50].join("/");
        let pieces: Vec<_> = Pieces(Some(long.as_bytes())).collect();
        assert!(pieces.iter().all(|(piece, _)| piece.len() <= PIECE_BYTES_MAX));
        let joined: Vec<_> = pieces.iter().map(|(piece, _)| *piece).collect();
        assert_eq!(joined.join(&b'/'), long.as_bytes());
        assert_eq!(pieces.iter().filter(|(_, last)| *last).count(), 1);
    }
}
