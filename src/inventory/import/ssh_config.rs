//! `~/.ssh/config`: names that stand in it become hosts, as `ssh` itself understands them.
//!
//! Only names are read here; what they mean is `ssh -G`'s to say (see [`Known`]), with its `Match`,
//! `Include` and patterns. Nothing else of the file is taken, so no secret is.

mod names;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use names::{Names, names};

use super::join::{Customer, Host, Ids, Joined};
use super::values::bare_address;
use super::{ImportError, Imported, Note, same_address, write};

/// What `ssh` does with a name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// Where it dials.
    pub address: String,
    /// The port there.
    pub port: Option<u16>,
    /// Whom it logs in as.
    pub user: String,
    /// Keys that exist.
    pub identities: Vec<PathBuf>,
    /// Machines it goes through, the first first.
    pub jumps: Vec<Hop>,
    /// What it does and evac does not.
    pub ignored: Vec<String>,
}

/// One machine of `ProxyJump`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hop {
    /// As one would give it to `ssh`.
    pub name: String,
    /// Whom to log in as, if it says so.
    pub user: Option<String>,
    /// The port, if it says so.
    pub port: Option<u16>,
}

impl Hop {
    /// A name by itself.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), user: None, port: None }
    }
}

/// What `ssh` says of every name and of the machines on the way; for people, why it says nothing.
pub type Answers = BTreeMap<Hop, Result<Known, String>>;

/// Makes an inventory of `names` as `answers` explain them; `usual` are the keys that `ssh` tries
/// of its own.
pub fn import(
    names: &Names,
    answers: &Answers,
    usual: &[PathBuf],
    file: &str,
) -> Result<Imported, ImportError> {
    let mut making = Making {
        answers,
        usual,
        writes_users: names.sets_user,
        joined: Joined::default(),
        ids: Ids::default(),
        by_hop: BTreeMap::new(),
        via: Vec::new(),
    };
    let what = "nothing in the file names customers: each host becomes a customer of its own";
    making.note(names.hosts.first().map_or(0, |(line, _)| *line), what.to_owned());
    for (line, name) in &names.hosts {
        making.host(*line, name);
    }
    making.lead(names);
    let mut joined = making.joined;
    joined.notes.extend(names.notes.iter().cloned());
    same_address(&mut joined, names.hosts.first().map_or(0, |(line, _)| *line));
    joined.notes.sort();
    if joined.hosts.is_empty() {
        let first = joined.notes.into_iter().find(|note| note.what != what);
        return Err(ImportError::NoRows { first });
    }
    Ok(Imported {
        toml: write::inventory(&joined, ("ssh-config", file), (&[], &[])),
        customers: joined.customers.len(),
        hosts: joined.hosts.len(),
        workloads: 0,
        rows: names.hosts.len(),
        tiers: Vec::new(),
        dropped: Vec::new(),
        ignored: Vec::new(),
        notes: joined.notes,
    })
}

/// The port, unless it is the usual one.
fn port_of(known: &Known) -> Option<u16> {
    known.port.filter(|port| *port != 22)
}

struct Making<'a> {
    answers: &'a Answers,
    usual: &'a [PathBuf],
    writes_users: bool,
    joined: Joined,
    ids: Ids,
    /// Which host a name became.
    by_hop: BTreeMap<Hop, usize>,
    /// Hosts that are reached through others: line, host, way.
    via: Vec<(u64, usize, Vec<Hop>)>,
}

impl Making<'_> {
    fn note(&mut self, line: u64, what: String) {
        self.joined.notes.push(Note { line, what });
    }

    fn known(&mut self, line: u64, hop: &Hop) -> Option<Known> {
        let name = &hop.name;
        let why = match self.answers.get(hop) {
            Some(Ok(known)) if known.user == "git" => {
                format!("`{name}` is left out: `git` is whom one logs in as to fetch sources")
            }
            Some(Ok(known)) if bare_address(&known.address).is_none() => {
                format!("`{name}` is left out: `{}` is no address", known.address)
            }
            Some(Ok(known)) => return Some(known.clone()),
            // Its command may hold anything.
            Some(Err(why)) if why.starts_with("`ProxyCommand") => {
                format!("`{name}` is left out: it goes through a ProxyCommand, which evac does not")
            }
            Some(Err(why)) => format!("`{name}` is left out: {why}"),
            None => format!("`{name}` is left out: `ssh -G` did not say what it is"),
        };
        self.note(line, why);
        None
    }

    fn host(&mut self, line: u64, name: &str) {
        let hop = Hop::named(name);
        let Some(known) = self.known(line, &hop) else { return };
        // A further name of the same.
        let same = self.via.iter().map(|(_, host, way)| (*host, way.as_slice()));
        let ways: BTreeMap<usize, &[Hop]> = same.collect();
        let is_same = |(at, host): &(usize, &Host)| {
            host.address == known.address
                && host.port == port_of(&known)
                && host.user == self.user(&known)
                && ways.get(at).copied().unwrap_or_default() == known.jumps
        };
        let former = self.joined.hosts.iter().enumerate().find(is_same).map(|(at, _)| at);
        if let Some(at) = former {
            self.by_hop.insert(hop, at);
            let what = format!("`{name}` is the host `{}`", self.joined.hosts[at].id);
            return self.note(line, what);
        }
        let ignored = known.ignored.iter().map(|what| format!("`{name}`: {what}"));
        let notes: Vec<_> = ignored.collect();
        for what in notes {
            self.note(line, what);
        }
        let Some(at) = self.add(line, &hop, &known) else { return };
        let id = self.joined.hosts[at].id.clone();
        self.joined.hosts[at].customer.clone_from(&id);
        let customer = Customer { id, name: name.to_owned(), ..Customer::default() };
        self.joined.customers.push(customer);
    }

    fn user(&self, known: &Known) -> Option<String> {
        let is_said = self.writes_users && !known.user.is_empty();
        is_said.then(|| known.user.clone())
    }

    fn add(&mut self, line: u64, hop: &Hop, known: &Known) -> Option<usize> {
        let id = self.ids.of(&hop.name, line, &mut self.joined.notes)?;
        let is_own = known.identities != self.usual;
        self.joined.hosts.push(Host {
            user: hop.user.clone().or_else(|| self.user(known)),
            port: hop.port.or(port_of(known)),
            identity: if is_own { known.identities.clone() } else { Vec::new() },
            ..Host::new(id, known.address.clone())
        });
        let at = self.joined.hosts.len() - 1;
        self.by_hop.insert(hop.clone(), at);
        if !known.jumps.is_empty() {
            self.via.push((line, at, known.jumps.clone()));
        }
        Some(at)
    }

    /// Gives every host the last machine on its way; those that are not hosts become some, of which
    /// nothing is taken.
    fn lead(&mut self, names: &Names) {
        // Machines on the way may have ways of their own.
        let mut next = 0;
        while let Some((line, host, way)) = self.via.get(next).cloned() {
            next += 1;
            let mut before: Option<usize> = None;
            for hop in &way {
                before = self.hop(line, hop, before);
                if before.is_none() {
                    break;
                }
            }
            let id = self.joined.hosts[host].id.clone();
            if let Some(jump) = before {
                self.joined.hosts[host].jump = Some(self.joined.hosts[jump].id.clone());
            } else {
                self.note(line, format!("host `{id}` has no `jump`: its way is not known"));
            }
        }
        let jumps: Vec<_> = self.joined.hosts.iter().filter_map(|host| host.jump.clone()).collect();
        for (line, name) in &names.hosts {
            let at = self.by_hop.get(&Hop::named(name));
            let host = at.map(|at| &self.joined.hosts[*at]);
            let id = host.filter(|host| jumps.contains(&host.id)).map(|host| host.id.clone());
            if let Some(id) = id {
                let what = format!("host `{id}` leads to others: `capture = false` if it stays");
                self.note(*line, what);
            }
        }
    }

    /// The host of a machine on a way, after `before`.
    fn hop(&mut self, line: u64, hop: &Hop, before: Option<usize>) -> Option<usize> {
        let before_id = before.map(|at| self.joined.hosts[at].id.clone());
        if let Some(at) = self.by_hop.get(hop).copied() {
            // The first is dialled as `ssh` would by itself, the others through the one before.
            if before.is_none() || self.joined.hosts[at].jump == before_id {
                return Some(at);
            }
        }
        let known = self.known(line, hop)?;
        let known =
            Known { jumps: if before.is_some() { Vec::new() } else { known.jumps }, ..known };
        let former = self.by_hop.get(hop).copied();
        let at = self.add(line, hop, &known)?;
        if let Some(former) = former {
            self.by_hop.insert(hop.clone(), former);
        }
        let host = &mut self.joined.hosts[at];
        (host.jump, host.capture) = (before_id, false);
        Some(at)
    }
}
