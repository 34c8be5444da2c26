//! What is left out on purpose: gitignore syntax over absolute source paths.
//!
//! A pattern with a slash at its beginning or within is anchored at `/` of the source; one without
//! matches a name anywhere; `/` at the end means directories only; `!` takes back; the last
//! pattern that matches decides. As in git, an excluded directory is not looked into, so nothing
//! beneath it can be taken back. Roots that somebody named are never excluded themselves.

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::model::TreePath;
use crate::model::text::bounded;

/// A pattern nobody can match with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}` is not a usable exclude pattern: {why}")]
pub struct InvalidPattern {
    /// The pattern, bounded.
    pub pattern: String,
    /// What is wrong with it.
    pub why: String,
}

/// All patterns of one workload.
#[derive(Debug, Clone)]
pub struct Exclude {
    patterns: Gitignore,
}

impl Exclude {
    /// Checks and compiles `patterns`, in the order written.
    pub fn new(patterns: &[String]) -> Result<Self, InvalidPattern> {
        let mut builder = GitignoreBuilder::new("/");
        builder.allow_unclosed_class(false);
        for pattern in patterns {
            let refuse = |why: String| InvalidPattern {
                pattern: bounded(pattern, 200),
                why: bounded(&why, 200),
            };
            if pattern.trim().is_empty() {
                return Err(refuse("it is empty".into()));
            }
            if pattern.contains(['\n', '\0']) {
                return Err(refuse("it has more than one line".into()));
            }
            builder.add_line(None, pattern).map_err(|error| refuse(error.to_string()))?;
        }
        let patterns = builder.build().map_err(|error| InvalidPattern {
            pattern: bounded(&patterns.join(" "), 200),
            why: bounded(&error.to_string(), 200),
        })?;
        Ok(Self { patterns })
    }

    /// Is `path`, by itself, left out?
    pub fn matches(&self, path: &TreePath, is_directory: bool) -> bool {
        !path.is_root() && self.patterns.matched(path.as_path(), is_directory).is_ignore()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(patterns: &[&str], path: &[u8], is_directory: bool, expected: bool) {
        let patterns: Vec<String> = patterns.iter().map(ToString::to_string).collect();
        let exclude = Exclude::new(&patterns).unwrap();
        let path = TreePath::new(path).unwrap();
        assert_eq!(exclude.matches(&path, is_directory), expected, "{patterns:?} {path}");
    }

    #[test]
    fn patterns_mean_what_git_says() {
        check(&["*.log"], b"/var/www/a/x.log", false, true);
        check(&["*.log"], b"/x.log", false, true);
        check(&["*.log", "!keep.log"], b"/var/keep.log", false, false);
        check(&["/var/www/*/cache/"], b"/var/www/a/cache", true, true);
        check(&["/var/www/*/cache/"], b"/var/www/a/cache", false, false);
        check(&["/var/www/*/cache/"], b"/var/www/a/b/cache", true, false);
        check(&["/var/www/*/cache/"], b"/srv/var/www/a/cache", true, false);
        check(&["node_modules/"], b"/home/x/node_modules", true, true);
        check(&["/tmp"], b"/home/tmp", true, false);
        check(&["*"], b"/", true, false);
        check(&["caf*.log"], b"/a/caf\xe9.log", false, true);
        check(&[], b"/a", false, false);
    }

    #[test]
    fn a_bad_pattern_is_named() {
        let error = Exclude::new(&["ok".into(), "a[b".into()]).unwrap_err();
        assert_eq!(error.pattern, "a[b");
        assert!(Exclude::new(&[" ".into()]).is_err());
        assert!(Exclude::new(&["a\nb".into()]).is_err());
    }
}
