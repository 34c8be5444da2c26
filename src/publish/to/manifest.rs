//! What evac has put into a place that it does not own: a list that lies there itself. Pure.
//!
//! **Promises.** Nothing is ever removed that the list does not name. Before anything changes over
//! there, a list is put that names both what was and what will be, so that after a kill nothing of
//! ours is without an owner; what may be half done stands in it without a digest. A web server may
//! serve the list: secret paths stand in it by a hash, and a digest is of path and content.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::publish::Rendered;
use crate::publish::folder::listed;
use crate::publish::own::is_secret;

/// Its name, beneath the folder of the page.
pub(super) const NAME: &str = ".evac-manifest";
/// A longer list is none of ours.
pub(super) const BYTES_MAX: usize = 16 << 20;
const PATH_BYTES_MAX: usize = 300;
/// Stands where a digest would, of what may be half done.
const UNKNOWN: &str = "-";
const HEAD: &str = "evac-manifest 1 ";

/// What one site has put into one place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Manifest {
    /// Whose it is.
    pub site: String,
    /// Digest by path, as listed.
    files: BTreeMap<String, String>,
}

/// The list of a place cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable;

impl Manifest {
    /// What `page` is.
    pub(super) fn of(site: &str, page: &Rendered) -> Self {
        let digest = |(path, content): (&String, &Vec<u8>)| (listed(path), digest(path, content));
        Self { site: site.to_owned(), files: page.files.iter().map(digest).collect() }
    }

    /// As it was read from there.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        let text = std::str::from_utf8(bytes).map_err(|_| Unreadable)?;
        let mut lines = text.lines();
        let site = lines.next().and_then(|line| line.strip_prefix(HEAD)).ok_or(Unreadable)?;
        let mut files = BTreeMap::new();
        for line in lines {
            let (digest, path) = line.split_once(' ').ok_or(Unreadable)?;
            if !is_ours(path) {
                return Err(Unreadable);
            }
            files.insert(path.to_owned(), digest.to_owned());
        }
        Ok(Self { site: site.to_owned(), files })
    }

    /// As it is put there.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{HEAD}{}\n", self.site);
        for (path, digest) in &self.files {
            let _ = writeln!(text, "{digest} {path}");
        }
        text
    }

    /// Stands for all of it.
    pub(super) fn digest(&self) -> String {
        blake3::hash(self.text().as_bytes()).to_hex()[..32].to_owned()
    }

    /// Does it name that path of a page?
    pub(super) fn names(&self, path: &str) -> bool {
        self.files.contains_key(&listed(path))
    }

    /// Does that content stand there, by what it says?
    pub(super) fn has(&self, path: &str, content: &[u8]) -> bool {
        self.files.get(&listed(path)).is_some_and(|known| *known == digest(path, content))
    }

    /// Both what was and what will be; `changed` may be half done.
    pub(super) fn on_the_way_to(&self, new: &Self, changed: &[&str]) -> Self {
        let mut files = self.files.clone();
        files.extend(new.files.clone());
        for path in changed {
            files.insert(listed(path), UNKNOWN.to_owned());
        }
        Self { site: new.site.clone(), files }
    }

    /// What it names and `new` does not.
    pub(super) fn gone(&self, new: &Self) -> BTreeSet<String> {
        self.files.keys().filter(|path| !new.files.contains_key(*path)).cloned().collect()
    }

    /// Paths that are no secret.
    pub(super) fn public(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str).filter(|path| !path.starts_with('#'))
    }
}

/// Of what stands at a path.
fn digest(path: &str, content: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(path.as_bytes()).update(&[0]).update(content);
    hasher.finalize().to_hex()[..32].to_owned()
}

/// A path as evac makes them, or the hash of one.
fn is_ours(path: &str) -> bool {
    let is_part = |part: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        !part.is_empty() && part != "." && part != ".." && part.chars().all(plain)
    };
    let path = path.strip_prefix('#').unwrap_or(path);
    path.len() <= PATH_BYTES_MAX && path.split('/').all(is_part)
}

/// The paths of a page in the order in which they are put: customers' own pages, which lead
/// nowhere, then the rest; what people open goes last, since it must not lead to what is not there
/// yet.
pub(super) fn in_order(page: &Rendered) -> Vec<&str> {
    let mut paths: Vec<&str> = page.files.keys().map(String::as_str).collect();
    let is_entry = |path: &str| path.ends_with("index.html") && !is_secret(path);
    paths.sort_by_key(|path| (!is_secret(path), is_entry(path), !path.contains('/')));
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(files: &[(&str, &str)]) -> Rendered {
        let own = |(path, text): &(&str, &str)| ((*path).to_owned(), text.as_bytes().to_vec());
        Rendered { files: files.iter().map(own).collect() }
    }

    #[test]
    fn a_list_says_what_to_put_and_what_to_remove_and_no_secret() {
        let secret = "c/0123456789abcdefghjkmnpqrs/index.html";
        let before = page(&[("index.html", "1"), (secret, "x"), ("nl/a.ics", "1")]);
        let old = Manifest::of("site", &before);
        let text = old.text();
        assert!(!text.contains("0123456789abc"), "{text}");
        let old = Manifest::read(text.as_bytes()).unwrap();
        assert!(old.has(secret, b"x") && !old.has("index.html", b"2") && !old.names("b"));
        let after = page(&[("index.html", "2"), ("b", "1")]);
        let new = Manifest::of("site", &after);
        assert_eq!(old.gone(&new).len(), 2);
        let between = old.on_the_way_to(&new, &["index.html", "b"]);
        assert!(between.names(secret) && between.names("b") && between.names("nl/a.ics"));
        assert!(!between.has("index.html", b"1") && !between.has("index.html", b"2"));
        assert_eq!(in_order(&before), [secret, "nl/a.ics", "index.html"]);
    }

    #[test]
    fn what_is_no_list_of_ours_names_nothing() {
        for text in [
            "",
            "hello",
            "evac-manifest 1 s\nabc ../x",
            "evac-manifest 1 s\nabc /etc/passwd",
            "evac-manifest 1 s\nabc a//b",
            "evac-manifest 1 s\nabc",
            "evac-manifest 1 s\nabc a b",
        ] {
            assert_eq!(Manifest::read(text.as_bytes()), Err(Unreadable), "{text:?}");
        }
    }
}
