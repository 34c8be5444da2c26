//! What there is to evacuate: customers, hosts, workloads, and the settings of the site.
//!
//! **Reading.** [`read`] reads `evac.toml`, `inventory.toml` and `inventory.d/*.toml` and yields
//! everything that is usable, plus every [`Problem`] at once. An entry with an error is set aside
//! by name, with what cannot stand without it; the rest runs. `check` is strict: it prints the
//! problems and fails when one is an error.
//!
//! **Invariants of an [`Inventory`].** Ids are unique per kind. Every reference (customer, jump
//! host, uplink, resource, target) resolves. Every workload has an owner and at least one path.
//! A host that is captured has workloads: those written, or the split of [`default`], less those
//! set aside. Nothing here
//! opens anything but the files it was given, and no time is read.

pub mod alert;
mod check;
mod check_people;
mod check_settings;
mod check_trees;
pub mod checks;
pub mod contacts;
pub mod default;
pub mod document;
pub mod exclude;
pub(crate) mod fields;
pub mod import;
mod overlay;
mod parse;
pub mod problem;
mod reading;
mod rescue;
pub mod sample;
pub mod settings;
mod settings_parse;
pub mod settings_mail;
pub mod settings_page;
pub mod settings_publish;
pub mod ways;
pub mod what;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{
    Bytes, CustomerId, DiskKind, GroupId, HostId, Rate, ResourceId, TargetId, TierName, TreePath,
    WorkloadId,
};

pub use alert::Alert;
pub use checks::{Ask, Check, Checks};
pub use document::SourceFile;
pub use problem::{Entry, Problem, SetAside, Severity};
pub use reading::{
    INVENTORY_FILE, INVENTORY_FOLDER, Reading, SETTINGS_FILE, Unusable, read, read_files,
    read_from, read_settings, store_disks,
};
pub use rescue::{Access, Rescue};
pub use settings::{Resource, ResourceKind, Settings, StoreDisk, Window, tell_end};
pub use settings_page::Wording;
pub use ways::{ClientConfig, Ways};

/// Where an entry or a value was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// The file, relative to the site where it lies in it.
    pub file: Arc<str>,
    /// Line, from 1; 0 when the whole file is meant.
    pub line: u32,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// What a workload is; the order of the variants is the order of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Keys, configuration, grants, zones: small and irreplaceable.
    Identity,
    /// Databases and their dumps.
    Database,
    /// Mail stores and queues.
    Mail,
    /// Web roots and homes.
    Web,
    /// Everything else.
    Bulk,
}

impl Class {
    /// All of them, in order of work.
    pub const ALL: [Self; 5] = [Self::Identity, Self::Database, Self::Mail, Self::Web, Self::Bulk];

    /// The word as users write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Database => "database",
            Self::Mail => "mail",
            Self::Web => "web",
            Self::Bulk => "bulk",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Who may share chunks with whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dedup {
    /// Everybody: the fewest bytes over the uplink.
    #[default]
    Fleet,
    /// The workloads of one customer.
    Customer,
    /// The workloads of one host.
    Host,
}

/// A hold is stronger than any command; never named in public.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// None.
    #[default]
    None,
    /// An abuse complaint.
    Abuse,
    /// A legal matter.
    Legal,
    /// The customer asked for it.
    Customer,
}

/// How much of a host evac may use while it reads there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Impact {
    /// What helps.
    #[default]
    Full,
    /// What others leave: lowest priority, idle disks, one reader, half the cores.
    Gentle,
}

/// How a workload is captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkloadKind {
    /// File trees.
    #[default]
    Files,
}

/// Who owns data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// Its id.
    pub id: CustomerId,
    /// Its name, for colleagues; the id when none is written.
    pub name: String,
    /// Its tier; without one it weighs [`settings::DEFAULT_WEIGHT`].
    pub tier: Option<TierName>,
    /// A language tag such as `nl`; without one the site's first language.
    pub language: Option<String>,
    /// Mail addresses and `tel:` numbers.
    pub contacts: Vec<String>,
    /// Domains it runs here.
    pub domains: Vec<String>,
    /// How it may be counted in public.
    pub group: Option<GroupId>,
    /// Free marks, such as a billing number; `find` searches them.
    pub labels: BTreeMap<String, String>,
    /// Is it held back?
    pub hold: Hold,
    /// Suspended (arrears) at the source: comes back suspended. No hold.
    pub suspended: bool,
    /// Where it was written first.
    pub origin: Origin,
}

/// A source machine reachable by SSH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its id.
    pub id: HostId,
    /// Address or name to dial.
    pub address: String,
    /// SSH port.
    pub port: u16,
    /// Login; `None`: as in `[ssh]`.
    pub user: Option<String>,
    /// Private keys to try instead of those of `[ssh]`, as written; empty: those of `[ssh]`.
    pub identity: Vec<PathBuf>,
    /// The only key accepted from this host, as in `known_hosts` (`ssh-ed25519 AAAA…`) or as
    /// fingerprint (`SHA256:…`); `None`: the site's `known_hosts` decides.
    pub host_key: Option<String>,
    /// What else may let us in.
    pub ways: Ways,
    /// The host to go through.
    pub jump: Option<HostId>,
    /// The uplink it sends through.
    pub uplink: Option<ResourceId>,
    /// Further choke points it shares.
    pub uses: Vec<ResourceId>,
    /// What it can send, if known.
    pub rate: Option<Rate>,
    /// What its disk is, if somebody says so.
    pub disk: Option<DiskKind>,
    /// Owner of workloads that name none.
    pub customer: Option<CustomerId>,
    /// Has a customer root there? Then what others sent is believed of it with care only.
    pub untrusted: bool,
    /// Is anything taken from it? A jump host that stays is not captured.
    pub capture: bool,
    /// How much of it evac may use.
    pub impact: Impact,
    /// What answers there.
    pub access: Access,
    /// Where the machine is then.
    pub rescue: Rescue,
    /// Where its workloads go unless they say otherwise.
    pub target: Option<TargetId>,
    /// What is taken from it; never empty when `capture`.
    pub workloads: Vec<Workload>,
    /// Where it was written first.
    pub origin: Origin,
}

/// The unit of evacuation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// Its id.
    pub id: WorkloadId,
    /// The host it is on.
    pub host: HostId,
    /// Who owns it.
    pub customer: CustomerId,
    /// The customer's own name for it.
    pub label: Option<String>,
    /// How it is captured.
    pub kind: WorkloadKind,
    /// The trees it consists of; clean, absolute, none within another.
    pub paths: Vec<TreePath>,
    /// gitignore patterns over absolute source paths.
    pub exclude: Vec<String>,
    /// What it is.
    pub class: Class,
    /// Estimated size; a survey replaces it.
    pub bytes: Option<Bytes>,
    /// Addresses it has and will have.
    pub addresses: Vec<AddressChange>,
    /// Where it goes; already the host's where the workload names none.
    pub target: Option<TargetId>,
    /// The folder of the target beneath which it is restored.
    pub restore_root: Option<TreePath>,
    /// Paths that are uncovered on purpose.
    pub accept: Vec<Accept>,
    /// `recheck = "always"`: a further pass reads every file again, whatever its times say.
    pub rechecks: bool,
    /// What its new place must answer before it is switched on.
    pub checks: Checks,
    /// Made by [`default`]: paths that do not exist over there are not failures.
    pub is_default: bool,
    /// Where it was written; of a default workload, its host.
    pub origin: Origin,
}

/// An address before and after the move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressChange {
    /// At the source.
    pub old: Option<IpAddr>,
    /// At the target.
    pub new: Option<IpAddr>,
}

/// Data that nobody needs, and who says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accept {
    /// What is left behind, with all beneath it.
    pub path: TreePath,
    /// Why.
    pub reason: String,
}

/// A machine, or a pool of them, on the own racks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its id; a target written inside a host or workload carries that one's id.
    pub id: TargetId,
    /// Address or name to dial.
    pub address: String,
    /// SSH port.
    pub port: u16,
    /// Login; `None`: as in `[ssh]`.
    pub user: Option<String>,
    /// How much it can take, if known.
    pub capacity: Option<Bytes>,
    /// Where it was written.
    pub origin: Origin,
}

/// Everything there is to evacuate.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inventory {
    /// Customers in the order they were first written.
    pub customers: Vec<Customer>,
    /// Hosts in the order they were first written.
    pub hosts: Vec<Host>,
    /// Targets of the settings, then those written inside hosts and workloads.
    pub targets: Vec<Target>,
}

impl Inventory {
    /// The customer of this id.
    pub fn customer(&self, id: &CustomerId) -> Option<&Customer> {
        self.customers.iter().find(|customer| customer.id == *id)
    }
    /// The host of this id.
    pub fn host(&self, id: &HostId) -> Option<&Host> {
        self.hosts.iter().find(|host| host.id == *id)
    }
    /// The target of this id.
    pub fn target(&self, id: &TargetId) -> Option<&Target> {
        self.targets.iter().find(|target| target.id == *id)
    }
    /// The workload of this id.
    pub fn workload(&self, id: &WorkloadId) -> Option<&Workload> {
        self.workloads().find(|workload| workload.id == *id)
    }
    /// All workloads, host by host.
    pub fn workloads(&self) -> impl Iterator<Item = &Workload> {
        self.hosts.iter().flat_map(|host| &host.workloads)
    }
    /// The workloads of one customer.
    pub fn workloads_of<'a>(&'a self, id: &'a CustomerId) -> impl Iterator<Item = &'a Workload> {
        self.workloads().filter(move |workload| workload.customer == *id)
    }
}
