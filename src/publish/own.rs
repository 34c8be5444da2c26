//! Each customer's own page, at an address that only he is told: his services by his own names,
//! where each stands, from when its data is, its new address, and what he has to do himself.
//!
//! **Promises.** A page has nothing of any other customer, and no id of ours. Who is held back
//! reads what everybody reads who needs attention, byte for byte. Nobody is asked to change
//! anything before his service is online in its new place. Pages are at `c/TOKEN/`; web servers are
//! asked to keep them out of searches, and the pages say so themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::inventory::{Ask, Inventory, Workload};
use crate::ledger::snapshot::{CustomerStatus, Hold};
use crate::model::text::bounded;
use crate::model::{CustomerId, PublicWord, Timestamp, WorkloadId};
use crate::publish::token::Token;
use crate::publish::{Language, PublishError, StatusPage, own_view};

/// Folder of all of them.
pub const FOLDER: &str = "c/";
/// Name of each page in a folder of its own.
pub const PAGE: &str = "index.html";
/// Longest label, domain and key that is shown.
const MAX_CHARS: usize = 120;
/// Domains of one customer that are asked for, and shown.
const DOMAINS_MAX: usize = 50;

/// Is that path, beneath the folder of the page, a secret?
pub fn is_secret(path: &str) -> bool {
    path.strip_prefix(FOLDER).is_some_and(|rest| rest != PAGE)
}

/// What a resolver said of names; nothing where it could not be asked.
pub type Answers = BTreeMap<String, Option<Vec<IpAddr>>>;

/// One customer's page.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnPage {
    /// Where it is.
    pub token: Token,
    /// The customer's language.
    pub language: Language,
    /// Where he stands.
    pub standing: Standing,
}

/// Where a customer stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// Nothing of him is listed.
    Nothing,
    /// A colleague is on it; no more is said.
    Attention,
    /// As his services are.
    Services { services: Vec<Service>, steps: Vec<Step> },
}

/// A service.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// The customer's own name for it.
    pub label: Option<String>,
    /// Where it stands.
    pub word: PublicWord,
    /// From when its newest whole copy is.
    pub data_of: Option<Timestamp>,
    /// Old and new addresses that differ.
    pub addresses: Vec<(IpAddr, IpAddr)>,
}

/// Something that only the customer can do, or has done.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// His DNS shows where the service was.
    DnsOld { domain: String, old: IpAddr, new: IpAddr },
    /// His DNS shows where it is.
    DnsDone { domain: String },
    /// His DNS shows something else.
    DnsElsewhere { domain: String, new: IpAddr },
    /// Nobody could be asked.
    DnsUnknown { domain: String, new: IpAddr },
    /// The new place has another SSH key.
    Key { address: String, key: String },
}

/// Names whose DNS decides what this customer has to do next; none before anything of him is
/// online at a new address.
pub fn questions(customer: &CustomerStatus, inventory: &Inventory) -> Vec<String> {
    let own: BTreeMap<_, _> = workloads(&customer.id, inventory).collect();
    if is_closed(customer) || moved(customer, &own).is_empty() {
        return Vec::new();
    }
    domains(&customer.id, inventory)
}

/// The page of `customer`.
pub fn own_page(
    customer: &CustomerStatus,
    inventory: &Inventory,
    answers: &Answers,
    token: Token,
    first: Language,
) -> OwnPage {
    let entry = inventory.customer(&customer.id);
    let language = entry.and_then(|entry| entry.language.as_ref()?.parse().ok()).unwrap_or(first);
    let standing = if is_closed(customer) {
        Standing::Attention
    } else if customer.workloads.is_empty() {
        Standing::Nothing
    } else {
        let (services, steps) = services(customer, inventory, answers);
        Standing::Services { services, steps }
    };
    OwnPage { token, language, standing }
}

/// Says no more than that a colleague is on it: a hold must look like any other trouble.
fn is_closed(customer: &CustomerStatus) -> bool {
    customer.hold != Hold::None || customer.state == PublicWord::NeedsAttention
}

/// His services, and what he has to do himself. Not for those who are held back.
pub(super) fn services(
    customer: &CustomerStatus,
    inventory: &Inventory,
    answers: &Answers,
) -> (Vec<Service>, Vec<Step>) {
    let own: BTreeMap<_, _> = workloads(&customer.id, inventory).collect();
    let services = customer.workloads.iter().map(|status| Service {
        label: status.label.as_ref().map(|label| bounded(label, MAX_CHARS)),
        word: status.state,
        data_of: status.capture.sealed_at,
        addresses: own.get(&status.id).map(|workload| changes(workload)).unwrap_or_default(),
    });
    let moved = moved(customer, &own);
    let mut steps = Vec::new();
    if let Some((_, fallback)) = moved.first() {
        for domain in domains(&customer.id, inventory) {
            let answer = answers.get(&domain).and_then(Option::as_deref);
            let domain = bounded(&domain, MAX_CHARS);
            steps.push(dns_step(domain, answer, &moved, *fallback));
        }
    }
    steps.extend(keys(customer, &own));
    (services.collect(), steps)
}

fn dns_step(
    domain: String,
    answer: Option<&[IpAddr]>,
    moved: &[(IpAddr, IpAddr)],
    new: IpAddr,
) -> Step {
    let Some(seen) = answer else { return Step::DnsUnknown { domain, new } };
    if let Some((old, new)) = moved.iter().find(|(old, _)| seen.contains(old)) {
        return Step::DnsOld { domain, old: *old, new: *new };
    }
    if moved.iter().any(|(_, new)| seen.contains(new)) {
        return Step::DnsDone { domain };
    }
    Step::DnsElsewhere { domain, new }
}

/// SSH keys that whoever logs in must compare.
fn keys(customer: &CustomerStatus, own: &BTreeMap<&WorkloadId, &Workload>) -> BTreeSet<Step> {
    let online = customer.workloads.iter().filter(|status| status.state == PublicWord::Online);
    let checks = online.filter_map(|status| own.get(&status.id)).flat_map(|w| &w.checks.list);
    checks
        .filter_map(|check| match &check.ask {
            Ask::Ssh { address, host_key: Some(key), .. } => Some(Step::Key {
                address: bounded(address, MAX_CHARS),
                key: bounded(key, MAX_CHARS),
            }),
            _ => None,
        })
        .collect()
}

fn workloads<'a>(
    id: &'a CustomerId,
    inventory: &'a Inventory,
) -> impl Iterator<Item = (&'a WorkloadId, &'a Workload)> {
    inventory.workloads_of(id).map(|workload| (&workload.id, workload))
}

/// Addresses of what is online that are not what they were.
fn moved(
    customer: &CustomerStatus,
    own: &BTreeMap<&WorkloadId, &Workload>,
) -> Vec<(IpAddr, IpAddr)> {
    let online = customer.workloads.iter().filter(|status| status.state == PublicWord::Online);
    online.filter_map(|status| own.get(&status.id)).flat_map(|workload| changes(workload)).collect()
}

fn changes(workload: &Workload) -> Vec<(IpAddr, IpAddr)> {
    let pairs = workload.addresses.iter().filter_map(|change| change.old.zip(change.new));
    pairs.filter(|(old, new)| old != new).collect()
}

fn domains(id: &CustomerId, inventory: &Inventory) -> Vec<String> {
    let entry = inventory.customer(id);
    entry.map(|entry| entry.domains.iter().take(DOMAINS_MAX).cloned().collect()).unwrap_or_default()
}

/// Puts the pages, and what keeps strangers out of their folder, into `files`.
pub(super) fn render(
    page: &StatusPage,
    own: &[OwnPage],
    files: &mut BTreeMap<String, Vec<u8>>,
) -> Result<(), PublishError> {
    let robots = format!("User-agent: *\nDisallow: /{FOLDER}\n");
    files.insert("robots.txt".to_owned(), robots.into_bytes());
    own_view::render(page, own, files)
}
