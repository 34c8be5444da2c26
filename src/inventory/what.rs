//! WHAT: how people name what a command shall work on.
//!
//! ```text
//! acme                      a name, looked up among customers, hosts, workloads and groups;
//!                           several hits are refused with the list
//! customer/acme  host/vps-014  workload/acme-site  group/shared  tier/gold     exact forms
//! workload/acme-site:/var/www    of a workload only this path and what is beneath it
//! state/failed  reason/auth      where things stand; the caller knows
//! @FILE                          one WHAT a line; `#` begins a comment
//! ```
//!
//! Several WHATs add up. None at all means everything.

use std::collections::{BTreeMap, BTreeSet};

use crate::inventory::{Inventory, Workload};
use crate::model::text::{bounded, closest};
use crate::model::{CustomerId, HostId, InvalidPath, TreePath, WorkloadId};

/// Largest file of WHATs.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Longest word repeated in a message.
const SHOWN_MAX: usize = 120;

/// What was named.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// The workloads, each with the paths it is limited to; none: all of it.
    pub workloads: BTreeMap<WorkloadId, BTreeSet<TreePath>>,
    /// Their hosts, and hosts named that nothing is taken from.
    pub hosts: BTreeSet<HostId>,
    /// Their customers, and customers named that own nothing.
    pub customers: BTreeSet<CustomerId>,
}

/// What only the ledger can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing<'a> {
    /// `state/WORD`
    State(&'a str),
    /// `reason/WORD`
    Reason(&'a str),
}

/// Answers with the workloads that stand so; `None` when there is no such word.
pub type Lookup<'a> = dyn Fn(Standing<'_>) -> Option<Vec<WorkloadId>> + 'a;

/// Why a WHAT selects nothing.
#[derive(Debug, thiserror::Error)]
pub enum WhatError {
    /// Nothing has this name.
    #[error("nothing is called `{what}`{}", did_you_mean(.closest.as_deref()))]
    Unknown {
        /// As typed, bounded.
        what: String,
        /// A name that is close.
        closest: Option<String>,
    },
    /// The name fits several things.
    #[error("`{what}` may be {}", .hits.join(" or "))]
    Ambiguous {
        /// As typed, bounded.
        what: String,
        /// Their exact forms.
        hits: Vec<String>,
    },
    /// The form before the slash is none of those above.
    #[error(
        "`{form}/` is not a form; write customer/, host/, workload/, group/, tier/, state/, reason/"
    )]
    Form {
        /// As typed, bounded.
        form: String,
    },
    /// A path that cannot be.
    #[error("`{what}`: {source}")]
    Path {
        /// As typed, bounded.
        what: String,
        /// What is wrong with it.
        #[source]
        source: InvalidPath,
    },
    /// The file behind `@` cannot be read.
    #[error("cannot read the list `{file}`")]
    File {
        /// As typed, bounded.
        file: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A list within a list.
    #[error("the list `{file}` names another list")]
    Nested {
        /// As typed, bounded.
        file: String,
    },
}

fn did_you_mean(closest: Option<&str>) -> String {
    closest.map_or_else(String::new, |word| format!("; did you mean `{word}`?"))
}

/// Everything that `words` name; no words name everything.
pub fn select<W: AsRef<str>>(
    words: &[W],
    inventory: &Inventory,
    lookup: &Lookup<'_>,
) -> Result<Selection, WhatError> {
    let mut selector = Selector { inventory, lookup, selection: Selection::default() };
    if words.is_empty() {
        selector.add(|_| true, None);
        selector.selection.hosts.extend(inventory.hosts.iter().map(|host| host.id.clone()));
        let customers = inventory.customers.iter().map(|customer| customer.id.clone());
        selector.selection.customers.extend(customers);
    }
    for word in words {
        match word.as_ref().strip_prefix('@') {
            Some(file) => selector.list(file)?,
            None => selector.word(word.as_ref())?,
        }
    }
    Ok(selector.selection)
}

struct Selector<'a> {
    inventory: &'a Inventory,
    lookup: &'a Lookup<'a>,
    selection: Selection,
}

impl Selector<'_> {
    fn list(&mut self, file: &str) -> Result<(), WhatError> {
        let shown = || bounded(file, SHOWN_MAX);
        let read = || match std::fs::metadata(file)?.len() {
            len if len > FILE_BYTES_MAX => Err(std::io::Error::other("it is larger than 1 MiB")),
            _ => std::fs::read_to_string(file),
        };
        let text = read().map_err(|source| WhatError::File { file: shown(), source })?;
        for line in text.lines() {
            let word = line.split('#').next().unwrap_or("").trim();
            match word {
                "" => {}
                word if word.starts_with('@') => return Err(WhatError::Nested { file: shown() }),
                word => self.word(word)?,
            }
        }
        Ok(())
    }

    fn word(&mut self, what: &str) -> Result<(), WhatError> {
        let (name, path) = match what.split_once(":/") {
            Some((name, path)) => (name, Some(tree_path(what, path)?)),
            None => (what, None),
        };
        let Some((form, id)) = name.split_once('/') else { return self.bare(what, name, path) };
        match self.form(form, id, path) {
            None => Err(WhatError::Form { form: bounded(form, SHOWN_MAX) }),
            Some(false) => Err(self.unknown(what, id)),
            Some(true) => Ok(()),
        }
    }

    /// Adds what `form/id` names; says whether there is such a thing, `None` for no such form.
    fn form(&mut self, form: &str, id: &str, path: Option<TreePath>) -> Option<bool> {
        Some(match (form, &path) {
            ("workload", _) => self.workload(id, path),
            ("customer", None) => self.customer(id),
            ("host", None) => self.host(id),
            ("group", None) => self.group(id),
            ("tier", None) => self.tier(id),
            ("state", None) => self.standing(Standing::State(id)),
            ("reason", None) => self.standing(Standing::Reason(id)),
            ("customer" | "host" | "group" | "tier" | "state" | "reason", Some(_)) => false,
            _ => return None,
        })
    }

    /// A name without a form: exactly one thing must have it.
    fn bare(&mut self, what: &str, id: &str, path: Option<TreePath>) -> Result<(), WhatError> {
        let mut hits = Vec::new();
        for form in ["customer", "host", "workload", "group"] {
            let (inventory, lookup) = (self.inventory, self.lookup);
            let mut trial = Selector { inventory, lookup, selection: Selection::default() };
            if trial.form(form, id, path.clone()) == Some(true) {
                hits.push((format!("{form}/{id}"), trial.selection));
            }
        }
        match hits.len() {
            0 => Err(self.unknown(what, id)),
            1 => {
                self.selection.join(hits.remove(0).1);
                Ok(())
            }
            _ => {
                let hits = hits.into_iter().map(|(form, _)| form).collect();
                Err(WhatError::Ambiguous { what: bounded(what, SHOWN_MAX), hits })
            }
        }
    }

    /// Adds every workload that `wanted` accepts; says whether there was one.
    fn add(&mut self, wanted: impl Fn(&Workload) -> bool, path: Option<&TreePath>) -> bool {
        let mut addition = Selection::default();
        for workload in self.inventory.workloads().filter(|workload| wanted(workload)) {
            addition.workloads.insert(workload.id.clone(), path.cloned().into_iter().collect());
            addition.hosts.insert(workload.host.clone());
            addition.customers.insert(workload.customer.clone());
        }
        let any = !addition.workloads.is_empty();
        self.selection.join(addition);
        any
    }

    fn workload(&mut self, id: &str, path: Option<TreePath>) -> bool {
        self.add(|workload| workload.id.as_str() == id, path.as_ref())
    }

    fn customer(&mut self, id: &str) -> bool {
        let found = self.inventory.customers.iter().find(|customer| customer.id.as_str() == id);
        self.selection.customers.extend(found.map(|customer| customer.id.clone()));
        self.add(|workload| workload.customer.as_str() == id, None) || found.is_some()
    }

    fn host(&mut self, id: &str) -> bool {
        let found = self.inventory.hosts.iter().find(|host| host.id.as_str() == id);
        self.selection.hosts.extend(found.map(|host| host.id.clone()));
        self.add(|workload| workload.host.as_str() == id, None) || found.is_some()
    }

    fn group(&mut self, id: &str) -> bool {
        let ids = self.customers_with(|customer| {
            customer.group.as_ref().is_some_and(|group| group.as_str() == id)
        });
        self.add(|workload| ids.contains(&workload.customer), None) || !ids.is_empty()
    }

    fn tier(&mut self, id: &str) -> bool {
        let ids = self.customers_with(|customer| {
            customer.tier.as_ref().is_some_and(|tier| tier.as_str() == id)
        });
        self.add(|workload| ids.contains(&workload.customer), None) || !ids.is_empty()
    }

    fn customers_with(
        &mut self,
        wanted: impl Fn(&crate::inventory::Customer) -> bool,
    ) -> BTreeSet<CustomerId> {
        let customers = self.inventory.customers.iter().filter(|customer| wanted(customer));
        let ids: BTreeSet<_> = customers.map(|customer| customer.id.clone()).collect();
        self.selection.customers.extend(ids.iter().cloned());
        ids
    }

    /// A known word that nothing stands at selects nothing, and is no mistake.
    fn standing(&mut self, standing: Standing<'_>) -> bool {
        let Some(ids) = (self.lookup)(standing) else { return false };
        let ids: BTreeSet<_> = ids.into_iter().collect();
        self.add(|workload| ids.contains(&workload.id), None);
        true
    }

    fn unknown(&self, what: &str, id: &str) -> WhatError {
        let inventory = self.inventory;
        let names = (inventory.customers.iter().map(|customer| customer.id.as_str()))
            .chain(inventory.hosts.iter().map(|host| host.id.as_str()))
            .chain(inventory.workloads().map(|workload| workload.id.as_str()))
            .chain(
                inventory
                    .customers
                    .iter()
                    .filter_map(|customer| customer.group.as_ref().map(AsRef::as_ref)),
            );
        let closest = closest(id, names).map(str::to_owned);
        WhatError::Unknown { what: bounded(what, SHOWN_MAX), closest }
    }
}

impl Selection {
    /// Adds another selection; all of a workload is more than some paths of it.
    fn join(&mut self, other: Self) {
        for (id, paths) in other.workloads {
            match self.workloads.get_mut(&id) {
                Some(known) if known.is_empty() || paths.is_empty() => known.clear(),
                Some(known) => known.extend(paths),
                None => {
                    self.workloads.insert(id, paths);
                }
            }
        }
        self.hosts.extend(other.hosts);
        self.customers.extend(other.customers);
    }
}

fn tree_path(what: &str, rest: &str) -> Result<TreePath, WhatError> {
    let path = format!("/{}", rest.trim_end_matches('/'));
    path.parse().map_err(|source| WhatError::Path { what: bounded(what, SHOWN_MAX), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{SourceFile, read_files};

    const TEXT: &str = "[[customer]]\nid = \"acme\"\ntier = \"gold\"\ngroup = \"shared\"\n\
        [[customer]]\nid = \"beta\"\ngroup = \"shared\"\n\
        [[customer]]\nid = \"both\"\n\
        [[host]]\nid = \"vps\"\naddress = \"192.0.2.1\"\n\
        [[host.workload]]\nid = \"site\"\ncustomer = \"acme\"\npaths = [\"/a\"]\n\
        [[host.workload]]\nid = \"mail\"\ncustomer = \"beta\"\npaths = [\"/b\"]\n\
        [[host]]\nid = \"both\"\naddress = \"192.0.2.2\"\ncustomer = \"beta\"\ncapture = false\n";

    fn inventory() -> Inventory {
        let settings = "[site]\nname = \"x\"\n[tiers]\ngold = 2\n";
        let files = [SourceFile::new("inventory.toml", TEXT)];
        let reading = read_files(&SourceFile::new("evac.toml", settings), &files);
        assert!(reading.is_ok(), "{:?}", reading.problems);
        reading.inventory
    }

    fn failed(standing: Standing<'_>) -> Option<Vec<WorkloadId>> {
        match standing {
            Standing::State("failed") | Standing::Reason("auth") => {
                Some(vec!["mail".parse().unwrap(), "gone".parse().unwrap()])
            }
            Standing::State("active") => Some(Vec::new()),
            _ => None,
        }
    }

    /// The workloads that `words` select, with their paths.
    fn check(words: &[&str], expected: &[&str]) {
        let selection = select(words, &inventory(), &failed).unwrap();
        let show = |(id, paths): (&WorkloadId, &BTreeSet<TreePath>)| {
            paths.iter().fold(id.to_string(), |text, path| format!("{text}:{path}"))
        };
        let found: Vec<_> = selection.workloads.iter().map(show).collect();
        assert_eq!(found, expected, "{words:?}");
    }

    fn refused(word: &str, what: &str) {
        let error = select(&[word], &inventory(), &failed).unwrap_err().to_string();
        assert!(error.contains(what), "{word}: {error}");
    }

    #[test]
    fn every_form_selects() {
        check(&[], &["mail", "site"]);
        check(&["acme"], &["site"]);
        check(&["vps"], &["mail", "site"]);
        check(&["shared"], &["mail", "site"]);
        check(&["tier/gold"], &["site"]);
        check(&["customer/both"], &[]);
        check(&["host/both"], &[]);
        check(&["state/failed"], &["mail"]);
        check(&["reason/auth", "site"], &["mail", "site"]);
        check(&["state/active"], &[]);
        check(&["site:/a/b/"], &["site:/a/b"]);
        check(&["workload/site:/a/b", "site:/a/c"], &["site:/a/b:/a/c"]);
        check(&["workload/site:/a/b", "acme"], &["site"]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        refused("both", "customer/both or host/both");
        refused("acne", "did you mean `acme`?");
        refused("hots/vps", "`hots/` is not a form");
        refused("host/vps:/a", "nothing is called");
        refused("site:/a/../b", "not a usable path");
        refused("state/flying", "nothing is called");
        refused("@/nonexistent", "cannot read the list");
        refused("", "nothing is called");
    }

    #[test]
    fn lists_are_read_line_by_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("list");
        let word = format!("@{}", file.display());
        std::fs::write(&file, "# tonight\n site # first\n\nbeta\n").unwrap();
        check(&[&word], &["mail", "site"]);
        std::fs::write(&file, "@other\n").unwrap();
        refused(&word, "names another list");
    }

    #[test]
    fn hosts_without_data_are_selected_too() {
        let selection = select(&["host/both"], &inventory(), &failed).unwrap();
        assert_eq!(selection.hosts.len(), 1);
        let all = select::<&str>(&[], &inventory(), &failed).unwrap();
        assert_eq!((all.hosts.len(), all.customers.len()), (2, 3));
    }
}
