//! How fast hosts go, and when customers can be done: measured, or not said at all.
//!
//! **Rate.** Over the receipts of the last five minutes of a host: everything after the oldest of
//! them, by the time since it. The oldest itself only marks the start, its bytes came before. A
//! stall lowers the rate as it lasts.
//!
//! **Range.** The early end: the customer's data goes first, on each of its hosts at that host's
//! pace (where that is not known, at the best that any host shows). The late end: all that is left
//! on its hosts, and all that is left of the fleet, goes before. No end is said for a customer of
//! whom something has no known size, or cannot go on.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{Bytes, HostId, Rate, Timestamp};

/// How far back receipts count.
pub(super) const PACE_WINDOW: Duration = Duration::from_secs(300);
/// No pace is said over less.
const SPAN_MIN_MS: u64 = 1_000;

/// One receipt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub age_ms: u64,
    pub sent_bytes: Bytes,
    pub raw_bytes: Bytes,
}

/// What a host does of late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    /// Payload over the wire.
    pub sent: Rate,
    /// Content that became durable, whether it had to cross or not.
    pub raw: Rate,
}

impl Pace {
    /// From the samples of one host; `None` when they do not say.
    pub fn of(samples: &[Sample]) -> Option<Self> {
        let span_ms = samples.iter().map(|sample| sample.age_ms).max()?;
        let later = samples.iter().filter(|sample| sample.age_ms < span_ms);
        if span_ms < SPAN_MIN_MS || later.clone().count() == 0 {
            return None;
        }
        let rate = |bytes: Bytes| Rate((u128::from(bytes.0) * 1_000 / u128::from(span_ms)) as u64);
        Some(Self {
            sent: rate(later.clone().map(|sample| sample.sent_bytes).sum()),
            raw: rate(later.map(|sample| sample.raw_bytes).sum()),
        })
    }
}

/// What is left, by host: of one customer, or of all.
pub(super) type Left = BTreeMap<HostId, Bytes>;

/// Earliest and latest end of what is left of one customer, beside all that is left.
pub(super) fn range(
    customer: &Left,
    fleet: &Left,
    paces: &BTreeMap<HostId, Pace>,
    now: Timestamp,
) -> Option<(Timestamp, Timestamp)> {
    let best = paces.values().map(|pace| pace.raw).max()?;
    let all = Rate(paces.values().map(|pace| pace.raw.0).sum());
    let pace_of = |host: &HostId| paces.get(host).map(|pace| pace.raw);
    let mut low = Duration::ZERO;
    let mut high = fleet.values().copied().sum::<Bytes>().time_at(all)?;
    for (host, left) in customer {
        low = low.max(left.time_at(pace_of(host).unwrap_or(best))?);
        if let (Some(pace), Some(all_of_host)) = (pace_of(host), fleet.get(host)) {
            high = high.max(all_of_host.time_at(pace)?);
        }
    }
    Some((now.plus(low), now.plus(high.max(low))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(age_s: u64, megabytes: u64) -> Sample {
        let bytes = Bytes(megabytes * 1_000_000);
        Sample { age_ms: age_s * 1_000, sent_bytes: bytes, raw_bytes: bytes }
    }

    fn megabytes(samples: &[Sample]) -> Option<u64> {
        Pace::of(samples).map(|pace| pace.raw.0 / 1_000_000)
    }

    #[test]
    fn a_pace_is_measured_or_not_said() {
        assert_eq!(megabytes(&[]), None);
        assert_eq!(megabytes(&[sample(10, 64)]), None);
        assert_eq!(megabytes(&[sample(10, 64), sample(10, 64)]), None);
        assert_eq!(megabytes(&[sample(10, 64), sample(5, 50), sample(0, 50)]), Some(10));
        assert_eq!(megabytes(&[sample(100, 64), sample(95, 100)]), Some(1), "a stall counts");
    }

    #[test]
    fn a_range_is_between_going_first_and_going_last() {
        let host = |name: &str| HostId::new(name).unwrap();
        let left = |name: &str, bytes| Left::from([(host(name), Bytes(bytes))]);
        let pace = Pace { sent: Rate(1), raw: Rate(10) };
        let paces = BTreeMap::from([(host("a"), pace), (host("b"), pace)]);
        let mut fleet = left("a", 1_000);
        fleet.insert(host("b"), Bytes(3_000));
        let now = Timestamp::from_second(0);
        let seconds = |customer: &Left| {
            range(customer, &fleet, &paces, now).map(|(a, b)| (a.as_second(), b.as_second()))
        };
        assert_eq!(seconds(&left("a", 500)), Some((50, 200)));
        assert_eq!(seconds(&left("b", 3_000)), Some((300, 300)));
        assert_eq!(seconds(&left("c", 100)), Some((10, 200)), "a host not measured yet");
        assert_eq!(range(&left("a", 1), &fleet, &BTreeMap::new(), now), None);
    }
}
