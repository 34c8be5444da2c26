//! How often somebody may ask: a bucket a person, one an address, and a small one for strangers.
//! Pure; time is passed in.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// Buckets kept at once; a stranger who brings more addresses than that waits.
const BUCKETS_MAX: usize = 4_096;

/// Who asks, as far as buckets go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Asker {
    /// Somebody with a link.
    Person(String),
    /// Everybody with a link behind one address; behind a proxy or a tunnel that is everybody.
    Address(IpAddr),
    /// Whoever has none.
    Stranger(IpAddr),
}

impl Asker {
    /// How many at once, and how many a second after that.
    fn allowance(&self) -> (f64, f64) {
        match self {
            Self::Person(_) => (40.0, 1.0),
            Self::Address(_) => (400.0, 10.0),
            Self::Stranger(_) => (30.0, 0.5),
        }
    }

    /// An IPv6 network is one address: whoever has one has 2^64.
    fn gathered(self) -> Self {
        let of_network = |address: IpAddr| match address.to_canonical() {
            IpAddr::V6(address) => {
                let mut parts = address.segments();
                parts[4..].fill(0);
                IpAddr::from(parts)
            }
            address @ IpAddr::V4(_) => address,
        };
        match self {
            Self::Address(address) => Self::Address(of_network(address)),
            Self::Stranger(address) => Self::Stranger(of_network(address)),
            person @ Self::Person(_) => person,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Duration,
}

/// All buckets.
#[derive(Debug, Default)]
pub(super) struct Rates {
    buckets: HashMap<Asker, Bucket>,
}

impl Rates {
    /// May he ask now?
    pub(super) fn take(&mut self, asker: Asker, now: Duration) -> bool {
        let asker = asker.gathered();
        if self.buckets.len() >= BUCKETS_MAX && !self.buckets.contains_key(&asker) {
            self.buckets
                .retain(|asker, bucket| refilled(asker, *bucket, now) < asker.allowance().0);
            if self.buckets.len() >= BUCKETS_MAX {
                return false;
            }
        }
        let full = Bucket { left: asker.allowance().0, at: now };
        let bucket = *self.buckets.get(&asker).unwrap_or(&full);
        let left = refilled(&asker, bucket, now) - 1.0;
        let is_allowed = left >= 0.0;
        self.buckets
            .insert(asker, Bucket { left: if is_allowed { left } else { left + 1.0 }, at: now });
        is_allowed
    }
}

fn refilled(asker: &Asker, bucket: Bucket, now: Duration) -> f64 {
    let (most, a_second) = asker.allowance();
    (bucket.left + now.saturating_sub(bucket.at).as_secs_f64() * a_second).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_too_much_waits_and_nobody_waits_for_another() {
        let mut rates = Rates::default();
        let second = Duration::from_secs(1);
        let jo = || Asker::Person("jo".into());
        let asked = (0..100).filter(|_| rates.take(jo(), second)).count();
        assert_eq!(asked, 40);
        assert!(!rates.take(jo(), second) && rates.take(Asker::Person("kim".into()), second));
        assert!(rates.take(jo(), second * 2) && !rates.take(jo(), second * 2));
        let stranger = |text: &str| Asker::Stranger(text.parse().unwrap());
        let asked = (0..100).filter(|n| rates.take(stranger(&format!("2001:db8::{n}")), second));
        assert_eq!(asked.count(), 30, "one network");
        assert!(!rates.take(stranger("2001:db8:0:0:9::1"), second));
        assert!(rates.take(stranger("2001:db8:1::1"), second));
    }

    #[test]
    fn more_strangers_than_there_are_buckets_wait() {
        let mut rates = Rates::default();
        let stranger = |n: u32| Asker::Stranger(IpAddr::from(n.to_be_bytes()));
        let now = Duration::from_secs(9);
        assert_eq!((0..10_000).filter(|n| rates.take(stranger(*n), now)).count(), BUCKETS_MAX);
        assert!(rates.take(stranger(70_000), now + Duration::from_secs(5)), "they are forgotten");
    }
}
