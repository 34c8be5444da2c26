//! Look-up files: what goes in comes out, nothing that was cut or changed does, and nothing that is
//! not for the phone goes in.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;
use crate::inventory::{SourceFile, read_files};
use crate::ledger::snapshot::{CustomerStatus, Hold};
use crate::ledger::view::{CustomerView, HostView, WorkloadView};
use crate::ledger::{Ledger, Snapshot};
use crate::model::{Event, PublicWord, Reason};

const INVENTORY: &str = r#"
[[customer]]
id = "acme"
name = "Acme BV"
tier = "gold"
contacts = ["ops@secret-office.example", "tel:+31201234567"]
domains = ["acme.example"]
labels = { whmcs = "8812" }
[[customer]]
id = "bolt"
hold = "abuse"
[[customer]]
id = "cato"
[[host]]
id = "shared-1"
address = "203.0.113.1"
customer = "bolt"
password_command = ["pass", "show", "topsecret"]
[[host.workload]]
id = "acme-site"
customer = "acme"
paths = ["/a"]
bytes = "5GB"
label = "shop.acme.example"
[[host.workload]]
id = "bolt-site"
paths = ["/b"]
bytes = "5GB"
accept = [{ path = "/c", reason = "old" }]
[[host]]
id = "vps-2"
address = "203.0.113.2"
customer = "cato"
workload = [{ id = "cato-site", paths = ["/c"], bytes = "5GB" }]
"#;

fn now() -> Timestamp {
    Timestamp::from_second(1_900_000_000)
}

fn inventory() -> Inventory {
    let settings = SourceFile::new("evac.toml", "[site]\nname = \"x\"\n[tiers]\ngold = 10\n");
    read_files(&settings, &[SourceFile::new("inventory.toml", INVENTORY)]).inventory
}

fn view() -> FleetView {
    let inventory = inventory();
    let customer = |it: &Customer| CustomerView {
        id: it.id.clone(),
        name: it.name.clone(),
        tier: it.tier.clone(),
        group: it.group.clone(),
        hold: it.hold,
        labels: it.labels.clone(),
        domains: it.domains.clone(),
        contacts: it.contacts.clone(),
    };
    let workload = |it: &crate::inventory::Workload| WorkloadView {
        id: it.id.clone(),
        customer: it.customer.clone(),
        label: it.label.clone(),
        target: None,
        estimate: it.bytes,
        addresses: Vec::new(),
    };
    FleetView {
        customers: inventory.customers.iter().map(customer).collect(),
        hosts: (inventory.hosts.iter())
            .map(|host| HostView {
                id: host.id.clone(),
                address: host.address.clone(),
                uncovered: false,
                workloads: host.workloads.iter().map(workload).collect(),
            })
            .collect(),
        ..FleetView::default()
    }
}

fn about(content: Content) -> About {
    About {
        made_at: now(),
        site: "Example Hosting".into(),
        timezone: "Europe/Amsterdam".into(),
        languages: vec!["en".into(), "nl".into()],
        content,
        colleague: Some("Kim".into()),
    }
}

fn live() -> (Lookup, Vec<u8>) {
    let content = Content::Live {
        sources: Vec::new(),
        looked_at_ms: 0,
        warnings: Vec::new(),
        surveyed: (0, 0),
    };
    Lookup::of(about(content), &inventory(), &view()).unwrap()
}

/// As a night leaves it in which `cato` failed and everything else went well.
fn snapshot() -> Snapshot {
    let ledger = Ledger::in_memory().unwrap();
    let failed = Event::CaptureFailed {
        workload: "cato-site".parse().unwrap(),
        reason: Reason::SourceError,
        detail: "disk".into(),
    };
    ledger.append(&failed, "jo").unwrap();
    ledger.snapshot(&view(), now()).unwrap()
}

fn frozen() -> (Lookup, Vec<u8>) {
    let note = Told { at: now(), by: "jo".into(), what: "customer/acme".into(), text: "hi".into() };
    let notes = BTreeMap::from([("acme".parse().unwrap(), vec![note])]);
    freeze(about(Content::Frozen), &view(), &snapshot(), &notes).unwrap()
}

/// `bytes` as a file in `folder`.
fn file(folder: &tempfile::TempDir, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join("lookup");
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn what_was_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (_, bytes) = live();
    let lookup = Lookup::open(&file(&folder, &bytes)).unwrap().unwrap();
    assert_eq!(lookup.customers(), 3);
    let hits = lookup.search("shop.acme.example").best;
    assert_eq!(hits[0].customer, 0);
    let found = lookup.inventory(hits.iter().map(|hit| hit.customer).take(1)).unwrap();
    let all = inventory();
    let same = Customer { origin: all.customers[0].origin.clone(), ..found.customers[0].clone() };
    assert_eq!(same, all.customers[0]);
    let ids: Vec<_> = found.hosts.iter().map(|host| host.id.as_str()).collect();
    assert_eq!(ids, ["shared-1"], "whatever something of his is on, and no other");
    assert_eq!(found.hosts[0].workloads.len(), 2, "whole: others may cover what he does not");
    assert_eq!(found.hosts[0].workloads[1].accept, all.hosts[0].workloads[1].accept);
    assert_eq!(lookup.sizes().unwrap().len(), 3);
    let place = |id: &str| lookup.place(&id.parse().unwrap()).unwrap();
    assert_eq!((place("acme"), place("bolt"), place("cato")), (Some(0), Some(1), Some(2)));
    assert_eq!((place("ac.me"), place("acme-site"), place("shared-1")), (None, None, None));
}

#[test]
fn a_few_stand_where_a_look_at_all_sees_them() {
    let ledger = Ledger::in_memory().unwrap();
    for workload in ["cato-site", "acme-site"] {
        let (workload, reason) = (workload.parse().unwrap(), Reason::SourceError);
        let failed = Event::CaptureFailed { workload, reason, detail: "disk".into() };
        ledger.append(&failed, "jo").unwrap();
    }
    let (lookup, _) = live();
    let mut few = view();
    few.running = true;
    let all = ledger.snapshot(&few, now()).unwrap();
    few.customers.retain(|customer| customer.id.as_str() == "cato");
    few.hosts.remove(0);
    let found = ledger.snapshot_of(&few, &lookup.sizes().unwrap(), now()).unwrap();
    assert_eq!(found.customers, all.customers[2..]);
}

#[test]
fn nothing_that_was_cut_or_changed_is_believed() {
    let folder = tempfile::tempdir().unwrap();
    let (_, bytes) = live();
    let is_whole = |bytes: &[u8]| {
        let Ok(Some(lookup)) = Lookup::open(&file(&folder, bytes)) else { return false };
        lookup.inventory(0..3).is_ok() && lookup.sizes().is_ok()
    };
    assert!(is_whole(&bytes));
    for at in (0..bytes.len()).filter(|at| !(12..16).contains(at)) {
        let mut changed = bytes.clone();
        changed[at] ^= 0x40;
        assert!(!is_whole(&changed), "byte {at}");
    }
    for length in 0..bytes.len() {
        assert!(!is_whole(&bytes[..length]), "{length} bytes");
    }
    let mut newer = bytes;
    newer[8] = 2;
    let refused = Lookup::open(&file(&folder, &newer)).unwrap_err();
    assert!(matches!(refused, Refused::Newer { found: 2, .. }), "{refused}");
    let refused = Lookup::open(&file(&folder, &[b'x'; 100])).unwrap_err();
    assert!(matches!(refused, Refused::Foreign { .. }), "{refused}");
}

#[test]
fn nothing_that_is_not_for_the_phone_leaves_the_site() {
    let has = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|it| it == text.as_bytes());
    let ((lookup, frozen), (_, live)) = (frozen(), live());
    assert!(has(&frozen, "8812") && has(&live, "secret-office"));
    for secret in ["secret-office", "31201234567", "topsecret", "abuse", "source_error", "disk"] {
        assert!(!has(&frozen, secret), "{secret}");
    }
    assert!(!has(&live, "topsecret"));
    assert!(lookup.frozen(0).unwrap().has_contact && !lookup.frozen(1).unwrap().has_contact);
    assert_eq!(lookup.frozen(0).unwrap().notes.len(), 1);
    assert!(lookup.search("020 1234567").best.is_empty(), "nobody is found by a contact");
}

#[test]
fn whoever_is_held_looks_like_whoever_failed() {
    let (lookup, _) = frozen();
    let bare = |place: usize| {
        let mut status: CustomerStatus = lookup.frozen(place).unwrap().status;
        status.id = "x".parse().unwrap();
        status.name = String::new();
        for workload in &mut status.workloads {
            workload.id = "x".parse().unwrap();
            workload.host = "x".parse().unwrap();
        }
        status
    };
    assert_eq!(bare(1), bare(2));
    assert_eq!((bare(1).state, bare(1).hold), (PublicWord::NeedsAttention, Hold::None));
    assert_eq!(bare(0).state, PublicWord::Queued);
}

/// A file of version 1, as `evac snapshot` wrote it: every later evac reads the same.
#[test]
fn the_first_snapshot_is_still_read() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/formats/v1/lookup");
    let lookup = Lookup::open(&path).unwrap().unwrap();
    assert_eq!(lookup.about().content, Content::Frozen);
    let hit = &lookup.search("mueler bau").best[0];
    let card = lookup.frozen(hit.customer).unwrap();
    assert_eq!(card.status.id.as_str(), "mueller-bau");
    assert_eq!(hit.matched(&card.names), ("id", "mueller-bau".into()));
    assert_eq!(card.notes[0].text, "was told to wait");
}
