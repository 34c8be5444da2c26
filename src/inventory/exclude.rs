//! Excludes: gitignore syntax over absolute source paths, exactly as ripgrep understands it.

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::model::TreePath;

/// Why a pattern cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}` is not a pattern: {why}")]
pub struct InvalidPattern {
    /// The pattern, bounded.
    pub pattern: String,
    /// What is wrong with it.
    pub why: String,
}

/// Makes one matcher of `patterns`, anchored at `/`. Later patterns win, `!` takes back.
pub fn matcher(patterns: &[String]) -> Result<Gitignore, InvalidPattern> {
    let mut builder = GitignoreBuilder::new("/");
    for pattern in patterns {
        builder.add_line(None, pattern).map_err(|error| invalid(pattern, &error))?;
    }
    builder.build().map_err(|error| invalid("", &error))
}

fn invalid(pattern: &str, error: &ignore::Error) -> InvalidPattern {
    let bounded = |text: &str| crate::model::text::bounded(text, 200);
    InvalidPattern { pattern: bounded(pattern), why: bounded(&error.to_string()) }
}

/// Is the directory `path` left out, by itself or with one above it?
pub(super) fn leaves_out(matcher: &Gitignore, path: &TreePath) -> bool {
    !path.is_root() && matcher.matched_path_or_any_parents(path.as_path(), true).is_ignore()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(patterns: &[&str], path: &str, expected: bool) {
        let patterns: Vec<_> = patterns.iter().map(|text| (*text).to_owned()).collect();
        let path: TreePath = path.parse().unwrap();
        let found = leaves_out(&matcher(&patterns).unwrap(), &path);
        assert_eq!(found, expected, "{patterns:?} {path}");
    }

    #[test]
    fn patterns_are_anchored_at_the_root() {
        check(&["/etc/"], "/etc", true);
        check(&["/etc/"], "/etc/ssh", true);
        check(&["/etc/"], "/srv/etc", false);
        check(&["cache/"], "/var/www/a/cache/x", true);
        check(&["/var/*", "!/var/www"], "/var/www", false);
        check(&["/**"], "/", false);
    }

    #[test]
    fn a_broken_pattern_is_named() {
        let error = matcher(&["*.log".into(), "[z-a]".into()]).unwrap_err();
        assert_eq!(error.pattern, "[z-a]");
    }
}
