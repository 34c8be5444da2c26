//! From files to what can be worked with: read, check, set aside.
//!
//! **Setting aside.** An entry with an error goes, and with it what cannot stand without it: a
//! host's workloads, a customer's workloads, hosts that are reached through it. Every one is named
//! with the reason. A mistake in a target costs the entry its target and nothing else: it is
//! captured, and `restore` refuses it. One in a tier costs the customer its tier.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::Path;

use crate::inventory::document::{FILE_BYTES_MAX, SourceFile};
use crate::inventory::overlay::{Overlay, Places};
use crate::inventory::settings::StoreDisk;
use crate::inventory::{
    Entry, Host, Inventory, Origin, Problem, SetAside, Settings, check, check_settings, parse,
    settings_parse,
};
use crate::model::CustomerId;

/// Name of the file of settings.
pub const SETTINGS_FILE: &str = "evac.toml";
/// Name of the inventory that people write.
pub const INVENTORY_FILE: &str = "inventory.toml";
/// Folder of further inventory files, read in name order after [`INVENTORY_FILE`].
pub const INVENTORY_FOLDER: &str = "inventory.d";

const NO_HOST: &str = "no host is written down";

/// What a site's files say.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The settings; only to be used when [`Reading::settings_ok`].
    pub settings: Settings,
    /// Whatever is usable.
    pub inventory: Inventory,
    /// Every mistake, in the order of files and lines.
    pub problems: Vec<Problem>,
    /// What the rest runs without.
    pub set_aside: Vec<SetAside>,
    /// The first error in the settings.
    settings_error: Option<Problem>,
}

/// Why nothing can be done with a site.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// The settings have mistakes; they concern everything, so nothing is guessed.
    #[error("the settings have mistakes: {first}")]
    Settings {
        /// The first of them; [`Reading::problems`] has all.
        first: Box<Problem>,
    },
    /// Zero hosts is never "nothing to do".
    #[error("the inventory holds no usable host{}", after_colon(first.as_deref()))]
    NoHosts {
        /// The first mistake in it, if it has any.
        first: Option<Box<Problem>>,
    },
}

fn after_colon(first: Option<&Problem>) -> String {
    first.map_or_else(String::new, |first| format!(": {first}"))
}

/// Reads all files of the folder `site`. Never fails: whatever is wrong is among the problems.
pub fn read(site: &Path) -> Reading {
    let mut settings = file(site, SETTINGS_FILE);
    if settings.is_none() {
        let why = "there is none here; `evac init` writes one, `--site` names another folder";
        settings = Some(SourceFile { name: SETTINGS_FILE.into(), text: Err(why.to_owned()) });
    }
    let mut files: Vec<_> = file(site, INVENTORY_FILE).into_iter().collect();
    match names(&site.join(INVENTORY_FOLDER)) {
        Ok(names) => {
            let names = names.iter().map(|name| format!("{INVENTORY_FOLDER}/{name}"));
            files.extend(names.filter_map(|name| file(site, &name)));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => files.push(unreadable(INVENTORY_FOLDER, &error)),
    }
    read_files(&settings.expect("it was put there"), &files)
}

/// The disks of the store that the settings of `site` name, as far as they can be read.
pub fn store_disks(site: &Path) -> Vec<StoreDisk> {
    read_settings(site).map(|settings| settings.disks).unwrap_or_default()
}

/// The settings of `site` alone, as far as they can be read.
pub fn read_settings(site: &Path) -> Option<Settings> {
    settings_parse::settings(&file(site, SETTINGS_FILE)?, &mut Vec::new())
}

/// Names of all files and folders that [`read`] looks at, whether they are there or not.
pub fn read_from(site: &Path) -> Vec<String> {
    let fixed = [SETTINGS_FILE, INVENTORY_FILE, INVENTORY_FOLDER].map(str::to_owned);
    let found = names(&site.join(INVENTORY_FOLDER)).unwrap_or_default();
    let found = found.into_iter().map(|name| format!("{INVENTORY_FOLDER}/{name}"));
    fixed.into_iter().chain(found).collect()
}

/// The inventory files of a folder, in name order.
fn names(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for item in std::fs::read_dir(folder)? {
        let name = item?.file_name();
        let is_toml = Path::new(&name).extension().is_some_and(|kind| kind == "toml");
        // Editors keep half-written copies under hidden names.
        if is_toml && !name.as_encoded_bytes().starts_with(b".") {
            let odd = || std::io::Error::other("one of its files has a name that is not UTF-8");
            names.push(name.into_string().map_err(|_| odd())?);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// `None` when there is no such file; one that cannot be read is a problem, never nothing.
fn file(site: &Path, name: &str) -> Option<SourceFile> {
    let path = site.join(name);
    let read = || match std::fs::metadata(&path)?.len() {
        len if len > FILE_BYTES_MAX => Err(std::io::Error::other("it is larger than 32 MiB")),
        _ => std::fs::read_to_string(&path),
    };
    match read() {
        Ok(text) => Some(SourceFile::new(name, text)),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => Some(unreadable(name, &error)),
    }
}

fn unreadable(name: &str, error: &std::io::Error) -> SourceFile {
    SourceFile { name: name.into(), text: Err(format!("cannot read it: {error}")) }
}

/// The pure part of [`read`]: texts in, everything they say out.
pub fn read_files(settings: &SourceFile, files: &[SourceFile]) -> Reading {
    let mut problems = Vec::new();
    let parsed = settings_parse::settings(settings, &mut problems);
    problems.extend(parsed.as_ref().map(check_settings::settings).unwrap_or_default());
    // What is missing is so because another word was meant, more often than not.
    let errors = || problems.iter().filter(|problem| problem.is_error());
    let slip = errors().find(|problem| problem.hint.starts_with("Did you mean"));
    let settings_error = slip.or_else(|| errors().next()).cloned();
    let known = parsed.is_some();
    let settings = parsed.unwrap_or_else(|| Settings::named(""));
    let overlay = Overlay::of(files, &mut problems);
    let places = overlay.places();
    let draft = parse::inventory(&overlay, &settings.targets, &mut problems);
    if known {
        // Without settings every reference to them would be called unknown.
        problems.extend(check::inventory(&draft, &settings, &places));
    }
    let (mut inventory, set_aside) = set_aside(draft, &places, &problems);
    take_targets(&mut inventory, &problems);
    if overlay.hosts.is_empty() {
        let origin = Origin { file: INVENTORY_FILE.into(), line: 0 };
        let hint = "List hosts there, or `evac import` them.";
        problems.push(Problem::error(&origin, NO_HOST).hint(hint));
    }
    problems.extend(check_settings::components(&settings, &inventory));
    problems.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    problems.dedup();
    Reading { settings, inventory, problems, set_aside, settings_error }
}

impl Reading {
    /// Is there no error at all? This is what `check` answers.
    pub fn is_ok(&self) -> bool {
        !self.problems.iter().any(Problem::is_error)
    }
    /// Can the settings be used, whatever the inventory is like?
    pub fn settings_ok(&self) -> bool {
        self.settings_error.is_none()
    }
    /// Can work be done? Entries that were set aside do not prevent it.
    pub fn usable(&self) -> Result<(), Unusable> {
        if let Some(first) = &self.settings_error {
            return Err(Unusable::Settings { first: Box::new(first.clone()) });
        }
        if !self.inventory.hosts.is_empty() {
            return Ok(());
        }
        let mut errors = self.problems.iter().filter(|problem| problem.is_error());
        let first = errors.find(|problem| problem.what != NO_HOST);
        Err(Unusable::NoHosts { first: first.cloned().map(Box::new) })
    }
}

/// Entries set aside so far, with the first reason of each.
type Aside = BTreeMap<Entry, SetAside>;

fn add(aside: &mut Aside, entry: Entry, origin: Origin, why: String) {
    aside.entry(entry.clone()).or_insert(SetAside { entry, origin, why });
}

/// Takes out of `draft` what has an error, and what cannot stand without it.
fn set_aside(
    mut draft: Inventory,
    places: &Places,
    problems: &[Problem],
) -> (Inventory, Vec<SetAside>) {
    let mut aside = Aside::new();
    for problem in problems.iter().filter(|problem| problem.is_error()) {
        if let Some(entry) = &problem.entry {
            add(&mut aside, entry.clone(), places.of(entry), problem.to_string());
        }
    }
    unreachable_hosts(&draft, &mut aside);
    draft.hosts.retain(|host| !aside.contains_key(&Entry::Host(host.id.to_string())));
    for host in &mut draft.hosts {
        orphaned_workloads(host, &mut aside);
    }
    let is_good = |id: &CustomerId| !aside.contains_key(&Entry::Customer(id.to_string()));
    draft.customers.retain(|customer| is_good(&customer.id));
    (draft, aside.into_values().collect())
}

/// Takes away the targets that are written with a mistake; none is guessed in their place.
fn take_targets(inventory: &mut Inventory, problems: &[Problem]) {
    let homeless: BTreeSet<&Entry> =
        problems.iter().filter_map(|problem| problem.homeless.as_ref()).collect();
    let is_bad = |entry| homeless.contains(&entry);
    for host in &mut inventory.hosts {
        let inherited =
            if is_bad(Entry::Host(host.id.to_string())) { host.target.take() } else { None };
        for workload in &mut host.workloads {
            let inherits = inherited.is_some() && workload.target == inherited;
            if inherits || is_bad(Entry::Workload(workload.id.to_string())) {
                workload.target = None;
            }
        }
    }
}

/// Hosts whose way in leads through one that is set aside, however long the way.
fn unreachable_hosts(draft: &Inventory, aside: &mut Aside) {
    loop {
        let cut_off = draft.hosts.iter().find_map(|host| {
            let entry = Entry::Host(host.id.to_string());
            let jump = Entry::Host(host.jump.as_ref()?.to_string());
            let is_new = aside.contains_key(&jump) && !aside.contains_key(&entry);
            is_new
                .then(|| (entry, host.origin.clone(), format!("{jump}, its way in, is set aside")))
        });
        let Some((entry, origin, why)) = cut_off else { break };
        add(aside, entry, origin, why);
    }
}

/// Workloads whose owner is set aside, and those with mistakes of their own.
fn orphaned_workloads(host: &mut Host, aside: &mut Aside) {
    let is_bad =
        |aside: &Aside, id: &CustomerId| aside.contains_key(&Entry::Customer(id.to_string()));
    for workload in &host.workloads {
        if is_bad(aside, &workload.customer) {
            let why = format!("customer/{}, its owner, is set aside", workload.customer);
            let entry = Entry::Workload(workload.id.to_string());
            add(aside, entry, workload.origin.clone(), why);
        }
    }
    host.customer = host.customer.take().filter(|customer| !is_bad(aside, customer));
    host.workloads.retain(|w| !aside.contains_key(&Entry::Workload(w.id.to_string())));
}
