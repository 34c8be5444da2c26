//! Rows become customers, hosts and workloads. Where rows disagree the first counts, and a note
//! says so.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::inventory::Class;
use crate::inventory::exclude::{leaves_out, matcher};
use crate::inventory::import::table::{Column, Row, Table};
use crate::inventory::import::values::{SCALARS, answer, bare_address, list, scalar};
use crate::inventory::import::{Note, slug};
use crate::model::TreePath;

/// Everything the rows say.
#[derive(Debug, Default)]
pub(super) struct Joined {
    pub(super) customers: Vec<Customer>,
    pub(super) hosts: Vec<Host>,
    pub(super) notes: Vec<Note>,
}

#[derive(Debug, Default)]
pub(super) struct Customer {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) tier: Option<String>,
    pub(super) language: Option<String>,
    pub(super) group: Option<String>,
    pub(super) hold: Option<String>,
    pub(super) suspended: bool,
    pub(super) contacts: BTreeSet<String>,
    pub(super) domains: BTreeSet<String>,
}

#[derive(Debug)]
pub(super) struct Host {
    pub(super) id: String,
    pub(super) address: String,
    pub(super) port: Option<u16>,
    pub(super) user: Option<String>,
    /// Private keys of its own.
    pub(super) identity: Vec<PathBuf>,
    /// The host it is reached through.
    pub(super) jump: Option<String>,
    /// `false`: it only leads to others.
    pub(super) capture: bool,
    /// Has a customer root there?
    pub(super) untrusted: Option<bool>,
    pub(super) customer: String,
    /// Said of the host as a whole; only a comment, since a survey measures it.
    pub(super) bytes: Option<u64>,
    pub(super) workloads: Vec<Workload>,
}

impl Host {
    /// Nothing but where it is.
    pub(super) fn new(id: String, address: String) -> Self {
        Self {
            id,
            address,
            port: None,
            user: None,
            identity: Vec::new(),
            jump: None,
            capture: true,
            untrusted: None,
            customer: String::new(),
            bytes: None,
            workloads: Vec::new(),
        }
    }
}

impl Host {
    /// Where everything is one customer's, it is a server that he rents, and he may have root:
    /// where he has not, all that it costs is that what others share crosses once more.
    fn doubt(&mut self) {
        let is_one = self.workloads.iter().all(|workload| workload.customer == self.customer);
        self.untrusted = self.untrusted.or(is_one.then_some(true));
    }
}

#[derive(Debug)]
pub(super) struct Workload {
    pub(super) id: String,
    pub(super) customer: String,
    pub(super) label: Option<String>,
    pub(super) class: Option<Class>,
    pub(super) bytes: Option<u64>,
    pub(super) paths: Vec<TreePath>,
    pub(super) exclude: Vec<String>,
}

/// Makes ids of names: the same name, whatever its case and spaces, is the same thing; another
/// name that would get the same id gets one with a number.
#[derive(Debug, Default)]
pub(super) struct Ids {
    by_name: BTreeMap<String, String>,
    taken: BTreeSet<String>,
}

impl Ids {
    pub(super) fn of(&mut self, name: &str, line: u64, notes: &mut Vec<Note>) -> Option<String> {
        let key = name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        if let Some(id) = self.by_name.get(&key) {
            return Some(id.clone());
        }
        let Some(wanted) = slug(name) else {
            notes.push(Note { line, what: format!("no id can be made of `{name}`") });
            return None;
        };
        let id = self.free(&wanted);
        if id != wanted {
            let what = format!("`{name}` is called `{id}`, because `{wanted}` is another's id");
            notes.push(Note { line, what });
        }
        self.by_name.insert(key, id.clone());
        Some(id)
    }

    /// `wanted`, or it with the first number that makes it free.
    fn free(&mut self, wanted: &str) -> String {
        let numbered = (2..).map(|number| {
            let suffix = format!("-{number}");
            format!("{}{suffix}", &wanted[..wanted.len().min(63 - suffix.len())])
        });
        let id =
            std::iter::once(wanted.to_owned()).chain(numbered).find(|id| !self.taken.contains(id));
        let id = id.expect("some number is free");
        self.taken.insert(id.clone());
        id
    }
}

struct Joiner<'a> {
    table: &'a Table,
    joined: Joined,
    customers: Ids,
    hosts: Ids,
    workloads: Ids,
}

/// Joins all rows.
pub(super) fn join(table: &Table) -> Joined {
    let mut joiner = Joiner {
        table,
        joined: Joined::default(),
        customers: Ids::default(),
        hosts: Ids::default(),
        workloads: Ids::default(),
    };
    let names_customer = table.has(Column::Customer) || table.has(Column::CustomerId);
    if let (false, Some(first)) = (names_customer, table.rows.first()) {
        let what = "no column names a customer: each host becomes a customer of its own";
        joiner.joined.notes.push(Note { line: first.line, what: what.into() });
    }
    for row in &table.rows {
        joiner.row(row);
    }
    joiner.joined.hosts.iter_mut().for_each(Host::doubt);
    same_address(&mut joiner.joined, table.rows.first().map_or(0, |row| row.line));
    joiner.joined.notes.sort();
    joiner.joined
}

impl Joiner<'_> {
    fn get<'r>(&self, row: &'r Row, column: Column) -> Option<&'r str> {
        self.table.get(row, column)
    }

    fn note(&mut self, row: &Row, what: impl Into<String>) {
        self.joined.notes.push(Note { line: row.line, what: what.into() });
    }

    fn row(&mut self, row: &Row) {
        let of_host = !self.table.has(Column::Host);
        let named = [Column::Host]
            .into_iter()
            .chain(of_host.then_some([Column::Name, Column::Id]).into_iter().flatten())
            .chain([Column::Address])
            .find_map(|column| self.get(row, column));
        let Some(name) = named else {
            return self.note(row, "left out: it names no host");
        };
        let Some(host_id) = self.hosts.of(name, row.line, &mut self.joined.notes) else {
            return self.note(row, "left out: its host has no usable name");
        };
        let index = match self.joined.hosts.iter().position(|host| host.id == host_id) {
            Some(index) => index,
            None => match self.new_host(row, name, &host_id) {
                Some(index) => index,
                None => return,
            },
        };
        let Some(customer) = self.customer(row, &host_id) else { return };
        self.host(row, index, &customer);
        self.workload(row, index, &customer);
    }

    fn new_host(&mut self, row: &Row, name: &str, id: &str) -> Option<usize> {
        let address = self.get(row, Column::Address).unwrap_or(name);
        let Some(bare) = bare_address(address) else {
            let what = format!("host `{id}` is left out: `{address}` is no address");
            self.note(row, what);
            return None;
        };
        let address = bare.to_owned();
        self.joined.hosts.push(Host::new(id.to_owned(), address));
        Some(self.joined.hosts.len() - 1)
    }

    /// What the row says of its host as a whole.
    fn host(&mut self, row: &Row, index: usize, customer: &str) {
        let has_paths = self.get(row, Column::Paths).is_some();
        let port = self
            .get(row, Column::Port)
            .map(|text| text.parse::<u16>().map_err(|_| text.to_owned()));
        match port {
            Some(Ok(port)) if port > 0 => {
                let found = self.joined.hosts[index].port.replace(port);
                self.keep_first(row, index, "port", found, port, |host| &mut host.port);
            }
            Some(_) => self.note(row, "its port is none"),
            None => {}
        }
        if let Some(user) = self.get(row, Column::User).map(str::to_owned) {
            let found = self.joined.hosts[index].user.replace(user.clone());
            self.keep_first(row, index, "user", found, user, |host| &mut host.user);
        }
        if let Some(address) = self.get(row, Column::Address) {
            let bare = bare_address(address).unwrap_or(address).to_owned();
            let host = &self.joined.hosts[index];
            if !bare.eq_ignore_ascii_case(&host.address) {
                let what =
                    format!("host `{}` has the address {}, here {bare}", host.id, host.address);
                self.note(row, what);
            }
        }
        match self.get(row, Column::Untrusted).map(answer) {
            Some(Some(says)) => *self.joined.hosts[index].untrusted.get_or_insert(says) |= says,
            Some(None) => self.note(row, "whether it is untrusted is answered by yes or no"),
            None => {}
        }
        if !has_paths {
            match self.table.bytes(row) {
                Some(Ok(bytes)) => self.joined.hosts[index].bytes = Some(bytes),
                Some(Err(text)) => self.note(row, format!("the size `{text}` has no unit")),
                None => {}
            }
        }
        let host = &mut self.joined.hosts[index];
        if host.customer.is_empty() {
            customer.clone_into(&mut host.customer);
        } else if host.customer != customer && !has_paths {
            let what = format!(
                "host `{}` is `{}`'s, here `{customer}`'s, and no `paths` tell their data apart",
                host.id, host.customer
            );
            self.note(row, what);
        }
    }

    /// Puts back the value a host had before, and notes that the row says another.
    fn keep_first<T: PartialEq + std::fmt::Display>(
        &mut self,
        row: &Row,
        index: usize,
        what: &str,
        found: Option<T>,
        new: T,
        slot: fn(&mut Host) -> &mut Option<T>,
    ) {
        let Some(first) = found else { return };
        if first != new {
            let id = self.joined.hosts[index].id.clone();
            self.note(row, format!("host `{id}` has the {what} {first}, here {new}"));
        }
        *slot(&mut self.joined.hosts[index]) = Some(first);
    }

    fn customer(&mut self, row: &Row, host: &str) -> Option<String> {
        let number = self.get(row, Column::CustomerId);
        let name = self.get(row, Column::Customer);
        let key = number.or(name).unwrap_or(host).to_owned();
        let name = name.unwrap_or(&key).to_owned();
        let notes = &mut self.joined.notes;
        let id = self.customers.of(&key, row.line, notes);
        let id = id.or_else(|| self.customers.of(host, row.line, notes))?;
        let known = self.joined.customers.iter().position(|customer| customer.id == id);
        let index = known.unwrap_or_else(|| {
            self.joined.customers.push(Customer { id: id.clone(), name, ..Customer::default() });
            self.joined.customers.len() - 1
        });
        self.people(row, index);
        for (column, what, slot) in SCALARS {
            let Some(text) = self.get(row, column).map(str::to_owned) else { continue };
            let Some(value) = scalar(column, &text) else {
                self.note(row, format!("`{text}` is no {what}"));
                continue;
            };
            let first =
                slot(&mut self.joined.customers[index]).get_or_insert_with(|| value.clone());
            if *first != value {
                let what = format!("customer `{id}` has the {what} {first}, here {value}");
                self.note(row, what);
            }
        }
        Some(id)
    }

    fn people(&mut self, row: &Row, index: usize) {
        let split = |text: &str| {
            text.split([',', ';', ' ', '\n'])
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let contacts: Vec<_> = self.table.all(row, Column::Contact).flat_map(split).collect();
        let domains: Vec<_> = self.table.all(row, Column::Domain).flat_map(split).collect();
        let phones: Vec<_> = self
            .table
            .all(row, Column::Phone)
            .map(|text| {
                text.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect::<String>()
            })
            .filter(|phone| phone.len() > 2)
            .map(|phone| format!("tel:{phone}"))
            .collect();
        let status = self.get(row, Column::Status).map(str::to_lowercase);
        let suspended =
            status.is_some_and(|text| ["suspended", "yes", "true", "1"].contains(&&*text));
        let customer = &mut self.joined.customers[index];
        customer.contacts.extend(contacts);
        customer.contacts.extend(phones);
        customer.domains.extend(domains.into_iter().map(|domain| domain.to_lowercase()));
        customer.suspended |= suspended;
    }

    fn workload(&mut self, row: &Row, index: usize, customer: &str) {
        let Some(text) = self.get(row, Column::Paths) else { return };
        let exclude: Vec<_> = self.get(row, Column::Exclude).map(list).unwrap_or_default();
        let Ok(matcher) = matcher(&exclude) else {
            return self.note(row, "its paths are left out: `exclude` is no list of patterns");
        };
        let mut paths: Vec<TreePath> = Vec::new();
        for text in list(text) {
            match text.parse::<TreePath>() {
                Ok(path) if !leaves_out(&matcher, &path) => paths.push(path),
                Ok(path) => self.note(row, format!("`exclude` leaves out the path {path} itself")),
                Err(error) => self.note(row, error.to_string()),
            }
        }
        if paths.is_empty() {
            return self.note(row, "none of its paths is usable");
        }
        let of_workload = self.table.has(Column::Host);
        let name = self.get(row, Column::Workload).or_else(|| {
            of_workload
                .then(|| self.get(row, Column::Id).or_else(|| self.get(row, Column::Name)))?
        });
        let fallback = format!("{}-{customer}", self.joined.hosts[index].id);
        let wanted = name.and_then(slug).or_else(|| slug(&fallback)).unwrap_or_default();
        let id = self.workloads.free(&wanted);
        if id != wanted && name.is_some() {
            self.note(row, format!("the workload is called `{id}`, because `{wanted}` is taken"));
        }
        let class = self.get(row, Column::Class).map(str::to_lowercase);
        let known =
            class.as_ref().and_then(|text| Class::ALL.into_iter().find(|c| c.word() == text));
        if let (Some(text), None) = (&class, known) {
            self.note(row, format!("`{text}` is no class"));
        }
        let bytes = match self.table.bytes(row) {
            Some(Err(text)) => {
                self.note(row, format!("the size `{text}` has no unit"));
                None
            }
            found => found.and_then(Result::ok),
        };
        let label = self.get(row, Column::Label).or(name).map(str::to_owned);
        let customer = customer.to_owned();
        let workload = Workload { id, customer, label, class: known, bytes, paths, exclude };
        self.joined.hosts[index].workloads.push(workload);
    }
}

/// Tells of hosts that have one address.
pub(super) fn same_address(joined: &mut Joined, line: u64) {
    let mut seen: BTreeMap<(String, Option<u16>), &str> = BTreeMap::new();
    for host in &joined.hosts {
        if let Some(first) = seen.insert((host.address.to_lowercase(), host.port), &host.id) {
            let what =
                format!("hosts `{first}` and `{}` have one address: {}", host.id, host.address);
            joined.notes.push(Note { line, what });
        }
    }
}
