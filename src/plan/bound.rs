//! What no order of work can beat.
//!
//! For each capacity alone: everything that does not pass it, plus the best fractional filling of
//! what it can carry in the window (Dantzig's bound of the knapsack, by value per byte). A job that
//! would not finish even alone counts nothing. Each is an upper bound, so the smallest is.

use crate::plan::estimate::{Capacity, Job};

/// Upper bound of the value complete after `window_s`; without a window, of everything possible.
pub fn value(jobs: &[Job], capacities: &[Capacity], window_s: Option<u64>) -> f64 {
    let slowest = |job: &Job| {
        job.passes.iter().map(|index| capacities[*index].rate).fold(f64::INFINITY, f64::min)
    };
    let possible = |job: &&Job| {
        let rate = slowest(job);
        job.bytes <= 0.0
            || rate > f64::EPSILON
                && window_s.is_none_or(|window| job.bytes <= rate * window as f64)
    };
    let mut jobs: Vec<_> = jobs.iter().filter(possible).collect();
    let all: f64 = jobs.iter().map(|job| job.value).sum();
    let Some(window) = window_s else { return all };
    jobs.sort_by(|a, b| (b.value * a.bytes).total_cmp(&(a.value * b.bytes)));
    let bounds = capacities.iter().enumerate().map(|(index, capacity)| {
        let mut budget = capacity.rate * window as f64;
        let gain = |job: &&Job| {
            if job.bytes <= 0.0 || !job.passes.contains(&index) {
                return job.value;
            }
            let taken = job.bytes.min(budget.max(0.0));
            budget -= taken;
            job.value * (taken / job.bytes)
        };
        jobs.iter().map(gain).sum()
    });
    bounds.fold(all, f64::min)
}
