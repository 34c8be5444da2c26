//! How fast, and how long still: pure, with time passed in.
//!
//! The recent rate is an exponentially weighted mean over continuous time (time constant
//! [`RECENT_S`]), divided by the weight seen so far so that a young estimate is not too low. What
//! is left is said as a range between the recent and the overall rate, and not at all while there
//! is nothing honest to say: in the first seconds, and while nothing moves.

use std::time::Duration;

use crate::model::{Bytes, Rate};

/// Time constant of the recent rate, seconds: long enough for commits that come every five seconds.
const RECENT_S: f64 = 20.0;

/// Before this many seconds nothing is said.
const YOUNG_S: f64 = 5.0;

/// A range that ends later than this is no information.
const MAX_ETA_S: f64 = 30.0 * 86_400.0;

/// Bytes over time.
#[derive(Debug, Clone)]
pub struct RateEstimator {
    start: Duration,
    latest: Duration,
    total: Bytes,
    /// Sum of bytes, each faded by its age at `latest`.
    faded_bytes: f64,
}

/// What is left takes between `low` and `high`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EtaRange {
    /// If it goes on at the better rate.
    pub low: Duration,
    /// If it goes on at the worse rate.
    pub high: Duration,
}

impl RateEstimator {
    /// Begins to measure; `now` is [`crate::model::Clock::elapsed`], as everywhere here.
    pub fn new(now: Duration) -> Self {
        Self { start: now, latest: now, total: Bytes::ZERO, faded_bytes: 0.0 }
    }

    /// So many bytes more.
    pub fn add(&mut self, bytes: Bytes, now: Duration) {
        self.faded_bytes = self.faded(now) + bytes.0 as f64;
        self.latest = self.latest.max(now);
        self.total += bytes;
    }

    /// All bytes so far.
    pub fn total(&self) -> Bytes {
        self.total
    }

    /// The rate of late; `None` when it is too early to say, or nothing was ever seen.
    pub fn recent(&self, now: Duration) -> Option<Rate> {
        let elapsed_s = self.age_s(now)?;
        let weight_s = RECENT_S * (1.0 - (-elapsed_s / RECENT_S).exp());
        Some(Rate((self.faded(now) / weight_s) as u64))
    }

    /// The rate since the start.
    pub fn overall(&self, now: Duration) -> Option<Rate> {
        let elapsed_s = self.age_s(now)?;
        Some(Rate((self.total.0 as f64 / elapsed_s) as u64))
    }

    /// How long `left` still takes.
    pub fn eta(&self, left: Bytes, now: Duration) -> Option<EtaRange> {
        let (recent, overall) = (self.recent(now)?, self.overall(now)?);
        let low = left.time_at(recent.max(overall))?;
        let high = left.time_at(recent.min(overall))?;
        (high.as_secs_f64() <= MAX_ETA_S).then_some(EtaRange { low, high })
    }

    /// Seconds since the start, once there is something to say.
    fn age_s(&self, now: Duration) -> Option<f64> {
        let elapsed_s = now.saturating_sub(self.start).as_secs_f64();
        (elapsed_s >= YOUNG_S && self.total > Bytes::ZERO).then_some(elapsed_s)
    }

    fn faded(&self, now: Duration) -> f64 {
        let age_s = now.saturating_sub(self.latest).as_secs_f64();
        self.faded_bytes * (-age_s / RECENT_S).exp()
    }
}

impl std::fmt::Display for EtaRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (low, high) = (rough(self.low), rough(self.high));
        f.pad(&if low == high { format!("about {low}") } else { format!("{low} to {high}") })
    }
}

/// As precise as an estimate can be: minutes, then tens of minutes, then hours.
fn rough(time: Duration) -> String {
    let minutes = time.as_secs().div_ceil(60).max(1);
    match minutes {
        0..=90 => format!("{minutes} min"),
        91..=2_880 => {
            let tens = minutes.div_ceil(10) * 10;
            format!("{}h{:02}", tens / 60, tens % 60)
        }
        _ => format!("{} h", minutes.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// `rate` bytes a second from `start` to `end`, in steps of a second.
    fn feed(estimator: &mut RateEstimator, rate: u64, start: u64, end: u64) {
        for second in start + 1..=end {
            estimator.add(Bytes(rate), at(second));
        }
    }

    #[test]
    fn nothing_is_said_before_there_is_something_to_say() {
        let mut estimator = RateEstimator::new(at(100));
        assert_eq!(estimator.eta(Bytes(1), at(200)), None);
        estimator.add(Bytes(1_000), at(101));
        assert_eq!(estimator.recent(at(104)), None);
        assert!(estimator.recent(at(105)).is_some());
    }

    #[test]
    fn a_steady_stream_is_seen_as_such_from_the_start() {
        let mut estimator = RateEstimator::new(at(0));
        let mut seen = 0;
        for second in 0..120 {
            feed(&mut estimator, 1_000_000, second, second + 1);
            for rate in [estimator.recent(at(second + 1)), estimator.overall(at(second + 1))] {
                let Some(rate) = rate else { continue };
                assert!((950_000..=1_100_000).contains(&rate.0), "{second}: {rate}");
                seen += 1;
            }
        }
        assert_eq!(seen, 2 * 116);
        let eta = estimator.eta(Bytes(600_000_000), at(120)).unwrap();
        assert_eq!(eta.to_string(), "about 10 min");
    }

    #[test]
    fn a_change_widens_the_range() {
        let mut estimator = RateEstimator::new(at(0));
        feed(&mut estimator, 1_000_000, 0, 100);
        feed(&mut estimator, 4_000_000, 100, 200);
        let eta = estimator.eta(Bytes(6_000_000_000), at(200)).unwrap();
        assert_eq!((eta.low.as_secs() / 60, eta.high.as_secs() / 60), (24, 40));
        assert_eq!(eta.to_string(), "25 min to 40 min");
    }

    #[test]
    fn silence_fades_until_nothing_is_promised() {
        let mut estimator = RateEstimator::new(at(0));
        feed(&mut estimator, 1_000_000, 0, 60);
        assert!(estimator.eta(Bytes(1_000_000_000), at(60)).is_some());
        assert!(estimator.recent(at(160)) < estimator.recent(at(100)));
        assert_eq!(estimator.eta(Bytes(1_000_000_000), at(600)), None);
    }

    #[test]
    fn estimates_are_rough() {
        let check = |seconds, expected: &str| assert_eq!(rough(at(seconds)), expected);
        check(0, "1 min");
        check(61, "2 min");
        check(5_400, "90 min");
        check(5_401, "1h40");
        check(90_000, "25h00");
        check(200_000, "56 h");
    }
}
