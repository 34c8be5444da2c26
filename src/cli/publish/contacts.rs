//! `evac publish mail contacts`: whose mail goes to a machine that is being moved, by what the DNS
//! says now.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _, UdpSocket};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::cli::failure::{Exit, Failure};
use crate::cli::print;
use crate::cli::site::{Global, Loaded};
use crate::inventory::Inventory;
use crate::inventory::contacts::{evacuated, is_beneath};
use crate::ledger::snapshot::SCHEMA;
use crate::model::CustomerId;
use crate::publish::mail::mx::{question, servers};

const RESOLVERS: &str = "/etc/resolv.conf";
const WITHIN: Duration = Duration::from_secs(3);
const THREADS: usize = 32;
const ANSWER_BYTES_MAX: usize = 4_096;

/// What is known of a domain's mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goes {
    /// To machines that are being moved, and to no other.
    Here,
    /// Elsewhere, at least a part.
    Elsewhere,
    /// Nobody could be asked.
    Unknown,
}

#[derive(Serialize)]
struct Document {
    schema: u32,
    cut_off: Vec<CutOff>,
    unknown: Vec<String>,
}

/// A customer whose contacts all end on a machine that is being moved.
#[derive(Serialize)]
struct CutOff {
    customer: CustomerId,
    contacts: Vec<String>,
}

/// Asks for every domain of a contact, and lists who is cut off.
pub fn run(global: &Global, loaded: &Loaded) -> Result<Exit, Failure> {
    let inventory = &loaded.inventory;
    let domain = |contact: &str| Some(contact.rsplit_once('@')?.1.to_ascii_lowercase());
    let contacts = inventory.customers.iter().flat_map(|customer| &customer.contacts);
    let domains: BTreeSet<_> = contacts.filter_map(|contact| domain(contact)).collect();
    let known = ask(domains, &moved(inventory))?;
    let names = evacuated(inventory);
    let is_here = |contact: &String| match domain(contact).and_then(|it| known.get(&it)) {
        Some(Goes::Here) => true,
        Some(Goes::Elsewhere) | None => false,
        // Then the name has to do.
        Some(Goes::Unknown) => is_beneath(contact, &names),
    };
    let cut_off = inventory
        .customers
        .iter()
        .filter(|customer| !customer.contacts.is_empty() && customer.contacts.iter().all(is_here));
    let cut_off: Vec<_> = cut_off
        .map(|it| CutOff { customer: it.id.clone(), contacts: it.contacts.clone() })
        .collect();
    let unknown = known.iter().filter(|(_, goes)| **goes == Goes::Unknown);
    let unknown: Vec<_> = unknown.map(|(domain, _)| domain.clone()).collect();
    if global.json {
        print::document(&Document { schema: SCHEMA, cut_off, unknown })?;
        return Ok(Exit::Done);
    }
    for CutOff { customer, contacts } in &cut_off {
        print::result(&format!("{customer} {}\n", contacts.join(" ")))?;
    }
    let count = print::counted(cut_off.len(), "customer");
    print::tell(&format!("{count} can be told only on what is being moved itself."));
    if !unknown.is_empty() {
        let count = print::counted(unknown.len(), "domain");
        print::tell(&format!("{count} could not be asked for; there the name decided."));
    }
    Ok(Exit::Done)
}

/// Addresses of what is being moved, as it was and where it goes: mail is off at both for a while.
fn moved(inventory: &Inventory) -> BTreeSet<IpAddr> {
    let hosts = inventory.hosts.iter().filter_map(|host| host.address.parse().ok());
    let changes = inventory.workloads().flat_map(|workload| &workload.addresses);
    hosts.chain(changes.flat_map(|change| change.old.into_iter().chain(change.new))).collect()
}

fn ask(
    domains: BTreeSet<String>,
    moved: &BTreeSet<IpAddr>,
) -> Result<BTreeMap<String, Goes>, Failure> {
    let path = std::path::Path::new(RESOLVERS);
    let text = std::fs::read_to_string(path).map_err(|error| Failure::io("read", path, &error))?;
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    let resolvers: Vec<SocketAddr> =
        lines.filter_map(|it| Some(SocketAddr::new(it.trim().parse().ok()?, 53))).collect();
    let count = THREADS.min(domains.len());
    let (queue, known) = (Mutex::new(domains), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..count {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_first();
                    let Some(domain) = next else { return };
                    let goes = goes(&domain, &resolvers, moved);
                    known.lock().unwrap_or_else(PoisonError::into_inner).insert(domain, goes);
                }
            });
        }
    });
    Ok(known.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn goes(domain: &str, resolvers: &[SocketAddr], moved: &BTreeSet<IpAddr>) -> Goes {
    let found = resolvers.iter().find_map(|resolver| asked(domain, *resolver));
    let Some(mut servers) = found else { return Goes::Unknown };
    if servers.is_empty() {
        // Without mail servers of its own a domain is one itself.
        servers.insert(domain.to_owned());
    }
    let addresses =
        servers.iter().filter_map(|name| (format!("{name}."), 25).to_socket_addrs().ok());
    let addresses: Vec<IpAddr> = addresses.flatten().map(|it| it.ip()).collect();
    match addresses.as_slice() {
        [] => Goes::Unknown,
        some if some.iter().all(|address| moved.contains(address)) => Goes::Here,
        _ => Goes::Elsewhere,
    }
}

fn asked(domain: &str, resolver: SocketAddr) -> Option<BTreeSet<String>> {
    let mut id = [0_u8; 2];
    getrandom::fill(&mut id).ok()?;
    let id = u16::from_be_bytes(id);
    let here = if resolver.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(here).ok()?;
    socket.set_read_timeout(Some(WITHIN)).ok()?;
    // Only its answers are heard then.
    socket.connect(resolver).ok()?;
    socket.send(&question(id, domain)?).ok()?;
    let mut bytes = [0_u8; ANSWER_BYTES_MAX];
    let length = socket.recv(&mut bytes).ok()?;
    servers(id, &bytes[..length])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolver_is_asked_and_a_stranger_is_not_heard() {
        let resolver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let place = resolver.local_addr().unwrap();
        let answers = std::thread::spawn(move || {
            let mut bytes = [0_u8; 512];
            let (length, asker) = resolver.recv_from(&mut bytes).unwrap();
            let mut answer = bytes[..length].to_vec();
            answer[2] |= 0x80;
            answer[7] = 1;
            answer
                .extend(b"\xc0\x0c\x00\x0f\x00\x01\x00\x00\x00\x3c\x00\x07\x00\x0a\x02mx\xc0\x0c");
            let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
            stranger.send_to(&[0; 12], asker).unwrap();
            resolver.send_to(&answer, asker).unwrap();
        });
        let found = asked("acme.example", place).unwrap();
        answers.join().unwrap();
        assert_eq!(Vec::from_iter(found), ["mx.acme.example"]);
    }
}
