//! What the owner of a machine lets an agent read that calls by itself; the agent holds itself to
//! it, whatever the landing site says.
//!
//! **Promises.**
//! - A capture has no root but those that were granted, letter by letter: a path *beneath* a
//!   granted one could lead out by a link that lies there.
//! - What is asked for by name within a capture, to be read again or further, lies beneath its
//!   roots as the walk finds them, and no link on the way is followed.
//! - Nothing is surveyed, nothing written, and no further connection let in.

use crate::agent::AgentError;
use crate::capture::walk::{Walk, WalkOptions};
use crate::model::TreePath;
use crate::wire::{CaptureOrder, Grant};

/// The paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted(Vec<TreePath>);

/// Where a capture may read.
#[derive(Debug, Clone, Default)]
pub struct Bounds(Option<Vec<TreePath>>);

impl Granted {
    /// These and what is beneath.
    pub fn new(paths: Vec<TreePath>) -> Self {
        Self(paths)
    }

    /// Only reading is.
    pub fn check_grant(&self, grant: Grant) -> Result<(), AgentError> {
        if grant == Grant::Read { Ok(()) } else { Err(AgentError::NotGranted("writing")) }
    }

    /// May all of this be captured? Says where it may read.
    pub fn check_capture(&self, order: &CaptureOrder) -> Result<Bounds, AgentError> {
        if order.paths.is_empty() || !order.paths.iter().all(|path| self.0.contains(path)) {
            return Err(AgentError::NotGranted("these paths"));
        }
        let walk = Walk::new(WalkOptions::new(order.paths.clone()));
        let walk = walk.map_err(|_| AgentError::NotGranted("what it cannot look for"))?;
        let bounds = Bounds(Some(walk.roots().to_vec()));
        match &order.cursor {
            Some(cursor) if !bounds.hold(&cursor.path) => {
                Err(AgentError::NotGranted("going on there"))
            }
            _ => Ok(bounds),
        }
    }
}

impl Bounds {
    /// Does it lie within?
    pub fn hold(&self, path: &TreePath) -> bool {
        let Self(Some(roots)) = self else { return true };
        roots.iter().any(|root| path.is_within(root))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::tests::key;
    use crate::capture::Cursor;
    use crate::chunk::Cutting;
    use crate::model::RunNumber;
    use crate::wire::Levels;

    fn path(text: &str) -> TreePath {
        text.parse().unwrap()
    }

    fn order(paths: &[&str], cursor: Option<&str>) -> CaptureOrder {
        CaptureOrder {
            paths: paths.iter().map(|text| path(text)).collect(),
            exclude: Vec::new(),
            cutting: Cutting::TREE,
            key: key(),
            levels: Levels { floor: 1, ceiling: 1 },
            run: RunNumber(0),
            cursor: cursor.map(|at| Cursor { path: path(at), within: None }),
            disk: None,
            skip: Vec::new(),
            is_gentle: false,
            patience: std::time::Duration::from_secs(60),
        }
    }

    #[test]
    fn only_what_was_granted_is_captured_letter_by_letter() {
        let granted = Granted::new(vec![path("/srv/a"), path("/srv/b")]);
        let allows = |paths: &[&str], cursor| granted.check_capture(&order(paths, cursor));
        assert!(allows(&["/srv/a"], None).is_ok() && allows(&["/srv/b", "/srv/a"], None).is_ok());
        for other in ["/etc", "/", "/srv", "/srv/a/beneath", "/srv/ab"] {
            assert!(allows(&[other], None).is_err(), "{other}");
            assert!(allows(&["/srv/a", other], None).is_err(), "{other}");
        }
        assert!(allows(&[], None).is_err());
        assert!(allows(&["/srv/a"], Some("/srv/a/x")).is_ok());
        assert!(allows(&["/srv/a"], Some("/etc/shadow")).is_err());
        assert!(granted.check_grant(Grant::Write).is_err());
    }

    #[test]
    fn what_is_read_again_lies_beneath_the_roots() {
        let granted = Granted::new(vec![path("/srv/a")]);
        let bounds = granted.check_capture(&order(&["/srv/a"], None)).unwrap();
        assert!(bounds.hold(&path("/srv/a/x/y")));
        assert!(!bounds.hold(&path("/etc/shadow")) && !bounds.hold(&path("/srv/ab")));
        assert!(Bounds::default().hold(&path("/etc/shadow")), "nobody bounds it");
    }
}
