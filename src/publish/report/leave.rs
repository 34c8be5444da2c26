//! May we leave? What is still only in the old place, what is here but not proven, and what must
//! be done there before the machines are given back.
//!
//! **Promise.** "Yes" is said only when every service is here whole, was read back, and has a
//! second copy, and every host was looked at. Whoever is held back counts like everybody else:
//! leaving would lose his data too.

mod lacks;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::ledger::snapshot::{Hold, Snapshot, WorkloadStatus};
use crate::ledger::{Pass, WorkloadState};
use crate::model::{Bytes, HostId, Timestamp, WorkloadId};
use crate::publish::report::leave::lacks::{Kind, kinds};

/// A command names so many; more are reached by a wider word.
const NAMED_MAX: usize = 5;

/// How much it weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// It is nowhere else.
    OnlyThere,
    /// It is said to be here, and nobody proved it.
    NotProven,
    /// Somebody has to do or to decide it first.
    Condition,
}

/// One thing that keeps us.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Item {
    pub weight: Weight,
    /// A stable word.
    pub kind: &'static str,
    /// Workloads or hosts.
    pub what: Vec<String>,
    /// How many things that are.
    pub count: u64,
    /// Of how much data, as far as anybody knows.
    pub bytes: Bytes,
    /// What it is worth, by the plan's measure.
    pub value: f64,
    /// In words.
    pub why: String,
    /// What helps.
    pub command: String,
}

/// What is to be wiped, and what shows that it may be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Wipe {
    pub host: HostId,
    /// May it be wiped, as far as its data goes?
    pub ready: bool,
    /// What was read back of it, and when.
    pub evidence: Vec<String>,
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    No,
    YesIf,
    Yes,
}

/// Everything about leaving.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Leave {
    pub schema: u32,
    pub as_of: Timestamp,
    pub verdict: Verdict,
    /// Things that are nowhere else.
    pub only_there: u64,
    /// Things of which nobody proved that they are here.
    pub not_proven: u64,
    /// The most valuable first, within their weight.
    pub items: Vec<Item>,
    pub wipe: Vec<Wipe>,
}

/// Data that no workload names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uncovered {
    pub host: HostId,
    pub path: String,
    pub bytes: Bytes,
}

/// What is known.
pub struct Known<'a> {
    pub snapshot: &'a Snapshot,
    /// Of each workload, oldest first.
    pub passes: &'a BTreeMap<WorkloadId, Vec<Pass>>,
    pub states: &'a BTreeMap<WorkloadId, WorkloadState>,
    /// What each workload is worth.
    pub values: &'a BTreeMap<WorkloadId, f64>,
    pub uncovered: &'a [Uncovered],
    /// Hosts that no survey ever looked at.
    pub unseen: &'a [HostId],
    /// Store disks that are not there.
    pub away: &'a [String],
    /// Entries of the inventory that nobody works on.
    pub set_aside: &'a [String],
    /// Names that still lead to an old address.
    pub names: &'a [String],
    /// Names of which nobody asked where they lead.
    pub unasked: &'a [String],
    /// What lets somebody in there, and should be changed.
    pub credentials: &'a [String],
    /// Does somebody stand by this ledger?
    pub is_confirmed: bool,
}

/// Answers.
pub fn leave(known: &Known<'_>) -> Leave {
    let mut items = Vec::new();
    let mut found: BTreeMap<Kind, Vec<&WorkloadStatus>> = BTreeMap::new();
    for customer in &known.snapshot.customers {
        for workload in &customer.workloads {
            // Whoever is held back is not switched on, and must not be for our leaving.
            let is_held = customer.hold != Hold::None;
            let kinds = kinds(known, workload).into_iter();
            for kind in kinds.filter(|kind| !is_held || *kind != Kind::NotOnline) {
                found.entry(kind).or_default().push(workload);
            }
        }
    }
    items.extend(found.iter().map(|(kind, workloads)| item(known, *kind, workloads)));
    items.extend(of_hosts(known));
    items.extend(of_site(known));
    items.sort_by(|a, b| {
        a.weight.cmp(&b.weight).then(b.value.total_cmp(&a.value)).then(b.bytes.cmp(&a.bytes))
    });
    let count = |weight| {
        let own = items.iter().filter(|it| it.weight == weight);
        // One thing may lack several.
        own.flat_map(|it| &it.what).collect::<BTreeSet<_>>().len() as u64
    };
    let (only_there, not_proven) = (count(Weight::OnlyThere), count(Weight::NotProven));
    let verdict = match (only_there + not_proven, items.is_empty()) {
        (0, true) => Verdict::Yes,
        (0, false) => Verdict::YesIf,
        _ => Verdict::No,
    };
    let wipe = known.snapshot.hosts.iter().map(|host| wipe(known, &host.id)).collect();
    let as_of = known.snapshot.as_of;
    Leave { schema: 1, as_of, verdict, only_there, not_proven, items, wipe }
}

fn item(known: &Known<'_>, kind: Kind, workloads: &[&WorkloadStatus]) -> Item {
    let value = |it: &WorkloadStatus| known.values.get(&it.id).copied().unwrap_or(0.0);
    let mut sorted = workloads.to_vec();
    sorted.sort_by(|a, b| value(b).total_cmp(&value(a)).then(b.bytes.cmp(&a.bytes)));
    let named: Vec<_> =
        sorted.iter().take(NAMED_MAX).map(|it| format!("workload/{}", it.id)).collect();
    Item {
        weight: kind.weight(),
        kind: kind.word(),
        what: sorted.iter().map(|it| format!("workload/{}", it.id)).collect(),
        count: sorted.len() as u64,
        bytes: sorted.iter().map(|it| it.bytes).sum(),
        value: sorted.iter().map(|it| value(it)).sum(),
        why: kind.why().to_owned(),
        command: kind.command(&named.join(" ")),
    }
}

fn of_hosts(known: &Known<'_>) -> Vec<Item> {
    let mut items = Vec::new();
    if !known.uncovered.is_empty() {
        let found = known.uncovered;
        items.push(Item {
            weight: Weight::OnlyThere,
            kind: "uncovered",
            what: found.iter().map(|it| format!("host/{}:{}", it.host, it.path)).collect(),
            count: found.len() as u64,
            bytes: found.iter().map(|it| it.bytes).sum(),
            value: 0.0,
            why: "No workload names it, and nobody wrote that it is not needed: name it in \
                  `paths`, or in `accept`."
                .to_owned(),
            command: "evac survey".to_owned(),
        });
    }
    if !known.unseen.is_empty() {
        items.push(Item {
            weight: Weight::NotProven,
            kind: "never-surveyed",
            what: known.unseen.iter().map(|host| format!("host/{host}")).collect(),
            count: known.unseen.len() as u64,
            bytes: Bytes::ZERO,
            value: 0.0,
            why: "No survey ever looked at it: nobody knows what else it holds.".to_owned(),
            command: "evac survey".to_owned(),
        });
    }
    items
}

fn of_site(known: &Known<'_>) -> Vec<Item> {
    let list = |weight, kind, what: &[String], why: &str, command: &str| {
        (!what.is_empty()).then(|| Item {
            weight,
            kind,
            what: what.to_vec(),
            count: what.len() as u64,
            bytes: Bytes::ZERO,
            value: 0.0,
            why: why.to_owned(),
            command: command.to_owned(),
        })
    };
    let ledger = if known.is_confirmed { Vec::new() } else { vec!["state/ledger.db".to_owned()] };
    [
        list(
            Weight::NotProven,
            "disk-away",
            known.away,
            "This disk of the store is not there: what is on it cannot be read.",
            "mount it",
        ),
        list(
            Weight::NotProven,
            "ledger-rebuilt",
            &ledger,
            "The ledger was made anew from the store, and nobody has stood by it.",
            "evac --as NAME ledger confirm",
        ),
        list(
            Weight::OnlyThere,
            "set-aside-entry",
            known.set_aside,
            "This entry of the inventory has a mistake, so nobody works on it.",
            "evac check",
        ),
        list(
            Weight::Condition,
            "names-lead-there",
            known.names,
            "This name still leads to an old address.",
            "change it where its DNS is kept, then evac report leave --dns",
        ),
        list(
            Weight::Condition,
            "names-not-asked",
            known.unasked,
            "Nobody knows where this name leads now.",
            "evac report leave --dns",
        ),
        list(
            Weight::Condition,
            "credentials",
            known.credentials,
            "Whoever keeps the machines may use it: change it where it is used elsewhere too.",
            "by hand",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn wipe(known: &Known<'_>, host: &HostId) -> Wipe {
    let all = known.snapshot.customers.iter().flat_map(|customer| &customer.workloads);
    let own: Vec<_> = all.filter(|it| it.host == *host).collect();
    // What was written since an old copy is nowhere else, whatever else is a matter of deciding.
    let keeps = |it: &WorkloadStatus| {
        let mut kinds = kinds(known, it).into_iter();
        kinds.any(|kind| kind.weight() != Weight::Condition || kind == Kind::Old)
    };
    let is_seen = !known.unseen.contains(host);
    let is_covered = known.uncovered.iter().all(|it| it.host != *host);
    let evidence = own.iter().filter_map(|it| {
        let pass = known.passes.get(&it.id)?.iter().rfind(|pass| pass.sealed_at.is_some())?;
        let sealed = pass.sealed_at?;
        let read = pass
            .verified_at
            .map_or_else(|| "never read back".to_owned(), |at| format!("read back whole {at}"));
        let (id, number, copies) = (&it.id, pass.number, it.copies);
        Some(format!("{id}: pass {number} of {sealed}, {read}, copies: {copies}"))
    });
    Wipe {
        host: host.clone(),
        ready: is_seen && is_covered && !own.iter().any(|it| keeps(it)),
        evidence: evidence.collect(),
    }
}
