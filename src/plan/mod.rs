//! In what order, how long, and who will not make it. Pure and deterministic: the same inventory,
//! settings, facts and options give the same plan, byte for byte. No clock is read.
//!
//! **Value** is additive: a customer's tier weight, shared among its workloads by class. It counts
//! when a workload is complete. **Order**: by class, then by value per byte still to move; between
//! equals the customer that is nearer to complete goes first, then ids. When a window is known and
//! not everything fits, what cannot be finished in time goes behind what can, and the order with
//! the most value by the deadline is taken ([`order`]). Nothing is ever dropped: what does not fit
//! comes last, because the window may stay open.
//!
//! **Estimates** are fluid ([`estimate`]): they know rates, not failures. They are a floor of what
//! a night takes, so [`CustomersComplete`] gives a second figure at half the rates. [`bound`] says
//! what no order at all could beat.

pub mod bound;
pub mod estimate;
pub mod file;
mod jobs;
pub mod order;
mod space;
pub mod timeline;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod timeline_tests;
#[cfg(test)]
mod value_tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use file::PlanFile;

use crate::inventory::{Class, Inventory, Settings};
use crate::model::{
    Bytes, CustomerId, HostId, Rate, ResourceId, Span, TargetId, Timestamp, WorkloadId,
};
use space::Filling;

/// Version of the `plan` document.
pub const SCHEMA: u32 = 1;

/// What was measured; whatever is missing is taken from the inventory, then assumed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Facts {
    /// By workload.
    pub workloads: BTreeMap<WorkloadId, WorkloadFacts>,
    /// What a host was seen to send.
    pub hosts: BTreeMap<HostId, Rate>,
    /// What was seen to pass a resource.
    pub resources: BTreeMap<ResourceId, Rate>,
    /// Share of a workload's bytes that crosses the line, by experience: deduplicated and
    /// compressed. `None`: all of them.
    pub sent_share: Option<f64>,
    /// Data that no workload names.
    pub uncovered: Vec<Uncovered>,
    /// What the landing disks have room for; `None`: nobody looked.
    pub store_room: Option<Bytes>,
}

/// What was measured of a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WorkloadFacts {
    /// Its size at the source.
    pub bytes: Option<Bytes>,
    /// Of that, under receipts.
    pub captured_bytes: Bytes,
    /// A pass of it is sealed: nothing is left to do.
    pub captured: bool,
}

/// Data on a host that no workload names and nobody has accepted as not needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uncovered {
    /// Where.
    pub host: HostId,
    /// Which path, made printable.
    pub path: String,
    /// How much.
    pub bytes: Bytes,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// When the plan is made.
    pub now: Timestamp,
    /// How long the window stays open from the start; stronger than the settings.
    pub window: Option<Span>,
    /// When it shuts; stronger than `window`.
    pub until: Option<Timestamp>,
    /// Only these workloads; `None`: all.
    pub only: Option<BTreeSet<WorkloadId>>,
}

impl Options {
    /// A plan for everything, with the windows of the settings.
    pub fn at(now: Timestamp) -> Self {
        Self { now, window: None, until: None, only: None }
    }
}

/// The `plan` document. Field names are contract: fields are added, never changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Always [`SCHEMA`].
    pub schema: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When work begins; `start_s` and `finish_s` count from here.
    pub starts_at: Timestamp,
    /// How long the window stays open from `starts_at`; `None`: nobody knows.
    pub window_s: Option<u64>,
    /// The order of work.
    pub workloads: Vec<Planned>,
    /// Value of everything.
    pub value_total: f64,
    /// Value of what is complete when the window shuts.
    pub value_by_deadline: f64,
    /// No schedule can have more by then.
    pub value_bound: f64,
    /// Customers of whom everything is complete when the window shuts.
    pub customers_complete: CustomersComplete,
    /// What does not fit, in order of value, the most valuable first.
    pub at_risk: Vec<AtRisk>,
    /// What it takes for everything to fit.
    pub needs: Needs,
    /// Data that no workload names.
    pub uncovered: Vec<Uncovered>,
    /// What was taken for granted where nothing was known, a sentence each.
    pub assumptions: Vec<String>,
}

/// A workload in the order of work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// Which.
    pub id: WorkloadId,
    /// Whose.
    pub customer: CustomerId,
    /// Where it is.
    pub host: HostId,
    /// What it is.
    pub class: Class,
    /// The uplink it goes through.
    pub uplink: Option<ResourceId>,
    /// Where it goes.
    pub target: Option<TargetId>,
    /// Bytes still to move.
    pub bytes: Bytes,
    /// What it is worth.
    pub value: f64,
    /// Neighbours of one level share what there is; otherwise the earlier goes first.
    pub level: u32,
    /// When its first byte moves, in seconds; `None`: never at these rates.
    pub start_s: Option<u64>,
    /// When its last byte has moved; `None`: never at these rates.
    pub finish_s: Option<u64>,
    /// Is that before the window shuts?
    pub fits: bool,
}

/// How many customers are complete in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomersComplete {
    /// At half the rates.
    pub low: u64,
    /// At the rates given.
    pub high: u64,
}

/// A workload that is not complete when the window shuts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtRisk {
    /// Which.
    pub id: WorkloadId,
    /// Why.
    pub reason: Risk,
    /// What would save it.
    pub needs: RiskNeeds,
}

/// Why a workload is at risk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// Others go first; a longer window or faster line would hold it.
    Window,
    /// Even alone it takes longer than the window.
    TooLarge,
    /// Something on its way has the rate zero.
    NoRate,
    /// The landing disks are full before it is complete.
    LandingFull,
}

/// What would save a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RiskNeeds {
    /// A window this long, in this order of work.
    pub window_s: Option<u64>,
    /// So much more room on the landing disks, in this order of work; `None`: there is enough.
    #[serde(default)]
    pub store_bytes: Option<Bytes>,
}

/// What it takes for everything to fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    /// Bytes still to move, and at most the room they take in the store.
    pub store_bytes: Bytes,
    /// How long everything takes at these rates; `None`: for ever.
    pub window_s: Option<u64>,
    /// What limits most: `landing`, `uplink/ams`, `host/vps-014`.
    pub bottleneck: Option<String>,
    /// What it would have to carry for everything to fit the window; `None`: it is enough.
    pub bottleneck_rate: Option<Rate>,
    /// What the landing disks have room for; `None`: nobody looked.
    #[serde(default)]
    pub store_room: Option<Bytes>,
    /// When they are full; `None`: not while this plan is carried out.
    #[serde(default)]
    pub store_full_s: Option<u64>,
    /// What they lack for everything.
    #[serde(default)]
    pub store_missing_bytes: Bytes,
}

/// Makes a plan.
pub fn plan(inventory: &Inventory, settings: &Settings, facts: &Facts, options: &Options) -> Plan {
    let (starts_at, window_s) = window(settings, options);
    let work = jobs::Work::of(inventory, settings, facts, options.only.as_ref());
    let chosen = order::best(&work, window_s);
    document(work, chosen, facts, options, (starts_at, window_s))
}

/// Makes a plan of the order that `file` gives; workloads it does not name are not in it.
pub fn follow(
    inventory: &Inventory,
    settings: &Settings,
    facts: &Facts,
    options: &Options,
    file: &PlanFile,
) -> Plan {
    let (starts_at, window_s) = window(settings, options);
    let places: BTreeMap<_, _> =
        file.work.iter().enumerate().map(|(place, line)| (&line.id, (place, line.level))).collect();
    let only = places.keys().map(|id| (*id).clone()).collect();
    let work = jobs::Work::of(inventory, settings, facts, Some(&only));
    let mut steps: Vec<_> = work
        .workloads
        .iter()
        .enumerate()
        .map(|(job, workload)| (places[&workload.id], job))
        .collect();
    steps.sort_unstable();
    let steps = steps.into_iter().map(|((_, level), job)| estimate::Step { job, level }).collect();
    let chosen = order::outcome(&work, steps, window_s);
    document(work, chosen, facts, options, (starts_at, window_s))
}

fn document(
    work: jobs::Work<'_>,
    chosen: order::Outcome,
    facts: &Facts,
    options: &Options,
    (starts_at, window_s): (Timestamp, Option<u64>),
) -> Plan {
    let room = facts.store_room;
    let workloads: Vec<_> = (chosen.steps.iter().zip(&chosen.flows))
        .map(|(step, flow)| work.planned(step, *flow, window_s))
        .collect();
    Plan {
        schema: SCHEMA,
        created_at: options.now,
        starts_at,
        window_s,
        value_total: workloads.iter().map(|planned| planned.value).sum(),
        value_by_deadline: chosen.value,
        value_bound: bound::value(&work.jobs, &work.full_capacities(), window_s),
        customers_complete: customers_complete(&workloads, window_s),
        at_risk: at_risk(&work, &workloads, (window_s, room)),
        needs: needs(&work, &workloads, (window_s, room)),
        uncovered: facts.uncovered.clone(),
        assumptions: work.assumptions,
        workloads,
    }
}

/// When work begins and how long it may take.
fn window(settings: &Settings, options: &Options) -> (Timestamp, Option<u64>) {
    let known = settings.access().at(options.now);
    let opens = known.and_then(|window| window.opens).unwrap_or(options.now);
    let starts_at = opens.max(options.now);
    let length = |closes: Timestamp| closes.since(starts_at).as_secs();
    let window_s = match (options.until, options.window) {
        (Some(until), _) => Some(length(until)),
        (None, Some(span)) => Some(span.0.as_secs()),
        (None, None) => known.and_then(|window| window.closes).map(length),
    };
    (starts_at, window_s)
}

fn customers_complete(workloads: &[Planned], window_s: Option<u64>) -> CustomersComplete {
    let complete = |slowness: u64| {
        let mut customers: BTreeMap<&CustomerId, bool> = BTreeMap::new();
        for planned in workloads {
            let finish = planned.finish_s.map(|finish| finish.saturating_mul(slowness));
            let in_time = finish.is_some_and(|at| window_s.is_none_or(|window| at <= window));
            *customers.entry(&planned.customer).or_insert(true) &= in_time;
        }
        customers.values().filter(|complete| **complete).count() as u64
    };
    CustomersComplete { low: complete(2), high: complete(1) }
}

fn at_risk(
    work: &jobs::Work<'_>,
    workloads: &[Planned],
    (window_s, room): (Option<u64>, Option<Bytes>),
) -> Vec<AtRisk> {
    let filling = Filling::of(workloads);
    let lacks = |planned: &Planned| {
        let stored = filling.stored_by(planned.finish_s?);
        let lacking = stored.saturating_sub(room?);
        (planned.bytes > Bytes::ZERO && lacking > Bytes::ZERO).then_some(lacking)
    };
    let is_lost = |planned: &&Planned| !planned.fits || lacks(planned).is_some();
    let mut lost: Vec<_> = workloads.iter().filter(is_lost).collect();
    lost.sort_by(|a, b| b.value.total_cmp(&a.value).then_with(|| a.id.cmp(&b.id)));
    let risk = |planned: &Planned| match (planned.finish_s, work.alone_s(&planned.id)) {
        _ if planned.fits => Risk::LandingFull,
        (None, _) | (_, None) => Risk::NoRate,
        (_, Some(alone)) if window_s.is_some_and(|window| alone > window as f64) => Risk::TooLarge,
        _ => Risk::Window,
    };
    lost.into_iter()
        .map(|planned| AtRisk {
            id: planned.id.clone(),
            reason: risk(planned),
            needs: RiskNeeds { window_s: planned.finish_s, store_bytes: lacks(planned) },
        })
        .collect()
}

fn needs(
    work: &jobs::Work<'_>,
    workloads: &[Planned],
    (window_s, room): (Option<u64>, Option<Bytes>),
) -> Needs {
    let store_bytes: Bytes = workloads.iter().map(|planned| planned.bytes).sum();
    let finishes: Option<Vec<u64>> = workloads.iter().map(|planned| planned.finish_s).collect();
    let bottleneck = work.bottleneck();
    let rate = bottleneck.as_ref().zip(window_s).and_then(|(bottleneck, window)| {
        let needed = bottleneck.bytes / window.max(1) as f64;
        (needed > bottleneck.rate).then(|| Rate(needed.ceil() as u64))
    });
    Needs {
        store_bytes,
        store_room: room,
        store_full_s: room.and_then(|room| Filling::of(workloads).full_s(room)),
        store_missing_bytes: room.map_or(Bytes::ZERO, |room| store_bytes.saturating_sub(room)),
        window_s: finishes.map(|finishes| finishes.into_iter().max().unwrap_or(0)),
        bottleneck: bottleneck.map(|bottleneck| bottleneck.name),
        bottleneck_rate: rate,
    }
}
