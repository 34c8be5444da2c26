//! What may pass in a second, and who waits for it.
//!
//! **What counts** is what crosses the wire: frames, compressed. What a host is asked for is known
//! before only uncompressed; so it is booked at what that host's content shrank to of late
//! ([`Asked`]), and set right when it arrives.
//!
//! **Debt.** A piece may be asked for while the balance of all that it passes is above zero, and
//! takes it below. So a piece always gets through, however slow the line, and over time exactly
//! the rate does. What was not used is kept for [`BURST`]. A rate that is never reached, because
//! the line carries no more, is therefore in nobody's way. Whoever has his turn may go on into debt
//! for a [`BATCH`]: pieces that are asked for together are compressed together.
//!
//! **Who comes next.** Whoever finds no balance stands in the line of what is in the way, by his
//! level and then by what he had of it; what becomes free goes to the first, for a turn. So a level
//! takes what it can use before the next gets any, and inside a level everybody who waits gets as
//! many bytes as any other. What a slow host leaves goes to those who wait, and is not owed to it:
//! who comes counts as one who had as much as the one served last (start-time fair queueing: Goyal,
//! Vin and Cheng, 1996). Who goes from one line to another keeps what he is owed in both.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::Rate;
use crate::run::coordinator::SessionId;

/// A choke point, by its place among the rates that the coordinator was made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CapacityId(pub usize);

/// What was not used in this time may be made up for.
const BURST: Duration = Duration::from_millis(250);
/// So much more is asked for at once of whoever has his turn, …
const BATCH: Duration = Duration::from_millis(100);
/// … up to what fills a frame, as far as content shrinks.
const BATCH_BYTES_MAX: f64 = 524_288.0;
/// Nothing shrinks to less, as far as is known before it arrives: what follows may not shrink.
const RATIO_MIN: f64 = 0.02;
/// So much content, and half of what is believed of a host's ratio is news.
const RATIO_RAW_BYTES: u64 = 8 << 20;

#[derive(Debug, Default)]
struct Capacity {
    /// `None`: not limited.
    rate: Option<Rate>,
    /// What may be asked for, as of `at`; below zero, what was asked for too early.
    balance_bytes: f64,
    at: Duration,
    /// What was asked for and is still to arrive, as it will be on the wire.
    coming_bytes: f64,
    /// Hosts that wait, by level and by what they had.
    waiting: BTreeMap<u32, BTreeSet<(u64, SessionId)>>,
    /// Of each level, what the one served last had.
    served: BTreeMap<u32, u64>,
}

impl Capacity {
    fn bytes_per_second(&self) -> Option<f64> {
        self.rate.map(|rate| rate.0 as f64)
    }

    fn refill(&mut self, now: Duration) {
        if let Some(rate) = self.bytes_per_second() {
            let passed = now.saturating_sub(self.at).as_secs_f64();
            let most = rate * BURST.as_secs_f64();
            self.balance_bytes = (self.balance_bytes + rate * passed).min(most);
        }
        self.at = now;
    }

    fn is_free(&self) -> bool {
        self.rate.is_none_or(|rate| rate.0 > 0 && self.balance_bytes > 0.0)
    }

    /// Is it for somebody who has his turn?
    fn goes_on(&self) -> bool {
        self.rate.is_none_or(|rate| {
            let batch = (rate.0 as f64 * BATCH.as_secs_f64()).min(BATCH_BYTES_MAX);
            rate.0 > 0 && self.balance_bytes > -batch
        })
    }

    /// Is somebody of this level or a better one waiting?
    fn is_wanted(&self, level: u32) -> bool {
        self.waiting.first_key_value().is_some_and(|(first, _)| *first <= level)
    }

    /// Milliseconds until something is free.
    fn wait_ms(&self) -> u64 {
        let rate = self.bytes_per_second().unwrap_or(f64::INFINITY);
        if rate > 0.0 { (-self.balance_bytes / rate * 1e3) as u64 } else { u64::MAX }
    }
}

/// All choke points.
#[derive(Debug)]
pub(super) struct Rates {
    capacities: Vec<Capacity>,
}

impl Rates {
    pub(super) fn new(rates: &[Option<Rate>]) -> Self {
        let full = |rate: &Option<Rate>| {
            let balance_bytes = rate.unwrap_or_default().bytes_in(BURST).0 as f64;
            Capacity { rate: *rate, balance_bytes, ..Capacity::default() }
        };
        Self { capacities: rates.iter().map(full).collect() }
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = CapacityId> + use<> {
        (0..self.capacities.len()).map(CapacityId)
    }

    pub(super) fn rate(&self, id: CapacityId) -> Option<Rate> {
        self.capacities.get(id.0)?.rate
    }

    /// From now on. What is under way under a wider limit counts against a narrower one.
    pub(super) fn set(&mut self, id: CapacityId, rate: Option<Rate>, now: Duration) {
        let Some(capacity) = self.capacities.get_mut(id.0) else {
            return;
        };
        capacity.refill(now);
        let is_narrower = match (capacity.rate, rate) {
            (Some(before), Some(after)) => after < before,
            (None, after) => after.is_some(),
            (_, None) => false,
        };
        if is_narrower {
            capacity.balance_bytes = -capacity.coming_bytes;
        }
        capacity.rate = rate;
    }

    /// Adds what became free until now.
    pub(super) fn refill(&mut self, passes: &[CapacityId], now: Duration) {
        for id in passes {
            if let Some(capacity) = self.capacities.get_mut(id.0) {
                capacity.refill(now);
            }
        }
    }

    /// What of all that a host passes is in its way longest. Others who wait are in its way too,
    /// unless it has its turn somewhere: or all would give way to all where two things are scarce.
    pub(super) fn in_the_way(
        &self,
        passes: &[CapacityId],
        level: u32,
        its_turn: Option<CapacityId>,
    ) -> Option<CapacityId> {
        let capacity = |id: &CapacityId| self.capacities.get(id.0);
        let is_shut = |id: &&CapacityId| {
            capacity(id).is_some_and(|it| match its_turn {
                Some(here) if here == **id => !it.goes_on(),
                Some(_) if it.waiting.is_empty() => !it.goes_on(),
                Some(_) => !it.is_free(),
                None => it.rate.is_some() && (!it.is_free() || it.is_wanted(level)),
            })
        };
        // Of equals always the first, so that all stand in one line.
        let shut = passes.iter().rev().filter(is_shut);
        shut.max_by_key(|id| capacity(id).map_or(0, Capacity::wait_ms)).copied()
    }

    /// Does one of them let nothing at all pass?
    pub(super) fn is_closed(&self, passes: &[CapacityId]) -> bool {
        passes.iter().any(|id| self.rate(*id) == Some(Rate(0)))
    }

    /// Books what is asked for.
    pub(super) fn take(&mut self, passes: &[CapacityId], wire_bytes: f64) {
        for id in passes {
            if let Some(capacity) = self.capacities.get_mut(id.0) {
                capacity.balance_bytes -= wire_bytes;
                capacity.coming_bytes += wire_bytes;
            }
        }
    }

    /// What was booked as `asked_bytes` came as `arrived_bytes`.
    pub(super) fn settle(&mut self, passes: &[CapacityId], asked_bytes: f64, arrived_bytes: f64) {
        for id in passes {
            if let Some(capacity) = self.capacities.get_mut(id.0) {
                capacity.balance_bytes += asked_bytes - arrived_bytes;
                capacity.coming_bytes = (capacity.coming_bytes - asked_bytes).max(0.0);
            }
        }
    }

    /// A host that did not wait begins to: wherever it may stand from now on, it counts as having
    /// had no less than the one served last there.
    pub(super) fn arrive(&self, passes: &[CapacityId], level: u32, asked: &mut Asked) {
        for id in passes {
            let served = self.capacities.get(id.0).and_then(|it| it.served.get(&level));
            asked.had_at_least(*id, served.copied().unwrap_or(0));
        }
    }

    /// A host waits here.
    pub(super) fn line_up(
        &mut self,
        id: CapacityId,
        level: u32,
        session: SessionId,
        asked: &Asked,
    ) {
        if let Some(capacity) = self.capacities.get_mut(id.0) {
            capacity.waiting.entry(level).or_default().insert((asked.had(id), session));
        }
    }

    /// A host does not wait for a rate any more; says whether it did.
    pub(super) fn leave(&mut self, session: SessionId) -> bool {
        let mut did = false;
        for capacity in &mut self.capacities {
            for line in capacity.waiting.values_mut() {
                let before = line.len();
                line.retain(|(_, other)| *other != session);
                did |= line.len() < before;
            }
            capacity.waiting.retain(|_, line| !line.is_empty());
        }
        did
    }

    /// Whose turn it is, if anything is free.
    pub(super) fn next(&mut self, id: CapacityId) -> Option<SessionId> {
        let capacity = self.capacities.get_mut(id.0).filter(|capacity| capacity.is_free())?;
        let mut first = capacity.waiting.first_entry()?;
        let (level, taken) = (*first.key(), first.get_mut().pop_first());
        if first.get().is_empty() {
            first.remove();
        }
        let (had, session) = taken?;
        let served = capacity.served.entry(level).or_default();
        *served = had.max(*served);
        Some(session)
    }
}

/// What one host was asked for and has not sent, and what it will be on the wire.
#[derive(Debug)]
pub(super) struct Asked {
    raw_bytes: u64,
    wire_bytes: f64,
    /// Bytes on the wire for each of content.
    ratio: f64,
    /// Of how much content that is known.
    known_bytes: u64,
    /// All that it ever was asked for or sent, on the wire.
    had_bytes: f64,
    /// What it counts as having had besides, in each line that it stood in.
    granted_bytes: BTreeMap<CapacityId, f64>,
}

impl Default for Asked {
    /// Before anything arrived, nothing is taken to shrink.
    fn default() -> Self {
        Self {
            raw_bytes: 0,
            wire_bytes: 0.0,
            ratio: 1.0,
            known_bytes: 0,
            had_bytes: 0.0,
            granted_bytes: BTreeMap::new(),
        }
    }
}

impl Asked {
    /// Content that was asked for and has not arrived.
    pub(super) fn raw_bytes(&self) -> u64 {
        self.raw_bytes
    }

    /// What so much content will be on the wire.
    pub(super) fn on_wire(&self, raw_bytes: u64) -> f64 {
        raw_bytes as f64 * self.ratio
    }

    /// Books content that is asked for; gives what it will be on the wire.
    pub(super) fn ask(&mut self, raw_bytes: u64) -> f64 {
        let wire_bytes = self.on_wire(raw_bytes);
        self.raw_bytes += raw_bytes;
        self.wire_bytes += wire_bytes;
        self.had_bytes += wire_bytes;
        wire_bytes
    }

    /// Content that was asked for arrived as so much, or as nothing; gives what it was booked as.
    pub(super) fn end(&mut self, raw_bytes: u64, arrived_bytes: u64) -> f64 {
        let left = self.raw_bytes.saturating_sub(raw_bytes);
        let booked = if left == 0 {
            self.wire_bytes
        } else {
            self.wire_bytes * raw_bytes as f64 / self.raw_bytes as f64
        };
        self.raw_bytes = left;
        self.wire_bytes -= booked;
        self.had_bytes += arrived_bytes as f64 - booked;
        booked
    }

    /// In this line, it counts as having had so much.
    fn had_at_least(&mut self, line: CapacityId, least_bytes: u64) {
        let granted = self.granted_bytes.entry(line).or_default();
        *granted = granted.max(least_bytes as f64 - self.had_bytes);
    }

    /// What it had, as this line counts.
    fn had(&self, line: CapacityId) -> u64 {
        (self.had_bytes + self.granted_bytes.get(&line).copied().unwrap_or(0.0)) as u64
    }

    /// So much content came as so much on the wire.
    pub(super) fn learn(&mut self, raw_bytes: u64, wire_bytes: u64) {
        if raw_bytes == 0 {
            return;
        }
        let seen = (wire_bytes as f64 / raw_bytes as f64).clamp(RATIO_MIN, 1.0);
        let known = self.known_bytes.min(RATIO_RAW_BYTES);
        let weight = raw_bytes as f64 / (raw_bytes + known) as f64;
        self.ratio += weight * (seen - self.ratio);
        self.known_bytes = self.known_bytes.saturating_add(raw_bytes);
    }
}
