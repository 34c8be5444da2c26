//! Where a restore that was cut off goes on, as the ledger keeps it.
//!
//! The path that was reached, and after a NUL, which no path has, each path the restore was limited
//! to. **Invariant.** What one restore of a pass wrote is skipped only by the same restore: one of
//! other paths begins at the root, and finds what stands there already.

use crate::model::TreePath;

/// Everything before `path` is durably there, of what `include` takes.
pub fn encode(path: &TreePath, include: &[TreePath]) -> Vec<u8> {
    let mut bytes = path.as_bytes().to_vec();
    bytes.extend(selection(include));
    bytes
}

/// Where a restore of `include` goes on; `None`: the position says nothing.
pub fn decode(bytes: &[u8], include: &[TreePath]) -> Option<TreePath> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (path, of) = bytes.split_at(end);
    let path = TreePath::new(path).ok()?;
    Some(if of == selection(include) { path } else { TreePath::root() })
}

fn selection(include: &[TreePath]) -> Vec<u8> {
    let mut sorted: Vec<_> = include.iter().map(TreePath::as_bytes).collect();
    sorted.sort_unstable();
    sorted.dedup();
    sorted.into_iter().flat_map(|path| [b"\0", path].concat()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> TreePath {
        text.parse().unwrap()
    }

    #[test]
    fn only_the_same_restore_goes_on_where_one_was_cut_off() {
        let (www, etc) = ([path("/www")], [path("/etc"), path("/www")]);
        let all: [&[TreePath]; 3] = [&[], &www, &etc];
        for one in all {
            let bytes = encode(&path("/www/m"), one);
            for other in all {
                let expected = if one == other { path("/www/m") } else { TreePath::root() };
                assert_eq!(decode(&bytes, other), Some(expected), "{one:?} {other:?}");
            }
        }
        let (one, other) = ([path("/a"), path("/b")], [path("/b"), path("/a"), path("/b")]);
        assert_eq!(decode(&encode(&path("/b"), &one), &other), Some(path("/b")));
        assert_eq!(decode(b"", &[]), None);
    }
}
