//! Which work goes first.
//!
//! The usual order is by class, then by value per byte. That is Smith's rule (1956) inside a class,
//! near the best for a window of unknown length. With a known window that is too short it need not
//! be: then what cannot finish goes behind what can, the classical orders are tried as well, and
//! the one with the most value by the deadline is taken; the usual one wins every tie.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::inventory::{Class, Inventory, Settings};
use crate::model::{CustomerId, WorkloadId};
use crate::plan::estimate::{Flow, Step, flows};
use crate::plan::jobs::Work;

/// How often what does not fit is moved behind what does.
const ROUNDS: usize = 6;
/// How many late workloads are tried early.
const RESCUES: usize = 16;
/// Values closer than this, relatively, are equal.
const TIE: f64 = 1e-9;

/// A customer's tier weight, shared among its workloads by class.
pub fn values(inventory: &Inventory, settings: &Settings) -> BTreeMap<WorkloadId, f64> {
    let mut shares: BTreeMap<&CustomerId, (f64, u64)> = BTreeMap::new();
    for workload in inventory.workloads() {
        let (sum, count) = shares.entry(&workload.customer).or_default();
        *sum += settings.classes.of(workload.class);
        *count += 1;
    }
    let value = |workload: &crate::inventory::Workload| {
        let tier = inventory.customer(&workload.customer).and_then(|owner| owner.tier.as_ref());
        let weight = settings.weight(tier);
        match shares[&workload.customer] {
            (sum, _) if sum > 0.0 => weight * settings.classes.of(workload.class) / sum,
            (_, count) => weight / count as f64,
        }
    };
    inventory.workloads().map(|workload| (workload.id.clone(), value(workload))).collect()
}

/// An order of work and what comes of it.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    pub(super) steps: Vec<Step>,
    pub(super) flows: Vec<Option<Flow>>,
    /// Value complete by the deadline.
    pub(super) value: f64,
}

/// The order that is planned.
pub(super) fn best(work: &Work<'_>, window_s: Option<u64>) -> Outcome {
    let usual = usual(work);
    let mut best = outcome(work, by_class(work, &usual), window_s);
    let all: f64 = work.jobs.iter().map(|job| job.value).sum();
    if window_s.is_none() || best.value >= all * (1.0 - TIE) {
        return best;
    }
    let dense = sorted(work, |a, b| density(work, a, b));
    let shortest = sorted(work, |a, b| work.jobs[a].bytes.total_cmp(&work.jobs[b].bytes));
    let written = (0..work.jobs.len()).collect();
    for order in [usual, dense, shortest, written] {
        let mut order = order;
        for _ in 0..ROUNDS {
            let tried = outcome(work, strict(&order), window_s);
            let (fitting, late) = split(&tried, window_s);
            if tried.value > best.value * (1.0 + TIE) {
                best = tried;
            }
            let moved = [fitting, late].concat();
            if moved == order {
                break;
            }
            order = moved;
        }
    }
    rescue(work, best, window_s)
}

/// A long workload that starts late never makes it, however idle the lines are at the end. Tries
/// the most valuable of those that are late before everything, and right behind the identities
/// that make it, which wins a tie.
fn rescue(work: &Work<'_>, mut best: Outcome, window_s: Option<u64>) -> Outcome {
    let (fitting, mut late) = split(&best, window_s);
    late.sort_by(|a, b| work.jobs[*b].value.total_cmp(&work.jobs[*a].value));
    let goes_first =
        |job: &usize| work.workloads[*job].class == Class::Identity && fitting.contains(job);
    for job in late.into_iter().take(RESCUES) {
        let mut order: Vec<_> = best.steps.iter().map(|step| step.job).collect();
        order.retain(|other| *other != job);
        let behind = order.iter().position(|job| !goes_first(job)).unwrap_or(order.len());
        for at in [behind, 0] {
            let mut order = order.clone();
            order.insert(at, job);
            let tried = outcome(work, strict(&order), window_s);
            if tried.value > best.value * (1.0 + TIE) {
                best = tried;
            }
        }
    }
    best
}

/// Does a flow end in time, in whole seconds as the plan shows it?
fn is_in_time(flow: Option<Flow>, window_s: Option<u64>) -> bool {
    flow.is_some_and(|flow| window_s.is_none_or(|window| flow.finish.ceil() <= window as f64))
}

pub(super) fn outcome(work: &Work<'_>, steps: Vec<Step>, window_s: Option<u64>) -> Outcome {
    let flows = flows(&work.jobs, &work.capacities, &steps, work.hosts_at_once);
    let in_time = steps.iter().zip(&flows).filter(|(_, flow)| is_in_time(**flow, window_s));
    let value = in_time.map(|(step, _)| work.jobs[step.job].value).sum();
    Outcome { steps, flows, value }
}

/// The jobs that end in time, and those that do not, each in their order.
fn split(outcome: &Outcome, window_s: Option<u64>) -> (Vec<usize>, Vec<usize>) {
    let places = outcome.steps.iter().zip(&outcome.flows);
    let (fitting, late): (Vec<_>, Vec<_>) =
        places.partition(|(_, flow)| is_in_time(**flow, window_s));
    let jobs = |part: Vec<(&Step, _)>| part.into_iter().map(|(step, _)| step.job).collect();
    (jobs(fitting), jobs(late))
}

/// By class, then value per byte, then the customer that is nearer to complete, then ids.
fn usual(work: &Work<'_>) -> Vec<usize> {
    let left = work.left_of_customers();
    sorted(work, |a, b| {
        let (one, two) = (work.workloads[a], work.workloads[b]);
        one.class
            .cmp(&two.class)
            .then_with(|| density(work, a, b))
            .then_with(|| left[&one.customer].total_cmp(&left[&two.customer]))
            .then_with(|| one.customer.cmp(&two.customer))
    })
}

/// More value per byte first; what is done already, before everything.
fn density(work: &Work<'_>, a: usize, b: usize) -> Ordering {
    work.jobs[b].density().total_cmp(&work.jobs[a].density())
}

fn sorted(work: &Work<'_>, compare: impl Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<_> = (0..work.jobs.len()).collect();
    let id = |job: usize| &work.workloads[job].id;
    order.sort_by(|a, b| compare(*a, *b).then_with(|| id(*a).cmp(id(*b))));
    order
}

/// Every class is a level: its workloads share.
fn by_class(work: &Work<'_>, order: &[usize]) -> Vec<Step> {
    let level = |job: usize| work.workloads[job].class as u32;
    order.iter().map(|job| Step { job: *job, level: level(*job) }).collect()
}

/// Every workload is a level: who is first takes what he can.
pub(super) fn strict(order: &[usize]) -> Vec<Step> {
    (0..).zip(order).map(|(level, job)| Step { job: *job, level }).collect()
}
