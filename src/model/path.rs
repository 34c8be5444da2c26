//! Paths inside a captured tree: bytes, absolute, clean, and in one total order.
//!
//! **Invariant.** A [`TreePath`] begins with `/`, has no empty, `.` or `..` component, no NUL, and
//! no trailing slash unless it is `/` itself. It can only be made by checking.
//!
//! **Order.** Depth first, names bytewise: a directory stands before what it contains, and its
//! whole content before its next sibling. That is the order of the component lists, or of the
//! bytes with `/` taken as smaller than any byte a name can have.

use std::cmp::Ordering;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Longest path anybody may state, in bytes. Trees do hold paths beyond `PATH_MAX`.
pub const PATH_BYTES_MAX: usize = 65_535;
/// Longest single name, as Linux has it.
pub const NAME_BYTES_MAX: usize = 255;

/// An absolute path on a source host, any bytes but NUL.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "serde_bytes::ByteBuf", into = "serde_bytes::ByteBuf")]
pub struct TreePath(Box<[u8]>);

/// Why bytes are not a [`TreePath`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` is not a usable path: {why}")]
pub struct InvalidPath {
    /// The offending path, made printable and bounded.
    pub path: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl TreePath {
    /// `/`.
    pub fn root() -> Self {
        Self(Box::from(&b"/"[..]))
    }

    /// Checks `bytes` against the invariant.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, InvalidPath> {
        let bytes = bytes.into();
        match Self::fault(&bytes) {
            None => Ok(Self(bytes.into_boxed_slice())),
            Some(why) => Err(InvalidPath {
                path: crate::model::text::bounded(&crate::model::text::printable(&bytes), 200),
                why,
            }),
        }
    }

    fn fault(bytes: &[u8]) -> Option<&'static str> {
        if bytes == b"/" {
            return None;
        }
        let Some((b'/', rest)) = bytes.split_first() else {
            return Some("it is not absolute");
        };
        if bytes.len() > PATH_BYTES_MAX {
            return Some("it is too long");
        }
        rest.split(|b| *b == b'/').find_map(Self::name_fault)
    }

    fn name_fault(name: &[u8]) -> Option<&'static str> {
        match name {
            b"" => Some("it has an empty component"),
            b"." | b".." => Some("it has a `.` or `..` component"),
            name if name.len() > NAME_BYTES_MAX => Some("one of its names is too long"),
            name if name.contains(&0) => Some("it contains NUL"),
            _ => None,
        }
    }

    /// The raw bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As the system takes it.
    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }

    /// Is it `/`?
    pub fn is_root(&self) -> bool {
        *self.0 == *b"/"
    }

    /// The names from the top down; none for `/`.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0[1..].split(|b| *b == b'/').filter(|name| !name.is_empty())
    }

    /// The last name; `None` for `/`.
    pub fn name(&self) -> Option<&[u8]> {
        self.components().next_back()
    }

    /// The directory that holds this; `None` for `/`.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        let cut = self.0.iter().rposition(|b| *b == b'/')?;
        Some(if cut == 0 { Self::root() } else { Self(Box::from(&self.0[..cut])) })
    }

    /// This path with one more name.
    pub fn join(&self, name: &[u8]) -> Result<Self, InvalidPath> {
        if name.contains(&b'/') {
            return Err(InvalidPath {
                path: crate::model::text::bounded(&crate::model::text::printable(name), 200),
                why: "a name contains a slash",
            });
        }
        let mut bytes = Vec::with_capacity(self.0.len() + 1 + name.len());
        if !self.is_root() {
            bytes.extend_from_slice(&self.0);
        }
        bytes.push(b'/');
        bytes.extend_from_slice(name);
        Self::new(bytes)
    }

    /// Is `self` equal to `other` or inside it?
    pub fn is_within(&self, other: &Self) -> bool {
        other.is_root()
            || self
                .0
                .strip_prefix(&*other.0)
                .is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
    }
}

impl Ord for TreePath {
    fn cmp(&self, other: &Self) -> Ordering {
        let rank = |b: &u8| if *b == b'/' { 0 } else { *b };
        if self.is_root() || other.is_root() {
            return self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(&other.0));
        }
        self.0.iter().map(rank).cmp(other.0.iter().map(rank))
    }
}

impl PartialOrd for TreePath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&crate::model::text::printable(&self.0))
    }
}

impl fmt::Debug for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TreePath({self})")
    }
}

impl TryFrom<serde_bytes::ByteBuf> for TreePath {
    type Error = InvalidPath;
    fn try_from(bytes: serde_bytes::ByteBuf) -> Result<Self, InvalidPath> {
        Self::new(bytes.into_vec())
    }
}

impl From<TreePath> for serde_bytes::ByteBuf {
    fn from(path: TreePath) -> Self {
        Self::from(path.0.into_vec())
    }
}

impl std::str::FromStr for TreePath {
    type Err = InvalidPath;
    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        Self::new(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> TreePath {
        TreePath::new(text.as_bytes()).unwrap()
    }

    #[test]
    fn hostile_paths_are_refused() {
        for bad in ["", "a", "/a/", "//", "/a//b", "/..", "/a/../b", "/./a", "/a\0b"] {
            assert!(TreePath::new(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(TreePath::new([b"/".to_vec(), vec![b'a'; 256]].concat()).is_err());
        assert!(TreePath::new(vec![b'/'; PATH_BYTES_MAX + 1]).is_err());
        assert!(path("/a").join(b"x/y").is_err());
        assert!(path("/a").join(b"..").is_err());
    }

    #[test]
    fn order_is_depth_first() {
        let mut paths: Vec<_> = ["/a.b", "/a/z", "/", "/b", "/a", "/a/b/c", "/a-"].map(path).into();
        paths.sort();
        let text: Vec<_> = paths.iter().map(ToString::to_string).collect();
        assert_eq!(text, ["/", "/a", "/a/b/c", "/a/z", "/a-", "/a.b", "/b"]);
    }

    #[test]
    fn family() {
        assert_eq!(path("/a/b").parent(), Some(path("/a")));
        assert_eq!(path("/a").parent(), Some(path("/")));
        assert_eq!(path("/").parent(), None);
        assert_eq!(path("/").join(b"a").unwrap(), path("/a"));
        assert!(path("/a/b").is_within(&path("/a")));
        assert!(!path("/ab").is_within(&path("/a")));
        assert!(path("/a").is_within(&path("/")));
    }
}
