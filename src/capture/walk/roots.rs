//! What a walk begins with: the roots as people wrote them, made into disjoint, sorted paths.
//!
//! A root is captured as what it is: a symbolic link as a link. A link *above* a root is captured
//! too, and the root is looked for where the link leads, so that `/home/acme` with
//! `/home → /data/home` brings both `/home` and `/data/home/acme`. Links lead nowhere out of the
//! tree: an absolute one begins at its `/`, `..` stops there.

use std::os::fd::AsFd;

use rustix::fs::{FileType, OFlags, fstat, readlinkat};

use super::super::Beneath;
use crate::model::TreePath;

/// As the kernel has it.
const LINKS_MAX: u32 = 40;

/// Sorted, disjoint, with links above them resolved.
pub(super) fn normalise(tree: &Beneath, roots: &[TreePath]) -> Vec<TreePath> {
    let mut all = Vec::new();
    for root in roots {
        resolve(tree, root, &mut all);
    }
    merge(all)
}

/// Sorted; what lies within another goes.
pub(super) fn merge(mut roots: Vec<TreePath>) -> Vec<TreePath> {
    roots.sort_unstable();
    roots.dedup_by(|later, earlier| later.is_within(earlier));
    roots
}

fn resolve(tree: &Beneath, root: &TreePath, found: &mut Vec<TreePath>) {
    let mut path = root.clone();
    for _ in 0..LINKS_MAX {
        let Some((link, target)) = link_above(tree, &path) else { break };
        let rest = path.as_bytes()[link.as_bytes().len()..].to_vec();
        let Some(led) = lead(&link, &target, &rest) else { break };
        found.push(link);
        path = led;
    }
    found.push(path);
}

/// The first symbolic link among the directories above `path`, and its target.
fn link_above(tree: &Beneath, path: &TreePath) -> Option<(TreePath, Vec<u8>)> {
    let mut at = TreePath::root();
    let depth = path.components().count();
    for name in path.components().take(depth.saturating_sub(1)) {
        at = at.join(name).ok()?;
        let open = tree.open_at(&at, OFlags::PATH).ok()?;
        if FileType::from_raw_mode(fstat(&open).ok()?.st_mode) == FileType::Symlink {
            let target = readlinkat(open.as_fd(), "", Vec::new()).ok()?.into_bytes();
            return Some((at, target));
        }
    }
    None
}

/// Where `target`, read at `link`, and `rest` after it lead. Everything above `link` is free of
/// links, so `..` may be taken by its letters.
fn lead(link: &TreePath, target: &[u8], rest: &[u8]) -> Option<TreePath> {
    let mut at = if target.starts_with(b"/") { TreePath::root() } else { link.parent()? };
    for name in target.split(|b| *b == b'/').chain(rest.split(|b| *b == b'/')) {
        match name {
            b"" | b"." => {}
            b".." => at = at.parent().unwrap_or(at),
            name => at = at.join(name).ok()?,
        }
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn path(text: &str) -> TreePath {
        text.parse().unwrap()
    }

    fn check(roots: &[&str], expected: &[&str]) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("data/home/acme")).unwrap();
        symlink("/data/home", dir.path().join("home")).unwrap();
        symlink("../../../home", dir.path().join("data/up")).unwrap();
        symlink("loop", dir.path().join("loop")).unwrap();
        let tree = Beneath::open(dir.path()).unwrap();
        let roots: Vec<_> = roots.iter().map(|root| path(root)).collect();
        let found: Vec<_> = normalise(&tree, &roots).iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn roots_become_disjoint_and_sorted() {
        check(&["/b", "/a/x", "/a", "/a-"], &["/a", "/a-", "/b"]);
        check(&["/", "/a"], &["/"]);
        check(&["/home"], &["/home"]);
        check(&["/none/x"], &["/none/x"]);
    }

    #[test]
    fn links_above_roots_are_captured_and_resolved() {
        check(&["/home/acme"], &["/data/home/acme", "/home"]);
        check(&["/data/up/acme"], &["/data/home/acme", "/data/up", "/home"]);
        check(&["/loop/x"], &["/loop"]);
    }
}
