//! Mistakes as people make them at 3 am: each ends with the exit code that the contract says, a
//! message that names what and where, one sentence of what to do next, and nothing lost. Read the
//! rows as a list; each is the mistake in the words of whoever made it.
//!
//! | where | mistakes |
//! |---|---|
//! | `mistakes::written` | settings and inventory |
//! | `mistakes::typed` | commands, names, times, files |
//! | `mistakes::logins` | keys, host keys, `HOME` |
//! | `mistakes::stored` | ledger, store, keys, disks, mounts, clocks |
//! | `mistakes::midway` | what happens to a run that goes on |
//!
//! Elsewhere, each with its own test: a second run and Ctrl-C twice (`resume`), `| head` and a full
//! stdout (`resume`, `cli::usage`), no site, a slip in a command (`cli::usage`), a window that is
//! over (`cli::plan`), one that shuts hard in mid-run and bad TOML in mid-run (`hands`,
//! `run::tests`), a target that is not written down (`homeless`), an import that yields nothing
//! (`cli::import`), a state on a network file system (`ledger::filesystem`), no room for the agent
//! (`ssh::tests`), a store that rots (`damage`), packs without a ledger (`cli::state`, `rebuild`),
//! landing disks that are full (`disks`). `scripts/lab-clock` has a clock that jumps in mid-run.

mod logins;
mod midway;
mod stored;
mod typed;
mod written;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::site::Site;
use crate::site::fleet::files_beneath;

/// One mistake, made, told, and mended.
struct Mistake<'a> {
    /// In the words of whoever made it.
    what: &'a str,
    /// What he typed.
    typed: &'a [&'a str],
    /// Contract: 1 failed, 2 nothing was changed, 3 the same command resumes, 4 refused.
    exits: i32,
    /// Parts of the message, in this order: what and where, then what to do next.
    told: &'a [&'a str],
}

impl Mistake<'_> {
    /// Types it, and checks what is told and that nothing is lost.
    #[track_caller]
    fn check(&self, site: &Site) {
        let before = kept(site);
        let outcome = site.evac(self.typed).exits(self.exits);
        let said = format!("{}{}", outcome.stdout(), outcome.stderr());
        let mut rest = said.as_str();
        for part in self.told {
            let at = rest.find(part);
            let at = at.unwrap_or_else(|| panic!("{}: no {part:?} in\n{said}", self.what));
            rest = &rest[at + part.len()..];
        }
        let after = kept(site);
        if self.exits == 2 || self.exits == 4 {
            // That something was refused may be written down.
            let is_record = |path: &PathBuf| self.exits == 4 && path.ends_with("ledger.db");
            for path in before.keys().chain(after.keys()).filter(|path| !is_record(path)) {
                assert_eq!(after.get(path), before.get(path), "{}: {path:?} changed", self.what);
            }
        }
        for (path, content) in before.iter().filter(|(path, _)| is_for_good(path)) {
            assert_eq!(after.get(path), Some(content), "{}: {path:?} is lost", self.what);
        }
    }
}

/// Everything in the site that tells of more than who was there last.
fn kept(site: &Site) -> BTreeMap<PathBuf, blake3::Hash> {
    let names = ["lock", "ledger.db-wal", "ledger.db-shm", "stderr"];
    let counts = |path: &PathBuf| !names.iter().any(|name| path.ends_with(name));
    let files = files_beneath(&site.path("")).into_iter().filter(counts);
    files.map(|path| (path.clone(), blake3::hash(&fs::read(&path).unwrap_or_default()))).collect()
}

/// What is written once and never again.
fn is_for_good(path: &std::path::Path) -> bool {
    let text = path.to_string_lossy();
    text.contains("/state/keys/") || text.contains("/state/store/packs/")
}
