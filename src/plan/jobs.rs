//! Inventory, settings and facts as numbers: what has to move, through what, and what it is worth.

use std::collections::{BTreeMap, BTreeSet};

use crate::inventory::{Class, Host, Inventory, ResourceKind, Settings, Workload};
use crate::model::{Bytes, CustomerId, Rate, WorkloadId};
use crate::plan::estimate::{Capacity, Flow, Job, Step};
use crate::plan::{Facts, Planned, order};

/// What a host of unknown rate is taken to send: a full 1 Gbit/s port.
const ASSUMED_RATE: Rate = Rate(125_000_000);
/// Share of a line that carries payload; the rest is headers and control.
const PAYLOAD_SHARE: f64 = 0.95;

/// What a workload of unknown size is taken to hold. A host of 40 GB in all is usual.
fn assumed_bytes(class: Class) -> Bytes {
    Bytes(match class {
        Class::Identity => 100_000_000,
        Class::Database => 5_000_000_000,
        Class::Mail => 10_000_000_000,
        Class::Web => 15_000_000_000,
        Class::Bulk => 10_000_000_000,
    })
}

/// Everything as numbers. `jobs[i]` belongs to `workloads[i]`.
#[derive(Debug)]
pub(super) struct Work<'a> {
    pub(super) workloads: Vec<&'a Workload>,
    pub(super) jobs: Vec<Job>,
    pub(super) capacities: Vec<Capacity>,
    pub(super) hosts_at_once: usize,
    pub(super) assumptions: Vec<String>,
    /// `landing`, `uplink/ams`, `host/vps-014`; one for each capacity.
    names: Vec<String>,
    hosts: Vec<&'a Host>,
}

/// The capacity that takes longest.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bottleneck {
    pub(super) name: String,
    pub(super) bytes: f64,
    pub(super) rate: f64,
}

impl<'a> Work<'a> {
    pub(super) fn of(
        inventory: &'a Inventory,
        settings: &Settings,
        facts: &Facts,
        only: Option<&BTreeSet<WorkloadId>>,
    ) -> Self {
        let mut work = Self {
            workloads: Vec::new(),
            jobs: Vec::new(),
            capacities: Vec::new(),
            hosts_at_once: settings.limits.hosts as usize,
            assumptions: Vec::new(),
            names: Vec::new(),
            hosts: Vec::new(),
        };
        let landing = settings.limits.landing.map(|rate| work.capacity("landing", rate, None));
        let mut resources = BTreeMap::new();
        for resource in &settings.resources {
            let rate = facts.resources.get(&resource.id).copied().or(resource.rate);
            let kind = if resource.kind == ResourceKind::Uplink { "uplink" } else { "resource" };
            // Without a rate only its readers count.
            let rate = rate.unwrap_or(Rate(u64::MAX >> 12));
            let index = work.capacity(&format!("{kind}/{}", resource.id), rate, resource.readers);
            resources.insert(&resource.id, index);
        }
        let values = order::values(inventory, settings);
        let mut assumed = Assumed::default();
        let is_wanted = |workload: &&Workload| only.is_none_or(|only| only.contains(&workload.id));
        for host in
            inventory.hosts.iter().filter(|host| host.workloads.iter().any(|w| is_wanted(&w)))
        {
            let known = facts.hosts.get(&host.id).copied().or(host.rate);
            assumed.rates += u64::from(known.is_none());
            let name = format!("host/{}", host.id);
            let own = work.capacity(&name, known.unwrap_or(ASSUMED_RATE), None);
            let shared = host.uplink.iter().chain(&host.uses).filter_map(|id| resources.get(id));
            let passes: BTreeSet<_> = shared.copied().chain(landing).chain([own]).collect();
            let number = work.hosts.len();
            work.hosts.push(host);
            for workload in host.workloads.iter().filter(is_wanted) {
                let bytes = assumed.bytes_to_move(workload, facts);
                let value = values.get(&workload.id).copied().unwrap_or(0.0);
                let passes = passes.iter().copied().collect();
                work.jobs.push(Job { bytes: bytes.0 as f64, value, host: number, passes });
                work.workloads.push(workload);
            }
        }
        work.assumptions = assumed.sentences();
        work
    }

    fn capacity(&mut self, name: &str, rate: Rate, readers: Option<u32>) -> usize {
        self.names.push(name.to_owned());
        self.capacities.push(Capacity { rate: rate.0 as f64 * PAYLOAD_SHARE, readers });
        self.capacities.len() - 1
    }

    /// The capacities without what headers take: for a bound that nothing can beat.
    pub(super) fn full_capacities(&self) -> Vec<Capacity> {
        let full =
            |capacity: &Capacity| Capacity { rate: capacity.rate / PAYLOAD_SHARE, ..*capacity };
        self.capacities.iter().map(full).collect()
    }

    pub(super) fn planned(
        &self,
        step: &Step,
        flow: Option<Flow>,
        window_s: Option<u64>,
    ) -> Planned {
        let (workload, job) = (self.workloads[step.job], &self.jobs[step.job]);
        let finish_s = flow.map(|flow| flow.finish.ceil() as u64);
        let is_in_time = |finish: u64| window_s.is_none_or(|window| finish <= window);
        Planned {
            id: workload.id.clone(),
            customer: workload.customer.clone(),
            host: workload.host.clone(),
            class: workload.class,
            uplink: self.hosts[job.host].uplink.clone(),
            target: workload.target.clone(),
            bytes: Bytes(job.bytes as u64),
            value: job.value,
            level: step.level,
            start_s: flow.map(|flow| flow.start as u64),
            finish_s,
            fits: finish_s.is_some_and(is_in_time),
        }
    }

    /// How long a workload takes alone; `None`: for ever.
    pub(super) fn alone_s(&self, id: &WorkloadId) -> Option<f64> {
        let at = self.workloads.iter().position(|workload| workload.id == *id)?;
        let job = &self.jobs[at];
        let rates = job.passes.iter().map(|index| self.capacities[*index].rate);
        let slowest = rates.fold(f64::INFINITY, f64::min);
        (slowest > f64::EPSILON).then(|| job.bytes / slowest)
    }

    pub(super) fn bottleneck(&self) -> Option<Bottleneck> {
        let mut bytes = vec![0.0; self.capacities.len()];
        for job in &self.jobs {
            job.passes.iter().for_each(|index| bytes[*index] += job.bytes);
        }
        let loaded = bytes.iter().enumerate().filter(|(_, bytes)| **bytes > 0.0);
        let time = |index: usize| bytes[index] / self.capacities[index].rate;
        let (index, _) = loaded.max_by(|a, b| time(a.0).total_cmp(&time(b.0)))?;
        let rate = self.capacities[index].rate;
        Some(Bottleneck { name: self.names[index].clone(), bytes: bytes[index], rate })
    }

    /// What each customer still has to move.
    pub(super) fn left_of_customers(&self) -> BTreeMap<&'a CustomerId, f64> {
        let mut left = BTreeMap::new();
        for (workload, job) in self.workloads.iter().zip(&self.jobs) {
            *left.entry(&workload.customer).or_insert(0.0) += job.bytes;
        }
        left
    }
}

/// Counts what was taken for granted.
#[derive(Debug, Default)]
struct Assumed {
    rates: u64,
    sizes: u64,
    bytes: Bytes,
}

impl Assumed {
    fn bytes_to_move(&mut self, workload: &Workload, facts: &Facts) -> Bytes {
        let known = facts.workloads.get(&workload.id).copied().unwrap_or_default();
        if known.captured {
            return Bytes::ZERO;
        }
        let bytes = known.bytes.or(workload.bytes).unwrap_or_else(|| {
            let assumed = assumed_bytes(workload.class);
            self.sizes += 1;
            self.bytes += assumed;
            assumed
        });
        let share = facts.sent_share.filter(|share| (0.0..=1.0).contains(share)).unwrap_or(1.0);
        let left = bytes.saturating_sub(known.captured_bytes).0 as f64 * share;
        // Something is always left of what is not sealed: its closing sweep.
        Bytes((left.ceil() as u64).max(1))
    }

    fn sentences(self) -> Vec<String> {
        let mut sentences = Vec::new();
        match self.sizes {
            0 => {}
            1 => sentences.push(format!(
                "1 workload of unknown size is taken to hold {}; a survey measures it",
                self.bytes
            )),
            sizes => sentences.push(format!(
                "{sizes} workloads of unknown size are taken to hold {} in all; a survey measures \
                 them",
                self.bytes
            )),
        }
        match self.rates {
            0 => {}
            1 => sentences.push(format!("1 host of unknown rate is taken to send {ASSUMED_RATE}")),
            rates => sentences.push(format!(
                "{rates} hosts of unknown rate are taken to send {ASSUMED_RATE} each"
            )),
        }
        sentences
    }
}
