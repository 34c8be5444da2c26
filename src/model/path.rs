//! Paths inside a captured tree: bytes, absolute, clean, and in one total order.
//!
//! **Invariant.** A [`TreePath`] begins with `/`, has no empty, `.` or `..` component, no NUL, and
//! no trailing slash unless it is `/` itself. It can only be made by checking.
//!
//! **Order.** Depth first, names bytewise: a directory stands before what it contains, and its
//! whole content before its next sibling. That is the order of the component lists, or of the
//! bytes with `/` taken as smaller than any byte a name can have.
//!
//! A copy shares its bytes with the original: runs, merges and sweeps hand each path on many times.

use std::cmp::Ordering;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest path anybody may state, in bytes. Trees do hold paths beyond `PATH_MAX`.
pub const PATH_BYTES_MAX: usize = 65_535;
/// Longest single name, as Linux has it.
pub const NAME_BYTES_MAX: usize = 255;

/// An absolute path on a source host, any bytes but NUL.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TreePath(Arc<[u8]>);

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
        Self(Arc::from(&b"/"[..]))
    }

    /// Checks `bytes` against the invariant.
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, InvalidPath> {
        let bytes = bytes.as_ref();
        match Self::fault(bytes) {
            None => Ok(Self(Arc::from(bytes))),
            Some(why) => Err(InvalidPath {
                path: crate::model::text::bounded(&crate::model::text::printable(bytes), 200),
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
        Some(if cut == 0 { Self::root() } else { Self(Arc::from(&self.0[..cut])) })
    }

    /// This path with one more name.
    pub fn join(&self, name: &[u8]) -> Result<Self, InvalidPath> {
        if name.contains(&b'/') {
            return Err(InvalidPath {
                path: crate::model::text::bounded(&crate::model::text::printable(name), 200),
                why: "a name contains a slash",
            });
        }
        let above = if self.is_root() { &[] } else { &*self.0 };
        let bytes = [above, b"/", name].concat();
        // What is above was checked when it was made.
        if Self::name_fault(name).is_some() || bytes.len() > PATH_BYTES_MAX {
            return Self::new(bytes);
        }
        Ok(Self(Arc::from(bytes)))
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
        let rank = |path: &Self, at: usize| match path.0.get(at) {
            None => 0,
            Some(b'/') => 1,
            Some(byte) => 2 + u16::from(*byte),
        };
        let at = common_bytes(&self.0, &other.0);
        rank(self, at).cmp(&rank(other, at))
    }
}

/// How far two paths are the same; eight bytes at a time, for neighbours share most of theirs.
fn common_bytes(one: &[u8], other: &[u8]) -> usize {
    let words = one.chunks_exact(8).zip(other.chunks_exact(8));
    let begin = 8 * words.take_while(|(one, other)| one == other).count();
    let rest = one[begin..].iter().zip(&other[begin..]);
    begin + rest.take_while(|(one, other)| one == other).count()
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

impl Serialize for TreePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for TreePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes: std::borrow::Cow<'de, [u8]> = serde_bytes::deserialize(deserializer)?;
        Self::new(bytes).map_err(serde::de::Error::custom)
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
        // Names that differ early, late, or in length alone, across the words that are compared.
        let long = |end: &str| path(&format!("/0123456/89abcdef/{end}"));
        let mut paths: Vec<_> = ["y", "x\u{1}", "x/z", "x", "x0", "xyxyxyxyz"].map(long).into();
        paths.sort();
        let sorted = ["x", "x/z", "x\u{1}", "x0", "xyxyxyxyz", "y"].map(long);
        assert_eq!(paths, sorted);
        assert!(paths.iter().is_sorted_by(|a, b| a < b && a.components().lt(b.components())));
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
